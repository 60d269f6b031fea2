//! What the network is for: one log, receipts that verify offline, nodes that stop in order.

use crate::town::Town;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn certificates() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../devnet/certificates").display().to_string()
}

#[tokio::test]
async fn certificates_stand_on_every_node_and_their_receipt_verifies_offline() {
    let town = Town::up(&[]).await;
    let arguments =
        ["cert", "publish", &certificates(), "--receipts", "receipts", "--home", "mill"];
    let published = town.command(0, &arguments);
    assert_eq!(published["new"], 5);
    town.agree(&town.names_but(&[]), 1).await;
    let again = town.command(0, &arguments);
    assert_eq!((&again["new"], &again["already_published"]), (&0.into(), &5.into()));

    let receipt = published["anchors"][0]["receipt_file"].as_str().unwrap().to_owned();
    let genesis = town.devnet.genesis_path().display().to_string();
    town.down_keeping_files(|town| {
        let verified = town.command(0, &["receipt", "verify", "--trust", &genesis, &receipt]);
        assert_eq!(verified["receipts"][0]["verdict"], "verified");
        let mut bytes = fs::read(town.path(&receipt)).unwrap();
        for at in (0..bytes.len()).step_by(bytes.len() / 8) {
            bytes[at] ^= 0x10;
            fs::write(town.path("tampered.receipt"), &bytes).unwrap();
            town.command(1, &["receipt", "verify", "--trust", &genesis, "tampered.receipt"]);
            bytes[at] ^= 0x10;
        }
    })
    .await;
}

#[tokio::test]
async fn an_idle_network_writes_only_heartbeats_and_answers_at_once() {
    let town = Town::up(&["heartbeat_ms=3000"]).await;
    town.commit("mill").await.unwrap();
    let client = town.devnet.client("mill").await.unwrap();
    let first = client.header(None).await.unwrap().header;
    let begun = Instant::now();
    while client.header(None).await.unwrap().header.height.0 < first.height.0 + 3 {
        assert!(begun.elapsed() < Duration::from_secs(60), "there are no heartbeats");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let newest = client.header(None).await.unwrap().header;
    assert_eq!(newest.log_size, first.log_size, "a heartbeat holds nothing");
    assert!(begun.elapsed() > Duration::from_secs(6), "blocks come faster than the heartbeat");
    let begun = Instant::now();
    town.commit("mill").await.unwrap();
    assert!(begun.elapsed() < Duration::from_millis(2_500), "it waited for the heartbeat");
    town.down().await;
}

#[tokio::test]
async fn nodes_stop_when_their_keeper_is_killed() {
    // A town of its own process, which is killed; ours only takes the turn and the directory.
    let (town, held) = Town::founded(&[]).await;
    drop(held);
    let place = town.path("kept");
    fs::create_dir(&place).unwrap();
    let program = town.devnet.program().path().with_file_name("heatmark-devnet");
    let mut keeper = Command::new(program)
        .args(["up", "--validators", "1", "--observers", "0", "--dir"])
        .arg(&place)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    let running = || heatmark_devnet::Record::read(&place).is_ok_and(|record| record.is_running());
    while !running() {
        assert!(begun.elapsed() < crate::town::LONG, "the node does not start");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let record = heatmark_devnet::Record::read(&place).unwrap();
    keeper.kill().unwrap();
    keeper.wait().unwrap();
    let begun = Instant::now();
    while record.is_running() {
        assert!(begun.elapsed() < crate::town::LONG, "the node outlives its keeper");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
