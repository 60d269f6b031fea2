//! The seed that a copy kept offline brings back, and what derives from it here: the vault's key,
//! by HKDF-SHA256 (RFC 5869) without salt. Alert keys derive from it in the desk.

use super::file::SecretKey;
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

const VAULT_KEY: &[u8] = b"heatmark/v1/vault-key";

/// The seed of a node; wiped when dropped.
#[derive(Clone)]
pub struct Seed(SecretKey);

impl Seed {
    pub(crate) fn new(secret: SecretKey) -> Self {
        Self(secret)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8; 32] {
        self.0.bytes()
    }

    /// The key that encrypts the vault.
    #[must_use]
    pub fn vault_key(&self) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0_u8; 32]);
        Hkdf::<Sha256>::new(None, self.0.bytes())
            .expand(VAULT_KEY, key.as_mut_slice())
            .expect("32 bytes are within what HKDF-SHA256 gives");
        key
    }
}

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(…)")
    }
}
