//! Companies that deal dishonestly with honest programs: a lot sold twice by a vault that was set back, goods kept and denied,
//! a shipment denied, evidence from before a recall.

use crate::town::{LONG, Town};
use heatmark_evidence::capsule::{Acceptance, Capsule, CapsuleEvent, Outcome, inspect};
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::messages::body::Payload;
use heatmark_ledger::receipt::TrustRoot;
use heatmark_ledger::{transaction, wire};
use heatmark_lots::{Event, check_seal};
use serde_json::Value;
use std::fs;
use std::time::{Duration, Instant};

const HEAT: &str = r#"{"Heatmark":"1","certificate/number":"H7","certificate/issued":"2026-01-02",
    "manufacturer/name":"Kesselbach","product/name":"billet","heat":"H7","product/mass":"5 t","chemistry":{"C":"0.11 %"}}"#;

fn lot(town: &Town, code: i32, home: &str, arguments: &[&str]) -> Value {
    town.command(code, &[&["lot"], arguments, &["--home", home]].concat())
}

fn names(town: &Town, home: &str) -> Vec<String> {
    let lots = lot(town, 0, home, &["list"]);
    let lots = lots["lots"].as_array().unwrap();
    lots.iter().map(|lot| lot["name"].as_str().unwrap().to_owned()).collect()
}

/// Has the mill send a lot as a file, under a seal that the receiver offers for it.
fn sent(town: &Town, name: &str, to: &str) -> String {
    let (offer, parcel) = (format!("{name}-{to}.offer"), format!("{name}-{to}.parcel"));
    let mill = town.devnet.member("mill").unwrap().to_string();
    lot(town, 0, to, &["offer", "--to", &mill, "--out", &offer]);
    let member = town.devnet.member(to).unwrap().to_string();
    lot(town, 0, "mill", &["ship", name, "--to", &member, "--offer", &offer, "--out", &parcel]);
    parcel
}

/// All nodes have what one has.
async fn caught_up(town: &Town, with: &str) {
    let newest = town.devnet.client(with).await.unwrap().header(None).await.unwrap();
    town.agree(&town.names_but(&[]), newest.header.log_size.0).await;
}

#[tokio::test]
async fn who_sells_twice_denies_or_shows_old_evidence_gains_nothing() {
    let mut town = Town::up(&[]).await;
    fs::write(town.path("heat.json"), HEAT).unwrap();
    let published = town.command(0, &["cert", "publish", "heat.json", "--home", "mill"]);
    let record = published["files"][0]["record_id"].as_str().unwrap().to_owned();
    let commission = ["commission", &record, "--make", "B1=1 t,1", "--make", "B2=1 t,1"];
    let all = [&commission[..], &["--make", "B3=1 t,1", "--make", "B4=1 t,1"]].concat();
    lot(&town, 0, "mill", &all);
    one_lot_to_two_receivers(&mut town).await;
    a_receiver_that_keeps_goods_and_denies_them(&town).await;
    a_sender_that_denies_a_shipment(&town);
    evidence_of_before_a_recall(&town, &record).await;
    town.down().await;
}

async fn one_lot_to_two_receivers(town: &mut Town) {
    town.command(0, &["vault", "backup", "mill.vault", "--home", "mill"]);
    let to_forge = sent(town, "B1", "forge");
    let again = ["ship", "B1", "--to", &town.devnet.member("assembler").unwrap().to_string()];
    assert_eq!(lot(town, 1, "mill", &again)["error"]["code"], "lot-used");
    // The mill sets its vault back to before it sent the lot.
    town.devnet.kill("mill").await.unwrap();
    fs::remove_dir_all(town.path("mill/data/vault")).unwrap();
    town.command(0, &["vault", "restore", "mill.vault", "--home", "mill"]);
    town.devnet.restart("mill").await.unwrap();
    assert!(names(town, "mill").contains(&"B1".to_owned()));
    let to_assembler = sent(town, "B1", "assembler");
    // Both parcels are sound; one of them is posted, and the other's seal is broken then.
    lot(town, 0, "assembler", &["receive", &to_assembler, "--look"]);
    lot(town, 0, "forge", &["receive", &to_forge]);
    caught_up(town, "forge").await;
    let seen = lot(town, 1, "assembler", &["receive", &to_assembler, "--look"]);
    assert_eq!(seen["lots"][0]["codes"], serde_json::json!(["seal-broken"]));
    let late = lot(town, 1, "assembler", &["receive", &to_assembler]);
    assert_eq!(late["error"]["code"], "seal-broken", "{late}");
    assert_eq!((names(town, "assembler").len(), names(town, "forge")), (0, vec!["B1".to_owned()]));
}

async fn a_receiver_that_keeps_goods_and_denies_them(town: &Town) {
    let parcel = sent(town, "B2", "assembler");
    lot(town, 0, "assembler", &["receive", &parcel, "--look"]);
    // It posts nothing: it has nothing to show, to work on or to send.
    assert!(names(town, "assembler").is_empty());
    lot(town, 1, "assembler", &["capsule", "B2", "--out", "denied.capsule"]);
    lot(town, 1, "assembler", &["transform", "B2", "--make", "X=1 t,1"]);
    let lab = town.devnet.member("lab").unwrap().to_string();
    lot(town, 1, "assembler", &["ship", "B2", "--to", &lab]);
    // The mill takes it back, and then the parcel is worth nothing.
    lot(town, 0, "mill", &["cancel", "B2"]);
    assert!(names(town, "mill").contains(&"B2".to_owned()));
    caught_up(town, "mill").await;
    let late = lot(town, 1, "assembler", &["receive", &parcel]);
    assert_eq!(late["error"]["code"], "seal-broken", "{late}");
    assert!(names(town, "assembler").is_empty());
}

