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
/// Of many paths in one log, [`TileCache`] gives all but the first few for less.
///
/// # Errors
///
/// [`TreeError`] when the leaf is outside the tree or a tile cannot be read.
pub fn inclusion_path<R: HashReader>(
    index: LeafIndex,
    size: TreeSize,
    reader: &R,
) -> Result<Vec<Hash>, TreeError<R::Error>> {
    TileCache::for_one_answer().inclusion_path(index, size, reader)
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
    TileCache::for_one_answer().consistency_path(old, new, reader)
}

/// Tiles of one log with the nodes inside them, kept between paths; the least recently used one makes room.
///
/// A log only grows, so a tile once read stays right; a cache must never see a second log. Every path goes through the
/// tiles of the upper levels, so a few of them save more than half of the hashing.
#[derive(Clone, Debug)]
pub struct TileCache {
    tiles: BTreeMap<TileId, Tile>,
    capacity: usize,
    clock: u64,
}

/// A tile: its hashes first, then each layer of nodes above them that was needed so far.
#[derive(Clone, Debug)]
struct Tile {
    layers: Vec<Vec<Hash>>,
    width: u16,
    last_used: u64,
}

impl TileCache {
    /// More than the two tiles a level that one answer needs: nothing is dropped before the answer is done.
    const ONE_ANSWER: usize = 32;

    /// An empty cache for at most `capacity` tiles of up to 16 KiB each, and at least 32.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { tiles: BTreeMap::new(), capacity: capacity.max(Self::ONE_ANSWER), clock: 0 }
    }

    fn for_one_answer() -> Self {
        Self::new(Self::ONE_ANSWER)
    }

    /// As [`inclusion_path`], reading only the tiles that are not held.
    ///
    /// # Errors
    ///
    /// As of [`inclusion_path`].
    pub fn inclusion_path<R: HashReader>(
        &mut self,
        index: LeafIndex,
        size: TreeSize,
        reader: &R,
    ) -> Result<Vec<Hash>, TreeError<R::Error>> {
        let ranges =
            inclusion_ranges(index, size).ok_or(TreeError::IndexOutOfRange { index, size })?;
        Subtrees { size, reader, cache: self }.roots(&ranges)
    }

    /// As [`consistency_path`], reading only the tiles that are not held.
    ///
    /// # Errors
    ///
    /// As of [`consistency_path`].
    pub fn consistency_path<R: HashReader>(
        &mut self,
        old: TreeSize,
        new: TreeSize,
        reader: &R,
    ) -> Result<Vec<Hash>, TreeError<R::Error>> {
        let ranges = consistency_ranges(old, new).ok_or(TreeError::SizesOutOfOrder { old, new })?;
        Subtrees { size: new, reader, cache: self }.roots(&ranges)
    }

    /// A tile with at least `width` hashes.
    fn tile<R: HashReader>(
        &mut self,
        id: TileId,
        width: u16,
        reader: &R,
    ) -> Result<&mut Tile, TreeError<R::Error>> {
        self.clock = self.clock.wrapping_add(1);
        if self.tiles.get(&id).is_none_or(|tile| tile.width < width) {
            let bytes = reader.tile(id, width).map_err(TreeError::Reader)?;
            let tile = Tile::new(&bytes, width).ok_or(TreeError::ShortTile { tile: id, width })?;
            self.make_room();
            self.tiles.insert(id, tile);
        }
        let tile = self.tiles.get_mut(&id).expect("the tile was held or has just been inserted");
        tile.last_used = self.clock;
        Ok(tile)
    }

    fn make_room(&mut self) {
        if self.tiles.len() < self.capacity {
            return;
        }
        let oldest = self.tiles.iter().min_by_key(|(_, tile)| tile.last_used).map(|(id, _)| *id);
        if let Some(oldest) = oldest {
            self.tiles.remove(&oldest);
        }
    }
}

impl Tile {
    fn new(bytes: &[u8], width: u16) -> Option<Self> {
        let hashes = bytes.as_chunks::<HASH_LEN>().0.get(..usize::from(width))?;
        let hashes = hashes.iter().copied().map(Hash).collect();
        Some(Self { layers: vec![hashes], width, last_used: 0 })
    }

    /// The node `height` layers above the hashes, 0 to 7, counted from the left.
    fn node(&mut self, height: usize, place: usize) -> Option<Hash> {
        while self.layers.len() <= height {
            let above = layer_above(self.layers.last()?);
            self.layers.push(above);
        }
        self.layers.get(height)?.get(place).copied()
    }
}

