//! A deal full of canaries: an assay is deposited, bought, paid and read. What it says stands nowhere but in its owner's and
//! its buyer's vault; who deals with whom about what and for how much stands on no log, with no third company, and goes over no
//! line but the parties' own.

use super::lots::{log, named_in, names_of};
use super::search::{Canary, Confirmations};
use super::taps::Heard;
use super::{assert_nothing, everything_in, holds, metrics, tap_links, typed};
use crate::town::{LONG, Town};
use heatmark_ledger::messages::{self as pb, body::Payload};
use heatmark_ledger::wire;
use prost::Message as _;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

const OWNER: &str = "mill";
const BUYER: &str = "assembler";
const ARBITER: &str = "bearing-maker";
const AGENTS: [&str; 3] = ["lab", "regulator", "escrow-agent"];
/// Votes on every block, and has nothing to do with the deal.
const THIRD: &str = "forge";

const ASSAY: &str = "CANARYASSAY-3316 dysprosium";
const SHARE: &str = "0.0173205080756 %";
const PAGES: &str = "canary page of the report 9923";
const PURPOSE: &str = "canary purpose 5571";
const SECTION: &str = "canary-section-2290";
const CLAUSE: &str = "canary-clause-8814";
const DOCUMENT: &str = "canary-report-1187.pdf";
const PRICE: (u64, &str) = (7_318_265_402_993, "73182654029.93 EUR");

/// What nobody but owner and buyer learns.
fn of_the_section() -> Vec<Canary> {
    let mut canaries: Vec<Canary> =
        [ASSAY, "CANARYASSAY", PAGES, PURPOSE].into_iter().map(Canary::text).collect();
    canaries.push(Canary::number("0.0173205080756"));
    canaries
}

/// What the parties know, and nobody else.
fn of_the_deal() -> Vec<Canary> {
    let mut canaries: Vec<Canary> =
        [SECTION, CLAUSE, DOCUMENT].into_iter().map(Canary::text).collect();
    canaries.push(Canary::quantity(PRICE.0));
    canaries
}

fn report() -> Vec<u8> {
    let noise = |at: u32| hex::encode(Sha256::digest(at.to_be_bytes()));
    let page = |at: u32| format!("{PAGES}, {at:06}: {}\n", noise(at));
    (0..2_000).flat_map(|at| page(at).into_bytes()).collect()
}

fn certificate(report: &[u8]) -> String {
    let document = serde_json::json!({
        "sha256": hex::encode(Sha256::digest(report)), "length": report.len(),
        "media-type": "application/pdf",
    });
    serde_json::json!({
        "Heatmark": "1", "certificate/number": "M-41", "certificate/issued": "2026-03-02",
        "manufacturer/name": "Kesselbach", "heat": "M41", "product/name": "magnet blocks",
        "product/mass": "40 kg", "assay": { "method": ASSAY, "report": document },
        "chemistry": { "Dy": SHARE },
    })
    .to_string()
}

