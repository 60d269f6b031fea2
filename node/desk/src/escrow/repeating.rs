//! Inspections that asked for a deal: once the deal has opened, the buyer's node runs the inspection again, keeps what it comes to
//! beside the first one, and destroys that when what the deal opened is destroyed. The repeated one has an id that follows from
//! deal and inspection, so that a crash at any moment makes no second one.

use super::DealError;
use super::parties::deal_of;
use crate::{Desk, DeskError, blocking};
use heatmark_merkle::tag;
use heatmark_vault::{DealRole, DealRow, VaultError};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

/// How often deals are looked at that nothing is heard of.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// How soon what failed is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// The inspection that asked for a deal, as people are shown it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DealInspection {
    /// The inspection, and its verdict.
    pub before: ([u8; 32], String),
    /// The one that repeated it once the deal had opened, and its verdict.
    pub after: Option<([u8; 32], String)>,
    /// Why it cannot be repeated yet: a stable name, and words; empty for nothing.
    pub trouble: (String, String),
}

/// Deals that an inspection asked for, with why it could not be repeated when that was tried last.
#[derive(Default)]
pub(crate) struct Asking(BTreeMap<[u8; 32], (String, String)>);

/// What is left to do for the inspection of a deal.
enum Left {
    Nothing,
    /// Until the deal has opened, or what it opened is destroyed.
    Wait,
    Repeat {
        inspection: [u8; 32],
        id: [u8; 32],
    },
}

impl Desk {
    fn asking(&self) -> MutexGuard<'_, Asking> {
        self.shared.asking.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses an inspection that is not here.
    pub(super) fn check_inspection(&self, inspection: Option<[u8; 32]>) -> Result<(), DeskError> {
        let Some(id) = inspection else { return Ok(()) };
        match self.parts.vault.inspection(&id)? {
            Some(_) => Ok(()),
            None => Err(DealError::NoSuchInspection.into()),
        }
    }

    /// Looks after the inspection of a deal from now on.
    pub(super) fn look_after_inspection(&self, row: &DealRow) {
        if let (false, Ok(deal)) = (row.inspection.is_empty(), deal_of(row)) {
            self.asking().0.entry(deal).or_default();
        }
    }

    /// Repeats inspections, for ever.
    pub(crate) async fn repeat_inspections(&self) {
        let mut known = self.find_asking().await.is_ok();
        loop {
            let mut pause = LOOK_EVERY;
            if !known {
                known = self.find_asking().await.is_ok();
            }
            let deals: BTreeSet<[u8; 32]> = self.asking().0.keys().copied().collect();
            for deal in deals {
                match self.look_at_inspection(deal).await {
                    Ok(true) => {}
                    Ok(false) => drop(self.asking().0.remove(&deal)),
                    Err(error) => {
                        let trouble = (error.code().to_owned(), error.to_string());
                        let before = self.asking().0.insert(deal, trouble.clone());
                        if before.as_ref() != Some(&trouble) {
                            tracing::warn!(
                                code = trouble.0.as_str(),
                                "an inspection cannot be repeated yet"
                            );
                        }
                        pause = RETRY;
                    }
                }
            }
            let pause = if known { pause } else { RETRY };
            tokio::select! {
                () = self.shared.opened.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Finds the deals that an inspection asked for, as after a start.
    async fn find_asking(&self) -> Result<(), DeskError> {
        let desk = self.clone();
        let found = blocking(move || {
            let rows = desk.parts.vault.deals()?;
            let asked = |row: &&DealRow| !row.inspection.is_empty();
            rows.iter().filter(asked).for_each(|row| desk.look_after_inspection(row));
            Ok(())
        });
        let found = found.await;
        if let Err(error) = &found {
            tracing::warn!(
                code = error.code(),
                "it cannot be told which inspections wait for deals"
            );
        }
        found
    }

    /// Does what is due for the inspection of a deal; whether something is left to do.
    async fn look_at_inspection(&self, deal: [u8; 32]) -> Result<bool, DeskError> {
        let desk = self.clone();
        let (left, kept) = blocking(move || desk.left_for_inspection(&deal)).await?;
        match left {
            Left::Nothing => Ok(false),
            Left::Wait => Ok(true),
            Left::Repeat { inspection, id } => {
                self.inspect_again((&inspection, &deal), id).await?;
                Ok(kept)
            }
        }
    }

    /// What is left, and whether what was opened is kept for a time.
    fn left_for_inspection(&self, deal: &[u8; 32]) -> Result<(Left, bool), DeskError> {
        let vault = &self.parts.vault;
        let Some(row) = vault.deal(deal, DealRole::Buyer)? else {
            return Ok((Left::Nothing, false));
        };
        let inspection = inspection_of(&row)?;
        let id = again_id(&inspection, deal);
        let repeated = vault.inspection(&id)?;
        let kept = row.retain_until_ms != 0;
        let left = match (row.destroyed, row.opened, repeated) {
            (true, _, Some(again)) if !again.destroyed => {
                vault.destroy_inspection(&id)?;
                Left::Nothing
            }
            (true, ..) => Left::Nothing,
            (false, true, None) => Left::Repeat { inspection, id },
            (false, true, Some(_)) if kept => Left::Wait,
            (false, true, Some(_)) => Left::Nothing,
            (false, false, _) => Left::Wait,
        };
        Ok((left, kept))
    }

    /// The inspection of a deal, for people.
    pub(super) fn inspection_of_deal(
        &self,
        row: &DealRow,
    ) -> Result<Option<DealInspection>, DeskError> {
        if row.inspection.is_empty() {
            return Ok(None);
        }
        let (inspection, deal) = (inspection_of(row)?, deal_of(row)?);
        let verdict = |id: [u8; 32]| -> Result<Option<([u8; 32], String)>, DeskError> {
            Ok(self.parts.vault.inspection(&id)?.map(|kept| (id, kept.verdict)))
        };
        let before = verdict(inspection)?.unwrap_or((inspection, String::new()));
        let after = verdict(again_id(&inspection, &deal))?;
        let trouble = match after {
            None => self.asking().0.get(&deal).cloned().unwrap_or_default(),
            Some(_) => (String::new(), String::new()),
        };
        Ok(Some(DealInspection { before, after, trouble }))
    }
}

/// The id of the inspection that repeats one for a deal.
fn again_id(inspection: &[u8; 32], deal: &[u8; 32]) -> [u8; 32] {
    tag::hash("inspection-again", &[inspection, deal]).0
}

fn inspection_of(row: &DealRow) -> Result<[u8; 32], DeskError> {
    Ok(row.inspection.as_slice().try_into().map_err(|_| VaultError::Damaged)?)
}
