//! Whose turns are waited for, and for how long.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    reason = "tests fail loudly"
)]

use super::*;
use arc_malachitebft_app_channel::app::types::core::Round;
use ed25519_dalek::SigningKey;
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::validators as ledger;

fn full() -> LinearTimeouts {
    crate::config::Timeouts::default().engine()
}

fn four() -> ValidatorSet {
    let key = |seed: u8| PublicKey::of(&SigningKey::from_bytes(&[seed; 32]));
    let validators = (1..=4).map(|seed| ledger::Validator { key: key(seed), power: 10 }).collect();
    ValidatorSet::from(&ledger::ValidatorSet::new(validators).unwrap())
}

/// Heights that were decided while only these validators spoke.
fn after(set: &ValidatorSet, heights: u32, speaking: &[Address]) -> Turns {
    let mut turns = Turns::default();
    for _ in 0..heights {
        for address in speaking {
            turns.heard(*address);
        }
        turns.decided(set);
    }
    turns
}

fn propose(turns: &Turns, set: &ValidatorSet, own: &Address, round: u32) -> Duration {
    turns.timeouts(full(), set, own, Height(8)).duration_for(Timeout::propose(Round::new(round)))
}

#[test]
fn a_validator_that_fell_silent_is_not_waited_for_and_one_that_is_back_is() {
    let set = four();
    let members: Vec<Address> = set.addresses().copied().collect();
    // The proposer of height 8, round 0.
    let (silent, own) = (*set.turn(Height(8), 0), *set.turn(Height(8), 1));
    let others: Vec<Address> = members.iter().filter(|a| **a != silent).copied().collect();
    let mut turns = after(&set, 1, &others);
    assert_eq!(propose(&turns, &set, &own, 0), full().propose, "one height may be chance");
    turns = after(&set, 2, &others);
    assert_eq!(propose(&turns, &set, &own, 0), full().propose / PROPOSE_SHARE);
    let timeouts = turns.timeouts(full(), &set, &own, Height(8));
    let precommit = Timeout::precommit(Round::new(0));
    assert_eq!(timeouts.duration_for(precommit), full().precommit / VOTE_SHARE);
    turns.heard(silent);
    turns.decided(&set);
    assert_eq!(propose(&turns, &set, &own, 0), full().propose);
}

#[test]
fn only_the_silent_ones_turns_are_cut_short_and_they_come_round_again() {
    let set = four();
    let silent = *set.turn(Height(8), 2);
    let own = *set.turn(Height(8), 0);
    let others: Vec<Address> = set.addresses().filter(|a| **a != silent).copied().collect();
    let turns = after(&set, 5, &others);
    for round in 0..80 {
        let expected = full().duration_for(Timeout::propose(Round::new(round)));
        let share = if round % 4 == 2 && round < ROUNDS { PROPOSE_SHARE } else { 1 };
        assert_eq!(propose(&turns, &set, &own, round), expected / share, "round {round}");
    }
}

#[test]
fn a_node_that_hears_nobody_still_gives_its_own_turn_its_time() {
    let set = four();
    let own = *set.turn(Height(8), 0);
    let turns = after(&set, 9, &[]);
    assert_eq!(propose(&turns, &set, &own, 0), full().propose);
    let mut turns = turns;
    turns.missed_some();
    assert_eq!(
        propose(&turns, &set, &own, 1),
        full().duration_for(Timeout::propose(Round::new(1)))
    );
}
