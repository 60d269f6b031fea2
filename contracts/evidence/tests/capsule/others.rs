//! What others put on the log beside a lot's own history cannot spoil its capsule: siblings that nobody asks about may name,
//! copy and number whatever they like.

use heatmark_evidence::capsule::Outcome;
use heatmark_ledger::{Hash, LeafIndex};
use heatmark_lots::{
    Event, Input, Kind, Making, OpenLot, Proofs, Range, SerialSecret, SerialTree, Serials, Terms,
    Witness,
};

use crate::town::bytes32;
use crate::world::{ASSEMBLER, FORGE, Held, MILL, World};

/// Two billets of one heat, one bought by the forge and one by the assembler.
fn two_buyers() -> (World, Held, Held) {
    let mut world = World::new();
    let heat = world.certificate("10", "t");
    let billets = world.commission(heat, &[(1_000_000, 10), (1_000_000, 10)]);
    let theirs = world.transfer(FORGE, &billets[..1]);
    (world, theirs[0].clone(), billets[1].clone())
}

fn accepted(world: &World, lot: &Held) {
    let verdict = world.inspect(&world.capsule(lot)).unwrap();
    assert_eq!(verdict.codes(), Vec::<&str>::new());
    assert_eq!(verdict.outcome(), Outcome::Accept);
}

fn terms_of(lot: &OpenLot) -> Terms {
    let content = lot.lot().content.clone();
    Terms {
        class: content.class,
        description: content.description,
        serials: content.serials,
        expires_ms: content.expires_ms,
        seal: lot.lot().seal,
    }
}

fn tree() -> SerialTree {
    let serials = (0..20).map(|n| format!("SN{n}")).collect();
    SerialTree::new(serials, &SerialSecret::new([1; 32])).unwrap()
}

fn places(tree: &SerialTree, first: u32) -> Option<Serials> {
    Some(tree.serials(vec![Range { first, count: 10 }]).unwrap())
}

#[test]
fn a_pair_beside_it_that_names_anothers_lot_spoils_nothing() {
    let (mut world, theirs, other) = two_buyers();
    // The forge hands its lot to the assembler, and in the same event pretends to hand over the other one.
    let seal = world.seal();
    let moved = theirs.lot.lot().sealed_anew(world.seeds.seal(seal), &mut rand::rng());
    let bought = theirs.lot.moved_to(moved).unwrap();
    let junk = world.lot(7, 7, Hash(bytes32("nothing")));
    let input = |held: &Held| Input { leaf: LeafIndex(held.at.0), output: held.at.1 };
    let inputs = vec![input(&theirs), input(&other)];
    let mut event = Event::new(Kind::Transfer, bytes32("two"), inputs, Vec::new());
    event.outputs = vec![bought.lot().clone(), junk.lot.lot().clone()];
    let seals = [theirs.seal, world.seal()];
    let leaf = world.post(ASSEMBLER, &event, &Proofs::default(), &seals);
    let bought = Held { lot: bought, at: (leaf, 0), seal };
    // The other lot is what it always was, and both are merged.
    let second = world.transfer(ASSEMBLER, &[other]);
    let both = [bought, second[0].clone()];
    let merged = world.make((ASSEMBLER, Kind::Merge), &both, &[(2_000_000, 20)]);
    accepted(&world, &merged[0]);
    // The pretended one itself is refused.
    let pretended = Held { at: (leaf, 1), ..junk };
    let mut capsule = world.capsule(&pretended);
    capsule.opening.clear();
    let codes = world.codes(&capsule);
    assert!(codes.contains(&"wrong-seal"), "{codes:?}");
}

#[test]
fn a_sibling_under_a_copied_seal_spoils_nothing() {
    let (mut world, theirs, other) = two_buyers();
    let class = theirs.lot.lot().content.class;
    let good = world.lot(400_000, 4, class);
    let copied = world.lot(600_000, 6, class);
    let terms = Terms { seal: other.lot.lot().seal, ..terms_of(&copied.lot) };
    let (mass, pieces) = (copied.lot.mass().clone(), copied.lot.pieces().clone());
    let copied = Held { lot: OpenLot::seal(mass, pieces, terms, &mut rand::rng()), ..copied };
    let halves = world.make_of((FORGE, Kind::Split), &[theirs], vec![good, copied]);
    let bought = world.transfer(ASSEMBLER, &halves[..1]);
    let both = [bought[0].clone(), other.clone()];
    let merged = world.make((ASSEMBLER, Kind::Merge), &both, &[(1_400_000, 14)]);
    accepted(&world, &merged[0]);
}

