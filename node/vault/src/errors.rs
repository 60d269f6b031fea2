//! What can go wrong with a vault, and whose fault it is.

use std::path::PathBuf;

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
    /// The log of deeds does not follow from its entries: somebody changed it. Compare with a
    /// backup, and find out who had the vault's key.
    #[error("entry {0} of the vault's log was changed on disk, or is missing")]
    LogChanged(u64),
    /// The write-ahead log is not as it was synced: restore from a backup.
    #[error(
        "the vault's write-ahead log was changed on disk, in {} at byte {offset}; restore the \
         vault from a backup", path.display()
    )]
    JournalChanged {
        /// The file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
    },
    /// The caller named a record that is not here.
    #[error("the vault has no record {0:?}")]
    UnknownRecord(RecordId),
    /// The record's opening was destroyed, for good.
    #[error("what record {0:?} said was destroyed, for good; alerts on it can still be raised")]
    Erased(RecordId),
    /// The record is on legal hold: release it first.
    #[error("record {0:?} is on hold; release it first")]
    OnHold(RecordId),
    /// The record must still be kept: wait, or change its date.
    #[error("record {id:?} is to be kept until {until_ms} (milliseconds since 1970)")]
    Retained {
        /// The record.
        id: RecordId,
        /// Until when.
        until_ms: u64,
    },
    /// The record waits for its anchor: wait until it stands.
    #[error("record {0:?} is not anchored yet")]
    NotAnchored(RecordId),
    /// An operator's name has no characters, too many, or unprintable ones.
    #[error("a name has 1 to {limit} printable characters", limit = crate::MAX_NAME_CHARS)]
    Name,
    /// The caller's reason is too long.
    #[error("a reason has at most {limit} bytes", limit = crate::MAX_HOLD_REASON_BYTES)]
    ReasonTooLong,
    /// An operator without any role could do nothing: name one, or revoke it.
    #[error("an operator needs a role: publish, inspect, alert or administer")]
    NoRole,
    /// The vault lets in no more operators: revoke one.
    #[error("there are {limit} operators, and there may be no more", limit = crate::MAX_OPERATORS)]
    TooManyOperators,
    /// The caller named an operator that is not here.
    #[error("no operator has this key")]
    UnknownOperator,
    /// An opening that does not decode: fatal, restore from a backup.
    #[error("an opening in the vault cannot be read: {0}")]
    Opening(#[from] RecordError),
    /// This field was proved to this receiver by another specification, and is proved to it by no second one: name
    /// the first again, or show the value.
    #[error("{0} was proved to this receiver by another specification")]
    AgreedOtherwise(Path),
    /// The caller named a lot or an event that is not here.
    #[error("the vault has no such lot")]
    UnknownLot,
    /// Another event uses this lot, or has used it.
    #[error("lot {0} is used already, or on its way to be")]
    LotUsed(String),
    /// The event that makes this lot does not stand on the log yet: wait.
    #[error("lot {0} is not on the log yet")]
    LotNotThere(String),
    /// A lot's name is empty, too long, or not printable.
    #[error(
        "a lot's name has 1 to {limit} bytes, prints, and has no blank at either end",
        limit = crate::MAX_LOT_NAME_BYTES
    )]
    LotName,
    /// Another lot bears this name: give another one.
    #[error("there is a lot {0} already")]
    LotNameTaken(String),
    /// The seal was not offered, or something was sent under it already: ask for another offer.
    #[error("the receiver's seal was not offered, or is used already")]
    SealUsed,
    /// The parcel's fate is known, or it is being taken back already.
    #[error("this parcel is not on its way any more, or is being taken back already")]
    NotUnderway,
    /// What this certificate certifies was made into lots already: split those.
    #[error("the material of certificate {0:?} was commissioned already")]
    Commissioned(RecordId),
    /// This serial stands in a tree already, or twice in one: give others.
    #[error("the serial {0} was given already")]
    SerialTaken(String),
    /// No such tree of serials is kept, or an event has it already: give the serials again.
    #[error("these serials are not kept here, or begin elsewhere already; give them again")]
    SerialsUnknown,
    /// This field was proved to this receiver to agree within another tolerance, and is by no second one: name the first
    /// again, or show the value.
    #[error("{0} was proved to this receiver to agree within another tolerance")]
    OtherTolerance(Path),
    /// This field was proved to this receiver to agree with as many other records as it may: show the value.
    #[error("{0} was proved to this receiver to agree with {limit} other records, and is with no further one", limit = crate::MAX_AGREED_RECORDS)]
    AgreedWithOthers(Path),
    /// What another member says is longer than any such file: ask it again.
    #[error("it is longer than any such file")]
    TooLong,
    /// A thread died while it wrote: restart the node.
    #[error("the vault was left locked by a thread that died")]
    Poisoned,
    /// Alert indices ran out, or were told to run backwards.
    #[error("there is no further alert index")]
    NoAlertIndex,
    /// The operating system gives no random numbers; fatal.
    #[error("the system gave no random numbers")]
    NoRandomness,
    /// The disk or the database failed; fatal unless another process holds the vault.
    #[error("the vault's database failed: {0}")]
    Database(#[from] rocksdb::Error),
    /// The vault's directory cannot be made private to this user, or a backup cannot be written.
    #[error("the vault's files: {0}")]
    Io(#[from] std::io::Error),
}

impl VaultError {
    /// Whether what lies on the disk is not what was written: what can be had from elsewhere is fetched again.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged => true,
            Self::Database(error) => error.kind() == rocksdb::ErrorKind::Corruption,
            _ => false,
        }
    }
}

/// Why a backup is not restored. Nothing is left of it then.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// There is a vault already: name an empty home.
    #[error("{} holds something already, and is not overwritten", .0.display())]
    NotEmpty(PathBuf),
    /// The file is something else, or of a later version.
    #[error("this file is no backup of a vault, or of a version that this program does not know")]
    NotABackup,
    /// Its first bytes were changed: take another copy.
    #[error("the backup's head was changed")]
    Head,
    /// It was made by another vault, or under another key: restore that vault's keys first.
    #[error("the backup was made under another vault key than this home's")]
    OtherKey,
    /// It ends too early: take another copy.
    #[error("the backup is truncated, after {0} bytes")]
    Truncated(u64),
    /// It was changed: take another copy.
    #[error("the backup was changed, at or after byte {0}")]
    Changed(u64),
    /// Bytes follow its end: take another copy.
    #[error("bytes follow the backup's end, at byte {0}")]
    Trailing(u64),
    /// It opens, and holds what no vault holds; a defect.
    #[error("the backup holds what no vault holds")]
    Content,
    /// The file cannot be read, or the home not be written.
    #[error("{0}")]
    Io(#[from] std::io::Error),
    /// The restored vault does not open.
    #[error("{0}")]
    Vault(#[from] VaultError),
}
