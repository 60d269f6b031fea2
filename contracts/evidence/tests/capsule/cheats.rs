//! Capsules that were bent: each is refused, or held, for its reason.

use heatmark_evidence::capsule::{Capsule, Check};
use heatmark_evidence::capsule::{CapsuleError, Outcome, Verdict, inspect};
use heatmark_ledger::messages as pb;
use heatmark_ledger::{Hash, LeafIndex};
use heatmark_lots::{Event, Input, Kind, Making, Proofs, Witness};
use prost::Message;

use crate::story;
use crate::town::{Town, bytes32, document};
use crate::world::{ASSEMBLER, FORGE, MILL, World};

/// The outcome and the codes of a capsule that is bent.
fn bent(
    world: &World,
    capsule: &Capsule,
    change: impl FnOnce(&mut Capsule),
) -> (Outcome, Vec<&'static str>) {
    let mut capsule = capsule.clone();
    change(&mut capsule);
    let verdict = world.inspect(&capsule).unwrap();
    (verdict.outcome(), verdict.codes())
}

fn unreadable(world: &World, capsule: &Capsule, change: impl FnOnce(&mut Capsule)) -> CapsuleError {
    let mut capsule = capsule.clone();
    change(&mut capsule);
    world.inspect(&capsule).unwrap_err()
}

#[test]
fn an_event_left_out_holds_at_whatever_depth() {
    let (world, lot) = story();
    let capsule = world.capsule(&lot);
    let last = capsule.events.len() - 1;
    for at in 0..last {
        let (outcome, codes) = bent(&world, &capsule, |capsule| drop(capsule.events.remove(at)));
        assert!(codes.contains(&"input-missing"), "{at}: {codes:?}");
        assert_eq!(outcome, Outcome::Hold, "{at}: {codes:?}");
    }
    // A gap with nothing behind it.
    let (outcome, codes) = bent(&world, &capsule, |capsule| {
        capsule.events.remove(0);
        capsule.records.clear();
    });
    assert_eq!((outcome, codes), (Outcome::Hold, vec!["uncertified", "input-missing"]));
    let (_, codes) = bent(&world, &capsule, |capsule| drop(capsule.events.pop()));
    assert!(codes.contains(&"lot-missing"));
}

#[test]
fn an_event_added_reordered_or_twice_is_refused() {
    let (mut world, lot) = story();
    let other = world.certificate("1", "t");
    world.commission(other, &[(1_000_000_000, 1)]);
    let capsule = world.capsule(&lot);
    let verdict = world.inspect(&capsule).unwrap();
    assert_eq!(verdict.codes(), ["record-unreached", "event-unreached"]);
    assert_eq!(verdict.outcome(), Outcome::Reject);
    let order = unreadable(&world, &capsule, |capsule| capsule.events.swap(1, 2));
    assert_eq!(order, CapsuleError::Order);
    let twice = unreadable(&world, &capsule, |capsule| {
        let event = capsule.events[1].clone();
        capsule.events.insert(1, event);
    });
    assert_eq!(twice, CapsuleError::Order);
    // At another leaf the same event does not stand.
    let (_, codes) = bent(&world, &capsule, |capsule| capsule.events[0].leaf -= 1);
    assert!(codes.contains(&"inclusion-path"), "{codes:?}");
}

