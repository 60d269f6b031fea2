//! A node's log, state and undecided blocks on RocksDB. One synced write batch a block holds the
//! block, its certificate, tiles, state and indexes; nothing is acknowledged before it. Refuses a
//! database of another network or format, and says so when an entry contradicts the rest.
//!
//! ```text
//!   consensus ──put_undecided, commit──▶ ┌───────┐ ──tip watch──▶ whoever waits
//!                                        │ Store │ ──receipts, proofs, blocks──▶ api
//!   execute ◀──StateView, NodeReader──── └───────┘
//! ```
//!
//! Every call may block on the disk: asynchronous callers move it off their task.

mod awaited;
mod check;
mod commit;
mod disk;
mod error;
mod evidence;
mod fault;
mod misbehaviour;
mod repair;
mod restart;
mod rocks;
mod schema;
mod store;
mod undecided;
mod view;

pub use awaited::Awaiting;
pub use check::{CheckOptions, Damage, Held, Place, Progress, Remedy, Report, check, check_disk};
pub use disk::{Batch, Disk, DiskError, Durability, Entries, Entry, Family, Walk};
pub use error::StoreError;
pub use misbehaviour::{Kept, MAX_EVIDENCE, MAX_EVIDENCE_AT_HEIGHT, MAX_EVIDENCE_OF_VALIDATOR};
pub use repair::{Fetch, Rebuilt, RepairError, RepairOptions, repair};
pub use restart::Applied;
pub use schema::StoreOptions;
pub use store::{Store, StoreTip};
pub use undecided::UndecidedBlock;
