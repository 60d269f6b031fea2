//! The terms of a deal: what is to be opened, to whom, under which clause, by which keys and until when. The buyer's member
//! key signs them, their salted digest opens the deal on the log, and every party is sent them sealed. Specification:
//! `proto/README.md` section 18.

use heatmark_evidence::check_purpose;
use heatmark_evidence::transfer::SignedFile;
use heatmark_ledger::deal::Deadlines;
use heatmark_ledger::ids::{DealId, DealTime, MemberId};
use heatmark_ledger::keys::deal_id;
use heatmark_ledger::messages as pb;
use heatmark_ledger::wire::shape::{Shape, part};
use heatmark_merkle::{Hash, tag};
use prost::Message;

use crate::clause::MAX_CLAUSE_BYTES;
use crate::files::are_section_names;
use crate::manifest::{MAX_AGENTS, MAX_REGULATORS};
use crate::wire::{SHORT, is_hash, is_hash_or_none};
use crate::{Clause, EscrowError, SEALING_KEY_BYTES, TermsRefusal};

/// Longest terms in bytes.
pub const MAX_TERMS_BYTES: usize = 320 << 10;

/// What a deal is about, signed by the buyer.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Terms {
    /// 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// The network's id.
    #[prost(bytes = "vec", tag = "2")]
    pub network: Vec<u8>,
    /// The member that buys.
    #[prost(bytes = "vec", tag = "3")]
    pub buyer: Vec<u8>,
    /// The key that signs.
    #[prost(bytes = "vec", tag = "4")]
    pub signer: Vec<u8>,
    /// Its signature.
    #[prost(bytes = "vec", tag = "5")]
    pub signature: Vec<u8>,
    /// 32 random bytes, so that nobody guesses the terms from what stands on the log.
    #[prost(bytes = "vec", tag = "6")]
    pub salt: Vec<u8>,
    /// The deal's id, which follows from the buyer's key.
    #[prost(bytes = "vec", tag = "7")]
    pub deal: Vec<u8>,
    /// Digest of the manifest.
    #[prost(bytes = "vec", tag = "8")]
    pub manifest: Vec<u8>,
    /// The sections to be opened, ascending: the order of the envelopes of a release.
    #[prost(string, repeated, tag = "9")]
    pub sections: Vec<String>,
    /// The clause under which they open: a [`Clause`].
    #[prost(bytes = "vec", tag = "10")]
    pub clause: Vec<u8>,
    /// The buyer's key on the log, of this deal alone.
    #[prost(bytes = "vec", tag = "11")]
    pub buyer_key: Vec<u8>,
    /// The owner, where it accepts by hand.
    #[prost(message, optional, tag = "12")]
    pub owner: Option<TermsParty>,
    /// The arbiter, where something is paid.
    #[prost(message, optional, tag = "13")]
    pub arbiter: Option<TermsParty>,
    /// The agents, ascending by index: the order of the deal's agent keys on the log.
    #[prost(message, repeated, tag = "14")]
    pub agents: Vec<TermsAgent>,
    /// What is paid, in the currency's minor unit; 0 where nothing is, or a premium.
    #[prost(uint64, tag = "15")]
    pub amount: u64,
    /// ISO 4217; empty where nothing is paid.
    #[prost(string, tag = "16")]
    pub currency: String,
    /// Salted digest of what a premium is a share of; empty where there is none.
    #[prost(bytes = "vec", tag = "17")]
    pub base: Vec<u8>,
    /// SHA-256 of the agreement that the buyer signs with the terms; empty for none.
    #[prost(bytes = "vec", tag = "18")]
    pub nda: Vec<u8>,
    /// For what.
    #[prost(string, tag = "19")]
    pub purpose: String,
    /// When the buyer destroys what it opens, in Unix milliseconds; 0 for never.
    #[prost(uint64, tag = "20")]
    pub retain_until_ms: u64,
    /// As in the opening of the deal.
    #[prost(uint64, tag = "21")]
    pub accept_by_ms: u64,
    /// As in the opening of the deal.
    #[prost(uint64, tag = "22")]
    pub fund_by_ms: u64,
    /// As in the opening of the deal.
    #[prost(uint64, tag = "23")]
    pub ready_by_ms: u64,
    /// As in the opening of the deal.
    #[prost(uint64, tag = "24")]
    pub release_by_ms: u64,
    /// As in the opening of the deal.
    #[prost(uint64, tag = "25")]
    pub confirm_by_ms: u64,
    /// As in the opening of the deal.
    #[prost(uint64, tag = "26")]
    pub rule_by_ms: u64,
    /// The standing deal that covers this one; empty where it stands by itself.
    #[prost(bytes = "vec", tag = "27")]
    pub standing: Vec<u8>,
    /// Signed orders of regulators: [`crate::Order`]s.
    #[prost(bytes = "vec", repeated, tag = "28")]
    pub orders: Vec<Vec<u8>>,
}

