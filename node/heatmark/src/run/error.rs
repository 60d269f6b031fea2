//! Why a node does not start, or stopped, and what its operator does about it.

use super::disk::DiskError;
use crate::files::FileError;
use crate::keys::KeysError;
use heatmark_api::ApiError;
use heatmark_client::tls::TlsError;
use heatmark_consensus::{Failure, StartError};
use heatmark_exchange::ExchangeError;
use heatmark_ledger::execute::ExecutionError;
use heatmark_ledger::genesis::GenesisError;
use heatmark_ledger::state::StateError;
use heatmark_store::StoreError;
use heatmark_vault::VaultError;
use std::path::PathBuf;
use thiserror::Error;

/// Why a node does not run.
#[derive(Debug, Error)]
pub enum RunError {
    /// The genesis is not one that all founders signed. Complete the ceremony.
    #[error("genesis: {0}")]
    Genesis(#[from] GenesisError),
    /// The database cannot be used. See the reason.
    #[error("log and state: {0}")]
    Store(#[from] StoreError),
    /// The state cannot be read. The database is damaged.
    #[error("state: {0}")]
    State(#[from] StateError),
    /// The key does not open the vault: it is under another one.
    #[error(
        "the vault does not open with its key (settings: `vault.key = \"{0}\"`): restore the key it \
         was made with, or set `vault.key` to where that is"
    )]
    WrongVaultKey(&'static str),
    /// The vault cannot be used: damaged, or held by another process.
    #[error("vault: {0}")]
    Vault(#[from] VaultError),
    /// The network runs a protocol version that this program does not know.
    #[error("{0}")]
    Version(#[source] ExecutionError),
    /// A key that the network has taken up cannot be opened or put in its place.
    #[error("keys: {0}")]
    Keys(#[from] KeysError),
    /// A data directory cannot be made.
    #[error("cannot make {path}: {source}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The settings name a capture plan that cannot be read.
    #[error("lots: {0}")]
    Capture(#[from] crate::capture::CaptureError),
    /// The settings name a webhook that cannot be used.
    #[error("{}: {}", .0.setting(), .0)]
    Webhook(#[from] crate::webhook::WebhookError),
    /// The settings name retention classes that cannot be read.
    #[error(transparent)]
    Classes(#[from] crate::classes::ClassesError),
    /// A disk is full or fails.
    #[error("disk: {0}")]
    Disk(#[from] DiskError),
    /// The database gave an error while the node ran.
    #[error("log and state: {0}")]
    StoreFault(String),
    /// The consensus journal cannot be used.
    #[error("consensus journal in {path}: {source}")]
    Journal {
        /// Its directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// What is known of the consensus key's votes cannot be read or written.
    #[error("{0}")]
    Voting(#[from] FileError),
    /// An address in the settings is none.
    #[error("{0:?} is not an address")]
    Address(String),
    /// The settings say validator, and there is no consensus key.
    #[error("the settings say `mode = \"validator\"`, but keys/consensus.key is missing")]
    NoConsensusKey,
    /// Neither the registry nor entry.json knows the signing key.
    #[error(
        "keys/signing.key belongs to no member of this network, and entry.json does not name it"
    )]
    NoMember,
    /// The exchange network cannot start.
    #[error("exchange network: {0}")]
    Exchange(#[from] ExchangeError),
    /// Consensus cannot start.
    #[error("consensus: {0}")]
    Consensus(#[from] StartError),
    /// Consensus stopped for good.
    #[error("consensus stopped: {0}")]
    ConsensusFailed(#[from] Failure),
    /// The API cannot start.
    #[error("{0}")]
    Api(#[from] ApiError),
    /// The p2p key makes no TLS identity.
    #[error("{0}")]
    Tls(#[from] TlsError),
}
