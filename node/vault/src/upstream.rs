//! What this organisation was shown of others' lots: events and certificates that came with capsules, each stored once
//! however many capsules name it. Transactions, headers and paths are not here, since the node's own log has them.
//!
//! | database key | value | sealed under |
//! |---|---|---|
//! | `U` leaf | an event: its body, its proofs, the blinds that were shown | master |
//! | `R` record id | what was shown of a record, and what of that may go on | master |
//! | `A` certificate, record id | nothing; there where the record attests the certificate | master |
//! | `7` record id | the head of a record and the root of its tree: what alerts on it stand under | master |
//!
//! What is in them is opaque here: `heatmark-lots` and `heatmark-evidence` make and read it.

use heatmark_records::RecordId;
use prost::Message;

use crate::rows::{hash32, record_id};
use crate::vault::key;
use crate::writing::Writing;
use crate::{Vault, VaultError};

pub(crate) const UPSTREAM_EVENT: u8 = b'U';
pub(crate) const UPSTREAM_RECORD: u8 = b'R';
pub(crate) const ATTESTS: u8 = b'A';
pub(crate) const NAMED: u8 = b'7';

/// Another company's event, as a capsule shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct UpstreamEvent {
    /// Where it stands.
    pub leaf: u64,
    /// Its body, encoded.
    pub event: Vec<u8>,
    /// Its proofs, encoded.
    pub proofs: Vec<u8>,
    /// What opens the seals that it breaks, 32 bytes each; zeros for those that were not shown.
    pub blinds: Vec<u8>,
}

impl UpstreamEvent {
    /// Adds the blinds that another capsule showed; what is here already stays.
    pub fn show(&mut self, blinds: &[u8]) {
        self.blinds = together(&self.blinds, blinds);
    }
}

/// What was shown of a record.
#[derive(Clone, PartialEq, Eq)]
pub struct UpstreamRecord {
    /// The record.
    pub record: RecordId,
    /// Its part of a capsule, without path and transaction, encoded.
    pub content: Vec<u8>,
    /// Paths of the fields that may go on to others, ascending.
    pub onward: Vec<String>,
    /// The certificate that it attests, if it does.
    pub attests: Option<RecordId>,
}

/// A record of which a capsule shows nothing but whose it is and what its alerts stand under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedRecord {
    /// The record.
    pub record: RecordId,
    /// Its head, encoded.
    pub head: Vec<u8>,
    /// The root of its tree of fields.
    pub root: [u8; 32],
}

#[derive(Clone, PartialEq, Message)]
struct NamedMessage {
    #[prost(bytes = "vec", tag = "1")]
    head: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    root: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct EventMessage {
    #[prost(bytes = "vec", tag = "1")]
    event: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    proofs: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    blinds: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct RecordMessage {
    #[prost(bytes = "vec", tag = "1")]
    content: Vec<u8>,
    #[prost(string, repeated, tag = "2")]
    onward: Vec<String>,
    #[prost(bytes = "vec", optional, tag = "3")]
    attests: Option<Vec<u8>>,
}

impl Vault {
    /// Keeps events and records that capsules showed and that were found sound, in one synced write; of an event that is here
    /// already, blinds that were not shown this time stay. What is known of a record the caller has put into it.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn put_upstream(
        &self,
        events: &[UpstreamEvent],
        records: &[UpstreamRecord],
    ) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        self.stage_upstream(&mut write, events, records)?;
        write.commit()
    }

    pub(crate) fn stage_upstream(
        &self,
        write: &mut Writing<'_>,
        events: &[UpstreamEvent],
        records: &[UpstreamRecord],
    ) -> Result<(), VaultError> {
        for event in events {
            let blinds = match self.upstream_event(event.leaf)? {
                Some(known) => together(&event.blinds, &known.blinds),
                None => {
                    Self::stage_unoutlined(write, event.leaf);
                    event.blinds.clone()
                }
            };
            let (body, proofs) = (event.event.clone(), event.proofs.clone());
            let message = EventMessage { event: body, proofs, blinds };
            write.put(&leaf_key(event.leaf), &message.encode_to_vec());
        }
        for record in records {
            let message = RecordMessage {
                content: record.content.clone(),
                onward: record.onward.clone(),
                attests: record.attests.map(|certificate| certificate.0.to_vec()),
            };
            write.put(&key(UPSTREAM_RECORD, &record.record.0), &message.encode_to_vec());
            Self::stage_unread(write, &record.record);
            if let Some(certificate) = &record.attests {
                write.put(&[&key(ATTESTS, &certificate.0)[..], &record.record.0].concat(), &[]);
            }
        }
        Ok(())
    }

