//! Blocks in parts: the engine carries messages of a few MiB at most. Refuses parts that
//! contradict each other, and lets no peer fill the memory: what one peer answers for, and all of
//! it together, is bounded, and the oldest gives way. Parts are not signed; whoever completes a
//! block checks that it is the one its header hash names.

use arc_malachitebft_app_channel::app::types::PeerId;
use arc_malachitebft_app_channel::app::types::core::Round;
use bytes::{Bytes, BytesMut};
use heatmark_ledger::wire::MAX_BLOCK_BYTES;
use std::collections::{BTreeMap, BTreeSet};

use crate::context::{Address, BlockId, Height, Part};

/// Bytes of every part but the last.
pub(crate) const PART_BYTES: usize = 1024 * 1024;

/// Most parts of a block.
#[allow(clippy::cast_possible_truncation, reason = "8 MiB by 1 MiB is 8")]
pub(crate) const MAX_PARTS: u32 = MAX_BLOCK_BYTES.div_ceil(PART_BYTES) as u32;

/// Most bytes of incomplete blocks on one peer's account.
const MAX_PEER_BYTES: usize = MAX_BLOCK_BYTES.saturating_mul(2);

/// Most bytes of incomplete blocks altogether.
const MAX_TOTAL_BYTES: usize = MAX_BLOCK_BYTES.saturating_mul(8);

/// Most incomplete blocks on one peer's account.
const MAX_PEER_BLOCKS: usize = 8;

/// Most completed blocks that are remembered, so that none is assembled twice.
const MAX_COMPLETED: usize = 256;

/// What a block is proposed as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Heading {
    pub(crate) height: Height,
    pub(crate) round: Round,
    pub(crate) valid_round: Round,
    pub(crate) proposer: Address,
    pub(crate) block: BlockId,
}

/// Divides a block. An empty one has no parts, which no block is.
pub(crate) fn divide(heading: &Heading, block: &Bytes) -> Vec<Part> {
    let count = u32::try_from(block.len().div_ceil(PART_BYTES)).unwrap_or(u32::MAX);
    let mut rest = block.clone();
    (0..count)
        .map(|index| Part {
            height: heading.height,
            round: heading.round,
            valid_round: heading.valid_round,
            proposer: heading.proposer,
            block: heading.block,
            index,
            count,
            chunk: rest.split_to(rest.len().min(PART_BYTES)),
        })
        .collect()
}

/// Who published what: parts of one block come from one publisher, by whatever way.
type Key = (Height, i64, BlockId, Option<PeerId>);

struct Incomplete {
    heading: Heading,
    count: u32,
    chunks: BTreeMap<u32, Bytes>,
    /// The peer whose account it is on.
    bearer: PeerId,
    /// Order of arrival.
    arrival: u64,
}

impl Incomplete {
    fn bytes(&self) -> usize {
        self.chunks.values().map(Bytes::len).fold(0, usize::saturating_add)
    }

    fn join(self) -> Bytes {
        let mut block = BytesMut::with_capacity(self.bytes());
        for chunk in self.chunks.values() {
            block.extend_from_slice(chunk);
        }
        block.freeze()
    }
}

/// Blocks on their way in.
#[derive(Default)]
pub(crate) struct Assembly {
    incomplete: BTreeMap<Key, Incomplete>,
    completed: BTreeSet<Key>,
    arrivals: u64,
}

impl Assembly {
    /// Takes in a part on a peer's account; gives the block when this was the last one missing.
    pub(crate) fn take(
        &mut self,
        bearer: PeerId,
        published_by: Option<PeerId>,
        part: Part,
    ) -> Option<(Heading, Bytes)> {
        let key = (part.height, part.round.as_i64(), part.block, published_by);
        if self.completed.contains(&key) {
            return None;
        }
        let heading = Heading {
            height: part.height,
            round: part.round,
            valid_round: part.valid_round,
            proposer: part.proposer,
            block: part.block,
        };
        self.arrivals = self.arrivals.wrapping_add(1);
        let arrival = self.arrivals;
        let entry = self.incomplete.entry(key).or_insert_with(|| Incomplete {
            heading,
            count: part.count,
            chunks: BTreeMap::new(),
            bearer,
            arrival,
        });
        if entry.heading != heading || entry.count != part.count {
            return None;
        }
        entry.chunks.entry(part.index).or_insert(part.chunk);
        if u32::try_from(entry.chunks.len()) == Ok(entry.count) {
            let complete = self.incomplete.remove(&key)?;
            self.remember(key);
            return Some((complete.heading, complete.join()));
        }
        let bearer = entry.bearer;
        self.evict(&bearer);
        None
    }

    /// Forgets what can no longer be decided.
    pub(crate) fn forget_through(&mut self, height: Height) {
        self.incomplete.retain(|(at, ..), _| *at > height);
        self.completed.retain(|(at, ..)| *at > height);
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> usize {
        self.incomplete.values().map(Incomplete::bytes).fold(0, usize::saturating_add)
    }

    fn remember(&mut self, key: Key) {
        if self.completed.len() >= MAX_COMPLETED {
            self.completed.pop_first();
        }
        self.completed.insert(key);
    }

    fn evict(&mut self, bearer: &PeerId) {
        loop {
            let of_peer = || self.incomplete.values().filter(|b| b.bearer == *bearer);
            let bytes = of_peer().map(Incomplete::bytes).fold(0, usize::saturating_add);
            if bytes <= MAX_PEER_BYTES && of_peer().count() <= MAX_PEER_BLOCKS {
                break;
            }
            self.evict_oldest(|block| block.bearer == *bearer);
        }
        while self.bytes() > MAX_TOTAL_BYTES {
            self.evict_oldest(|_| true);
        }
    }

    fn evict_oldest(&mut self, among: impl Fn(&Incomplete) -> bool) {
        let oldest = self
            .incomplete
            .iter()
            .filter(|(_, block)| among(block))
            .min_by_key(|(_, block)| block.arrival)
            .map(|(key, _)| *key);
        if let Some(key) = oldest {
            self.incomplete.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests;
