//! The second verifier, in another language, must say the same of the golden file and of evidence
//! mutated at random. Skipped, and said so, where no Python can import PyNaCl.

use crate::evidence::{Case, Evidence, Trust, pinned, verdict};
use crate::town::Town;
use crate::vectors::{receipts_json, vectors_directory};
use heatmark_ledger::ids::Height;
use heatmark_ledger::state;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use prost::Message;
use std::path::Path;
use std::process::Command;

fn python() -> Option<String> {
    let configured = std::env::var("HEATMARK_PYTHON").ok();
    let usual = ["python3", "/usr/bin/python3"].map(str::to_owned);
    configured.into_iter().chain(usual).find(|python| {
        let imports = Command::new(python).args(["-B", "-c", "import nacl.bindings"]).output();
        imports.is_ok_and(|output| output.status.success())
    })
}

fn judge(file: &Path) {
    let Some(python) = python() else {
        println!("SKIPPED: no Python with PyNaCl (Debian: apt-get install python3-nacl)");
        return;
    };
    let verifier = vectors_directory().join("../verifier/heatmark_verify.py");
    let output =
        Command::new(python).arg("-B").arg(verifier).arg("vectors").arg(file).output().unwrap();
    assert!(
        output.status.success(),
        "the second verifier disagrees:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn the_second_verifier_says_the_same_of_the_golden_files() {
    judge(&vectors_directory().join("receipts.json"));
    judge(&vectors_directory().join("restarts.json"));
}

/// Sound evidence, mutated where it hurts: a byte set, put in, taken out, or two regions swapped.
#[test]
fn the_second_verifier_says_the_same_of_mutated_evidence() {
    let town = Town::with_two_set_changes();
    let trust = Trust::Pinned(pinned(&town, 2));
    let receipt = town.receipt(4, Height(2)).encode_to_vec();
    let proof = town.state_proof(&state::pending_key(), Height(2)).encode_to_vec();
    let mut runner = TestRunner::deterministic();
    let strategy = proptest::collection::vec((0_usize..4_000, 0_u8..=255, 0_u8..5), 1..3);
    let mut all: Vec<Case> = Vec::new();
    let restarted = crate::evidence::restarted_town();
    let crossing = restarted.receipt(0, Height(0)).encode_to_vec();
    for number in 0..1_800 {
        let crosses = number % 6 == 1;
        let mut bytes = match number % 3 {
            0 => proof.clone(),
            _ if crosses => crossing.clone(),
            _ => receipt.clone(),
        };
        for (at, byte, kind) in strategy.new_tree(&mut runner).unwrap().current() {
            let at = at % bytes.len();
            match kind {
                0 => bytes[at] = byte,
                1 => bytes[at] ^= 1 << (byte % 8),
                2 => bytes.insert(at, byte),
                3 => drop(bytes.remove(at)),
                // The fields that lengths and numbers stand in are near the front of each part.
                _ => bytes[at] = bytes[at].wrapping_add(1),
            }
        }
        let evidence =
            if number % 3 == 0 { Evidence::State(bytes) } else { Evidence::Receipt(bytes) };
        let trust = if crosses { Trust::Genesis(restarted.text()) } else { trust.clone() };
        let mut case = Case { name: format!("{number}"), trust, evidence, expect: "" };
        case.expect = verdict(&case);
        all.push(case);
    }
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutated-receipts.json");
    // Codes may differ where a mutation breaks two rules; verdicts may not.
    std::fs::write(&file, receipts_json(&all, false)).unwrap();
    judge(&file);
}
