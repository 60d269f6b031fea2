//! The RFC 9162 §2.1 Merkle tree: its hashes, the verification of its proofs, and how they are built from tiles.
//!
//! Verification refuses a path of any length but the exact one. Specification, section 4.

mod frontier;
mod path;

use sha2::block_api::compress256;
use sha2::{Digest, Sha256};

use crate::error::ProofError;
use crate::hash::{Hash, LeafIndex, TreeSize};

pub use frontier::Frontier;
pub(crate) use path::perfect_root;
pub use path::{HashReader, TileCache, consistency_path, inclusion_path};

/// Root of the tree without leaves: SHA-256 of nothing.
#[must_use]
pub fn empty_root() -> Hash {
    Hash(Sha256::digest([]).into())
}

/// Hash of a leaf: SHA-256 of a zero byte and the leaf data (RFC 9162 §2.1.1).
#[must_use]
pub fn leaf_hash(leaf_data: &[u8]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([0]);
    hasher.update(leaf_data);
    Hash(hasher.finalize().into())
}

/// Hash of an inner node: SHA-256 of a one byte and both children (RFC 9162 §2.1.1).
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    // 65 bytes, then the padding of FIPS 180-4 §5.1.1. Building a path is hundreds of these and nothing else; going
    // through the streaming interface takes almost twice as long.
    let mut blocks = [[0; 64]; 2];
    let (message, padding) = blocks.as_flattened_mut().split_at_mut(65);
    let (tag, children) = message.split_at_mut(1);
    let (first, second) = children.split_at_mut(32);
    tag.fill(1);
    first.copy_from_slice(&left.0);
    second.copy_from_slice(&right.0);
    if let [end, .., length_high, length_low] = padding {
        *end = 0x80;
        [*length_high, *length_low] = NODE_BITS.to_be_bytes();
    }
    let mut state = INITIAL;
    compress256(&mut state, &blocks);
    let mut hash = [0; 32];
    for (place, word) in hash.as_chunks_mut::<4>().0.iter_mut().zip(state) {
        *place = word.to_be_bytes();
    }
    Hash(hash)
}

/// Length of a node's preimage in bits: a tag byte and two hashes.
const NODE_BITS: u16 = 65 * 8;

/// Initial state of SHA-256 (FIPS 180-4 §5.3.3).
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

/// Verifies that a leaf stands at an index of a tree (RFC 9162 §2.1.3.2); the path goes from leaf to root.
///
/// # Errors
///
/// [`ProofError`] when the index is outside the tree, the path's length is not the exact one or the root differs.
pub fn verify_inclusion(
    leaf: &Hash,
    index: LeafIndex,
    size: TreeSize,
    path: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    let out_of_range = ProofError::IndexOutOfRange { index, size };
    if index.0 >= size.0 {
        return Err(out_of_range);
    }
    let mut node = index.0;
    let mut last = size.0.checked_sub(1).ok_or(out_of_range)?;
    let mut hash = *leaf;
    for sibling in path {
        if last == 0 {
            return Err(ProofError::PathTooLong);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            (node, last) = skip_lone_levels(node, last);
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::PathTooShort);
    }
    if hash == *root { Ok(()) } else { Err(ProofError::RootMismatch) }
}

/// Verifies that a tree is the beginning of another (RFC 9162 §2.1.4.2).
///
/// Between equal sizes, and from the empty tree, the path is empty.
///
/// # Errors
///
/// [`ProofError`] when `old` is larger, the path's length is not the exact one or either root differs.
pub fn verify_consistency(
    old: TreeSize,
    old_root: &Hash,
    new: TreeSize,
    new_root: &Hash,
    path: &[Hash],
) -> Result<(), ProofError> {
    if old > new {
        return Err(ProofError::SizesOutOfOrder { old, new });
    }
    if old == new || old.0 == 0 {
        if !path.is_empty() {
            return Err(ProofError::PathTooLong);
        }
        let roots_hold = if old == new { old_root == new_root } else { *old_root == empty_root() };
        let empty_holds = new.0 != 0 || *new_root == empty_root();
        return if roots_hold && empty_holds { Ok(()) } else { Err(ProofError::RootMismatch) };
    }
    // An old tree that is a perfect subtree is its own first hash.
    let (seed, rest) = if old.0.is_power_of_two() {
        (old_root, path)
    } else {
        path.split_first().ok_or(ProofError::PathTooShort)?
    };
    let levels = old.0.trailing_zeros();
    let mut node = old.0.wrapping_sub(1).wrapping_shr(levels);
    let mut last = new.0.wrapping_sub(1).wrapping_shr(levels);
    let (mut old_hash, mut new_hash) = (*seed, *seed);
    for sibling in rest {
        if last == 0 {
            return Err(ProofError::PathTooLong);
        }
        if node & 1 == 1 || node == last {
            old_hash = node_hash(sibling, &old_hash);
            new_hash = node_hash(sibling, &new_hash);
            (node, last) = skip_lone_levels(node, last);
        } else {
            new_hash = node_hash(&new_hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::PathTooShort);
    }
    if old_hash == *old_root && new_hash == *new_root {
        Ok(())
    } else {
        Err(ProofError::RootMismatch)
    }
}

/// Climbs past the levels on which the rightmost node has no sibling.
fn skip_lone_levels(node: u64, last: u64) -> (u64, u64) {
    if node == 0 {
        return (0, last);
    }
    let levels = node.trailing_zeros();
    (node.wrapping_shr(levels), last.wrapping_shr(levels))
}

#[cfg(test)]
pub(crate) mod tests;
