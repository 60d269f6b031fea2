//! The tree over the record roots of one anchor: RFC 9162 hashes over `P("batch-leaf", record root)`.
//!
//! Refuses empty batches and more than [`MAX_RECORDS`]. Verification goes through
//! [`tree::verify_inclusion`], because the verifier of `rs_merkle` accepts a surplus hash. Specification, section 1.

use rs_merkle::{Hasher, MerkleTree};

use crate::error::{BatchError, ProofError};
use crate::hash::{Hash, LeafIndex, TreeSize};
use crate::{tag, tree};

/// Most records that one batch may have.
pub const MAX_RECORDS: usize = 1_000_000;

/// Root over record roots in their order, or nothing for none; needs O(log n) memory.
#[must_use]
pub fn root(record_roots: &[Hash]) -> Option<Hash> {
    let mut frontier = tree::Frontier::new();
    for record_root in record_roots {
        frontier.push(leaf(record_root));
    }
    (!record_roots.is_empty()).then(|| frontier.root())
}

/// A batch tree held in memory, to hand out the path of every record.
#[derive(Clone)]
pub struct BatchTree {
    tree: MerkleTree<Rfc9162>,
    count: usize,
    root: Hash,
}

impl BatchTree {
    /// Builds the tree over record roots in their order.
    ///
    /// # Errors
    ///
    /// [`BatchError`] when there are none or more than [`MAX_RECORDS`].
    pub fn new(record_roots: &[Hash]) -> Result<Self, BatchError> {
        let count = record_roots.len();
        if count > MAX_RECORDS {
            return Err(BatchError::TooMany(count));
        }
        let leaves: Vec<[u8; 32]> =
            record_roots.iter().map(|record_root| leaf(record_root).0).collect();
        let tree = MerkleTree::from_leaves(&leaves);
        let root = tree.root().map(Hash).ok_or(BatchError::Empty)?;
        Ok(Self { tree, count, root })
    }

    /// Root of the tree, equal to [`root`] over the same records.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.root
    }

    /// Number of records.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The path of a record from leaf to root, or nothing when there is no such record.
    #[must_use]
    pub fn path(&self, index: u32) -> Option<Vec<Hash>> {
        let index = usize::try_from(index).ok().filter(|index| *index < self.count)?;
        Some(self.tree.proof(&[index]).proof_hashes().iter().copied().map(Hash).collect())
    }
}

/// Verifies that a record stands at `index` of a batch of `count` records.
///
/// # Errors
///
/// [`ProofError`] as of [`tree::verify_inclusion`].
pub fn verify(
    record_root: &Hash,
    index: u32,
    count: u32,
    path: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    let (index, size) = (LeafIndex(index.into()), TreeSize(count.into()));
    tree::verify_inclusion(&leaf(record_root), index, size, path, root)
}

fn leaf(record_root: &Hash) -> Hash {
    tree::leaf_hash(&tag::preimage("batch-leaf", &[&record_root.0]))
}

#[derive(Clone)]
struct Rfc9162;

impl Hasher for Rfc9162 {
    type Hash = [u8; 32];

    fn hash(data: &[u8]) -> [u8; 32] {
        tree::leaf_hash(data).0
    }

    fn concat_and_hash(left: &[u8; 32], right: Option<&[u8; 32]>) -> [u8; 32] {
        right.map_or(*left, |right| tree::node_hash(&Hash(*left), &Hash(*right)).0)
    }
}

#[cfg(test)]
mod tests;
