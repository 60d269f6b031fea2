//! The range proofs: statements in their order, eight at a time, the last few padded to a power of two with a commitment
//! to zero. A proof's transcript absorbs what it is for, the specification, the fields, how many statements there are
//! and which eight these are; the proof system absorbs bases, bit length and every commitment.
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
use super::{ConformanceError, ProveError};
use crate::commitment::{Blinding, blinding_table};
use crate::{Path, Specification};

/// Version of the proof system, which every transcript begins with.
pub const VERSION: u32 = 1;
/// Longest range proof, in bytes: eight numbers of 64 bits.
pub const MAX_PROOF_BYTES: usize = 769;

const BITS: usize = 64;
const AGGREGATED: usize = 8;
/// Proofs verified at once. A larger batch saves little more, and each costs 160 kB while it lasts.
const BATCH: usize = 64;

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
                openings.push(CommitmentOpening::new(value, vec![blinding]));
            }
        }
        let mut proofs = Vec::new();
        for (number, (chunk, openings)) in
            self.statements.chunks(AGGREGATED).zip(openings.chunks(AGGREGATED)).enumerate()
        {
            let mut openings = openings.to_vec();
            openings.resize(padded(chunk.len()), CommitmentOpening::new(0, vec![Scalar::ONE]));
            let failed = |_: ProofError| ProveError::Proof;
            let statement = range_statement(chunk).map_err(failed)?;
            let witness = RangeWitness::init(openings).map_err(failed)?;
            let mut transcript = self.transcript_of(number);
            let proof =
                RistrettoRangeProof::prove_with_rng(&mut transcript, &statement, &witness, rng);
            proofs.push(proof.map_err(failed)?.to_bytes());
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
            match RistrettoRangeProof::from_bytes(proof) {
                Ok(proof) if proof.extension_degree() == ExtensionDegree::DefaultPedersen => {
                    parts.push((*place, claim.transcript_of(number), chunk, proof));
                }
                _ => drop(failing.insert(*place)),
            }
        }
    }
    for batch in parts.chunks(BATCH) {
        if verifies(batch) {
            continue;
        }
        for part in batch {
            if !verifies(std::slice::from_ref(part)) {
                failing.insert(part.0);
            }
        }
    }
    failing
}

type Part<'a> = (usize, Transcript, &'a [Statement], RangeProof<RistrettoPoint>);

fn verifies(parts: &[Part<'_>]) -> bool {
    let statements: Result<Vec<_>, _> =
        parts.iter().map(|(_, _, chunk, _)| range_statement(chunk)).collect();
    let Ok(statements) = statements else { return false };
    let mut transcripts: Vec<_> = parts.iter().map(|part| part.1.clone()).collect();
    let proofs: Vec<_> = parts.iter().map(|part| part.3.clone()).collect();
    let action = VerifyAction::VerifyOnly;
    RangeProof::verify_batch(&mut transcripts, &statements, &proofs, action).is_ok()
}

fn range_statement(chunk: &[Statement]) -> Result<RangeStatement<RistrettoPoint>, ProofError> {
    let unreadable = |_| ProofError::InvalidArgument("a commitment".to_owned());
    let mut points: Vec<RistrettoPoint> =
        chunk.iter().map(Statement::point).collect::<Result<_, _>>().map_err(unreadable)?;
    // A commitment to zero that everybody can open: the base of blindings itself.
    points.resize(padded(chunk.len()), blinding_table().basepoint());
    let promises = vec![None; points.len()];
    RangeStatement::init(parameters().clone(), points, promises, None)
}

const fn padded(count: usize) -> usize {
    count.next_power_of_two()
}

/// One byte, and 32 for each of six elements and of two for every halving of all bits.
const fn proof_bytes(count: usize) -> usize {
    let halvings = padded(count).saturating_mul(BITS).trailing_zeros() as usize;
    halvings.saturating_mul(2).saturating_add(6).saturating_mul(32).saturating_add(1)
}

fn whole(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

fn parameters() -> &'static RangeParameters<RistrettoPoint> {
    static PARAMETERS: OnceLock<RangeParameters<RistrettoPoint>> = OnceLock::new();
    PARAMETERS.get_or_init(|| {
        let bases = create_pedersen_gens_with_extension_degree(ExtensionDegree::DefaultPedersen);
        RangeParameters::init(BITS, AGGREGATED, bases)
            .expect("64 bits and 8 numbers are powers of two within the crate's limits")
    })
}
