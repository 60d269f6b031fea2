//! The proofs of an event: range proofs of eight statements each, then for masses, and for pieces where they balance, a
//! Schnorr proof that what went in less what came out is a multiple of H. The transcript absorbs network, kind, body, inputs
//! and counts; the range proofs continue clones of it; their bytes are absorbed before the Schnorr proofs.
//! Refuses scalars and points in any but their one encoding, and other counts and lengths than the event needs.
#![allow(
    clippy::arithmetic_side_effects,
    reason = "in the group and modulo its order nothing can overflow"
)]

use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use heatmark_records::range::{self, AGGREGATED, Part, Transcript, Width, proof_bytes};
use heatmark_records::{Blinding, blinding_table};
use prost::Message;
use rand_core::CryptoRng;
use std::num::NonZero;
use std::thread;

use crate::rules::{Facts, Introduced};
use crate::sums::{self, Numbers, Points, Statements};
use crate::wire;
use crate::{LotError, MakeError, OpenAmount, VERSION};

/// Longest encoding of an event's proofs, in bytes: 255 outputs with masses and pieces.
pub const MAX_PROOFS_BYTES: usize = 128 << 10;
const SCHNORR_BYTES: usize = 64;
/// Fewer events than this are not worth a thread.
const LEAST_SHARE: usize = 64;
const MOST_THREADS: usize = 8;

/// The proofs of an event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proofs {
    /// Range proofs, eight statements each.
    pub(crate) ranges: Vec<Vec<u8>>,
    /// That masses balance, and that pieces do: R ‖ s, 64 bytes each.
    pub(crate) balances: Vec<Vec<u8>>,
    /// What hides the pieces of the outputs with serials, in their order: their number is told by the ranges.
    pub(crate) serials: Vec<Vec<u8>>,
}

impl Proofs {
    /// The canonical encoding; of no bytes where nothing had to be proved.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let Self { ranges, balances, serials } = self.clone();
        wire::Proofs { ranges, balances, serials }.encode_to_vec()
    }

    /// Reads a canonical encoding; what it proves, [`verify_all`] says.
    ///
    /// # Errors
    /// `TooLong` or `NotCanonical`.
    pub fn decode(bytes: &[u8]) -> Result<Self, LotError> {
        let message: wire::Proofs = wire::decode(bytes, MAX_PROOFS_BYTES)?;
        let wire::Proofs { ranges, balances, serials } = message;
        Ok(Self { ranges, balances, serials })
    }
}

/// What an event's proofs have to show, after its rules were checked.
pub struct Claim {
    transcript: Transcript,
    ranges: Vec<RistrettoPoint>,
    zeros: Vec<RistrettoPoint>,
    /// Number and commitment of the pieces that serials tell.
    numbered: Vec<(u64, RistrettoPoint)>,
    statements: Statements,
    introduced: Introduced,
}

impl std::fmt::Debug for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Claim({} ranges, {} balances)", self.ranges.len(), self.zeros.len())
    }
}

impl Facts<'_> {
    /// Checks the rules of the event's kind and gives what its proofs have to show.
    ///
    /// # Errors
    /// The rule that is broken.
    pub fn claim(&self) -> Result<Claim, LotError> {
        let ruled = self.rule()?;
        let points = |sums: &[sums::Sum], points: &Points| {
            let points = sums.iter().map(|sum| sums::point(sum, points));
            points.collect::<Option<Vec<_>>>().ok_or(LotError::WrongPart)
        };
        let mut numbered = Vec::with_capacity(ruled.numbered.len());
        for place in &ruled.numbered {
            let content = &self.event.outputs.get(*place).ok_or(LotError::Shape)?.content;
            let serials = content.serials.as_ref().ok_or(LotError::Serials)?;
            numbered.push((serials.ranges.total(), *content.pieces.point()));
        }
        Ok(Claim {
            transcript: self.transcript(&ruled.statements),
            ranges: points(&ruled.statements.ranges, &ruled.points)?,
            zeros: points(&ruled.statements.zeros, &ruled.points)?,
            numbered,
            statements: ruled.statements,
            introduced: ruled.introduced,
        })
    }

    fn transcript(&self, statements: &Statements) -> Transcript {
        let mut transcript = Transcript::new(b"heatmark/v1/lot-event");
        transcript.append_u64(b"version", VERSION.into());
        transcript.append_message(b"network", self.network);
        transcript.append_u64(b"kind", self.event.kind.code().into());
        transcript.append_message(b"event", &self.event.encode());
        transcript.append_u64(b"inputs", whole(self.inputs.len()));
        for input in self.inputs.iter().flatten() {
            transcript.append_message(b"input", &input.encode());
        }
        if let Some(certified) = self.certified {
            transcript.append_message(b"certified", certified.number.as_bytes());
            transcript.append_message(b"factor", &certified.factor.to_be_bytes());
            transcript.append_message(b"divisor", &certified.divisor.to_be_bytes());
        }
        transcript.append_u64(b"outputs", whole(self.event.outputs.len()));
        transcript.append_u64(b"ranges", whole(statements.ranges.len()));
        transcript.append_u64(b"balances", whole(statements.zeros.len()));
        transcript
    }
}

