//! What an inspection costs at the dock, cold: from a capsule's bytes, an order, a policy and readings to a verdict, and to a report.
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
    reason = "a benchmark fails loudly, and uses a part of the tests' worlds"
)]

#[path = "../../../contracts/ledger/tests/ledger/town.rs"]
mod town;
#[path = "../../../contracts/evidence/tests/capsule/world.rs"]
mod world;

use criterion::{Criterion, criterion_group, criterion_main};
use heatmark_evidence::capsule::{Mine, Outcome};
use heatmark_inspection::{
    Delivery, Demands, Inspection, Order, Parcel, Reading, html, judge, pdf,
};
use heatmark_ledger::ids::UnixMillis;
use heatmark_ledger::receipt::TrustRoot;
use heatmark_lots::Kind;
use prost::Message;
use std::hint::black_box;
use std::time::Instant;
use world::{ASSEMBLER, FORGE, Held, World};

const ORDER: &str = "number = '4711'\nmass = '96 t'\nmass_tolerance = '5 %'\n";
const POLICY: &str = "[origin]\nmelt_country = ['DE']\n[[require]]\nproperty = 'heat'\nas = 'shown'\n\
    [[readings.within]]\nproperty = 'chemistry/*'\ntolerance = '0.2 %'\n";
const READINGS: &str = "property,value,unit\nchemistry/Cr,16.9,%\n";

/// Tiers of a rework and a transfer each.
fn history(events: usize) -> (World, Held) {
    let mut world = World::new();
    let heat = world.certificate("1000", "t");
    let mut mass = 100_000_000_000_u64;
    let mut lots = world.commission(heat, &[(mass, 100_000)]);
    while world.events.len() + 2 <= events {
        mass -= 100_000_000;
        let pieces = lots[0].lot.pieces().number - 1;
        lots = world.make((FORGE, Kind::Rework), &lots, &[(mass, pieces)]);
        lots = world.transfer(ASSEMBLER, &lots);
    }
    while world.events.len() < events {
        lots = world.transfer(FORGE, &lots);
    }
    (world, lots[0].clone())
}

fn inspect(bytes: &[u8], trust: &TrustRoot, now: u64) -> Inspection {
    let demands = Demands::parse(POLICY.as_bytes(), &mut |_: &str| Err(String::new())).unwrap();
    let order = Order::parse(ORDER.as_bytes()).unwrap();
    let readings = Reading::parse(READINGS.as_bytes()).unwrap();
    let acceptance = demands.acceptance(UnixMillis(now), Mine::default());
    let parcels = [Parcel::inspect("lot.capsule", bytes, trust, &acceptance)];
    let (order, demands) = (Some(&order), &demands);
    judge(&Delivery { parcels: &parcels, order, demands, readings: &readings }, Vec::new(), now)
}

fn inspections(c: &mut Criterion) {
    let mut group = c.benchmark_group("dock");
    group.sample_size(10);
    let (world, lot) = history(30);
    let bytes = world.capsule(&lot).encode_to_vec();
    let (trust, now) = (world.town.trust(), world.town.tip.time.0 + 1_000);
    let start = Instant::now();
    let inspection = inspect(&bytes, &trust, now);
    println!("30 events the first time: {:?}", start.elapsed());
    assert_eq!(inspection.outcome, Outcome::Accept);
    group.bench_function("an inspection of 30 events", |b| {
        b.iter(|| inspect(black_box(&bytes), &trust, now));
    });
    group.bench_function("its HTML", |b| b.iter(|| html(black_box(&inspection))));
    group.bench_function("its PDF", |b| b.iter(|| pdf(black_box(&inspection), &[]).unwrap()));
    group.finish();
}

criterion_group!(benches, inspections);
criterion_main!(benches);
