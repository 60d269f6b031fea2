//! The right edge of a log tree: enough to append leaves and to know the root, in O(log n) hashes.
//!
//! A frontier holds the roots of the perfect subtrees that the leaves fall into, one for each bit set in the size.

use super::path::{HashReader, fold_peaks, stored_peaks};
use super::{empty_root, node_hash};
use crate::error::TreeError;
use crate::hash::{Hash, TreeSize};

/// The roots of the perfect subtrees of a tree, largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: TreeSize,
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The frontier of the empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The frontier of a stored tree of `size` leaves; reads its partial tiles, at most eight.
    ///
    /// # Errors
    ///
    /// [`TreeError`] when a tile cannot be read.
    pub fn from_tiles<R: HashReader>(
        size: TreeSize,
        reader: &R,
    ) -> Result<Self, TreeError<R::Error>> {
        Ok(Self { size, peaks: stored_peaks(size, reader)? })
    }

    /// Number of leaves.
    #[must_use]
    pub fn size(&self) -> TreeSize {
        self.size
    }

    /// Appends a leaf, given by its [`leaf_hash`](super::leaf_hash).
    pub fn push(&mut self, leaf_hash: Hash) {
        let completed = self.size.0.trailing_ones();
        let mut hash = leaf_hash;
        for _ in 0..completed {
            let left = self.peaks.pop().expect("there is a subtree for each bit set in the size");
            hash = node_hash(&left, &hash);
        }
        self.peaks.push(hash);
        self.size.0 = self.size.0.checked_add(1).expect("nobody has written 2^64 leaves");
    }

    /// Root of the tree; [`empty_root`] without leaves.
    #[must_use]
    pub fn root(&self) -> Hash {
        fold_peaks(&self.peaks).unwrap_or_else(empty_root)
    }
}
