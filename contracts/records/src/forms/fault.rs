//! What is wrong with a certificate file: where and what, one line each. A fault names places, never values, so
//! that it may be shown and logged.

use std::fmt;

use thiserror::Error;

use crate::RecordError;

/// Most bytes of a place that a fault keeps.
const MAX_PLACE_BYTES: usize = 1_024;

/// One fault of a certificate file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where: the path within the file (`Product/Weight`), or line and column; empty for the file as a whole.
    pub place: String,
    /// What is wrong there.
    pub what: What,
}

impl Fault {
    pub(super) fn new(place: &str, what: What) -> Self {
        let start = place.len().saturating_sub(MAX_PLACE_BYTES);
        let place = match (start..=place.len()).find_map(|at| place.get(at..)) {
            // Names are the file's, and so may be their length: the end says where.
            Some(end) if start > 0 => format!("…{end}"),
            _ => place.to_owned(),
        };
        Self { place, what }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.place.is_empty() {
            write!(f, "{}", self.what)
        } else {
            write!(f, "{}: {}", self.place, self.what)
        }
    }
}

/// What can be wrong with a certificate; each says what the mill has to mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum What {
    /// More than 4 MiB.
    #[error("the file is larger than 4 MiB")]
    TooLarge,
    /// Not UTF-8.
    #[error("the file is not UTF-8 text")]
    NotText,
    /// Not JSON (RFC 8259).
    #[error("not JSON: the file is cut off or mistyped here")]
    NotJson,
    /// Objects and lists nested deeper than 64.
    #[error("nested deeper than 64 levels")]
    TooDeep,
    /// One object names one member twice.
    #[error("this name stands twice in one object")]
    NameTwice,
    /// Neither form.
    #[error(
        "not a certificate of a known form (Metals 0.1.x, EN10168 0.4.1 or 0.5.0, Heatmark 1); other files need a mapping or a template"
    )]
    UnknownForm,
    /// A known form in another version.
    #[error("this version of the form is not supported (Metals 0.1.x, EN10168 0.4.1 or 0.5.0 are)")]
    UnknownVersion,
    /// A field that the form requires is not there, or is empty.
    #[error("required, and missing")]
    Missing,
    /// Should be text.
    #[error("must be text")]
    NotAText,
    /// Should be a number.
    #[error("must be a number")]
    NotANumber,
    /// Should be a number written as text.
    #[error("must be a number written as text")]
    NotANumberText,
    /// Should be true or false.
    #[error("must be true or false")]
    NotABoolean,
    /// Should be a list with at least one item.
    #[error("must be a list with at least one item")]
    NotAList,
    /// Should be an object.
    #[error("must be an object")]
    NotAnObject,
    /// A day or time that does not exist, or is written otherwise.
    #[error("not a date (YYYY-MM-DD) or an RFC 3339 time")]
    BadDate,
    /// Not an ISO 3166 country code.
    #[error("not a two-letter country code")]
    BadCountry,
    /// Zero or below where that cannot be.
    #[error("must be above zero")]
    NotPositive,
    /// A content below zero.
    #[error("a content cannot be below zero")]
    NegativeContent,
    /// More than everything.
    #[error("a content cannot be above 100 % (1,000,000 ppm)")]
    ContentAboveWhole,
    /// More of a cross-section than there is.
    #[error("this property cannot be above 100 %")]
    ShareAboveWhole,
    /// A result below zero of what cannot be.
    #[error("this property cannot be below zero")]
    NegativeResult,
    /// A temperature that cannot be.
    #[error("colder than absolute zero")]
    BelowAbsoluteZero,
    /// A unit that measures something else.
    #[error("this unit does not belong to this property")]
    WrongUnit,
    /// A mass without a unit, or with one that is not understood.
    #[error("a mass needs its unit: t, kg, g or lb")]
    NoMassUnit,
    /// A limit in a unit that cannot be compared with the result's.
    #[error("the limit's unit cannot be compared with the result's")]
    UnitsDiffer,
    /// A result that the certificate's own limits do not admit.
    #[error("outside the limits stated beside it, and no concession is named")]
    OutsideLimits,
    /// What stands beside the certificate says otherwise than the certificate.
    #[error("the certificate itself says otherwise")]
    Contradicts,
    /// Not the id of a smelter.
    #[error("not a smelter id (CID and six digits)")]
    BadSmelter,
    /// Not the id of a record.
    #[error("not the id of a record (64 hex digits)")]
    BadRecordId,
    /// Not the hash of a leaf.
    #[error("not the hash of a field's leaf (64 hex digits)")]
    BadLeaf,
    /// A field that no attestation has.
    #[error("an attestation names a record and leaves, and nothing else here")]
    NotAttested,
    /// A field that was measured, without its result.
    #[error("its result is missing: give it, or confirm the field")]
    NotMeasured,
    /// A field that is confirmed, with a result of it beside.
    #[error("a result of it stands here, so that it is not confirmed besides")]
    MeasuredAlready,
    /// An attestation without a result and without a leaf.
    #[error("attests nothing: give results, or name what was shown and is confirmed")]
    AttestsNothing,
    /// Neither of the two kinds of sample.
    #[error("must be \"heat\" or \"product\"")]
    BadSample,
    /// Said of all results and of single ones.
    #[error("stands for all results; give it there or with each of them, not both")]
    SaidTwice,
    /// Valid until before it is valid from.
    #[error("ends before it begins")]
    EndsBefore,
    /// A transcribed attestation.
    #[error("a copy of another company's certificate attests nothing")]
    AttestsByCopy,
    /// Neither of the three things that an inspection comes to.
    #[error("must be \"accept\", \"hold\" or \"reject\"")]
    BadVerdict,
    /// An inspector decided otherwise than the evidence, and does not say why.
    #[error("differs from the verdict, and no reason is given")]
    NoReason,
    /// Given beside the certificate, but not so that it can be read.
    #[error("not understood: give a text, a number, true or false, or a table with `value`")]
    NotAField,
    /// The lower limit is above the upper one.
    #[error("the minimum is above the maximum")]
    MinimumAboveMaximum,
    /// A result of a kind that the form does not have.
    #[error("not a result of a known type")]
    UnknownResult,
    /// A relation that the form does not have.
    #[error("not one of =, <, <=, >, >=")]
    UnknownOperator,
    /// An element without a symbol.
    #[error("a content without a symbol: of which element is not said")]
    NoSymbol,
    /// An embedded image or document that cannot be decoded, or is cut off.
    #[error("the embedded document is malformed or cut off")]
    BadDocument,
    /// An attachment whose stated hash is not its hash.
    #[error("the attachment does not have the hash that is stated for it")]
    WrongHash,
    /// A field that no record can hold.
    #[error("{0}")]
    Field(#[from] RecordError),
}
