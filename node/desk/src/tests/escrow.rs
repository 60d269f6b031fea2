//! Deposits and deals among eight desks on one log: whoever is away, lies, dies or comes back.

mod ciphertext;
mod classes;
mod crashes;
mod holdings;
mod inspections;
mod rig;

use crate::{DealError, DealPlan, DeskError, Lengths, OrderPlan};
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
    let by_hand = DealPlan { confirm_by_hand: true, ..plan(record, "audit") };
    let deal = town.desk(BUYER).open_deal(by_hand).await.unwrap();
    // What was opened waits for a person to look at it.
    town.until("it is open", async || town.view(BUYER, deal, DealRole::Buyer).await.opened.0).await;
    town.until_phase(deal, "delivered").await;
    town.desk(BUYER).agree_to_deal(deal, DealRole::Buyer).await.unwrap();
    town.until_phase(deal, "settled").await;
    let view = town.view(BUYER, deal, DealRole::Buyer).await;
    assert_eq!((view.opened, view.agents), ((true, false), (3, 3, 3)));
    let sections = town.desk(BUYER).opened_sections(deal).await.unwrap();
    let paths: Vec<String> = sections[0].fields.iter().map(|f| f.path.to_string()).collect();
    assert_eq!(paths, ["assay/Dy", "assay/Nd", "assay/report", "chemistry/Dy"]);
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
    let lengths = Lengths { fund: 25_000, ready: 3_000, release: 3_000, ..Lengths::all(90_000) };
    let deal = DealPlan { lengths, ..plan(record, "sale") };
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
    let until = crate::tests::chain::now_ms() + 20_000;
    let kept = DealPlan { retain_until_ms: Some(until), ..plan(record, "audit") };
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_premium_is_of_an_amount_that_only_the_arbiter_sees() {
    let town = Town::new();
    let report = report(1_000);
    let record = town.certificate(&report).await;
    let policy =
        paid(&town).replace("accept = \"by hand\"\n", "").replace("250.00 EUR", "3.2 % EUR");
    town.deposit(record, (&AGENTS, 3), &policy, &report).await;
    town.offers(record, 5).await;
    let blind = town.desk(BUYER).open_deal(plan(record, "sale")).await;
    assert!(matches!(blind, Err(DeskError::Deal(DealError::PremiumBase))), "{blind:?}");
    let of = DealPlan { base: Some(1_000_001), ..plan(record, "sale") };
    let deal = town.desk(BUYER).open_deal(of).await.unwrap();
    town.until_phase(deal, "accepted").await;
    let collect = town.outbox(ARBITER).join(format!("{}-collect.json", hex::encode(deal)));
    town.until("the arbiter is told to collect", async || collect.exists()).await;
    // 3.2 % of 10,000.01 EUR, rounded up to the cent.
    let told = std::fs::read_to_string(&collect).unwrap();
    assert!(told.contains("\"amount\":32001"), "{told}");
    town.until("agents have the terms", async || {
        let views = town.desk(1).deals_from(0, 9).await.unwrap();
        views.iter().any(|view| view.record.is_some())
    })
    .await;
    let agent = town.view(1, deal, DealRole::Agent).await;
    assert_eq!(agent.amount, (None, "EUR".to_owned()));
    town.desk(ARBITER).agree_to_deal(deal, DealRole::Arbiter).await.unwrap();
    town.until_phase(deal, "settled").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn regulators_open_by_order_and_one_of_two_does_not() {
    let town = Town::new();
    let report = report(1_000);
    let record = town.certificate(&report).await;
    let policy = format!(
        "regulators = [\"{}\", \"{}\"]\nquorum = 2\n{}on_order = true\n",
        town.id(ARBITER),
        town.id(5),
        free()
    );
    town.deposit(record, (&AGENTS, 3), &policy, &report).await;
    town.stop(OWNER);
    town.offers(record, 5).await;
    let order = async |regulator: usize, section: &str| {
        let order = OrderPlan {
            record,
            sections: vec![section.to_owned()],
            member: town.id(BUYER),
            purpose: "audit".to_owned(),
            reason: "market surveillance".to_owned(),
            until_ms: crate::tests::chain::now_ms() + 600_000,
        };
        town.desk(regulator).order(order).await.unwrap().file
    };
    let refused = async |orders: Vec<Vec<u8>>| {
        let deal = DealPlan { orders, ..plan(record, "audit") };
        let deal = town.desk(BUYER).open_deal(deal).await.unwrap();
        tokio::time::sleep(Duration::from_secs(3)).await;
        town.view(BUYER, deal, DealRole::Buyer).await
    };
    let one = order(5, "assay").await;
    let view = refused(vec![one.clone()]).await;
    assert_eq!(view.phase, "gathering", "{view:?}");
    // A member that the deposit does not name orders nothing, whatever role it has.
    let view = refused(vec![one.clone(), order(3, "assay").await]).await;
    assert_eq!(view.phase, "gathering", "{view:?}");
    let orders = vec![one, order(ARBITER, "assay").await];
    let deal = DealPlan { orders, ..plan(record, "audit") };
    let deal = town.desk(BUYER).open_deal(deal).await.unwrap();
    town.until_phase(deal, "settled").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_payment_covers_an_order() {
    let town = Town::new();
    let report = report(1_000);
    let policy = paid(&town).replace("accept = \"by hand\"\n", "standing = \"PO 4711\"\n");
    let first = town.certificate(&report).await;
    town.deposit(first, (&AGENTS, 3), &policy, &report).await;
    town.offers(first, 5).await;
    let paid_for = town.desk(BUYER).open_deal(plan(first, "sale")).await.unwrap();
    town.until_phase(paid_for, "accepted").await;
    town.until("the arbiter has the terms", async || {
        town.desk(ARBITER).agree_to_deal(paid_for, DealRole::Arbiter).await.is_ok()
    })
    .await;
    town.until_phase(paid_for, "settled").await;
    let other = self::report(2_000);
    let second = town.certificate(&other).await;
    town.deposit(second, (&AGENTS, 3), &policy, &other).await;
    town.offers(second, 5).await;
    let covered = DealPlan { standing: Some(paid_for), ..plan(second, "sale") };
    let deal = town.desk(BUYER).open_deal(covered).await.unwrap();
    town.until_phase(deal, "settled").await;
    let view = town.view(BUYER, deal, DealRole::Buyer).await;
    assert_eq!(view.amount, (None, String::new()), "nothing is paid again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shares_are_dealt_anew_drilled_and_destroyed() {
    let town = Town::new();
    let report = report(150_000);
    let record = town.certificate(&report).await;
    town.deposit(record, (&[1, 2, 3], 2), &free(), &report).await;
    let owner = town.desk(OWNER);
    let first = owner.deposits().await.unwrap()[0].id;
    let agents = [3, 4, 5].map(|at| town.id(at)).to_vec();
    let anew = owner.refresh_deposit(first, agents, 3).await.unwrap();
    let of = async |id: [u8; 32]| {
        let deposits = town.desk(OWNER).deposits().await.unwrap();
        deposits.into_iter().find(|deposit| deposit.id == id).unwrap()
    };
    town.until("the new agents have signed", async || {
        of(anew).await.agents.iter().all(|agent| agent.state == "signed")
    })
    .await;
    let (before, after) = (of(first).await.manifest, of(anew).await.manifest);
    assert_eq!((after.epoch, after.threshold), (2, 3));
    assert_eq!(after.sections[0].root, before.sections[0].root, "the ciphertext stays");

    // A drill finds the agent that lost a piece and the one that lost its shares.
    let root: [u8; 32] = after.sections[0].root.as_slice().try_into().unwrap();
    town.vaults[4].drop_pieces(&root, 1).unwrap();
    corrupt(&town, 5);
    assert_eq!(owner.drill_deposit(anew).await.unwrap(), 3);
    town.until("all have answered", async || {
        of(anew).await.agents.iter().all(|agent| !agent.trouble.contains("not answered"))
    })
    .await;
    let said: Vec<(bool, String)> = of(anew)
        .await
        .agents
        .iter()
        .map(|agent| (agent.alive_ms != 0, agent.trouble.clone()))
        .collect();
    let lost = |what: &str| (false, format!("has lost {what}"));
    assert_eq!(said, [(true, String::new()), lost("ciphertext"), lost("its shares")]);

    // Destroyed: the owner's secrets and the agents' shares, and no deal opens any more.
    town.offers(record, 1).await;
    for id in [first, anew] {
        owner.destroy_deposit(id).await.unwrap();
        town.until("agents sign that they destroyed", async || {
            of(id).await.agents.iter().all(|agent| agent.state == "destroyed")
        })
        .await;
    }
    let late = owner.drill_deposit(anew).await;
    assert!(matches!(late, Err(DeskError::Deal(DealError::SectionsDestroyed))), "{late:?}");
    let deal = town.desk(BUYER).open_deal(plan(record, "audit")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(town.view(BUYER, deal, DealRole::Buyer).await.phase, "gathering");
    // Whose record is on hold destroys nothing.
    town.deposit(record, (&[1], 1), &free(), &report).await;
    let third = owner.deposits().await.unwrap()[0].id;
    town.vaults[OWNER].hold(&heatmark_vault::Actor::Node, &record, "a claim").unwrap();
    assert!(owner.destroy_deposit(third).await.is_err());
}