impl Claim {
    /// The trees of serials that begin with the event.
    #[must_use]
    pub fn introduced(&self) -> &[heatmark_merkle::Hash] {
        &self.introduced
    }

    /// How many outputs have their pieces told by serials.
    pub(crate) fn numbered(&self) -> usize {
        self.numbered.len()
    }

    /// Makes the proofs from the event's numbers; `serials` are the pieces of the outputs that have serials.
    pub(crate) fn prove(
        &self,
        numbers: &Numbers,
        serials: &[&OpenAmount],
        rng: &mut impl CryptoRng,
    ) -> Result<Proofs, MakeError> {
        let mut openings = Vec::with_capacity(self.statements.ranges.len());
        for sum in &self.statements.ranges {
            let number = sums::number(sum, numbers).ok_or(MakeError::TooMuch)?;
            let number = u64::try_from(number).map_err(|_| MakeError::TooMuch)?;
            openings.push((number, sums::blinding(sum, numbers).ok_or(MakeError::Witness)?));
        }
        for sum in &self.statements.zeros {
            if sums::number(sum, numbers).ok_or(MakeError::Witness)? != 0 {
                return Err(MakeError::Unbalanced);
            }
        }
        let mut ranges = Vec::new();
        let chunks = self.ranges.chunks(AGGREGATED).zip(openings.chunks(AGGREGATED));
        for (number, (points, openings)) in chunks.enumerate() {
            let proof = range::prove(self.chunk(number), (Width::Wide, points), openings, rng);
            ranges.push(proof.map_err(|_| MakeError::Proof)?);
        }
        self.prove_balances(ranges, numbers, serials, rng)
    }

    /// The rest of the proofs, after the range proofs.
    pub(crate) fn prove_balances(
        &self,
        ranges: Vec<Vec<u8>>,
        numbers: &Numbers,
        serials: &[&OpenAmount],
        rng: &mut impl CryptoRng,
    ) -> Result<Proofs, MakeError> {
        let mut transcript = self.after(&ranges);
        let mut balances = Vec::new();
        for (sum, point) in self.statements.zeros.iter().zip(&self.zeros) {
            let secret = sums::blinding(sum, numbers).ok_or(MakeError::Witness)?;
            balances.push(prove_zero(&mut transcript, point, &secret, rng));
        }
        let serials = serials.iter().map(|pieces| pieces.blinding.to_bytes().to_vec()).collect();
        Ok(Proofs { ranges, balances, serials })
    }

    fn chunk(&self, number: usize) -> Transcript {
        let mut transcript = self.transcript.clone();
        transcript.append_u64(b"chunk", whole(number));
        transcript
    }

    /// The transcript once the range proofs are in it.
    fn after(&self, ranges: &[Vec<u8>]) -> Transcript {
        let mut transcript = self.transcript.clone();
        for proof in ranges {
            transcript.append_message(b"range-proof", proof);
        }
        transcript
    }

    /// Everything but the range proofs, which are verified together.
    fn check(&self, proofs: &Proofs) -> Result<(), LotError> {
        let chunks = self.ranges.chunks(AGGREGATED);
        let ranged = chunks.len() == proofs.ranges.len()
            && chunks
                .zip(&proofs.ranges)
                .all(|(chunk, proof)| proof.len() == proof_bytes(Width::Wide, chunk.len()));
        let balanced = self.zeros.len() == proofs.balances.len();
        if !ranged || !balanced || self.numbered.len() != proofs.serials.len() {
            return Err(LotError::ProofCount);
        }
        for ((total, point), blinding) in self.numbered.iter().zip(&proofs.serials) {
            let bytes = blinding.as_slice().try_into().map_err(|_| LotError::ProofCount)?;
            let blinding = Blinding::decode(bytes).map_err(|_| LotError::BadCommitment)?;
            if sums::commit(*total, &blinding) != *point {
                return Err(LotError::SerialCount);
            }
        }
        let mut transcript = self.after(&proofs.ranges);
        let pairs = self.zeros.iter().zip(&proofs.balances);
        pairs.into_iter().try_for_each(|(point, proof)| verify_zero(&mut transcript, point, proof))
    }

