//! Claims about the log tree, against the recursive definitions of RFC 9162 §2.1.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "tests fail loudly"
)]

use proptest::prelude::*;

use super::*;
use crate::TreeError;
use crate::tiles::{MemoryTiles, TileId, appended};

const MAX: usize = 40;

/// RFC 9162 §2.1.1, by definition.
pub(crate) fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

/// RFC 9162 §2.1.3.1, by definition.
pub(crate) fn naive_path(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let middle = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(middle);
    let (mut path, sibling) = if index < middle {
        (naive_path(index, left), naive_root(right))
    } else {
        (naive_path(index - middle, right), naive_root(left))
    };
    path.push(sibling);
    path
}

/// RFC 9162 §2.1.4.1, by definition.
fn naive_consistency(old: usize, leaves: &[Hash], known: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if known { Vec::new() } else { vec![naive_root(leaves)] };
    }
    let middle = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(middle);
    let (mut path, sibling) = if old <= middle {
        (naive_consistency(old, left, known), naive_root(right))
    } else {
        (naive_consistency(old - middle, right, false), naive_root(left))
    };
    path.push(sibling);
    path
}

/// On which side the siblings of a leaf stand, leaf first: what a path can tell about index and size.
fn sides(index: usize, size: usize) -> Vec<bool> {
    if size == 1 {
        return Vec::new();
    }
    let middle = size.next_power_of_two() / 2;
    let (mut sides, side) = if index < middle {
        (sides(index, middle), false)
    } else {
        (sides(index - middle, size - middle), true)
    };
    sides.push(side);
    sides
}

pub(crate) fn leaves(count: usize) -> Vec<Hash> {
    (0..count as u64).map(|number| leaf_hash(&number.to_be_bytes())).collect()
}

pub(crate) fn stored(leaves: &[Hash]) -> MemoryTiles {
    let mut tiles = MemoryTiles::new();
    let changed = appended(TreeSize(0), leaves, &tiles).unwrap();
    tiles.apply(changed);
    tiles
}

fn size(count: usize) -> TreeSize {
    TreeSize(count as u64)
}

fn index(count: usize) -> LeafIndex {
    LeafIndex(count as u64)
}

fn flipped(hash: Hash, bit: usize) -> Hash {
    let mut bytes = hash.0;
    bytes[bit / 8] ^= 1 << (bit % 8);
    Hash(bytes)
}

/// Every path that differs from the given one in length or in one bit of a byte.
fn mutations(path: &[Hash], root: &Hash) -> Vec<Vec<Hash>> {
    let mut all = Vec::new();
    for cut in 0..path.len() {
        all.push(path[..cut].to_vec());
        all.push([&path[..cut], &path[cut + 1..]].concat());
        all.push([&path[..cut], &[path[cut]], &path[cut..]].concat());
        for bit in (0..256).step_by(8) {
            let mut mutated = path.to_vec();
            mutated[cut] = flipped(mutated[cut], bit + cut % 8);
            all.push(mutated);
        }
    }
    for surplus in [*root, Hash([0; 32]), empty_root()] {
        all.push([path, &[surplus]].concat());
        all.push([&[surplus], path].concat());
    }
    all.push([path, &[*root; 64]].concat());
    all
}

#[test]
fn roots_equal_published_certificate_transparency_vectors() {
    let data = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ];
    let roots = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut frontier = Frontier::new();
    assert_eq!(frontier.root().to_string(), roots[0]);
    for (data, root) in data.iter().zip(&roots[1..]) {
        frontier.push(leaf_hash(&hex::decode(data).unwrap()));
        assert_eq!(frontier.root().to_string(), *root);
    }
}

#[test]
fn paths_equal_the_recursive_definition_and_verify() {
    for count in 1..=MAX {
        let leaves = leaves(count);
        let (tiles, root) = (stored(&leaves), naive_root(&leaves));
        for at in 0..count {
            let path = inclusion_path(index(at), size(count), &tiles).unwrap();
            assert_eq!(path, naive_path(at, &leaves), "leaf {at} of {count}");
            assert_eq!(verify_inclusion(&leaves[at], index(at), size(count), &path, &root), Ok(()));
        }
        for old in 1..=count {
            let path = consistency_path(size(old), size(count), &tiles).unwrap();
            assert_eq!(path, naive_consistency(old, &leaves, true), "{old} of {count}");
            let old_root = naive_root(&leaves[..old]);
            assert_eq!(verify_consistency(size(old), &old_root, size(count), &root, &path), Ok(()));
        }
    }
}

