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

use crate::opening::tests::{analysis, fields, heading, measured, number, opening};
use crate::proof::Said;
use crate::{
    Blinding, FieldProof, Opening, Path, Quantity, RecordError, RecordTree, Relation, Secret, Value,
};

fn path(text: &str) -> Path {
    Path::new(text).unwrap()
}

fn verify(opening: &Opening, tree: &RecordTree<'_>, proof: &FieldProof) -> Result<(), RecordError> {
    proof.verify(opening.head(), &tree.id())
}

#[test]
fn shows_every_field_and_absence() {
    for opening in [opening(40), analysis()] {
        let tree = opening.tree().unwrap();
        for (path, value) in opening.fields().iter() {
            let proof = tree.show(path).unwrap();
            assert_eq!(proof.value(), Some(value));
            assert_eq!(verify(&opening, &tree, &proof), Ok(()));
            assert_eq!(FieldProof::decode(&proof.encode()), Ok(proof));
        }
        let absent = tree.show(&path("field/nine")).unwrap();
        assert_eq!(absent.said, Said::Absent);
        assert_eq!(verify(&opening, &tree, &absent), Ok(()));
        assert_eq!(FieldProof::decode(&absent.encode()), Ok(absent));
    }
}

#[test]
fn shows_results_without_their_numbers() {
    let opening = analysis();
    let tree = opening.tree().unwrap();
    for (path, value) in opening.fields().iter() {
        let proof = tree.show_committed(path).unwrap();
        assert_eq!(verify(&opening, &tree, &proof), Ok(()));
        assert_eq!(FieldProof::decode(&proof.encode()), Ok(proof.clone()));
        match (&proof.said, value.numbers().is_empty()) {
            (Said::Committed(committed), false) => {
                assert_eq!(committed.quantity.figures().count(), value.numbers().len());
            }
            (Said::Shown { blindings, .. }, true) => assert!(blindings.is_empty()),
            other => panic!("{path}: {other:?}"),
        }
    }
}

#[test]
fn what_is_shown_without_numbers_differs_in_nothing_that_depends_on_them() {
    let leaf = |text: &str| {
        let mut fields = crate::Fields::new();
        let value = measured("%", Quantity::Number(Relation::Equal, number(text)));
        fields.insert(path("chemistry/C"), value).unwrap();
        let opening = Opening::seal(heading(), fields, Secret::new([9; 32])).unwrap();
        let tree = opening.tree().unwrap();
        match tree.show_committed(&path("chemistry/C")).unwrap().said {
            Said::Committed(committed) => committed.encode(),
            other => panic!("{other:?}"),
        }
    };
    let (low, high) = (leaf("0.001"), leaf("-9999999.999"));
    assert_eq!(low.len(), high.len());
    assert_eq!(low[..5], high[..5]);
    assert_ne!(low[5..37], high[5..37]);
    assert_eq!(low[37..], high[37..]);
}

#[test]
fn rejects_another_number_blinding_scale_unit_or_relation() {
    let opening = analysis();
    let tree = opening.tree().unwrap();
    let proof = tree.show(&path("chemistry/C")).unwrap();
    let Said::Shown { blindings, .. } = &proof.said else { panic!("it is shown") };
    let other = tree.show(&path("chemistry/S")).unwrap();
    let Said::Shown { blindings: others, .. } = &other.said else { panic!("it is shown") };
    let single = |relation, text| Quantity::Number(relation, number(text));
    let said =
        |value: Value, blindings: &[Blinding]| Said::Shown { value, blindings: blindings.to_vec() };
    let cases = [
        said(measured("%", single(Relation::Equal, "0.022")), blindings),
        said(measured("%", single(Relation::Equal, "-0.021")), blindings),
        said(measured("%", single(Relation::Equal, "0.0210")), blindings),
        said(measured("%", single(Relation::Less, "0.021")), blindings),
        said(measured("ppm", single(Relation::Equal, "0.021")), blindings),
        said(measured("%", single(Relation::Equal, "0.021")), others),
    ];
    for (n, said) in cases.into_iter().enumerate() {
        let bent = FieldProof { said, ..proof.clone() };
        assert_eq!(verify(&opening, &tree, &bent), Err(RecordError::WrongRoot), "case {n}");
    }
    for blindings in [vec![], [blindings.as_slice(), others.as_slice()].concat()] {
        let value = proof.value().unwrap().clone();
        let bent = FieldProof { said: Said::Shown { value, blindings }, ..proof.clone() };
        assert_eq!(verify(&opening, &tree, &bent), Err(RecordError::WrongLength));
        assert_eq!(FieldProof::decode(&bent.encode()), Err(RecordError::WrongLength));
    }
}

