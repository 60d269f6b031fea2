//! When a clock is called wrong.

#![allow(clippy::arithmetic_side_effects, reason = "tests fail loudly")]

use super::*;

const SKEW_MS: u64 = 5_000;

#[test]
fn one_proposer_with_a_wrong_clock_does_not_make_ours_wrong() {
    let mut seen = Seen::default();
    let at = Instant::now();
    assert_eq!(seen.note([1; 32], 40, SKEW_MS, at), (40, News::Nothing));
    assert_eq!(seen.note([2; 32], -300_000, SKEW_MS, at), (40, News::Nothing));
    assert_eq!(seen.note([3; 32], 90, SKEW_MS, at), (40, News::Nothing));
}

#[test]
fn most_proposers_together_tell_that_ours_is_off_and_when_it_is_right_again() {
    let mut seen = Seen::default();
    let at = Instant::now();
    assert_eq!(seen.note([1; 32], 120_040, SKEW_MS, at), (120_040, News::Off));
    assert_eq!(seen.note([2; 32], 120_010, SKEW_MS, at), (120_010, News::Nothing));
    let later = at + REPEAT;
    assert_eq!(seen.note([3; 32], 120_020, SKEW_MS, later), (120_020, News::Off));
    assert_eq!(seen.note([1; 32], 20, SKEW_MS, later), (120_010, News::Nothing));
    assert_eq!(seen.note([2; 32], 30, SKEW_MS, later), (30, News::RightAgain));
    assert_eq!(seen.note([3; 32], 10, SKEW_MS, later), (20, News::Nothing));
}

#[test]
fn a_clock_behind_is_told_like_one_ahead() {
    let mut seen = Seen::default();
    let at = Instant::now();
    assert_eq!(seen.note([1; 32], -2_501, SKEW_MS, at), (-2_501, News::Off));
    assert_eq!(difference(UnixMillis(7), UnixMillis(u64::MAX)), 7 - i64::MAX);
}
