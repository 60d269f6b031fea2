//! Conformance: that numbers of a record, and linear combinations of them, keep a specification's limits, proved without
//! showing them. Every limit becomes a statement "this combination of commitments holds a number of 0 to 2^n − 1", n being
//! 16, 32 or 64; up to eight of one width go into one aggregated Bulletproofs+ range proof, padded with commitments to zero. Transcripts absorb
//! what the proof is for, the specification's text, and every field with its commitments.
//! Refuses results that say too little (`<0.001` proves no minimum), and proofs made for anything else.
//! Specification: `proto/README.md` section 9.

pub mod agreement;
mod bounds;
mod ranges;
mod shown;
mod statement;
#[cfg(test)]
mod tests;
mod width;

pub use crate::range::MAX_PROOF_BYTES as MAX_RANGE_PROOF_BYTES;
pub use ranges::VERSION;
pub use shown::compare;

use rand_core::CryptoRng;
use std::collections::BTreeMap;
use thiserror::Error;

use crate::opening::Opening;
use crate::{Committed, Decimal, Path, RecordError, RecordTree, Said, Specification, Value};
use ranges::Claim;
use statement::{Statement, Subject, statements};

/// Why a limit is not proved. Said to the record's holder only; of several reasons the last one here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum Unprovable {
    /// The record has no such field.
    #[error("the record says nothing of it")]
    Absent,
    /// The field is no number, or a balance, or a formula names several results.
    #[error("it is not a number that a limit can be compared with")]
    NotANumber,
    /// The result is given as below or above a number, and the limit lies on the other side.
    #[error("a result given as below or above a number does not prove this limit")]
    Relation,
    /// The result's unit is not the limit's, nor known to be a power of ten of it.
    #[error("its unit is not the limit's")]
    Unit,
    /// The numbers have too many digits for a proof.
    #[error("its digits are too many for a proof")]
    TooFine,
    /// It keeps the limit, but is further from it than any number that the proof reaches: a share below zero, or above
    /// 10,000 %.
    #[error("it is further from its limit than a proof reaches")]
    TooFar,
    /// It is outside the limit.
    #[error("it is outside its limits")]
    Outside,
}

/// Why nothing was proved.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ProveError {
    /// These limits cannot be proved; nothing was made. Mend the specification, or show the values.
    #[error("{} of the specification's limits cannot be proved", .0.len())]
    Limits(Vec<(String, Unprovable)>),
    /// The record itself is damaged.
    #[error("{0}")]
    Record(#[from] RecordError),
    /// The proof system failed; a defect.
    #[error("the proof could not be made")]
    Proof,
}

/// Why a conformance proof is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ConformanceError {
    /// A limit has no field to be compared with, or one that does not prove it.
    #[error("a limit cannot be proved by the fields that are there: {0}")]
    Limit(#[from] Unprovable),
    /// Not as many proofs as the limits need, or one of another length.
    #[error("the number or length of the proofs is not what the limits need")]
    Count,
    /// A proof does not verify: made for another record, receiver, purpose, specification, or not true.
    #[error("a proof of conformance does not verify")]
    Proof,
}

/// What a proof says of one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The limit is kept.
    Kept,
    /// The record has no such field, and need not.
    Absent,
}

/// The limits by name, in the specification's order, with what is known of each.
pub type Standings = Vec<(String, Standing)>;

/// The statements of each limit that is to be proved, and where every limit stands.
type Found = (Vec<Vec<Statement>>, Standings);

/// A proof of conformance and what it is to be checked against.
#[derive(Debug, Clone)]
pub struct Conformance<'a> {
    /// What the proof is for: everything that it must not be replayed to.
    pub context: &'a [u8],
    /// The specification.
    pub specification: &'a Specification,
    /// What the record says of the specification's paths, as the receiver was shown it.
    pub said: &'a BTreeMap<Path, Said>,
}

impl Conformance<'_> {
    /// Verifies that every limit is kept.
    ///
    /// # Errors
    /// [`ConformanceError`]: refuse the proof.
    pub fn verify(&self, proofs: &[Vec<u8>]) -> Result<Standings, ConformanceError> {
        let mut verified = verify_all(&[(self.clone(), proofs)]);
        verified.pop().unwrap_or(Err(ConformanceError::Proof))
    }

    fn claim(&self) -> Result<(Claim, Standings), ConformanceError> {
        let (statements, standing) = self.statements().map_err(|(_, fault)| fault)?;
        let fields = self.fields();
        Ok((Claim::new(self.context, self.specification, &fields, statements), standing))
    }

    /// The encodings of the fields that limits speak of, ascending by path.
    fn fields(&self) -> Vec<(Path, Vec<u8>)> {
        let encoded = |path: Path| {
            let bytes = self.said.get(&path).map(Said::leaf).unwrap_or_default();
            (path, bytes)
        };
        self.specification.paths().into_iter().map(encoded).collect()
    }

    fn statements(&self) -> Result<Found, (String, Unprovable)> {
        let mut all = Vec::new();
        let mut standing = Vec::new();
        for limit in &self.specification.limits {
            let name = limit.name.clone();
            let subjects: Option<Vec<Subject<'_>>> =
                limit.of.paths().map(|path| subject(self.said.get(path)?)).collect();
            let Some(subjects) = subjects.filter(|_| !self.some_absent(limit)) else {
                if limit.optional && self.some_absent(limit) {
                    standing.push((name, Standing::Absent));
                    continue;
                }
                let fault = if self.some_absent(limit) {
                    Unprovable::Absent
                } else {
                    Unprovable::NotANumber
                };
                return Err((name, fault));
            };
            let found = statements(limit, self.specification.rounding, &subjects);
            all.push(found.map_err(|fault| (name.clone(), fault))?);
            standing.push((name, Standing::Kept));
        }
        Ok((all, standing))
    }

    fn some_absent(&self, limit: &crate::Limit) -> bool {
        limit.of.paths().any(|path| matches!(self.said.get(path), None | Some(Said::Absent)))
    }
}

