//! What a buyer shows an arbiter, and whether it is true: a share that an agent released and that is none, or a content that is
//! not what the anchored record promises. Judged from the log's releases, the manifest and the terms, in bounded bytes; a claim
//! shows the arbiter the keys that it names and nothing else. Specification: `proto/README.md` section 18.

use heatmark_envelopes::{OpeningKey, PieceProof, SectionSecret, combine, open_piece};
use heatmark_ledger::ids::DealId;
use heatmark_ledger::wire::shape::{Shape, part};
use heatmark_merkle::{Hash, tag};
use prost::Message;
use std::collections::BTreeMap;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::manifest::MAX_AGENTS;
use crate::purpose::content_context;
use crate::section::{SectionFault, SectionReader};
use crate::wire::{self, is_hash, is_name};
use crate::{EscrowError, Manifest, ShareFault, Terms, open_release};

/// Longest claim in bytes.
pub const MAX_CLAIM_BYTES: usize = 8 << 10;
const SHAPE: Shape = &[part(4, 0, &[part(2, 24, &[])])];

/// What a buyer says is wrong in a deal: one thing of the two.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Claim {
    /// The deal's id.
    #[prost(bytes = "vec", tag = "1")]
    pub deal: Vec<u8>,
    /// 32 random bytes, so that the digest on the log tells nothing.
    #[prost(bytes = "vec", tag = "2")]
    pub salt: Vec<u8>,
    /// A share is bad.
    #[prost(message, optional, tag = "3")]
    pub share: Option<ShareClaim>,
    /// A content is.
    #[prost(message, optional, tag = "4")]
    pub payload: Option<PayloadClaim>,
}

/// An agent released something that is not its share.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ShareClaim {
    /// The index of its shares, from 1.
    #[prost(uint32, tag = "1")]
    pub agent: u32,
    /// The section.
    #[prost(string, tag = "2")]
    pub section: String,
    /// Seed of the buyer's key for this agent.
    #[prost(bytes = "vec", tag = "3")]
    pub seed: Vec<u8>,
}

/// A content is not what the anchored record promises.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct PayloadClaim {
    /// The section.
    #[prost(string, tag = "1")]
    pub section: String,
    /// The buyer's keys for as many agents as it takes, ascending by index.
    #[prost(message, repeated, tag = "2")]
    pub keys: Vec<ClaimKey>,
    /// The first piece to be looked at. From 0 on the content is read in order; from any other on, only whether it decrypts.
    #[prost(uint32, tag = "3")]
    pub first: u32,
    /// How many pieces it takes to see it.
    #[prost(uint32, tag = "4")]
    pub count: u32,
}

/// A key that is shown.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ClaimKey {
    /// The index of the agent's shares, from 1.
    #[prost(uint32, tag = "1")]
    pub agent: u32,
    /// Seed of the buyer's key for that agent.
    #[prost(bytes = "vec", tag = "2")]
    pub seed: Vec<u8>,
}

/// Why a claim does not hold, or cannot be judged. The buyer's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ClaimRefusal {
    /// It is of another deal, or names a section or agent that the deal has not.
    #[error("the claim is not about this deal, or about nothing in it")]
    NotOfTheDeal,
    /// It is of the other kind.
    #[error("the claim is of the other kind")]
    OtherKind,
    /// A seed is not that of the key that the terms list for the agent.
    #[error("a seed is not that of the key that the terms list for the agent")]
    WrongKey,
    /// The agent has released nothing.
    #[error("the agent has released nothing")]
    NotReleased,
    /// Nothing is wrong with what it shows.
    #[error("nothing is wrong with what the claim shows")]
    Unfounded,
    /// The shares that it shows do not give the section's secret; a bad one is a claim of its own.
    #[error("the shares that the claim shows do not give the section's secret")]
    Shares,
    /// The piece is not the one that is needed next, or not the manifest's: the caller gets it from another agent.
    #[error("the piece is not the one that is needed next, or not the manifest's")]
    OtherPiece,
}

impl ClaimRefusal {
    /// A stable name, the same in every implementation.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotOfTheDeal => "not-of-the-deal",
            Self::OtherKind => "other-kind",
            Self::WrongKey => "wrong-key",
            Self::NotReleased => "not-released",
            Self::Unfounded => "unfounded",
            Self::Shares => "shares",
            Self::OtherPiece => "other-piece",
        }
    }
}

