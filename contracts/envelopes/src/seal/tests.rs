#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail loudly"
)]

use super::*;

const CONTENT: &[u8] = b"share 3 of the assay";

fn key(byte: u8) -> OpeningKey {
    OpeningKey::from_seed(&[byte; 32])
}

const fn purpose<'a>(parts: &'a [&'a [u8]]) -> Purpose<'a> {
    Purpose { what: "release", parts }
}

fn sealed_for(parts: &[&[u8]]) -> Vec<u8> {
    seal(&key(1).sealing_key(), &purpose(parts), CONTENT, &mut rand::rng()).unwrap()
}

#[test]
fn what_is_sealed_opens_for_its_key_and_purpose() {
    for length in [0, 1, 65, 5_000, MAX_SEALED_CONTENT_BYTES] {
        let content = vec![7; length];
        let sealed =
            seal(&key(1).sealing_key(), &purpose(&[b"deal"]), &content, &mut rand::rng()).unwrap();
        assert_eq!(sealed.len(), length + ENVELOPE_OVERHEAD_BYTES);
        assert_eq!(open(&key(1), &purpose(&[b"deal"]), &sealed).unwrap().as_slice(), content);
    }
}

#[test]
fn refuses_every_changed_byte() {
    let sealed = sealed_for(&[b"deal"]);
    for place in 0..sealed.len() {
        for bit in [0x01, 0x80] {
            let mut changed = sealed.clone();
            changed[place] ^= bit;
            let error = open(&key(1), &purpose(&[b"deal"]), &changed).unwrap_err();
            match place {
                0 | 1 => assert!(matches!(error, SealError::UnknownSuite(_)), "byte {place}"),
                _ => assert_eq!(error, SealError::Refused, "byte {place}"),
            }
        }
    }
}

#[test]
fn refuses_every_other_length() {
    let sealed = sealed_for(&[b"deal"]);
    for length in 0..sealed.len() {
        let error = open(&key(1), &purpose(&[b"deal"]), &sealed[..length]).unwrap_err();
        let expected =
            if length < ENVELOPE_OVERHEAD_BYTES { SealError::TooShort } else { SealError::Refused };
        assert_eq!(error, expected, "{length} bytes");
    }
    let longer = [&sealed[..], &[0]].concat();
    assert_eq!(open(&key(1), &purpose(&[b"deal"]), &longer).unwrap_err(), SealError::Refused);
    let mut long = sealed;
    long.resize(MAX_SEALED_CONTENT_BYTES + ENVELOPE_OVERHEAD_BYTES + 1, 0);
    assert_eq!(open(&key(1), &purpose(&[b"deal"]), &long).unwrap_err(), SealError::TooLong);
    let content = vec![0; MAX_SEALED_CONTENT_BYTES + 1];
    let refused = seal(&key(1).sealing_key(), &purpose(&[]), &content, &mut rand::rng());
    assert_eq!(refused.unwrap_err(), SealError::TooLong);
}

#[test]
fn refuses_every_other_purpose() {
    let parts: [&[u8]; 6] = [b"network", b"deal", b"buyer", b"manifest", b"section", b"agent"];
    let sealed = sealed_for(&parts);
    let refused = |purpose: &Purpose<'_>| {
        assert_eq!(open(&key(1), purpose, &sealed).unwrap_err(), SealError::Refused, "{purpose:?}");
    };
    for place in 0..parts.len() {
        let mut other = parts;
        other[place] = b"another";
        refused(&purpose(&other));
        let mut shorter = parts.to_vec();
        shorter.remove(place);
        refused(&purpose(&shorter));
        let mut longer = parts.to_vec();
        longer.insert(place, b"");
        refused(&purpose(&longer));
    }
    refused(&Purpose { what: "deposit", parts: &parts });
    // The same bytes, cut elsewhere, and the name as a part.
    refused(&purpose(&[b"networkdeal", b"buyer", b"manifest", b"section", b"agent"]));
    refused(&Purpose { what: "", parts: &[&[&b"release"[..]], &parts[..]].concat() });
    assert!(open(&key(1), &purpose(&parts), &sealed).is_ok());
}

