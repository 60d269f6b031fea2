//! Shares on their way: sealed to an agent at deposit, and by the agent to the buyer once the deal says so. What does not open
//! or does not follow from the manifest's commitments is named by what is wrong with it. Specification: `proto/README.md`
//! section 18.

use heatmark_envelopes::{OpeningKey, SealError, SealingKey, Share};
use heatmark_ledger::ids::{DealId, MemberId, NetworkId};
use heatmark_merkle::Hash;
use rand_core::CryptoRng;
use thiserror::Error;

use crate::purpose::{Bound, Released, deposit_purpose, release_purpose};
use crate::{Manifest, Terms, TermsAgent};

/// What is wrong with a share, or with the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ShareFault {
    /// The deal has no such section or agent, or is of another manifest: the caller's fault.
    #[error("the deal has no such section or agent, or is of another manifest")]
    NotOfTheDeal,
    /// The key is not the one that the terms list for this agent: the caller's fault.
    #[error("the key is not the one that the terms list for this agent")]
    WrongKey,
    /// The release has no envelope for the section: the agent's fault.
    #[error("the release has no envelope for the section")]
    Missing,
    /// The envelope does not open for this deal, section and agent: the fault of who sealed it.
    #[error("the envelope does not open for this deal, section and agent")]
    Envelope,
    /// What is in it is no share: the fault of who sealed it.
    #[error("what is in the envelope is no share")]
    NotAShare,
    /// It is another agent's share: the fault of who sealed it.
    #[error("the share is another agent's")]
    OtherIndex,
    /// It does not follow from the manifest's commitments: the fault of who sealed it.
    #[error("the share does not follow from the manifest's commitments")]
    Mismatch,
}

impl ShareFault {
    /// Whether who sealed it is at fault.
    #[must_use]
    pub const fn is_senders(self) -> bool {
        !matches!(self, Self::NotOfTheDeal | Self::WrongKey)
    }

    /// A stable name, the same in every implementation.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotOfTheDeal => "not-of-the-deal",
            Self::WrongKey => "wrong-key",
            Self::Missing => "missing",
            Self::Envelope => "envelope",
            Self::NotAShare => "not-a-share",
            Self::OtherIndex => "other-index",
            Self::Mismatch => "mismatch",
        }
    }
}

/// Seals a share to its agent at deposit.
///
/// # Errors
/// As [`heatmark_envelopes::seal`]; `Refused` when the manifest has no agent of the share's index.
pub fn seal_deposit(
    share: &Share,
    manifest: &Manifest,
    section: &str,
    to: &SealingKey,
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, SealError> {
    let agent = manifest.agent(share.index()).ok_or(SealError::Refused)?;
    deposit_purpose(manifest, section, &agent).seal(to, share.encode().as_slice(), rng)
}

/// Opens and checks a share that was deposited with an agent.
///
/// # Errors
/// [`ShareFault`]; one of its owner's is a reason not to sign for the deposit.
pub fn open_deposit(
    key: &OpeningKey,
    manifest: &Manifest,
    section: &str,
    agent: &MemberId,
    sealed: &[u8],
) -> Result<Share, ShareFault> {
    let index = manifest.index_of(agent).ok_or(ShareFault::NotOfTheDeal)?;
    open(key, &deposit_purpose(manifest, section, agent), sealed)
        .and_then(|share| check(share, manifest, section, index))
}

/// Seals a share to the buyer of a deal, to the key that the terms list for its agent. The terms were judged and the log is in
/// the phase that asks for it: nothing here says so.
///
/// # Errors
/// As [`heatmark_envelopes::seal`]; `Refused` when the terms have no such section, or no agent of the share's index.
pub fn release(
    share: &Share,
    terms: &Terms,
    section: &str,
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, SealError> {
    let agent = terms.agent_of(share.index()).ok_or(SealError::Refused)?;
    let bound = bound(terms, agent, section).ok_or(SealError::Refused)?;
    bound.seal(&SealingKey::decode(&agent.reply)?, share.encode().as_slice(), rng)
}

/// Opens and checks what an agent released for a section: `envelopes` are those of its release on the log.
///
/// # Errors
/// [`ShareFault`]; one of the agent's is a reason to ask another agent, and to claim.
pub fn open_release(
    key: &OpeningKey,
    manifest: &Manifest,
    terms: &Terms,
    (index, section): (u8, &str),
    envelopes: &[Vec<u8>],
) -> Result<Share, ShareFault> {
    let agent = terms.agent_of(index).ok_or(ShareFault::NotOfTheDeal)?;
    let place = terms.place_of(section).ok_or(ShareFault::NotOfTheDeal)?;
    if terms.manifest != manifest.digest().0 {
        return Err(ShareFault::NotOfTheDeal);
    }
    if key.sealing_key().as_bytes().as_slice() != agent.reply.as_slice() {
        return Err(ShareFault::WrongKey);
    }
    let bound = bound(terms, agent, section).ok_or(ShareFault::NotOfTheDeal)?;
    let sealed = envelopes.get(place).ok_or(ShareFault::Missing)?;
    open(key, &bound, sealed).and_then(|share| check(share, manifest, section, index))
}

fn bound(terms: &Terms, agent: &TermsAgent, section: &str) -> Option<Bound> {
    terms.place_of(section)?;
    Some(release_purpose(&Released {
        network: &NetworkId::try_from(terms.network.as_slice()).ok()?,
        deal: &DealId::try_from(terms.deal.as_slice()).ok()?,
        buyer: &MemberId::try_from(terms.buyer.as_slice()).ok()?,
        manifest: &Hash::try_from(terms.manifest.as_slice()).ok()?,
        section,
        agent: &MemberId::try_from(agent.member.as_slice()).ok()?,
    }))
}

fn open(key: &OpeningKey, bound: &Bound, sealed: &[u8]) -> Result<Share, ShareFault> {
    let opened = bound.open(key, sealed).map_err(|_| ShareFault::Envelope)?;
    Share::decode(&opened).map_err(|_| ShareFault::NotAShare)
}

fn check(share: Share, manifest: &Manifest, section: &str, index: u8) -> Result<Share, ShareFault> {
    let entry = manifest.section(section).ok_or(ShareFault::NotOfTheDeal)?;
    let sharing = entry.sharing().ok_or(ShareFault::NotOfTheDeal)?;
    if share.index() != index {
        return Err(ShareFault::OtherIndex);
    }
    sharing.check(&share).map_err(|_| ShareFault::Mismatch)?;
    Ok(share)
}

#[cfg(test)]
mod tests;
