//! Results: their shapes, with plain numbers as the opening has them or with commitments as leaves have them, in one
//! encoding. Refuses no results, too many, and shapes that are not known. Specification: `proto/README.md` section 9.

use super::reader::Reader;
use super::{Decimal, MAX_SCALE, MAX_SEVERAL, MAX_UNIT_BYTES, printable};
use crate::RecordError;
use crate::commitment::Commitment;

const SHAPE_NUMBER: u8 = 1;
const SHAPE_RANGE: u8 = 2;
const SHAPE_SEVERAL: u8 = 3;
const SHAPE_BALANCE: u8 = 4;
const SHAPE_VERDICT: u8 = 5;

/// A number of a result: plain, or committed to.
pub(crate) trait Figure: Sized {
    fn write(&self, out: &mut Vec<u8>);
    fn read(bytes: &mut &[u8]) -> Result<Self, RecordError>;
}

/// A commitment to the mantissa of a decimal whose decimal places are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommittedDecimal {
    /// The commitment to the mantissa.
    pub commitment: Commitment,
    /// How many of the digits stand behind the point, 0 to 30.
    pub scale: u8,
}

/// A result whose numbers are committed to: what its leaf holds, readable without any number.
pub type Committed = Measured<CommittedDecimal>;

impl Figure for Decimal {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.encode());
    }

    fn read(bytes: &mut &[u8]) -> Result<Self, RecordError> {
        Self::decode(take(bytes)?)
    }
}

impl Figure for CommittedDecimal {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.commitment.as_bytes());
        out.push(self.scale);
    }

    fn read(bytes: &mut &[u8]) -> Result<Self, RecordError> {
        let commitment = Commitment::decode(take(bytes)?)?;
        let [scale] = take(bytes)?;
        if scale > MAX_SCALE {
            return Err(RecordError::NotCanonical);
        }
        Ok(Self { commitment, scale })
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], RecordError> {
    let (taken, rest) = bytes.split_first_chunk::<N>().ok_or(RecordError::NotCanonical)?;
    *bytes = rest;
    Ok(*taken)
}

/// A result with its unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured<F = Decimal> {
    /// The unit as the certificate writes it (`%`, `ppm`, `MPa`); empty for a pure number.
    pub unit: String,
    /// The result.
    pub quantity: Quantity<F>,
}

/// The shapes that a result takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Quantity<F = Decimal> {
    /// One number, with how it relates to the true one.
    Number(Relation, F),
    /// Everything between two numbers.
    Range {
        /// Lower end.
        low: F,
        /// Upper end, not below `low`.
        high: F,
        /// Whether the ends belong to the range.
        inclusive: bool,
    },
    /// Several single results, in the certificate's order; 1 to 256.
    Several(Vec<(Relation, F)>),
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

    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Equal => 1,
            Self::Less => 2,
            Self::LessOrEqual => 3,
            Self::Greater => 4,
            Self::GreaterOrEqual => 5,
        }
    }

    pub(super) const fn from_code(code: u8) -> Option<Self> {
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

#[expect(private_bounds, reason = "what is under it is for this crate alone")]
impl<F: Figure> Measured<F> {
    pub(super) fn check(&self) -> Result<(), RecordError> {
        printable(&self.unit, MAX_UNIT_BYTES)?;
        match &self.quantity {
            Quantity::Several(results) if results.is_empty() || results.len() > MAX_SEVERAL => {
                Err(RecordError::ValueTooLong)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn encode_into(&self, out: &mut Vec<u8>) {
        out.push(u8::try_from(self.unit.len()).unwrap_or(u8::MAX));
        out.extend_from_slice(self.unit.as_bytes());
        match &self.quantity {
            Quantity::Number(relation, decimal) => {
                out.extend_from_slice(&[SHAPE_NUMBER, relation.code()]);
                decimal.write(out);
            }
            Quantity::Range { low, high, inclusive } => {
                out.extend_from_slice(&[SHAPE_RANGE, u8::from(*inclusive)]);
                low.write(out);
                high.write(out);
            }
            Quantity::Several(results) => {
                out.push(SHAPE_SEVERAL);
                out.extend_from_slice(
                    &u16::try_from(results.len()).unwrap_or(u16::MAX).to_be_bytes(),
                );
                for (relation, decimal) in results {
                    out.push(relation.code());
                    decimal.write(out);
                }
            }
            Quantity::Balance => out.push(SHAPE_BALANCE),
            Quantity::Verdict(passed) => out.extend_from_slice(&[SHAPE_VERDICT, u8::from(*passed)]),
        }
    }

    pub(super) fn decode_from(input: &mut Reader<'_>) -> Result<Self, RecordError> {
        let unit_bytes = usize::from(input.byte()?);
        let unit = input.text(unit_bytes)?;
        let quantity = match input.byte()? {
            SHAPE_NUMBER => Quantity::Number(input.relation()?, F::read(&mut input.0)?),
            SHAPE_RANGE => {
                let inclusive = input.flag()?;
                Quantity::Range {
                    low: F::read(&mut input.0)?,
                    high: F::read(&mut input.0)?,
                    inclusive,
                }
            }
            SHAPE_SEVERAL => {
                let count = usize::from(u16::from_be_bytes(input.array()?));
                if count > MAX_SEVERAL {
                    return Err(RecordError::ValueTooLong);
                }
                let mut results = Vec::with_capacity(count);
                for _ in 0..count {
                    results.push((input.relation()?, F::read(&mut input.0)?));
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

impl<F> Quantity<F> {
    /// The numbers, in their order; none for a balance and a verdict.
    pub fn figures(&self) -> impl Iterator<Item = &F> {
        let (single, several): ([Option<&F>; 2], &[(Relation, F)]) = match self {
            Self::Number(_, number) => ([Some(number), None], &[]),
            Self::Range { low, high, .. } => ([Some(low), Some(high)], &[]),
            Self::Several(results) => ([None, None], results),
            Self::Balance | Self::Verdict(_) => ([None, None], &[]),
        };
        single.into_iter().flatten().chain(several.iter().map(|(_, number)| number))
    }

    /// The same shape with other numbers, which `next` gives in their order.
    pub(crate) fn with<G>(
        &self,
        mut next: impl FnMut(&F) -> Result<G, RecordError>,
    ) -> Result<Quantity<G>, RecordError> {
        Ok(match self {
            Self::Number(relation, number) => Quantity::Number(*relation, next(number)?),
            Self::Range { low, high, inclusive } => {
                Quantity::Range { low: next(low)?, high: next(high)?, inclusive: *inclusive }
            }
            Self::Several(results) => {
                let each = |(relation, number): &(Relation, F)| Ok((*relation, next(number)?));
                Quantity::Several(results.iter().map(each).collect::<Result<_, _>>()?)
            }
            Self::Balance => Quantity::Balance,
            Self::Verdict(passed) => Quantity::Verdict(*passed),
        })
    }
}

impl Measured {
    /// The result with commitments in the place of its numbers, as many of the one as of the other.
    pub(crate) fn committed(&self, commitments: &[Commitment]) -> Result<Committed, RecordError> {
        let mut commitments = commitments.iter();
        let quantity = self.quantity.with(|number| {
            let commitment = *commitments.next().ok_or(RecordError::WrongLength)?;
            Ok(CommittedDecimal { commitment, scale: number.scale() })
        })?;
        match commitments.next() {
            None => Ok(Measured { unit: self.unit.clone(), quantity }),
            Some(_) => Err(RecordError::WrongLength),
        }
    }
}
