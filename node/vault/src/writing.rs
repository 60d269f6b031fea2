//! One synced write: values sealed for their places, and the log's entries about what it does, so that no deed is
//! on disk without its entry nor an entry without its deed.

use std::sync::MutexGuard;
use std::time::{SystemTime, UNIX_EPOCH};

use rocksdb::WriteBatch;

use crate::database::Family;
use crate::sealed::Sealer;
use crate::vault::{LOG, LOG_HEAD};
use crate::{Actor, Deed, LogEntry, LogHead, Vault, VaultError};

/// A write that is being put together. While it lives, no other begins.
pub(crate) struct Writing<'v> {
    vault: &'v Vault,
    head: MutexGuard<'v, LogHead>,
    /// The head once this stands.
    next: LogHead,
    batch: WriteBatch,
    /// A deletion whose family was missing; told at the end.
    failed: Option<VaultError>,
}

impl Vault {
    /// Begins a write; what it depends on is read afterwards.
    pub(crate) fn begin(&self) -> Result<Writing<'_>, VaultError> {
        let head = self.writing.lock().map_err(|_| VaultError::Poisoned)?;
        let next = *head;
        Ok(Writing { vault: self, head, next, batch: WriteBatch::default(), failed: None })
    }
}

impl Writing<'_> {
    pub(crate) fn put(&mut self, key: &[u8], value: &[u8]) {
        self.put_under(&self.vault.master.sealer, key, value);
    }

    /// Puts a value that another key than the master's seals.
    pub(crate) fn put_under(&mut self, sealer: &Sealer, key: &[u8], value: &[u8]) {
        self.batch.put(key, sealer.seal(key, value));
    }

    pub(crate) fn put_erasable(&mut self, key: &[u8], value: &[u8]) {
        self.put_sealed(key, self.vault.master.sealer.seal(key, value));
    }

    /// Puts what is sealed already into the erasable family.
    pub(crate) fn put_sealed(&mut self, key: &[u8], sealed: Vec<u8>) {
        match self.vault.db.family(Family::Erasable) {
            Ok(family) => self.batch.put_cf(family, key, sealed),
            Err(error) => self.failed = Some(error),
        }
    }

    pub(crate) fn delete(&mut self, key: &[u8]) {
        self.batch.delete(key);
    }

    pub(crate) fn delete_erasable(&mut self, key: &[u8]) {
        match self.vault.db.family(Family::Erasable) {
            Ok(family) => self.batch.delete_cf(family, key),
            Err(error) => self.failed = Some(error),
        }
    }

    /// Adds an entry to the log.
    pub(crate) fn note(&mut self, actor: &Actor, deed: Deed, about: Option<[u8; 32]>, number: u64) {
        let entry = LogEntry {
            sequence: self.next.entries,
            at_ms: now_ms(),
            actor: actor.clone(),
            deed,
            about,
            number,
            previous: self.next.hash,
        };
        self.put(&log_key(entry.sequence), &entry.encode());
        self.next = LogHead { entries: entry.sequence.saturating_add(1), hash: entry.hash() };
    }

    pub(crate) fn commit(mut self) -> Result<(), VaultError> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        if self.next != *self.head {
            let next = self.next.encode();
            self.put(LOG_HEAD, &next);
        }
        self.vault.db.write(std::mem::take(&mut self.batch))?;
        *self.head = self.next;
        Ok(())
    }
}

pub(crate) fn log_key(sequence: u64) -> Vec<u8> {
    [&[LOG][..], &sequence.to_be_bytes()].concat()
}

/// The node's clock.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
