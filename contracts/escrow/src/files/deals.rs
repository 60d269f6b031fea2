//! Files of a deal: its terms sealed to each party, steps to be carried, claims, rulings, refusals and regulators' orders.

use heatmark_evidence::check_purpose;
use heatmark_ledger::messages as pb;
use heatmark_ledger::wire::MAX_TRANSACTION_BYTES;
use heatmark_ledger::wire::shape::part;
use heatmark_merkle::{Hash, tag};
use prost::Message;
use zeroize::Zeroizing;

use super::{
    MAX_EVIDENCE_BYTES, MAX_SHORT_BYTES, are_hashes, are_section_names, is_nonce, signed_file,
};
use crate::EscrowError;
use crate::claim::MAX_CLAIM_BYTES;
use crate::wire::{self, is_hash, prints};

/// Longest reason of a ruling or a refusal, in bytes.
const MAX_REASON_BYTES: usize = 4_096;
/// What sealing adds at most.
const SEAL_BYTES: usize = 2_048;

/// The terms of a deal, sealed to one party.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct TermsFile {
    /// 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// The network's id.
    #[prost(bytes = "vec", tag = "2")]
    pub network: Vec<u8>,
    /// The member that makes it: the buyer.
    #[prost(bytes = "vec", tag = "3")]
    pub from: Vec<u8>,
    /// The member that it is for: the agent, the arbiter, or the owner.
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
    /// A [`TermsContent`], sealed to the key of the party's quote.
    #[prost(bytes = "vec", tag = "8")]
    pub sealed: Vec<u8>,
}

/// What is sealed in a [`TermsFile`].
#[derive(Clone, PartialEq, Eq, Message)]
pub struct TermsContent {
    /// The signed terms.
    #[prost(bytes = "vec", tag = "1")]
    pub terms: Vec<u8>,
    /// The manifest that they name.
    #[prost(bytes = "vec", tag = "2")]
    pub manifest: Vec<u8>,
    /// That it is anchored by its owner: a [`super::DepositEvidence`]; may be empty for who holds the deposit.
    #[prost(bytes = "vec", tag = "3")]
    pub evidence: Vec<u8>,
    /// What a premium is a share of: a [`crate::Base`], for the arbiter alone.
    #[prost(bytes = "vec", tag = "4")]
    pub base: Vec<u8>,
    /// The signed terms of the standing deal that covers this one, and
    #[prost(bytes = "vec", tag = "5")]
    pub standing_terms: Vec<u8>,
    /// the manifest that they name, and
    #[prost(bytes = "vec", tag = "6")]
    pub standing_manifest: Vec<u8>,
    /// that it is anchored by the same owner.
    #[prost(bytes = "vec", tag = "7")]
    pub standing_evidence: Vec<u8>,
}

/// A party asks a member to carry a step of its deal to the log.
#[derive(Clone, PartialEq, Message)]
pub struct CarryAsk {
    /// 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// The network's id.
    #[prost(bytes = "vec", tag = "2")]
    pub network: Vec<u8>,
    /// The member that makes it: any party.
    #[prost(bytes = "vec", tag = "3")]
    pub from: Vec<u8>,
    /// The member that it is for: any member.
    #[prost(bytes = "vec", tag = "4")]
    pub to: Vec<u8>,
    /// The key that signs.
    #[prost(bytes = "vec", tag = "5")]
    pub signer: Vec<u8>,
    /// Its signature.
    #[prost(bytes = "vec", tag = "6")]
    pub signature: Vec<u8>,
    /// The body of the transaction.
    #[prost(bytes = "vec", tag = "7")]
    pub body: Vec<u8>,
    /// The signature over it by the key that the step belongs to.
    #[prost(message, optional, tag = "8")]
    pub cosignature: Option<pb::CoSignature>,
}

/// A buyer shows the arbiter what is wrong.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ClaimFile {
    /// 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// The network's id.
    #[prost(bytes = "vec", tag = "2")]
    pub network: Vec<u8>,
    /// The member that makes it: the buyer.
    #[prost(bytes = "vec", tag = "3")]
    pub from: Vec<u8>,
    /// The member that it is for: the arbiter.
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
    /// Digest of the claim, as the dispute on the log has it.
    #[prost(bytes = "vec", tag = "8")]
    pub claim: Vec<u8>,
    /// The [`crate::Claim`], sealed to the key of the arbiter's quote.
    #[prost(bytes = "vec", tag = "9")]
    pub sealed: Vec<u8>,
}

/// An arbiter tells a party what it ruled, and why.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Ruling {
    /// 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// The network's id.
    #[prost(bytes = "vec", tag = "2")]
    pub network: Vec<u8>,
    /// The member that makes it: the arbiter.
    #[prost(bytes = "vec", tag = "3")]
    pub from: Vec<u8>,
    /// The member that it is for: the buyer or the owner.
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
    /// Whether the buyer gets its money back.
    #[prost(bool, tag = "8")]
    pub refund: bool,
    /// What the claim came to; empty where the arbiter ruled on something else.
    #[prost(string, tag = "9")]
    pub code: String,
    /// 32 random bytes.
    #[prost(bytes = "vec", tag = "10")]
    pub salt: Vec<u8>,
    /// Why.
    #[prost(string, tag = "11")]
    pub reason: String,
}

