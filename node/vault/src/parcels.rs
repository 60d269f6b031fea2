//! Lots on their way between companies: seals offered and seals one was offered, lots sent and lots received, each on disk
//! with the event that hands them over before it leaves the node or is posted. Refuses a seal that was not offered or was
//! used, and lots that are somewhere else already.
//!
//! | database key | value | sealed under |
//! |---|---|---|
//! | `O` seal | a seal that this organisation offered: its index, to whom, whether it was used | master |
//! | `S` member, seal | a seal that a member offered and nothing was sent under yet | master |
//! | `H` id | what is to be sent once the receiver has offered seals | master |
//! | `P` transfer digest | lots sent or received, and what became of them | master |
//! | `C` transfer digest | the parcel sent, until its fate is known | master |
//! | `Y` transfer digest | nothing; there while its fate is open or a letter about it has yet to be written | master |

#[cfg(test)]
mod tests;

use prost::Message;
use zeroize::Zeroizing;

use crate::lots::LOT;
use crate::rows::hash32;
use crate::vault::key;
use crate::writing::{Writing, now_ms};
use crate::{
    Actor, Deed, LotEventRow, NamedRecord, NewLot, UpstreamEvent, UpstreamRecord, Vault, VaultError,
};

pub(crate) const OFFERED: u8 = b'O';
pub(crate) const STRANGER: u8 = b'S';
pub(crate) const SHIPMENT: u8 = b'H';
pub(crate) const PARCEL: u8 = b'P';
pub(crate) const CONTENT: u8 = b'C';
pub(crate) const OPEN: u8 = b'Y';

/// A seal that this organisation offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedSeal {
    /// Its hash.
    pub seal: [u8; 32],
    /// Its index under the node's seed.
    pub index: u64,
    /// The member that may use it.
    pub to: [u8; 32],
    /// Whether a parcel under it was received.
    pub used: bool,
}

/// A seal that another member offered to this organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrangerSeal {
    /// The member.
    pub from: [u8; 32],
    /// Its hash.
    pub seal: [u8; 32],
}

/// What became of a parcel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParcelState {
    /// The receiver has not posted it, or its posting does not stand yet.
    Underway,
    /// It stands on the log: the lots are the receiver's.
    Accepted,
    /// Its window is over: the lots are the sender's.
    Lapsed,
    /// The sender took it back.
    Cancelled,
    /// The receiver said that it does not take it. The lots are the sender's once that has cancelled it or its window is over.
    Refused,
}

/// Lots sent or received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParcelRow {
    /// Digest of the transfer.
    pub transfer: [u8; 32],
    /// The other member.
    pub peer: [u8; 32],
    /// Whether it was sent from here.
    pub sent: bool,
    /// Hashes of the lots as they are or were this organisation's.
    pub lots: Vec<[u8; 32]>,
    /// What became of it.
    pub state: ParcelState,
    /// Until when it can be posted, in milliseconds since 1970.
    pub not_after_ms: u64,
    /// When it was sent or received, by the node's clock.
    pub at_ms: u64,
    /// The despatch advice, encoded.
    pub advice: Vec<u8>,
    /// What the receiver said, a signed file; none if it said nothing.
    pub answer: Option<Vec<u8>>,
    /// Whether the letter with the parcel, or with that answer, has yet to be written.
    pub letter_waits: bool,
    /// The event that is to take it back, while that is on its way.
    pub cancelled_by: Option<[u8; 32]>,
}

/// What is to be sent once there are seals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShipmentRow {
    /// Its id.
    pub id: [u8; 32],
    /// To whom.
    pub to: [u8; 32],
    /// The plan, encoded.
    pub plan: Vec<u8>,
    /// When it was asked for.
    pub at_ms: u64,
    /// Why it could not be made, once the seals were there.
    pub trouble: String,
}

