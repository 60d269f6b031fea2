//! Whoever is to act next in a deal is killed, before it has and right after it did, from the opening to the ruling. Every deal
//! still ends as it should, and no step stands twice.

use super::insider::spoil_shares;
use super::stage::{self, ARBITER, BUYER, OWNER, Sale, member, phase_is, until};
use super::steps::{on_log, reached, releases, stand_once};
use super::{is_read, is_told};
use crate::town::Town;

/// As [`stage`]'s, but that the owner accepts each deal itself: every step that there is.
fn policy(town: &Town) -> String {
    let (buyer, arbiter) = (member(town, BUYER), member(town, ARBITER));
    format!(
        "[[clause]]\nname = \"sale\"\nsections = [\"assay\"]\nmembers = [\"{buyer}\"]\naccept = \"by hand\"\n\
         price = \"250.00 EUR\"\narbiters = [\"{arbiter}\"]\n"
    )
}

/// Ends nodes as a power failure would, all at once, and starts them again.
async fn dies(town: &mut Town, names: &[&str]) {
    for name in names {
        town.devnet.kill(name).await.unwrap();
    }
    for name in names {
        town.devnet.spawn(name).unwrap();
    }
    for name in names {
        town.devnet.ready(name).await.unwrap();
    }
}

/// A deal of which both, owner and arbiter, are killed as soon as they have said yes.
async fn paid(town: &mut Town, sale: &Sale) -> String {
    let deal = sale.begun(town, &[]);
    // While keys are gathered, and once the opening stands.
    dies(town, &[BUYER]).await;
    reached(town, &deal, OWNER, "open").await;
    dies(town, &[BUYER]).await;
    town.command(0, &["deal", "accept", &deal, "--home", OWNER]);
    dies(town, &[OWNER]).await;
    reached(town, &deal, ARBITER, "accepted").await;
    dies(town, &[OWNER]).await;
    town.command(0, &["deal", "fund", &deal, "--home", ARBITER]);
    dies(town, &[ARBITER]).await;
    reached(town, &deal, BUYER, "funded").await;
    deal
}

#[tokio::test]
async fn whoever_is_killed_at_its_step_takes_it_once_and_deals_end_as_they_should() {
    let mut town = stage::town(&[]).await;
    let policy = policy(&town);
    let sale = Sale::deposited_under(&town, &policy).await;

    let deal = paid(&mut town, &sale).await;
    // Agents before and after they say that they are ready, and after they released.
    dies(&mut town, &["lab", "escrow-agent"]).await;
    reached(&town, &deal, BUYER, "ready").await;
    dies(&mut town, &["regulator", "lab"]).await;
    reached(&town, &deal, ARBITER, "delivered").await;
    dies(&mut town, &[BUYER, "escrow-agent"]).await;
    phase_is(&town, &deal, ARBITER, "settled").await;
    dies(&mut town, &[BUYER, ARBITER]).await;
    let settled = until("what was bought is never open", || {
        let shown = town.command(0, &["deal", "show", &deal, "--home", BUYER]);
        let view = shown["parts"][0].clone();
        (view["opened"] == true).then_some(view)
    })
    .await;
    assert_eq!(
        (&settled["phase"], &settled["bad_agents"]),
        (&"settled".into(), &serde_json::json!([]))
    );
    is_read(&town, &deal);
    until("the arbiter was never told to pay out", || is_told(&town, &deal, "pay-out")).await;
    assert_eq!(is_told(&town, &deal, "refund"), None);
    let taken = on_log(&town, "forge", &deal).await;
    stand_once(&taken, &["open", "accept", "fund", "confirm"]);
    assert!(releases(&taken) >= 2, "{taken:?}");

    disputed(&mut town, &sale).await;
    town.agree(&town.devnet.names(), 8).await;
    town.down().await;
}

/// Two agents lose their shares to something worse than a crash: the buyer gets the money back.
async fn disputed(town: &mut Town, sale: &Sale) {
    for agent in ["lab", "regulator"] {
        town.devnet.kill(agent).await.unwrap();
        spoil_shares(town, agent);
        town.devnet.restart(agent).await.unwrap();
    }
    let deal = paid(town, sale).await;
    reached(town, &deal, ARBITER, "delivered").await;
    dies(town, &[BUYER]).await;
    let found = until("the buyer never finds out", || {
        let shown = town.command(0, &["deal", "show", &deal, "--home", BUYER]);
        let view = shown["parts"][0].clone();
        (view["trouble"] == "bad-shares").then_some(view)
    })
    .await;
    assert_eq!(found["opened"], false, "{found}");
    town.command(0, &["deal", "dispute", &deal, "--home", BUYER]);
    dies(town, &[BUYER]).await;
    reached(town, &deal, ARBITER, "disputed").await;
    dies(town, &[ARBITER]).await;
    until("the arbiter never sees the claim", || {
        let judged = town.devnet.program().run(&["deal", "judge", &deal, "--home", ARBITER]);
        (judged.unwrap().code == Some(0)).then_some(())
    })
    .await;
    let rule = ["deal", "rule", &deal, "--refund", "--reason", "the share does not check"];
    town.command(0, &[&rule[..], &["--home", ARBITER]].concat());
    dies(town, &[ARBITER]).await;
    let refunded = phase_is(town, &deal, BUYER, "refunded").await;
    assert_eq!(refunded["opened"], false, "{refunded}");
    dies(town, &[ARBITER]).await;
    until("the arbiter was never told to refund", || is_told(town, &deal, "refund")).await;
    assert_eq!(is_told(town, &deal, "pay-out"), None);
    let taken = on_log(town, "forge", &deal).await;
    stand_once(&taken, &["open", "accept", "fund", "dispute", "rule"]);
}
