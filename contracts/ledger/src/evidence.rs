//! Proof that a validator signed twice, to be carried anywhere: two statements that contradict each
//! other, and what shows that their key was a validator's at that height. Refuses a statement made
//! twice in the same words, statements of different heights, rounds or kinds, keys that did not vote
//! there, and any encoding but the one. Specification: `proto/README.md`, section 7.

use crate::certificate::{VoteKind, proposal_preimage, vote_preimage};
use crate::header::Header;
use crate::ids::{Era, HeaderHash, Height, MemberId, NetworkId, Round};
use crate::keys::{PublicKey, SIGNATURE_BYTES};
use crate::receipt::{self, CertifiedHeader, ReceiptError, TrustRoot};
use crate::state;
use crate::validators::{Validator, ValidatorSet};
use crate::wire::{self, MAX_RECEIPT_BYTES, WireError};
use heatmark_proto::ledger::v1 as pb;
use std::collections::BTreeSet;
use thiserror::Error;

/// Largest encoded evidence in bytes.
pub const MAX_EVIDENCE_BYTES: usize = MAX_RECEIPT_BYTES;

/// Why evidence proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EvidenceError {
    /// What a receipt could be refused for as well: encoding, lengths, trust root, certificates.
    #[error("{0}")]
    Chain(#[from] ReceiptError),
    /// The two statements are one: signing it twice contradicts nothing.
    #[error("both signatures are for the same statement")]
    NoConflict,
    /// A signature is not the validator's over the statement.
    #[error("a signature is not by this key over this statement")]
    Signature,
    /// The key did not vote at the height.
    #[error("the key was not a validator's at height {0}")]
    NotAValidator(Height),
    /// The registry entries are not those of the key and its owner.
    #[error("the registry entries are not those of this key and of its owner")]
    WrongMember,
}

impl From<WireError> for EvidenceError {
    fn from(error: WireError) -> Self {
        Self::Chain(error.into())
    }
}

impl EvidenceError {
    /// A stable name, the same in every implementation.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Chain(error) => error.code(),
            Self::NoConflict => "no-conflict",
            Self::Signature => "statement-signature",
            Self::NotAValidator(_) => "not-a-validator",
            Self::WrongMember => "wrong-member",
        }
    }

    /// Whether the evidence may be sound but this trust root cannot say.
    #[must_use]
    pub fn cannot_tell(&self) -> bool {
        matches!(self, Self::Chain(error) if error.cannot_tell())
    }
}

/// What a validator signs once in a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Statement {
    /// First vote.
    Prevote,
    /// Second vote.
    Precommit,
    /// A proposal.
    Proposal,
}

/// One of the two, ordered as they stand in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signed {
    /// What it is for; `None` for nil.
    pub value: Option<HeaderHash>,
    /// Proof-of-lock round that a proposal claims.
    pub lock_round: Option<Round>,
    /// Signature over its preimage.
    pub signature: [u8; SIGNATURE_BYTES],
}

impl Signed {
    fn says(&self) -> (Option<HeaderHash>, Option<Round>) {
        (self.value, self.lock_round)
    }

    fn from_proto(
        message: &pb::SignedStatement,
        statement: Statement,
    ) -> Result<Self, EvidenceError> {
        let value = match message.value.as_slice() {
            [] if statement != Statement::Proposal => None,
            bytes => Some(HeaderHash::try_from(bytes).map_err(|_| field("value"))?),
        };
        let lock_round = message.lock.checked_sub(1).map(Round);
        if lock_round.is_some() && statement != Statement::Proposal {
            return Err(WireError::NotCanonical.into());
        }
        let signature = message.signature.as_slice().try_into().map_err(|_| field("signature"))?;
        Ok(Self { value, lock_round, signature })
    }

    fn to_proto(self) -> pb::SignedStatement {
        pb::SignedStatement {
            value: self.value.map_or_else(Vec::new, |hash| hash.to_vec()),
            lock: self.lock_round.map_or(0, |round| round.0.saturating_add(1)),
            signature: self.signature.to_vec(),
        }
    }
}

fn field(name: &'static str) -> EvidenceError {
    ReceiptError::Field(name).into()
}

/// Two statements of one validator for one height and round that contradict each other: read and
/// in order; signatures are checked by [`Self::verify_signatures`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Equivocation {
    /// The network it happened on.
    pub network: NetworkId,
    /// Consensus key that signed both.
    pub validator: [u8; 32],
    /// Height of both.
    pub height: Height,
    /// Round of both.
    pub round: Round,
    /// What both are.
    pub statement: Statement,
    signed: [Signed; 2],
}

impl Equivocation {
    /// Puts two statements in order.
    ///
    /// # Errors
    /// [`EvidenceError::NoConflict`] when both say the same; [`EvidenceError::Chain`] for a
    /// proposal of nothing.
    pub fn new(
        network: NetworkId,
        validator: [u8; 32],
        (height, round): (Height, Round),
        statement: Statement,
        mut signed: [Signed; 2],
    ) -> Result<Self, EvidenceError> {
        signed.sort_by_key(Signed::says);
        let [first, second] = &signed;
        if statement == Statement::Proposal && first.value.is_none() {
            return Err(field("value"));
        }
        if first.says() == second.says() {
            return Err(EvidenceError::NoConflict);
        }
        Ok(Self { network, validator, height, round, statement, signed })
    }

