//! What a trace costs in a genealogy of a million lots, after its sums are found right; what adding all of it costs, and
//! matching an alert.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "a benchmark fails loudly"
)]

mod lotgen;

use criterion::{Criterion, criterion_group, criterion_main};
use heatmark_genealogy::{
    About, Bearing, Direction, Genealogy, Holdings, LotId, NewEvent, Place, RecordKind, Told,
    Walker, affected,
};
use heatmark_lots::Kind;
use lotgen::{CHECKSUMS, Made};
use std::hint::black_box;

fn place(lot: u64) -> Place {
    Place { leaf: lot, output: 0 }
}

fn graph(all: &[Made]) -> Genealogy {
    let mut graph = Genealogy::with_capacity(all.len(), CHECKSUMS.inputs);
    for made in all {
        let inputs: Vec<Place> = made.of.iter().map(|lot| place(*lot)).collect();
        let event = NewEvent {
            leaf: made.lot,
            kind: if inputs.is_empty() { Kind::Commission } else { Kind::Transform },
            inputs: &inputs,
            outputs: 1,
            carrier: [made.supplier as u8; 32],
            removed: &[],
        };
        assert!(graph.add(&event).unwrap());
    }
    graph.compact();
    graph
}

fn walks(c: &mut Criterion) {
    let all: Vec<Made> = lotgen::lots().collect();
    let graph = graph(&all);
    assert_eq!(graph.inputs(), CHECKSUMS.inputs);
    println!("{} bytes for {} lots", graph.bytes(), graph.lots());
    let mut walker = Walker::default();
    let (up, down) = lotgen::queries();
    let ways =
        [("up", Direction::Up, up, CHECKSUMS.up), ("down", Direction::Down, down, CHECKSUMS.down)];
    for (word, direction, lots, sum) in ways {
        let lots: Vec<LotId> = lots.iter().map(|lot| graph.find(place(*lot)).unwrap()).collect();
        let mut reached = 0;
        for lot in &lots {
            reached += walker.walk(&graph, [*lot], direction).len();
        }
        assert_eq!(reached, sum, "{word}");
        let mut turns = lots.iter().cycle();
        c.bench_function(&format!("trace {word}, {} lots on average", sum / lots.len()), |b| {
            b.iter(|| black_box(walker.walk(&graph, [*turns.next().unwrap()], direction).len()));
        });
    }
    let mut group = c.benchmark_group("whole");
    group.sample_size(10);
    group.bench_function("add a million events", |b| b.iter(|| self::graph(&all).lots()));
}

fn alerts(c: &mut Criterion) {
    let all: Vec<Made> = lotgen::lots().collect();
    let graph = graph(&all);
    let mut about = About::default();
    let id = |lot: u64, kind: u8| {
        let mut id = [kind; 32];
        id[..8].copy_from_slice(&lot.to_be_bytes());
        id
    };
    for made in all.iter().filter(|made| made.of.is_empty()) {
        let record = id(made.lot, 1);
        about.bear(record, RecordKind::Certificate, Bearing::Event(made.lot));
        about.tell(record, Told { subject: Some(id(made.lot, 2)), ..Told::default() });
    }
    let mut walker = Walker::default();
    let holdings = Holdings::default();
    let (_, heats) = lotgen::queries();
    let mut turns = heats.iter().cycle();
    let mut group = c.benchmark_group("alert");
    group.bench_function("matched: held or not", |b| {
        b.iter(|| black_box(about.of_subject(&id(*turns.next().unwrap(), 2)).len()));
    });
    let mut turns = heats.iter().cycle();
    group.bench_function("matched, with all lots that it reaches", |b| {
        b.iter(|| {
            let records = about.of_subject(&id(*turns.next().unwrap(), 2));
            let from = records.iter().flat_map(|record| about.lots(&graph, record));
            black_box(affected(walker.walk(&graph, from, Direction::Down), &holdings))
        });
    });
}

criterion_group!(benches, walks, alerts);
criterion_main!(benches);
