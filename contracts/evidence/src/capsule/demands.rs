//! What the receiver demands of the lot: that it is the one received, is certified and traced as far as asked, and that nothing
//! stands against it as of a header that is new enough.

use heatmark_ledger::LeafIndex;
use heatmark_lots::{Kind, LotError, OpenLot, SerialProof};

use super::acceptance::{Acceptance, Depth, Mine};
use super::graph::Share;
use super::inspect::{Evidence, seal_is_whole};
use super::verdict::{About, Check, Notes, Outcome};

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

    /// How deep it is traced: what was made names how, and its pieces carry serials.
    pub(super) fn check_depth(&self, notes: &mut Notes) {
        let depth = self.acceptance.depth;
        if depth >= Depth::Batch {
            for leaf in self.evidence.graph.needed.keys() {
                let Some(logged) = self.evidence.logged.get(leaf) else { continue };
                let makes = matches!(
                    logged.event.kind,
                    Kind::Transform | Kind::Rework | Kind::Blend | Kind::Install | Kind::Repair
                );
                if makes && logged.event.process.is_none() {
                    let about = About::Event(LeafIndex(*leaf));
                    notes.hold(Check::Balanced, about, "process-untold");
                }
            }
        }
        let serials = self.evidence.lot().is_some_and(|lot| lot.content.serials.is_some());
        if depth >= Depth::Item && !serials {
            notes.hold(Check::Balanced, About::Lot, "no-serials");
        }
    }
}
