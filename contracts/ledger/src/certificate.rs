//! What validators sign, and what a quorum of it proves. The engine signs exactly these bytes, so a
//! certificate verifies without the engine. Refuses certificates with any signature that does not
//! verify, out of order, or short of a quorum. Specification: `proto/README.md`, sections 1 and 6.

use crate::header::Header;
use crate::ids::{Era, HeaderHash, Height, Round};
use crate::validators::{MAX_VALIDATORS, ValidatorSet};
use heatmark_merkle::tag;
use heatmark_proto::ledger::v1 as pb;
use thiserror::Error;

/// The two votes of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VoteKind {
    /// First vote.
    Prevote,
    /// Second vote; a quorum of these is a commit certificate.
    Precommit,
}

/// Signed bytes of a vote; `value` is `None` for nil. The era is that of the height: the network
/// itself until its first restart.
#[must_use]
pub fn vote_preimage(
    era: impl Into<Era>,
    kind: VoteKind,
    (height, round): (Height, Round),
    value: Option<&HeaderHash>,
    validator_key: &[u8; 32],
) -> Vec<u8> {
    let kind = match kind {
        VoteKind::Prevote => 1_u8,
        VoteKind::Precommit => 2,
    };
    let value: &[u8] = value.map_or(&[], |hash| hash.as_bytes());
    tag::preimage(
        "vote",
        &[
            era.into().as_bytes(),
            &[kind],
            &height.0.to_be_bytes(),
            &round.0.to_be_bytes(),
            value,
            validator_key,
        ],
    )
}

/// Signed bytes of a proposal; `lock_round` is the proof-of-lock round, if any.
#[must_use]
pub fn proposal_preimage(
    era: impl Into<Era>,
    (height, round): (Height, Round),
    lock_round: Option<Round>,
    value: &HeaderHash,
    validator_key: &[u8; 32],
) -> Vec<u8> {
    let lock = lock_round.map_or(0, |round| round.0.saturating_add(1));
    tag::preimage(
        "proposal",
        &[
            era.into().as_bytes(),
            &height.0.to_be_bytes(),
            &round.0.to_be_bytes(),
            &lock.to_be_bytes(),
            value.as_bytes(),
            validator_key,
        ],
    )
}

/// Why a certificate proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CertificateError {
    /// Indices not ascending, or outside the set.
    #[error("certificate signatures are out of order or name no validator of the set")]
    Order,
    /// A signature does not verify.
    #[error("a certificate signature does not verify")]
    Signature,
    /// Two thirds of the voting power or less.
    #[error("the certificate has no quorum of the voting power")]
    Quorum,
}

/// Precommits for one header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitCertificate {
    /// Round in which the header was decided.
    pub round: Round,
    /// Position in the validator set, and signature; ascending.
    pub signatures: Vec<(u32, Vec<u8>)>,
}

impl CommitCertificate {
    /// Verifies that `set` decided `header` before any restart: see [`Self::verify_in`].
    ///
    /// # Errors
    /// See [`CertificateError`].
    pub fn verify(&self, header: &Header, set: &ValidatorSet) -> Result<(), CertificateError> {
        self.verify_in(&Era::of(header.network), header, set)
    }

    /// Verifies that `set` decided `header` in this era: all signatures valid, ascending, and a
    /// quorum.
    ///
    /// # Errors
    /// See [`CertificateError`].
    pub fn verify_in(
        &self,
        era: &Era,
        header: &Header,
        set: &ValidatorSet,
    ) -> Result<(), CertificateError> {
        if !self.signatures.is_sorted_by(|a, b| a.0 < b.0) {
            return Err(CertificateError::Order);
        }
        let validators = set.validators();
        let position = |index: u32| usize::try_from(index).ok().and_then(|at| validators.get(at));
        if self.signatures.last().is_some_and(|(last, _)| position(*last).is_none()) {
            return Err(CertificateError::Order);
        }
        let hash = header.hash();
        let mut power: u64 = 0;
        for (index, signature) in &self.signatures {
            let validator = position(*index).ok_or(CertificateError::Order)?;
            let preimage = vote_preimage(
                era,
                VoteKind::Precommit,
                (header.height, self.round),
                Some(&hash),
                &validator.key.to_bytes(),
            );
            validator.key.verify(&preimage, signature).map_err(|_| CertificateError::Signature)?;
            power = power.saturating_add(validator.power);
        }
        if is_quorum(power, set.total_power()) { Ok(()) } else { Err(CertificateError::Quorum) }
    }

    /// Reads the message; signatures are checked by [`Self::verify`].
    ///
    /// # Errors
    /// [`CertificateError::Order`] when it has more signatures than a set has validators.
    pub fn from_proto(message: &pb::CommitCertificate) -> Result<Self, CertificateError> {
        if message.signatures.len() > MAX_VALIDATORS {
            return Err(CertificateError::Order);
        }
        let signatures =
            message.signatures.iter().map(|s| (s.validator, s.signature.clone())).collect();
        Ok(Self { round: Round(message.round), signatures })
    }

    /// The message.
    #[must_use]
    pub fn to_proto(&self) -> pb::CommitCertificate {
        let signatures = self
            .signatures
            .iter()
            .map(|(validator, signature)| pb::CommitSignature {
                validator: *validator,
                signature: signature.clone(),
            })
            .collect();
        pb::CommitCertificate { round: self.round.0, signatures }
    }
}

/// Whether `power` is more than two thirds of `total`.
#[must_use]
pub fn is_quorum(power: u64, total: u64) -> bool {
    u128::from(power).saturating_mul(3) > u128::from(total).saturating_mul(2)
}
