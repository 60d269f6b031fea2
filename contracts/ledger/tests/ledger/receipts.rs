//! Receipts and state proofs: sound ones verify from genesis and from pinned headers, across
//! changes of the validator set; whatever differs in a single byte does not.

use crate::cases::Prepared;
use crate::evidence::{cases, pinned, verdict};
use crate::town::Town;
use heatmark_ledger::ids::Height;
use heatmark_ledger::receipt::{self, TrustRoot};
use heatmark_ledger::state;
use prost::Message;

#[test]
fn evidence_meets_its_fate_and_every_code_occurs() {
    let all = cases();
    let mut wrong = Vec::new();
    for case in &all {
        let found = verdict(case);
        if found != case.expect {
            wrong.push(format!("{}: expected {}, found {found}", case.name, case.expect));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let occurred: std::collections::BTreeSet<_> = all.iter().map(|case| case.expect).collect();
    assert_eq!(occurred.len(), 16, "14 codes, `ok` and `input`: {occurred:?}");
    let refused = all.iter().filter(|case| case.expect != "ok").count();
    assert!(refused > all.len() / 2, "negatives outnumber positives");
}

#[test]
fn rejects_a_receipt_with_any_bit_flipped() {
    let town = Town::with_two_set_changes();
    let trust = town.trust();
    let sound = town.receipt(4, Height(0)).encode_to_vec();
    receipt::verify_bytes(&sound, &trust).unwrap();
    for position in 0..sound.len() {
        for bit in [0, 3, 7] {
            let mut flipped = sound.clone();
            flipped[position] ^= 1 << bit;
            let found = receipt::verify_bytes(&flipped, &trust);
            assert!(found.is_err(), "bit {bit} of byte {position}");
        }
    }
}

#[test]
fn rejects_a_state_proof_with_any_bit_flipped() {
    let town = Town::with_two_set_changes();
    let trust = TrustRoot::from_pinned(&pinned(&town, 5)).unwrap();
    for key in [state::parameters_key(), state::pending_key(), b"nothing".to_vec()] {
        let sound = town.state_proof(&key, Height(5)).encode_to_vec();
        let said = receipt::verify_state_bytes(&sound, &trust).unwrap();
        assert_eq!(said.value.is_some(), key != b"nothing");
        for position in 0..sound.len() {
            for bit in [0, 3, 7] {
                let mut flipped = sound.clone();
                flipped[position] ^= 1 << bit;
                // The same proof may show that a similar key is absent too; it says so, then.
                let other_absent = |said: receipt::VerifiedState| {
                    said.value.is_none() && said.key != key && key == b"nothing"
                };
                let found = receipt::verify_state_bytes(&flipped, &trust);
                assert!(
                    !found.is_ok_and(|said| !other_absent(said)),
                    "bit {bit} of byte {position}"
                );
            }
        }
    }
}

#[test]
fn a_receipt_says_what_stands_on_the_log() {
    let Prepared { town, .. } = crate::cases::prepared();
    for (leaf, envelope) in town.envelopes.iter().enumerate() {
        let receipt = town.receipt(leaf as u64, Height(0)).encode_to_vec();
        let said = receipt::verify_bytes(&receipt, &town.trust()).unwrap();
        let transaction = town.decode(envelope).unwrap();
        assert_eq!(said.transaction_id, transaction.id());
        assert_eq!(said.signer, transaction.signer());
        assert_eq!(&said.body, transaction.body());
        assert_eq!(said.header.hash().0, town.tip.hash);
    }
}
