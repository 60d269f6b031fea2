//! Members that lie, as real processes: a validator that proposes what it must not and serves what
//! is not so, one that runs twice, one that leaves others out, a member that floods. The rest go
//! on with one log, and what can be proved is kept as a file that anybody can verify.
#![allow(clippy::print_stdout, reason = "what was measured, seen with --nocapture")]

mod process;

use crate::town::{LONG, Town};
use heatmark::keys::KeyKind;
use heatmark_ledger::messages as pb;
use heatmark_ledger::transaction;
use pb::body::Payload;
use process::Liar;
use prost::bytes::Bytes;
use std::fs;
use std::time::Instant;

/// Who lies.
const LIAR: &str = "lab";

/// A town in which everybody but the liar runs.
async fn town_without_liar(parameters: &[&str], but: &[&str]) -> Town {
    let (mut town, held) = Town::founded(parameters).await;
    drop(held);
    for name in town.names_but(but) {
        town.devnet.spawn(&name).unwrap();
    }
    town
}

/// What the others' logs and evidence name it by.
fn consensus_key(town: &Town, name: &str) -> String {
    hex::encode(town.devnet.key(name, KeyKind::Consensus).unwrap().verifying_key().to_bytes())
}

fn log_of(town: &Town, name: &str) -> String {
    fs::read_to_string(&town.devnet.node(name).unwrap().log).unwrap_or_default()
}

/// A concern of a member about a record, which needs nobody else's key.
fn concern(town: &Town, name: &str) -> Bytes {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let now = now.as_millis() as u64;
    let alert = pb::Alert {
        subject: rand::random::<[u8; 32]>().to_vec(),
        level: pb::AlertLevel::Hold as i32,
        sequence: 1,
        reason_digest: vec![7; 32],
        concern: true,
    };
    let body = pb::Body {
        not_before_ms: now - 4_000,
        not_after_ms: now + 300_000,
        nonce: rand::random::<[u8; 16]>().to_vec(),
        payload: Some(Payload::Alert(alert)),
    };
    let key = town.devnet.key(name, KeyKind::Signing).unwrap();
    transaction::sign(&town.devnet.genesis().unwrap().network(), &key, &body, Vec::new())
}

#[tokio::test]
async fn a_validator_that_proposes_nonsense_and_serves_it_is_outvoted_and_named() {
    let mut town = town_without_liar(&[], &[LIAR, "regulator"]).await;
    let lies = "roots,replay,signature,clock,oversized,garbled,withhold,serve";
    let mut liar = Liar::start(&town, LIAR, lies);
    town.devnet.all_ready().await.unwrap();
    let begun = Instant::now();
    let mut commits = 0_u64;
    let told = |liar: &Liar| {
        lies.split(',').all(|lie| liar.log().to_lowercase().contains(&format!("lie={lie}")))
    };
    while !told(&liar) {
        assert!(begun.elapsed() < LONG, "{} lies were not told:\n{}", lies, liar.log());
        town.commit(["mill", "forge", "assembler"][commits as usize % 3]).await.unwrap();
        commits += 1;
    }
    println!("{commits} commits beside eight lies in {:?}", begun.elapsed());
    // A node that starts from nothing is served lies by one of four, and believes none.
    town.devnet.restart("regulator").await.unwrap();
    town.agree(&town.names_but(&[LIAR]), commits).await;
    let key = consensus_key(&town, LIAR);
    for name in ["mill", "forge", "assembler"] {
        let log = log_of(&town, name);
        let named =
            log.lines().any(|line| line.contains("invalid proposal") && line.contains(&key));
        assert!(named, "{name} does not name the liar");
        let process = town.devnet.node(name).unwrap().process.unwrap();
        assert!(process.peak_memory_bytes() < 500_000_000, "{name} holds too much");
    }
    // It lied, and did not sign twice: that is another matter.
    let listed = town.command(0, &["evidence", "list", "--home", "mill"]);
    assert_eq!(listed["evidence"], serde_json::json!([]));
    town.command(0, &["log", "audit", "--home", "regulator"]);
    liar.stop();
    town.down().await;
}

