//! Why a lot, an event or its proofs are refused, with a name for each reason that every implementation shares.

use heatmark_records::RecordError;
use thiserror::Error;

/// Why a lot, an event or its proofs are refused. The maker's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LotError {
    /// Bytes that are no canonical encoding of what they should be.
    #[error("it is not in its one encoding")]
    NotCanonical,
    /// Longer than anything valid; nothing of it was read.
    #[error("it is longer than its limit")]
    TooLong,
    /// Made by a version that this program does not know: use a newer program.
    #[error("it is of a version that this program does not know")]
    UnknownVersion,
    /// A kind of event that this program does not know.
    #[error("it is an event of a kind that is not known")]
    UnknownKind,
    /// A commitment is no canonical encoding of a point, or a blinding not below the group's order.
    #[error("a commitment or a blinding is not canonical")]
    BadCommitment,
    /// Mass, pieces and blindings that are shown are not those committed to.
    #[error("the quantities do not open the lot's commitments")]
    WrongOpening,
    /// The seal's key and blind are not those of the lot.
    #[error("a broken seal is not the lot's")]
    WrongSeal,
    /// More or fewer inputs, outputs or parts than this kind of event has.
    #[error("the event does not have the inputs and outputs of its kind")]
    Shape,
    /// One input is named twice.
    #[error("an input is named twice")]
    InputTwice,
    /// Two outputs have one seal or are the same.
    #[error("two outputs have the same seal")]
    SealTwice,
    /// The event has a part that its kind does not have, or lacks one.
    #[error("the event has a part that its kind must not have, or lacks one that it must")]
    WrongPart,
    /// Materials that differ, or a class that does not follow from what went in.
    #[error("the material class does not follow from what went in")]
    Class,
    /// Something that the event must keep is not what it was.
    #[error("something changed that this kind of event keeps")]
    Changed,
    /// An output expires later than what went into it.
    #[error("an output expires later than an input")]
    Expiry,
    /// The components do not add up to what they are taken from.
    #[error("the components are not those of the assembly")]
    Components,
    /// Serial ranges overlap, or exceed those that went in, or are written out of order.
    #[error("serial ranges overlap or exceed those that went in")]
    Serials,
    /// The serials of a lot are not as many as its pieces.
    #[error("a lot has another number of serials than pieces")]
    SerialCount,
    /// A serial does not stand where the label's proof says.
    #[error("the serial does not stand in the lot's tree")]
    WrongSerial,
    /// The certificate's mass is not a single number in a unit of mass, or it commissions nothing.
    #[error("the certificate states no mass that can be commissioned")]
    NoCertifiedMass,
    /// An input's lot is not there: ask for it. What was checked without it says nothing.
    #[error("an input of the event is missing")]
    InputMissing,
    /// Not as many proofs as the event needs, or of another length.
    #[error("the event has another number of proofs than it needs")]
    ProofCount,
    /// More mass or pieces come out than went in, or the proof was made for another event.
    #[error("the proof that masses or pieces balance does not verify")]
    Balance,
    /// A quantity is negative or too large, or the proof was made for another event.
    #[error("the proof that quantities are in range does not verify")]
    Range,
}

impl LotError {
    /// A stable name, the same in every implementation.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotCanonical => "not-canonical",
            Self::TooLong => "too-long",
            Self::UnknownVersion => "unknown-version",
            Self::UnknownKind => "unknown-kind",
            Self::BadCommitment => "bad-commitment",
            Self::WrongOpening => "wrong-opening",
            Self::WrongSeal => "wrong-seal",
            Self::Shape => "event-shape",
            Self::InputTwice => "input-twice",
            Self::SealTwice => "seal-twice",
            Self::WrongPart => "event-part",
            Self::Class => "class",
            Self::Changed => "changed",
            Self::Expiry => "expiry",
            Self::Components => "components",
            Self::Serials => "serials",
            Self::SerialCount => "serial-count",
            Self::WrongSerial => "wrong-serial",
            Self::NoCertifiedMass => "no-certified-mass",
            Self::InputMissing => "input-missing",
            Self::ProofCount => "proof-count",
            Self::Balance => "balance",
            Self::Range => "range",
        }
    }
}

impl From<RecordError> for LotError {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::BadCommitment => Self::BadCommitment,
            RecordError::TooLong => Self::TooLong,
            _ => Self::NotCanonical,
        }
    }
}

/// Why an event cannot be made. The caller's own numbers or plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MakeError {
    /// The event would be refused: mend the plan.
    #[error("{0}")]
    Rule(#[from] LotError),
    /// Inputs, outputs or parts do not match the quantities that were given for them.
    #[error("the quantities given are not those of the event's lots")]
    Witness,
    /// What comes out, with the scrap, is not what went in: correct the quantities.
    #[error("what comes out and the scrap are not what went in")]
    Unbalanced,
    /// More than the certificate, the tolerance or the declared share allows, or a number beyond 64 bits.
    #[error("more than the certificate, the tolerance or the declared share allows")]
    TooMuch,
    /// The proof system failed; a defect.
    #[error("the proof could not be made")]
    Proof,
}
