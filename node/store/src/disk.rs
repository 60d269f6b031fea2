//! What the store asks of a disk: families of ordered keys, and batches that are written whole or
//! not at all. A node keeps them in RocksDB; the simulation puts a disk in its place that crashes
//! and fails on purpose.
//!
//! A disk promises four things, and the store needs no fifth. A batch is atomic, also over a crash.
//! What was written with [`Durability::Synced`], and everything before it, survives a crash; of what
//! came later a prefix does, in the order of writing. A reader sees every batch written before. And
//! bytes that are not those written are an error, never an answer.

use std::error::Error;
use thiserror::Error;

/// A named space of keys, ordered as bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Family(&'static str);

impl Family {
    pub(crate) const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// Its name, unique within the store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }

    /// All families that a disk must have when it is opened.
    pub fn all() -> impl Iterator<Item = Self> {
        crate::schema::families().into_iter()
    }
}

/// Why a disk did not do what it was asked: full, failing, its bytes damaged, or held by another
/// process. Fatal: stop, look at the disk.
#[derive(Debug, Error)]
#[error(transparent)]
pub struct DiskError(Box<dyn Error + Send + Sync>);

impl DiskError {
    /// Wraps the cause.
    #[must_use]
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

/// Where a walk over a family begins, and in what direction it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Walk<'k> {
    /// At the first key, ascending.
    First,
    /// At the last key, descending.
    Last,
    /// At this key or the next one, ascending.
    From(&'k [u8]),
    /// At this key or the one before, descending.
    Before(&'k [u8]),
}

/// A key with its value.
pub type Entry = (Box<[u8]>, Box<[u8]>);

/// The entries of a walk. After an error it need not go on.
pub type Entries<'d> = Box<dyn Iterator<Item = Result<Entry, DiskError>> + 'd>;

/// What must have happened before a write returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// It survives a crash of the machine.
    Synced,
    /// A reader sees it; a crash may lose it.
    Buffered,
}

/// Puts and deletes that are written together.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    operations: Vec<Operation>,
    /// Keys and values, one after the other: a batch of thousands costs few allocations.
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
struct Operation {
    family: Family,
    key_bytes: usize,
    /// `None` deletes.
    value_bytes: Option<usize>,
}

impl Batch {
    /// An empty batch.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key to a value.
    pub fn put(&mut self, family: Family, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        let (key, value) = (key.as_ref(), value.as_ref());
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value);
        let value_bytes = Some(value.len());
        self.operations.push(Operation { family, key_bytes: key.len(), value_bytes });
    }

    /// Removes a key, which may be absent.
    pub fn delete(&mut self, family: Family, key: impl AsRef<[u8]>) {
        let key = key.as_ref();
        self.bytes.extend_from_slice(key);
        self.operations.push(Operation { family, key_bytes: key.len(), value_bytes: None });
    }

    /// The operations in order: family, key, and the value, or none for a delete.
    pub fn operations(&self) -> impl Iterator<Item = (Family, &[u8], Option<&[u8]>)> {
        let mut rest = self.bytes.as_slice();
        self.operations.iter().map(move |operation| {
            let mut take = |length: usize| {
                let (taken, after) = rest.split_at_checked(length).unwrap_or((rest, &[]));
                rest = after;
                taken
            };
            let key = take(operation.key_bytes);
            (operation.family, key, operation.value_bytes.map(&mut take))
        })
    }
}

/// A disk with all of [`Family::all`]. Calls block, and may come from several threads.
pub trait Disk: Send + Sync + 'static {
    /// The value of a key.
    ///
    /// # Errors
    /// When the disk fails or its bytes are damaged.
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, DiskError>;

    /// Entries in the order of their keys. What is written during the walk need not show in it.
    fn walk(&self, family: Family, walk: Walk<'_>) -> Entries<'_>;

    /// Writes a batch, whole or not at all.
    ///
    /// # Errors
    /// When the disk fails. Whether the batch is there after the next opening is then open.
    fn write(&self, batch: Batch, durability: Durability) -> Result<(), DiskError>;

    /// Moves everything written to where the next opening finds it without replaying a log.
    ///
    /// # Errors
    /// When the disk fails.
    fn flush(&self) -> Result<(), DiskError>;
}
