//! How long the trees take: paths in a log of a million leaves, appends, batches and map updates.
//!
//! An inclusion path is to take at most 50 µs.
#![allow(missing_docs, reason = "criterion's macros expand to undocumented items")]
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a benchmark fails loudly")]

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use heatmark_merkle::batch::BatchTree;
use heatmark_merkle::map::{self, MemoryNodes};
use heatmark_merkle::tiles::{MemoryTiles, appended};
use heatmark_merkle::tree::{
    TileCache, consistency_path, inclusion_path, leaf_hash, verify_inclusion,
};
use heatmark_merkle::{Hash, LeafIndex, TreeSize};

const LEAVES: u64 = 1_000_000;

fn leaves(range: std::ops::Range<u64>) -> Vec<Hash> {
    range.map(|number| leaf_hash(&number.to_be_bytes())).collect()
}

/// Indices spread over the whole log, the same on every run.
fn spread(step: &mut u64) -> LeafIndex {
    *step = step.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    LeafIndex((*step >> 32) % LEAVES)
}

fn log(c: &mut Criterion) {
    let all = leaves(0..LEAVES);
    let mut tiles = MemoryTiles::new();
    tiles.apply(appended(TreeSize(0), &all, &tiles).unwrap());
    let size = TreeSize(LEAVES);
    let root = heatmark_merkle::tree::Frontier::from_tiles(size, &tiles).unwrap().root();
    let mut step = 1;
    c.bench_function("inclusion path at 1,000,000 leaves", |b| {
        b.iter(|| inclusion_path(spread(&mut step), size, black_box(&tiles)).unwrap());
    });
    let mut cache = TileCache::new(256);
    c.bench_function("inclusion path at 1,000,000 leaves with a cache of 256 tiles", |b| {
        b.iter(|| cache.inclusion_path(spread(&mut step), size, black_box(&tiles)).unwrap());
    });
    c.bench_function("consistency path at 1,000,000 leaves", |b| {
        b.iter(|| {
            consistency_path(TreeSize(spread(&mut step).0), size, black_box(&tiles)).unwrap()
        });
    });
    let index = LeafIndex(123_456);
    let path = inclusion_path(index, size, &tiles).unwrap();
    c.bench_function("inclusion verified at 1,000,000 leaves", |b| {
        b.iter(|| {
            verify_inclusion(
                &leaf_hash(&index.0.to_be_bytes()),
                index,
                size,
                black_box(&path),
                &root,
            )
        });
    });
    let block = leaves(LEAVES..LEAVES + 500);
    c.bench_function("append of 500 leaves", |b| {
        b.iter(|| appended(size, black_box(&block), &tiles).unwrap());
    });
}

fn batch(c: &mut Criterion) {
    let records = leaves(0..100_000);
    let mut group = c.benchmark_group("batch of 100,000 records");
    group.sample_size(10);
    group.bench_function("root", |b| b.iter(|| heatmark_merkle::batch::root(black_box(&records))));
    group.bench_function("tree", |b| b.iter(|| BatchTree::new(black_box(&records)).unwrap()));
    group.finish();
}

fn state(c: &mut Criterion) {
    let entry = |number: u64| (leaf_hash(&number.to_be_bytes()).0.to_vec(), Some(vec![7; 200]));
    let mut nodes = MemoryNodes::new();
    nodes.apply(map::update(&nodes, 0, &(0..100_000).map(entry).collect()).unwrap());
    let changes: BTreeMap<_, _> = (99_750..100_250).map(entry).collect();
    c.bench_function("update of 500 keys among 100,000", |b| {
        b.iter_batched(
            || (),
            |()| map::update(&nodes, 1, black_box(&changes)).unwrap(),
            BatchSize::LargeInput,
        );
    });
    let (key, _) = entry(4711);
    c.bench_function("proof of a key among 100,000", |b| {
        b.iter(|| map::prove(&nodes, 0, black_box(&key)).unwrap());
    });
    let root = map::root(&nodes, 0).unwrap().unwrap();
    let (value, proof) = map::prove(&nodes, 0, &key).unwrap();
    c.bench_function("proof of a key verified", |b| {
        b.iter(|| proof.verify(black_box(&root), &key, value.as_deref()));
    });
}

criterion_group!(trees, log, batch, state);
criterion_main!(trees);
