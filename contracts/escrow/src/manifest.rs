//! The deposit manifest: which sections of which record are held by whom, shared how, and what digests the conditions have
//! under which they open. Its digest stands in an anchor of the owner's; agents and buyers are given the manifest itself.
//! Refuses sharings that no number of agents can open, or that fewer can than it says. Specification: `proto/README.md`
//! section 18.

use heatmark_envelopes::{Commitments, ContentId};
use heatmark_ledger::ids::{KeyId, MemberId, NetworkId};
use heatmark_ledger::wire::shape::{Shape, part};
use heatmark_merkle::{Hash, tag};
use heatmark_records::{Path, RecordId};
use prost::Message;

use crate::wire::{self, SHORT, ascend, differ, is_country, is_hash, is_hash_or_none, is_name};
use crate::{Clause, EscrowError};

/// Version of manifests.
pub const MANIFEST_VERSION: u32 = 1;
/// Longest manifest in bytes.
pub const MAX_MANIFEST_BYTES: usize = 256 << 10;
/// Most agents of a deposit, as many as a deal has keys for.
pub const MAX_AGENTS: usize = 32;
/// Most sections of a deposit, as many as a release has envelopes.
pub const MAX_SECTIONS: usize = 32;
/// Most clauses of a deposit.
pub const MAX_CLAUSES: usize = 64;
/// Most regulators that a deposit names.
pub const MAX_REGULATORS: usize = 32;
/// Most fields of a section.
pub const MAX_SECTION_FIELDS: usize = 1_000;
/// Most documents of a section.
pub const MAX_DOCUMENTS: usize = 64;

const SHAPE: Shape = &[
    part(9, SHORT, &[]),
    // A section has a name, a root and commitments.
    part(10, 64, &[part(6, 1, &[]), part(7, SHORT, &[])]),
    part(11, SHORT, &[]),
    part(12, SHORT, &[]),
];

/// What is deposited, with whom, and under which conditions.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Manifest {
    /// 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// The network's id.
    #[prost(bytes = "vec", tag = "2")]
    pub network: Vec<u8>,
    /// The member whose deposit it is: the record's issuer.
    #[prost(bytes = "vec", tag = "3")]
    pub owner: Vec<u8>,
    /// The record's id.
    #[prost(bytes = "vec", tag = "4")]
    pub record: Vec<u8>,
    /// 32 random bytes, so that nobody guesses the manifest from its digest.
    #[prost(bytes = "vec", tag = "5")]
    pub salt: Vec<u8>,
    /// Which sharing of this record it is, from 1.
    #[prost(uint32, tag = "6")]
    pub epoch: u32,
    /// Digest of the manifest of the epoch before; empty in the first.
    #[prost(bytes = "vec", tag = "7")]
    pub previous: Vec<u8>,
    /// How many agents it takes to open a section.
    #[prost(uint32, tag = "8")]
    pub threshold: u32,
    /// The agents; the one at place k, from 0, has the shares of index k + 1.
    #[prost(message, repeated, tag = "9")]
    pub agents: Vec<AgentEntry>,
    /// The sections, names ascending.
    #[prost(message, repeated, tag = "10")]
    pub sections: Vec<SectionEntry>,
    /// Digests of the clauses, ascending.
    #[prost(bytes = "vec", repeated, tag = "11")]
    pub clauses: Vec<Vec<u8>>,
    /// The regulators whose order opens what a clause gives to orders, ascending by member.
    #[prost(message, repeated, tag = "12")]
    pub regulators: Vec<RegulatorEntry>,
    /// How many of them it takes; 0 exactly where there are none.
    #[prost(uint32, tag = "13")]
    pub quorum: u32,
    /// When, by the owner's clock, in Unix milliseconds.
    #[prost(uint64, tag = "14")]
    pub deposited_ms: u64,
}

/// A member that holds shares.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct AgentEntry {
    /// The member.
    #[prost(bytes = "vec", tag = "1")]
    pub member: Vec<u8>,
    /// Its country by the registry at deposit, ISO 3166-1.
    #[prost(string, tag = "2")]
    pub country: String,
}

/// A section: what opens by one secret.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct SectionEntry {
    /// Its name, as clauses and offers use it.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Root of the tree over its pieces of ciphertext.
    #[prost(bytes = "vec", tag = "2")]
    pub root: Vec<u8>,
    /// Bytes of ciphertext.
    #[prost(uint64, tag = "3")]
    pub bytes: u64,
    /// Pieces of ciphertext.
    #[prost(uint32, tag = "4")]
    pub pieces: u32,
    /// Commitments of the sharing of its secret, 32 bytes for each agent that it takes.
    #[prost(bytes = "vec", tag = "5")]
    pub commitments: Vec<u8>,
    /// The paths of the record's fields in it, ascending.
    #[prost(string, repeated, tag = "6")]
    pub fields: Vec<String>,
    /// The documents in it, in the order in which they stand.
    #[prost(message, repeated, tag = "7")]
    pub documents: Vec<DocumentEntry>,
}

