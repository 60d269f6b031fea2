//! Parties whose programs do as they like, on a town of honest nodes. An agent releases its share before its time: the log takes
//! none of it, whoever carries it. A majority of members makes somebody a regulator: what was deposited before does not open to
//! its orders, neither by the buyer's own node nor by any agent.

use super::insider::{self, RogueAgent, id, part};
use super::is_read;
use super::stage::{self, AGENTS, ARBITER, BUYER, Sale, informed, member, phase_is, until};
use super::steps::{on_log, reached, releases, stand_once};
use crate::town::Town;
use ed25519_dalek::SigningKey;
use heatmark::keys::KeyKind;
use heatmark_envelopes::{OpeningKey, SealingKey};
use heatmark_escrow::files::{TermsContent, TermsFile};
use heatmark_escrow::purpose::terms_purpose;
use heatmark_escrow::{Clause, Manifest, PartyRole, Quote, Terms, TermsAgent};
use heatmark_evidence::transfer::SignedFile as _;
use heatmark_ledger::ids::{DealId, MemberId};
use heatmark_ledger::keys::PublicKey;
use heatmark_vault::{Actor, DealRole};
use prost::Message as _;
use serde_json::Value;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

/// Whom the owner knew when it deposited.
const TRUE_REGULATOR: &str = "regulator";
/// Whom a majority makes one later.
const FALSE_REGULATOR: &str = "forge";

#[tokio::test]
async fn neither_a_hasty_agent_nor_false_regulators_open_anything() {
    let mut town = stage::town(&["governance_delay_ms=0", "heartbeat_ms=2000"]).await;
    let (buyer, arbiter) = (member(&town, BUYER), member(&town, ARBITER));
    let regulator = member(&town, TRUE_REGULATOR);
    let policy = format!(
        "regulators = [\"{regulator}\"]\nquorum = 1\n\
         [[clause]]\nname = \"sale\"\nsections = [\"assay\"]\nmembers = [\"{buyer}\"]\n\
         price = \"250.00 EUR\"\narbiters = [\"{arbiter}\"]\n\
         [[clause]]\nname = \"order\"\nsections = [\"assay\"]\nopen_to = \"anyone\"\nprice = \"free\"\non_order = true\n"
    );
    let sale = Sale::deposited_under(&town, &policy).await;
    hasty(&mut town, &sale).await;
    ordered(&mut town, &sale).await;
    town.agree(&town.devnet.names(), 8).await;
    town.down().await;
}

/// The laboratory wants to release at once; another agent withholds what it has; the third is honest.
async fn hasty(town: &mut Town, sale: &Sale) {
    let deal = sale.opened(town, &[]).await;
    for agent in informed(town, &deal, AGENTS.len()).await {
        town.devnet.kill(agent).await.unwrap();
    }
    let rogue = RogueAgent::of(town, "lab", &deal);
    let refused = Some("deal-phase".to_owned());
    assert_eq!(rogue.release(town).await, refused, "a share before anything was paid");
    assert_eq!(rogue.ready(town).await, refused, "ready before anything was paid");

    town.command(0, &["deal", "fund", &deal, "--home", ARBITER]);
    reached(town, &deal, BUYER, "funded").await;
    assert_eq!(rogue.release(town).await, refused, "a share that was never said to be ready");
    assert_eq!(rogue.ready(town).await, None);
    assert_eq!(rogue.ready(town).await, Some("already-ready".to_owned()));
    assert_eq!(rogue.release(town).await, refused, "a share while one agent of two is ready");
    let taken = on_log(town, "mill", &deal).await;
    assert_eq!(releases(&taken), 0, "{taken:?}");

    // One honest agent comes back; the regulator keeps its share to itself.
    town.devnet.restart("escrow-agent").await.unwrap();
    reached(town, &deal, BUYER, "ready").await;
    assert_eq!(rogue.release(town).await, None);
    assert_eq!(rogue.release(town).await, Some("already-released".to_owned()));
    let settled = phase_is(town, &deal, BUYER, "settled").await;
    assert_eq!((&settled["opened"], &settled["released"]), (&true.into(), &2.into()), "{settled}");
    is_read(town, &deal);
    let taken = on_log(town, "mill", &deal).await;
    stand_once(&taken, &["open", "fund", "confirm"]);
    let at = |name: &str| taken.iter().position(|one| one.step.starts_with(name)).unwrap();
    assert!(at("release") > at("fund"), "{taken:?}");
    for agent in ["lab", "regulator"] {
        town.devnet.restart(agent).await.unwrap();
    }
}

