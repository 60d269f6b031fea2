//! What a capsule that arrives proves: as its sender shows it, and once more as this node's own newest block has it, since what
//! a sender shows may be older than what stands against it, or than what the sender did with the lot since.

use super::capsule::Shelf;
use crate::{Desk, DeskError};
use heatmark_evidence::capsule::{
    Acceptance, Capsule, Check, Finding, Mine, Outcome, Verdict, inspect,
};
use prost::Message as _;

/// The finding that an alert's absence is not shown: who leaves it out may have a reason.
const ALERT_UNTOLD: &str = "alert-untold";

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
        if shown.outcome() == Outcome::Reject || shown.as_of.0 >= self.tip().height {
            return Ok(shown);
        }
        let capsule = Capsule::decode(capsule).map_err(DeskError::Capsule)?;
        judge(&self.shelf(None).as_of_now(capsule)?.encode_to_vec())
    }
}

/// What is not accepted of evidence that has holes: whatever was left out, it is to be asked for, and not taken.
pub(super) fn faults(verdict: &Verdict) -> Vec<&'static str> {
    let hole = |finding: &&Finding| {
        finding.outcome == Outcome::Reject
            || finding.outcome == Outcome::Hold
                && (matches!(finding.check, Check::Anchored | Check::Sealed | Check::Balanced)
                    || finding.code == ALERT_UNTOLD)
    };
    verdict.findings.iter().filter(hole).map(|finding| finding.code).collect()
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
        for record in &mut capsule.records {
            (record.transaction, record.path) = self.logged(record.leaf)?;
        }
        for entry in &mut capsule.entries {
            *entry =
                heatmark_evidence::capsule::Holdings::entry(self, std::mem::take(&mut entry.key))?;
        }
        Ok(capsule)
    }
}
