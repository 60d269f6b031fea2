//! What the vault keeps, and how it is encoded before it is encrypted.

use heatmark_merkle::Hash;
use heatmark_records::{Opening, RecordId};
use prost::Message;
use zeroize::{Zeroize, Zeroizing};

use crate::{FileDigest, VaultError};

/// A record about to be anchored.
#[derive(Debug, Clone)]
pub struct NewRecord {
    /// The record's id, as [`Opening::check`] gives it.
    pub id: RecordId,
    /// Its opening.
    pub opening: Opening,
    /// Digest of the certificate file.
    pub file: FileDigest,
    /// The file's name as the person typed it.
    pub file_name: String,
    /// Index of the record's alert key under the node's seed.
    pub alert_index: u64,
}

/// Where an anchored record stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// The anchor's transaction id.
    pub transaction_id: [u8; 32],
    /// The anchor's leaf on the log.
    pub leaf_index: u64,
    /// The record's position in the anchor's batch, from 0.
    pub position: u32,
    /// How many records the batch has.
    pub count: u32,
    /// The path of hashes from the record to the batch's root.
    pub path: Vec<Hash>,
}

/// A record as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordRow {
    /// The record's id.
    pub id: RecordId,
    /// The file's name as the person typed it.
    pub file_name: String,
    /// The form of certificate.
    pub form: String,
    /// How many fields it has.
    pub fields: u32,
    /// Index of the record's alert key under the node's seed.
    pub alert_index: u64,
    /// Hash of that alert key: the subject of its alerts.
    pub alert_subject: [u8; 32],
    /// Where it stands; `None` until it is anchored.
    pub placement: Option<Placement>,
}

/// A record with its opening.
#[derive(Debug, Clone)]
pub struct StoredRecord {
    /// What a list shows of it.
    pub row: RecordRow,
    /// Its opening.
    pub opening: Opening,
}

/// A signed anchor on its way: kept until its place on the log is known, so that a restarted node sends the very
/// same transaction again instead of anchoring the records twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The anchor's transaction id.
    pub transaction_id: [u8; 32],
    /// The exact envelope bytes.
    pub envelope: Vec<u8>,
    /// The records of its batch, in the batch's order.
    pub records: Vec<RecordId>,
}

/// The reason of an alert, of which only a salted digest is on the log.
#[derive(Clone, PartialEq, Eq)]
pub struct AlertReason {
    /// The text.
    pub reason: String,
    /// The salt of its digest.
    pub salt: [u8; 32],
}

impl std::fmt::Debug for AlertReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AlertReason")
    }
}

#[derive(Clone, PartialEq, Message)]
struct RowMessage {
    #[prost(string, tag = "1")]
    file_name: String,
    #[prost(string, tag = "2")]
    form: String,
    #[prost(uint32, tag = "3")]
    fields: u32,
    #[prost(uint64, tag = "4")]
    alert_index: u64,
    #[prost(bytes = "vec", tag = "5")]
    alert_subject: Vec<u8>,
    #[prost(message, optional, tag = "6")]
    placement: Option<PlacementMessage>,
}

#[derive(Clone, PartialEq, Message)]
struct PlacementMessage {
    #[prost(bytes = "vec", tag = "1")]
    transaction_id: Vec<u8>,
    #[prost(uint64, tag = "2")]
    leaf_index: u64,
    #[prost(uint32, tag = "3")]
    position: u32,
    #[prost(uint32, tag = "4")]
    count: u32,
    #[prost(bytes = "vec", repeated, tag = "5")]
    path: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct SubmissionMessage {
    #[prost(bytes = "vec", tag = "1")]
    envelope: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    records: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct ReasonMessage {
    #[prost(string, tag = "1")]
    reason: String,
    #[prost(bytes = "vec", tag = "2")]
    salt: Vec<u8>,
}

impl RecordRow {
    pub(crate) fn of(record: &NewRecord) -> Self {
        let heading = record.opening.head().heading();
        Self {
            id: record.id,
            file_name: record.file_name.clone(),
            form: heading.form.clone(),
            fields: u32::try_from(record.opening.fields().len()).unwrap_or(u32::MAX),
            alert_index: record.alert_index,
            alert_subject: heading.alert_subject,
            placement: None,
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let placement = self.placement.as_ref().map(|placement| PlacementMessage {
            transaction_id: placement.transaction_id.to_vec(),
            leaf_index: placement.leaf_index,
            position: placement.position,
            count: placement.count,
            path: placement.path.iter().map(|hash| hash.0.to_vec()).collect(),
        });
        let message = RowMessage {
            file_name: self.file_name.clone(),
            form: self.form.clone(),
            fields: self.fields,
            alert_index: self.alert_index,
            alert_subject: self.alert_subject.to_vec(),
            placement,
        };
        message.encode_to_vec()
    }

    pub(crate) fn decode(id: RecordId, bytes: &[u8]) -> Result<Self, VaultError> {
        let row = RowMessage::decode(bytes).map_err(|_| VaultError::Damaged)?;
        let placement = row.placement.map(|placement| {
            let path: Result<Vec<Hash>, _> =
                placement.path.iter().map(|hash| hash32(hash).map(Hash)).collect();
            Ok::<_, VaultError>(Placement {
                transaction_id: hash32(&placement.transaction_id)?,
                leaf_index: placement.leaf_index,
                position: placement.position,
                count: placement.count,
                path: path?,
            })
        });
        Ok(Self {
            id,
            file_name: row.file_name,
            form: row.form,
            fields: row.fields,
            alert_index: row.alert_index,
            alert_subject: hash32(&row.alert_subject)?,
            placement: placement.transpose()?,
        })
    }
}

impl Submission {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let records = self.records.iter().map(|id| id.0.to_vec()).collect();
        SubmissionMessage { envelope: self.envelope.clone(), records }.encode_to_vec()
    }

    pub(crate) fn decode(transaction_id: [u8; 32], bytes: &[u8]) -> Result<Self, VaultError> {
        let message = SubmissionMessage::decode(bytes).map_err(|_| VaultError::Damaged)?;
        let records: Result<Vec<RecordId>, _> =
            message.records.iter().map(|id| record_id(id)).collect();
        Ok(Self { transaction_id, envelope: message.envelope, records: records? })
    }
}

impl AlertReason {
    pub(crate) fn encode(&self) -> Zeroizing<Vec<u8>> {
        let message = ReasonMessage { reason: self.reason.clone(), salt: self.salt.to_vec() };
        let bytes = Zeroizing::new(message.encode_to_vec());
        let ReasonMessage { mut reason, mut salt } = message;
        reason.zeroize();
        salt.zeroize();
        bytes
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, VaultError> {
        let message = ReasonMessage::decode(bytes).map_err(|_| VaultError::Damaged)?;
        Ok(Self { reason: message.reason, salt: hash32(&message.salt)? })
    }
}

pub(crate) fn hash32(bytes: &[u8]) -> Result<[u8; 32], VaultError> {
    bytes.try_into().map_err(|_| VaultError::Damaged)
}

pub(crate) fn record_id(bytes: &[u8]) -> Result<RecordId, VaultError> {
    hash32(bytes).map(RecordId::from)
}
