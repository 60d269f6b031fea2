//! C2SP `tlog-tiles` of height 8: which tile holds what, what it is called, and which tiles an append changes.
//!
//! A tile of level L holds the roots of 256^L leaves each, 256 of them when full. Refuses tile paths that are not
//! written the one way `tlog-tiles` writes them, and levels above 7, which a tree of fewer than 2^64 leaves does not have.

mod name;

use std::collections::BTreeMap;
use std::fmt;

use crate::error::TreeError;
use crate::hash::{Hash, TreeSize};
use crate::tree::{HashReader, perfect_root};

pub use name::{bundle_path, parse, parse_bundle, path};

/// Hashes in a full tile.
pub const FULL_WIDTH: u16 = 256;
/// Levels that a tree of fewer than 2^64 leaves has tiles on.
pub const LEVELS: u8 = 8;
pub(crate) const HASH_LEN: usize = 32;
pub(crate) const TILE_HASHES: u64 = 256;
const FULL_LEN: usize = 256 * HASH_LEN;

/// A tile's place: its level (0 to 7, leaves first) and its index on that level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// Level, 0 to 7; 0 holds leaf hashes.
    pub level: u8,
    /// Index on the level, from 0.
    pub index: u64,
}

/// A tile and its complete bytes, 32 for each hash.
pub type ChangedTile = (TileId, Vec<u8>);

impl fmt::Display for TileId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.level, self.index)
    }
}

/// How many hashes a tile has in a tree of `size` leaves: 0 to 256.
#[must_use]
pub fn width_in(size: TreeSize, tile: TileId) -> u16 {
    let hashes = level_len(size, tile.level);
    let before = tile.index.saturating_mul(TILE_HASHES);
    let width = hashes.saturating_sub(before).min(TILE_HASHES);
    u16::try_from(width).unwrap_or(FULL_WIDTH)
}

/// Hashes that a level has in a tree of `size` leaves.
fn level_len(size: TreeSize, level: u8) -> u64 {
    size.0.checked_shr(u32::from(level).saturating_mul(8)).unwrap_or(0)
}

/// All tiles that change when `leaves` (leaf hashes) are appended to a tree of `size` leaves.
///
/// Each comes with its complete bytes, level by level, index by index; a tile shorter than 8,192 bytes is partial.
/// Reads the partial tile at the right edge of each level that grows, once.
///
/// # Errors
///
/// [`TreeError`] when a tile cannot be read or the tree would be full.
pub fn appended<R: HashReader>(
    size: TreeSize,
    leaves: &[Hash],
    reader: &R,
) -> Result<Vec<ChangedTile>, TreeError<R::Error>> {
    let count = u64::try_from(leaves.len()).map_err(|_| TreeError::TreeFull)?;
    size.0.checked_add(count).ok_or(TreeError::TreeFull)?;
    let mut changed = Vec::new();
    let mut fresh = leaves.to_vec();
    for level in 0..LEVELS {
        if fresh.is_empty() {
            break;
        }
        fresh = append_level(size, level, &fresh, reader, &mut changed)?;
    }
    Ok(changed)
}

/// Appends hashes to one level and returns those that this adds to the level above.
fn append_level<R: HashReader>(
    size: TreeSize,
    level: u8,
    fresh: &[Hash],
    reader: &R,
    changed: &mut Vec<ChangedTile>,
) -> Result<Vec<Hash>, TreeError<R::Error>> {
    let mut index = level_len(size, level) / TILE_HASHES;
    let mut above = Vec::new();
    let mut bytes = edge(size, TileId { level, index }, reader)?;
    for hash in fresh {
        bytes.extend_from_slice(&hash.0);
        if bytes.len() == FULL_LEN {
            above.push(perfect_root(bytes.as_chunks::<HASH_LEN>().0));
            changed.push((TileId { level, index }, std::mem::take(&mut bytes)));
            index = index.saturating_add(1);
        }
    }
    if !bytes.is_empty() {
        changed.push((TileId { level, index }, bytes));
    }
    Ok(above)
}

/// The bytes of a tile that may still be partial or not begun.
fn edge<R: HashReader>(
    size: TreeSize,
    tile: TileId,
    reader: &R,
) -> Result<Vec<u8>, TreeError<R::Error>> {
    let width = width_in(size, tile);
    if width == 0 {
        return Ok(Vec::new());
    }
    let mut bytes = reader.tile(tile, width).map_err(TreeError::Reader)?;
    let len = usize::from(width).saturating_mul(HASH_LEN);
    if bytes.len() < len {
        return Err(TreeError::ShortTile { tile, width });
    }
    bytes.truncate(len);
    Ok(bytes)
}

/// Tiles in memory, for audits and tests.
#[derive(Clone, Debug, Default)]
pub struct MemoryTiles(BTreeMap<TileId, Vec<u8>>);

/// A tile that [`MemoryTiles`] does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no tile {0}")]
pub struct MissingTile(pub TileId);

impl MemoryTiles {
    /// No tiles.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes over the tiles that [`appended`] returned.
    pub fn apply(&mut self, changed: Vec<ChangedTile>) {
        self.0.extend(changed);
    }
}

impl HashReader for MemoryTiles {
    type Error = MissingTile;

    fn tile(&self, tile: TileId, _width: u16) -> Result<Vec<u8>, MissingTile> {
        self.0.get(&tile).cloned().ok_or(MissingTile(tile))
    }
}

#[cfg(test)]
mod tests;
