//! Disks that are wiped, damaged or full, under real processes: a clear message, no vote, and a way
//! back with the others' log.

use crate::town::{LONG, Town};
use heatmark_client::ReceiptOf;
use heatmark_ledger::LeafIndex;
use heatmark_store::{Store, StoreOptions};
use serde_json::Value;
use std::fs::{self, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What an operator reads at the node's HTTP port; none while nobody answers.
fn http(town: &Town, name: &str, path: &str) -> Option<String> {
    let port = town.devnet.node(name).unwrap().ports.http;
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    Some(answer)
}

fn log_dir(town: &Town, name: &str) -> PathBuf {
    town.devnet.node(name).unwrap().home.join("data/log")
}

fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|e| e == extension)).collect()
}

/// Changes one byte of a file in place, as a failing disk would.
fn flip(path: &Path, at: u64) {
    let mut file = OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.seek(SeekFrom::Start(at)).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(&[byte[0] ^ 0x10]).unwrap();
    file.sync_all().unwrap();
}

/// How a program ended.
struct Ended {
    code: Option<i32>,
    /// Its errors and logs.
    said: String,
}

/// Runs a node that is expected to end by itself.
fn run_to_its_end(town: &Town, name: &str, extra: &[&str]) -> Ended {
    let mut command = town.devnet.program().command();
    command.args(["node", "run", "--home", name]).args(extra);
    ended(command)
}

fn ended(mut command: Command) -> Ended {
    // A file, since nobody empties a pipe meanwhile.
    let mut errors = tempfile::tempfile().unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let mut child = command.stderr(errors.try_clone().unwrap()).spawn().unwrap();
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begun.elapsed() > LONG {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("the node goes on running");
        }
        std::thread::sleep(Duration::from_millis(50));
    };
    let mut said = String::new();
    errors.seek(SeekFrom::Start(0)).unwrap();
    errors.read_to_string(&mut said).unwrap();
    Ended { code: status.code(), said }
}

fn grpc(town: &Town, name: &str) -> String {
    format!("127.0.0.1:{}", town.devnet.node(name).unwrap().ports.grpc)
}

fn past(town: &Town, name: &str) -> String {
    let path = town.devnet.node(name).unwrap().home.join("voting.json");
    let record: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    record["past"].as_str().unwrap().to_owned()
}

/// No node holds proof that anybody signed twice.
fn assert_nobody_signed_twice(town: &Town) {
    let genesis = town.devnet.genesis().unwrap();
    for name in town.names_but(&[]) {
        let store = Store::open(&log_dir(town, &name), &genesis, &StoreOptions::default()).unwrap();
        assert!(store.evidence(1).unwrap().is_empty(), "{name} holds evidence");
    }
}

#[tokio::test]
async fn a_wiped_validator_comes_back_and_votes_without_signing_twice() {
    let mut town = Town::up(&[]).await;
    assert_eq!(past(&town, "lab"), "voted");
    for _ in 0..3 {
        town.commit("lab").await.unwrap();
    }
    town.devnet.kill("lab").await.unwrap();
    fs::remove_dir_all(town.devnet.node("lab").unwrap().home.join("data")).unwrap();
    town.commit("mill").await.unwrap();
    // Ready means that it votes again.
    town.devnet.restart("lab").await.unwrap();
    assert_eq!(past(&town, "lab"), "voted");
    let log = fs::read_to_string(&town.devnet.node("lab").unwrap().log).unwrap();
    assert!(log.contains("earlier votes are forgotten"), "it did not wait");
    // Four transactions of ours, and the mark.
    town.agree(&town.names_but(&[]), 5).await;
    // Three of four votes decide: without forge the lab's is needed.
    town.devnet.kill("forge").await.unwrap();
    town.commit("assembler").await.unwrap();
    town.devnet.restart("forge").await.unwrap();
    town.agree(&town.names_but(&[]), 6).await;
    town.down_keeping_files(assert_nobody_signed_twice).await;
}