/// A document of a section.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct DocumentEntry {
    /// Its name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its length in bytes.
    #[prost(uint64, tag = "2")]
    pub bytes: u64,
    /// [`crate::document_digest`] of it: salted, so that no agent tells from it whether a document is one that it knows.
    #[prost(bytes = "vec", tag = "3")]
    pub digest: Vec<u8>,
}

/// A regulator, with the root key that it had when the deposit was made: who is voted in later, or given another root key by
/// vote, orders nothing of what was deposited before.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct RegulatorEntry {
    /// The member.
    #[prost(bytes = "vec", tag = "1")]
    pub member: Vec<u8>,
    /// Id of its root key.
    #[prost(bytes = "vec", tag = "2")]
    pub root_key: Vec<u8>,
}

impl Manifest {
    /// Reads a manifest of a network.
    ///
    /// # Errors
    /// [`EscrowError`] when it is too long, not in its one encoding, or not one that could be kept.
    pub fn read(bytes: &[u8], network: &NetworkId) -> Result<Self, EscrowError> {
        let manifest: Self = wire::decode(bytes, MAX_MANIFEST_BYTES, SHAPE)?;
        if manifest.network != network.as_bytes() {
            return Err(EscrowError::Parts("it belongs to another network"));
        }
        manifest.check()?;
        Ok(manifest)
    }

    /// Its bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    /// `H("deposit-manifest", bytes)`: what the owner anchors and what terms name.
    #[must_use]
    pub fn digest(&self) -> Hash {
        tag::hash("deposit-manifest", &[&self.to_bytes()])
    }

