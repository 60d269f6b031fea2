//! When an idle network goes on.

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
use ed25519_dalek::SigningKey;
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::validators as ledger;

const HEARTBEAT: Duration = Duration::from_secs(30);

fn address(seed: u8) -> Address {
    Address(SigningKey::from_bytes(&[seed; 32]).verifying_key().to_bytes())
}

fn four() -> ValidatorSet {
    let key = |seed: u8| PublicKey::of(&SigningKey::from_bytes(&[seed; 32]));
    let validators = (1..=4).map(|seed| ledger::Validator { key: key(seed), power: 10 }).collect();
    ValidatorSet::from(&ledger::ValidatorSet::new(validators).unwrap())
}

fn idle(now: Instant) -> Pace {
    let mut pace = Pace::new(now, HEARTBEAT);
    pace.committed(Height(5), 3, false, now + HEARTBEAT);
    pace
}

#[test]
fn waits_while_nothing_happens_and_goes_on_at_the_heartbeat() {
    let now = Instant::now();
    let mut pace = idle(now);
    assert!(!pace.go(now, Height(5), &four(), false));
    assert!(!pace.go(now + HEARTBEAT - Duration::from_millis(1), Height(5), &four(), false));
    assert!(pace.go(now + HEARTBEAT, Height(5), &four(), false));
}

#[test]
fn goes_on_for_a_transaction_a_block_and_while_catching_up() {
    let now = Instant::now();
    assert!(idle(now).go(now, Height(5), &four(), true));
    let mut pace = idle(now);
    pace.others_went_on();
    assert!(pace.go(now, Height(5), &four(), false));
    let mut pace = idle(now);
    pace.synced();
    assert!(pace.go(now, Height(5), &four(), false));
    pace.committed(Height(6), 1, false, now + HEARTBEAT);
    assert!(!pace.go(now, Height(6), &four(), false));
}

#[test]
fn one_of_four_voters_does_not_wake_the_network_and_two_do() {
    let now = Instant::now();
    let mut pace = idle(now);
    pace.voted(Height(5), Height(6), address(1));
    pace.voted(Height(5), Height(6), address(1));
    pace.voted(Height(5), Height(5), address(2));
    pace.voted(Height(5), Height(9), address(3));
    pace.voted(Height(5), Height(6), address(77));
    assert!(!pace.go(now, Height(5), &four(), false));
    pace.voted(Height(5), Height(6), address(4));
    assert!(pace.go(now, Height(5), &four(), false));
}

#[test]
fn votes_two_heights_above_show_that_others_went_on() {
    let now = Instant::now();
    let mut pace = idle(now);
    assert!(pace.counts(Height(5), Height(7), &address(1)));
    pace.voted(Height(5), Height(7), address(1));
    assert!(!pace.counts(Height(5), Height(7), &address(1)), "once each");
    assert!(!pace.go(now, Height(5), &four(), false));
    pace.voted(Height(5), Height(7), address(2));
    assert!(pace.go(now, Height(5), &four(), false));
    assert!(!pace.counts(Height(5), Height(8), &address(3)), "further above nobody counts");
}

#[test]
fn what_no_proposer_can_use_is_left_to_the_heartbeat() {
    let now = Instant::now();
    let mut pace = idle(now);
    for height in 6..14 {
        assert!(pace.go(now, Height(height - 1), &four(), true), "it may not have got around yet");
        pace.committed(Height(height), 0, true, now + HEARTBEAT);
    }
    assert!(!pace.go(now, Height(13), &four(), true));
    pace.committed(Height(14), 1, true, now + HEARTBEAT);
    assert!(pace.go(now, Height(14), &four(), true));
}

#[test]
fn blocks_take_longer_the_more_is_in_them_and_never_more_than_eight_times() {
    let (now, least) = (Instant::now(), Duration::from_millis(20));
    let after = |transactions| {
        let mut pace = Pace::new(now, HEARTBEAT);
        pace.committed(Height(5), transactions, false, now + HEARTBEAT);
        pace.block_time(least)
    };
    assert_eq!(Pace::new(now, HEARTBEAT).block_time(least), least);
    assert_eq!(after(0), least);
    assert_eq!(after(64), least);
    assert_eq!(after(128), 2 * least);
    assert_eq!(after(512), 8 * least);
    assert_eq!(after(usize::MAX), 8 * least);
}

#[test]
fn however_many_heartbeats_have_passed_a_transaction_wakes_the_network() {
    let now = Instant::now();
    let mut pace = idle(now);
    for height in 6..60 {
        pace.committed(Height(height), 0, false, now + HEARTBEAT);
    }
    assert!(pace.go(now, Height(59), &four(), true));
}

#[test]
fn a_peer_that_is_ahead_wakes_a_node_that_missed_everything() {
    let now = Instant::now();
    let mut pace = idle(now);
    pace.claimed(heatmark_ledger::ids::Height(5));
    assert!(!pace.go(now, Height(5), &four(), false), "it is where we are");
    pace.claimed(heatmark_ledger::ids::Height(8));
    for height in 6..=8 {
        assert!(pace.go(now, Height(height - 1), &four(), false));
        pace.committed(Height(height), 0, false, now + HEARTBEAT);
        pace.synced();
    }
    pace.committed(Height(9), 0, false, now + HEARTBEAT);
    assert!(!pace.go(now, Height(9), &four(), false));
}

#[test]
fn a_false_claim_costs_one_block_a_heartbeat() {
    let now = Instant::now();
    let mut pace = idle(now);
    pace.claimed(heatmark_ledger::ids::Height(u64::MAX));
    for height in (6..40).step_by(2) {
        assert!(pace.go(now, Height(height - 1), &four(), false));
        // Decided here and now, hence the peer was not ahead.
        pace.committed(Height(height), 0, false, now + HEARTBEAT);
        assert!(!pace.go(now, Height(height), &four(), false));
        assert!(pace.go(now + HEARTBEAT, Height(height), &four(), false));
        pace.committed(Height(height + 1), 0, false, now + HEARTBEAT);
    }
}
