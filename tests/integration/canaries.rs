//! Nothing confidential leaves by accident. Certificates full of unmistakable canaries are
//! published, put on hold and alerted on; then every byte that any other organisation has or ever
//! heard is searched for them, and for whatever lets a guess be confirmed: the log, the others'
//! databases and files, both libp2p networks and gRPC before encryption, logs, metrics, what
//! lies on the mill's own disk, and disclosures, for all that they do not show.

mod attack;
mod escrow;
mod lots;
mod search;
mod taps;

use crate::town::{LONG, Town};
use heatmark::keys::KeyKind;
use heatmark_client::ReceiptOf;
use heatmark_ledger::LeafIndex;
use heatmark_ledger::messages::body::Payload;
use prost::Message as _;
use rocksdb::{DB, IteratorMode, Options};
use search::{Canary, Confirmations};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use taps::Heard;

/// Six digits of the heat number, and six of the carbon content, are what is guessed. What follows
/// them keeps the number from being found by chance.
const HEAT: &str = "CANARYHEAT-482913";
const HEAT_DIGITS: u32 = 482_913;
const CARBON: &str = "0.022718399044127";
const CARBON_DIGITS: u32 = 271_839;
const CUSTOMER: &str = "Canarius Customer Cylinders 7741";
const FILE_NAME: &str = "canary-file-name-6612.json";
const ALERT_REASON: &str = "canary alert reason 3357";
const HOLD_REASON: &str = "canary hold reason 9904";
const OPERATOR: &str = "Canary Operator 2208";

const SHOWN_TO_FORGE: &str = "shown-to-forge.disclosure";
const PROVED_TO_FORGE: &str = "proved-to-forge.disclosure";
const SHOWN_TO_LAB: &str = "shown-to-lab.disclosure";
const SPECIFICATION: &str = "
standard = 'Canaries'
sample = 'heat'
rounding = 'astm-e29'
[[limit]]
property = 'chemistry/C'
unit = '%'
maximum = '0.030'
[[limit]]
property = 'chemistry/Cr'
unit = '%'
minimum = '16.0'
maximum = '18.0'
[[limit]]
name = 'sum'
unit = '%'
formula = 'C + Cr/5'
maximum = '4'
";

fn canaries() -> Vec<Canary> {
    let texts = [HEAT, CUSTOMER, FILE_NAME, ALERT_REASON, HOLD_REASON, OPERATOR, "CANARYHEAT"];
    let mut canaries: Vec<Canary> = texts.into_iter().map(Canary::text).collect();
    canaries.push(Canary::number(CARBON));
    canaries.push(Canary::number("4827.1839265"));
    canaries
}

fn carbon_text(digits: u32) -> String {
    format!("0.02{digits:06}9044127")
}

/// A certificate as the mill has it, with canaries in texts and numbers.
fn certificate(heat: u32, carbon: u32) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../devnet/certificates/316l-plate.json");
    let text = fs::read_to_string(path).unwrap();
    let replaced = [
        ("\"553908\"", format!("\"CANARYHEAT-{heat:06}\"")),
        ("Tessari Recipienti S.p.A.", CUSTOMER.to_owned()),
        ("0.021", carbon_text(carbon)),
        ("1912", "4827.1839265".to_owned()),
    ];
    let text = replaced.into_iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{from} is not in the certificate");
        text.replace(from, &to)
    });
    text.into_bytes()
}

/// Everything that confirms a guess at one of the values, the others being known.
fn confirmations() -> Confirmations {
    Confirmations::of(|all| {
        all.guess("heat", 1, |guess| format!("CANARYHEAT-{guess:06}"));
        all.guess("chemistry/C", 4, carbon_text);
        // Digests of the whole file cost more, so the attacker has narrowed the heat number down.
        for near in 0..50_000 {
            let guess = HEAT_DIGITS - 25_000 + near;
            let digest = Sha256::digest(certificate_with_heat(guess));
            all.add("SHA-256 of the file", guess, digest.into());
        }
    })
}

