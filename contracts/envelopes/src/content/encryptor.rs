//! Encrypts a content as it comes. Refuses more than 1 GiB.

use std::fmt;

use super::pieces::Cutter;
use super::{MAX_CONTENT_BYTES, PIECE_BYTES, PieceCipher, Place};
use crate::content::RootHasher;
use crate::{ContentError, ContentId, SectionSecret};

/// Encrypts one content, piece by piece; holds one piece.
pub struct Encryptor {
    cipher: PieceCipher,
    cutter: Cutter,
    hasher: RootHasher,
    number: u32,
    pub(super) bytes: u64,
}

impl Encryptor {
    /// Begins. The secret is for this content only: the same secret and context for another content would give both
    /// away. The context is what the content is of; it is needed again to decrypt.
    #[must_use]
    pub fn new(secret: &SectionSecret, context: &[u8]) -> Self {
        Self {
            cipher: PieceCipher::new(secret, context),
            cutter: Cutter::new(PIECE_BYTES),
            hasher: RootHasher::new(),
            number: 0,
            bytes: 0,
        }
    }

    /// Takes more of the content, and returns the pieces that are now complete, in order. They are to be kept one after the other.
    ///
    /// # Errors
    /// `TooLong`; the encryptor is then of no more use.
    pub fn push(&mut self, content: &[u8]) -> Result<Vec<Vec<u8>>, ContentError> {
        let more = u64::try_from(content.len()).map_err(|_| ContentError::TooLong)?;
        self.bytes = self.bytes.checked_add(more).ok_or(ContentError::TooLong)?;
        if self.bytes > MAX_CONTENT_BYTES {
            return Err(ContentError::TooLong);
        }
        let Self { cipher, cutter, hasher, number, .. } = self;
        let mut pieces = Vec::new();
        cutter.push(content, |piece| {
            let sealed = cipher.seal(Place { number: *number, last: false }, piece);
            hasher.push(&sealed)?;
            *number = number.checked_add(1).ok_or(ContentError::TooLong)?;
            pieces.push(sealed);
            Ok(())
        })?;
        Ok(pieces)
    }

    /// The last piece, which there always is, and what the whole is called by.
    ///
    /// # Errors
    /// None: `push` has refused what is too long.
    pub fn finish(mut self) -> Result<(Vec<u8>, ContentId), ContentError> {
        let place = Place { number: self.number, last: true };
        let sealed = self.cipher.seal(place, self.cutter.last());
        self.hasher.push(&sealed)?;
        Ok((sealed, self.hasher.finish()?))
    }
}

impl fmt::Debug for Encryptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Encryptor({} bytes)", self.bytes)
    }
}
