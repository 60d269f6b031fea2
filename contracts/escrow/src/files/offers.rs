//! Files before a deal: what a buyer could open, and the keys that each party has for one deal.

use heatmark_ledger::ids::NetworkId;
use heatmark_ledger::wire::shape::part;
use prost::Message;

use super::deposit::opened;
use super::{MAX_EVIDENCE_BYTES, MAX_SHORT_BYTES, are_hashes, is_nonce, signed_file};
use crate::manifest::{MAX_CLAUSES, MAX_MANIFEST_BYTES};
use crate::wire::{SHORT, is_hash};
use crate::{Clause, EscrowError, Manifest, SEALING_KEY_BYTES};

/// What a member does in a deal, with a key of that deal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub enum PartyRole {
    /// Nothing: no file has it.
    Unspecified = 0,
    /// It holds a share.
    Agent = 1,
    /// It attests payment and rules disputes.
    Arbiter = 2,
    /// It accepts by hand.
    Owner = 3,
}

/// A buyer asks an agent what it could open of a record.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct OfferAsk {
    /// 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// The network's id.
    #[prost(bytes = "vec", tag = "2")]
    pub network: Vec<u8>,
    /// The member that makes it: the buyer.
    #[prost(bytes = "vec", tag = "3")]
    pub from: Vec<u8>,
    /// The member that it is for: the agent.
    #[prost(bytes = "vec", tag = "4")]
    pub to: Vec<u8>,
    /// The key that signs.
    #[prost(bytes = "vec", tag = "5")]
    pub signer: Vec<u8>,
    /// Its signature.
    #[prost(bytes = "vec", tag = "6")]
    pub signature: Vec<u8>,
    /// 16 random bytes.
    #[prost(bytes = "vec", tag = "7")]
    pub nonce: Vec<u8>,
    /// The record's id.
    #[prost(bytes = "vec", tag = "8")]
    pub record: Vec<u8>,
}

/// What an agent holds of a record, and the clauses that the asking member fulfils or could fulfil.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Offers {
    /// 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// The network's id.
    #[prost(bytes = "vec", tag = "2")]
    pub network: Vec<u8>,
    /// The member that makes it: the agent.
    #[prost(bytes = "vec", tag = "3")]
    pub from: Vec<u8>,
    /// The member that it is for: the buyer.
    #[prost(bytes = "vec", tag = "4")]
    pub to: Vec<u8>,
    /// The key that signs.
    #[prost(bytes = "vec", tag = "5")]
    pub signer: Vec<u8>,
    /// Its signature.
    #[prost(bytes = "vec", tag = "6")]
    pub signature: Vec<u8>,
    /// That of what was asked.
    #[prost(bytes = "vec", tag = "7")]
    pub nonce: Vec<u8>,
    /// The record's id.
    #[prost(bytes = "vec", tag = "8")]
    pub record: Vec<u8>,
    /// The manifest of the newest epoch that the agent holds; empty where it holds none.
    #[prost(bytes = "vec", tag = "9")]
    pub manifest: Vec<u8>,
    /// The clauses that apply, in the order of their digests.
    #[prost(bytes = "vec", repeated, tag = "10")]
    pub clauses: Vec<Vec<u8>>,
    /// That the manifest is anchored by its owner.
    #[prost(bytes = "vec", tag = "11")]
    pub evidence: Vec<u8>,
}

