//! Alerts on what was done and on what came of it turn the verdict, and cannot be avoided by leaving a record out.

use heatmark_evidence::capsule::{Acceptance, Capsule, CapsuleError, Outcome};
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::messages::AlertLevel;
use heatmark_ledger::state;
use heatmark_lots::Kind;
use heatmark_records::Head;

use crate::story;
use crate::world::{FORGE, Held, LAB, World};

const OK: (Outcome, Vec<&'static str>) = (Outcome::Accept, Vec::new());

fn judged(
    world: &World,
    capsule: &Capsule,
    acceptance: &Acceptance,
) -> (Outcome, Vec<&'static str>) {
    let verdict = world.inspect_by(capsule, acceptance).unwrap();
    (verdict.outcome(), verdict.codes())
}

/// A ring with a heat treatment of its own, described as such.
fn treated() -> (World, Held) {
    let mut world = World::new();
    let heat = world.certificate("1", "t");
    let billets = world.commission(heat, &[(1_000_000, 1)]);
    world.process = Some(world.describe("furnace load 4"));
    let ring = world.make((FORGE, Kind::Transform), &billets, &[(1_000_000, 4)]);
    world.process = None;
    (world, ring[0].clone())
}

#[test]
fn an_alert_on_what_was_done_or_came_of_it_turns_the_verdict() {
    for described in [0, 1] {
        let (mut world, ring) = treated();
        assert_eq!(judged(&world, &world.capsule(&ring), &world.acceptance()), OK);
        world.warn(described, AlertLevel::Recall);
        let recalled = (Outcome::Reject, vec!["recalled"]);
        let content = Acceptance { untold: true, ..world.acceptance() };
        for acceptance in [world.acceptance(), content] {
            assert_eq!(judged(&world, &world.capsule(&ring), &acceptance), recalled);
        }
    }
}

#[test]
fn what_is_not_told_holds_unless_the_receiver_does_not_ask() {
    let (mut world, ring) = treated();
    world.warn(1, AlertLevel::Recall);
    let untold = (Outcome::Hold, vec!["alert-untold"]);
    let content = Acceptance { untold: true, ..world.acceptance() };
    let whole = world.capsule(&ring);
    let furnace = &world.descriptions[1];
    let mut silent = whole.clone();
    silent.heads.retain(|head| *head != furnace.head);
    assert_eq!(judged(&world, &silent, &world.acceptance()), untold);
    assert_eq!(judged(&world, &silent, &content), OK);
    // The head alone says nothing of alerts.
    let place = state::alert_key(&PublicKey::of(&furnace.alert).alert_subject());
    let mut silent = whole;
    silent.entries.retain(|entry| entry.key != place);
    assert_eq!(judged(&world, &silent, &world.acceptance()), untold);
    assert_eq!(judged(&world, &silent, &content), OK);
    // Whoever asks for concerns is told of them here too.
    let heard = Acceptance { concerns: vec![world.town.id(LAB)], ..world.acceptance() };
    let (world, ring) = treated();
    assert_eq!(judged(&world, &world.capsule(&ring), &heard), OK);
}

#[test]
fn an_alert_on_a_certificate_is_asked_about_whatever_describes_a_lot() {
    let (world, lot) = story();
    let mut capsule = world.capsule(&lot);
    let subject = world.records[0].opening.head().heading().alert_subject;
    capsule.entries.retain(|entry| !entry.key.ends_with(&subject));
    let content = Acceptance { untold: true, ..world.acceptance() };
    assert_eq!(judged(&world, &capsule, &content), (Outcome::Hold, vec!["alert-untold"]));
}

#[test]
fn heads_that_nobody_asks_for_or_that_are_bent_are_refused() {
    let (mut world, ring) = treated();
    let whole = world.capsule(&ring);
    let other = world.describe("another furnace load");
    assert_ne!(other, world.descriptions[1].id);
    let with = |change: &dyn Fn(&mut Capsule)| {
        let mut capsule = whole.clone();
        change(&mut capsule);
        world.inspect(&capsule).map(|verdict| (verdict.outcome(), verdict.codes()))
    };
    let sorted = |capsule: &mut Capsule| {
        capsule.heads.sort_by_key(|head| head.named().unwrap().0);
    };
    let loose = with(&|capsule| {
        capsule.heads.push(world.descriptions[2].head.clone());
        sorted(capsule);
    });
    assert_eq!(loose.unwrap(), (Outcome::Reject, vec!["record-unreached"]));
    // Under another root it is another record, and the one asked about is not there.
    let bent = with(&|capsule| {
        capsule.heads[0].root[0] ^= 1;
        sorted(capsule);
    });
    let (outcome, codes) = bent.unwrap();
    assert_eq!(outcome, Outcome::Reject);
    assert_eq!(codes, ["record-unreached", "alert-untold"]);
    assert_eq!(with(&|capsule| capsule.heads.swap(0, 1)).unwrap_err(), CapsuleError::Order);
    let twice = with(&|capsule| capsule.heads[1] = capsule.heads[0].clone());
    assert_eq!(twice.unwrap_err(), CapsuleError::Order);
    let short = with(&|capsule| capsule.heads[0].root.truncate(31));
    assert_eq!(short.unwrap_err(), CapsuleError::NotCanonical);
    let elsewhere = with(&|capsule| {
        let head = &mut capsule.heads[0].head;
        let network = Head::decode(head).unwrap().heading().network;
        let at = head.windows(32).position(|bytes| *bytes == network).unwrap();
        head[at] ^= 1;
    });
    assert_eq!(elsewhere.unwrap_err(), CapsuleError::WrongNetwork);
}
