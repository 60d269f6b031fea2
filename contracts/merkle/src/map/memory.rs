//! The state map in memory, for audits and tests.

use std::collections::BTreeMap;
use std::convert::Infallible;

use super::{NodeKeyBytes, NodeReader, Update};

/// Nodes and values of all versions applied and not pruned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryNodes {
    nodes: BTreeMap<NodeKeyBytes, Vec<u8>>,
    stale: BTreeMap<u64, Vec<NodeKeyBytes>>,
    values: BTreeMap<[u8; 32], BTreeMap<u64, Option<Vec<u8>>>>,
}

impl MemoryNodes {
    /// A map without versions.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes over a version; versions are to come in order.
    pub fn apply(&mut self, update: Update) {
        self.nodes.extend(update.nodes);
        for (since, key) in update.stale {
            self.stale.entry(since).or_default().push(key);
        }
        for (key_hash, value) in update.values {
            self.values.entry(key_hash).or_default().insert(update.version, value);
        }
    }

    /// Drops the nodes that only versions before `oldest_version` use; those can then be neither read nor built on.
    pub fn prune(&mut self, oldest_version: u64) {
        let kept = self.stale.split_off(&oldest_version.saturating_add(1));
        for key in std::mem::replace(&mut self.stale, kept).into_values().flatten() {
            self.nodes.remove(&key);
        }
    }

    /// Number of nodes held.
    #[must_use]
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }
}

impl NodeReader for MemoryNodes {
    type Error = Infallible;

    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Infallible> {
        Ok(self.nodes.get(key).cloned())
    }

    fn value(&self, key_hash: &[u8; 32], max_version: u64) -> Result<Option<Vec<u8>>, Infallible> {
        let versions = self.values.get(key_hash);
        let newest = versions.and_then(|versions| versions.range(..=max_version).next_back());
        Ok(newest.and_then(|(_, value)| value.clone()))
    }
}
