//! Amounts in a currency's minor unit, as whole numbers: reading them from the text that people write, and what a premium
//! comes to. Refuses amounts that a currency does not have, and sums beyond 64 bits. Minor units: ISO 4217.

use heatmark_merkle::{Hash, tag};
use prost::Message;

use crate::wire::{self, is_hash};
use crate::{EscrowError, TermsRefusal};

/// Highest premium in hundredths of a percent: ten times the base.
pub const MAX_PREMIUM: u32 = 100_000;
/// Hundredths of a percent of the whole.
const WHOLE: u128 = 10_000;
/// Longest opening of a base in bytes.
const MAX_BASE_BYTES: usize = 256;
/// Currencies whose minor unit is not the hundredth.
const PLACES: [(&str, u8); 26] = [
    ("BHD", 3),
    ("BIF", 0),
    ("CLF", 4),
    ("CLP", 0),
    ("DJF", 0),
    ("GNF", 0),
    ("IQD", 3),
    ("ISK", 0),
    ("JOD", 3),
    ("JPY", 0),
    ("KMF", 0),
    ("KRW", 0),
    ("KWD", 3),
    ("LYD", 3),
    ("OMR", 3),
    ("PYG", 0),
    ("RWF", 0),
    ("TND", 3),
    ("UGX", 0),
    ("UYI", 0),
    ("UYW", 4),
    ("VND", 0),
    ("VUV", 0),
    ("XAF", 0),
    ("XOF", 0),
    ("XPF", 0),
];

/// What a premium is a share of; the arbiter alone is told it, everybody else has its digest.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Base {
    /// 32 random bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub salt: Vec<u8>,
    /// In the currency's minor unit.
    #[prost(uint64, tag = "2")]
    pub amount: u64,
    /// ISO 4217.
    #[prost(string, tag = "3")]
    pub currency: String,
}

impl Base {
    /// Reads the opening of a base.
    ///
    /// # Errors
    /// [`EscrowError`] when it is too long, not in its one encoding, or no amount.
    pub fn read(bytes: &[u8]) -> Result<Self, EscrowError> {
        let base: Self = wire::decode(bytes, MAX_BASE_BYTES, &[])?;
        if base.amount != 0 && is_hash(&base.salt) && is_currency(&base.currency) {
            Ok(base)
        } else {
            Err(EscrowError::Parts("a base has a salt, an amount and a currency"))
        }
    }

    /// Its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    /// `H("deal-base", deal, bytes)`, which the terms hold.
    #[must_use]
    pub fn digest(&self, deal: &[u8; 32]) -> Hash {
        tag::hash("deal-base", &[deal, &self.to_bytes()])
    }
}

/// What so many hundredths of a percent of an amount come to, rounded up to the next minor unit.
///
/// # Errors
/// [`TermsRefusal::Base`] when the sum has no 64 bits.
pub fn premium(amount: u64, hundredths: u32) -> Result<u64, TermsRefusal> {
    let product = u128::from(amount).checked_mul(u128::from(hundredths));
    let sum = product.map(|product| product.div_ceil(WHOLE));
    sum.and_then(|sum| u64::try_from(sum).ok()).ok_or(TermsRefusal::Base)
}

/// Whether a text is a currency's code.
pub(crate) fn is_currency(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// How many decimal places a currency's amounts have.
#[must_use]
pub fn decimal_places(currency: &str) -> u8 {
    PLACES.iter().find(|(code, _)| *code == currency).map_or(2, |(_, places)| *places)
}

/// An amount as people write it, `250.00 EUR`.
#[must_use]
pub fn format_amount(amount: u64, currency: &str) -> String {
    format!("{} {currency}", format_decimal(amount, decimal_places(currency)))
}

/// Reads `250 EUR` or `250.00 EUR`; none when the text is nothing like it, has more places than the currency, or is too much.
#[must_use]
pub fn parse_amount(text: &str) -> Option<(u64, String)> {
    let (number, currency) = text.split_once(' ')?;
    if !is_currency(currency) {
        return None;
    }
    Some((parse_decimal(number, decimal_places(currency))?, currency.to_owned()))
}

/// A whole number of the last place as a decimal.
pub(crate) fn format_decimal(number: u64, places: u8) -> String {
    let places = usize::from(places);
    let digits = format!("{number:0>width$}", width = places.saturating_add(1));
    let (whole, fraction) = digits.split_at(digits.len().saturating_sub(places));
    if places == 0 { whole.to_owned() } else { format!("{whole}.{fraction}") }
}

/// Reads a decimal of at most so many places as a whole number of the last.
pub(crate) fn parse_decimal(text: &str, places: u8) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let leading = whole.len() > 1 && whole.starts_with('0');
    if !digits(whole) || !digits(fraction) || leading {
        return None;
    }
    let fraction = if text.contains('.') { fraction } else { "" };
    let missing = usize::from(places).checked_sub(fraction.len())?;
    format!("{whole}{fraction}{}", "0".repeat(missing)).parse().ok()
}
