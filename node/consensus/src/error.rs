//! Why consensus does not start, and why it stopped for good. Neither is ever retried in place:
//! a validator that goes on after one of these could sign twice.

use crate::application::ApplicationError;
use libp2p::Multiaddr;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use thiserror::Error;

/// Why consensus did not start. The operator's to mend.
#[derive(Debug, Error)]
pub enum StartError {
    /// A peer's address would match whoever holds that address.
    #[error("the peer address {0} does not end in /p2p/<peer id>")]
    UnpinnedPeer(Multiaddr),
    /// Not an address that the engine can listen on.
    #[error("the listen address {0} is not a TCP address")]
    ListenAddress(Multiaddr),
    /// A round that waits no time decides nothing.
    #[error("consensus timeouts must be longer than zero")]
    ZeroTimeout,
    /// The engine's log is unreadable.
    #[error("the consensus log {path} cannot be opened: {source}")]
    Log {
        /// Where it is.
        path: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// Bytes of the engine's log changed, so that what was signed is not known.
    #[error(
        "the consensus log {path} is damaged ({why}): what this validator signed last is unknown, \
         and it must not vote until later heights are decided"
    )]
    LogDamaged {
        /// Where it is.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The store lost blocks that this validator voted after, or the log is from elsewhere.
    #[error(
        "the consensus log {path} is at height {log}, the store at height {store}: a validator \
         that voted there must not vote again below; run it as an observer until it has caught up"
    )]
    StoreBehindLog {
        /// Where the log is.
        path: PathBuf,
        /// Height in which the validator voted last.
        log: u64,
        /// Newest committed height.
        store: u64,
    },
    /// The log that says what was signed is gone.
    #[error(
        "the consensus log {path} is missing though the store is at height {store}: what this \
         validator signed last is unknown; run it as an observer until the next height is decided"
    )]
    LogMissing {
        /// Where the log should be.
        path: PathBuf,
        /// Newest committed height.
        store: u64,
    },
    /// The ledger side could not answer.
    #[error("the ledger cannot be read")]
    Application(#[from] ApplicationError),
    /// The validator's proof of its peer id could not be made.
    #[error("the validator proof could not be made")]
    Proof,
    /// The engine refused to start: mostly an address in use.
    #[error("the consensus engine did not start: {0}")]
    Engine(Box<dyn std::error::Error + Send + Sync>),
}

/// Why consensus stopped for good. The process should end and say so.
#[derive(Debug, Clone, Error)]
pub enum Failure {
    /// The ledger side failed: the store, the disk, or an invariant.
    #[error("the ledger failed while {during}: {cause}")]
    Application {
        /// What was being done.
        during: &'static str,
        /// What happened.
        cause: Arc<ApplicationError>,
    },
    /// The engine decided a block that the ledger never called valid, or for the wrong height.
    #[error("the engine decided height {height}, which does not follow {newest}")]
    OutOfOrder {
        /// Height decided.
        height: u64,
        /// Newest committed height.
        newest: u64,
    },
    /// A certificate of the engine names a validator that is not in the set.
    #[error("the certificate of height {height} does not fit the height's validator set")]
    Certificate {
        /// Its height.
        height: u64,
    },
    /// The engine's log failed or is damaged.
    #[error("the consensus log failed: {0}")]
    Log(String),
    /// The engine stopped by itself; its own log lines say why.
    #[error("the consensus engine stopped by itself")]
    EngineStopped,
}
