//! What stands where: column families, their keys, and how RocksDB is told to keep them. Numbers
//! in keys are big-endian, so that order on disk is order in the log.
//!
//! | family | key | value |
//! |---|---|---|
//! | `meta` | name | format, network |
//! | `headers` | height | [`StoredHeader`] |
//! | `entries` | leaf index | envelope |
//! | `ids` | transaction id | leaf index |
//! | `leaves` | first leaf index of a block | height |
//! | `tiles` | level, index | hashes |
//! | `state` | state map key | value |
//! | `nodes`, `values` | map node; key hash, version | node; 0, or 1 and the value |
//! | `stale` | version, family, key | nothing: may be deleted once earlier versions are not served |
//! | `sets` | first height | validator set from there on |
//! | `undecided` | height, header hash | [`StoredBlock`] |
//! | `proposed` | height, round | header hash that this node proposed |
//! | `evidence` | height, digest | portable evidence |

use crate::error::StoreError;
use heatmark_proto::ledger::v1 as pb;
use rocksdb::{BlockBasedOptions, Cache, ColumnFamilyDescriptor, DB, DBCompressionType, Options};
use std::path::Path;

pub(crate) const META: &str = "meta";
pub(crate) const HEADERS: &str = "headers";
pub(crate) const ENTRIES: &str = "entries";
pub(crate) const IDS: &str = "ids";
pub(crate) const LEAVES: &str = "leaves";
pub(crate) const TILES: &str = "tiles";
pub(crate) const STATE: &str = "state";
pub(crate) const NODES: &str = "nodes";
pub(crate) const VALUES: &str = "values";
pub(crate) const STALE: &str = "stale";
pub(crate) const SETS: &str = "sets";
pub(crate) const UNDECIDED: &str = "undecided";
pub(crate) const PROPOSED: &str = "proposed";
pub(crate) const EVIDENCE: &str = "evidence";

const FAMILIES: [&str; 14] = [
    META, HEADERS, ENTRIES, IDS, LEAVES, TILES, STATE, NODES, VALUES, STALE, SETS, UNDECIDED,
    PROPOSED, EVIDENCE,
];

pub(crate) fn families() -> [&'static str; 14] {
    FAMILIES
}

pub(crate) const FORMAT: u64 = 1;
pub(crate) const FORMAT_KEY: &[u8] = b"format";
pub(crate) const NETWORK_KEY: &[u8] = b"network";

/// A committed header with what certifies it.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct StoredHeader {
    #[prost(message, optional, tag = "1")]
    pub(crate) header: Option<pb::Header>,
    #[prost(message, optional, tag = "2")]
    pub(crate) certificate: Option<pb::CommitCertificate>,
    #[prost(uint64, tag = "3")]
    pub(crate) first_leaf: u64,
    #[prost(uint64, tag = "4")]
    pub(crate) map_version: u64,
}

/// A valid block that is not decided.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct StoredBlock {
    #[prost(uint32, tag = "1")]
    pub(crate) round: u32,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) proposer: Vec<u8>,
    #[prost(bytes = "bytes", tag = "3")]
    pub(crate) block: prost::bytes::Bytes,
}

/// How much memory the database may take.
#[derive(Debug, Clone, Copy)]
pub struct StoreOptions {
    /// Cache of read blocks, bytes.
    pub block_cache_bytes: usize,
    /// All write buffers together, bytes.
    pub write_buffer_bytes: usize,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { block_cache_bytes: 64 * 1024 * 1024, write_buffer_bytes: 64 * 1024 * 1024 }
    }
}

pub(crate) fn open(path: &Path, options: &StoreOptions) -> Result<DB, StoreError> {
    let mut db_options = Options::default();
    db_options.create_if_missing(true);
    db_options.create_missing_column_families(true);
    db_options.set_paranoid_checks(true);
    db_options.set_db_write_buffer_size(options.write_buffer_bytes);
    db_options.set_max_total_wal_size(64 * 1024 * 1024);
    db_options.set_max_open_files(512);
    db_options.set_keep_log_file_num(4);
    db_options.set_max_background_jobs(2);
    db_options.set_bytes_per_sync(1024 * 1024);
    let cache = Cache::new_lru_cache(options.block_cache_bytes);
    let families =
        FAMILIES.map(|name| ColumnFamilyDescriptor::new(name, family_options(name, &cache)));
    Ok(DB::open_cf_descriptors(&db_options, path, families)?)
}

fn family_options(name: &str, cache: &Cache) -> Options {
    let mut table = BlockBasedOptions::default();
    table.set_block_cache(cache);
    table.set_cache_index_and_filter_blocks(true);
    table.set_pin_l0_filter_and_index_blocks_in_cache(true);
    table.set_format_version(5);
    if matches!(name, IDS | STATE | NODES) {
        table.set_bloom_filter(10.0, false);
    }
    let mut options = Options::default();
    options.set_block_based_table_factory(&table);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_write_buffer_size(16 * 1024 * 1024);
    options
}

pub(crate) fn number(value: u64) -> [u8; 8] {
    value.to_be_bytes()
}

pub(crate) fn read_number(bytes: &[u8], what: &'static str) -> Result<u64, StoreError> {
    bytes.try_into().map(u64::from_be_bytes).map_err(|_| StoreError::Damaged(what))
}

pub(crate) fn tile_key(level: u8, index: u64) -> [u8; 9] {
    let mut key = [0; 9];
    let (first, rest) = key.split_at_mut(1);
    first.fill(level);
    rest.copy_from_slice(&index.to_be_bytes());
    key
}

pub(crate) fn value_key(key_hash: &[u8; 32], version: u64) -> [u8; 40] {
    let mut key = [0; 40];
    let (hash, rest) = key.split_at_mut(32);
    hash.copy_from_slice(key_hash);
    rest.copy_from_slice(&version.to_be_bytes());
    key
}

pub(crate) fn slot_key(height: u64, rest: &[u8]) -> Vec<u8> {
    let mut key = height.to_be_bytes().to_vec();
    key.extend_from_slice(rest);
    key
}
