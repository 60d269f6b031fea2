//! What stands on a label: read when a scanner types it, drawn when goods leave.
//!
//! ```text
//!   what a scanner types ──▶ scan ──▶ readings: article, lot, serial, part, supplier, amounts, dates
//!   article, lot, serial ──▶ Label ──▶ symbol (QR with a link, GS1 DataMatrix) ──▶ SVG, PNG, sheet
//! ```
//!
//! A scan claims nothing: whoever prints labels can print any number. What a reading names is looked up, and when
//! several readings are possible all of them are given. Everything here is pure: no clock, so that the year by
//! which two-digit years are read is handed in; no network, so that a link is read and never followed; no files.

mod error;
mod identifiers;
mod label;
mod reading;
mod scan;
mod value;

pub use error::{LabelError, ScanError};
pub use label::{
    Content, Label, MAX_LABELS, MODULE_UM, Printer, Resolver, SHEET_COLUMNS, Symbol, sheet,
};
pub use reading::{
    Amount, Capsule, Date, DateKind, Element, Form, Reading, Scan, Scheme, Supplier, Unit,
};
pub use scan::{MAX_READINGS, MAX_SCAN_BYTES, scan};
pub use value::Day;
