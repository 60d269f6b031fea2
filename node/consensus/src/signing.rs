//! Signs and verifies for the engine: exactly the ledger's bytes, with the ledger's predicate, so
//! that what validators sign is evidence without the engine. Refuses to sign two different values
//! in one place. Specification: `proto/README.md`, sections 1, 2 and 6.

use arc_malachitebft_app_channel::app::types::core::{
    NilOrVal, Round, SignedMessage, SigningScheme, ValidatorProof, VoteExtensionScope, VoteType,
};
use arc_malachitebft_signing::{Error as EngineError, Signer, VerificationResult, Verifier};
use async_trait::async_trait;
use ed25519_dalek::SigningKey;
use heatmark_ledger::certificate::{VoteKind, proposal_preimage, vote_preimage};
use heatmark_ledger::ids::{self, HeaderHash};
use heatmark_ledger::keys::{self, KeyError, PublicKey};
use heatmark_ledger::restart::Eras;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use thiserror::Error;
use tracing::warn;

use crate::context::{Address, Heatmark, Proposal, Vote};

/// An Ed25519 signature as it travels; its validity is a matter of verifying it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Signature(pub(crate) [u8; keys::SIGNATURE_BYTES]);

impl TryFrom<&[u8]> for Signature {
    type Error = KeyError;

    fn try_from(bytes: &[u8]) -> Result<Self, KeyError> {
        bytes.try_into().map(Self).map_err(|_| KeyError::BadSignature)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({})", hex::encode(self.0))
    }
}

/// Ed25519 with the ledger's predicate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scheme;

impl SigningScheme for Scheme {
    type DecodingError = KeyError;
    type Signature = Signature;
    type PublicKey = PublicKey;
    type PrivateKey = SigningKey;

    fn decode_signature(bytes: &[u8]) -> Result<Signature, KeyError> {
        Signature::try_from(bytes)
    }

    fn encode_signature(signature: &Signature) -> Vec<u8> {
        signature.0.to_vec()
    }

    fn decode_public_key(bytes: &[u8]) -> Result<PublicKey, KeyError> {
        PublicKey::from_bytes(bytes)
    }

    fn encode_public_key(key: &PublicKey) -> Vec<u8> {
        key.to_bytes().to_vec()
    }
}

/// Why the engine gets no signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum SigningError {
    /// A different value was signed in the same place before.
    #[error("refused to sign two different values for height {height}, round {round}")]
    Conflict {
        /// Height of both.
        height: u64,
        /// Round of both.
        round: u32,
    },
    /// No round to sign for.
    #[error("refused to sign for no round")]
    NoRound,
    /// Not our vote, or a message we never sign.
    #[error("refused to sign what this validator never signs")]
    NotOurs,
}

impl From<SigningError> for EngineError {
    fn from(error: SigningError) -> Self {
        Self::from_source(error)
    }
}

/// The ledger's name of a vote's kind.
pub(crate) fn kind(kind: VoteType) -> VoteKind {
    match kind {
        VoteType::Prevote => VoteKind::Prevote,
        VoteType::Precommit => VoteKind::Precommit,
    }
}

/// The header hash voted for; `None` for nil.
pub(crate) fn value_of(vote: &Vote) -> Option<HeaderHash> {
    match vote.value {
        NilOrVal::Nil => None,
        NilOrVal::Val(id) => Some(id.0),
    }
}

/// A round that exists.
pub(crate) fn round_of(round: Round) -> Option<ids::Round> {
    round.as_u32().map(ids::Round)
}

/// Signed bytes of a vote; `None` when it names no round.
fn vote_bytes(eras: &Eras, vote: &Vote) -> Option<Vec<u8>> {
    let place = (vote.height.ledger(), round_of(vote.round)?);
    let value = value_of(vote);
    let era = eras.at(place.0);
    Some(vote_preimage(era, kind(vote.kind), place, value.as_ref(), &vote.address.0))
}

/// Signed bytes of a proposal; `None` when it names no round.
fn proposal_bytes(eras: &Eras, proposal: &Proposal) -> Option<Vec<u8>> {
    let place = (proposal.height.ledger(), round_of(proposal.round)?);
    let lock = round_of(proposal.pol_round);
    let era = eras.at(place.0);
    Some(proposal_preimage(era, place, lock, &proposal.value.0, &proposal.address.0))
}

/// Verifies what other validators signed.
#[derive(Debug)]
pub(crate) struct LedgerVerifier {
    eras: Eras,
    /// The newest height of which it was said that precommits do not verify.
    doubted: AtomicU64,
}

impl LedgerVerifier {
    pub(crate) fn new(eras: impl Into<Eras>) -> Self {
        Self { eras: eras.into(), doubted: AtomicU64::new(0) }
    }

    /// Said once a height: a node that lacks a restart sees just this of the blocks after it.
    fn doubt(&self, vote: &Vote) {
        if self.doubted.fetch_max(vote.height.0, Ordering::Relaxed) >= vote.height.0 {
            return;
        }
        warn!(
            height = vote.height.0,
            validator = %vote.address,
            "a validator's precommit does not verify: it lies, or the members restarted the \
             network and this node lacks the restart; if they did, stop it and run: \
             heatmark network restart apply FILE"
        );
    }

    fn verify(
        message: Option<Vec<u8>>,
        address: &Address,
        signature: &Signature,
        key: &PublicKey,
    ) -> VerificationResult {
        let valid = address.0 == key.to_bytes()
            && message.is_some_and(|message| key.verify(&message, &signature.0).is_ok());
        VerificationResult::from_bool(valid)
    }
}

