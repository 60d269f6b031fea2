//! What stands against a record, as a file: verified offline, and refused when anything of it is
//! changed, left out or another subject's.

use crate::cases::{alert, concern, issuer};
use crate::town::{Town, key};
use heatmark_ledger::alerts::{self, Standing};
use heatmark_ledger::ids::{AlertSubject, Height};
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::messages as pb;
use heatmark_ledger::receipt::ReceiptError;
use pb::AlertLevel::{Clear, Hold, Recall};
use pb::body::Payload;
use prost::Message as _;

fn subject(label: &str) -> AlertSubject {
    PublicKey::of(&key(label)).alert_subject()
}

/// As a node's client puts it together.
fn file(town: &Town, subject: &AlertSubject, after: Height) -> pb::AlertProof {
    let members: Vec<_> = (0..4).map(|who| town.id(who)).collect();
    let mut sorted = members;
    sorted.sort();
    let proofs: Vec<pb::StateProof> =
        alerts::keys(subject, &sorted).iter().map(|key| town.state_proof(key, after)).collect();
    let first = proofs[0].clone();
    pb::AlertProof {
        subject: subject.to_vec(),
        header: first.header,
        certificate: first.certificate,
        set_changes: first.set_changes,
        entries: proofs
            .into_iter()
            .map(|p| pb::StateEntry { value: p.value, present: p.present, proof: p.proof })
            .collect(),
    }
}

fn town() -> Town {
    let mut town = Town::with_two_set_changes();
    let recall = Payload::Alert(alert(&key("record"), Recall, 1));
    let recall = town.tx_with(0, recall, &issuer(&key("record")));
    let worried = town.tx(1, concern(&key("record"), Hold, 1));
    town.commit(&[recall, worried]);
    town
}

fn verify(town: &Town, file: &pb::AlertProof) -> Result<Standing, ReceiptError> {
    alerts::verify_bytes(&file.encode_to_vec(), &town.trust())
}

#[test]
fn what_stands_and_that_nothing_stands_are_shown_as_of_a_header() {
    let town = town();
    let standing = verify(&town, &file(&town, &subject("record"), Height(0))).unwrap();
    assert_eq!((standing.level(), standing.issuers.unwrap().sequence), (Recall, 1));
    let concerns: Vec<_> =
        standing.concerns.iter().map(|(member, alert)| (*member, alert.level())).collect();
    assert_eq!(concerns, [(town.id(1), Hold)]);
    let other = verify(&town, &file(&town, &subject("another"), Height(0))).unwrap();
    assert_eq!((other.level(), other.issuers, other.concerns.len()), (Clear, None, 0));
    assert_eq!(other.header.height, standing.header.height);
}

#[test]
fn a_file_of_another_subject_or_without_a_member_is_refused() {
    let town = town();
    let quiet = file(&town, &subject("another"), Height(0));
    let passed_off = pb::AlertProof { subject: subject("record").to_vec(), ..quiet.clone() };
    assert!(matches!(verify(&town, &passed_off), Err(ReceiptError::State(_))));
    let whole = file(&town, &subject("record"), Height(0));
    for left_out in 0..whole.entries.len() {
        let mut less = whole.clone();
        less.entries.remove(left_out);
        assert!(verify(&town, &less).is_err(), "without entry {left_out}");
    }
    let mut more = whole.clone();
    more.entries.push(whole.entries[0].clone());
    assert!(matches!(verify(&town, &more), Err(ReceiptError::Field("entries"))));
    // Absence claimed where there is an alert.
    let mut denied = whole.clone();
    (denied.entries[0].present, denied.entries[0].value) = (false, Vec::new());
    assert!(matches!(verify(&town, &denied), Err(ReceiptError::State(_))));
    let mut uncertified = whole;
    uncertified.certificate.as_mut().unwrap().signatures.truncate(1);
    assert!(matches!(verify(&town, &uncertified), Err(ReceiptError::Certificate(_))));
}

#[test]
fn one_flipped_bit_anywhere_is_refused() {
    let town = town();
    let bytes = file(&town, &subject("record"), Height(0)).encode_to_vec();
    let trust = town.trust();
    alerts::verify_bytes(&bytes, &trust).unwrap();
    for at in 0..bytes.len() {
        let mut bent = bytes.clone();
        bent[at] ^= 1 << (at % 8);
        assert!(alerts::verify_bytes(&bent, &trust).is_err(), "byte {at} of {}", bytes.len());
    }
}
