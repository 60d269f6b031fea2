//! The alert keys: one Ed25519 key a record, derived from a seed that can be kept offline, so that
//! a node restored from seed and log can still raise alerts.
//! `secret(i) = HKDF-SHA256(seed, no salt, info = "heatmark/v1/alert-key" ‖ u64be i)`.

use crate::{Desk, DeskError};
use ed25519_dalek::SigningKey;
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::messages as pb;
use heatmark_ledger::state;
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

/// So many of the next keys are looked for on the log when a desk starts.
const LOOKED_FOR: u64 = 64;

impl Desk {
    /// Skips ahead when the log knows a key that would be given next: the vault is older than what was made with it, as after
    /// files were put back from a copy. A restored vault skips by itself; this finds what was not restored as one.
    pub(crate) fn skip_known_indices(&self) -> Result<bool, DeskError> {
        let (alert, seal) = self.parts.vault.next_indices()?;
        let (origins, lots) =
            (self.parts.seed.seals(ORIGIN_SEALS), self.parts.seed.seals(LOT_SEALS));
        let mut known = false;
        for ahead in 0..LOOKED_FOR {
            let (alert, seal) = (alert.saturating_add(ahead), seal.saturating_add(ahead));
            let subject =
                PublicKey::of(&alert_signing_key(&self.parts.seed, alert)).alert_subject();
            let raised: Option<pb::AlertState> =
                state::read(&self.parts.store, &state::alert_key(&subject), "alert")?;
            known = known
                || raised.is_some()
                || self.is_broken(&origins.key(alert))?
                || self.is_broken(&lots.key(seal))?;
        }
        if known {
            tracing::warn!(
                "the log knows keys that the vault would give next, which goes on elsewhere"
            );
            self.parts.vault.forget_indices()?;
        }
        Ok(known)
    }

    fn is_broken(&self, seal: &SigningKey) -> Result<bool, DeskError> {
        let place = state::seal_key(&PublicKey::of(seal).seal_id());
        let broken: Option<pb::SealState> = state::read(&self.parts.store, &place, "seal")?;
        Ok(broken.is_some())
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
