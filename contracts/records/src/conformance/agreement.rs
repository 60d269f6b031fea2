//! Agreement: that a number of one record and a number of another differ by no more than a tolerance, proved without
//! either. The difference is a limit like any other, −t ≤ a − b ≤ t, on commitments of two records: the statements, the
//! grid, the units and the range proofs are those of conformance, and so are the transcripts, whose specification is the
//! list of tolerances. Only who knows both openings can prove it. Refuses results that are no single number, or that
//! are given as below or above one, and proofs made for anything else.
//! Specification: `proto/README.md` section 9.

#[cfg(test)]
mod tests;

use heatmark_merkle::{Hash, tag};
use rand_core::CryptoRng;
use std::collections::BTreeMap;
use thiserror::Error;

use super::bounds::{Place, bounds};
use super::{Conformance, ConformanceError, ProveError, Unprovable};
use crate::commitment::Blinding;
use crate::specification::{Combination, Rounding};
use crate::{
    Decimal, Limit, MAX_UNIT_BYTES, Measured, Path, Quantity, Relation, Said, Specification, Value,
};

/// Most pairs of fields in one proof.
pub const MAX_PAIRS: usize = 64;

/// Why something is no tolerance. The writer's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ToleranceError {
    /// Not a decimal number with a unit behind it, such as `0.02 %`.
    #[error(
        "a tolerance is a number that is not negative, with its unit behind it, such as 0.02 %"
    )]
    Number,
    /// The path is too long, or none.
    #[error("no tolerance can be given for this path")]
    Path,
    /// None, too many, or one path twice.
    #[error("give 1 to {MAX_PAIRS} tolerances, and one for each path")]
    Count,
}

/// By how much two numbers may differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tolerance {
    number: Decimal,
    unit: String,
}

impl Tolerance {
    /// Takes a number that is not negative, in a unit.
    ///
    /// # Errors
    /// [`ToleranceError::Number`].
    pub fn new(number: Decimal, unit: &str) -> Result<Self, ToleranceError> {
        let printable = unit.len() <= MAX_UNIT_BYTES && !unit.chars().any(char::is_control);
        if number.mantissa() < 0 || !printable {
            return Err(ToleranceError::Number);
        }
        Ok(Self { number, unit: unit.to_owned() })
    }

    /// Reads `0.02 %` or `0.02%`.
    ///
    /// # Errors
    /// [`ToleranceError::Number`].
    pub fn parse(text: &str) -> Result<Self, ToleranceError> {
        let text = text.trim();
        let digits = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let (number, unit) = text
            .split_at_checked(text.len().saturating_sub(digits.len()))
            .ok_or(ToleranceError::Number)?;
        let number = Decimal::parse(number).map_err(|_| ToleranceError::Number)?;
        Self::new(number, unit.trim())
    }

    /// The number.
    #[must_use]
    pub const fn number(&self) -> &Decimal {
        &self.number
    }

    /// Its unit, as that of a result.
    #[must_use]
    pub fn unit(&self) -> &str {
        &self.unit
    }

    /// Whether whatever agrees within this one agrees within another as well.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        let Ok(path) = Path::new("t") else { return false };
        let limit = other.limit(String::new(), Combination::single(path));
        lies_within(&limit, &[(self.number, &self.unit)]).is_ok()
    }

    /// Whether two results agree, both being told.
    ///
    /// # Errors
    /// Why they do not, or cannot be compared.
    pub fn covers(&self, one: &Measured, other: &Measured) -> Result<(), Unprovable> {
        let number = |measured: &Measured| match &measured.quantity {
            Quantity::Number(Relation::Equal, number) => Ok(*number),
            Quantity::Number(..) => Err(Unprovable::Relation),
            _ => Err(Unprovable::NotANumber),
        };
        let (first, second) = (side_path(0, "t")?, side_path(1, "t")?);
        let of = Combination::difference(first, second).ok_or(Unprovable::NotANumber)?;
        let limit = self.limit(String::new(), of);
        lies_within(&limit, &[(number(one)?, &one.unit), (number(other)?, &other.unit)])
    }

    /// `H("tolerance", number, unit)`, as text: what a vault remembers it by.
    #[must_use]
    pub fn id(&self) -> Hash {
        tag::hash("tolerance", &[self.number.to_string().as_bytes(), self.unit.as_bytes()])
    }

    fn limit(&self, name: String, of: Combination) -> Limit {
        let below = Decimal::new(self.number.mantissa().saturating_neg(), self.number.scale());
        Limit {
            name,
            of,
            unit: self.unit.clone(),
            minimum: below.ok(),
            maximum: Some(self.number),
            optional: false,
        }
    }
}

