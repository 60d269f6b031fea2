//! Handing lots from one company to another: the receiver offers fresh seals, the sender's seals sign the transfer to them and
//! it goes with its capsules and a despatch advice as one parcel, and the receiver posts it or answers. Each file is signed by
//! its maker's node and good for one receiver. Refuses encodings that are not canonical, and parcels whose parts do not belong
//! together. Specification: `proto/README.md` section 13.
//!
//! ```text
//!   receiver ──SealRequest◀── sender          SealOffer ──▶ sender ──Parcel──▶ receiver ──▶ the log, or Answer
//! ```

mod files;
mod holders;
mod parcel;

pub use files::{
    Answer, Count, DespatchAdvice, MAX_PARCEL_BYTES, MAX_TEXT_BYTES, MOST_ASSEMBLIES, Onward,
    Parcel, ParcelAssembly, ParcelComponent, ParcelLot, SealOffer, SealRequest, SignedFile,
    Unproved,
};
pub use holders::HolderTotals;
pub use parcel::{OpenAssembly, OpenComponent, OpenParcel, ParcelPart};

use heatmark_lots::LotError;
use thiserror::Error;

/// Why a file of a transfer is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TransferError {
    /// Not such a file in its one encoding, or one of a version that this program does not know.
    #[error("it is no such file in its one encoding")]
    NotCanonical,
    /// Longer than any such file; nothing of it was read.
    #[error("it is longer than any such file")]
    TooLong,
    /// Made for another network.
    #[error("it belongs to another network")]
    WrongNetwork,
    /// Its signature is not by a key of the member that it names: do not believe it.
    #[error("it is not signed by the company that it names")]
    Signature,
    /// The transaction in it is not the transfer of these lots to this receiver.
    #[error("the transaction in it is not the transfer of its lots to their receiver")]
    Transaction,
    /// A seal of the sender's has not signed it.
    #[error("a seal of its lots has not signed it")]
    Seal,
    /// A lot in it is not the one that its capsule leads to.
    #[error("a lot in it is not the one that its capsule leads to")]
    Capsule,
    /// A lot, its quantities or its description do not check.
    #[error("a lot in it: {0}")]
    Lot(#[from] LotError),
    /// A lot's description is not the one that the lot holds.
    #[error("a lot's description is not the lot's")]
    Description,
}

impl TransferError {
    /// A stable name, the same in every implementation.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotCanonical => "not-canonical",
            Self::TooLong => "too-long",
            Self::WrongNetwork => "wrong-network",
            Self::Signature => "signature",
            Self::Transaction => "transaction",
            Self::Seal => "wrong-seal",
            Self::Capsule => "wrong-capsule",
            Self::Lot(error) => error.code(),
            Self::Description => "description",
        }
    }
}
