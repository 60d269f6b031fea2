//! The decoders of what lies on disk, open to `tests/fuzz` alone.

use crate::deeds::LogEntry;
use crate::operators::Operator;
use crate::rows::{AlertReason, Kept, Private, Submission};
use crate::sealed::VaultKey;

/// What stays of a record's row, encoded again.
#[must_use]
pub fn row(bytes: &[u8]) -> Option<Vec<u8>> {
    Kept::decode(bytes).ok().map(|row| row.encode())
}

/// What is destroyed with a record, encoded again.
#[must_use]
pub fn private(bytes: &[u8]) -> Option<Vec<u8>> {
    Private::decode(bytes).ok().map(|row| row.encode())
}

/// An entry of the log, encoded again.
#[must_use]
pub fn entry(bytes: &[u8]) -> Option<Vec<u8>> {
    LogEntry::decode(bytes).ok().map(|entry| entry.encode())
}

/// An operator, encoded again.
#[must_use]
pub fn operator(bytes: &[u8]) -> Option<Vec<u8>> {
    Operator::decode([0; 32], bytes).ok().map(|operator| operator.encode())
}

/// A submission's row, encoded again.
#[must_use]
pub fn submission(bytes: &[u8]) -> Option<Vec<u8>> {
    Submission::decode([0; 32], bytes).ok().map(|row| row.encode())
}

/// An alert's reason, encoded again.
#[must_use]
pub fn reason(bytes: &[u8]) -> Option<Vec<u8>> {
    AlertReason::decode(bytes).ok().map(|row| row.encode().to_vec())
}

/// Seals a value under a vault key and the key of its place.
#[must_use]
pub fn seal(key: &VaultKey, place: &[u8], value: &[u8]) -> Vec<u8> {
    key.wrapping().seal(place, value)
}

/// Opens a sealed value.
#[must_use]
pub fn open(key: &VaultKey, place: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    key.wrapping().open(place, sealed).ok().map(|value| value.to_vec())
}
