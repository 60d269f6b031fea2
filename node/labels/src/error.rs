//! Why a scan is not read or a label is not drawn. Errors name identifiers and places, never what a label says.

use thiserror::Error;

/// Why nothing can be made of what a scanner typed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ScanError {
    /// Nothing but blanks. Scan again.
    #[error("nothing was scanned")]
    Empty,
    /// Longer than any label. What was handed in is not one scan.
    #[error("longer than the {limit} bytes that a scan may have")]
    TooLong {
        /// Bytes accepted.
        limit: usize,
    },
    /// Bytes beyond ASCII. Such labels are not read; type the number beneath the symbol.
    #[error("holds a character that no identifier on a label may have")]
    NotAscii,
    /// None of the forms. Type the number beneath the symbol as `(01)…(10)…`.
    #[error(
        "neither a GS1 element string or link, nor ISO/IEC 15434, nor text elements, nor a capsule"
    )]
    NoForm,
    /// Not in the table of GS1 application identifiers. The label is wrong, or newer than this program.
    #[error("unknown application identifier {0:?}")]
    UnknownApplication(String),
    /// A value that its identifier does not allow. The label is wrong, or the scanner drops characters.
    #[error("({identifier}) {title}: {what}")]
    Value {
        /// Whose value it is.
        identifier: String,
        /// Its name in the standard.
        title: &'static str,
        /// What is wrong.
        what: Wrong,
    },
    /// Two values where a label has one. The label is wrong.
    #[error("({0}) stands twice, with different values")]
    Twice(String),
    /// The same thing under two identifiers, differently. The label is wrong.
    #[error("names two different {0}")]
    Contradicts(&'static str),
    /// A separator with nothing before it. The label is wrong.
    #[error("an element is empty")]
    EmptyElement,
    /// Something else where an element should begin with its identifier. The label is wrong, or a separator is lost.
    #[error("element {0} does not begin with an identifier")]
    NoIdentifier(usize),
    /// The end of an ISO/IEC 15434 message is not there: something was lost. Scan again.
    #[error("the message has no end: part of it is lost")]
    CutOff,
    /// A message without its separators, or an element string that without them has too many readings to try. Let the
    /// scanner send control characters.
    #[error("the scanner drops the separators; let it send control characters")]
    SeparatorsDropped,
    /// An ISO/IEC 15434 format that is not read.
    #[error("ISO/IEC 15434 format {0:?} is not read; formats 05, 06, 12 and DD are")]
    OtherFormat(String),
    /// A link that may be compressed. Type the number beneath the symbol.
    #[error(
        "this may be a compressed GS1 Digital Link; only links that are not compressed are read"
    )]
    Compressed,
    /// A link of something else.
    #[error("a link that names no GS1 key and no capsule")]
    OtherLink,
    /// A link that is not one. The label is wrong.
    #[error("not a link: {0}")]
    BadLink(&'static str),
    /// An NFC record other than text or link.
    #[error("an NFC record that is neither text nor a link, or is cut off")]
    OtherRecord,
}

/// What can be wrong with the value of one element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Wrong {
    /// Too short or too long.
    #[error("too short or too long")]
    Length,
    /// A character that does not belong there.
    #[error("a character that does not belong there")]
    Character,
    /// Mistyped, or misread.
    #[error("the check digit is wrong")]
    CheckDigit,
    /// No such day.
    #[error("not a day that exists")]
    Day,
    /// No such time of day.
    #[error("not a time of day")]
    Time,
    /// Not an amount.
    #[error("not an amount")]
    Amount,
    /// Not a company's number in that scheme.
    #[error("not a company's number as this identifier has them")]
    Company,
}

/// Why a label is not drawn.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LabelError {
    /// Give 8, 12, 13 or 14 digits of which the last is the check digit.
    #[error("not a GTIN: {0}")]
    Gtin(Wrong),
    /// Give at most 20 of the characters that GS1 allows.
    #[error("a lot has 1 to 20 letters, digits or of !\"%&'()*+,-./:;<=>?_")]
    Lot,
    /// Give at most 20 of the characters that GS1 allows.
    #[error("a serial has 1 to 20 letters, digits or of !\"%&'()*+,-./:;<=>?_")]
    Serial,
    /// Give a day within 49 years back and 50 ahead: a label has room for two digits of the year.
    #[error("an expiry that a label's two digits of the year do not tell")]
    Expiry,
    /// Give the beginning of a link, such as `https://id.example.com`.
    #[error(
        "a resolver is http:// or https:// with a host and perhaps a path, and nothing after it"
    )]
    Resolver,
    /// Give a module of the size that scanners read.
    #[error("a module measures {} to {} micrometres", crate::MODULE_UM.start(), crate::MODULE_UM.end())]
    Module,
    /// Give the printer's resolution, or a larger module.
    #[error("the printer's dots are too coarse for this module")]
    Dots,
    /// Take a smaller module, fewer columns, or a shorter resolver.
    #[error("the label is larger than its place on the sheet")]
    TooLarge,
    /// Print fewer labels at once.
    #[error("at most {} labels are drawn at once", crate::MAX_LABELS)]
    TooMany,
    /// Give a number of columns that a sheet has.
    #[error("a sheet has {} to {} columns", crate::SHEET_COLUMNS.start(), crate::SHEET_COLUMNS.end())]
    Columns,
    /// The symbol could not be made: a fault of this program.
    #[error("the symbol could not be made")]
    Symbol,
}
