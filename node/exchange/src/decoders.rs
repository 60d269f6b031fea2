//! The decoder of what peers send, open to `tests/fuzz` alone.

use crate::batch;
use bytes::Bytes;

/// The transactions of a batch; nothing for anything else.
#[must_use]
pub fn batch(bytes: &Bytes) -> Option<Vec<Bytes>> {
    batch::decode(bytes.clone()).ok()
}
