//! Capsules tried from outside, on a chain in memory: what an honest one proves, and every way to bend one.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    reason = "tests fail loudly, and use a part of the ledger's world"
)]

mod attested;
mod cheats;
mod demands;
mod expiry;
mod heads;
mod limits;
mod others;
#[path = "../../../ledger/tests/ledger/town.rs"]
mod town;
mod world;

use heatmark_evidence::capsule::{Check, Outcome};
use heatmark_lots::Kind;
use world::{ASSEMBLER, FORGE, Held, MILL, World};

/// A heat of 10 t: billets at the mill, rings at the forge, half of them with the assembler.
pub(crate) fn story() -> (World, Held) {
    let mut world = World::new();
    let heat = world.certificate("10", "t");
    let billets = world.commission(heat, &[(4_000_000_000, 4), (5_000_000_000, 5)]);
    let billets = world.transfer(FORGE, &billets[..1]);
    let rings = world.make((FORGE, Kind::Transform), &billets, &[(3_500_000_000, 100)]);
    let turned = world.make((FORGE, Kind::Rework), &rings, &[(3_000_000_000, 98)]);
    let halves =
        world.make((FORGE, Kind::Split), &turned, &[(1_500_000_000, 49), (1_500_000_000, 49)]);
    let delivered = world.transfer(ASSEMBLER, &halves[..1]);
    (world, delivered[0].clone())
}

#[test]
fn an_honest_capsule_is_accepted_line_by_line() {
    let (world, lot) = story();
    let capsule = world.capsule(&lot);
    let verdict = world.inspect(&capsule).unwrap();
    assert_eq!(verdict.codes(), Vec::<&str>::new());
    assert_eq!(verdict.outcome(), Outcome::Accept);
    let checks: Vec<Check> = verdict.findings.iter().map(|finding| finding.check).collect();
    assert_eq!(checks, Check::ALL);
    assert!(verdict.findings.iter().all(|finding| !finding.evidence.is_empty()));
    assert_eq!((verdict.certified_permille, verdict.gain_ppm), (1_000, 0));
    let steps: Vec<_> = verdict.history.iter().map(|step| (step.kind, step.carrier)).collect();
    let (mill, forge, assembler) =
        (world.town.id(MILL), world.town.id(FORGE), world.town.id(ASSEMBLER));
    let expected = [
        (Kind::Commission, mill),
        (Kind::Transfer, forge),
        (Kind::Transform, forge),
        (Kind::Rework, forge),
        (Kind::Split, forge),
        (Kind::Transfer, assembler),
    ];
    assert_eq!(steps, expected);
    assert_eq!(verdict.sources.len(), 1);
    assert_eq!(verdict.sources[0].legal_name.as_deref(), Some("Mill"));
}

#[test]
fn one_pair_of_a_shipment_needs_nothing_of_the_others() {
    let mut world = World::new();
    let first = world.certificate("1", "t");
    let own = world.commission(first, &[(1_000_000_000, 1)]);
    let own_events = world.events.clone();
    let second = world.certificate("2", "t");
    let other = world.commission(second, &[(2_000_000_000, 2)]);
    let shipped = world.transfer(FORGE, &[own[0].clone(), other[0].clone()]);
    let mut capsule = world.capsule(&shipped[0]);
    assert_eq!(world.codes(&capsule), ["record-unreached", "event-unreached"]);
    // Without the other lot's history, and with its blind blotted out.
    capsule
        .events
        .retain(|event| event.leaf == shipped[0].at.0 || own_events.contains_key(&event.leaf));
    capsule.events.last_mut().unwrap().blinds[32..].fill(0);
    let id = world.records[first].id.0.to_vec();
    capsule.records.retain(|record| record.record == id);
    assert_eq!(world.codes(&capsule), Vec::<&str>::new());
    // It is no capsule of the other lot.
    capsule.output = 1;
    capsule.opening.clear();
    let codes = world.codes(&capsule);
    assert!(codes.contains(&"input-missing"), "{codes:?}");
    assert_ne!(world.inspect(&capsule).unwrap().outcome(), Outcome::Accept);
}
