//! Evidence that was bent: events left out, added, out of order, cut off or of another network, certificates in another's name,
//! one lot with two provenances, a label on another lot. The sender signs each parcel anew, so that only what it holds speaks against it.

use super::crooks::{Crooks, Draft, Held};
use super::{Door, parcel_of};
use heatmark_evidence::capsule::{Acceptance, Capsule, CapsuleEvent, Mine, Outcome, inspect};
use heatmark_evidence::transfer::SignedFile as _;
use heatmark_ledger::ids::{Height, NetworkId, UnixMillis};
use heatmark_ledger::messages::{self as pb, body::Payload};
use heatmark_ledger::transaction;
use heatmark_lots::{Kind, Range, SerialSecret, SerialTree};
use heatmark_merkle::batch;
use prost::Message as _;

const TONNE: u64 = 1_000_000_000;
const REJECTED: i32 = 1;
const HELD: i32 = 3;

pub(super) async fn try_all(crooks: &mut Crooks<'_>, door: &mut Door<'_>) {
    events_left_out_added_or_out_of_order(crooks, door).await;
    another_network(crooks, door).await;
    a_certificate_in_anothers_name(crooks, door).await;
    two_provenances(crooks, door).await;
    a_label_of_another_lot(crooks).await;
}

/// A certificate of the mill, a billet at the forge, rings of it.
async fn rings(crooks: &mut Crooks<'_>) -> Held {
    let heat = crooks.certificate("mill", "mill", "5").await;
    let billet = crooks.commission(heat, &[(TONNE, 1)]).await.remove(0);
    let billet = crooks.hand("forge", &billet).await;
    let ring = crooks.lot(TONNE, 100, crooks.class(heat));
    crooks.make(("forge", Kind::Transform), &[billet], vec![ring]).await.remove(0)
}

/// An event's entry against the header of a capsule.
async fn entry(crooks: &Crooks<'_>, leaf: u64, capsule: &Capsule) -> CapsuleEvent {
    let height = Height(capsule.header.as_ref().unwrap().height);
    let path = crooks.receipt(leaf, height).await.inclusion_path.concat();
    CapsuleEvent { path, ..crooks.events[&leaf].clone() }
}

fn insert(capsule: &mut Capsule, event: CapsuleEvent) {
    capsule.events.push(event);
    capsule.events.sort_by_key(|event| event.leaf);
}

async fn events_left_out_added_or_out_of_order(crooks: &mut Crooks<'_>, door: &mut Door<'_>) {
    let stranger = rings(crooks).await;
    let ring = rings(crooks).await;
    let whole = crooks.capsule(&ring).await;
    let send = |crooks: &mut Crooks<'_>, capsule: Vec<u8>| {
        let parcel = crooks.parcel("forge", &ring, capsule);
        crooks.signed("forge", parcel)
    };
    for at in 0..whole.events.len() - 1 {
        let mut capsule = whole.clone();
        capsule.events.remove(at);
        let parcel = send(crooks, capsule.encode_to_vec());
        door.rejects(&format!("event {at} left out"), &parcel, (HELD, "input-missing"));
    }
    let mut capsule = whole.clone();
    capsule.records.clear();
    let parcel = send(crooks, capsule.encode_to_vec());
    door.rejects("the certificate left out", &parcel, (HELD, "record-missing"));
    let mut capsule = whole.clone();
    insert(&mut capsule, entry(crooks, stranger.at.0, &whole).await);
    let parcel = send(crooks, capsule.encode_to_vec());
    door.rejects("an event added", &parcel, (REJECTED, "event-unreached"));
    // An honest event at a leaf that is another's, and another's proofs beside it.
    let mut capsule = whole.clone();
    let bent = capsule.events.last_mut().unwrap();
    bent.proofs.clone_from(&whole.events[0].proofs);
    let parcel = send(crooks, capsule.encode_to_vec());
    door.rejects("another event's proofs", &parcel, (REJECTED, "proof-count"));
    let mut capsule = whole.clone();
    capsule.events[0].blinds[0] ^= 1;
    let parcel = send(crooks, capsule.encode_to_vec());
    door.rejects("another seal shown", &parcel, (REJECTED, "wrong-seal"));
    let refused: [(&str, Vec<u8>); 4] = [
        ("the last event left out", {
            let mut capsule = whole.clone();
            capsule.events.pop();
            capsule.encode_to_vec()
        }),
        ("events out of order", {
            let mut capsule = whole.clone();
            capsule.events.swap(0, 1);
            capsule.encode_to_vec()
        }),
        ("an event twice", {
            let mut capsule = whole.clone();
            capsule.events.insert(1, whole.events[1].clone());
            capsule.encode_to_vec()
        }),
        ("a capsule cut off", {
            let bytes = whole.encode_to_vec();
            bytes[..bytes.len() - 70].to_vec()
        }),
    ];
    for (what, capsule) in refused {
        let parcel = send(crooks, capsule);
        door.refuses(what, &parcel, "wrong-capsule");
    }
    // It was the bending: whole, it is taken.
    let parcel = send(crooks, whole.encode_to_vec());
    door.takes(&parcel, "WHOLE");
}

