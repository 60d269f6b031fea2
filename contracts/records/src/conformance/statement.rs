//! Statements: of a limit and what the record says of its terms, what a range proof has to say. `<x` counts as x against
//! a maximum and proves no minimum; of several results, and of both ends of a range, every one must keep the limit.
#![allow(
    clippy::arithmetic_side_effects,
    reason = "in the group and modulo its order nothing can overflow; whole numbers are checked"
)]

use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::Identity;

use super::Unprovable;
use super::bounds::{Place, bounds};
use crate::commitment::{Blinding, scalar};
use crate::range::Width;
use crate::specification::Rounding;
use crate::{Commitment, Committed, CommittedDecimal, Limit, Quantity, RecordError, Relation};

/// What a record says of one term of a limit, its numbers hidden.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a>(pub(crate) &'a Committed);

/// `sign × (Σ factor·number − bound)` is from 0 to 2^width − 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Statement {
    pub(crate) terms: Vec<Term>,
    bound: i128,
    /// Whether the bound is the most that the sum may be.
    upper: bool,
    pub(crate) width: Width,
}

/// One number of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Term {
    factor: i128,
    commitment: Commitment,
    /// Which of the limit's paths, and which of its numbers.
    at: (usize, usize),
}

/// What stands on one side of a comparison.
struct Candidate<'a> {
    number: &'a CommittedDecimal,
    relation: Relation,
    at: usize,
}

/// What has to be proved of a limit.
pub(crate) fn statements(
    limit: &Limit,
    rounding: Rounding,
    subjects: &[Subject<'_>],
) -> Result<Vec<Statement>, Unprovable> {
    let mut statements = Vec::new();
    for upper in [false, true] {
        let bound = if upper { &limit.maximum } else { &limit.minimum };
        if bound.is_none() {
            continue;
        }
        if let [single] = subjects {
            for candidate in candidates(single.0, upper)? {
                let numbers = [(single.0, candidate)];
                statements.push(statement(limit, rounding, &numbers, upper)?);
            }
        } else {
            let numbers: Option<Vec<_>> = subjects
                .iter()
                .map(|Subject(committed)| Some((*committed, only_number(committed)?)))
                .collect();
            let numbers = numbers.ok_or(Unprovable::NotANumber)?;
            statements.push(statement(limit, rounding, &numbers, upper)?);
        }
    }
    Ok(statements)
}

fn candidates(committed: &Committed, upper: bool) -> Result<Vec<Candidate<'_>>, Unprovable> {
    let candidate = |number, relation, at| Candidate { number, relation, at };
    match &committed.quantity {
        Quantity::Number(relation, number) => Ok(vec![candidate(number, *relation, 0)]),
        Quantity::Range { high, .. } if upper => Ok(vec![candidate(high, Relation::Equal, 1)]),
        Quantity::Range { low, .. } => Ok(vec![candidate(low, Relation::Equal, 0)]),
        Quantity::Several(results) => {
            let results = results.iter().enumerate();
            Ok(results.map(|(at, (relation, number))| candidate(number, *relation, at)).collect())
        }
        Quantity::Balance | Quantity::Verdict(_) => Err(Unprovable::NotANumber),
    }
}

/// A formula over several results would have a value for each choice among them.
fn only_number(committed: &Committed) -> Option<Candidate<'_>> {
    match &committed.quantity {
        Quantity::Number(relation, number) => {
            Some(Candidate { number, relation: *relation, at: 0 })
        }
        _ => None,
    }
}

fn statement(
    limit: &Limit,
    rounding: Rounding,
    numbers: &[(&Committed, Candidate<'_>)],
    upper: bool,
) -> Result<Statement, Unprovable> {
    let place = |(committed, candidate): &(&_, Candidate<'_>)| {
        let committed: &Committed = committed;
        (candidate.number.scale, committed.unit.clone())
    };
    let places: Vec<(u8, String)> = numbers.iter().map(place).collect();
    let places: Vec<Place<'_>> =
        places.iter().map(|(scale, unit)| Place { scale: *scale, unit }).collect();
    let on_grid = bounds(limit, rounding, &places)?;
    let width = on_grid.width(upper, &places);
    let bound = if upper { on_grid.most } else { on_grid.least }.ok_or(Unprovable::TooFine)?;
    let mut terms = Vec::with_capacity(numbers.len());
    for (path, ((_, candidate), factor)) in numbers.iter().zip(on_grid.factors).enumerate() {
        if !speaks(candidate.relation, upper == (factor > 0)) {
            return Err(Unprovable::Relation);
        }
        let commitment = candidate.number.commitment;
        terms.push(Term { factor, commitment, at: (path, candidate.at) });
    }
    Ok(Statement { terms, bound, upper, width })
}

/// Whether a stated number bounds the true one from above (or from below).
const fn speaks(relation: Relation, from_above: bool) -> bool {
    match relation {
        Relation::Equal => true,
        Relation::Less | Relation::LessOrEqual => from_above,
        Relation::Greater | Relation::GreaterOrEqual => !from_above,
    }
}

impl Statement {
    /// The number that has to be from 0 to 2^width − 1.
    pub(crate) fn kept(&self, numbers: &[Vec<i128>]) -> Result<u64, Unprovable> {
        let mut sum: i128 = 0;
        for term in &self.terms {
            let (path, at) = term.at;
            let number = numbers.get(path).and_then(|numbers| numbers.get(at));
            let number = number.ok_or(Unprovable::NotANumber)?;
            let product = term.factor.checked_mul(*number).ok_or(Unprovable::TooFine)?;
            sum = sum.checked_add(product).ok_or(Unprovable::TooFine)?;
        }
        let over = sum.checked_sub(self.bound).ok_or(Unprovable::TooFine)?;
        let room = if self.upper { over.checked_neg() } else { Some(over) };
        let room = room.ok_or(Unprovable::TooFine)?;
        if room < 0 {
            return Err(Unprovable::Outside);
        }
        let room = u64::try_from(room).map_err(|_| Unprovable::TooFine)?;
        if self.width.holds(room) { Ok(room) } else { Err(Unprovable::TooFar) }
    }

    /// What blinds the statement's commitment.
    pub(crate) fn blinding(&self, blindings: &[Vec<(i128, Blinding)>]) -> Option<Scalar> {
        let mut sum = Scalar::ZERO;
        for term in &self.terms {
            let (path, at) = term.at;
            let (_, blinding) = blindings.get(path)?.get(at)?;
            sum += scalar(term.factor) * blinding.scalar();
        }
        Some(if self.upper { -sum } else { sum })
    }

    /// The commitment that the range proof is about.
    pub(crate) fn point(&self) -> Result<RistrettoPoint, RecordError> {
        let mut sum = -times(RISTRETTO_BASEPOINT_POINT, self.bound);
        for term in &self.terms {
            sum += times(term.commitment.point()?, term.factor);
        }
        Ok(if self.upper { -sum } else { sum })
    }
}

/// A multiple of a point, both of them public. Factors and bounds have few digits, for which this takes a tenth of the
/// time of a multiplication by a scalar.
fn times(point: RistrettoPoint, factor: i128) -> RistrettoPoint {
    let magnitude = factor.unsigned_abs();
    let mut product = RistrettoPoint::identity();
    for bit in (0..u128::BITS.saturating_sub(magnitude.leading_zeros())).rev() {
        product += product;
        if magnitude >> bit & 1 == 1 {
            product += point;
        }
    }
    if factor < 0 { -product } else { product }
}
