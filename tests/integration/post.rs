//! Files from node to node: sent while the receiver is down, delivered when it is back, and verified there.

use crate::town::{LONG, Town};
use serde_json::Value;
use std::fs;
use std::time::{Duration, Instant};

fn rows(letters: &Value, which: &str) -> Vec<Value> {
    letters[which].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_disclosure_reaches_a_receiver_that_was_down_and_nobody_else() {
    let mut town = Town::up(&[]).await;
    let plate = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../devnet/certificates/316l-plate.json");
    let plate = plate.display().to_string();
    let published = town.command(0, &["cert", "publish", &plate, "--home", "mill"]);
    let record = published["files"][0]["record_id"].as_str().unwrap().to_owned();
    let forge = town.devnet.member("forge").unwrap().to_string();
    let show = ["cert", "show", &record, "--fields", "heat", "--to", &forge];
    let rest = ["--purpose", "order 4711", "--out", "heat.disclosure", "--home", "mill"];
    town.command(0, &[&show[..], &rest].concat());
    town.devnet.kill("forge").await.unwrap();
    town.command(0, &["post", "send", "heat.disclosure", "--to", &forge, "--home", "mill"]);
    let waiting = town.command(0, &["post", "list", "--home", "mill"]);
    assert_eq!(rows(&waiting, "sent").len(), 1);
    // What waits outlives the sender's own crash.
    town.devnet.kill("mill").await.unwrap();
    town.devnet.restart("mill").await.unwrap();
    town.devnet.restart("forge").await.unwrap();
    let since = Instant::now();
    let arrived = loop {
        let letters = town.command(0, &["post", "list", "--home", "forge"]);
        if let [row] = rows(&letters, "arrived").as_slice() {
            break row.clone();
        }
        assert!(since.elapsed() < LONG, "the letter never arrived");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert_eq!(arrived["name"], "heat.disclosure");
    let letter = arrived["letter"].as_str().unwrap();
    town.command(0, &["post", "save", letter, "--out", "saved", "--home", "forge"]);
    let sent = fs::read(town.path("heat.disclosure")).unwrap();
    assert_eq!(fs::read(town.path("saved")).unwrap(), sent);
    let genesis = town.devnet.genesis_path().display().to_string();
    town.command(0, &["verify", "--trust", &genesis, "--home", "forge", "saved"]);
    let since = Instant::now();
    while !rows(&town.command(0, &["post", "list", "--home", "mill"]), "sent").is_empty() {
        assert!(since.elapsed() < LONG, "the sender never learned that it arrived");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    for other in ["assembler", "lab"] {
        let letters = town.command(0, &["post", "list", "--home", other]);
        assert!(rows(&letters, "arrived").is_empty(), "{other}");
    }
    town.command(0, &["post", "drop", &letter[..8], "--home", "forge"]);
    town.command(1, &["post", "save", letter, "--home", "forge"]);
    town.down().await;
}
