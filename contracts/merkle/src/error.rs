//! What can go wrong in a tree, one type per party at fault: who sent a proof, who stores tiles or nodes, who calls.

use crate::hash::{LeafIndex, TreeSize};
use crate::tiles::TileId;

/// Why evidence from outside is refused; the sender is at fault, and sending it again does not help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The leaf's index is not below the tree's size.
    #[error("leaf {index} is outside a tree of {size} leaves")]
    IndexOutOfRange {
        /// Index that the proof is for.
        index: LeafIndex,
        /// Size that the proof is for.
        size: TreeSize,
    },
    /// The older of two trees is the larger one.
    #[error("a tree of {old} leaves does not precede one of {new}")]
    SizesOutOfOrder {
        /// Size of the tree that should be older.
        old: TreeSize,
        /// Size of the tree that should be newer.
        new: TreeSize,
    },
    /// The path has fewer hashes than this index and size need.
    #[error("the path has too few hashes")]
    PathTooShort,
    /// The path has more hashes than this index and size need.
    #[error("the path has too many hashes")]
    PathTooLong,
    /// The path leads to another root than the one trusted.
    #[error("the path does not lead to the root")]
    RootMismatch,
    /// The bytes are not the one accepted encoding of a map proof.
    #[error("the bytes are not a map proof")]
    Encoding,
    /// A value is claimed with a proof of absence, or absence with a proof of presence.
    #[error("the proof is of the other kind: presence or absence")]
    WrongKind,
    /// The other leaf in a proof of absence does not stand where the key would.
    #[error("the leaf in the proof does not exclude the key")]
    UnrelatedLeaf,
}

/// Why bytes or text are not a hash; the sender is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// Another number of bytes than 32.
    #[error("a hash has 32 bytes, not {0}")]
    WrongLength(usize),
    /// Text that is not 64 lowercase hexadecimal digits.
    #[error("a hash is written as 64 lowercase hexadecimal digits")]
    NotHex,
}

/// Why a path or a frontier could not be built from stored tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError<E> {
    /// The caller asked for a leaf that the tree does not have.
    #[error("leaf {index} is outside a tree of {size} leaves")]
    IndexOutOfRange {
        /// Index asked for.
        index: LeafIndex,
        /// Size of the tree.
        size: TreeSize,
    },
    /// The caller asked for consistency from a larger tree to a smaller one.
    #[error("a tree of {old} leaves does not precede one of {new}")]
    SizesOutOfOrder {
        /// Older size asked for.
        old: TreeSize,
        /// Newer size asked for.
        new: TreeSize,
    },
    /// The tree would have 2^64 leaves or more.
    #[error("the tree is full")]
    TreeFull,
    /// The store returned fewer bytes than the width asked for: it is damaged, stop and restore it.
    #[error("tile {tile} is shorter than {width} hashes")]
    ShortTile {
        /// The tile read.
        tile: TileId,
        /// Width asked for, in hashes.
        width: u16,
    },
    /// The store failed; what to do is its to say.
    #[error("reading a tile failed")]
    Reader(#[source] E),
}

/// Why a text is not the path of a tile or an entry bundle; whoever asked for it is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TilePathError {
    /// Longer than any tile's path.
    #[error("the path is too long for a tile")]
    TooLong,
    /// Not written as `tlog-tiles` demands, or a level above 7.
    #[error("the path is not a tile's")]
    Malformed,
}

/// Why a batch of records cannot be a tree; the caller is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// There are no records.
    #[error("a batch has at least one record")]
    Empty,
    /// There are more than [`MAX_RECORDS`](crate::batch::MAX_RECORDS).
    #[error("a batch has at most {max} records, not {0}", max = crate::batch::MAX_RECORDS)]
    TooMany(usize),
}

/// Why the state map could not be read or updated.
#[derive(Debug, thiserror::Error)]
pub enum MapError {
    /// The map has no such version: it was never written, or pruned.
    #[error("the map has no version {version}")]
    MissingVersion {
        /// Version asked for, or built on.
        version: u64,
    },
    /// A stored node or value contradicts the tree: the store is damaged, stop and restore it.
    #[error("the stored map is damaged")]
    Corrupt,
    /// The store failed; what to do is its to say.
    #[error("reading the map failed")]
    Reader(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The tree refused the change: a defect here or a damaged store.
    #[error("the map refused the change")]
    Refused(#[source] Box<dyn std::error::Error + Send + Sync>),
}