#[test]
fn a_truncated_or_prolonged_file_is_no_capsule() {
    let (world, lot) = story();
    let bytes = world.capsule(&lot).encode_to_vec();
    let judge = |bytes: &[u8]| inspect(bytes, &world.town.trust(), &world.acceptance());
    for end in (0..bytes.len()).step_by(37) {
        let accepted = judge(&bytes[..end]).is_ok_and(|v: Verdict| v.outcome() == Outcome::Accept);
        assert!(!accepted, "{end}");
    }
    let mut longer = bytes.clone();
    longer.extend([0x08, 0x01]);
    assert_eq!(judge(&longer).unwrap_err(), CapsuleError::NotCanonical);
    let huge = vec![0; heatmark_evidence::capsule::MAX_CAPSULE_BYTES + 1];
    assert_eq!(judge(&huge).unwrap_err(), CapsuleError::TooLong);
    // What is shorter than anything sound, or stands more often, is refused before anything is decoded.
    for field in [0x22, 0x2a, 0x32, 0x3a, 0x6a] {
        let short = [&[field, 30][..], &[0; 30]].concat();
        assert_eq!(judge(&short).unwrap_err(), CapsuleError::NotCanonical, "{field}");
        let empty = [field, 0x00].repeat(150_000);
        assert_eq!(judge(&empty).unwrap_err(), CapsuleError::NotCanonical, "{field}");
    }
    let many = [&[0x3a, 39][..], &[0; 39]].concat().repeat(131_073);
    assert_eq!(judge(&many).unwrap_err(), CapsuleError::TooLong);
    // So are fields of a record and signatures of the header's certificate.
    let inner = [0x3a, 100].into_iter().chain([0; 100]).collect::<Vec<u8>>().repeat(2);
    let field = [&[0x32, 204, 1][..], &inner].concat();
    assert_eq!(judge(&field).unwrap_err(), CapsuleError::NotCanonical);
    let signature = [&[0x1a, 34, 0x12, 32][..], &[0; 32]].concat();
    assert_eq!(judge(&signature).unwrap_err(), CapsuleError::NotCanonical);
}

#[test]
fn a_capsule_from_another_network_is_refused() {
    let (world, lot) = story();
    let bytes = world.capsule(&lot).encode_to_vec();
    let mut document = document();
    document.name = "Elsewhere".into();
    let other = Town::with(&document).trust();
    let refused = inspect(&bytes, &other, &world.acceptance()).unwrap_err();
    assert_eq!(refused.code(), "wrong-network");
}

#[test]
fn any_flipped_bit_is_refused_or_held() {
    let (world, lot) = story();
    let mut capsule = world.capsule(&lot);
    // Nobody asks about the opening here.
    capsule.opening.clear();
    let bytes = capsule.encode_to_vec();
    let acceptance = heatmark_evidence::capsule::Acceptance {
        mine: Some(heatmark_evidence::capsule::Mine::default()),
        concerns: vec![world.town.id(crate::world::LAB)],
        ..world.acceptance()
    };
    let judge = |bytes: &[u8]| inspect(bytes, &world.town.trust(), &acceptance);
    let honest = judge(&bytes).unwrap();
    assert_eq!(honest.outcome(), Outcome::Accept, "{:?}", honest.codes());
    for at in (0..bytes.len()).step_by(23) {
        let mut bent = bytes.clone();
        bent[at] ^= 1 << (at % 8);
        if let Ok(verdict) = judge(&bent) {
            assert_ne!(verdict.outcome(), Outcome::Accept, "byte {at}");
        }
    }
}

#[test]
fn an_event_is_the_one_whose_digest_seals_and_outputs_are_logged() {
    let (world, lot) = story();
    let capsule = world.capsule(&lot);
    let (outcome, codes) = bent(&world, &capsule, |capsule| {
        let mut event = Event::decode(&capsule.events[2].event).unwrap();
        event.until_ms = 1;
        capsule.events[2].event = event.encode();
    });
    assert_eq!(outcome, Outcome::Reject);
    assert!(codes.contains(&"event-digest"), "{codes:?}");
    let (_, codes) = bent(&world, &capsule, |capsule| capsule.events[2].blinds[0] ^= 1);
    assert!(codes.contains(&"wrong-seal"), "{codes:?}");
    let (_, codes) = bent(&world, &capsule, |capsule| capsule.events[2].blinds.truncate(31));
    assert!(codes.contains(&"seal-count"), "{codes:?}");
    let (_, codes) = bent(&world, &capsule, |capsule| {
        let proofs = capsule.events[3].proofs.clone();
        capsule.events[2].proofs = proofs;
    });
    assert!(codes.contains(&"proof-count"), "{codes:?}");
    // The certificate's origin seal.
    let (_, codes) = bent(&world, &capsule, |capsule| capsule.events[0].blinds[0] ^= 1);
    assert!(codes.contains(&"wrong-seal"), "{codes:?}");
}

