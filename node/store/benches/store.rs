//! How long a node's database takes: a synced block of 500 anchors, and receipts at 1,000,000 leaves.
//!
//! A receipt whose tiles are held is to take at most 50 µs for its path, and 1 ms in all.
#![allow(missing_docs, reason = "criterion's macros expand to undocumented items")]
#![allow(
    unreachable_pub,
    dead_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a benchmark fails loudly, and shares the tests' world"
)]

#[path = "../tests/store/world.rs"]
mod world;

use criterion::{Criterion, criterion_group, criterion_main};
use heatmark_ledger::LeafIndex;
use heatmark_ledger::ids::Height;
use std::hint::black_box;
use std::time::{Duration, Instant};
use world::{World, certify};

const LEAVES: u64 = 1_000_000;
const FILLING_BLOCK: usize = 5_000;

fn commit(c: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let mut world = World::new(directory.path(), 1_000);
    let mut group = c.benchmark_group("store");
    group.sample_size(10);
    group.bench_function("commit of 500 anchors, synced", |b| {
        b.iter_custom(|rounds| {
            let mut spent = Duration::ZERO;
            for _ in 0..rounds {
                let anchors = world.anchors(500);
                let block = world.propose(&anchors);
                let set = world.store.tip().next_validators;
                let certificate = certify(&block.header, &set, usize::MAX);
                let begun = Instant::now();
                world.store.commit(&block, &certificate).unwrap();
                spent += begun.elapsed();
            }
            spent
        });
    });
    group.finish();
}

fn receipt(c: &mut Criterion) {
    let directory = tempfile::tempdir().unwrap();
    let mut world = World::new(directory.path(), 1_000);
    while world.store.tip().log_size.0 < LEAVES {
        world.commit_anchors(FILLING_BLOCK);
        world.envelopes.clear();
    }
    let newest = world.store.tip().height;
    let ask = |leaf: u64| {
        world.store.receipt(LeafIndex(black_box(leaf)), Height(0), Some(newest)).unwrap()
    };
    c.bench_function("receipt of one leaf at 1,000,000 leaves, tiles held", |b| {
        b.iter(|| ask(123_456));
    });
    let mut step: u64 = 1;
    c.bench_function("receipt of any leaf at 1,000,000 leaves", |b| {
        b.iter(|| {
            step = step.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            ask((step >> 32) % LEAVES)
        });
    });
}

criterion_group!(benches, commit, receipt);
criterion_main!(benches);
