//! A program in another language runs a whole deal from the .proto files alone.

use super::stage::{self, AGENTS, ARBITER, BUYER, OWNER, member, report};
use crate::town::Town;
use serde_json::{Value, json};
use std::env;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// A Python that can sign for its certificate; `./scripts/check` installs one and names it.
fn python() -> Option<String> {
    let named = env::var("HEATMARK_PYTHON").ok().filter(|name| !name.is_empty());
    let known = ["python3", "/usr/bin/python3"].map(str::to_owned);
    named.into_iter().chain(known).find(|python| {
        let mut command = Command::new(python);
        command.args(["-c", "import nacl.bindings"]).stdin(Stdio::null());
        command.output().is_ok_and(|output| output.status.success())
    })
}

/// A party's node, and the key that its people come with.
fn party(town: &Town, name: &str) -> Value {
    let target = town.devnet.target(name).unwrap();
    json!({
        "address": target.address,
        "server_key": hex::encode(target.server_key.to_bytes()),
        "key_file": town.devnet.node(name).unwrap().home.join("keys/p2p.key"),
    })
}

#[tokio::test]
async fn a_program_in_python_runs_a_whole_deal_from_the_proto_files() {
    let Some(python) = python() else {
        let named = env::var_os("HEATMARK_PYTHON").is_some_and(|name| !name.is_empty());
        assert!(!named, "HEATMARK_PYTHON cannot sign");
        eprintln!("SKIPPED: no Python with PyNaCl is here (Debian: apt-get install python3-nacl)");
        return;
    };
    let town = stage::town(&[]).await;
    let report = report();
    let (record, policy) = stage::published(&town, &report);
    let parties = json!({
        "record": record,
        "policy": policy,
        "document": town.path("report.pdf"),
        "agents": AGENTS.map(|agent| member(&town, agent)),
        "parties": {
            "owner": party(&town, OWNER), "buyer": party(&town, BUYER), "arbiter": party(&town, ARBITER),
        },
    });
    let tree = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(python);
    command.env("PYTHONDONTWRITEBYTECODE", "1").arg(tree.join("clients/buy_escrowed.py"));
    command.arg(tree.join("../proto")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(parties.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["fields"], &told["same"]), (&3.into(), &true.into()), "{told}");
    assert_eq!(told["documents"], json!(["report.pdf"]));
    assert_eq!(told["stranger"], "not-own-member");
    // The command sees what the program did.
    let deal = told["deal"].as_str().unwrap();
    let view = stage::phase_is(&town, deal, BUYER, "settled").await;
    assert_eq!(view["opened"], true, "{view}");
    assert!(fs::read(town.path("report.pdf")).unwrap() == report);
    town.down().await;
}
