//! Sections of a certificate that open by a deal, on real nodes: the assay of rare-earth magnets is deposited with three agents, of
//! whom two are enough, and bought while the magnets' maker is shut down, while the buyer and an agent are killed, and not at
//! all where too few agents are there: then the money goes back.

mod betrayal;
mod deadlines;
mod deaths;
mod insider;
mod python;
mod stage;
mod steps;

use crate::town::Town;
use serde_json::Value;
use stage::{ARBITER, BUYER, OWNER, Sale, phase_is, report, until};
use std::fs;

/// Fields with what they say.
fn told(sections: &Value) -> Vec<(String, String)> {
    let fields = sections["sections"][0]["fields"].as_array().unwrap().iter();
    let text = |field: &Value, name: &str| field[name].as_str().unwrap_or_default().to_owned();
    fields.map(|field| (text(field, "path"), text(field, "shown"))).collect()
}

/// What the buyer reads of a settled deal is what the owner deposited.
fn is_read(town: &Town, deal: &str) {
    let sections = town.command(0, &["deal", "sections", deal, "--home", BUYER]);
    let fields = told(&sections);
    let paths: Vec<&str> = fields.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(paths, ["assay/Dy", "assay/Nd", "assay/report"], "{sections}");
    assert_eq!((fields[0].1.as_str(), fields[1].1.as_str()), ("1.7 %", "29.4 %"));
    assert!(!sections.to_string().contains("66.1"), "only the section is opened: {sections}");
    let out = format!("{}.pdf", &deal[..8]);
    let write = ["deal", "document", deal, "--section", "assay", "--name", "report.pdf"];
    town.command(0, &[&write[..], &["--out", &out, "--home", BUYER]].concat());
    assert!(fs::read(town.path(&out)).unwrap() == report(), "another document came out");
    // What is there already is not written over.
    fs::remove_file(town.path(&out)).unwrap();
}

/// What the arbiter was told to do with money.
fn is_told(town: &Town, deal: &str, what: &str) -> Option<Value> {
    let outbox = town.devnet.node(ARBITER).unwrap().home.join("data/vault/outbox");
    let text = fs::read_to_string(outbox.join(format!("{deal}-{what}.json"))).ok()?;
    Some(serde_json::from_str(&text).unwrap())
}

#[tokio::test]
async fn an_assay_is_bought_while_its_owner_is_shut_down() {
    let mut town = stage::town(&[]).await;
    let sale = Sale::deposited(&town).await;
    // One of the magnets' makers' neighbours, whom no clause lets in, learns nothing.
    let offers =
        town.command(1, &["escrow", "offers", "--record", &sale.record, "--home", "forge"]);
    assert_eq!(offers["offers"].as_array().unwrap().len(), 0, "{offers}");
    let stopped = town.devnet.stop(OWNER).await.unwrap();
    assert!(!stopped.killed);

    let deal = sale.opened(&town, &[]).await;
    // Before it is paid, nothing opens, and nobody but the arbiter says that it is.
    town.command(1, &["deal", "sections", &deal, "--home", BUYER]);
    town.command(1, &["deal", "fund", &deal, "--home", BUYER]);
    sale.funded(&town, &deal).await;
    let collect = is_told(&town, &deal, "collect").expect("the arbiter was told to collect");
    assert_eq!((&collect["amount"], &collect["currency"]), (&25_000.into(), &"EUR".into()));
    assert_eq!(collect["buyer_name"], "Aldermoor Turbines Ltd");
    let settled = phase_is(&town, &deal, BUYER, "settled").await;
    assert_eq!(settled["opened"], true, "{settled}");
    assert!(settled["released"].as_u64().unwrap() >= 2, "{settled}");
    is_read(&town, &deal);
    let pay = until("the arbiter was never told to pay out", || is_told(&town, &deal, "pay-out"));
    assert_eq!(pay.await["amount"], 25_000);
    assert_eq!(is_told(&town, &deal, "refund"), None);

    // Bought once, it is bought: a second look costs nothing, and the owner learns of the deal when it is back.
    is_read(&town, &deal);
    town.devnet.restart(OWNER).await.unwrap();
    town.agree(&town.devnet.names(), 8).await;
    town.down().await;
}

