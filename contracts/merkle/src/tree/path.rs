//! Inclusion and consistency paths (RFC 9162 §2.1.3.1, §2.1.4.1) from stored tiles.
//!
//! Every tile that a path needs is read once, with the width that it has in a tree of that size. Refuses indices and
//! sizes that the tree does not have, and tiles shorter than asked for.

use std::collections::BTreeMap;

use super::node_hash;
use crate::error::TreeError;
use crate::hash::{Hash, LeafIndex, TreeSize};
use crate::tiles::{HASH_LEN, TILE_HASHES, TileId, width_in};

/// Where tiles come from.
pub trait HashReader {
    /// What the store fails with.
    type Error;

    /// The first `width` hashes (1 to 256) of a tile, as at least `width` × 32 bytes.
    ///
    /// A store may answer with a wider tile of the same index: what follows is ignored.
    ///
    /// # Errors
    ///
    /// Whatever the store fails with; a tile that it does not have is a failure.
    fn tile(&self, tile: TileId, width: u16) -> Result<Vec<u8>, Self::Error>;
}

impl<R: HashReader + ?Sized> HashReader for &R {
    type Error = R::Error;

    fn tile(&self, tile: TileId, width: u16) -> Result<Vec<u8>, Self::Error> {
        (**self).tile(tile, width)
    }
}

/// The path that proves a leaf in a tree of `size` leaves, from leaf to root.
///
/// # Errors
///
/// [`TreeError`] when the leaf is outside the tree or a tile cannot be read.
pub fn inclusion_path<R: HashReader>(
    index: LeafIndex,
    size: TreeSize,
    reader: &R,
) -> Result<Vec<Hash>, TreeError<R::Error>> {
    if index.0 >= size.0 {
        return Err(TreeError::IndexOutOfRange { index, size });
    }
    let mut siblings = Vec::new();
    let (mut start, mut end) = (0, size.0);
    while let Some(middle) = split(start, end) {
        if index.0 < middle {
            siblings.push((middle, end));
            end = middle;
        } else {
            siblings.push((start, middle));
            start = middle;
        }
    }
    Subtrees::new(size, reader).roots(&siblings)
}

/// The path that proves a tree of `old` leaves to be the beginning of one of `new`.
///
/// Empty between equal sizes and from the empty tree.
///
/// # Errors
///
/// [`TreeError`] when `old` is larger or a tile cannot be read.
pub fn consistency_path<R: HashReader>(
    old: TreeSize,
    new: TreeSize,
    reader: &R,
) -> Result<Vec<Hash>, TreeError<R::Error>> {
    if old > new {
        return Err(TreeError::SizesOutOfOrder { old, new });
    }
    if old.0 == 0 || old == new {
        return Ok(Vec::new());
    }
    let mut ranges = Vec::new();
    let (mut start, mut end) = (0, new.0);
    while end != old.0 {
        let Some(middle) = split(start, end) else { break };
        if old.0 <= middle {
            ranges.push((middle, end));
            end = middle;
        } else {
            ranges.push((start, middle));
            start = middle;
        }
    }
    // The verifier knows the old root, so a subtree that is the whole old tree is left out.
    if start != 0 {
        ranges.push((start, end));
    }
    Subtrees::new(new, reader).roots(&ranges)
}

/// Where RFC 9162 splits the leaves `start..end`, or nothing for a single leaf.
fn split(start: u64, end: u64) -> Option<u64> {
    let last = end.checked_sub(start)?.checked_sub(1)?;
    let height = last.checked_ilog2()?;
    start.checked_add(1u64.checked_shl(height)?)
}

/// Roots of subtrees of a stored tree; holds the tiles of one answer so that each is read once.
pub(super) struct Subtrees<'r, R> {
    size: TreeSize,
    reader: &'r R,
    tiles: BTreeMap<TileId, Vec<u8>>,
}

impl<'r, R: HashReader> Subtrees<'r, R> {
    pub(super) fn new(size: TreeSize, reader: &'r R) -> Self {
        Self { size, reader, tiles: BTreeMap::new() }
    }

    /// The roots of ranges given from root to leaf, returned from leaf to root.
    fn roots(mut self, ranges: &[(u64, u64)]) -> Result<Vec<Hash>, TreeError<R::Error>> {
        ranges.iter().rev().map(|(start, end)| self.root(*start, *end)).collect()
    }

    fn root(&mut self, start: u64, end: u64) -> Result<Hash, TreeError<R::Error>> {
        let peaks = self.peaks(start, end)?;
        Ok(fold_peaks(&peaks).expect("a subtree has at least one leaf"))
    }

    /// The perfect subtrees that `start..end` consists of, largest first; `start` is a multiple of the largest.
    pub(super) fn peaks(&mut self, start: u64, end: u64) -> Result<Vec<Hash>, TreeError<R::Error>> {
        let mut peaks = Vec::new();
        let mut at = start;
        while let Some(height) = end.saturating_sub(at).checked_ilog2() {
            peaks.push(self.perfect(height, at)?);
            at = at.wrapping_add(1u64.wrapping_shl(height));
        }
        Ok(peaks)
    }

    /// Root of the perfect subtree of 2^`height` leaves from leaf `start` on.
    fn perfect(&mut self, height: u32, start: u64) -> Result<Hash, TreeError<R::Error>> {
        let level = u8::try_from(height / 8).expect("a height is below 64");
        let first = start.wrapping_shr(u32::from(level).wrapping_mul(8));
        let offset = usize::try_from(first % TILE_HASHES).expect("a remainder of 256 fits");
        let count = 1usize.wrapping_shl(height % 8);
        let id = TileId { level, index: first / TILE_HASHES };
        let width = width_in(self.size, id);
        let short = TreeError::ShortTile { tile: id, width };
        let hashes = self.tile(id, width)?.as_chunks::<HASH_LEN>().0;
        let wanted = hashes.get(offset..).and_then(|rest| rest.get(..count));
        Ok(perfect_root(wanted.ok_or(short)?))
    }

    fn tile(&mut self, id: TileId, width: u16) -> Result<&[u8], TreeError<R::Error>> {
        let bytes = match self.tiles.entry(id) {
            std::collections::btree_map::Entry::Occupied(held) => held.into_mut(),
            std::collections::btree_map::Entry::Vacant(place) => {
                place.insert(self.reader.tile(id, width).map_err(TreeError::Reader)?)
            }
        };
        let len = usize::from(width).saturating_mul(HASH_LEN);
        bytes.get(..len).ok_or(TreeError::ShortTile { tile: id, width })
    }
}

/// Root over perfect subtrees given from left to right, each smaller than the one before.
pub(super) fn fold_peaks(peaks: &[Hash]) -> Option<Hash> {
    let (last, rest) = peaks.split_last()?;
    Some(rest.iter().rev().fold(*last, |right, left| node_hash(left, &right)))
}

/// Root of a perfect tree over 1, 2, 4 … 256 hashes.
pub(crate) fn perfect_root(hashes: &[[u8; HASH_LEN]]) -> Hash {
    let mut level: Vec<Hash> = hashes.iter().copied().map(Hash).collect();
    while level.len() > 1 {
        level =
            level.as_chunks::<2>().0.iter().map(|[left, right]| node_hash(left, right)).collect();
    }
    level.first().copied().expect("a perfect tree has at least one leaf")
}
