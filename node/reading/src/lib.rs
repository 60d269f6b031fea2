//! What mills have, made into certificates of our own form that a node reads.
//!
//! ```text
//!   CSV, any JSON ──mapping──▶ ┐
//!   PDF ──words──▶ template ─▶ ├─ JSON of the form `Heatmark 1` ──▶ the node's desk
//!   notes beside a file ─────▶ ┘
//! ```
//!
//! All of this runs on the person's side, in the command and not in the node: a mapping is the mill's own program
//! for its own files, and whatever a hostile file does, it does to the command that was given it. The node
//! gets the result in a form that it checks field by field, as it checks every certificate.
//! Refuses what is larger than its limits before it is read, and names places in faults, never values.

mod cell;
mod date;
mod fault;
mod layout;
mod mapping;
mod pdf;
mod rule;
mod template;
mod tree;

pub use fault::{Fault, ReadingError, Wrong};
pub use layout::{Layout, MAX_PAGES, MAX_WORDS, Page, Word};
pub use mapping::{MAX_RECORDS, MAX_SOURCE_BYTES, Mapping, Record};
pub use pdf::{MAX_PDF_BYTES, words_of_pdf};
pub use template::{Reading, Template};
pub use tree::{MAX_TOML_BYTES, document, json_of_toml, merge, to_text};
