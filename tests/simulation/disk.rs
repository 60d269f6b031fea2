//! A disk in memory that fails as real ones do, under a database that works as RocksDB does: a
//! write-ahead log of checksummed records, and tables that a flush moves it into. What a crash
//! leaves are bytes: the log is cut wherever the power went, and the next opening reads it again.
//!
//! Promised, as RocksDB promises it with the recovery mode that the store asks for: a batch is one
//! record, so it is there or it is not; a synced record survives; a record that is incomplete at
//! the log's end is taken for torn and dropped; one whose checksum is wrong is refused at opening;
//! a value whose checksum is wrong is an error when it is read. A flipped length is left out of the
//! damage: neither this log nor RocksDB's can tell it from a torn end.
//!
//! [`Lie`] breaks these promises one by one, to show that the simulation would notice.

mod log;

use crate::dice::Dice;
use heatmark_store::{Batch, Disk, DiskError, Durability, Entries, Entry, Family, Walk};
use log::{apply, checksum, encode, recover, seal};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};

/// Bytes of a record before its payload: length and checksum.
const RECORD_HEAD: usize = 12;

/// Where in a write the power goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before anything of it is on the medium.
    Before,
    /// While it is being written: any part of it may survive.
    During,
    /// Once it is safe, but before whoever wrote it hears of that.
    After,
}

/// What happens at a coming operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The machine stops.
    PowerCut(Moment),
    /// No space is left: nothing, or a part of the record, was written.
    Full,
    /// Syncing failed: nobody knows what is on the medium.
    SyncFailed,
}

/// A promise that the disk breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// Synced writes are only buffered.
    NothingIsSynced,
    /// Undecided blocks are only buffered, as if the store had not asked for more.
    UndecidedIsNotSynced,
    /// What is left of a torn record is applied.
    TornRecordsApply,
    /// Damaged values are handed out.
    DamageIsServed,
}

/// What survives a crash.
#[derive(Debug, Clone, Default)]
pub struct Medium {
    /// Values, each followed by its checksum.
    tables: BTreeMap<Family, BTreeMap<Vec<u8>, Vec<u8>>>,
    log: Vec<u8>,
    /// Bytes of the log that are safe.
    synced: usize,
}

/// What the database holds in memory of the log: `None` is a delete.
type Recent = BTreeMap<Family, BTreeMap<Vec<u8>, Option<Vec<u8>>>>;

/// A replica's drive. It outlives whatever process uses it.
#[derive(Clone)]
pub struct Drive {
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    medium: Medium,
    recent: Recent,
    /// Counts openings: a process of an earlier one is dead.
    opening: u64,
    running: bool,
    /// Set by a failed write: RocksDB takes no more until it is opened again.
    writes_refused: bool,
    /// Writes until the fault happens.
    at_write: Option<(u32, Fault)>,
    /// Reads until one fails.
    at_read: Option<u32>,
    /// Whether any fault has happened since the last opening.
    failed: bool,
    lie: Option<Lie>,
    operations: u64,
}

/// The drive as one opening of the database sees it.
struct Opened {
    shared: Arc<Mutex<Shared>>,
    opening: u64,
}

impl Drive {
    pub fn new(medium: Medium) -> Self {
        let shared = Shared {
            medium,
            recent: Recent::new(),
            opening: 0,
            running: false,
            writes_refused: false,
            at_write: None,
            at_read: None,
            failed: false,
            lie: None,
            operations: 0,
        };
        Self { shared: Arc::new(Mutex::new(shared)) }
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap()
    }

    /// Makes the disk break a promise from now on.
    pub fn lie(&self, lie: Lie) {
        self.lock().lie = Some(lie);
    }

    /// Starts the database, reading its log again.
    pub fn open(&self) -> Result<Box<dyn Disk>, DiskError> {
        let mut shared = self.lock();
        shared.opening += 1;
        shared.running = true;
        shared.writes_refused = false;
        shared.failed = false;
        let lie = shared.lie;
        shared.recent = recover(&mut shared.medium, lie)?;
        let opening = shared.opening;
        drop(shared);
        Ok(Box::new(Opened { shared: Arc::clone(&self.shared), opening }))
    }

    /// The power goes: what was not synced survives up to some byte, or not at all.
    pub fn crash(&self, dice: &mut Dice) {
        let mut shared = self.lock();
        shared.running = false;
        shared.recent.clear();
        shared.at_write = None;
        shared.at_read = None;
        let (synced, written) = (shared.medium.synced, shared.medium.log.len());
        let cut = match dice.below(4) {
            0 => synced,
            1 => written,
            _ => dice.between(synced as u64, written as u64) as usize,
        };
        shared.medium.log.truncate(cut);
        // What the cut left is on the medium, whatever was asked for.
        shared.medium.synced = cut;
    }

    /// A fault at one of the next writes: 0 is the very next one.
    pub fn fail_write(&self, after: u32, fault: Fault) {
        self.lock().at_write = Some((after, fault));
    }