fn subject(said: &Said) -> Option<Subject<'_>> {
    match said {
        Said::Committed(committed) => Some(Subject(committed)),
        Said::Shown { .. } | Said::Absent => None,
    }
}

/// Verifies many proofs, of many records: in batches, and each by itself only where a batch fails.
#[must_use]
pub fn verify_all(
    jobs: &[(Conformance<'_>, &[Vec<u8>])],
) -> Vec<Result<Standings, ConformanceError>> {
    let mut results = Vec::with_capacity(jobs.len());
    let mut open = Vec::new();
    for (place, (conformance, proofs)) in jobs.iter().enumerate() {
        match conformance.claim().and_then(|(claim, standing)| {
            claim.check_shape(proofs)?;
            Ok((claim, standing))
        }) {
            Ok((claim, standing)) => {
                open.push((place, claim, *proofs));
                results.push(Ok(standing));
            }
            Err(error) => results.push(Err(error)),
        }
    }
    for place in ranges::failing(&open) {
        if let Some(result) = results.get_mut(place) {
            *result = Err(ConformanceError::Proof);
        }
    }
    results
}

/// The holder's side: the record with its numbers.
#[derive(Debug)]
pub struct Prover<'a> {
    opening: &'a Opening,
    said: BTreeMap<Path, Said>,
}

impl<'a> Prover<'a> {
    /// Prepares what a specification speaks of.
    ///
    /// # Errors
    /// What is wrong with the record.
    pub fn new(
        opening: &'a Opening,
        tree: &RecordTree<'_>,
        specification: &Specification,
    ) -> Result<Self, RecordError> {
        let mut said = BTreeMap::new();
        for path in specification.paths() {
            match tree.show_committed(&path) {
                Ok(proof) => said.insert(path, proof.said),
                // Not there, though that cannot be shown.
                Err(RecordError::SlotTaken) => said.insert(path, Said::Absent),
                Err(error) => return Err(error),
            };
        }
        Ok(Self { opening, said })
    }

    /// Proves every limit of the specification, or nothing.
    ///
    /// # Errors
    /// [`ProveError::Limits`] names every limit that cannot be proved.
    pub fn prove(
        &self,
        context: &[u8],
        specification: &Specification,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<Vec<u8>>, ProveError> {
        let conformance = Conformance { context, specification, said: &self.said };
        self.check(specification)?;
        let (claim, _) = conformance.claim().map_err(|_| ProveError::Proof)?;
        let salts = self.opening.secret.salts(&self.opening.head.hash());
        let mut witnesses = Vec::new();
        for limit in &specification.limits {
            if limit.optional && conformance.some_absent(limit) {
                continue;
            }
            let mut numbers = Vec::new();
            for path in limit.of.paths() {
                let values = self.numbers(path);
                let blindings = salts.blindings(path, values.len());
                numbers.push(values.iter().map(Decimal::mantissa).zip(blindings).collect());
            }
            witnesses.push(numbers);
        }
        claim.prove(&witnesses, rng)
    }

    /// Finds every limit that cannot be proved, not only the first.
    fn check(&self, specification: &Specification) -> Result<(), ProveError> {
        let mut faults = Vec::new();
        for limit in &specification.limits {
            let one = specification.only(limit);
            let conformance = Conformance { context: &[], specification: &one, said: &self.said };
            match conformance.statements() {
                Err(fault) => faults.push(fault),
                Ok((statements, _)) => {
                    let numbers: Vec<Vec<i128>> = limit
                        .of
                        .paths()
                        .map(|path| self.numbers(path).iter().map(Decimal::mantissa).collect())
                        .collect();
                    // What is outside one bound is far from the other.
                    let kept = |statement: &Statement| statement.kept(&numbers).err();
                    if let Some(fault) = statements.iter().flatten().filter_map(kept).max() {
                        faults.push((limit.name.clone(), fault));
                    }
                }
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(ProveError::Limits(faults)) }
    }

    fn numbers(&self, path: &Path) -> Vec<Decimal> {
        self.opening.fields.get(path).map(Value::numbers).unwrap_or_default()
    }
}

impl Said {
    /// The same without the numbers, as a proof about them needs it.
    #[must_use]
    pub fn hidden(&self) -> Self {
        let Self::Shown { value: Value::Measured(measured), blindings } = self else {
            return self.clone();
        };
        if blindings.is_empty() {
            return self.clone();
        }
        let numbers = measured.quantity.figures().map(Decimal::mantissa);
        let commitments = crate::commitment::commit_all(numbers.zip(blindings));
        measured.committed(&commitments).map_or_else(|_| self.clone(), Self::Committed)
    }

    /// What the field's leaf holds, as far as it can be told without hashing.
    pub(crate) fn leaf(&self) -> Vec<u8> {
        match self {
            Self::Committed(committed) => Committed::encode(committed),
            Self::Shown { value, .. } => value.encode(),
            Self::Absent => Vec::new(),
        }
    }
}
