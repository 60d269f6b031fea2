//! The range proofs: statements by width, in their order, eight at a time, the last few of a width padded to a power of two
//! with a commitment to zero. A proof's transcript absorbs what it is for, the specification, the fields, how many statements
//! there are, which proof this is and its width; the proof system absorbs bases, bit length and every commitment.
//! Refuses proofs of another length than the statements need, before reading them.

use rand_core::CryptoRng;
use std::collections::BTreeSet;

use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use heatmark_merkle::tag;

use super::statement::Statement;
use super::{ConformanceError, ProveError};
use crate::commitment::Blinding;
use crate::range::{self, AGGREGATED, Part, Transcript, Width, proof_bytes};
use crate::{Path, RecordError, Specification};

/// Version of the proof system, which every transcript begins with.
pub const VERSION: u32 = 2;

/// The numbers of one limit with what hides them: for each of its paths, in order.
type Witness = Vec<Vec<(i128, Blinding)>>;

/// Statements with the transcript that their proofs continue.
pub(crate) struct Claim {
    transcript: Transcript,
    statements: Vec<Statement>,
    /// How many statements each limit that is proved has, in order.
    of_limits: Vec<usize>,
}

/// What one proof says: up to eight statements of one width.
struct Chunk<'a> {
    width: Width,
    number: usize,
    /// The statements, each with its place among all.
    statements: Vec<(usize, &'a Statement)>,
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

    /// The statements as they are proved: the narrowest first.
    fn chunks(&self) -> Vec<Chunk<'_>> {
        let mut chunks: Vec<Chunk<'_>> = Vec::new();
        for width in Width::ALL {
            let of_width = |(_, statement): &(usize, &Statement)| statement.width == width;
            let statements: Vec<_> = self.statements.iter().enumerate().filter(of_width).collect();
            for statements in statements.chunks(AGGREGATED) {
                let number = chunks.len();
                chunks.push(Chunk { width, number, statements: statements.to_vec() });
            }
        }
        chunks
    }

    /// Refuses what cannot be the proofs of these statements, by counts and lengths alone.
    pub(crate) fn check_shape(&self, proofs: &[Vec<u8>]) -> Result<(), ConformanceError> {
        let chunks = self.chunks();
        let fits = |(chunk, proof): (&Chunk<'_>, &Vec<u8>)| proof.len() == chunk.proof_bytes();
        if proofs.len() == chunks.len() && chunks.iter().zip(proofs).all(fits) {
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
        let openings = self.openings(witnesses)?;
        let mut proofs = Vec::new();
        for chunk in self.chunks() {
            let at = chunk.statements.iter().map(|(place, _)| openings.get(*place).copied());
            let openings = at.collect::<Option<Vec<_>>>().ok_or(ProveError::Proof)?;
            let points = chunk.points()?;
            let transcript = self.transcript_of(&chunk);
            let proof = range::prove(transcript, (chunk.width, &points), &openings, rng);
            proofs.push(proof.map_err(|_| ProveError::Proof)?);
        }
        Ok(proofs)
    }

    /// The numbers that the statements speak of, in their order, with what blinds them.
    fn openings(&self, witnesses: &[Witness]) -> Result<Vec<(u64, Scalar)>, ProveError> {
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
        Ok(openings)
    }

    fn transcript_of(&self, chunk: &Chunk<'_>) -> Transcript {
        let mut transcript = self.transcript.clone();
        transcript.append_u64(b"chunk", whole(chunk.number));
        transcript.append_u64(b"width", whole(chunk.width.bits()));
        transcript
    }
}

impl Chunk<'_> {
    fn points(&self) -> Result<Vec<RistrettoPoint>, RecordError> {
        self.statements.iter().map(|(_, statement)| statement.point()).collect()
    }

    fn proof_bytes(&self) -> usize {
        proof_bytes(self.width, self.statements.len())
    }
}

/// The places of the claims whose proofs do not verify. Batches first; where one fails, each proof of it alone.
pub(crate) fn failing(claims: &[(usize, Claim, &[Vec<u8>])]) -> BTreeSet<usize> {
    let mut parts = Vec::new();
    let mut failing = BTreeSet::new();
    for (place, claim, proofs) in claims {
        for (chunk, proof) in claim.chunks().into_iter().zip(proofs.iter()) {
            let transcript = claim.transcript_of(&chunk);
            let part = chunk
                .points()
                .ok()
                .and_then(|points| Part::read(*place, transcript, (chunk.width, points), proof));
            match part {
                Some(part) => parts.push(part),
                None => drop(failing.insert(*place)),
            }
        }
    }
    failing.extend(range::failing(&parts));
    failing
}

fn whole(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
