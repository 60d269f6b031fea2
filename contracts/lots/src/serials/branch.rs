//! A part of a tree of serials, so that one label's proof does not need a million serials at hand: 4,096 places that begin at a
//! multiple of that, under the hashes of all such parts. The tree is the same as the one that is built at once.

use heatmark_merkle::batch::BatchTree;
use heatmark_merkle::{Hash, tree};
use hkdf::Hkdf;
use sha2::Sha256;
use std::fmt;

use super::{MAX_SERIALS, SerialProof, SerialSecret, check_serial, salt, serial_hash};
use crate::LotError;

/// How many places a branch has, but for the last.
pub const BRANCH_SERIALS: usize = 4_096;

/// One branch in memory, to hand out the proofs of its labels.
pub struct SerialBranch {
    first: u32,
    tree: BatchTree,
    serials: Vec<String>,
    salts: Hkdf<Sha256>,
}

impl SerialBranch {
    /// Builds the branch of a number, from 0, over its serials in their order.
    ///
    /// # Errors
    /// `NotCanonical` for a serial that is not 1 to 64 printable ASCII characters without a space, `Serials` when there are
    /// none, too many, or the branch lies beyond the largest tree. That none stands twice in the whole tree is the caller's to see.
    pub fn new(number: u32, serials: Vec<String>, secret: &SerialSecret) -> Result<Self, LotError> {
        serials.iter().try_for_each(|serial| check_serial(serial))?;
        let places = u32::try_from(BRANCH_SERIALS).map_err(|_| LotError::Serials)?;
        let first = number.checked_mul(places).ok_or(LotError::Serials)?;
        let end = usize::try_from(first).ok().and_then(|first| first.checked_add(serials.len()));
        if serials.len() > BRANCH_SERIALS || end.is_none_or(|end| end > MAX_SERIALS) {
            return Err(LotError::Serials);
        }
        let salts = secret.salts();
        let leaves: Vec<Hash> = (first..)
            .zip(&serials)
            .map(|(place, serial)| serial_hash(&salt(&salts, place), serial))
            .collect();
        let tree = BatchTree::new(&leaves).map_err(|_| LotError::Serials)?;
        Ok(Self { first, tree, serials, salts })
    }

    /// The hash of the branch.
    #[must_use]
    pub fn hash(&self) -> Hash {
        self.tree.root()
    }

    /// The proof of the serial at a place of the whole tree, whose branches have these hashes, in order; none when the branch
    /// has no such place, or is not the one that stands there.
    #[must_use]
    pub fn prove(&self, place: u32, branches: &[Hash]) -> Option<SerialProof> {
        let within = place.checked_sub(self.first)?;
        let serial = self.serials.get(usize::try_from(within).ok()?)?.clone();
        let number = usize::try_from(self.first).ok()?.checked_div(BRANCH_SERIALS)?;
        if branches.get(number) != Some(&self.hash()) {
            return None;
        }
        let mut path = self.tree.path(within)?;
        above(branches, number, &mut path)?;
        Some(SerialProof { serial, place, salt: salt(&self.salts, place), path })
    }
}

impl fmt::Debug for SerialBranch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SerialBranch({} serials)", self.serials.len())
    }
}

/// The root of the tree whose branches have these hashes; none without branches.
#[must_use]
pub fn serial_root(branches: &[Hash]) -> Option<Hash> {
    match branches {
        [] => None,
        [only] => Some(*only),
        _ => {
            let (left, right) = branches.split_at_checked(halves(branches.len()))?;
            Some(tree::node_hash(&serial_root(left)?, &serial_root(right)?))
        }
    }
}

/// Adds what stands beside a branch on the way to the root. RFC 9162 §2.1.3.1.
fn above(branches: &[Hash], number: usize, path: &mut Vec<Hash>) -> Option<()> {
    if branches.len() <= 1 {
        return (number == 0).then_some(());
    }
    let at = halves(branches.len());
    let (left, right) = branches.split_at_checked(at)?;
    if number < at {
        above(left, number, path)?;
        path.push(serial_root(right)?);
    } else {
        above(right, number.checked_sub(at)?, path)?;
        path.push(serial_root(left)?);
    }
    Some(())
}

/// The largest power of two below a count of two or more.
const fn halves(count: usize) -> usize {
    count.next_power_of_two() >> 1
}
