//! Why a file that an inspection is given cannot be used. Errors name the place in the file and what to write there.

use heatmark_evidence::PolicyError;
use heatmark_records::specification::SpecificationError;
use thiserror::Error;

/// What is wrong with an order, a policy or a file of readings. The writer's fault: mend what is named.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum InputError {
    /// Longer than any such file.
    #[error("it is longer than the {0} bytes that such a file may have")]
    TooLong(usize),
    /// Not UTF-8.
    #[error("it is not UTF-8 text")]
    NotText,
    /// Neither the TOML nor the JSON that is expected; the text says where.
    #[error("{0}")]
    Text(String),
    /// A name of a field is no path.
    #[error("{0:?} names no field; fields are called like chemistry/C")]
    Path(String),
    /// A mass or other quantity is none.
    #[error("{place}: {text:?} is no {what}")]
    Quantity {
        /// Where.
        place: String,
        /// What stands there.
        text: String,
        /// What should.
        what: &'static str,
    },
    /// A member's id is none.
    #[error("{0}: member ids have 64 hex digits; `heatmark member list` shows them")]
    Member(&'static str),
    /// The demands on certificates.
    #[error("{0}")]
    Policy(#[from] PolicyError),
    /// A specification that the file names.
    #[error("specification {name}: {fault}")]
    Specification {
        /// As the file names it.
        name: String,
        /// What is wrong with it.
        fault: SpecificationError,
    },
    /// A specification that the file names cannot be read.
    #[error("specification {name}: {why}")]
    Missing {
        /// As the file names it.
        name: String,
        /// Why.
        why: String,
    },
    /// More entries than any such file has.
    #[error("it has more than {0} entries")]
    TooMany(usize),
    /// Nothing is in it.
    #[error("it says nothing")]
    Empty,
}

/// Why a report is not drawn.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ReportError {
    /// A font that was given is none that can be read: name another.
    #[error("font {0} cannot be read: give a TrueType or OpenType file")]
    Font(usize),
    /// The file could not be made: a fault of this program.
    #[error("the PDF could not be made")]
    Pdf,
}
