//! Lots that this organisation owns or owned, and the events that they came from and went into. An event is on disk,
//! synced, with the very envelope that goes to the log, before it leaves the node; from then on its inputs are spoken
//! for. Refuses a lot that another event has, a name that another lot bears, and a second commission of a certificate.
//!
//! | database key | value | sealed under |
//! |---|---|---|
//! | `.seal` | next seal index | master |
//! | `t` lot hash | a lot with its quantities, its description and what became of it | master |
//! | `g` keyed hash of a name | lot hash | master |
//! | `e` event digest | an event, its proofs, its envelope and its place on the log | master |
//! | `b` event digest | nothing; there while the event's place on the log is not known | master |
//! | `h` record id | digest of the event that commissioned the certificate's material | master |
//! | `1` to `6` | what is kept with an event, serials, waivers: see `beside`, `serials`, `waivers` | master |
//! | `L` leaf | digest of the event that stands there | master |
//!
//! Lots and events are opaque here: `heatmark-lots` makes and reads them.

pub(crate) mod beside;
mod names;
pub(crate) mod serials;
#[cfg(test)]
mod tests;
pub(crate) mod waivers;

pub use beside::{Beside, Captured, CapturedPoint, Part, Parts};
pub use names::MAX_LOT_NAME_BYTES;
pub use serials::{NewSerialTree, SerialTreeRow};
pub use waivers::Waiver;

use heatmark_records::RecordId;
use prost::Message;
use zeroize::Zeroizing;

use crate::rows::hash32;
use crate::vault::key;
use crate::writing::{Writing, now_ms};
use crate::{Actor, Deed, ParcelState, Vault, VaultError};
use names::Naming;

const SEAL_INDEX: &[u8] = b".seal";
pub(crate) const LOT: u8 = b't';
pub(crate) const NAME: u8 = b'g';
pub(crate) const EVENT: u8 = b'e';
pub(crate) const WAITING: u8 = b'b';
pub(crate) const COMMISSIONED: u8 = b'h';
pub(crate) const AT_LEAF: u8 = b'L';

/// What became of a lot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LotState {
    /// The event that makes it is not on the log yet.
    Coming,
    /// It is there to be used.
    Standing,
    /// An event that uses it is on its way.
    Leaving,
    /// It was used.
    Used,
}

/// A lot of this organisation.
#[derive(Clone, PartialEq, Eq)]
pub struct LotRow {
    /// Its hash, as it stands on the log.
    pub hash: [u8; 32],
    /// The name by which people know it here.
    pub name: String,
    /// Its opening, encoded.
    pub open: Zeroizing<Vec<u8>>,
    /// The opening of its description, encoded.
    pub description: Zeroizing<Vec<u8>>,
    /// Index of its seal under the node's seed.
    pub seal_index: u64,
    /// Digest of the event that makes it.
    pub event: [u8; 32],
    /// Its place among that event's outputs.
    pub output: u32,
    /// The leaf of that event, once it stands.
    pub leaf_index: Option<u64>,
    /// What became of it.
    pub state: LotState,
    /// Digest of the event that uses it, if one does.
    pub used_by: Option<[u8; 32]>,
    /// When it was made or received, by the node's clock, in milliseconds since 1970.
    pub at_ms: u64,
}

impl std::fmt::Debug for LotRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LotRow").field("state", &self.state).finish_non_exhaustive()
    }
}

/// A lot that an event makes.
#[derive(Clone)]
pub struct NewLot {
    /// Its hash.
    pub hash: [u8; 32],
    /// What people call it: 1 to 128 bytes, of no other lot here but one that the event uses or takes out.
    pub name: String,
    /// Its opening, encoded.
    pub open: Zeroizing<Vec<u8>>,
    /// The opening of its description, encoded.
    pub description: Zeroizing<Vec<u8>>,
    /// Index of its seal.
    pub seal_index: u64,
    /// Its place among the event's outputs.
    pub output: u32,
}

