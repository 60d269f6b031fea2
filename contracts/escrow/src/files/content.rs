//! Files about what agents keep: pieces of ciphertext, drills that show that shares and ciphertext are alive, and receipts
//! for their destruction.

use heatmark_ledger::wire::shape::{Shape, part};
use heatmark_merkle::{Hash, tag};
use prost::Message;

use super::{MAX_EVIDENCE_BYTES, MAX_SHORT_BYTES, are_hashes, is_nonce, signed_file};
use crate::manifest::MAX_SECTIONS;
use crate::wire::{SHORT, ascend, is_hash};

/// Most pieces of ciphertext that a drill asks for.
pub const MAX_DRILL_PIECES: usize = 64;
/// Most pieces that one file carries.
const MAX_PIECES: usize = 127;
const PLACE: Shape = &[part(9, 4, &[])];
const ANSWER: Shape = &[part(9, SHORT, &[]), part(10, SHORT, &[])];

/// Somebody who may have them asks for pieces of ciphertext.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct PieceAsk {
    /// 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// The network's id.
    #[prost(bytes = "vec", tag = "2")]
    pub network: Vec<u8>,
    /// The member that makes it: the buyer, another agent, or the arbiter.
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
    /// Root of the tree over the section's pieces.
    #[prost(bytes = "vec", tag = "7")]
    pub root: Vec<u8>,
    /// The first piece asked for, from 0.
    #[prost(uint32, tag = "8")]
    pub first: u32,
    /// How many.
    #[prost(uint32, tag = "9")]
    pub count: u32,
    /// Whether each is to come with its inclusion path, as an arbiter needs it who looks at some only.
    #[prost(bool, tag = "10")]
    pub proved: bool,
}

/// Pieces of ciphertext, in order; fewer than asked for where they do not fit or end.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Pieces {
    /// 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// The network's id.
    #[prost(bytes = "vec", tag = "2")]
    pub network: Vec<u8>,
    /// The member that makes it: the agent.
    #[prost(bytes = "vec", tag = "3")]
    pub from: Vec<u8>,
    /// The member that it is for: who asked.
    #[prost(bytes = "vec", tag = "4")]
    pub to: Vec<u8>,
    /// The key that signs.
    #[prost(bytes = "vec", tag = "5")]
    pub signer: Vec<u8>,
    /// Its signature.
    #[prost(bytes = "vec", tag = "6")]
    pub signature: Vec<u8>,
    /// Root of the tree over the section's pieces.
    #[prost(bytes = "vec", tag = "7")]
    pub root: Vec<u8>,
    /// The place of the first of them.
    #[prost(uint32, tag = "8")]
    pub first: u32,
    /// The pieces.
    #[prost(bytes = "vec", repeated, tag = "9")]
    pub pieces: Vec<Vec<u8>>,
    /// Their inclusion paths, leaf to root, 32 bytes a hash, where they were asked for; else none.
    #[prost(bytes = "vec", repeated, tag = "10")]
    pub paths: Vec<Vec<u8>>,
}

/// An agent signs that it destroyed its shares of a deposit.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Destroyed {
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
    /// When, by the agent's clock, in Unix milliseconds.
    #[prost(uint64, tag = "8")]
    pub at_ms: u64,
}

/// An owner asks an agent to destroy its shares of a deposit.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct DestroyAsk {
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
    /// The manifest's digest.
    #[prost(bytes = "vec", tag = "7")]
    pub manifest: Vec<u8>,
}

/// An owner asks an agent to show that shares and ciphertext are alive.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct DrillAsk {
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
    /// The manifest's digest.
    #[prost(bytes = "vec", tag = "8")]
    pub manifest: Vec<u8>,
    /// Pieces that the agent cannot foresee, ascending.
    #[prost(message, repeated, tag = "9")]
    pub places: Vec<DrillPlace>,
}

