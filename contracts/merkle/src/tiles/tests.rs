//! Claims about tiles: names, what an append changes, and how few are read.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "tests fail loudly"
)]

use std::cell::RefCell;

use proptest::prelude::*;

use super::*;
use crate::tree::tests::{leaves, naive_path, naive_root, stored};
use crate::tree::{
    Frontier, TileCache, consistency_path, inclusion_path, verify_consistency, verify_inclusion,
};
use crate::{LeafIndex, TilePathError};

struct Counted<'a>(&'a MemoryTiles, RefCell<Vec<(TileId, u16)>>);

impl HashReader for Counted<'_> {
    type Error = MissingTile;

    fn tile(&self, tile: TileId, width: u16) -> Result<Vec<u8>, MissingTile> {
        self.1.borrow_mut().push((tile, width));
        self.0.tile(tile, width)
    }
}

#[test]
fn names_are_those_of_the_specification() {
    let tile = TileId { level: 0, index: 1_234_067 };
    assert_eq!(path(tile, 256), "tile/0/x001/x234/067");
    assert_eq!(path(tile, 5), "tile/0/x001/x234/067.p/5");
    assert_eq!(path(TileId { level: 7, index: 0 }, 255), "tile/7/000.p/255");
    assert_eq!(bundle_path(1_067, 256), "tile/entries/x001/067");
    assert_eq!(bundle_path(u64::MAX, 1), "tile/entries/x018/x446/x744/x073/x709/x551/615.p/1");
}

#[test]
fn refuses_names_written_any_other_way() {
    for bad in [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/00/000",
        "tile/+0/000",
        "tile/8/000",
        "tile/256/000",
        "tile/-1/000",
        "tile/0/x000",
        "tile/0/x000/000",
        "tile/0/001/000",
        "tile/0/x01/000",
        "tile/0/xx01/000",
        "tile/0/x001/x000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/05",
        "tile/0/000.p/+5",
        "tile/0/000.p/",
        "tile/0/000.p",
        "tile/0/000.p/5/",
        "tile/0/000/",
        "/tile/0/000",
        "tile/0/000 ",
        "tile/0/+00",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
        "tile/entries/000",
        "tile/0/000.p/5.p/5",
        "tile/0/é00",
    ] {
        assert_eq!(parse(bad), Err(TilePathError::Malformed), "{bad}");
    }
    assert_eq!(parse(&format!("tile/0/{}", "x001/".repeat(20))), Err(TilePathError::TooLong));
    assert_eq!(parse_bundle("tile/0/000"), Err(TilePathError::Malformed));
    assert_eq!(parse_bundle("tile/entries/x000/001"), Err(TilePathError::Malformed));
}

#[test]
fn appending_in_any_pieces_gives_the_same_tiles() {
    let leaves = leaves(70_000);
    let whole = stored(&leaves);
    let mut tiles = MemoryTiles::new();
    let mut at = 0;
    for piece in [0, 1, 254, 1, 1, 255, 500, 500, 64_023, 0, 1, 1, 4_000, 463].into_iter() {
        let changed = appended(TreeSize(at as u64), &leaves[at..at + piece], &tiles).unwrap();
        at += piece;
        for (tile, bytes) in &changed {
            assert_eq!(
                bytes.len(),
                usize::from(width_in(TreeSize(at as u64), *tile)) * 32,
                "{tile}"
            );
        }
        tiles.apply(changed);
        let frontier = Frontier::from_tiles(TreeSize(at as u64), &tiles).unwrap();
        assert_eq!(frontier.root(), naive_root(&leaves[..at]));
    }
    assert_eq!(at, 70_000);
    assert_eq!(tiles.0, whole.0);
}

#[test]
fn an_append_returns_only_what_changes_and_reads_each_edge_once() {
    let leaves = leaves(66_000);
    let tiles = stored(&leaves[..65_700]);
    let counted = Counted(&tiles, RefCell::default());
    let changed = appended(TreeSize(65_700), &leaves[65_700..], &counted).unwrap();
    let ids: Vec<(u8, u64)> = changed.iter().map(|(tile, _)| (tile.level, tile.index)).collect();
    assert_eq!(ids, [(0, 256), (0, 257), (1, 1)]);
    let read = counted.1.into_inner();
    assert_eq!(read, [(TileId { level: 0, index: 256 }, 164)]);
    assert_eq!(appended(TreeSize(65_700), &[], &tiles).unwrap(), []);
}

