//! How long records are kept, and how they are destroyed: by their data key, deleted and then driven out of every
//! file of the database. What stays is where the record stands and its alert key's index, so that alerts can
//! still be raised.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::time::Duration;

use heatmark_records::RecordId;

use crate::database::Family;
use crate::rows::{Hold, Kept, record_id};
use crate::sealed::NONCE_BYTES;
use crate::vault::{
    CROWN, DATA_KEY, DUE, FILE, OPENING, PENDING, PRIVATE, PURGE, ROW, due_key, key,
};
use crate::writing::{Writing, now_ms};
use crate::{Actor, Deed, Vault, VaultError};

/// Longest reason of a hold, in bytes.
pub const MAX_HOLD_REASON_BYTES: usize = 4_096;

/// Records that one write destroys at most.
const ERASED_AT_ONCE: usize = 1_000;

/// How often, and how far apart, a purge looks whether the old files are gone.
const LOOKS: u32 = 40;
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// What became of records that were to be destroyed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// Those whose data keys are deleted.
    pub records: Vec<RecordId>,
    /// Whether the keys' bytes have left the database's files. If not, a backup is being made, and they leave
    /// with the next [`Vault::purge`].
    pub purged: bool,
}

impl Vault {
    /// Sets until when a record is kept, and after when it is destroyed; `None` keeps it until it is destroyed by
    /// hand.
    ///
    /// # Errors
    /// `UnknownRecord`, `Erased`, `Damaged` or `Database`.
    pub fn retain(
        &self,
        by: &Actor,
        id: &RecordId,
        until_ms: Option<u64>,
    ) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        let mut row = self.living(id)?;
        if let Some(before) = row.retain_until_ms {
            write.delete(&due_key(before, &id.0));
        }
        if let Some(until_ms) = until_ms {
            write.put(&due_key(until_ms, &id.0), &[]);
        }
        row.retain_until_ms = until_ms;
        write.put(&key(ROW, &id.0), &row.encode());
        write.note(by, Deed::Retain, Some(id.0), until_ms.unwrap_or(0));
        write.commit()
    }

    /// Keeps a record from being destroyed until it is released, or changes the reason.
    ///
    /// # Errors
    /// `UnknownRecord`, `Erased`, `ReasonTooLong`, `Damaged` or `Database`.
    pub fn hold(&self, by: &Actor, id: &RecordId, reason: &str) -> Result<(), VaultError> {
        if reason.len() > MAX_HOLD_REASON_BYTES {
            return Err(VaultError::ReasonTooLong);
        }
        let mut write = self.begin()?;
        let mut row = self.living(id)?;
        let since_ms = row.hold.map_or_else(now_ms, |hold| hold.since_ms);
        row.hold = Some(Hold { reason: reason.to_owned(), since_ms });
        write.put(&key(ROW, &id.0), &row.encode());
        write.note(by, Deed::Hold, Some(id.0), 0);
        write.commit()
    }

    /// Ends a record's hold; whether there was one.
    ///
    /// # Errors
    /// `UnknownRecord`, `Erased`, `Damaged` or `Database`.
    pub fn release(&self, by: &Actor, id: &RecordId) -> Result<bool, VaultError> {
        let mut write = self.begin()?;
        let mut row = self.living(id)?;
        if row.hold.take().is_none() {
            return Ok(false);
        }
        write.put(&key(ROW, &id.0), &row.encode());
        write.note(by, Deed::Release, Some(id.0), 0);
        write.commit()?;
        Ok(true)
    }

    /// Destroys a record's opening, secret and file name, for good.
    ///
    /// # Errors
    /// `OnHold`, `Retained` or `NotAnchored` where it must not be; `UnknownRecord`, `Erased`, `Damaged`,
    /// `Database`.
    pub fn erase(&self, by: &Actor, id: &RecordId) -> Result<Erasure, VaultError> {
        let mut write = self.begin()?;
        let row = self.living(id)?;
        if let Some(error) = self.kept_from_erasure(id, &row, now_ms())? {
            return Err(error);
        }
        let nonces = BTreeSet::from([self.destroy(&mut write, by, id, row)?]);
        write.commit()?;
        let purged = self.purge_checking(&nonces)?;
        Ok(Erasure { records: vec![*id], purged })
    }

    /// Destroys what is past its retention date at `at_ms` and may be destroyed, a bounded number at a time.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn erase_due(&self, by: &Actor, at_ms: u64) -> Result<Erasure, VaultError> {
        let mut write = self.begin()?;
        let mut due = Vec::new();
        self.scan(&[DUE], |rest, _| {
            let (date, id) = rest.split_first_chunk::<8>().ok_or(VaultError::Damaged)?;
            if u64::from_be_bytes(*date) > at_ms {
                return Ok(false);
            }
            let id = record_id(id)?;
            let row = self.kept(&id)?.ok_or(VaultError::Damaged)?;
            if self.kept_from_erasure(&id, &row, at_ms)?.is_none() {
                due.push((id, row));
            }
            Ok(due.len() < ERASED_AT_ONCE)
        })?;
        let (mut records, mut nonces) = (Vec::with_capacity(due.len()), BTreeSet::new());
        for (id, row) in due {
            nonces.insert(self.destroy(&mut write, by, &id, row)?);
            records.push(id);
        }
        if records.is_empty() {
            drop(write);
            // What a backup kept from leaving the files may leave now.
            let purged = self.get(PURGE)?.is_none() || self.purge()?;
            return Ok(Erasure { records, purged });
        }
        write.commit()?;
        let purged = self.purge_checking(&nonces)?;
        Ok(Erasure { records, purged })
    }

    /// Drives deleted keys out of the files. False while a backup is made, which reads an older state.
    ///
    /// # Errors
    /// `Database`.
    pub fn purge(&self) -> Result<bool, VaultError> {
        self.purge_checking(&BTreeSet::new())
    }

    pub(crate) fn purge_checking(&self, nonces: &BTreeSet<Vec<u8>>) -> Result<bool, VaultError> {
        let Ok(_alone) = self.copying.try_write() else { return Ok(false) };
        self.db.purge()?;
        let mut looked = 0_u32;
        while self.db.left_behind(nonces)? {
            looked = looked.saturating_add(1);
            if looked >= LOOKS {
                return Ok(false);
            }
            // RocksDB removes files in a thread of its own.
            std::thread::sleep(LOOK_PAUSE);
        }
        let mut write = self.begin()?;
        write.delete(PURGE);
        write.commit()?;
        Ok(true)
    }

    /// Whether a record's secrets may be destroyed now.
    ///
    /// # Errors
    /// `OnHold` or `Retained` where they must not be; `UnknownRecord`, `Erased`, `Damaged`, `Database`.
    pub fn may_destroy(&self, id: &RecordId) -> Result<(), VaultError> {
        let row = self.living(id)?;
        match self.kept_from_erasure(id, &row, now_ms())? {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn living(&self, id: &RecordId) -> Result<Kept, VaultError> {
        let row = self.kept(id)?.ok_or(VaultError::UnknownRecord(*id))?;
        if row.erased_at_ms.is_some() { Err(VaultError::Erased(*id)) } else { Ok(row) }
    }

    fn kept_from_erasure(
        &self,
        id: &RecordId,
        row: &Kept,
        at_ms: u64,
    ) -> Result<Option<VaultError>, VaultError> {
        if row.hold.is_some() {
            return Ok(Some(VaultError::OnHold(*id)));
        }
        if let Some(until_ms) = row.retain_until_ms.filter(|until_ms| *until_ms > at_ms) {
            return Ok(Some(VaultError::Retained { id: *id, until_ms }));
        }
        let pending = self.get(&key(PENDING, &id.0))?.is_some();
        Ok(pending.then_some(VaultError::NotAnchored(*id)))
    }

    /// Adds a record's destruction to a write; the nonce of its sealed data key, by which its bytes are known.
    fn destroy(
        &self,
        write: &mut Writing<'_>,
        by: &Actor,
        id: &RecordId,
        mut row: Kept,
    ) -> Result<Vec<u8>, VaultError> {
        let place = key(DATA_KEY, &id.0);
        let sealed = self.db.get(Family::Erasable, &place)?.ok_or(VaultError::Damaged)?;
        let nonce = sealed.get(..NONCE_BYTES).ok_or(VaultError::Damaged)?.to_vec();
        let private = self.private(id)?.ok_or(VaultError::Damaged)?;
        write.delete_erasable(&place);
        write.delete_erasable(&key(FILE, &private.file_index));
        write.delete(&key(OPENING, &id.0));
        write.delete(&key(CROWN, &id.0));
        write.delete(&key(PRIVATE, &id.0));
        if let Some(until_ms) = row.retain_until_ms {
            write.delete(&due_key(until_ms, &id.0));
        }
        row.erased_at_ms = Some(now_ms());
        write.put(&key(ROW, &id.0), &row.encode());
        write.put(PURGE, &[]);
        write.note(by, Deed::Destroy, Some(id.0), 0);
        Ok(nonce)
    }
}
