//! Files of transfers: requests for seals, offers, parcels and answers.

use ed25519_dalek::SigningKey;
use heatmark_evidence::transfer::{
    Answer, Count, DespatchAdvice, MAX_TEXT_BYTES, Onward, Parcel, ParcelAssembly, ParcelComponent,
    ParcelLot, SealOffer, SealRequest, SignedFile,
};
use heatmark_fuzz::Target;
use heatmark_ledger::ids::{MemberId, NetworkId};
use heatmark_ledger::keys::{PublicKey, RegisteredKey};
use heatmark_ledger::messages as pb;

const NETWORK: [u8; 32] = [1; 32];
const MAKER: [u8; 32] = [2; 32];
const OTHER: [u8; 32] = [3; 32];

/// What is read is what was signed, byte for byte, and an input that was changed is signed by nobody.
fn target<F: SignedFile + 'static>(name: &'static str, files: Vec<F>) {
    let key = SigningKey::from_bytes(&[7; 32]);
    let network = NetworkId::from(NETWORK);
    let seeds: Vec<Vec<u8>> = files.into_iter().map(|file| file.signed(&network, &key)).collect();
    let signed = seeds.clone();
    let registered = PublicKey::of(&key).to_bytes();
    let run = move |input: &[u8]| match F::read(input, &network) {
        Ok(file) => {
            let key = RegisteredKey::from_state(&registered).unwrap();
            if let Ok(proved) = file.prove(&key, &MemberId::from(MAKER)) {
                assert_eq!(prost::Message::encode_to_vec(&proved), input);
                assert!(signed.iter().any(|seed| seed == input), "nobody signed this");
            }
            true
        }
        Err(_) => false,
    };
    Target::new(name, seeds, run).may_allocate(60, 64 << 10).fuzz();
}

#[test]
fn seal_request() {
    let (sender, receiver) = (MAKER.to_vec(), OTHER.to_vec());
    let request =
        SealRequest { sender, receiver, seals: 3, nonce: vec![4; 16], ..SealRequest::default() };
    target("seal-request", vec![request]);
}

#[test]
fn seal_offer() {
    let offer = |seals: u8| SealOffer {
        receiver: MAKER.to_vec(),
        sender: OTHER.to_vec(),
        seals: (0..seals).map(|seal| vec![seal; 32]).collect(),
        reference: "PO 4711".into(),
        ..SealOffer::default()
    };
    target("seal-offer", vec![offer(1), offer(64)]);
}

#[test]
fn parcel() {
    let parcel = |lots: u8| Parcel {
        sender: MAKER.to_vec(),
        receiver: OTHER.to_vec(),
        body: vec![5; 60],
        cosignatures: (0..lots)
            .map(|lot| pb::CoSignature {
                purpose: pb::CoSigner::Seal.into(),
                public_key: vec![lot; 32],
                signature: vec![lot; 64],
            })
            .collect(),
        event: vec![6; 90],
        lots: (0..lots)
            .map(|lot| ParcelLot {
                name: format!("RING-{lot}"),
                open: vec![lot; 100],
                description: vec![lot; 80],
                blind: vec![lot; 32],
                capsule: vec![lot; 300],
            })
            .collect(),
        advice: Some(DespatchAdvice {
            number: "DA 1".into(),
            order: "PO 1".into(),
            carrier: "by road".into(),
            note: "x".repeat(MAX_TEXT_BYTES),
            despatched_ms: 9,
        }),
        assemblies: vec![ParcelAssembly {
            class: vec![1; 32],
            product: true,
            salt: vec![2; 32],
            components: vec![ParcelComponent {
                name: "RING".into(),
                open: vec![3; 100],
                description: vec![4; 80],
            }],
        }],
        onward: vec![Onward { record: vec![8; 32], paths: vec!["heat".into()] }],
        ..Parcel::default()
    };
    target("parcel", vec![parcel(1), parcel(5)]);
}

#[test]
fn transfer_answer() {
    let answer = |refused: bool| Answer {
        receiver: MAKER.to_vec(),
        sender: OTHER.to_vec(),
        transfer: vec![4; 32],
        refused,
        text: "one ring short".into(),
        counts: vec![
            Count { place: 1, mass_mg: 5, pieces: 6 },
            Count { place: 3, ..Count::default() },
        ],
        at_ms: 7,
        ..Answer::default()
    };
    target("transfer-answer", vec![answer(true), answer(false)]);
}
