//! What is kept with an event of lots and stands neither on the log nor in its body: the opening of its process record, what a
//! container or product that it made is taken apart into, and what the capture plan had to say. Written with the event in one
//! synced write, and gone with it when it lapses.
//!
//! | database key | value |
//! |---|---|
//! | `1` event digest | the process record's opening, the class that was put together, inputs scanned, points |
//! | `2` class | the components of a container or product, with their quantities |

use heatmark_records::Opening;
use prost::Message;
use zeroize::Zeroizing;

use super::Waiver;
use super::waivers::CapturedMessage;
use crate::rows::hash32;
use crate::vault::key;
use crate::writing::Writing;
use crate::{Vault, VaultError};

pub(crate) const BESIDE: u8 = b'1';
pub(crate) const PARTS: u8 = b'2';

/// What is kept with an event.
#[derive(Clone, Default)]
pub struct Beside {
    /// The opening of its process record, encoded.
    pub process: Option<Zeroizing<Vec<u8>>>,
    /// What it put together.
    pub parts: Option<Parts>,
    /// Lots whose names its outputs may bear although they are no inputs: the components that it takes out.
    pub heirs: Vec<[u8; 32]>,
    /// Trees of serials that begin in it, by root; they are kept before it.
    pub trees: Vec<[u8; 32]>,
    /// What was recorded of it, as the capture plan asks.
    pub captured: Captured,
    /// Waivers that were given for it; the event's digest is put in.
    pub waivers: Vec<Waiver>,
}

impl std::fmt::Debug for Beside {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Beside").finish_non_exhaustive()
    }
}

/// What was recorded of an event.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Captured {
    /// How many lots it used.
    pub inputs: u32,
    /// Of these, how many were scanned.
    pub scanned: u32,
    /// The points that the plan demanded of it.
    pub points: Vec<CapturedPoint>,
    /// When it happened, by whoever recorded it, in milliseconds since 1970; 0 where they did not tell.
    pub happened_ms: u64,
    /// When it was recorded, by the node's clock.
    pub recorded_ms: u64,
    /// What it was about: the products of the lots that it made, or else of those that it used, each once.
    pub products: Vec<String>,
}

impl std::fmt::Debug for Captured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Captured").field("points", &self.points.len()).finish_non_exhaustive()
    }
}

/// A point that the capture plan demanded.
#[derive(Clone, PartialEq, Eq)]
pub struct CapturedPoint {
    /// At which product.
    pub product: String,
    /// Its name.
    pub point: String,
    /// Whether it was skipped under a waiver.
    pub waived: bool,
}

impl std::fmt::Debug for CapturedPoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CapturedPoint").field("waived", &self.waived).finish_non_exhaustive()
    }
}

/// What a container or a product consists of.
#[derive(Clone, PartialEq, Eq)]
pub struct Parts {
    /// Its class, which follows from its components.
    pub class: [u8; 32],
    /// Whether it is a product, whose host is the first component.
    pub product: bool,
    /// Salt of the event that put it together.
    pub salt: [u8; 32],
    /// Its components, in their order.
    pub components: Vec<Part>,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Parts({})", self.components.len())
    }
}

/// A component as it was when it went in.
#[derive(Clone, PartialEq, Eq)]
pub struct Part {
    /// The lot that went in.
    pub lot: [u8; 32],
    /// Its name.
    pub name: String,
    /// Its opening, encoded.
    pub open: Zeroizing<Vec<u8>>,
    /// The opening of its description, encoded.
    pub description: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Part")
    }
}

#[derive(Clone, PartialEq, Message)]
struct BesideMessage {
    #[prost(bytes = "vec", optional, tag = "1")]
    process: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "2")]
    class: Option<Vec<u8>>,
    #[prost(message, optional, tag = "3")]
    captured: Option<CapturedMessage>,
    #[prost(bytes = "vec", repeated, tag = "7")]
    trees: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct PartsMessage {
    #[prost(bool, tag = "1")]
    product: bool,
    #[prost(bytes = "vec", tag = "2")]
    salt: Vec<u8>,
    #[prost(message, repeated, tag = "3")]
    components: Vec<PartMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct PartMessage {
    #[prost(bytes = "vec", tag = "1")]
    lot: Vec<u8>,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(bytes = "vec", tag = "3")]
    open: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    description: Vec<u8>,
}

impl Vault {
    /// The process record of an event, opened; none where nothing was recorded.
    ///
    /// # Errors
    /// `Opening`, `Damaged` or `Database`.
    pub fn process(&self, event: &[u8; 32]) -> Result<Option<Opening>, VaultError> {
        let Some(beside) = self.beside_message(event)? else { return Ok(None) };
        let process = beside.process.map(Zeroizing::new);
        Ok(process.map(|process| Opening::decode(&process)).transpose()?)
    }

