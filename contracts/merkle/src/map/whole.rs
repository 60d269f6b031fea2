//! Whether a stored version of the map is whole: every node that it reaches is there and hashes to what its parent
//! says, every value is the one its leaf commits to. Refuses the first that is not.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use super::node::{Node, NodePath};
use super::{NodeKeyBytes, NodeReader, read_node};
use crate::error::MapError;
use crate::hash::Hash;

/// Checks everything that a version with this root reaches, values included. Nodes in `sound` were found so before and
/// are passed over, and those found now are added: versions share most of theirs.
///
/// # Errors
///
/// [`MapError::MissingVersion`] without a root node, [`MapError::Corrupt`] for a node or value that is missing or not
/// what its parent commits to, and when one cannot be read.
pub fn check_whole<R: NodeReader>(
    reader: &R,
    version: u64,
    root: &Hash,
    sound: &mut BTreeSet<NodeKeyBytes>,
) -> Result<(), MapError> {
    let mut waiting = vec![(NodePath::root(), version, *root)];
    while let Some((path, written, expected)) = waiting.pop() {
        let key = path.key(written);
        if sound.contains(&key) {
            continue;
        }
        let missing = if path == NodePath::root() {
            MapError::MissingVersion { version }
        } else {
            MapError::Corrupt
        };
        let node = read_node(reader, written, &path)?.ok_or(missing)?;
        if node.hash() != expected {
            return Err(MapError::Corrupt);
        }
        match &node {
            Node::Null => {}
            Node::Leaf { key_hash, value_hash } => {
                let value = reader
                    .value(key_hash, written)
                    .map_err(|error| MapError::Reader(error.into()))?
                    .ok_or(MapError::Corrupt)?;
                if <[u8; 32]>::from(Sha256::digest(&value)) != *value_hash {
                    return Err(MapError::Corrupt);
                }
            }
            Node::Inner(inner) => {
                for (nibble, child_version, hash) in inner.children() {
                    waiting.push((path.child(nibble)?, child_version, hash));
                }
            }
        }
        sound.insert(key);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::unwrap_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::cast_possible_truncation,
        reason = "tests fail loudly"
    )]

    use super::super::{MemoryNodes, update};
    use super::*;
    use std::collections::BTreeMap;
    use std::convert::Infallible;

    /// A map of which one stored thing is changed as it is read.
    struct Changed<'m> {
        map: &'m MemoryNodes,
        node: Option<(Vec<u8>, usize)>,
        value: Option<[u8; 32]>,
    }

    impl NodeReader for Changed<'_> {
        type Error = Infallible;

        fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Infallible> {
            let mut node = self.map.node(key)?;
            if let (Some(bytes), Some((changed, at))) = (&mut node, &self.node)
                && key == changed.as_slice()
            {
                bytes[*at] ^= 1;
            }
            Ok(node)
        }

        fn value(&self, hash: &[u8; 32], max: u64) -> Result<Option<Vec<u8>>, Infallible> {
            let mut value = self.map.value(hash, max)?;
            if self.value == Some(*hash) {
                value = None;
            }
            Ok(value)
        }
    }

    fn versions() -> (MemoryNodes, Vec<Hash>) {
        let mut map = MemoryNodes::new();
        let mut roots = Vec::new();
        for version in 0..5_u64 {
            let changes: BTreeMap<Vec<u8>, Option<Vec<u8>>> = (0..40_u64)
                .filter(|key| version == 0 || key % 7 == version)
                .map(|key| {
                    let value = (key + version) % 6 != 5;
                    (key.to_be_bytes().to_vec(), value.then(|| vec![version as u8; 9]))
                })
                .collect();
            let update = update(&map, version, &changes).unwrap();
            roots.push(update.root);
            map.apply(update);
        }
        (map, roots)
    }

    #[test]
    fn every_version_is_whole_and_none_under_another_root() {
        let (map, roots) = versions();
        let mut sound = BTreeSet::new();
        for (version, root) in (0..).zip(&roots) {
            check_whole(&map, version, root, &mut sound).unwrap();
        }
        let wrong = check_whole(&map, 4, &roots[0], &mut BTreeSet::new());
        assert!(matches!(wrong, Err(MapError::Corrupt)), "{wrong:?}");
        let absent = check_whole(&map, 9, &roots[0], &mut BTreeSet::new());
        assert!(matches!(absent, Err(MapError::MissingVersion { version: 9 })), "{absent:?}");
    }

    #[test]
    fn a_changed_node_or_a_missing_value_anywhere_is_found() {
        let (map, roots) = versions();
        let mut reached = BTreeSet::new();
        check_whole(&map, 4, &roots[4], &mut reached).unwrap();
        for key in &reached {
            let length = map.node(key).unwrap().unwrap().len();
            for at in [0, length / 2, length - 1] {
                let node = Some((key.clone(), at));
                let changed = Changed { map: &map, node, value: None };
                assert!(check_whole(&changed, 4, &roots[4], &mut BTreeSet::new()).is_err());
            }
        }
        for key in 0..40_u64 {
            let hash = super::super::key_hash(&key.to_be_bytes());
            if map.value(&hash, 4).unwrap().is_some() {
                let changed = Changed { map: &map, node: None, value: Some(hash) };
                assert!(check_whole(&changed, 4, &roots[4], &mut BTreeSet::new()).is_err());
            }
        }
    }
}