#[tokio::test]
async fn a_validator_that_runs_twice_convicts_itself_and_is_voted_out() {
    let (mut town, held) = Town::founded(&["governance_delay_ms=0"]).await;
    drop(held);
    // One network address, two machines: gossip hears each through the neighbours it has.
    let mut twin = Liar::twin(&town, LIAR, &["assembler", "regulator"]);
    for name in town.names_but(&[]) {
        town.devnet.spawn(&name).unwrap();
    }
    town.devnet.all_ready().await.unwrap();
    let begun = Instant::now();
    let listed = loop {
        for name in ["mill", "forge", "assembler"] {
            town.commit(name).await.unwrap();
        }
        let listed = town.command(0, &["evidence", "list", "--home", "mill"]);
        if listed["evidence"].as_array().is_some_and(|all| !all.is_empty()) {
            break listed;
        }
        assert!(begun.elapsed() < LONG, "nobody has seen it sign twice:\n{}", twin.log());
    };
    println!("evidence after {:?}", begun.elapsed());
    let (key, lab) = (consensus_key(&town, LIAR), town.devnet.member(LIAR).unwrap().to_string());
    let first = &listed["evidence"][0];
    assert_eq!((first["validator"].as_str(), first["member"].as_str()), (Some(&*key), Some(&*lab)));
    let id = first["id"].as_str().unwrap().to_owned();
    town.command(0, &["evidence", "export", &id, "--out", "lab.evidence", "--home", "mill"]);

    vote_out(&town, &lab);
    let begun = Instant::now();
    let mill = town.devnet.client("mill").await.unwrap();
    while mill.header(None).await.unwrap().next.validators().len() != 3 {
        assert!(begun.elapsed() < LONG, "the liar still votes");
        town.commit("mill").await.unwrap();
    }
    twin.stop();
    let leaves = mill.header(None).await.unwrap().header.log_size.0;
    town.commit("forge").await.unwrap();
    town.agree(&town.names_but(&[LIAR]), leaves).await;
    drop(mill);

    let genesis = town.devnet.genesis_path().display().to_string();
    town.command(0, &["receipt", "pin", "--home", "forge", "--out", "late.header"]);
    // Twins of one p2p key get in each other's way; that theirs ends gracefully nobody claims.
    let _ = town.devnet.stop(LIAR).await;
    town.down_keeping_files(|town| {
        let verify = |code, trust: &str, file: &str| {
            town.command(code, &["evidence", "verify", "--trust", trust, file])
        };
        let proved = verify(0, &genesis, "lab.evidence");
        let said = &proved["evidence"][0]["evidence"];
        assert_eq!(
            (said["validator"].as_str(), said["member"].as_str()),
            (Some(&*key), Some(&*lab))
        );
        assert_eq!(said["legal_name"], "Laboratoire Essais Chamonix SAS");
        assert_eq!(said["power"], 1);
        // A header pinned later than the deed cannot tell.
        verify(3, "late.header", "lab.evidence");
        let mut bytes = fs::read(town.path("lab.evidence")).unwrap();
        for at in (0..bytes.len()).step_by(bytes.len() / 8) {
            bytes[at] ^= 0x10;
            fs::write(town.path("tampered.evidence"), &bytes).unwrap();
            verify(1, &genesis, "tampered.evidence");
            bytes[at] ^= 0x10;
        }
        let data = town.path("mill/data/log").display().to_string();
        let arguments = ["evidence", "list", "--data", &data, "--genesis", &genesis];
        assert!(!town.command(0, &arguments)["evidence"].as_array().unwrap().is_empty());
    })
    .await;
}

fn vote_out(town: &Town, member: &str) {
    let proposed = town.command(0, &["member", "power", member, "0", "--home", "mill"]);
    let proposal = proposed["proposal"].as_str().unwrap().to_owned();
    for home in ["forge", "assembler", "regulator"] {
        // The vote that decides closes the proposal; those after it are refused.
        let arguments = ["vote", &proposal, "approve", "--home", home];
        let ran = town.devnet.program().run(&arguments).unwrap();
        assert!(matches!(ran.code, Some(0 | 1)), "{}", ran.stderr);
    }
}

/// Blocks from the newest one at submission to the one that holds the transaction.
async fn blocks_until(town: &Town, through: &str, transaction: Bytes) -> u64 {
    let client = town.devnet.client(through).await.unwrap();
    let before = client.header(None).await.unwrap().header.height;
    let proven = client.submit_and_wait(transaction, LONG).await.unwrap();
    proven.verified.header.height.0 - before.0
}

#[tokio::test]
async fn whom_one_proposer_leaves_out_the_others_record_within_their_turns() {
    let town = town_without_liar(&[], &[LIAR]).await;
    let mill = town.devnet.member("mill").unwrap();
    let mut liar = Liar::start(&town, LIAR, &format!("censor={mill}"));
    town.devnet.all_ready().await.unwrap();
    town.commit("forge").await.unwrap();
    let (mut slowest, mut turn) = (0, 0);
    // Anchors, then alerts; until the censor has left something out in several of its turns.
    let begun = Instant::now();
    let left_out = |liar: &Liar| {
        liar.log().lines().filter(|l| l.contains("left_out=") && !l.contains("left_out=0")).count()
    };
    while left_out(&liar) < 3 || turn < 16 {
        assert!(begun.elapsed() < LONG, "the censor had nothing to leave out:\n{}", liar.log());
        let transaction = if turn % 2 == 0 { town.anchor("mill") } else { concern(&town, "mill") };
        slowest = slowest.max(blocks_until(&town, "mill", transaction).await);
        turn += 1;
    }
    println!("{turn} transactions of a censored member, none later than {slowest} blocks");
    // One block may be under way; of the next two at most one is the censor's. Gossip may miss one.
    assert!(slowest <= 4, "{slowest} blocks");
    town.agree(&town.names_but(&[LIAR]), turn).await;
    liar.stop();
    town.down().await;
}