#[test]
fn two_lots_that_are_both_asked_about_cannot_share_a_seal() {
    let (mut world, theirs, other) = two_buyers();
    let class = theirs.lot.lot().content.class;
    let twin = world.lot(1_000_000, 10, class);
    let first = world.make_of((FORGE, Kind::Rework), &[theirs], vec![twin.clone()]);
    let second = world.make_of((MILL, Kind::Rework), &[other], vec![twin]);
    // The log breaks the seal once, so the second is named with a seal of something else.
    let named = [&first[0], &second[0]];
    let inputs = named.map(|held| Input { leaf: LeafIndex(held.at.0), output: held.at.1 });
    let mut event = Event::new(Kind::Merge, bytes32("both"), inputs.to_vec(), Vec::new());
    let mut merged = world.lot(2_000_000, 20, class);
    let witness = Witness {
        inputs: named.map(|held| held.lot.clone()).to_vec(),
        outputs: vec![merged.lot.clone()],
        ..Witness::default()
    };
    witness.describe(&mut event);
    let network = world.network();
    let making = Making { network: &network, event: &event, witness: &witness, certified: None };
    let proofs = making.prove(&mut rand::rng()).unwrap();
    let seals = [first[0].seal, world.seal()];
    merged.at = (world.post(FORGE, &event, &proofs, &seals), 0);
    let verdict = world.inspect(&world.capsule(&merged)).unwrap();
    assert_eq!(verdict.outcome(), Outcome::Reject);
    let codes = verdict.codes();
    assert!(codes.contains(&"seal-twice") && codes.contains(&"wrong-seal"), "{codes:?}");
}

#[test]
fn a_sibling_with_a_copied_tree_of_serials_spoils_nothing() {
    let (mut world, theirs, other) = two_buyers();
    let class = theirs.lot.lot().content.class;
    let tree = tree();
    let numbered = world.lot_with(1_000_000, 10, class, places(&tree, 0));
    let numbered = world.make_of((ASSEMBLER, Kind::Transform), &[other], vec![numbered]);
    // The forge saw the root in a capsule.
    let plain = world.lot(400_000, 4, class);
    let copied = world.lot_with(600_000, 10, class, places(&tree, 0));
    let made = world.make_of((FORGE, Kind::Transform), &[theirs], vec![plain, copied]);
    let bought = world.transfer(ASSEMBLER, &made[..1]);
    let both = [numbered[0].clone(), bought[0].clone()];
    let merged = world.make((ASSEMBLER, Kind::Merge), &both, &[(1_400_000, 14)]);
    accepted(&world, &merged[0]);
}

#[test]
fn one_relabelling_numbers_two_lots_from_one_tree() {
    let (mut world, theirs, other) = two_buyers();
    let first = world.transfer(ASSEMBLER, &[theirs]);
    let tree = tree();
    let lots = [first[0].clone(), other];
    let out: Vec<Held> = lots
        .iter()
        .zip([0, 10])
        .map(|(held, from)| {
            let seal = world.seal();
            let serials = places(&tree, from);
            let terms = Terms { serials, seal: world.seeds.seal(seal), ..terms_of(&held.lot) };
            let (mass, pieces) = (held.lot.mass().clone(), held.lot.pieces().clone());
            let lot = OpenLot::seal(mass, pieces, terms, &mut rand::rng());
            Held { lot, at: (0, 0), seal }
        })
        .collect();
    let relabelled = world.make_of((ASSEMBLER, Kind::Relabel), &lots, out);
    let merged = world.make((ASSEMBLER, Kind::Merge), &relabelled, &[(2_000_000, 20)]);
    accepted(&world, &merged[0]);
}
