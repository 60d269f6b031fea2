//! What can be wrong with a record, an opening or a proof.

use thiserror::Error;

/// Why a record cannot be made, or an opening or a proof is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The caller's path is empty, too long, or has an empty segment or a control character.
    #[error("a path is 1 to 512 bytes of printable text, without empty segments")]
    BadPath,
    /// Two fields were given one path: a record says one thing of a path.
    #[error("two fields have the same path")]
    PathTwice,
    /// There is no field at all.
    #[error("a record needs at least one field")]
    NoFields,
    /// More fields than a record holds: split the certificate.
    #[error("a record has at most 1000 fields")]
    TooManyFields,
    /// A text, unit, media type or list of results is longer than its limit.
    #[error("a value is longer than its limit")]
    ValueTooLong,
    /// A text has control characters, or a unit or media type is not printable text.
    #[error("a text has characters that cannot be printed")]
    BadText,
    /// Not a decimal number within range (30 digits, 30 decimal places).
    #[error("not a decimal number of at most 30 digits")]
    BadDecimal,
    /// Not a calendar date, nor an RFC 3339 date and time.
    #[error("not a date (YYYY-MM-DD) or an RFC 3339 time")]
    BadMoment,
    /// A range's lower end is above its upper end.
    #[error("a range's lower end is above its upper end")]
    EmptyRange,
    /// The depth is not 12, 15 or 18.
    #[error("the depth is not 12, 15 or 18")]
    BadDepth,
    /// The record was made by a suite of algorithms that this version does not know.
    #[error("the record's algorithms are not known to this version")]
    UnknownSuite,
    /// The name of the form is empty, too long or not printable.
    #[error("the name of the form is not 1 to 64 printable characters")]
    BadForm,
    /// Two paths fall into one slot: the head's nonce does not fit these fields.
    #[error("two paths fall into one slot of the tree")]
    SlotTaken,
    /// No nonce separates these paths; another secret may.
    #[error("no slot nonce separates these paths; use another secret")]
    NoNonce,
    /// Bytes that are no canonical encoding of what they should be.
    #[error("the encoding is not canonical")]
    NotCanonical,
    /// Longer than anything valid; nothing of it was read.
    #[error("the encoding is longer than its limit")]
    TooLong,
    /// A commitment is no canonical encoding of a Ristretto point: refuse whoever sent it.
    #[error("a commitment is not the canonical encoding of a point")]
    BadCommitment,
    /// The proof does not lead to the record's root.
    #[error("the proof does not lead to this record's root")]
    WrongRoot,
    /// The path of hashes is not exactly as long as the tree is deep.
    #[error("the proof's path has the wrong length")]
    WrongLength,
}
