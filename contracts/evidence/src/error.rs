//! Why a disclosure or an agreement is refused, with a name for each reason that every implementation shares.

use heatmark_ledger::receipt::ReceiptError;
use heatmark_records::RecordError;
use heatmark_records::conformance::ConformanceError;
use thiserror::Error;

/// Why a disclosure is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DisclosureError {
    /// Not a disclosure in its one encoding, or one of a version that this program does not know.
    #[error("it is no disclosure in its one encoding")]
    NotCanonical,
    /// Longer than any disclosure; nothing of it was read.
    #[error("it is longer than any disclosure")]
    TooLong,
    /// Made for another network than the trust root's.
    #[error("it belongs to another network")]
    WrongNetwork,
    /// Made for another receiver: ask whoever sent it for one of your own.
    #[error("it was made for another receiver")]
    WrongReceiver,
    /// The receipt, or a state of the registry in it, does not verify.
    #[error("{part}: {fault}")]
    Chain {
        /// Which part.
        part: &'static str,
        /// What is wrong with it.
        fault: ReceiptError,
    },
    /// The receipt is of another transaction than an anchor.
    #[error("its receipt is not of an anchor")]
    NotAnAnchor,
    /// The record is not in the anchor's batch.
    #[error("the record does not stand in the anchor's batch")]
    BatchPath,
    /// The anchor is signed by a key that the registry holds for somebody else than the head's issuer.
    #[error("the anchor is not signed by a key of the record's issuer")]
    NotTheIssuer,
    /// A registry entry is of another key or member than it has to be.
    #[error("a registry entry in it is of another key or member")]
    WrongEntry,
    /// A field does not belong to this record, or was changed.
    #[error("field {path}: {fault}")]
    Field {
        /// The path as the disclosure names it.
        path: String,
        /// What is wrong with it.
        fault: RecordError,
    },
    /// The fields are not in ascending order of path.
    #[error("its fields are out of order")]
    FieldOrder,
    /// One path stands twice.
    #[error("one path stands in it twice")]
    PathTwice,
    /// The record's head is none.
    #[error("the record's head: {0}")]
    Head(RecordError),
    /// The specification cannot be read.
    #[error("its specification cannot be read")]
    Specification,
    /// The specification names who may use it, and the receiver is not among them.
    #[error("its specification may not be used by this receiver")]
    NotForThisMember,
    /// The certificate's own limits are not shown, or not those that were used.
    #[error("the limits used are not the ones that the record shows as its own")]
    OwnLimits,
    /// The proofs do not verify.
    #[error("{0}")]
    Conformance(#[from] ConformanceError),
    /// Both records of an agreement are the same.
    #[error("a record agrees with itself, which says nothing")]
    SameRecord,
    /// The fields of an agreement are not those of its tolerances, or show more than commitments.
    #[error("its fields are not the pairs of numbers that its tolerances name")]
    Pairs,
    /// The key that signed the disclosure is no signing key of a member, valid by the registry's state in the file.
    #[error("the discloser's key is no signing key that is valid")]
    DiscloserKey,
    /// The discloser did not sign exactly this.
    #[error("the discloser's signature does not verify")]
    Signature,
}

impl DisclosureError {
    /// A stable name, the same in every implementation.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotCanonical => "not-canonical",
            Self::TooLong => "too-long",
            Self::WrongNetwork => "wrong-network",
            Self::WrongReceiver => "wrong-receiver",
            Self::Chain { fault, .. } => fault.code(),
            Self::NotAnAnchor => "not-an-anchor",
            Self::BatchPath => "batch-path",
            Self::NotTheIssuer => "not-the-issuer",
            Self::WrongEntry => "wrong-entry",
            Self::Field { fault, .. } | Self::Head(fault) => code_of(*fault),
            Self::FieldOrder => "field-order",
            Self::PathTwice => "path-twice",
            Self::Specification => "specification",
            Self::NotForThisMember => "not-for-this-member",
            Self::OwnLimits => "own-limits",
            Self::Conformance(ConformanceError::Limit(_)) => "limit-unproved",
            Self::Conformance(ConformanceError::Count) => "proof-count",
            Self::Conformance(ConformanceError::Proof) => "conformance-proof",
            Self::SameRecord => "same-record",
            Self::Pairs => "agreement-pairs",
            Self::DiscloserKey => "discloser-key",
            Self::Signature => "disclosure-signature",
        }
    }

    /// Whether the disclosure may be sound but this trust root cannot say.
    #[must_use]
    pub fn cannot_tell(&self) -> bool {
        matches!(self, Self::Chain { fault, .. } if fault.cannot_tell())
    }
}

const fn code_of(fault: RecordError) -> &'static str {
    match fault {
        RecordError::NotCanonical | RecordError::TooLong => "not-canonical",
        RecordError::WrongRoot => "wrong-root",
        RecordError::WrongLength => "wrong-length",
        RecordError::BadCommitment => "bad-commitment",
        RecordError::UnknownSuite => "unknown-suite",
        _ => "bad-field",
    }
}
