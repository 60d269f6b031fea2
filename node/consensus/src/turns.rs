//! How long the rounds of a height wait, shorter where it is the turn of a validator that has
//! fallen silent. Timeouts bear on speed alone: whatever they are, no two blocks are decided, and
//! every round whose proposer is believed to be there waits in full.

use arc_malachitebft_app_channel::app::types::core::{
    LinearTimeouts, Timeout, TimeoutKind, Timeouts,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::context::{Address, Height, ValidatorSet};

/// Decided heights in a row without a word from a validator, after which its turns are cut short.
/// One is not enough: a slow validator's vote may arrive after the height it was for.
const SILENT_HEIGHTS: u32 = 2;

/// Rounds of a height whose proposers are told apart; later ones wait in full.
const ROUNDS: u32 = 64;

/// A silent proposer is given this part of the time, in case it is on its way back.
const PROPOSE_SHARE: u32 = 10;

/// Votes are then waited for this part of the time: all there can be are votes for nothing.
const VOTE_SHARE: u32 = 6;

/// The waiting times of one height.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct TurnTimeouts {
    full: LinearTimeouts,
    /// Bit `r` is set when the proposer of round `r` has fallen silent.
    silent: u64,
}

impl TurnTimeouts {
    fn is_silent(&self, timeout: Timeout) -> bool {
        let round = timeout.round.as_u32().filter(|round| *round < ROUNDS);
        round.and_then(|round| self.silent.checked_shr(round)).is_some_and(|bits| bits & 1 == 1)
    }
}

impl Timeouts<crate::context::Heatmark> for TurnTimeouts {
    fn duration_for(&self, timeout: Timeout) -> Duration {
        let full = self.full.duration_for(timeout);
        let share = match timeout.kind {
            TimeoutKind::Propose => PROPOSE_SHARE,
            TimeoutKind::Prevote | TimeoutKind::Precommit => VOTE_SHARE,
            TimeoutKind::Rebroadcast | TimeoutKind::FinalizeHeight(_) => return full,
        };
        if self.is_silent(timeout) { full.checked_div(share).unwrap_or(full) } else { full }
    }
}

/// Who has been heard of lately.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    /// Since the last decision.
    heard: BTreeSet<Address>,
    /// Decisions in a row without a word.
    silent: BTreeMap<Address, u32>,
}

impl Turns {
    /// Notes a vote or a proposal. It is not verified: at worst a turn is waited for in full.
    pub(crate) fn heard(&mut self, validator: Address) {
        self.heard.insert(validator);
    }

    /// Starts over, because messages went by unseen.
    pub(crate) fn missed_some(&mut self) {
        self.heard.clear();
        self.silent.clear();
    }

    /// A height was decided among validators that this node could hear.
    pub(crate) fn decided(&mut self, set: &ValidatorSet) {
        let heard = std::mem::take(&mut self.heard);
        let before = std::mem::take(&mut self.silent);
        for address in set.addresses().filter(|address| !heard.contains(*address)) {
            let heights = before.get(address).copied().unwrap_or(0).saturating_add(1);
            self.silent.insert(*address, heights);
        }
    }

    /// How long the rounds of `height` wait. This node's own turns are never cut short.
    pub(crate) fn timeouts(
        &self,
        full: LinearTimeouts,
        set: &ValidatorSet,
        own: &Address,
        height: Height,
    ) -> TurnTimeouts {
        let is_silent = |address: &Address| {
            address != own && self.silent.get(address).is_some_and(|n| *n >= SILENT_HEIGHTS)
        };
        let silent = (0..ROUNDS).filter(|round| is_silent(set.turn(height, *round)));
        let silent =
            silent.filter_map(|round| 1_u64.checked_shl(round)).fold(0, |all, bit| all | bit);
        TurnTimeouts { full, silent }
    }
}

#[cfg(test)]
mod tests;
