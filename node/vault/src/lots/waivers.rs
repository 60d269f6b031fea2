//! Waivers: who let a point of the capture plan be skipped, why, and until when. One stands for its point and product until then,
//! and is kept for ever; written with the event that it was given for.
//!
//! | database key | value |
//! |---|---|
//! | `6` time u64, event digest, number u8 | a waiver |

use prost::Message;

use super::{Captured, CapturedPoint};
use crate::rows::hash32;
use crate::writing::Writing;
use crate::{Actor, Vault, VaultError};

pub(crate) const WAIVER: u8 = b'6';

/// A waiver.
#[derive(Clone, PartialEq, Eq)]
pub struct Waiver {
    /// The point that may be skipped.
    pub point: String,
    /// The product at which it may be.
    pub product: String,
    /// Why.
    pub reason: String,
    /// Until when, in milliseconds since 1970.
    pub until_ms: u64,
    /// Who gave it: a name, and the key that they showed, where they came as a client.
    pub by: (String, Option<[u8; 32]>),
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
    /// The event that it was given for.
    pub event: [u8; 32],
}

impl std::fmt::Debug for Waiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waiver").field("until_ms", &self.until_ms).finish_non_exhaustive()
    }
}

#[derive(Clone, PartialEq, Message)]
struct WaiverMessage {
    #[prost(string, tag = "1")]
    point: String,
    #[prost(string, tag = "2")]
    product: String,
    #[prost(string, tag = "3")]
    reason: String,
    #[prost(uint64, tag = "4")]
    until_ms: u64,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(bytes = "vec", optional, tag = "6")]
    key: Option<Vec<u8>>,
    #[prost(uint64, tag = "7")]
    at_ms: u64,
    #[prost(bytes = "vec", tag = "8")]
    event: Vec<u8>,
}

/// What was captured, as the vault keeps it.
#[derive(Clone, PartialEq, Message)]
pub(super) struct CapturedMessage {
    #[prost(uint32, tag = "1")]
    inputs: u32,
    #[prost(uint32, tag = "2")]
    scanned: u32,
    #[prost(message, repeated, tag = "3")]
    points: Vec<PointMessage>,
    #[prost(uint64, tag = "4")]
    happened_ms: u64,
    #[prost(uint64, tag = "5")]
    recorded_ms: u64,
    #[prost(string, repeated, tag = "6")]
    products: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct PointMessage {
    #[prost(string, tag = "1")]
    product: String,
    #[prost(string, tag = "2")]
    point: String,
    #[prost(bool, tag = "3")]
    waived: bool,
}

impl From<&Captured> for CapturedMessage {
    fn from(captured: &Captured) -> Self {
        let point = |point: &CapturedPoint| PointMessage {
            product: point.product.clone(),
            point: point.point.clone(),
            waived: point.waived,
        };
        Self {
            inputs: captured.inputs,
            scanned: captured.scanned,
            points: captured.points.iter().map(point).collect(),
            happened_ms: captured.happened_ms,
            recorded_ms: captured.recorded_ms,
            products: captured.products.clone(),
        }
    }
}

impl From<CapturedMessage> for Captured {
    fn from(message: CapturedMessage) -> Self {
        let point = |point: PointMessage| CapturedPoint {
            product: point.product,
            point: point.point,
            waived: point.waived,
        };
        Self {
            inputs: message.inputs,
            scanned: message.scanned,
            points: message.points.into_iter().map(point).collect(),
            happened_ms: message.happened_ms,
            recorded_ms: message.recorded_ms,
            products: message.products,
        }
    }
}

impl Waiver {
    /// Who somebody is, as a waiver names them.
    #[must_use]
    pub fn giver(actor: &Actor) -> (String, Option<[u8; 32]>) {
        match actor {
            Actor::Node => ("the node itself".to_owned(), None),
            Actor::Client { key, name } => (name.clone(), Some(*key)),
            Actor::User { name } => (name.clone(), None),
        }
    }

    pub(super) fn put(&self, write: &mut Writing<'_>, number: u8) {
        let message = WaiverMessage {
            point: self.point.clone(),
            product: self.product.clone(),
            reason: self.reason.clone(),
            until_ms: self.until_ms,
            name: self.by.0.clone(),
            key: self.by.1.map(Vec::from),
            at_ms: self.at_ms,
            event: self.event.to_vec(),
        };
        let at = self.at_ms.to_be_bytes();
        let place = [&[WAIVER], &at[..], &self.event, &[number]].concat();
        write.put(&place, &message.encode_to_vec());
    }
}

impl Vault {
    /// All waivers that were ever given, oldest first.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn waivers(&self) -> Result<Vec<Waiver>, VaultError> {
        let mut waivers = Vec::new();
        self.scan(&[WAIVER], |_, value| {
            let message = WaiverMessage::decode(value).map_err(|_| VaultError::Damaged)?;
            waivers.push(Waiver {
                point: message.point,
                product: message.product,
                reason: message.reason,
                until_ms: message.until_ms,
                by: (message.name, message.key.as_deref().map(hash32).transpose()?),
                at_ms: message.at_ms,
                event: hash32(&message.event)?,
            });
            Ok(true)
        })?;
        Ok(waivers)
    }
}
