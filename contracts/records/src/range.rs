//! Range proofs: that commitments hold numbers of 0 to 2^64 − 1, up to eight in one aggregated Bulletproofs+ proof, the last
//! places padded with commitments to zero up to a power of two. What a proof is for stands in the transcript that it
//! continues; the proof system absorbs bases, bit length and every commitment.
//! Refuses proofs of another length than their commitments need, before reading them.
//! Specification: `proto/README.md` sections 9 and 11.

use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use rand_core::CryptoRng;
use std::collections::BTreeSet;
use std::sync::OnceLock;
pub use tari_bulletproofs_plus::Transcript;
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
use thiserror::Error;

use crate::commitment::blinding_table;

/// Most commitments in one proof.
pub const AGGREGATED: usize = 8;
/// Longest range proof, in bytes: eight numbers of 64 bits.
pub const MAX_PROOF_BYTES: usize = proof_bytes(AGGREGATED);

const BITS: usize = 64;
/// Proofs verified at once. A larger batch saves little more, and each costs 160 kB while it lasts.
const BATCH: usize = 64;

/// The proof system failed, or was given openings that are not those of the commitments: a defect of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the range proof could not be made")]
pub struct RangeError;

/// Proves that each of one to eight points commits to the number beside it.
///
/// # Errors
/// [`RangeError`].
pub fn prove(
    mut transcript: Transcript,
    points: &[RistrettoPoint],
    openings: &[(u64, Scalar)],
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, RangeError> {
    let failed = |_: ProofError| RangeError;
    let opening =
        |(number, blinding): &(u64, Scalar)| CommitmentOpening::new(*number, vec![*blinding]);
    let mut openings: Vec<CommitmentOpening> = openings.iter().map(opening).collect();
    openings.resize(padded(points.len()), CommitmentOpening::new(0, vec![Scalar::ONE]));
    let statement = statement(points).map_err(failed)?;
    let witness = RangeWitness::init(openings).map_err(failed)?;
    let proof = RistrettoRangeProof::prove_with_rng(&mut transcript, &statement, &witness, rng);
    Ok(proof.map_err(failed)?.to_bytes())
}

/// A proof with what it has to be about.
pub struct Part {
    claim: usize,
    transcript: Transcript,
    points: Vec<RistrettoPoint>,
    proof: RangeProof<RistrettoPoint>,
}

impl Part {
    /// Reads a proof; `claim` is the caller's number for whatever it belongs to. None when the bytes are no proof.
    #[must_use]
    pub fn read(
        claim: usize,
        transcript: Transcript,
        points: Vec<RistrettoPoint>,
        proof: &[u8],
    ) -> Option<Self> {
        if points.is_empty()
            || points.len() > AGGREGATED
            || proof.len() != proof_bytes(points.len())
        {
            return None;
        }
        let proof = RistrettoRangeProof::from_bytes(proof).ok()?;
        let plain = proof.extension_degree() == ExtensionDegree::DefaultPedersen;
        plain.then_some(Self { claim, transcript, points, proof })
    }
}

/// The claims with a proof that does not verify. Batches first; where one fails, each proof of it alone.
#[must_use]
pub fn failing(parts: &[Part]) -> BTreeSet<usize> {
    let mut failing = BTreeSet::new();
    for batch in parts.chunks(BATCH) {
        if verifies(batch) {
            continue;
        }
        for part in batch {
            if !verifies(std::slice::from_ref(part)) {
                failing.insert(part.claim);
            }
        }
    }
    failing
}

fn verifies(parts: &[Part]) -> bool {
    let statements: Result<Vec<_>, _> = parts.iter().map(|part| statement(&part.points)).collect();
    let Ok(statements) = statements else { return false };
    let mut transcripts: Vec<_> = parts.iter().map(|part| part.transcript.clone()).collect();
    let proofs: Vec<_> = parts.iter().map(|part| part.proof.clone()).collect();
    let action = VerifyAction::VerifyOnly;
    RangeProof::verify_batch(&mut transcripts, &statements, &proofs, action).is_ok()
}

fn statement(points: &[RistrettoPoint]) -> Result<RangeStatement<RistrettoPoint>, ProofError> {
    let mut points = points.to_vec();
    // A commitment to zero that everybody can open: the base of blindings itself.
    points.resize(padded(points.len()), blinding_table().basepoint());
    let promises = vec![None; points.len()];
    RangeStatement::init(parameters().clone(), points, promises, None)
}

const fn padded(count: usize) -> usize {
    count.next_power_of_two()
}

/// How long a proof about so many commitments is: one byte, and 32 for each of six elements and of two for every halving
/// of all bits.
#[must_use]
pub const fn proof_bytes(count: usize) -> usize {
    let halvings = padded(count).saturating_mul(BITS).trailing_zeros() as usize;
    halvings.saturating_mul(2).saturating_add(6).saturating_mul(32).saturating_add(1)
}

fn parameters() -> &'static RangeParameters<RistrettoPoint> {
    static PARAMETERS: OnceLock<RangeParameters<RistrettoPoint>> = OnceLock::new();
    PARAMETERS.get_or_init(|| {
        let bases = create_pedersen_gens_with_extension_degree(ExtensionDegree::DefaultPedersen);
        RangeParameters::init(BITS, AGGREGATED, bases)
            .expect("64 bits and 8 numbers are powers of two within the crate's limits")
    })
}
