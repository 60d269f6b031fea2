//! A capsule: one file with everything that leads from a lot back to the certificates it is made of, proved against one
//! certified header. Refuses encodings that are not canonical and events, records and entries out of order.
//! Specification: `proto/README.md` section 12.
//!
//! ```text
//!   bytes ──Capsule::decode──▶ Capsule ──inspect(trust root, Acceptance)──▶ Verdict
//!                                            events │ records │ entries │ graph          findings, each with its evidence
//! ```

mod acceptance;
mod assembly;
mod clear;
mod demands;
mod entries;
mod events;
mod graph;
mod heads;
mod inspect;
mod parts;
mod records;
mod sources;
mod verdict;
mod wire;

pub use acceptance::{Acceptance, Claim, Depth, Limits, Mine};
pub use assembly::{Frame, Holdings, assemble};
pub use inspect::inspect;
pub use verdict::{About, Check, Finding, Made, Outcome, Part, Source, Step, Told, Verdict};
pub use wire::{
    Capsule, CapsuleEntry, CapsuleEvent, CapsuleHead, CapsuleRecord, MAX_CAPSULE_BYTES, MAX_EVENTS,
};

use heatmark_ledger::receipt::ReceiptError;
use thiserror::Error;

/// Why a file proves nothing at all. What is wrong with single events is a [`Finding`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CapsuleError {
    /// Not a capsule in its one encoding, or one of a version that this program does not know.
    #[error("it is no capsule in its one encoding")]
    NotCanonical,
    /// Longer than any capsule; nothing of it was read.
    #[error("it is longer than any capsule")]
    TooLong,
    /// Made on another network than the trust root's.
    #[error("it belongs to another network")]
    WrongNetwork,
    /// Its header is not certified, or this trust root cannot tell.
    #[error("its header: {0}")]
    Header(ReceiptError),
    /// An entry of the registry or of alerts is not what the header's state holds.
    #[error("an entry in it is not proved by the header's state")]
    Entry,
    /// Events, records or entries are not in their order, or stand twice.
    #[error("its events, records or entries are out of order")]
    Order,
}

impl CapsuleError {
    /// A stable name, the same in every implementation.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotCanonical => "not-canonical",
            Self::TooLong => "too-long",
            Self::WrongNetwork => "wrong-network",
            Self::Header(fault) => fault.code(),
            Self::Entry => "state-proof",
            Self::Order => "capsule-order",
        }
    }

    /// Whether the capsule may be sound but this trust root cannot say.
    #[must_use]
    pub fn cannot_tell(&self) -> bool {
        matches!(self, Self::Header(fault) if fault.cannot_tell())
    }
}