/// A parcel to be kept.
#[derive(Debug, Clone)]
pub struct NewParcel<'a> {
    /// The transfer, without envelope.
    pub event: &'a LotEventRow,
    /// The receiver.
    pub to: [u8; 32],
    /// The seals that it uses.
    pub seals: &'a [[u8; 32]],
    /// Until when it can be posted.
    pub not_after_ms: u64,
    /// The despatch advice, encoded.
    pub advice: &'a [u8],
    /// The parcel itself.
    pub content: &'a [u8],
    /// The shipment that it carries out, if it waited.
    pub shipment: Option<[u8; 32]>,
    /// Whether it goes as a letter.
    pub letter: bool,
}

/// Lots that were received, with everything that came with them.
pub struct Received<'a> {
    /// The transfer with the envelope that posts it.
    pub event: &'a LotEventRow,
    /// The lots.
    pub lots: &'a [NewLot],
    /// The sender.
    pub from: [u8; 32],
    /// The seals of the lots.
    pub seals: &'a [[u8; 32]],
    /// Events of their capsules.
    pub events: &'a [UpstreamEvent],
    /// Records of their capsules.
    pub records: &'a [UpstreamRecord],
    /// What else their capsules name.
    pub named: &'a [NamedRecord],
    /// The despatch advice, encoded.
    pub advice: &'a [u8],
    /// Until when it can be posted.
    pub not_after_ms: u64,
    /// What the sender is told, a signed file.
    pub answer: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct OfferedMessage {
    #[prost(uint64, tag = "1")]
    index: u64,
    #[prost(bytes = "vec", tag = "2")]
    to: Vec<u8>,
    #[prost(bool, tag = "3")]
    used: bool,
}

#[derive(Clone, PartialEq, Message)]
struct ShipmentMessage {
    #[prost(bytes = "vec", tag = "1")]
    to: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    plan: Vec<u8>,
    #[prost(uint64, tag = "3")]
    at_ms: u64,
    #[prost(string, tag = "4")]
    trouble: String,
}

#[derive(Clone, PartialEq, Message)]
struct ParcelMessage {
    #[prost(bytes = "vec", tag = "1")]
    peer: Vec<u8>,
    #[prost(bool, tag = "2")]
    sent: bool,
    #[prost(bytes = "vec", repeated, tag = "3")]
    lots: Vec<Vec<u8>>,
    /// 0 underway, 1 accepted, 2 lapsed, 3 cancelled, 4 refused.
    #[prost(uint32, tag = "4")]
    state: u32,
    #[prost(uint64, tag = "5")]
    not_after_ms: u64,
    #[prost(uint64, tag = "6")]
    at_ms: u64,
    #[prost(bytes = "vec", tag = "7")]
    advice: Vec<u8>,
    #[prost(bytes = "vec", optional, tag = "8")]
    answer: Option<Vec<u8>>,
    #[prost(bool, tag = "9")]
    letter_waits: bool,
    #[prost(bytes = "vec", optional, tag = "10")]
    cancelled_by: Option<Vec<u8>>,
}

const STATES: [ParcelState; 5] = [
    ParcelState::Underway,
    ParcelState::Accepted,
    ParcelState::Lapsed,
    ParcelState::Cancelled,
    ParcelState::Refused,
];

fn number_of(state: ParcelState) -> u32 {
    STATES.iter().zip(0_u32..).find(|(known, _)| **known == state).map_or(0, |(_, number)| number)
}