/// An event as it was made or received.
#[derive(Clone, PartialEq, Eq)]
pub struct LotEventRow {
    /// Its digest, as it stands on the log.
    pub digest: [u8; 32],
    /// The number of its kind.
    pub kind: u32,
    /// Its body, encoded.
    pub event: Vec<u8>,
    /// Its proofs, encoded.
    pub proofs: Vec<u8>,
    /// What opens the seals that it breaks, in the order of its inputs.
    pub blinds: Vec<[u8; 32]>,
    /// Id of the transaction that carries it.
    pub transaction_id: [u8; 32],
    /// That transaction, byte for byte.
    pub envelope: Vec<u8>,
    /// Hashes of the lots that it uses, in order.
    pub inputs: Vec<[u8; 32]>,
    /// Hashes of the lots that it makes, in order.
    pub outputs: Vec<[u8; 32]>,
    /// The certificate whose material it commissions.
    pub origin: Option<RecordId>,
    /// Its leaf, once it stands.
    pub leaf_index: Option<u64>,
    /// When it was made, by the node's clock, in milliseconds since 1970.
    pub at_ms: u64,
}

impl std::fmt::Debug for LotEventRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LotEventRow").field("kind", &self.kind).finish_non_exhaustive()
    }
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct LotMessage {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(bytes = "vec", tag = "2")]
    open: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    description: Vec<u8>,
    #[prost(uint64, tag = "4")]
    seal_index: u64,
    #[prost(bytes = "vec", tag = "5")]
    event: Vec<u8>,
    #[prost(uint32, tag = "6")]
    output: u32,
    #[prost(uint64, optional, tag = "7")]
    leaf_index: Option<u64>,
    #[prost(bytes = "vec", optional, tag = "8")]
    pub(crate) used_by: Option<Vec<u8>>,
    #[prost(bool, tag = "9")]
    used: bool,
    #[prost(uint64, tag = "10")]
    at_ms: u64,
    /// The lot that bore its name before.
    #[prost(bytes = "vec", optional, tag = "30")]
    bore_name: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct EventMessage {
    #[prost(uint32, tag = "1")]
    kind: u32,
    #[prost(bytes = "vec", tag = "2")]
    event: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    proofs: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "4")]
    blinds: Vec<Vec<u8>>,
    #[prost(bytes = "vec", tag = "5")]
    transaction_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "6")]
    envelope: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "7")]
    inputs: Vec<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "8")]
    outputs: Vec<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "9")]
    origin: Option<Vec<u8>>,
    #[prost(uint64, optional, tag = "10")]
    leaf_index: Option<u64>,
    #[prost(uint64, tag = "11")]
    at_ms: u64,
    /// The transfer that this event takes back.
    #[prost(bytes = "vec", optional, tag = "12")]
    cancels: Option<Vec<u8>>,
}

impl Vault {
    /// Takes `count` consecutive seal indices with one synced write, and gives the first; none is given twice, not
    /// even across a crash.
    ///
    /// # Errors
    /// `NoAlertIndex` when they ran out, `Damaged`, or `Database`.
    pub fn take_seal_indices(&self, count: u64) -> Result<u64, VaultError> {
        let mut write = self.begin()?;
        let first = self.seal_index()?;
        let next = first.checked_add(count).ok_or(VaultError::NoAlertIndex)?;
        write.put(SEAL_INDEX, &next.to_be_bytes());
        write.commit()?;
        Ok(first)
    }

