//! Walks against a naive model, and the kinds that give their components back.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail loudly"
)]

use std::collections::{BTreeMap, BTreeSet};

use heatmark_lots::Kind;
use proptest::prelude::*;

use crate::{
    About, Bearing, Customer, Direction, Genealogy, GenealogyError, Holding, Holdings, LotId,
    NewEvent, Place, RecordKind, Told, Walker, Where, affected,
};

const MILL: [u8; 32] = [1; 32];
const FORGE: [u8; 32] = [2; 32];

fn at(leaf: u64, output: u32) -> Place {
    Place { leaf, output }
}

fn event(leaf: u64, kind: Kind, inputs: &[Place], outputs: u32) -> NewEvent<'_> {
    NewEvent { leaf, kind, inputs, outputs, carrier: MILL, removed: &[] }
}

fn reached(graph: &Genealogy, from: &[Place], direction: Direction) -> BTreeSet<Place> {
    let lots: Vec<LotId> = from.iter().map(|place| graph.find(*place).unwrap()).collect();
    let mut walker = Walker::default();
    let found = walker.walk(graph, lots, direction);
    let places: BTreeSet<Place> = found.iter().map(|lot| graph.place(*lot).unwrap()).collect();
    assert_eq!(places.len(), found.len(), "a lot was reached twice");
    places
}

