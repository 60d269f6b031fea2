//! Inspection at the receiving dock: capsules, an order line, a policy and own readings go in; a verdict comes out, line by line, in
//! an inspector's words, with its evidence and what to do next.
//!
//! ```text
//!   capsule files ──Parcel::inspect──▶ parcels ┐
//!   order ─────────Order::parse───────────────┤                        ┌─▶ text, html, pdf: for people
//!   policy ────────Demands::parse─────────────┼─judge─▶ Inspection ────┼─▶ json: for the ERP
//!   readings ──────Reading::parse─────────────┘             ▲          ├─▶ record: to publish
//!                                         dispose, by name ──┘          └─▶ request: to the supplier
//! ```
//!
//! What a capsule proves, `heatmark_evidence` says. Here its findings get words and are compared with what was ordered and measured.
//! Everything is a function of its arguments: no clock, no file, no network. Specification: `proto/README.md` sections 12 and 14.

mod error;
mod html;
mod json;
mod judge;
mod letter;
mod measured;
mod moment;
mod order;
mod ordered;
mod pdf;
mod policy;
mod quantity;
mod readings;
mod record;
mod report;
mod request;
mod text;
mod tree;
mod view;
mod words;

pub use error::{InputError, ReportError};
pub use html::html;
pub use json::{SCHEMA, json};
pub use judge::{Delivery, Parcel, judge};
pub use letter::Letter;
pub use order::Order;
pub use pdf::pdf;
pub use policy::{Demands, Load};
pub use quantity::value_text;
pub use readings::Reading;
pub use record::{DispositionError, record, record_name};
pub use request::{Request, request};
pub use text::text;
pub use tree::MAX_INPUT_BYTES;
pub use view::{
    Disposition, Input, Inspection, Line, Lot, Proved, Record, Step, Told, digits, loud, word,
};