    /// A read that fails, once.
    pub fn fail_read(&self, after: u32) {
        self.lock().at_read = Some(after);
    }

    /// No fault will come that has not come yet.
    pub fn heal(&self) {
        let mut shared = self.lock();
        shared.at_write = None;
        shared.at_read = None;
    }

    /// Whether a fault has happened since the last opening.
    pub fn has_failed(&self) -> bool {
        self.lock().failed
    }

    /// The database writes its tables, as it does now and then.
    pub fn compact(&self) {
        let mut shared = self.lock();
        if shared.running && !shared.writes_refused {
            shared.flush();
        }
    }

    /// Flips a bit of the log or a table while nobody looks. False on an empty medium.
    pub fn flip(&self, dice: &mut Dice) -> bool {
        let mut shared = self.lock();
        let medium = &mut shared.medium;
        let bit = 1_u8 << dice.below(8);
        let entries: usize = medium.tables.values().map(BTreeMap::len).sum();
        if medium.log.len() > RECORD_HEAD && (entries == 0 || dice.permille(300)) {
            let payload_at = medium.payload_bytes();
            let at = payload_at[dice.index(payload_at.len())];
            medium.log[at] ^= bit;
            return true;
        }
        let chosen = dice.index(entries);
        let Some(value) = medium.tables.values_mut().flat_map(BTreeMap::values_mut).nth(chosen)
        else {
            return false;
        };
        let at = dice.index(value.len());
        value[at] ^= bit;
        true
    }

    /// All entries of a family, past all faults: for whoever judges the replica.
    pub fn dump(&self, family: Family) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let shared = self.lock();
        let mut entries = BTreeMap::new();
        for (key, sealed) in shared.medium.tables.get(&family).into_iter().flatten() {
            entries.insert(key.clone(), sealed[..sealed.len() - 8].to_vec());
        }
        for (key, value) in shared.recent.get(&family).into_iter().flatten() {
            match value {
                Some(value) => entries.insert(key.clone(), value.clone()),
                None => entries.remove(key),
            };
        }
        entries
    }

    /// What would survive now, for another drive.
    pub fn medium(&self) -> Medium {
        self.lock().medium.clone()
    }

    /// Reads and writes so far.
    pub fn operations(&self) -> u64 {
        self.lock().operations
    }

    /// Bytes of the log, and how many of them are safe.
    pub fn log_bytes(&self) -> (usize, usize) {
        let shared = self.lock();
        (shared.medium.log.len(), shared.medium.synced)
    }
}

impl Medium {
    /// Positions in the log that belong to payloads.
    fn payload_bytes(&self) -> Vec<usize> {
        let (mut positions, mut at) = (Vec::new(), 0);
        while let Some(length) = self.log.get(at..at + 4) {
            let length = u32::from_le_bytes(length.try_into().unwrap()) as usize;
            let begin = at + RECORD_HEAD;
            at = (begin + length).min(self.log.len());
            positions.extend(begin..at);
        }
        positions
    }
}

impl Shared {
    fn flush(&mut self) {
        for (family, entries) in std::mem::take(&mut self.recent) {
            let table = self.medium.tables.entry(family).or_default();
            for (key, value) in entries {
                match value {
                    Some(value) => table.insert(key.clone(), seal(family, &key, &value)),
                    None => table.remove(&key),
                };
            }
        }
        self.medium.log.clear();
        self.medium.synced = 0;
    }

    fn fails(&mut self, message: &'static str) -> DiskError {
        self.failed = true;
        DiskError::new(message)
    }

    fn begin_read(&mut self) -> Result<(), DiskError> {
        self.operations += 1;
        match self.at_read {
            Some(0) => {
                self.at_read = None;
                return Err(self.fails("reading failed"));
            }
            Some(left) => self.at_read = Some(left - 1),
            None => {}
        }
        Ok(())
    }