/// A party tells a buyer that it will not take part, and why.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct DealRefused {
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
    /// The refusal's stable name.
    #[prost(string, tag = "8")]
    pub code: String,
    /// What it means.
    #[prost(string, tag = "9")]
    pub text: String,
    /// When, by its clock, in Unix milliseconds.
    #[prost(uint64, tag = "10")]
    pub at_ms: u64,
}

/// A regulator orders sections of a record to be opened to a member.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Order {
    /// 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// The network's id.
    #[prost(bytes = "vec", tag = "2")]
    pub network: Vec<u8>,
    /// The member that makes it: the regulator.
    #[prost(bytes = "vec", tag = "3")]
    pub from: Vec<u8>,
    /// The member that it is for: the member that may open them.
    #[prost(bytes = "vec", tag = "4")]
    pub to: Vec<u8>,
    /// The key that signs.
    #[prost(bytes = "vec", tag = "5")]
    pub signer: Vec<u8>,
    /// Its signature.
    #[prost(bytes = "vec", tag = "6")]
    pub signature: Vec<u8>,
    /// The record's id.
    #[prost(bytes = "vec", tag = "7")]
    pub record: Vec<u8>,
    /// The sections, ascending.
    #[prost(string, repeated, tag = "8")]
    pub sections: Vec<String>,
    /// For what.
    #[prost(string, tag = "9")]
    pub purpose: String,
    /// Salted digest of why, as [`reason_digest`] makes it.
    #[prost(bytes = "vec", tag = "10")]
    pub reason: Vec<u8>,
    /// From when on it orders nothing, in Unix milliseconds.
    #[prost(uint64, tag = "11")]
    pub until_ms: u64,
    /// 16 random bytes.
    #[prost(bytes = "vec", tag = "12")]
    pub nonce: Vec<u8>,
}

/// `H("deal-reason", salt, reason)`: what stands on the log of why an arbiter ruled, and in an order of why it was given.
#[must_use]
pub fn reason_digest(salt: &[u8; 32], reason: &str) -> Hash {
    tag::hash("deal-reason", &[salt, reason.as_bytes()])
}

impl TermsContent {
    /// Reads what was sealed.
    ///
    /// # Errors
    /// [`EscrowError`] when it is too long, not in its one encoding, or a standing deal is told in part.
    pub fn read(bytes: &[u8]) -> Result<Self, EscrowError> {
        let content: Self = wire::decode(bytes, MAX_EVIDENCE_BYTES, &[])?;
        let standing = [&content.standing_manifest, &content.standing_evidence];
        let told = !content.standing_terms.is_empty();
        if !content.terms.is_empty() && standing.iter().all(|part| part.is_empty() != told) {
            Ok(content)
        } else {
            Err(EscrowError::Parts("terms or the evidence of a standing deal are missing"))
        }
    }

    /// Its bytes, which go into an envelope.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.encode_to_vec())
    }
}

signed_file!(
    TermsFile,
    "sign/terms-file",
    MAX_EVIDENCE_BYTES.saturating_add(SEAL_BYTES),
    &[],
    |file| { is_hash(&file.deal) && !file.sealed.is_empty() }
);
signed_file!(
    CarryAsk,
    "sign/carry-ask",
    MAX_TRANSACTION_BYTES.saturating_add(MAX_SHORT_BYTES),
    &[],
    |ask| { !ask.body.is_empty() && ask.cosignature.is_some() }
);
signed_file!(
    ClaimFile,
    "sign/claim-file",
    MAX_CLAIM_BYTES.saturating_add(MAX_SHORT_BYTES),
    &[],
    |file| { are_hashes(&[&file.deal, &file.claim]) && !file.sealed.is_empty() }
);
signed_file!(Ruling, "sign/ruling", MAX_SHORT_BYTES, &[], |ruling| {
    are_hashes(&[&ruling.deal, &ruling.salt])
        && prints(&ruling.code, wire::MAX_NAME_BYTES)
        && prints(&ruling.reason, MAX_REASON_BYTES)
});
signed_file!(DealRefused, "sign/deal-refused", MAX_SHORT_BYTES, &[], |refused| {
    is_hash(&refused.deal)
        && wire::is_name(&refused.code)
        && prints(&refused.text, MAX_REASON_BYTES)
});
signed_file!(Order, "sign/deal-order", MAX_SHORT_BYTES, &[part(8, 1, &[])], |order| {
    are_hashes(&[&order.record, &order.reason])
        && are_section_names(&order.sections)
        && check_purpose(&order.purpose).is_ok()
        && is_nonce(&order.nonce)
});
