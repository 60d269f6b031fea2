//! Shares held for others: a key for each deposit, shares checked against the manifest's commitments before they are signed
//! for, and the ciphertext fetched piece by piece and hashed. Refuses deposits that their owner has not anchored, and shares
//! that do not follow from it.

use super::DealError;
use super::depositing::member;
use super::{Outgoing, names};
use crate::{Desk, DeskError};
use heatmark_envelopes::{OpeningKey, Share};
use heatmark_escrow::files::{DepositAsk, DepositKey, DepositParcel, DepositReceipt};
use heatmark_escrow::{Clause, Manifest, Who, open_deposit};
use heatmark_evidence::transfer::SignedFile as _;
use heatmark_ledger::ids::MemberId;
use heatmark_ledger::messages as pb;
use heatmark_ledger::state;
use heatmark_merkle::tag;
use heatmark_vault::{HoldingRow, SecretsOf, VaultError};
use prost::Message;
use zeroize::{Zeroize, Zeroizing};

/// Deposits of one owner that may have a key here and no shares yet.
const MOST_BEGUN: usize = 256;

/// What only the agent knows of a deposit.
#[derive(Clone, PartialEq, Message)]
pub(super) struct HoldingSecrets {
    /// Seed of the key that shares are sealed to; empty once they are here.
    #[prost(bytes = "vec", tag = "1")]
    pub(super) seed: Vec<u8>,
    /// Shares, in the order of sections.
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub(super) shares: Vec<Vec<u8>>,
}

impl Drop for HoldingSecrets {
    fn drop(&mut self) {
        self.seed.zeroize();
        self.shares.zeroize();
    }
}

impl Desk {
    /// An owner asks whether this organisation holds shares for it.
    pub(super) fn asked_to_hold(
        &self,
        from: MemberId,
        content: &[u8],
    ) -> Result<Vec<Outgoing>, DeskError> {
        let ask: DepositAsk = self.file_from(from, content)?;
        self.for_us(&ask.to)?;
        let own = from == self.parts.member;
        if !own && !self.is_agent()? {
            return Err(DealError::NotAnAgent.into());
        }
        let _alone = self.alone();
        let begun = begun(&from, &ask.nonce);
        let known = match self.parts.vault.escrow_secrets(SecretsOf::Holding, &begun)? {
            Some(secrets) => read(&secrets)?,
            None => {
                let rows = self.parts.vault.holdings()?;
                let of = |row: &&HoldingRow| {
                    row.owner == from.as_bytes() && row.manifest.is_empty() && !row.destroyed
                };
                if rows.iter().filter(of).count() >= MOST_BEGUN {
                    return Err(DealError::TooManyBegun.into());
                }
                let seed = OpeningKey::generate(&mut rand::rng()).seed().to_vec();
                let secrets = HoldingSecrets { seed, shares: Vec::new() };
                let row = HoldingRow {
                    digest: begun.to_vec(),
                    owner: from.to_vec(),
                    at_ms: self.now().0,
                    bytes: ask.bytes,
                    ..HoldingRow::default()
                };
                let sealed = Zeroizing::new(secrets.encode_to_vec());
                self.parts.vault.put_holding(&row, Some(&sealed), None)?;
                secrets
            }
        };
        let key = DepositKey {
            from: self.parts.member.to_vec(),
            to: from.to_vec(),
            nonce: ask.nonce.clone(),
            key: opening_key(&known.seed)?.sealing_key().as_bytes().to_vec(),
            ..DepositKey::default()
        };
        let content = key.signed(&self.parts.intake.network(), &self.parts.signing);
        Ok(vec![Outgoing { to: from, name: names::DEPOSIT_KEY, content }])
    }

    fn is_agent(&self) -> Result<bool, DeskError> {
        let own = state::member(&self.parts.store, &self.parts.member)?;
        let entry = own.and_then(|state| state.entry);
        Ok(entry.is_some_and(|entry| entry.roles().any(|role| role == pb::Role::EscrowAgent)))
    }

