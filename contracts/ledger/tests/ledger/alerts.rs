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
        reasons: Vec::new(),
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

/// A recall and a concern whose reasons are known, and the reasons.
fn town_with_reasons() -> (Town, [pb::AlertReason; 2]) {
    let reason =
        |salt: u8, text: &str| pb::AlertReason { salt: vec![salt; 32], reason: text.to_owned() };
    let reasons = [reason(1, "retest of heat 48213 failed"), reason(2, "hardness off")];
    let digest = |reason: &pb::AlertReason| {
        let salt = reason.salt.as_slice().try_into().unwrap();
        alerts::reason_digest(salt, &reason.reason).0.to_vec()
    };
    let mut town = Town::with_two_set_changes();
    let recall =
        pb::Alert { reason_digest: digest(&reasons[0]), ..alert(&key("record"), Recall, 1) };
    let recall = town.tx_with(0, Payload::Alert(recall), &issuer(&key("record")));
    let Payload::Alert(worried) = concern(&key("record"), Hold, 1) else { panic!("a concern") };
    let worried = pb::Alert { reason_digest: digest(&reasons[1]), ..worried };
    let worried = town.tx(1, Payload::Alert(worried));
    town.commit(&[recall, worried]);
    (town, reasons)
}

#[test]
fn reasons_are_told_where_they_open_the_alerts_digests() {
    let (town, reasons) = town_with_reasons();
    let whole = file(&town, &subject("record"), Height(0));
    for told in [&reasons[..0], &reasons[..1], &reasons[1..], &reasons[..]] {
        let file = pb::AlertProof { reasons: told.to_vec(), ..whole.clone() };
        let standing = verify(&town, &file).unwrap();
        let texts: Vec<&str> = standing
            .issuers
            .iter()
            .chain(standing.concerns.iter().map(|(_, alert)| alert))
            .filter_map(|alert| standing.reason(alert))
            .collect();
        assert_eq!(texts, told.iter().map(|told| told.reason.as_str()).collect::<Vec<_>>());
    }
}

#[test]
fn a_reason_that_is_not_an_alerts_stands_twice_or_in_another_place_is_refused() {
    let (town, [first, second]) = town_with_reasons();
    let whole = file(&town, &subject("record"), Height(0));
    let other = |salt: Vec<u8>, reason: &str| pb::AlertReason { salt, reason: reason.to_owned() };
    for reasons in [
        vec![other(first.salt.clone(), "retest of heat 48213 passed")],
        vec![other(second.salt.clone(), &first.reason)],
        vec![other(first.salt[..31].to_vec(), &first.reason)],
        vec![other(Vec::new(), "")],
        vec![other(vec![9; 32], &"long".repeat(2_000))],
        vec![first.clone(), first.clone()],
        vec![second.clone(), first.clone()],
        vec![first.clone(), second, first],
    ] {
        let file = pb::AlertProof { reasons, ..whole.clone() };
        assert!(matches!(verify(&town, &file), Err(ReceiptError::Field("reasons"))));
    }
    // Nothing was ever raised against the other one.
    let (town, [first, _]) = town_with_reasons();
    let quiet = file(&town, &subject("another"), Height(0));
    let told = pb::AlertProof { reasons: vec![first], ..quiet };
    assert!(matches!(verify(&town, &told), Err(ReceiptError::Field("reasons"))));
}
