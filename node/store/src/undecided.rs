//! Blocks that are valid and not decided, and what this node proposed: synced before the engine
//! hears of them, for its own log keeps only hashes.

use crate::error::StoreError;
use crate::schema::{PROPOSED, StoredBlock, UNDECIDED, slot_key};
use crate::store::{Store, synced};
use heatmark_ledger::ids::{HeaderHash, Height, Round};
use prost::Message;
use prost::bytes::Bytes;
use rocksdb::{Direction, IteratorMode, WriteBatch};

/// A valid block that is not decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UndecidedBlock {
    /// Round of its proposal.
    pub round: Round,
    /// Consensus key of its proposer.
    pub proposer: [u8; 32],
    /// Its id.
    pub header_hash: HeaderHash,
    /// Its encoding.
    pub block: Bytes,
}

impl Store {
    /// Keeps a valid block, synced. With `own`, also as what this node proposes in that slot.
    ///
    /// # Errors
    /// When the write fails.
    pub fn put_undecided(
        &self,
        height: Height,
        block: &UndecidedBlock,
        own: bool,
    ) -> Result<(), StoreError> {
        let stored = StoredBlock {
            round: block.round.0,
            proposer: block.proposer.to_vec(),
            block: block.block.clone(),
        };
        let key = slot_key(height.0, block.header_hash.as_bytes());
        let mut batch = WriteBatch::default();
        batch.put_cf(self.family(UNDECIDED)?, key, stored.encode_to_vec());
        if own {
            let slot = slot_key(height.0, &block.round.0.to_be_bytes());
            batch.put_cf(self.family(PROPOSED)?, slot, block.header_hash.as_bytes());
        }
        self.shared.db.write_opt(batch, &synced())?;
        Ok(())
    }

    /// One undecided block.
    ///
    /// # Errors
    /// When the database fails or is damaged.
    pub fn undecided(
        &self,
        height: Height,
        header_hash: &HeaderHash,
    ) -> Result<Option<UndecidedBlock>, StoreError> {
        let key = slot_key(height.0, header_hash.as_bytes());
        let found = self.shared.db.get_cf(self.family(UNDECIDED)?, key)?;
        found.map(|bytes| read(*header_hash, &bytes)).transpose()
    }

    /// What this node proposed in a slot, if it did.
    ///
    /// # Errors
    /// When the database fails or is damaged.
    pub fn proposed(
        &self,
        height: Height,
        round: Round,
    ) -> Result<Option<UndecidedBlock>, StoreError> {
        let slot = slot_key(height.0, &round.0.to_be_bytes());
        let Some(hash) = self.shared.db.get_cf(self.family(PROPOSED)?, slot)? else {
            return Ok(None);
        };
        let hash = HeaderHash::try_from(hash.as_slice())
            .map_err(|_| StoreError::Damaged("proposed blocks"))?;
        self.undecided(height, &hash)
    }

    /// All undecided blocks of a height.
    ///
    /// # Errors
    /// When the database fails or is damaged.
    pub fn undecided_at(&self, height: Height) -> Result<Vec<UndecidedBlock>, StoreError> {
        let prefix = height.0.to_be_bytes();
        let mode = IteratorMode::From(&prefix, Direction::Forward);
        let mut blocks = Vec::new();
        for item in self.shared.db.iterator_cf(self.family(UNDECIDED)?, mode) {
            let (key, value) = item?;
            let Some(hash) = key.strip_prefix(prefix.as_slice()) else { break };
            let hash =
                HeaderHash::try_from(hash).map_err(|_| StoreError::Damaged("undecided blocks"))?;
            blocks.push(read(hash, &value)?);
        }
        Ok(blocks)
    }
}

fn read(header_hash: HeaderHash, bytes: &[u8]) -> Result<UndecidedBlock, StoreError> {
    let damaged = || StoreError::Damaged("undecided blocks");
    let stored = StoredBlock::decode(bytes).map_err(|_| damaged())?;
    let proposer = stored.proposer.as_slice().try_into().map_err(|_| damaged())?;
    Ok(UndecidedBlock { round: Round(stored.round), proposer, header_hash, block: stored.block })
}
