//! What stands where: column families and their keys. Numbers in keys are big-endian, so that order
//! on disk is order in the log.
//!
//! | family | key | value |
//! |---|---|---|
//! | `meta` | name | format, network; `restart/` height: a restart; `replaced/` height: the set it replaced |
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

use crate::disk::Family;
use crate::error::StoreError;
use heatmark_proto::ledger::v1 as pb;

pub(crate) const META: Family = Family::new("meta");
pub(crate) const HEADERS: Family = Family::new("headers");
pub(crate) const ENTRIES: Family = Family::new("entries");
pub(crate) const IDS: Family = Family::new("ids");
pub(crate) const LEAVES: Family = Family::new("leaves");
pub(crate) const TILES: Family = Family::new("tiles");
pub(crate) const STATE: Family = Family::new("state");
pub(crate) const NODES: Family = Family::new("nodes");
pub(crate) const VALUES: Family = Family::new("values");
pub(crate) const STALE: Family = Family::new("stale");
pub(crate) const SETS: Family = Family::new("sets");
pub(crate) const UNDECIDED: Family = Family::new("undecided");
pub(crate) const PROPOSED: Family = Family::new("proposed");
pub(crate) const EVIDENCE: Family = Family::new("evidence");

const FAMILIES: [Family; 14] = [
    META, HEADERS, ENTRIES, IDS, LEAVES, TILES, STATE, NODES, VALUES, STALE, SETS, UNDECIDED,
    PROPOSED, EVIDENCE,
];

pub(crate) fn families() -> [Family; 14] {
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
