//! Blocks that are valid and not decided, and what this node proposed: synced before the engine
//! hears of them, for its own log keeps only hashes.

use crate::disk::{Batch, Durability, Walk};
use crate::error::StoreError;
use crate::schema::{PROPOSED, StoredBlock, UNDECIDED, slot_key};
use crate::store::Store;
use heatmark_ledger::ids::{HeaderHash, Height, Round};
use prost::Message;
use prost::bytes::Bytes;

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
        let mut batch = Batch::new();
        batch.put(UNDECIDED, key, stored.encode_to_vec());
        if own {
            let slot = slot_key(height.0, &block.round.0.to_be_bytes());
            batch.put(PROPOSED, slot, block.header_hash.as_bytes());
        }
        self.shared.disk.write(batch, Durability::Synced)?;
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
        let found = self.shared.disk.get(UNDECIDED, &key)?;
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
        let Some(hash) = self.shared.disk.get(PROPOSED, &slot)? else {
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
        let mut blocks = Vec::new();
        for item in self.shared.disk.walk(UNDECIDED, Walk::From(&prefix)) {
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
