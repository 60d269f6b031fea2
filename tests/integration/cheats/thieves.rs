//! Seals that somebody else saw: what a seal has signed names its carrier, so that nobody who copies it, from the pool or from a
//! parcel, can post it; and whoever keeps goods without posting has nothing that anybody takes.

use super::crooks::{Crooks, Draft, place};
use super::{Door, parcel_of};
use heatmark_ledger::messages::body::Payload;
use heatmark_ledger::{transaction, wire};
use heatmark_lots::{Event, Kind, Witness};

const TONNE: u64 = 1_000_000_000;

pub(super) async fn try_all(crooks: &mut Crooks<'_>, door: &mut Door<'_>) {
    copied_seals_post_nothing(crooks, door).await;
    goods_kept_without_a_receipt_lead_nowhere(crooks, door).await;
}

async fn copied_seals_post_nothing(crooks: &mut Crooks<'_>, door: &mut Door<'_>) {
    let billet = crooks.commission_anew(TONNE).await;
    let parcel = parcel_of(crooks, "mill", &billet).await;
    let lab = crooks.town.devnet.client("lab").await.unwrap();
    let thief = crooks.signing("lab");
    let mut body = wire::decode_body(&parcel.body).unwrap();
    // What the assembler will post, by another carrier; then with the carrier's name changed.
    let stolen = transaction::sign(&crooks.network, &thief, &body, parcel.cosignatures.clone());
    let refused = lab.submit(stolen).await.unwrap_err();
    assert_eq!(refused.refusal_code(), Some("carrier"), "{refused}");
    let Some(Payload::LotEvent(event)) = &mut body.payload else { panic!("a transfer") };
    event.carrier = crooks.id("lab").to_vec();
    let stolen = transaction::sign(&crooks.network, &thief, &body, parcel.cosignatures.clone());
    let refused = lab.submit(stolen).await.unwrap_err();
    assert_eq!(refused.refusal_code(), Some("bad-signature"), "{refused}");
    // A lot of the thief's own in place of the receiver's.
    if let Some(Payload::LotEvent(event)) = &mut body.payload {
        event.outputs = vec![vec![9; 32]];
    }
    let stolen = transaction::sign(&crooks.network, &thief, &body, parcel.cosignatures.clone());
    assert_eq!(lab.submit(stolen).await.unwrap_err().refusal_code(), Some("bad-signature"));
    let honest = crooks.signed("mill", parcel);
    door.takes(&honest, "NOT-STOLEN");
}

/// The forge was sent a billet under a seal of its own, keeps the goods and posts nothing; it works on them and sells them.
async fn goods_kept_without_a_receipt_lead_nowhere(crooks: &mut Crooks<'_>, door: &mut Door<'_>) {
    let billet = crooks.commission_anew(TONNE).await;
    let own_seal = crooks.seal();
    let ring = crooks.lot(TONNE, 9, billet.lot.lot().content.class);
    let mut event = Event::new(Kind::Transform, rand::random(), vec![place(&billet)], Vec::new());
    let witness = Witness {
        inputs: vec![billet.lot.clone()],
        outputs: vec![ring.lot.clone()],
        ..Witness::default()
    };
    witness.describe(&mut event);
    let proofs = crooks.prove(&event, &witness, None);
    // The seal that it does have is not the billet's, and the billet's it does not have.
    let draft = Draft { event: &event, proofs: &proofs, seals: &[own_seal] };
    let made = crooks.post("forge", draft, vec![ring]).await;
    let parcel = parcel_of(crooks, "forge", &made[0]).await;
    let parcel = crooks.signed("forge", parcel);
    door.rejects("goods without a receipt", &parcel, (1, "wrong-seal"));
    // The billet's seal is whole: its owner's lot goes on as if nothing had been.
    let honest = parcel_of(crooks, "mill", &billet).await;
    let honest = crooks.signed("mill", honest);
    door.takes(&honest, "BILLET-BACK");
}
