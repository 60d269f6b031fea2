//! A stored node of the state map: reading its bytes without trusting them, and hashing it.
//!
//! The bytes are the borsh encoding of `jmt::storage::Node`. Refuses bytes that are not the one encoding of a node
//! that can stand where it was found, so that the tree code that builds on it never meets a broken invariant.

use sha2::{Digest, Sha256};

use crate::error::MapError;
use crate::hash::Hash;

/// Hash of a subtree without keys.
pub(crate) const PLACEHOLDER: Hash = Hash(*b"SPARSE_MERKLE_PLACEHOLDER_HASH__");

/// Nibbles of a key's hash.
const MAX_NIBBLES: usize = 64;
/// Far more keys than fit in any store, and far from overflowing a sum of sixteen.
const MAX_LEAVES: u64 = 1 << 48;

const TAG_NULL: u8 = 0;
const TAG_INNER: u8 = 1;
const TAG_LEAF: u8 = 2;

pub(crate) fn leaf_hash(key_hash: &[u8; 32], value_hash: &[u8; 32]) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(b"JMT::LeafNode");
    hasher.update(key_hash);
    hasher.update(value_hash);
    Hash(hasher.finalize().into())
}

pub(crate) fn inner_hash(left: &Hash, right: &Hash) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update(b"JMT::IntrnalNode");
    hasher.update(left);
    hasher.update(right);
    Hash(hasher.finalize().into())
}

/// The nibbles from the root to a node, at most 64.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NodePath(Vec<u8>);

impl NodePath {
    pub(crate) fn root() -> Self {
        Self::default()
    }

    pub(crate) fn from_nibbles(nibbles: impl Iterator<Item = u8>) -> Self {
        Self(nibbles.collect())
    }

    /// The node's storage key, [`NodeKeyBytes`](super::NodeKeyBytes).
    pub(crate) fn key(&self, version: u64) -> Vec<u8> {
        let len = u8::try_from(self.0.len()).expect("a path has at most 64 nibbles");
        let mut key = version.to_be_bytes().to_vec();
        key.push(len);
        key.extend(self.0.chunks(2).map(|pair| match pair {
            [high, low] => (high << 4) | low,
            [high] => high << 4,
            _ => 0,
        }));
        key
    }

    pub(crate) fn child(&self, nibble: u8) -> Result<Self, MapError> {
        if self.0.len() >= MAX_NIBBLES {
            return Err(MapError::Corrupt);
        }
        let mut nibbles = self.0.clone();
        nibbles.push(nibble);
        Ok(Self(nibbles))
    }

    /// The nibble of a key's hash that decides below this node.
    pub(crate) fn next_nibble(&self, key_hash: &[u8; 32]) -> Result<u8, MapError> {
        nibbles(key_hash).nth(self.0.len()).ok_or(MapError::Corrupt)
    }

    fn leads_to(&self, key_hash: &[u8; 32]) -> bool {
        self.0.len() <= MAX_NIBBLES
            && self.0.iter().copied().zip(nibbles(key_hash)).all(|(step, nibble)| step == nibble)
    }
}

fn nibbles(key_hash: &[u8; 32]) -> impl Iterator<Item = u8> {
    key_hash.iter().flat_map(|byte| [byte >> 4, byte & 15])
}

/// A child of an inner node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Child {
    hash: Hash,
    version: u64,
    /// Keys below it if it is an inner node, nothing if it is a leaf.
    leaves: Option<u64>,
}

/// An inner node: four levels of the binary tree, with sixteen places at the bottom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Inner([Option<Child>; 16]);

/// A stored node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Node {
    /// The root of the empty map.
    Null,
    Inner(Box<Inner>),
    Leaf {
        key_hash: [u8; 32],
        value_hash: [u8; 32],
    },
}

impl Node {
    /// Reads the node that stands at `path`.
    pub(crate) fn decode(bytes: &[u8], path: &NodePath) -> Result<Self, MapError> {
        let mut rest = Bytes(bytes);
        let node = match rest.u8()? {
            TAG_NULL if path.0.is_empty() => Self::Null,
            TAG_LEAF => {
                let (key_hash, value_hash) = (rest.array()?, rest.array()?);
                if !path.leads_to(&key_hash) {
                    return Err(MapError::Corrupt);
                }
                Self::Leaf { key_hash, value_hash }
            }
            TAG_INNER if path.0.len() < MAX_NIBBLES => {
                Self::Inner(Box::new(Inner::decode(&mut rest)?))
            }
            _ => return Err(MapError::Corrupt),
        };
        if rest.0.is_empty() { Ok(node) } else { Err(MapError::Corrupt) }
    }

