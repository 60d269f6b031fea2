//! What envelopes and contents of escrow are bound to, so that none is of use in another place. Specification:
//! `proto/README.md` section 18.

use heatmark_envelopes::{OpeningKey, Purpose, SealError, SealingKey, open, seal};
use heatmark_ledger::ids::{DealId, MemberId, NetworkId};
use heatmark_merkle::{Hash, tag};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::Manifest;

/// What an envelope is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    what: &'static str,
    parts: Vec<Vec<u8>>,
}

impl Bound {
    fn new(what: &'static str, parts: &[&[u8]]) -> Self {
        Self { what, parts: parts.iter().map(|part| part.to_vec()).collect() }
    }

    /// Seals to a key, for this use alone.
    ///
    /// # Errors
    /// As [`heatmark_envelopes::seal`].
    pub fn seal(
        &self,
        to: &SealingKey,
        content: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<u8>, SealError> {
        let parts: Vec<&[u8]> = self.parts.iter().map(Vec::as_slice).collect();
        seal(to, &Purpose { what: self.what, parts: &parts }, content, rng)
    }

    /// Opens what was sealed for this use.
    ///
    /// # Errors
    /// As [`heatmark_envelopes::open`].
    pub fn open(&self, key: &OpeningKey, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let parts: Vec<&[u8]> = self.parts.iter().map(Vec::as_slice).collect();
        open(key, &Purpose { what: self.what, parts: &parts }, sealed)
    }
}

/// A share sealed to an agent at deposit: network, the manifest's salt, owner, record, epoch, section, agent.
#[must_use]
pub fn deposit_purpose(manifest: &Manifest, section: &str, agent: &MemberId) -> Bound {
    let parts: [&[u8]; 7] = [
        &manifest.network,
        &manifest.salt,
        &manifest.owner,
        &manifest.record,
        &manifest.epoch.to_be_bytes(),
        section.as_bytes(),
        agent.as_bytes(),
    ];
    Bound::new("deposit-share", &parts)
}

/// Whom and what a released share is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Released<'r> {
    /// The network.
    pub network: &'r NetworkId,
    /// The deal.
    pub deal: &'r DealId,
    /// The buyer.
    pub buyer: &'r MemberId,
    /// Digest of the manifest.
    pub manifest: &'r Hash,
    /// The section.
    pub section: &'r str,
    /// The agent.
    pub agent: &'r MemberId,
}

/// A share released to a buyer: network, deal, buyer, manifest digest, section, agent.
#[must_use]
pub fn release_purpose(released: &Released<'_>) -> Bound {
    let parts: [&[u8]; 6] = [
        released.network.as_bytes(),
        released.deal.as_bytes(),
        released.buyer.as_bytes(),
        released.manifest.0.as_slice(),
        released.section.as_bytes(),
        released.agent.as_bytes(),
    ];
    Bound::new("deal-release", &parts)
}

/// Terms sealed to a party: network, deal, buyer, party.
#[must_use]
pub fn terms_purpose(
    network: &NetworkId,
    deal: &DealId,
    buyer: &MemberId,
    party: &MemberId,
) -> Bound {
    let parts: [&[u8]; 4] =
        [network.as_bytes(), deal.as_bytes(), buyer.as_bytes(), party.as_bytes()];
    Bound::new("deal-terms", &parts)
}

/// A claim sealed to an arbiter: network, deal, buyer, arbiter.
#[must_use]
pub fn claim_purpose(
    network: &NetworkId,
    deal: &DealId,
    buyer: &MemberId,
    arbiter: &MemberId,
) -> Bound {
    let parts: [&[u8]; 4] =
        [network.as_bytes(), deal.as_bytes(), buyer.as_bytes(), arbiter.as_bytes()];
    Bound::new("deal-claim", &parts)
}

/// What a section's content is encrypted under, besides its secret. It stays the same from epoch to epoch, as the ciphertext
/// does.
#[must_use]
pub fn content_context(manifest: &Manifest, section: &str) -> Vec<u8> {
    let parts: [&[u8]; 4] =
        [&manifest.network, &manifest.owner, &manifest.record, section.as_bytes()];
    tag::preimage("deposit-content", &parts)
}
