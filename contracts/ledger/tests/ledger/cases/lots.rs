//! Lot events: seals that are whole and broken, and who carries them.

use super::Cases;
use crate::town::{Town, bytes32, key};
use ed25519_dalek::SigningKey;
use heatmark_ledger::messages as pb;
use heatmark_ledger::messages::CoSigner;
use heatmark_ledger::messages::body::Payload;
use prost::Message as _;

/// An event carried by the member `who`.
pub(crate) fn event(town: &Town, who: usize, outputs: usize) -> pb::LotEvent {
    pb::LotEvent {
        digest: bytes32("event").to_vec(),
        outputs: (0..outputs).map(|at| bytes32(&format!("lot {at}")).to_vec()).collect(),
        carrier: town.id(who).to_vec(),
    }
}

pub(crate) fn seals(names: &[&str]) -> Vec<(CoSigner, SigningKey)> {
    names.iter().map(|name| (CoSigner::Seal, key(name))).collect()
}

pub(super) fn events(cases: &mut Cases) {
    let sound = event(&cases.town, 0, 2);
    let mut by =
        |name, change: &dyn Fn(&mut pb::LotEvent), seals: &[(CoSigner, SigningKey)], expect| {
            let mut event = sound.clone();
            change(&mut event);
            cases.cosigned(name, Payload::LotEvent(event), seals, expect);
        };
    let same = |_: &mut pb::LotEvent| ();
    let most: Vec<String> = (0..65).map(|at| format!("seal {at}")).collect();
    let most: Vec<&str> = most.iter().map(String::as_str).collect();
    by("an event of two lots under one seal", &same, &seals(&["whole"]), "ok");
    by("an event without a seal", &same, &[], "ok");
    by("the end of a lot", &|e| e.outputs.clear(), &seals(&["whole"]), "ok");
    by("an event of nothing", &|e| e.outputs.clear(), &[], "field");
    by("64 seals", &same, &seals(&most[..64]), "ok");
    by("65 seals", &same, &seals(&most), "cosignatures");
    by("255 lots", &|e| e.outputs = vec![vec![7; 32]; 255], &[], "ok");
    by("256 lots", &|e| e.outputs = vec![vec![7; 32]; 256], &[], "field");
    by("a lot of 31 bytes", &|e| e.outputs[1] = vec![7; 31], &[], "field");
    by("a digest of 33 bytes", &|e| e.digest.push(0), &[], "field");
    by("no carrier", &|e| e.carrier.clear(), &[], "field");
    by("a carrier of 31 bytes", &|e| e.carrier.truncate(31), &[], "field");
    by("a seal that was broken", &same, &seals(&["broken"]), "seal-broken");
    by("a seal broken, among whole ones", &same, &seals(&["whole", "broken"]), "seal-broken");
    by("one seal twice in an event", &same, &seals(&["whole", "whole"]), "seal-broken");
    by("an alert key as a seal", &same, &[(CoSigner::Alert, key("whole"))], "cosignatures");
    let both = [seals(&["whole"]), vec![(CoSigner::Root, key("whole"))]].concat();
    by("a seal and a root key", &same, &both, "cosignatures");
    let forges = cases.town.id(1).to_vec();
    cases.cosigned(
        "another member's event",
        Payload::LotEvent(pb::LotEvent { carrier: forges, ..sound.clone() }),
        &seals(&["whole"]),
        "carrier",
    );
    let suspended = cases.town.members[3].signing.clone();
    let theirs = Payload::LotEvent(event(&cases.town, 3, 1));
    cases.by("a suspended member's event", &suspended, (theirs, &seals(&["whole"])), "ok");
    // Goods may be at sea for weeks.
    for (name, length, expect) in [
        ("a lot event with a window of 60 days", 60 * 86_400_000, "ok"),
        ("a lot event with a window too long by 1 ms", 60 * 86_400_000 + 1, "window"),
    ] {
        let mut body = cases.town.body(Payload::LotEvent(sound.clone()));
        body.not_after_ms = body.not_before_ms + length;
        let signer = cases.town.members[0].signing.clone();
        let envelope = cases.town.envelope(&signer, &body, &seals(&["whole"]));
        cases.envelope(name, envelope, expect);
    }
    // What a seal signed stands under no other body, whoever saw it in the pool.
    let body = cases.town.body(Payload::LotEvent(sound.clone()));
    let other =
        cases.town.body(Payload::LotEvent(pb::LotEvent { outputs: vec![vec![9; 32]], ..sound }));
    let signer = cases.town.members[0].signing.clone();
    let take = |town: &Town, body: &pb::Body, seals: &[_]| {
        pb::Envelope::decode(town.envelope(&signer, body, seals).as_slice()).unwrap()
    };
    let seen = take(&cases.town, &body, &seals(&["whole"]));
    let stolen = pb::Envelope { cosignatures: seen.cosignatures, ..take(&cases.town, &other, &[]) };
    cases.envelope(
        "a seal's signature under another body",
        stolen.encode_to_vec(),
        "bad-signature",
    );
}
