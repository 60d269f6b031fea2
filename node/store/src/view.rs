//! The store as the ledger and the trees see it: newest state, map nodes, log tiles.

use crate::disk::{Disk, Walk};
use crate::error::StoreError;
use crate::schema::{NODES, STATE, VALUES, value_key};
use crate::store::Store;
use heatmark_ledger::ids::TransactionId;
use heatmark_ledger::state::{StateError, StateView};
use heatmark_merkle::map::NodeReader;
use heatmark_merkle::tiles::TileId;
use heatmark_merkle::tree::HashReader;

impl StateView for Store {
    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        let found = self.shared.disk.get(STATE, key);
        found.map_err(|error| StateError::Store(Box::new(StoreError::from(error))))
    }

    fn contains_transaction(&self, id: &TransactionId) -> Result<bool, StateError> {
        self.find(id)
            .map(|found| found.is_some())
            .map_err(|error| StateError::Store(Box::new(error)))
    }
}

impl NodeReader for Store {
    type Error = StoreError;

    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.shared.disk.get(NODES, key)?)
    }

    fn value(&self, key_hash: &[u8; 32], max_version: u64) -> Result<Option<Vec<u8>>, StoreError> {
        value_at(self.shared.disk.as_ref(), key_hash, max_version)
    }
}

impl HashReader for Store {
    type Error = StoreError;

    fn tile(&self, tile: TileId, width: u16) -> Result<Vec<u8>, StoreError> {
        self.tile_hashes(tile, width)
    }
}

/// The value under a key's hash as of a map version.
pub(crate) fn value_at(
    disk: &dyn Disk,
    key_hash: &[u8; 32],
    max_version: u64,
) -> Result<Option<Vec<u8>>, StoreError> {
    let from = value_key(key_hash, max_version);
    let found = disk.walk(VALUES, Walk::Before(&from)).next().transpose()?;
    let Some((key, value)) = found else { return Ok(None) };
    if !key.starts_with(key_hash) {
        return Ok(None);
    }
    match value.split_first() {
        Some((1, value)) => Ok(Some(value.to_vec())),
        Some((0, [])) => Ok(None),
        _ => Err(StoreError::Damaged("state values")),
    }
}