fn voted_in(town: &Town, name: &str) {
    let candidate = member(town, name);
    let roles = ["member", "roles", &candidate, "--role", "supplier", "--role", "regulator"];
    let proposed = town.command(0, &[&roles[..], &["--home", "mill"]].concat());
    let proposal = proposed["proposal"].as_str().unwrap();
    for home in ["forge", "assembler", "lab", "bearing-maker", "escrow-agent"] {
        // The vote that decides closes the proposal; those after it are refused.
        let ran = town.devnet.program().run(&["vote", proposal, "approve", "--home", home]);
        assert!(matches!(ran.unwrap().code, Some(0 | 1)));
    }
}

/// An order that lets the buyer open the assay.
fn order(town: &Town, regulator: &str, record: &str, code: i32) -> String {
    let file = format!("{regulator}.order");
    let buyer = member(town, BUYER);
    let order = ["escrow", "order", "--record", record, "--section", "assay", "--for", &buyer];
    let about =
        ["--purpose", "market surveillance", "--until", "2099-12-31", "--reason", "a report"];
    town.command(code, &[&order[..], &about, &["--out", &file, "--home", regulator]].concat());
    file
}

fn on_order(town: &Town, record: &str, order: &str) -> String {
    let open = ["deal", "open", "--record", record, "--clause", "order", "--order", order];
    let rest = ["--purpose", "market surveillance", "--home", BUYER];
    let begun = town.command(0, &[&open[..], &rest].concat());
    begun["deal"].as_str().unwrap().to_owned()
}

/// All members but the true regulator agree on another one.
async fn ordered(town: &mut Town, sale: &Sale) {
    order(town, FALSE_REGULATOR, &sale.record, 1);
    voted_in(town, FALSE_REGULATOR);
    until("the majority does not get its regulator", || {
        let shown = town.command(
            0,
            &["member", "show", &member(town, FALSE_REGULATOR), "--home", FALSE_REGULATOR],
        );
        shown.to_string().contains("regulator").then_some(())
    })
    .await;
    let false_order = order(town, FALSE_REGULATOR, &sale.record, 0);
    let deal = on_order(town, &sale.record, &false_order);
    until("the buyer's own node takes the order", || {
        let shown = town.command(0, &["deal", "show", &deal, "--home", BUYER]);
        (shown["parts"][0]["trouble"] == "order-regulator").then_some(())
    })
    .await;
    assert!(on_log(town, "mill", &deal).await.is_empty());

    // So the buyer's program is made to believe it, and the deal stands on the log.
    let letters = forged(town, &deal).await;
    phase_is(town, &deal, BUYER, "funded").await;
    for (agent, file) in &letters {
        town.command(0, &["post", "send", file, "--to", agent, "--home", BUYER]);
    }
    for agent in AGENTS {
        let view = until("an agent does not judge the terms", || {
            let shown = town.command(0, &["deal", "show", &deal, "--home", agent]);
            let view = shown["parts"][0].clone();
            (view["trouble"] != Value::Null).then_some(view)
        })
        .await;
        assert_eq!(
            (&view["trouble"], &view["phase"]),
            (&"order-regulator".into(), &"funded".into())
        );
    }

    // The one whom the owner named opens it, before the eyes of the same majority.
    let true_order = order(town, TRUE_REGULATOR, &sale.record, 0);
    let honest = on_order(town, &sale.record, &true_order);
    let settled = phase_is(town, &honest, BUYER, "settled").await;
    assert_eq!(settled["opened"], true, "{settled}");
    is_read(town, &honest);
    stand_once(&on_log(town, "mill", &deal).await, &["open"]);
    let refused = town.command(1, &["deal", "sections", &deal, "--home", BUYER]);
    assert_eq!(refused["error"]["code"], "not-opened", "{refused}");
}

