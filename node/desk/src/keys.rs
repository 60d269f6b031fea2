//! The alert keys: one Ed25519 key a record, derived from a seed that can be kept offline, so that
//! a node restored from seed and log can still raise alerts.
//! `secret(i) = HKDF-SHA256(seed, no salt, info = "heatmark/v1/alert-key" ‖ u64be i)`.

use ed25519_dalek::SigningKey;
use heatmark_lots::SealSeed;
use hkdf::Hkdf;
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroizing;

const INFO: &[u8] = b"heatmark/v1/alert-key";

/// The 32 secret bytes from which an organisation's alert keys derive.
pub struct Seed(Zeroizing<[u8; 32]>);

impl Seed {
    /// Takes 32 bytes of full entropy.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

/// From which the seals of lots derive, by index.
pub(crate) const LOT_SEALS: &[u8] = b"heatmark/v1/lot-seals";
/// From which the origin seals of certificates derive, by the index of the record's alert key.
pub(crate) const ORIGIN_SEALS: &[u8] = b"heatmark/v1/origin-seals";

impl Seed {
    /// The seals of one use: `HKDF-SHA256(seed, no salt, what)` is their seed.
    pub(crate) fn seals(&self, what: &[u8]) -> SealSeed {
        let mut seed = Zeroizing::new([0_u8; 32]);
        Hkdf::<Sha256>::new(None, self.0.as_slice())
            .expand(what, seed.as_mut_slice())
            .expect("HKDF-SHA256 gives up to 8160 bytes and 32 are asked for");
        SealSeed::new(*seed)
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed")
    }
}

/// The alert key of an index; it is wiped when dropped.
#[must_use]
pub fn alert_signing_key(seed: &Seed, index: u64) -> SigningKey {
    let info = [INFO, &index.to_be_bytes()].concat();
    let mut secret = Zeroizing::new([0_u8; 32]);
    Hkdf::<Sha256>::new(None, seed.0.as_slice())
        .expand(&info, secret.as_mut_slice())
        .expect("HKDF-SHA256 gives up to 8160 bytes and 32 are asked for");
    SigningKey::from_bytes(&secret)
}