#[test]
fn refuses_every_other_key() {
    let sealed = sealed_for(&[]);
    let seed = [1; 32];
    for bit in 0..256_usize {
        let mut other = seed;
        other[bit / 8] ^= 1 << (bit % 8);
        let refused = open(&OpeningKey::from_seed(&other), &purpose(&[]), &sealed).unwrap_err();
        assert_eq!(refused, SealError::Refused);
    }
}

#[test]
fn refuses_an_envelope_put_together_from_two() {
    let (one, two) = (sealed_for(&[]), sealed_for(&[]));
    for cut in [2, 2 + 1_088, 2 + ENCAPSULATED_BYTES, one.len() - TAG_BYTES] {
        let mixed = [&one[..cut], &two[cut..]].concat();
        let opened = open(&key(1), &purpose(&[]), &mixed);
        // With the cut after the suite's number it is the whole second one.
        assert_eq!(opened.is_ok(), cut == 2, "cut at {cut}");
    }
}

#[test]
fn the_same_content_never_gives_the_same_envelope() {
    let (one, two) = (sealed_for(&[]), sealed_for(&[]));
    assert_ne!(one[2..34], two[2..34]);
    assert_ne!(one[2 + ENCAPSULATED_BYTES..], two[2 + ENCAPSULATED_BYTES..]);
}

#[test]
fn refuses_keys_that_no_seed_gives() {
    let good = key(1).sealing_key();
    assert_eq!(SealingKey::decode(good.as_bytes()).unwrap(), good);
    let bad = |change: &dyn Fn(&mut Vec<u8>), what: &str| {
        let mut bytes = good.as_bytes().to_vec();
        change(&mut bytes);
        assert_eq!(SealingKey::decode(&bytes).unwrap_err(), SealError::BadKey, "{what}");
    };
    bad(&|bytes| bytes.truncate(SEALING_KEY_BYTES - 1), "one byte short");
    bad(&|bytes| bytes.push(0), "one byte long");
    bad(&|bytes| bytes.clear(), "empty");
    bad(&|bytes| bytes[..2].fill(0xff), "a coefficient of 4,095, not below 3,329");
    bad(&|bytes| (bytes[0], bytes[1]) = (0x01, 0x0d), "a coefficient of 3,329 itself");
    bad(&|bytes| bytes[SEALING_KEY_BYTES - 1] |= 0x80, "the bit that X25519 ignores");
    let curve = |bytes: &mut Vec<u8>, point: [u8; 32]| {
        bytes[SEALING_KEY_BYTES - 32..].copy_from_slice(&point);
    };
    let number = |low: u8| {
        let mut point = [0; 32];
        point[0] = low;
        point
    };
    bad(&|bytes| curve(bytes, number(0)), "of order 2");
    bad(&|bytes| curve(bytes, number(1)), "of order 4");
    bad(&|bytes| curve(bytes, number(2)), "on the twist");
    let mut not_reduced = [0xff; 32];
    (not_reduced[0], not_reduced[31]) = (0xf6, 0x7f);
    bad(&|bytes| curve(bytes, not_reduced), "9 + p for the base point");
    let mixed = curve25519_dalek::constants::ED25519_BASEPOINT_POINT
        + curve25519_dalek::constants::EIGHT_TORSION[1];
    bad(&|bytes| curve(bytes, mixed.to_montgomery().0), "outside of the subgroup");
}

#[test]
fn a_key_follows_from_secret_use_and_index() {
    let secret = [3; 32];
    let derived = |secret, label, index| *OpeningKey::derive(secret, label, index).seed();
    let one = derived(&secret, "release", 1);
    assert_eq!(one, derived(&secret, "release", 1));
    for other in [
        derived(&secret, "release", 2),
        derived(&secret, "deposit", 1),
        derived(&[4; 32], "release", 1),
        secret,
    ] {
        assert_ne!(one, other);
    }
    let (generated, again) =
        (OpeningKey::generate(&mut rand::rng()), OpeningKey::generate(&mut rand::rng()));
    assert_ne!(generated.seed(), again.seed());
    assert_eq!(OpeningKey::from_seed(&generated.seed()).sealing_key(), generated.sealing_key());
}

#[test]
fn nothing_secret_is_printed() {
    let key = key(0xab);
    assert_eq!(format!("{key:?}"), "OpeningKey");
    assert!(format!("{:?}", key.sealing_key()).len() < 100);
}