#[test]
fn more_than_went_in_is_refused_although_it_stands_on_the_log() {
    let mut world = World::new();
    let heat = world.certificate("1", "t");
    let billet = world.commission(heat, &[(1_000_000_000, 1)]);
    // The forge puts more on the log than it had, with proofs of another event.
    let class = billet[0].lot.lot().content.class;
    let mut ring = world.lot(1_000_000_001, 1, class);
    let input = Input { leaf: LeafIndex(billet[0].at.0), output: 0 };
    let mut event = Event::new(Kind::Transform, bytes32("salt"), vec![input], Vec::new());
    let honest = world.lot(1_000_000_000, 1, class);
    let mut witness = Witness {
        inputs: vec![billet[0].lot.clone()],
        outputs: vec![honest.lot],
        ..Witness::default()
    };
    witness.describe(&mut event);
    let network = world.network();
    let making = Making { network: &network, event: &event, witness: &witness, certified: None };
    let proofs = making.prove(&mut rand::rng()).unwrap();
    witness.outputs = vec![ring.lot.clone()];
    witness.describe(&mut event);
    ring.at = (world.post(FORGE, &event, &proofs, &[billet[0].seal]), 0);
    let verdict = world.inspect(&world.capsule(&ring)).unwrap();
    assert_eq!(verdict.codes(), ["balance", "uncertified"]);
    assert_eq!(verdict.outcome(), Outcome::Reject);
    assert_eq!(verdict.certified_permille, 0);
}

#[test]
fn a_lot_with_two_provenances_is_refused() {
    let mut world = World::new();
    let heat = world.certificate("10", "t");
    let billets = world.commission(heat, &[(1_000_000_000, 1), (1_000_000_000, 1)]);
    // One and the same lot, under one seal, out of two events.
    let class = billets[0].lot.lot().content.class;
    let twin = world.lot(1_000_000_000, 1, class);
    let first = world.make_of((MILL, Kind::Transform), &billets[..1], vec![twin.clone()]);
    let second = world.make_of((MILL, Kind::Transform), &billets[1..], vec![twin]);
    let (mut one, mut two) = (first[0].clone(), second[0].clone());
    assert_eq!(world.inspect(&world.capsule(&one)).unwrap().outcome(), Outcome::Reject);
    // Nor can both be used: the seal breaks once.
    (one.seal, two.seal) = (first[0].seal, second[0].seal);
    let used = world.transfer(FORGE, &[one]);
    let verdict = world.inspect(&world.capsule(&used[0])).unwrap();
    assert_eq!(verdict.outcome(), Outcome::Reject);
    let again = two.lot.lot().sealed_anew(Hash(bytes32("another")), &mut rand::rng());
    let out = two.lot.moved_to(again).unwrap();
    let input = Input { leaf: LeafIndex(two.at.0), output: 0 };
    let mut event = Event::new(Kind::Transfer, bytes32("again"), vec![input], Vec::new());
    Witness { inputs: vec![two.lot], outputs: vec![out], ..Witness::default() }
        .describe(&mut event);
    let logged = pb::LotEvent {
        digest: event.digest(&world.network()).0.to_vec(),
        outputs: vec![event.outputs[0].hash(&world.network()).0.to_vec()],
        carrier: world.town.id(ASSEMBLER).to_vec(),
    };
    let payload = pb::body::Payload::LotEvent(logged);
    let key = (pb::CoSigner::Seal, world.seeds.key(two.seal));
    let posted = world.town.tx_with(ASSEMBLER, payload, &[key]);
    let refused = world.town.propose(&[posted]).refused;
    assert_eq!(refused[0].1.code(), "seal-broken");
}

#[test]
fn an_input_that_is_not_the_lot_whose_seal_was_broken_is_refused() {
    let mut world = World::new();
    let heat = world.certificate("10", "t");
    let billets = world.commission(heat, &[(1_000_000_000, 1), (2_000_000_000, 1)]);
    // The seal of the light lot is broken, the heavy one is named.
    let class = billets[0].lot.lot().content.class;
    let mut ring = world.lot(2_000_000_000, 1, class);
    let input = Input { leaf: LeafIndex(billets[1].at.0), output: 1 };
    let mut event = Event::new(Kind::Transform, bytes32("salt"), vec![input], Vec::new());
    let witness = Witness {
        inputs: vec![billets[1].lot.clone()],
        outputs: vec![ring.lot.clone()],
        ..Witness::default()
    };
    witness.describe(&mut event);
    let network = world.network();
    let making = Making { network: &network, event: &event, witness: &witness, certified: None };
    let proofs = making.prove(&mut rand::rng()).unwrap();
    ring.at = (world.post(FORGE, &event, &proofs, &[billets[0].seal]), 0);
    let verdict = world.inspect(&world.capsule(&ring)).unwrap();
    assert_eq!(verdict.codes(), ["wrong-seal", "uncertified"]);
    let sealed = verdict.findings.iter().find(|finding| finding.check == Check::Sealed).unwrap();
    assert_eq!(sealed.outcome, Outcome::Reject);
}