#[async_trait]
impl Verifier<Heatmark> for LedgerVerifier {
    async fn verify_signed_vote(
        &self,
        vote: &Vote,
        signature: &Signature,
        key: &PublicKey,
    ) -> Result<VerificationResult, EngineError> {
        let valid = Self::verify(vote_bytes(&self.eras, vote), &vote.address, signature, key);
        if valid.is_invalid() && vote.kind == VoteType::Precommit {
            self.doubt(vote);
        }
        Ok(valid)
    }

    async fn verify_signed_proposal(
        &self,
        proposal: &Proposal,
        signature: &Signature,
        key: &PublicKey,
    ) -> Result<VerificationResult, EngineError> {
        let bytes = proposal_bytes(&self.eras, proposal);
        Ok(Self::verify(bytes, &proposal.address, signature, key))
    }

    async fn verify_signed_vote_extension(
        &self,
        _: &VoteExtensionScope<Heatmark>,
        (): &(),
        _: &Signature,
        _: &PublicKey,
    ) -> Result<VerificationResult, EngineError> {
        Ok(VerificationResult::Invalid)
    }

    async fn verify_validator_proof(
        &self,
        proof: &ValidatorProof<Heatmark>,
    ) -> Result<VerificationResult, EngineError> {
        let valid = PublicKey::from_bytes(&proof.public_key)
            .and_then(|key| key.verify(&proof.preimage(), &proof.signature.0))
            .is_ok();
        Ok(VerificationResult::from_bool(valid))
    }
}

/// Which of a round's three signatures.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Proposal,
    Prevote,
    Precommit,
}

/// What was signed so far at the current height, by place. The engine's log keeps a validator
/// from signing twice across restarts; this catches whatever would make it do so within one run.
#[derive(Default)]
struct Signed(BTreeMap<(u64, u32, Step), Vec<u8>>);

impl Signed {
    fn admit(
        &mut self,
        height: u64,
        round: u32,
        step: Step,
        message: &[u8],
    ) -> Result<(), SigningError> {
        self.0.retain(|(signed, ..), _| *signed >= height);
        match self.0.get(&(height, round, step)) {
            Some(signed) if signed != message => Err(SigningError::Conflict { height, round }),
            Some(_) => Ok(()),
            None => {
                self.0.insert((height, round, step), message.to_vec());
                Ok(())
            }
        }
    }
}

/// Signs with this validator's consensus key.
pub(crate) struct LedgerSigner {
    eras: Eras,
    key: SigningKey,
    signed: Mutex<Signed>,
}

impl LedgerSigner {
    pub(crate) fn new(eras: impl Into<Eras>, key: SigningKey) -> Self {
        Self { eras: eras.into(), key, signed: Mutex::default() }
    }

    pub(crate) fn address(&self) -> Address {
        Address(self.key.verifying_key().to_bytes())
    }

    fn sign(&self, message: &[u8]) -> Signature {
        use ed25519_dalek::Signer as _;
        Signature(self.key.sign(message).to_bytes())
    }

    fn sign_once(
        &self,
        (height, round): (u64, Round),
        step: Step,
        signer: &Address,
        message: Option<Vec<u8>>,
    ) -> Result<Signature, SigningError> {
        if *signer != self.address() {
            return Err(SigningError::NotOurs);
        }
        let round = round.as_u32().ok_or(SigningError::NoRound)?;
        let message = message.ok_or(SigningError::NoRound)?;
        let mut signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        signed.admit(height, round, step, &message)?;
        Ok(self.sign(&message))
    }
}

#[async_trait]
impl Signer<Heatmark> for LedgerSigner {
    async fn sign_vote(&self, vote: Vote) -> Result<SignedMessage<Heatmark, Vote>, EngineError> {
        let step = match vote.kind {
            VoteType::Prevote => Step::Prevote,
            VoteType::Precommit => Step::Precommit,
        };
        let bytes = vote_bytes(&self.eras, &vote);
        let signature = self.sign_once((vote.height.0, vote.round), step, &vote.address, bytes)?;
        Ok(SignedMessage::new(vote, signature))
    }

    async fn sign_proposal(
        &self,
        proposal: Proposal,
    ) -> Result<SignedMessage<Heatmark, Proposal>, EngineError> {
        let bytes = proposal_bytes(&self.eras, &proposal);
        let place = (proposal.height.0, proposal.round);
        let signature = self.sign_once(place, Step::Proposal, &proposal.address, bytes)?;
        Ok(SignedMessage::new(proposal, signature))
    }

    async fn sign_vote_extension(
        &self,
        _: VoteExtensionScope<Heatmark>,
        (): (),
    ) -> Result<SignedMessage<Heatmark, ()>, EngineError> {
        Err(SigningError::NotOurs.into())
    }

    // The engine prescribes these bytes. They start with "PoV", the ledger's with the length of a
    // tag that is never 80 bytes long, so neither is ever taken for the other.
    async fn sign_validator_proof(
        &self,
        public_key: Vec<u8>,
        peer_id: Vec<u8>,
    ) -> Result<ValidatorProof<Heatmark>, EngineError> {
        let bytes = ValidatorProof::<Heatmark>::signing_bytes(&public_key, &peer_id);
        let signature = self.sign(&bytes);
        Ok(ValidatorProof::new(public_key, peer_id, signature))
    }
}

#[cfg(test)]
mod tests;
