//! Commitments: the pinned bases, and what is refused.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "tests fail loudly"
)]

use super::*;
use proptest::prelude::*;

fn blinding(seed: u8) -> Blinding {
    Blinding::from_uniform(&[seed; 64])
}

/// The group's order, little-endian: the least number that is no canonical scalar.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

#[test]
fn refuses_points_that_are_not_canonical() {
    // RFC 9496 appendix A.3: a field element above the prime, a negative one, one off the curve.
    for bad in [
        "00ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",
        "4eac077a713c57b4f4397629a4145982c661f48044dd3f96427d40b147d9742f",
    ] {
        let bytes: [u8; 32] = hex::decode(bad).unwrap().try_into().unwrap();
        assert_eq!(Commitment::decode(bytes), Err(RecordError::BadCommitment), "{bad}");
    }
}

#[test]
fn refuses_blindings_at_or_above_the_group_order() {
    assert_eq!(Blinding::decode(ORDER), Err(RecordError::NotCanonical));
    assert_eq!(Blinding::decode([0xff; 32]), Err(RecordError::NotCanonical));
    let mut below = ORDER;
    below[0] -= 1;
    assert!(Blinding::decode(below).is_ok());
}

#[test]
fn the_bases_are_those_of_the_range_proofs_and_of_the_hash_to_the_group() {
    use sha3::{Digest as _, Sha3_512};
    use tari_bulletproofs_plus::generators::pedersen_gens::ExtensionDegree;
    use tari_bulletproofs_plus::ristretto::create_pedersen_gens_with_extension_degree;
    let digest: [u8; 64] = Sha3_512::digest(b"RISTRETTO_MASKING_BASEPOINT_1").into();
    assert_eq!(RistrettoPoint::from_uniform_bytes(&digest).compress().0, BLINDING_BASE);
    let gens = create_pedersen_gens_with_extension_degree(ExtensionDegree::DefaultPedersen);
    assert_eq!(gens.h_base, value_base());
    assert_eq!(gens.g_base_compressed_vec[0].0, BLINDING_BASE);
    assert_eq!(gens.g_base_vec.len(), 1);
}

#[test]
fn golden_commitments() {
    let commit =
        |number, seed| hex::encode(commit_all([(number, &blinding(seed))].into_iter())[0].0);
    assert_eq!(commit(21, 1), GOLDEN_21);
    assert_eq!(commit(-40, 2), GOLDEN_MINUS_40);
}

// Computed with libsodium.
const GOLDEN_21: &str = "ecbf82253899a03239686771d4fc5b3e5d23464a13c3269bc71625d616a4f10d";
const GOLDEN_MINUS_40: &str = "5c64c6b7ddc2aed4684bbb2d6bcbdec556e406cf235400d604e5074280877119";

#[test]
fn other_numbers_and_other_blindings_give_other_commitments() {
    let (one, two) = (blinding(1), blinding(2));
    let all = commit_all([(5, &one), (-5, &one), (5, &two), (6, &one)].into_iter());
    for (n, a) in all.iter().enumerate() {
        assert!(all.iter().skip(n + 1).all(|b| a != b));
    }
}

proptest! {
    #[test]
    fn many_at_once_are_what_one_at_a_time_is(
        numbers in proptest::collection::vec(any::<i128>(), 0..9)
    ) {
        let blindings: Vec<_> = (0..numbers.len()).map(|n| blinding(n as u8)).collect();
        let all = commit_all(numbers.iter().copied().zip(&blindings));
        for ((number, blinding), commitment) in numbers.iter().zip(&blindings).zip(&all) {
            let plain = value_base() * scalar(*number) + &blinding.0 * blinding_table();
            prop_assert_eq!(plain.compress().0, commitment.0);
            prop_assert_eq!(Commitment::decode(commitment.0), Ok(*commitment));
        }
    }
}
