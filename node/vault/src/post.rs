//! Letters, to other members and from them: on disk, synced, from before they leave until the receiver's node has
//! them, and from their arrival until a person has taken them out. A letter that arrives twice is one letter.
//! Refuses more from one member than there is room for.
//!
//! | database key | value | sealed under |
//! |---|---|---|
//! | `v` letter id | a letter on its way, without its content | master |
//! | `w` letter id | its content | master |
//! | `i` place | a letter that arrived, without its content | master |
//! | `j` place | its content | master |
//! | `m` member | how many of that member's letters are here, and their bytes | master |
//! | `z` member | places of that member's letters that were thrown away last | master |
//!
//! A place is a hash of sender and letter id, so that no sender can name another's letter.

#[cfg(test)]
mod tests;

use heatmark_merkle::tag;
use prost::Message;
use zeroize::Zeroizing;

use crate::rows::hash32;
use crate::vault::key;
use crate::writing::now_ms;
use crate::{Actor, Deed, Vault, VaultError};

pub(crate) const SENT: u8 = b'v';
pub(crate) const SENT_CONTENT: u8 = b'w';
pub(crate) const ARRIVED: u8 = b'i';
pub(crate) const ARRIVED_CONTENT: u8 = b'j';
pub(crate) const TALLY: u8 = b'm';
pub(crate) const THROWN_AWAY: u8 = b'z';

/// Most letters of one member that wait here, and most bytes of theirs.
pub const MAX_WAITING_LETTERS: u64 = 1_000;
/// See [`MAX_WAITING_LETTERS`].
pub const MAX_WAITING_BYTES: u64 = 256 << 20;

/// Of so many of a member's letters that were thrown away it is known that they were here.
const MAX_MARKS: usize = 1_000;

/// A letter, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LetterRow {
    /// What its sender calls it, for one that is on its way; its place, for one that arrived.
    pub id: [u8; 32],
    /// The member it goes to or came from.
    pub peer: [u8; 32],
    /// The name of the file in it.
    pub name: String,
    /// Bytes of its content.
    pub bytes: u64,
    /// When it was written or arrived, by the node's clock, in milliseconds since 1970.
    pub at_ms: u64,
    /// Whether the receiver's node will never take it.
    pub refused: bool,
}

/// A letter that arrived, with its content.
pub type ArrivedLetter = (LetterRow, Zeroizing<Vec<u8>>);

/// What became of a letter that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It is on disk, now or since earlier.
    Kept,
    /// There is no room for more of this sender's.
    NoRoom,
}

#[derive(Clone, PartialEq, Message)]
struct RowMessage {
    #[prost(bytes = "vec", tag = "1")]
    peer: Vec<u8>,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(uint64, tag = "3")]
    bytes: u64,
    #[prost(uint64, tag = "4")]
    at_ms: u64,
    #[prost(bool, tag = "5")]
    refused: bool,
    #[prost(bool, tag = "6")]
    taken: bool,
}

/// What a member has here.
#[derive(Clone, Copy, PartialEq, Message)]
struct Tally {
    #[prost(uint64, tag = "1")]
    letters: u64,
    #[prost(uint64, tag = "2")]
    bytes: u64,
}

#[derive(Clone, PartialEq, Message)]
struct Marks {
    /// Places, the newest last.
    #[prost(bytes = "vec", repeated, tag = "1")]
    places: Vec<Vec<u8>>,
}

/// Where a letter stands that arrived: no sender can name another's.
#[must_use]
pub fn letter_place(id: &[u8; 32], from: &[u8; 32]) -> [u8; 32] {
    tag::hash("letter-place", &[from, id]).0
}

impl Vault {
    /// Keeps a letter that is to go to a member, synced, with who sends it.
    ///
    /// # Errors
    /// `Database`.
    pub fn put_letter(
        &self,
        by: &Actor,
        (id, to): (&[u8; 32], &[u8; 32]),
        name: &str,
        content: &[u8],
    ) -> Result<(), VaultError> {
        let row = row_of(to, name, content.len());
        let mut write = self.begin()?;
        write.put(&key(SENT, id), &row.encode_to_vec());
        write.put(&key(SENT_CONTENT, id), content);
        write.note(by, Deed::Send, Some(*id), row.bytes);
        write.commit()
    }

