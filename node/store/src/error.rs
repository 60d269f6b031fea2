//! Why the store cannot answer, and what to do about it.

use crate::disk::DiskError;
use heatmark_ledger::audit::AuditError;
use heatmark_ledger::execute::ExecutionError;
use heatmark_ledger::ids::{Height, NetworkId};
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