    fn read(&mut self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, DiskError> {
        if let Some(recent) = self.recent.get(&family).and_then(|recent| recent.get(key)) {
            return Ok(recent.clone());
        }
        let table = self.medium.tables.get(&family);
        let Some(sealed) = table.and_then(|table| table.get(key)) else { return Ok(None) };
        let (value, sum) = sealed.split_at(sealed.len() - 8);
        let right = checksum(&[family.name().as_bytes(), key, value]).to_le_bytes() == *sum;
        if right || self.lie == Some(Lie::DamageIsServed) {
            return Ok(Some(value.to_vec()));
        }
        Err(self.fails("a table is damaged"))
    }

    /// The key that a walk meets next, deleted ones passed over.
    fn next_key(&self, family: Family, from: Bound<&[u8]>, ascending: bool) -> Option<Vec<u8>> {
        let range = if ascending { (from, Bound::Unbounded) } else { (Bound::Unbounded, from) };
        let table = self.medium.tables.get(&family);
        let recent = self.recent.get(&family);
        let mut stored = table.map(|table| table.range::<[u8], _>(range));
        let mut fresh = recent.map(|recent| recent.range::<[u8], _>(range));
        let hidden = |key: &[u8]| recent.is_some_and(|recent| recent.contains_key(key));
        let stored = stored.as_mut().and_then(|range| {
            let mut keys: Box<dyn Iterator<Item = &Vec<u8>>> = if ascending {
                Box::new(range.map(|(key, _)| key))
            } else {
                Box::new(range.rev().map(|(key, _)| key))
            };
            keys.find(|key| !hidden(key))
        });
        let fresh = fresh.as_mut().and_then(|range| {
            let found = if ascending {
                range.find(|(_, value)| value.is_some())
            } else {
                range.rfind(|(_, value)| value.is_some())
            };
            found.map(|(key, _)| key)
        });
        let both = [stored, fresh].into_iter().flatten();
        if ascending { both.min() } else { both.max() }.cloned()
    }

    fn write(&mut self, batch: &Batch, durability: Durability) -> Result<(), DiskError> {
        self.operations += 1;
        if self.writes_refused {
            return Err(self.fails("writes are refused after a failed one"));
        }
        let record = encode(batch);
        let fault = match self.at_write {
            Some((0, fault)) => {
                self.at_write = None;
                Some(fault)
            }
            Some((left, fault)) => {
                self.at_write = Some((left - 1, fault));
                None
            }
            None => None,
        };
        let undecided = batch.operations().next().is_some_and(|(f, _, _)| f.name() == "undecided");
        let synced = durability == Durability::Synced
            && self.lie != Some(Lie::NothingIsSynced)
            && !(undecided && self.lie == Some(Lie::UndecidedIsNotSynced));
        match fault {
            None => {}
            Some(Fault::PowerCut(moment)) => {
                if moment != Moment::Before {
                    self.medium.log.extend_from_slice(&record);
                }
                if moment == Moment::After && synced {
                    self.medium.synced = self.medium.log.len();
                }
                self.running = false;
                return Err(self.fails("the power is gone"));
            }
            Some(Fault::Full) => {
                // The part that still fitted. RocksDB takes no further write after it.
                let fitted = record.len() * (self.operations % 8) as usize / 8;
                self.medium.log.extend_from_slice(&record[..fitted]);
                self.writes_refused = true;
                return Err(self.fails("no space is left"));
            }
            Some(Fault::SyncFailed) => {
                self.medium.log.extend_from_slice(&record);
                self.writes_refused = true;
                return Err(self.fails("syncing failed"));
            }
        }
        self.medium.log.extend_from_slice(&record);
        if synced {
            self.medium.synced = self.medium.log.len();
        }
        apply(&mut self.recent, &record[RECORD_HEAD..]);
        Ok(())
    }
}

impl Opened {
    fn running(&self) -> Result<MutexGuard<'_, Shared>, DiskError> {
        let mut shared = self.shared.lock().unwrap();
        if shared.opening != self.opening || !shared.running {
            return Err(shared.fails("the power is gone"));
        }
        Ok(shared)
    }

    fn step(
        &self,
        family: Family,
        from: Bound<&[u8]>,
        ascending: bool,
    ) -> Result<Option<Entry>, DiskError> {
        let mut shared = self.running()?;
        let Some(key) = shared.next_key(family, from, ascending) else { return Ok(None) };
        let value = shared.read(family, &key)?.unwrap_or_default();
        Ok(Some((key.into(), value.into())))
    }
}

impl Disk for Opened {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, DiskError> {
        let mut shared = self.running()?;
        shared.begin_read()?;
        shared.read(family, key)
    }

    fn walk(&self, family: Family, walk: Walk<'_>) -> Entries<'_> {
        let began = self.running().and_then(|mut shared| shared.begin_read());
        if let Err(error) = began {
            return Box::new(std::iter::once(Err(error)));
        }
        let ascending = matches!(walk, Walk::First | Walk::From(_));
        let mut from = match walk {
            Walk::First | Walk::Last => Bound::Unbounded,
            Walk::From(key) | Walk::Before(key) => Bound::Included(key.to_vec()),
        };
        Box::new(std::iter::from_fn(move || {
            let bound = match &from {
                Bound::Included(key) => Bound::Included(key.as_slice()),
                Bound::Excluded(key) => Bound::Excluded(key.as_slice()),
                Bound::Unbounded => Bound::Unbounded,
            };
            let found = self.step(family, bound, ascending).transpose()?;
            if let Ok((key, _)) = &found {
                from = Bound::Excluded(key.to_vec());
            }
            Some(found)
        }))
    }

    fn write(&self, batch: Batch, durability: Durability) -> Result<(), DiskError> {
        self.running()?.write(&batch, durability)
    }

    fn flush(&self) -> Result<(), DiskError> {
        let mut shared = self.running()?;
        if shared.writes_refused {
            return Err(shared.fails("writes are refused after a failed one"));
        }
        shared.flush();
        Ok(())
    }
}

/// The families whose entries must be the same on every replica at the same height.
pub fn shared_families() -> BTreeSet<&'static str> {
    ["entries", "ids", "leaves", "tiles", "state", "nodes", "values", "stale", "sets"].into()
}