impl Vault {
    /// Keeps seals that are to be offered to a member, synced.
    ///
    /// # Errors
    /// `Database`.
    pub fn put_offer(
        &self,
        by: &Actor,
        to: &[u8; 32],
        seals: &[([u8; 32], u64)],
    ) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        for (seal, index) in seals {
            let message = OfferedMessage { index: *index, to: to.to_vec(), used: false };
            write.put(&key(OFFERED, seal), &message.encode_to_vec());
        }
        write.note(by, Deed::Offer, Some(*to), u64::try_from(seals.len()).unwrap_or(u64::MAX));
        write.commit()
    }

    /// A seal that this organisation offered.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn offered_seal(&self, seal: &[u8; 32]) -> Result<Option<OfferedSeal>, VaultError> {
        let Some(value) = self.get(&key(OFFERED, seal))? else { return Ok(None) };
        offered(*seal, &value).map(Some)
    }

    /// How many seals a member was offered and has not used.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn open_offers(&self, to: &[u8; 32]) -> Result<usize, VaultError> {
        let mut count: usize = 0;
        self.scan(&[OFFERED], |seal, value| {
            let seal = offered(hash32(seal)?, value)?;
            count = count.saturating_add(usize::from(seal.to == *to && !seal.used));
            Ok(true)
        })?;
        Ok(count)
    }

    /// Keeps seals that a member offers, synced. A seal that was offered before, and used, is not taken again.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn offer_arrived(&self, from: &[u8; 32], seals: &[[u8; 32]]) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        for seal in seals {
            let place = stranger_key(from, seal);
            if self.get(&place)?.is_none() {
                write.put(&place, &[0]);
            }
        }
        write.commit()
    }

    /// Seals that a member offered and nothing was sent under yet, at most `limit`.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn stranger_seals(
        &self,
        from: &[u8; 32],
        limit: usize,
    ) -> Result<Vec<StrangerSeal>, VaultError> {
        let mut seals = Vec::new();
        self.scan(&key(STRANGER, from), |seal, used| {
            if used == [0] && seals.len() < limit {
                seals.push(StrangerSeal { from: *from, seal: hash32(seal)? });
            }
            Ok(seals.len() < limit)
        })?;
        Ok(seals)
    }

    /// Keeps what is to be sent once there are seals, synced.
    ///
    /// # Errors
    /// `Database`.
    pub fn put_shipment(&self, row: &ShipmentRow) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        let message = ShipmentMessage {
            to: row.to.to_vec(),
            plan: row.plan.clone(),
            at_ms: row.at_ms,
            trouble: row.trouble.clone(),
        };
        write.put(&key(SHIPMENT, &row.id), &message.encode_to_vec());
        write.commit()
    }

    /// What waits for seals.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn shipments(&self) -> Result<Vec<ShipmentRow>, VaultError> {
        let mut rows = Vec::new();
        self.scan(&[SHIPMENT], |id, value| {
            let message = ShipmentMessage::decode(value).map_err(|_| VaultError::Damaged)?;
            let ShipmentMessage { to, plan, at_ms, trouble } = message;
            rows.push(ShipmentRow { id: hash32(id)?, to: hash32(&to)?, plan, at_ms, trouble });
            Ok(true)
        })?;
        Ok(rows)
    }

    /// Forgets what was to be sent.
    ///
    /// # Errors
    /// `Database`.
    pub fn drop_shipment(&self, id: &[u8; 32]) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        write.delete(&key(SHIPMENT, id));
        write.commit()
    }

    /// Keeps a parcel that is to be sent, synced, and reserves its lots and seals.
    ///
    /// # Errors
    /// As [`Vault::put_event`]; `SealUsed` for a seal that is not there any more. Nothing was written then.
    pub fn put_parcel(&self, by: &Actor, parcel: &NewParcel<'_>) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        let event = parcel.event;
        self.stage_event(&mut write, (event, &[]), None, &[])?;
        for seal in parcel.seals {
            let place = stranger_key(&parcel.to, seal);
            if self.get(&place)?.is_none_or(|used| used.as_slice() != [0]) {
                return Err(VaultError::SealUsed);
            }
            write.put(&place, &[1]);
        }
        let message = ParcelMessage {
            peer: parcel.to.to_vec(),
            sent: true,
            lots: event.inputs.iter().map(|lot| lot.to_vec()).collect(),
            not_after_ms: parcel.not_after_ms,
            at_ms: now_ms(),
            advice: parcel.advice.to_vec(),
            letter_waits: parcel.letter,
            ..ParcelMessage::default()
        };
        stage(&mut write, &event.digest, &message);
        write.put(&key(CONTENT, &event.digest), parcel.content);
        if let Some(shipment) = &parcel.shipment {
            write.delete(&key(SHIPMENT, shipment));
        }
        let count = u64::try_from(event.inputs.len()).unwrap_or(u64::MAX);
        write.note(by, Deed::Ship, Some(event.digest), count);
        write.commit()
    }

    /// Keeps lots that are received, synced, with the transaction that posts them.
    ///
    /// # Errors
    /// As [`Vault::put_event`]; `NotUnderway` for a parcel that was received or refused before; `SealUsed` for a seal that was
    /// not offered to this sender, or under which lots were received already. Nothing was written then.
    pub fn put_received(&self, by: &Actor, received: &Received<'_>) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        let event = received.event;
        let known = self.parcel(&event.digest)?;
        if known.is_some_and(|known| known.state != ParcelState::Lapsed) {
            return Err(VaultError::NotUnderway);
        }
        // Its inputs are the sender's and not known here.
        let own = LotEventRow { inputs: Vec::new(), ..event.clone() };
        self.stage_event(&mut write, (&own, received.lots), None, &[])?;
        write.put(&key(crate::lots::WAITING, &event.digest), &[]);
        self.stage_upstream(&mut write, received.events, received.records)?;
        Self::stage_named(&mut write, received.named);
        for seal in received.seals {
            let offered = self.offered_seal(seal)?;
            let offered = offered.filter(|seal| seal.to == received.from && !seal.used);
            let OfferedSeal { index, to, .. } = offered.ok_or(VaultError::SealUsed)?;
            let message = OfferedMessage { index, to: to.to_vec(), used: true };
            write.put(&key(OFFERED, seal), &message.encode_to_vec());
        }
        let message = ParcelMessage {
            peer: received.from.to_vec(),
            lots: event.outputs.iter().map(|lot| lot.to_vec()).collect(),
            not_after_ms: received.not_after_ms,
            at_ms: now_ms(),
            advice: received.advice.to_vec(),
            letter_waits: received.answer.is_some(),
            answer: received.answer.clone(),
            ..ParcelMessage::default()
        };
        stage(&mut write, &event.digest, &message);
        let count = u64::try_from(event.outputs.len()).unwrap_or(u64::MAX);
        write.note(by, Deed::Receive, Some(event.digest), count);
        write.commit()
    }

    /// Keeps that a parcel is refused, synced, with what the sender is told.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn put_refused(&self, by: &Actor, row: &ParcelRow) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        stage(&mut write, &row.transfer, &message_of(row));
        write.note(by, Deed::Receive, Some(row.transfer), 0);
        write.commit()
    }

    /// Keeps what a receiver says to a parcel that was sent to it; whether it was sent to it.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn answer_arrived(
        &self,
        (transfer, from): (&[u8; 32], &[u8; 32]),
        refused: bool,
        answer: &[u8],
    ) -> Result<bool, VaultError> {
        let mut write = self.begin()?;
        let Some(mut row) = self.parcel(transfer)? else { return Ok(false) };
        if row.peer != *from || !row.sent {
            return Ok(false);
        }
        if refused && row.state == ParcelState::Underway {
            row.state = ParcelState::Refused;
        }
        row.answer = Some(answer.to_vec());
        stage(&mut write, transfer, &message_of(&row));
        write.commit()?;
        Ok(true)
    }

    /// Notes that the letter with a parcel, or with the answer to one, is written.
    ///
    /// # Errors
    /// `UnknownLot`, `Damaged` or `Database`.
    pub fn parcel_letter_written(&self, transfer: &[u8; 32]) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        let mut row = self.parcel(transfer)?.ok_or(VaultError::UnknownLot)?;
        row.letter_waits = false;
        stage(&mut write, transfer, &message_of(&row));
        write.commit()
    }

    /// A parcel by its transfer.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn parcel(&self, transfer: &[u8; 32]) -> Result<Option<ParcelRow>, VaultError> {
        let value = self.get(&key(PARCEL, transfer))?;
        value.map(|value| row(*transfer, &value)).transpose()
    }

    /// All parcels, sent and received.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn parcels(&self) -> Result<Vec<ParcelRow>, VaultError> {
        let mut rows = Vec::new();
        self.scan(&[PARCEL], |transfer, value| {
            rows.push(row(hash32(transfer)?, value)?);
            Ok(true)
        })?;
        Ok(rows)
    }

    /// Parcels whose fate is open, or about which a letter has yet to be written.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn open_parcels(&self) -> Result<Vec<ParcelRow>, VaultError> {
        let mut open = Vec::new();
        self.scan(&[OPEN], |transfer, _| {
            open.push(hash32(transfer)?);
            Ok(true)
        })?;
        let row = |transfer| self.parcel(transfer)?.ok_or(VaultError::Damaged);
        open.iter().map(row).collect()
    }

    /// A parcel that was sent, until its fate is known.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn parcel_content(
        &self,
        transfer: &[u8; 32],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        self.get(&key(CONTENT, transfer))
    }

    /// Notes that a parcel stands on the log. Sent from here, its lots are gone, and what was to take it back is forgotten.
    ///
    /// # Errors
    /// `UnknownLot`, `Damaged` or `Database`.
    pub fn parcel_accepted(&self, transfer: &[u8; 32], leaf: u64) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        let mut parcel = self.parcel(transfer)?.ok_or(VaultError::UnknownLot)?;
        if let Some(cancel) = parcel.cancelled_by.take()
            && let Some(event) = self.lot_event(&cancel)?
        {
            for hash in &event.outputs {
                self.forget_lot(&mut write, hash)?;
            }
            for hash in &event.inputs {
                if let Some(lot) = self.lot(hash)? {
                    write.put(&self.name_place(&lot.name)?, hash);
                }
            }
            Self::forget_event(&mut write, &cancel);
        }
        self.stage_standing(&mut write, transfer, leaf)?;
        (parcel.state, parcel.letter_waits) = (ParcelState::Accepted, false);
        stage(&mut write, transfer, &message_of(&parcel));
        write.delete(&key(CONTENT, transfer));
        write.commit()
    }

    /// Notes that a parcel's window is over: sent from here, its lots are free, unless what was to take them back has them.
    ///
    /// # Errors
    /// `UnknownLot`, `Damaged` or `Database`.
    pub fn parcel_lapsed(&self, transfer: &[u8; 32]) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        let mut parcel = self.parcel(transfer)?.ok_or(VaultError::UnknownLot)?;
        if parcel.sent && parcel.cancelled_by.is_none() {
            for hash in &parcel.lots {
                if let Some(mut lot) = self.lot_message(hash)? {
                    lot.used_by = None;
                    write.put(&key(LOT, hash), &Zeroizing::new(lot.encode_to_vec()));
                }
            }
        }
        (parcel.state, parcel.letter_waits) = (ParcelState::Lapsed, false);
        stage(&mut write, transfer, &message_of(&parcel));
        write.delete(&key(CONTENT, transfer));
        Self::forget_event(&mut write, transfer);
        write.commit()
    }

    /// Keeps the event that is to take a parcel back, synced, and the lots under new seals.
    ///
    /// # Errors
    /// As [`Vault::put_event`]; `NotUnderway` when the parcel's fate is known, or it is being taken back already.
    pub fn put_cancel(
        &self,
        by: &Actor,
        transfer: &[u8; 32],
        (event, lots): (&LotEventRow, &[NewLot]),
    ) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        let mut parcel = self.parcel(transfer)?.ok_or(VaultError::UnknownLot)?;
        let open = matches!(parcel.state, ParcelState::Underway | ParcelState::Refused);
        if !open || !parcel.sent || parcel.cancelled_by.is_some() {
            return Err(VaultError::NotUnderway);
        }
        self.stage_event(&mut write, (event, lots), Some(transfer), &[])?;
        write.put(&key(crate::lots::WAITING, &event.digest), &[]);
        parcel.cancelled_by = Some(event.digest);
        stage(&mut write, transfer, &message_of(&parcel));
        write.note(by, Deed::LotEvent, Some(event.digest), u64::from(event.kind));
        write.commit()
    }

    /// The event of a parcel that was received stands, or never will.
    pub(crate) fn stage_settled(
        &self,
        write: &mut Writing<'_>,
        transfer: &[u8; 32],
        state: ParcelState,
    ) -> Result<(), VaultError> {
        if let Some(mut parcel) = self.parcel(transfer)?.filter(|parcel| !parcel.sent) {
            parcel.state = state;
            // What was to be said of lots that did not come is not said.
            parcel.letter_waits &= state == ParcelState::Accepted;
            stage(write, transfer, &message_of(&parcel));
        }
        Ok(())
    }

    /// Whether a parcel's fate is open.
    pub(crate) fn is_underway(&self, transfer: &[u8; 32]) -> Result<bool, VaultError> {
        let parcel = self.parcel(transfer)?;
        Ok(parcel.is_some_and(|parcel| {
            matches!(parcel.state, ParcelState::Underway | ParcelState::Refused)
        }))
    }

    /// The event that was to take a parcel back stands.
    pub(crate) fn stage_cancelled(
        &self,
        write: &mut Writing<'_>,
        transfer: &[u8; 32],
    ) -> Result<(), VaultError> {
        if let Some(mut parcel) = self.parcel(transfer)? {
            (parcel.state, parcel.letter_waits) = (ParcelState::Cancelled, false);
            stage(write, transfer, &message_of(&parcel));
        }
        write.delete(&key(CONTENT, transfer));
        Self::forget_event(write, transfer);
        Ok(())
    }

    /// The event that was to take a parcel back lapsed: the parcel is as underway as before.
    pub(crate) fn stage_going_on(
        &self,
        write: &mut Writing<'_>,
        transfer: &[u8; 32],
    ) -> Result<(), VaultError> {
        if let Some(mut parcel) = self.parcel(transfer)? {
            parcel.cancelled_by = None;
            stage(write, transfer, &message_of(&parcel));
        }
        Ok(())
    }
}