/// A piece of ciphertext by its place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Message)]
pub struct DrillPlace {
    /// The section's place in the manifest, from 1.
    #[prost(uint32, tag = "1")]
    pub section: u32,
    /// The piece's place in the section, from 1.
    #[prost(uint32, tag = "2")]
    pub piece: u32,
}

/// An agent shows it.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct DrillAnswer {
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
    /// The manifest's digest.
    #[prost(bytes = "vec", tag = "8")]
    pub manifest: Vec<u8>,
    /// The pieces asked for, in order.
    #[prost(message, repeated, tag = "9")]
    pub pieces: Vec<DrillPiece>,
    /// [`drill_digest`] of each share, in the order of sections: who kept the shares compares them.
    #[prost(bytes = "vec", repeated, tag = "10")]
    pub shares: Vec<Vec<u8>>,
}

/// A piece of ciphertext with the proof that it is the section's.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct DrillPiece {
    /// The piece.
    #[prost(bytes = "vec", tag = "1")]
    pub piece: Vec<u8>,
    /// Its inclusion path, leaf to root, 32 bytes each.
    #[prost(bytes = "vec", tag = "2")]
    pub path: Vec<u8>,
}

/// `H("drill-share", nonce, manifest digest, section, share)`: shows that a share is known, to who knows it, and nothing to
/// anybody else.
#[must_use]
pub fn drill_digest(nonce: &[u8], manifest: &Hash, section: &str, share: &[u8]) -> Hash {
    tag::hash("drill-share", &[nonce, manifest.0.as_slice(), section.as_bytes(), share])
}

/// At most 14 hashes: a content has 2^14 pieces.
fn is_path(path: &[u8]) -> bool {
    path.len().is_multiple_of(32) && path.len() <= 14 * 32
}

fn most(count: u32, limit: usize) -> bool {
    (1..=limit).contains(&usize::try_from(count).unwrap_or(usize::MAX))
}

signed_file!(PieceAsk, "sign/piece-ask", MAX_SHORT_BYTES, &[], |ask| {
    is_hash(&ask.root) && most(ask.count, MAX_PIECES)
});
signed_file!(
    Pieces,
    "sign/pieces",
    MAX_EVIDENCE_BYTES.saturating_add(MAX_SHORT_BYTES),
    &[part(9, 16, &[])],
    |pieces| {
        let proved = pieces.paths.len() == pieces.pieces.len() || pieces.paths.is_empty();
        let paths = pieces.paths.iter().all(|path| is_path(path));
        is_hash(&pieces.root) && pieces.pieces.len() <= MAX_PIECES && proved && paths
    }
);
signed_file!(Destroyed, "sign/destroyed", MAX_SHORT_BYTES, &[], |destroyed| {
    is_hash(&destroyed.manifest)
});
signed_file!(DestroyAsk, "sign/destroy-ask", MAX_SHORT_BYTES, &[], |ask| {
    is_hash(&ask.manifest)
});
signed_file!(DrillAsk, "sign/drill-ask", MAX_SHORT_BYTES, PLACE, |ask| {
    is_nonce(&ask.nonce)
        && is_hash(&ask.manifest)
        && (1..=MAX_DRILL_PIECES).contains(&ask.places.len())
        && ascend(&ask.places)
        && ask.places.iter().all(|place| place.section != 0 && place.piece != 0)
});
signed_file!(
    DrillAnswer,
    "sign/drill-answer",
    MAX_EVIDENCE_BYTES.saturating_add(MAX_SHORT_BYTES),
    ANSWER,
    |answer| {
        is_nonce(&answer.nonce)
            && is_hash(&answer.manifest)
            && answer.pieces.len() <= MAX_DRILL_PIECES
            && answer.pieces.iter().all(|piece| is_path(&piece.path))
            && (1..=MAX_SECTIONS).contains(&answer.shares.len())
            && are_hashes(&answer.shares.iter().collect::<Vec<_>>())
    }
);
