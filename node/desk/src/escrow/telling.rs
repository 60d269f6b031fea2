//! What a deal's row has to tell others: terms, a claim, a ruling, a refusal. Letters are made from the row alone and the row is
//! kept first, so that a crash in between loses none: they are made again until they are kept as letters. Whoever gets one twice
//! takes it once.

use super::depositing::member;
use super::parties::{deal_of, role_of};
use super::{DealError, Outgoing, names};
use crate::{Desk, DeskError};
use heatmark_envelopes::SealingKey;
use heatmark_escrow::Claim;
use heatmark_escrow::files::{
    ClaimFile, DealRefused, PartyRole, Quote, Ruling, TermsContent, TermsFile,
};
use heatmark_escrow::purpose::{claim_purpose, terms_purpose};
use heatmark_evidence::transfer::SignedFile as _;
use heatmark_ledger::ids::DealId;
use heatmark_vault::{DealRole, DealRow, VaultError};
use prost::Message as _;

impl Desk {
    /// What a row has to tell.
    pub(super) fn letters_of(
        &self,
        row: &DealRow,
        role: DealRole,
    ) -> Result<Vec<Outgoing>, DeskError> {
        match role {
            DealRole::Buyer if !row.claim.is_empty() => Ok(vec![self.claim_letter(row)?]),
            DealRole::Buyer if !row.terms.is_empty() => self.terms_letters(row),
            DealRole::Arbiter if !row.ruling.is_empty() => self.ruling_letters(row),
            _ if !row.trouble.is_empty() => Ok(vec![self.refusal_letter(row)?]),
            _ => Ok(Vec::new()),
        }
    }

    /// All that a row had to tell is kept as letters; unless it has more to tell since.
    pub(super) fn has_told(&self, told: &DealRow) -> Result<(), DeskError> {
        let _alone = self.alone();
        let row = self.parts.vault.deal(&deal_of(told)?, role_of(told)?)?;
        let same = |row: &DealRow| {
            (&row.terms, &row.claim, &row.ruling, &row.trouble)
                == (&told.terms, &told.claim, &told.ruling, &told.trouble)
        };
        if let Some(mut row) = row.filter(same) {
            row.unsent = false;
            self.parts.vault.put_deal(&self.actor, (&row, true), None, None)?;
        }
        Ok(())
    }

    /// The terms, sealed to every party that gave its keys.
    fn terms_letters(&self, row: &DealRow) -> Result<Vec<Outgoing>, DeskError> {
        let content = TermsContent::read(&row.terms)?;
        let network = self.parts.intake.network();
        let deal = DealId::try_from(row.deal.as_slice()).map_err(|_| VaultError::Damaged)?;
        let mut letters = Vec::with_capacity(row.quotes.len());
        for quote in &row.quotes {
            let quote = Quote::decode(quote.as_slice()).map_err(|_| VaultError::Damaged)?;
            let to = member(&quote.from)?;
            let arbiter = quote.role() == PartyRole::Arbiter;
            let shown = TermsContent {
                // Only the arbiter sees what a premium is a share of.
                base: if arbiter { content.base.clone() } else { Vec::new() },
                ..content.clone()
            };
            let key = SealingKey::decode(&quote.sealing).map_err(|_| VaultError::Damaged)?;
            let sealed = terms_purpose(&network, &deal, &self.parts.member, &to)
                .seal(&key, &shown.to_bytes(), &mut rand::rng())
                .map_err(|_| DealError::Sharing)?;
            let file = TermsFile {
                from: self.parts.member.to_vec(),
                to: quote.from.clone(),
                deal: row.deal.clone(),
                sealed,
                ..TermsFile::default()
            };
            let content = file.signed(&network, &self.parts.signing);
            letters.push(Outgoing { to, name: names::TERMS, content });
        }
        Ok(letters)
    }

    /// The claim, sealed to the arbiter.
    fn claim_letter(&self, row: &DealRow) -> Result<Outgoing, DeskError> {
        let claim = Claim::read(&row.claim)?;
        let arbiter = self.terms_in(&row.terms)?.arbiter.ok_or(DealError::NoArbiter)?;
        let to = member(&arbiter.member)?;
        let id = DealId::try_from(row.deal.as_slice()).map_err(|_| VaultError::Damaged)?;
        let quote = Quote::decode(arbiter.quote.as_slice()).map_err(|_| VaultError::Damaged)?;
        if quote.role() != PartyRole::Arbiter {
            return Err(VaultError::Damaged.into());
        }
        let key = SealingKey::decode(&quote.sealing).map_err(|_| VaultError::Damaged)?;
        let network = self.parts.intake.network();
        let sealed = claim_purpose(&network, &id, &self.parts.member, &to)
            .seal(&key, &claim.to_bytes(), &mut rand::rng())
            .map_err(|_| DealError::Sharing)?;
        let file = ClaimFile {
            from: self.parts.member.to_vec(),
            to: arbiter.member,
            deal: row.deal.clone(),
            claim: claim.digest().0.to_vec(),
            sealed,
            ..ClaimFile::default()
        };
        let content = file.signed(&network, &self.parts.signing);
        Ok(Outgoing { to, name: names::CLAIM, content })
    }

    /// The ruling, to buyer and owner.
    fn ruling_letters(&self, row: &DealRow) -> Result<Vec<Outgoing>, DeskError> {
        let ruling = Ruling::decode(row.ruling.as_slice()).map_err(|_| VaultError::Damaged)?;
        let content = TermsContent::read(&row.terms)?;
        let owner = self.manifest_of(&content.manifest)?.owner;
        let mut letters = Vec::new();
        for party in [row.buyer.clone(), owner] {
            let to = member(&party)?;
            let ruling = Ruling { to: party, ..ruling.clone() };
            let content = ruling.signed(&self.parts.intake.network(), &self.parts.signing);
            letters.push(Outgoing { to, name: names::RULING, content });
        }
        Ok(letters)
    }

    /// That this party takes no part, and why.
    fn refusal_letter(&self, row: &DealRow) -> Result<Outgoing, DeskError> {
        let file = DealRefused {
            from: self.parts.member.to_vec(),
            to: row.buyer.clone(),
            deal: row.deal.clone(),
            code: row.trouble.clone(),
            text: row.trouble_text.clone(),
            at_ms: self.now().0,
            ..DealRefused::default()
        };
        let content = file.signed(&self.parts.intake.network(), &self.parts.signing);
        Ok(Outgoing { to: member(&row.buyer)?, name: names::REFUSED, content })
    }
}
