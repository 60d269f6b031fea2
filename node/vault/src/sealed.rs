//! Encryption at rest: XChaCha20-Poly1305, a random nonce for each value, the database key as associated data,
//! so that no value serves in another's place. Refuses what was changed.
//!
//! ```text
//!   vault key (the operator's) ──wraps──▶ master key ──▶ rows, log, indexes
//!                                            └──wraps──▶ one data key a record ──▶ its opening
//! ```
//!
//! So a new vault key costs one write, and a record is destroyed with its data key.

#[cfg(test)]
mod tests;

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use rand::TryRng;
use rand::rngs::SysRng;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::VaultError;

pub(crate) const NONCE_BYTES: usize = 24;
const FORMAT: &[u8] = b"heatmark/v2/vault";

/// The 32 bytes under which the vault's master key is kept. The caller has them from a file, the environment or
/// the node's seed.
#[derive(Clone)]
pub struct VaultKey(Zeroizing<[u8; 32]>);

impl VaultKey {
    /// Takes 32 bytes of full entropy.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// What wraps the master key.
    pub(crate) fn wrapping(&self) -> Sealer {
        let derived = Hkdf::<Sha256>::new(Some(FORMAT), self.0.as_slice());
        Sealer::with(&expand(&derived, b"master key"))
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

/// 32 secret bytes of the vault's own making; wiped when dropped.
#[derive(Clone)]
pub(crate) struct Secret32(Zeroizing<[u8; 32]>);

impl Secret32 {
    /// From the operating system.
    pub(crate) fn random() -> Result<Self, VaultError> {
        let mut bytes = Zeroizing::new([0; 32]);
        SysRng.try_fill_bytes(bytes.as_mut_slice()).map_err(|_| VaultError::NoRandomness)?;
        Ok(Self(bytes))
    }

    pub(crate) fn from_slice(bytes: &[u8]) -> Result<Self, VaultError> {
        let bytes = bytes.try_into().map_err(|_| VaultError::Damaged)?;
        Ok(Self(Zeroizing::new(bytes)))
    }

    pub(crate) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The sealer of the values under this key.
    pub(crate) fn sealer(&self) -> Sealer {
        Sealer::with(&self.0)
    }
}

/// The keys derived from a vault's master key.
pub(crate) struct Master {
    master: Secret32,
    pub(crate) sealer: Sealer,
    index_key: Zeroizing<[u8; 32]>,
}

impl Master {
    pub(crate) fn new(master: Secret32) -> Self {
        let derived = Hkdf::<Sha256>::new(Some(FORMAT), master.bytes());
        let sealer = Sealer::with(&expand(&derived, b"encryption"));
        let index_key = expand(&derived, b"file index");
        Self { master, sealer, index_key }
    }

    pub(crate) fn secret(&self) -> &Secret32 {
        &self.master
    }

    /// A name for a file that only this vault's key can compute.
    pub(crate) fn file_index(&self, file: &FileDigest) -> [u8; 32] {
        *expand(&Hkdf::<Sha256>::new(None, self.index_key.as_slice()), &file.0)
    }

    /// The key of one backup.
    pub(crate) fn backup_key(&self, salt: &[u8; 32]) -> Zeroizing<[u8; 32]> {
        let derived = Hkdf::<Sha256>::new(Some(salt), self.master.bytes());
        expand(&derived, b"heatmark/v1/vault-backup")
    }
}

/// Seals values under one key.
pub(crate) struct Sealer(XChaCha20Poly1305);

impl Sealer {
    fn with(key: &[u8; 32]) -> Self {
        Self(XChaCha20Poly1305::new(key.into()))
    }

    pub(crate) fn seal(&self, db_key: &[u8], value: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_BYTES] = rand::random();
        let payload = Payload { msg: value, aad: &[FORMAT, db_key].concat() };
        let sealed =
            self.0.encrypt(&XNonce::from(nonce), payload).expect("a value is far below 256 GiB");
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
            self.0.decrypt(&XNonce::from(*nonce), payload).map_err(|_| VaultError::Damaged)?;
        Ok(Zeroizing::new(opened))
    }
}

fn expand(key: &Hkdf<Sha256>, info: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    key.expand(info, out.as_mut_slice())
        .expect("HKDF-SHA256 gives up to 8160 bytes and 32 are asked for");
    out
}