#[tokio::test]
async fn a_deal_settles_although_buyer_and_agent_are_killed_on_the_way() {
    let mut town = stage::town(&[]).await;
    let sale = Sale::deposited(&town).await;
    let deal = sale.begun(&town, &[]);
    // While keys are gathered.
    town.devnet.kill(BUYER).await.unwrap();
    town.devnet.restart(BUYER).await.unwrap();
    phase_is(&town, &deal, BUYER, "accepted").await;
    // Terms that a buyer has not handed on yet nobody else can.
    let informed = stage::informed(&town, &deal, 2).await;
    let first = informed[0];
    let other = stage::AGENTS.into_iter().find(|agent| !informed[..2].contains(agent)).unwrap();
    sale.funded(&town, &deal).await;
    // While agents say that they are ready and release: one of them, and the buyer, whom they release to.
    town.devnet.kill(other).await.unwrap();
    town.devnet.kill(BUYER).await.unwrap();
    phase_is(&town, &deal, first, "delivered").await;
    town.devnet.restart(other).await.unwrap();
    town.devnet.restart(BUYER).await.unwrap();
    let settled = phase_is(&town, &deal, BUYER, "settled").await;
    assert_eq!(
        (&settled["opened"], &settled["trouble"]),
        (&true.into(), &Value::Null),
        "{settled}"
    );
    // Killed once more, it has what it bought.
    town.devnet.kill(BUYER).await.unwrap();
    town.devnet.restart(BUYER).await.unwrap();
    is_read(&town, &deal);
    // One deal only, and each party has one part in it.
    for (home, part) in [(BUYER, "buyer"), (ARBITER, "arbiter"), (first, "agent")] {
        let deals = town.command(0, &["deal", "list", "--home", home]);
        let parts: Vec<&str> = deals["deals"]
            .as_array()
            .unwrap()
            .iter()
            .map(|d| d["part"].as_str().unwrap())
            .collect();
        assert_eq!(parts, [part], "{home}: {deals}");
    }
    town.agree(&town.devnet.names(), 8).await;
    town.down().await;
}

#[tokio::test]
async fn with_one_agent_of_three_the_money_goes_back_and_nothing_opens() {
    let mut town = stage::town(&["heartbeat_ms=2000"]).await;
    let sale = Sale::deposited(&town).await;
    let deal = sale.opened(&town, &["--each", "40s"]).await;
    for agent in ["regulator", "escrow-agent"] {
        town.devnet.kill(agent).await.unwrap();
    }
    sale.funded(&town, &deal).await;
    let refunded = phase_is(&town, &deal, BUYER, "refunded").await;
    assert_eq!((&refunded["opened"], &refunded["released"]), (&false.into(), &0.into()));
    let refund = until("the arbiter was never told to refund", || is_told(&town, &deal, "refund"));
    assert_eq!(refund.await["amount"], 25_000);
    assert_eq!(is_told(&town, &deal, "pay-out"), None);
    let refused = town.command(1, &["deal", "sections", &deal, "--home", BUYER]);
    assert_eq!(refused["error"]["code"], "not-opened", "{refused}");
    // The agents come back too late for this deal, and in time for the next one.
    for agent in ["regulator", "escrow-agent"] {
        town.devnet.restart(agent).await.unwrap();
    }
    phase_is(&town, &deal, "regulator", "refunded").await;
    let next = sale.opened(&town, &[]).await;
    sale.funded(&town, &next).await;
    phase_is(&town, &next, BUYER, "settled").await;
    is_read(&town, &next);
    town.down().await;
}