fn certificate_with_heat(guess: u32) -> Vec<u8> {
    static WHOLE: std::sync::OnceLock<(Vec<u8>, Vec<usize>)> = std::sync::OnceLock::new();
    let (whole, places) = WHOLE.get_or_init(|| {
        let whole = certificate(HEAT_DIGITS, CARBON_DIGITS);
        let windows = whole.windows(HEAT.len());
        let places = windows.enumerate().filter(|(_, window)| *window == HEAT.as_bytes());
        let places = places.map(|(at, _)| at + HEAT.len() - 6).collect();
        (whole, places)
    });
    let mut file = whole.clone();
    for at in places {
        file[*at..*at + 6].copy_from_slice(format!("{guess:06}").as_bytes());
    }
    file
}

/// Every file below a directory, and every entry of every database among them, since a table may be
/// compressed.
fn everything_in(directory: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
    for file in fs::read_dir(directory).unwrap() {
        let path = file.unwrap().path();
        if path.is_dir() {
            everything_in(&path, found);
        } else if path.is_file() {
            found.insert(path.display().to_string(), fs::read(&path).unwrap());
        }
    }
    if directory.join("CURRENT").exists() {
        let options = Options::default();
        let families = DB::list_cf(&options, directory).unwrap();
        let db = DB::open_cf_for_read_only(&options, directory, &families, false).unwrap();
        for family in &families {
            let mut bytes = Vec::new();
            for entry in db.iterator_cf(db.cf_handle(family).unwrap(), IteratorMode::Start) {
                let (key, value) = entry.unwrap();
                bytes.extend_from_slice(&key);
                bytes.extend_from_slice(&value);
            }
            found.insert(format!("{} {family}", directory.display()), bytes);
        }
    }
}

fn metrics(town: &Town, name: &str) -> Vec<u8> {
    let port = town.devnet.node(name).unwrap().ports.http;
    let mut all = Vec::new();
    for path in ["/metrics", "/healthz", "/readyz"] {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        stream.read_to_end(&mut all).unwrap();
    }
    all
}

/// Puts a tap into every link between nodes, before they start.
async fn tap_links(town: &Town, heard: &Heard) {
    let mut settings: BTreeMap<String, String> = BTreeMap::new();
    for name in town.names_but(&[]) {
        let path = town.devnet.node(&name).unwrap().home.join("heatmark.toml");
        settings.insert(name, fs::read_to_string(path).unwrap());
    }
    for link in &town.devnet.record().links {
        let key = |name: &str| town.devnet.key(name, KeyKind::P2p).unwrap();
        let line = format!("{:?} {} to {}", link.plane, link.from, link.to).to_lowercase();
        let ends = (key(&link.from), key(&link.to));
        let tap = taps::libp2p(heard, line, ends, link.port).await;
        let text = settings.get_mut(&link.from).unwrap();
        let (old, new) = (format!("/tcp/{}/", link.port), format!("/tcp/{tap}/"));
        assert!(text.contains(&old), "{} does not dial {old}", link.from);
        *text = text.replace(&old, &new);
    }
    for (name, text) in settings {
        fs::write(town.devnet.node(&name).unwrap().home.join("heatmark.toml"), text).unwrap();
    }
}

/// A tapped line from an organisation's client to a node, as `--node` and `--server-key` take it.
async fn tap_client(town: &Town, heard: &Heard, client: &str, node: &str) -> [String; 2] {
    let end = |name: &str| {
        (town.devnet.key(name, KeyKind::P2p).unwrap(), town.devnet.member(name).unwrap())
    };
    let onward = town.devnet.target(node).unwrap().address;
    let line = format!("grpc {client} to {node}");
    let target = taps::grpc(heard, &line, (end(client), end(node)), onward).await;
    [target.address, hex::encode(target.server_key.to_bytes())]
}

/// Runs a command without holding up the taps.
async fn typed(town: &Town, code: i32, arguments: &[&str]) -> Value {
    let program = town.devnet.program().clone();
    let mut arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    arguments.push("--json".to_owned());
    let ran = tokio::task::spawn_blocking(move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        program.run_expecting(code, &arguments).unwrap()
    });
    serde_json::from_str(&ran.await.unwrap().stdout).unwrap()
}

