//! The database's files: held against a node that starts meanwhile, opened to be read only, and its
//! write-ahead log looked at before RocksDB interprets it.

use super::report::{Findings, Place, Remedy};
use crate::disk::DiskError;
use crate::rocks::RocksDisk;
use rocksdb::DBRecoveryMode;
use rustix::fs::{FlockOperation, fcntl_lock};
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

/// The database's lock, taken as RocksDB takes it, for as long as this lives.
#[derive(Debug)]
pub struct Held {
    _lock: File,
}

impl Held {
    /// Takes the lock of the database in a directory.
    ///
    /// # Errors
    /// When another process holds it, or there is no such directory.
    pub fn take(path: &Path) -> Result<Self, DiskError> {
        let mut options = OpenOptions::new();
        let lock = options.create(true).truncate(false).write(true).open(path.join("LOCK"));
        let lock = lock.map_err(DiskError::new)?;
        match fcntl_lock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _lock: lock }),
            Err(errno) => {
                let errno = io::Error::from(errno);
                Err(DiskError::new(format!("While lock file: {}: {errno}", path.display())))
            }
        }
    }
}

pub(super) fn open_to_read(path: &Path) -> Result<RocksDisk, DiskError> {
    RocksDisk::open_to_read(path, DBRecoveryMode::TolerateCorruptedTailRecords)
}

pub(super) fn check_log_files(path: &Path, findings: &mut Findings) {
    match heatmark_wal::damaged_file(path) {
        Ok(None) => {}
        Ok(Some((file, offset))) => {
            let place = Place::File(format!("{} at byte {offset}", file.display()));
            let what = "the write-ahead log was changed; what follows was synced before";
            findings.at(place, what, Remedy::Anew);
        }
        Err(error) => {
            let place = Place::File(format!("{}: {error}", path.display()));
            findings.at(place, "the write-ahead log cannot be read", Remedy::Anew);
        }
    }
}