    /// Makes every further seal index at least `index`: what a restored node does.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn skip_seal_indices(&self, index: u64) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        if self.seal_index()? < index {
            write.put(SEAL_INDEX, &index.to_be_bytes());
        }
        write.commit()
    }

    pub(crate) fn seal_index(&self) -> Result<u64, VaultError> {
        let Some(bytes) = self.get(SEAL_INDEX)? else { return Ok(0) };
        bytes.as_slice().try_into().map(u64::from_be_bytes).map_err(|_| VaultError::Damaged)
    }

    /// Keeps an event and the lots that it makes, synced, and reserves the lots that it uses.
    ///
    /// # Errors
    /// `UnknownLot`, `LotUsed`, `LotNotThere`, `LotName`, `LotNameTaken`, `Commissioned`; nothing was written then.
    /// `Damaged` or `Database`.
    pub fn put_event(
        &self,
        by: &Actor,
        event: &LotEventRow,
        lots: &[NewLot],
    ) -> Result<(), VaultError> {
        self.put_event_with(by, event, lots, &Beside::default())
    }

    /// As [`Vault::put_event`], with what is kept beside the event.
    ///
    /// # Errors
    /// As [`Vault::put_event`].
    pub fn put_event_with(
        &self,
        by: &Actor,
        event: &LotEventRow,
        lots: &[NewLot],
        beside: &Beside,
    ) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        self.stage_event(&mut write, (event, lots), None, &beside.heirs)?;
        self.put_beside(&mut write, &event.digest, beside)?;
        write.put(&key(WAITING, &event.digest), &[]);
        write.note(by, Deed::LotEvent, Some(event.digest), u64::from(event.kind));
        write.commit()
    }

    /// Puts an event, the lots that it makes and the mark on those that it uses into a write. An event that cancels a
    /// transfer uses what that one uses. Its lots may bear the names of those that it uses, and of `heirs`.
    pub(crate) fn stage_event(
        &self,
        write: &mut Writing<'_>,
        (event, lots): (&LotEventRow, &[NewLot]),
        cancels: Option<&[u8; 32]>,
        heirs: &[[u8; 32]],
    ) -> Result<(), VaultError> {
        if let Some(record) = &event.origin {
            let place = key(COMMISSIONED, &record.0);
            if self.get(&place)?.is_some() {
                return Err(VaultError::Commissioned(*record));
            }
            write.put(&place, &event.digest);
        }
        for hash in &event.inputs {
            let lot = self.lot_message(hash)?.ok_or(VaultError::UnknownLot)?;
            if lot.used_by.as_deref() != cancels.map(|transfer| &transfer[..]) {
                return Err(VaultError::LotUsed(lot.name));
            }
            if lot.leaf_index.is_none() {
                return Err(VaultError::LotNotThere(lot.name));
            }
            let used = LotMessage { used_by: Some(event.digest.to_vec()), ..lot };
            write.put(&key(LOT, hash), &used.encode_to_vec());
        }
        let givers = [event.inputs.as_slice(), heirs];
        let mut naming = Naming::new(&givers);
        for lot in lots {
            let before = self.give_name(write, &mut naming, (&lot.name, &lot.hash))?;
            let message = LotMessage {
                name: lot.name.clone(),
                open: lot.open.to_vec(),
                description: lot.description.to_vec(),
                seal_index: lot.seal_index,
                event: event.digest.to_vec(),
                output: lot.output,
                at_ms: now_ms(),
                ..LotMessage::default()
            }
            .named_after(before);
            write.put(&key(LOT, &lot.hash), &Zeroizing::new(message.encode_to_vec()));
        }
        let cancels = cancels.map(|transfer| transfer.to_vec());
        let message = EventMessage { cancels, ..message_of(event) };
        write.put(&key(EVENT, &event.digest), &message.encode_to_vec());
        Ok(())
    }

    /// Events whose place on the log is not known yet: submit them again, byte for byte.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn waiting_events(&self) -> Result<Vec<LotEventRow>, VaultError> {
        let mut digests = Vec::new();
        self.scan(&[WAITING], |digest, _| {
            digests.push(hash32(digest)?);
            Ok(true)
        })?;
        let event = |digest| self.lot_event(digest)?.ok_or(VaultError::Damaged);
        digests.iter().map(event).collect()
    }

    /// Notes where an event stands, synced: its lots can be used, and what it used is gone.
    ///
    /// # Errors
    /// `UnknownLot`, `Damaged` or `Database`.
    pub fn event_stands(&self, digest: &[u8; 32], leaf_index: u64) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        self.stage_standing(&mut write, digest, leaf_index)?;
        write.commit()
    }

    pub(crate) fn stage_standing(
        &self,
        write: &mut Writing<'_>,
        digest: &[u8; 32],
        leaf_index: u64,
    ) -> Result<(), VaultError> {
        let place = key(EVENT, digest);
        let event = self.get(&place)?.ok_or(VaultError::UnknownLot)?;
        // The log has the transaction from here on.
        let (leaf, envelope) = (Some(leaf_index), Vec::new());
        let event = EventMessage { leaf_index: leaf, envelope, ..decode(&event)? };
        write.put(&place, &event.encode_to_vec());
        write.put(&leaf_key(leaf_index), digest);
        Self::stage_unoutlined(write, leaf_index);
        if let Some(transfer) = &event.cancels {
            self.stage_cancelled(write, &hash32(transfer)?)?;
        }
        self.stage_settled(write, digest, ParcelState::Accepted)?;
        for hash in &event.outputs {
            // Of a transfer, the lot is another's.
            if let Some(lot) = self.lot_message(&hash32(hash)?)? {
                let lot = LotMessage { leaf_index: Some(leaf_index), ..lot };
                write.put(&key(LOT, &hash32(hash)?), &Zeroizing::new(lot.encode_to_vec()));
            }
        }
        for hash in &event.inputs {
            if let Some(lot) = self.lot_message(&hash32(hash)?)? {
                let lot = LotMessage { used: true, used_by: Some(digest.to_vec()), ..lot };
                write.put(&key(LOT, &hash32(hash)?), &Zeroizing::new(lot.encode_to_vec()));
            }
        }
        write.delete(&key(WAITING, digest));
        Ok(())
    }

    /// Forgets an event that can no longer stand on the log: what it was to use is free again, or on the way that the event
    /// was to take back.
    ///
    /// # Errors
    /// `UnknownLot`, `Damaged` or `Database`.
    pub fn event_lapsed(&self, digest: &[u8; 32]) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        let message = self.get(&key(EVENT, digest))?.ok_or(VaultError::UnknownLot)?;
        let message = decode(&message)?;
        let transfer = message.cancels.as_deref().map(hash32).transpose()?;
        let event = event_row(*digest, message)?;
        for hash in &event.outputs {
            self.forget_lot(&mut write, hash)?;
        }
        self.stage_settled(&mut write, digest, ParcelState::Lapsed)?;
        let still = transfer.filter(|transfer| matches!(self.is_underway(transfer), Ok(true)));
        for hash in &event.inputs {
            if let Some(lot) = self.lot_message(hash)? {
                if transfer.is_some() {
                    write.put(&self.name_place(&lot.name)?, hash);
                }
                let used_by = still.map(|transfer| transfer.to_vec());
                let lot = LotMessage { used_by, ..lot };
                write.put(&key(LOT, hash), &Zeroizing::new(lot.encode_to_vec()));
            }
        }
        if let Some(transfer) = &still {
            self.stage_going_on(&mut write, transfer)?;
        }
        if let Some(record) = &event.origin {
            write.delete(&key(COMMISSIONED, &record.0));
        }
        self.forget_beside(&mut write, digest)?;
        write.delete(&key(EVENT, digest));
        write.delete(&key(WAITING, digest));
        write.commit()
    }

    pub(crate) fn forget_event(write: &mut Writing<'_>, digest: &[u8; 32]) {
        write.delete(&key(EVENT, digest));
        write.delete(&key(WAITING, digest));
    }

    /// The event that stands at a leaf, where it is one of those kept here.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn lot_event_at(&self, leaf: u64) -> Result<Option<LotEventRow>, VaultError> {
        match self.get(&leaf_key(leaf))? {
            Some(digest) => self.lot_event(&hash32(&digest)?),
            None => Ok(None),
        }
    }

    /// An event by its digest.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn lot_event(&self, digest: &[u8; 32]) -> Result<Option<LotEventRow>, VaultError> {
        let Some(event) = self.get(&key(EVENT, digest))? else { return Ok(None) };
        event_row(*digest, decode(&event)?).map(Some)
    }

    /// A lot by its hash.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn lot(&self, hash: &[u8; 32]) -> Result<Option<LotRow>, VaultError> {
        self.lot_message(hash)?.map(|lot| lot_row(*hash, lot)).transpose()
    }

    /// A lot by its name.
    ///
    /// # Errors
    /// `LotName`, `Damaged` or `Database`.
    pub fn lot_named(&self, name: &str) -> Result<Option<LotRow>, VaultError> {
        match self.get(&self.name_place(name)?)? {
            Some(hash) => self.lot(&hash32(&hash)?),
            None => Ok(None),
        }
    }

    /// Lots after one hash, or from the first on, ascending by hash, at most `limit`.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn lots(&self, after: Option<&[u8; 32]>, limit: usize) -> Result<Vec<LotRow>, VaultError> {
        let mut rows = Vec::new();
        let from = after.map_or(&[][..], |hash| hash);
        self.scan_from(&[LOT], from, |hash, value| {
            let hash = hash32(hash)?;
            if Some(&hash) != after && rows.len() < limit {
                let lot = LotMessage::decode(value).map_err(|_| VaultError::Damaged)?;
                rows.push(lot_row(hash, lot)?);
            }
            Ok(rows.len() < limit)
        })?;
        Ok(rows)
    }

    pub(crate) fn lot_message(&self, hash: &[u8; 32]) -> Result<Option<LotMessage>, VaultError> {
        let lot = self.get(&key(LOT, hash))?;
        lot.map(|lot| LotMessage::decode(lot.as_slice()).map_err(|_| VaultError::Damaged))
            .transpose()
    }
}

