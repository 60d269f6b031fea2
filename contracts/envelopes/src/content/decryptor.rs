//! Decrypts a content as its ciphertext comes, in whatever portions. Refuses at the first piece that is not what was
//! encrypted at its place, a ciphertext longer or shorter than its identifier says, and one of another root.

use std::fmt;

use zeroize::Zeroizing;

use super::pieces::Cutter;
use super::{PieceCipher, Place, SEALED_PIECE_BYTES};
use crate::content::RootHasher;
use crate::{ContentError, ContentId, SectionSecret};

/// Decrypts one content, piece by piece; holds one piece.
pub struct Decryptor {
    cipher: PieceCipher,
    cutter: Cutter,
    hasher: RootHasher,
    id: ContentId,
    number: u32,
    pub(super) bytes: u64,
}

impl Decryptor {
    /// Begins, with the secret and context of the encryption, and what the ciphertext has to be.
    #[must_use]
    pub fn new(secret: &SectionSecret, context: &[u8], id: &ContentId) -> Self {
        Self {
            cipher: PieceCipher::new(secret, context),
            cutter: Cutter::new(SEALED_PIECE_BYTES),
            hasher: RootHasher::new(),
            id: *id,
            number: 0,
            bytes: 0,
        }
    }

    /// Takes more of the ciphertext and returns what it gives. Nothing of it may be used for good before
    /// [`Self::finish`] has said that it was all.
    ///
    /// # Errors
    /// `TooLong`, `BadPiece`; the decryptor is then of no more use.
    pub fn push(&mut self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, ContentError> {
        let more = u64::try_from(sealed.len()).map_err(|_| ContentError::TooLong)?;
        self.bytes = self.bytes.checked_add(more).ok_or(ContentError::TooLong)?;
        if self.bytes > self.id.bytes() {
            return Err(ContentError::TooLong);
        }
        self.hasher.push(sealed)?;
        // A piece may be waiting for its end, and all of it comes out together: room for that, so that nothing is moved.
        let mut content =
            Zeroizing::new(Vec::with_capacity(sealed.len().saturating_add(SEALED_PIECE_BYTES)));
        let Self { cipher, cutter, number, .. } = self;
        cutter.push(sealed, |piece| {
            content.extend_from_slice(&cipher.open(Place { number: *number, last: false }, piece)?);
            *number = number.checked_add(1).ok_or(ContentError::TooLong)?;
            Ok(())
        })?;
        Ok(content)
    }

    /// What the last piece holds, once everything has come and is what was encrypted.
    ///
    /// # Errors
    /// `CutOff`, `BadPiece`, `WrongRoot`; nothing of the content is to be used then.
    pub fn finish(self) -> Result<Zeroizing<Vec<u8>>, ContentError> {
        if self.bytes != self.id.bytes() {
            return Err(ContentError::CutOff(self.bytes));
        }
        let place = Place { number: self.number, last: true };
        let content = self.cipher.open(place, self.cutter.last())?;
        if self.hasher.finish()? != self.id {
            return Err(ContentError::WrongRoot);
        }
        Ok(content)
    }
}

impl fmt::Debug for Decryptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Decryptor({} bytes)", self.bytes)
    }
}
