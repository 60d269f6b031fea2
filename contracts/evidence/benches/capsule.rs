//! What a receiver's inspection costs: a capsule of 12 tiers and 30 events, and one of 1,000 events.
#![allow(missing_docs, reason = "criterion's macros expand to undocumented items")]
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "a benchmark fails loudly, and uses a part of the tests' world"
)]

#[path = "../../ledger/tests/ledger/town.rs"]
mod town;
#[path = "../tests/capsule/world.rs"]
mod world;

use criterion::{Criterion, criterion_group, criterion_main};
use heatmark_evidence::capsule::{Outcome, inspect};
use heatmark_lots::Kind;
use prost::Message;
use std::hint::black_box;
use std::time::Instant;
use world::{ASSEMBLER, FORGE, Held, World};

/// Two heats, and tiers of: transform or rework, split, transfer, until there are this many events; the last merges.
fn history(events: usize) -> (World, Held, usize) {
    let mut world = World::new();
    let heat = world.certificate("1000", "t");
    let mut lots = world.commission(heat, &[(100_000_000_000, 100_000)]);
    let mut tiers = 1;
    let mut tier = |world: &mut World, who, kind, lots: &mut Vec<Held>, out: &[(u64, u64)]| {
        *lots = world.make((who, kind), lots, out);
        tiers += 1;
    };
    let mut mass = 100_000_000_000_u64;
    let mut pieces = 100_000_u64;
    while world.events.len() + 4 <= events {
        mass -= 100_000_000;
        pieces -= 1;
        tier(&mut world, FORGE, Kind::Rework, &mut lots, &[(mass, pieces)]);
        let half = (mass / 2, pieces / 2);
        let halves = [half, (mass - half.0, pieces - half.1)];
        let kind = if world.events.len().is_multiple_of(2) { Kind::Split } else { Kind::Rework };
        tier(&mut world, FORGE, kind, &mut lots, &halves);
        lots = world.transfer(ASSEMBLER, &lots);
        tier(&mut world, ASSEMBLER, Kind::Merge, &mut lots, &[(mass, pieces)]);
    }
    while world.events.len() < events {
        lots = world.transfer(FORGE, &lots);
    }
    (world, lots[0].clone(), tiers)
}

fn inspections(c: &mut Criterion) {
    let mut group = c.benchmark_group("inspect");
    group.sample_size(10);
    for events in [30, 1_000] {
        let (world, lot, _) = history(events);
        let capsule = world.capsule(&lot);
        let bytes = capsule.encode_to_vec();
        let (trust, acceptance) = (world.town.trust(), world.acceptance());
        println!("{events} events: {} bytes", bytes.len());
        if events == 30 {
            for event in capsule.events.iter().take(5) {
                let parts = [&event.transaction, &event.path, &event.event, &event.proofs];
                println!("{:?}", parts.map(Vec::len));
            }
        }
        let start = Instant::now();
        let verdict = inspect(&bytes, &trust, &acceptance).unwrap();
        println!("{events} events the first time: {:?}", start.elapsed());
        assert_eq!(verdict.outcome(), Outcome::Accept, "{:?}", verdict.codes());
        group.bench_function(format!("a capsule of {events} events"), |b| {
            b.iter(|| inspect(black_box(&bytes), &trust, &acceptance).unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, inspections);
criterion_main!(benches);
