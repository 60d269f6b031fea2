//! A key file: TOML with the role, the algorithm, the public key and the secret, in hex or sealed
//! under a passphrase. Refuses unknown fields, other lengths, and a public key that does not
//! belong to the secret.
//!
//! ```toml
//! format = "heatmark-key-v1"
//! role = "signing"
//! algorithm = "ed25519"
//! public = "64 hex digits"        # none for the seed
//! secret = "64 hex digits"        # or a table [sealed]
//! ```

use super::error::KeysError;
use super::kind::KeyKind;
use super::passphrase::{Passphrase, PassphraseSource};
use super::sealed::{self, Sealed};
use crate::files;
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use std::path::Path;
use zeroize::{Zeroize, Zeroizing};

const FORMAT: &str = "heatmark-key-v1";
const MAX_FILE_BYTES: u64 = 16 * 1024;

/// A secret with its kind; wiped when dropped.
#[derive(Clone)]
pub struct SecretKey {
    kind: KeyKind,
    bytes: Zeroizing<[u8; 32]>,
}

impl SecretKey {
    /// A new one, from the operating system's random numbers.
    ///
    /// # Errors
    /// [`KeysError::Crypto`] when the system has none.
    pub fn generate(kind: KeyKind) -> Result<Self, KeysError> {
        Ok(Self { kind, bytes: sealed::random()? })
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// The 32 secret bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// The public half; none for the seed.
    #[must_use]
    pub fn public(&self) -> Option<[u8; 32]> {
        self.kind.public_of(&self.bytes)
    }

    /// The Ed25519 key; meaningful for root, signing, p2p and consensus keys.
    #[must_use]
    pub fn signing_key(&self) -> SigningKey {
        SigningKey::from_bytes(&self.bytes)
    }
}

impl std::fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretKey({}, …)", self.kind)
    }
}

/// What stands in a key file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyText {
    format: String,
    role: KeyKind,
    algorithm: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    public: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<Sealed>,
}

impl Drop for KeyText {
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

/// What may be said of a key file without opening it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDescription {
    /// What it holds.
    pub kind: KeyKind,
    /// The public half as written, unproven until the secret is opened; none for the seed.
    pub public: Option<[u8; 32]>,
    /// Whether it is encrypted under a passphrase.
    pub sealed: bool,
}

impl KeyText {
    pub(crate) fn new(key: &SecretKey, passphrase: Option<&Passphrase>) -> Result<Self, KeysError> {
        let mut text = Self {
            format: FORMAT.to_owned(),
            role: key.kind,
            algorithm: key.kind.algorithm().to_owned(),
            public: key.public().map(hex::encode),
            secret: None,
            sealed: None,
        };
        match passphrase {
            None => text.secret = Some(hex::encode(key.bytes.as_slice())),
            Some(passphrase) => {
                let sealed = Sealed::seal(passphrase, &text.context(), key.bytes.as_slice())?;
                text.sealed = Some(sealed);
            }
        }
        Ok(text)
    }

    pub(crate) fn read(path: &Path) -> Result<Self, KeysError> {
        let bytes = Zeroizing::new(files::read_private(path, MAX_FILE_BYTES)?);
        let refuse = |reason| KeysError::NotAKey { path: path.to_owned(), reason };
        let text = std::str::from_utf8(&bytes).map_err(|_| refuse("it is not text"))?;
        // The parser's message would quote the line, which may hold the secret.
        let text: Self = toml::from_str(text).map_err(|_| refuse("its fields are not those"))?;
        text.check(path)?;
        Ok(text)
    }

    pub(crate) fn check(&self, path: &Path) -> Result<(), KeysError> {
        let refuse = |reason| Err(KeysError::NotAKey { path: path.to_owned(), reason });
        if self.format != FORMAT {
            return refuse("format must be heatmark-key-v1");
        }
        if self.algorithm != self.role.algorithm() {
            return refuse("the algorithm is not that of its role");
        }
        if self.public.is_some() != self.role.has_public() {
            return refuse("every key has a public half but the seed and the vault's");
        }
        if self.public.as_deref().is_some_and(|public| bytes32(public).is_none()) {
            return refuse("the public key must be 64 lowercase hex digits");
        }
        if self.secret.is_some() == self.sealed.is_some() {
            return refuse("it must have either a secret or a table [sealed]");
        }
        Ok(())
    }

    pub(crate) fn describe(&self) -> KeyDescription {
        let public = self.public.as_deref().and_then(bytes32).map(|public| *public);
        KeyDescription { kind: self.role, public, sealed: self.sealed.is_some() }
    }

    pub(crate) fn open(
        &self,
        path: &Path,
        passphrase: &mut PassphraseSource,
    ) -> Result<SecretKey, KeysError> {
        let refuse = |reason| KeysError::NotAKey { path: path.to_owned(), reason };
        let bytes = match (&self.secret, &self.sealed) {
            (Some(secret), _) => {
                bytes32(secret).ok_or(refuse("the secret must be 64 lowercase hex digits"))?
            }
            (None, Some(sealed)) => {
                let passphrase = passphrase.for_opening(path)?;
                let opened = sealed.open(&passphrase, &self.context(), path)?;
                let bytes: [u8; 32] = opened
                    .as_slice()
                    .try_into()
                    .map_err(|_| refuse("the secret must have 32 bytes"))?;
                Zeroizing::new(bytes)
            }
            (None, None) => return Err(refuse("it holds no secret")),
        };
        let key = SecretKey { kind: self.role, bytes };
        if key.public() != self.describe().public {
            return Err(KeysError::Mismatch(path.to_owned()));
        }
        Ok(key)
    }

    pub(crate) fn to_toml(&self) -> Result<Zeroizing<String>, KeysError> {
        toml::to_string(self)
            .map(Zeroizing::new)
            .map_err(|_| KeysError::Crypto("writing a key as text"))
    }

    fn context(&self) -> [&str; 4] {
        let public = self.public.as_deref().unwrap_or("none");
        [&self.format, self.role.name(), &self.algorithm, public]
    }
}

/// Reads a key file without opening its secret.
///
/// # Errors
/// When it is missing, may be read by others, or is not a key file.
pub fn describe(path: &Path) -> Result<KeyDescription, KeysError> {
    KeyText::read(path).map(|text| text.describe())
}

/// Reads a key file that must hold this kind of key, and opens it.
///
/// # Errors
/// When it is missing, may be read by others, does not open, or holds another kind.
pub fn load(
    path: &Path,
    kind: KeyKind,
    passphrase: &mut PassphraseSource,
) -> Result<SecretKey, KeysError> {
    let text = KeyText::read(path)?;
    if text.role != kind {
        return Err(KeysError::WrongKind {
            path: path.to_owned(),
            found: text.role,
            expected: kind,
        });
    }
    text.open(path, passphrase)
}

fn bytes32(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    if text.bytes().any(|b| b.is_ascii_uppercase()) {
        return None;
    }
    let mut bytes = Zeroizing::new([0_u8; 32]);
    hex::decode_to_slice(text, bytes.as_mut_slice()).ok()?;
    Some(bytes)
}