/// A validator that sees a seal's signature in its pool posts it first, as its own. Nobody votes for that, and the lot goes to
/// whom its seal has named.
#[tokio::test]
async fn a_validator_that_copies_seals_from_its_pool_steals_no_lot() {
    let town = town_without_liar(&[], &[LIAR]).await;
    let mut liar = Liar::start(&town, LIAR, "steal");
    town.devnet.all_ready().await.unwrap();
    let lot =
        |arguments: &[&str]| town.command(0, &[&["lot"], arguments, &["--home", "mill"]].concat());
    lot(&["commission", "--uncertified", "--make", "L0=1 t,1"]);
    let (begun, mut turn) = (Instant::now(), 0);
    let stolen = |liar: &Liar| liar.log().matches("seals are stolen").count();
    // Each breaks the seal of the one before, so that one stolen would be one that cannot go on.
    while stolen(&liar) < 2 {
        assert!(begun.elapsed() < LONG, "nothing could be stolen:\n{}", liar.log());
        let (from, to) = (format!("L{turn}"), format!("L{}=1 t,1", turn + 1));
        lot(&["transform", &from, "--make", &to]);
        turn += 1;
    }
    println!("{turn} events, stolen twice, in {:?}", begun.elapsed());
    let own = lot(&["list"]);
    assert_eq!(own["lots"].as_array().unwrap().len(), 1);
    assert_eq!(own["lots"][0]["name"], format!("L{turn}"));
    town.agree(&town.names_but(&[LIAR]), turn + 1).await;
    // No event of lots on the log is the liar's.
    let (thief, mill) =
        (town.devnet.member(LIAR).unwrap(), town.devnet.client("mill").await.unwrap());
    let leaves = mill.header(None).await.unwrap().header.log_size.0;
    for leaf in 0..leaves {
        let of = heatmark_client::ReceiptOf::Leaf(heatmark_ledger::LeafIndex(leaf));
        let proven = mill.receipt(of, None).await.unwrap();
        if let Some(Payload::LotEvent(event)) = proven.verified.body.payload {
            assert_ne!(event.carrier, thief.to_vec(), "leaf {leaf}");
        }
    }
    let refused = |name: &&str| log_of(&town, name).contains("invalid proposal");
    assert!(["mill", "forge", "assembler"].iter().any(refused), "nobody refused it");
    liar.stop();
    town.down().await;
}

#[tokio::test]
async fn a_member_that_floods_spends_its_own_quota_and_nobody_elses() {
    // Small blocks and a small quota, so that a flood this test can afford is one.
    let parameters = ["max_block_transactions=40"];
    let (mut town, held) = Town::founded(&parameters).await;
    drop(held);
    for node in town.devnet.nodes() {
        let settings = node.home.join("heatmark.toml");
        let text = fs::read_to_string(&settings).unwrap();
        let line = text.lines().find(|line| line.starts_with("max_member_transactions")).unwrap();
        fs::write(&settings, text.replace(line, "max_member_transactions = 20")).unwrap();
    }
    for name in town.names_but(&[]) {
        town.devnet.spawn(&name).unwrap();
    }
    town.devnet.all_ready().await.unwrap();
    let flood: Vec<Bytes> = (0..1_500).map(|_| town.anchor(LIAR)).collect();
    let own = town.devnet.client(LIAR).await.unwrap();
    let other = town.devnet.client("forge").await.unwrap();
    let shout = tokio::spawn(async move {
        let mut refused = std::collections::BTreeMap::<String, u32>::new();
        // Through its own node, whose gossip carries it, and through another's.
        for (number, chunk) in flood.chunks(60).enumerate() {
            let through = if number % 2 == 0 { &own } else { &other };
            let each = chunk.iter().enumerate().map(|(at, transaction)| {
                let mut bytes = transaction.to_vec();
                if at % 4 == 0 {
                    let last = bytes.len() - 40;
                    bytes[last] ^= 1;
                }
                async move { through.submit(bytes.into()).await }
            });
            for answer in futures::future::join_all(each).await {
                if let Err(error) = answer {
                    let code = error.refusal_code().unwrap_or("other").to_owned();
                    *refused.entry(code).or_default() += 1;
                }
            }
        }
        refused
    });
    let mut slowest = 0;
    let mut others = 0;
    while !shout.is_finished() || others < 6 {
        let transaction =
            if others % 2 == 0 { town.anchor("mill") } else { concern(&town, "mill") };
        slowest = slowest.max(blocks_until(&town, "mill", transaction).await);
        others += 1;
    }
    let refused = shout.await.unwrap();
    println!("{others} of another member, none later than {slowest} blocks; refused {refused:?}");
    assert!(refused.get("member-quota").copied().unwrap_or(0) > 0, "{refused:?}");
    assert!(slowest <= 4, "{slowest} blocks");
    for node in town.devnet.nodes() {
        let memory = node.process.unwrap().peak_memory_bytes();
        assert!(memory < 500_000_000, "{} holds {memory} bytes", node.name);
    }
    town.agree(&town.names_but(&[]), others).await;
    town.down().await;
}
