#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests fail loudly")]

use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT;
use proptest::prelude::*;

use super::*;

fn dealt(threshold: u8, shares: u8) -> (SectionSecret, Commitments, Vec<Share>) {
    let secret = SectionSecret::generate(&mut rand::rng());
    let (commitments, shares) = split(&secret, threshold, shares, &mut rand::rng()).unwrap();
    (secret, commitments, shares)
}

/// The order of the group, little-endian: the smallest scalar that is not canonical.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

#[test]
fn any_t_shares_give_the_secret_and_no_fewer() {
    for (threshold, count) in [(1, 1), (1, 3), (2, 2), (2, 3), (3, 5), (5, 5), (4, 7)] {
        let (secret, commitments, shares) = dealt(threshold, count);
        assert_eq!(commitments.threshold(), threshold);
        shares.iter().for_each(|share| commitments.check(share).unwrap());
        for chosen in 0..1_u32 << count {
            let some: Vec<Share> = (0_u32..)
                .zip(&shares)
                .filter(|(place, _)| chosen >> place & 1 == 1)
                .map(|(_, share)| share.clone())
                .collect();
            let combined = combine(&commitments, &some);
            if some.len() >= usize::from(threshold) {
                assert_eq!(combined.unwrap(), secret);
            } else {
                let good = u8::try_from(some.len()).unwrap();
                let too_few = CombineError::TooFew { needed: threshold, good, bad: vec![] };
                assert_eq!(combined.unwrap_err(), too_few);
            }
        }
    }
}

#[test]
fn thirty_two_of_thirty_two() {
    let (secret, commitments, mut shares) = dealt(32, 32);
    shares.reverse();
    assert_eq!(combine(&commitments, &shares).unwrap(), secret);
    shares.pop();
    assert!(combine(&commitments, &shares).is_err());
}

#[test]
fn refuses_sharings_that_are_none() {
    let secret = SectionSecret::generate(&mut rand::rng());
    for (threshold, shares) in [(0, 0), (0, 3), (4, 3), (1, 33), (33, 33), (255, 255)] {
        let refused = split(&secret, threshold, shares, &mut rand::rng()).unwrap_err();
        assert_eq!(refused, ShareError::BadSharing { threshold, shares });
    }
}

#[test]
fn every_changed_share_is_found() {
    let (_, commitments, shares) = dealt(3, 5);
    let bytes = shares[1].encode();
    for place in 0..SHARE_BYTES {
        for bit in 0..8 {
            let mut changed = *bytes;
            changed[place] ^= 1 << bit;
            let Ok(share) = Share::decode(&changed) else { continue };
            let mismatch = ShareError::Mismatch { index: share.index() };
            assert_eq!(commitments.check(&share).unwrap_err(), mismatch, "bit {bit} of {place}");
        }
    }
}

#[test]
fn a_share_of_another_dealing_is_found() {
    let (secret, commitments, _) = dealt(3, 5);
    // Of the same secret, too: shares of two dealings never go together.
    let (others, foreign) = split(&secret, 3, 5, &mut rand::rng()).unwrap();
    for share in &foreign {
        others.check(share).unwrap();
        assert!(commitments.check(share).is_err());
    }
    let swapped = Share { index: 1, value: foreign[0].blind, blind: foreign[0].value };
    assert!(others.check(&swapped).is_err());
}

#[test]
fn every_changed_commitment_is_found() {
    let (_, commitments, shares) = dealt(3, 5);
    let good = commitments.encode();
    for place in 0..good.len() {
        let mut changed = good.clone();
        changed[place] ^= 2;
        let Ok(changed) = Commitments::decode(&changed) else { continue };
        shares.iter().for_each(|share| assert!(changed.check(share).is_err(), "byte {place}"));
    }
}

#[test]
fn five_of_five_dealt_as_three_of_five_is_refused() {
    let (_, commitments, shares) = dealt(5, 5);
    // Every agent's share checks, which is why the check alone is not enough.
    shares.iter().for_each(|share| commitments.check(share).unwrap());
    assert_eq!(commitments.threshold(), 5);
    let refused = commitments.check_threshold(3).unwrap_err();
    assert_eq!(refused, ShareError::WrongThreshold { announced: 3, needed: 5 });
    commitments.check_threshold(5).unwrap();
    // With the surplus commitments left out no share checks; with the identity for them they do not decode.
    let cut = Commitments::decode(&commitments.encode()[..96]).unwrap();
    assert_eq!(cut.threshold(), 3);
    shares.iter().for_each(|share| assert!(cut.check(share).is_err()));
    let (_, three, _) = dealt(3, 5);
    let padded = [three.encode(), vec![0; 64]].concat();
    assert_eq!(Commitments::decode(&padded).unwrap_err(), ShareError::BadCommitment);
}

