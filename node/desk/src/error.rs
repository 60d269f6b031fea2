//! What can go wrong at the desk, and whose fault it is. Messages name no field value, key or
//! file content.

use heatmark_ledger::refusal::Refusal;
use heatmark_ledger::state::StateError;
use heatmark_mempool::{IntakeError, MempoolError};
use heatmark_merkle::BatchError;
use heatmark_records::{RecordError, RecordId};
use heatmark_store::StoreError;
use heatmark_vault::VaultError;
use thiserror::Error;

/// Why the desk cannot do what it was asked.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DeskError {
    /// The ledger refuses the transaction; see the reason for the remedy.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// No room in the pool for as long as the transaction was valid. Transient: try again.
    #[error("{0}")]
    Busy(#[from] MempoolError),
    /// The transaction's window ended before a block took it. Nothing happened: try again.
    #[error("the transaction expired before a block took it")]
    Expired,
    /// Not committed in time, and it may yet be: ask for it by its id before trying again.
    #[error("the transaction is not committed yet; it may still be")]
    NotCommitted,
    /// The caller named a record that this node has not published.
    #[error("this node has published no record {0}")]
    UnknownRecord(RecordId),
    /// Another alert by this node on the same subject is on its way. Wait for it.
    #[error("another alert on this subject is on its way")]
    AlertUnderway,
    /// The caller gave no level, or one that is not known.
    #[error("an alert needs a level")]
    NoLevel,
    /// The caller's reason is too long.
    #[error("a reason has at most {limit} bytes", limit = crate::MAX_REASON_BYTES)]
    ReasonTooLong,
    /// The caller's body says nothing.
    #[error("the transaction has no payload")]
    NoPayload,
    /// Co-signatures cover window and nonce, so a co-signed body must come with both.
    #[error("a co-signed body must have its window and nonce")]
    IncompleteBody,
    /// The caller wants to let in a key that the registry knows, as somebody's.
    #[error("this key stands in the registry; an operator needs a key of its own")]
    RegisteredKey,
    /// The caller's key is none that can be shown in TLS.
    #[error("this is no acceptable Ed25519 key")]
    NoKey,
    /// The vault refuses; or its disk failed, or its content is damaged, which is fatal for the
    /// desk.
    #[error("vault: {0}")]
    Vault(#[from] VaultError),
    /// The log's store failed. Fatal for the node.
    #[error("store: {0}")]
    Store(#[from] StoreError),
    /// The state cannot be read. Fatal for the node.
    #[error("{0}")]
    State(#[from] StateError),
    /// The network runs a protocol version that this program does not know. Install a newer one.
    #[error("protocol version {0} is in force, which this program does not know")]
    VersionTooNew(u32),
    /// A record cannot be made or read.
    #[error("record: {0}")]
    Record(#[from] RecordError),
    /// A batch cannot be made; a defect.
    #[error("batch: {0}")]
    Batch(#[from] BatchError),
    /// The node is stopping, or whoever asked is gone.
    #[error("the node is stopping")]
    Stopped,
}

impl From<IntakeError> for DeskError {
    fn from(error: IntakeError) -> Self {
        match error {
            IntakeError::Refused(refusal) => Self::Refused(refusal),
            IntakeError::Pool(full) => Self::Busy(full),
            IntakeError::State(error) => Self::State(error),
            IntakeError::VersionTooNew(version) => Self::VersionTooNew(version),
        }
    }
}

impl DeskError {
    /// A stable name for metrics and machine-readable answers.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Busy(MempoolError::Full) => "pool-full",
            Self::Busy(MempoolError::MemberQuota) => "member-quota",
            Self::Expired => "expired",
            Self::NotCommitted => "pending",
            Self::UnknownRecord(_) => "unknown-record",
            Self::AlertUnderway => "alert-underway",
            Self::NoLevel => "field",
            Self::ReasonTooLong => "too-long",
            Self::NoPayload => "no-payload",
            Self::IncompleteBody => "incomplete-body",
            Self::RegisteredKey => "registered-key",
            Self::NoKey => "key",
            Self::Vault(error) => vault_code(error),
            Self::Store(_) | Self::State(_) => "store",
            Self::VersionTooNew(_) => "version-too-new",
            Self::Record(_) | Self::Batch(_) => "record",
            Self::Stopped => "stopping",
        }
    }
}

fn vault_code(error: &VaultError) -> &'static str {
    match error {
        VaultError::UnknownRecord(_) => "unknown-record",
        VaultError::Erased(_) => "erased",
        VaultError::OnHold(_) => "on-hold",
        VaultError::Retained { .. } => "retained",
        VaultError::NotAnchored(_) => "not-anchored",
        VaultError::Name | VaultError::NoRole => "field",
        VaultError::ReasonTooLong => "too-long",
        VaultError::UnknownOperator => "unknown-operator",
        VaultError::TooManyOperators => "too-many-operators",
        _ => "vault",
    }
}
