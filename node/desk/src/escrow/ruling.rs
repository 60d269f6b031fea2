//! The arbiter: it says that it holds what is paid, looks at what a buyer claims with its own node, and rules. Money stays
//! outside: a file for each thing to do with it stands in the outbox, once. Here too what the owner says by hand.

use super::DealError;
use super::depositing::member;
use super::parties::{BAD_SHARES, OnLog, PAYLOAD, deal_of};
use super::{Outgoing, outbox};
use crate::{Desk, DeskError, blocking};
use heatmark_escrow::files::{ClaimFile, Ruling, TermsContent, reason_digest};
use heatmark_escrow::purpose::claim_purpose;
use heatmark_escrow::{
    Base, Claim, ClaimKey, ClaimRefusal, Manifest, PayloadClaim, PayloadJudge, ShareClaim, Terms,
    judge_share,
};
use heatmark_evidence::transfer::SignedFile as _;
use heatmark_ledger::deal::Phase;
use heatmark_ledger::ids::{DealId, MemberId};
use heatmark_ledger::messages::{self as pb, deal::Step};
use heatmark_vault::{DealRole, DealRow, Deed, VaultError};
use prost::Message as _;

/// What a claim comes to, by its code, and whether the buyer is right.
type Found = (String, bool);

/// Things that the outbox says once each.
const TOLD: [(&str, u32); 3] = [("collect", 1), ("pay-out", 2), ("refund", 4)];

