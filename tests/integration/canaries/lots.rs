//! Lots on their way from mill to forge to assembler, full of canaries. What the two of a deal tell each other stands on no
//! disk, goes over no line but theirs, and is in no log or metric; and nothing on the shared log, or in anything that a third
//! member has, puts the two of them together.

use super::search::Canary;
use super::taps::Heard;
use super::{
    assert_nothing, everything_in, holds, metrics, search::Confirmations, tap_client, tap_links,
    typed, unframed,
};
use crate::town::{LONG, Town};
use heatmark::keys::KeyKind;
use heatmark_client::ReceiptOf;
use heatmark_ledger::LeafIndex;
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::messages::body::Payload;
use heatmark_ledger::wire;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::time::Instant;

const HEAT: &str = r#"{"Heatmark":"1","certificate/number":"CANARYCERT-55120","certificate/issued":"2026-01-02",
    "manufacturer/name":"Kesselbach","product/name":"canary certified bloom","heat":"CANARYMELT-90331",
    "product/mass":"98765.432109876 t","chemistry":{"C":"0.0117233445566 %"}}"#;

/// What the mill tells the forge, and nobody else hears.
const FIRST: [&str; 6] = [
    "CANARY-BILLET-4471",
    "canary billet 120 mm",
    "PO-CANARY-88213",
    "DA-CANARY-10377",
    "Canary Haulage 6620",
    "canary note 3391",
];
/// Milligrams and pieces of it.
const FIRST_MASS: (u64, &str) = (31_415_926_535_897, "31415926.535897 kg");
const FIRST_PIECES: u64 = 27_182_818_284;
/// What the forge tells the assembler.
const SECOND: [&str; 6] = [
    "CANARY-RING-5582",
    "canary ring 400 mm",
    "PO-CANARY-99324",
    "DA-CANARY-21488",
    "canary discrepancy 7719",
    // Why something was lost stands in the event, and so in every capsule of what was made.
    "canary scrap reason 4408",
];
const SECOND_MASS: (u64, &str) = (14_142_135_623_731, "14142135.623731 kg");
const SECOND_PIECES: u64 = 17_320_508_075;
/// What the forge lost by itself, and tells nobody.
const SCRAP_MASS: (u64, &str) = (17_273_790_912_166, "17273790.912166 kg");

fn told(texts: &[&str], numbers: &[u64]) -> Vec<Canary> {
    let texts = texts.iter().map(|text| Canary::text(text));
    texts.chain(numbers.iter().map(|number| Canary::quantity(*number))).collect()
}

fn of_the_mill() -> Vec<Canary> {
    told(&FIRST, &[FIRST_MASS.0, FIRST_PIECES])
}

fn of_the_forge() -> Vec<Canary> {
    told(&SECOND, &[SECOND_MASS.0, SECOND_PIECES])
}

fn nobodys() -> Vec<Canary> {
    let certificate = ["CANARYCERT-55120", "CANARYMELT-90331", "canary certified bloom"];
    let mut canaries = told(&certificate, &[SCRAP_MASS.0]);
    canaries.push(Canary::number("98765.432109876"));
    canaries.push(Canary::number("0.0117233445566"));
    canaries
}

async fn lot(town: &Town, home: &str, arguments: &[&str]) -> Value {
    typed(town, 0, &[&["lot"], arguments, &["--home", home]].concat()).await
}