#[test]
fn rejects_inclusion_with_any_path_changed_shortened_or_lengthened() {
    for count in 1..=MAX {
        let leaves = leaves(count);
        let root = naive_root(&leaves);
        for at in 0..count {
            for path in mutations(&naive_path(at, &leaves), &root) {
                let verdict = verify_inclusion(&leaves[at], index(at), size(count), &path, &root);
                assert!(verdict.is_err(), "leaf {at} of {count}");
            }
        }
    }
}

#[test]
fn rejects_inclusion_of_every_other_leaf_and_index() {
    for count in 1..=MAX {
        let leaves = leaves(count);
        let root = naive_root(&leaves);
        for at in 0..count {
            let path = naive_path(at, &leaves);
            for other in (0..=count + 1).filter(|other| *other != at) {
                assert!(
                    verify_inclusion(&leaves[at], index(other), size(count), &path, &root).is_err()
                );
                if let Some(leaf) = leaves.get(other) {
                    assert!(verify_inclusion(leaf, index(at), size(count), &path, &root).is_err());
                }
            }
            for bit in 0..256 {
                let (wrong_leaf, wrong_root) = (flipped(leaves[at], bit), flipped(root, bit));
                assert!(
                    verify_inclusion(&wrong_leaf, index(at), size(count), &path, &root).is_err()
                );
                assert!(
                    verify_inclusion(&leaves[at], index(at), size(count), &path, &wrong_root)
                        .is_err()
                );
            }
        }
    }
}

#[test]
fn rejects_inclusion_at_every_size_of_another_shape() {
    for count in 1..=MAX {
        let leaves = leaves(count);
        let root = naive_root(&leaves);
        for at in 0..count {
            let path = naive_path(at, &leaves);
            for other in 0..=MAX + 1 {
                // A path does not tell sizes apart between which the leaf's own path is the same; the header does.
                let same_shape = at < other && sides(at, other) == sides(at, count);
                let verdict = verify_inclusion(&leaves[at], index(at), size(other), &path, &root);
                assert_eq!(verdict.is_ok(), same_shape, "leaf {at} of {count} as of {other}");
            }
            for huge in [u64::MAX, u64::MAX - 1, 1 << 63, 1 << 40] {
                let verdict =
                    verify_inclusion(&leaves[at], index(at), TreeSize(huge), &path, &root);
                assert_eq!(verdict, Err(ProofError::PathTooShort));
            }
        }
    }
}

#[test]
fn rejects_consistency_with_any_path_changed_or_another_old_size() {
    for count in 1..=MAX {
        let leaves = leaves(count);
        let root = naive_root(&leaves);
        for old in 1..=count {
            let old_root = naive_root(&leaves[..old]);
            let path = naive_consistency(old, &leaves, true);
            for path in mutations(&path, &root) {
                assert!(
                    verify_consistency(size(old), &old_root, size(count), &root, &path).is_err()
                );
            }
            for other in (0..=count + 2).filter(|other| *other != old) {
                let verdict = verify_consistency(size(other), &old_root, size(count), &root, &path);
                assert!(verdict.is_err(), "{other} for {old} of {count}");
            }
            for bit in 0..256 {
                let (wrong_old, wrong_new) = (flipped(old_root, bit), flipped(root, bit));
                assert!(
                    verify_consistency(size(old), &wrong_old, size(count), &root, &path).is_err()
                );
                assert!(
                    verify_consistency(size(old), &old_root, size(count), &wrong_new, &path)
                        .is_err()
                );
            }
        }
    }
}

#[test]
fn consistency_from_nothing_needs_the_empty_root_and_no_path() {
    let root = naive_root(&leaves(5));
    assert_eq!(verify_consistency(size(0), &empty_root(), size(5), &root, &[]), Ok(()));
    assert_eq!(verify_consistency(size(0), &empty_root(), size(0), &empty_root(), &[]), Ok(()));
    assert_eq!(
        verify_consistency(size(0), &root, size(5), &root, &[]),
        Err(ProofError::RootMismatch)
    );
    assert_eq!(
        verify_consistency(size(0), &root, size(0), &root, &[]),
        Err(ProofError::RootMismatch)
    );
    assert_eq!(
        verify_consistency(size(0), &empty_root(), size(5), &root, &[root]),
        Err(ProofError::PathTooLong)
    );
}

