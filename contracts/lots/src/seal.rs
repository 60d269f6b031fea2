//! Seals: one-time Ed25519 keys, each of one lot. A lot holds the hash of key and blind, so that whoever knows the lot does
//! not know the key when it is broken on the log. Keys and blinds derive from a seed by index; no index is used twice.

use ed25519_dalek::SigningKey;
use heatmark_merkle::{Hash, tag};
use hkdf::Hkdf;
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroizing;

use crate::LotError;

/// The seed from which a vault's seals follow. Keep a copy offline: without it nobody can break them.
#[derive(Clone)]
pub struct SealSeed(Zeroizing<[u8; 32]>);

impl SealSeed {
    /// Takes 32 secret bytes.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self(Zeroizing::new(seed))
    }

    /// The key of a seal: `HKDF-SHA256(seed, no salt, "heatmark/v1/seal-key" ‖ u64be index)`.
    #[must_use]
    pub fn key(&self, index: u64) -> SigningKey {
        SigningKey::from_bytes(&self.derive("heatmark/v1/seal-key", index))
    }

    /// The blind of a seal: `HKDF-SHA256(seed, no salt, "heatmark/v1/seal-blind" ‖ u64be index)`.
    #[must_use]
    pub fn blind(&self, index: u64) -> [u8; 32] {
        *self.derive("heatmark/v1/seal-blind", index)
    }

    /// The hash of a seal, as a lot or a record's head holds it.
    #[must_use]
    pub fn seal(&self, index: u64) -> Hash {
        seal_hash(&self.key(index).verifying_key().to_bytes(), &self.blind(index))
    }

    fn derive(&self, what: &str, index: u64) -> Zeroizing<[u8; 32]> {
        let mut out = Zeroizing::new([0; 32]);
        Hkdf::<Sha256>::new(None, &*self.0)
            .expand_multi_info(&[what.as_bytes(), &index.to_be_bytes()], &mut *out)
            .expect("HKDF-SHA256 gives up to 8160 bytes and 32 are asked for");
        out
    }
}

impl fmt::Debug for SealSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealSeed")
    }
}

/// `H("seal", public key, blind)`.
#[must_use]
pub fn seal_hash(key: &[u8; 32], blind: &[u8; 32]) -> Hash {
    tag::hash("seal", &[key, blind])
}

/// `H("seal-key", public key)`, under which the state map says whether and where a seal was broken.
#[must_use]
pub fn seal_key_hash(key: &[u8; 32]) -> Hash {
    tag::hash("seal-key", &[key])
}

/// Checks that a broken seal is the one that a lot, or a certificate's head, holds.
///
/// # Errors
/// `WrongSeal`.
pub fn check_seal(seal: &Hash, key: &[u8; 32], blind: &[u8; 32]) -> Result<(), LotError> {
    if seal_hash(key, blind) == *seal { Ok(()) } else { Err(LotError::WrongSeal) }
}
