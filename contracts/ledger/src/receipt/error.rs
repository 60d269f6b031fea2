//! Why evidence is not accepted, with a name for each reason that every implementation shares.

use crate::certificate::CertificateError;
use crate::ids::Height;
use crate::validators::SetError;
use crate::wire::WireError;
use heatmark_merkle::ProofError;
use thiserror::Error;

/// Why evidence is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReceiptError {
    /// Not the message it claims to be, in its one encoding.
    #[error("{0}")]
    Wire(#[from] WireError),
    /// A field is missing or has the wrong length.
    #[error("field {0} is missing or has the wrong length")]
    Field(&'static str),
    /// Made for another network.
    #[error("it belongs to another network")]
    WrongNetwork,
    /// Its header is not later than the trust root's: this trust root cannot tell. Use genesis or
    /// an older pinned header, or ask for a newer receipt.
    #[error("its header (height {header}) is not later than the trust root (height {trust})")]
    OlderThanTrust {
        /// Height of the evidence's header.
        header: Height,
        /// Height of the trust root.
        trust: Height,
    },
    /// Set changes are not strictly between trust root and header, ascending.
    #[error("the validator set changes are out of order")]
    SetChangeOrder,
    /// A set change that changes nothing.
    #[error("a validator set change names the same set again")]
    SetChangeUnchanged,
    /// A set is not the one its header names.
    #[error("a validator set is not the one its header names")]
    WrongNextSet,
    /// A list of validators is not a set.
    #[error("{0}")]
    InvalidSet(#[from] SetError),
    /// A certificate does not prove its header.
    #[error("{0}")]
    Certificate(#[from] CertificateError),
    /// A restart at the trust root's height starts from another header, or brings a certificate.
    #[error("a restart at the trust root's height does not start from its header")]
    RestartHeader,
    /// A restart's members are not those that its header's state proves, or out of order.
    #[error("the members of a restart are not those of its header's state")]
    RestartMembers,
    /// A restart's signature is not by the root key of an active member as of its header.
    #[error("a signature of a restart is not by the root key of an active member")]
    RestartSignature,
    /// Fewer than two thirds of the active members signed a restart.
    #[error("fewer than two thirds of the active members signed the restart")]
    RestartQuorum,
    /// The transaction does not stand where the receipt says.
    #[error("the inclusion path does not lead to the header's log root: {0}")]
    Inclusion(ProofError),
    /// The map proof does not lead to the header's state root.
    #[error("the state proof does not lead to the header's state root: {0}")]
    State(ProofError),
    /// The proven transaction's body is not canonical.
    #[error("the transaction inside is malformed")]
    Transaction,
}

impl ReceiptError {
    /// A stable name, the same in every implementation.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Wire(_) => "not-canonical",
            Self::Field(_) => "wrong-length",
            Self::WrongNetwork => "wrong-network",
            Self::OlderThanTrust { .. } => "older-than-trust",
            Self::SetChangeOrder => "set-change-order",
            Self::SetChangeUnchanged => "set-change-unchanged",
            Self::WrongNextSet => "wrong-next-set",
            Self::InvalidSet(_) => "invalid-set",
            Self::Certificate(CertificateError::Order) => "certificate-order",
            Self::Certificate(CertificateError::Signature) => "certificate-signature",
            Self::Certificate(CertificateError::Quorum) => "certificate-quorum",
            Self::RestartHeader => "restart-header",
            Self::RestartMembers => "restart-members",
            Self::RestartSignature => "restart-signature",
            Self::RestartQuorum => "restart-quorum",
            Self::Inclusion(_) => "inclusion-path",
            Self::State(_) => "state-proof",
            Self::Transaction => "body-not-canonical",
        }
    }

    /// Whether the evidence may be sound but this trust root cannot say.
    #[must_use]
    pub fn cannot_tell(&self) -> bool {
        matches!(self, Self::OlderThanTrust { .. })
    }
}