impl Desk {
    /// Says yes: as the owner to a deal that it accepts by hand, as the arbiter that it holds what is paid, as the buyer to what
    /// was opened.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn agree_to_deal(&self, deal: [u8; 32], role: DealRole) -> Result<(), DeskError> {
        let desk = self.clone();
        blocking(move || {
            let _alone = desk.alone();
            let row = desk.parts.vault.deal(&deal, role)?;
            let mut row = row.ok_or(DealError::UnknownDeal)?;
            let on_log = desk.on_log(&deal)?.ok_or(DealError::NotOnLog)?;
            let (phase, deed) = match role {
                DealRole::Owner => (Phase::Open, Deed::AcceptDeal),
                DealRole::Arbiter => (Phase::Accepted, Deed::FundDeal),
                DealRole::Buyer => (Phase::Delivered, Deed::ConfirmDeal),
                DealRole::Agent => return Err(DeskError::NotForUs),
            };
            if on_log.phase != phase {
                return Err(DealError::WrongPhase(on_log.phase.name()).into());
            }
            if row.terms.is_empty() {
                return Err(DealError::NoTerms.into());
            }
            // Nobody says yes to what this node would refuse.
            if role == DealRole::Buyer {
                if !row.opened {
                    return Err(DealError::NotOpened.into());
                }
            } else {
                desk.check_terms(&row, role, &on_log)?;
            }
            row.agreed = true;
            desk.parts.vault.put_deal(&desk.actor, (&row, true), None, Some(deed))?;
            desk.look_at(&row);
            Ok(())
        })
        .await
    }

    /// What the arbiter does next.
    pub(super) fn arbiter_step(
        &self,
        row: &mut DealRow,
        on_log: &OnLog,
    ) -> Result<Option<(&'static str, Step)>, DeskError> {
        self.tell_arbiter(row, on_log)?;
        Ok(match on_log.phase {
            Phase::Accepted if row.agreed => Some(("fund", Step::Fund(pb::DealFund {}))),
            Phase::Disputed if !row.ruling.is_empty() => {
                let ruling =
                    Ruling::decode(row.ruling.as_slice()).map_err(|_| VaultError::Damaged)?;
                let salt = ruling.salt.as_slice().try_into().map_err(|_| VaultError::Damaged)?;
                let reason_digest = reason_digest(salt, &ruling.reason).0.to_vec();
                let refund = ruling.refund;
                Some(("rule", Step::Rule(pb::DealRule { refund, reason_digest })))
            }
            _ => None,
        })
    }

    /// Puts into the outbox what is to be done with money.
    pub(super) fn tell_arbiter(&self, row: &mut DealRow, on_log: &OnLog) -> Result<(), DeskError> {
        let funded = on_log.deal.to_state().funded.is_some();
        let what = match on_log.phase {
            Phase::Accepted => "collect",
            Phase::Settled if funded => "pay-out",
            Phase::Refunded if funded => "refund",
            _ => return Ok(()),
        };
        let bit = TOLD.iter().find(|(name, _)| *name == what).map_or(0, |(_, bit)| *bit);
        if row.told & bit == 0 {
            self.put_in_outbox(row, what)?;
            row.told |= bit;
        }
        Ok(())
    }

    fn put_in_outbox(&self, row: &DealRow, what: &str) -> Result<(), DeskError> {
        let Some(place) = self.outbox.as_ref() else { return Ok(()) };
        let content = TermsContent::read(&row.terms)?;
        let terms = self.terms_in(&row.terms)?;
        let manifest = self.manifest_of(&content.manifest)?;
        let owner = member(&manifest.owner)?;
        let line = serde_json::json!({
            "what": what,
            "deal": hex::encode(&row.deal),
            "amount": self.amount_of(&terms, &content)?,
            "currency": terms.currency,
            "buyer": hex::encode(&row.buyer),
            "buyer_name": self.name_of(&member(&row.buyer)?)?,
            "owner": owner.to_string(),
            "owner_name": self.name_of(&owner)?,
        });
        let name = format!("{}-{what}.json", hex::encode(&row.deal));
        let written = outbox::put(place, &name, &format!("{line}\n"));
        Ok(written.map_err(DealError::Outbox)?)
    }

    /// What a deal costs, as far as this organisation may know it.
    pub(super) fn amount_of(
        &self,
        terms: &Terms,
        content: &TermsContent,
    ) -> Result<Option<u64>, DeskError> {
        if terms.currency.is_empty() {
            return Ok(None);
        }
        if terms.amount != 0 {
            return Ok(Some(terms.amount));
        }
        if content.base.is_empty() {
            return Ok(None);
        }
        let clause = terms.clause()?;
        let base = Base::read(&content.base)?;
        Ok(Some(heatmark_escrow::premium(base.amount, clause.premium)?))
    }

    /// Disputes a deal by what this node found wrong: bad shares, or a content that is not what the record promises.
    ///
    /// # Errors
    /// [`DealError::NothingWrong`] where it found nothing; see [`DeskError`].
    pub async fn dispute(&self, deal: [u8; 32]) -> Result<(), DeskError> {
        let desk = self.clone();
        blocking(move || desk.make_dispute(&deal)).await
    }

    fn make_dispute(&self, deal: &[u8; 32]) -> Result<(), DeskError> {
        let _alone = self.alone();
        let row = self.parts.vault.deal(deal, DealRole::Buyer)?;
        let mut row = row.ok_or(DealError::UnknownDeal)?;
        let on_log = self.on_log(deal)?.ok_or(DealError::NotOnLog)?;
        if on_log.phase != Phase::Delivered {
            return Err(DealError::WrongPhase(on_log.phase.name()).into());
        }
        let content = TermsContent::read(&row.terms)?;
        let manifest = self.manifest_of(&content.manifest)?;
        let terms = self.terms_in(&row.terms)?;
        if terms.arbiter.is_none() {
            return Err(DealError::NoArbiter.into());
        }
        let claim = self.claim_of(&row, &on_log, (&manifest, &terms))?;
        row.claim = claim.to_bytes().to_vec();
        row.unsent = true;
        let deed = Some(Deed::DisputeDeal);
        self.parts.vault.put_deal(&self.actor, (&row, true), None, deed)?;
        self.look_at(&row);
        Ok(())
    }

    fn claim_of(
        &self,
        row: &DealRow,
        on_log: &OnLog,
        (manifest, terms): (&Manifest, &Terms),
    ) -> Result<Claim, DeskError> {
        let secrets = self.deal_secrets(&deal_of(row)?, DealRole::Buyer)?;
        let mut claim = Claim {
            deal: row.deal.clone(),
            salt: rand::random::<[u8; 32]>().to_vec(),
            share: None,
            payload: None,
        };
        let releases = self.releases(on_log, terms)?;
        for name in &terms.sections {
            for index in row.bad.iter().copied() {
                claim.share = Some(ShareClaim {
                    agent: index.into(),
                    section: name.clone(),
                    seed: secrets.reply(index)?.seed().to_vec(),
                });
                let too_few = row.trouble == BAD_SHARES;
                if too_few && judge_share(&claim, manifest, terms, &releases).is_ok() {
                    return Ok(claim);
                }
            }
        }
        claim.share = None;
        let faulty = row.trouble.starts_with(PAYLOAD);
        let named = terms
            .sections
            .iter()
            .find(|name| faulty && row.trouble_text.starts_with(&format!("section {name}:")));
        let Some(section) = named else { return Err(DealError::NothingWrong.into()) };
        let entry = manifest.section(section).ok_or(VaultError::Damaged)?;
        let good = releases.keys().filter(|index| !row.bad.contains(index));
        let threshold = usize::try_from(manifest.threshold).unwrap_or(usize::MAX);
        let mut keys = Vec::new();
        for index in good.take(threshold) {
            let seed = secrets.reply(*index)?.seed().to_vec();
            keys.push(ClaimKey { agent: (*index).into(), seed });
        }
        let (section, count) = (section.clone(), entry.pieces);
        claim.payload = Some(PayloadClaim { section, keys, first: 0, count });
        Ok(claim)
    }

    /// A buyer shows the arbiter what is wrong.
    pub(super) fn claim_arrived(
        &self,
        from: MemberId,
        content: &[u8],
    ) -> Result<Vec<Outgoing>, DeskError> {
        let file: ClaimFile = self.file_from(from, content)?;
        self.for_us(&file.to)?;
        let deal: [u8; 32] = file.deal.as_slice().try_into().map_err(|_| DeskError::NotForUs)?;
        let id = DealId::try_from(file.deal.as_slice()).map_err(|_| DeskError::NotForUs)?;
        let _alone = self.alone();
        let row = self.parts.vault.deal(&deal, DealRole::Arbiter)?;
        let mut row = row.ok_or(DealError::UnknownDeal)?;
        if row.buyer != from.as_bytes() {
            return Err(DeskError::NotForUs);
        }
        let secrets = self.deal_secrets(&deal, DealRole::Arbiter)?;
        let network = self.parts.intake.network();
        let purpose = claim_purpose(&network, &id, &from, &self.parts.member);
        let opened = purpose.open(&secrets.opening()?, &file.sealed);
        let opened = opened.map_err(|_| DeskError::NotForUs)?;
        let claim = Claim::read(&opened)?;
        if claim.digest().0 != *file.claim {
            return Err(DeskError::NotForUs);
        }
        row.claim = opened.to_vec();
        self.parts.vault.put_deal(&self.actor, (&row, true), None, None)?;
        self.look_at(&row);
        Ok(Vec::new())
    }

    /// What a claim comes to, by this arbiter's own copy of the log: its code, and whether the buyer is right. None while
    /// ciphertext is missing, which is asked for.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn judge_claim(&self, deal: [u8; 32]) -> Result<Option<(String, bool)>, DeskError> {
        let desk = self.clone();
        let (found, letters) = blocking(move || desk.find_fault(&deal)).await?;
        self.send_out(letters).await?;
        Ok(found)
    }

    /// Asks for the ciphertext that a claim is about.
    pub(super) fn pieces_for_claim(&self, row: &DealRow) -> Result<Vec<Outgoing>, DeskError> {
        let payload = Claim::read(&row.claim)?.payload;
        let content = TermsContent::read(&row.terms)?;
        let manifest = self.manifest_of(&content.manifest)?;
        let section = payload.and_then(|payload| manifest.section(&payload.section).cloned());
        let Some(section) = section else { return Ok(Vec::new()) };
        let ask = self.missing_pieces(row, &section, &self.terms_in(&row.terms)?)?;
        Ok(ask.into_iter().collect())
    }

    fn find_fault(&self, deal: &[u8; 32]) -> Result<(Option<Found>, Vec<Outgoing>), DeskError> {
        let row = self.parts.vault.deal(deal, DealRole::Arbiter)?;
        let row = row.ok_or(DealError::UnknownDeal)?;
        let on_log = self.on_log(deal)?.ok_or(DealError::NotOnLog)?;
        if row.claim.is_empty() {
            return Err(DealError::NoClaim.into());
        }
        let claim = Claim::read(&row.claim)?;
        if !self.is_disputed_with(&on_log, &claim)? {
            return Err(DealError::NoClaim.into());
        }
        let content = TermsContent::read(&row.terms)?;
        let manifest = self.manifest_of(&content.manifest)?;
        let terms = self.terms_in(&row.terms)?;
        let releases = self.releases(&on_log, &terms)?;
        let found = |result: Result<String, ClaimRefusal>| match result {
            Ok(code) => Some((code, true)),
            Err(refusal) => Some((refusal.code().to_owned(), false)),
        };
        if claim.share.is_some() {
            let fault = judge_share(&claim, &manifest, &terms, &releases);
            return Ok((found(fault.map(|fault| format!("share-{}", fault.code()))), Vec::new()));
        }
        let mut judge = match PayloadJudge::new(&claim, &manifest, &terms, &releases) {
            Ok(judge) => judge,
            Err(refusal) => return Ok((found(Err(refusal)), Vec::new())),
        };
        let name = claim.payload.as_ref().map(|payload| payload.section.clone());
        let section = manifest.section(&name.unwrap_or_default()).ok_or(VaultError::Damaged)?;
        let ask = self.missing_pieces(&row, section, &terms)?;
        if self.any_missing(section)? {
            return Ok((None, ask.into_iter().collect()));
        }
        while let Some(number) = judge.wants() {
            let Some((piece, proof)) = self.proved_piece(section, number)? else {
                return Ok((None, ask.into_iter().collect()));
            };
            match judge.take(&proof, &piece) {
                Ok(None) => {}
                Ok(Some(fault)) => {
                    return Ok((Some((format!("payload-{}", fault.code()), true)), Vec::new()));
                }
                Err(refusal) => return Ok((found(Err(refusal)), Vec::new())),
            }
        }
        Ok((found(Err(ClaimRefusal::Unfounded)), Vec::new()))
    }

    /// Whether the dispute on the log is about this claim.
    fn is_disputed_with(&self, on_log: &OnLog, claim: &Claim) -> Result<bool, DeskError> {
        let Some(mark) = on_log.deal.to_state().disputed else { return Ok(false) };
        let leaf = heatmark_ledger::LeafIndex(mark.leaf_index);
        let entry = self.parts.store.entry(leaf)?.ok_or(VaultError::Damaged)?;
        let envelope =
            heatmark_ledger::wire::decode_envelope(&entry).map_err(|_| VaultError::Damaged)?;
        let body = heatmark_ledger::wire::decode_body(&envelope.body);
        let body = body.map_err(|_| VaultError::Damaged)?;
        Ok(match body.payload {
            Some(pb::body::Payload::Deal(pb::Deal {
                step: Some(Step::Dispute(dispute)), ..
            })) => dispute.claim_digest == claim.digest().0,
            _ => false,
        })
    }

    /// Rules a dispute, and tells buyer and owner.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn rule(
        &self,
        deal: [u8; 32],
        refund: bool,
        reason: String,
    ) -> Result<(), DeskError> {
        let found = match self.judge_claim(deal).await {
            Ok(found) => found,
            Err(DeskError::Deal(DealError::NoClaim)) => None,
            Err(error) => return Err(error),
        };
        let code = found.map(|(code, _)| code).unwrap_or_default();
        let desk = self.clone();
        blocking(move || {
            let _alone = desk.alone();
            let row = desk.parts.vault.deal(&deal, DealRole::Arbiter)?;
            let mut row = row.ok_or(DealError::UnknownDeal)?;
            let on_log = desk.on_log(&deal)?.ok_or(DealError::NotOnLog)?;
            if on_log.phase != Phase::Disputed {
                return Err(DealError::WrongPhase(on_log.phase.name()).into());
            }
            let network = desk.parts.intake.network();
            let ruling = Ruling {
                from: desk.parts.member.to_vec(),
                to: row.buyer.clone(),
                deal: row.deal.clone(),
                refund,
                code,
                salt: rand::random::<[u8; 32]>().to_vec(),
                reason,
                ..Ruling::default()
            };
            row.ruling = ruling.signed(&network, &desk.parts.signing);
            // What it would refuse when it comes back, it must not hand out.
            Ruling::read(&row.ruling, &network)?;
            row.unsent = true;
            let deed = Some(Deed::RuleDeal);
            desk.parts.vault.put_deal(&desk.actor, (&row, true), None, deed)?;
            desk.look_at(&row);
            Ok(())
        })
        .await
    }

    /// The arbiter tells what it ruled.
    pub(super) fn ruling_arrived(
        &self,
        from: MemberId,
        content: &[u8],
    ) -> Result<Vec<Outgoing>, DeskError> {
        let file: Ruling = self.file_from(from, content)?;
        self.for_us(&file.to)?;
        let deal: [u8; 32] = file.deal.as_slice().try_into().map_err(|_| DeskError::NotForUs)?;
        let _alone = self.alone();
        for mut row in self.parts.vault.deal_roles(&deal)? {
            if row.terms.is_empty() || row.role == i32::from(DealRole::Arbiter) {
                continue;
            }
            let terms = self.terms_in(&row.terms)?;
            if terms.arbiter.is_some_and(|party| party.member == from.as_bytes()) {
                row.ruling = content.to_vec();
                self.parts.vault.put_deal(&self.actor, (&row, true), None, None)?;
                self.look_at(&row);
            }
        }
        Ok(Vec::new())
    }
}
