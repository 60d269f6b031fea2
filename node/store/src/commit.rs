//! Writing: genesis once, then one synced batch a block. A crash leaves the batch whole or absent.

use crate::disk::{Batch, Disk, Durability, Walk};
use crate::error::StoreError;
use crate::restart::put_restarted_set;
use crate::schema::{
    ENTRIES, FORMAT, FORMAT_KEY, HEADERS, IDS, LEAVES, META, NETWORK_KEY, NODES, PROPOSED, SETS,
    STALE, STATE, StoredHeader, TILES, UNDECIDED, VALUES, number, read_number, tile_key, value_key,
};
use crate::store::{Store, StoreTip, Swept};
use heatmark_ledger::LeafIndex;
use heatmark_ledger::block::ExecutedBlock;
use heatmark_ledger::certificate::CommitCertificate;
use heatmark_ledger::genesis::Genesis;
use heatmark_ledger::ids::Height;
use heatmark_ledger::state::{self, Changes};
use heatmark_merkle::map::{self, MemoryNodes, Update};
use heatmark_merkle::tiles;
use prost::Message;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Stale map entries deleted with one block, so that pruning never makes a block slow.
const PRUNED_PER_BLOCK: usize = 4_096;

const STALE_NODE: u8 = 0;
const STALE_VALUE: u8 = 1;

/// Writes the state at height 0 and names the network.
pub(crate) fn write_genesis(disk: &dyn Disk, genesis: &Genesis) -> Result<(), StoreError> {
    let changes = genesis.state()?;
    let update = map::update(&MemoryNodes::new(), 0, &changes)?;
    let mut batch = Batch::new();
    put_state(&mut batch, &changes);
    put_map(disk, &mut batch, &update)?;
    batch.put(META, FORMAT_KEY, number(FORMAT));
    batch.put(META, NETWORK_KEY, genesis.network().as_bytes());
    disk.write(batch, Durability::Synced)?;
    Ok(())
}

impl Store {
    /// Commits a decided block: one synced batch, then whoever follows the tip is told.
    ///
    /// # Errors
    /// When the block is not the next one, was not executed on the newest one, or the write fails;
    /// then nothing was written.
    pub fn commit(
        &self,
        block: &ExecutedBlock,
        certificate: &CommitCertificate,
    ) -> Result<StoreTip, StoreError> {
        let mut swept = self.writing();
        let before = self.tip();
        let height = block.header.height;
        if height != before.height.next() {
            return Err(StoreError::NotNext { given: height, tip: before.height });
        }
        if block.header.previous != before.chain.hash {
            return Err(StoreError::OtherParent);
        }
        let disk = self.shared.disk.as_ref();
        let mut batch = Batch::new();
        let mut next = Swept { undecided: height.next().0, stale: swept.stale };
        self.put_log(&mut batch, block, &before)?;
        put_state(&mut batch, &block.changes);
        if let Some(update) = &block.map_update {
            put_map(disk, &mut batch, update)?;
        }
        next.stale = self.prune(&mut batch, height, swept.stale)?;
        if block.tip.validators.hash() != before.next_validators.hash() {
            let set = block.tip.validators.to_proto().encode_to_vec();
            batch.put(SETS, number(height.next().0), set);
            self.shared.newest_set.store(height.next().0, Ordering::Release);
        }
        let mut chain = block.tip.clone();
        if let Some(restart) = self.kept_restart(height)? {
            if restart.header.hash() != block.header.hash() {
                return Err(StoreError::RestartElsewhere(height));
            }
            put_restarted_set(&mut batch, &restart, &chain.validators);
            self.shared.newest_set.store(height.next().0, Ordering::Release);
            chain = chain.restarted(restart.era, Arc::new(restart.next));
        }
        let stored = StoredHeader {
            header: Some(block.header.to_proto()),
            certificate: Some(certificate.to_proto()),
            first_leaf: before.log_size.0,
            map_version: block.tip.map_version,
        };
        batch.put(HEADERS, number(height.0), stored.encode_to_vec());
        self.sweep(&mut batch, swept.undecided, height)?;
        disk.write(batch, Durability::Synced)?;
        *swept = next;
        *self.newest() = Some((height, stored));
        let tip = StoreTip::new(chain, Some(block.header));
        self.shared.tip.send_replace(tip.clone());
        let leaves = (before.log_size.0..).map(LeafIndex);
        self.shared.awaited.committed(leaves.zip(block.transactions.iter().map(|t| t.id())));
        Ok(tip)
    }

    /// Replaces a committed block's certificate by one with more signatures.
    ///
    /// # Errors
    /// When there is no such block or the write fails.
    pub fn finalize(
        &self,
        height: Height,
        certificate: &CommitCertificate,
    ) -> Result<(), StoreError> {
        let _writing = self.writing();
        let mut stored = self.stored_header(height)?.ok_or(StoreError::NotAvailable("block"))?;
        let signed = |c: &heatmark_proto::ledger::v1::CommitCertificate| c.signatures.len();
        let new = certificate.to_proto();
        if stored.certificate.as_ref().is_some_and(|old| signed(old) >= signed(&new)) {
            return Ok(());
        }
        stored.certificate = Some(new);
        // Losing this in a crash leaves the first, sufficient certificate: no sync needed.
        let mut batch = Batch::new();
        batch.put(HEADERS, number(height.0), stored.encode_to_vec());
        self.shared.disk.write(batch, Durability::Buffered)?;
        let mut newest = self.newest();
        if newest.as_ref().is_some_and(|(newest, _)| *newest == height) {
            *newest = Some((height, stored));
        }
        Ok(())
    }

