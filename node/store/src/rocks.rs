//! The disk of a node: RocksDB. Refuses to open a database whose write-ahead log is damaged before
//! its end, because going on from there would silently undo what was acknowledged and signed.

use crate::disk::{Batch, Disk, DiskError, Durability, Entries, Family, Walk};
use crate::schema::{IDS, NODES, STATE, StoreOptions, families};
use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamily, ColumnFamilyDescriptor, DB, DBCompressionType,
    DBRecoveryMode, Direction, IteratorMode, Options, WriteBatch, WriteOptions,
};
use std::path::Path;

pub(crate) struct RocksDisk {
    db: DB,
}

impl From<rocksdb::Error> for DiskError {
    fn from(error: rocksdb::Error) -> Self {
        Self::new(error)
    }
}

impl RocksDisk {
    pub(crate) fn open(path: &Path, options: &StoreOptions) -> Result<Self, DiskError> {
        refuse_changed_log(path)?;
        let mut db_options = db_options(DBRecoveryMode::TolerateCorruptedTailRecords);
        db_options.create_if_missing(true);
        db_options.create_missing_column_families(true);
        db_options.set_db_write_buffer_size(options.write_buffer_bytes);
        db_options.set_max_total_wal_size(64 * 1024 * 1024);
        db_options.set_keep_log_file_num(4);
        db_options.set_max_background_jobs(2);
        db_options.set_bytes_per_sync(1024 * 1024);
        let families = descriptors(options);
        Ok(Self { db: DB::open_cf_descriptors(&db_options, path, families)? })
    }

    /// Opens a database without changing anything in it.
    pub(crate) fn open_to_read(path: &Path, recovery: DBRecoveryMode) -> Result<Self, DiskError> {
        let families = descriptors(&StoreOptions::default());
        let db_options = db_options(recovery);
        let opened = DB::open_cf_descriptors_read_only(&db_options, path, families, false);
        Ok(Self { db: opened? })
    }

    fn handle(&self, family: Family) -> Result<&ColumnFamily, DiskError> {
        let missing = || DiskError::new(format!("column family {} is missing", family.name()));
        self.db.cf_handle(family.name()).ok_or_else(missing)
    }
}

impl Disk for RocksDisk {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, DiskError> {
        Ok(self.db.get_cf(self.handle(family)?, key)?)
    }

    fn walk(&self, family: Family, walk: Walk<'_>) -> Entries<'_> {
        let mode = match walk {
            Walk::First => IteratorMode::Start,
            Walk::Last => IteratorMode::End,
            Walk::From(key) => IteratorMode::From(key, Direction::Forward),
            Walk::Before(key) => IteratorMode::From(key, Direction::Reverse),
        };
        match self.handle(family) {
            Ok(handle) => {
                Box::new(self.db.iterator_cf(handle, mode).map(|item| item.map_err(Into::into)))
            }
            Err(error) => Box::new(std::iter::once(Err(error))),
        }
    }

    fn write(&self, batch: Batch, durability: Durability) -> Result<(), DiskError> {
        let mut writes = WriteBatch::default();
        for (family, key, value) in batch.operations() {
            let handle = self.handle(family)?;
            match value {
                Some(value) => writes.put_cf(handle, key, value),
                None => writes.delete_cf(handle, key),
            }
        }
        let mut options = WriteOptions::default();
        options.set_sync(durability == Durability::Synced);
        Ok(self.db.write_opt(writes, &options)?)
    }

    fn flush(&self) -> Result<(), DiskError> {
        self.db.flush_wal(true)?;
        for family in families() {
            self.db.flush_cf(self.handle(family)?)?;
        }
        Ok(())
    }
}

fn db_options(recovery: DBRecoveryMode) -> Options {
    let mut options = Options::default();
    options.set_paranoid_checks(true);
    // RocksDB's own choice would end the log at the first damaged record and say nothing. Only
    // an incomplete record at the end is what a crash leaves.
    options.set_wal_recovery_mode(recovery);
    options.set_max_open_files(512);
    options
}

fn descriptors(options: &StoreOptions) -> Vec<ColumnFamilyDescriptor> {
    let cache = Cache::new_lru_cache(options.block_cache_bytes);
    families()
        .map(|family| ColumnFamilyDescriptor::new(family.name(), family_options(family, &cache)))
        .into_iter()
        .collect()
}

/// RocksDB would drop the end of a log in which a length was changed, as if a crash had cut it.
fn refuse_changed_log(path: &Path) -> Result<(), DiskError> {
    if !path.exists() {
        return Ok(());
    }
    match heatmark_wal::damaged_file(path).map_err(DiskError::new)? {
        None => Ok(()),
        Some((file, offset)) => {
            let file = file.display();
            let what = "the write-ahead log was changed after it was synced";
            Err(DiskError::new(format!("Corruption: {what}, in {file} offset {offset}")))
        }
    }
}

fn family_options(family: Family, cache: &Cache) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    table.set_format_version(5);
    if matches!(family, IDS | STATE | NODES) {
        table.set_bloom_filter(10.0, false);
    }
    let mut options = Options::default();
    options.set_block_based_table_factory(&table);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_write_buffer_size(16 * 1024 * 1024);
    options
}
