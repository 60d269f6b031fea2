//! The commands that need no running node, through the real binary: exit codes, JSON, files.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    reason = "tests fail loudly"
)]

use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

fn heatmark(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_heatmark"))
        .args(arguments)
        .current_dir(directory)
        .env_clear()
        .env("HOME", directory)
        .output()
        .unwrap()
}

fn expect(directory: &Path, exit: i32, arguments: &[&str]) -> String {
    let output = heatmark(directory, arguments);
    let (out, err) = (output.stdout, String::from_utf8(output.stderr).unwrap());
    let out = String::from_utf8(out).unwrap();
    assert_eq!(output.status.code(), Some(exit), "{arguments:?}\n{out}\n{err}");
    assert!(!err.contains("panicked") && !err.contains("RUST_BACKTRACE"), "{err}");
    if exit > 0 && !out.is_empty() && !arguments.contains(&"--json") {
        assert!(err.is_empty() || err.contains("next:") || err.contains("Usage"), "{err}");
    }
    out
}

fn json(directory: &Path, exit: i32, arguments: &[&str]) -> Value {
    let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
    serde_json::from_str(&expect(directory, exit, &arguments)).unwrap()
}

fn generate(directory: &Path, home: &str, name: &str, extra: &[&str]) -> Value {
    let mut arguments = vec!["keys", "generate", "--home", home, "--legal-name", name];
    arguments.extend(["--country", "SE", "--role", "supplier"]);
    arguments.extend(extra);
    json(directory, 0, &arguments)
}

fn two_founders() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    generate(dir.path(), "mill", "Norra Stål AB", &["--validator", "--power", "2"]);
    generate(dir.path(), "forge", "Forge GmbH", &["--lei", "549300EXAMPLE0000001"]);
    let init = ["network", "init", "--name", "steel", "--out", "genesis.note"];
    let entries = ["--time-ms", "1700000000000", "mill/entry.json", "forge/entry.json"];
    json(dir.path(), 0, &[&init[..], &entries[..]].concat());
    dir
}

#[test]
fn founders_found_a_network_by_one_document_and_one_fingerprint() {
    let dir = two_founders();
    let dir = dir.path();
    let shown = json(dir, 1, &["network", "show", "genesis.note"]);
    assert_eq!(shown["signed"], false);
    assert_eq!(shown["unsigned"].as_array().unwrap().len(), 2);
    let fingerprint = shown["fingerprint"].clone();
    let groups: Vec<&str> = fingerprint.as_str().unwrap().split(' ').collect();
    assert_eq!((groups.len(), groups[0].len()), (16, 4));

    // Both sign copies, which are then brought together.
    fs::copy(dir.join("genesis.note"), dir.join("copy.note")).unwrap();
    let signed = json(dir, 0, &["network", "sign", "genesis.note", "--home", "mill"]);
    assert_eq!(signed["fingerprint"], fingerprint);
    assert_eq!(signed["unsigned"][0]["legal_name"], "Forge GmbH");
    json(dir, 0, &["network", "sign", "copy.note", "--home", "forge"]);
    json(dir, 1, &["network", "show", "genesis.note"]);
    let merged =
        json(dir, 0, &["network", "merge", "genesis.note", "copy.note", "--out", "all.note"]);
    assert_eq!(merged["signed"], true);
    let shown = json(dir, 0, &["network", "show", "all.note"]);
    assert_eq!(shown["fingerprint"], fingerprint);
    assert_eq!(shown["founders"].as_array().unwrap().len(), 2);
    assert!(expect(dir, 0, &["network", "show", "all.note"]).contains("Norra Stål AB"));

    // Signing again changes nothing.
    let before = fs::read(dir.join("all.note")).unwrap();
    json(dir, 0, &["network", "sign", "all.note", "--home", "mill"]);
    assert_eq!(fs::read(dir.join("all.note")).unwrap(), before);
}

#[test]
fn a_stranger_cannot_sign_and_other_documents_do_not_merge() {
    let dir = two_founders();
    let dir = dir.path();
    generate(dir, "stranger", "Stranger", &[]);
    let refused = json(dir, 1, &["network", "sign", "genesis.note", "--home", "stranger"]);
    assert_eq!(refused["ok"], false);
    expect(dir, 1, &["network", "sign", "genesis.note", "--home", "stranger"]);
    let init = ["network", "init", "--name", "steel", "--out", "other.note"];
    json(dir, 0, &[&init[..], &["mill/entry.json", "stranger/entry.json"]].concat());
    expect(dir, 1, &["network", "merge", "genesis.note", "other.note", "--out", "x.note"]);
    assert!(!dir.join("x.note").exists());
    // Neither is an existing document replaced by another one.
    expect(dir, 2, &["network", "merge", "genesis.note", "--out", "other.note"]);
    expect(dir, 2, &[&init[..], &["mill/entry.json", "forge/entry.json"]].concat());
}