#[test]
fn refuses_commitments_that_are_no_canonical_points() {
    let opening = analysis();
    let tree = opening.tree().unwrap();
    let encoded = tree.show_committed(&path("chemistry/C")).unwrap().encode();
    let Said::Committed(committed) = FieldProof::decode(&encoded).unwrap().said else {
        panic!("it is committed to")
    };
    let Quantity::Number(_, decimal) = &committed.quantity else { panic!("one number") };
    let point = *decimal.commitment.as_bytes();
    let at = encoded.windows(32).position(|window| window == point).unwrap();
    // The prime above which field elements have a second encoding, and a negative element.
    let mut prime = [0xff; 32];
    (prime[0], prime[31]) = (0xed, 0x7f);
    let mut one = [0; 32];
    one[0] = 1;
    for bad in [prime, one] {
        let mut bent = encoded.clone();
        bent[at..at + 32].copy_from_slice(&bad);
        assert_eq!(FieldProof::decode(&bent), Err(RecordError::BadCommitment));
    }
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
    assert_eq!(verify(&opening, &tree, &proof), Err(RecordError::WrongLength));
    proof.siblings.extend([last, last]);
    assert_eq!(verify(&opening, &tree, &proof), Err(RecordError::WrongLength));
}

#[test]
fn rejects_a_present_field_as_absent_and_an_absent_one_as_present() {
    let opening = opening(3);
    let tree = opening.tree().unwrap();
    let mut present = tree.show(&path("field/1")).unwrap();
    present.said = Said::Absent;
    assert_eq!(verify(&opening, &tree, &present), Err(RecordError::WrongRoot));
    let mut absent = tree.show(&path("nothing")).unwrap();
    absent.said = Said::Shown { value: Value::Text("something".into()), blindings: vec![] };
    assert_eq!(verify(&opening, &tree, &absent), Err(RecordError::WrongRoot));
}

#[test]
fn rejects_a_field_under_another_path_issuer_salt_or_record() {
    let opening = opening(3);
    let tree = opening.tree().unwrap();
    let proof = tree.show(&path("field/1")).unwrap();
    let moved = FieldProof { path: path("field/2"), ..proof.clone() };
    assert_eq!(verify(&opening, &tree, &moved), Err(RecordError::WrongRoot));
    let mut salted = proof.clone();
    salted.salt[31] ^= 1;
    assert_eq!(verify(&opening, &tree, &salted), Err(RecordError::WrongRoot));
    let mut stolen = opening.head().clone();
    stolen.heading.issuer = [77; 32];
    assert_eq!(proof.verify(&stolen, &tree.id()), Err(RecordError::WrongRoot));
    let other = Opening::seal(heading(), fields(3), Secret::new([10; 32])).unwrap();
    let id = other.check().unwrap();
    assert_eq!(proof.verify(opening.head(), &id), Err(RecordError::WrongRoot));
    assert_eq!(proof.verify(other.head(), &id), Err(RecordError::WrongRoot));
}

#[test]
fn two_issuers_of_the_same_fields_have_different_roots() {
    let mut other = heading();
    other.issuer = [4; 32];
    let mine = opening(3);
    let theirs = Opening::seal(other, fields(3), Secret::new([9; 32])).unwrap();
    assert_ne!(mine.check().unwrap(), theirs.check().unwrap());
    let proof = mine.tree().unwrap().show(&path("field/1")).unwrap();
    let reused = proof.verify(theirs.head(), &theirs.check().unwrap());
    assert_eq!(reused, Err(RecordError::WrongRoot));
}

#[test]
fn one_flipped_bit_anywhere_is_refused() {
    let opening = analysis();
    let tree = opening.tree().unwrap();
    for proof in [
        tree.show(&path("chemistry/C")).unwrap(),
        tree.show_committed(&path("chemistry/C")).unwrap(),
    ] {
        let encoded = proof.encode();
        for at in 0..encoded.len() {
            for bit in 0..8 {
                let mut bent = encoded.clone();
                bent[at] ^= 1 << bit;
                let accepted = FieldProof::decode(&bent)
                    .is_ok_and(|proof| verify(&opening, &tree, &proof).is_ok());
                assert!(!accepted, "byte {at} bit {bit}");
            }
        }
    }
}