    /// Shares arrived.
    pub(super) fn shares_arrived(
        &self,
        from: MemberId,
        content: &[u8],
    ) -> Result<Vec<Outgoing>, DeskError> {
        let parcel: DepositParcel = self.file_from(from, content)?;
        self.for_us(&parcel.to)?;
        let (manifest, _) = parcel.opened(&self.parts.intake.network())?;
        if manifest.owner != from.as_bytes() {
            return Err(DeskError::NotForUs);
        }
        self.check_deposited(&manifest, &parcel.evidence)?;
        let _alone = self.alone();
        let digest = manifest.digest().0;
        if let Some(row) = self.parts.vault.holding(&digest)? {
            return self.go_on_holding(row, &manifest);
        }
        let begun = begun(&from, &parcel.nonce);
        let secrets = self.parts.vault.escrow_secrets(SecretsOf::Holding, &begun)?;
        let secrets = read(&secrets.ok_or(DealError::UnknownDeposit)?)?;
        let key = opening_key(&secrets.seed)?;
        if parcel.shares.len() != manifest.sections.len() {
            return Err(DealError::BadShare.into());
        }
        let mut held = HoldingSecrets::default();
        for (section, sealed) in manifest.sections.iter().zip(&parcel.shares) {
            let share = open_deposit(&key, &manifest, &section.name, &self.parts.member, sealed);
            let share = share.map_err(|_| DealError::BadShare)?;
            held.shares.push(share.encode().to_vec());
        }
        let row = HoldingRow {
            digest: digest.to_vec(),
            owner: from.to_vec(),
            record: manifest.record.clone(),
            manifest: parcel.manifest.clone(),
            clauses: parcel.clauses.clone(),
            evidence: parcel.evidence.clone(),
            at_ms: self.now().0,
            ..HoldingRow::default()
        };
        let sealed = Zeroizing::new(held.encode_to_vec());
        self.parts.vault.put_holding(&row, Some(&sealed), Some(begun))?;
        self.go_on_holding(row, &manifest)
    }

    /// Asks for what is missing of the ciphertext, or signs once all of it is here.
    pub(super) fn go_on_holding(
        &self,
        mut row: HoldingRow,
        manifest: &Manifest,
    ) -> Result<Vec<Outgoing>, DeskError> {
        let owner = member(&manifest.owner)?;
        if !row.signed {
            for section in &manifest.sections {
                if let Some(first) = self.first_missing(section)? {
                    return Ok(vec![self.ask_for_pieces(section, first, &owner)?]);
                }
            }
            row.signed = true;
            self.parts.vault.put_holding(&row, None, None)?;
        }
        let receipt = DepositReceipt {
            from: self.parts.member.to_vec(),
            to: manifest.owner.clone(),
            manifest: row.digest.clone(),
            contents: true,
            at_ms: self.now().0,
            ..DepositReceipt::default()
        };
        let content = receipt.signed(&self.parts.intake.network(), &self.parts.signing);
        Ok(vec![Outgoing { to: owner, name: names::DEPOSIT_RECEIPT, content }])
    }

    /// The share of a section that is held here.
    pub(super) fn held_shares(&self, digest: &[u8; 32]) -> Result<Vec<Share>, DeskError> {
        let secrets = self.parts.vault.escrow_secrets(SecretsOf::Holding, digest)?;
        let secrets = read(&secrets.ok_or(DealError::UnknownDeposit)?)?;
        let shares = secrets.shares.iter();
        let shares: Result<Vec<Share>, _> = shares.map(|share| Share::decode(share)).collect();
        Ok(shares.map_err(|_| VaultError::Damaged)?)
    }

    /// Whether a clause could be of use to a member: whatever else it asks, it lets it in.
    pub(super) fn lets_in(&self, clause: &Clause, buyer: &MemberId) -> Result<bool, DeskError> {
        let Some(state) = state::member(&self.parts.store, buyer)? else { return Ok(false) };
        let active = state.status() == pb::MemberStatus::Active;
        let entry = state.entry.unwrap_or_default();
        let entitled = match clause.who() {
            None => false,
            Some(Who::Anyone) => true,
            Some(Who::Members(members)) => members.contains(buyer),
            Some(Who::Roles(roles)) => entry.roles().any(|role| roles.contains(&role)),
        };
        let country = clause.countries.is_empty() || clause.countries.contains(&entry.country);
        let ended = clause.until_ms != 0 && self.now().0 >= clause.until_ms;
        Ok(active && entitled && country && !ended)
    }
}

fn read(bytes: &[u8]) -> Result<HoldingSecrets, DeskError> {
    Ok(HoldingSecrets::decode(bytes).map_err(|_| VaultError::Damaged)?)
}

fn opening_key(seed: &[u8]) -> Result<OpeningKey, DeskError> {
    let seed: &[u8; 32] = seed.try_into().map_err(|_| VaultError::Damaged)?;
    Ok(OpeningKey::from_seed(seed))
}

/// What a deposit is known by before its manifest is here.
fn begun(owner: &MemberId, nonce: &[u8]) -> [u8; 32] {
    tag::hash("deposit-begun", &[owner.as_bytes(), nonce]).0
}