/// The sibling subtrees on the way from the root to a leaf, as ranges of leaves.
fn inclusion_ranges(index: LeafIndex, size: TreeSize) -> Option<Vec<(u64, u64)>> {
    if index.0 >= size.0 {
        return None;
    }
    let mut ranges = Vec::new();
    let (mut start, mut end) = (0, size.0);
    while let Some(middle) = split(start, end) {
        if index.0 < middle {
            ranges.push((middle, end));
            end = middle;
        } else {
            ranges.push((start, middle));
            start = middle;
        }
    }
    Some(ranges)
}

/// The subtrees whose roots prove consistency, from the root down, as ranges of leaves.
fn consistency_ranges(old: TreeSize, new: TreeSize) -> Option<Vec<(u64, u64)>> {
    if old > new {
        return None;
    }
    let mut ranges = Vec::new();
    if old.0 == 0 {
        return Some(ranges);
    }
    let (mut start, mut end) = (0, new.0);
    while end != old.0
        && let Some(middle) = split(start, end)
    {
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
    Some(ranges)
}

/// Where RFC 9162 splits the leaves `start..end`, or nothing for a single leaf.
fn split(start: u64, end: u64) -> Option<u64> {
    let last = end.checked_sub(start)?.checked_sub(1)?;
    let height = last.checked_ilog2()?;
    start.checked_add(1u64.checked_shl(height)?)
}

/// Roots of subtrees of a stored tree.
struct Subtrees<'a, R> {
    size: TreeSize,
    reader: &'a R,
    cache: &'a mut TileCache,
}

/// The perfect subtrees that a stored tree of `size` leaves consists of, largest first.
pub(super) fn stored_peaks<R: HashReader>(
    size: TreeSize,
    reader: &R,
) -> Result<Vec<Hash>, TreeError<R::Error>> {
    Subtrees { size, reader, cache: &mut TileCache::for_one_answer() }.peaks(0, size.0)
}

impl<R: HashReader> Subtrees<'_, R> {
    /// The roots of ranges given from root to leaf, returned from leaf to root.
    fn roots(mut self, ranges: &[(u64, u64)]) -> Result<Vec<Hash>, TreeError<R::Error>> {
        ranges.iter().rev().map(|(start, end)| self.root(*start, *end)).collect()
    }

    fn root(&mut self, start: u64, end: u64) -> Result<Hash, TreeError<R::Error>> {
        let peaks = self.peaks(start, end)?;
        Ok(fold_peaks(&peaks).expect("a subtree has at least one leaf"))
    }

    /// The perfect subtrees that `start..end` consists of, largest first; `start` is a multiple of the largest.
    fn peaks(&mut self, start: u64, end: u64) -> Result<Vec<Hash>, TreeError<R::Error>> {
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
        let inner = height % 8;
        let first = start.wrapping_shr(u32::from(level).wrapping_mul(8));
        let id = TileId { level, index: first / TILE_HASHES };
        let place = (first % TILE_HASHES).wrapping_shr(inner);
        let width = width_in(self.size, id);
        let tile = self.cache.tile(id, width, self.reader)?;
        let (inner, place) = (usize::try_from(inner), usize::try_from(place));
        let node = inner.ok().zip(place.ok()).and_then(|(inner, place)| tile.node(inner, place));
        node.ok_or(TreeError::ShortTile { tile: id, width })
    }
}

/// Root over perfect subtrees given from left to right, each smaller than the one before.
pub(super) fn fold_peaks(peaks: &[Hash]) -> Option<Hash> {
    let (last, rest) = peaks.split_last()?;
    Some(rest.iter().rev().fold(*last, |right, left| node_hash(left, &right)))
}

/// The nodes over pairs of hashes; a hash without a pair is left out.
fn layer_above(hashes: &[Hash]) -> Vec<Hash> {
    hashes.as_chunks::<2>().0.iter().map(|[left, right]| node_hash(left, right)).collect()
}

/// Root of a perfect tree over 1, 2, 4 … 256 hashes.
pub(crate) fn perfect_root(hashes: &[[u8; HASH_LEN]]) -> Hash {
    let mut layer: Vec<Hash> = hashes.iter().copied().map(Hash).collect();
    while layer.len() > 1 {
        layer = layer_above(&layer);
    }
    layer.first().copied().expect("a perfect tree has at least one leaf")
}
