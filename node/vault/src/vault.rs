//! The vault's database. Every write is one synced batch; reads check what they decrypt.
//!
//! | database key | value | sealed under |
//! |---|---|---|
//! | `.master`, erasable | the master key | the vault key |
//! | `.alert` | next alert key index | master |
//! | `.log` | number of the log's entries, hash of the last | master |
//! | `.purge` | nothing; there while destroyed bytes may still be in old files | master |
//! | `r` record id | alert index, place on the log, retention, hold, successor | master |
//! | `n` record id | file name, form, number of fields, file index, heat, mass, what it supersedes | the record's data key |
//! | `o` record id | opening | the record's data key |
//! | `c` record id | crown of the record's tree | the record's data key |
//! | `x` record id | the record in its place; there until an alert tells of it | master |
//! | `p` record id | nothing; there while the record is not anchored | master |
//! | `d` date u64 record id | nothing; there while a record has a retention date | master |
//! | `s` transaction id | a signed anchor on its way | master |
//! | `a` reason digest | the reason of an alert | master |
//! | `l` number u64 | an entry of the log | master |
//! | `u` Ed25519 key | an operator's name and roles | master |
//! | `k` record id, erasable | the record's data key | master |
//! | `f` keyed file digest, erasable | record id | master |
//! | `W`, `X`, `Z` | what a genealogy needs: see `outlines` | master |
//! | `M`, `N`, `T`, `.alerts` | alerts on what is known here: see `recalls` | master |
//! | `t`, `g`, `e`, `b`, `h`, `1` to `6` | lots and their events: see `lots` | master |
//! | `v`, `w`, `i`, `j` | letters: see `post` | master |
//! | `y` | deposits that are due, inspections, and contents that can be destroyed: see `classes`, `inspections`, `contents` | master |
//! | `q` keyed hash of record, receiver and path | the specification by which this is proved to them; or the tolerance, and the other records | master |

mod agreed;
mod anchoring;
mod superseding;
#[cfg(test)]
pub(crate) mod tests;

pub use superseding::Superseded;

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Mutex, RwLock};
use std::time::Duration;

use heatmark_records::{Crown, Opening, RecordId};
use rocksdb::{Direction, IteratorMode, WriteBatch};
use zeroize::Zeroizing;

use crate::database::{Database, Family};
use crate::deeds::LogHead;
use crate::operators::Admitted;
use crate::rows::{Kept, Private, record_id};
use crate::sealed::{Master, Secret32};
use crate::writing::now_ms;
use crate::{
    Actor, AlertReason, Deed, FileDigest, NewRecord, RecordRow, StoredRecord, VaultError, VaultKey,
};

pub(crate) const MASTER: &[u8] = b".master";
pub(crate) const LOG_HEAD: &[u8] = b".log";
pub(crate) const PURGE: &[u8] = b".purge";
const ALERT_INDEX: &[u8] = b".alert";
pub(crate) const OPENING: u8 = b'o';
pub(crate) const CROWN: u8 = b'c';
pub(crate) const ROW: u8 = b'r';
pub(crate) const PRIVATE: u8 = b'n';
pub(crate) const PENDING: u8 = b'p';
pub(crate) const DUE: u8 = b'd';
const SUBMISSION: u8 = b's';
const REASON: u8 = b'a';
pub(crate) const LOG: u8 = b'l';
pub(crate) const OPERATOR: u8 = b'u';
pub(crate) const DATA_KEY: u8 = b'k';
pub(crate) const FILE: u8 = b'f';
const AGREED: u8 = b'q';
const SUPERSEDED: u8 = b'x';

/// What became of a record given to [`Vault::put_pending`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It is on disk and waits to be anchored.
    New(RecordId),
    /// The same file was published before, as this record; nothing was written.
    Already(RecordId),
}

/// What an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alerted {
    /// A record of this vault, with its alert key.
    Record(RecordId),
    /// Any alert subject, as a concern.
    Subject([u8; 32]),
}

