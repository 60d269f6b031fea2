//! What `jmt` needs from us: a hasher over our SHA-256, and our nodes behind its reader.
//!
//! Refuses to hand it a node that [`Node`](super::node::Node) does not accept, because it asserts what it reads.

use std::cell::RefCell;

use jmt::storage::{LeafNode, NodeKey, TreeReader};
use sha2::{Digest, Sha256};

use super::NodeReader;
use super::node::{Node, NodePath};
use crate::error::MapError;

/// SHA-256 for `jmt`, whose own is of another version.
pub(crate) struct JmtHasher(Sha256);

impl jmt::SimpleHasher for JmtHasher {
    fn new() -> Self {
        Self(Sha256::new())
    }

    fn update(&mut self, data: &[u8]) {
        Digest::update(&mut self.0, data);
    }

    fn finalize(self) -> [u8; 32] {
        Digest::finalize(self.0).into()
    }
}

pub(crate) fn encoded_key(key: &NodeKey) -> Vec<u8> {
    node_path(key).key(key.version())
}

fn node_path(key: &NodeKey) -> NodePath {
    NodePath::from_nibbles(key.nibble_path().nibbles().map(u8::from))
}

pub(crate) fn encoded_node(node: &jmt::storage::Node) -> Vec<u8> {
    borsh::to_vec(node).expect("writing to memory does not fail")
}

/// A [`NodeReader`] as `jmt` reads one; keeps the first failure, which would otherwise lose its type.
pub(crate) struct Nodes<'r, R> {
    reader: &'r R,
    failure: RefCell<Option<MapError>>,
}

impl<'r, R: NodeReader> Nodes<'r, R> {
    pub(crate) fn new(reader: &'r R) -> Self {
        Self { reader, failure: RefCell::new(None) }
    }

    /// The failure that made the tree give up.
    pub(crate) fn failure(&self, cause: anyhow::Error) -> MapError {
        self.failure.take().unwrap_or_else(|| MapError::Refused(cause.into()))
    }

    fn keep(&self, failure: MapError) -> anyhow::Error {
        self.failure.borrow_mut().get_or_insert(failure);
        anyhow::anyhow!("the node store failed")
    }

    fn read(&self, key: &NodeKey) -> Result<Option<jmt::storage::Node>, MapError> {
        let path = node_path(key);
        let bytes = self.reader.node(&path.key(key.version()));
        let Some(bytes) = bytes.map_err(|error| MapError::Reader(error.into()))? else {
            return Ok(None);
        };
        Node::decode(&bytes, &path)?;
        borsh::from_slice(&bytes).map(Some).map_err(|_| MapError::Corrupt)
    }
}

impl<R: NodeReader> TreeReader for Nodes<'_, R> {
    fn get_node_option(&self, key: &NodeKey) -> anyhow::Result<Option<jmt::storage::Node>> {
        self.read(key).map_err(|failure| self.keep(failure))
    }

    fn get_value_option(
        &self,
        max_version: u64,
        key_hash: jmt::KeyHash,
    ) -> anyhow::Result<Option<Vec<u8>>> {
        let value = self.reader.value(&key_hash.0, max_version);
        value.map_err(|error| self.keep(MapError::Reader(error.into())))
    }

    fn get_rightmost_leaf(&self) -> anyhow::Result<Option<(NodeKey, LeafNode)>> {
        // Only a restore asks for it, and nothing here restores through jmt.
        Err(anyhow::anyhow!("the node store has no order"))
    }
}
