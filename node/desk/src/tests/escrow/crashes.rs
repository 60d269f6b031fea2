//! What a crash kept from leaving, between a row that is kept and the letters that it tells others by.

use super::rig::{ARBITER, BUYER, OWNER, Town, plan};
use super::{AGENTS, corrupt, paid, report};
use heatmark_vault::{Actor, DealRole, DealRow};
use std::time::Duration;

/// Changes a party's row while its desk does not run.
fn change(town: &Town, (at, role): (usize, DealRole), deal: [u8; 32], with: fn(&mut DealRow)) {
    let vault = &town.vaults[at];
    let mut row = vault.deal(&deal, role).unwrap().unwrap();
    with(&mut row);
    vault.put_deal(&Actor::Node, (&row, true), None, None).unwrap();
}

/// As if one had never got what the other one's row says, since that one died right after it was kept.
async fn lost(
    town: &Town,
    deal: [u8; 32],
    from: (usize, DealRole),
    (to, forgets): ((usize, DealRole), fn(&mut DealRow)),
) {
    for (at, _) in [from, to] {
        town.stop(at);
    }
    // What a stopped desk was writing is written.
    tokio::time::sleep(Duration::from_millis(500)).await;
    change(town, from, deal, |row| row.unsent = true);
    change(town, to, deal, forgets);
    for (at, _) in [from, to] {
        town.start(at);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terms_claims_and_rulings_outlive_a_crash_before_they_leave() {
    let (buyer, arbiter) = ((BUYER, DealRole::Buyer), (ARBITER, DealRole::Arbiter));
    let town = Town::new();
    let report = report(1_000);
    let record = town.certificate(&report).await;
    town.deposit(record, (&AGENTS, 3), &paid(&town), &report).await;
    for agent in [1, 3, 5] {
        corrupt(&town, agent);
    }
    town.offers(record, 5).await;
    let deal = town.desk(BUYER).open_deal(plan(record, "sale")).await.unwrap();
    town.until_phase(deal, "open").await;
    let terms_are_there = async || {
        town.until("the owner has the terms", async || {
            town.desk(OWNER).deal(hex::encode(deal)).await.unwrap()[0].record.is_some()
        })
        .await;
    };
    terms_are_there().await;
    lost(&town, deal, buyer, ((OWNER, DealRole::Owner), |row| row.terms.clear())).await;
    terms_are_there().await;
    town.desk(OWNER).agree_to_deal(deal, DealRole::Owner).await.unwrap();
    town.until_phase(deal, "accepted").await;
    town.until("the arbiter has the terms", async || {
        town.desk(ARBITER).agree_to_deal(deal, DealRole::Arbiter).await.is_ok()
    })
    .await;
    town.until("the buyer sees that shares are bad", async || {
        town.view(BUYER, deal, DealRole::Buyer).await.trouble.0 == "bad-shares"
    })
    .await;
    town.desk(BUYER).dispute(deal).await.unwrap();
    town.until_phase(deal, "disputed").await;
    let claim_is_there = async || {
        town.until("the arbiter has the claim", async || {
            town.desk(ARBITER).judge_claim(deal).await.is_ok()
        })
        .await;
    };
    claim_is_there().await;
    lost(&town, deal, buyer, (arbiter, |row| row.claim.clear())).await;
    claim_is_there().await;
    town.desk(ARBITER).rule(deal, true, "the share does not check".into()).await.unwrap();
    town.until_phase(deal, "refunded").await;
    let ruling_is_there = async || {
        town.until("the buyer is told", async || {
            town.view(BUYER, deal, DealRole::Buyer).await.ruling.is_some()
        })
        .await;
    };
    ruling_is_there().await;
    lost(&town, deal, arbiter, (buyer, |row| row.ruling.clear())).await;
    ruling_is_there().await;
    // What was told is told no more.
    town.until("nothing is left to tell", async || {
        [buyer, arbiter]
            .iter()
            .all(|(at, role)| !town.vaults[*at].deal(&deal, *role).unwrap().unwrap().unsent)
    })
    .await;
}
