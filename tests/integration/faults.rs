//! Nodes that fail and come back: nothing acknowledged is lost, and no two logs differ.

use crate::town::{LONG, Town};
use heatmark_client::ReceiptOf;
use std::fs;
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_killed_validator_loses_nothing_and_catches_up() {
    let mut town = Town::up(&[]).await;
    let before = town.commit("lab").await.unwrap();
    town.devnet.kill("lab").await.unwrap();
    for name in ["mill", "forge", "assembler"] {
        town.commit(name).await.unwrap();
    }
    town.agree(&town.names_but(&["lab"]), 4).await;
    town.devnet.restart("lab").await.unwrap();
    town.agree(&town.names_but(&[]), 4).await;
    let lab = town.devnet.client("lab").await.unwrap();
    let id = ReceiptOf::Transaction(before.verified.transaction_id);
    let after = lab.receipt(id, None).await.unwrap();
    assert_eq!(after.verified.leaf_index, before.verified.leaf_index);
    town.commit("lab").await.unwrap();
    town.down().await;
}

#[tokio::test]
async fn two_of_four_down_halt_the_network_and_it_resumes_by_itself() {
    let mut town = Town::up(&[]).await;
    town.commit("mill").await.unwrap();
    town.agree(&town.names_but(&[]), 1).await;
    town.devnet.kill("assembler").await.unwrap();
    town.devnet.pause("lab").unwrap();
    let mill = town.devnet.client("mill").await.unwrap();
    let halted = mill.header(None).await.unwrap().header;
    let id = mill.submit(town.anchor("mill")).await.unwrap();
    // Long enough for many rounds; nothing may be decided in any of them.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(6) {
        let newest = mill.header(None).await.unwrap().header;
        assert_eq!(newest.log_size, halted.log_size, "half of the votes decided a block");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    town.devnet.resume("lab").unwrap();
    let begun = Instant::now();
    while mill.receipt(ReceiptOf::Transaction(id), None).await.is_err() {
        assert!(begun.elapsed() < LONG, "the network does not resume");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    town.devnet.restart("assembler").await.unwrap();
    town.agree(&town.names_but(&[]), 2).await;
    town.down().await;
}

#[tokio::test]
async fn an_observer_joins_from_nothing_and_again_after_losing_its_data() {
    let (mut town, held) = Town::founded(&[]).await;
    drop(held);
    for name in town.names_but(&["regulator"]) {
        town.devnet.spawn(&name).unwrap();
    }
    town.devnet.all_ready().await.unwrap();
    for _ in 0..5 {
        town.commit("mill").await.unwrap();
    }
    town.devnet.restart("regulator").await.unwrap();
    town.agree(&town.names_but(&[]), 5).await;
    town.devnet.stop("regulator").await.unwrap();
    let data = town.devnet.node("regulator").unwrap().home.join("data");
    fs::remove_dir_all(data).unwrap();
    town.commit("forge").await.unwrap();
    town.devnet.restart("regulator").await.unwrap();
    town.agree(&town.names_but(&[]), 6).await;
    // It serves receipts like anybody.
    town.commit("regulator").await.unwrap();
    let audited = town.command(0, &["log", "audit", "--home", "regulator"]);
    assert_eq!(audited["checked"]["transactions"], 7);
    town.down().await;
}