/// The parcel that arrived.
async fn arrived(town: &Town, home: &str) -> String {
    let begun = Instant::now();
    loop {
        let rows = lot(town, home, &["underway"]).await;
        if let Some(letter) = rows["arrived"].as_array().unwrap().first() {
            return letter["letter"].as_str().unwrap().to_owned();
        }
        assert!(begun.elapsed() < LONG, "the parcel never arrived");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

/// Waits until the sender knows what became of its parcel.
async fn known(town: &Town, home: &str, lot_name: &str) {
    let begun = Instant::now();
    loop {
        let rows = lot(town, home, &["underway", "--all"]).await;
        let done = rows["parcels"].as_array().unwrap().iter().any(|row| {
            row["sent"] == true
                && row["state"].as_str().unwrap().starts_with("accepted")
                && row["lots"][0] == lot_name
        });
        if done {
            return;
        }
        assert!(begun.elapsed() < LONG, "{home} never knows of {lot_name}: {rows}");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

async fn shipped(town: &Town) {
    fs::write(town.path("canary-heat.json"), HEAT).unwrap();
    let publish = ["cert", "publish", "canary-heat.json", "--home", "mill"];
    let published = typed(town, 0, &publish).await;
    let record = published["files"][0]["record_id"].as_str().unwrap().to_owned();
    let make = |name: &str, mass: &str, pieces: u64| format!("{name}={mass},{pieces}");
    let billet = make(FIRST[0], FIRST_MASS.1, FIRST_PIECES);
    let made = ["commission", &record, "--make", &billet, "--product", FIRST[1]];
    lot(town, "mill", &made).await;
    let forge = town.devnet.member("forge").unwrap().to_string();
    let ship = ["ship", FIRST[0], "--to", &forge, "--order", FIRST[2], "--despatch", FIRST[3]];
    let more = ["--carrier", FIRST[4], "--note", FIRST[5]];
    lot(town, "mill", &[&ship[..], &more].concat()).await;
    let letter = arrived(town, "forge").await;
    lot(town, "forge", &["receive", &letter]).await;
    known(town, "mill", FIRST[0]).await;
    let ring = make(SECOND[0], SECOND_MASS.1, SECOND_PIECES);
    let made = ["transform", FIRST[0], "--make", &ring, "--product", SECOND[1]];
    lot(town, "forge", &[&made[..], &["--scrap", SCRAP_MASS.1, "--reason", SECOND[5]]].concat())
        .await;
    let assembler = town.devnet.member("assembler").unwrap().to_string();
    let ship = ["ship", SECOND[0], "--to", &assembler, "--order", SECOND[2]];
    lot(town, "forge", &[&ship[..], &["--despatch", SECOND[3]]].concat()).await;
    let letter = arrived(town, "assembler").await;
    lot(town, "assembler", &["receive", &letter, "--discrepancy", SECOND[4]]).await;
    known(town, "forge", SECOND[0]).await;
}

/// Whatever third members may ask for.
async fn asked_by_others(town: &Town, heard: &Heard) {
    let leaves = town.devnet.client("lab").await.unwrap().header(None).await.unwrap();
    let leaves = leaves.header.log_size.0;
    for (client, node) in [("lab", "mill"), ("lab", "lab"), ("lab", "forge")] {
        let [address, key] = tap_client(town, heard, client, node).await;
        let at = ["--home", client, "--node", &address, "--server-key", &key];
        for leaf in 0..leaves {
            typed(town, 0, &[&["receipt", "show", &leaf.to_string()][..], &at].concat()).await;
        }
        typed(town, 0, &[&["member", "list"][..], &at].concat()).await;
        if node != "lab" {
            for asked in [&["lot", "list", "--all"][..], &["lot", "underway", "--all"]] {
                let refused = typed(town, 1, &[asked, &at].concat()).await;
                assert_eq!(refused["error"]["code"], "not-own-member", "{refused}");
            }
        }
    }
}

/// The transactions on the log.
pub(super) async fn log(town: &Town) -> Vec<Vec<u8>> {
    let client = town.devnet.client("lab").await.unwrap();
    let leaves = client.header(None).await.unwrap().header.log_size.0;
    let mut log = Vec::new();
    for leaf in 0..leaves {
        let proven = client.receipt(ReceiptOf::Leaf(LeafIndex(leaf)), None).await.unwrap();
        log.push(proven.receipt.transaction);
    }
    log
}

/// What names a member: its id, its keys' ids and public keys, and the names of its node.
pub(super) fn names_of(town: &Town, name: &str) -> Vec<Vec<u8>> {
    let mut names = vec![town.devnet.member(name).unwrap().to_vec()];
    for kind in [KeyKind::Signing, KeyKind::P2p] {
        let key = PublicKey::of(&town.devnet.key(name, kind).unwrap());
        names.extend([key.to_bytes().to_vec(), key.id().to_vec()]);
    }
    let node = town.devnet.node(name).unwrap();
    names.extend([node.peer_id.clone().into_bytes(), node.legal_name.clone().into_bytes()]);
    names.push(town.devnet.member(name).unwrap().to_string().into_bytes());
    names
}

/// Which of the members a record names.
pub(super) fn named_in(record: &[u8], members: &BTreeMap<String, Vec<Vec<u8>>>) -> Vec<String> {
    let named = members.iter().filter(|(_, names)| names.iter().any(|name| holds(record, name)));
    named.map(|(member, _)| member.clone()).collect()
}

/// Each event on the log names its carrier alone, and no seal, digest or lot stands in two of them.
fn nothing_links(log: &[Vec<u8>], members: &BTreeMap<String, Vec<Vec<u8>>>) {
    let mut parts: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    let mut events = 0;
    for (leaf, transaction) in log.iter().enumerate() {
        let envelope = wire::decode_envelope(transaction).unwrap();
        let body = wire::decode_body(&envelope.body).unwrap();
        let Some(Payload::LotEvent(event)) = body.payload else { continue };
        events += 1;
        let named = named_in(transaction, members);
        assert_eq!(named.len(), 1, "leaf {leaf} names {named:?}");
        let seals = envelope.cosignatures.iter().map(|seal| seal.public_key.clone());
        for part in seals.chain([event.digest]).chain(event.outputs) {
            let first = parts.entry(part).or_insert(leaf);
            assert_eq!(*first, leaf, "something of leaf {first} stands in leaf {leaf} again");
        }
    }
    assert_eq!(events, 4, "commission, transfer, transform, transfer");
    for part in parts.keys() {
        let times = log.iter().filter(|transaction| holds(transaction, part)).count();
        assert_eq!(times, 1, "a seal, a digest or a lot stands on the log twice");
    }
}

/// What the log does tell: an event with a window of days was packed by one member and posted by another.
fn transfers_by_their_windows(log: &[Vec<u8>]) -> usize {
    let is_transfer = |transaction: &&Vec<u8>| {
        let envelope = wire::decode_envelope(transaction).unwrap();
        let body = wire::decode_body(&envelope.body).unwrap();
        matches!(body.payload, Some(Payload::LotEvent(_)))
            && body.not_after_ms - body.not_before_ms > 86_400_000
    };
    log.iter().filter(is_transfer).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_shipment_reaches_a_third_and_nothing_links_the_two() {
    let filter = "info,heatmark=trace,arc_malachitebft=info,libp2p=info";
    let (mut town, held) = Town::founded_with(&[], true, Some(filter)).await;
    let heard = Heard::default();
    tap_links(&town, &heard).await;
    town.devnet.start(held).await.unwrap();
    let begun = Instant::now();
    while town.devnet.client("mill").await.unwrap().status().await.unwrap().exchange_peers < 4 {
        assert!(begun.elapsed() < LONG, "the exchange does not stand");
    }
    shipped(&town).await;
    let leaves = town.devnet.client("assembler").await.unwrap().header(None).await.unwrap();
    town.agree(&town.names_but(&[]), leaves.header.log_size.0).await;
    asked_by_others(&town, &heard).await;
    let log = log(&town).await;
    let mut places = BTreeMap::new();
    for name in town.names_but(&[]) {
        places.insert(format!("metrics of {name}"), metrics(&town, &name));
    }
    town.down_keeping_files(|town| {
        let members: BTreeMap<_, _> = town
            .names_but(&[])
            .into_iter()
            .map(|name| (name.clone(), names_of(town, &name)))
            .collect();
        nothing_links(&log, &members);
        assert_eq!(transfers_by_their_windows(&log), 2, "proto/README.md tells so, section 13");
        for name in town.names_but(&[]) {
            let node = town.devnet.node(&name).unwrap();
            everything_in(&node.home, &mut places);
            let text = fs::read(&node.log).unwrap();
            logs_do_not_link(&name, &text, &members);
            places.insert(format!("log of {name}"), text);
        }
        let lines = heard.lines("");
        let whole = lines.iter().filter(|(line, _)| line.starts_with("grpc "));
        places.extend(whole.map(|(line, bytes)| (format!("{line}, messages"), unframed(bytes))));
        let none = Confirmations::of(|_| {});
        let all = || of_the_mill().into_iter().chain(of_the_forge()).chain(nobodys());
        // Encrypted at rest also with the three; in no log, no metric and no answer to a third.
        assert_nothing(&places, &all().collect::<Vec<_>>(), &none);
        on_the_wire(&lines, &none);
    })
    .await;
}

/// A line of a node's log names no two companies, and of others' deals none.
fn logs_do_not_link(node: &str, log: &[u8], members: &BTreeMap<String, Vec<Vec<u8>>>) {
    for line in log.split(|byte| *byte == b'\n') {
        let about = [&b"lot"[..], b"parcel", b"seal", b"letter"];
        if !about.iter().any(|word| holds(line, word)) {
            continue;
        }
        let mut named = named_in(line, members);
        named.retain(|member| member != node);
        let deals =
            [("mill", "forge"), ("forge", "mill"), ("forge", "assembler"), ("assembler", "forge")];
        let text = String::from_utf8_lossy(line);
        for other in named {
            let own = deals.contains(&(node, other.as_str()));
            assert!(own, "the log of {node} names {other}: {text}");
        }
    }
}

/// What each of the two told the other went over their own line and no other.
fn on_the_wire(lines: &BTreeMap<String, Vec<u8>>, none: &Confirmations) {
    let between = |line: &str, one: &str, other: &str| {
        let name = line.strip_prefix("exchange ").unwrap_or_default();
        name.starts_with(&format!("{one} to {other} "))
            || name.starts_with(&format!("{other} to {one} "))
    };
    for (one, other, told) in
        [("mill", "forge", of_the_mill()), ("forge", "assembler", of_the_forge())]
    {
        let (own, others): (BTreeMap<_, _>, BTreeMap<_, _>) = lines
            .iter()
            .map(|(line, bytes)| (line.clone(), bytes.clone()))
            .partition(|(line, _)| between(line, one, other));
        assert!(!own.is_empty(), "no line between {one} and {other}");
        for canary in &told {
            let heard = own.values().any(|bytes| canary.found_in(bytes).is_some());
            assert!(heard, "{} was not told by {one} to {other}", canary.name);
        }
        assert_nothing(&others, &told, none);
    }
    assert_nothing(lines, &nobodys(), none);
}

#[test]
fn the_search_finds_what_a_careless_program_would_let_out() {
    let around = |bytes: &[u8]| [&[9, 8, 7][..], bytes, &[6]].concat();
    for number in [FIRST_MASS.0, FIRST_PIECES, SECOND_MASS.0, SECOND_PIECES, SCRAP_MASS.0] {
        let canary = Canary::quantity(number);
        let mut varint = Vec::new();
        prost::encoding::encode_varint(number, &mut varint);
        for (writing, bytes) in [
            ("digits", number.to_string().into_bytes()),
            ("kilograms", format!("{}.{:06}", number / 1_000_000, number % 1_000_000).into()),
            ("tonnes", format!("{}.{:09}", number / 1_000_000_000, number % 1_000_000_000).into()),
            ("hex", format!("{number:x}").into()),
            ("big-endian", number.to_be_bytes().to_vec()),
            ("little-endian", number.to_le_bytes().to_vec()),
            ("a scalar", [&number.to_le_bytes()[..], &[0; 24]].concat()),
            ("a varint", varint),
            ("a float", number.to_string().parse::<f64>().unwrap().to_le_bytes().to_vec()),
        ] {
            assert!(canary.found_in(&around(&bytes)).is_some(), "{number} as {writing}");
        }
        assert!(canary.found_in(&around(&(number ^ 1).to_be_bytes())).is_none());
    }
    for canary in FIRST.iter().chain(&SECOND) {
        assert!(Canary::text(canary).found_in(&around(canary.as_bytes())).is_some(), "{canary}");
        let hex = hex::encode(canary).into_bytes();
        assert!(Canary::text(canary).found_in(&around(&hex)).is_some(), "{canary}");
    }
    // A transaction that names two companies, a seal that stands twice, a line of a log.
    let members = BTreeMap::from([
        ("mill".to_owned(), vec![b"MILL-ID".to_vec()]),
        ("forge".to_owned(), vec![b"FORGE-ID".to_vec()]),
        ("lab".to_owned(), vec![b"LAB-ID".to_vec()]),
    ]);
    assert_eq!(named_in(b"from MILL-ID to FORGE-ID", &members), ["forge", "mill"]);
    let caught =
        |run: Box<dyn FnOnce() + std::panic::UnwindSafe>| std::panic::catch_unwind(run).is_err();
    let known = members.clone();
    assert!(caught(Box::new(move || logs_do_not_link("lab", b"a parcel of FORGE-ID", &known))));
    let known = members.clone();
    assert!(!caught(Box::new(move || logs_do_not_link("mill", b"a parcel of FORGE-ID", &known))));
    let event = |carrier: &[u8], seal: u8| planted(carrier, seal);
    let honest =
        [event(b"MILL-ID", 1), event(b"FORGE-ID", 2), event(b"FORGE-ID", 3), event(b"LAB-ID", 4)];
    let known = members.clone();
    let log = honest.to_vec();
    assert!(!caught(Box::new(move || nothing_links(&log, &known))));
    let known = members.clone();
    let mut log = honest.to_vec();
    log[3] = event(b"MILL-ID and FORGE-ID", 4);
    assert!(caught(Box::new(move || nothing_links(&log, &known))), "two names in one event");
    let mut log = honest.to_vec();
    log[3] = event(b"LAB-ID", 1);
    assert!(caught(Box::new(move || nothing_links(&log, &members))), "one seal in two events");
}

/// An event on the log that names whom it names, with a seal.
fn planted(names: &[u8], seal: u8) -> Vec<u8> {
    use heatmark_ledger::messages as pb;
    use prost::Message as _;
    let event = pb::LotEvent {
        digest: vec![seal ^ 0x80; 32],
        outputs: Vec::new(),
        carrier: names.to_vec(),
    };
    let body = pb::Body { payload: Some(Payload::LotEvent(event)), ..pb::Body::default() };
    let cosignatures =
        vec![pb::CoSignature { purpose: 1, public_key: vec![seal; 32], signature: vec![0xee; 64] }];
    let envelope =
        pb::Envelope { body: body.encode_to_vec(), cosignatures, ..pb::Envelope::default() };
    envelope.encode_to_vec()
}