    fn parts(&self, claim: usize, proofs: &Proofs) -> Option<Vec<Part>> {
        let chunks = self.ranges.chunks(AGGREGATED).zip(&proofs.ranges).enumerate();
        let part = |(number, (points, proof)): (usize, (&[RistrettoPoint], &Vec<u8>))| {
            Part::read(claim, self.chunk(number), (Width::Wide, points.to_vec()), proof)
        };
        chunks.map(part).collect()
    }
}

/// Verifies the proofs of many events: range proofs in batches, and each by itself only where a batch fails. Large numbers of
/// events are shared out among the machine's processors; the result is the same.
#[must_use]
pub fn verify_all(claims: &[(&Claim, &Proofs)]) -> Vec<Result<(), LotError>> {
    let processors = thread::available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS);
    let share = claims.len().div_ceil(processors).max(LEAST_SHARE);
    thread::scope(|scope| {
        let mut shares = claims.chunks(share);
        let own = shares.next().unwrap_or_default();
        let started: Vec<_> = shares
            .map(|share| {
                (share, thread::Builder::new().spawn_scoped(scope, move || verify_share(share)))
            })
            .collect();
        let mut results = verify_share(own);
        for (share, thread) in started {
            // Without another thread it is done here; a thread that died has verified nothing.
            results.extend(match thread {
                Ok(thread) => {
                    thread.join().unwrap_or_else(|_| vec![Err(LotError::Range); share.len()])
                }
                Err(_) => verify_share(share),
            });
        }
        results
    })
}

fn verify_share(claims: &[(&Claim, &Proofs)]) -> Vec<Result<(), LotError>> {
    let mut results: Vec<_> = claims.iter().map(|(claim, proofs)| claim.check(proofs)).collect();
    let mut parts = Vec::new();
    for (place, (result, (claim, proofs))) in results.iter_mut().zip(claims).enumerate() {
        if result.is_err() {
            continue;
        }
        match claim.parts(place, proofs) {
            Some(read) => parts.extend(read),
            None => *result = Err(LotError::Range),
        }
    }
    for place in range::failing(&parts) {
        if let Some(result) = results.get_mut(place) {
            *result = Err(LotError::Range);
        }
    }
    results
}

/// Knowledge of z with P = z·H: R = k·H, e from the transcript, s = k + e·z.
fn prove_zero(
    transcript: &mut Transcript,
    point: &RistrettoPoint,
    secret: &Scalar,
    rng: &mut impl CryptoRng,
) -> Vec<u8> {
    let nonce = Blinding::random(rng);
    let first = (nonce.scalar() * blinding_table()).compress();
    let challenge = challenge(transcript, point, &first);
    let answer = nonce.scalar() + challenge * secret;
    [first.to_bytes(), answer.to_bytes()].concat()
}

fn verify_zero(
    transcript: &mut Transcript,
    point: &RistrettoPoint,
    proof: &[u8],
) -> Result<(), LotError> {
    let (first, answer) = proof
        .split_first_chunk::<32>()
        .filter(|_| proof.len() == SCHNORR_BYTES)
        .ok_or(LotError::ProofCount)?;
    let first = CompressedRistretto(*first);
    let answer = answer.try_into().map_err(|_| LotError::ProofCount)?;
    let answer: Option<Scalar> = Scalar::from_canonical_bytes(answer).into();
    let (answer, start) = answer.zip(first.decompress()).ok_or(LotError::BadCommitment)?;
    let challenge = challenge(transcript, point, &first);
    let holds = &answer * blinding_table() == start + challenge * point;
    if holds { Ok(()) } else { Err(LotError::Balance) }
}

fn challenge(
    transcript: &mut Transcript,
    point: &RistrettoPoint,
    first: &CompressedRistretto,
) -> Scalar {
    transcript.append_message(b"balance", point.compress().as_bytes());
    transcript.append_message(b"nonce", first.as_bytes());
    let mut wide = [0; 64];
    transcript.challenge_bytes(b"challenge", &mut wide);
    Scalar::from_bytes_mod_order_wide(&wide)
}

fn whole(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