/// An open vault; safe to share between threads.
pub struct Vault {
    pub(crate) db: Database,
    pub(crate) master: Master,
    /// Held while something is read in order to be written; what the log's next entry follows.
    pub(crate) writing: Mutex<LogHead>,
    /// Those of the database, asked at every request.
    pub(crate) operators: Admitted,
    /// How long a new record is kept; for ever, if `None`.
    retention: Option<Duration>,
    /// Read-locked while a backup holds old values.
    pub(crate) copying: RwLock<()>,
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

impl Vault {
    /// Opens the vault in a directory, or makes one there, readable by this user alone. What a crash kept from
    /// being destroyed is destroyed now.
    ///
    /// # Errors
    /// `WrongKey`, `NotAVault`, `JournalChanged`, `LogChanged`, `Io`, or `Database` (also when another process
    /// holds it).
    pub fn open(path: &Path, key: &VaultKey) -> Result<Self, VaultError> {
        let db = Database::open(path)?;
        let master = match db.get(Family::Erasable, MASTER)? {
            Some(sealed) => {
                let master = key.wrapping().open(MASTER, &sealed);
                Secret32::from_slice(&master.map_err(|_| VaultError::WrongKey)?)?
            }
            None if !db.is_empty() => return Err(VaultError::NotAVault),
            None => {
                let master = Secret32::random()?;
                let mut batch = WriteBatch::default();
                batch.put_cf(db.family(Family::Erasable)?, MASTER, wrapped(&master, key));
                db.write(batch)?;
                master
            }
        };
        Self::from_parts(db, Master::new(master))
    }

    fn from_parts(db: Database, master: Master) -> Result<Self, VaultError> {
        let mut vault = Self {
            db,
            master,
            writing: Mutex::new(LogHead::default()),
            operators: Admitted::default(),
            retention: None,
            copying: RwLock::new(()),
        };
        let head = vault.stored_log_head()?;
        vault.writing = Mutex::new(head);
        vault.operators = Admitted::new(vault.read_operators()?);
        if vault.get(PURGE)?.is_some() {
            vault.purge()?;
        }
        Ok(vault)
    }

    /// The same vault, in which new records get a retention date so far from now.
    #[must_use]
    pub fn retaining(self, retention: Option<Duration>) -> Self {
        Self { retention, ..self }
    }

    /// Puts the vault under another key. Backups made before open with the old one.
    ///
    /// # Errors
    /// `Database`.
    pub fn rekey(&self, by: &Actor, key: &VaultKey) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        write.put_sealed(MASTER, wrapped(self.master.secret(), key));
        write.put(PURGE, &[]);
        write.note(by, Deed::Rekey, None, 0);
        write.commit()?;
        // So that the old key finds nothing to open in old files.
        self.purge().map(|_| ())
    }

