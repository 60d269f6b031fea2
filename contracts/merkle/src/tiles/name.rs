//! The paths of tiles and entry bundles: `tile/<L>/<N>[.p/<W>]` and `tile/entries/<N>[.p/<W>]` (C2SP `tlog-tiles`).
//!
//! N is written in groups of three digits, all but the last led by `x`: 1234067 is `x001/x234/067`. Refuses every
//! other way of writing the same number.

use super::{FULL_WIDTH, LEVELS, TileId};
use crate::error::TilePathError;

/// `tile/entries/`, seven groups of a 64-bit index, `.p/` and a width, with room to spare.
const MAX_LEN: usize = 64;

/// Path of a tile; a `width` of 1 to 255 names a partial one, any other the full one.
#[must_use]
pub fn path(tile: TileId, width: u16) -> String {
    format!("tile/{}/{}{}", tile.level, index_path(tile.index), suffix(width))
}

/// Path of the entry bundle with the leaf data of tile `index` on level 0; `width` as in [`path`].
#[must_use]
pub fn bundle_path(index: u64, width: u16) -> String {
    format!("tile/entries/{}{}", index_path(index), suffix(width))
}

/// The tile that a path names and its width, 256 for a full one.
///
/// # Errors
///
/// [`TilePathError`] when it is not the path of a tile.
pub fn parse(text: &str) -> Result<(TileId, u16), TilePathError> {
    let rest = bounded(text)?.strip_prefix("tile/").ok_or(TilePathError::Malformed)?;
    let (level, rest) = rest.split_once('/').ok_or(TilePathError::Malformed)?;
    let level: u8 = level.parse().map_err(|_| TilePathError::Malformed)?;
    let (index, width) = parse_index(rest)?;
    let tile = TileId { level, index };
    // Comparing with the one right spelling refuses signs, leading zeros and wrong grouping.
    if level < LEVELS && path(tile, width) == text {
        Ok((tile, width))
    } else {
        Err(TilePathError::Malformed)
    }
}

/// The index of the entry bundle that a path names and its width, 256 for a full one.
///
/// # Errors
///
/// [`TilePathError`] when it is not the path of an entry bundle.
pub fn parse_bundle(text: &str) -> Result<(u64, u16), TilePathError> {
    let rest = bounded(text)?.strip_prefix("tile/entries/").ok_or(TilePathError::Malformed)?;
    let (index, width) = parse_index(rest)?;
    if bundle_path(index, width) == text {
        Ok((index, width))
    } else {
        Err(TilePathError::Malformed)
    }
}

fn bounded(text: &str) -> Result<&str, TilePathError> {
    if text.len() > MAX_LEN { Err(TilePathError::TooLong) } else { Ok(text) }
}

fn suffix(width: u16) -> String {
    if (1..FULL_WIDTH).contains(&width) { format!(".p/{width}") } else { String::new() }
}

fn index_path(index: u64) -> String {
    let mut text = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        text = format!("x{:03}/{text}", rest % 1000);
        rest /= 1000;
    }
    text
}

fn parse_index(text: &str) -> Result<(u64, u16), TilePathError> {
    let (digits, width) = match text.split_once(".p/") {
        Some((digits, width)) => (digits, width.parse().map_err(|_| TilePathError::Malformed)?),
        None => (text, FULL_WIDTH),
    };
    let mut index = 0u64;
    for group in digits.split('/') {
        let group: u64 = group
            .strip_prefix('x')
            .unwrap_or(group)
            .parse()
            .map_err(|_| TilePathError::Malformed)?;
        index = index
            .checked_mul(1000)
            .and_then(|high| high.checked_add(group))
            .ok_or(TilePathError::Malformed)?;
    }
    Ok((index, width))
}
