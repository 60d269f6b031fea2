//! The authenticated state map: a sparse Merkle tree hashed as the `jmt` crate, version 0.12, hashes.
//!
//! ```text
//!   changes + nodes of version v-1 ──update──▶ root, nodes and values of version v, nodes gone stale
//!   nodes and values of version v ───prove───▶ value, MapProof ──verify with root──▶ yes or no
//! ```
//!
//! Refuses versions that are not stored and nodes that contradict the tree. Specification, section 5.

mod memory;
mod node;
mod proof;
mod storage;
mod whole;

use std::collections::{BTreeMap, BTreeSet};

use jmt::JellyfishMerkleTree;
use jmt::storage::StaleNodeIndex;
use sha2::{Digest, Sha256};

use crate::error::MapError;
use crate::hash::Hash;
use node::{Node, NodePath};
use storage::{JmtHasher, Nodes, encoded_key, encoded_node};

pub use memory::MemoryNodes;
pub use proof::{MAX_PROOF_LEN, MAX_SIBLINGS, MapProof};
pub use whole::check_whole;

/// Storage key of a node: u64be version, u8 number of nibbles, the nibbles two a byte, the last byte padded with zero bits.
pub type NodeKeyBytes = Vec<u8>;

/// Where nodes and values come from.
pub trait NodeReader {
    /// What the store fails with.
    type Error: std::error::Error + Send + Sync + 'static;

    /// The node stored under a [`NodeKeyBytes`], if there is one.
    ///
    /// # Errors
    ///
    /// Whatever the store fails with.
    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Self::Error>;

    /// The value written last at or before `max_version` under SHA-256 of its key; nothing if that deleted it.
    ///
    /// # Errors
    ///
    /// Whatever the store fails with.
    fn value(&self, key_hash: &[u8; 32], max_version: u64) -> Result<Option<Vec<u8>>, Self::Error>;
}

impl<R: NodeReader + ?Sized> NodeReader for &R {
    type Error = R::Error;

    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Self::Error> {
        (**self).node(key)
    }

    fn value(&self, key_hash: &[u8; 32], max_version: u64) -> Result<Option<Vec<u8>>, Self::Error> {
        (**self).value(key_hash, max_version)
    }
}

/// What a version adds to the store; to be written as one, with everything else that the version stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// Root of the new version.
    pub root: Hash,
    /// The new version.
    pub version: u64,
    /// New nodes: key and bytes.
    pub nodes: Vec<(NodeKeyBytes, Vec<u8>)>,
    /// Nodes that no version from the given one on uses: they may be deleted once earlier versions are not read.
    pub stale: Vec<(u64, NodeKeyBytes)>,
    /// New values under SHA-256 of their keys; nothing for a deleted one.
    pub values: Vec<([u8; 32], Option<Vec<u8>>)>,
}

/// Root of the map without keys.
#[must_use]
pub fn empty_root() -> Hash {
    node::PLACEHOLDER
}

/// SHA-256 of a key, under which its value stands and is stored.
#[must_use]
pub fn key_hash(key: &[u8]) -> [u8; 32] {
    Sha256::digest(key).into()
}

/// Builds version `version` on the one before it; version 0 is built on the empty map.
///
/// Every version that changes nothing is to be built too. Deleting a key that is not there changes nothing.
///
/// # Errors
///
/// [`MapError`] when the version before is missing, or a node cannot be read.
pub fn update<R: NodeReader>(
    reader: &R,
    version: u64,
    changes: &BTreeMap<Vec<u8>, Option<Vec<u8>>>,
) -> Result<Update, MapError> {
    let previous = version.checked_sub(1);
    if let Some(previous) = previous
        && root(reader, previous)?.is_none()
    {
        return Err(MapError::MissingVersion { version: previous });
    }
    let nodes = Nodes::new(reader);
    let hashed = changes.iter().map(|(key, value)| (jmt::KeyHash(key_hash(key)), value.clone()));
    let tree = JellyfishMerkleTree::<_, JmtHasher>::new(&nodes);
    let (root, batch) =
        tree.put_value_set(hashed, version).map_err(|cause| nodes.failure(cause))?;
    Ok(Update {
        root: Hash(root.0),
        version,
        nodes: batch
            .node_batch
            .nodes()
            .iter()
            .map(|(key, node)| (encoded_key(key), encoded_node(node)))
            .collect(),
        stale: stale(&batch.stale_node_index_batch, previous),
        values: batch
            .node_batch
            .values()
            .iter()
            .map(|((_, key), value)| (key.0, value.clone()))
            .collect(),
    })
}

/// The stale nodes of a version, and the root before it, which the tree does not report when it was empty or unchanged.
fn stale(reported: &BTreeSet<StaleNodeIndex>, previous: Option<u64>) -> Vec<(u64, NodeKeyBytes)> {
    let mut stale: BTreeSet<(u64, NodeKeyBytes)> = reported
        .iter()
        .map(|index| (index.stale_since_version, encoded_key(&index.node_key)))
        .collect();
    if let Some(previous) = previous {
        stale.insert((previous.saturating_add(1), NodePath::root().key(previous)));
    }
    stale.into_iter().collect()
}

/// The root of a stored version, or nothing when it is not stored.
///
/// # Errors
///
/// [`MapError`] when the node cannot be read.
pub fn root<R: NodeReader>(reader: &R, version: u64) -> Result<Option<Hash>, MapError> {
    Ok(read_node(reader, version, &NodePath::root())?.map(|node| node.hash()))
}

/// The value of a key at a stored version, nothing if it is absent, and the proof of that.
///
/// # Errors
///
/// [`MapError`] when the version is not stored, a node cannot be read, or node and value disagree.
pub fn prove<R: NodeReader>(
    reader: &R,
    version: u64,
    key: &[u8],
) -> Result<(Option<Vec<u8>>, MapProof), MapError> {
    let key_hash = key_hash(key);
    let mut siblings = Vec::new();
    let mut path = NodePath::root();
    let mut node =
        read_node(reader, version, &path)?.ok_or(MapError::MissingVersion { version })?;
    loop {
        match node {
            Node::Null => return Ok((None, MapProof::empty(siblings))),
            Node::Leaf { key_hash: other, value_hash } if other != key_hash => {
                return Ok((None, MapProof::other_leaf(other, value_hash, siblings)));
            }
            Node::Leaf { value_hash, .. } => {
                let value = reader
                    .value(&key_hash, version)
                    .map_err(|error| MapError::Reader(error.into()))?;
                let value = value.ok_or(MapError::Corrupt)?;
                if <[u8; 32]>::from(Sha256::digest(&value)) != value_hash {
                    return Err(MapError::Corrupt);
                }
                return Ok((Some(value), MapProof::present(siblings)));
            }
            Node::Inner(inner) => {
                let Some((nibble, child)) =
                    inner.descend(path.next_nibble(&key_hash)?, &mut siblings)
                else {
                    return Ok((None, MapProof::empty(siblings)));
                };
                path = path.child(nibble)?;
                node = read_node(reader, child, &path)?.ok_or(MapError::Corrupt)?;
            }
        }
    }
}

fn read_node<R: NodeReader>(
    reader: &R,
    version: u64,
    path: &NodePath,
) -> Result<Option<Node>, MapError> {
    let bytes = reader.node(&path.key(version)).map_err(|error| MapError::Reader(error.into()))?;
    bytes.map(|bytes| Node::decode(&bytes, path)).transpose()
}

#[cfg(test)]
mod tests;