/// A buyer asks a party of a deal to come for its keys.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct QuoteAsk {
    /// 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// The network's id.
    #[prost(bytes = "vec", tag = "2")]
    pub network: Vec<u8>,
    /// The member that makes it: the buyer.
    #[prost(bytes = "vec", tag = "3")]
    pub from: Vec<u8>,
    /// The member that it is for: the agent, the arbiter, or the owner where it accepts by hand.
    #[prost(bytes = "vec", tag = "4")]
    pub to: Vec<u8>,
    /// The key that signs.
    #[prost(bytes = "vec", tag = "5")]
    pub signer: Vec<u8>,
    /// Its signature.
    #[prost(bytes = "vec", tag = "6")]
    pub signature: Vec<u8>,
    /// The deal's id.
    #[prost(bytes = "vec", tag = "7")]
    pub deal: Vec<u8>,
    /// Digest of the manifest.
    #[prost(bytes = "vec", tag = "8")]
    pub manifest: Vec<u8>,
    /// What the party is to be.
    #[prost(enumeration = "PartyRole", tag = "9")]
    pub role: i32,
}

/// The keys that a party has in one deal.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Quote {
    /// 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// The network's id.
    #[prost(bytes = "vec", tag = "2")]
    pub network: Vec<u8>,
    /// The member that makes it: the party.
    #[prost(bytes = "vec", tag = "3")]
    pub from: Vec<u8>,
    /// The member that it is for: the buyer.
    #[prost(bytes = "vec", tag = "4")]
    pub to: Vec<u8>,
    /// The key that signs.
    #[prost(bytes = "vec", tag = "5")]
    pub signer: Vec<u8>,
    /// Its signature.
    #[prost(bytes = "vec", tag = "6")]
    pub signature: Vec<u8>,
    /// The deal's id.
    #[prost(bytes = "vec", tag = "7")]
    pub deal: Vec<u8>,
    /// Digest of the manifest.
    #[prost(bytes = "vec", tag = "8")]
    pub manifest: Vec<u8>,
    /// What the party is.
    #[prost(enumeration = "PartyRole", tag = "9")]
    pub role: i32,
    /// Its Ed25519 key on the log, of this deal alone.
    #[prost(bytes = "vec", tag = "10")]
    pub key: Vec<u8>,
    /// The X-Wing key that the terms are sealed to.
    #[prost(bytes = "vec", tag = "11")]
    pub sealing: Vec<u8>,
}

impl Offers {
    /// The manifest with the clauses that apply; none where the agent holds nothing of the record.
    ///
    /// # Errors
    /// [`EscrowError`] when one of them is refused, a clause is not the manifest's, or the manifest is another record's.
    pub fn opened(
        &self,
        network: &NetworkId,
    ) -> Result<Option<(Manifest, Vec<Clause>)>, EscrowError> {
        if self.manifest.is_empty() {
            return Ok(None);
        }
        let (manifest, clauses) = opened(&self.manifest, &self.clauses, network)?;
        if manifest.record == self.record {
            Ok(Some((manifest, clauses)))
        } else {
            Err(EscrowError::Parts("the manifest is another record's"))
        }
    }
}

fn is_party(role: i32) -> bool {
    PartyRole::try_from(role).is_ok_and(|role| role != PartyRole::Unspecified)
}

signed_file!(OfferAsk, "sign/offer-ask", MAX_SHORT_BYTES, &[], |ask| {
    is_nonce(&ask.nonce) && is_hash(&ask.record)
});
signed_file!(Offers, "sign/offers", MAX_EVIDENCE_BYTES, &[part(10, SHORT, &[])], |offers| {
    let some = !offers.manifest.is_empty();
    is_nonce(&offers.nonce)
        && is_hash(&offers.record)
        && offers.manifest.len() <= MAX_MANIFEST_BYTES
        && offers.clauses.len() <= MAX_CLAUSES
        && (some || (offers.clauses.is_empty() && offers.evidence.is_empty()))
});
signed_file!(QuoteAsk, "sign/quote-ask", MAX_SHORT_BYTES, &[], |ask| {
    are_hashes(&[&ask.deal, &ask.manifest]) && is_party(ask.role)
});
signed_file!(Quote, "sign/quote", MAX_SHORT_BYTES, &[], |quote| {
    are_hashes(&[&quote.deal, &quote.manifest, &quote.key])
        && is_party(quote.role)
        && quote.sealing.len() == SEALING_KEY_BYTES
});
