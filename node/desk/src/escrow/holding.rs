//! Shares held for others: a key for each deposit, shares checked against the manifest's commitments before they are signed
//! for, and the ciphertext fetched piece by piece and hashed. Refuses deposits that their owner has not anchored, and shares
//! that do not follow from it.

use super::DealError;
use super::depositing::{member, roots_of};
use super::running::Waiter;
use super::{Outgoing, names};
use crate::{Desk, DeskError};
use heatmark_envelopes::{OpeningKey, Share};
use heatmark_escrow::files::{DepositAsk, DepositKey, DepositParcel, DepositReceipt, TermsContent};
use heatmark_escrow::{Clause, Manifest, Who, open_deposit};
use heatmark_evidence::transfer::SignedFile as _;
use heatmark_ledger::ids::MemberId;
use heatmark_ledger::messages as pb;
use heatmark_ledger::state;
use heatmark_merkle::tag;
use heatmark_records::RecordId;
use heatmark_vault::{ContentOf, DealRole, HoldingRow, SecretsOf, VaultError};
use prost::Message;
use zeroize::{Zeroize, Zeroizing};

/// Deposits of one owner that may have a key here and no shares yet.
const MOST_BEGUN: usize = 256;
/// Most bytes of ciphertext that are held for one owner.
const MOST_HELD_BYTES: u64 = 16 << 30;
/// Most bytes of one deposit: its documents with what encryption adds.
const MOST_DEPOSIT_BYTES: u64 = 320 << 20;
/// What was begun and did not go on is forgotten after so long.
const BEGUN_MS: u64 = 30 * 86_400_000;

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
                let held = self.parts.vault.held_for(from.as_bytes())?;
                if held.begun >= MOST_BEGUN {
                    return Err(DealError::TooManyBegun.into());
                }
                let bytes = held.bytes.saturating_add(ask.bytes);
                if ask.bytes > MOST_DEPOSIT_BYTES || bytes > MOST_HELD_BYTES {
                    return Err(DealError::NoRoom.into());
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
        let before = self.parts.vault.holding(&begun)?.ok_or(DealError::UnknownDeposit)?;
        let secrets = self.parts.vault.escrow_secrets(SecretsOf::Holding, &begun)?;
        let secrets = read(&secrets.ok_or(DealError::UnknownDeposit)?)?;
        let key = opening_key(&secrets.seed)?;
        let bytes = manifest.sections.iter().map(|section| section.bytes);
        let bytes = bytes.fold(0, u64::saturating_add);
        if bytes > before.bytes {
            return Err(DealError::NoRoom.into());
        }
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
            bytes,
            roots: roots_of(&manifest),
            ..HoldingRow::default()
        };
        let sealed = Zeroizing::new(held.encode_to_vec());
        self.parts.vault.put_holding(&row, Some(&sealed), Some(&before))?;
        self.fetching(Waiter::Holding(digest), true);
        self.go_on_holding(row, &manifest)
    }

    /// Asks for what is missing of the ciphertext, the owner first and then the other agents, or signs once all of it is here.
    pub(super) fn go_on_holding(
        &self,
        mut row: HoldingRow,
        manifest: &Manifest,
    ) -> Result<Vec<Outgoing>, DeskError> {
        let owner = member(&manifest.owner)?;
        if row.destroyed {
            return Ok(Vec::new());
        }
        if !row.signed {
            let digest = row.digest.as_slice().try_into().map_err(|_| VaultError::Damaged)?;
            let waiter = Waiter::Holding(digest);
            let sources = self.sources_of(manifest)?;
            for section in &manifest.sections {
                let ask = self.fetch(section, waiter, &sources)?;
                if ask.is_some() || self.any_missing(section)? {
                    return Ok(ask.into_iter().collect());
                }
            }
            self.fetching(waiter, false);
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

    fn sources_of(&self, manifest: &Manifest) -> Result<Vec<MemberId>, DeskError> {
        let mut sources = vec![member(&manifest.owner)?];
        for agent in &manifest.agents {
            sources.push(member(&agent.member)?);
        }
        sources.dedup();
        // An owner that is its own agent has all of it, or asks the others.
        if sources.len() > 1 {
            sources.retain(|source| *source != self.parts.member);
        }
        Ok(sources)
    }

    /// Forgets the ciphertext of a deposit, unless it is that of another one as well.
    pub(super) fn forget_ciphertext(&self, row: &HoldingRow) -> Result<(), DeskError> {
        for section in &self.manifest_of(&row.manifest)?.sections {
            let content = section.content().ok_or(VaultError::Damaged)?;
            let root = content.root().0;
            let mut of_another = false;
            for known in self.parts.vault.contents_of(&root)? {
                of_another |= match known {
                    ContentOf::Deposit(id) => {
                        self.parts.vault.deposit(&id)?.is_some_and(|row| !row.destroyed)
                    }
                    ContentOf::Holding(digest) => {
                        self.parts.vault.holding(&digest)?.is_some_and(|row| !row.destroyed)
                    }
                };
            }
            // What this organisation bought of it stays as well.
            let bought = self.bought_content(&row.record, &root)?;
            if !of_another && !bought {
                self.is_known_whole(&root, false);
                self.parts.vault.drop_pieces(&root, content.pieces())?;
            }
        }
        let digest = row.digest.as_slice().try_into().map_err(|_| VaultError::Damaged)?;
        self.fetching(Waiter::Holding(digest), false);
        Ok(())
    }

    fn bought_content(&self, record: &[u8], root: &[u8; 32]) -> Result<bool, DeskError> {
        let record = RecordId::try_from(record).map_err(|_| VaultError::Damaged)?;
        for deal in self.parts.vault.deals_that_opened(&record)? {
            let row = self.parts.vault.deal(&deal, DealRole::Buyer)?;
            let Some(row) = row.filter(|row| !row.destroyed) else { continue };
            let content = TermsContent::read(&row.terms)?;
            if self.manifest_of(&content.manifest)?.sections.iter().any(|of| of.root == root) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Forgets what owners began and did not go on with.
    pub(super) fn forget_begun(&self) -> Result<(), DeskError> {
        let _alone = self.alone();
        let now = self.now().0;
        for row in self.parts.vault.holdings()? {
            if row.manifest.is_empty() && now.saturating_sub(row.at_ms) > BEGUN_MS {
                self.parts.vault.drop_holding(&row)?;
            }
        }
        Ok(())
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
