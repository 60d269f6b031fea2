//! What an owner and its agents send each other of a deposit: whether they hold shares, keys to seal them to, the shares, and
//! what agents sign for them. Each agent gets its shares, sealed to the key that it offered first, until it has signed for them.

use super::DealError;
use super::depositing::{DepositSecrets, member};
use super::{Outgoing, names};
use crate::{Desk, DeskError};
use heatmark_envelopes::{SealingKey, Share};
use heatmark_escrow::files::{DepositAsk, DepositKey, DepositParcel, DepositReceipt};
use heatmark_escrow::seal_deposit;
use heatmark_evidence::transfer::SignedFile as _;
use heatmark_ledger::ids::MemberId;
use heatmark_vault::{DepositRow, SecretsOf, VaultError};
use prost::Message as _;

impl Desk {
    /// Asks agents that have not offered a key, each now and then.
    pub(super) fn ask_agents(&self, row: &DepositRow) -> Result<Vec<Outgoing>, DeskError> {
        let manifest = self.manifest_of(&row.manifest)?;
        let bytes = manifest.sections.iter().map(|section| section.bytes);
        let mut letters = Vec::new();
        for agent in row.agents.iter().filter(|agent| agent.key.is_empty()) {
            let to = member(&agent.member)?;
            if !self.may_ask((&row.id, &agent.member)) {
                continue;
            }
            let ask = DepositAsk {
                from: self.parts.member.to_vec(),
                to: agent.member.clone(),
                nonce: row.nonce.clone(),
                sections: u32::try_from(manifest.sections.len()).unwrap_or(u32::MAX),
                bytes: bytes.clone().fold(0, u64::saturating_add),
                ..DepositAsk::default()
            };
            let content = ask.signed(&self.parts.intake.network(), &self.parts.signing);
            letters.push(Outgoing { to, name: names::DEPOSIT_ASK, content });
        }
        Ok(letters)
    }

    /// An agent offers a key.
    pub(super) fn key_of_agent(
        &self,
        from: MemberId,
        content: &[u8],
    ) -> Result<Vec<Outgoing>, DeskError> {
        let file: DepositKey = self.file_from(from, content)?;
        self.for_us(&file.to)?;
        SealingKey::decode(&file.key).map_err(|_| DeskError::NotForUs)?;
        let _alone = self.alone();
        let row = self.parts.vault.deposit_under(&file.nonce)?.filter(|row| !row.destroyed);
        let mut row = row.ok_or(DealError::UnknownDeposit)?;
        let agent = row.agents.iter_mut().find(|agent| agent.member == from.as_bytes());
        let agent = agent.ok_or(DeskError::NotForUs)?;
        if agent.key.is_empty() {
            agent.key = file.key;
            self.parts.vault.put_deposit(&self.actor, &row, None)?;
        }
        Ok(Vec::new())
    }

    /// What agents get that have offered a key and have not got it yet.
    pub(super) fn parcels_of(&self, id: &[u8]) -> Result<Vec<Outgoing>, DeskError> {
        let _alone = self.alone();
        let mut row = self.deposit_row(id)?;
        let manifest = self.manifest_of(&row.manifest)?;
        let key: [u8; 32] = id.try_into().map_err(|_| VaultError::Damaged)?;
        let Some(secrets) = self.parts.vault.escrow_secrets(SecretsOf::Deposit, &key)? else {
            return Ok(Vec::new());
        };
        let secrets =
            DepositSecrets::decode(secrets.as_slice()).map_err(|_| VaultError::Damaged)?;
        let mut letters = Vec::new();
        for (place, agent) in row.agents.iter_mut().enumerate() {
            if agent.key.is_empty() || !agent.receipt.is_empty() {
                continue;
            }
            // Again now and then, since a crash may have come between what is kept and what was to leave.
            if !self.may_ask((&row.nonce, &agent.member)) {
                continue;
            }
            let to = SealingKey::decode(&agent.key).map_err(|_| VaultError::Damaged)?;
            let mut shares = Vec::with_capacity(manifest.sections.len());
            for (entry, section) in manifest.sections.iter().zip(&secrets.sections) {
                let share = section.shares.get(place).ok_or(VaultError::Damaged)?;
                let share = Share::decode(share).map_err(|_| VaultError::Damaged)?;
                let sealed = seal_deposit(&share, &manifest, &entry.name, &to, &mut rand::rng());
                shares.push(sealed.map_err(|_| DealError::Sharing)?);
            }
            let parcel = DepositParcel {
                from: self.parts.member.to_vec(),
                to: agent.member.clone(),
                nonce: row.nonce.clone(),
                manifest: row.manifest.clone(),
                clauses: row.clauses.clone(),
                shares,
                evidence: row.evidence.clone(),
                ..DepositParcel::default()
            };
            let content = parcel.signed(&self.parts.intake.network(), &self.parts.signing);
            letters.push(Outgoing {
                to: member(&agent.member)?,
                name: names::DEPOSIT_PARCEL,
                content,
            });
            agent.sent = true;
        }
        if !letters.is_empty() {
            self.parts.vault.put_deposit(&self.actor, &row, None)?;
        }
        Ok(letters)
    }

    /// An agent has signed for its shares.
    pub(super) fn agent_signed(
        &self,
        from: MemberId,
        content: &[u8],
    ) -> Result<Vec<Outgoing>, DeskError> {
        let file: DepositReceipt = self.file_from(from, content)?;
        self.for_us(&file.to)?;
        let _alone = self.alone();
        let row = self.parts.vault.deposit_of(&file.manifest)?;
        let mut row = row.ok_or(DealError::UnknownDeposit)?;
        let agent = row.agents.iter_mut().find(|agent| agent.member == from.as_bytes());
        agent.ok_or(DeskError::NotForUs)?.receipt = content.to_vec();
        self.parts.vault.put_deposit(&self.actor, &row, None)?;
        Ok(Vec::new())
    }
}