    /// The two statements.
    #[must_use]
    pub fn signed(&self) -> &[Signed; 2] {
        &self.signed
    }

    /// Verifies that this key made both statements in the era of their height; whether it is a
    /// validator's is another matter.
    ///
    /// # Errors
    /// [`EvidenceError::Signature`].
    pub fn verify_signatures(&self, era: &Era, key: &PublicKey) -> Result<(), EvidenceError> {
        for signed in &self.signed {
            key.verify(&self.preimage(era, signed), &signed.signature)
                .map_err(|_| EvidenceError::Signature)?;
        }
        Ok(())
    }

    fn preimage(&self, era: &Era, signed: &Signed) -> Vec<u8> {
        let (place, key) = ((self.height, self.round), &self.validator);
        let vote = |kind| vote_preimage(*era, kind, place, signed.value.as_ref(), key);
        match (self.statement, &signed.value) {
            (Statement::Prevote, _) => vote(VoteKind::Prevote),
            (Statement::Precommit, _) => vote(VoteKind::Precommit),
            (Statement::Proposal, Some(value)) => {
                proposal_preimage(*era, place, signed.lock_round, value, key)
            }
            // Refused by `new`; nobody signs no bytes.
            (Statement::Proposal, None) => Vec::new(),
        }
    }

    /// Reads the message.
    ///
    /// # Errors
    /// [`EvidenceError::NoConflict`], or what is wrong with a field.
    pub fn from_proto(message: &pb::Equivocation) -> Result<Self, EvidenceError> {
        let network =
            NetworkId::try_from(message.network.as_slice()).map_err(|_| field("network"))?;
        let validator = message.validator.as_slice().try_into().map_err(|_| field("validator"))?;
        let statement = match message.statement() {
            pb::Statement::Prevote => Statement::Prevote,
            pb::Statement::Precommit => Statement::Precommit,
            pb::Statement::Proposal => Statement::Proposal,
            pb::Statement::Unspecified => return Err(WireError::Malformed.into()),
        };
        let [first, second] = message.signed.as_slice() else { return Err(field("signed")) };
        let signed =
            [Signed::from_proto(first, statement)?, Signed::from_proto(second, statement)?];
        let place = (Height(message.height), Round(message.round));
        let ascending = signed.is_sorted_by_key(Signed::says);
        let read = Self::new(network, validator, place, statement, signed)?;
        if ascending { Ok(read) } else { Err(WireError::NotCanonical.into()) }
    }

    /// The message.
    #[must_use]
    pub fn to_proto(&self) -> pb::Equivocation {
        let statement = match self.statement {
            Statement::Prevote => pb::Statement::Prevote,
            Statement::Precommit => pb::Statement::Precommit,
            Statement::Proposal => pb::Statement::Proposal,
        };
        pb::Equivocation {
            network: self.network.to_vec(),
            validator: self.validator.to_vec(),
            height: self.height.0,
            round: self.round.0,
            statement: statement as i32,
            signed: self.signed.iter().map(|signed| signed.to_proto()).collect(),
        }
    }
}

/// Whose key it is, proved by the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The member.
    pub member: MemberId,
    /// Its legal name, where the evidence proves that too.
    pub legal_name: Option<String>,
    /// First height at which the registry held the key valid.
    pub valid_from: Height,
    /// First height at which it no longer did; `None` while it does.
    pub valid_to: Option<Height>,
    /// Height of the header that this is as of.
    pub as_of: Height,
}

/// What verified evidence says.
#[derive(Debug, Clone)]
pub struct Verified {
    /// Who signed what twice.
    pub equivocation: Equivocation,
    /// Its voting power at that height.
    pub power: u64,
    /// All voting power of that height.
    pub total_power: u64,
    /// Heights of which the evidence shows that the key voted there, ascending; a change of the set
    /// that it leaves out may lie between them.
    pub validator_at: Vec<Height>,
    /// Whose key it is, where the evidence proves it.
    pub holder: Option<Holder>,
}

/// Reads and verifies evidence.
///
/// # Errors
/// See [`EvidenceError`].
pub fn verify_bytes(bytes: &[u8], trust: &TrustRoot) -> Result<Verified, EvidenceError> {
    verify(&wire::decode::<pb::Evidence>(bytes, MAX_EVIDENCE_BYTES)?, trust)
}

