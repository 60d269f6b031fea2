//! What could be opened of a record: a buyer asks, agents answer with the clauses that let it in. Whom no clause lets in learns
//! nothing, not even that something is held.

use super::{DealError, Outgoing, names};
use crate::{Desk, DeskError, blocking};
use heatmark_escrow::files::{OfferAsk, Offers};
use heatmark_escrow::{Clause, Manifest};
use heatmark_evidence::transfer::SignedFile as _;
use heatmark_ledger::ids::MemberId;
use heatmark_ledger::messages as pb;
use heatmark_records::{Head, RecordId};
use heatmark_vault::{OpenableRow, VaultError};
use prost::Message as _;

impl Desk {
    /// Asks agents, and the record's issuer, what could be opened of a record. What they say comes in by and by.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn ask_offers(&self, record: RecordId) -> Result<usize, DeskError> {
        let desk = self.clone();
        let letters = blocking(move || {
            let mut asked = desk.members_with(pb::Role::EscrowAgent)?;
            asked.extend(desk.issuer_of(&record)?);
            asked.sort_unstable();
            asked.dedup();
            let ask = |to: MemberId| {
                let nonce: [u8; 16] = rand::random();
                desk.asked_under(&nonce);
                let ask = OfferAsk {
                    from: desk.parts.member.to_vec(),
                    to: to.to_vec(),
                    nonce: nonce.to_vec(),
                    record: record.0.to_vec(),
                    ..OfferAsk::default()
                };
                let content = ask.signed(&desk.parts.intake.network(), &desk.parts.signing);
                Outgoing { to, name: names::OFFER_ASK, content }
            };
            Ok(asked.into_iter().map(ask).collect::<Vec<_>>())
        });
        let letters = letters.await?;
        let count = letters.len();
        self.send_out(letters).await?;
        Ok(count)
    }

    fn issuer_of(&self, record: &RecordId) -> Result<Option<MemberId>, DeskError> {
        let head = match self.parts.vault.upstream_record(record)? {
            Some(row) => {
                let record = heatmark_evidence::capsule::CapsuleRecord::decode(&*row.content);
                record.map_err(|_| VaultError::Damaged)?.head
            }
            None => return Ok(None),
        };
        Ok(Head::decode(&head).ok().map(|head| MemberId::from(head.heading().issuer)))
    }

    /// Somebody asks what it could open.
    pub(super) fn asked_for_offers(
        &self,
        from: MemberId,
        content: &[u8],
    ) -> Result<Vec<Outgoing>, DeskError> {
        let ask: OfferAsk = self.file_from(from, content)?;
        self.for_us(&ask.to)?;
        let record: [u8; 32] = ask.record.as_slice().try_into().map_err(|_| DeskError::NotForUs)?;
        let rows = self.parts.vault.holdings_of(&record)?;
        let held = rows.into_iter().filter(|row| row.signed && !row.destroyed);
        let mut newest: Option<(Manifest, Vec<Clause>, Vec<u8>)> = None;
        for row in held {
            let manifest = self.manifest_of(&row.manifest)?;
            if newest.as_ref().is_some_and(|(known, ..)| known.epoch >= manifest.epoch) {
                continue;
            }
            let clauses: Result<Vec<Clause>, _> =
                row.clauses.iter().map(|clause| Clause::read(clause)).collect();
            newest = Some((manifest, clauses?, row.evidence));
        }
        let mut offers = Offers {
            from: self.parts.member.to_vec(),
            to: from.to_vec(),
            nonce: ask.nonce.clone(),
            record: ask.record.clone(),
            ..Offers::default()
        };
        if let Some((manifest, clauses, evidence)) = newest {
            for clause in clauses {
                if self.lets_in(&clause, &from)? {
                    offers.clauses.push(clause.to_bytes());
                }
            }
            // Whom no clause lets in learns nothing, not even that something is held.
            if !offers.clauses.is_empty() {
                (offers.manifest, offers.evidence) = (manifest.to_bytes(), evidence);
            }
        }
        let content = offers.signed(&self.parts.intake.network(), &self.parts.signing);
        Ok(vec![Outgoing { to: from, name: names::OFFERS, content }])
    }

    /// An agent says what could be opened.
    pub(super) fn offers_arrived(
        &self,
        from: MemberId,
        content: &[u8],
    ) -> Result<Vec<Outgoing>, DeskError> {
        let file: Offers = self.file_from(from, content)?;
        self.for_us(&file.to)?;
        if !self.was_asked_under(&file.nonce) {
            return Err(DeskError::NotForUs);
        }
        let Some((manifest, _)) = file.opened(&self.parts.intake.network())? else {
            return Ok(Vec::new());
        };
        if manifest.index_of(&from).is_none() {
            return Err(DeskError::NotForUs);
        }
        let record = manifest.record().ok_or(DealError::NotDeposited)?;
        let issuer = self.issuer_of(&record)?;
        if issuer.is_some_and(|issuer| manifest.owner != issuer.as_bytes()) {
            // Somebody deposited what it says is another's record.
            return Err(DealError::NotDeposited.into());
        }
        self.check_deposited(&manifest, &file.evidence)?;
        let _alone = self.alone();
        let digest = manifest.digest().0;
        let known = self.parts.vault.openable(&record)?;
        let known = known.into_iter().find(|row| row.manifest == file.manifest);
        let mut row = OpenableRow {
            record: manifest.record.clone(),
            manifest: file.manifest.clone(),
            clauses: file.clauses.clone(),
            evidence: file.evidence.clone(),
            at_ms: self.now().0,
            told_by: known.map(|row| row.told_by).unwrap_or_default(),
        };
        if !row.told_by.iter().any(|told| told == from.as_bytes()) {
            row.told_by.push(from.to_vec());
        }
        self.parts.vault.put_openable(&digest, &row)?;
        Ok(Vec::new())
    }
}
