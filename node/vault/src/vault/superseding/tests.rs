//! Superseding: marked with the successor's own write, told once, and still to be told after a crash.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail loudly"
)]

use heatmark_records::{Fields, Heading, Opening, Path as FieldPath, Secret, Value};
use tempfile::TempDir;

use super::*;
use crate::vault::tests::{open, placement, record};
use crate::{Actor, FileDigest, NewRecord};

/// A record of two tonnes of heat 4711 that takes another one's place.
fn successor_of(old: &RecordId, number: u8) -> NewRecord {
    let heading = Heading {
        network: [1; 32],
        form: "Metals 0.1.1".into(),
        issuer: [2; 32],
        alert_subject: [number; 32],
        origin_seal: None,
    };
    let mut fields = Fields::new();
    for (path, text) in [("certificate/supersedes", old.to_string()), ("heat", "47\t11".into())] {
        fields.insert(FieldPath::new(path).unwrap(), Value::Text(text)).unwrap();
    }
    let opening = Opening::seal(heading, fields, Secret::new([number; 32])).unwrap();
    NewRecord::of(opening, FileDigest::of(&[number]), "new.json".into(), u64::from(number)).unwrap()
}

fn row(vault: &Vault, id: &RecordId) -> crate::RecordRow {
    vault.records(&id.0, 1).unwrap().remove(0)
}

#[test]
fn a_superseded_record_is_marked_and_waits_to_be_told_until_its_successor_stands() {
    let dir = TempDir::new().unwrap();
    let old = record(1);
    let new = successor_of(&old.id, 2);
    let vault = open(dir.path());
    vault.put_pending(&Actor::Node, std::slice::from_ref(&old)).unwrap();
    vault.put_pending(&Actor::Node, std::slice::from_ref(&new)).unwrap();
    assert_eq!(row(&vault, &old.id).superseded_by, Some(new.id));
    assert_eq!(row(&vault, &new.id).supersedes, Some(old.id));
    let material = row(&vault, &new.id).material;
    assert_eq!((material.heat.as_str(), material.mass_mg), ("47 11", None));
    assert!(material.commissions_nothing.contains("mass"), "{}", material.commissions_nothing);
    assert_eq!(vault.superseded_untold(9).unwrap(), []);
    vault.mark_anchored(&[(new.id, placement(7, 0))]).unwrap();
    drop(vault);
    let vault = open(dir.path());
    let told = Superseded { old: old.id, by: new.id };
    assert_eq!(vault.superseded_untold(9).unwrap(), [told]);
    assert_eq!(vault.superseded_untold(0).unwrap(), []);
    vault.superseded_told(&told).unwrap();
    drop(vault);
    let vault = open(dir.path());
    assert_eq!(vault.superseded_untold(9).unwrap(), []);
    assert_eq!(row(&vault, &old.id).superseded_by, Some(new.id));
}

#[test]
fn the_newest_successor_counts_and_what_was_told_of_another_does_not_hide_it() {
    let dir = TempDir::new().unwrap();
    let old = record(1);
    let (first, second) = (successor_of(&old.id, 2), successor_of(&old.id, 3));
    let vault = open(dir.path());
    vault.put_pending(&Actor::Node, std::slice::from_ref(&old)).unwrap();
    vault.put_pending(&Actor::Node, std::slice::from_ref(&first)).unwrap();
    vault.mark_anchored(&[(old.id, placement(7, 0)), (first.id, placement(7, 1))]).unwrap();
    let [told] = vault.superseded_untold(9).unwrap()[..] else { panic!("one is superseded") };
    vault.put_pending(&Actor::Node, std::slice::from_ref(&second)).unwrap();
    vault.superseded_told(&told).unwrap();
    vault.mark_anchored(&[(second.id, placement(8, 0))]).unwrap();
    let expected = Superseded { old: old.id, by: second.id };
    assert_eq!(vault.superseded_untold(9).unwrap(), [expected]);
    assert_eq!(row(&vault, &old.id).superseded_by, Some(second.id));
}

#[test]
fn a_record_that_is_not_here_is_not_marked() {
    let dir = TempDir::new().unwrap();
    let vault = open(dir.path());
    let new = successor_of(&record(1).id, 2);
    vault.put_pending(&Actor::Node, std::slice::from_ref(&new)).unwrap();
    vault.mark_anchored(&[(new.id, placement(7, 0))]).unwrap();
    assert_eq!(vault.superseded_untold(9).unwrap(), []);
}
