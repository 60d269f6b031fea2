//! Letters in the vault: kept across restarts, one however often they come, within each member's room.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail loudly"
)]

use super::*;
use crate::vault::tests::open;

const FROM: [u8; 32] = [1; 32];
const OTHER: [u8; 32] = [2; 32];

#[test]
fn a_letter_stays_until_it_is_delivered_across_a_restart() {
    let home = tempfile::TempDir::new().unwrap();
    let id = [7; 32];
    {
        let vault = open(home.path());
        vault.put_letter(&Actor::Node, (&id, &OTHER), "heat.disclosure", b"secret").unwrap();
    }
    let vault = open(home.path());
    let sent = vault.letters_sent().unwrap();
    assert_eq!((sent[0].id, sent[0].peer, sent[0].bytes), (id, OTHER, 6));
    assert_eq!(vault.letter_to_send(&id).unwrap().unwrap().as_slice(), b"secret");
    vault.letter_refused(&id).unwrap();
    assert!(vault.letters_sent().unwrap()[0].refused);
    vault.letter_delivered(&id).unwrap();
    assert!(vault.letters_sent().unwrap().is_empty());
    assert!(vault.letter_to_send(&id).unwrap().is_none());
}

#[test]
fn a_letter_that_comes_twice_is_one_and_one_thrown_away_stays_away() {
    let home = tempfile::TempDir::new().unwrap();
    let vault = open(home.path());
    let put = |from, content: &[u8]| {
        assert_eq!(vault.letter_arrived((&[7; 32], from), "a", content).unwrap(), Arrival::Kept);
    };
    put(&FROM, b"first");
    put(&FROM, b"another under its id");
    put(&OTHER, b"another sender's");
    let arrived = vault.letters_arrived().unwrap();
    assert_eq!(arrived.len(), 2);
    let firsts = arrived.iter().find(|row| row.peer == FROM).unwrap().id;
    let (_, content) = vault.arrived_letter(&firsts).unwrap().unwrap();
    assert_eq!(content.as_slice(), b"first");
    assert!(vault.drop_letter(&firsts).unwrap());
    assert!(!vault.drop_letter(&firsts).unwrap());
    put(&FROM, b"first");
    assert!(vault.arrived_letter(&firsts).unwrap().is_none());
    assert_eq!(vault.letters_arrived().unwrap().len(), 1);
}

#[test]
fn a_member_has_room_for_so_much_and_the_others_have_theirs() {
    let home = tempfile::TempDir::new().unwrap();
    let vault = open(home.path());
    let big = vec![0; 16 << 20];
    let mut kept = 0;
    for n in 0..20_u8 {
        kept +=
            u32::from(vault.letter_arrived((&[n; 32], &FROM), "a", &big).unwrap() == Arrival::Kept);
    }
    assert_eq!(kept, 16);
    // What is thrown away makes room again, and what came before restarts is counted.
    let first = vault.letters_arrived().unwrap()[0].id;
    assert!(vault.drop_letter(&first).unwrap());
    let put = |id: u8| vault.letter_arrived((&[id; 32], &FROM), "a", &big).unwrap();
    assert_eq!((put(100), put(101)), (Arrival::Kept, Arrival::NoRoom));
    drop(vault);
    let vault = open(home.path());
    let put = |id: u8| vault.letter_arrived((&[id; 32], &FROM), "a", &big).unwrap();
    assert_eq!(put(101), Arrival::NoRoom);
    assert_eq!(vault.letter_arrived((&[0; 32], &OTHER), "a", &big).unwrap(), Arrival::Kept);
}

#[test]
fn a_member_that_sends_and_is_thrown_away_leaves_so_many_marks_and_no_rows() {
    let home = tempfile::TempDir::new().unwrap();
    let vault = open(home.path());
    let id = |n: usize| {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&n.to_be_bytes());
        id
    };
    for n in 0..MAX_MARKS + 5 {
        vault.letter_arrived((&id(n), &FROM), "a", b"x").unwrap();
        assert!(vault.drop_letter(&letter_place(&id(n), &FROM)).unwrap());
    }
    assert_eq!(vault.marks(&FROM).unwrap().places.len(), MAX_MARKS);
    assert_eq!(vault.tally(&FROM).unwrap(), Tally::default());
    let mut rows = 0;
    vault
        .scan(&[ARRIVED], |_, _| {
            rows += 1;
            Ok(true)
        })
        .unwrap();
    assert_eq!(rows, 0);
    // The newest do not come again; the oldest are letters like any other.
    vault.letter_arrived((&id(MAX_MARKS), &FROM), "a", b"x").unwrap();
    assert!(vault.letters_arrived().unwrap().is_empty());
    vault.letter_arrived((&id(0), &FROM), "a", b"x").unwrap();
    assert_eq!(vault.letters_arrived().unwrap().len(), 1);
}

#[test]
fn a_member_without_room_waits_for_nobodys_write() {
    let home = tempfile::TempDir::new().unwrap();
    let vault = open(home.path());
    let big = vec![0; 16 << 20];
    for n in 0..16_u8 {
        vault.letter_arrived((&[n; 32], &FROM), "a", &big).unwrap();
    }
    let write = vault.begin().unwrap();
    let again = |id: u8| vault.letter_arrived((&[id; 32], &FROM), "a", &big).unwrap();
    assert_eq!((again(3), again(99)), (Arrival::Kept, Arrival::NoRoom));
    drop(write);
}
