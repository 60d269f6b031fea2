//! A deal's own time: block time less the gaps in which the network stood still, so that nobody is
//! late because nobody could act.

use crate::ids::{DealTime, UnixMillis};
use heatmark_proto::ledger::v1 as pb;

/// A block that comes later than this after its parent, in milliseconds, comes after a gap.
pub const MAX_GAP_MS: u64 = 600_000;

/// How much of the time between a block and its parent no deal counts, in milliseconds: all of it
/// after a gap, else nothing. What an idle network waits between blocks is no gap.
#[must_use]
pub fn counted_gap(parameters: &pb::Parameters, parent: UnixMillis, time: UnixMillis) -> u64 {
    let passed = time.0.saturating_sub(parent.0);
    let longest = parameters.heartbeat_ms.saturating_mul(2).max(MAX_GAP_MS);
    if passed > longest { passed } else { 0 }
}

/// Tells a deal's own time. As of one block: a gap makes another one of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DealClock {
    behind_ms: u64,
}

impl DealClock {
    pub(super) fn new(at_opening_ms: u64, now_ms: u64) -> Self {
        Self { behind_ms: now_ms.saturating_sub(at_opening_ms) }
    }

    /// The deal's own time at a block time not before the block that the clock is of.
    #[must_use]
    pub fn read(self, time: UnixMillis) -> DealTime {
        DealTime(time.0.saturating_sub(self.behind_ms))
    }

    /// The block time at which the deal's own time will be this, unless another gap comes before.
    #[must_use]
    pub fn block_time(self, time: DealTime) -> UnixMillis {
        UnixMillis(time.0.saturating_add(self.behind_ms))
    }
}