#[test]
fn a_lot_that_its_own_event_or_a_later_one_makes_is_refused() {
    let mut world = World::new();
    let heat = world.certificate("10", "t");
    let billets = world.commission(heat, &[(1_000_000_000, 1)]);
    let class = billets[0].lot.lot().content.class;
    let mut ring = world.lot(1_000_000_000, 1, class);
    let next = world.town.envelopes.len() as u64;
    for leaf in [next, next + 1] {
        let input = Input { leaf: LeafIndex(leaf), output: 0 };
        let mut event = Event::new(Kind::Transform, bytes32("salt"), vec![input], Vec::new());
        event.outputs = vec![ring.lot.lot().clone()];
        let seal = world.seal();
        ring.at = (world.post(FORGE, &event, &Proofs::default(), &[seal]), 0);
        let codes = world.codes(&world.capsule(&ring));
        assert!(codes.contains(&"input-unknown") || codes.contains(&"seal-twice"), "{codes:?}");
        assert!(codes.contains(&"uncertified"), "{codes:?}");
    }
}

#[test]
fn a_certificate_copied_under_another_issuer_commissions_nothing() {
    let mut world = World::new();
    let heat = world.certificate("10", "t");
    // The forge anchors the mill's very record in its own batch.
    let root = heatmark_merkle::batch::root(&[world.records[heat].id]).unwrap().0.to_vec();
    let anchor = pb::body::Payload::Anchor(pb::Anchor { root, records: 1 });
    let anchor = world.town.tx(FORGE, anchor);
    world.town.commit(&[anchor]);
    let leaf = world.town.envelopes.len() as u64 - 1;
    let billets = world.commission(heat, &[(1_000_000_000, 1)]);
    world.records[heat].leaf = leaf;
    let mut capsule = world.capsule(&billets[0]);
    let key = heatmark_ledger::keys::PublicKey::of(&world.town.members[FORGE].signing).id();
    capsule.entries.push(world.entry(heatmark_ledger::state::key_key(&key)));
    capsule.entries.sort_by(|left, right| left.key.cmp(&right.key));
    let verdict = world.inspect(&capsule).unwrap();
    assert!(verdict.codes().contains(&"not-the-issuer"), "{:?}", verdict.codes());
    assert_eq!(verdict.outcome(), Outcome::Reject);
    assert!(verdict.sources.is_empty());
}

#[test]
fn one_serial_in_two_lots_is_refused() {
    use heatmark_lots::{Range, SerialSecret, SerialTree};
    let mut world = World::new();
    let heat = world.certificate("10", "t");
    let billets = world.commission(heat, &[(1_000_000, 1), (1_000_000, 1)]);
    let class = billets[0].lot.lot().content.class;
    let serials = (0..10).map(|n| format!("SN{n}")).collect();
    let tree = SerialTree::new(serials, &SerialSecret::new([1; 32])).unwrap();
    let all = || Some(tree.serials(vec![Range { first: 0, count: 10 }]).unwrap());
    let (first, second) =
        (world.lot_with(1_000_000, 10, class, all()), world.lot_with(1_000_000, 10, class, all()));
    let first = world.make_of((FORGE, Kind::Transform), &billets[..1], vec![first]);
    let second = world.make_of((FORGE, Kind::Transform), &billets[1..], vec![second]);
    let both = world.make(
        (FORGE, Kind::Merge),
        &[first[0].clone(), second[0].clone()],
        &[(2_000_000, 20)],
    );
    let verdict = world.inspect(&world.capsule(&both[0])).unwrap();
    assert_eq!(verdict.codes(), ["serial-twice"]);
    assert_eq!(verdict.outcome(), Outcome::Reject);
}
