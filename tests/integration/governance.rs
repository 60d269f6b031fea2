//! Keys, members, versions and validators that change while the network runs, and one that is
//! restarted by its members after half of its validators are lost for good. Whatever changes,
//! receipts from before verify, by both verifiers.

use crate::town::{LONG, Town};
use heatmark::keys::KeyKind;
use heatmark_client::Proven;
use heatmark_ledger::ids::Height;
use heatmark_ledger::receipt::TrustRoot;
use prost::Message;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const POLL: Duration = Duration::from_millis(100);

/// Waits until a condition holds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < LONG, "{what}");
        tokio::time::sleep(POLL).await;
    }
}

/// Everybody approves until the proposal is decided.
fn vote(town: &Town, proposed: &Value, homes: &[&str]) {
    let proposal = proposed["proposal"].as_str().unwrap();
    for home in homes {
        // The vote that decides closes the proposal; those after it are refused.
        let arguments = ["vote", proposal, "approve", "--home", home];
        let ran = town.devnet.program().run(&arguments).unwrap();
        assert!(matches!(ran.code, Some(0 | 1)), "{}", ran.stderr);
    }
}

/// Commits an anchor through a node that may not answer just now.
async fn tried(town: &Town, name: &str) -> bool {
    let Ok(client) = town.devnet.client(name).await else { return false };
    client.submit_and_wait(town.anchor(name), LONG).await.is_ok()
}

fn keep(town: &Town, name: &str, proven: &Proven) {
    fs::write(town.path(name), proven.receipt.encode_to_vec()).unwrap();
}