#[test]
fn shares_have_one_encoding() {
    let (_, _, shares) = dealt(2, 3);
    let good = shares[2].encode();
    assert_eq!(good[0], 3);
    assert_eq!(Share::decode(good.as_slice()).unwrap(), shares[2]);
    for length in 0..SHARE_BYTES {
        assert_eq!(Share::decode(&good[..length]).unwrap_err(), ShareError::WrongLength);
    }
    assert_eq!(Share::decode(&[&good[..], &[0]].concat()).unwrap_err(), ShareError::WrongLength);
    for index in [0, 33, 255] {
        let mut bytes = *good;
        bytes[0] = index;
        assert_eq!(Share::decode(&bytes).unwrap_err(), ShareError::BadIndex(index));
    }
    for (first, scalar) in [(1, ORDER), (33, ORDER), (1, [0xff; 32]), (33, [0xff; 32])] {
        let mut bytes = *good;
        bytes[first..first + 32].copy_from_slice(&scalar);
        assert_eq!(Share::decode(&bytes).unwrap_err(), ShareError::BadScalar);
    }
    // The same value with the order added, which is the same scalar to whoever reduces.
    let mut added = *good;
    let mut carry = 0;
    for (byte, order) in added[1..33].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        (*byte, carry) = (sum.to_le_bytes()[0], sum >> 8);
    }
    assert_eq!(Share::decode(&added).unwrap_err(), ShareError::BadScalar);
}

#[test]
fn commitments_have_one_encoding() {
    let (_, commitments, _) = dealt(3, 5);
    let good = commitments.encode();
    assert_eq!(good.len(), 96);
    assert_eq!(Commitments::decode(&good).unwrap(), commitments);
    for length in [0, 1, 31, 33, 95] {
        assert_eq!(Commitments::decode(&good[..length]).unwrap_err(), ShareError::WrongLength);
    }
    let too_many = good[..32].repeat(33);
    assert_eq!(Commitments::decode(&too_many).unwrap_err(), ShareError::WrongLength);
    let negative = {
        let mut bytes = [0; 32];
        bytes[0] = 1;
        bytes
    };
    for bad in [[0; 32], [0xff; 32], ORDER, negative] {
        let mut bytes = good.clone();
        bytes[32..64].copy_from_slice(&bad);
        assert_eq!(Commitments::decode(&bytes).unwrap_err(), ShareError::BadCommitment);
    }
}

#[test]
fn secrets_have_one_encoding() {
    let secret = SectionSecret::generate(&mut rand::rng());
    assert_eq!(SectionSecret::from_bytes(&secret.to_bytes()).unwrap(), secret);
    for bad in [ORDER, [0xff; 32]] {
        assert_eq!(SectionSecret::from_bytes(&bad).unwrap_err(), ShareError::BadScalar);
    }
    assert_ne!(secret.content_key(b"one"), secret.content_key(b"two"));
    assert_ne!(secret.content_key(b"one").as_slice(), secret.to_bytes().as_slice());
}

#[test]
fn bad_shares_are_left_out_and_named_when_too_few_are_good() {
    let (secret, commitments, shares) = dealt(3, 5);
    let broken = |place: usize| {
        let mut share = shares[place].clone();
        share.value += Scalar::ONE;
        share
    };
    let good = |place: usize| shares[place].clone();
    let two_bad = [broken(4), good(0), broken(1), good(2), good(3)];
    assert_eq!(combine(&commitments, &two_bad).unwrap(), secret);
    let three_bad = [broken(4), good(0), broken(1), broken(1), good(2), broken(3)];
    let too_few = CombineError::TooFew { needed: 3, good: 2, bad: vec![2, 4, 5] };
    assert_eq!(combine(&commitments, &three_bad).unwrap_err(), too_few);
    // A bad share does not keep out the good one of the same index, in either order.
    let both = [broken(0), good(0), good(1), broken(1), good(2)];
    assert_eq!(combine(&commitments, &both).unwrap(), secret);
}

#[test]
fn a_share_counts_once() {
    let (secret, commitments, shares) = dealt(3, 5);
    let twice = [shares[0].clone(), shares[1].clone(), shares[0].clone(), shares[1].clone()];
    let too_few = CombineError::TooFew { needed: 3, good: 2, bad: vec![] };
    assert_eq!(combine(&commitments, &twice).unwrap_err(), too_few);
    let all: Vec<Share> = shares.iter().chain(&shares).cloned().collect();
    assert_eq!(combine(&commitments, &all).unwrap(), secret);
    assert!(combine(&commitments, &[]).is_err());
}

