//! Telling the network of superseded records: the alert `superseded` by the old record's alert key, once its successor stands on the
//! log. The reason names the successor. Tried again after a crash or a stalled chain; a hold or a recall, which say more, stand
//! until they are cleared, and what is revoked stays so.

use crate::{AlertOn, Desk, DeskError, blocking};
use heatmark_ledger::ids::AlertSubject;
use heatmark_ledger::messages::AlertLevel;
use heatmark_ledger::state;
use heatmark_records::RecordId;
use heatmark_vault::Superseded;
use std::sync::Arc;

/// Records told of at once; the rest comes with the next round.
const ROUND: usize = 64;

/// What the reason of an alert begins with that a node raises by itself; the successor's id follows.
pub const SUPERSEDED_BY: &str = "superseded by ";

/// The reason of the alert that a node raises by itself on a superseded record.
#[must_use]
pub fn superseded_reason(by: &RecordId) -> String {
    format!("{SUPERSEDED_BY}{by}")
}

/// What has to be done about a superseded record.
enum Step {
    Raise,
    /// Something graver stands.
    Wait,
    /// It is known, or can no longer be said.
    Done,
}

impl Desk {
    /// Raises the alert on every superseded record whose successor stands and of which the network does not know.
    ///
    /// # Errors
    /// The first that occurred; the other records were told of all the same.
    pub(crate) async fn tell_superseded(&self) -> Result<(), DeskError> {
        let vault = Arc::clone(&self.parts.vault);
        let mut ended = Ok(());
        for superseded in blocking(move || Ok(vault.superseded_untold(ROUND)?)).await? {
            match self.tell_of(superseded).await {
                // Whoever raises it, or another alert, is at work; looked at again later.
                Ok(()) | Err(DeskError::AlertUnderway) => {}
                Err(error) => ended = ended.and(Err(error)),
            }
        }
        ended
    }

    async fn tell_of(&self, superseded: Superseded) -> Result<(), DeskError> {
        let desk = self.clone();
        match blocking(move || desk.step(&superseded)).await? {
            Step::Wait => return Ok(()),
            Step::Done => {}
            Step::Raise => {
                let reason = superseded_reason(&superseded.by);
                let on = AlertOn::OwnRecord(superseded.old);
                self.alert(on, AlertLevel::Superseded, reason).await?;
            }
        }
        let vault = Arc::clone(&self.parts.vault);
        blocking(move || Ok(vault.superseded_told(&superseded)?)).await
    }

    fn step(&self, superseded: &Superseded) -> Result<Step, DeskError> {
        let rows = self.parts.vault.records(&superseded.old.0, 1)?;
        let row = rows.first().ok_or(DeskError::UnknownRecord(superseded.old))?;
        let subject = AlertSubject::from(row.alert_subject);
        let Some(last) = state::alert(&self.parts.store, &subject, None)? else {
            return Ok(Step::Raise);
        };
        Ok(match last.level() {
            AlertLevel::Unspecified | AlertLevel::Clear => Step::Raise,
            AlertLevel::Hold | AlertLevel::Recall => Step::Wait,
            // The ledger takes no level twice in a row: the first successor's reason stays.
            AlertLevel::Superseded | AlertLevel::Revoke => Step::Done,
        })
    }
}