/// Both verifiers accept these files from genesis; the second is left out where it cannot run.
fn verify(town: &Town, trust: &Path, receipts: &[&str]) {
    let trust = trust.display().to_string();
    let mut arguments = vec!["receipt", "verify", "--trust", &trust];
    arguments.extend(receipts);
    town.command(0, &arguments);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("verifier/heatmark_verify.py");
    let python = ["python3", "/usr/bin/python3"].into_iter().find(|python| {
        let mut command = Command::new(python);
        command.args(["-c", "import nacl.bindings"]).stdin(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    });
    let Some(python) = python else {
        eprintln!("SKIPPED: no Python with PyNaCl for the second verifier");
        return;
    };
    let mut command = Command::new(python);
    command.arg("-B").arg(script).args(["receipt", "--trust", &trust]).args(receipts);
    let output = command.current_dir(town.devnet.directory()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

async fn public(town: &Town, name: &str, kind: KeyKind) -> [u8; 32] {
    town.devnet.key(name, kind).unwrap().verifying_key().to_bytes()
}

/// Whether a key is in the set of the next height, as a node proves it.
async fn votes(town: &Town, asked: &str, key: &[u8; 32]) -> bool {
    let Ok(client) = town.devnet.client(asked).await else { return false };
    client.header(None).await.is_ok_and(|header| header.next.position(key).is_some())
}

/// A validator's signing and consensus keys are rotated while another member keeps publishing; it
/// votes with one key at a time, and goes on by itself.
#[tokio::test]
async fn a_running_validator_changes_its_keys_under_load() {
    let town = Town::up(&["governance_delay_ms=0", "heartbeat_ms=2000"]).await;
    let before = town.commit("mill").await.unwrap();
    keep(&town, "before.receipt", &before);
    let (old_signing, old_consensus) = (
        public(&town, "mill", KeyKind::Signing).await,
        public(&town, "mill", KeyKind::Consensus).await,
    );

    // The root key signs elsewhere.
    let root = town.path("root.key");
    fs::rename(town.path("mill/keys/root.key"), &root).unwrap();
    let root = root.display().to_string();
    let change = async {
        town.command(
            0,
            &["member", "rotate", "signing", "--prepare", "turn.body", "--home", "mill"],
        );
        town.command(
            1,
            &["member", "submit", "turn.body", "--cosignatures", "empty", "--home", "mill"],
        );
        town.command(
            0,
            &["member", "cosign", "turn.body", "--root-key", &root, "--genesis", "genesis.note"],
        );
        let submit = [
            "member",
            "submit",
            "turn.body",
            "--cosignatures",
            "turn.body.cosignatures",
            "--home",
            "mill",
        ];
        town.command(0, &submit);
        until("the node does not take up its new signing key", async || {
            public(&town, "mill", KeyKind::Signing).await != old_signing
        })
        .await;
        town.devnet.ready("mill").await.unwrap();
        until("the new key signs nothing", async || tried(&town, "mill").await).await;

        town.command(0, &["member", "rotate", "consensus", "--root-key", &root, "--home", "mill"]);
        assert_eq!(public(&town, "mill", KeyKind::Consensus).await, old_consensus, "no vote yet");
        assert!(votes(&town, "forge", &old_consensus).await);
        let mill = town.devnet.member("mill").unwrap().to_string();
        let proposed = town.command(0, &["member", "power", &mill, "1", "--home", "forge"]);
        vote(&town, &proposed, &["assembler", "lab", "regulator"]);
        until("the node does not take up its new consensus key", async || {
            public(&town, "mill", KeyKind::Consensus).await != old_consensus
        })
        .await;
        let new = public(&town, "mill", KeyKind::Consensus).await;
        assert!(votes(&town, "forge", &new).await && !votes(&town, "forge", &old_consensus).await);
        town.devnet.ready("mill").await.unwrap();

        // And the name under which the others know its node.
        let old_p2p = public(&town, "mill", KeyKind::P2p).await;
        town.command(0, &["member", "rotate", "p2p", "--root-key", &root, "--home", "mill"]);
        until("the node does not take up its new p2p key", async || {
            public(&town, "mill", KeyKind::P2p).await != old_p2p
        })
        .await;
        until("nobody hears the node under its new name", async || tried(&town, "mill").await)
            .await;
    };
    fs::write(town.path("empty"), "[]\n").unwrap();
    let mut published = 0_u64;
    let load = async {
        loop {
            town.commit("forge").await.unwrap();
            published += 1;
        }
    };
    tokio::select! {
        () = change => {}
        () = load => unreachable!("it never ends"),
    }
    assert!(published > 0, "the others stood still");

    // Three of four must vote: with the lab down, the new key is needed.
    let mut town = town;
    town.devnet.kill("lab").await.unwrap();
    let after = town.commit("forge").await.unwrap();
    keep(&town, "after.receipt", &after);
    town.agree(&town.names_but(&["lab"]), after.verified.header.log_size.0).await;
    let retired = fs::read_dir(town.path("mill/keys/retired")).unwrap().count();
    assert_eq!(retired, 3, "what was replaced is kept");
    let genesis = town.devnet.genesis_path();
    town.down_keeping_files(|town| verify(town, &genesis, &["before.receipt", "after.receipt"]))
        .await;
}

/// A validator leaves under load, a newcomer with a key declared compromised joins and votes.
#[tokio::test]
async fn validators_leave_and_join_under_load_and_old_receipts_verify() {
    let mut town = Town::up(&["governance_delay_ms=0", "heartbeat_ms=2000"]).await;
    let before = town.commit("lab").await.unwrap();
    keep(&town, "lab.receipt", &before);
    let pinned = town.path("pinned.header").display().to_string();
    town.command(0, &["receipt", "pin", "--home", "forge", "--out", &pinned]);
    let lab = town.devnet.member("lab").unwrap().to_string();
    let lab_key = public(&town, "lab", KeyKind::Consensus).await;
    let changes = async {
        // A key stolen: what it signed from its first block on is on hold.
        town.command(
            0,
            &["member", "rotate", "signing", "--compromised-since", "1", "--home", "lab"],
        );
        let signer = before.verified.signer.to_string();
        let key =
            town.command(0, &["receipt", "key", &signer, "--home", "forge", "--out", "lab.state"]);
        assert_eq!(key["compromised_since_height"], 1);
        town.command(0, &["member", "leave", "--prepare", "leave.body", "--home", "lab"]);
        let proposed = town.command(0, &["member", "power", &lab, "0", "--home", "mill"]);
        vote(&town, &proposed, &["forge", "assembler", "regulator"]);
        until("the lab keeps its vote", async || !votes(&town, "mill", &lab_key).await).await;
        until("the lab does not leave", async || {
            let arguments = ["member", "leave", "--home", "lab"];
            let left = town.devnet.program().run(&arguments).unwrap();
            left.code == Some(0)
                || town.command(0, &["member", "show", &lab, "--home", "mill"])["status"] == "left"
        })
        .await;
        // And comes back as somebody new, with a vote.
        let new = ["keys", "generate", "--home", "new", "--legal-name", "Prüfhaus Neu GmbH"];
        let new = [new.as_slice(), &["--country", "AT", "--role", "lab", "--validator"]].concat();
        town.command(0, &new);
        town.command(
            0,
            &["member", "add", "new/entry.json", "--prepare", "new.body", "--home", "mill"],
        );
        town.command(
            0,
            &["member", "cosign", "new.body", "--home", "new", "--genesis", "genesis.note"],
        );
        let submit =
            ["member", "add", "--submit", "new.body", "--cosignatures", "new.body.cosignatures"];
        let proposed = town.command(0, &[submit.as_slice(), &["--home", "mill"]].concat());
        vote(&town, &proposed, &["forge", "assembler", "regulator"]);
        let mut given = Value::Null;
        until("the newcomer gets no vote", async || {
            let arguments =
                ["member", "power", "Prüfhaus Neu GmbH", "1", "--home", "mill", "--json"];
            let ran = town.devnet.program().run(&arguments).unwrap();
            given = serde_json::from_str(&ran.stdout).unwrap_or_default();
            ran.code == Some(0)
        })
        .await;
        vote(&town, &given, &["forge", "assembler", "regulator"]);
        let entry: Value =
            serde_json::from_slice(&fs::read(town.path("new/entry.json")).unwrap()).unwrap();
        let key = hex::decode(entry["keys"]["consensus"].as_str().unwrap()).unwrap();
        let key = <[u8; 32]>::try_from(key).unwrap();
        until("the newcomer has no vote", async || votes(&town, "mill", &key).await).await;
    };
    let load = async {
        loop {
            town.commit("forge").await.unwrap();
        }
    };
    tokio::select! {
        () = changes => {}
        () = load => unreachable!("it never ends"),
    }
    let after = town.commit("mill").await.unwrap();
    keep(&town, "after.receipt", &after);
    town.agree(&town.names_but(&["lab"]), after.verified.header.log_size.0).await;
    // The lab's own node was let go by the others; it stops like any.
    town.devnet.stop("lab").await.unwrap();
    let genesis = town.devnet.genesis_path();
    let trust = genesis.display().to_string();
    town.down_keeping_files(|town| {
        verify(town, &genesis, &["lab.receipt", "after.receipt"]);
        verify(town, &town.path("pinned.header"), &["after.receipt"]);
        let held = ["receipt", "verify", "--trust", &trust, "--key", "lab.state", "lab.receipt"];
        assert_eq!(town.command(3, &held)["receipts"][0]["verdict"], "hold");
    })
    .await;
}

/// A version that no program knows yet: every node stops at its height and says so, and what stands
/// is whole.
#[tokio::test]
async fn nodes_too_old_for_a_scheduled_version_stop_with_a_message() {
    // Blocks come with transactions only, so that the height is reached when the test says.
    let town = Town::up(&["governance_delay_ms=0", "heartbeat_ms=600000"]).await;
    let before = town.commit("mill").await.unwrap();
    keep(&town, "before.receipt", &before);
    let at = (before.verified.header.height.0 + 30).to_string();
    let proposed =
        town.command(0, &["network", "upgrade", "2", "--at-height", &at, "--home", "mill"]);
    let open = town.command(0, &["vote", "--open", "--home", "mill"]);
    assert_eq!(open["proposals"][0]["proposal"], proposed["proposal"]);
    vote(&town, &proposed, &["forge", "assembler", "regulator", "lab"]);
    let mut scheduled = Value::Null;
    until("the version is not scheduled", async || {
        town.commit("forge").await.unwrap();
        scheduled = town.command(0, &["network", "upgrade", "--home", "mill"]);
        scheduled["scheduled"][0]["version"] == 2
    })
    .await;
    let mut town = town;
    until("nodes go on into a version that they do not know", async || {
        town.devnet.refresh().unwrap();
        // Refused or cut short once the height is reached.
        tried(&town, "mill").await;
        !town.devnet.record().nodes.iter().any(heatmark_devnet::NodeRecord::is_up)
    })
    .await;
    let last = at.parse::<u64>().unwrap() - 1;
    for name in town.names_but(&[]) {
        let log = fs::read_to_string(&town.devnet.node(&name).unwrap().log).unwrap();
        assert!(log.contains("too old") && log.contains("version 2"), "{name}: {log}");
        assert!(log.contains(&format!("height {at}")), "{name} names no height: {log}");
        let data = town.path(&format!("{name}/data/log")).display().to_string();
        let audited =
            town.command(0, &["log", "audit", "--data", &data, "--genesis", "genesis.note"]);
        assert_eq!(audited["height"], last, "{name}");
        // Started again, it says the same at once.
        let ran = town.devnet.program().run(&["node", "run", "--home", &name]).unwrap();
        assert_eq!(ran.code, Some(3));
        assert!(ran.stderr.contains("install a newer"), "{}", ran.stderr);
    }
    verify(&town, &town.devnet.genesis_path(), &["before.receipt"]);
    town.down().await;
}

/// Two of four validators are lost for good. The members' root keys put the other two in place of
/// the four, and the log goes on; what lacks the restart says so.
#[tokio::test]
async fn members_restart_a_network_that_lost_half_of_its_validators() {
    let mut town = Town::up(&["heartbeat_ms=1000"]).await;
    let before = town.commit("assembler").await.unwrap();
    keep(&town, "before.receipt", &before);
    town.agree(&town.names_but(&[]), 1).await;
    let pinned = town.path("pinned.header").display().to_string();
    town.command(0, &["receipt", "pin", "--home", "regulator", "--out", &pinned]);
    town.commit("forge").await.unwrap();
    town.agree(&town.names_but(&[]), 2).await;
    for name in ["assembler", "lab"] {
        town.devnet.kill(name).await.unwrap();
        fs::remove_dir_all(town.path(&format!("{name}/data"))).unwrap();
        fs::remove_file(town.path(&format!("{name}/keys/consensus.key"))).unwrap();
    }
    let halted = settled(&town).await;
    let lost: Vec<String> =
        ["assembler", "lab"].map(|name| town.devnet.member(name).unwrap().to_string()).into();
    let restart = |arguments: &[&str], code: i32| {
        town.command(code, &[["network", "restart"].as_slice(), arguments].concat())
    };
    let propose = ["propose", "--home", "regulator", "--lost", &lost[0], "--lost", &lost[1]];
    let proposed = restart(&[propose.as_slice(), &["--out", "restart.doc"]].concat(), 0);
    assert_eq!(proposed["header"]["height"], halted.0);
    restart(&["show", "restart.doc", "--genesis", "genesis.note"], 1);

    // Copies are signed apart and merged: four of five members.
    fs::copy(town.path("restart.doc"), town.path("copy.doc")).unwrap();
    for (document, home) in [
        ("restart.doc", "mill"),
        ("restart.doc", "lab"),
        ("copy.doc", "forge"),
        ("copy.doc", "regulator"),
    ] {
        restart(&["sign", document, "--home", home], 0);
    }
    restart(&["apply", "restart.doc", "--home", "mill"], 1);
    restart(
        &["merge", "restart.doc", "copy.doc", "--genesis", "genesis.note", "--out", "full.doc"],
        0,
    );
    let shown = restart(&["show", "full.doc", "--genesis", "genesis.note"], 0);
    assert_eq!(shown["signed"].as_array().unwrap().len(), 4);
    // A running node's database is its own.
    restart(&["apply", "full.doc", "--home", "mill"], 3);
    for name in ["mill", "forge"] {
        town.devnet.stop(name).await.unwrap();
        let applied = town.command(0, &["network", "restart", "apply", "full.doc", "--home", name]);
        assert_eq!(applied["in_force"], true);
        town.devnet.spawn(name).unwrap();
    }
    town.devnet.ready("mill").await.unwrap();
    town.devnet.ready("forge").await.unwrap();
    let after = town.commit("mill").await.unwrap();
    keep(&town, "after.receipt", &after);
    assert!(after.verified.header.height > halted);

    // The regulator did not apply it: it stays behind and says why.
    until("a node that lacks the restart says nothing of it", async || {
        let log = fs::read_to_string(&town.devnet.node("regulator").unwrap().log).unwrap();
        log.contains("network restart apply")
    })
    .await;
    let regulator = town.devnet.client("regulator").await.unwrap();
    assert_eq!(regulator.header(None).await.unwrap().header.height, halted);
    town.devnet.stop("regulator").await.unwrap();
    town.command(0, &["network", "restart", "apply", "full.doc", "--home", "regulator"]);
    town.devnet.restart("regulator").await.unwrap();
    town.agree(&town.names_but(&["assembler", "lab"]), 3).await;

    // The assembler comes back from nothing, as an observer, with the document.
    town.command(0, &["network", "restart", "apply", "full.doc", "--home", "assembler"]);
    let settings = town.path("assembler/heatmark.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, text.replace("\"validator\"", "\"observer\"")).unwrap();
    town.devnet.restart("assembler").await.unwrap();
    town.agree(&town.names_but(&["lab"]), 3).await;
    let audited = town.command(0, &["log", "audit", "--home", "assembler"]);
    assert_eq!(audited["checked"]["restarts"], 1);
    across(&town).await;
    let genesis = town.devnet.genesis_path();
    town.down_keeping_files(|town| {
        verify(town, &genesis, &["before.receipt", "after.receipt"]);
        verify(town, &town.path("pinned.header"), &["after.receipt"]);
    })
    .await;
}

/// The height at which nothing more is decided, the same on all that are left.
async fn settled(town: &Town) -> Height {
    let names = town.names_but(&["assembler", "lab"]);
    let mut last = Vec::new();
    let mut since = Instant::now();
    until("the nodes that are left do not agree", async || {
        let mut heights = Vec::new();
        for name in &names {
            let client = town.devnet.client(name).await.unwrap();
            heights.push(client.header(None).await.unwrap().header.height);
        }
        if heights != last {
            (last, since) = (heights, Instant::now());
        }
        // Three heartbeats without a block.
        last.windows(2).all(|two| two[0] == two[1]) && since.elapsed() > Duration::from_secs(3)
    })
    .await;
    last[0]
}

/// A node serves what crosses the restart to whoever trusts genesis or its very header.
async fn across(town: &Town) {
    let pinned = fs::read(town.path("pinned.header")).unwrap();
    let pinned = TrustRoot::from_pinned(&pinned).unwrap();
    let genesis = TrustRoot::from_genesis(&town.devnet.genesis().unwrap());
    assert_eq!(pinned.network, genesis.network);
    let client = town.devnet.client("regulator").await.unwrap();
    let header = client.header(None).await.unwrap();
    assert_ne!(header.era, genesis.era);
    let again = TrustRoot::from_pinned(&header.pin().unwrap()).unwrap();
    assert_eq!(again.era, header.era);
}
