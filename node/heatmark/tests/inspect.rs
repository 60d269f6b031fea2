//! `heatmark inspect` through the real binary, as far as it needs no node: what is refused before anything is judged, and files that
//! prove nothing.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests fail loudly"
)]

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::Command;
use tempfile::TempDir;

fn run(directory: &Path, exit: i32, arguments: &[&str]) -> (String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_heatmark"))
        .args(arguments)
        .current_dir(directory)
        .env_clear()
        .env("HOME", directory)
        .output()
        .unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(exit), "{arguments:?}\n{out}\n{err}");
    assert!(!err.contains("panicked") && !err.contains("RUST_BACKTRACE"), "{err}");
    (out, err)
}

/// A network of one founder, with its signed founding document.
fn founded() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path();
    let keys = ["keys", "generate", "--home", "mill", "--legal-name", "Norra", "--country", "SE"];
    run(dir, 0, &[&keys[..], &["--role", "supplier", "--validator"]].concat());
    let init = ["network", "init", "--name", "steel", "--out", "genesis.note", "mill/entry.json"];
    run(dir, 0, &init);
    run(dir, 0, &["network", "sign", "genesis.note", "--home", "mill"]);
    fs::write(dir.join("noise.capsule"), "noise").unwrap();
    directory
}

const INSPECT: [&str; 4] = ["inspect", "noise.capsule", "--trust", "genesis.note"];

#[test]
fn a_file_that_proves_nothing_is_rejected_and_reported() {
    let directory = founded();
    let dir = directory.path();
    let reports = ["--report", "r.html", "--report", "r.pdf", "--out", "r.json", "--json"];
    let (out, _) = run(dir, 1, &[&INSPECT[..], &reports].concat());
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&told["verdict"], &told["lines"][0]["code"]),
        (&"reject".into(), &"not-canonical".into())
    );
    assert_eq!(told["lots"][0]["proved"], Value::Null);
    let written: Value = serde_json::from_slice(&fs::read(dir.join("r.json")).unwrap()).unwrap();
    assert_eq!(written, told);
    assert!(fs::read_to_string(dir.join("r.html")).unwrap().contains("REJECT"));
    assert!(fs::read(dir.join("r.pdf")).unwrap().starts_with(b"%PDF-"));
    let (out, _) = run(dir, 1, &INSPECT);
    assert!(out.starts_with("REJECT\n") && out.contains("next: "), "{out}");
    // The home's own founding document does as well, without any key.
    fs::create_dir(dir.join("bare")).unwrap();
    fs::copy(dir.join("genesis.note"), dir.join("bare/genesis.note")).unwrap();
    run(dir, 1, &["inspect", "noise.capsule", "--home", "bare"]);
}

#[test]
fn what_cannot_be_read_is_named_before_anything_is_judged() {
    let directory = founded();
    let dir = directory.path();
    for (name, text) in [
        ("order.toml", "number = 1\nmas = '5 kg'"),
        ("policy.toml", "[[limits]]\nspecification = 'gone.toml'\nas = 'proved'"),
        ("readings.csv", "property,value\nchemistry/Cr,much\n"),
        ("font.ttf", "no font"),
    ] {
        fs::write(dir.join(name), text).unwrap();
    }
    for (more, named) in [
        (vec!["--order", "order.toml"], "mas"),
        (vec!["--policy", "policy.toml"], "gone.toml"),
        (vec!["--readings", "readings.csv"], "chemistry/Cr"),
        (vec!["--order", "none.toml"], "none.toml"),
        (vec!["--report", "r.doc"], "r.doc"),
        (vec!["--report", "r.pdf", "--font", "font.ttf"], "font"),
        (vec!["--by", "Anna"], "--dispose"),
        (vec!["--dispose", "accept"], "--by"),
        (vec!["--by", "Anna", "--dispose", "scrap"], "scrap"),
    ] {
        let (_, err) = run(dir, 2, &[&INSPECT[..], &more].concat());
        assert!(err.contains(named), "{more:?}: {err}");
    }
    let (_, err) = run(dir, 2, &["inspect", "gone.capsule", "--trust", "genesis.note"]);
    assert!(err.contains("neither a file nor a label"), "{err}");
    run(dir, 2, &["inspect"]);
    run(dir, 2, &["inspect", "noise.capsule", "--trust", "none.note"]);
    let hash = "ab".repeat(32);
    let (_, err) = run(dir, 2, &["inspect", &hash, "--trust", "genesis.note"]);
    assert!(err.contains("hash alone"), "{err}");
    // A scanned hash that none of the files has is another delivery's.
    let (_, err) = run(dir, 1, &[&INSPECT[..], &[&hash]].concat());
    assert!(err.contains("another capsule"), "{err}");
}

#[test]
fn a_decision_against_the_evidence_needs_a_reason() {
    let directory = founded();
    let dir = directory.path();
    let accept = [&INSPECT[..], &["--by", "Anna Berg", "--dispose", "accept"]].concat();
    let (_, err) = run(dir, 2, &accept);
    assert!(err.contains("REJECT") && err.contains("give the reason"), "{err}");
    // With one it would be recorded, for which a node has to be there: nothing is written before that.
    let reasoned =
        [&accept[..], &["--reason", "seen", "--report", "r.html", "--home", "mill"]].concat();
    run(dir, 2, &reasoned);
    assert!(!dir.join("r.html").exists());
}