/// The owner or the arbiter of a deal.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct TermsParty {
    /// The member.
    #[prost(bytes = "vec", tag = "1")]
    pub member: Vec<u8>,
    /// Its key on the log, of this deal alone.
    #[prost(bytes = "vec", tag = "2")]
    pub key: Vec<u8>,
    /// Its signed [`crate::Quote`], which shows that the key is its own.
    #[prost(bytes = "vec", tag = "3")]
    pub quote: Vec<u8>,
}

/// An agent of a deal.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct TermsAgent {
    /// The index of its shares, from 1.
    #[prost(uint32, tag = "1")]
    pub index: u32,
    /// The member.
    #[prost(bytes = "vec", tag = "2")]
    pub member: Vec<u8>,
    /// Its key on the log, of this deal alone.
    #[prost(bytes = "vec", tag = "3")]
    pub key: Vec<u8>,
    /// The buyer's X-Wing key for what this agent releases, and for nothing else: it can be shown without showing more.
    #[prost(bytes = "vec", tag = "4")]
    pub reply: Vec<u8>,
    /// Its signed [`crate::Quote`], which shows that the key is its own.
    #[prost(bytes = "vec", tag = "5")]
    pub quote: Vec<u8>,
}

impl SignedFile for Terms {
    const SIGNED_AS: &'static str = "sign/deal-terms";
    const LONGEST: usize = MAX_TERMS_BYTES;

    fn shape() -> Shape {
        const { &[part(9, 1, &[]), part(14, SHORT, &[]), part(28, SHORT, &[])] }
    }

    fn frame(&mut self) -> (&mut u32, &mut Vec<u8>, &mut Vec<u8>, &mut Vec<u8>) {
        (&mut self.version, &mut self.network, &mut self.signer, &mut self.signature)
    }

    fn is_well_formed(&self) -> bool {
        let ids = [&self.salt, &self.deal, &self.manifest, &self.buyer_key];
        let optional = [&self.base, &self.nda, &self.standing];
        let parties = self.owner.iter().chain(&self.arbiter);
        ids.iter().all(|id| is_hash(id))
            && optional.iter().all(|id| is_hash_or_none(id))
            && are_section_names(&self.sections)
            && self.clause.len() <= MAX_CLAUSE_BYTES
            && parties.clone().all(|party| is_hash(&party.member) && is_hash(&party.key))
            && (1..=MAX_AGENTS).contains(&self.agents.len())
            && self.agents.iter().all(TermsAgent::is_well_formed)
            && self.agents.is_sorted_by(|left, right| left.index < right.index)
            && check_purpose(&self.purpose).is_ok()
            && self.orders.len() <= MAX_REGULATORS
    }

    fn maker(&self) -> &[u8] {
        &self.buyer
    }
}

impl TermsAgent {
    fn is_well_formed(&self) -> bool {
        let index = u8::try_from(self.index).is_ok_and(|index| index != 0);
        index
            && is_hash(&self.member)
            && is_hash(&self.key)
            && self.reply.len() == SEALING_KEY_BYTES
    }

    /// The index of its shares, from 1.
    #[must_use]
    pub fn share_index(&self) -> u8 {
        u8::try_from(self.index).unwrap_or(0)
    }
}

impl Terms {
    /// `H("deal-terms", bytes)` of the signed terms, which opens the deal on the log.
    #[must_use]
    pub fn digest(&self) -> Hash {
        tag::hash("deal-terms", &[&self.encode_to_vec()])
    }

