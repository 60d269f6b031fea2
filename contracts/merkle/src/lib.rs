//! The trees of Heatmark, without clock, file or network: what the log, the batches and the state are hashed into.
//!
//! ```text
//!   record roots ──batch──▶ batch root ─┐
//!                                       ▼
//!   leaf data ────────────tree──────▶ log root ─┐
//!        │                                      ├──▶ header
//!        └─tiles──▶ stored hashes               │
//!   key, value ───────────map───────▶ state root┘
//! ```
//!
//! - [`tag`]: the preimages that everything hashed or signed goes through (specification, section 1)
//! - [`tree`]: the RFC 9162 tree, its proofs and its frontier (section 4)
//! - [`tiles`]: C2SP `tlog-tiles` of height 8 (section 4)
//! - [`batch`]: the tree over the record roots of one anchor (section 4)
//! - [`map`]: the sparse Merkle map of the state and its proofs (section 5)
//!
//! Whatever comes from outside is refused with a [`ProofError`] and never panics.

pub mod batch;
mod error;
mod hash;
pub mod map;
pub mod tag;
pub mod tiles;
pub mod tree;

pub use error::{BatchError, HashError, MapError, ProofError, TilePathError, TreeError};
pub use hash::{Hash, LeafIndex, TreeSize};
