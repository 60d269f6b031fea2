//! The message that a capsule file is, and its decoding: bounded first, then decoded, then encoded again and compared.

use heatmark_ledger::messages as pb;
use heatmark_ledger::wire::shape::{self, Shape, part};
use heatmark_records::{FieldProof, Path, Said, Specification};
use prost::Message;
use std::collections::{BTreeMap, BTreeSet};

use super::CapsuleError;

/// Version of capsules.
pub(super) const VERSION: u32 = 1;
/// Longest capsule in bytes.
pub const MAX_CAPSULE_BYTES: usize = 32 << 20;
/// Most events, and most records, of a capsule.
pub const MAX_EVENTS: usize = 16_384;

/// Most heads: of what was done at each event, and of what came of it.
const MAX_HEADS: usize = 2 * MAX_EVENTS;
/// Most entries of the state: for each record its alert, its issuer, a key and some concerns.
pub(super) const MAX_ENTRIES: usize = 8 * MAX_EVENTS;
/// Most changes of the validator set.
const MAX_CHANGES: usize = 1 << 16;
const COUNTS: [(u32, usize); 5] =
    [(4, MAX_CHANGES), (5, MAX_EVENTS), (6, MAX_EVENTS), (7, MAX_ENTRIES), (13, MAX_HEADS)];

// The least that anything sound has, so that many small parts cannot take many times their bytes once they are decoded.
/// A signature is 64 bytes, a validator has a key.
const SIGNATURE: usize = 64;
const VALIDATOR: usize = 32;
/// A key of the state is at least 36 bytes long, its proof 3.
const ENTRY: usize = 39;
/// A field's proof has at least twelve siblings.
const FIELD: usize = 384;
/// A range proof of the narrowest width has 449 bytes.
const PROOF: usize = 400;
/// A signed transaction alone takes as much.
const SIGNED: usize = 200;
const HEAD: usize = 128;
const SIGNATURES: Shape = &[part(2, SIGNATURE, &[])];
const CHANGE: Shape = &[
    part(2, 0, SIGNATURES),
    part(3, 0, &[part(1, VALIDATOR, &[])]),
    part(4, 0, &[part(3, SIGNATURE, &[])]),
];
const RECORD: Shape = &[part(7, FIELD, &[]), part(9, PROOF, &[])];
const CAPSULE: Shape = &[
    part(3, 0, SIGNATURES),
    part(4, SIGNED, CHANGE),
    part(5, SIGNED, &[]),
    part(6, SIGNED, RECORD),
    part(7, ENTRY, &[]),
    part(13, HEAD, &[]),
];

/// A capsule as it is read; [`super::inspect`] says what it proves.
#[derive(Clone, PartialEq, Message)]
pub struct Capsule {
    /// 1.
    #[prost(uint32, tag = "1")]
    pub version: u32,
    /// The one header that everything in it is proved against.
    #[prost(message, optional, tag = "2")]
    pub header: Option<pb::Header>,
    /// Its certificate.
    #[prost(message, optional, tag = "3")]
    pub certificate: Option<pb::CommitCertificate>,
    /// As in a receipt.
    #[prost(message, repeated, tag = "4")]
    pub set_changes: Vec<pb::SetChange>,
    /// The events, ascending by leaf, so that inputs stand before what is made of them.
    #[prost(message, repeated, tag = "5")]
    pub events: Vec<CapsuleEvent>,
    /// The records, ascending by id.
    #[prost(message, repeated, tag = "6")]
    pub records: Vec<CapsuleRecord>,
    /// Entries of the state, ascending by key.
    #[prost(message, repeated, tag = "7")]
    pub entries: Vec<CapsuleEntry>,
    /// The leaf of the event that made the lot.
    #[prost(uint64, tag = "8")]
    pub leaf: u64,
    /// The lot's place among that event's outputs.
    #[prost(uint32, tag = "9")]
    pub output: u32,
    /// The lot with its quantities, for whoever receives it; empty otherwise.
    #[prost(bytes = "vec", tag = "10")]
    pub opening: Vec<u8>,
    /// The key of the lot's seal, which shows that it is whole; empty where that is not shown.
    #[prost(bytes = "vec", tag = "11")]
    pub seal_key: Vec<u8>,
    /// The blind of the lot's seal.
    #[prost(bytes = "vec", tag = "12")]
    pub seal_blind: Vec<u8>,
    /// What alerts on processes and descriptions stand under, ascending by record id.
    #[prost(message, repeated, tag = "13")]
    pub heads: Vec<CapsuleHead>,
}

/// A record of which nothing is shown: what its id, and with it the subject of its alerts, is made of.
#[derive(Clone, PartialEq, Message)]
pub struct CapsuleHead {
    /// Its head.
    #[prost(bytes = "vec", tag = "1")]
    pub head: Vec<u8>,
    /// The root of its tree of fields.
    #[prost(bytes = "vec", tag = "2")]
    pub root: Vec<u8>,
}

/// An event with its place on the log and all that it takes to check it.
#[derive(Clone, PartialEq, Message)]
pub struct CapsuleEvent {
    /// The envelope of its transaction.
    #[prost(bytes = "vec", tag = "1")]
    pub transaction: Vec<u8>,
    /// Its leaf.
    #[prost(uint64, tag = "2")]
    pub leaf: u64,
    /// Inclusion path, leaf to root, 32 bytes each.
    #[prost(bytes = "vec", tag = "3")]
    pub path: Vec<u8>,
    /// The event's body.
    #[prost(bytes = "vec", tag = "4")]
    pub event: Vec<u8>,
    /// Its proofs.
    #[prost(bytes = "vec", tag = "5")]
    pub proofs: Vec<u8>,
    /// The blinds of the broken seals, 32 bytes each, zeros for those of inputs that the capsule leaves out.
    #[prost(bytes = "vec", tag = "6")]
    pub blinds: Vec<u8>,
}