    /// Letters on their way, those refused included, ascending by id.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn letters_sent(&self) -> Result<Vec<LetterRow>, VaultError> {
        self.letters(SENT)
    }

    /// What a letter on its way holds.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn letter_to_send(&self, id: &[u8; 32]) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        self.get(&key(SENT_CONTENT, id))
    }

    /// Forgets a letter that the receiver's node has.
    ///
    /// # Errors
    /// `Database`.
    pub fn letter_delivered(&self, id: &[u8; 32]) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        write.delete(&key(SENT, id));
        write.delete(&key(SENT_CONTENT, id));
        write.commit()
    }

    /// Notes that the receiver's node will never take a letter.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn letter_refused(&self, id: &[u8; 32]) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        let place = key(SENT, id);
        if let Some(row) = self.get(&place)? {
            let row = RowMessage { refused: true, ..decode(&row)? };
            write.put(&place, &row.encode_to_vec());
        }
        write.commit()
    }

    /// Keeps a letter that arrived, synced. One that was taken out or thrown away before stays away.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn letter_arrived(
        &self,
        (id, from): (&[u8; 32], &[u8; 32]),
        name: &str,
        content: &[u8],
    ) -> Result<Arrival, VaultError> {
        let (place, row) = (letter_place(id, from), row_of(from, name, content.len()));
        // Whoever repeats itself, or has no room, holds up nobody's writes.
        if let Err(arrival) = self.admit(from, &place, row.bytes)? {
            return Ok(arrival);
        }
        let mut write = self.begin()?;
        let tally = match self.admit(from, &place, row.bytes)? {
            Ok(tally) => tally,
            Err(arrival) => return Ok(arrival),
        };
        write.put(&key(TALLY, from), &tally.encode_to_vec());
        write.put(&key(ARRIVED, &place), &row.encode_to_vec());
        write.put(&key(ARRIVED_CONTENT, &place), content);
        write.commit()?;
        Ok(Arrival::Kept)
    }

    /// What its sender has here with a letter that is new and finds room; otherwise what became of it.
    fn admit(
        &self,
        from: &[u8; 32],
        place: &[u8; 32],
        bytes: u64,
    ) -> Result<Result<Tally, Arrival>, VaultError> {
        let known = self.get(&key(ARRIVED, place))?.is_some()
            || self.marks(from)?.places.iter().any(|thrown_away| thrown_away == place);
        if known {
            return Ok(Err(Arrival::Kept));
        }
        let Tally { letters, bytes: waiting } = self.tally(from)?;
        let tally =
            Tally { letters: letters.saturating_add(1), bytes: waiting.saturating_add(bytes) };
        let room = tally.letters <= MAX_WAITING_LETTERS && tally.bytes <= MAX_WAITING_BYTES;
        Ok(if room { Ok(tally) } else { Err(Arrival::NoRoom) })
    }

    fn tally(&self, of: &[u8; 32]) -> Result<Tally, VaultError> {
        if let Some(tally) = self.get(&key(TALLY, of))? {
            return Tally::decode(tally.as_slice()).map_err(|_| VaultError::Damaged);
        }
        // A vault from before letters were counted.
        let waiting = self.letters(ARRIVED)?;
        let theirs = waiting.iter().filter(|row| row.peer == *of);
        Ok(theirs.fold(Tally::default(), |tally, row| Tally {
            letters: tally.letters.saturating_add(1),
            bytes: tally.bytes.saturating_add(row.bytes),
        }))
    }

    fn marks(&self, of: &[u8; 32]) -> Result<Marks, VaultError> {
        match self.get(&key(THROWN_AWAY, of))? {
            Some(marks) => Marks::decode(marks.as_slice()).map_err(|_| VaultError::Damaged),
            None => Ok(Marks::default()),
        }
    }

    /// Letters that arrived and that nobody has thrown away, ascending by place.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn letters_arrived(&self) -> Result<Vec<LetterRow>, VaultError> {
        self.letters(ARRIVED)
    }

    /// A letter that arrived, with its content.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn arrived_letter(&self, place: &[u8; 32]) -> Result<Option<ArrivedLetter>, VaultError> {
        let Some(row) = self.get(&key(ARRIVED, place))? else { return Ok(None) };
        let row = decode(&row)?;
        if row.taken {
            return Ok(None);
        }
        let content = self.get(&key(ARRIVED_CONTENT, place))?.ok_or(VaultError::Damaged)?;
        Ok(Some((letter(*place, row)?, content)))
    }

    /// Throws away a letter, one that arrived or one on its way; whether there was one. Of one that arrived its place is known
    /// for as long as its sender's next thousand are, so that it does not come again.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn drop_letter(&self, id: &[u8; 32]) -> Result<bool, VaultError> {
        let mut write = self.begin()?;
        if self.get(&key(SENT, id))?.is_some() {
            write.delete(&key(SENT, id));
            write.delete(&key(SENT_CONTENT, id));
            write.commit()?;
            return Ok(true);
        }
        let Some(row) = self.get(&key(ARRIVED, id))? else { return Ok(false) };
        let row = decode(&row)?;
        if row.taken {
            return Ok(false);
        }
        let from = hash32(&row.peer)?;
        let tally = self.tally(&from)?;
        let tally = Tally {
            letters: tally.letters.saturating_sub(1),
            bytes: tally.bytes.saturating_sub(row.bytes),
        };
        let mut marks = self.marks(&from)?;
        let surplus = marks.places.len().saturating_add(1).saturating_sub(MAX_MARKS);
        marks.places.drain(..surplus);
        marks.places.push(id.to_vec());
        write.put(&key(TALLY, &from), &tally.encode_to_vec());
        write.put(&key(THROWN_AWAY, &from), &marks.encode_to_vec());
        write.delete(&key(ARRIVED, id));
        write.delete(&key(ARRIVED_CONTENT, id));
        write.commit()?;
        Ok(true)
    }

    fn letters(&self, kind: u8) -> Result<Vec<LetterRow>, VaultError> {
        let mut rows = Vec::new();
        self.scan(&[kind], |id, value| {
            let row = decode(value)?;
            if !row.taken {
                rows.push(letter(hash32(id)?, row)?);
            }
            Ok(true)
        })?;
        Ok(rows)
    }
}

fn row_of(peer: &[u8; 32], name: &str, bytes: usize) -> RowMessage {
    RowMessage {
        peer: peer.to_vec(),
        name: name.to_owned(),
        bytes: u64::try_from(bytes).unwrap_or(u64::MAX),
        at_ms: now_ms(),
        ..RowMessage::default()
    }
}

fn decode(bytes: &[u8]) -> Result<RowMessage, VaultError> {
    RowMessage::decode(bytes).map_err(|_| VaultError::Damaged)
}

fn letter(id: [u8; 32], row: RowMessage) -> Result<LetterRow, VaultError> {
    let RowMessage { peer, name, bytes, at_ms, refused, .. } = row;
    Ok(LetterRow { id, peer: hash32(&peer)?, name, bytes, at_ms, refused })
}
