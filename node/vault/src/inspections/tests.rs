//! Inspections are kept once, found again by those that repeat them, and what they came to can be destroyed.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail loudly"
)]

use tempfile::TempDir;

use super::*;
use crate::vault::tests::{holds, open};

const FOUND: &[u8] = b"CANARY-oxygen-7-ppm-CANARY";

fn row(id: u8, before: &[u8]) -> InspectionRow {
    InspectionRow {
        id: vec![id; 32],
        at_ms: 5,
        verdict: "hold".to_owned(),
        before: before.to_vec(),
        ..InspectionRow::default()
    }
}

#[test]
fn an_inspection_is_kept_once_and_gives_what_it_was_given_to_those_that_repeat_it() {
    let dir = TempDir::new().unwrap();
    let vault = open(dir.path());
    let given = vec![3; 2 << 20];
    assert!(vault.put_inspection(&row(1, &[]), Some(&given), b"held").unwrap());
    assert!(vault.put_inspection(&row(2, &[1; 32]), None, FOUND).unwrap());
    assert!(!vault.put_inspection(&row(2, &[1; 32]), None, b"another").unwrap());
    drop(vault);
    let vault = open(dir.path());
    for id in [[1; 32], [2; 32]] {
        assert_eq!(vault.given_to_inspection(&id).unwrap().unwrap().as_slice(), given);
    }
    assert_eq!(vault.given_to_inspection(&[3; 32]).unwrap(), None);
    assert_eq!(vault.found_by_inspection(&[2; 32]).unwrap().unwrap().as_slice(), FOUND);
    assert_eq!(vault.inspections().unwrap(), [row(1, &[]), row(2, &[1; 32])]);
}

#[test]
fn what_an_inspection_came_to_is_destroyed_and_its_verdict_stays() {
    let dir = TempDir::new().unwrap();
    let vault = open(dir.path());
    vault.put_inspection(&row(2, &[]), Some(b"given"), FOUND).unwrap();
    let place = [&b"yk"[..], &index(super::FOUND, &[2; 32])].concat();
    let sealed = vault.db.get(crate::database::Family::Erasable, &place).unwrap().unwrap();
    vault.destroy_inspection(&[2; 32]).unwrap();
    vault.destroy_inspection(&[2; 32]).unwrap();
    assert_eq!(vault.found_by_inspection(&[2; 32]).unwrap(), None);
    let left = vault.inspection(&[2; 32]).unwrap().unwrap();
    assert_eq!((left.destroyed, left.verdict.as_str()), (true, "hold"));
    assert_eq!(vault.given_to_inspection(&[2; 32]).unwrap().unwrap().as_slice(), b"given");
    drop(vault);
    assert!(!holds(dir.path(), &sealed), "the key is in a file");
    assert!(!holds(dir.path(), FOUND), "what it came to is in a file");
}