fn stage(write: &mut Writing<'_>, transfer: &[u8; 32], message: &ParcelMessage) {
    write.put(&key(PARCEL, transfer), &message.encode_to_vec());
    let fates = [ParcelState::Underway, ParcelState::Refused].map(number_of);
    if message.letter_waits || (message.sent && fates.contains(&message.state)) {
        write.put(&key(OPEN, transfer), &[]);
    } else {
        write.delete(&key(OPEN, transfer));
    }
}

fn stranger_key(from: &[u8; 32], seal: &[u8; 32]) -> Vec<u8> {
    [&key(STRANGER, from)[..], seal].concat()
}

fn offered(seal: [u8; 32], value: &[u8]) -> Result<OfferedSeal, VaultError> {
    let message = OfferedMessage::decode(value).map_err(|_| VaultError::Damaged)?;
    let OfferedMessage { index, to, used } = message;
    Ok(OfferedSeal { seal, index, to: hash32(&to)?, used })
}

fn row(transfer: [u8; 32], value: &[u8]) -> Result<ParcelRow, VaultError> {
    let message = ParcelMessage::decode(value).map_err(|_| VaultError::Damaged)?;
    let lots: Result<Vec<[u8; 32]>, _> = message.lots.iter().map(|lot| hash32(lot)).collect();
    let state = usize::try_from(message.state).ok().and_then(|number| STATES.get(number));
    Ok(ParcelRow {
        transfer,
        peer: hash32(&message.peer)?,
        sent: message.sent,
        lots: lots?,
        state: *state.ok_or(VaultError::Damaged)?,
        not_after_ms: message.not_after_ms,
        at_ms: message.at_ms,
        advice: message.advice,
        answer: message.answer,
        letter_waits: message.letter_waits,
        cancelled_by: message.cancelled_by.as_deref().map(hash32).transpose()?,
    })
}

fn message_of(row: &ParcelRow) -> ParcelMessage {
    ParcelMessage {
        peer: row.peer.to_vec(),
        sent: row.sent,
        lots: row.lots.iter().map(|lot| lot.to_vec()).collect(),
        state: number_of(row.state),
        not_after_ms: row.not_after_ms,
        at_ms: row.at_ms,
        advice: row.advice.clone(),
        answer: row.answer.clone(),
        letter_waits: row.letter_waits,
        cancelled_by: row.cancelled_by.map(|event| event.to_vec()),
    }
}