async fn another_network(crooks: &mut Crooks<'_>, door: &mut Door<'_>) {
    let ring = rings(crooks).await;
    let other = NetworkId::from([7; 32]);
    let mut capsule = crooks.capsule(&ring).await;
    let parcel = crooks.parcel("forge", &ring, capsule.encode_to_vec());
    let parcel = parcel.signed(&other, &crooks.signing("forge"));
    door.refuses("a parcel for another network", &parcel, "wrong-network");
    let height = capsule.header.as_ref().unwrap().height;
    capsule.header.as_mut().unwrap().network = other.to_vec();
    let parcel = crooks.parcel("forge", &ring, capsule.encode_to_vec());
    let parcel = crooks.signed("forge", parcel);
    door.refuses("a capsule of another network", &parcel, "wrong-network");
    // A header that this network's validators have not certified: a log of the sender's own.
    let mut capsule = crooks.capsule_at(&ring, Height(height)).await;
    capsule.header.as_mut().unwrap().log_root = vec![7; 32];
    let parcel = crooks.parcel("forge", &ring, capsule.encode_to_vec());
    let parcel = crooks.signed("forge", parcel);
    door.refuses("a header of the sender's own", &parcel, "certificate-signature");
}

async fn a_certificate_in_anothers_name(crooks: &mut Crooks<'_>, door: &mut Door<'_>) {
    // The forge writes the mill's name into the head of a certificate that it anchors itself.
    let heat = crooks.certificate("forge", "mill", "5").await;
    let class = crooks.class(heat);
    let out = vec![crooks.lot(TONNE, 1, class)];
    let (event, witness) = crooks.commissioning(heat, &out);
    let proofs = crooks.prove(&event, &witness, Some(&crooks.certified(heat).0));
    let seals = [crooks.records[heat].seal];
    let draft = Draft { event: &event, proofs: &proofs, seals: &seals };
    let out = crooks.post("forge", draft, out).await;
    let parcel = parcel_of(crooks, "forge", &out[0]).await;
    let parcel = crooks.signed("forge", parcel);
    door.rejects("a certificate in the mill's name", &parcel, (REJECTED, "not-the-issuer"));
    // It anchors the mill's very certificate in a batch of its own.
    let heat = crooks.certificate("mill", "mill", "5").await;
    let billet = crooks.commission(heat, &[(TONNE, 1)]).await.remove(0);
    let root = batch::root(&[crooks.records[heat].id]).unwrap().0.to_vec();
    let anchor = crooks.body(Payload::Anchor(pb::Anchor { root, records: 1 }), 300_000);
    let signing = crooks.signing("forge");
    let envelope = transaction::sign(&crooks.network, &signing, &anchor, Vec::new());
    let copied = crooks.client.submit_and_wait(envelope, crate::town::LONG).await.unwrap();
    crooks.records[heat].leaf = copied.receipt.leaf_index;
    let parcel = parcel_of(crooks, "mill", &billet).await;
    let parcel = crooks.signed("mill", parcel);
    door.rejects("a certificate copied by another", &parcel, (REJECTED, "not-the-issuer"));
}

