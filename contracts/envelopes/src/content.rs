//! Contents: a section and its documents, up to 1 GiB, encrypted in pieces of 64 KiB. Each is ChaCha20-Poly1305 (RFC 8439)
//! with the piece's number and whether it is the last in the nonce: the STREAM construction (Hoang, Reyhanitabar,
//! Rogaway and Vizár, CRYPTO 2015) as age has it, so that pieces moved, dropped, doubled, cut off or added are
//! refused. An RFC 9162 tree over the pieces' ciphertexts identifies them without any key. Specification:
//! `proto/README.md` section 17.

mod decryptor;
mod encryptor;
mod pieces;
mod proof;
#[cfg(test)]
mod tests;

use chacha20poly1305::aead::Aead;
use chacha20poly1305::{ChaCha20Poly1305, KeyInit, Nonce};
use heatmark_merkle::{Hash, tag, tree};
use zeroize::Zeroizing;

use crate::{ContentError, SectionSecret};

pub use decryptor::Decryptor;
pub use encryptor::Encryptor;
pub use proof::{PieceProof, PieceTree, RootHasher};

/// Bytes of content in every piece but the last.
pub const PIECE_BYTES: usize = 1 << 16;
/// Bytes of ciphertext in every piece but the last.
pub const SEALED_PIECE_BYTES: usize = PIECE_BYTES + TAG_BYTES;
/// Most pieces of a content.
pub const MAX_PIECES: u32 = 1 << 14;
/// Most bytes of a content: 1 GiB.
pub const MAX_CONTENT_BYTES: u64 = 1 << 30;
const TAG_BYTES: usize = 16;
const SEALED_PIECE: u64 = (1 << 16) + TAG;
const TAG: u64 = 16;

/// Which ciphertext it is: the root over its pieces, and its length, from which their number follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentId {
    root: Hash,
    bytes: u64,
    pieces: u32,
}

impl ContentId {
    /// Takes a root and the length of the whole ciphertext in bytes.
    ///
    /// # Errors
    /// `BadLength` when no content has a ciphertext of that length.
    pub fn new(root: Hash, bytes: u64) -> Result<Self, ContentError> {
        let bad = ContentError::BadLength(bytes);
        let pieces = u32::try_from(bytes.div_ceil(SEALED_PIECE)).map_err(|_| bad)?;
        let before = u64::from(pieces.checked_sub(1).ok_or(bad)?).saturating_mul(SEALED_PIECE);
        let last = bytes.saturating_sub(before);
        // Only the content without bytes has a piece without content.
        let least = if pieces == 1 { TAG } else { TAG + 1 };
        if pieces > MAX_PIECES || last < least {
            return Err(bad);
        }
        Ok(Self { root, bytes, pieces })
    }

    /// Root of the tree over the pieces' ciphertexts.
    #[must_use]
    pub const fn root(&self) -> Hash {
        self.root
    }

    /// Length of the whole ciphertext in bytes.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many pieces there are: 1 to 16,384.
    #[must_use]
    pub const fn pieces(&self) -> u32 {
        self.pieces
    }

    /// Length of the content itself in bytes.
    #[must_use]
    pub fn content_bytes(&self) -> u64 {
        self.bytes.saturating_sub(u64::from(self.pieces).saturating_mul(TAG))
    }

    /// Length of one piece's ciphertext in bytes.
    ///
    /// # Errors
    /// `NoSuchPiece`.
    pub fn piece_bytes(&self, number: u32) -> Result<usize, ContentError> {
        let before = u64::from(number).saturating_mul(SEALED_PIECE);
        let rest = self.bytes.saturating_sub(before).min(SEALED_PIECE);
        let bytes = usize::try_from(rest).unwrap_or(SEALED_PIECE_BYTES);
        if bytes == 0 { Err(ContentError::NoSuchPiece { number }) } else { Ok(bytes) }
    }
}

/// Leaf of a piece in the tree.
fn leaf(sealed: &[u8]) -> Hash {
    tree::leaf_hash(&tag::hash("content-piece", &[sealed]).0)
}

/// What a piece is for the nonce.
#[derive(Clone, Copy)]
struct Place {
    number: u32,
    last: bool,
}

impl Place {
    fn nonce(self) -> Nonce {
        let [a, b, c, d] = self.number.to_be_bytes();
        Nonce::from([0, 0, 0, 0, 0, 0, 0, a, b, c, d, u8::from(self.last)])
    }
}

/// Encrypts and decrypts the pieces of one content.
struct PieceCipher(ChaCha20Poly1305);

impl PieceCipher {
    fn new(secret: &SectionSecret, context: &[u8]) -> Self {
        let key = secret.content_key(context);
        Self(ChaCha20Poly1305::new((&*key).into()))
    }

    fn seal(&self, place: Place, content: &[u8]) -> Vec<u8> {
        self.0.encrypt(&place.nonce(), content).expect("a piece is far below 256 GiB")
    }

    fn open(&self, place: Place, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, ContentError> {
        let opened = self.0.decrypt(&place.nonce(), sealed);
        opened.map(Zeroizing::new).map_err(|_| ContentError::BadPiece { number: place.number })
    }
}

/// Decrypts one piece by itself, for who looks at a single one; that it is the content's, its proof says.
///
/// # Errors
/// `NoSuchPiece`, `BadPiece`.
pub fn open_piece(
    secret: &SectionSecret,
    context: &[u8],
    id: &ContentId,
    (number, sealed): (u32, &[u8]),
) -> Result<Zeroizing<Vec<u8>>, ContentError> {
    id.piece_bytes(number)?;
    let last = number.checked_add(1) == Some(id.pieces());
    PieceCipher::new(secret, context).open(Place { number, last }, sealed)
}