#[test]
fn refuses_to_build_paths_outside_the_tree() {
    let tiles = stored(&leaves(5));
    assert!(matches!(
        inclusion_path(index(5), size(5), &tiles),
        Err(TreeError::IndexOutOfRange { .. })
    ));
    assert!(matches!(
        inclusion_path(index(0), size(0), &tiles),
        Err(TreeError::IndexOutOfRange { .. })
    ));
    assert!(matches!(
        consistency_path(size(6), size(5), &tiles),
        Err(TreeError::SizesOutOfOrder { .. })
    ));
    // A size that the store has no tiles for fails in the store.
    for huge in [u64::MAX, 1 << 63, 1 << 20] {
        let missing = inclusion_path(index(0), TreeSize(huge), &tiles);
        assert!(
            matches!(missing, Err(TreeError::Reader(_) | TreeError::ShortTile { .. })),
            "{missing:?}"
        );
        assert!(Frontier::from_tiles(TreeSize(huge), &tiles).is_err());
    }
}

#[test]
fn frontier_from_tiles_continues_like_the_one_that_was_dropped() {
    let leaves = leaves(1000);
    let mut frontier = Frontier::new();
    for (count, leaf) in leaves.iter().enumerate() {
        if count % 37 == 0 || count == 256 || count == 512 {
            assert_eq!(
                Frontier::from_tiles(size(count), &stored(&leaves[..count])).unwrap(),
                frontier
            );
            assert_eq!(frontier.root(), naive_root(&leaves[..count]));
        }
        frontier.push(*leaf);
        assert_eq!(frontier.size(), size(count + 1));
    }
}

struct Truncated<'a>(&'a MemoryTiles);

impl HashReader for Truncated<'_> {
    type Error = crate::tiles::MissingTile;

    fn tile(&self, tile: TileId, width: u16) -> Result<Vec<u8>, Self::Error> {
        let mut bytes = self.0.tile(tile, width)?;
        bytes.truncate(usize::from(width) * 32 - 1);
        Ok(bytes)
    }
}

#[test]
fn names_the_tile_that_is_one_byte_short() {
    let tiles = stored(&leaves(300));
    let short = inclusion_path(index(0), size(300), &Truncated(&tiles));
    let tile = TileId { level: 0, index: 0 };
    assert_eq!(short, Err(TreeError::ShortTile { tile, width: 256 }));
    assert!(matches!(
        Frontier::from_tiles(size(300), &Truncated(&tiles)),
        Err(TreeError::ShortTile { .. })
    ));
    assert!(matches!(
        appended(size(300), &leaves(1), &Truncated(&tiles)),
        Err(TreeError::ShortTile { .. })
    ));
}

proptest! {
    #[test]
    fn node_hash_is_sha256_of_a_one_byte_and_both_children(left: [u8; 32], right: [u8; 32]) {
        let expected: [u8; 32] = Sha256::digest([&[1], left.as_slice(), &right].concat()).into();
        prop_assert_eq!(node_hash(&Hash(left), &Hash(right)).0, expected);
    }

    #[test]
    fn any_inclusion_proof_is_judged_without_panic(
        leaf: [u8; 32], at: u64, count: u64, path in prop::collection::vec(any::<[u8; 32]>(), 0..80), root: [u8; 32],
    ) {
        let path: Vec<Hash> = path.into_iter().map(Hash).collect();
        let verdict = verify_inclusion(&Hash(leaf), LeafIndex(at), TreeSize(count), &path, &Hash(root));
        prop_assert!(verdict.is_err());
    }

    #[test]
    fn any_consistency_proof_is_judged_without_panic(
        old_root: [u8; 32], old: u64, new: u64, path in prop::collection::vec(any::<[u8; 32]>(), 0..80), root: [u8; 32],
    ) {
        let path: Vec<Hash> = path.into_iter().map(Hash).collect();
        let verdict = verify_consistency(TreeSize(old), &Hash(old_root), TreeSize(new), &Hash(root), &path);
        prop_assert!(verdict.is_err());
    }
}
