//! The range proofs of a specification's limits: statements in their order, eight at a time. A proof's transcript absorbs
//! what it is for, the specification, the fields, how many statements there are and which eight these are.
//! Refuses proofs of another length than the statements need, before reading them.

use rand_core::CryptoRng;
use std::collections::BTreeSet;

use curve25519_dalek::ristretto::RistrettoPoint;
use heatmark_merkle::tag;

use super::statement::Statement;
use super::{ConformanceError, ProveError};
use crate::commitment::Blinding;
use crate::range::{self, AGGREGATED, Part, Transcript, proof_bytes};
use crate::{Path, RecordError, Specification};

/// Version of the proof system, which every transcript begins with.
pub const VERSION: u32 = 1;
/// The numbers of one limit with what hides them: for each of its paths, in order.
type Witness = Vec<Vec<(i128, Blinding)>>;

/// Statements with the transcript that their proofs continue.
pub(crate) struct Claim {
    transcript: Transcript,
    statements: Vec<Statement>,
    /// How many statements each limit that is proved has, in order.
    of_limits: Vec<usize>,
}

impl Claim {
    pub(crate) fn new(
        context: &[u8],
        specification: &Specification,
        fields: &[(Path, Vec<u8>)],
        statements: Vec<Vec<Statement>>,
    ) -> Self {
        let mut transcript = Transcript::new(b"heatmark/v1/conformance");
        transcript.append_u64(b"version", VERSION.into());
        transcript.append_message(b"context", context);
        transcript.append_message(b"specification", specification.text().as_bytes());
        transcript.append_u64(b"fields", whole(fields.len()));
        for (path, leaf) in fields {
            let field = tag::preimage("conformance-field", &[path.as_bytes(), leaf]);
            transcript.append_message(b"field", &field);
        }
        let of_limits = statements.iter().map(Vec::len).collect();
        let statements: Vec<Statement> = statements.into_iter().flatten().collect();
        transcript.append_u64(b"statements", whole(statements.len()));
        Self { transcript, statements, of_limits }
    }

    /// Refuses what cannot be the proofs of these statements, by counts and lengths alone.
    pub(crate) fn check_shape(&self, proofs: &[Vec<u8>]) -> Result<(), ConformanceError> {
        let chunks = self.statements.chunks(AGGREGATED);
        let fits =
            |(chunk, proof): (&[Statement], &Vec<u8>)| proof.len() == proof_bytes(chunk.len());
        if proofs.len() == chunks.len() && chunks.zip(proofs).all(fits) {
            Ok(())
        } else {
            Err(ConformanceError::Count)
        }
    }

    pub(crate) fn prove(
        &self,
        witnesses: &[Witness],
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<Vec<u8>>, ProveError> {
        let mut openings = Vec::with_capacity(self.statements.len());
        let mut statements = self.statements.iter();
        for (witness, count) in witnesses.iter().zip(&self.of_limits) {
            let numbers: Vec<Vec<i128>> = witness
                .iter()
                .map(|path| path.iter().map(|(number, _)| *number).collect())
                .collect();
            for statement in statements.by_ref().take(*count) {
                let value = statement.kept(&numbers).map_err(|_| ProveError::Proof)?;
                let blinding = statement.blinding(witness).ok_or(ProveError::Proof)?;
                openings.push((value, blinding));
            }
        }
        let mut proofs = Vec::new();
        for (number, (chunk, openings)) in
            self.statements.chunks(AGGREGATED).zip(openings.chunks(AGGREGATED)).enumerate()
        {
            let points = points(chunk)?;
            let proof = range::prove(self.transcript_of(number), &points, openings, rng);
            proofs.push(proof.map_err(|_| ProveError::Proof)?);
        }
        Ok(proofs)
    }

    fn transcript_of(&self, chunk: usize) -> Transcript {
        let mut transcript = self.transcript.clone();
        transcript.append_u64(b"chunk", whole(chunk));
        transcript
    }
}

/// The places of the claims whose proofs do not verify. Batches first; where one fails, each claim of it alone.
pub(crate) fn failing(claims: &[(usize, Claim, &[Vec<u8>])]) -> BTreeSet<usize> {
    let mut parts = Vec::new();
    let mut failing = BTreeSet::new();
    for (place, claim, proofs) in claims {
        for (number, (chunk, proof)) in
            claim.statements.chunks(AGGREGATED).zip(proofs.iter()).enumerate()
        {
            let part = points(chunk)
                .ok()
                .and_then(|points| Part::read(*place, claim.transcript_of(number), points, proof));
            match part {
                Some(part) => parts.push(part),
                None => drop(failing.insert(*place)),
            }
        }
    }
    failing.extend(range::failing(&parts));
    failing
}

fn points(chunk: &[Statement]) -> Result<Vec<RistrettoPoint>, RecordError> {
    chunk.iter().map(Statement::point).collect()
}

fn whole(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
