//! What the vault keeps, and how it is encoded before it is encrypted.

use heatmark_merkle::Hash;
use heatmark_records::forms::{self, NoOrigin, Origin};
use heatmark_records::{Crown, Opening, Path, RecordError, RecordId, RecordTree, Value};
use prost::Message;
use zeroize::{Zeroize, Zeroizing};

use crate::{DueDeposit, FileDigest, VaultError};

/// With so many other records a field is proved to agree, for one receiver.
pub const MAX_AGREED_RECORDS: usize = 3;

/// How much of a heat number a list shows; real ones have a tenth of it.
const MAX_HEAT_CHARS: usize = 100;

/// A record about to be anchored.
#[derive(Debug, Clone)]
pub struct NewRecord {
    /// The record's id, as [`Opening::check`] gives it.
    pub id: RecordId,
    /// Its opening.
    pub opening: Opening,
    /// The crown of its tree.
    pub crown: Crown,
    /// Digest of the certificate file.
    pub file: FileDigest,
    /// The file's name as the person typed it.
    pub file_name: String,
    /// Index of the record's alert key under the node's seed.
    pub alert_index: u64,
    /// Deposits that retention classes want of it.
    pub due: Vec<DueDeposit>,
}

impl NewRecord {
    /// Hashes an opening into a record.
    ///
    /// # Errors
    /// As [`Opening::tree`].
    pub fn of(
        opening: Opening,
        file: FileDigest,
        file_name: String,
        alert_index: u64,
    ) -> Result<Self, RecordError> {
        let tree = opening.tree()?;
        let (id, crown) = (tree.id(), tree.crown()?);
        Ok(Self { id, opening, crown, file, file_name, alert_index, due: Vec::new() })
    }

    /// The record whose place it takes.
    #[must_use]
    pub fn supersedes(&self) -> Option<RecordId> {
        match self.opening.fields().get(&Path::new("certificate/supersedes").ok()?)? {
            Value::Text(id) => id.parse().ok(),
            _ => None,
        }
    }
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

/// A legal hold.
#[derive(Clone, PartialEq, Eq)]
pub struct Hold {
    /// Why, as the person wrote it; stays in the vault.
    pub reason: String,
    /// Since when, in milliseconds since 1970.
    pub since_ms: u64,
}

impl std::fmt::Debug for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hold").field("since_ms", &self.since_ms).finish_non_exhaustive()
    }
}

/// A record as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordRow {
    /// The record's id.
    pub id: RecordId,
    /// The file's name as the person typed it; empty once the record is destroyed.
    pub file_name: String,
    /// The form of certificate; empty once the record is destroyed.
    pub form: String,
    /// How many fields it has; 0 once the record is destroyed.
    pub fields: u32,
    /// Index of the record's alert key under the node's seed.
    pub alert_index: u64,
    /// Hash of that alert key: the subject of its alerts.
    pub alert_subject: [u8; 32],
    /// Where it stands; `None` until it is anchored.
    pub placement: Option<Placement>,
    /// Until when it must be kept, and after when it is destroyed, in milliseconds since 1970; `None` keeps it.
    pub retain_until_ms: Option<u64>,
    /// While it must not be destroyed, whatever its date.
    pub hold: Option<Hold>,
    /// When its opening was destroyed, in milliseconds since 1970.
    pub erased_at_ms: Option<u64>,
    /// The record that took its place.
    pub superseded_by: Option<RecordId>,
    /// The record whose place it took; `None` also once it is destroyed.
    pub supersedes: Option<RecordId>,
    /// What it is about.
    pub material: Material,
}

/// What a certificate is about, as a list shows it; nothing once the record is destroyed.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Material {
    /// The heat or cast number, up to 100 characters of it; empty without one.
    pub heat: String,
    /// The mass that it states, in milligrams.
    pub mass_mg: Option<u64>,
    /// Why it commissions nothing; empty where it commissions its mass.
    pub commissions_nothing: String,
}

impl std::fmt::Debug for Material {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Material")
    }
}

/// What of a row is destroyed with the record.
#[derive(Clone, PartialEq, Eq, Default)]
pub(crate) struct Private {
    pub(crate) file_name: String,
    pub(crate) form: String,
    pub(crate) fields: u32,
    pub(crate) material: Material,
    pub(crate) supersedes: Option<RecordId>,
    /// Under which the file is found again.
    pub(crate) file_index: [u8; 32],
}

/// What of a row stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) alert_index: u64,
    pub(crate) alert_subject: [u8; 32],
    pub(crate) placement: Option<Placement>,
    pub(crate) retain_until_ms: Option<u64>,
    pub(crate) hold: Option<Hold>,
    pub(crate) erased_at_ms: Option<u64>,
    pub(crate) superseded_by: Option<RecordId>,
}

/// A record with its opening.
#[derive(Debug, Clone)]
pub struct StoredRecord {
    /// What a list shows of it.
    pub row: RecordRow,
    /// Its opening.
    pub opening: Opening,
    /// The crown of its tree; none in a vault from before there were any.
    pub crown: Option<Crown>,
}

