//! The messages in which lots, events and proofs are kept and sent, and their decoding: bounded first, then decoded, then
//! encoded again and compared. Specification: `proto/README.md` section 11.

use heatmark_merkle::Hash;
use heatmark_records::Blinding;
use prost::Message;
use prost::encoding::{DecodeContext, decode_key, skip_field};

use crate::lot::{Amount, Content, OpenAmount};
use crate::serials::{Range, Ranges};
use crate::{Amounts, Input, Kind, LotError, event};

/// More top-level entries than any message here has.
const MAX_ENTRIES: usize = 1_024;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Lot {
    #[prost(bytes = "vec", tag = "1")]
    mass: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pieces: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    class: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    description: Vec<u8>,
    #[prost(message, optional, tag = "5")]
    serials: Option<Serials>,
    #[prost(uint64, tag = "6")]
    expires_ms: u64,
    #[prost(bytes = "vec", tag = "7")]
    seal: Vec<u8>,
    #[prost(bytes = "vec", tag = "8")]
    nonce: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct Serials {
    #[prost(bytes = "vec", tag = "1")]
    root: Vec<u8>,
    #[prost(uint32, tag = "2")]
    count: u32,
    /// u32be first ‖ u32be count, each.
    #[prost(bytes = "vec", tag = "3")]
    ranges: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct OpenLot {
    #[prost(message, optional, tag = "1")]
    lot: Option<Lot>,
    #[prost(uint64, tag = "2")]
    mass_mg: u64,
    #[prost(uint64, tag = "3")]
    pieces: u64,
    #[prost(bytes = "vec", tag = "4")]
    mass_blinding: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    pieces_blinding: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct SerialProof {
    #[prost(string, tag = "1")]
    pub(crate) serial: String,
    #[prost(uint32, tag = "2")]
    pub(crate) place: u32,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) salt: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) path: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Event {
    #[prost(uint32, tag = "1")]
    version: u32,
    #[prost(uint32, tag = "2")]
    kind: u32,
    #[prost(bytes = "vec", tag = "3")]
    salt: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    process: Vec<u8>,
    #[prost(message, repeated, tag = "5")]
    inputs: Vec<InputName>,
    #[prost(message, repeated, tag = "6")]
    outputs: Vec<Lot>,
    #[prost(message, optional, tag = "7")]
    scrap: Option<Share>,
    #[prost(bytes = "vec", tag = "8")]
    origin: Vec<u8>,
    #[prost(message, optional, tag = "9")]
    uncertified: Option<Share>,
    #[prost(message, optional, tag = "10")]
    gain: Option<Share>,
    #[prost(message, repeated, tag = "11")]
    components: Vec<Lot>,
    #[prost(bytes = "vec", tag = "12")]
    component_salt: Vec<u8>,
    #[prost(bytes = "vec", tag = "13")]
    removed: Vec<u8>,
    #[prost(string, tag = "14")]
    reason: String,
    #[prost(uint64, tag = "15")]
    from_ms: u64,
    #[prost(uint64, tag = "16")]
    until_ms: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Message)]
struct InputName {
    #[prost(uint64, tag = "1")]
    leaf: u64,
    #[prost(uint32, tag = "2")]
    output: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Share {
    #[prost(bytes = "vec", tag = "1")]
    mass: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pieces: Vec<u8>,
    #[prost(uint32, tag = "3")]
    permille: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Proofs {
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub(crate) ranges: Vec<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub(crate) balances: Vec<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub(crate) serials: Vec<Vec<u8>>,
}

pub(crate) fn decode<M: Message + Default>(bytes: &[u8], limit: usize) -> Result<M, LotError> {
    if bytes.len() > limit {
        return Err(LotError::TooLong);
    }
    let mut rest = bytes;
    let mut entries: usize = 0;
    // An empty entry is two bytes and would be many more once decoded.
    while !rest.is_empty() {
        let malformed = |_| LotError::NotCanonical;
        let (tag, wire_type) = decode_key(&mut rest).map_err(malformed)?;
        skip_field(wire_type, tag, &mut rest, DecodeContext::default()).map_err(malformed)?;
        entries = entries.saturating_add(1);
        if entries > MAX_ENTRIES {
            return Err(LotError::NotCanonical);
        }
    }
    let message = M::decode(bytes).map_err(|_| LotError::NotCanonical)?;
    if message.encode_to_vec() == bytes { Ok(message) } else { Err(LotError::NotCanonical) }
}

pub(crate) fn exactly<const N: usize>(bytes: &[u8]) -> Result<[u8; N], LotError> {
    bytes.try_into().map_err(|_| LotError::NotCanonical)
}

fn hash(bytes: &[u8]) -> Result<Hash, LotError> {
    exactly(bytes).map(Hash)
}

fn maybe<T>(
    bytes: &[u8],
    read: impl FnOnce(&[u8]) -> Result<T, LotError>,
) -> Result<Option<T>, LotError> {
    if bytes.is_empty() { Ok(None) } else { read(bytes).map(Some) }
}

impl From<&crate::Serials> for Serials {
    fn from(serials: &crate::Serials) -> Self {
        let pair = |range: &Range| [range.first.to_be_bytes(), range.count.to_be_bytes()];
        let ranges = serials.ranges.as_slice().iter().flat_map(pair).flatten().collect();
        Self { root: serials.root.0.to_vec(), count: serials.count, ranges }
    }
}

impl Serials {
    fn read(&self) -> Result<crate::Serials, LotError> {
        let (pairs, rest) = self.ranges.as_chunks::<8>();
        if !rest.is_empty() || pairs.len() > crate::MAX_RANGES {
            return Err(LotError::NotCanonical);
        }
        let range = |pair: &[u8; 8]| {
            let both = u64::from_be_bytes(*pair);
            let first = u32::try_from(both >> 32).unwrap_or(u32::MAX);
            let count = u32::try_from(both & u64::from(u32::MAX)).unwrap_or(u32::MAX);
            Range { first, count }
        };
        let count = usize::try_from(self.count).unwrap_or(usize::MAX);
        if count > crate::MAX_SERIALS {
            return Err(LotError::Serials);
        }
        let ranges = Ranges::new(pairs.iter().map(range).collect(), self.count)?;
        Ok(crate::Serials { root: hash(&self.root)?, count: self.count, ranges })
    }
}

impl From<&crate::Lot> for Lot {
    fn from(lot: &crate::Lot) -> Self {
        let (seal, nonce) = (lot.seal.0.to_vec(), lot.nonce.to_vec());
        Self { seal, nonce, ..Self::content(&lot.content) }
    }
}

impl Lot {
    pub(crate) fn content(content: &Content) -> Self {
        Self {
            mass: content.mass.as_bytes().to_vec(),
            pieces: content.pieces.as_bytes().to_vec(),
            class: content.class.0.to_vec(),
            description: content.description.0.to_vec(),
            serials: content.serials.as_ref().map(Serials::from),
            expires_ms: content.expires_ms,
            seal: Vec::new(),
            nonce: Vec::new(),
        }
    }

    fn read_content(&self) -> Result<Content, LotError> {
        Ok(Content {
            mass: Amount::decode(&self.mass)?,
            pieces: Amount::decode(&self.pieces)?,
            class: hash(&self.class)?,
            description: hash(&self.description)?,
            serials: self.serials.as_ref().map(Serials::read).transpose()?,
            expires_ms: self.expires_ms,
        })
    }

    /// A component: a lot's content, without seal and nonce.
    fn component(&self) -> Result<Content, LotError> {
        if self.seal.is_empty() && self.nonce.is_empty() {
            self.read_content()
        } else {
            Err(LotError::NotCanonical)
        }
    }

    pub(crate) fn lot(&self) -> Result<crate::Lot, LotError> {
        let (seal, nonce) = (hash(&self.seal)?, exactly(&self.nonce)?);
        Ok(crate::Lot { content: self.read_content()?, seal, nonce })
    }
}

impl From<&crate::OpenLot> for OpenLot {
    fn from(open: &crate::OpenLot) -> Self {
        Self {
            lot: Some(Lot::from(open.lot())),
            mass_mg: open.mass().number,
            pieces: open.pieces().number,
            mass_blinding: open.mass().blinding.to_bytes().to_vec(),
            pieces_blinding: open.pieces().blinding.to_bytes().to_vec(),
        }
    }
}

impl OpenLot {
    pub(crate) fn figures(&self) -> Result<crate::LotFigures, LotError> {
        let lot = self.lot.as_ref().ok_or(LotError::NotCanonical)?;
        let description = hash(&lot.description)?;
        Ok(crate::LotFigures { mass_mg: self.mass_mg, pieces: self.pieces, description })
    }

    pub(crate) fn open(&self) -> Result<crate::OpenLot, LotError> {
        let amount = |number, blinding: &[u8]| -> Result<OpenAmount, LotError> {
            Ok(OpenAmount { number, blinding: Blinding::decode(exactly(blinding)?)? })
        };
        let lot = self.lot.as_ref().ok_or(LotError::NotCanonical)?.lot()?;
        let mass = amount(self.mass_mg, &self.mass_blinding)?;
        crate::OpenLot::open(lot, mass, amount(self.pieces, &self.pieces_blinding)?)
    }
}

impl From<&crate::Event> for Event {
    fn from(event: &crate::Event) -> Self {
        let share = |amounts: &Amounts, permille| Share {
            mass: amounts.mass.as_bytes().to_vec(),
            pieces: amounts.pieces.map(|pieces| pieces.as_bytes().to_vec()).unwrap_or_default(),
            permille,
        };
        let name = |input: &Input| InputName { leaf: input.leaf.0, output: input.output };
        let gain = |gain: &event::Gain| Share {
            mass: gain.mass.as_bytes().to_vec(),
            pieces: Vec::new(),
            permille: gain.permille,
        };
        Self {
            version: event::VERSION,
            kind: event.kind.code(),
            salt: event.salt.to_vec(),
            process: event.process.map(|id| id.0.to_vec()).unwrap_or_default(),
            inputs: event.inputs.iter().map(name).collect(),
            outputs: event.outputs.iter().map(Lot::from).collect(),
            scrap: event.scrap.as_ref().map(|scrap| share(scrap, 0)),
            origin: event.origin.map(|id| id.0.to_vec()).unwrap_or_default(),
            uncertified: event.uncertified.as_ref().map(|u| share(&u.amounts, u.permille)),
            gain: event.gain.as_ref().map(gain),
            components: event.components.iter().map(Lot::content).collect(),
            component_salt: event.component_salt.map(Vec::from).unwrap_or_default(),
            removed: event.removed.clone(),
            reason: event.reason.clone(),
            from_ms: event.from_ms,
            until_ms: event.until_ms,
        }
    }
}

impl Share {
    fn amounts(&self) -> Result<Amounts, LotError> {
        let pieces = maybe(&self.pieces, Amount::decode)?;
        Ok(Amounts { mass: Amount::decode(&self.mass)?, pieces })
    }
}

impl Event {
    pub(crate) fn read(&self) -> Result<crate::Event, LotError> {
        if self.version != event::VERSION {
            return Err(LotError::UnknownVersion);
        }
        if self.inputs.len() > event::MAX_INPUTS
            || self.outputs.len() > event::MAX_OUTPUTS
            || self.components.len() > event::MAX_INPUTS
        {
            return Err(LotError::Shape);
        }
        let name = |input: &InputName| Input {
            leaf: heatmark_merkle::LeafIndex(input.leaf),
            output: input.output,
        };
        Ok(crate::Event {
            kind: Kind::from_code(self.kind)?,
            salt: exactly(&self.salt)?,
            process: maybe(&self.process, hash)?,
            inputs: self.inputs.iter().map(name).collect(),
            outputs: self.outputs.iter().map(Lot::lot).collect::<Result<_, _>>()?,
            scrap: self.scrap.as_ref().map(scrap).transpose()?,
            origin: maybe(&self.origin, hash)?,
            uncertified: self.uncertified.as_ref().map(uncertified).transpose()?,
            gain: self.gain.as_ref().map(gain).transpose()?,
            components: self.components.iter().map(Lot::component).collect::<Result<_, _>>()?,
            component_salt: maybe(&self.component_salt, exactly)?,
            removed: self.removed.clone(),
            reason: self.reason.clone(),
            from_ms: self.from_ms,
            until_ms: self.until_ms,
        })
    }
}

fn scrap(share: &Share) -> Result<Amounts, LotError> {
    if share.permille == 0 { share.amounts() } else { Err(LotError::NotCanonical) }
}

fn uncertified(share: &Share) -> Result<event::Uncertified, LotError> {
    Ok(event::Uncertified { amounts: share.amounts()?, permille: share.permille })
}

fn gain(share: &Share) -> Result<event::Gain, LotError> {
    if !share.pieces.is_empty() {
        return Err(LotError::NotCanonical);
    }
    Ok(event::Gain { mass: Amount::decode(&share.mass)?, permille: share.permille })
}