/// Verifies evidence that came as a message.
///
/// # Errors
/// See [`EvidenceError`].
pub fn verify(evidence: &pb::Evidence, trust: &TrustRoot) -> Result<Verified, EvidenceError> {
    let message = evidence.equivocation.as_ref().ok_or_else(|| field("equivocation"))?;
    let equivocation = Equivocation::from_proto(message)?;
    if equivocation.network != trust.network {
        return Err(ReceiptError::WrongNetwork.into());
    }
    let height = equivocation.height;
    if height <= trust.height {
        let (header, trust) = (height, trust.height);
        return Err(ReceiptError::OlderThanTrust { header, trust }.into());
    }
    let mut validator_at = BTreeSet::new();
    let mut note = |at: Height, set: &ValidatorSet| {
        if set.position(&equivocation.validator).is_some() {
            validator_at.insert(at);
        }
    };
    note(trust.height.next(), &trust.validators);
    let validator = if height == trust.height.next() {
        judge(&equivocation, &trust.validators, &trust.era)?
    } else {
        let changes = after(&evidence.set_changes, trust.height);
        for change in &changes {
            let (Some(header), Some(next)) = (&change.header, &change.next) else { continue };
            // What is malformed is refused below, in the order that all verifiers have.
            if let Ok(set) = ValidatorSet::from_proto(next) {
                note(Height(header.height).next(), &set);
            }
        }
        let (set, era) = set_at(evidence, &changes, trust)?;
        note(height, &set);
        judge(&equivocation, &set, &era)?
    };
    let holder = holder(evidence, &equivocation, trust)?;
    let (power, total_power) = validator;
    let validator_at = validator_at.into_iter().collect();
    Ok(Verified { equivocation, power, total_power, validator_at, holder })
}

/// The validator's power and that of all.
fn judge(
    equivocation: &Equivocation,
    set: &ValidatorSet,
    era: &Era,
) -> Result<(u64, u64), EvidenceError> {
    let validator = set
        .position(&equivocation.validator)
        .and_then(|position| set.validators().get(position))
        .ok_or(EvidenceError::NotAValidator(equivocation.height))?;
    let Validator { key, power } = validator;
    equivocation.verify_signatures(era, key)?;
    Ok((*power, set.total_power()))
}

/// The set of the equivocation's height, the one that the header before it names, and the era. Of
/// the first height after a restart nothing can be shown so: no header names its set.
fn set_at(
    evidence: &pb::Evidence,
    changes: &[pb::SetChange],
    trust: &TrustRoot,
) -> Result<(ValidatorSet, Era), EvidenceError> {
    let certified = CertifiedHeader::from_proto(
        evidence.header.as_ref(),
        evidence.certificate.as_ref(),
        changes,
    )?;
    let set = evidence.validators.as_ref().ok_or_else(|| field("validators"))?;
    let set = ValidatorSet::from_proto(set).map_err(ReceiptError::from)?;
    let era = trust.verify_header(&certified)?;
    let header: &Header = &certified.header;
    let height = evidence.equivocation.as_ref().map(|equivocation| equivocation.height);
    if height != Some(header.height.next().0) || set.hash() != header.next_validators {
        return Err(ReceiptError::WrongNextSet.into());
    }
    Ok((set, era))
}

/// Set changes after a height; a verifier that starts later than the evidence was made for has no
/// need of the earlier ones.
fn after(changes: &[pb::SetChange], height: Height) -> Vec<pb::SetChange> {
    let later = |change: &&pb::SetChange| {
        change.header.as_ref().is_none_or(|header| header.height > height.0)
    };
    changes.iter().filter(later).cloned().collect()
}

/// A value that the registry held under a key, and the height as of which.
fn registered<M: prost::Message + Default + 'static>(
    proof: &pb::StateProof,
    key: &[u8],
    trust: &TrustRoot,
) -> Result<(M, Height), EvidenceError> {
    let set_changes = after(&proof.set_changes, trust.height);
    let proved = receipt::verify_state(&pb::StateProof { set_changes, ..proof.clone() }, trust)?;
    let value = proved.value.filter(|_| proved.key == key).ok_or(EvidenceError::WrongMember)?;
    let value = wire::decode(&value, MAX_EVIDENCE_BYTES).map_err(|_| EvidenceError::WrongMember)?;
    Ok((value, proved.header.height))
}

fn holder(
    evidence: &pb::Evidence,
    equivocation: &Equivocation,
    trust: &TrustRoot,
) -> Result<Option<Holder>, EvidenceError> {
    let Some(proof) = &evidence.key else {
        let alone = evidence.member.is_some();
        return if alone { Err(EvidenceError::WrongMember) } else { Ok(None) };
    };
    let id = crate::keys::key_id(pb::KeyAlgorithm::Ed25519, &equivocation.validator);
    let key = match registered::<pb::KeyState>(proof, &state::key_key(&id), trust) {
        // The entries are as of an older header than this verifier starts from: they show nothing
        // to it, and take nothing from the equivocation.
        Err(error) if error.cannot_tell() => return Ok(None),
        other => other?,
    };
    let (key, as_of) = key;
    let member =
        MemberId::try_from(key.member.as_slice()).map_err(|_| EvidenceError::WrongMember)?;
    let entry = evidence
        .member
        .as_ref()
        .map(|proof| registered::<pb::MemberState>(proof, &state::member_key(&member), trust));
    let legal_name = entry.transpose()?.and_then(|(state, _)| Some(state.entry?.legal_name));
    Ok(Some(Holder {
        member,
        legal_name,
        valid_from: Height(key.valid_from_height),
        valid_to: Some(Height(key.valid_to_height)).filter(|to| to.0 > 0),
        as_of,
    }))
}