/// What the agents of a deal released, as it stands on the log: by the index of their shares, the envelopes in the order of
/// sections.
pub type Releases = BTreeMap<u8, Vec<Vec<u8>>>;

impl Claim {
    /// Reads a claim.
    ///
    /// # Errors
    /// [`EscrowError`] when it is too long, not in its one encoding, or says both things or none.
    pub fn read(bytes: &[u8]) -> Result<Self, EscrowError> {
        let claim: Self = wire::decode(bytes, MAX_CLAIM_BYTES, SHAPE)?;
        let sound = is_hash(&claim.deal)
            && is_hash(&claim.salt)
            && claim.share.is_some() != claim.payload.is_some()
            && claim.share.iter().all(ShareClaim::is_sound)
            && claim.payload.iter().all(PayloadClaim::is_sound);
        if sound {
            Ok(claim)
        } else {
            Err(EscrowError::Parts("a claim says one thing of one section, with keys for it"))
        }
    }

    /// Its bytes, which go into an envelope.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.encode_to_vec())
    }

    /// `H("deal-claim", bytes)`, as the dispute on the log has it.
    #[must_use]
    pub fn digest(&self) -> Hash {
        tag::hash("deal-claim", &[&self.to_bytes()])
    }

    /// Whether it is about the deal of these terms, and these about that manifest.
    fn check(&self, manifest: &Manifest, terms: &Terms) -> Result<(), ClaimRefusal> {
        let deal = DealId::try_from(self.deal.as_slice()).ok();
        if deal.is_some() && deal == terms.deal_id() && terms.manifest == manifest.digest().0 {
            Ok(())
        } else {
            Err(ClaimRefusal::NotOfTheDeal)
        }
    }
}

impl ShareClaim {
    fn is_sound(&self) -> bool {
        is_index(self.agent) && is_name(&self.section) && is_hash(&self.seed)
    }
}

impl PayloadClaim {
    fn is_sound(&self) -> bool {
        let keys = self.keys.iter().all(|key| is_index(key.agent) && is_hash(&key.seed));
        is_name(&self.section)
            && keys
            && (1..=MAX_AGENTS).contains(&self.keys.len())
            && self.keys.is_sorted_by(|left, right| left.agent < right.agent)
            && self.count != 0
            && self.first.checked_add(self.count).is_some()
    }
}

/// Judges a claim that a share is bad.
///
/// # Errors
/// [`ClaimRefusal`] when it is not true; otherwise what is wrong with the share.
pub fn judge_share(
    claim: &Claim,
    manifest: &Manifest,
    terms: &Terms,
    releases: &Releases,
) -> Result<ShareFault, ClaimRefusal> {
    claim.check(manifest, terms)?;
    let said = claim.share.as_ref().ok_or(ClaimRefusal::OtherKind)?;
    match shown(manifest, terms, releases, (said.agent, &said.section, &said.seed)) {
        Err(Shown::Refused(refusal)) => Err(refusal),
        Err(Shown::Bad(fault)) => Ok(fault),
        Ok(_) => Err(ClaimRefusal::Unfounded),
    }
}

/// What comes of looking at a share by the key that is shown.
enum Shown {
    Refused(ClaimRefusal),
    Bad(ShareFault),
}

fn shown(
    manifest: &Manifest,
    terms: &Terms,
    releases: &Releases,
    (agent, section, seed): (u32, &str, &[u8]),
) -> Result<heatmark_envelopes::Share, Shown> {
    let index = u8::try_from(agent).map_err(|_| Shown::Refused(ClaimRefusal::NotOfTheDeal))?;
    let seed = seed.try_into().map_err(|_| Shown::Refused(ClaimRefusal::WrongKey))?;
    let key = OpeningKey::from_seed(seed);
    let nothing = Vec::new();
    let released = releases.get(&index);
    let envelopes = released.unwrap_or(&nothing);
    match open_release(&key, manifest, terms, (index, section), envelopes) {
        Ok(share) => Ok(share),
        Err(ShareFault::NotOfTheDeal) => Err(Shown::Refused(ClaimRefusal::NotOfTheDeal)),
        Err(ShareFault::WrongKey) => Err(Shown::Refused(ClaimRefusal::WrongKey)),
        Err(_) if released.is_none() => Err(Shown::Refused(ClaimRefusal::NotReleased)),
        Err(fault) => Err(Shown::Bad(fault)),
    }
}

