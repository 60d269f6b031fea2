//! A backup of a home's keys in one file of mode 0600: plain, or sealed as a whole under a
//! passphrase. Refuses to be written over anything and to be restored over existing keys.

use super::error::KeysError;
use super::file::{KeyText, SecretKey};
use super::kind::KeyKind;
use super::passphrase::PassphraseSource;
use super::sealed::Sealed;
use crate::files;
use crate::home::Home;
use serde::{Deserialize, Serialize};
use std::path::Path;
use zeroize::Zeroizing;

const FORMAT: &str = "heatmark-key-bundle-v1";
const MAX_BUNDLE_BYTES: u64 = 256 * 1024;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bundle {
    format: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sealed: Option<Sealed>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    plain: Option<Contents>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    /// The registry entry's text, where the home has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entry: Option<String>,
    keys: Vec<KeyText>,
}

/// What a backup or a restore did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleSummary {
    /// Kinds of keys in the bundle.
    pub kinds: Vec<KeyKind>,
    /// Whether the bundle is encrypted.
    pub sealed: bool,
}

/// Writes all keys of a home into one new file.
///
/// # Errors
/// When a key does not open, there are none, or the file exists.
pub fn backup(
    home: &Home,
    to: &Path,
    opening: &mut PassphraseSource,
    sealing: &mut PassphraseSource,
) -> Result<BundleSummary, KeysError> {
    let mut keys = Vec::new();
    for kind in KeyKind::ALL {
        let path = super::key_path(home, kind);
        match KeyText::read(&path) {
            Ok(text) => keys.push(text.open(&path, opening)?),
            Err(KeysError::File(missing)) if missing.is_missing() => {}
            Err(other) => return Err(other),
        }
    }
    if keys.is_empty() {
        return Err(KeysError::NotAKey { path: home.keys(), reason: "no key file is in it" });
    }
    let entry = files::read_text(&home.entry(), super::MAX_ENTRY_BYTES).ok();
    let texts: Result<Vec<KeyText>, KeysError> =
        keys.iter().map(|key| KeyText::new(key, None)).collect();
    let contents = Contents { entry, keys: texts? };
    let passphrase = sealing.for_sealing()?;
    let mut bundle = Bundle { format: FORMAT.to_owned(), sealed: None, plain: None };
    match &passphrase {
        None => bundle.plain = Some(contents),
        Some(passphrase) => {
            let plain = to_toml(&contents)?;
            bundle.sealed = Some(Sealed::seal(passphrase, &[FORMAT], plain.as_bytes())?);
        }
    }
    files::create(to, to_toml(&bundle)?.as_bytes(), files::PRIVATE)?;
    let kinds = keys.iter().map(SecretKey::kind).collect();
    Ok(BundleSummary { kinds, sealed: passphrase.is_some() })
}

/// Writes the keys of a bundle into a home that has none.
///
/// # Errors
/// When the bundle does not open, or the home has keys.
pub fn restore(
    home: &Home,
    from: &Path,
    opening: &mut PassphraseSource,
    sealing: &mut PassphraseSource,
) -> Result<BundleSummary, KeysError> {
    let refuse = |reason| KeysError::NotAKey { path: from.to_owned(), reason };
    let bytes = Zeroizing::new(files::read_private(from, MAX_BUNDLE_BYTES)?);
    let text = std::str::from_utf8(&bytes).map_err(|_| refuse("it is not text"))?;
    let bundle: Bundle = toml::from_str(text).map_err(|_| refuse("its fields are not those"))?;
    if bundle.format != FORMAT {
        return Err(refuse("format must be heatmark-key-bundle-v1"));
    }
    let sealed = bundle.sealed.is_some();
    let contents = match (bundle.plain, bundle.sealed) {
        (Some(contents), None) => contents,
        (None, Some(sealed)) => {
            let passphrase = opening.for_opening(from)?;
            let plain = sealed.open(&passphrase, &[FORMAT], from)?;
            let text = std::str::from_utf8(&plain).map_err(|_| refuse("it is not text"))?;
            toml::from_str(text).map_err(|_| refuse("its fields are not those"))?
        }
        _ => return Err(refuse("it must have either [plain] or [sealed]")),
    };
    let mut keys = Vec::new();
    for text in &contents.keys {
        text.check(from)?;
        keys.push(text.open(from, &mut PassphraseSource::none())?);
    }
    super::write_all(home, &keys, sealing)?;
    if let Some(entry) = contents.entry {
        files::create(&home.entry(), entry.as_bytes(), files::PUBLIC)?;
    }
    Ok(BundleSummary { kinds: keys.iter().map(SecretKey::kind).collect(), sealed })
}

fn to_toml<T: Serialize>(value: &T) -> Result<Zeroizing<String>, KeysError> {
    toml::to_string(value)
        .map(Zeroizing::new)
        .map_err(|_| KeysError::Crypto("writing keys as text"))
}
