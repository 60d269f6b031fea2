//! What was verified before never makes a receipt pass that would not pass alone.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    reason = "tests fail loudly"
)]

use super::*;
use heatmark_ledger::wire;
use serde_json::Value;

fn golden() -> Vec<(TrustRoot, pb::Receipt)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/receipts.json");
    let text: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let bytes = |case: &Value, field: &str| hex::decode(case[field].as_str().unwrap()).unwrap();
    let pinned = |case: &&Value| case["trust_kind"] == "pinned" && case["receipt"].is_string();
    let read = |case: &Value| {
        let trust = TrustRoot::from_pinned(&bytes(case, "trust")).ok()?;
        let receipt = wire::decode(&bytes(case, "receipt"), 1 << 20).ok()?;
        Some((trust, receipt))
    };
    text["cases"].as_array().unwrap().iter().filter(pinned).filter_map(read).collect()
}

fn outcome(result: Result<Verified, ReceiptError>) -> Result<(Hash, u64, Vec<u8>), &'static str> {
    result
        .map(|v| (v.transaction_id.0, v.leaf_index.0, v.header.hash().0.0.to_vec()))
        .map_err(|error| error.code())
}

#[test]
fn every_golden_receipt_gets_the_same_answer_whatever_was_verified_before() {
    let cases = golden();
    let (mut passed, mut refused) = (0, 0);
    for (trust, _) in &cases {
        let known = CertifiedHeaders::default();
        for _ in 0..2 {
            for (_, receipt) in &cases {
                let alone = outcome(receipt::verify(receipt, trust));
                if alone.is_ok() {
                    passed += 1
                } else {
                    refused += 1
                }
                assert_eq!(outcome(known.verify(receipt, trust)), alone);
            }
        }
    }
    assert!(passed > 10 && refused > 10, "{passed} passed, {refused} were refused");
}

#[test]
fn a_certificate_changed_by_a_byte_is_verified_again_and_refused() {
    let (trust, receipt) = golden()
        .into_iter()
        .find(|(trust, receipt)| receipt::verify(receipt, trust).is_ok())
        .unwrap();
    let known = CertifiedHeaders::default();
    known.verify(&receipt, &trust).unwrap();
    let signatures = receipt.certificate.as_ref().unwrap().signatures.len();
    for at in 0..signatures {
        let mut changed = receipt.clone();
        changed.certificate.as_mut().unwrap().signatures[at].signature[9] ^= 1;
        let error = known.verify(&changed, &trust).unwrap_err();
        assert_eq!(error.code(), "certificate-signature");
    }
    let mut changed = receipt.clone();
    changed.header.as_mut().unwrap().time_ms += 1;
    known.verify(&changed, &trust).unwrap_err();
    known.verify(&receipt, &trust).unwrap();
}
