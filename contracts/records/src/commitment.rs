//! Pedersen commitments to the numbers of a record, on Ristretto255 (RFC 9496): C = v·G + r·H. Whoever is shown C
//! can be shown v and r, or only a proof about v. G is the group's own base point; H comes from a hash to the group
//! and is pinned here, equal to the range proofs' base of blindings, so that nobody knows H as a multiple of G.
//! Refuses points and scalars in any but their one encoding. Specification: `proto/README.md` section 9.
#![allow(
    clippy::arithmetic_side_effects,
    reason = "in the group and modulo its order nothing can overflow"
)]

#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::OnceLock;

#[cfg(test)]
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT;
use curve25519_dalek::constants::RISTRETTO_BASEPOINT_TABLE;
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoBasepointTable, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::RecordError;

/// H: the hash to the group of SHA3-512 of `RISTRETTO_MASKING_BASEPOINT_1`.
pub(crate) const BLINDING_BASE: [u8; 32] = [
    0x04, 0x4f, 0xad, 0x91, 0x4b, 0x34, 0x6d, 0x16, 0x23, 0xf0, 0xa1, 0x23, 0xc9, 0x0b, 0xec, 0x71,
    0x2c, 0x6b, 0xac, 0x71, 0x7f, 0x2a, 0xcb, 0xc4, 0x8e, 0x12, 0xdb, 0x5f, 0x6d, 0xca, 0xef, 0x79,
];

/// What hides a committed number: a scalar that follows from the record's secret, the field's path and the number's
/// place among the field's numbers. Showing it together with the number opens the commitment.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Blinding(Scalar);

impl Blinding {
    pub(crate) fn from_uniform(bytes: &[u8; 64]) -> Self {
        Self(Scalar::from_bytes_mod_order_wide(bytes))
    }

    /// The 32 bytes, little-endian, below the group's order.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// A fresh one; for quantities, which follow from no record.
    #[must_use]
    pub fn random(rng: &mut impl CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; 64]);
        rng.fill_bytes(&mut *bytes);
        Self::from_uniform(&bytes)
    }

    /// Takes over a scalar that was computed from others.
    #[must_use]
    pub const fn from_scalar(scalar: Scalar) -> Self {
        Self(scalar)
    }

    /// The scalar.
    #[must_use]
    pub const fn scalar(&self) -> &Scalar {
        &self.0
    }

    /// Reads a canonical encoding.
    ///
    /// # Errors
    /// `NotCanonical` when it is not below the group's order.
    pub fn decode(bytes: [u8; 32]) -> Result<Self, RecordError> {
        Option::from(Scalar::from_canonical_bytes(bytes)).map(Self).ok_or(RecordError::NotCanonical)
    }
}

impl fmt::Debug for Blinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Blinding")
    }
}

/// A number committed to: 32 bytes that say nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commitment([u8; 32]);

impl Commitment {
    /// The point's one encoding.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Takes the canonical encoding of a point.
    ///
    /// # Errors
    /// `BadCommitment` when it is none.
    pub fn decode(bytes: [u8; 32]) -> Result<Self, RecordError> {
        CompressedRistretto(bytes).decompress().ok_or(RecordError::BadCommitment)?;
        Ok(Self(bytes))
    }

    /// Commits to a number.
    #[must_use]
    pub fn to(number: u64, blinding: &Blinding) -> Self {
        let value = &Scalar::from(number) * RISTRETTO_BASEPOINT_TABLE;
        Self::of(&(value + blinding.scalar() * blinding_table()))
    }

    /// Takes over a point that was computed from others.
    #[must_use]
    pub fn of(point: &RistrettoPoint) -> Self {
        Self(point.compress().to_bytes())
    }

    /// The point.
    ///
    /// # Errors
    /// `BadCommitment`, which [`Self::decode`] has excluded.
    pub fn point(&self) -> Result<RistrettoPoint, RecordError> {
        CompressedRistretto(self.0).decompress().ok_or(RecordError::BadCommitment)
    }
}

/// A whole number as a scalar; negative ones count down from the group's order.
pub(crate) fn scalar(number: i128) -> Scalar {
    let magnitude = Scalar::from(number.unsigned_abs());
    if number < 0 { -magnitude } else { magnitude }
}

/// Commits to many numbers; one inversion serves them all.
pub(crate) fn commit_all<'a>(
    openings: impl Iterator<Item = (i128, &'a Blinding)>,
) -> Vec<Commitment> {
    let blinding_table = blinding_table();
    // Half of each point is computed, since what encodes many points at once doubles them.
    let half = |(number, blinding): (i128, &Blinding)| {
        &scalar(number).div_by_2() * RISTRETTO_BASEPOINT_TABLE
            + &blinding.0.div_by_2() * blinding_table
    };
    let halves: Vec<RistrettoPoint> = openings.map(half).collect();
    let encoded = RistrettoPoint::double_and_compress_batch(&halves);
    encoded.into_iter().map(|point| Commitment(point.to_bytes())).collect()
}

/// G.
#[cfg(test)]
pub(crate) const fn value_base() -> RistrettoPoint {
    RISTRETTO_BASEPOINT_POINT
}

/// H, and its multiples.
///
/// # Panics
/// Never: the pinned base is a point.
pub fn blinding_table() -> &'static RistrettoBasepointTable {
    static TABLE: OnceLock<RistrettoBasepointTable> = OnceLock::new();
    TABLE.get_or_init(|| {
        let base = CompressedRistretto(BLINDING_BASE).decompress();
        RistrettoBasepointTable::create(&base.expect("the pinned base is a point"))
    })
}
