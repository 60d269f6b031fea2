//! Where the vault's key comes from: the seed, so that one offline copy brings everything back; a
//! key file of its own, plain or under the passphrase; or the environment, where a secret store
//! hands it to the node. Refuses to fall back from one to another.

use super::error::KeysError;
use super::{KeyKind, PassphraseSource, Seed, key_path, load};
use crate::home::Home;
use heatmark_vault::VaultKey;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Environment variable that holds the vault's key: 64 hex digits.
pub const VAULT_KEY_VARIABLE: &str = "HEATMARK_VAULT_SECRET";

/// Where the vault's key comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum VaultKeySource {
    /// It derives from keys/seed.key
    #[default]
    Seed,
    /// keys/vault.key
    File,
    /// HEATMARK_VAULT_SECRET
    Environment,
}

impl VaultKeySource {
    /// As it stands in the settings.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Seed => "seed",
            Self::File => "file",
            Self::Environment => "environment",
        }
    }
}

/// The vault's key of a home.
///
/// # Errors
/// When the file is missing or does not open, or the variable holds no key.
pub fn vault_key(
    home: &Home,
    source: VaultKeySource,
    passphrase: &mut PassphraseSource,
) -> Result<VaultKey, KeysError> {
    let mut open = |kind| load(&key_path(home, kind), kind, passphrase);
    match source {
        VaultKeySource::Seed => Ok(VaultKey::new(*Seed::new(open(KeyKind::Seed)?).vault_key())),
        VaultKeySource::File => Ok(VaultKey::new(*open(KeyKind::Vault)?.bytes())),
        VaultKeySource::Environment => from_environment(),
    }
}

pub(crate) fn from_environment() -> Result<VaultKey, KeysError> {
    let text = std::env::var(VAULT_KEY_VARIABLE).map_err(|_| KeysError::NoVaultKey)?;
    let text = Zeroizing::new(text);
    let mut key = Zeroizing::new([0_u8; 32]);
    hex::decode_to_slice(text.trim(), key.as_mut_slice()).map_err(|_| KeysError::NoVaultKey)?;
    Ok(VaultKey::new(*key))
}

impl super::Keys {
    /// The vault's key among those that a node holds.
    ///
    /// # Errors
    /// As [`vault_key`].
    pub fn vault_key(&self, home: &Home, source: VaultKeySource) -> Result<VaultKey, KeysError> {
        match (source, &self.vault) {
            (VaultKeySource::Seed, _) => Ok(VaultKey::new(*self.seed.vault_key())),
            (VaultKeySource::File, Some(key)) => Ok(VaultKey::new(*key.bytes())),
            // Says which file is missing.
            (VaultKeySource::File, None) => vault_key(home, source, &mut PassphraseSource::none()),
            (VaultKeySource::Environment, _) => from_environment(),
        }
    }
}
