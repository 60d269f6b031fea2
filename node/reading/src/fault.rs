//! What is wrong with a mapping, a template or the file that it is for. A fault names a place, never a value.

use std::fmt;

use thiserror::Error;

/// Why nothing could be read at all.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReadingError {
    /// The person's mapping, template or notes are not as they should be; mend them.
    #[error("{0}")]
    Toml(String),
    /// A rule of a mapping or template cannot work; mend it.
    #[error("rule for {path:?}: {what}")]
    Rule {
        /// The rule's path.
        path: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The mapping or template as a whole cannot work; mend it.
    #[error("{0}")]
    Whole(&'static str),
    /// The file is not what the mapping is for.
    #[error("{0}")]
    Source(Fault),
}

/// One fault of a file that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where: `row 3, column Cr`, or `page 1, certificate/number`.
    pub place: String,
    /// What is wrong there.
    pub what: Wrong,
}

impl Fault {
    pub(crate) fn new(place: impl Into<String>, what: Wrong) -> Self {
        Self { place: place.into(), what }
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

/// What can be wrong with a file that is read by a mapping or a template.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Wrong {
    /// Larger than such a file may be.
    #[error("the file is larger than 32 MiB")]
    TooLarge,
    /// Not in the encoding that the mapping names.
    #[error("not text in the encoding that the mapping names")]
    Encoding,
    /// No CSV.
    #[error("not a row of CSV")]
    NotCsv,
    /// A row with more or fewer cells than the header.
    #[error("not as many cells as the header has columns")]
    RowLength,
    /// More records, rows or columns than are read at once.
    #[error("more rows, columns or records than are read from one file; split it")]
    TooMany,
    /// Two columns of one name.
    #[error("this name stands twice in the header")]
    ColumnTwice,
    /// The mapping names a column that is not there.
    #[error("there is no such column")]
    NoColumn,
    /// Nothing to publish.
    #[error("the file holds no record")]
    Empty,
    /// The file is no JSON.
    #[error("{0}")]
    Json(heatmark_records::forms::What),
    /// A cell that the mapping says must be filled.
    #[error("required, and missing")]
    Missing,
    /// Not a number as the mapping describes numbers.
    #[error("not a number as the mapping describes it (check `decimal` and `thousands`)")]
    NotANumber,
    /// Not a date as the rule describes it.
    #[error("not a date as the rule describes it")]
    NotADate,
    /// Rows of one record that should agree.
    #[error("the rows of one certificate say different things")]
    RowsDiffer,
    /// Two rules, or two rows, give one field.
    #[error("two rules give this field")]
    FieldTwice,
    /// A list or object where one value should be.
    #[error("not a single value")]
    NotSingle,
    /// A name in a path is empty.
    #[error("the name for the field's path is empty")]
    NoName,
    /// A PDF that is not of the template's layout.
    #[error("not of the layout that the template is for")]
    OtherLayout,
}
