//! The tree over the pieces of a content: its root, computed by anybody who holds the ciphertext, and proofs of single pieces
//! for spot checks. Refuses paths of any but the exact length, and pieces of any but their length.

use heatmark_merkle::tiles::{self, MemoryTiles};
use heatmark_merkle::tree::{self, Frontier};
use heatmark_merkle::{Hash, LeafIndex, TreeSize};

use super::pieces::Cutter;
use super::{MAX_PIECES, SEALED_PIECE_BYTES, leaf};
use crate::{ContentError, ContentId};

/// Computes what a ciphertext is called by, as it comes, in whatever portions; holds one piece.
pub struct RootHasher {
    cutter: Cutter,
    frontier: Frontier,
    pub(super) bytes: u64,
}

impl RootHasher {
    /// Nothing has come yet.
    #[must_use]
    pub fn new() -> Self {
        Self { cutter: Cutter::new(SEALED_PIECE_BYTES), frontier: Frontier::new(), bytes: 0 }
    }

    /// Takes more of the ciphertext.
    ///
    /// # Errors
    /// `TooLong`.
    pub fn push(&mut self, sealed: &[u8]) -> Result<(), ContentError> {
        let Self { cutter, frontier, bytes } = self;
        *bytes = more(*bytes, sealed)?;
        cutter.push(sealed, |piece| {
            frontier.push(leaf(piece));
            Ok(())
        })
    }

    /// What it is called by.
    ///
    /// # Errors
    /// `BadLength` when no content has a ciphertext of that length.
    pub fn finish(mut self) -> Result<ContentId, ContentError> {
        self.frontier.push(leaf(self.cutter.last()));
        ContentId::new(self.frontier.root(), self.bytes)
    }
}

impl Default for RootHasher {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for RootHasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RootHasher({} bytes)", self.bytes)
    }
}

/// The whole tree, 32 bytes a piece, to hand out proofs.
pub struct PieceTree {
    id: ContentId,
    tiles: MemoryTiles,
}

impl PieceTree {
    /// Builds it from the ciphertext, given in whatever portions.
    ///
    /// # Errors
    /// `TooLong`, `BadLength`.
    pub fn new(sealed: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Result<Self, ContentError> {
        let mut cutter = Cutter::new(SEALED_PIECE_BYTES);
        let (mut leaves, mut bytes) = (Vec::new(), 0);
        for portion in sealed {
            bytes = more(bytes, portion.as_ref())?;
            cutter.push(portion.as_ref(), |piece| {
                leaves.push(leaf(piece));
                Ok(())
            })?;
        }
        leaves.push(leaf(cutter.last()));
        let mut frontier = Frontier::new();
        leaves.iter().for_each(|leaf| frontier.push(*leaf));
        let id = ContentId::new(frontier.root(), bytes)?;
        let mut tiles = MemoryTiles::new();
        let changed = tiles::appended(TreeSize(0), &leaves, &tiles);
        tiles.apply(changed.map_err(|_| ContentError::TooLong)?);
        Ok(Self { id, tiles })
    }

    /// What the content is called by.
    #[must_use]
    pub const fn id(&self) -> &ContentId {
        &self.id
    }

    /// The proof of a piece, counted from 0.
    ///
    /// # Errors
    /// `NoSuchPiece`.
    pub fn prove(&self, number: u32) -> Result<PieceProof, ContentError> {
        let size = TreeSize(self.id.pieces().into());
        let path = tree::inclusion_path(LeafIndex(number.into()), size, &self.tiles);
        let path = path.map_err(|_| ContentError::NoSuchPiece { number })?;
        Ok(PieceProof { number, path })
    }
}

impl std::fmt::Debug for PieceTree {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PieceTree({} pieces)", self.id.pieces())
    }
}

/// That a piece stands at its place in a content: at most 14 hashes, from leaf to root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PieceProof {
    /// The piece, counted from 0.
    pub number: u32,
    /// The path.
    pub path: Vec<Hash>,
}

impl PieceProof {
    /// Verifies the proof of a piece's ciphertext.
    ///
    /// # Errors
    /// `NoSuchPiece`; `BadPiece` when the piece has another length than at that place; `BadProof`.
    pub fn verify(&self, id: &ContentId, sealed: &[u8]) -> Result<(), ContentError> {
        if sealed.len() != id.piece_bytes(self.number)? {
            return Err(ContentError::BadPiece { number: self.number });
        }
        let (index, size) = (LeafIndex(self.number.into()), TreeSize(id.pieces().into()));
        tree::verify_inclusion(&leaf(sealed), index, size, &self.path, &id.root())?;
        Ok(())
    }
}

fn more(bytes: u64, portion: &[u8]) -> Result<u64, ContentError> {
    let more = u64::try_from(portion.len()).map_err(|_| ContentError::TooLong)?;
    let bytes = bytes.checked_add(more).ok_or(ContentError::TooLong)?;
    if bytes > u64::from(MAX_PIECES).saturating_mul(super::SEALED_PIECE) {
        return Err(ContentError::TooLong);
    }
    Ok(bytes)
}