    pub(crate) fn hash(&self) -> Hash {
        match self {
            Self::Null => PLACEHOLDER,
            Self::Leaf { key_hash, value_hash } => leaf_hash(key_hash, value_hash),
            Self::Inner(inner) => subtree_hash(&inner.0),
        }
    }
}

impl Inner {
    fn decode(rest: &mut Bytes<'_>) -> Result<Self, MapError> {
        let mut children = [None; 16];
        for place in &mut children {
            *place = match rest.u8()? {
                0 => None,
                1 => Some(Child::decode(rest)?),
                _ => return Err(MapError::Corrupt),
            };
        }
        let count = rest.u64()?;
        let leaves = rest.u64()?;
        let present = || children.iter().flatten();
        // A lone leaf stands in its parent's place instead of below an inner node.
        let lone_leaf = count == 1 && present().any(|child| child.leaves.is_none());
        let counted = u64::try_from(present().count()).map_err(|_| MapError::Corrupt)?;
        let summed = present().map(|child| child.leaves.unwrap_or(1)).fold(0, u64::saturating_add);
        if count == 0 || lone_leaf || counted != count || summed != leaves || leaves > MAX_LEAVES {
            return Err(MapError::Corrupt);
        }
        Ok(Self(children))
    }

    /// Place, version and hash of each child.
    pub(crate) fn children(&self) -> impl Iterator<Item = (u8, u64, Hash)> {
        let placed = (0_u8..).zip(&self.0);
        placed.filter_map(|(nibble, child)| {
            child.as_ref().map(|child| (nibble, child.version, child.hash))
        })
    }

    /// Steps towards the place `nibble`: adds the siblings passed, root first, and returns the child that stands
    /// there, or the only leaf in its stead, with its version; nothing if the place lies in an empty subtree.
    pub(crate) fn descend(&self, nibble: u8, siblings: &mut Vec<Hash>) -> Option<(u8, u64)> {
        let mut range: &[Option<Child>] = &self.0;
        let mut start = 0u8;
        for width in [8u8, 4, 2, 1] {
            let (left, right) = range.split_at(range.len() / 2);
            let sibling;
            if nibble & width == 0 {
                (range, sibling) = (left, right);
            } else {
                (range, sibling) = (right, left);
                start |= width;
            }
            siblings.push(subtree_hash(sibling));
            match only_child(range) {
                Only::Nothing => return None,
                Only::Child(offset, child) if width == 1 || child.leaves.is_none() => {
                    return Some((start | offset, child.version));
                }
                _ => {}
            }
        }
        None
    }
}

enum Only<'a> {
    Nothing,
    Child(u8, &'a Child),
    Several,
}

fn only_child(range: &[Option<Child>]) -> Only<'_> {
    let mut present =
        (0u8..).zip(range).filter_map(|(offset, place)| Some((offset, place.as_ref()?)));
    match (present.next(), present.next()) {
        (None, _) => Only::Nothing,
        (Some((offset, child)), None) => Only::Child(offset, child),
        (Some(_), Some(_)) => Only::Several,
    }
}

/// Hash of the binary subtree over 1, 2, 4, 8 or 16 places; a subtree with one leaf is that leaf.
fn subtree_hash(range: &[Option<Child>]) -> Hash {
    match only_child(range) {
        Only::Nothing => PLACEHOLDER,
        Only::Child(_, child) if range.len() == 1 || child.leaves.is_none() => child.hash,
        _ => {
            let (left, right) = range.split_at(range.len() / 2);
            inner_hash(&subtree_hash(left), &subtree_hash(right))
        }
    }
}

impl Child {
    fn decode(rest: &mut Bytes<'_>) -> Result<Self, MapError> {
        let hash = Hash(rest.array()?);
        let version = rest.u64()?;
        let leaves = match rest.u8()? {
            0 => None,
            1 => Some(rest.u64()?),
            _ => return Err(MapError::Corrupt),
        };
        Ok(Self { hash, version, leaves })
    }
}

/// What is left to read.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], MapError> {
        let (head, rest) = self.0.split_first_chunk().ok_or(MapError::Corrupt)?;
        self.0 = rest;
        Ok(*head)
    }

    fn u8(&mut self) -> Result<u8, MapError> {
        self.array().map(|[byte]| byte)
    }

    fn u64(&mut self) -> Result<u64, MapError> {
        self.array().map(u64::from_le_bytes)
    }
}