/// A record with its place on the log and what is disclosed of it.
#[derive(Clone, PartialEq, Message)]
pub struct CapsuleRecord {
    /// The record's id.
    #[prost(bytes = "vec", tag = "1")]
    pub record: Vec<u8>,
    /// Its head.
    #[prost(bytes = "vec", tag = "2")]
    pub head: Vec<u8>,
    /// Its place in its anchor's batch.
    #[prost(bytes = "vec", tag = "3")]
    pub batch: Vec<u8>,
    /// The envelope of its anchor.
    #[prost(bytes = "vec", tag = "4")]
    pub transaction: Vec<u8>,
    /// The anchor's leaf.
    #[prost(uint64, tag = "5")]
    pub leaf: u64,
    /// Inclusion path, leaf to root, 32 bytes each.
    #[prost(bytes = "vec", tag = "6")]
    pub path: Vec<u8>,
    /// Fields, ascending by path.
    #[prost(bytes = "vec", repeated, tag = "7")]
    pub fields: Vec<Vec<u8>>,
    /// The specification whose limits are proved; empty for none.
    #[prost(string, tag = "8")]
    pub specification: String,
    /// The proofs that they are kept.
    #[prost(bytes = "vec", repeated, tag = "9")]
    pub proofs: Vec<Vec<u8>>,
    /// For whom these proofs were made: the first buyer.
    #[prost(bytes = "vec", tag = "10")]
    pub receiver: Vec<u8>,
    /// For what.
    #[prost(string, tag = "11")]
    pub purpose: String,
    /// By the holder of which key.
    #[prost(bytes = "vec", tag = "12")]
    pub discloser: Vec<u8>,
}

/// An entry of the state map, or its absence.
#[derive(Clone, PartialEq, Message)]
pub struct CapsuleEntry {
    /// The key.
    #[prost(bytes = "vec", tag = "1")]
    pub key: Vec<u8>,
    /// The value; empty when it is absent.
    #[prost(bytes = "vec", tag = "2")]
    pub value: Vec<u8>,
    /// Whether there is one.
    #[prost(bool, tag = "3")]
    pub present: bool,
    /// The map proof.
    #[prost(bytes = "vec", tag = "4")]
    pub proof: Vec<u8>,
}

impl CapsuleRecord {
    /// What may go on to others: the fields named, of all others that a proof is about the commitments, and the proofs.
    #[must_use]
    pub fn passed_on(&self, onward: &BTreeSet<Path>) -> Self {
        let specification = Specification::parse(&self.specification).ok();
        let proved = specification.map(|specification| specification.paths()).unwrap_or_default();
        let kept = |field: &Vec<u8>| {
            let mut field = FieldProof::decode(field).ok()?;
            if !onward.contains(&field.path) {
                field.said = field.said.hidden();
                let shown = matches!(field.said, Said::Shown { .. });
                // What the proofs speak of, everybody who is given them sees.
                if shown && !proved.contains(&field.path) {
                    return None;
                }
            }
            Some(field.encode())
        };
        Self { fields: self.fields.iter().filter_map(kept).collect(), ..self.clone() }
    }

    /// Takes over what another delivery of the same record tells more of: fields that are shown there, and its proofs where
    /// this one has none.
    pub fn learn(&mut self, other: &Self) {
        let mut fields: BTreeMap<Path, FieldProof> = BTreeMap::new();
        let read = |fields: &[Vec<u8>]| -> Vec<FieldProof> {
            fields.iter().filter_map(|field| FieldProof::decode(field).ok()).collect()
        };
        for field in read(&self.fields).into_iter().chain(read(&other.fields)) {
            let known = fields.get(&field.path);
            let tells = known.is_none_or(|known| matches!(known.said, Said::Committed(_)));
            if tells {
                fields.insert(field.path.clone(), field);
            }
        }
        self.fields = fields.values().map(FieldProof::encode).collect();
        if self.specification.is_empty() {
            self.specification.clone_from(&other.specification);
            self.proofs.clone_from(&other.proofs);
            self.receiver.clone_from(&other.receiver);
            self.purpose.clone_from(&other.purpose);
            self.discloser.clone_from(&other.discloser);
        }
    }
}

impl Capsule {
    /// Reads a capsule.
    ///
    /// # Errors
    /// `TooLong`, `NotCanonical` or `Order`.
    pub fn decode(bytes: &[u8]) -> Result<Self, CapsuleError> {
        if bytes.len() > MAX_CAPSULE_BYTES {
            return Err(CapsuleError::TooLong);
        }
        if !shape::fits(bytes, CAPSULE) {
            return Err(CapsuleError::NotCanonical);
        }
        if !shape::counts(bytes, &COUNTS) {
            return Err(CapsuleError::TooLong);
        }
        let capsule = <Self as Message>::decode(bytes).map_err(|_| CapsuleError::NotCanonical)?;
        if capsule.version != VERSION || capsule.encode_to_vec() != bytes {
            return Err(CapsuleError::NotCanonical);
        }
        let ordered = capsule.events.is_sorted_by(|left, right| left.leaf < right.leaf)
            && capsule.records.is_sorted_by(|left, right| left.record < right.record)
            && capsule.entries.is_sorted_by(|left, right| left.key < right.key);
        if ordered { Ok(capsule) } else { Err(CapsuleError::Order) }
    }
}