    /// Whether it could be kept: every part has its length, and every section opens by exactly as many agents as it says.
    ///
    /// # Errors
    /// [`EscrowError::Parts`] names what does not fit, [`EscrowError::TooLong`].
    pub fn check(&self) -> Result<(), EscrowError> {
        let ids = [&self.network, &self.owner, &self.record, &self.salt];
        let first = self.epoch == 1;
        let said: [(bool, &'static str); 10] = [
            (self.version == MANIFEST_VERSION, "its version is unknown"),
            (ids.iter().all(|id| is_hash(id)), "an id or salt has not 32 bytes"),
            (self.epoch != 0 && is_hash_or_none(&self.previous), "it has no epoch"),
            (self.previous.is_empty() == first, "epochs after the first name the one before"),
            (
                self.agents_are_sound(),
                "its agents are not 1 to 32 different members with countries",
            ),
            (
                (1..=self.agents.len()).contains(&to_usize(self.threshold)),
                "it takes more agents than there are, or none",
            ),
            (
                self.sections_are_sound(),
                "a section's name, pieces, commitments or parts do not fit",
            ),
            (
                self.clauses.len() <= MAX_CLAUSES
                    && self.clauses.iter().all(|clause| is_hash(clause))
                    && ascend(&self.clauses),
                "its clauses are not up to 64 ascending digests",
            ),
            (self.regulators_are_sound(), "its regulators and their quorum do not fit"),
            (self.encoded_len() <= MAX_MANIFEST_BYTES, "it is longer than any manifest"),
        ];
        match said.iter().find(|(holds, _)| !holds) {
            None => Ok(()),
            Some((_, why)) => Err(EscrowError::Parts(why)),
        }
    }

    /// Whether it is the next sharing of what another manifest deposited: of the same record and owner, with the same contents.
    /// That the secrets are the same is shown by opening them.
    ///
    /// # Errors
    /// [`EscrowError::Succession`] names what differs.
    pub fn check_succeeds(&self, previous: &Self) -> Result<(), EscrowError> {
        let ids = |manifest: &Self| {
            (manifest.network.clone(), manifest.owner.clone(), manifest.record.clone())
        };
        let contents = |manifest: &Self| -> Vec<(String, ContentId)> {
            let sections = manifest.sections.iter();
            sections.filter_map(|entry| Some((entry.name.clone(), entry.content()?))).collect()
        };
        let said = [
            (self.previous == previous.digest().0, "it names another"),
            (Some(self.epoch) == previous.epoch.checked_add(1), "it is not of the next epoch"),
            (ids(self) == ids(previous), "network, owner or record differ"),
            (contents(self) == contents(previous), "the sections' contents differ"),
        ];
        match said.iter().find(|(holds, _)| !holds) {
            None => Ok(()),
            Some((_, why)) => Err(EscrowError::Succession(why)),
        }
    }

    /// The owner.
    #[must_use]
    pub fn owner(&self) -> Option<MemberId> {
        MemberId::try_from(self.owner.as_slice()).ok()
    }

    /// The record.
    #[must_use]
    pub fn record(&self) -> Option<RecordId> {
        RecordId::try_from(self.record.as_slice()).ok()
    }

    /// The agent that holds the shares of an index, from 1.
    #[must_use]
    pub fn agent(&self, index: u8) -> Option<MemberId> {
        let entry = self.agents.get(usize::from(index).checked_sub(1)?)?;
        MemberId::try_from(entry.member.as_slice()).ok()
    }

    /// The index of the shares that a member holds, from 1; none for who is no agent.
    #[must_use]
    pub fn index_of(&self, member: &MemberId) -> Option<u8> {
        let place = self.agents.iter().position(|agent| agent.member == member.as_bytes())?;
        u8::try_from(place.checked_add(1)?).ok()
    }

    /// A section by its name.
    #[must_use]
    pub fn section(&self, name: &str) -> Option<&SectionEntry> {
        self.sections.iter().find(|section| section.name == name)
    }

    /// Whether a clause is one of those that it was deposited under.
    #[must_use]
    pub fn holds(&self, clause: &Clause) -> bool {
        self.clauses.binary_search(&clause.digest().0.to_vec()).is_ok()
    }

    /// The id of the root key that a regulator had at deposit; none for who is no regulator of this deposit.
    #[must_use]
    pub fn pinned_root(&self, regulator: &MemberId) -> Option<KeyId> {
        let entry = self.regulators.iter().find(|entry| entry.member == regulator.as_bytes())?;
        KeyId::try_from(entry.root_key.as_slice()).ok()
    }

    fn agents_are_sound(&self) -> bool {
        (1..=MAX_AGENTS).contains(&self.agents.len())
            && self.agents.iter().all(|agent| is_hash(&agent.member) && is_country(&agent.country))
            && differ(self.agents.iter().map(|agent| &agent.member))
    }

    fn sections_are_sound(&self) -> bool {
        let names: Vec<&str> = self.sections.iter().map(|section| section.name.as_str()).collect();
        (1..=MAX_SECTIONS).contains(&self.sections.len())
            && ascend(&names)
            && self.sections.iter().all(|section| section.is_sound(self.threshold))
    }

    fn regulators_are_sound(&self) -> bool {
        let members: Vec<&[u8]> =
            self.regulators.iter().map(|regulator| regulator.member.as_slice()).collect();
        let roots = self.regulators.iter().map(|regulator| &regulator.root_key);
        let lengths = members.iter().all(|member| is_hash(member))
            && self.regulators.iter().all(|regulator| is_hash(&regulator.root_key));
        let quorum = to_usize(self.quorum);
        lengths
            && ascend(&members)
            && differ(roots)
            && members.len() <= MAX_REGULATORS
            && quorum <= members.len()
            && (quorum == 0) == members.is_empty()
    }
}

impl SectionEntry {
    /// What its ciphertext is known by.
    #[must_use]
    pub fn content(&self) -> Option<ContentId> {
        let root = Hash::try_from(self.root.as_slice()).ok()?;
        ContentId::new(root, self.bytes).ok().filter(|content| content.pieces() == self.pieces)
    }

    /// The commitments that its shares are checked against; none when they are not in their one encoding.
    #[must_use]
    pub fn sharing(&self) -> Option<Commitments> {
        Commitments::decode(&self.commitments).ok()
    }

    fn is_sound(&self, threshold: u32) -> bool {
        let sharing = self.sharing();
        let documents = self.documents.iter();
        let of_content: u64 =
            documents.clone().fold(0, |sum, document| sum.saturating_add(document.bytes));
        is_name(&self.name)
            && self.content().is_some_and(|content| content.content_bytes() > of_content)
            && sharing
                .is_some_and(|sharing| to_usize(threshold) == usize::from(sharing.threshold()))
            && self.fields.len() <= MAX_SECTION_FIELDS
            && self.fields.iter().all(|path| Path::new(path).is_ok())
            && ascend(&self.fields)
            && !(self.fields.is_empty() && self.documents.is_empty())
            && self.documents.len() <= MAX_DOCUMENTS
            && documents
                .clone()
                .all(|document| is_name(&document.name) && is_hash(&document.digest))
            && differ(documents.map(|document| &document.name))
    }
}

fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests;