    /// The record that a file was published as, anchored or pending.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn find_by_file(&self, file: &FileDigest) -> Result<Option<RecordId>, VaultError> {
        let index = self.master.file_index(file);
        self.get_erasable(&key(FILE, &index))?.map(|id| record_id(&id)).transpose()
    }

    /// Puts openings on disk, synced, before anything of them is anchored. A file that was published before, or
    /// stands twice among these, is one record.
    ///
    /// # Errors
    /// `Damaged` or `Database`; nothing was written then.
    pub fn put_pending(
        &self,
        by: &Actor,
        records: &[NewRecord],
    ) -> Result<Vec<Stored>, VaultError> {
        let mut write = self.begin()?;
        let mut files = BTreeMap::new();
        let mut stored = Vec::with_capacity(records.len());
        let kept_for =
            self.retention.map(|kept| u64::try_from(kept.as_millis()).unwrap_or(u64::MAX));
        let retain_until_ms = kept_for.map(|kept| now_ms().saturating_add(kept));
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
            let data_key = Secret32::random()?;
            let (sealer, id) = (data_key.sealer(), &record.id.0);
            let file_index = self.master.file_index(&record.file);
            let private = Private::of(record, file_index).encode();
            write.put_under(&sealer, &key(OPENING, id), &record.opening.encode());
            write.put_under(&sealer, &key(CROWN, id), &record.crown.encode());
            write.put_under(&sealer, &key(PRIVATE, id), &private);
            write.put_erasable(&key(DATA_KEY, id), data_key.bytes());
            write.put_erasable(&key(FILE, &file_index), id);
            write.put(&key(ROW, id), &Kept::of(record, retain_until_ms).encode());
            write.put(&key(PENDING, id), &[]);
            write.put_due(&record.id, &record.due, now_ms());
            if let Some(until_ms) = retain_until_ms {
                write.put(&due_key(until_ms, id), &[]);
            }
            if let Some(old) = record.supersedes() {
                self.supersede(&mut write, &old, &record.id)?;
            }
            write.note(by, Deed::Publish, Some(*id), 0);
            stored.push(Stored::New(record.id));
        }
        write.commit()?;
        Ok(stored)
    }

    /// A record with its opening, for one who shows, proves or exports something of it: the log says so, synced,
    /// before the opening is given. `number` is as the deed says.
    ///
    /// # Errors
    /// `Erased`, `Damaged`, `Opening` or `Database`.
    pub fn record_for(
        &self,
        by: &Actor,
        deed: Deed,
        id: &RecordId,
        number: u64,
    ) -> Result<Option<StoredRecord>, VaultError> {
        let Some(record) = self.record(id)? else { return Ok(None) };
        self.note(by, deed, Some(id.0), number)?;
        Ok(Some(record))
    }

    /// A record with its opening, for the node's own work; whatever of it leaves the node goes through
    /// [`Vault::record_for`].
    ///
    /// # Errors
    /// `Erased`, `Damaged`, `Opening` or `Database`.
    pub fn record(&self, id: &RecordId) -> Result<Option<StoredRecord>, VaultError> {
        let Some(row) = self.row(id)? else { return Ok(None) };
        if row.erased_at_ms.is_some() {
            return Err(VaultError::Erased(*id));
        }
        let data_key = self.data_key(id)?.ok_or(VaultError::Damaged)?;
        let place = key(OPENING, &id.0);
        let sealed = self.db.get(Family::Kept, &place)?.ok_or(VaultError::Damaged)?;
        let sealer = data_key.sealer();
        let opening = Opening::decode(&sealer.open(&place, &sealed)?)?;
        let place = key(CROWN, &id.0);
        let crown = self.db.get(Family::Kept, &place)?;
        let crown = crown.map(|sealed| sealer.open(&place, &sealed)).transpose()?;
        let crown = crown.map(|crown| Crown::decode(&crown)).transpose()?;
        Ok(Some(StoredRecord { row, opening, crown }))
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
            rows.push(self.row_of(id, Kept::decode(value)?)?);
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
        let mut write = self.begin()?;
        let first = self.alert_index()?;
        let next = first.checked_add(count).ok_or(VaultError::NoAlertIndex)?;
        write.put(ALERT_INDEX, &next.to_be_bytes());
        write.commit()?;
        Ok(first)
    }

    /// Makes every further alert index at least `index`: what a restored node does, since its backup does not
    /// know the indices given after it.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn skip_alert_indices(&self, index: u64) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        if self.alert_index()? < index {
            write.put(ALERT_INDEX, &index.to_be_bytes());
        }
        write.commit()
    }

    /// Keeps the reason of an alert under the digest that goes on the log, and who raises it, before the alert is
    /// signed. `level` is the alert's.
    ///
    /// # Errors
    /// `Database`.
    pub fn put_alert_reason(
        &self,
        by: &Actor,
        (about, level): (Alerted, u32),
        digest: &[u8; 32],
        reason: &AlertReason,
    ) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        write.put(&key(REASON, digest), &reason.encode());
        let (deed, about) = match about {
            Alerted::Record(id) => (Deed::Alert, id.0),
            Alerted::Subject(subject) => (Deed::Concern, subject),
        };
        write.note(by, deed, Some(about), u64::from(level));
        write.commit()
    }

    /// The reason kept under a digest.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn alert_reason(&self, digest: &[u8; 32]) -> Result<Option<AlertReason>, VaultError> {
        self.get(&key(REASON, digest))?.map(|reason| AlertReason::decode(&reason)).transpose()
    }

    pub(crate) fn alert_index(&self) -> Result<u64, VaultError> {
        let Some(bytes) = self.get(ALERT_INDEX)? else { return Ok(0) };
        bytes.as_slice().try_into().map(u64::from_be_bytes).map_err(|_| VaultError::Damaged)
    }

    pub(crate) fn kept(&self, id: &RecordId) -> Result<Option<Kept>, VaultError> {
        self.get(&key(ROW, &id.0))?.map(|row| Kept::decode(&row)).transpose()
    }

    pub(crate) fn data_key(&self, id: &RecordId) -> Result<Option<Secret32>, VaultError> {
        let data_key = self.get_erasable(&key(DATA_KEY, &id.0))?;
        data_key.map(|bytes| Secret32::from_slice(&bytes)).transpose()
    }

    /// What is destroyed with a record; none once it is.
    pub(crate) fn private(&self, id: &RecordId) -> Result<Option<Private>, VaultError> {
        let Some(data_key) = self.data_key(id)? else { return Ok(None) };
        let place = key(PRIVATE, &id.0);
        let sealed = self.db.get(Family::Kept, &place)?.ok_or(VaultError::Damaged)?;
        Private::decode(&data_key.sealer().open(&place, &sealed)?).map(Some)
    }

    fn row(&self, id: &RecordId) -> Result<Option<RecordRow>, VaultError> {
        self.kept(id)?.map(|kept| self.row_of(*id, kept)).transpose()
    }

    fn row_of(&self, id: RecordId, kept: Kept) -> Result<RecordRow, VaultError> {
        let private = match kept.erased_at_ms {
            Some(_) => None,
            None => Some(self.private(&id)?.ok_or(VaultError::Damaged)?),
        };
        Ok(RecordRow::of(id, kept, private))
    }

    pub(crate) fn get(&self, db_key: &[u8]) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        self.get_from(Family::Kept, db_key)
    }

    pub(crate) fn get_erasable(
        &self,
        db_key: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        self.get_from(Family::Erasable, db_key)
    }

    fn get_from(
        &self,
        family: Family,
        db_key: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        let sealed = self.db.get(family, db_key)?;
        sealed.map(|sealed| self.master.sealer.open(db_key, &sealed)).transpose()
    }

    /// Visits the entries whose key starts with `start`, giving what follows it, until told to stop.
    pub(crate) fn scan(
        &self,
        start: &[u8],
        visit: impl FnMut(&[u8], &[u8]) -> Result<bool, VaultError>,
    ) -> Result<(), VaultError> {
        self.scan_from(start, &[], visit)
    }

    /// As `scan`, from `start` and `rest` on.
    pub(crate) fn scan_from(
        &self,
        start: &[u8],
        rest: &[u8],
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<bool, VaultError>,
    ) -> Result<(), VaultError> {
        let from = [start, rest].concat();
        for entry in self.db.rocks().iterator(IteratorMode::From(&from, Direction::Forward)) {
            let (db_key, sealed) = entry?;
            let Some(rest) = db_key.strip_prefix(start) else { break };
            if !visit(rest, &self.master.sealer.open(&db_key, &sealed)?)? {
                break;
            }
        }
        Ok(())
    }
}

/// The master key as it stands on disk.
pub(crate) fn wrapped(master: &Secret32, key: &VaultKey) -> Vec<u8> {
    key.wrapping().seal(MASTER, master.bytes())
}

pub(crate) fn key(kind: u8, id: &[u8; 32]) -> Vec<u8> {
    [&[kind], id.as_slice()].concat()
}

pub(crate) fn due_key(until_ms: u64, id: &[u8; 32]) -> Vec<u8> {
    [&[DUE][..], &until_ms.to_be_bytes(), id].concat()
}
