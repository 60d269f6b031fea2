//! Why a transaction is not recorded, one variant a reason. A refusal is the submitter's fault
//! unless its doc says otherwise, and never changes any state.

use crate::deal::DealRefusal;
use crate::keys::KeyError;
use crate::wire::WireError;
use thiserror::Error;

/// Why a transaction cannot stand on the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Not an envelope, or its body not a body, in the one accepted encoding.
    #[error("malformed transaction: {0}")]
    Wire(#[from] WireError),
    /// A field has the wrong length or is out of its range.
    #[error("field {0} has the wrong length or is out of range")]
    Field(&'static str),
    /// The body names no payload.
    #[error("the transaction has no payload")]
    NoPayload,
    /// Too many, too few or other co-signatures than the payload asks for.
    #[error("co-signatures are not the ones this payload needs")]
    Cosignatures,
    /// A key or signature is not acceptable.
    #[error("{0}")]
    Key(#[from] KeyError),
    /// The validity window is empty or longer than the network allows.
    #[error("the validity window is empty or longer than the network allows")]
    Window,
    /// Block time has not reached `not_before_ms`. Transient: submit again later.
    #[error("the transaction is not valid yet")]
    TooEarly,
    /// Block time has passed `not_after_ms`. Sign a new one.
    #[error("the transaction has expired")]
    Expired,
    /// The same transaction stands on the log already.
    #[error("the transaction is on the log already")]
    Replayed,
    /// No member's key has this id.
    #[error("the signing key is not registered")]
    UnknownKey,
    /// The key is registered for another purpose, or not valid at this height.
    #[error("the key may not sign transactions at this height")]
    KeyNotValid,
    /// The member is suspended or has left.
    #[error("the member is not in good standing")]
    MemberNotActive,
    /// A named member is not in the registry.
    #[error("no such member")]
    UnknownMember,
    /// More records than one anchor may carry.
    #[error("an anchor may carry 1 to the network's maximum of records")]
    BatchSize,
    /// The alert's sequence is not the last one's + 1. Read the newest state and sign again.
    #[error("the alert's sequence number is not the next one")]
    AlertSequence,
    /// A revoked record stays revoked.
    #[error("the record is revoked; nothing may follow")]
    AlertFinal,
    /// A clear with nothing to clear, or the level that already stands.
    #[error("the alert changes nothing")]
    AlertUnchanged,
    /// The alert acknowledged is not the one that stands.
    #[error("no such alert stands")]
    NoSuchAlert,
    /// This member has acknowledged this alert.
    #[error("the alert is acknowledged already")]
    Acknowledged,
    /// A seal that the event breaks was broken before: its material has gone another way.
    #[error("a seal of the event was broken before")]
    SealBroken,
    /// Another member carries the event than the one it names.
    #[error("the event may be carried by the member that it names and nobody else")]
    Carrier,
    /// A deal with this id was opened before. Open another with a fresh buyer's key.
    #[error("a deal with this buyer's key was opened before; use a fresh key")]
    DealExists,
    /// No deal with this id was opened, or not yet. Transient when its opening still waits.
    #[error("no such deal was opened")]
    NoSuchDeal,
    /// The step breaks the deal's own rules.
    #[error("{0}")]
    Deal(#[from] DealRefusal),
    /// The key is in the registry already.
    #[error("the key is registered already")]
    KeyInUse,
    /// The member still has voting power.
    #[error("a member with voting power cannot leave; remove its power by vote first")]
    StillValidator,
    /// The registry entry breaks a rule of the registry.
    #[error("registry entry: {0}")]
    Entry(&'static str),
    /// The proposed action cannot be applied to the present state.
    #[error("the proposed action cannot be applied: {0}")]
    Action(&'static str),
    /// No such proposal, or it is decided, or its time is over.
    #[error("the proposal is not open")]
    ProposalNotOpen,
    /// This member has voted on this proposal.
    #[error("the member has voted already")]
    Voted,
}

impl Refusal {
    /// A stable name for metrics and machine-readable answers.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Wire(WireError::TooLong { .. }) => "too-long",
            Self::Wire(WireError::Malformed) => "malformed",
            Self::Wire(WireError::NotCanonical) => "not-canonical",
            Self::Field(_) => "field",
            Self::NoPayload => "no-payload",
            Self::Cosignatures => "cosignatures",
            Self::Key(KeyError::UnacceptableKey) => "unacceptable-key",
            Self::Key(KeyError::BadSignature) => "bad-signature",
            Self::Window => "window",
            Self::TooEarly => "too-early",
            Self::Expired => "expired",
            Self::Replayed => "replayed",
            Self::UnknownKey => "unknown-key",
            Self::KeyNotValid => "key-not-valid",
            Self::MemberNotActive => "member-not-active",
            Self::UnknownMember => "unknown-member",
            Self::BatchSize => "batch-size",
            Self::AlertSequence => "alert-sequence",
            Self::AlertFinal => "alert-final",
            Self::AlertUnchanged => "alert-unchanged",
            Self::NoSuchAlert => "no-such-alert",
            Self::Acknowledged => "acknowledged",
            Self::SealBroken => "seal-broken",
            Self::Carrier => "carrier",
            Self::DealExists => "deal-exists",
            Self::NoSuchDeal => "no-such-deal",
            Self::Deal(refusal) => refusal.code(),
            Self::KeyInUse => "key-in-use",
            Self::StillValidator => "still-validator",
            Self::Entry(_) => "entry",
            Self::Action(_) => "action",
            Self::ProposalNotOpen => "proposal-not-open",
            Self::Voted => "voted",
        }
    }
}
