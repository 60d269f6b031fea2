//! Pedersen's verifiable secret sharing ("Non-interactive and information-theoretic secure verifiable secret sharing", CRYPTO
//! 1991) on Ristretto255, with the two generators of section 9. The secret is f(0) of a random polynomial of degree t − 1,
//! share i is (f(i), g(i)) with g as random, and C_k = f_k·G + g_k·H are public. Written on the group's library: the maintained
//! crate of the scheme refuses t = 1 and shares that are zero, and computes f_k·G beside each C_k.
//!
//! Refuses scalars and points in any but their one encoding, and the identity among commitments. A share's check says
//! nothing of t: whoever takes a share compares [`Commitments::threshold`] with what was announced. Specification:
//! `proto/README.md` section 17.
#![allow(
    clippy::arithmetic_side_effects,
    reason = "in the group and modulo its order nothing can overflow"
)]

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use curve25519_dalek::constants::RISTRETTO_BASEPOINT_TABLE;
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoBasepointTable, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::{Identity, IsIdentity};
use heatmark_merkle::tag;
use heatmark_records::blinding_table;
use hkdf::Hkdf;
use rand_core::CryptoRng;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::{CombineError, ShareError};

/// Most shares of one secret.
pub const MAX_SHARES: u8 = 32;
/// Bytes of a share: index, value, blind.
pub const SHARE_BYTES: usize = 65;
/// Bytes of one commitment.
pub const COMMITMENT_BYTES: usize = 32;
const SCALAR_BYTES: usize = 32;

/// The secret of one section: a random scalar, from which the key of its content follows. Used for one content only, ever:
/// a second one under the same secret and context would show the difference of both.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct SectionSecret(Scalar);

impl SectionSecret {
    /// A fresh one.
    #[must_use]
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(random(rng))
    }

    /// The 32 bytes, little-endian, below the group's order.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; SCALAR_BYTES]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// Takes the canonical encoding.
    ///
    /// # Errors
    /// `BadScalar` when it is not below the group's order.
    pub fn from_bytes(bytes: &[u8; SCALAR_BYTES]) -> Result<Self, ShareError> {
        scalar(bytes).map(Self)
    }

    /// The key of the content: HKDF-SHA256 of the secret for this context.
    ///
    /// # Panics
    /// Never: HKDF-SHA256 gives 32 bytes.
    #[must_use]
    pub fn content_key(&self, context: &[u8]) -> Zeroizing<[u8; 32]> {
        let info = tag::preimage("content-key", &[context]);
        let mut key = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, self.to_bytes().as_slice())
            .expand(&info, key.as_mut_slice())
            .expect("HKDF-SHA256 gives up to 8160 bytes and 32 are asked for");
        key
    }
}

impl fmt::Debug for SectionSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SectionSecret")
    }
}

/// What one agent holds of a secret.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Share {
    index: u8,
    value: Scalar,
    blind: Scalar,
}

impl Share {
    /// Whose it is: 1 to n.
    #[must_use]
    pub const fn index(&self) -> u8 {
        self.index
    }

    /// Index, value and blind: 65 bytes.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<[u8; SHARE_BYTES]> {
        let mut bytes = Zeroizing::new([self.index; SHARE_BYTES]);
        let (_, scalars) = bytes.split_at_mut(1);
        let (value, blind) = scalars.split_at_mut(SCALAR_BYTES);
        value.copy_from_slice(self.value.as_bytes());
        blind.copy_from_slice(self.blind.as_bytes());
        bytes
    }

    /// Reads the encoding.
    ///
    /// # Errors
    /// `WrongLength`, `BadIndex`, `BadScalar`.
    pub fn decode(bytes: &[u8]) -> Result<Self, ShareError> {
        let bytes: &[u8; SHARE_BYTES] = bytes.try_into().map_err(|_| ShareError::WrongLength)?;
        let [index, scalars @ ..] = bytes;
        if !(1..=MAX_SHARES).contains(index) {
            return Err(ShareError::BadIndex(*index));
        }
        let ([value, blind], []) = scalars.as_chunks::<SCALAR_BYTES>() else {
            return Err(ShareError::WrongLength);
        };
        Ok(Self { index: *index, value: scalar(value)?, blind: scalar(blind)? })
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Share({})", self.index)
    }
}