impl std::fmt::Display for Tolerance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let told = format!("{} {}", self.number, self.unit);
        f.write_str(told.trim_end())
    }
}

/// Whether a combination of numbers, each in its unit, keeps both bounds of a limit.
fn lies_within(limit: &Limit, numbers: &[(Decimal, &String)]) -> Result<(), Unprovable> {
    let place = |(number, unit): &(Decimal, &String)| (number.scale(), (*unit).clone());
    let places: Vec<(u8, String)> = numbers.iter().map(place).collect();
    let places: Vec<Place<'_>> =
        places.iter().map(|(scale, unit)| Place { scale: *scale, unit }).collect();
    let grid = bounds(limit, Rounding::Absolute, &places)?;
    let mut sum: i128 = 0;
    for ((number, _), factor) in numbers.iter().zip(&grid.factors) {
        let product = factor.checked_mul(number.mantissa()).ok_or(Unprovable::TooFine)?;
        sum = sum.checked_add(product).ok_or(Unprovable::TooFine)?;
    }
    let kept =
        grid.least.is_none_or(|least| sum >= least) && grid.most.is_none_or(|most| sum <= most);
    if kept { Ok(()) } else { Err(Unprovable::Outside) }
}

/// Tolerances by path, the same path in both records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tolerances(BTreeMap<Path, Tolerance>);

impl Tolerances {
    /// Takes tolerances.
    ///
    /// # Errors
    /// [`ToleranceError::Count`], or `Path` when a path is too long to be told apart by record.
    pub fn new(all: Vec<(Path, Tolerance)>) -> Result<Self, ToleranceError> {
        let count = all.len();
        if !(1..=MAX_PAIRS).contains(&count) {
            return Err(ToleranceError::Count);
        }
        let all: BTreeMap<Path, Tolerance> = all.into_iter().collect();
        if all.len() != count {
            return Err(ToleranceError::Count);
        }
        if all.keys().any(|path| side_path(0, path.as_str()).is_err()) {
            return Err(ToleranceError::Path);
        }
        Ok(Self(all))
    }

    /// The tolerances, ascending by path.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Path, &Tolerance)> {
        self.0.iter()
    }

    /// One line a path: the path, the number, the unit, with tabs between.
    #[must_use]
    pub fn text(&self) -> String {
        let line = |(path, tolerance): (&Path, &Tolerance)| {
            format!("{path}\t{}\t{}\n", tolerance.number, tolerance.unit)
        };
        self.iter().map(line).collect()
    }

    fn specification(&self) -> Result<Specification, Unprovable> {
        let mut limits = Vec::with_capacity(self.0.len());
        for (path, tolerance) in self.iter() {
            let (first, second) = (side_path(0, path.as_str())?, side_path(1, path.as_str())?);
            let of = Combination::difference(first, second).ok_or(Unprovable::NotANumber)?;
            limits.push(tolerance.limit(path.as_str().to_owned(), of));
        }
        Ok(Specification::of_limits(self.text(), limits))
    }
}

