//! One encoding of each thing, seals that follow from a seed, and openings that open.

use super::*;
use prost::Message;

#[test]
fn what_is_cut_short_prolonged_or_not_canonical_is_refused() {
    let case = rework();
    let lot = &case.witness.outputs[0];
    assert_eq!(Lot::decode(&lot.lot().encode()).as_ref(), Ok(lot.lot()));
    assert_eq!(OpenLot::decode(&lot.encode()).as_ref(), Ok(lot));
    let whole = case.event.encode();
    for end in 0..whole.len() {
        assert!(Event::decode(&whole[..end]).is_err(), "{end}");
    }
    let mut longer = whole.clone();
    // Version again: a field twice.
    longer.extend([0x08, 0x01]);
    assert_eq!(Event::decode(&longer), Err(LotError::NotCanonical));
    assert_eq!(Event::decode(&vec![0; MAX_EVENT_BYTES + 1]), Err(LotError::TooLong));
    assert_eq!(Lot::decode(&vec![0; MAX_LOT_BYTES + 1]), Err(LotError::TooLong));
    assert_eq!(Proofs::decode(&vec![0; MAX_PROOFS_BYTES + 1]), Err(LotError::TooLong));
    // More empty entries than anything has.
    let empty: Vec<u8> = [0x0a, 0x00].repeat(2_000);
    assert_eq!(Proofs::decode(&empty), Err(LotError::NotCanonical));
}

#[test]
fn other_versions_and_kinds_are_told_apart() {
    let mut bytes = rework().event.encode();
    assert_eq!(&bytes[..4], [0x08, 0x01, 0x10, 0x03]);
    bytes[1] = 2;
    assert_eq!(Event::decode(&bytes), Err(LotError::UnknownVersion));
    (bytes[1], bytes[3]) = (1, 19);
    assert_eq!(Event::decode(&bytes), Err(LotError::UnknownKind));
    for kind in Kind::all() {
        assert_eq!(Kind::from_code(kind.code()), Ok(*kind));
    }
    assert_eq!(Kind::from_code(0), Err(LotError::UnknownKind));
}

#[test]
fn inputs_and_seals_are_named_once() {
    let mut event = rework().event;
    event.outputs[1].seal = event.outputs[0].seal;
    assert_eq!(Event::decode(&event.encode()), Err(LotError::SealTwice));
    let mut event = rework().event;
    event.inputs.push(event.inputs[0]);
    assert_eq!(Event::decode(&event.encode()), Err(LotError::InputTwice));
    event.inputs.clear();
    assert_eq!(Event::decode(&event.encode()), Err(LotError::Shape));
    let mut event = rework().event;
    event.reason = "line\nbreak".into();
    assert_eq!(Event::decode(&event.encode()), Err(LotError::NotCanonical));
    let mut event = rework().event;
    (event.from_ms, event.until_ms) = (2, 1);
    assert_eq!(Event::decode(&event.encode()), Err(LotError::NotCanonical));
}

#[test]
fn a_lot_is_accepted_only_with_the_quantities_committed_to() {
    let sent = lot(1_000, 10, 10);
    let open = |mass: &OpenAmount, pieces: &OpenAmount| {
        OpenLot::open(sent.lot().clone(), mass.clone(), pieces.clone()).map(|_| ())
    };
    assert_eq!(open(sent.mass(), sent.pieces()), Ok(()));
    let wrong = Err(LotError::WrongOpening);
    assert_eq!(open(sent.pieces(), sent.mass()), wrong);
    assert_eq!(open(sent.mass(), &amount(10)), wrong);
    let more = OpenAmount { number: 1_001, ..sent.mass().clone() };
    assert_eq!(open(&more, sent.pieces()), wrong);
}

#[test]
fn seals_follow_from_a_seed_and_need_key_and_blind() {
    let seed = SealSeed::new([3; 32]);
    let (key, blind) = (seed.key(5).verifying_key().to_bytes(), seed.blind(5));
    assert_eq!(check_seal(&seed.seal(5), &key, &blind), Ok(()));
    assert_eq!(check_seal(&seed.seal(6), &key, &blind), Err(LotError::WrongSeal));
    assert_eq!(check_seal(&seed.seal(5), &key, &seed.blind(6)), Err(LotError::WrongSeal));
    assert_ne!(seal_key_hash(&key), seed.seal(5));
    assert_ne!(SealSeed::new([4; 32]).seal(5), seed.seal(5));
    assert_eq!(format!("{seed:?}"), "SealSeed");
}

#[test]
fn a_lot_under_another_seal_nonce_or_network_has_another_hash() {
    let sent = lot(1_000, 10, 10);
    let again = sent.lot().sealed_anew(hash(10), &mut rand::rng());
    assert_ne!(again.hash(&NETWORK), sent.lot().hash(&NETWORK));
    assert_ne!(sent.lot().hash(&[8; 32]), sent.lot().hash(&NETWORK));
    assert_eq!(again.content.hash(&NETWORK), sent.lot().content.hash(&NETWORK));
}

/// An event as anybody may write it; the numbers are those of the specification.
#[derive(Clone, PartialEq, Message)]
struct Bare {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(uint32, tag = "2")]
    kind: u32,
    #[prost(bytes = "vec", tag = "3")]
    salt: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "5")]
    inputs: Vec<Vec<u8>>,
    #[prost(string, tag = "14")]
    reason: String,
}

#[test]
fn the_encoding_is_that_of_the_specification() {
    let names =
        vec![Input { leaf: LeafIndex(0), output: 0 }, Input { leaf: LeafIndex(300), output: 2 }];
    let mut event = Event::new(Kind::Dispose, [9; 32], names, Vec::new());
    event.reason = "lost".into();
    let bare = Bare {
        version: 1,
        kind: 17,
        salt: vec![9; 32],
        inputs: vec![vec![], vec![0x08, 0xac, 0x02, 0x10, 0x02]],
        reason: "lost".into(),
    };
    assert_eq!(event.encode(), bare.encode_to_vec());
    let digest = heatmark_merkle::tag::hash("lot-event", &[&NETWORK, &bare.encode_to_vec()]);
    assert_eq!(event.digest(&NETWORK), digest);
}
