//! Alerts on what is known here, as the log has them, how far the log was read for them, what customers say they hold, and which
//! customers were told. Refuses answers that are too long.
//!
//! | database key | value | sealed under |
//! |---|---|---|
//! | `.alerts` | height through which the log was read for alerts | master |
//! | `M` alert subject, member that is concerned | an alert; without member the issuer's | master |
//! | `N` alert subject, member | what a customer says it and its customers hold, a signed file | master |
//! | `T` alert subject, member | the number of the alert of which a customer was told | master |

#[cfg(test)]
mod tests;

use prost::Message;

use crate::rows::hash32;
use crate::vault::key;
use crate::writing::now_ms;
use crate::{Vault, VaultError};

const READ_THROUGH: &[u8] = b".alerts";
pub(crate) const RECALL: u8 = b'M';
pub(crate) const HOLDER: u8 = b'N';
pub(crate) const NOTIFIED: u8 = b'T';

/// Longest answer of a customer that is kept, in bytes.
pub const MAX_HOLDER_BYTES: usize = 64 << 10;

/// A customer, and the signed file in which it says what it holds.
pub type HolderFile = ([u8; 32], Vec<u8>);

/// An alert on something that is known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecallRow {
    /// What it is on.
    pub subject: [u8; 32],
    /// The member whose concern it is; none where it is the issuer's.
    pub concern_of: Option<[u8; 32]>,
    /// The number of its level.
    pub level: u32,
    /// Its number among those on the subject.
    pub sequence: u64,
    /// Where it stands.
    pub leaf: u64,
    /// The block that carried it.
    pub height: u64,
    /// When this node first found an alert on the subject, by its clock, in milliseconds since 1970.
    pub found_ms: u64,
    /// When it found this one.
    pub changed_ms: u64,
}

#[derive(Clone, PartialEq, Message)]
struct RecallMessage {
    #[prost(uint32, tag = "1")]
    level: u32,
    #[prost(uint64, tag = "2")]
    sequence: u64,
    #[prost(uint64, tag = "3")]
    leaf: u64,
    #[prost(uint64, tag = "4")]
    height: u64,
    #[prost(uint64, tag = "5")]
    found_ms: u64,
    #[prost(uint64, tag = "6")]
    changed_ms: u64,
}

impl Vault {
    /// Keeps alerts and, where it is given, the height through which the log was read for them, in one synced write. The times
    /// of a row are this node's own; those given do not count.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn put_recalls(&self, rows: &[RecallRow], through: Option<u64>) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        for row in rows {
            let place = recall_key(row);
            let known = self.get(&place)?.map(|known| decode(&known)).transpose()?;
            let (found_ms, changed_ms) = match &known {
                Some(known) if known.sequence >= row.sequence => continue,
                Some(known) => (known.found_ms, now_ms()),
                None => (now_ms(), now_ms()),
            };
            let message = RecallMessage {
                level: row.level,
                sequence: row.sequence,
                leaf: row.leaf,
                height: row.height,
                found_ms,
                changed_ms,
            };
            write.put(&place, &message.encode_to_vec());
        }
        if let Some(height) = through {
            write.put(READ_THROUGH, &height.to_be_bytes());
        }
        write.commit()
    }

    /// The height through which the log was read for alerts.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn alerts_read_through(&self) -> Result<u64, VaultError> {
        let Some(bytes) = self.get(READ_THROUGH)? else { return Ok(0) };
        bytes.as_slice().try_into().map(u64::from_be_bytes).map_err(|_| VaultError::Damaged)
    }

    /// All alerts on what is known here, those cleared since included, ascending by subject.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn recalls(&self) -> Result<Vec<RecallRow>, VaultError> {
        let mut rows = Vec::new();
        self.scan(&[RECALL], |place, value| {
            let (subject, member) = place.split_first_chunk::<32>().ok_or(VaultError::Damaged)?;
            let concern_of = if member.is_empty() { None } else { Some(hash32(member)?) };
            let RecallMessage { level, sequence, leaf, height, found_ms, changed_ms } =
                decode(value)?;
            let subject = *subject;
            rows.push(RecallRow {
                subject,
                concern_of,
                level,
                sequence,
                leaf,
                height,
                found_ms,
                changed_ms,
            });
            Ok(true)
        })?;
        Ok(rows)
    }

    /// Keeps what a customer says that it holds of what an alert is on, in place of what it said before.
    ///
    /// # Errors
    /// `TooLong` or `Database`.
    pub fn put_holder(
        &self,
        subject: &[u8; 32],
        member: &[u8; 32],
        file: &[u8],
    ) -> Result<(), VaultError> {
        if file.len() > MAX_HOLDER_BYTES {
            return Err(VaultError::TooLong);
        }
        let mut write = self.begin()?;
        write.put(&pair(HOLDER, subject, member), file);
        write.commit()
    }

    /// What customers said that they hold of what an alert is on, ascending by member.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn holders(&self, subject: &[u8; 32]) -> Result<Vec<HolderFile>, VaultError> {
        let mut files = Vec::new();
        self.scan(&key(HOLDER, subject), |member, file| {
            files.push((hash32(member)?, file.to_vec()));
            Ok(true)
        })?;
        Ok(files)
    }

    /// Notes that a customer was told of an alert; the letter itself is in the log of deeds.
    ///
    /// # Errors
    /// `Database`.
    pub fn put_notified(
        &self,
        (subject, member): (&[u8; 32], &[u8; 32]),
        sequence: u64,
    ) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        write.put(&pair(NOTIFIED, subject, member), &sequence.to_be_bytes());
        write.commit()
    }

    /// Of which alert on a subject each customer was told, ascending by member.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn notified(&self, subject: &[u8; 32]) -> Result<Vec<([u8; 32], u64)>, VaultError> {
        let mut told = Vec::new();
        self.scan(&key(NOTIFIED, subject), |member, sequence| {
            let sequence = sequence.try_into().map_err(|_| VaultError::Damaged)?;
            told.push((hash32(member)?, u64::from_be_bytes(sequence)));
            Ok(true)
        })?;
        Ok(told)
    }
}

fn recall_key(row: &RecallRow) -> Vec<u8> {
    let member = row.concern_of.as_ref().map_or(&[][..], |member| member);
    [&key(RECALL, &row.subject)[..], member].concat()
}

fn pair(kind: u8, subject: &[u8; 32], member: &[u8; 32]) -> Vec<u8> {
    [&key(kind, subject)[..], member].concat()
}

fn decode(bytes: &[u8]) -> Result<RecallMessage, VaultError> {
    RecallMessage::decode(bytes).map_err(|_| VaultError::Damaged)
}
