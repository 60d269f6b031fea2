//! The range proofs: statements by width, in their order, eight at a time, the last few of a width padded to a power of two
//! with a commitment to zero. A proof's transcript absorbs what it is for, the specification, the fields, how many statements
//! there are, which proof this is and its width; the proof system absorbs bases, bit length and every commitment.
//! Refuses proofs of another length than the statements need, before reading them.

use rand_core::CryptoRng;
use std::collections::BTreeSet;
use std::sync::OnceLock;
use tari_bulletproofs_plus::Transcript;
use tari_bulletproofs_plus::commitment_opening::CommitmentOpening;
use tari_bulletproofs_plus::errors::ProofError;
use tari_bulletproofs_plus::generators::pedersen_gens::ExtensionDegree;
use tari_bulletproofs_plus::range_parameters::RangeParameters;
use tari_bulletproofs_plus::range_proof::{RangeProof, VerifyAction};
use tari_bulletproofs_plus::range_statement::RangeStatement;
use tari_bulletproofs_plus::range_witness::RangeWitness;
use tari_bulletproofs_plus::ristretto::{
    RistrettoRangeProof, create_pedersen_gens_with_extension_degree,
};

use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use heatmark_merkle::tag;

use super::statement::Statement;
use super::width::Width;
use super::{ConformanceError, ProveError};
use crate::commitment::{Blinding, blinding_table};
use crate::{Path, Specification};

/// Version of the proof system, which every transcript begins with.
pub const VERSION: u32 = 2;
/// Longest range proof, in bytes: eight numbers of 64 bits.
pub const MAX_PROOF_BYTES: usize = 769;

const AGGREGATED: usize = 8;
/// Bits of the numbers whose proofs are verified at once. A larger batch saves little more, and each bit costs 320 bytes while
/// it lasts.
const BATCH_BITS: usize = 32_768;

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
            let at = chunk.statements.iter().map(|(place, _)| openings.get(*place).cloned());
            let mut openings = at.collect::<Option<Vec<_>>>().ok_or(ProveError::Proof)?;
            let padded = openings.len().next_power_of_two();
            openings.resize(padded, CommitmentOpening::new(0, vec![Scalar::ONE]));
            let failed = |_: ProofError| ProveError::Proof;
            let statement = chunk.statement().map_err(failed)?;
            let witness = RangeWitness::init(openings).map_err(failed)?;
            let mut transcript = self.transcript_of(&chunk);
            let proof =
                RistrettoRangeProof::prove_with_rng(&mut transcript, &statement, &witness, rng);
            proofs.push(proof.map_err(failed)?.to_bytes());
        }
        Ok(proofs)
    }

    /// The numbers that the statements speak of, in their order, with what blinds them.
    fn openings(&self, witnesses: &[Witness]) -> Result<Vec<CommitmentOpening>, ProveError> {
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
                openings.push(CommitmentOpening::new(value, vec![blinding]));
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
    fn statement(&self) -> Result<RangeStatement<RistrettoPoint>, ProofError> {
        let unreadable = |_| ProofError::InvalidArgument("a commitment".to_owned());
        let points = self.statements.iter().map(|(_, statement)| statement.point());
        let mut points: Vec<RistrettoPoint> =
            points.collect::<Result<_, _>>().map_err(unreadable)?;
        // A commitment to zero that everybody can open: the base of blindings itself.
        points.resize(points.len().next_power_of_two(), blinding_table().basepoint());
        let promises = vec![None; points.len()];
        RangeStatement::init(parameters(self.width).clone(), points, promises, None)
    }

    /// One byte, and 32 for each of six elements and of two for every halving of all bits.
    fn proof_bytes(&self) -> usize {
        let bits = self.statements.len().next_power_of_two().saturating_mul(self.width.bits());
        let halvings = bits.trailing_zeros() as usize;
        halvings.saturating_mul(2).saturating_add(6).saturating_mul(32).saturating_add(1)
    }
}

/// A proof to be verified, and the place of the claim that it belongs to.
struct Part<'a> {
    place: usize,
    transcript: Transcript,
    chunk: Chunk<'a>,
    proof: RangeProof<RistrettoPoint>,
}

/// The places of the claims whose proofs do not verify. Batches first; where one fails, each proof of it alone.
pub(crate) fn failing(claims: &[(usize, Claim, &[Vec<u8>])]) -> BTreeSet<usize> {
    let mut parts = Vec::new();
    let mut failing = BTreeSet::new();
    for (place, claim, proofs) in claims {
        for (chunk, proof) in claim.chunks().into_iter().zip(proofs.iter()) {
            match RistrettoRangeProof::from_bytes(proof) {
                Ok(proof) if proof.extension_degree() == ExtensionDegree::DefaultPedersen => {
                    let transcript = claim.transcript_of(&chunk);
                    parts.push(Part { place: *place, transcript, chunk, proof });
                }
                _ => drop(failing.insert(*place)),
            }
        }
    }
    for width in Width::ALL {
        let of_width: Vec<&Part<'_>> =
            parts.iter().filter(|part| part.chunk.width == width).collect();
        let at_once = BATCH_BITS.div_ceil(width.bits().saturating_mul(AGGREGATED));
        for batch in of_width.chunks(at_once) {
            if verifies(batch) {
                continue;
            }
            let alone = batch.iter().filter(|part| !verifies(&[*part]));
            failing.extend(alone.map(|part| part.place));
        }
    }
    failing
}

/// Whether proofs of one width verify, all of them.
fn verifies(parts: &[&Part<'_>]) -> bool {
    let statements: Result<Vec<_>, _> = parts.iter().map(|part| part.chunk.statement()).collect();
    let Ok(statements) = statements else { return false };
    let mut transcripts: Vec<_> = parts.iter().map(|part| part.transcript.clone()).collect();
    let proofs: Vec<_> = parts.iter().map(|part| part.proof.clone()).collect();
    let action = VerifyAction::VerifyOnly;
    RangeProof::verify_batch(&mut transcripts, &statements, &proofs, action).is_ok()
}

fn whole(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn parameters(width: Width) -> &'static RangeParameters<RistrettoPoint> {
    static NARROW: OnceLock<RangeParameters<RistrettoPoint>> = OnceLock::new();
    static MIDDLE: OnceLock<RangeParameters<RistrettoPoint>> = OnceLock::new();
    static WIDE: OnceLock<RangeParameters<RistrettoPoint>> = OnceLock::new();
    let of_width = match width {
        Width::Narrow => &NARROW,
        Width::Middle => &MIDDLE,
        Width::Wide => &WIDE,
    };
    of_width.get_or_init(|| {
        let bases = create_pedersen_gens_with_extension_degree(ExtensionDegree::DefaultPedersen);
        RangeParameters::init(width.bits(), AGGREGATED, bases)
            .expect("16, 32 and 64 bits and 8 numbers are powers of two within the crate's limits")
    })
}