fn assert_nothing(places: &BTreeMap<String, Vec<u8>>, canaries: &[Canary], all: &Confirmations) {
    for (place, bytes) in places {
        for canary in canaries {
            let writing = canary.found_in(bytes);
            assert_eq!(writing, None, "canary {:?} stands in {place}", canary.name);
        }
        let confirmed = all.found_in(bytes);
        assert_eq!(confirmed, None, "{place} confirms a guess");
    }
}

#[test]
fn the_search_finds_what_it_looks_for() {
    let file = certificate(HEAT_DIGITS, CARBON_DIGITS);
    let in_file: Vec<bool> =
        canaries().iter().map(|canary| canary.found_in(&file).is_some()).collect();
    assert_eq!(in_file.iter().filter(|found| **found).count(), 5, "texts and numbers of the file");
    let mut mantissa = vec![9, 9];
    mantissa.extend_from_slice(&22_718_399_044_127_i128.to_be_bytes());
    mantissa.push(15);
    assert!(Canary::number(CARBON).found_in(&mantissa).is_some());
    assert_eq!(certificate_with_heat(HEAT_DIGITS), file);
    let all = confirmations();
    assert_eq!(all.len(), 2 * 5 * search::GUESSES as usize + 50_000);
    let plain: [u8; 32] = Sha256::digest(HEAT).into();
    let digest: [u8; 32] = Sha256::digest(&file).into();
    let around = |hash: [u8; 32]| [&[1, 2, 3][..], &hash, &[4]].concat();
    assert_eq!(all.found_in(&around(plain)), Some(("SHA-256 of the value", HEAT_DIGITS)));
    assert_eq!(all.found_in(&around(digest)), Some(("SHA-256 of the file", HEAT_DIGITS)));
    let written = hex::encode(digest).into_bytes();
    assert_eq!(all.found_in(&written), Some(("SHA-256 of the file", HEAT_DIGITS)));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_certificate_leaves_the_mill_and_no_guess_is_confirmed() {
    let filter = "info,heatmark=trace,arc_malachitebft=info,libp2p=info";
    let (mut town, held) = Town::founded_with(&[], true, Some(filter)).await;
    let heard = Heard::default();
    tap_links(&town, &heard).await;
    town.devnet.start(held).await.unwrap();

    // An anchor that its own node proposes before it has peers goes over no exchange.
    let mill = town.devnet.client("mill").await.unwrap();
    let deadline = std::time::Instant::now() + LONG;
    while mill.status().await.unwrap().exchange_peers < 4 {
        assert!(std::time::Instant::now() < deadline, "the exchange does not stand");
    }

    let files = town.path("canary-certificates");
    fs::create_dir(&files).unwrap();
    fs::write(files.join(FILE_NAME), certificate(HEAT_DIGITS, CARBON_DIGITS)).unwrap();
    let files = files.display().to_string();
    let [address, key] = tap_client(&town, &heard, "mill", "mill").await;
    let own = ["--home", "mill", "--node", &address, "--server-key", &key];
    let by_mill = |arguments: &[&str]| {
        arguments.iter().chain(&own).map(ToString::to_string).collect::<Vec<_>>()
    };
    let run = async |code: i32, arguments: &[&str]| {
        let arguments = by_mill(arguments);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        typed(&town, code, &arguments).await
    };
    let published = run(0, &["cert", "publish", &files]).await;
    assert_eq!(published["new"], 1, "{published}");
    let listed = run(0, &["cert", "list"]).await;
    let record = listed["records"][0]["record_id"].as_str().unwrap().to_owned();
    let subject = listed["records"][0]["alert_subject"].as_str().unwrap().to_owned();
    run(0, &["vault", "hold", &record, "--reason", HOLD_REASON]).await;
    let operator = typed(&town, 0, &["vault", "key", "--out", "operator.key"]).await;
    let operator = operator["public"].as_str().unwrap();
    run(0, &["vault", "grant", operator, "--name", OPERATOR, "--role", "publish"]).await;
    run(0, &["alert", "raise", &record, "--level", "hold", "--reason", ALERT_REASON]).await;
    // Forge is shown the customer and proved the chemistry, the lab is shown the heat.
    fs::write(town.path("spec.toml"), SPECIFICATION).unwrap();
    let to_forge = town.devnet.member("forge").unwrap().to_string();
    let to_lab = town.devnet.member("lab").unwrap().to_string();
    for (receiver, arguments) in [
        (&to_forge, ["show", &record, "--fields", "customer/name,grade", "--out", SHOWN_TO_FORGE]),
        (&to_forge, ["prove", &record, "--spec", "spec.toml", "--out", PROVED_TO_FORGE]),
        (&to_lab, ["show", &record, "--fields", "heat,grade", "--out", SHOWN_TO_LAB]),
    ] {
        let about = ["--to", receiver, "--purpose", "order 4711"];
        run(0, &[&["cert"][..], &arguments[..], &about[..]].concat()).await;
    }
    town.agree(&town.names_but(&[]), 2).await;

    // Whatever another member may ask of the mill's node and of its own.
    for (client, node) in [("forge", "mill"), ("forge", "forge")] {
        let [address, key] = tap_client(&town, &heard, client, node).await;
        let at = ["--home", client, "--node", &address, "--server-key", &key];
        let ask = async |code: i32, arguments: &[&str]| {
            typed(&town, code, &[arguments, &at].concat()).await
        };
        ask(1, &["alert", "status", &subject, "--out", "mill.alerts"]).await;
        ask(0, &["receipt", "show", "0"]).await;
        ask(0, &["member", "list"]).await;
        ask(0, &["log", "status"]).await;
        if node == "mill" {
            let refused = ask(1, &["cert", "list"]).await;
            assert_eq!(refused["error"]["code"], "not-own-member", "{refused}");
        }
    }
    let mut places = BTreeMap::new();
    for name in town.names_but(&[]) {
        places.insert(format!("metrics of {name}"), metrics(&town, &name));
    }
    let record_root = hex::decode(&record).unwrap();
    let deadline = std::time::Instant::now() + LONG;
    // Every member acknowledges, so that this traffic is heard as well.
    while typed(&town, 1, &["alert", "status", &subject, "--home", "forge"]).await["alerts"][0]
        ["acknowledged_by"]
        .as_array()
        .unwrap()
        .len()
        < 5
    {
        assert!(std::time::Instant::now() < deadline, "not all acknowledge");
    }
    let links = town.devnet.record().links.len();
    let forge = town.devnet.client("forge").await.unwrap();
    let first = forge.receipt(ReceiptOf::Leaf(LeafIndex(0)), None).await.unwrap();
    let Some(Payload::Anchor(anchor)) = first.verified.body.payload else { panic!("an anchor") };
    let root = anchor.root;
    town.down_keeping_files(|town| {
        check_taps(&heard, links, &root);
        let own = "grpc mill to mill";
        places.extend(heard.lines("").into_iter().filter(|(line, _)| !line.starts_with(own)));
        for name in town.names_but(&[]) {
            let node = town.devnet.node(&name).unwrap();
            everything_in(&node.home, &mut places);
            places.insert(format!("log of {name}"), fs::read(&node.log).unwrap());
        }
        places.insert("alerts file".to_owned(), fs::read(town.path("mill.alerts")).unwrap());
        let named = places_with(&places, &record_root);
        assert!(!named.is_empty(), "the mill's vault names its record");
        // A record's id stands on no log: who is shown nothing cannot tell which record an anchor has.
        let home = town.devnet.node("mill").unwrap().home.display().to_string();
        assert!(named.iter().all(|place| place.starts_with(&home)), "{named:?}");
        let framed = places.iter().filter(|(line, _)| line.starts_with("grpc "));
        let whole: Vec<_> =
            framed.map(|(line, bytes)| (format!("{line}, messages"), unframed(bytes))).collect();
        places.extend(whole);
        let all = confirmations();
        assert_nothing(&places, &canaries(), &all);
        let record = record_root.as_slice();
        nothing_but_what_is_shown(town, record, &all);
        // The mill's own people are told their file's name and its heat, and get what is shown of the customer.
        let told = heard.lines("grpc mill to mill back");
        assert_nothing(&told, &canaries_but(&[FILE_NAME, HEAT, "CANARYHEAT", CUSTOMER]), &all);
        // What the mill's own people send does hold them, before it is encrypted: the taps and the
        // search would have found them elsewhere.
        let sent = unframed(&heard.lines("grpc mill to mill there")["grpc mill to mill there"]);
        for canary in canaries() {
            let writes_only_digits =
                canary.name.starts_with("0.") || canary.name.starts_with("4827");
            let expected = canary.found_in(&sent).is_some();
            assert!(expected || writes_only_digits, "{} was not sent", canary.name);
        }
    })
    .await;
}

/// What each receiver holds says what it was shown, and confirms no guess at anything else.
fn nothing_but_what_is_shown(town: &Town, record: &[u8], all: &Confirmations) {
    let read = |name: &str| fs::read(town.path(name)).unwrap();
    let proved = attack::Disclosure::decode(read(PROVED_TO_FORGE).as_slice()).unwrap();
    let carbon = proved.fields().into_iter().find(|field| field.path == attack::CARBON_PATH);
    let carbon = carbon.expect("the proof is about carbon").value;
    let commitment = usize::from(carbon[1]) + 4;
    let head_hash = heatmark_records::Head::decode(&proved.head).unwrap().hash().0;
    for (holds, shown, held) in [
        (CUSTOMER, &[CUSTOMER][..], &[SHOWN_TO_FORGE, PROVED_TO_FORGE][..]),
        (HEAT, &[HEAT, "CANARYHEAT"], &[SHOWN_TO_LAB]),
    ] {
        let files: Vec<Vec<u8>> = held.iter().map(|name| read(name)).collect();
        assert!(Canary::text(holds).found_in(&files.concat()).is_some(), "{holds} is shown");
        let places = held.iter().map(ToString::to_string).zip(files.clone()).collect();
        assert_nothing(&places, &canaries_but(shown), all);
        for file in &files {
            for field in attack::Disclosure::decode(file.as_slice()).unwrap().fields() {
                let leads = attack::leads_to(&head_hash, &field, record);
                assert!(leads, "{}", field.path);
            }
        }
        let attack = attack::Attack {
            // What is shown needs no guess; a guess at it would be confirmed.
            heat: if holds == HEAT {
                |guess| format!("another-{guess}")
            } else {
                |guess| format!("CANARYHEAT-{guess:06}")
            },
            first_carbon: 20_000_009_044_127,
            carbon_leaf: (carbon.clone(), commitment),
            head_hash,
            others: vec![1_682],
        };
        assert_eq!(attack.on(&files), None, "a guess is confirmed by {held:?}");
    }
}

/// All canaries but these.
fn canaries_but(shown: &[&str]) -> Vec<Canary> {
    canaries().into_iter().filter(|canary| !shown.contains(&canary.name.as_str())).collect()
}

/// What the DATA frames of HTTP/2 connections carry, one after the other (RFC 9113, sections 3.4, 4.1 and
/// 6.1): a message may be cut by a frame's head wherever the sender's buffers ended.
fn unframed(bytes: &[u8]) -> Vec<u8> {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const DATA: u8 = 0;
    let mut rest = bytes;
    let mut carried = Vec::new();
    while let [a, b, c, kind, _flags, _, _, _, _, behind @ ..] =
        rest.strip_prefix(PREFACE).unwrap_or(rest)
    {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        let (payload, next) = behind.split_at(length.min(behind.len()));
        if *kind == DATA {
            carried.extend_from_slice(payload);
        }
        rest = next;
    }
    carried
}

/// The places that hold these bytes.
fn places_with(places: &BTreeMap<String, Vec<u8>>, bytes: &[u8]) -> Vec<String> {
    let found = places.iter().filter(|(_, content)| holds(content, bytes));
    found.map(|(place, _)| place.clone()).collect()
}

fn holds(content: &[u8], bytes: &[u8]) -> bool {
    content.windows(bytes.len()).any(|window| window == bytes)
}

/// The taps heard both networks in the clear: the anchor's root went over each.
fn check_taps(heard: &Heard, links: usize, root: &[u8]) {
    for plane in ["consensus", "exchange"] {
        let lines = heard.lines(plane);
        let clear = lines.values().filter(|bytes| holds(bytes, b"/yamux/1.0.0")).count();
        assert!(clear >= links / 4, "{clear} lines of {links} links are heard on {plane}");
        assert!(lines.values().any(|bytes| holds(bytes, root)), "no anchor on {plane}");
    }
}
