//! What a capsule that arrives proves: as its sender shows it, and once more as this node's own newest block has it, since what
//! a sender shows may be older than what stands against it, or than what the sender did with the lot since.

use super::capsule::Shelf;
use crate::{Desk, DeskError};
use heatmark_evidence::capsule::{
    Acceptance, Capsule, Check, Finding, Holdings as _, Mine, Outcome, Verdict, inspect,
};
use prost::Message as _;

impl Desk {
    /// What a capsule proves by itself, whatever a buyer demands beyond that. Of a lot that is still to be received its seal has
    /// to be whole.
    pub(super) fn verdict(&self, capsule: &[u8], coming: bool) -> Result<Verdict, DeskError> {
        let acceptance = Acceptance {
            max_age_ms: u64::MAX,
            transcribed: true,
            certified_permille: 0,
            gain_permille: u32::MAX,
            mine: coming.then(Mine::default),
            ..Acceptance::at(self.tip().time)
        };
        let judge = |bytes: &[u8]| {
            inspect(bytes, &self.parts.trust, &acceptance).map_err(DeskError::Capsule)
        };
        let shown = judge(capsule)?;
        if shown.outcome() == Outcome::Reject || shown.as_of.0 >= self.parts.store.tip().height {
            return Ok(shown);
        }
        let capsule = Capsule::decode(capsule).map_err(DeskError::Capsule)?;
        judge(&self.shelf(None).as_of_now(capsule)?.encode_to_vec())
    }
}

/// What is wrong with evidence, and where it has holes: what was left out is to be asked for, and not taken.
pub(super) fn faults(verdict: &Verdict) -> Vec<&'static str> {
    let grounds = [Check::Anchored, Check::Sealed, Check::Balanced];
    let wrong = |finding: &&Finding| match finding.outcome {
        Outcome::Reject => true,
        Outcome::Hold => grounds.contains(&finding.check),
        Outcome::Accept => false,
    };
    verdict.findings.iter().filter(wrong).map(|finding| finding.code).collect()
}

/// What may be kept of a capsule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ground {
    /// All of it was checked.
    Sound,
    /// Something is missing, so that not all of what is there could be checked.
    Holes,
    /// Something in it is false.
    Unsound,
}

pub(super) fn ground(verdict: &Verdict) -> Ground {
    let about_events = [Check::Anchored, Check::Sealed, Check::Balanced, Check::Conforming];
    let of = |outcome| {
        let mut findings = verdict.findings.iter();
        findings.any(|found| found.outcome == outcome && about_events.contains(&found.check))
    };
    match (of(Outcome::Reject), of(Outcome::Hold)) {
        (true, _) => Ground::Unsound,
        (false, true) => Ground::Holes,
        (false, false) => Ground::Sound,
    }
}

impl Shelf<'_> {
    /// The same evidence against this node's own newest block, every path and every state from its own copy of the log.
    fn as_of_now(&self, mut capsule: Capsule) -> Result<Capsule, DeskError> {
        let frame = self.frame(capsule.leaf)?;
        capsule.header = frame.header;
        capsule.certificate = frame.certificate;
        capsule.set_changes = frame.set_changes;
        for event in &mut capsule.events {
            (event.transaction, event.path) = self.logged(event.leaf)?;
        }
        // A description has no place on the log.
        for record in capsule.records.iter_mut().filter(|record| !record.transaction.is_empty()) {
            (record.transaction, record.path) = self.logged(record.leaf)?;
        }
        for entry in &mut capsule.entries {
            *entry = self.entry(std::mem::take(&mut entry.key))?;
        }
        Ok(capsule)
    }
}
