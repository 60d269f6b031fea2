//! The vault's RocksDB: two families, every write one synced batch, a journal that is read before RocksDB
//! interprets it, and a way to make deleted values leave the disk.
//!
//! What must be destructible stands in the family `erasable`, small enough to be written anew whenever
//! something of it is destroyed: RocksDB otherwise keeps deleted values in old files until it happens to merge
//! them, and in its write-ahead log.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rocksdb::{
    BlockBasedOptions, BottommostLevelCompaction, Cache, ColumnFamily, CompactOptions, DB,
    DBCompressionType, DBRecoveryMode, FlushOptions, IteratorMode, Options, WriteBatch,
    WriteOptions,
};

use crate::VaultError;

const DEFAULT: &str = "default";
const ERASABLE: &str = "erasable";

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// What stays, or is useless without a key that is in the other one.
    Kept,
    /// What leaves the disk when it is deleted.
    Erasable,
}

impl Family {
    pub(crate) const ALL: [Self; 2] = [Self::Kept, Self::Erasable];

    fn name(self) -> &'static str {
        match self {
            Self::Kept => DEFAULT,
            Self::Erasable => ERASABLE,
        }
    }
}

/// The open database.
pub(crate) struct Database {
    db: DB,
    path: PathBuf,
}

impl Database {
    /// Opens the database in a directory, or makes one there, readable by this user alone.
    pub(crate) fn open(path: &Path) -> Result<Self, VaultError> {
        DirBuilder::new().recursive(true).mode(0o700).create(path)?;
        if let Some((path, offset)) = heatmark_wal::damaged_file(path)? {
            return Err(VaultError::JournalChanged { path, offset });
        }
        let mut options = options();
        if path.join("CURRENT").exists() && !holds_both_families(&options, path)? {
            return Err(VaultError::NotAVault);
        }
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        let families = Family::ALL.map(|family| (family.name(), self::options()));
        let db = DB::open_cf_with_opts(&options, path, families)?;
        Ok(Self { db, path: path.to_owned() })
    }

    pub(crate) fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, VaultError> {
        Ok(self.db.get_cf(self.family(family)?, key)?)
    }

    pub(crate) fn family(&self, family: Family) -> Result<&ColumnFamily, VaultError> {
        self.db.cf_handle(family.name()).ok_or(VaultError::NotAVault)
    }

    pub(crate) fn rocks(&self) -> &DB {
        &self.db
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.db.iterator(IteratorMode::Start).next().is_none()
    }

    pub(crate) fn write(&self, batch: WriteBatch) -> Result<(), VaultError> {
        let mut synced = WriteOptions::default();
        synced.set_sync(true);
        Ok(self.db.write_opt(batch, &synced)?)
    }

    /// Writes everything into tables, so that the write-ahead log holds nothing.
    pub(crate) fn flush(&self) -> Result<(), VaultError> {
        let mut wait = FlushOptions::default();
        wait.set_wait(true);
        for family in Family::ALL {
            self.db.flush_cf_opt(self.family(family)?, &wait)?;
        }
        Ok(())
    }

    /// Writes the erasable family anew without what was deleted, and removes the files that held it.
    pub(crate) fn purge(&self) -> Result<(), VaultError> {
        self.flush()?;
        let mut whole = CompactOptions::default();
        whole.set_exclusive_manual_compaction(true);
        whole.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
        let family = self.family(Family::Erasable)?;
        self.db.compact_range_cf_opt(family, None::<&[u8]>, None::<&[u8]>, &whole);
        Ok(())
    }

    /// Whether a file that a purge should have removed is there still and holds one of these values.
    pub(crate) fn left_behind(&self, nonces: &BTreeSet<Vec<u8>>) -> Result<bool, VaultError> {
        let live: BTreeSet<String> = self.db.live_files()?.into_iter().map(|f| f.name).collect();
        let Some(length) = nonces.first().map(Vec::len) else { return Ok(false) };
        for file in fs::read_dir(&self.path)? {
            let path = file?.path();
            let extension = path.extension().and_then(|extension| extension.to_str());
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let table = extension == Some("sst") && !live.contains(&format!("/{name}"));
            if !table && extension != Some("log") {
                continue;
            }
            // One that is removed meanwhile holds nothing any more.
            let bytes = fs::read(&path).unwrap_or_default();
            if bytes.windows(length).any(|window| nonces.contains(window)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether these are a vault's families, or a vault's that was being made when the power failed.
fn holds_both_families(options: &Options, path: &Path) -> Result<bool, VaultError> {
    let found: BTreeSet<String> = DB::list_cf(options, path)?.into_iter().collect();
    let wanted = Family::ALL.map(|family| family.name().to_owned());
    if found == BTreeSet::from(wanted) {
        return Ok(true);
    }
    if found.len() > 1 {
        return Ok(false);
    }
    let db = DB::open_for_read_only(options, path, false)?;
    Ok(db.iterator(IteratorMode::Start).next().is_none())
}

/// Small: a vault is written once for each batch of certificates. Nothing encrypted can be compressed.
pub(crate) fn options() -> Options {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(&Cache::new_lru_cache(8 << 20));
    let mut options = Options::default();
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