/// What the buyer asked for, as far as it is needed.
#[derive(Clone, PartialEq, prost::Message)]
struct Wish {
    #[prost(bytes = "vec", tag = "1")]
    manifest: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    clause: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "8")]
    orders: Vec<Vec<u8>>,
}

/// A buyer whose program signs terms that it should not, with all true keys, and puts them in its vault as its own: the letters
/// to the agents, by member and file.
async fn forged(town: &mut Town, deal: &str) -> Vec<(String, String)> {
    town.devnet.kill(BUYER).await.unwrap();
    let network = town.devnet.genesis().unwrap().network();
    let signing = town.devnet.key(BUYER, KeyKind::Signing).unwrap();
    let vault = insider::vault(town, BUYER);
    let (mut row, keys) = part(&vault, deal, DealRole::Buyer);
    let wish = Wish::decode(row.wish.as_slice()).unwrap();
    assert!(Clause::read(&wish.clause).unwrap().order && wish.orders.len() == 1);
    let manifest = Manifest::decode(wish.manifest.as_slice()).unwrap();
    let quotes: Vec<Quote> =
        row.quotes.iter().map(|quote| Quote::decode(quote.as_slice()).unwrap()).collect();
    assert!(quotes.len() == 3 && quotes.iter().all(|quote| quote.role() == PartyRole::Agent));
    let agent = |(quote, file): (&Quote, &Vec<u8>)| {
        let index = manifest.index_of(&MemberId::try_from(quote.from.as_slice()).unwrap()).unwrap();
        let seal = keys.seal.as_slice().try_into().unwrap();
        let reply = OpeningKey::derive(seal, "deal-reply", index.into()).sealing_key();
        TermsAgent {
            index: index.into(),
            member: quote.from.clone(),
            key: quote.key.clone(),
            reply: reply.as_bytes().to_vec(),
            quote: file.clone(),
        }
    };
    let mut agents: Vec<TermsAgent> = quotes.iter().zip(&row.quotes).map(agent).collect();
    agents.sort_by_key(|agent| agent.index);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let by = |minutes: u64| u64::try_from(now).unwrap() + minutes * 60_000;
    let key = SigningKey::from_bytes(keys.key.as_slice().try_into().unwrap());
    let terms = Terms {
        buyer: row.buyer.clone(),
        salt: rand::random::<[u8; 32]>().to_vec(),
        deal: row.deal.clone(),
        manifest: row.manifest.clone(),
        sections: vec!["assay".to_owned()],
        clause: wish.clause.clone(),
        buyer_key: PublicKey::of(&key).to_bytes().to_vec(),
        agents,
        purpose: "market surveillance".to_owned(),
        ready_by_ms: by(60),
        release_by_ms: by(120),
        confirm_by_ms: by(180),
        orders: wish.orders.clone(),
        ..Terms::default()
    };
    let content = TermsContent {
        terms: terms.signed(&network, &signing),
        manifest: wish.manifest.clone(),
        ..TermsContent::default()
    };
    row.terms = content.encode_to_vec();
    (row.trouble, row.trouble_text) = (String::new(), String::new());
    vault.put_deal(&Actor::Node, (&row, true), None, None).unwrap();
    drop(vault);
    town.devnet.restart(BUYER).await.unwrap();
    let from = town.devnet.member(BUYER).unwrap();
    let letter = |quote: &Quote| {
        let to = MemberId::try_from(quote.from.as_slice()).unwrap();
        let purpose = terms_purpose(&network, &DealId::from(id(deal)), &from, &to);
        let sealing = SealingKey::decode(&quote.sealing).unwrap();
        let file = TermsFile {
            from: from.to_vec(),
            to: to.to_vec(),
            deal: row.deal.clone(),
            sealed: purpose.seal(&sealing, &content.to_bytes(), &mut rand::rng()).unwrap(),
            ..TermsFile::default()
        };
        // The name by which a node knows what it is.
        let name = format!("to-{to}/deal.heatmark-terms");
        fs::create_dir(town.path(&format!("to-{to}"))).unwrap();
        fs::write(town.path(&name), file.signed(&network, &signing)).unwrap();
        (to.to_string(), name)
    };
    quotes.iter().map(letter).collect()
}
