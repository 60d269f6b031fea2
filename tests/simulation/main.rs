//! Thousands of short lives of a network, each from one number. The pure core of several nodes
//! runs in one thread under a clock of its own: the node's `Chain`, `Store`, `Mempool`, `Intake`
//! and everything they call are the program's; around them everything fails that can.
//!
//! ```text
//!   workload ──submit──▶ ┌───────── replica ─────────┐ ◀──messages──▶ other replicas
//!   dice ──misfortune──▶ │ Intake ─ Mempool ─ Chain  │      late, twice, out of order, changed,
//!                        │              Store        │      lost, parted
//!                        └──────── faulty disk ──────┘
//!   judge: watches every step, replays the log beside them
//! ```
//!
//! **Modelled.** Power cuts before, within and after any write, torn records as real bytes, unsynced
//! writes lost in part, full disks, failed syncs, failed reads, a flipped bit in log or tables;
//! messages delayed, lost, repeated, reordered, blocks garbled on the way, partitions; clocks off
//! and jumping; nodes stopped in order, wiped and rejoining without a vote; valid and invalid
//! transactions of all kinds, floods, members and validators that join, change keys, are suspended
//! and leave. **Judged.** No acknowledged block, accepted block, proposal or evidence is lost; one
//! block a height; no transaction twice, no replay taken; an honest proposal is refused by nobody's
//! but its clock's fault; pools within bounds, alerts with room and first; every receipt and state
//! proof verifies; all disks equal, and equal to a replay from genesis; what a node took lands once
//! faults cease.
//!
//! **Not modelled.** Malachite, its log, libp2p, gRPC, threads and RocksDB itself: agreement is a
//! small deterministic Tendermint over the same `Application`, gossip is a message to everybody,
//! and the disk follows RocksDB's promises. Validators do not lie here, nobody is compromised, and
//! the vault is not part of it. The tests on real processes cover these.
//!
//! A failing run prints its seed, its story and how to have it again. `HEATMARK_SEED=n` runs one
//! seed, `HEATMARK_SEEDS=n` that many, from `HEATMARK_SEED` or 0 on.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    clippy::print_stdout,
    reason = "tests fail loudly"
)]

mod agreement;
mod audit;
mod clients;
mod dice;
mod disk;
mod disk_tests;
mod judge;
mod messages;
mod misfortune;
mod replica;
mod town;
mod workload;
mod world;

use disk::Lie;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use world::{Plan, Summary, World};

/// Seeds in the check.
const SEEDS: u64 = 2_000;

/// Lines of a failing run's story that are printed.
const STORY_LINES: usize = 200;

/// A run that failed: the reason, and what led to it.
#[derive(Debug)]
struct Failure {
    reason: String,
    story: Vec<String>,
}

fn run(plan: Plan) -> Result<(Summary, Vec<String>), Failure> {
    let mut world = World::new(plan);
    let outcome = catch_unwind(AssertUnwindSafe(|| world.run()));
    let story = std::mem::take(&mut world.judge.trace);
    match outcome {
        Ok(summary) => Ok((summary, story)),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
            Err(Failure { reason: text.unwrap_or_default(), story })
        }
    }
}

/// What a run came to, or how it failed in words.
fn sound(seed: u64) -> Result<Summary, String> {
    match run(Plan { seed, lie: None }) {
        Ok((summary, _)) => Ok(summary),
        Err(Failure { reason, story }) => {
            let skipped = story.len().saturating_sub(STORY_LINES);
            let story = story[skipped..].join("\n");
            Err(format!(
                "seed {seed} fails: {reason}\n\n… {skipped} lines before\n{story}\n\nhave it again: \
                 HEATMARK_SEED={seed} cargo test -p heatmark-tests --test simulation seeds_hold -- --nocapture"
            ))
        }
    }
}

fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().expect("a number"))
}

#[test]
fn seeds_hold() {
    let (seed, seeds) = (asked("HEATMARK_SEED"), asked("HEATMARK_SEEDS"));
    let first = seed.unwrap_or(0);
    let count = seeds.unwrap_or(if seed.is_some() { 1 } else { SEEDS });
    let next = AtomicU64::new(first);
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let total = Mutex::new(Summary::default());
    let failure = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count || failure.lock().unwrap().is_some() {
                        break;
                    }
                    match sound(seed) {
                        Ok(summary) => total.lock().unwrap().add(&summary),
                        Err(story) => *failure.lock().unwrap() = Some(story),
                    }
                }
            });
        }
    });
    if let Some(story) = failure.into_inner().unwrap() {
        panic!("{story}");
    }
    let total = total.into_inner().unwrap();
    println!("{count} seeds: {total:?}");
    if count == SEEDS {
        // The runs are worth something: blocks, restarts and faults came in numbers.
        assert!(total.heights > 5 * SEEDS && total.transactions > 5 * SEEDS, "{total:?}");
        assert!(total.faults > SEEDS / 4 && total.starts > 6 * SEEDS, "{total:?}");
        assert!(total.kinds.iter().all(|count| *count > SEEDS / 50), "{total:?}");
        assert!(total.set_changes > SEEDS / 50, "{total:?}");
        assert!(total.receipts > SEEDS && total.refused_proposals > 0, "{total:?}");
    }
}

#[test]
fn the_same_seed_tells_the_same_story() {
    for seed in [1, 7, 42, 99, 1_234] {
        let (first, second) = (run(Plan { seed, lie: None }), run(Plan { seed, lie: None }));
        let (first, second) = (first.unwrap(), second.unwrap());
        assert_eq!(first.0, second.0, "seed {seed}");
        assert_eq!(first.1, second.1, "seed {seed}");
        assert!(first.1.len() > 20, "seed {seed} tells little");
    }
}

/// Runs seeds on disks that break a promise: most fail, and some for the reason that this lie has.
fn caught(lie: Lie, seeds: u64, because: &[&str]) {
    let failures = (0..seeds).filter_map(|seed| run(Plan { seed, lie: Some(lie) }).err());
    let reasons: Vec<String> = failures.map(|failure| failure.reason).collect();
    let fits = |reason: &String| because.iter().any(|words| reason.contains(words));
    assert!(reasons.iter().any(fits), "{lie:?} goes unnoticed in {seeds} seeds: {reasons:?}");
    println!("{lie:?}: {} of {seeds} seeds fail", reasons.len());
}

#[test]
fn a_disk_that_does_not_sync_is_caught() {
    caught(Lie::NothingIsSynced, 20, &["acknowledged height", "lost block", "forgot what it"]);
}

#[test]
fn undecided_blocks_that_are_not_synced_are_caught() {
    caught(Lie::UndecidedIsNotSynced, 30, &["lost block", "forgot what it"]);
}

#[test]
fn torn_records_that_apply_are_caught() {
    caught(
        Lie::TornRecordsApply,
        40,
        &["Replayed", "does not start", "differ in", "refuses an honest"],
    );
}

#[test]
fn damage_that_is_served_is_caught() {
    caught(
        Lie::DamageIsServed,
        60,
        &["differ in", "another", "refuses an honest", "fails without"],
    );
}

impl Summary {
    fn add(&mut self, other: &Self) {
        self.heights += other.heights;
        self.transactions += other.transactions;
        self.starts += other.starts;
        self.receipts += other.receipts;
        self.refused_proposals += other.refused_proposals;
        self.faults += other.faults;
        self.disk_operations += other.disk_operations;
        self.set_changes += other.set_changes;
        for (sum, more) in self.kinds.iter_mut().zip(other.kinds) {
            *sum += more;
        }
    }
}