#[test]
fn a_tampered_genesis_is_refused() {
    let dir = two_founders();
    let dir = dir.path();
    json(dir, 0, &["network", "sign", "genesis.note", "--home", "mill"]);
    let text = fs::read_to_string(dir.join("genesis.note")).unwrap();
    fs::write(dir.join("bad.note"), text.replace("\"power\": 2", "\"power\": 3")).unwrap();
    let refused = json(dir, 2, &["network", "show", "bad.note"]);
    assert!(refused["error"]["why"].as_str().is_some());
    expect(dir, 2, &["network", "show", "missing.note"]);
}

#[test]
fn parameters_are_set_by_name_and_refused_when_unknown_or_out_of_range() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    generate(dir, "mill", "Mill", &["--validator"]);
    let init = |parameter: &str, exit| {
        let arguments = ["network", "init", "--name", "n", "--out", "g.note", "--parameter"];
        let answer = json(dir, exit, &[&arguments[..], &[parameter, "mill/entry.json"]].concat());
        let _ = fs::remove_file(dir.join("g.note"));
        answer
    };
    assert_eq!(init("heartbeat_ms=5000", 0)["parameters"]["heartbeat_ms"], 5000);
    for refused in ["heartbeat=5", "heartbeat_ms", "heartbeat_ms=soon", "max_batch_records=0"] {
        init(refused, 2);
    }
    // Without a voter there is no network.
    generate(dir, "forge", "Forge", &[]);
    let none = ["network", "init", "--name", "n", "--out", "g.note", "forge/entry.json"];
    expect(dir, 2, &none);
}

#[test]
fn keys_are_shown_backed_up_and_restored() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let made = generate(dir, "mill", "Mill", &["--validator"]);
    assert_eq!(made["keys"].as_array().unwrap().len(), 6);
    let shown = json(dir, 0, &["keys", "show", "--home", "mill"]);
    assert_eq!(shown["peer_id"], made["peer_id"]);
    let peer_id = expect(dir, 0, &["keys", "show", "--home", "mill", "--peer-id"]);
    assert_eq!(peer_id.trim(), made["peer_id"]);
    let backup = json(dir, 0, &["keys", "backup", "--home", "mill", "--to", "mill.backup"]);
    assert_eq!(backup["encrypted"], false);
    expect(dir, 2, &["keys", "backup", "--home", "mill", "--to", "mill.backup"]);
    expect(dir, 0, &["keys", "restore", "--home", "again", "--from", "mill.backup"]);
    let again = json(dir, 0, &["keys", "show", "--home", "again"]);
    let public = |shown: &Value| {
        let keys = shown["keys"].as_array().unwrap().iter();
        keys.map(|key| key["public"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(public(&again), public(&shown));
    assert_eq!(
        fs::read(dir.join("mill/entry.json")).unwrap(),
        fs::read(dir.join("again/entry.json")).unwrap()
    );
    expect(dir, 2, &["keys", "restore", "--home", "again", "--from", "mill.backup"]);
    let again = ["keys", "generate", "--home", "mill", "--legal-name", "x", "--country", "SE"];
    expect(dir, 2, &[&again[..], &["--role", "lab"]].concat());
    expect(dir, 2, &["keys", "show", "--home", "nowhere"]);
}

#[test]
fn a_seed_can_be_brought_from_a_backup() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    generate(dir, "old", "Mill", &[]);
    generate(dir, "new", "Mill", &["--seed", "old/keys/seed.key"]);
    let seed = |home: &str| fs::read(dir.join(home).join("keys/seed.key")).unwrap();
    assert_eq!(seed("old"), seed("new"));
    let signing = |home: &str| fs::read(dir.join(home).join("keys/signing.key")).unwrap();
    assert_ne!(signing("old"), signing("new"));
}

#[test]
fn encrypted_keys_open_with_the_passphrase_alone() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("right"), "Thomasmehl\n").unwrap();
    fs::write(dir.join("wrong"), "Bessemer\n").unwrap();
    for name in ["right", "wrong"] {
        fs::set_permissions(dir.join(name), fs::Permissions::from_mode(0o600)).unwrap();
    }
    generate(dir, "mill", "Mill", &["--validator", "--passphrase-file", "right"]);
    let init = ["network", "init", "--name", "n", "--out", "g.note", "mill/entry.json"];
    json(dir, 0, &init);
    let sign = ["network", "sign", "g.note", "--home", "mill"];
    expect(dir, 2, &sign);
    expect(dir, 2, &[&sign[..], &["--passphrase-file", "wrong"]].concat());
    json(dir, 0, &[&sign[..], &["--passphrase-file", "right"]].concat());
    json(dir, 0, &["network", "show", "g.note"]);
}

