//! The vault's database. Every write is one synced batch; reads check what they decrypt.
//!
//! | database key | value, encrypted |
//! |---|---|
//! | `check` | the format's name: tells a wrong key from a damaged value |
//! | `alert` | next alert key index |
//! | `o` record id | opening |
//! | `r` record id | row: file name, form, alert index, place on the log |
//! | `p` record id | nothing; there while the record is not anchored |
//! | `f` keyed file digest | record id |
//! | `s` transaction id | a signed anchor on its way |
//! | `a` reason digest | the reason of an alert |
//! | `q` keyed hash of record, receiver and path | the specification by which this is proved to them |

mod agreed;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::{Mutex, MutexGuard};

use heatmark_records::{Opening, RecordId};
use rocksdb::{
    BlockBasedOptions, Cache, DB, DBCompressionType, DBRecoveryMode, Direction, IteratorMode,
    Options, WriteBatch, WriteOptions,
};

use crate::rows::{hash32, record_id};
use crate::sealed::Sealer;
use crate::{
    AlertReason, FileDigest, NewRecord, Placement, RecordRow, StoredRecord, Submission, VaultError,
    VaultKey,
};

const CHECK: &[u8] = b"check";
const CHECK_VALUE: &[u8] = b"heatmark/v1/vault";
const ALERT_INDEX: &[u8] = b"alert";
const OPENING: u8 = b'o';
const ROW: u8 = b'r';
const PENDING: u8 = b'p';
const FILE: u8 = b'f';
const SUBMISSION: u8 = b's';
const REASON: u8 = b'a';
const AGREED: u8 = b'q';

/// What became of a record given to [`Vault::put_pending`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It is on disk and waits to be anchored.
    New(RecordId),
    /// The same file was published before, as this record; nothing was written.
    Already(RecordId),
}

/// An open vault; safe to share between threads.
pub struct Vault {
    db: DB,
    sealer: Sealer,
    /// Held while something is read in order to be written.
    writing: Mutex<()>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

impl Vault {
    /// Opens the vault in a directory, or makes one there, readable by this user alone.
    ///
    /// # Errors
    /// `WrongKey`, `NotAVault`, `Directory`, or `Database` (also when another process holds it).
    pub fn open(path: &Path, key: &VaultKey) -> Result<Self, VaultError> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        let vault = Self {
            db: DB::open(&options(), path)?,
            sealer: Sealer::new(key),
            writing: Mutex::new(()),
        };
        match vault.db.get(CHECK)? {
            Some(sealed) => {
                let opened = vault.sealer.open(CHECK, &sealed).map_err(|_| VaultError::WrongKey)?;
                if opened.as_slice() != CHECK_VALUE {
                    return Err(VaultError::NotAVault);
                }
            }
            None if vault.db.iterator(IteratorMode::Start).next().is_some() => {
                return Err(VaultError::NotAVault);
            }
            None => {
                let mut batch = WriteBatch::default();
                vault.put(&mut batch, CHECK, CHECK_VALUE);
                vault.write(batch)?;
            }
        }
        Ok(vault)
    }