/// What everybody may know of a dealing: exactly t points, by which any share is checked and which say nothing of the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commitments(Vec<RistrettoPoint>);

impl Commitments {
    /// How many shares give the secret: the one thing that a share's check does not tell.
    ///
    /// # Panics
    /// Never: there are at most 32.
    #[must_use]
    pub fn threshold(&self) -> u8 {
        u8::try_from(self.0.len()).expect("there are at most 32 commitments")
    }

    /// Compares with what the dealer announced; a dealing of fewer or more is to be refused as a whole.
    ///
    /// # Errors
    /// `WrongThreshold`.
    pub fn check_threshold(&self, announced: u8) -> Result<(), ShareError> {
        let needed = self.threshold();
        if needed == announced {
            Ok(())
        } else {
            Err(ShareError::WrongThreshold { announced, needed })
        }
    }

    /// The points one after the other, 32 bytes each.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.0.iter().flat_map(|point| point.compress().to_bytes()).collect()
    }

    /// Reads the encoding; t follows from the length.
    ///
    /// # Errors
    /// `WrongLength`, `BadCommitment`.
    pub fn decode(bytes: &[u8]) -> Result<Self, ShareError> {
        let (points, []) = bytes.as_chunks::<COMMITMENT_BYTES>() else {
            return Err(ShareError::WrongLength);
        };
        if points.is_empty() || points.len() > usize::from(MAX_SHARES) {
            return Err(ShareError::WrongLength);
        }
        points.iter().map(|bytes| point(*bytes)).collect::<Result<_, _>>().map(Self)
    }

    /// Checks that a share is of this dealing.
    ///
    /// # Errors
    /// `Mismatch`.
    pub fn check(&self, share: &Share) -> Result<(), ShareError> {
        self.check_in(&Generators::pinned(), share)
    }

    fn check_in(&self, generators: &Generators<'_>, share: &Share) -> Result<(), ShareError> {
        let index = share.index;
        let expected = self
            .0
            .iter()
            .rev()
            .fold(RistrettoPoint::identity(), |sum, point| times(index, &sum) + point);
        if generators.commit(&share.value, &share.blind) == expected {
            Ok(())
        } else {
            Err(ShareError::Mismatch { index })
        }
    }
}

/// G and H with their multiples.
struct Generators<'a> {
    value: &'a RistrettoBasepointTable,
    blind: &'a RistrettoBasepointTable,
}

impl Generators<'static> {
    /// The two that numbers of records are committed to with: nobody knows H as a multiple of G.
    fn pinned() -> Self {
        Self { value: RISTRETTO_BASEPOINT_TABLE, blind: blinding_table() }
    }
}

impl Generators<'_> {
    fn commit(&self, value: &Scalar, blind: &Scalar) -> RistrettoPoint {
        value * self.value + blind * self.blind
    }
}

/// The two polynomials of a dealing, coefficients from the constant one upwards.
struct Dealing {
    values: Zeroizing<Vec<Scalar>>,
    blinds: Zeroizing<Vec<Scalar>>,
}

impl Dealing {
    fn random(secret: &SectionSecret, threshold: u8, rng: &mut impl CryptoRng) -> Self {
        let threshold = usize::from(threshold);
        // With room for all from the start, since a vector that grows leaves its old coefficients behind.
        let mut values = Zeroizing::new(Vec::with_capacity(threshold));
        let mut blinds = Zeroizing::new(Vec::with_capacity(threshold));
        values.push(secret.0);
        values.extend((1..threshold).map(|_| random(rng)));
        blinds.extend((0..threshold).map(|_| random(rng)));
        Self { values, blinds }
    }

    fn commitments(&self, generators: &Generators<'_>) -> Commitments {
        let coefficients = self.values.iter().zip(self.blinds.iter());
        Commitments(coefficients.map(|(value, blind)| generators.commit(value, blind)).collect())
    }

    fn share(&self, index: u8) -> Share {
        let (value, blind) = (evaluate(&self.values, index), evaluate(&self.blinds, index));
        Share { index, value, blind }
    }
}

