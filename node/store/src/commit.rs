//! Writing: genesis once, then one synced batch a block. A crash leaves the batch whole or absent.

use crate::error::StoreError;
use crate::schema::{
    ENTRIES, FORMAT, FORMAT_KEY, HEADERS, IDS, LEAVES, META, NETWORK_KEY, NODES, PROPOSED, SETS,
    STALE, STATE, StoredHeader, TILES, UNDECIDED, VALUES, number, read_number, tile_key, value_key,
};
use crate::store::{Store, StoreTip, Swept, family, synced};
use heatmark_ledger::block::ExecutedBlock;
use heatmark_ledger::certificate::CommitCertificate;
use heatmark_ledger::genesis::Genesis;
use heatmark_ledger::ids::Height;
use heatmark_ledger::state::{self, Changes};
use heatmark_merkle::map::{self, MemoryNodes, Update};
use heatmark_merkle::tiles;
use prost::Message;
use rocksdb::{DB, Direction, IteratorMode, WriteBatch};

/// Stale map entries deleted with one block, so that pruning never makes a block slow.
const PRUNED_PER_BLOCK: usize = 4_096;

const STALE_NODE: u8 = 0;
const STALE_VALUE: u8 = 1;

/// Writes the state at height 0 and names the network.
pub(crate) fn write_genesis(db: &DB, genesis: &Genesis) -> Result<(), StoreError> {
    let changes = genesis.state()?;
    let update = map::update(&MemoryNodes::new(), 0, &changes)?;
    let mut batch = WriteBatch::default();
    put_state(db, &mut batch, &changes)?;
    put_map(db, &mut batch, &update)?;
    let meta = family(db, META)?;
    batch.put_cf(meta, FORMAT_KEY, number(FORMAT));
    batch.put_cf(meta, NETWORK_KEY, genesis.network().as_bytes());
    db.write_opt(batch, &synced())?;
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
        let db = &self.shared.db;
        let mut batch = WriteBatch::default();
        let mut next = Swept { undecided: height.next().0, stale: swept.stale };
        self.put_log(&mut batch, block, &before)?;
        put_state(db, &mut batch, &block.changes)?;
        if let Some(update) = &block.map_update {
            put_map(db, &mut batch, update)?;
        }
        next.stale = self.prune(&mut batch, height, swept.stale)?;
        if block.tip.validators.hash() != before.next_validators.hash() {
            let set = block.tip.validators.to_proto().encode_to_vec();
            batch.put_cf(self.family(SETS)?, number(height.next().0), set);
        }
        let stored = StoredHeader {
            header: Some(block.header.to_proto()),
            certificate: Some(certificate.to_proto()),
            first_leaf: before.log_size.0,
            map_version: block.tip.map_version,
        };
        batch.put_cf(self.family(HEADERS)?, number(height.0), stored.encode_to_vec());
        self.sweep(&mut batch, swept.undecided, height)?;
        db.write_opt(batch, &synced())?;
        *swept = next;
        let tip = StoreTip::new(block.tip.clone(), Some(block.header));
        self.shared.tip.send_replace(tip.clone());
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
        let key = number(height.0);
        self.shared.db.put_cf(self.family(HEADERS)?, key, stored.encode_to_vec())?;
        Ok(())
    }

    fn put_log(
        &self,
        batch: &mut WriteBatch,
        block: &ExecutedBlock,
        before: &StoreTip,
    ) -> Result<(), StoreError> {
        if block.transactions.is_empty() {
            return Ok(());
        }
        let (entries, ids) = (self.family(ENTRIES)?, self.family(IDS)?);
        for (leaf, transaction) in (before.log_size.0..).zip(&block.transactions) {
            batch.put_cf(entries, number(leaf), transaction.bytes());
            batch.put_cf(ids, transaction.id().as_bytes(), number(leaf));
        }
        let first = number(before.log_size.0);
        batch.put_cf(self.family(LEAVES)?, first, number(block.header.height.0));
        let tiles_family = self.family(TILES)?;
        for (tile, hashes) in tiles::appended(before.log_size, &block.leaf_hashes, self)? {
            batch.put_cf(tiles_family, tile_key(tile.level, tile.index), hashes);
        }
        Ok(())
    }

    /// Deletes what was undecided up to a height. Few keys, so one by one: a range tombstone a
    /// block would slow every later read of these families.
    fn sweep(&self, batch: &mut WriteBatch, from: u64, height: Height) -> Result<(), StoreError> {
        let (start, end) = (number(from), number(height.next().0));
        for name in [UNDECIDED, PROPOSED] {
            let family = self.family(name)?;
            let mode = IteratorMode::From(&start, Direction::Forward);
            for item in self.shared.db.iterator_cf(family, mode) {
                let (key, _) = item?;
                if *key >= *end.as_slice() {
                    break;
                }
                batch.delete_cf(family, key);
            }
        }
        Ok(())
    }

    /// Deletes map entries that only versions before the served ones use, from stale version
    /// `from` on, and says where the next block goes on.
    fn prune(&self, batch: &mut WriteBatch, height: Height, from: u64) -> Result<u64, StoreError> {
        let history = state::parameters(self)
            .map_err(|_| StoreError::Damaged("parameters"))?
            .state_history_heights;
        let oldest = Height(height.0.saturating_sub(history));
        let Some(served) = self.stored_header(oldest)? else { return Ok(from) };
        let (stale, nodes) = (self.family(STALE)?, self.family(NODES)?);
        let start = number(from);
        let mode = IteratorMode::From(&start, Direction::Forward);
        let mut reached = from;
        for item in self.shared.db.iterator_cf(stale, mode).take(PRUNED_PER_BLOCK) {
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
                batch.delete_cf(nodes, root_key(since.saturating_sub(1)));
                reached = since;
            }
            let (kind, key) = rest.split_first().ok_or(StoreError::Damaged("stale entries"))?;
            let name = if *kind == STALE_NODE { NODES } else { VALUES };
            batch.delete_cf(self.family(name)?, key);
            batch.delete_cf(stale, &entry);
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

fn put_state(db: &DB, batch: &mut WriteBatch, changes: &Changes) -> Result<(), StoreError> {
    let state = family(db, STATE)?;
    for (key, value) in changes {
        match value {
            Some(value) => batch.put_cf(state, key, value),
            None => batch.delete_cf(state, key),
        }
    }
    Ok(())
}

fn put_map(db: &DB, batch: &mut WriteBatch, update: &Update) -> Result<(), StoreError> {
    let (nodes, values, stale) = (family(db, NODES)?, family(db, VALUES)?, family(db, STALE)?);
    for (key, node) in &update.nodes {
        batch.put_cf(nodes, key, node);
    }
    for (since, key) in &update.stale {
        batch.put_cf(stale, stale_key(*since, STALE_NODE, key), []);
    }
    for (key_hash, value) in &update.values {
        let from = value_key(key_hash, update.version);
        let mode = IteratorMode::From(&from, Direction::Reverse);
        if let Some((older, _)) = db.iterator_cf(values, mode).next().transpose()?
            && older.starts_with(key_hash)
        {
            batch.put_cf(stale, stale_key(update.version, STALE_VALUE, &older), []);
        }
        if value.is_none() {
            // That a key is absent is the map's to say; the mark goes with what it hides.
            batch.put_cf(stale, stale_key(update.version, STALE_VALUE, &from), []);
        }
        let mut bytes = vec![u8::from(value.is_some())];
        bytes.extend_from_slice(value.as_deref().unwrap_or_default());
        batch.put_cf(values, from, bytes);
    }
    Ok(())
}

fn stale_key(since: u64, kind: u8, key: &[u8]) -> Vec<u8> {
    let mut bytes = since.to_be_bytes().to_vec();
    bytes.push(kind);
    bytes.extend_from_slice(key);
    bytes
}
