#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

use super::cast;
use std::collections::BTreeSet;

fn names(validators: usize, observers: usize) -> Vec<String> {
    cast(validators, observers).into_iter().map(|organisation| organisation.name).collect()
}

#[test]
fn four_companies_vote_and_the_regulator_watches() {
    assert_eq!(names(4, 1), ["mill", "forge", "assembler", "lab", "regulator"]);
    let town = cast(4, 1);
    assert!(town[..4].iter().all(|organisation| organisation.validator));
    assert!(!town[4].validator);
}

#[test]
fn the_escrow_agent_votes_when_there_is_room_and_else_watches() {
    assert_eq!(names(5, 1)[4..], ["escrow-agent", "regulator"]);
    assert_eq!(names(4, 3)[4..], ["regulator", "bearing-maker", "escrow-agent"]);
}

#[test]
fn no_name_stands_twice_in_a_large_town() {
    let town = names(13, 7);
    let distinct: BTreeSet<&String> = town.iter().collect();
    assert_eq!((town.len(), distinct.len()), (20, 20));
    assert!(town.contains(&"mill-2".to_owned()) && town.contains(&"regulator-2".to_owned()));
}

#[test]
fn a_town_of_seven_has_three_agents() {
    let town = cast(4, 3);
    let agents = town.iter().filter(|organisation| organisation.roles.contains(&"escrow-agent"));
    let names: Vec<&str> = agents.map(|organisation| organisation.name.as_str()).collect();
    assert_eq!(names, ["lab", "regulator", "escrow-agent"]);
}
