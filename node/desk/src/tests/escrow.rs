//! Deposits and deals among eight desks on one log: whoever is away, lies, dies or comes back.

mod rig;

use crate::{DealError, DeskError, Lengths};
use heatmark_ledger::messages::{self as pb, body::Payload};
use heatmark_ledger::{LeafIndex, wire};
use heatmark_vault::{DealRole, HoldingRow, SecretsOf};
use rig::{ARBITER, BUYER, OWNER, Town, plan};
use std::time::Duration;

const AGENTS: [usize; 5] = [1, 2, 3, 4, 5];

fn free() -> String {
    "[[clause]]\nname = \"audit\"\nsections = [\"assay\"]\nopen_to = \"anyone\"\nprice = \"free\"\n"
        .to_owned()
}

fn paid(town: &Town) -> String {
    format!(
        "[[clause]]\nname = \"sale\"\nsections = [\"assay\"]\nmembers = [\"{}\"]\nprice = \"250.00 EUR\"\n\
         arbiters = [\"{}\"]\naccept = \"by hand\"\n",
        town.id(BUYER),
        town.id(ARBITER)
    )
}

fn report(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|at| (at * 7 % 251) as u8).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_deposited_opens_while_its_owner_is_gone() {
    let town = Town::new();
    let report = report(300_000);
    let record = town.certificate(&report).await;
    town.deposit(record, (&AGENTS, 3), &free(), &report).await;
    town.stop(OWNER);
    // As many agents are gone as may be.
    town.stop(4);
    town.stop(5);
    town.offers(record, 3).await;
    let deal = town.desk(BUYER).open_deal(plan(record, "audit")).await.unwrap();
    town.until_phase(deal, "settled").await;
    let view = town.view(BUYER, deal, DealRole::Buyer).await;
    assert_eq!((view.opened, view.agents), ((true, false), (3, 3, 3)));
    let sections = town.desk(BUYER).opened_sections(deal).await.unwrap();
    let paths: Vec<String> = sections[0].fields.iter().map(|f| f.path.to_string()).collect();
    assert_eq!(paths, ["assay/Dy", "assay/Nd", "assay/report"]);
    let buyer = town.desk(BUYER);
    let document = buyer.opened_document(deal, "assay".into(), "report.pdf".into()).await;
    assert_eq!(document.unwrap(), report);
    let none = buyer.opened_document(deal, "assay".into(), "other.pdf".into()).await;
    assert!(matches!(none, Err(DeskError::Deal(DealError::NoSuchDocument))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sale_is_accepted_paid_and_told_and_the_log_says_none_of_it() {
    let town = Town::new();
    let report = report(1_000);
    let record = town.certificate(&report).await;
    town.deposit(record, (&AGENTS, 3), &paid(&town), &report).await;
    town.offers(record, 5).await;
    let deal = town.desk(BUYER).open_deal(plan(record, "sale")).await.unwrap();
    town.until_phase(deal, "open").await;
    let early = town.desk(ARBITER).agree_to_deal(deal, DealRole::Arbiter).await;
    assert!(matches!(early, Err(DeskError::Deal(DealError::WrongPhase("open")))), "{early:?}");
    town.until("the owner has the terms", async || {
        town.desk(OWNER).deal(hex::encode(deal)).await.unwrap()[0].record.is_some()
    })
    .await;
    town.desk(OWNER).agree_to_deal(deal, DealRole::Owner).await.unwrap();
    town.until_phase(deal, "accepted").await;
    let collect = town.outbox(ARBITER).join(format!("{}-collect.json", hex::encode(deal)));
    town.until("the arbiter is told to collect", async || collect.exists()).await;
    let told = std::fs::read_to_string(&collect).unwrap();
    assert!(told.contains("\"amount\":25000") && told.contains("\"currency\":\"EUR\""), "{told}");
    town.desk(ARBITER).agree_to_deal(deal, DealRole::Arbiter).await.unwrap();
    town.until_phase(deal, "settled").await;
    let pay = town.outbox(ARBITER).join(format!("{}-pay-out.json", hex::encode(deal)));
    town.until("the arbiter is told to pay out", async || pay.exists()).await;
    assert!(!town.outbox(ARBITER).join(format!("{}-refund.json", hex::encode(deal))).exists());
    assert_eq!(town.desk(BUYER).opened_sections(deal).await.unwrap().len(), 1);

    // Nothing of who, what and for how much stands in the deal's steps, and the arbiter carries them all.
    let size = town.chain.store.tip().log_size.0;
    let ids: Vec<Vec<u8>> = (0..8).map(|at| town.id(at).to_vec()).collect();
    let arbiter = heatmark_ledger::keys::PublicKey::of(&town.chain.members[ARBITER].signing).id();
    let mut steps = 0;
    for leaf in 0..size {
        let entry = town.chain.store.entry(LeafIndex(leaf)).unwrap().unwrap();
        let envelope = wire::decode_envelope(&entry).unwrap();
        let body = wire::decode_body(&envelope.body).unwrap();
        let Some(Payload::Deal(_)) = body.payload else { continue };
        steps += 1;
        assert_eq!(envelope.signer, arbiter.to_vec());
        let needles = ids.iter().map(Vec::as_slice).chain([
            &record.0[..],
            b"audit",
            b"assay",
            b"EUR",
            &report[..32],
        ]);
        for needle in needles {
            assert!(!entry.windows(needle.len()).any(|at| at == needle), "leaf {leaf}");
        }
    }
    // Open, accept, fund, five ready, five releases, confirm; an agent that is late may be missing.
    assert!((10..=14).contains(&steps), "{steps} steps");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_too_few_agents_nothing_opens_and_the_money_goes_back() {
    let town = Town::new();
    let report = report(1_000);
    let record = town.certificate(&report).await;
    let policy = paid(&town).replace("accept = \"by hand\"\n", "");
    town.deposit(record, (&AGENTS, 3), &policy, &report).await;
    town.offers(record, 5).await;
    let lengths = Lengths { fund: 10_000, ready: 3_000, release: 3_000, ..Lengths::all(30_000) };
    let deal = crate::DealPlan { lengths, ..plan(record, "sale") };
    let deal = town.desk(BUYER).open_deal(deal).await.unwrap();
    town.until_phase(deal, "accepted").await;
    for at in [3, 4, 5] {
        town.stop(at);
    }
    town.until("the arbiter has the terms", async || {
        town.desk(ARBITER).agree_to_deal(deal, DealRole::Arbiter).await.is_ok()
    })
    .await;
    town.until_phase(deal, "refunded").await;
    let refund = town.outbox(ARBITER).join(format!("{}-refund.json", hex::encode(deal)));
    town.until("the arbiter is told to refund", async || refund.exists()).await;
    let view = town.view(BUYER, deal, DealRole::Buyer).await;
    assert_eq!((view.opened.0, view.agents.1), (false, 0), "nobody released");
    let closed = town.desk(BUYER).opened_sections(deal).await;
    assert!(matches!(closed, Err(DeskError::Deal(DealError::NotOpened))), "{closed:?}");
}

/// Puts shares of another dealing in the place of those that an agent holds.
fn corrupt(town: &Town, agent: usize) {
    let vault = &town.vaults[agent];
    let row: HoldingRow = vault.holdings().unwrap().remove(0);
    let digest: [u8; 32] = row.digest.as_slice().try_into().unwrap();
    let mut shares = vault.escrow_secrets(SecretsOf::Holding, &digest).unwrap().unwrap().to_vec();
    // A bit low in the share's value: it is a share still, and not this one.
    let at = shares.len() - 60;
    shares[at] ^= 1;
    vault.put_holding(&row, Some(&shares), None).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_lies_is_named_and_passed_over() {
    let town = Town::new();
    let report = report(1_000);
    let record = town.certificate(&report).await;
    town.deposit(record, (&AGENTS, 3), &free(), &report).await;
    corrupt(&town, 2);
    town.offers(record, 5).await;
    let deal = town.desk(BUYER).open_deal(plan(record, "audit")).await.unwrap();
    town.until_phase(deal, "settled").await;
    town.until("it is open", async || town.view(BUYER, deal, DealRole::Buyer).await.opened.0).await;
    let view = town.view(BUYER, deal, DealRole::Buyer).await;
    assert!(view.bad.is_empty() || view.bad == [2], "{:?}", view.bad);
    assert_eq!(town.desk(BUYER).opened_sections(deal).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_too_many_bad_shares_the_buyer_disputes_and_is_refunded() {
    let town = Town::new();
    let report = report(1_000);
    let record = town.certificate(&report).await;
    let policy = paid(&town).replace("accept = \"by hand\"\n", "");
    town.deposit(record, (&AGENTS, 3), &policy, &report).await;
    for agent in [1, 3, 5] {
        corrupt(&town, agent);
    }
    town.offers(record, 5).await;
    let deal = town.desk(BUYER).open_deal(plan(record, "sale")).await.unwrap();
    town.until_phase(deal, "accepted").await;
    town.until("the arbiter has the terms", async || {
        town.desk(ARBITER).agree_to_deal(deal, DealRole::Arbiter).await.is_ok()
    })
    .await;
    town.until("the buyer sees that shares are bad", async || {
        let view = town.view(BUYER, deal, DealRole::Buyer).await;
        view.trouble.0 == "bad-shares" && view.bad == [1, 3, 5]
    })
    .await;
    town.desk(BUYER).dispute(deal).await.unwrap();
    town.until_phase(deal, "disputed").await;
    town.until("the arbiter has the claim", async || {
        town.desk(ARBITER).judge_claim(deal).await.is_ok()
    })
    .await;
    let found = town.desk(ARBITER).judge_claim(deal).await.unwrap();
    assert_eq!(found, Some(("share-mismatch".to_owned(), true)));
    town.desk(ARBITER).rule(deal, true, "the share does not check".into()).await.unwrap();
    town.until_phase(deal, "refunded").await;
    town.until("the buyer is told", async || {
        town.view(BUYER, deal, DealRole::Buyer).await.ruling.is_some()
    })
    .await;
    let ruling = town.view(BUYER, deal, DealRole::Buyer).await.ruling.unwrap();
    assert_eq!(ruling, (true, "share-mismatch".to_owned(), "the share does not check".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_dies_at_any_moment_goes_on_where_it_was() {
    let town = Town::new();
    let report = report(200_000);
    let record = town.certificate(&report).await;
    town.deposit(record, (&AGENTS, 3), &free(), &report).await;
    town.offers(record, 5).await;
    let deal = town.desk(BUYER).open_deal(plan(record, "audit")).await.unwrap();
    for round in 0..60_usize {
        // The buyer and every agent in turn, at moments that nobody chose.
        let at = [BUYER, 1, 2, 3, 4, 5][round % 6];
        town.stop(at);
        tokio::time::sleep(Duration::from_millis(5 + (round as u64 * 37) % 60)).await;
        town.start(at);
        tokio::time::sleep(Duration::from_millis((round as u64 * 53) % 50)).await;
    }
    town.until_phase(deal, "settled").await;
    town.until("it is open", async || town.view(BUYER, deal, DealRole::Buyer).await.opened.0).await;
    // Each agent's steps stand once.
    let size = town.chain.store.tip().log_size.0;
    let mut releases = Vec::new();
    for leaf in 0..size {
        let entry = town.chain.store.entry(LeafIndex(leaf)).unwrap().unwrap();
        let envelope = wire::decode_envelope(&entry).unwrap();
        let body = wire::decode_body(&envelope.body).unwrap();
        if let Some(Payload::Deal(pb::Deal {
            step: Some(pb::deal::Step::Release(release)), ..
        })) = body.payload
        {
            releases.push(release.agent);
        }
    }
    let mut once = releases.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), releases.len());
    assert!(once.len() >= 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_owner_alone_is_an_agent_as_any_other() {
    let town = Town::new();
    let report = report(5_000);
    let record = town.certificate(&report).await;
    town.deposit(record, (&[OWNER], 1), &free(), &report).await;
    // The buyer has nothing of this record yet, so that it cannot tell whom to ask but agents.
    town.deposit(record, (&[OWNER, 1], 1), &free(), &report).await;
    town.offers(record, 1).await;
    let deal = town.desk(BUYER).open_deal(plan(record, "audit")).await.unwrap();
    town.until_phase(deal, "settled").await;
    assert_eq!(town.desk(BUYER).opened_sections(deal).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_opened_for_a_time_is_destroyed_at_its_end() {
    let town = Town::new();
    let report = report(1_000);
    let record = town.certificate(&report).await;
    town.deposit(record, (&AGENTS, 2), &free(), &report).await;
    town.offers(record, 5).await;
    let until = crate::tests::chain::now_ms() + 8_000;
    let kept = crate::DealPlan { retain_until_ms: Some(until), ..plan(record, "audit") };
    let deal = town.desk(BUYER).open_deal(kept).await.unwrap();
    town.until("it is open", async || town.view(BUYER, deal, DealRole::Buyer).await.opened.0).await;
    assert_eq!(town.desk(BUYER).opened_sections(deal).await.unwrap().len(), 1);
    town.until("it is destroyed", async || town.view(BUYER, deal, DealRole::Buyer).await.opened.1)
        .await;
    let gone = town.desk(BUYER).opened_sections(deal).await;
    assert!(matches!(gone, Err(DeskError::Deal(DealError::SectionsDestroyed))), "{gone:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whom_no_clause_lets_in_learns_nothing() {
    let town = Town::new();
    let report = report(1_000);
    let record = town.certificate(&report).await;
    let policy = paid(&town).replace(&town.id(BUYER).to_string(), &town.id(ARBITER).to_string());
    town.deposit(record, (&AGENTS, 3), &policy, &report).await;
    assert!(town.desk(BUYER).ask_offers(record).await.unwrap() >= 5);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(town.desk(BUYER).offers(record).await.unwrap().is_empty());
    let deal = town.desk(BUYER).open_deal(plan(record, "sale")).await;
    assert!(matches!(deal, Err(DeskError::Deal(DealError::NoOffer))), "{deal:?}");
}
