//! Exact decimal numbers: a mantissa and a count of decimal places. `0.15` and `0.150` are different statements
//! (of different precision) and stay different; both compare as the same quantity.
//! Refuses more than 30 digits or 30 decimal places.

use std::cmp::Ordering;
use std::fmt;

use crate::RecordError;

/// Most decimal places.
pub const MAX_SCALE: u8 = 30;
const MAX_DIGITS: usize = 30;
/// 10³⁰: no mantissa reaches it.
const MANTISSA_LIMIT: u128 = 1_000_000_000_000_000_000_000_000_000_000;

/// The number `mantissa × 10^-scale`. Equality compares what is stated, precision included; order compares quantity
/// first and precision second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    mantissa: i128,
    scale: u8,
}

impl Decimal {
    /// Makes a decimal from its parts.
    ///
    /// # Errors
    /// `BadDecimal` when the mantissa has more than 30 digits or the scale is above 30.
    pub fn new(mantissa: i128, scale: u8) -> Result<Self, RecordError> {
        if mantissa.unsigned_abs() >= MANTISSA_LIMIT || scale > MAX_SCALE {
            return Err(RecordError::BadDecimal);
        }
        Ok(Self { mantissa, scale })
    }

    /// Reads a number as JSON writes it (RFC 8259 §6), exactly; the exponent moves the point.
    ///
    /// # Errors
    /// `BadDecimal` when it is no such number, or out of range.
    pub fn parse(text: &str) -> Result<Self, RecordError> {
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, parse_exponent(exponent)?),
            None => (text, 0),
        };
        let (negative, digits) = match number.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, number),
        };
        let (whole, places) = match digits.split_once('.') {
            Some((_, "")) => return Err(RecordError::BadDecimal),
            Some(parts) => parts,
            None => (digits, ""),
        };
        let leading_zero = whole.len() > 1 && whole.starts_with('0');
        let all_digits = whole.bytes().chain(places.bytes()).all(|b| b.is_ascii_digit());
        if whole.is_empty() || leading_zero || !all_digits {
            return Err(RecordError::BadDecimal);
        }
        let magnitude = mantissa_of(whole, places)?;
        let scale = i64::try_from(places.len())
            .map_err(|_| RecordError::BadDecimal)?
            .saturating_sub(exponent);
        let (magnitude, scale) = without_negative_scale(magnitude, scale)?;
        let mantissa = if negative {
            magnitude.checked_neg().ok_or(RecordError::BadDecimal)?
        } else {
            magnitude
        };
        Self::new(mantissa, scale)
    }

    /// The digits as a whole number.
    #[must_use]
    pub const fn mantissa(&self) -> i128 {
        self.mantissa
    }

    /// How many of the digits stand behind the point.
    #[must_use]
    pub const fn scale(&self) -> u8 {
        self.scale
    }

    /// Compares the quantities, so that 0.15 equals 0.150.
    #[must_use]
    pub fn cmp_quantity(&self, other: &Self) -> Ordering {
        let scale = self.scale.max(other.scale);
        match (self.raised_to(scale), other.raised_to(scale)) {
            (Some(mine), Some(theirs)) => mine.cmp(&theirs),
            // A number that overflows when raised is larger in magnitude than any that does not.
            (None, Some(_)) => self.mantissa.cmp(&0),
            (Some(_), None) => 0.cmp(&other.mantissa),
            (None, None) => self.mantissa.cmp(&other.mantissa),
        }
    }

    /// This number moved up, or down, by another, exactly.
    ///
    /// # Errors
    /// `BadDecimal` when the result is out of range.
    pub fn moved(&self, by: &Self, down: bool) -> Result<Self, RecordError> {
        let scale = self.scale.max(by.scale);
        let (mine, theirs) =
            self.raised_to(scale).zip(by.raised_to(scale)).ok_or(RecordError::BadDecimal)?;
        let moved = if down { mine.checked_sub(theirs) } else { mine.checked_add(theirs) };
        Self::new(moved.ok_or(RecordError::BadDecimal)?, scale)
    }

    fn raised_to(self, scale: u8) -> Option<i128> {
        let places = u32::from(scale.saturating_sub(self.scale));
        10_i128.checked_pow(places)?.checked_mul(self.mantissa)
    }

    pub(super) fn encode(self) -> [u8; 17] {
        let mut out = [0; 17];
        let (mantissa, scale) = out.split_at_mut(16);
        mantissa.copy_from_slice(&self.mantissa.to_be_bytes());
        scale.fill(self.scale);
        out
    }

    pub(super) fn decode(bytes: [u8; 17]) -> Result<Self, RecordError> {
        let (mantissa, scale) = bytes.split_at(16);
        let mantissa =
            i128::from_be_bytes(mantissa.try_into().map_err(|_| RecordError::NotCanonical)?);
        Self::new(mantissa, *scale.first().ok_or(RecordError::NotCanonical)?)
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        self.cmp_quantity(other).then(self.scale.cmp(&other.scale))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let places = usize::from(self.scale);
        let digits =
            format!("{:0>width$}", self.mantissa.unsigned_abs(), width = places.saturating_add(1));
        let (whole, behind) = digits.split_at(digits.len().saturating_sub(places));
        if behind.is_empty() {
            write!(f, "{sign}{whole}")
        } else {
            write!(f, "{sign}{whole}.{behind}")
        }
    }
}

fn parse_exponent(text: &str) -> Result<i64, RecordError> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || digits.len() > 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(RecordError::BadDecimal);
    }
    let magnitude: i64 = digits.parse().map_err(|_| RecordError::BadDecimal)?;
    Ok(if text.starts_with('-') { magnitude.saturating_neg() } else { magnitude })
}

fn mantissa_of(whole: &str, places: &str) -> Result<i128, RecordError> {
    let digits = [whole, places].concat();
    let significant = digits.trim_start_matches('0');
    if significant.len() > MAX_DIGITS {
        return Err(RecordError::BadDecimal);
    }
    if significant.is_empty() {
        Ok(0)
    } else {
        significant.parse().map_err(|_| RecordError::BadDecimal)
    }
}

fn without_negative_scale(mantissa: i128, scale: i64) -> Result<(i128, u8), RecordError> {
    if let Ok(scale) = u8::try_from(scale) {
        return Ok((mantissa, scale));
    }
    let zeros = u32::try_from(scale.saturating_neg()).map_err(|_| RecordError::BadDecimal)?;
    if mantissa == 0 {
        return Ok((0, 0));
    }
    let factor = 10_i128.checked_pow(zeros).ok_or(RecordError::BadDecimal)?;
    Ok((mantissa.checked_mul(factor).ok_or(RecordError::BadDecimal)?, 0))
}
