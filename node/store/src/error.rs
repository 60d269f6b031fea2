//! Why the store cannot answer, and what to do about it.

use crate::disk::DiskError;
use heatmark_ledger::audit::AuditError;
use heatmark_ledger::execute::ExecutionError;
use heatmark_ledger::ids::{Height, NetworkId};
use heatmark_ledger::restart::RestartError;
use heatmark_merkle::{MapError, TreeError};
use thiserror::Error;

/// Why the store cannot answer.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The disk failed: full, failing, a damaged file, or another process holds the
    /// database. Fatal: stop, look at the disk.
    #[error("database: {0}")]
    Database(#[from] DiskError),
    /// A stored entry contradicts the rest. Fatal: restore the node or let it sync anew.
    #[error("the database is damaged: {0}")]
    Damaged(&'static str),
    /// The database belongs to another network. Point the node at its own data directory.
    #[error("the database belongs to network {found}, the genesis file to {expected}")]
    OtherNetwork {
        /// Network of the database.
        found: NetworkId,
        /// Network of the genesis file.
        expected: NetworkId,
    },
    /// The database was written in another format. Use the program version that wrote it.
    #[error("the database has format {0}, this program reads format 1")]
    Format(u64),
    /// Genesis gives no state.
    #[error("genesis: {0}")]
    Genesis(#[from] ExecutionError),
    /// Genesis gives no state map.
    #[error("genesis: {0}")]
    GenesisMap(#[from] AuditError),
    /// The state map refused.
    #[error("state map: {0}")]
    Map(#[from] MapError),
    /// A block that is not the next one was to be committed. A defect of the caller.
    #[error("height {given} cannot follow height {tip}")]
    NotNext {
        /// Height given.
        given: Height,
        /// Height of the newest block.
        tip: Height,
    },
    /// A block executed on another chain, or a certificate for another block. A defect of the
    /// caller.
    #[error("the block was not executed on the newest one")]
    OtherParent,
    /// Blocks above the restart's header are certified here: either the members did not know of
    /// them, and must begin again from the newest, or this node follows another chain. Show them.
    #[error(
        "the restart goes on from height {restart}, but this node holds certified blocks up to \
         height {tip}: they contradict it; show them to the members before anybody goes on"
    )]
    RestartTooLate {
        /// Height of the restart's header.
        restart: Height,
        /// Height of the newest block.
        tip: Height,
    },
    /// Another restart at or above this height was applied: members signed two. Keep both.
    #[error(
        "another restart from height {0} or above was applied to this node; two that differ are \
         evidence against whoever signed both: keep the files"
    )]
    OtherRestart(Height),
    /// The restart starts from a header that is not this chain's. Keep both as evidence.
    #[error("the restart starts from another header of height {0} than this node holds")]
    RestartElsewhere(Height),
    /// The restart's set cannot be put in place.
    #[error("{0}")]
    Restart(#[from] RestartError),
    /// The height, leaf or header asked for is not here (yet, or any more). The asker's fault or
    /// transient: ask for another, or later.
    #[error("not available: {0}")]
    NotAvailable(&'static str),
}

impl From<TreeError<StoreError>> for StoreError {
    fn from(error: TreeError<StoreError>) -> Self {
        match error {
            TreeError::Reader(error) => error,
            TreeError::IndexOutOfRange { .. } => Self::NotAvailable("leaf"),
            _ => Self::Damaged("log tiles"),
        }
    }
}
