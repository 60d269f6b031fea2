//! The vault: what an organisation knows and nobody else may, encrypted at rest in a RocksDB of its own.
//!
//! ```text
//!  publish:  put_pending ──▶ put_submission ──▶ (submit the anchor) ──▶ mark_anchored
//!            openings,       the signed            crash here: submissions()   the receipt's place,
//!            synced          envelope, synced      gives it back, same id      synced
//!  show, prove: record_for ── the log's entry, synced, then the opening
//!  destroy:  erase, erase_due ── the record's data key, deleted and driven out of every file
//!  keep:     backup ──▶ a file, encrypted ──▶ restore, into an empty home
//! ```
//!
//! Openings are on disk before any anchor leaves the node, so an anchored root never loses its opening. Every
//! value is encrypted and bound to its key; keys are salted record ids, transaction ids and keyed hashes, so the
//! files confirm no guess at a certificate. Every deed is in the log that the same write syncs. Refuses a wrong
//! key at opening and a changed value at reading.

mod audit;
mod backup;
mod classes;
mod contents;
mod database;
#[doc(hidden)]
pub mod decoders;
mod deeds;
mod errors;
mod escrow;
mod inspections;
mod lots;
mod operators;
mod outlines;
mod parcels;
mod post;
mod recalls;
mod restore;
mod retention;
mod rows;
mod sealed;
mod upstream;
mod vault;
mod writing;

pub use backup::BackupSummary;
pub use classes::{DueDeposit, DueDocument, DueRow};
pub use deeds::{Actor, Deed, LogEntry, LogHead, MAX_NAME_CHARS};
pub use errors::{RestoreError, VaultError};
pub use escrow::{
    ContentOf, DealRole, DealRow, DepositAgent, DepositRow, Destroyed, HeldFor, HoldingRow,
    OpenableRow, SecretsOf,
};
pub use inspections::InspectionRow;
pub use lots::{
    Beside, Captured, CapturedPoint, LotEventRow, LotRow, LotState, MAX_LOT_NAME_BYTES, NewLot,
    NewSerialTree, Part, Parts, SerialTreeRow, Waiver,
};
pub use operators::{Admitted, MAX_OPERATORS, Operator, Role};
pub use outlines::Outline;
pub use parcels::{
    NewParcel, OfferedSeal, ParcelRow, ParcelState, Received, ShipmentRow, StrangerSeal,
};
pub use post::{
    Arrival, ArrivedLetter, LetterRow, MAX_WAITING_BYTES, MAX_WAITING_LETTERS, letter_place,
};
pub use recalls::{HolderFile, MAX_HOLDER_BYTES, RecallRow};
pub use restore::{Restored, check_backup, restore};
pub use retention::{Erasure, MAX_HOLD_REASON_BYTES};
pub use rows::{
    AlertReason, Hold, MAX_AGREED_RECORDS, Material, NewRecord, Placement, RecordRow, StoredRecord,
    Submission,
};
pub use sealed::{FileDigest, VaultKey};
pub use upstream::{NamedRecord, UpstreamEvent, UpstreamRecord};
pub use vault::{Alerted, Stored, Superseded, Vault};