    /// The deal's id as its buyer's key gives it; none when that is no key.
    #[must_use]
    pub fn deal_id(&self) -> Option<DealId> {
        let network = self.network.as_slice().try_into().ok()?;
        let key: &[u8; 32] = self.buyer_key.as_slice().try_into().ok()?;
        Some(deal_id(&network, key))
    }

    /// The buyer.
    #[must_use]
    pub fn buyer(&self) -> Option<MemberId> {
        MemberId::try_from(self.buyer.as_slice()).ok()
    }

    /// The clause.
    ///
    /// # Errors
    /// [`EscrowError`] when it is none.
    pub fn clause(&self) -> Result<Clause, EscrowError> {
        Clause::read(&self.clause)
    }

    /// The agent at a place of the deal's agent keys, from 0.
    #[must_use]
    pub fn agent_at(&self, place: u32) -> Option<&TermsAgent> {
        self.agents.get(usize::try_from(place).ok()?)
    }

    /// An agent by the index of its shares, from 1.
    #[must_use]
    pub fn agent_of(&self, index: u8) -> Option<&TermsAgent> {
        self.agents.iter().find(|agent| agent.index == u32::from(index))
    }

    /// The place of a section's envelope in a release, from 0.
    #[must_use]
    pub fn place_of(&self, section: &str) -> Option<usize> {
        self.sections.iter().position(|name| name == section)
    }

    /// Until when each thing is to be done.
    #[must_use]
    pub fn deadlines(&self) -> Deadlines {
        Deadlines {
            accept: DealTime(self.accept_by_ms),
            fund: DealTime(self.fund_by_ms),
            ready: DealTime(self.ready_by_ms),
            release: DealTime(self.release_by_ms),
            confirm: DealTime(self.confirm_by_ms),
            rule: DealTime(self.rule_by_ms),
        }
    }

    /// How the deal has to be opened on the log, `threshold` being the manifest's.
    #[must_use]
    pub fn opening(&self, threshold: u32) -> pb::DealOpen {
        let key_of = |party: &Option<TermsParty>| {
            party.as_ref().map(|party| party.key.clone()).unwrap_or_default()
        };
        pb::DealOpen {
            terms_digest: self.digest().0.to_vec(),
            buyer_key: self.buyer_key.clone(),
            owner_key: key_of(&self.owner),
            arbiter_key: key_of(&self.arbiter),
            agent_keys: self.agents.iter().map(|agent| agent.key.clone()).collect(),
            threshold,
            accept_by_ms: self.accept_by_ms,
            fund_by_ms: self.fund_by_ms,
            ready_by_ms: self.ready_by_ms,
            release_by_ms: self.release_by_ms,
            confirm_by_ms: self.confirm_by_ms,
            rule_by_ms: self.rule_by_ms,
        }
    }
}

/// Whether what stands on the log is what the terms say, of a manifest of that threshold. Who takes part in a deal checks this
/// before it takes any step in it.
///
/// # Errors
/// [`TermsRefusal::OpenDiffers`] names what differs.
pub fn check_open(terms: &Terms, threshold: u32, open: &pb::DealOpen) -> Result<(), TermsRefusal> {
    let said = terms.opening(threshold);
    let deadlines = |open: &pb::DealOpen| {
        let first = [open.accept_by_ms, open.fund_by_ms, open.ready_by_ms];
        (first, [open.release_by_ms, open.confirm_by_ms, open.rule_by_ms])
    };
    let same = [
        (said.terms_digest == open.terms_digest, "terms"),
        (said.buyer_key == open.buyer_key, "buyer"),
        (said.owner_key == open.owner_key, "owner"),
        (said.arbiter_key == open.arbiter_key, "arbiter"),
        (said.agent_keys == open.agent_keys, "agents"),
        (said.threshold == open.threshold, "threshold"),
        (deadlines(&said) == deadlines(open), "deadlines"),
    ];
    match same.iter().find(|(same, _)| !same) {
        None => Ok(()),
        Some((_, what)) => Err(TermsRefusal::OpenDiffers(what)),
    }
}