    /// The record that a file was published as, anchored or pending.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn find_by_file(&self, file: &FileDigest) -> Result<Option<RecordId>, VaultError> {
        self.get(&self.file_key(file))?.map(|id| record_id(&id)).transpose()
    }

    /// Puts openings on disk, synced, before anything of them is anchored. A file that was published before, or
    /// stands twice among these, is one record.
    ///
    /// # Errors
    /// `Damaged` or `Database`; nothing was written then.
    pub fn put_pending(&self, records: &[NewRecord]) -> Result<Vec<Stored>, VaultError> {
        let _writing = self.lock()?;
        let mut batch = WriteBatch::default();
        let mut files = std::collections::BTreeMap::new();
        let mut stored = Vec::with_capacity(records.len());
        for record in records {
            let known = match files.get(&record.file) {
                Some(id) => Some(*id),
                None => self.find_by_file(&record.file)?,
            };
            if let Some(id) = known {
                stored.push(Stored::Already(id));
                continue;
            }
            files.insert(record.file, record.id);
            self.put(&mut batch, &key(OPENING, &record.id.0), &record.opening.encode());
            self.put(&mut batch, &key(ROW, &record.id.0), &RecordRow::of(record).encode());
            self.put(&mut batch, &key(PENDING, &record.id.0), &[]);
            self.put(&mut batch, &self.file_key(&record.file), &record.id.0);
            stored.push(Stored::New(record.id));
        }
        self.write(batch)?;
        Ok(stored)
    }

    /// Keeps a signed anchor, synced, before it is submitted.
    ///
    /// # Errors
    /// `UnknownRecord` when a record of its batch is not here; `Database`.
    pub fn put_submission(&self, submission: &Submission) -> Result<(), VaultError> {
        let _writing = self.lock()?;
        for id in &submission.records {
            self.row(id)?.ok_or(VaultError::UnknownRecord(*id))?;
        }
        let mut batch = WriteBatch::default();
        self.put(&mut batch, &key(SUBMISSION, &submission.transaction_id), &submission.encode());
        self.write(batch)
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
        let mut batch = WriteBatch::default();
        batch.delete(key(SUBMISSION, transaction_id));
        self.write(batch)
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
        let _writing = self.lock()?;
        let mut batch = WriteBatch::default();
        for (id, placement) in placements {
            let mut row = self.row(id)?.ok_or(VaultError::UnknownRecord(*id))?;
            if row.placement.is_none() {
                row.placement = Some(placement.clone());
                self.put(&mut batch, &key(ROW, &id.0), &row.encode());
            }
            batch.delete(key(PENDING, &id.0));
            batch.delete(key(SUBMISSION, &placement.transaction_id));
        }
        self.write(batch)
    }

    /// A record with its opening.
    ///
    /// # Errors
    /// `Damaged`, `Opening` or `Database`.
    pub fn record(&self, id: &RecordId) -> Result<Option<StoredRecord>, VaultError> {
        let Some(row) = self.row(id)? else { return Ok(None) };
        let opening = self.get(&key(OPENING, &id.0))?.ok_or(VaultError::Damaged)?;
        Ok(Some(StoredRecord { row, opening: Opening::decode(&opening)? }))
    }

    /// Records whose id starts with `prefix`, ascending by id, at most `limit`.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn records(&self, prefix: &[u8], limit: usize) -> Result<Vec<RecordRow>, VaultError> {
        let mut rows = Vec::new();
        if limit == 0 || prefix.len() > 32 {
            return Ok(rows);
        }
        let start = [&[ROW], prefix].concat();
        self.scan(&start, |rest, value| {
            let id = record_id(&[prefix, rest].concat())?;
            rows.push(RecordRow::decode(id, value)?);
            Ok(rows.len() < limit)
        })?;
        Ok(rows)
    }

    /// Takes the next alert key index; none is given twice, not even across a crash.
    ///
    /// # Errors
    /// `NoAlertIndex`, `Damaged`, or `Database`; the index is lost then, never repeated.
    pub fn next_alert_index(&self) -> Result<u64, VaultError> {
        self.take_alert_indices(1)
    }

    /// Takes `count` consecutive alert key indices with one synced write, and gives the first.
    ///
    /// # Errors
    /// As [`Vault::next_alert_index`].
    pub fn take_alert_indices(&self, count: u64) -> Result<u64, VaultError> {
        let _writing = self.lock()?;
        let first = self.alert_index()?;
        self.set_alert_index(first.checked_add(count).ok_or(VaultError::NoAlertIndex)?)?;
        Ok(first)
    }

    /// Makes every further alert index at least `index`: what a restored node does, since its backup does not
    /// know the indices given after it.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn skip_alert_indices(&self, index: u64) -> Result<(), VaultError> {
        let _writing = self.lock()?;
        if self.alert_index()? < index { self.set_alert_index(index) } else { Ok(()) }
    }

    /// Keeps the reason of an alert under the digest that goes on the log.
    ///
    /// # Errors
    /// `Database`.
    pub fn put_alert_reason(
        &self,
        digest: &[u8; 32],
        reason: &AlertReason,
    ) -> Result<(), VaultError> {
        let mut batch = WriteBatch::default();
        self.put(&mut batch, &key(REASON, digest), &reason.encode());
        self.write(batch)
    }

    /// The reason kept under a digest.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn alert_reason(&self, digest: &[u8; 32]) -> Result<Option<AlertReason>, VaultError> {
        self.get(&key(REASON, digest))?.map(|reason| AlertReason::decode(&reason)).transpose()
    }

    fn alert_index(&self) -> Result<u64, VaultError> {
        let Some(bytes) = self.get(ALERT_INDEX)? else { return Ok(0) };
        bytes.as_slice().try_into().map(u64::from_be_bytes).map_err(|_| VaultError::Damaged)
    }

    fn set_alert_index(&self, index: u64) -> Result<(), VaultError> {
        let mut batch = WriteBatch::default();
        self.put(&mut batch, ALERT_INDEX, &index.to_be_bytes());
        self.write(batch)
    }

    fn row(&self, id: &RecordId) -> Result<Option<RecordRow>, VaultError> {
        self.get(&key(ROW, &id.0))?.map(|row| RecordRow::decode(*id, &row)).transpose()
    }

    fn file_key(&self, file: &FileDigest) -> Vec<u8> {
        key(FILE, &self.sealer.file_index(file))
    }

    fn get(&self, db_key: &[u8]) -> Result<Option<zeroize::Zeroizing<Vec<u8>>>, VaultError> {
        self.db.get(db_key)?.map(|sealed| self.sealer.open(db_key, &sealed)).transpose()
    }

    fn put(&self, batch: &mut WriteBatch, db_key: &[u8], value: &[u8]) {
        batch.put(db_key, self.sealer.seal(db_key, value));
    }

    fn write(&self, batch: WriteBatch) -> Result<(), VaultError> {
        let mut synced = WriteOptions::default();
        synced.set_sync(true);
        Ok(self.db.write_opt(batch, &synced)?)
    }

    /// Visits the entries whose key starts with `start`, giving what follows it, until told to stop.
    fn scan(
        &self,
        start: &[u8],
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<bool, VaultError>,
    ) -> Result<(), VaultError> {
        for entry in self.db.iterator(IteratorMode::From(start, Direction::Forward)) {
            let (db_key, sealed) = entry?;
            let Some(rest) = db_key.strip_prefix(start) else { break };
            if !visit(rest, &self.sealer.open(&db_key, &sealed)?)? {
                break;
            }
        }
        Ok(())
    }

    fn lock(&self) -> Result<MutexGuard<'_, ()>, VaultError> {
        self.writing.lock().map_err(|_| VaultError::Poisoned)
    }
}

fn key(kind: u8, id: &[u8; 32]) -> Vec<u8> {
    [&[kind], id.as_slice()].concat()
}

/// Small: a vault is written once for each batch of certificates. Nothing encrypted can be compressed.
fn options() -> Options {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(&Cache::new_lru_cache(8 << 20));
    let mut options = Options::default();
    options.create_if_missing(true);
    options.set_block_based_table_factory(&blocks);
    options.set_compression_type(DBCompressionType::None);
    options.set_write_buffer_size(4 << 20);
    options.set_max_write_buffer_number(2);
    options.set_max_open_files(64);
    options.set_keep_log_file_num(2);
    options.set_max_total_wal_size(16 << 20);
    options.set_paranoid_checks(true);
    // RocksDB's own choice would end the log at the first damaged record, and forget the openings
    // after it without a word. Only an incomplete record at the end is what a crash leaves.
    options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
    options
}
