//! Proofs of one field: what they show, and every way to bend one.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    reason = "tests fail loudly"
)]

use crate::opening::tests::{fields, heading, opening};
use crate::{FieldProof, Opening, Path, RecordError, Secret, Value};

fn path(text: &str) -> Path {
    Path::new(text).unwrap()
}

#[test]
fn shows_every_field_and_absence() {
    let opening = opening(40);
    let tree = opening.tree().unwrap();
    for (path, value) in opening.fields().iter() {
        let proof = tree.show(path).unwrap();
        assert_eq!(proof.value.as_ref(), Some(value));
        assert_eq!(proof.verify(&tree.id()), Ok(()));
        assert_eq!(FieldProof::decode(&proof.encode()), Ok(proof));
    }
    let absent = tree.show(&path("field/nine")).unwrap();
    assert_eq!(absent.value, None);
    assert_eq!(absent.verify(&tree.id()), Ok(()));
    assert_eq!(FieldProof::decode(&absent.encode()), Ok(absent));
}

#[test]
fn does_not_show_another_field_in_place_of_an_absent_one() {
    let opening = opening(120);
    let tree = opening.tree().unwrap();
    let taken = (0..4000)
        .filter(|n| tree.show(&path(&format!("absent/{n}"))) == Err(RecordError::SlotTaken))
        .count();
    assert!(taken > 0, "of 4000 paths some fall into one of 120 taken slots");
}

#[test]
fn rejects_proof_one_hash_short_or_long() {
    let opening = opening(3);
    let tree = opening.tree().unwrap();
    let mut proof = tree.show(&path("field/1")).unwrap();
    let last = proof.siblings.pop().unwrap();
    assert_eq!(proof.verify(&tree.id()), Err(RecordError::WrongLength));
    proof.siblings.extend([last, last]);
    assert_eq!(proof.verify(&tree.id()), Err(RecordError::WrongLength));
}

#[test]
fn rejects_a_present_field_as_absent_and_an_absent_one_as_present() {
    let opening = opening(3);
    let tree = opening.tree().unwrap();
    let mut present = tree.show(&path("field/1")).unwrap();
    present.value = None;
    assert_eq!(present.verify(&tree.id()), Err(RecordError::WrongRoot));
    let mut absent = tree.show(&path("nothing")).unwrap();
    absent.value = Some(Value::Text("something".into()));
    assert_eq!(absent.verify(&tree.id()), Err(RecordError::WrongRoot));
}

#[test]
fn rejects_a_field_under_another_path_issuer_or_record() {
    let opening = opening(3);
    let tree = opening.tree().unwrap();
    let proof = tree.show(&path("field/1")).unwrap();
    let moved = FieldProof { path: path("field/2"), ..proof.clone() };
    assert_eq!(moved.verify(&tree.id()), Err(RecordError::WrongRoot));
    let mut stolen = proof.clone();
    stolen.head.heading.issuer = [77; 32];
    assert_eq!(stolen.verify(&tree.id()), Err(RecordError::WrongRoot));
    let other = Opening::seal(heading(), fields(3), Secret::new([10; 32])).unwrap();
    assert_eq!(proof.verify(&other.check().unwrap()), Err(RecordError::WrongRoot));
}

#[test]
fn two_issuers_of_the_same_fields_have_different_roots() {
    let mut other = heading();
    other.issuer = [4; 32];
    let mine = opening(3);
    let theirs = Opening::seal(other, fields(3), Secret::new([9; 32])).unwrap();
    assert_ne!(mine.check().unwrap(), theirs.check().unwrap());
    let proof = mine.tree().unwrap().show(&path("field/1")).unwrap();
    let reused = FieldProof { head: theirs.head().clone(), ..proof };
    assert_eq!(reused.verify(&theirs.check().unwrap()), Err(RecordError::WrongRoot));
}

#[test]
fn one_flipped_bit_anywhere_is_refused() {
    let opening = opening(2);
    let tree = opening.tree().unwrap();
    let encoded = tree.show(&path("field/0")).unwrap().encode();
    for at in 0..encoded.len() {
        for bit in 0..8 {
            let mut bent = encoded.clone();
            bent[at] ^= 1 << bit;
            let accepted =
                FieldProof::decode(&bent).is_ok_and(|proof| proof.verify(&tree.id()).is_ok());
            assert!(!accepted, "byte {at} bit {bit}");
        }
    }
}
