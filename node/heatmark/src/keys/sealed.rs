//! Encryption under a passphrase: Argon2id (RFC 9106) makes the key, XChaCha20-Poly1305 seals.
//! Refuses parameters too weak to protect and too heavy to try, and anything that was changed,
//! the parameters and the accompanying text included.

use super::error::KeysError;
use super::passphrase::Passphrase;
use argon2::{Algorithm, Argon2, Params, Version};
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use rand::TryRng;
use rand::rngs::SysRng;
use serde::{Deserialize, Serialize};
use std::path::Path;
use zeroize::Zeroizing;

const KDF: &str = "argon2id";
const CIPHER: &str = "xchacha20-poly1305";
const SALT_BYTES: usize = 16;
const NONCE_BYTES: usize = 24;

/// RFC 9106 section 4, second recommended option.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 4;

const MEMORY_ACCEPTED_KIB: std::ops::RangeInclusive<u32> = 19 * 1024..=256 * 1024;
const PASSES_ACCEPTED: std::ops::RangeInclusive<u32> = 2..=16;
const LANES_ACCEPTED: std::ops::RangeInclusive<u32> = 1..=16;

/// A sealed secret as written in a file; all bytes in hex.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sealed {
    kdf: String,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    #[serde(with = "hex::serde")]
    salt: Vec<u8>,
    cipher: String,
    #[serde(with = "hex::serde")]
    nonce: Vec<u8>,
    #[serde(with = "hex::serde")]
    ciphertext: Vec<u8>,
}

/// 32 or fewer bytes from the operating system.
pub(crate) fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, KeysError> {
    let mut bytes = Zeroizing::new([0_u8; N]);
    SysRng
        .try_fill_bytes(bytes.as_mut_slice())
        .map_err(|_| KeysError::Crypto("asking the system for random numbers"))?;
    Ok(bytes)
}

impl Sealed {
    /// Seals a secret; `context` is readable beside it and cannot be changed unnoticed.
    pub(crate) fn seal(
        passphrase: &Passphrase,
        context: &[&str],
        secret: &[u8],
    ) -> Result<Self, KeysError> {
        let mut sealed = Self {
            kdf: KDF.to_owned(),
            memory_kib: MEMORY_KIB,
            passes: PASSES,
            lanes: LANES,
            salt: random::<SALT_BYTES>()?.to_vec(),
            cipher: CIPHER.to_owned(),
            nonce: random::<NONCE_BYTES>()?.to_vec(),
            ciphertext: Vec::new(),
        };
        let failed = KeysError::Crypto("encrypting under the passphrase");
        let Some((cipher, nonce)) = sealed.cipher(passphrase) else { return Err(failed) };
        let associated = sealed.associated(context);
        let payload = Payload { msg: secret, aad: &associated };
        sealed.ciphertext = cipher.encrypt(&nonce, payload).map_err(|_| failed)?;
        Ok(sealed)
    }

    /// Opens what [`Sealed::seal`] sealed with the same context.
    pub(crate) fn open(
        &self,
        passphrase: &Passphrase,
        context: &[&str],
        path: &Path,
    ) -> Result<Zeroizing<Vec<u8>>, KeysError> {
        let known = self.kdf == KDF && self.cipher == CIPHER;
        let bounded = MEMORY_ACCEPTED_KIB.contains(&self.memory_kib)
            && PASSES_ACCEPTED.contains(&self.passes)
            && LANES_ACCEPTED.contains(&self.lanes)
            && self.salt.len() == SALT_BYTES
            && self.nonce.len() == NONCE_BYTES;
        if !known || !bounded {
            return Err(KeysError::Parameters(path.to_owned()));
        }
        let (cipher, nonce) =
            self.cipher(passphrase).ok_or(KeysError::Parameters(path.to_owned()))?;
        let associated = self.associated(context);
        let payload = Payload { msg: &self.ciphertext, aad: &associated };
        cipher
            .decrypt(&nonce, payload)
            .map(Zeroizing::new)
            .map_err(|_| KeysError::DoesNotOpen(path.to_owned()))
    }

    fn cipher(&self, passphrase: &Passphrase) -> Option<(XChaCha20Poly1305, XNonce)> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(32)).ok()?;
        let mut key = Zeroizing::new([0_u8; 32]);
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into(passphrase, &self.salt, key.as_mut_slice())
            .ok()?;
        let cipher = XChaCha20Poly1305::new_from_slice(key.as_slice()).ok()?;
        let nonce = XNonce::try_from(self.nonce.as_slice()).ok()?;
        Some((cipher, nonce))
    }

    fn associated(&self, context: &[&str]) -> Vec<u8> {
        let numbers = [self.memory_kib, self.passes, self.lanes].map(|n| n.to_string());
        let parts = ["heatmark/v1/sealed", &self.kdf, &self.cipher];
        let numbers = numbers.iter().map(String::as_str);
        let mut associated = Vec::new();
        for part in parts.into_iter().chain(numbers).chain(context.iter().copied()) {
            // No part holds a line break, so that the parts cannot run into each other.
            associated.extend_from_slice(part.as_bytes());
            associated.push(b'\n');
        }
        associated
    }
}
