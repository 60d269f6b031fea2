//! What a scan can mean: readings, each with what it names and with every element in its order.

mod gathering;

use crate::value::Day;
pub(crate) use gathering::Gathering;
use std::fmt;

/// What a scanner typed, and everything that it can mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// How it was written.
    pub form: Form,
    /// What it can mean, best first; at least one. More than one where the scanner dropped separators: look up which
    /// exists, never take the first unseen.
    pub readings: Vec<Reading>,
    /// Whether there are more readings than are listed.
    pub more: bool,
}

/// How a scan was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// A GS1 element string whose separators arrived.
    Elements,
    /// A GS1 element string without any separator: there may be several readings.
    ElementsUnseparated,
    /// A GS1 element string as it is printed, `(01)…(10)…`.
    ElementsInBrackets,
    /// The number of an article alone.
    ArticleNumber,
    /// A GS1 Digital Link.
    Link,
    /// A message after ISO/IEC 15434.
    Message,
    /// One data identifier with its value, as on a tag of one bar code.
    DataIdentifier,
    /// Text elements of ATA Spec 2000.
    TextElements,
    /// The hash of a capsule.
    Capsule,
}

impl Form {
    /// A word for machines.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Elements => "gs1-elements",
            Self::ElementsUnseparated => "gs1-elements-unseparated",
            Self::ElementsInBrackets => "gs1-elements-in-brackets",
            Self::ArticleNumber => "gs1-article-number",
            Self::Link => "gs1-digital-link",
            Self::Message => "iso-15434",
            Self::DataIdentifier => "mh10-data-identifier",
            Self::TextElements => "ata-spec-2000",
            Self::Capsule => "capsule",
        }
    }
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Elements => "GS1 element string",
            Self::ElementsUnseparated => "GS1 element string without separators",
            Self::ElementsInBrackets => "GS1 element string in brackets",
            Self::ArticleNumber => "article number",
            Self::Link => "GS1 Digital Link",
            Self::Message => "ISO/IEC 15434 message",
            Self::DataIdentifier => "data identifier",
            Self::TextElements => "ATA Spec 2000 text elements",
            Self::Capsule => "capsule",
        })
    }
}

/// One thing that a scan can mean.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// The article's GTIN, 14 digits.
    pub gtin: Option<String>,
    /// The lot, by its maker's number where the label has it.
    pub lot: Option<String>,
    /// The serial, by its maker's number where the label has it.
    pub serial: Option<String>,
    /// The part number of the maker.
    pub part_number: Option<String>,
    /// The part number of the customer.
    pub customer_part_number: Option<String>,
    /// Companies that made or supplied it, in order.
    pub suppliers: Vec<Supplier>,
    /// The package: an SSCC or another licence plate.
    pub package: Option<String>,
    /// The customer's order.
    pub order: Option<String>,
    /// The line of that order.
    pub order_line: Option<String>,
    /// Amounts, in order.
    pub amounts: Vec<Amount>,
    /// Dates, in order.
    pub dates: Vec<Date>,
    /// The hash of a capsule.
    pub capsule: Option<Capsule>,
    /// Every element, in order.
    pub elements: Vec<Element>,
}

impl Reading {
    /// When it expires: the first date that says so.
    #[must_use]
    pub fn expiry(&self) -> Option<&Date> {
        self.dates.iter().find(|date| date.kind == DateKind::Expires)
    }
}

/// One element of a label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// `10`, `1T`, `SER`.
    pub identifier: String,
    /// What the standard calls it, in short.
    pub title: &'static str,
    /// Its value.
    pub value: String,
}

/// A company, by a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supplier {
    /// Whose numbers these are.
    pub scheme: Scheme,
    /// The number.
    pub number: String,
}

/// Whose numbers of companies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scheme {
    /// NATO's and the United States' CAGE and NCAGE codes.
    Cage,
    /// Dun & Bradstreet's DUNS numbers.
    Duns,
    /// Global location numbers.
    Gln,
    /// GS1 company prefixes.
    CompanyPrefix,
    /// An issuing agency's code and its number together, after ISO/IEC 15459.
    Agency,
    /// The customer's own numbers.
    Customer,
}