#[test]
fn shares_of_zero_are_shares() {
    let (value, blind) = (Scalar::from(3_u8), Scalar::from(4_u8));
    // f = 3 − 3x is zero at 1, g = 4 − 2x at 2.
    let dealing = Dealing {
        values: Zeroizing::new(vec![value, -value]),
        blinds: Zeroizing::new(vec![blind, -Scalar::from(2_u8)]),
    };
    let commitments = dealing.commitments(&Generators::pinned());
    let shares = [dealing.share(1), dealing.share(2)];
    assert_eq!((shares[0].value, shares[1].blind), (Scalar::ZERO, Scalar::ZERO));
    assert_eq!(combine(&commitments, &shares).unwrap(), SectionSecret(value));
}

#[test]
fn the_generators_are_the_pinned_ones() {
    let pinned = Generators::pinned();
    assert_eq!(pinned.commit(&Scalar::ONE, &Scalar::ZERO), RISTRETTO_BASEPOINT_POINT);
    let second = pinned.commit(&Scalar::ZERO, &Scalar::ONE).compress();
    let expected = "044fad914b346d1623f0a123c90bec712c6bac717f2acbc48e12db5f6dcaef79";
    assert_eq!(hex::encode(second.to_bytes()), expected);
}

/// Whoever has t − 1 shares and the commitments has them from a dealing of every secret there is. In a group whose
/// second generator is a known multiple of the first that dealing can be written down; that nobody knows the
/// multiple of the pinned one takes nothing away from its being there.
fn another_dealing(dealing: &Dealing, ratio: Scalar, known: &[Share], secret: Scalar) -> Dealing {
    let combined: Vec<Scalar> = dealing
        .values
        .iter()
        .zip(dealing.blinds.iter())
        .map(|(value, blind)| value + ratio * blind)
        .collect();
    // The one polynomial of degree t − 1 through the candidate at 0 and the known shares.
    let mut points: Vec<(Scalar, Scalar)> =
        known.iter().map(|share| (Scalar::from(share.index), share.value)).collect();
    points.push((Scalar::ZERO, secret));
    let mut values = vec![Scalar::ZERO; combined.len()];
    for (at, value) in &points {
        let mut basis = vec![Scalar::ONE];
        let mut below = Scalar::ONE;
        for (other, _) in points.iter().filter(|(other, _)| other != at) {
            let mut next = vec![Scalar::ZERO; basis.len() + 1];
            for (power, coefficient) in basis.iter().enumerate() {
                next[power + 1] += coefficient;
                next[power] -= other * coefficient;
            }
            (basis, below) = (next, below * (at - other));
        }
        for (sum, coefficient) in values.iter_mut().zip(&basis) {
            *sum += value * coefficient * below.invert();
        }
    }
    let blinds = values.iter().zip(&combined).map(|(value, sum)| (sum - value) * ratio.invert());
    Dealing { blinds: Zeroizing::new(blinds.collect()), values: Zeroizing::new(values) }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn fewer_than_t_shares_fit_every_secret(
        threshold in 1_u8..=5, first in 0_u8..20, candidate in any::<u64>(), ratio in 1_u64..,
    ) {
        let ratio = Scalar::from(ratio);
        let second = RistrettoBasepointTable::create(&(ratio * RISTRETTO_BASEPOINT_POINT));
        let generators = Generators { value: RISTRETTO_BASEPOINT_TABLE, blind: &second };
        let secret = SectionSecret::generate(&mut rand::rng());
        let dealing = Dealing::random(&secret, threshold, &mut rand::rng());
        let commitments = dealing.commitments(&generators);
        let known: Vec<Share> = (first + 1..first + threshold).map(|index| dealing.share(index)).collect();
        let candidate = Scalar::from(candidate);
        let other = another_dealing(&dealing, ratio, &known, candidate);
        prop_assert_eq!(other.values[0], candidate);
        prop_assert_ne!(other.values[0], dealing.values[0]);
        prop_assert_eq!(other.commitments(&generators), commitments);
        for share in &known {
            prop_assert_eq!(&other.share(share.index), share);
        }
        // One share more and the candidate is found out.
        prop_assert_ne!(other.share(first + threshold), dealing.share(first + threshold));
    }
}

#[test]
fn nothing_secret_is_printed() {
    let (secret, _, shares) = dealt(2, 3);
    assert_eq!(format!("{secret:?} {:?}", shares[0]), "SectionSecret Share(1)");
}
