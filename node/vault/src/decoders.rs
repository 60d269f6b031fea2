//! The decoders of what lies on disk, open to `tests/fuzz` alone.

use crate::rows::{AlertReason, RecordRow, Submission};
use crate::sealed::{Sealer, VaultKey};
use heatmark_records::RecordId;

/// A record's row, encoded again.
#[must_use]
pub fn row(bytes: &[u8]) -> Option<Vec<u8>> {
    RecordRow::decode(RecordId::from([0; 32]), bytes).ok().map(|row| row.encode())
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
    Sealer::new(key).seal(place, value)
}

/// Opens a sealed value.
#[must_use]
pub fn open(key: &VaultKey, place: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
    Sealer::new(key).open(place, sealed).ok().map(|value| value.to_vec())
}
