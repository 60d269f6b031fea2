//! What a field says, and its one canonical encoding. Numbers are exact decimals, never floats, and a result that
//! is no plain number (`<0.001`, a range, several values, balance, pass or fail) keeps its meaning.
//! Refuses what has no single encoding. Specification: `proto/README.md` section 9.

mod decimal;
mod moment;
#[cfg(test)]
mod tests;

pub use decimal::{Decimal, MAX_SCALE};
pub use moment::Moment;

use crate::RecordError;

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

const SHAPE_NUMBER: u8 = 1;
const SHAPE_RANGE: u8 = 2;
const SHAPE_SEVERAL: u8 = 3;
const SHAPE_BALANCE: u8 = 4;
const SHAPE_VERDICT: u8 = 5;

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

/// A result with its unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// The unit as the certificate writes it (`%`, `ppm`, `MPa`); empty for a pure number.
    pub unit: String,
    /// The result.
    pub quantity: Quantity,
}

/// The shapes that a result takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Quantity {
    /// One number, with how it relates to the true one.
    Number(Relation, Decimal),
    /// Everything between two numbers.
    Range {
        /// Lower end.
        low: Decimal,
        /// Upper end, not below `low`.
        high: Decimal,
        /// Whether the ends belong to the range.
        inclusive: bool,
    },
    /// Several single results, in the certificate's order; 1 to 256.
    Several(Vec<(Relation, Decimal)>),
    /// The rest up to the whole, as in "Fe: balance".
    Balance,
    /// Passed (`true`) or failed.
    Verdict(bool),
}

/// How a stated number relates to the true one: `<0.001` counts as 0.001 against a maximum and proves no minimum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// The number itself.
    Equal,
    /// Below it.
    Less,
    /// Not above it.
    LessOrEqual,
    /// Above it.
    Greater,
    /// Not below it.
    GreaterOrEqual,
}

impl Relation {
    /// Reads the sign that certificates use: `=`, `<`, `<=` or `≤`, `>`, `>=` or `≥`.
    #[must_use]
    pub fn from_sign(sign: &str) -> Option<Self> {
        match sign {
            "=" => Some(Self::Equal),
            "<" => Some(Self::Less),
            "<=" | "≤" => Some(Self::LessOrEqual),
            ">" => Some(Self::Greater),
            ">=" | "≥" => Some(Self::GreaterOrEqual),
            _ => None,
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::Equal => 1,
            Self::Less => 2,
            Self::LessOrEqual => 3,
            Self::Greater => 4,
            Self::GreaterOrEqual => 5,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Equal),
            2 => Some(Self::Less),
            3 => Some(Self::LessOrEqual),
            4 => Some(Self::Greater),
            5 => Some(Self::GreaterOrEqual),
            _ => None,
        }
    }
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
            Self::Measured(measured) => measured.check(),
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
                measured.encode(&mut out);
            }
        }
        out
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
            KIND_MEASURED => Self::Measured(Measured::decode(&mut input)?),
            _ => return Err(RecordError::NotCanonical),
        };
        if !input.0.is_empty() {
            return Err(RecordError::NotCanonical);
        }
        value.check()?;
        Ok(value)
    }
}

impl Measured {
    fn check(&self) -> Result<(), RecordError> {
        printable(&self.unit, MAX_UNIT_BYTES)?;
        match &self.quantity {
            Quantity::Range { low, high, .. } if low.cmp_quantity(high).is_gt() => {
                Err(RecordError::EmptyRange)
            }
            Quantity::Several(results) if results.is_empty() || results.len() > MAX_SEVERAL => {
                Err(RecordError::ValueTooLong)
            }
            _ => Ok(()),
        }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::try_from(self.unit.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(self.unit.as_bytes());
        match &self.quantity {
            Quantity::Number(relation, decimal) => {
                out.extend_from_slice(&[SHAPE_NUMBER, relation.code()]);
                out.extend_from_slice(&decimal.encode());
            }
            Quantity::Range { low, high, inclusive } => {
                out.extend_from_slice(&[SHAPE_RANGE, u8::from(*inclusive)]);
                out.extend_from_slice(&low.encode());
                out.extend_from_slice(&high.encode());
            }
            Quantity::Several(results) => {
                out.push(SHAPE_SEVERAL);
                out.extend_from_slice(
                    &u16::try_from(results.len()).unwrap_or(u16::MAX).to_be_bytes(),
                );
                for (relation, decimal) in results {
                    out.push(relation.code());
                    out.extend_from_slice(&decimal.encode());
                }
            }
            Quantity::Balance => out.push(SHAPE_BALANCE),
            Quantity::Verdict(passed) => out.extend_from_slice(&[SHAPE_VERDICT, u8::from(*passed)]),
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        let unit_bytes = usize::from(input.byte()?);
        let unit = input.text(unit_bytes)?;
        let quantity = match input.byte()? {
            SHAPE_NUMBER => Quantity::Number(input.relation()?, input.decimal()?),
            SHAPE_RANGE => {
                let inclusive = input.flag()?;
                Quantity::Range { low: input.decimal()?, high: input.decimal()?, inclusive }
            }
            SHAPE_SEVERAL => {
                let count = usize::from(u16::from_be_bytes(input.array()?));
                if count > MAX_SEVERAL {
                    return Err(RecordError::ValueTooLong);
                }
                let mut results = Vec::with_capacity(count);
                for _ in 0..count {
                    results.push((input.relation()?, input.decimal()?));
                }
                Quantity::Several(results)
            }
            SHAPE_BALANCE => Quantity::Balance,
            SHAPE_VERDICT => Quantity::Verdict(input.flag()?),
            _ => return Err(RecordError::NotCanonical),
        };
        Ok(Self { unit, quantity })
    }
}

fn bounded(text: &str, max_bytes: usize) -> Result<(), RecordError> {
    if text.len() > max_bytes { Err(RecordError::ValueTooLong) } else { Ok(()) }
}

fn printable(text: &str, max_bytes: usize) -> Result<(), RecordError> {
    bounded(text, max_bytes)?;
    if text.chars().any(char::is_control) { Err(RecordError::BadText) } else { Ok(()) }
}

/// Reads an encoding from the front; never past its end.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], RecordError> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(RecordError::NotCanonical)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        self.take(N)?.try_into().map_err(|_| RecordError::NotCanonical)
    }

    fn byte(&mut self) -> Result<u8, RecordError> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn flag(&mut self) -> Result<bool, RecordError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(RecordError::NotCanonical),
        }
    }

    fn text(&mut self, count: usize) -> Result<String, RecordError> {
        let bytes = self.take(count)?;
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| RecordError::NotCanonical)
    }

    fn rest_text(&mut self) -> Result<String, RecordError> {
        self.text(self.0.len())
    }

    fn relation(&mut self) -> Result<Relation, RecordError> {
        Relation::from_code(self.byte()?).ok_or(RecordError::NotCanonical)
    }

    fn decimal(&mut self) -> Result<Decimal, RecordError> {
        Decimal::decode(self.array()?)
    }
}
