//! Encryption at rest: what a changed, moved or foreign value gives.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    reason = "tests fail loudly"
)]

use super::*;

fn sealer(byte: u8) -> Sealer {
    VaultKey::new([byte; 32]).wrapping()
}

#[test]
fn a_value_opens_under_its_own_key_and_place_only() {
    let sealed = sealer(1).seal(b"here", b"value");
    assert_eq!(sealer(1).open(b"here", &sealed).unwrap().as_slice(), b"value");
    assert!(matches!(sealer(1).open(b"there", &sealed), Err(VaultError::Damaged)));
    assert!(matches!(sealer(2).open(b"here", &sealed), Err(VaultError::Damaged)));
}

#[test]
fn every_flipped_bit_is_refused() {
    let sealed = sealer(1).seal(b"here", b"value");
    for at in 0..sealed.len() {
        for bit in 0..8 {
            let mut bent = sealed.clone();
            bent[at] ^= 1 << bit;
            assert!(sealer(1).open(b"here", &bent).is_err(), "byte {at} bit {bit}");
        }
    }
    for length in 0..sealed.len() {
        assert!(sealer(1).open(b"here", &sealed[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn the_same_value_is_never_sealed_alike() {
    assert_ne!(sealer(1).seal(b"here", b"value"), sealer(1).seal(b"here", b"value"));
}

#[test]
fn a_file_index_confirms_no_guess_without_the_key() {
    let file = FileDigest::of(b"a certificate");
    let index = |key: u8| Master::new(Secret32::from_slice(&[key; 32]).unwrap()).file_index(&file);
    assert_eq!(index(1), index(1));
    assert_ne!(index(1), index(2));
    assert_ne!(index(1), file.0);
}

#[test]
fn keys_and_digests_are_never_printed() {
    assert_eq!(
        format!("{:?} {:?}", VaultKey::new([7; 32]), FileDigest::of(b"x")),
        "VaultKey FileDigest"
    );
}
