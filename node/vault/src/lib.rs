//! The vault: what an organisation knows and nobody else may, encrypted at rest in a RocksDB of its own.
//!
//! ```text
//!  publish:  put_pending ──▶ put_submission ──▶ (submit the anchor) ──▶ mark_anchored
//!            openings,       the signed            crash here: submissions()   the receipt's place,
//!            synced          envelope, synced      gives it back, same id      synced
//! ```
//!
//! Openings are on disk before any anchor leaves the node, so an anchored root never loses its opening. Every
//! value is encrypted and bound to its key; keys are salted record ids, transaction ids and keyed hashes, so the
//! files confirm no guess at a certificate. Refuses a wrong key at opening and a changed value at reading.

#[doc(hidden)]
pub mod decoders;
mod errors;
mod rows;
mod sealed;
mod vault;

pub use errors::VaultError;
pub use rows::{AlertReason, NewRecord, Placement, RecordRow, StoredRecord, Submission};
pub use sealed::{FileDigest, VaultKey};
pub use vault::{Stored, Vault};
