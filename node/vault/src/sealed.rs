//! Encryption at rest: XChaCha20-Poly1305 under a key derived from the vault's, a random nonce for each value, the
//! database key as associated data, so that no value serves in another's place. Refuses what was changed.

#[cfg(test)]
mod tests;

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::VaultError;

const NONCE_BYTES: usize = 24;
const FORMAT: &[u8] = b"heatmark/v1/vault";

/// The 32 bytes from which the vault's keys derive. The caller derives them from a file or a passphrase.
#[derive(Clone)]
pub struct VaultKey(Zeroizing<[u8; 32]>);

impl VaultKey {
    /// Takes 32 bytes of full entropy.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for VaultKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VaultKey")
    }
}

/// The digest of a certificate file: the same file twice is one record. It never leaves the vault unkeyed, since
/// whoever has it can confirm a guess at the file.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileDigest([u8; 32]);

impl FileDigest {
    /// Digests a file's bytes.
    #[must_use]
    pub fn of(file: &[u8]) -> Self {
        Self(Sha256::digest(file).into())
    }

    #[cfg(test)]
    pub(crate) const fn bytes(&self) -> [u8; 32] {
        self.0
    }
}

impl fmt::Debug for FileDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileDigest")
    }
}

/// The keys derived from a [`VaultKey`].
pub(crate) struct Sealer {
    cipher: XChaCha20Poly1305,
    index_key: Zeroizing<[u8; 32]>,
}

impl Sealer {
    pub(crate) fn new(key: &VaultKey) -> Self {
        let derived = Hkdf::<Sha256>::new(Some(FORMAT), key.0.as_slice());
        let encryption = expand(&derived, b"encryption");
        Self {
            cipher: XChaCha20Poly1305::new((&*encryption).into()),
            index_key: expand(&derived, b"file index"),
        }
    }

    /// A name for a file that only this vault's key can compute.
    pub(crate) fn file_index(&self, file: &FileDigest) -> [u8; 32] {
        *expand(&Hkdf::<Sha256>::new(None, self.index_key.as_slice()), &file.0)
    }

    pub(crate) fn seal(&self, db_key: &[u8], value: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let payload = Payload { msg: value, aad: &[FORMAT, db_key].concat() };
        let sealed = self
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .expect("a value is far below 256 GiB");
        [&nonce[..], &sealed].concat()
    }

    pub(crate) fn open(
        &self,
        db_key: &[u8],
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let (nonce, sealed) =
            sealed.split_first_chunk::<NONCE_BYTES>().ok_or(VaultError::Damaged)?;
        let payload = Payload { msg: sealed, aad: &[FORMAT, db_key].concat() };
        let opened =
            self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| VaultError::Damaged)?;
        Ok(Zeroizing::new(opened))
    }
}

fn expand(key: &Hkdf<Sha256>, info: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    key.expand(info, out.as_mut_slice())
        .expect("HKDF-SHA256 gives up to 8160 bytes and 32 are asked for");
    out
}
