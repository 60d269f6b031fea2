//! A node's keys: generated, kept in files that only their owner may read, optionally under a
//! passphrase, backed up and restored. Never overwrites a key. Specification: `proto/README.md`,
//! section 2.
//!
//! ```text
//!   generate ──▶ DIR/keys/root.key       move offline
//!                         signing.key    transactions
//!                         p2p.key        exchange network, TLS
//!                         envelope.key   what is encrypted to us
//!                         consensus.key  validators only
//!                         seed.key ──HKDF──▶ alert keys, vault key
//!                         vault.key      opens the vault, where that is not to derive from the seed
//!                         KIND.next.key      registered, or about to be: see `turn`
//! ```

mod bundle;
mod error;
mod file;
mod kind;
mod passphrase;
mod sealed;
mod seed;
#[cfg(test)]
mod tests;
mod turn;
mod vault;

pub use bundle::{BundleSummary, backup, restore};
pub use error::KeysError;
pub use file::{KeyDescription, SecretKey, describe, load};
pub use kind::KeyKind;
pub use passphrase::{PASSPHRASE_VARIABLE, PassphraseSource};
pub use seed::Seed;
pub use turn::{KeyRing, due, make_next, next_path, next_public};
pub use vault::{VAULT_KEY_VARIABLE, VaultKeySource, vault_key};

use crate::files::{self, FileError};
use crate::home::Home;
use ed25519_dalek::SigningKey;
use file::KeyText;
use libp2p::PeerId;
use libp2p::identity;
use std::fs;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Largest registry entry file in bytes.
pub(crate) const MAX_ENTRY_BYTES: u64 = 64 * 1024;

/// The keys that a running node holds. The root key is not among them: it stays offline.
#[derive(Debug, Clone)]
pub struct Keys {
    /// Signs transactions.
    pub signing: SigningKey,
    /// The node's name on the exchange network and in TLS.
    pub p2p: SigningKey,
    /// Receives envelopes: the X25519 secret.
    pub envelope: SecretKey,
    /// Votes on blocks; validators only.
    pub consensus: Option<SigningKey>,
    /// What alert keys, and by default the vault's key, derive from.
    pub seed: Seed,
    /// The vault's key, where it has one of its own.
    pub vault: Option<SecretKey>,
}

impl Keys {
    /// Opens the keys of a home.
    ///
    /// # Errors
    /// When one but the consensus and the vault's key is missing, may be read by others, or does not open.
    pub fn load(home: &Home, passphrase: &mut PassphraseSource) -> Result<Self, KeysError> {
        let mut open = |kind| load(&key_path(home, kind), kind, passphrase);
        let signing = open(KeyKind::Signing)?.signing_key();
        let p2p = open(KeyKind::P2p)?.signing_key();
        let envelope = open(KeyKind::Envelope)?;
        let consensus = if_there(open(KeyKind::Consensus))?.map(|key| key.signing_key());
        let seed = Seed::new(open(KeyKind::Seed)?);
        let vault = if_there(open(KeyKind::Vault))?;
        Ok(Self { signing, p2p, envelope, consensus, seed, vault })
    }

    /// The p2p key as libp2p takes it.
    #[must_use]
    pub fn p2p_keypair(&self) -> identity::Keypair {
        let mut secret = Zeroizing::new(self.p2p.to_bytes());
        identity::Keypair::ed25519_from_bytes(secret.as_mut_slice())
            .expect("32 bytes are an Ed25519 secret")
    }
}

fn if_there(opened: Result<SecretKey, KeysError>) -> Result<Option<SecretKey>, KeysError> {
    match opened {
        Err(KeysError::File(missing)) if missing.is_missing() => Ok(None),
        other => other.map(Some),
    }
}

/// Writes one new key where no file is.
///
/// # Errors
/// [`FileError::Exists`], or when it cannot be written.
pub fn write_one(
    path: &std::path::Path,
    key: &SecretKey,
    passphrase: &mut PassphraseSource,
) -> Result<(), KeysError> {
    let text = KeyText::new(key, passphrase.for_sealing()?.as_ref())?.to_toml()?;
    Ok(files::create(path, text.as_bytes(), files::PRIVATE)?)
}

/// Where a home keeps a key.
#[must_use]
pub fn key_path(home: &Home, kind: KeyKind) -> PathBuf {
    home.keys().join(format!("{kind}.key"))
}

/// The libp2p name of a p2p public key, as it stands after `/p2p/` in an address; none when the
/// bytes are no Ed25519 key.
#[must_use]
pub fn peer_id(p2p: &[u8; 32]) -> Option<PeerId> {
    let key = identity::ed25519::PublicKey::try_from_bytes(p2p).ok()?;
    Some(identity::PublicKey::from(key).to_peer_id())
}

/// Writes a home's keys, all of them or none, where it has none yet.
///
/// # Errors
/// [`FileError::Exists`] when the home has keys already.
pub fn write_all(
    home: &Home,
    keys: &[SecretKey],
    passphrase: &mut PassphraseSource,
) -> Result<bool, KeysError> {
    if fs::read_dir(home.keys()).is_ok_and(|mut files| files.next().is_some()) {
        return Err(FileError::Exists(home.keys()).into());
    }
    let passphrase = passphrase.for_sealing()?;
    files::create_private_directory(home.path())?;
    let fresh = home.path().join(format!(".keys.{:016x}", rand::random::<u64>()));
    files::create_private_directory(&fresh)?;
    let write = || -> Result<(), KeysError> {
        for key in keys {
            let text = KeyText::new(key, passphrase.as_ref())?.to_toml()?;
            let path = fresh.join(format!("{}.key", key.kind()));
            files::create(&path, text.as_bytes(), files::PRIVATE)?;
        }
        // Renaming a directory onto one that holds anything fails, so no key is ever lost.
        fs::rename(&fresh, home.keys()).map_err(files::io_error(&home.keys()))?;
        files::sync_parent(&home.keys()).map_err(KeysError::from)
    };
    let written = write();
    if written.is_err() {
        // The failure is what counts; what is left there was never used.
        let _ = fs::remove_dir_all(&fresh);
    }
    written.map(|()| passphrase.is_some())
}
