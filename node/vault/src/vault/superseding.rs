//! Which record took another's place: marked with the write that brings the new one, and kept on a list until the alert that tells
//! the network stands, so that a crash in between leaves neither undone.

#[cfg(test)]
mod tests;

use heatmark_records::RecordId;

use super::{ROW, SUPERSEDED, key};
use crate::rows::record_id;
use crate::writing::Writing;
use crate::{Vault, VaultError};

/// A record and the one that took its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Superseded {
    /// The record that no longer counts.
    pub old: RecordId,
    /// The one in its place.
    pub by: RecordId,
}

impl Vault {
    /// Marks a record as superseded, in the write that brings its successor; nothing where it was not in this vault
    /// before.
    pub(super) fn supersede(
        &self,
        write: &mut Writing<'_>,
        old: &RecordId,
        by: &RecordId,
    ) -> Result<(), VaultError> {
        if let Some(mut row) = self.kept(old)? {
            row.superseded_by = Some(*by);
            write.put(&key(ROW, &old.0), &row.encode());
            write.put(&key(SUPERSEDED, &old.0), &by.0);
        }
        Ok(())
    }

    /// The superseded records of which the network has not been told yet, at most `limit`, whose successor is anchored.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn superseded_untold(&self, limit: usize) -> Result<Vec<Superseded>, VaultError> {
        let mut found = Vec::new();
        if limit == 0 {
            return Ok(found);
        }
        self.scan(&[SUPERSEDED], |old, by| {
            let (old, by) = (record_id(old)?, record_id(by)?);
            if self.kept(&by)?.is_some_and(|row| row.placement.is_some()) {
                found.push(Superseded { old, by });
            }
            Ok(found.len() < limit)
        })?;
        Ok(found)
    }

    /// Notes that the network knows; not where another successor came meanwhile.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn superseded_told(&self, told: &Superseded) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        let place = key(SUPERSEDED, &told.old.0);
        if self.get(&place)?.map(|by| record_id(&by)).transpose()? == Some(told.by) {
            write.delete(&place);
        }
        write.commit()
    }
}