#[test]
fn entries_that_the_registry_would_refuse_are_refused_when_they_are_made() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let refused: [&[&str]; 6] = [
        &["--legal-name", "x", "--country", "se", "--role", "lab"],
        &["--legal-name", "x", "--country", "SE", "--role", "king"],
        &["--legal-name", "x", "--country", "SE"],
        &["--legal-name", " x", "--country", "SE", "--role", "lab"],
        &["--legal-name", "x", "--country", "SE", "--role", "lab", "--identifier", "vat=1"],
        &["--legal-name", "x", "--country", "SE", "--role", "validator"],
    ];
    for arguments in refused {
        let all = [&["keys", "generate", "--home", "x"][..], arguments].concat();
        expect(dir, 2, &all);
        assert!(!dir.join("x").exists(), "{arguments:?}");
    }
}

#[test]
fn a_checked_home_can_run_and_a_faulty_one_is_told_what_is_wrong() {
    let dir = two_founders();
    let dir = dir.path();
    expect(dir, 2, &["config", "check", "--home", "mill"]);
    let made = json(dir, 0, &["config", "init", "--home", "mill", "--moniker", "mill"]);
    assert_eq!(made["mode"], "validator");
    expect(dir, 2, &["config", "init", "--home", "mill"]);
    json(dir, 1, &["config", "check", "--home", "mill"]);
    fs::copy(dir.join("genesis.note"), dir.join("mill/genesis.note")).unwrap();
    let unsigned = json(dir, 1, &["config", "check", "--home", "mill"]);
    assert!(unsigned.to_string().contains("not signed yet"));
    for home in ["mill", "forge"] {
        json(dir, 0, &["network", "sign", "mill/genesis.note", "--home", home]);
    }
    let checked = json(dir, 0, &["config", "check", "--home", "mill"]);
    assert_eq!(checked["ok"], true);
    fs::set_permissions(dir.join("mill/keys/p2p.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let exposed = json(dir, 1, &["config", "check", "--home", "mill"]);
    assert!(exposed.to_string().contains("chmod 600"));
    expect(dir, 2, &["config", "check", "--home", "mill", "--set", "node.nonsense=1"]);
    expect(dir, 2, &["node", "run", "--home", "mill"]);
}

#[test]
fn a_receipt_is_judged_without_a_node() {
    let dir = two_founders();
    let dir = dir.path();
    fs::write(dir.join("empty.receipt"), "").unwrap();
    let verify = ["receipt", "verify", "--trust", "genesis.note"];
    // Not signed by all: no trust root.
    expect(dir, 2, &[&verify[..], &["empty.receipt"]].concat());
    for home in ["mill", "forge"] {
        json(dir, 0, &["network", "sign", "genesis.note", "--home", home]);
    }
    let refused = json(dir, 1, &[&verify[..], &["empty.receipt"]].concat());
    assert_eq!(refused["receipts"][0]["verdict"], "refused");
    assert!(refused["receipts"][0]["code"].as_str().is_some());
    let unreadable = json(dir, 2, &[&verify[..], &["missing.receipt"]].concat());
    assert_eq!(unreadable["receipts"][0]["verdict"], "unreadable");
    // What is refused outweighs what cannot be read.
    expect(dir, 1, &[&verify[..], &["missing.receipt", "empty.receipt"]].concat());
    expect(dir, 2, &["receipt", "verify", "--trust", "empty.receipt", "empty.receipt"]);
}

#[test]
fn a_node_that_does_not_answer_gives_exit_code_3() {
    let dir = two_founders();
    let dir = dir.path();
    for home in ["mill", "forge"] {
        json(dir, 0, &["network", "sign", "genesis.note", "--home", home]);
    }
    fs::copy(dir.join("genesis.note"), dir.join("mill/genesis.note")).unwrap();
    json(dir, 0, &["config", "init", "--home", "mill"]);
    // Port 1 of loopback: nobody listens there.
    let set = ["--home", "mill", "--set", "api.grpc_listen=127.0.0.1:1"];
    let commands: [&[&str]; 5] = [
        &["log", "status"],
        &["log", "tail"],
        &["log", "audit"],
        &["member", "list"],
        &["receipt", "show", "0"],
    ];
    for command in commands {
        let failed = json(dir, 3, &[command, &set[..]].concat());
        assert_eq!(failed["ok"], false, "{command:?}");
        assert!(failed["error"]["next"].as_str().is_some(), "{command:?}");
    }
}

/// Every command's path, found by reading help pages as a person would.
fn commands(directory: &Path, path: &[String]) -> Vec<Vec<String>> {
    let mut arguments: Vec<&str> = path.iter().map(String::as_str).collect();
    arguments.push("--help");
    let help = expect(directory, 0, &arguments);
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = listed.take_while(|line| !line.is_empty());
    let names = names.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let mut found = Vec::new();
    for name in names.filter_map(|line| line.split_whitespace().next()) {
        let mut below = path.to_vec();
        below.push(name.to_owned());
        found.extend(commands(directory, &below));
    }
    if found.is_empty() {
        assert!(help.contains("Example:"), "{path:?} teaches by example\n{help}");
        assert!(help.contains("--json"), "{path:?} answers machines too");
        found.push(path.to_vec());
    }
    found
}

#[test]
fn every_command_is_found_by_help_and_teaches_by_example() {
    let dir = tempfile::tempdir().unwrap();
    let found: Vec<String> =
        commands(dir.path(), &[]).into_iter().map(|path| path.join(" ")).collect();
    for expected in [
        "keys generate",
        "keys show",
        "keys backup",
        "keys restore",
        "keys root",
        "network init",
        "network sign",
        "network merge",
        "network show",
        "network parameters",
        "network upgrade",
        "network restart propose",
        "network restart show",
        "network restart sign",
        "network restart merge",
        "network restart apply",
        "config init",
        "config check",
        "node run",
        "cert publish",
        "cert list",
        "receipt show",
        "receipt verify",
        "receipt pin",
        "receipt key",
        "scan",
        "label",
        "log status",
        "log tail",
        "log audit",
        "member list",
        "member show",
        "member add",
        "member cosign",
        "member submit",
        "member rotate",
        "member leave",
        "member replace-root",
        "member roles",
        "member suspend",
        "vote",
        "alert raise",
        "alert clear",
        "alert status",
        "completions",
        "version",
    ] {
        assert!(found.iter().any(|path| path == expected), "{expected} in {found:?}");
    }
}

#[test]
fn labels_are_drawn_and_scans_read_without_a_node() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let draw = |exit: i32, more: &[&str]| {
        let label =
            ["label", "--gtin", "09506000134352", "--lot", "RING/48", "--expiry", "2027-01-31"];
        json(dir, exit, &[&label, more].concat())
    };
    draw(0, &["--serial", "0007", "--out", "one.png"]);
    assert!(std::fs::read(dir.join("one.png")).unwrap().starts_with(b"\x89PNG"));
    draw(0, &["--symbol", "qr", "--resolver", "https://id.example.com", "--out", "one.svg"]);
    assert!(std::fs::read_to_string(dir.join("one.svg")).unwrap().starts_with("<svg"));
    let serials: String = (0..100).map(|n| format!("S-{n}\n")).collect();
    std::fs::write(dir.join("serials"), serials).unwrap();
    let sheets = draw(0, &["--serials-from", "serials", "--out", "sheet.svg"]);
    assert_eq!(sheets["labels"], 100);
    assert!(sheets["files"].as_array().unwrap().len() > 1);
    assert!(dir.join("sheet-2.svg").is_file());
    for wrong in [
        &["--out", "one.pdf"][..],
        &["--serials-from", "serials", "--out", "sheet.png"],
        &["--module", "0.1", "--out", "one.svg"],
        &["--module", "5mm", "--out", "one.svg"],
        &["--serial", "with blank", "--out", "one.svg"],
        &["--serials-from", "none", "--out", "sheet.svg"],
    ] {
        let label = ["label", "--gtin", "09506000134352", "--lot", "RING/48"];
        expect(dir, 2, &[&label, wrong].concat());
    }
    let read = json(dir, 0, &["scan", "(01)09506000134352(17)270131(10)RING/48(21)0007"]);
    assert_eq!(read["readings"][0]["serial"], "0007");
    assert_eq!(read["readings"][0]["dates"][0]["day"], "2027-01-31");
    let several = expect(dir, 0, &["scan", "010950600013435210RING48210007"]);
    assert!(several.contains("Reading 2"), "{several}");
    expect(dir, 1, &["scan", "(01)09506000134353(10)RING/48"]);
    expect(dir, 2, &["scan", "a word"]);
    expect(dir, 2, &["scan", "-"]);
}

#[test]
fn wrong_usage_exits_with_2_and_shows_the_usage() {
    let dir = tempfile::tempdir().unwrap();
    for arguments in [&["nonsense"][..], &["keys", "generate"], &["vote", "00"], &["member", "add"]]
    {
        let output = heatmark(dir.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(String::from_utf8(output.stderr).unwrap().contains("Usage:"), "{arguments:?}");
    }
}