    /// Visits the process records of all events made here, opened, in the order of the events' digests, until told to stop.
    ///
    /// # Errors
    /// `Opening`, `Damaged`, `Database`, or what the visitor fails with.
    pub fn each_process(
        &self,
        mut visit: impl FnMut([u8; 32], Opening) -> Result<bool, VaultError>,
    ) -> Result<(), VaultError> {
        self.scan(&[BESIDE], |digest, value| {
            let beside = BesideMessage::decode(value).map_err(|_| VaultError::Damaged)?;
            let Some(process) = beside.process.map(Zeroizing::new) else { return Ok(true) };
            visit(hash32(digest)?, Opening::decode(&process)?)
        })
    }

    /// What was recorded of an event; none for one that was not made here.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn captured(&self, event: &[u8; 32]) -> Result<Option<Captured>, VaultError> {
        let beside = self.beside_message(event)?;
        Ok(beside.and_then(|beside| beside.captured).map(Captured::from))
    }

    /// Visits what was recorded of every event made here, in the order of their digests, until told to stop.
    ///
    /// # Errors
    /// `Damaged`, `Database`, or what the visitor fails with.
    pub fn each_captured(
        &self,
        mut visit: impl FnMut([u8; 32], Captured) -> Result<bool, VaultError>,
    ) -> Result<(), VaultError> {
        self.scan(&[BESIDE], |digest, value| {
            let beside = BesideMessage::decode(value).map_err(|_| VaultError::Damaged)?;
            let Some(captured) = beside.captured else { return Ok(true) };
            visit(hash32(digest)?, captured.into())
        })
    }

    /// What lots of a class consist of; none for a class that is of no container or product, or of one whose components
    /// nobody told.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn parts(&self, class: &[u8; 32]) -> Result<Option<Parts>, VaultError> {
        let Some(parts) = self.get(&key(PARTS, class))? else { return Ok(None) };
        let parts = PartsMessage::decode(parts.as_slice()).map_err(|_| VaultError::Damaged)?;
        let part = |part: PartMessage| -> Result<Part, VaultError> {
            Ok(Part {
                lot: hash32(&part.lot)?,
                name: part.name,
                open: Zeroizing::new(part.open),
                description: Zeroizing::new(part.description),
            })
        };
        Ok(Some(Parts {
            class: *class,
            product: parts.product,
            salt: hash32(&parts.salt)?,
            components: parts.components.into_iter().map(part).collect::<Result<_, _>>()?,
        }))
    }

    /// Keeps what a container or product consists of that came from another, synced.
    ///
    /// # Errors
    /// `Database`.
    pub fn put_parts(&self, parts: &Parts) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        parts.put(&mut write);
        write.commit()
    }

    pub(super) fn put_beside(
        &self,
        write: &mut Writing<'_>,
        event: &[u8; 32],
        beside: &Beside,
    ) -> Result<(), VaultError> {
        self.bind_serials(write, event, &beside.trees)?;
        let message = BesideMessage {
            process: beside.process.as_ref().map(|process| process.to_vec()),
            class: beside.parts.as_ref().map(|parts| parts.class.to_vec()),
            captured: Some(CapturedMessage::from(&beside.captured)),
            trees: beside.trees.iter().map(|root| root.to_vec()).collect(),
        };
        write.put(&key(BESIDE, event), &Zeroizing::new(message.encode_to_vec()));
        if let Some(parts) = &beside.parts {
            parts.put(write);
        }
        for (number, waiver) in (0_u8..).zip(&beside.waivers) {
            Waiver { event: *event, ..waiver.clone() }.put(write, number);
        }
        Ok(())
    }

    pub(super) fn forget_beside(
        &self,
        write: &mut Writing<'_>,
        event: &[u8; 32],
    ) -> Result<(), VaultError> {
        let Some(beside) = self.beside_message(event)? else { return Ok(()) };
        if let Some(class) = beside.class {
            write.delete(&key(PARTS, &hash32(&class)?));
        }
        self.unbind_serials(write, &beside.trees)?;
        write.delete(&key(BESIDE, event));
        Ok(())
    }

    fn beside_message(&self, event: &[u8; 32]) -> Result<Option<BesideMessage>, VaultError> {
        let beside = self.get(&key(BESIDE, event))?;
        let decode = |beside: Zeroizing<Vec<u8>>| BesideMessage::decode(beside.as_slice());
        beside.map(decode).transpose().map_err(|_| VaultError::Damaged)
    }
}

impl Parts {
    fn put(&self, write: &mut Writing<'_>) {
        let part = |part: &Part| PartMessage {
            lot: part.lot.to_vec(),
            name: part.name.clone(),
            open: part.open.to_vec(),
            description: part.description.to_vec(),
        };
        let message = PartsMessage {
            product: self.product,
            salt: self.salt.to_vec(),
            components: self.components.iter().map(part).collect(),
        };
        write.put(&key(PARTS, &self.class), &Zeroizing::new(message.encode_to_vec()));
    }
}
