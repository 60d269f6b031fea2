//! Files of a deposit: an owner asks agents for a key, sends each its shares with the manifest, and has each sign for them.

use heatmark_ledger::ids::NetworkId;
use heatmark_ledger::wire::shape::part;
use prost::Message;

use super::{MAX_EVIDENCE_BYTES, MAX_SHORT_BYTES, is_nonce, signed_file};
use crate::manifest::{MAX_CLAUSES, MAX_MANIFEST_BYTES, MAX_SECTIONS};
use crate::wire::{self, SHORT, is_hash};
use crate::{Clause, EscrowError, Manifest, SEALING_KEY_BYTES};

/// An owner asks a member whether it holds shares of a record, and for a key to seal them to.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct DepositAsk {
    /// 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// The network's id.
    #[prost(bytes = "vec", tag = "2")]
    pub network: Vec<u8>,
    /// The member that makes it: the owner.
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
    /// How many sections there are.
    #[prost(uint32, tag = "8")]
    pub sections: u32,
    /// How many bytes of ciphertext there are in all.
    #[prost(uint64, tag = "9")]
    pub bytes: u64,
}

/// A member agrees to hold shares, and offers a key of this deposit.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct DepositKey {
    /// 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// The network's id.
    #[prost(bytes = "vec", tag = "2")]
    pub network: Vec<u8>,
    /// The member that makes it: the agent.
    #[prost(bytes = "vec", tag = "3")]
    pub from: Vec<u8>,
    /// The member that it is for: the owner.
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
    /// The X-Wing key that shares are sealed to.
    #[prost(bytes = "vec", tag = "8")]
    pub key: Vec<u8>,
}

/// The shares of one agent, with what they are of and under which conditions they may leave.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct DepositParcel {
    /// 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// The network's id.
    #[prost(bytes = "vec", tag = "2")]
    pub network: Vec<u8>,
    /// The member that makes it: the owner.
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
    /// That of what was asked.
    #[prost(bytes = "vec", tag = "7")]
    pub nonce: Vec<u8>,
    /// The manifest.
    #[prost(bytes = "vec", tag = "8")]
    pub manifest: Vec<u8>,
    /// Its clauses, in the order of their digests.
    #[prost(bytes = "vec", repeated, tag = "9")]
    pub clauses: Vec<Vec<u8>>,
    /// Sealed shares, one for each section in the manifest's order.
    #[prost(bytes = "vec", repeated, tag = "10")]
    pub shares: Vec<Vec<u8>>,
    /// That the manifest is anchored by its owner: a [`DepositEvidence`].
    #[prost(bytes = "vec", tag = "11")]
    pub evidence: Vec<u8>,
}

/// An agent signs for its shares: each was checked against the manifest, and is on its disk.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct DepositReceipt {
    /// 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// The network's id.
    #[prost(bytes = "vec", tag = "2")]
    pub network: Vec<u8>,
    /// The member that makes it: the agent.
    #[prost(bytes = "vec", tag = "3")]
    pub from: Vec<u8>,
    /// The member that it is for: the owner.
    #[prost(bytes = "vec", tag = "4")]
    pub to: Vec<u8>,
    /// The key that signs.
    #[prost(bytes = "vec", tag = "5")]
    pub signer: Vec<u8>,
    /// Its signature.
    #[prost(bytes = "vec", tag = "6")]
    pub signature: Vec<u8>,
    /// The manifest's digest.
    #[prost(bytes = "vec", tag = "7")]
    pub manifest: Vec<u8>,
    /// Whether the whole ciphertext is on its disk too, and hashes to the manifest's roots.
    #[prost(bool, tag = "8")]
    pub contents: bool,
    /// When, by the agent's clock, in Unix milliseconds.
    #[prost(uint64, tag = "9")]
    pub at_ms: u64,
}

/// What a manifest stands on, for those who have no copy of the log or do not want to look.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct DepositEvidence {
    /// The receipt of its anchor.
    #[prost(bytes = "vec", tag = "1")]
    pub receipt: Vec<u8>,
    /// The place of the manifest's digest in the anchor's batch.
    #[prost(bytes = "vec", tag = "2")]
    pub batch: Vec<u8>,
    /// The registry's state of the key that signed the anchor.
    #[prost(bytes = "vec", tag = "3")]
    pub issuer_key: Vec<u8>,
}

impl DepositParcel {
    /// The manifest and its opened clauses, in the order of their digests.
    ///
    /// # Errors
    /// [`EscrowError`] when one of them is refused, or a clause is not the manifest's.
    pub fn opened(&self, network: &NetworkId) -> Result<(Manifest, Vec<Clause>), EscrowError> {
        opened(&self.manifest, &self.clauses, network)
    }
}

/// A manifest with all or some of its clauses.
pub(super) fn opened(
    manifest: &[u8],
    clauses: &[Vec<u8>],
    network: &NetworkId,
) -> Result<(Manifest, Vec<Clause>), EscrowError> {
    let manifest = Manifest::read(manifest, network)?;
    let clauses: Vec<Clause> =
        clauses.iter().map(|clause| Clause::read(clause)).collect::<Result<_, _>>()?;
    let of_it = clauses.iter().all(|clause| manifest.holds(clause));
    let ordered = clauses.is_sorted_by(|left, right| left.digest() < right.digest());
    if of_it && ordered {
        Ok((manifest, clauses))
    } else {
        Err(EscrowError::Parts("a clause is not one of the manifest's, or stands twice"))
    }
}

impl DepositEvidence {
    /// Reads evidence; what it proves, a trust root says.
    ///
    /// # Errors
    /// [`EscrowError`] when it is too long or not in its one encoding.
    pub fn read(bytes: &[u8]) -> Result<Self, EscrowError> {
        wire::decode(bytes, MAX_EVIDENCE_BYTES, &[])
    }
}

/// Longest sealed share: what the log takes of a released one.
pub(super) const MAX_SEALED_BYTES: usize = 2_048;

signed_file!(DepositAsk, "sign/deposit-ask", MAX_SHORT_BYTES, &[], |ask| {
    is_nonce(&ask.nonce)
        && ask.bytes != 0
        && (1..=MAX_SECTIONS).contains(&usize::try_from(ask.sections).unwrap_or(usize::MAX))
});
signed_file!(DepositKey, "sign/deposit-key", MAX_SHORT_BYTES, &[], |key| {
    is_nonce(&key.nonce) && key.key.len() == SEALING_KEY_BYTES
});
signed_file!(
    DepositParcel,
    "sign/deposit-parcel",
    MAX_EVIDENCE_BYTES,
    &[part(9, SHORT, &[]), part(10, SHORT, &[])],
    |parcel| {
        is_nonce(&parcel.nonce)
            && parcel.manifest.len() <= MAX_MANIFEST_BYTES
            && parcel.clauses.len() <= MAX_CLAUSES
            && (1..=MAX_SECTIONS).contains(&parcel.shares.len())
            && parcel.shares.iter().all(|share| share.len() <= MAX_SEALED_BYTES)
    }
);
signed_file!(DepositReceipt, "sign/deposit-receipt", MAX_SHORT_BYTES, &[], |receipt| {
    is_hash(&receipt.manifest)
});