fn built(events: &[NewEvent<'_>]) -> Genealogy {
    let mut graph = Genealogy::default();
    for event in events {
        assert!(graph.add(event).unwrap());
    }
    graph
}

#[test]
fn walks_reach_what_lots_are_made_of_and_what_is_made_of_them() {
    let graph = built(&[
        event(10, Kind::Commission, &[], 2),
        event(20, Kind::Transform, &[at(10, 0)], 2),
        event(30, Kind::Merge, &[at(20, 0), at(20, 1)], 1),
        event(40, Kind::Transform, &[at(10, 1)], 1),
    ]);
    let up = reached(&graph, &[at(30, 0)], Direction::Up);
    assert_eq!(up, BTreeSet::from([at(10, 0), at(20, 0), at(20, 1), at(30, 0)]));
    let down = reached(&graph, &[at(10, 0)], Direction::Down);
    assert_eq!(down, BTreeSet::from([at(10, 0), at(20, 0), at(20, 1), at(30, 0)]));
    assert_eq!(reached(&graph, &[at(10, 1)], Direction::Down), [at(10, 1), at(40, 0)].into());
}

#[test]
fn a_transfer_is_followed_through_the_pair_alone() {
    let graph = built(&[
        event(1, Kind::Commission, &[], 2),
        event(2, Kind::Transfer, &[at(1, 1), at(1, 0)], 2),
    ]);
    assert_eq!(reached(&graph, &[at(2, 0)], Direction::Up), [at(2, 0), at(1, 1)].into());
    assert_eq!(reached(&graph, &[at(1, 0)], Direction::Down), [at(1, 0), at(2, 1)].into());
}

#[test]
fn what_a_container_gives_back_is_of_its_own_component_only() {
    let graph = built(&[
        event(1, Kind::Commission, &[], 1),
        event(2, Kind::Commission, &[], 1),
        event(3, Kind::Aggregate, &[at(1, 0), at(2, 0)], 1),
        event(4, Kind::Transfer, &[at(3, 0)], 1),
        event(5, Kind::Disaggregate, &[at(4, 0)], 2),
    ]);
    let up = reached(&graph, &[at(5, 1)], Direction::Up);
    assert_eq!(up, [at(5, 1), at(2, 0)].into());
    let down = reached(&graph, &[at(1, 0)], Direction::Down);
    assert_eq!(down, [at(1, 0), at(3, 0), at(4, 0), at(5, 0)].into());
}

#[test]
fn a_removed_component_no_longer_bears_on_what_is_left() {
    let product = [at(4, 0)];
    let removal = NewEvent { removed: &[1], ..event(5, Kind::Remove, &product, 2) };
    let graph = built(&[
        event(1, Kind::Commission, &[], 1),
        event(2, Kind::Commission, &[], 2),
        event(3, Kind::Commission, &[], 1),
        event(4, Kind::Install, &[at(1, 0), at(2, 1), at(3, 0)], 1),
        removal,
        // Of what is left, the last component goes as well.
        NewEvent { removed: &[1], ..event(6, Kind::Remove, &[at(5, 1)], 2) },
    ]);
    assert_eq!(reached(&graph, &[at(5, 0)], Direction::Up), [at(5, 0), at(2, 1)].into());
    assert_eq!(reached(&graph, &[at(5, 1)], Direction::Up), [at(5, 1), at(1, 0), at(3, 0)].into());
    assert_eq!(reached(&graph, &[at(6, 0)], Direction::Up), [at(6, 0), at(3, 0)].into());
    assert_eq!(reached(&graph, &[at(6, 1)], Direction::Up), [at(6, 1), at(1, 0)].into());
    let down = reached(&graph, &[at(2, 1)], Direction::Down);
    assert_eq!(down, [at(2, 1), at(4, 0), at(5, 0)].into());
}

#[test]
fn what_was_worked_on_in_between_is_taken_for_the_whole() {
    let graph = built(&[
        event(1, Kind::Commission, &[], 1),
        event(2, Kind::Commission, &[], 1),
        event(3, Kind::Aggregate, &[at(1, 0), at(2, 0)], 1),
        event(4, Kind::Repair, &[at(3, 0)], 1),
        event(5, Kind::Disaggregate, &[at(4, 0)], 2),
    ]);
    let up = reached(&graph, &[at(5, 1)], Direction::Up);
    assert_eq!(up, [at(5, 1), at(4, 0), at(3, 0), at(1, 0), at(2, 0)].into());
}

#[test]
fn an_input_that_comes_later_is_joined() {
    let mut graph = built(&[event(30, Kind::Merge, &[at(10, 1), at(20, 0)], 1)]);
    assert_eq!(graph.missing(), 2);
    let lot = graph.find(at(30, 0)).unwrap();
    assert_eq!(graph.made_of(lot).unwrap().missing, 2);
    assert!(graph.add(&event(10, Kind::Commission, &[], 2)).unwrap());
    assert!(graph.add(&event(20, Kind::Transform, &[at(10, 0)], 1)).unwrap());
    assert_eq!(graph.missing(), 0);
    let up = reached(&graph, &[at(30, 0)], Direction::Up);
    assert_eq!(up, [at(10, 0), at(10, 1), at(20, 0), at(30, 0)].into());
    assert_eq!(reached(&graph, &[at(10, 1)], Direction::Down), [at(10, 1), at(30, 0)].into());
    graph.compact();
    assert_eq!(reached(&graph, &[at(10, 1)], Direction::Down), [at(10, 1), at(30, 0)].into());
}

#[test]
fn an_event_is_taken_once_and_never_before_its_inputs() {
    let mut graph = built(&[event(7, Kind::Commission, &[], 1)]);
    assert_eq!(graph.add(&event(7, Kind::Commission, &[], 3)), Ok(false));
    assert_eq!(graph.lots(), 1);
    let itself = [at(8, 0)];
    let itself = event(8, Kind::Transform, &itself, 1);
    assert_eq!(graph.add(&itself), Err(GenealogyError::Order));
    assert_eq!(graph.lots(), 1);
    // An output that its event does not have is not there.
    assert!(graph.add(&event(9, Kind::Transform, &[at(7, 1)], 1)).unwrap());
    assert_eq!(reached(&graph, &[at(9, 0)], Direction::Up), [at(9, 0)].into());
    let member = graph.member_index(&MILL).unwrap();
    assert_eq!(graph.carried_by(member).count(), 2);
    assert_eq!(graph.member_index(&FORGE), None);
}

#[test]
fn records_lead_to_the_lots_that_bear_them() {
    let graph = built(&[event(1, Kind::Commission, &[], 2), event(2, Kind::Commission, &[], 2)]);
    let mut about = About::default();
    about.bear([7; 32], RecordKind::Certificate, Bearing::Event(1));
    about.bear([7; 32], RecordKind::Certificate, Bearing::Event(1));
    about.bear([8; 32], RecordKind::Description, Bearing::Lot(2, 1));
    about.bear([9; 32], RecordKind::Certificate, Bearing::Event(99));
    let heat = Some("H-48213".to_owned());
    about.tell([7; 32], Told { subject: Some([70; 32]), heat, tools: Vec::new() });
    about.tell([7; 32], Told { tools: vec!["Die 4".to_owned()], ..Told::default() });
    assert_eq!(about.of_subject(&[70; 32]), [[7; 32]]);
    assert_eq!(about.of_heat(" h-48213 "), [[7; 32]]);
    assert_eq!(about.of_heat("h-4821"), [[0; 32]; 0]);
    assert_eq!(about.of_tool("die 4"), [[7; 32]]);
    assert_eq!(about.search("4821", 9), [[7; 32]]);
    let lots = |record| about.lots(&graph, &record).map(|lot| graph.place(lot).unwrap());
    assert_eq!(lots([7; 32]).collect::<Vec<_>>(), [at(1, 0), at(1, 1)]);
    assert_eq!(lots([8; 32]).collect::<Vec<_>>(), [at(2, 1)]);
    assert_eq!(lots([9; 32]).count(), 0);
}

#[test]
fn what_is_affected_is_summed_up_by_stock_and_customer() {
    let mut graph = built(&[event(1, Kind::Commission, &[], 4)]);
    let customer = graph.number_member(FORGE).unwrap();
    let lots: Vec<LotId> = graph.lots_at(1).collect();
    let mut holdings = Holdings::default();
    let wheres = [Where::Here, Where::Sent(customer), Where::Used];
    for ((lot, at), n) in lots.iter().zip(wheres).zip(1..) {
        let name = format!("LOT-{n}");
        holdings.put(*lot, Holding { name, mass_mg: 10 * n, pieces: n, at, from: None });
    }
    let found = affected(&lots, &holdings);
    assert_eq!((found.reached, found.own.len()), (4, 3));
    assert_eq!((found.stock.as_slice(), found.stock_mg, found.stock_pieces), (&lots[..1], 10, 1));
    let sent = Customer { lots: vec![lots[1]], mass_mg: 20, pieces: 2 };
    assert_eq!(found.customers, BTreeMap::from([(customer, sent)]));
    assert_eq!(holdings.search("lot-", 2), lots[..2]);
}

/// What is made of what, by the definition alone.
fn naive(
    events: &[(u64, Kind, Vec<Place>, u32)],
    from: Place,
    direction: Direction,
) -> BTreeSet<Place> {
    let mut edges = BTreeSet::new();
    for (leaf, kind, inputs, outputs) in events {
        for output in 0..*outputs {
            for (place, input) in (0_u32..).zip(inputs) {
                if !kind.is_pairwise() || place == output {
                    edges.insert((*input, at(*leaf, output)));
                }
            }
        }
    }
    let mut found = BTreeSet::from([from]);
    loop {
        let before = found.len();
        for (input, output) in &edges {
            match direction {
                Direction::Up if found.contains(output) => found.insert(*input),
                Direction::Down if found.contains(input) => found.insert(*output),
                _ => false,
            };
        }
        if found.len() == before {
            return found;
        }
    }
}

type Plan = Vec<(u8, Vec<u16>, u32)>;

/// Events at leaves 10, 20, …; each takes lots of earlier ones.
fn planned(plan: &Plan) -> Vec<(u64, Kind, Vec<Place>, u32)> {
    let mut lots = Vec::new();
    let mut events = Vec::new();
    for ((kind, picks, outputs), leaf) in plan.iter().zip((10_u64..).step_by(10)) {
        let mut inputs: Vec<Place> = Vec::new();
        for pick in picks {
            if !lots.is_empty() {
                let place: Place = lots[usize::from(*pick) % lots.len()];
                if !inputs.contains(&place) {
                    inputs.push(place);
                }
            }
        }
        let pairwise = kind % 2 == 0;
        let kind = if pairwise { Kind::Transfer } else { Kind::Transform };
        let outputs = if pairwise { u32::try_from(inputs.len()).unwrap() } else { *outputs };
        lots.extend((0..outputs).map(|output| at(leaf, output)));
        events.push((leaf, kind, inputs, outputs));
    }
    events
}

proptest! {
    #[test]
    fn walks_are_what_the_definition_says_in_whatever_order_events_come(
        plan in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u16>(), 0..4), 0_u32..4), 1..40),
        keys in prop::collection::vec(any::<u32>(), 40),
        compacted in any::<bool>(),
    ) {
        let events = planned(&plan);
        let mut order: Vec<usize> = (0..events.len()).collect();
        order.sort_by_key(|n| keys[*n]);
        let mut graph = Genealogy::default();
        for n in order {
            let (leaf, kind, inputs, outputs) = &events[n];
            prop_assert!(graph.add(&event(*leaf, *kind, inputs, *outputs)).unwrap());
        }
        if compacted {
            graph.compact();
        }
        prop_assert_eq!(graph.missing(), 0);
        for (leaf, _, _, outputs) in &events {
            for output in 0..*outputs {
                for direction in [Direction::Up, Direction::Down] {
                    let place = at(*leaf, output);
                    let wanted = naive(&events, place, direction);
                    prop_assert_eq!(reached(&graph, &[place], direction), wanted);
                }
            }
        }
    }
}
