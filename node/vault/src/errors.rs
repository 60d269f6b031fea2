//! What can go wrong with a vault, and whose fault it is.

use heatmark_records::{Path, RecordError, RecordId};
use thiserror::Error;

/// Why the vault refuses.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The key does not open this vault: give the one it was made with.
    #[error("this key does not open the vault")]
    WrongKey,
    /// The directory holds something else, or a vault of another version.
    #[error("the directory holds no vault of this version")]
    NotAVault,
    /// A value was changed on disk, or put in another's place: restore from a backup.
    #[error("a value of the vault was changed on disk; restore it from a backup")]
    Damaged,
    /// The caller named a record that is not here.
    #[error("the vault has no record {0:?}")]
    UnknownRecord(RecordId),
    /// An opening that does not decode: fatal, restore from a backup.
    #[error("an opening in the vault cannot be read: {0}")]
    Opening(#[from] RecordError),
    /// This field was proved to this receiver by another specification, and is proved to it by no second one: name
    /// the first again, or show the value.
    #[error("{0} was proved to this receiver by another specification")]
    AgreedOtherwise(Path),
    /// A thread died while it wrote: restart the node.
    #[error("the vault was left locked by a thread that died")]
    Poisoned,
    /// Alert indices ran out, or were told to run backwards.
    #[error("there is no further alert index")]
    NoAlertIndex,
    /// The disk or the database failed; fatal unless another process holds the vault.
    #[error("the vault's database failed: {0}")]
    Database(#[from] rocksdb::Error),
    /// The vault's directory cannot be made private to this user.
    #[error("the vault's directory cannot be made: {0}")]
    Directory(#[from] std::io::Error),
}