impl StoredRecord {
    /// The record's tree; of a record with a crown only what is shown is hashed.
    ///
    /// # Errors
    /// `Damaged` when the opening is not this record's; `Opening`.
    pub fn tree(&self) -> Result<RecordTree<'_>, VaultError> {
        let tree = match &self.crown {
            Some(crown) => self.opening.tree_under(crown)?,
            None => self.opening.tree()?,
        };
        if tree.id() == self.row.id { Ok(tree) } else { Err(VaultError::Damaged) }
    }
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
struct KeptMessage {
    #[prost(uint64, tag = "4")]
    alert_index: u64,
    #[prost(bytes = "vec", tag = "5")]
    alert_subject: Vec<u8>,
    #[prost(message, optional, tag = "6")]
    placement: Option<PlacementMessage>,
    #[prost(uint64, optional, tag = "7")]
    retain_until_ms: Option<u64>,
    #[prost(message, optional, tag = "8")]
    hold: Option<HoldMessage>,
    #[prost(uint64, optional, tag = "9")]
    erased_at_ms: Option<u64>,
    #[prost(bytes = "vec", optional, tag = "10")]
    superseded_by: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct HoldMessage {
    #[prost(string, tag = "1")]
    reason: String,
    #[prost(uint64, tag = "2")]
    since_ms: u64,
}

#[derive(Clone, PartialEq, Message)]
struct PrivateMessage {
    #[prost(string, tag = "1")]
    file_name: String,
    #[prost(string, tag = "2")]
    form: String,
    #[prost(uint32, tag = "3")]
    fields: u32,
    #[prost(bytes = "vec", tag = "4")]
    file_index: Vec<u8>,
    #[prost(string, tag = "5")]
    heat: String,
    #[prost(uint64, optional, tag = "6")]
    mass_mg: Option<u64>,
    #[prost(string, tag = "7")]
    commissions_nothing: String,
    #[prost(bytes = "vec", optional, tag = "8")]
    supersedes: Option<Vec<u8>>,
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
    pub(crate) fn of(id: RecordId, kept: Kept, private: Option<Private>) -> Self {
        let private = private.unwrap_or_default();
        Self {
            id,
            file_name: private.file_name,
            form: private.form,
            fields: private.fields,
            alert_index: kept.alert_index,
            alert_subject: kept.alert_subject,
            placement: kept.placement,
            retain_until_ms: kept.retain_until_ms,
            hold: kept.hold,
            erased_at_ms: kept.erased_at_ms,
            superseded_by: kept.superseded_by,
            supersedes: private.supersedes,
            material: private.material,
        }
    }
}

impl Material {
    fn of(opening: &Opening) -> Self {
        let fields = opening.fields();
        let origin = forms::origin(fields);
        Self {
            heat: forms::heat(fields).map(|heat| on_one_line(&heat)).unwrap_or_default(),
            mass_mg: forms::stated_mass(fields).map(|Origin { mass_mg, .. }| mass_mg),
            commissions_nothing: origin.err().as_ref().map(NoOrigin::to_string).unwrap_or_default(),
        }
    }
}

/// As much of a text as a list has room for.
fn on_one_line(text: &str) -> String {
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().take(MAX_HEAT_CHARS).map(shown).collect()
}

impl Kept {
    pub(crate) fn of(record: &NewRecord, retain_until_ms: Option<u64>) -> Self {
        Self {
            alert_index: record.alert_index,
            alert_subject: record.opening.head().heading().alert_subject,
            placement: None,
            retain_until_ms,
            hold: None,
            erased_at_ms: None,
            superseded_by: None,
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
        let hold = self
            .hold
            .as_ref()
            .map(|hold| HoldMessage { reason: hold.reason.clone(), since_ms: hold.since_ms });
        let message = KeptMessage {
            alert_index: self.alert_index,
            alert_subject: self.alert_subject.to_vec(),
            placement,
            retain_until_ms: self.retain_until_ms,
            hold,
            erased_at_ms: self.erased_at_ms,
            superseded_by: self.superseded_by.map(|id| id.0.to_vec()),
        };
        message.encode_to_vec()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, VaultError> {
        let row = KeptMessage::decode(bytes).map_err(|_| VaultError::Damaged)?;
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
            alert_index: row.alert_index,
            alert_subject: hash32(&row.alert_subject)?,
            placement: placement.transpose()?,
            retain_until_ms: row.retain_until_ms,
            hold: row.hold.map(|hold| Hold { reason: hold.reason, since_ms: hold.since_ms }),
            erased_at_ms: row.erased_at_ms,
            superseded_by: row.superseded_by.map(|id| record_id(&id)).transpose()?,
        })
    }
}

impl Private {
    pub(crate) fn of(record: &NewRecord, file_index: [u8; 32]) -> Self {
        Self {
            file_name: record.file_name.clone(),
            form: record.opening.head().heading().form.clone(),
            fields: u32::try_from(record.opening.fields().len()).unwrap_or(u32::MAX),
            material: Material::of(&record.opening),
            supersedes: record.supersedes(),
            file_index,
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let message = PrivateMessage {
            file_name: self.file_name.clone(),
            form: self.form.clone(),
            fields: self.fields,
            file_index: self.file_index.to_vec(),
            heat: self.material.heat.clone(),
            mass_mg: self.material.mass_mg,
            commissions_nothing: self.material.commissions_nothing.clone(),
            supersedes: self.supersedes.map(|id| id.0.to_vec()),
        };
        message.encode_to_vec()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, VaultError> {
        let message = PrivateMessage::decode(bytes).map_err(|_| VaultError::Damaged)?;
        Ok(Self {
            file_name: message.file_name,
            form: message.form,
            fields: message.fields,
            file_index: hash32(&message.file_index)?,
            material: Material {
                heat: message.heat,
                mass_mg: message.mass_mg,
                commissions_nothing: message.commissions_nothing,
            },
            supersedes: message.supersedes.map(|id| record_id(&id)).transpose()?,
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