fn read(event: &CapsuleEvent) -> (PublicKey, Vec<u8>, heatmark_ledger::messages::Envelope) {
    let envelope = wire::decode_envelope(&event.transaction).unwrap();
    let body = wire::decode_body(&envelope.body).unwrap();
    let Some(Payload::LotEvent(logged)) = body.payload else { panic!("an event of lots") };
    let seal = envelope.cosignatures[0].public_key.as_slice().try_into().unwrap();
    (PublicKey::from_bytes(&seal).unwrap(), logged.carrier, envelope)
}

/// The forge shows whoever asks that the mill's own lot was signed over to it, by the lot's seal: offline, from one file.
fn a_sender_that_denies_a_shipment(town: &Town) {
    lot(town, 0, "forge", &["capsule", "B1", "--out", "proof.capsule"]);
    let bytes = fs::read(town.path("proof.capsule")).unwrap();
    let genesis = town.devnet.genesis().unwrap();
    let trust = TrustRoot::from_genesis(&genesis);
    let now = heatmark_ledger::ids::UnixMillis(super::crooks::now_ms());
    let verdict = inspect(&bytes, &trust, &Acceptance::at(now)).unwrap();
    assert_eq!((verdict.outcome(), verdict.codes()), (Outcome::Accept, vec![]));
    let capsule = Capsule::decode(&bytes).unwrap();
    let [commission, transfer] = capsule.events.as_slice() else { panic!("two events") };
    // The mill's own signing key posted the lot into the world, under a seal …
    let (_, carrier, envelope) = read(commission);
    assert_eq!(carrier, town.devnet.member("mill").unwrap().to_vec());
    let signing = town.devnet.key("mill", heatmark::keys::KeyKind::Signing).unwrap();
    assert_eq!(envelope.signer, PublicKey::of(&signing).id().to_vec());
    let place = Event::decode(&transfer.event).unwrap().inputs[0].output as usize;
    let lot = Event::decode(&commission.event).unwrap().outputs[place].clone();
    // … whose key signed the transfer to the forge.
    let (seal, carrier, envelope) = read(transfer);
    assert_eq!(carrier, town.devnet.member("forge").unwrap().to_vec());
    let blind = transfer.blinds.as_slice().try_into().unwrap();
    check_seal(&lot.seal, &seal.to_bytes(), &blind).unwrap();
    let (network, signed) = (genesis.network(), &envelope.cosignatures[0]);
    transaction::verify_cosignature(&network, signed, &envelope.body).unwrap();
    let mut other = envelope.body.clone();
    *other.last_mut().unwrap() ^= 1;
    assert!(transaction::verify_cosignature(&network, signed, &other).is_err());
}

async fn evidence_of_before_a_recall(town: &Town, record: &str) {
    let parcel = sent(town, "B3", "assembler");
    lot(town, 0, "mill", &["capsule", "B4", "--out", "old.capsule"]);
    let raise = ["alert", "raise", record, "--level", "recall", "--reason", "cracks"];
    town.command(0, &[&raise[..], &["--home", "mill"]].concat());
    let begun = Instant::now();
    // The capsule in the parcel is as of before the recall; the receiver's node asks its own log.
    let seen = loop {
        let look = ["lot", "receive", &parcel, "--look", "--home", "assembler", "--json"];
        let ran = town.devnet.program().run(&look).unwrap();
        if ran.code == Some(1) {
            break serde_json::from_str::<Value>(&ran.stdout).unwrap();
        }
        assert!(begun.elapsed() < LONG, "the recall is never seen: {}", ran.stdout);
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(seen["lots"][0]["codes"], serde_json::json!(["recalled"]));
    let refused = lot(town, 1, "assembler", &["receive", &parcel]);
    assert_eq!(refused["error"]["code"], "rejected", "{refused}");
    assert!(names(town, "assembler").is_empty());
    // Who has no log of its own is told how old a capsule is, and holds one that is too old for it.
    let old = fs::read(town.path("old.capsule")).unwrap();
    let trust = TrustRoot::from_genesis(&town.devnet.genesis().unwrap());
    let made = inspect(&old, &trust, &Acceptance::at(heatmark_ledger::ids::UnixMillis(0))).unwrap();
    let later = |ms| heatmark_ledger::ids::UnixMillis(made.as_of.1.0 + ms);
    let at = |ms, max_age_ms| Acceptance { max_age_ms, ..Acceptance::at(later(ms)) };
    assert!(inspect(&old, &trust, &at(60_000, 60_000)).unwrap().codes().is_empty());
    let stale = inspect(&old, &trust, &at(60_001, 60_000)).unwrap();
    assert_eq!((stale.outcome(), stale.codes()), (Outcome::Hold, vec!["stale"]));
    // A new one from the mill's own node tells of the recall.
    lot(town, 0, "mill", &["capsule", "B4", "--out", "new.capsule"]);
    let new = fs::read(town.path("new.capsule")).unwrap();
    assert_eq!(inspect(&new, &trust, &at(0, 60_000)).unwrap().codes(), ["recalled"]);
    // Its header changed for a newer one's time, it proves nothing.
    let mut forged = Capsule::decode(&old).unwrap();
    forged.header.as_mut().unwrap().time_ms += 60_000;
    let forged = prost::Message::encode_to_vec(&forged);
    assert!(inspect(&forged, &trust, &at(60_000, 60_000)).is_err());
}