#[test]
fn refuses_to_grow_beyond_the_last_size() {
    let full = appended(TreeSize(u64::MAX), &leaves(1), &MemoryTiles::new());
    assert_eq!(full, Err(TreeError::TreeFull));
}

#[test]
fn paths_in_a_large_tree_equal_the_definition_and_read_each_tile_once() {
    let leaves = leaves(66_000);
    let tiles = stored(&leaves);
    for size in [255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 66_000] {
        let root = naive_root(&leaves[..size]);
        for index in [0, 1, 255, 256, 65_535, 65_536, size / 2, size - 1] {
            if index >= size {
                continue;
            }
            let counted = Counted(&tiles, RefCell::default());
            let path =
                inclusion_path(LeafIndex(index as u64), TreeSize(size as u64), &counted).unwrap();
            assert_eq!(path, naive_path(index, &leaves[..size]), "leaf {index} of {size}");
            let mut read = counted.1.into_inner();
            let count = read.len();
            read.sort_unstable();
            read.dedup();
            assert_eq!(read.len(), count, "a tile was read twice");
            // One for the leaf's side and one for the right edge on each of three levels.
            assert!(count <= 5, "{read:?}");
            verify_inclusion(
                &leaves[index],
                LeafIndex(index as u64),
                TreeSize(size as u64),
                &path,
                &root,
            )
            .unwrap();
        }
    }
}

#[test]
fn a_cache_gives_the_same_paths_while_the_log_grows_and_reads_less() {
    let leaves = leaves(66_000);
    let (mut tiles, mut cache) = (MemoryTiles::new(), TileCache::new(0));
    let (mut at, mut cached_reads, mut plain_reads) = (0, 0, 0);
    for piece in [1, 2, 300, 1, 700, 64_300, 231, 1, 464] {
        tiles.apply(
            appended(TreeSize(at), &leaves[at as usize..(at + piece) as usize], &tiles).unwrap(),
        );
        at += piece;
        for step in 0..200 {
            let (index, size) = (LeafIndex(step * 7919 % at), TreeSize(at));
            let (cached, plain) =
                (Counted(&tiles, RefCell::default()), Counted(&tiles, RefCell::default()));
            assert_eq!(
                cache.inclusion_path(index, size, &cached),
                inclusion_path(index, size, &plain)
            );
            let old = TreeSize(index.0);
            assert_eq!(
                cache.consistency_path(old, size, &cached),
                consistency_path(old, size, &plain)
            );
            cached_reads += cached.1.into_inner().len();
            plain_reads += plain.1.into_inner().len();
        }
    }
    assert!(cached_reads * 2 < plain_reads, "{cached_reads} of {plain_reads}");
}

#[test]
fn consistency_in_a_large_tree_verifies() {
    let leaves = leaves(66_000);
    let tiles = stored(&leaves);
    let sizes = [1, 255, 256, 257, 40_000, 65_535, 65_536, 65_537, 65_999, 66_000];
    for (old, new) in sizes
        .iter()
        .flat_map(|old| sizes.iter().map(move |new| (*old, *new)))
        .filter(|(old, new)| old <= new)
    {
        let path = consistency_path(TreeSize(old), TreeSize(new), &tiles).unwrap();
        let (old_root, new_root) =
            (naive_root(&leaves[..old as usize]), naive_root(&leaves[..new as usize]));
        verify_consistency(TreeSize(old), &old_root, TreeSize(new), &new_root, &path).unwrap();
    }
}

proptest! {
    #[test]
    fn names_round_trip(level in 0..8u8, index: u64, width in 1..=256u16) {
        let tile = TileId { level, index };
        prop_assert_eq!(parse(&path(tile, width)), Ok((tile, width)));
        prop_assert_eq!(parse_bundle(&bundle_path(index, width)), Ok((index, width)));
    }

    #[test]
    fn any_text_is_a_name_or_refused(text in "(tile/)?(entries/|[0-9]{0,3}/)?[x0-9/.p+]{0,40}") {
        if let Ok((tile, width)) = parse(&text) {
            prop_assert_eq!(path(tile, width), text);
        } else if let Ok((index, width)) = parse_bundle(&text) {
            prop_assert_eq!(bundle_path(index, width), text);
        }
    }
}
