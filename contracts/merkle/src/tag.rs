//! Tagged preimages: everything hashed or signed says first what it is.
//!
//! `P(what, p1 … pn) = u8 len(tag) ‖ tag ‖ u32be len(p1) ‖ p1 ‖ …` with tag `heatmark/v1/` and `what`;
//! `H` is its SHA-256. Specification, section 1.

use sha2::{Digest, Sha256};

use crate::hash::Hash;

const PREFIX: &str = "heatmark/v1/";

/// The bytes `P(what, parts)`; `what` is one of the specification's names, a part is shorter than 4 GiB.
#[must_use]
pub fn preimage(what: &str, parts: &[&[u8]]) -> Vec<u8> {
    let parts_len =
        parts.iter().map(|part| part.len().saturating_add(4)).fold(0, usize::saturating_add);
    let len = parts_len.saturating_add(PREFIX.len()).saturating_add(what.len()).saturating_add(1);
    let mut bytes = Vec::with_capacity(len);
    feed(what, parts, |chunk| bytes.extend_from_slice(chunk));
    bytes
}

/// `H(what, parts)`, the SHA-256 of [`preimage`], without building it.
#[must_use]
pub fn hash(what: &str, parts: &[&[u8]]) -> Hash {
    let mut hasher = Sha256::new();
    feed(what, parts, |chunk| hasher.update(chunk));
    Hash(hasher.finalize().into())
}

fn feed(what: &str, parts: &[&[u8]], mut sink: impl FnMut(&[u8])) {
    let tag_len = u8::try_from(PREFIX.len().saturating_add(what.len()))
        .expect("a tag is a short name of the specification");
    sink(&[tag_len]);
    sink(PREFIX.as_bytes());
    sink(what.as_bytes());
    for part in parts {
        let len = u32::try_from(part.len())
            .expect("a part was bounded far below 4 GiB when it was decoded");
        sink(&len.to_be_bytes());
        sink(part);
    }
}

#[cfg(test)]
mod tests;
