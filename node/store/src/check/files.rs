//! The database's files: held against a node that starts meanwhile, opened to be read only, and its
//! write-ahead log looked at before RocksDB interprets it.

use super::report::{Findings, Place, Remedy};
use crate::disk::DiskError;
use crate::rocks::RocksDisk;
use crate::wal::{self, Ending};
use rocksdb::DBRecoveryMode;
use rustix::fs::{FlockOperation, fcntl_lock};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

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

/// The write-ahead log's files, oldest first.
fn log_files(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for file in fs::read_dir(path)? {
        let file = file?.path();
        if file.extension().is_some_and(|extension| extension == "log") {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// The first file of the write-ahead log that something other than a crash has changed.
pub(crate) fn damaged_log_file(path: &Path) -> io::Result<Option<(PathBuf, u64)>> {
    for file in log_files(path)? {
        if let Ending::Damaged { offset } = wal::ending(&file)? {
            return Ok(Some((file, offset)));
        }
    }
    Ok(None)
}

pub(super) fn check_log_files(path: &Path, findings: &mut Findings) {
    match damaged_log_file(path) {
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