fn leaf_key(leaf: u64) -> Vec<u8> {
    [&[AT_LEAF][..], &leaf.to_be_bytes()].concat()
}

fn decode(bytes: &[u8]) -> Result<EventMessage, VaultError> {
    EventMessage::decode(bytes).map_err(|_| VaultError::Damaged)
}

fn message_of(event: &LotEventRow) -> EventMessage {
    let hashes = |hashes: &[[u8; 32]]| hashes.iter().map(|hash| hash.to_vec()).collect();
    EventMessage {
        kind: event.kind,
        event: event.event.clone(),
        proofs: event.proofs.clone(),
        blinds: hashes(&event.blinds),
        transaction_id: event.transaction_id.to_vec(),
        envelope: event.envelope.clone(),
        inputs: hashes(&event.inputs),
        outputs: hashes(&event.outputs),
        origin: event.origin.map(|record| record.0.to_vec()),
        leaf_index: event.leaf_index,
        at_ms: event.at_ms,
        cancels: None,
    }
}

fn event_row(digest: [u8; 32], event: EventMessage) -> Result<LotEventRow, VaultError> {
    let hashes = |hashes: &[Vec<u8>]| -> Result<Vec<[u8; 32]>, VaultError> {
        hashes.iter().map(|hash| hash32(hash)).collect()
    };
    Ok(LotEventRow {
        digest,
        kind: event.kind,
        blinds: hashes(&event.blinds)?,
        transaction_id: hash32(&event.transaction_id)?,
        inputs: hashes(&event.inputs)?,
        outputs: hashes(&event.outputs)?,
        origin: event.origin.map(|record| crate::rows::record_id(&record)).transpose()?,
        event: event.event,
        proofs: event.proofs,
        envelope: event.envelope,
        leaf_index: event.leaf_index,
        at_ms: event.at_ms,
    })
}

fn lot_row(hash: [u8; 32], lot: LotMessage) -> Result<LotRow, VaultError> {
    let state = match (lot.leaf_index, &lot.used_by) {
        (None, _) => LotState::Coming,
        (Some(_), None) => LotState::Standing,
        (Some(_), Some(_)) if lot.used => LotState::Used,
        (Some(_), Some(_)) => LotState::Leaving,
    };
    Ok(LotRow {
        hash,
        event: hash32(&lot.event)?,
        used_by: lot.used_by.as_deref().map(hash32).transpose()?,
        name: lot.name,
        open: Zeroizing::new(lot.open),
        description: Zeroizing::new(lot.description),
        seal_index: lot.seal_index,
        output: lot.output,
        leaf_index: lot.leaf_index,
        state,
        at_ms: lot.at_ms,
    })
}
