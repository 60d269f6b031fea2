//! Rotation of a home's keys: the next key is written and synced beside the one in use before
//! anybody hears of it, and takes its place once the network knows it. At every moment the key in
//! use has its name; what it replaced is kept, for what was signed with it or sent to it stays.
//!
//! ```text
//!   keys/signing.next.key ── registered ──▶ keys/signing.key ──▶ keys/retired/signing-<public>.key
//! ```

use super::file::{KeyText, SecretKey, describe, load};
use super::{Keys, KeysError, PassphraseSource, key_path};
use crate::files;
use crate::home::Home;
use crate::keys::KeyKind;
use crate::voting::{self, Past};
use heatmark_ledger::keys::PublicKey;
use std::fs;
use std::io;
use std::path::PathBuf;

/// Where a home keeps the key that is to come.
#[must_use]
pub fn next_path(home: &Home, kind: KeyKind) -> PathBuf {
    home.keys().join(format!("{kind}.next.key"))
}

/// The public half of the key that is to come, if there is one.
///
/// # Errors
/// When the file is there and is no such key.
pub fn next_public(home: &Home, kind: KeyKind) -> Result<Option<[u8; 32]>, KeysError> {
    let path = next_path(home, kind);
    match describe(&path) {
        Ok(found) if found.kind == kind => Ok(found.public),
        Ok(found) => Err(KeysError::WrongKind { path, found: found.kind, expected: kind }),
        Err(KeysError::File(missing)) if missing.is_missing() => Ok(None),
        Err(other) => Err(other),
    }
}

/// The key that is to come: the one that is there, or a new one, synced before this returns and
/// encrypted if the one in use is.
///
/// # Errors
/// When there is no key in use, or the files cannot be used.
pub fn make_next(
    home: &Home,
    kind: KeyKind,
    passphrase: &mut PassphraseSource,
) -> Result<SecretKey, KeysError> {
    let path = next_path(home, kind);
    if next_public(home, kind)?.is_some() {
        return load(&path, kind, passphrase);
    }
    let in_use = key_path(home, kind);
    let sealing = if describe(&in_use)?.sealed {
        // Opened, so that a mistyped passphrase does not seal the new key.
        load(&in_use, kind, passphrase)?;
        Some(passphrase.for_opening(&in_use)?)
    } else {
        None
    };
    let key = SecretKey::generate(kind)?;
    let text = KeyText::new(&key, sealing.as_ref())?.to_toml()?;
    files::create(&path, text.as_bytes(), files::PRIVATE)?;
    Ok(key)
}

/// Puts the next key in the place of the one in use, which is kept.
fn promote(home: &Home, kind: KeyKind) -> Result<(), KeysError> {
    let (in_use, next) = (key_path(home, kind), next_path(home, kind));
    let retired = home.keys().join("retired");
    files::create_private_directory(&retired)?;
    if let Some(public) = describe(&in_use)?.public {
        let public = hex::encode(public);
        let name = format!("{kind}-{}.key", public.get(..16).unwrap_or(&public));
        let kept = retired.join(name);
        match fs::hard_link(&in_use, &kept) {
            // A crash came between keeping it and replacing it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => other.map_err(files::io_error(&kept))?,
        }
        files::sync_parent(&kept)?;
    }
    fs::rename(&next, &in_use).map_err(files::io_error(&in_use))?;
    Ok(files::sync_parent(&in_use)?)
}

/// The kinds whose next key takes the place of the one in use, by whether it stands.
///
/// # Errors
/// When a next key's file cannot be used.
pub fn due(
    home: &Home,
    stands: impl Fn(KeyKind, &[u8; 32]) -> bool,
) -> Result<Vec<KeyKind>, KeysError> {
    let mut due = Vec::new();
    for kind in KeyKind::ROTATED {
        if next_public(home, kind)?.is_some_and(|public| stands(kind, &public)) {
            due.push(kind);
        }
    }
    Ok(due)
}

/// A home's keys, opened as often as they change.
pub struct KeyRing {
    home: Home,
    passphrase: PassphraseSource,
}

impl KeyRing {
    /// The keys of a home; the passphrase is asked for once.
    #[must_use]
    pub fn new(home: Home, passphrase: PassphraseSource) -> Self {
        Self { home, passphrase }
    }

    /// The home.
    #[must_use]
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// The keys in use, after those that are due have taken their places.
    ///
    /// # Errors
    /// As [`Keys::load`], and when a key cannot be put in its place.
    pub fn load(&mut self, stands: impl Fn(KeyKind, &[u8; 32]) -> bool) -> Result<Keys, KeysError> {
        for kind in due(&self.home, stands)? {
            promote(&self.home, kind)?;
            if kind == KeyKind::Consensus {
                // Made here and in no set before this one. A crash before this is remembered makes
                // it wait like a key whose past is forgotten.
                let public = describe(&key_path(&self.home, kind))?.public.unwrap_or_default();
                if let Ok(key) = PublicKey::from_bytes(&public) {
                    voting::remember(&self.home, &key, Past::NeverVoted)?;
                }
            }
            tracing::info!(%kind, "the new key is in use; the old one is in keys/retired");
        }
        Keys::load(&self.home, &mut self.passphrase)
    }
}

#[cfg(test)]
mod tests;
