//! The body of an event: what went in, what came out, and everything about it that its digest on the log fixes. Refuses
//! encodings that are not canonical, parts out of their bounds, inputs named twice and outputs under one seal. What the kind
//! asks for is in `rules`.

use heatmark_merkle::{Hash, LeafIndex, tag};
use heatmark_records::RecordId;
use prost::Message;
use std::collections::BTreeSet;

use crate::lot::{Amount, Content};
use crate::{Kind, Lot, LotError, LotHash, wire};

/// Version of events and of their proofs.
pub const VERSION: u32 = 1;
/// Most inputs; the log takes as many broken seals.
pub const MAX_INPUTS: usize = 64;
/// Most outputs.
pub const MAX_OUTPUTS: usize = 255;
/// Longest encoding of an event, in bytes.
pub const MAX_EVENT_BYTES: usize = 1 << 20;
/// Longest reason, in bytes.
pub const MAX_REASON_BYTES: usize = 512;

/// A lot by the leaf of the event that made it and its place among that event's outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Input {
    /// The leaf.
    pub leaf: LeafIndex,
    /// The place, from 0.
    pub output: u32,
}

/// A mass and, where pieces balance, pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amounts {
    /// Milligrams, committed to.
    pub mass: Amount,
    /// Pieces, committed to.
    pub pieces: Option<Amount>,
}

/// Material without a certificate that went in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uncertified {
    /// How much.
    pub amounts: Amounts,
    /// At most what share of a blend's inputs and itself, else of what comes out, it is, in thousandths, 1 to 1,000: proved, and
    /// shown to everybody.
    pub permille: u32,
}

/// What a new weighing found more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gain {
    /// Milligrams, committed to.
    pub mass: Amount,
    /// At most what share of what comes out besides it, in thousandths, 1 to 1,000: proved, and shown to everybody.
    pub permille: u32,
}

/// An event. Its digest stands on the log; its body goes to those who hold a capsule with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: Kind,
    /// 32 random bytes.
    pub salt: [u8; 32],
    /// Record root of the process record: machine, load, station, operator.
    pub process: Option<RecordId>,
    /// What went in, in the order of the broken seals.
    pub inputs: Vec<Input>,
    /// What came out, in the order of the log's `outputs`.
    pub outputs: Vec<Lot>,
    /// What was lost.
    pub scrap: Option<Amounts>,
    /// The certificate that a commission is of.
    pub origin: Option<RecordId>,
    /// What went in without a certificate.
    pub uncertified: Option<Uncertified>,
    /// What an adjustment found more.
    pub gain: Option<Gain>,
    /// The components of what is taken apart, in their order.
    pub components: Vec<Content>,
    /// The salt of the class of what is taken apart: of the event that put it together.
    pub component_salt: Option<[u8; 32]>,
    /// Which components are removed, by place.
    pub removed: Vec<u8>,
    /// Why.
    pub reason: String,
    /// When it began, by its maker's clock, in Unix milliseconds; 0 where it is not told.
    pub from_ms: u64,
    /// When it ended.
    pub until_ms: u64,
}

impl Event {
    /// An event without parts.
    #[must_use]
    pub const fn new(kind: Kind, salt: [u8; 32], inputs: Vec<Input>, outputs: Vec<Lot>) -> Self {
        Self {
            kind,
            salt,
            process: None,
            inputs,
            outputs,
            scrap: None,
            origin: None,
            uncertified: None,
            gain: None,
            components: Vec::new(),
            component_salt: None,
            removed: Vec::new(),
            reason: String::new(),
            from_ms: 0,
            until_ms: 0,
        }
    }

    /// The canonical encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        wire::Event::from(self).encode_to_vec()
    }

    /// Reads a canonical encoding.
    ///
    /// # Errors
    /// `TooLong`, `NotCanonical`, `UnknownVersion`, `UnknownKind`, or what a part of it refuses.
    pub fn decode(bytes: &[u8]) -> Result<Self, LotError> {
        let event = wire::decode::<wire::Event>(bytes, MAX_EVENT_BYTES)?.read()?;
        event.check()?;
        Ok(event)
    }

    /// `H("lot-event", network, encoding)`: what stands on the log.
    #[must_use]
    pub fn digest(&self, network: &[u8; 32]) -> Hash {
        tag::hash("lot-event", &[network, &self.encode()])
    }

    /// The hashes of the outputs, as they stand on the log.
    #[must_use]
    pub fn output_hashes(&self, network: &[u8; 32]) -> Vec<LotHash> {
        self.outputs.iter().map(|lot| lot.hash(network)).collect()
    }

    /// What holds of every event, whatever its kind.
    pub(crate) fn check(&self) -> Result<(), LotError> {
        let shape = self.kind.shape();
        let within = |(least, most): (usize, usize), count| (least..=most).contains(&count);
        let paired = !shape.pairwise || self.inputs.len() == self.outputs.len();
        let counted =
            within(shape.inputs, self.inputs.len()) && within(shape.outputs, self.outputs.len());
        if !counted || !paired {
            return Err(LotError::Shape);
        }
        let inputs: BTreeSet<_> = self.inputs.iter().collect();
        if inputs.len() != self.inputs.len() {
            return Err(LotError::InputTwice);
        }
        let seals: BTreeSet<_> = self.outputs.iter().map(|lot| lot.seal).collect();
        if seals.len() != self.outputs.len() {
            return Err(LotError::SealTwice);
        }
        let printable = !self.reason.chars().any(char::is_control);
        let told = !self.reason.trim().is_empty() || self.reason.is_empty();
        if self.reason.len() > MAX_REASON_BYTES || !printable || !told {
            return Err(LotError::NotCanonical);
        }
        let in_order = self.until_ms == 0 || self.from_ms <= self.until_ms;
        if in_order { self.check_parts() } else { Err(LotError::NotCanonical) }
    }

    /// Which parts the kind has.
    fn check_parts(&self) -> Result<(), LotError> {
        let kind = self.kind;
        let taken_apart = matches!(kind, Kind::Disaggregate | Kind::Remove);
        let counts_pieces = |amounts: &Amounts| amounts.pieces.is_some() == kind.balances_pieces();
        let share = |permille| (1..=1_000).contains(&permille);
        let uncertified = self.uncertified.as_ref();
        let gain = self.gain.as_ref();
        let fits = [
            self.origin.is_none() || kind == Kind::Commission,
            self.scrap.is_none() || kind.may_scrap(),
            self.scrap.as_ref().is_none_or(counts_pieces),
            uncertified.is_none() || kind.may_add_uncertified(),
            uncertified.is_none_or(|u| counts_pieces(&u.amounts) && share(u.permille)),
            gain.is_none() || kind == Kind::Adjust,
            gain.is_none_or(|gain| share(gain.permille)),
            self.components.is_empty() != taken_apart,
            self.component_salt.is_some() == taken_apart,
            self.removed.is_empty() == (kind != Kind::Remove),
            kind != Kind::Correct || self.scrap.is_some(),
            !kind.needs_reason() || !self.reason.is_empty(),
        ];
        if fits.contains(&false) { Err(LotError::WrongPart) } else { Ok(()) }
    }
}