/// Judges a claim that a content is bad, piece by piece, as the arbiter's node gets them.
pub struct PayloadJudge<'m> {
    manifest: &'m Manifest,
    section: String,
    secret: SectionSecret,
    context: Vec<u8>,
    reader: Option<SectionReader<'m>>,
    next: u32,
    end: u32,
}

impl<'m> PayloadJudge<'m> {
    /// Opens the shares that the claim shows and puts the secret together.
    ///
    /// # Errors
    /// [`ClaimRefusal`] when the claim is not about this deal, its keys are not the terms', or they do not give the secret.
    pub fn new(
        claim: &Claim,
        manifest: &'m Manifest,
        terms: &Terms,
        releases: &Releases,
    ) -> Result<Self, ClaimRefusal> {
        claim.check(manifest, terms)?;
        let said = claim.payload.as_ref().ok_or(ClaimRefusal::OtherKind)?;
        let entry = manifest.section(&said.section).ok_or(ClaimRefusal::NotOfTheDeal)?;
        let mut shares = Vec::new();
        for key in &said.keys {
            match shown(manifest, terms, releases, (key.agent, &said.section, &key.seed)) {
                Ok(share) => shares.push(share),
                Err(Shown::Refused(refusal)) => return Err(refusal),
                Err(Shown::Bad(_)) => return Err(ClaimRefusal::Shares),
            }
        }
        let sharing = entry.sharing().ok_or(ClaimRefusal::NotOfTheDeal)?;
        let secret = combine(&sharing, &shares).map_err(|_| ClaimRefusal::Shares)?;
        let end = said.first.saturating_add(said.count);
        if end > entry.pieces {
            return Err(ClaimRefusal::NotOfTheDeal);
        }
        let reader = (said.first == 0).then(|| SectionReader::new(manifest, &said.section));
        Ok(Self {
            manifest,
            section: said.section.clone(),
            secret,
            context: content_context(manifest, &said.section),
            reader: reader.flatten(),
            next: said.first,
            end,
        })
    }

    /// The piece that is needed next; none when all that the claim names was looked at.
    #[must_use]
    pub fn wants(&self) -> Option<u32> {
        (self.next < self.end).then_some(self.next)
    }

    /// Looks at the piece that is needed next, and says what is wrong, if something is: then the claim is true.
    ///
    /// # Errors
    /// [`ClaimRefusal::OtherPiece`] when it is not that piece of the manifest's: get it from somebody else and try again.
    pub fn take(
        &mut self,
        proof: &PieceProof,
        sealed: &[u8],
    ) -> Result<Option<SectionFault>, ClaimRefusal> {
        let entry = self.manifest.section(&self.section).ok_or(ClaimRefusal::NotOfTheDeal)?;
        let content = entry.content().ok_or(ClaimRefusal::NotOfTheDeal)?;
        if self.wants() != Some(proof.number) || proof.verify(&content, sealed).is_err() {
            return Err(ClaimRefusal::OtherPiece);
        }
        self.next = self.next.saturating_add(1);
        let Ok(opened) = open_piece(&self.secret, &self.context, &content, (proof.number, sealed))
        else {
            return Ok(Some(SectionFault::Piece(proof.number)));
        };
        let read = self.reader.as_mut().map(|reader| reader.push(&opened));
        if let Some(Err(fault)) = read {
            return Ok(Some(fault));
        }
        // Whoever names all of it also says that it ends well.
        if self.next == entry.pieces
            && let Some(reader) = self.reader.take()
        {
            return Ok(reader.finish().err());
        }
        Ok(None)
    }
}

impl std::fmt::Debug for PayloadJudge<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PayloadJudge({}, {} of {})", self.section, self.next, self.end)
    }
}

fn is_index(number: u32) -> bool {
    u8::try_from(number).is_ok_and(|index| index != 0)
}

#[cfg(test)]
mod tests;