/// Shares a secret among `shares` agents so that any `threshold` of them give it and fewer know nothing of it.
///
/// # Errors
/// `BadSharing` unless 1 ≤ threshold ≤ shares ≤ 32.
pub fn split(
    secret: &SectionSecret,
    threshold: u8,
    shares: u8,
    rng: &mut impl CryptoRng,
) -> Result<(Commitments, Vec<Share>), ShareError> {
    if threshold == 0 || threshold > shares || shares > MAX_SHARES {
        return Err(ShareError::BadSharing { threshold, shares });
    }
    let dealing = Dealing::random(secret, threshold, rng);
    let commitments = dealing.commitments(&Generators::pinned());
    Ok((commitments, (1..=shares).map(|index| dealing.share(index)).collect()))
}

/// The secret from shares of any order and number: each is checked, the bad ones are left out, and what the good ones
/// give has to open the first commitment.
///
/// # Errors
/// `TooFew` with the indices of the bad ones; `NotOpened`.
pub fn combine(commitments: &Commitments, shares: &[Share]) -> Result<SectionSecret, CombineError> {
    let generators = Generators::pinned();
    let (mut good, mut bad) = (BTreeMap::new(), Vec::new());
    for share in shares {
        if commitments.check_in(&generators, share).is_ok() {
            good.insert(share.index, share);
        } else {
            bad.push(share.index);
        }
    }
    let needed = commitments.threshold();
    let chosen: Vec<&Share> = good.values().copied().take(usize::from(needed)).collect();
    if chosen.len() < usize::from(needed) {
        bad.sort_unstable();
        bad.dedup();
        let good = u8::try_from(good.len()).unwrap_or(MAX_SHARES);
        return Err(CombineError::TooFew { needed, good, bad });
    }
    let mut value = Zeroizing::new(Scalar::ZERO);
    let mut blind = Zeroizing::new(Scalar::ZERO);
    for share in &chosen {
        let weight = weight_at_zero(share.index, &chosen);
        *value += weight * share.value;
        *blind += weight * share.blind;
    }
    if commitments.0.first() != Some(&generators.commit(&value, &blind)) {
        return Err(CombineError::NotOpened);
    }
    Ok(SectionSecret(*value))
}

/// Lagrange's weight of one of the shares at 0: the product of j / (j − i) over the others.
fn weight_at_zero(index: u8, chosen: &[&Share]) -> Scalar {
    let own = Scalar::from(index);
    let others = chosen.iter().map(|share| share.index).filter(|other| *other != index);
    let (above, below) =
        others.map(Scalar::from).fold((Scalar::ONE, Scalar::ONE), |(above, below), other| {
            (above * other, below * (other - own))
        });
    above * below.invert()
}

/// A polynomial's value, by Horner's rule.
fn evaluate(coefficients: &[Scalar], index: u8) -> Scalar {
    let at = Scalar::from(index);
    coefficients.iter().rev().fold(Scalar::ZERO, |sum, coefficient| sum * at + coefficient)
}

/// A small multiple of a public point, in a handful of additions.
fn times(factor: u8, point: &RistrettoPoint) -> RistrettoPoint {
    let significant = u8::BITS.saturating_sub(factor.leading_zeros());
    (0..significant).rev().fold(RistrettoPoint::identity(), |sum, bit| {
        let doubled = sum + sum;
        if (factor >> bit) & 1 == 1 { doubled + point } else { doubled }
    })
}

fn random(rng: &mut impl CryptoRng) -> Scalar {
    let mut bytes = Zeroizing::new([0; 64]);
    rng.fill_bytes(bytes.as_mut_slice());
    Scalar::from_bytes_mod_order_wide(&bytes)
}

fn scalar(bytes: &[u8; SCALAR_BYTES]) -> Result<Scalar, ShareError> {
    Option::from(Scalar::from_canonical_bytes(*bytes)).ok_or(ShareError::BadScalar)
}

fn point(bytes: [u8; COMMITMENT_BYTES]) -> Result<RistrettoPoint, ShareError> {
    let point = CompressedRistretto(bytes).decompress().ok_or(ShareError::BadCommitment)?;
    if point.is_identity() { Err(ShareError::BadCommitment) } else { Ok(point) }
}