    fn put_log(
        &self,
        batch: &mut Batch,
        block: &ExecutedBlock,
        before: &StoreTip,
    ) -> Result<(), StoreError> {
        if block.transactions.is_empty() {
            return Ok(());
        }
        for (leaf, transaction) in (before.log_size.0..).zip(&block.transactions) {
            batch.put(ENTRIES, number(leaf), transaction.bytes());
            batch.put(IDS, transaction.id().as_bytes(), number(leaf));
        }
        let first = number(before.log_size.0);
        batch.put(LEAVES, first, number(block.header.height.0));
        for (tile, hashes) in tiles::appended(before.log_size, &block.leaf_hashes, self)? {
            batch.put(TILES, tile_key(tile.level, tile.index), hashes);
        }
        Ok(())
    }

    /// Deletes what was undecided up to a height. Few keys, so one by one: a range tombstone a
    /// block would slow every later read of these families.
    fn sweep(&self, batch: &mut Batch, from: u64, height: Height) -> Result<(), StoreError> {
        let (start, end) = (number(from), number(height.next().0));
        for family in [UNDECIDED, PROPOSED] {
            for item in self.shared.disk.walk(family, Walk::From(&start)) {
                let (key, _) = item?;
                if *key >= *end.as_slice() {
                    break;
                }
                batch.delete(family, key);
            }
        }
        Ok(())
    }

    /// Deletes map entries that only versions before the served ones use, from stale version
    /// `from` on, and says where the next block goes on.
    fn prune(&self, batch: &mut Batch, height: Height, from: u64) -> Result<u64, StoreError> {
        let history = state::parameters(self)
            .map_err(|_| StoreError::Damaged("parameters"))?
            .state_history_heights;
        let oldest = Height(height.0.saturating_sub(history));
        let Some(served) = self.stored_header(oldest)? else { return Ok(from) };
        let start = number(from);
        let mut reached = from;
        for item in self.shared.disk.walk(STALE, Walk::From(&start)).take(PRUNED_PER_BLOCK) {
            let (entry, _) = item?;
            let (version, rest) =
                entry.split_at_checked(8).ok_or(StoreError::Damaged("stale entries"))?;
            let since = read_number(version, "stale entries")?;
            if since > served.map_version {
                break;
            }
            if since != reached {
                // The last version that uses these loses its root first: when the limit cuts the
                // rest off, it is gone as a whole, and not one with holes.
                batch.delete(NODES, root_key(since.saturating_sub(1)));
                reached = since;
            }
            let (kind, key) = rest.split_first().ok_or(StoreError::Damaged("stale entries"))?;
            let family = if *kind == STALE_NODE { NODES } else { VALUES };
            batch.delete(family, key);
            batch.delete(STALE, &entry);
        }
        Ok(reached)
    }
}

/// Key of a version's root node: the version and a path of no nibbles.
fn root_key(version: u64) -> [u8; 9] {
    let mut key = [0; 9];
    let (first, _) = key.split_at_mut(8);
    first.copy_from_slice(&number(version));
    key
}

fn put_state(batch: &mut Batch, changes: &Changes) {
    for (key, value) in changes {
        match value {
            Some(value) => batch.put(STATE, key, value),
            None => batch.delete(STATE, key),
        }
    }
}

fn put_map(disk: &dyn Disk, batch: &mut Batch, update: &Update) -> Result<(), StoreError> {
    for (key, node) in &update.nodes {
        batch.put(NODES, key, node);
    }
    for (since, key) in &update.stale {
        batch.put(STALE, stale_key(*since, STALE_NODE, key), []);
    }
    for (key_hash, value) in &update.values {
        let from = value_key(key_hash, update.version);
        if let Some((older, _)) = disk.walk(VALUES, Walk::Before(&from)).next().transpose()?
            && older.starts_with(key_hash)
        {
            batch.put(STALE, stale_key(update.version, STALE_VALUE, &older), []);
        }
        if value.is_none() {
            // That a key is absent is the map's to say; the mark goes with what it hides.
            batch.put(STALE, stale_key(update.version, STALE_VALUE, &from), []);
        }
        let mut bytes = vec![u8::from(value.is_some())];
        bytes.extend_from_slice(value.as_deref().unwrap_or_default());
        batch.put(VALUES, from, bytes);
    }
    Ok(())
}

fn stale_key(since: u64, kind: u8, key: &[u8]) -> Vec<u8> {
    let mut bytes = since.to_be_bytes().to_vec();
    bytes.push(kind);
    bytes.extend_from_slice(key);
    bytes
}
