//! What a genealogy needs of every event that is known here, own or shown: a small row beside it, so that a start reads tens of
//! bytes an event and decodes no point of a curve. Where an outline is missing, a mark says so: it is written in the same
//! synced write as the event, and goes in the one that brings the outline.
//!
//! | database key | value | sealed under |
//! |---|---|---|
//! | `W` leaf | an event's outline | master |
//! | `X` leaf | nothing; there while the event has come and its outline has not | master |
//! | `Z` record id | nothing; there while what was shown of a record has come and nobody has read it | master |

#[cfg(test)]
mod tests;

use heatmark_records::RecordId;
use prost::Message;

use crate::rows::{hash32, record_id};
use crate::vault::key;
use crate::writing::Writing;
use crate::{Vault, VaultError};

pub(crate) const OUTLINE: u8 = b'W';
pub(crate) const UNOUTLINED: u8 = b'X';
pub(crate) const UNREAD: u8 = b'Z';

/// An event without quantities, proofs and keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// Where it stands.
    pub leaf: u64,
    /// The number of its kind.
    pub kind: u32,
    /// What went in: leaf and place among the outputs of the event there.
    pub inputs: Vec<(u64, u32)>,
    /// How many lots came out.
    pub outputs: u32,
    /// The member that carried it.
    pub carrier: [u8; 32],
    /// The certificate whose material it commissions.
    pub origin: Option<RecordId>,
    /// The record of how it was made.
    pub process: Option<RecordId>,
    /// Of a removal, the places of the components removed.
    pub removed: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct OutlineMessage {
    #[prost(uint32, tag = "1")]
    kind: u32,
    #[prost(uint64, repeated, tag = "2")]
    leaves: Vec<u64>,
    #[prost(uint32, repeated, tag = "3")]
    places: Vec<u32>,
    #[prost(uint32, tag = "4")]
    outputs: u32,
    #[prost(bytes = "vec", tag = "5")]
    carrier: Vec<u8>,
    #[prost(bytes = "vec", optional, tag = "6")]
    origin: Option<Vec<u8>>,
    #[prost(bytes = "vec", optional, tag = "7")]
    process: Option<Vec<u8>>,
    #[prost(bytes = "vec", tag = "8")]
    removed: Vec<u8>,
}

impl Vault {
    /// Notes that an event has come and has no outline yet.
    pub(crate) fn stage_unoutlined(write: &mut Writing<'_>, leaf: u64) {
        write.put(&place(UNOUTLINED, leaf), &[]);
    }

    /// Notes that more was shown of a record.
    pub(crate) fn stage_unread(write: &mut Writing<'_>, record: &RecordId) {
        write.put(&key(UNREAD, &record.0), &[]);
    }

    /// Records of which more was shown than was read, at most `limit`.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn unread_records(&self, limit: usize) -> Result<Vec<RecordId>, VaultError> {
        let mut records = Vec::new();
        self.scan(&[UNREAD], |id, _| {
            if records.len() < limit {
                records.push(record_id(id)?);
            }
            Ok(records.len() < limit)
        })?;
        Ok(records)
    }

    /// Notes, synced, that what was shown of records was read.
    ///
    /// # Errors
    /// `Database`.
    pub fn records_read(&self, records: &[RecordId]) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        for record in records {
            write.delete(&key(UNREAD, &record.0));
        }
        write.commit()
    }

    /// Keeps outlines, in one synced write; their marks go.
    ///
    /// # Errors
    /// `Database`.
    pub fn put_outlines(&self, outlines: &[Outline]) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        for outline in outlines {
            write.put(&place(OUTLINE, outline.leaf), &message(outline).encode_to_vec());
            write.delete(&place(UNOUTLINED, outline.leaf));
        }
        write.commit()
    }

    /// Takes away the mark of an event that cannot be outlined.
    ///
    /// # Errors
    /// `Database`.
    pub fn pass_over(&self, leaf: u64) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        write.delete(&place(UNOUTLINED, leaf));
        write.commit()
    }

    /// Leaves of events that have no outline yet, ascending, at most `limit`.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn unoutlined(&self, limit: usize) -> Result<Vec<u64>, VaultError> {
        let mut leaves = Vec::new();
        self.scan(&[UNOUTLINED], |leaf, _| {
            if leaves.len() < limit {
                leaves.push(leaf_of(leaf)?);
            }
            Ok(leaves.len() < limit)
        })?;
        Ok(leaves)
    }

    /// Gives every outline, ascending by leaf, until told to stop.
    ///
    /// # Errors
    /// `Damaged`, `Database`, or the visitor's.
    pub fn outlines(
        &self,
        mut visit: impl FnMut(Outline) -> Result<bool, VaultError>,
    ) -> Result<(), VaultError> {
        self.scan(&[OUTLINE], |leaf, value| visit(outline(leaf_of(leaf)?, value)?))
    }
}

fn place(kind: u8, leaf: u64) -> Vec<u8> {
    [&[kind][..], &leaf.to_be_bytes()].concat()
}

fn leaf_of(bytes: &[u8]) -> Result<u64, VaultError> {
    bytes.try_into().map(u64::from_be_bytes).map_err(|_| VaultError::Damaged)
}

fn message(outline: &Outline) -> OutlineMessage {
    let (leaves, places) = outline.inputs.iter().copied().unzip();
    OutlineMessage {
        kind: outline.kind,
        leaves,
        places,
        outputs: outline.outputs,
        carrier: outline.carrier.to_vec(),
        origin: outline.origin.map(|record| record.0.to_vec()),
        process: outline.process.map(|record| record.0.to_vec()),
        removed: outline.removed.clone(),
    }
}

fn outline(leaf: u64, value: &[u8]) -> Result<Outline, VaultError> {
    let message = OutlineMessage::decode(value).map_err(|_| VaultError::Damaged)?;
    if message.leaves.len() != message.places.len() {
        return Err(VaultError::Damaged);
    }
    let record = |id: Option<Vec<u8>>| id.map(|id| record_id(&id)).transpose();
    Ok(Outline {
        leaf,
        kind: message.kind,
        inputs: message.leaves.into_iter().zip(message.places).collect(),
        outputs: message.outputs,
        carrier: hash32(&message.carrier)?,
        origin: record(message.origin)?,
        process: record(message.process)?,
        removed: message.removed,
    })
}
