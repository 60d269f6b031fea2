//! Decoding of what no member signs by itself: bounded first, then decoded, then encoded again and compared.

use heatmark_ledger::wire::shape::{self, Shape};
use prost::Message;

use crate::EscrowError;

/// Longest name of a section, a clause or a document in bytes.
pub const MAX_NAME_BYTES: usize = 100;
/// Shorter than any id, key, digest or signature.
pub(crate) const SHORT: usize = 24;

/// Decodes a message of at most `longest` bytes from its one encoding.
pub(crate) fn decode<M: Message + Default>(
    bytes: &[u8],
    longest: usize,
    shape: Shape,
) -> Result<M, EscrowError> {
    if bytes.len() > longest {
        return Err(EscrowError::TooLong);
    }
    if !shape::fits(bytes, shape) {
        return Err(EscrowError::NotCanonical);
    }
    let message = M::decode(bytes).map_err(|_| EscrowError::NotCanonical)?;
    if message.encode_to_vec() == bytes { Ok(message) } else { Err(EscrowError::NotCanonical) }
}

/// Whether bytes are as long as an id, a digest or an Ed25519 key.
pub(crate) fn is_hash(bytes: &[u8]) -> bool {
    bytes.len() == 32
}

/// Whether there are either no bytes or those of an id.
pub(crate) fn is_hash_or_none(bytes: &[u8]) -> bool {
    bytes.is_empty() || is_hash(bytes)
}

/// Whether a text names something: not blank, printable, not long.
pub(crate) fn is_name(text: &str) -> bool {
    !text.trim().is_empty() && prints(text, MAX_NAME_BYTES)
}

/// Whether a text of at most so many bytes prints on one line.
pub(crate) fn prints(text: &str, most: usize) -> bool {
    text.len() <= most && !text.chars().any(char::is_control)
}

/// Whether a text is a country of ISO 3166-1 as the registry writes it.
pub(crate) fn is_country(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// Whether entries ascend and none stands twice.
pub(crate) fn ascend<T: Ord>(entries: &[T]) -> bool {
    entries.is_sorted_by(|left, right| left < right)
}

/// Whether no entry stands twice, in whatever order they are.
pub(crate) fn differ<'e, T: Ord + ?Sized + 'e>(entries: impl IntoIterator<Item = &'e T>) -> bool {
    let mut seen = std::collections::BTreeSet::new();
    entries.into_iter().all(|entry| seen.insert(entry))
}