impl Scheme {
    /// A word for machines and people.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Cage => "CAGE",
            Self::Duns => "DUNS",
            Self::Gln => "GLN",
            Self::CompanyPrefix => "GS1-prefix",
            Self::Agency => "ISO-15459",
            Self::Customer => "customer",
        }
    }
}

/// An amount: `value` with its last `decimals` digits after the point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amount {
    /// All digits.
    pub value: u64,
    /// How many of them stand after the point, 0 to 6.
    pub decimals: u8,
    /// Of what.
    pub unit: Unit,
}

impl Amount {
    /// Milligrams, where the unit is a kilogram or gram and the amount is a whole number of them.
    #[must_use]
    pub fn milligrams(&self) -> Option<u64> {
        let thousands: u8 = match self.unit {
            Unit::Kilogram => 6,
            Unit::Gram => 3,
            _ => return None,
        };
        match thousands.checked_sub(self.decimals) {
            Some(up) => self.value.checked_mul(10_u64.checked_pow(u32::from(up))?),
            None => {
                let down = 10_u64.checked_pow(u32::from(self.decimals.checked_sub(thousands)?))?;
                (self.value.checked_rem(down)? == 0).then(|| self.value.checked_div(down)).flatten()
            }
        }
    }

    /// The number, with a point.
    #[must_use]
    pub fn number(&self) -> String {
        let decimals = usize::from(self.decimals);
        let digits = format!("{:0>width$}", self.value, width = decimals.saturating_add(1));
        match digits.split_at_checked(digits.len().saturating_sub(decimals)) {
            Some((whole, fraction)) if !fraction.is_empty() => format!("{whole}.{fraction}"),
            _ => digits,
        }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.number())?;
        match &self.unit {
            Unit::Unstated => Ok(()),
            unit => write!(f, " {}", unit.code()),
        }
    }
}

/// The unit of an amount.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unit {
    /// Pieces.
    Piece,
    /// Kilograms.
    Kilogram,
    /// Grams.
    Gram,
    /// Pounds.
    Pound,
    /// Another unit by its two letters of ANSI X12.3, element 355.
    Code(String),
    /// The label does not say.
    Unstated,
}

impl Unit {
    /// A word for machines and people.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Piece => "pieces",
            Self::Kilogram => "kg",
            Self::Gram => "g",
            Self::Pound => "lb",
            Self::Code(code) => code,
            Self::Unstated => "unstated",
        }
    }
}

/// A date and what it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date {
    /// What happens then.
    pub kind: DateKind,
    /// The day.
    pub day: Day,
    /// Minutes since midnight, where the label has them; it never says in which time zone.
    pub minute: Option<u16>,
    /// Whether the label names the month alone, and `day` is its last.
    pub whole_month: bool,
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.day)?;
        if let Some(minute) = self.minute {
            let (hours, minutes) = (minute.checked_div(60), minute.checked_rem(60));
            write!(f, " {:02}:{:02}", hours.unwrap_or(0), minutes.unwrap_or(0))?;
        }
        if self.whole_month { f.write_str(" (end of the month)") } else { Ok(()) }
    }
}

/// What a date is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DateKind {
    /// Made.
    Produced,
    /// Packed.
    Packed,
    /// Best before.
    BestBefore,
    /// To be sold by.
    SellBy,
    /// Not to be used after.
    Expires,
}

impl DateKind {
    /// A word for machines and people.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Produced => "produced",
            Self::Packed => "packed",
            Self::BestBefore => "best-before",
            Self::SellBy => "sell-by",
            Self::Expires => "expires",
        }
    }
}

/// The hash of a capsule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capsule(
    /// Its 32 bytes.
    pub [u8; 32],
);

impl fmt::Display for Capsule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests;
