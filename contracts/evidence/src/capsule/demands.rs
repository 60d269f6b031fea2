//! What the receiver demands: that the lot is the one received, where its material comes from, what it is like, who attests
//! it, and that nothing stands against it as of a header that is new enough.

use heatmark_lots::{LotError, OpenLot, SerialProof};
use heatmark_records::forms::ATTESTATION;
use heatmark_records::{RecordId, Said, Value};

use super::acceptance::{Acceptance, Mine};
use super::graph::Share;
use super::inspect::{Evidence, seal_is_whole};
use super::records::Anchored;
use super::verdict::{About, Check, Notes, Outcome, Source};
use crate::policy::Shortfall;

/// The field in which a record names, in hexadecimal, another that it attests.
const ATTESTS: &str = "attests/record";

/// A capsule's evidence against what is demanded.
pub(super) struct Demands<'a> {
    pub(super) evidence: &'a Evidence,
    pub(super) acceptance: &'a Acceptance,
}

impl Demands<'_> {
    pub(super) fn check_mine(&self, notes: &mut Notes) {
        let Some(mine) = &self.acceptance.mine else { return };
        let Some(lot) = self.evidence.lot() else { return };
        let mut hold = |code| notes.hold(Check::Mine, About::Lot, code);
        if !mine.seals.contains(&lot.seal) {
            match seal_is_whole(self.evidence, lot) {
                Ok(true) => {}
                Ok(false) => hold("seal-unknown"),
                Err(code) => notes.reject(Check::Mine, About::Lot, code),
            }
        }
        if let Err((outcome, code)) = self.check_quantities(mine) {
            notes.add(Check::Mine, outcome, (About::Lot, code), String::new());
        }
        let Some(label) = &mine.label else { return };
        let serials = lot.content.serials.as_ref().ok_or(LotError::WrongSerial);
        let shown = SerialProof::decode(label).and_then(|label| label.verify(serials?));
        if let Err(fault) = shown {
            notes.reject(Check::Mine, About::Lot, fault.code());
        }
    }

    fn check_quantities(&self, mine: &Mine) -> Result<(), (Outcome, &'static str)> {
        let opening = &self.evidence.capsule.opening;
        if opening.is_empty() {
            let asked = mine.mass_mg.is_some() || mine.pieces.is_some();
            return if asked { Err((Outcome::Hold, "not-opened")) } else { Ok(()) };
        }
        let reject = |code| (Outcome::Reject, code);
        let open = OpenLot::decode(opening).map_err(|fault| reject(fault.code()))?;
        if Some(open.lot()) != self.evidence.lot() {
            return Err(reject("wrong-opening"));
        }
        let mass = open.mass().number;
        if mine.mass_mg.is_some_and(|(least, most)| mass < least || mass > most) {
            return Err(reject("mass-differs"));
        }
        if mine.pieces.is_some_and(|pieces| pieces != open.pieces().number) {
            return Err(reject("pieces-differ"));
        }
        Ok(())
    }

    /// How much of it is certified, and how much was found by weighing.
    pub(super) fn check_share(&self, share: Share, notes: &mut Notes) {
        let lot = || About::Lot;
        if share.certified_permille < self.acceptance.certified_permille {
            notes.hold(Check::Balanced, lot(), "uncertified");
        }
        if share.gain_ppm > u64::from(self.acceptance.gain_permille).saturating_mul(1_000) {
            notes.hold(Check::Balanced, lot(), "gain");
        }
    }

    /// The certificates that were commissioned, each against what is demanded of it.
    pub(super) fn check_sources(&self, notes: &mut Notes) -> Vec<Source> {
        let (ids, told) = self.evidence.named_on_the_way();
        let mut sources = Vec::new();
        for id in &ids {
            let Some(record) = self.evidence.records.get(id) else { continue };
            self.check_source(record, notes);
            sources.push(Source {
                record: *id,
                issuer: record.issuer,
                legal_name: self.evidence.entries.legal_name(&record.issuer),
                transcribed: record.transcribed(),
            });
        }
        for record in self.evidence.records.values() {
            if let Some(code) = record.doubt {
                notes.hold(Check::Anchored, About::Record(record.record), code);
            }
            let reached = |id: &RecordId| ids.contains(id) || told.contains(id);
            if !reached(&record.record) && !attested(record).is_some_and(|about| reached(&about)) {
                let place = (About::Record(record.record), "record-unreached");
                notes.add(Check::Anchored, self.evidence.surplus(), place, String::new());
            }
        }
        let shown = |id: &RecordId| self.evidence.records.contains_key(id);
        for id in self.evidence.named.keys().filter(|id| !told.contains(id) || shown(id)) {
            let place = (About::Record(*id), "record-unreached");
            notes.add(Check::Anchored, self.evidence.surplus(), place, String::new());
        }
        sources
    }

    fn check_source(&self, record: &Anchored, notes: &mut Notes) {
        let about = || About::Record(record.record);
        if record.head.heading().form.starts_with(ATTESTATION) {
            notes.reject(Check::Origin, about(), "commissions-nothing");
        }
        if record.transcribed() {
            let grave = if self.acceptance.transcribed { Outcome::Accept } else { Outcome::Hold };
            notes.add(Check::Origin, grave, (about(), "transcribed"), String::new());
        }
        for claim in &self.acceptance.claims {
            match record.said(claim.path.as_str()) {
                Some(Said::Shown { value: Value::Text(text), .. }) => {
                    if !claim.one_of.contains(text) {
                        let place = (about(), "claim-false");
                        let path = claim.path.to_string();
                        notes.add(Check::Origin, Outcome::Reject, place, path);
                    }
                }
                _ => {
                    let (place, path) = ((about(), "claim-missing"), claim.path.to_string());
                    notes.add(Check::Origin, Outcome::Hold, place, path);
                }
            }
        }
        if let Some(policy) = &self.acceptance.policy {
            let (fields, conformity) = (&record.fields, record.conformity.as_ref());
            for shortfall in policy.shortfalls_of(record.issuer.0, fields, conformity) {
                let (check, outcome, code) = match &shortfall {
                    Shortfall::Issuer => (Check::Origin, Outcome::Reject, "issuer"),
                    Shortfall::Property { .. } => (Check::Conforming, Outcome::Hold, "property"),
                    Shortfall::Specification => (Check::Conforming, Outcome::Hold, "specification"),
                    Shortfall::Attestation { .. } | Shortfall::Alone => {
                        (Check::Attested, Outcome::Hold, "not-attested")
                    }
                };
                notes.add(check, outcome, (about(), code), shortfall.to_string());
            }
        }
        let accepted = &self.acceptance.attested_by;
        let by_one_of_them = |other: &Anchored| {
            let attests = other.head.heading().form.starts_with(ATTESTATION);
            let independent = attests && other.issuer != record.issuer;
            independent
                && accepted.contains(&other.issuer)
                && attested(other) == Some(record.record)
        };
        if !accepted.is_empty() && !self.evidence.records.values().any(by_one_of_them) {
            notes.hold(Check::Attested, about(), "not-attested");
        }
    }
}

/// Which record a record says that it is about.
fn attested(record: &Anchored) -> Option<RecordId> {
    match record.said(ATTESTS)? {
        Said::Shown { value: Value::Text(text), .. } => text.parse().ok(),
        _ => None,
    }
}
