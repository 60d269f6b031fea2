//! The rules of the shared log, without clock, file, network or randomness: what a transaction may
//! do, what a block is, and what proves that either happened.
//!
//! ```text
//!   wire ─ keys ─ ids           one encoding, one signature predicate, one word a thing
//!      │
//!   transaction                 an envelope, read and signed
//!      │
//!    deal                       what a deal's steps and deadlines make of it
//!      │
//!   state ── execute            a view of the state; what a transaction changes in it
//!      │        │
//!   genesis   block ── audit    the state at height 0; propose, check; replay everything
//!      │        │
//!   header ─ validators ─ certificate
//!               │
//!       restart ─ receipt       evidence against a trust root, offline, across restarts
//!            receipt ─ evidence what stands on the log; who signed twice: offline, from a trust root
//!               │
//!             alerts            what stands against a record, present or absent, as of one header
//! ```
//!
//! The specification is `proto/README.md`.

pub mod alerts;
pub mod audit;
pub mod block;
pub mod certificate;
pub mod deal;
pub mod evidence;
pub mod execute;
pub mod genesis;
pub mod header;
pub mod ids;
pub mod keys;
pub mod receipt;
pub mod refusal;
pub mod restart;
pub mod state;
pub mod transaction;
pub mod validators;
pub mod wire;

pub use heatmark_merkle::{Hash, LeafIndex, TreeSize};
pub use heatmark_proto::ledger::v1 as messages;
