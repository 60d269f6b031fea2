//! Sums of commitments: what a balance or a range proof is about, once as points for the verifier and once as numbers and
//! blindings for the maker, from the same list of terms.
#![allow(
    clippy::arithmetic_side_effects,
    reason = "in the group and modulo its order nothing can overflow; whole numbers are checked"
)]

use curve25519_dalek::constants::RISTRETTO_BASEPOINT_TABLE;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::Identity;
use heatmark_records::{Blinding, blinding_table};
use std::collections::BTreeMap;

/// A committed quantity of an event, by its role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Slot {
    InputMass(usize),
    InputPieces(usize),
    OutputMass(usize),
    OutputPieces(usize),
    ScrapMass,
    ScrapPieces,
    UncertifiedMass,
    UncertifiedPieces,
    Gain,
    /// The number of the certificate's mass field, not in milligrams.
    Certified,
}

/// Σ factor · quantity.
pub(crate) type Sum = Vec<(i128, Slot)>;

/// What the proofs of an event are about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Statements {
    /// Each is from 0 to 2⁶⁴ − 1.
    pub(crate) ranges: Vec<Sum>,
    /// Each is zero: masses first, then pieces.
    pub(crate) zeros: Vec<Sum>,
}

pub(crate) type Points = BTreeMap<Slot, RistrettoPoint>;

/// A quantity as the maker knows it.
pub(crate) struct Known {
    pub(crate) number: i128,
    pub(crate) blinding: Scalar,
}

pub(crate) type Numbers = BTreeMap<Slot, Known>;

/// The point of a sum; none when a quantity of it is not there.
pub(crate) fn point(sum: &Sum, points: &Points) -> Option<RistrettoPoint> {
    let mut total = RistrettoPoint::identity();
    for (factor, slot) in sum {
        let point = points.get(slot)?;
        total += match factor {
            1 => *point,
            -1 => -point,
            _ => point * scalar(*factor),
        };
    }
    Some(total)
}

/// The number of a sum; none when it leaves 128 bits, or a quantity of it is not there.
pub(crate) fn number(sum: &Sum, numbers: &Numbers) -> Option<i128> {
    sum.iter().try_fold(0_i128, |total, (factor, slot)| {
        total.checked_add(factor.checked_mul(numbers.get(slot)?.number)?)
    })
}

/// What hides the number of a sum.
pub(crate) fn blinding(sum: &Sum, numbers: &Numbers) -> Option<Scalar> {
    sum.iter().try_fold(Scalar::ZERO, |total, (factor, slot)| {
        Some(total + scalar(*factor) * numbers.get(slot)?.blinding)
    })
}

pub(crate) fn plus(sum: &Scalar, blinding: &Blinding) -> Scalar {
    sum + blinding.scalar()
}

/// number · G + blinding · H.
pub(crate) fn commit(number: u64, blinding: &Blinding) -> RistrettoPoint {
    &Scalar::from(number) * RISTRETTO_BASEPOINT_TABLE + blinding.scalar() * blinding_table()
}

fn scalar(number: i128) -> Scalar {
    let magnitude = Scalar::from(number.unsigned_abs());
    if number < 0 { -magnitude } else { magnitude }
}
