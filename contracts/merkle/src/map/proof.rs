//! Presence or absence of a key in the state map, in one canonical encoding.
//!
//! ```text
//!   u8 kind      0 present   1 absent, empty subtree   2 absent, another leaf
//!   kind 2 only  32 bytes SHA-256 of the other leaf's key, 32 bytes SHA-256 of its value
//!   u16be n      number of siblings, 0 to 256
//!   bitmap       ceil(n / 8) bytes, most significant bit first: bit i is 1 if sibling i is written; padding bits are 0
//!   siblings     32 bytes for each bit that is 1; the others are the empty subtree's hash
//! ```
//!
//! Sibling i stands beside the step that bit i of SHA-256(key) decides, root first. Refuses any other length, set
//! padding bits and a written empty subtree's hash. Specification, section 5.

use super::node::{PLACEHOLDER, inner_hash, leaf_hash};
use crate::error::ProofError;
use crate::hash::Hash;
use sha2::{Digest, Sha256};

/// Most siblings that a proof can have: one for each bit of a key's hash.
pub const MAX_SIBLINGS: usize = 256;
/// Longest encoding of a proof, in bytes.
pub const MAX_PROOF_LEN: usize = 1 + 64 + 2 + MAX_SIBLINGS / 8 + 32 * MAX_SIBLINGS;

const PRESENT: u8 = 0;
const EMPTY: u8 = 1;
const OTHER_LEAF: u8 = 2;

/// A proof that a key has a value, or none, at a root of the map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapProof {
    end: End,
    /// Root first.
    siblings: Vec<Hash>,
}

/// What stands where the path ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The key's own leaf.
    Present,
    /// Nothing.
    Empty,
    /// The only leaf of the subtree that the key would be in.
    OtherLeaf { key_hash: [u8; 32], value_hash: [u8; 32] },
}

impl MapProof {
    pub(super) fn present(siblings: Vec<Hash>) -> Self {
        Self { end: End::Present, siblings }
    }

    pub(super) fn empty(siblings: Vec<Hash>) -> Self {
        Self { end: End::Empty, siblings }
    }

    pub(super) fn other_leaf(
        key_hash: [u8; 32],
        value_hash: [u8; 32],
        siblings: Vec<Hash>,
    ) -> Self {
        Self { end: End::OtherLeaf { key_hash, value_hash }, siblings }
    }

    /// Verifies that `key` has `value`, or is absent, in the map with this root.
    ///
    /// # Errors
    ///
    /// [`ProofError`] when the proof is of the other kind, excludes another key or leads to another root.
    pub fn verify(&self, root: &Hash, key: &[u8], value: Option<&[u8]>) -> Result<(), ProofError> {
        let key_hash = super::key_hash(key);
        let end = match (self.end, value) {
            (End::Present, Some(value)) => leaf_hash(&key_hash, &Sha256::digest(value).into()),
            (End::Empty, None) => PLACEHOLDER,
            (End::OtherLeaf { key_hash: other, value_hash }, None) => {
                if other == key_hash || shared_bits(&other, &key_hash) < self.siblings.len() {
                    return Err(ProofError::UnrelatedLeaf);
                }
                leaf_hash(&other, &value_hash)
            }
            _ => return Err(ProofError::WrongKind),
        };
        let steps: Vec<(&Hash, bool)> = self.siblings.iter().zip(bits(&key_hash)).collect();
        let reached = steps.iter().rev().fold(end, |below, (sibling, right)| {
            if *right { inner_hash(sibling, &below) } else { inner_hash(&below, sibling) }
        });
        if reached == *root { Ok(()) } else { Err(ProofError::RootMismatch) }
    }

    /// The one encoding, at most [`MAX_PROOF_LEN`] bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match &self.end {
            End::Present => bytes.push(PRESENT),
            End::Empty => bytes.push(EMPTY),
            End::OtherLeaf { key_hash, value_hash } => {
                bytes.push(OTHER_LEAF);
                bytes.extend_from_slice(key_hash);
                bytes.extend_from_slice(value_hash);
            }
        }
        let count = u16::try_from(self.siblings.len()).expect("a proof has at most 256 siblings");
        bytes.extend_from_slice(&count.to_be_bytes());
        bytes.extend(self.siblings.chunks(8).map(|eight| {
            let masks = (0..8u8).map(|place| 128u8 >> place);
            masks
                .zip(eight)
                .filter(|(_, sibling)| **sibling != PLACEHOLDER)
                .fold(0, |byte, (mask, _)| byte | mask)
        }));
        for sibling in self.siblings.iter().filter(|sibling| **sibling != PLACEHOLDER) {
            bytes.extend_from_slice(&sibling.0);
        }
        bytes
    }

    /// Reads the one encoding.
    ///
    /// # Errors
    ///
    /// [`ProofError::Encoding`] for anything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ProofError> {
        Self::read(bytes).ok_or(ProofError::Encoding)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        let (end, rest) = match *kind {
            PRESENT => (End::Present, rest),
            EMPTY => (End::Empty, rest),
            OTHER_LEAF => {
                let (key_hash, rest) = rest.split_first_chunk()?;
                let (value_hash, rest) = rest.split_first_chunk()?;
                (End::OtherLeaf { key_hash: *key_hash, value_hash: *value_hash }, rest)
            }
            _ => return None,
        };
        let (count, rest) = rest.split_first_chunk()?;
        let count = usize::from(u16::from_be_bytes(*count));
        if count > MAX_SIBLINGS {
            return None;
        }
        let (bitmap, hashes) = rest.split_at_checked(count.div_ceil(8))?;
        let siblings = read_siblings(count, bitmap, hashes)?;
        Some(Self { end, siblings })
    }
}

fn read_siblings(count: usize, bitmap: &[u8], hashes: &[u8]) -> Option<Vec<Hash>> {
    let (hashes, surplus) = hashes.as_chunks::<32>();
    let mut written = hashes.iter().copied().map(Hash);
    let mut flags = bits(bitmap);
    let mut siblings = Vec::with_capacity(count);
    for flag in flags.by_ref().take(count) {
        let sibling =
            if flag { written.next().filter(|hash| *hash != PLACEHOLDER)? } else { PLACEHOLDER };
        siblings.push(sibling);
    }
    (surplus.is_empty() && written.next().is_none() && !flags.any(|padding| padding))
        .then_some(siblings)
}

/// Bits of bytes, most significant first.
fn bits(bytes: &[u8]) -> impl Iterator<Item = bool> {
    bytes.iter().flat_map(|byte| (0..8u8).map(move |place| byte & (128u8 >> place) != 0))
}

fn shared_bits(left: &[u8; 32], right: &[u8; 32]) -> usize {
    bits(left).zip(bits(right)).take_while(|(left, right)| left == right).count()
}
