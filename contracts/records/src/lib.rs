//! Records: what a mill says about material, committed to in a tree of salted fields.
//!
//! ```text
//!   certificate file ──forms::read──▶ fields ──Opening::seal──▶ opening ──tree──▶ record root ──▶ batch of an Anchor
//!                                                              (stays in the     (goes on the log,
//!                                                               vault)            inside the batch root)
//!                                                                 └──show(path)──▶ FieldProof ──verify(root)──▶ value
//! ```
//!
//! Numbers are committed to within their leaves, so that whoever is shown a leaf can be shown its numbers or only a
//! proof about them. A path has exactly one slot in the tree, every slot is filled and every leaf is salted: a root says nothing of
//! how many fields there are, nor of any of them, and no record says two things of one path.
//! Specification: `proto/README.md` section 9. The encodings are provisional until the records issue closes.
//!
//! Everything here is a function of its arguments: no clock, no file, no randomness of its own.

mod commitment;
pub mod conformance;
mod errors;
pub mod forms;
mod head;
mod opening;
mod path;
mod proof;
pub mod range;
pub mod specification;
mod tree;
mod value;
mod wire;

pub use commitment::{Blinding, Commitment, blinding_table};
pub use errors::RecordError;
pub use head::{Depth, Head, Heading, SUITE};
pub use opening::{Fields, MAX_FIELDS, MAX_OPENING_BYTES, Opening, Secret};
pub use path::{MAX_PATH_BYTES, Path};
pub use proof::{FieldProof, MAX_PROOF_BYTES, Said};
pub use specification::{Limit, Specification};
pub use tree::RecordTree;
pub use value::{
    Committed, CommittedDecimal, Decimal, Document, MAX_SCALE, MAX_SEVERAL, MAX_TEXT_BYTES,
    MAX_UNIT_BYTES, Measured, Moment, Quantity, Relation, Value,
};

/// The salted root of a record, 32 bytes: what an anchor's batch carries and what a record is called by.
pub type RecordId = heatmark_merkle::Hash;