    /// Keeps heads of records, own ones and others', in one synced write, each once.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn put_named(&self, named: &[NamedRecord]) -> Result<(), VaultError> {
        if named.is_empty() {
            return Ok(());
        }
        let mut write = self.begin()?;
        Self::stage_named(&mut write, named);
        write.commit()
    }

    pub(crate) fn stage_named(write: &mut Writing<'_>, named: &[NamedRecord]) {
        for record in named {
            let message = NamedMessage { head: record.head.clone(), root: record.root.to_vec() };
            write.put(&key(NAMED, &record.record.0), &message.encode_to_vec());
            Self::stage_unread(write, &record.record);
        }
    }

    /// The head of a record that a capsule named.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn named(&self, record: &RecordId) -> Result<Option<NamedRecord>, VaultError> {
        let Some(value) = self.get(&key(NAMED, &record.0))? else { return Ok(None) };
        named(*record, &value).map(Some)
    }

    /// Gives the head of every record that capsules named, until told to stop.
    ///
    /// # Errors
    /// `Damaged`, `Database`, or the visitor's.
    pub fn each_named(
        &self,
        mut visit: impl FnMut(NamedRecord) -> Result<bool, VaultError>,
    ) -> Result<(), VaultError> {
        self.scan(&[NAMED], |id, value| visit(named(record_id(id)?, value)?))
    }

    /// The event that was shown at a leaf.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn upstream_event(&self, leaf: u64) -> Result<Option<UpstreamEvent>, VaultError> {
        self.get(&leaf_key(leaf))?.map(|value| event(leaf, &value)).transpose()
    }

    /// Events that were shown, from a leaf on, at most `limit`.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn upstream_events(
        &self,
        from: u64,
        limit: usize,
    ) -> Result<Vec<UpstreamEvent>, VaultError> {
        let mut events = Vec::new();
        self.scan_from(&[UPSTREAM_EVENT], &from.to_be_bytes(), |leaf, value| {
            let leaf = leaf.try_into().map_err(|_| VaultError::Damaged)?;
            if events.len() < limit {
                events.push(event(u64::from_be_bytes(leaf), value)?);
            }
            Ok(events.len() < limit)
        })?;
        Ok(events)
    }

    /// What was shown of a record.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn upstream_record(&self, id: &RecordId) -> Result<Option<UpstreamRecord>, VaultError> {
        let value = self.get(&key(UPSTREAM_RECORD, &id.0))?;
        value.map(|value| record(*id, &value)).transpose()
    }

    /// Records that were shown, after one, at most `limit`.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn upstream_records(
        &self,
        after: Option<&RecordId>,
        limit: usize,
    ) -> Result<Vec<UpstreamRecord>, VaultError> {
        let mut records = Vec::new();
        let from = after.map_or(&[][..], |id| &id.0);
        self.scan_from(&[UPSTREAM_RECORD], from, |id, value| {
            let id = record_id(id)?;
            if Some(&id) != after && records.len() < limit {
                records.push(record(id, value)?);
            }
            Ok(records.len() < limit)
        })?;
        Ok(records)
    }

    /// The records that were shown and attest a certificate.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn attesting(&self, certificate: &RecordId) -> Result<Vec<RecordId>, VaultError> {
        let mut records = Vec::new();
        self.scan(&key(ATTESTS, &certificate.0), |id, _| {
            records.push(record_id(id)?);
            Ok(true)
        })?;
        Ok(records)
    }
}

/// Blinds of one event as two capsules showed them: the first's, and the second's where the first shows none.
fn together(first: &[u8], second: &[u8]) -> Vec<u8> {
    if first.len() != second.len() {
        return first.to_vec();
    }
    let pairs = first.as_chunks::<32>().0.iter().zip(second.as_chunks::<32>().0);
    pairs.flat_map(|(first, second)| if *first == [0; 32] { *second } else { *first }).collect()
}

fn leaf_key(leaf: u64) -> Vec<u8> {
    [&[UPSTREAM_EVENT][..], &leaf.to_be_bytes()].concat()
}

fn event(leaf: u64, value: &[u8]) -> Result<UpstreamEvent, VaultError> {
    let message = EventMessage::decode(value).map_err(|_| VaultError::Damaged)?;
    let EventMessage { event, proofs, blinds } = message;
    Ok(UpstreamEvent { leaf, event, proofs, blinds })
}

fn record(record: RecordId, value: &[u8]) -> Result<UpstreamRecord, VaultError> {
    let message = RecordMessage::decode(value).map_err(|_| VaultError::Damaged)?;
    let attests = message.attests.as_deref().map(hash32).transpose()?.map(RecordId::from);
    Ok(UpstreamRecord { record, content: message.content, onward: message.onward, attests })
}

fn named(record: RecordId, value: &[u8]) -> Result<NamedRecord, VaultError> {
    let NamedMessage { head, root } =
        NamedMessage::decode(value).map_err(|_| VaultError::Damaged)?;
    Ok(NamedRecord { record, head, root: hash32(&root)? })
}