async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let begun = Instant::now();
    while !done().await {
        assert!(begun.elapsed() < LONG, "{what}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// What a party's node shows of a deal; nothing while it knows none.
async fn shown(town: &Town, deal: &str, home: &str) -> Value {
    let program = town.devnet.program().clone();
    let arguments = ["deal", "show", deal, "--home", home, "--json"].map(str::to_owned);
    let ran = tokio::task::spawn_blocking(move || {
        program.run(&arguments.each_ref().map(String::as_str)).unwrap()
    });
    let answer: Value = serde_json::from_str(&ran.await.unwrap().stdout).unwrap_or_default();
    answer["parts"][0].clone()
}

async fn deposited(town: &Town) -> String {
    let report = report();
    fs::write(town.path(DOCUMENT), &report).unwrap();
    fs::write(town.path("magnets.json"), certificate(&report)).unwrap();
    let member = |name: &str| town.devnet.member(name).unwrap().to_string();
    let policy = format!(
        "[[clause]]\nname = \"{CLAUSE}\"\nsections = [\"{SECTION}\"]\nmembers = [\"{}\"]\n\
         price = \"{}\"\narbiters = [\"{}\"]\n",
        member(BUYER),
        PRICE.1,
        member(ARBITER)
    );
    fs::write(town.path("policy.toml"), policy).unwrap();
    let published = typed(town, 0, &["cert", "publish", "magnets.json", "--home", OWNER]).await;
    let record = published["files"][0]["record_id"].as_str().unwrap().to_owned();
    let section = format!("{SECTION}=assay/*,chemistry/Dy");
    let document = format!("{SECTION}={DOCUMENT}");
    let agents = AGENTS.map(member);
    let mut deposit = vec!["escrow", "deposit", "--record", &record, "--policy", "policy.toml"];
    deposit.extend(["--section", &section, "--document", &document, "--threshold", "2"]);
    deposit.extend(agents.iter().flat_map(|agent| ["--agent", agent.as_str()]));
    typed(town, 0, &[&deposit[..], &["--home", OWNER]].concat()).await;
    until("not all agents signed", async || {
        let status = typed(town, 0, &["escrow", "status", "--home", OWNER]).await;
        status["deposits"][0]["signed"] == 3
    })
    .await;
    record
}

/// The deal from the first question to the last page.
async fn bought(town: &Town, record: &str) {
    typed(town, 0, &["escrow", "offers", "--record", record, "--home", BUYER]).await;
    let open = ["deal", "open", "--record", record, "--clause", CLAUSE, "--purpose", PURPOSE];
    let begun = typed(town, 0, &[&open[..], &["--home", BUYER]].concat()).await;
    let deal = begun["deal"].as_str().unwrap().to_owned();
    until("it is never accepted", async || {
        shown(town, &deal, ARBITER).await["phase"] == "accepted"
    })
    .await;
    typed(town, 0, &["deal", "fund", &deal, "--home", ARBITER]).await;
    until("it never settles", async || {
        let view = shown(town, &deal, BUYER).await;
        view["phase"] == "settled" && view["opened"] == true
    })
    .await;
    let sections = typed(town, 0, &["deal", "sections", &deal, "--home", BUYER]).await;
    assert!(sections.to_string().contains(ASSAY), "{sections}");
    let document = ["deal", "document", &deal, "--section", SECTION, "--name", DOCUMENT];
    typed(town, 0, &[&document[..], &["--out", "bought.pdf", "--home", BUYER]].concat()).await;
    assert!(fs::read(town.path("bought.pdf")).unwrap() == report());
    until("the arbiter is not told to pay out", async || {
        outbox(town).join(format!("{deal}-pay-out.json")).exists()
    })
    .await;
}

/// Where the arbiter's people are told whom to pay, in the clear.
fn outbox(town: &Town) -> std::path::PathBuf {
    town.devnet.node(ARBITER).unwrap().home.join("data/vault/outbox")
}

/// Every step names the member that carries it and no other, and that is neither owner nor buyer.
fn steps_name_nobody(log: &[Vec<u8>], members: &BTreeMap<String, Vec<Vec<u8>>>, record: &[u8]) {
    let mut steps = 0;
    for (leaf, transaction) in log.iter().enumerate() {
        assert!(!holds(transaction, record), "leaf {leaf} names the record");
        let envelope = wire::decode_envelope(transaction).unwrap();
        let body = wire::decode_body(&envelope.body).unwrap();
        let Some(Payload::Deal(_)) = body.payload else { continue };
        steps += 1;
        let named = named_in(transaction, members);
        assert_eq!(named.len(), 1, "leaf {leaf} names {named:?}");
        assert!(![OWNER, BUYER].contains(&named[0].as_str()), "leaf {leaf} names {named:?}");
    }
    // Open, fund, two or three ready, two or three releases, confirm.
    assert!((7..=9).contains(&steps), "{steps} steps");
}

/// Whoever has no part in it has nobody's name beside a deal in its node's log.
fn third_logs_nobody(log: &[u8], members: &BTreeMap<String, Vec<Vec<u8>>>) {
    let about = [&b" deal"[..], b"deposit", b"letter"];
    for line in log.split(|byte| *byte == b'\n') {
        if about.iter().any(|word| holds(line, word)) {
            let mut named = named_in(line, members);
            named.retain(|member| member != THIRD);
            assert!(named.is_empty(), "{}", String::from_utf8_lossy(line));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deal_tells_nobody_but_its_parties_and_its_section_nobody_but_the_buyer() {
    let filter = "info,heatmark=trace,arc_malachitebft=info,libp2p=info";
    let (mut town, held) = Town::founded_among(3, &[], true, Some(filter)).await;
    let heard = Heard::default();
    tap_links(&town, &heard).await;
    town.devnet.start(held).await.unwrap();
    until("the exchange does not stand", async || {
        town.devnet.client(OWNER).await.unwrap().status().await.unwrap().exchange_peers >= 6
    })
    .await;
    let record = deposited(&town).await;
    bought(&town, &record).await;
    let leaves = town.devnet.client(THIRD).await.unwrap().header(None).await.unwrap();
    town.agree(&town.names_but(&[]), leaves.header.log_size.0).await;
    let log = log(&town).await;
    let mut places = BTreeMap::new();
    for name in town.names_but(&[]) {
        places.insert(format!("metrics of {name}"), metrics(&town, &name));
    }
    for (leaf, transaction) in log.iter().enumerate() {
        places.insert(format!("leaf {leaf}"), transaction.clone());
    }
    town.down_keeping_files(|town| {
        let members: BTreeMap<_, _> = town
            .names_but(&[])
            .into_iter()
            .map(|name| (name.clone(), names_of(town, &name)))
            .collect();
        steps_name_nobody(&log, &members, &hex::decode(&record).unwrap());
        let told = outbox(town).display().to_string();
        for name in town.names_but(&[]) {
            let node = town.devnet.node(&name).unwrap();
            everything_in(&node.home, &mut places);
            let text = fs::read(&node.log).unwrap();
            if name == THIRD {
                third_logs_nobody(&text, &members);
            }
            places.insert(format!("log of {name}"), text);
        }
        places.retain(|place, _| !place.starts_with(&told));
        let none = Confirmations::of(|_| {});
        // Encrypted at rest with owner, buyer and agents as well; in no log and no metric.
        let mut all: Vec<Canary> = of_the_section().into_iter().chain(of_the_deal()).collect();
        all.push(Canary::text(PRICE.1));
        assert_nothing(&places, &all, &none);
        on_the_wire(&heard, &none);
    })
    .await;
}

/// Agents and arbiter are told what the deal is about, but nothing of the section; the third and the consensus nothing at all.
fn on_the_wire(heard: &Heard, none: &Confirmations) {
    let lines = heard.lines("");
    assert_nothing(&lines, &of_the_section(), none);
    let of_parties = |line: &str| {
        let ends = line.strip_prefix("exchange ").unwrap_or(THIRD);
        !ends.split(' ').any(|word| word == THIRD)
    };
    let (own, others): (BTreeMap<_, _>, BTreeMap<_, _>) =
        lines.into_iter().partition(|(line, _)| of_parties(line));
    assert!(!others.is_empty(), "nothing was heard of {THIRD}");
    for canary in of_the_deal() {
        let told = own.values().any(|bytes| canary.found_in(bytes).is_some());
        assert!(told, "{} was told to nobody", canary.name);
    }
    assert_nothing(&others, &of_the_deal(), none);
}

#[test]
fn the_search_finds_what_a_careless_deal_would_let_out() {
    let report = report();
    let certificate = certificate(&report);
    let of_file = |canary: &Canary| canary.found_in(certificate.as_bytes()).is_some();
    let found: Vec<bool> = of_the_section().iter().map(of_file).collect();
    assert_eq!(found, [true, true, false, false, true], "method, its beginning and share");
    assert!(Canary::text(PAGES).found_in(&report).is_some());
    let members = BTreeMap::from([
        (THIRD.to_owned(), vec![b"FORGE-ID".to_vec()]),
        (BUYER.to_owned(), vec![b"BUYER-ID".to_vec()]),
    ]);
    let caught = |line: &'static [u8]| {
        let members = members.clone();
        std::panic::catch_unwind(move || third_logs_nobody(line, &members)).is_err()
    };
    assert!(caught(b"a deal of BUYER-ID"));
    assert!(!caught(b"a deal of FORGE-ID"));
    assert!(!caught(b"dialling BUYER-ID"));

    // A step that names the buyer beside its carrier, one that the buyer carries, and one that names the record.
    let record: &[u8] = b"RECORD-ID";
    let honest = vec![planted(b"FORGE-ID"); 7];
    steps_name_nobody(&honest, &members, record);
    for careless in [&b"FORGE-ID BUYER-ID"[..], b"BUYER-ID", b"FORGE-ID RECORD-ID"] {
        let (mut log, members) = (honest.clone(), members.clone());
        log[3] = planted(careless);
        let run = move || steps_name_nobody(&log, &members, record);
        assert!(std::panic::catch_unwind(run).is_err());
    }
}

/// A step on the log that names whom it names.
fn planted(names: &[u8]) -> Vec<u8> {
    let step = Some(pb::deal::Step::Confirm(pb::DealConfirm {}));
    let payload = Some(Payload::Deal(pb::Deal { deal: names.to_vec(), step }));
    let body = pb::Body { payload, ..pb::Body::default() };
    pb::Envelope { body: body.encode_to_vec(), ..pb::Envelope::default() }.encode_to_vec()
}