#[tokio::test]
async fn where_too_few_are_left_a_wiped_validator_waits_for_its_operators_word() {
    let mut town = Town::up(&[]).await;
    town.commit("lab").await.unwrap();
    town.agree(&town.names_but(&[]), 1).await;
    town.devnet.kill("assembler").await.unwrap();
    town.devnet.kill("lab").await.unwrap();
    fs::remove_dir_all(town.devnet.node("lab").unwrap().home.join("data")).unwrap();
    town.devnet.spawn("lab").unwrap();
    let begun = Instant::now();
    let waiting = loop {
        let answer = http(&town, "lab", "/readyz").unwrap_or_default();
        if answer.contains("\"height\":") && !answer.contains("\"height\":0,") {
            break answer;
        }
        assert!(begun.elapsed() < LONG, "it does not catch up: {answer}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert!(
        waiting.contains("503") && waiting.contains("earlier votes are forgotten"),
        "{waiting}"
    );
    let halted = town.devnet.client("mill").await.unwrap().header(None).await.unwrap().header;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let newest = town.devnet.client("mill").await.unwrap().header(None).await.unwrap().header;
    assert_eq!(newest.height, halted.height, "half of the votes decided a block");
    town.devnet.kill("lab").await.unwrap();
    assert_eq!(past(&town, "lab"), "forgotten", "a crash makes it no bolder");
    town.command(2, &["node", "resume-voting", "--home", "lab"]);
    assert_eq!(past(&town, "lab"), "forgotten");
    town.command(0, &["node", "resume-voting", "--home", "lab", "--accept-risk"]);
    town.devnet.restart("lab").await.unwrap();
    town.commit("mill").await.unwrap();
    town.devnet.restart("assembler").await.unwrap();
    town.agree(&town.names_but(&[]), 2).await;
    town.down().await;
}

#[tokio::test]
async fn a_damaged_database_is_refused_found_and_repaired_from_peers() {
    let mut town = Town::up(&[]).await;
    for _ in 0..5 {
        town.commit("lab").await.unwrap();
    }
    town.agree(&town.names_but(&[]), 5).await;
    town.devnet.stop("lab").await.unwrap();
    let sound = town.command(0, &["store", "check", "--home", "lab"]);
    assert_eq!((&sound["ok"], &sound["leaves"]), (&true.into(), &5.into()));
    let tables = files(&log_dir(&town, "lab"), "sst");
    tables.iter().for_each(|table| flip(table, 20));
    let refused = run_to_its_end(&town, "lab", &[]);
    let message = &refused.said;
    assert_eq!(refused.code, Some(5), "{message}");
    assert!(message.contains(".sst") && message.contains("heatmark store check"), "{message}");
    let found = town.command(1, &["store", "check", "--home", "lab"]);
    assert!(!found["damages"].as_array().unwrap().is_empty());
    let alone = town.command(1, &["store", "repair", "--home", "lab"]);
    assert!(alone["error"]["next"].as_str().unwrap().contains("--from"), "{alone}");
    let (mill, forge) = (grpc(&town, "mill"), grpc(&town, "forge"));
    let arguments = ["store", "repair", "--home", "lab", "--from", &mill, "--from", &forge];
    let repaired = town.command(0, &arguments);
    assert!(repaired["fetched_blocks"].as_u64().unwrap() >= 5, "{repaired}");
    assert!(town.path(repaired["damaged_kept_in"].as_str().unwrap()).is_dir());
    town.command(0, &["store", "check", "--home", "lab"]);
    town.devnet.restart("lab").await.unwrap();
    town.commit("lab").await.unwrap();
    town.agree(&town.names_but(&[]), 6).await;
    town.down_keeping_files(assert_nobody_signed_twice).await;
}

#[tokio::test]
async fn a_flipped_byte_in_the_write_ahead_log_never_costs_an_acknowledged_block() {
    let mut town = Town::up(&[]).await;
    for _ in 0..5 {
        town.commit("lab").await.unwrap();
    }
    town.agree(&town.names_but(&[]), 5).await;
    town.devnet.kill("lab").await.unwrap();
    let log = files(&log_dir(&town, "lab"), "log").pop().unwrap();
    flip(&log, fs::metadata(&log).unwrap().len() / 2);
    let refused = run_to_its_end(&town, "lab", &[]);
    assert_eq!(refused.code, Some(5), "{}", refused.said);
    assert!(refused.said.contains(".log"), "{}", refused.said);
    town.command(1, &["store", "check", "--home", "lab", "--quick"]);
    let mill = grpc(&town, "mill");
    let repaired = town.command(0, &["store", "repair", "--home", "lab", "--from", &mill]);
    assert_eq!(repaired["waits_before_voting"], true);
    assert_eq!(past(&town, "lab"), "forgotten");
    town.devnet.restart("lab").await.unwrap();
    assert_eq!(past(&town, "lab"), "voted");
    town.agree(&town.names_but(&[]), 6).await;
    town.down_keeping_files(assert_nobody_signed_twice).await;
}

#[tokio::test]
async fn a_running_node_that_meets_damage_answers_so_and_stops_voting() {
    let mut town = Town::up(&[]).await;
    let first = town.commit("lab").await.unwrap();
    for _ in 0..3 {
        town.commit("mill").await.unwrap();
    }
    town.agree(&town.names_but(&[]), 4).await;
    // After a clean stop everything is in tables, and without a cache none of it stays in memory.
    town.devnet.stop("lab").await.unwrap();
    let settings = town.devnet.node("lab").unwrap().home.join("heatmark.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let cached = "block_cache_bytes = 67108864";
    assert!(text.contains(cached), "{text}");
    fs::write(&settings, text.replace(cached, "block_cache_bytes = 0")).unwrap();
    town.devnet.restart("lab").await.unwrap();
    let root = &first.receipt.transaction[..64];
    let holds = |path: &PathBuf| fs::read(path).unwrap().windows(64).any(|window| window == root);
    let table = files(&log_dir(&town, "lab"), "sst").into_iter().find(holds).unwrap();
    let at = fs::read(&table).unwrap().windows(64).position(|window| window == root).unwrap();
    flip(&table, at as u64);
    let lab = town.devnet.client("lab").await.unwrap();
    let refused = lab.receipt(ReceiptOf::Leaf(LeafIndex(0)), None).await.unwrap_err();
    assert_eq!(refused.refusal_code(), Some("store-damaged"), "{refused}");
    let begun = Instant::now();
    let mut health = String::new();
    while town.devnet.node("lab").unwrap().is_up() {
        if let Some(answer) = http(&town, "lab", "/healthz").filter(|a| a.contains("Corruption")) {
            health = answer;
        }
        assert!(begun.elapsed() < LONG, "it goes on");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(health.contains("503"), "{health}");
    let log = fs::read_to_string(&town.devnet.node("lab").unwrap().log).unwrap();
    assert!(log.contains("heatmark store check --home"), "{log}");
    // The rest go on without it.
    town.commit("mill").await.unwrap();
    let mill = grpc(&town, "mill");
    town.command(0, &["store", "repair", "--home", "lab", "--from", &mill]);
    town.devnet.restart("lab").await.unwrap();
    town.agree(&town.names_but(&[]), 5).await;
    town.down_keeping_files(assert_nobody_signed_twice).await;
}

#[tokio::test]
async fn a_full_disk_stops_a_validator_with_a_message_and_nothing_is_lost() {
    let mut town = Town::up(&[]).await;
    town.commit("lab").await.unwrap();
    town.devnet.stop("lab").await.unwrap();
    let refused = run_to_its_end(&town, "lab", &["--set", "store.min_free_bytes=9000000000000000"]);
    assert_eq!(refused.code, Some(4), "{}", refused.said);
    assert!(refused.said.contains("min_free_bytes"), "{}", refused.said);
    // No file may grow beyond 256 KiB: the write-ahead log meets that as it would a full disk. The
    // signal that comes with it is ignored, as it never comes from a disk.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 512; exec \"$0\" node run --home lab"]);
    command.arg(town.devnet.program().path()).current_dir(town.devnet.directory());
    let limited = std::thread::spawn(move || ended(command));
    let mill = town.devnet.client("mill").await.unwrap();
    let begun = Instant::now();
    while !limited.is_finished() {
        for _ in 0..50 {
            mill.submit(town.anchor("mill")).await.unwrap();
        }
        assert!(begun.elapsed() < LONG, "its disk does not fill");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let full = limited.join().unwrap();
    assert_eq!(full.code, Some(4), "{}", full.said);
    assert!(full.said.contains("its disk is full"), "{}", full.said);
    town.command(0, &["store", "check", "--home", "lab"]);
    town.devnet.restart("lab").await.unwrap();
    town.commit("lab").await.unwrap();
    town.agree(&town.names_but(&[]), 50).await;
    town.down_keeping_files(assert_nobody_signed_twice).await;
}