/// What the transcript and the statements call a field of the first record (0) or the second (1).
fn side_path(side: u8, path: &str) -> Result<Path, Unprovable> {
    Path::new(&format!("{side}/{path}")).map_err(|_| Unprovable::Absent)
}

/// Fields of one of the two records.
pub type Side = BTreeMap<Path, Said>;

/// What agrees, and what the proof is for.
#[derive(Debug, Clone)]
pub struct Agreement<'a> {
    /// Everything that the proof must not be replayed to.
    pub context: &'a [u8],
    /// By how much the numbers may differ.
    pub tolerances: &'a Tolerances,
    /// The fields of the first record; shown, of which only the commitments count, or committed.
    pub first: &'a Side,
    /// The fields of the second.
    pub second: &'a Side,
}

impl Agreement<'_> {
    /// Verifies that every pair agrees.
    ///
    /// # Errors
    /// [`ConformanceError`]: refuse the proof.
    pub fn verify(&self, proofs: &[Vec<u8>]) -> Result<(), ConformanceError> {
        let specification = self.tolerances.specification()?;
        let said = self.said()?;
        let conformance =
            Conformance { context: self.context, specification: &specification, said: &said };
        conformance.verify(proofs).map(|_| ())
    }

    /// Proves that every pair agrees, or nothing. Both records' fields are shown to whoever proves.
    ///
    /// # Errors
    /// [`ProveError::Limits`] names every pair that cannot be proved.
    pub fn prove(&self, rng: &mut impl CryptoRng) -> Result<Vec<Vec<u8>>, ProveError> {
        self.check()?;
        let unprovable = |_| ProveError::Proof;
        let specification = self.tolerances.specification().map_err(unprovable)?;
        let said = self.said().map_err(unprovable)?;
        let conformance =
            Conformance { context: self.context, specification: &specification, said: &said };
        let (claim, _) = conformance.claim().map_err(|_| ProveError::Proof)?;
        let mut witnesses = Vec::with_capacity(specification.limits.len());
        for (path, _) in self.tolerances.iter() {
            let numbers = [self.first, self.second].map(|side| opened(side, path));
            witnesses.push(numbers.into_iter().collect::<Result<_, _>>().map_err(unprovable)?);
        }
        claim.prove(&witnesses, rng)
    }

    /// Finds every pair that cannot be proved, not only the first.
    fn check(&self) -> Result<(), ProveError> {
        let mut faults = Vec::new();
        for (path, tolerance) in self.tolerances.iter() {
            let measured = |side| match self.side(side).get(path) {
                Some(Said::Shown { value: Value::Measured(measured), .. }) => Ok(measured),
                Some(Said::Shown { .. }) => Err(Unprovable::NotANumber),
                _ => Err(Unprovable::Absent),
            };
            let agrees = measured(0)
                .and_then(|one| Ok((one, measured(1)?)))
                .and_then(|(one, other)| tolerance.covers(one, other));
            if let Err(fault) = agrees {
                faults.push((path.as_str().to_owned(), fault));
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(ProveError::Limits(faults)) }
    }

    const fn side(&self, side: u8) -> &Side {
        if side == 0 { self.first } else { self.second }
    }

    /// What the statements speak of: both records' fields without their numbers.
    fn said(&self) -> Result<Side, Unprovable> {
        let mut all = BTreeMap::new();
        for side in [0, 1] {
            for (path, _) in self.tolerances.iter() {
                let said = self.side(side).get(path).ok_or(Unprovable::Absent)?;
                all.insert(side_path(side, path.as_str())?, said.hidden());
            }
        }
        Ok(all)
    }
}

/// The one number of a shown field, and what hides it.
fn opened(side: &Side, path: &Path) -> Result<Vec<(i128, Blinding)>, Unprovable> {
    let Some(Said::Shown { value, blindings }) = side.get(path) else {
        return Err(Unprovable::Absent);
    };
    Ok(value.numbers().iter().map(Decimal::mantissa).zip(blindings.iter().cloned()).collect())
}
