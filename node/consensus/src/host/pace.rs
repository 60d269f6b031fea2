//! When the next height starts. An idle network writes nothing: the next height waits until there
//! is something to write, until others have gone on or say so, or until the heartbeat is due.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use crate::context::{Address, Height, ValidatorSet};

/// Rounds of turns in which all blocks are empty though something seems to wait, after which it
/// is taken for something that no proposer can use. Until then a transaction may just not have
/// reached the proposers.
const FRUITLESS_TURNS: usize = 2;

/// Heights above the newest whose voters are counted.
const HEIGHTS_AHEAD: u64 = 2;

/// Transactions in a block for which the least time between blocks is kept. Every further so many
/// add as much again: a block costs all validators its messages and syncs whatever is in it, so
/// that under load fewer and larger blocks carry more.
const TRANSACTIONS_PER_BLOCK_TIME: u32 = 64;

/// Longest time between blocks while transactions wait, as a multiple of the least.
const LONGEST_BLOCK_TIMES: u32 = 8;

/// What speaks for starting the next height.
pub(super) struct Pace {
    heartbeat_due: Instant,
    /// The newest block came from a peer that is ahead.
    catching_up: bool,
    /// The proposer's block for the next height has arrived.
    others_went_on: bool,
    /// Empty blocks in a row though something waited.
    empty_blocks: usize,
    /// Transactions in the newest block.
    transactions: usize,
    /// The highest height that a peer says it has.
    claimed: u64,
    /// Nothing but such a claim speaks for the height under way.
    on_a_claim: bool,
    /// The last such height came about here and not from a peer: the claim was none.
    claims_fail: bool,
    /// Who voted in heights that are not decided here.
    voters: BTreeMap<Height, BTreeSet<Address>>,
}

impl Pace {
    pub(super) fn new(now: Instant, heartbeat: Duration) -> Self {
        Self {
            heartbeat_due: after(now, heartbeat),
            catching_up: false,
            others_went_on: false,
            empty_blocks: 0,
            transactions: 0,
            claimed: 0,
            on_a_claim: false,
            claims_fail: false,
            voters: BTreeMap::new(),
        }
    }

    /// A block is committed; `wanted` says whether something still waits.
    pub(super) fn committed(
        &mut self,
        height: Height,
        transactions: usize,
        wanted: bool,
        due: Instant,
    ) {
        self.heartbeat_due = due;
        self.catching_up = false;
        self.others_went_on = false;
        let fruitless = transactions == 0 && wanted;
        self.empty_blocks = if fruitless { self.empty_blocks.saturating_add(1) } else { 0 };
        self.claims_fail = std::mem::take(&mut self.on_a_claim);
        self.transactions = transactions;
        self.voters.retain(|at, _| *at > height);
    }

    /// Least time that the next height takes, where blocks of few transactions take `least`.
    pub(super) fn block_time(&self, least: Duration) -> Duration {
        let transactions = u32::try_from(self.transactions).unwrap_or(u32::MAX);
        let full = least.saturating_mul(LONGEST_BLOCK_TIMES);
        let share = least.checked_div(TRANSACTIONS_PER_BLOCK_TIME).unwrap_or_default();
        share.saturating_mul(transactions).clamp(least, full)
    }

    /// The block just committed came from a peer, as one that is ahead had claimed.
    pub(super) fn synced(&mut self) {
        self.catching_up = true;
        self.claims_fail = false;
    }

    /// Notes how far a peer says that it is. A liar gains one empty block a heartbeat.
    pub(super) fn claimed(&mut self, height: heatmark_ledger::ids::Height) {
        self.claimed = self.claimed.max(height.0);
    }

    pub(super) fn others_went_on(&mut self) {
        self.others_went_on = true;
    }

    /// Whether a vote of this place has not been counted yet.
    pub(super) fn counts(&self, newest: Height, height: Height, voter: &Address) -> bool {
        height > newest
            && height.0 <= newest.0.saturating_add(HEIGHTS_AHEAD)
            && !self.voters.get(&height).is_some_and(|voters| voters.contains(voter))
    }

    /// Counts a validator that voted. Its vote was verified: others could wake the network at will,
    /// and name as many voters as memory holds.
    pub(super) fn voted(&mut self, newest: Height, height: Height, voter: Address) {
        if self.counts(newest, height, &voter) {
            self.voters.entry(height).or_default().insert(voter);
        }
    }

    pub(super) fn heartbeat_due(&self) -> Instant {
        self.heartbeat_due
    }

    /// Whether to start the height after `newest`.
    pub(super) fn go(
        &mut self,
        now: Instant,
        newest: Height,
        set: &ValidatorSet,
        wanted: bool,
    ) -> bool {
        let reason = self.catching_up
            || self.others_went_on
            || now >= self.heartbeat_due
            || (wanted && self.empty_blocks < fruitless(set))
            || self.honest_voter(newest, set);
        self.on_a_claim = !reason && !self.claims_fail && self.claimed > newest.0;
        reason || self.on_a_claim
    }

    /// Whether more than a third of the power has voted in a height above, so that an honest
    /// validator has gone on.
    fn honest_voter(&self, newest: Height, set: &ValidatorSet) -> bool {
        let power = |voters: &BTreeSet<Address>| {
            voters.iter().fold(0_u64, |sum, voter| sum.saturating_add(set.power_of(voter)))
        };
        self.voters
            .iter()
            .filter(|(height, _)| **height > newest)
            .any(|(_, voters)| power(voters).saturating_mul(3) > set.total_power())
    }
}

fn fruitless(set: &ValidatorSet) -> usize {
    use arc_malachitebft_app_channel::app::types::core::ValidatorSet as _;
    set.count().saturating_mul(FRUITLESS_TURNS)
}

/// A moment later; far in the future if it cannot be told.
pub(super) fn after(now: Instant, delay: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(86_400);
    now.checked_add(delay).or_else(|| now.checked_add(FAR)).unwrap_or(now)
}

#[cfg(test)]
mod tests;
