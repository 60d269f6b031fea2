//! From records that wait to records that stand: signed anchors on their way, and the places that the log gave.

use std::collections::BTreeSet;

use heatmark_records::RecordId;

use super::{PENDING, ROW, SUBMISSION, key};
use crate::rows::{hash32, record_id};
use crate::{Placement, Submission, Vault, VaultError};

impl Vault {
    /// Keeps a signed anchor, synced, before it is submitted.
    ///
    /// # Errors
    /// `UnknownRecord` when a record of its batch is not here; `Database`.
    pub fn put_submission(&self, submission: &Submission) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        for id in &submission.records {
            self.kept(id)?.ok_or(VaultError::UnknownRecord(*id))?;
        }
        write.put(&key(SUBMISSION, &submission.transaction_id), &submission.encode());
        write.commit()
    }

    /// The anchors whose place on the log is not known yet: submit them again, byte for byte.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn submissions(&self) -> Result<Vec<Submission>, VaultError> {
        let mut submissions = Vec::new();
        self.scan(&[SUBMISSION], |id, value| {
            submissions.push(Submission::decode(hash32(id)?, value)?);
            Ok(true)
        })?;
        Ok(submissions)
    }

    /// Forgets an anchor that can no longer stand on the log, because its window ended; its records stay pending.
    ///
    /// # Errors
    /// `Database`.
    pub fn drop_submission(&self, transaction_id: &[u8; 32]) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        write.delete(&key(SUBMISSION, transaction_id));
        write.commit()
    }

    /// Records of this vault that stand on no anchor and on none that is on its way, at most `limit`.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn pending(&self, limit: usize) -> Result<Vec<RecordId>, VaultError> {
        let on_their_way: BTreeSet<RecordId> =
            self.submissions()?.into_iter().flat_map(|s| s.records).collect();
        let mut ids = Vec::new();
        self.scan(&[PENDING], |id, _| {
            let id = record_id(id)?;
            if ids.len() < limit && !on_their_way.contains(&id) {
                ids.push(id);
            }
            Ok(ids.len() < limit)
        })?;
        Ok(ids)
    }

    /// Notes where records stand, synced, and that their anchor is no longer on its way. A record that was placed
    /// before keeps its first place.
    ///
    /// # Errors
    /// `UnknownRecord` for a record that is not here; nothing was written then. `Damaged` or `Database`.
    pub fn mark_anchored(&self, placements: &[(RecordId, Placement)]) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        for (id, placement) in placements {
            let mut row = self.kept(id)?.ok_or(VaultError::UnknownRecord(*id))?;
            if row.placement.is_none() {
                row.placement = Some(placement.clone());
                write.put(&key(ROW, &id.0), &row.encode());
            }
            write.delete(&key(PENDING, &id.0));
            write.delete(&key(SUBMISSION, &placement.transaction_id));
        }
        write.commit()
    }
}