/// One and the same lot, under one seal, out of two events.
async fn twins(crooks: &mut Crooks<'_>) -> Vec<Held> {
    let heat = crooks.certificate("mill", "mill", "5").await;
    let billets = crooks.commission(heat, &[(TONNE, 1), (TONNE, 1)]).await;
    let twin = crooks.lot(TONNE, 1, crooks.class(heat));
    let mut shown = Vec::new();
    for billet in &billets {
        let made = [twin.clone()].to_vec();
        let made = crooks.make(("mill", Kind::Transform), std::slice::from_ref(billet), made);
        shown.push(made.await.remove(0));
    }
    shown
}

async fn two_provenances(crooks: &mut Crooks<'_>, door: &mut Door<'_>) {
    // Both in one product: the log breaks a seal once, so the other input is named under another seal.
    let shown = twins(crooks).await;
    let both = vec![crooks.lot(2 * TONNE, 2, shown[0].lot.lot().content.class)];
    let (event, witness) = crooks.making(Kind::Merge, &shown, &both);
    let proofs = crooks.prove(&event, &witness, None);
    let seals = [shown[0].seal, shown[1].seal];
    let draft = Draft { event: &event, proofs: &proofs, seals: &seals };
    let refused = crooks.try_post("mill", &draft).await.unwrap_err();
    assert_eq!(refused.refusal_code(), Some("seal-broken"), "{refused}");
    let seals = [shown[0].seal, crooks.seal()];
    let draft = Draft { event: &event, proofs: &proofs, seals: &seals };
    let both = crooks.post("mill", draft, both).await;
    let parcel = parcel_of(crooks, "mill", &both[0]).await;
    let parcel = crooks.signed("mill", parcel);
    door.rejects("one lot out of two events", &parcel, (REJECTED, "seal-twice"));
    let shown = twins(crooks).await;
    // Each shown by itself is whole, and one of them can be taken: the seal breaks once.
    let first = parcel_of(crooks, "mill", &shown[0]).await;
    let second = parcel_of(crooks, "mill", &shown[1]).await;
    let (first, second) = (crooks.signed("mill", first), crooks.signed("mill", second));
    door.takes(&first, "TWIN");
    door.comes_too_late("the other provenance", &second);
    // Used by the sender itself, with the capsule of before.
    let billet = crooks.commission_anew(TONNE).await;
    let old = parcel_of(crooks, "mill", &billet).await;
    let ring = crooks.lot(TONNE, 9, billet.lot.lot().content.class);
    crooks.make(("mill", Kind::Transform), std::slice::from_ref(&billet), vec![ring]).await;
    let old = crooks.signed("mill", old);
    door.comes_too_late("a lot that was used", &old);
}

/// A label is a proof of one serial in one lot: on the log's own evidence it proves nothing of another.
async fn a_label_of_another_lot(crooks: &mut Crooks<'_>) {
    let heat = crooks.certificate("mill", "mill", "5").await;
    let billet = crooks.commission(heat, &[(2 * TONNE, 1)]).await.remove(0);
    let serials = (0..20).map(|n| format!("SN{n}")).collect();
    let tree = SerialTree::new(serials, &SerialSecret::new(rand::random())).unwrap();
    let class = crooks.class(heat);
    let halves = [0, 10].map(|first| {
        let serials = tree.serials(vec![Range { first, count: 10 }]).unwrap();
        crooks.numbered_lot((TONNE, 10), class, Some(serials))
    });
    let made = crooks.make(("mill", Kind::Transform), &[billet], halves.to_vec()).await;
    let trust = crooks.client.trust().clone();
    for (lot, held) in made.iter().enumerate() {
        let capsule = crooks.capsule(held).await.encode_to_vec();
        for (place, of) in [(3, 0), (13, 1)] {
            let label = Some(tree.prove(place).unwrap().encode());
            let mine = Mine { label, ..Mine::default() };
            let now = UnixMillis(super::crooks::now_ms());
            let acceptance = Acceptance { mine: Some(mine), ..Acceptance::at(now) };
            let verdict = inspect(&capsule, &trust, &acceptance).unwrap();
            let expected: &[&str] = if of == lot { &[] } else { &["wrong-serial"] };
            assert_eq!(verdict.codes(), expected, "label {place} on lot {lot}");
            assert_eq!(verdict.outcome() == Outcome::Accept, of == lot);
        }
    }
}
