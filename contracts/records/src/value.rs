//! What a field says, and its one canonical encoding. Numbers are exact decimals, never floats, and a result that
//! is no plain number (`<0.001`, a range, several values, balance, pass or fail) keeps its meaning.
//! Refuses what has no single encoding. Specification: `proto/README.md` section 9.

mod decimal;
mod measured;
mod moment;
mod reader;
#[cfg(test)]
mod tests;

pub use decimal::{Decimal, MAX_SCALE};
pub use measured::{Committed, CommittedDecimal, Measured, Quantity, Relation};
pub use moment::Moment;

use reader::Reader;

use crate::RecordError;
use crate::commitment::Commitment;

/// Longest text, in bytes of UTF-8.
pub const MAX_TEXT_BYTES: usize = 16_384;
/// Longest unit, in bytes of UTF-8.
pub const MAX_UNIT_BYTES: usize = 64;
/// Most single results in one field.
pub const MAX_SEVERAL: usize = 256;
const MAX_MEDIA_TYPE_BYTES: usize = 100;

const KIND_TEXT: u8 = 1;
const KIND_MOMENT: u8 = 2;
const KIND_DOCUMENT: u8 = 3;
const KIND_MEASURED: u8 = 4;
pub(crate) const KIND_COMMITTED: u8 = 5;

/// The value of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Text of up to 16,384 bytes; tabs and line breaks are its only control characters.
    Text(String),
    /// A date, or a date and time.
    Moment(Moment),
    /// A document that the certificate carries or names.
    Document(Document),
    /// A measured or specified result.
    Measured(Measured),
}

/// The digest of a document; the document itself is no part of the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// SHA-256 of the document's bytes.
    pub sha256: [u8; 32],
    /// Its length in bytes.
    pub length_bytes: u64,
    /// Its media type, such as `image/png`; empty when the certificate does not say.
    pub media_type: String,
}

impl Value {
    /// Checks the limits and that the value has one encoding.
    ///
    /// # Errors
    /// `ValueTooLong`, `BadText` or `EmptyRange`, naming what is wrong.
    pub fn check(&self) -> Result<(), RecordError> {
        match self {
            Self::Text(text) => {
                bounded(text, MAX_TEXT_BYTES)?;
                if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
                    return Err(RecordError::BadText);
                }
                Ok(())
            }
            Self::Moment(_) => Ok(()),
            Self::Document(document) => printable(&document.media_type, MAX_MEDIA_TYPE_BYTES),
            Self::Measured(measured) => {
                measured.check()?;
                match &measured.quantity {
                    Quantity::Range { low, high, .. } if low.cmp_quantity(high).is_gt() => {
                        Err(RecordError::EmptyRange)
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    /// The canonical encoding: a kind byte and the parts that `proto/README.md` section 9 lists.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::Text(text) => {
                out.push(KIND_TEXT);
                out.extend_from_slice(text.as_bytes());
            }
            Self::Moment(moment) => {
                out.push(KIND_MOMENT);
                out.extend_from_slice(moment.as_str().as_bytes());
            }
            Self::Document(document) => {
                out.push(KIND_DOCUMENT);
                out.extend_from_slice(&document.sha256);
                out.extend_from_slice(&document.length_bytes.to_be_bytes());
                out.extend_from_slice(document.media_type.as_bytes());
            }
            Self::Measured(measured) => {
                out.push(KIND_MEASURED);
                measured.encode_into(&mut out);
            }
        }
        out
    }

    /// The numbers of a result, in their order; those that a leaf commits to.
    #[must_use]
    pub fn numbers(&self) -> Vec<Decimal> {
        match self {
            Self::Measured(measured) => measured.quantity.figures().copied().collect(),
            Self::Text(_) | Self::Moment(_) | Self::Document(_) => Vec::new(),
        }
    }

    /// What the field's leaf holds: the value, its numbers replaced by commitments to them.
    pub(crate) fn leaf(&self, commitments: &[Commitment]) -> Result<Vec<u8>, RecordError> {
        match self {
            Self::Measured(measured) if !commitments.is_empty() => {
                Ok(measured.committed(commitments)?.encode())
            }
            other => Ok(other.encode()),
        }
    }

    /// Reads a canonical encoding.
    ///
    /// # Errors
    /// `TooLong` or `NotCanonical`, or what [`Value::check`] refuses.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() > MAX_TEXT_BYTES.saturating_add(1) {
            return Err(RecordError::TooLong);
        }
        let mut input = Reader(bytes);
        let value = match input.byte()? {
            KIND_TEXT => Self::Text(input.rest_text()?),
            KIND_MOMENT => Self::Moment(Moment::new(&input.rest_text()?)?),
            KIND_DOCUMENT => Self::Document(Document {
                sha256: input.array()?,
                length_bytes: u64::from_be_bytes(input.array()?),
                media_type: input.rest_text()?,
            }),
            KIND_MEASURED => Self::Measured(Measured::decode_from(&mut input)?),
            _ => return Err(RecordError::NotCanonical),
        };
        if !input.0.is_empty() {
            return Err(RecordError::NotCanonical);
        }
        value.check()?;
        Ok(value)
    }
}

impl Committed {
    /// The canonical encoding, as the field's leaf holds it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![KIND_COMMITTED];
        self.encode_into(&mut out);
        out
    }

    /// Reads a canonical encoding; every point in it is one.
    ///
    /// # Errors
    /// `TooLong`, `NotCanonical` or `BadCommitment`.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() > MAX_TEXT_BYTES {
            return Err(RecordError::TooLong);
        }
        let mut input = Reader(bytes);
        if input.byte()? != KIND_COMMITTED {
            return Err(RecordError::NotCanonical);
        }
        let committed = Self::decode_from(&mut input)?;
        committed.check()?;
        let committed_to_something = committed.quantity.figures().next().is_some();
        if input.0.is_empty() && committed_to_something {
            Ok(committed)
        } else {
            Err(RecordError::NotCanonical)
        }
    }
}

fn bounded(text: &str, max_bytes: usize) -> Result<(), RecordError> {
    if text.len() > max_bytes { Err(RecordError::ValueTooLong) } else { Ok(()) }
}

fn printable(text: &str, max_bytes: usize) -> Result<(), RecordError> {
    bounded(text, max_bytes)?;
    if text.chars().any(char::is_control) { Err(RecordError::BadText) } else { Ok(()) }
}
