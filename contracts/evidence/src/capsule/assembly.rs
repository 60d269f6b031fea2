//! Puts a capsule together: follows a lot back through whatever its holder has, and takes along the events, the certificates
//! with the records beside them, and the entries of the state that a verifier will ask for. What the holder does not have is
//! left out, and the verifier says so.

use heatmark_ledger::ids::{AlertSubject, KeyId, MemberId};
use heatmark_ledger::messages as pb;
use heatmark_ledger::{state, wire};
use heatmark_lots::{Event, check_seal};
use heatmark_merkle::Hash;
use heatmark_records::{Head, RecordId};
use std::collections::{BTreeMap, BTreeSet};

use super::graph::{inputs_of, records_of};
use super::wire::{MAX_ENTRIES, VERSION};
use super::{Capsule, CapsuleEntry, CapsuleEvent, CapsuleHead, CapsuleRecord, MAX_EVENTS};

/// What whoever makes a capsule has, everything against one header.
pub trait Holdings {
    /// Why something that is there cannot be had.
    type Error;

    /// The event at a leaf.
    ///
    /// # Errors
    /// Of the holder's own.
    fn event(&self, leaf: u64) -> Result<Option<CapsuleEvent>, Self::Error>;

    /// What may be shown of a record.
    ///
    /// # Errors
    /// Of the holder's own.
    fn record(&self, record: &RecordId) -> Result<Option<CapsuleRecord>, Self::Error>;

    /// The head of a record of what was done or of what came of it, and the root of its tree; the lot at this leaf and place is
    /// what names it, itself or by the event that made it.
    ///
    /// # Errors
    /// Of the holder's own.
    fn head(&self, record: &RecordId, lot: (u64, u32)) -> Result<Option<CapsuleHead>, Self::Error>;

    /// The records that attest a record.
    ///
    /// # Errors
    /// Of the holder's own.
    fn beside(&self, record: &RecordId) -> Result<Vec<RecordId>, Self::Error>;

    /// An entry of the state, or its absence.
    ///
    /// # Errors
    /// Of the holder's own.
    fn entry(&self, key: Vec<u8>) -> Result<CapsuleEntry, Self::Error>;
}

/// The one header of a capsule, with what certifies it.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    /// The header.
    pub header: Option<pb::Header>,
    /// Its certificate.
    pub certificate: Option<pb::CommitCertificate>,
    /// As in a receipt.
    pub set_changes: Vec<pb::SetChange>,
}

/// Puts together what leads to the lot at a leaf and a place among its outputs. Concerns of these members are told beside the
/// issuers' own alerts.
///
/// # Errors
/// Those of the holdings.
pub fn assemble<H: Holdings>(
    lot: (u64, u32),
    frame: Frame,
    holdings: &H,
    concerns: &[MemberId],
) -> Result<Capsule, H::Error> {
    let events = follow(lot, holdings)?;
    let records = certificates(&events, holdings)?;
    let heads = heads(&events, &records, holdings)?;
    let mut entries: BTreeMap<Vec<u8>, CapsuleEntry> = BTreeMap::new();
    let named = heads.values().filter_map(|head| Head::decode(&head.head).ok());
    let named = named.flat_map(|head| alerts_of(&head, concerns));
    for key in records.values().flat_map(|record| keys_of(record, concerns)).chain(named) {
        if !entries.contains_key(&key) && entries.len() < MAX_ENTRIES {
            entries.insert(key.clone(), holdings.entry(key)?);
        }
    }
    Ok(Capsule {
        version: VERSION,
        header: frame.header,
        certificate: frame.certificate,
        set_changes: frame.set_changes,
        events: events
            .into_values()
            .map(|(logged, event, outputs)| {
                let blinds = blinds_for(&logged, &event, &outputs);
                CapsuleEvent { blinds, ..logged }
            })
            .collect(),
        records: records.into_values().collect(),
        entries: entries.into_values().collect(),
        leaf: lot.0,
        output: lot.1,
        opening: Vec::new(),
        seal_key: Vec::new(),
        seal_blind: Vec::new(),
        heads: heads.into_values().collect(),
    })
}

type Records = BTreeMap<RecordId, CapsuleRecord>;

/// The certificates, with what attests them.
fn certificates<H: Holdings>(events: &Followed, holdings: &H) -> Result<Records, H::Error> {
    let mut records = Records::new();
    for origin in events.values().filter_map(|(_, event, _)| event.origin) {
        for id in std::iter::once(origin).chain(holdings.beside(&origin)?) {
            if records.len() < MAX_EVENTS
                && !records.contains_key(&id)
                && let Some(record) = holdings.record(&id)?
            {
                records.insert(id, record);
            }
        }
    }
    Ok(records)
}

/// Of what was done and what came of it, what alerts stand under; each once, however many lots it describes.
fn heads<H: Holdings>(
    events: &Followed,
    records: &Records,
    holdings: &H,
) -> Result<BTreeMap<RecordId, CapsuleHead>, H::Error> {
    let mut heads = BTreeMap::new();
    for (leaf, (_, event, outputs)) in events {
        for output in outputs {
            for id in records_of(event, &BTreeSet::from([*output])) {
                if heads.contains_key(&id) || records.contains_key(&id) {
                    continue;
                }
                if let Some(head) = holdings.head(&id, (*leaf, *output))? {
                    heads.insert(id, head);
                }
            }
        }
    }
    Ok(heads)
}

impl Capsule {
    /// Shows that the lot's seal is whole, by its key and blind.
    ///
    /// # Errors
    /// Those of the holdings.
    pub fn show_seal<H: Holdings>(
        &mut self,
        (key, blind): (&[u8; 32], &[u8; 32]),
        holdings: &H,
    ) -> Result<(), H::Error> {
        let id = heatmark_lots::seal_key_hash(key);
        let place = state::seal_key(&id.0.into());
        let found = self.entries.binary_search_by(|entry| entry.key.cmp(&place));
        if let Err(at) = found {
            self.entries.insert(at, holdings.entry(place)?);
        }
        (self.seal_key, self.seal_blind) = (key.to_vec(), blind.to_vec());
        Ok(())
    }
}

type Followed = BTreeMap<u64, (CapsuleEvent, Event, BTreeSet<u32>)>;

/// The events that lead to a lot, with those of their outputs that are asked about. One that cannot be read is left out.
fn follow<H: Holdings>(lot: (u64, u32), holdings: &H) -> Result<Followed, H::Error> {
    let mut events = Followed::new();
    let mut open = vec![lot];
    while let Some((leaf, output)) = open.pop() {
        if !events.contains_key(&leaf) {
            if events.len() >= MAX_EVENTS {
                continue;
            }
            let Some(logged) = holdings.event(leaf)? else { continue };
            let Ok(event) = Event::decode(&logged.event) else { continue };
            events.insert(leaf, (logged, event, BTreeSet::new()));
        }
        let Some((_, event, outputs)) = events.get_mut(&leaf) else { continue };
        if outputs.insert(output) {
            let asked = inputs_of(event, &BTreeSet::from([output]));
            let inputs = asked.into_iter().filter_map(|place| event.inputs.get(place));
            // Made later than what is made of it: nothing leads there.
            let earlier = inputs.filter(|input| input.leaf.0 < leaf);
            open.extend(earlier.map(|input| (input.leaf.0, input.output)));
        }
    }
    Ok(events)
}

/// The blinds of the seals of those inputs that the capsule follows; zeros for the others.
fn blinds_for(logged: &CapsuleEvent, event: &Event, outputs: &BTreeSet<u32>) -> Vec<u8> {
    if event.origin.is_some() {
        return logged.blinds.clone();
    }
    let asked = inputs_of(event, outputs);
    let blinds = logged.blinds.as_chunks::<32>().0.iter().enumerate();
    blinds
        .flat_map(|(place, blind)| if asked.contains(&place) { *blind } else { [0; 32] })
        .collect()
}

impl CapsuleEvent {
    /// The blinds that open the seals of what the capsule shows to have gone in; zeros for all others, which anybody may have
    /// made up.
    #[must_use]
    pub fn proven_blinds(&self, capsule: &Capsule) -> Vec<u8> {
        let shown = self.blinds.as_chunks::<32>().0;
        let (Ok(envelope), Ok(event)) =
            (wire::decode_envelope(&self.transaction), Event::decode(&self.event))
        else {
            return vec![0; self.blinds.len()];
        };
        let keys = envelope.cosignatures.iter().map(|seal| seal.public_key.as_slice().try_into());
        let held = held_by(&event, capsule);
        let pairs = shown.iter().zip(keys).zip(held);
        let proven = pairs.map(|((blind, key), held)| match (key, held) {
            (Ok(key), Some(held)) if check_seal(&held, &key, blind).is_ok() => *blind,
            _ => [0; 32],
        });
        let proven: Vec<u8> = proven.flatten().collect();
        if proven.len() == self.blinds.len() { proven } else { vec![0; self.blinds.len()] }
    }
}

/// The seals that an event has to have broken, as far as the capsule shows what held them.
fn held_by(event: &Event, capsule: &Capsule) -> Vec<Option<Hash>> {
    if let Some(origin) = event.origin {
        let record = capsule.records.iter().find(|record| record.record == origin.0);
        let head = record.and_then(|record| Head::decode(&record.head).ok());
        return vec![head.and_then(|head| head.heading().origin_seal).map(Hash)];
    }
    let inputs = event.inputs.iter();
    inputs.map(|input| capsule.lot_at(*input).map(|lot| lot.seal)).collect()
}

/// Where alerts and concerns about a record stand.
fn alerts_of(head: &Head, concerns: &[MemberId]) -> Vec<Vec<u8>> {
    let subject = AlertSubject::from(head.heading().alert_subject);
    let mut keys = vec![state::alert_key(&subject)];
    keys.extend(concerns.iter().map(|member| state::concern_key(&subject, member)));
    keys
}

/// The entries that a verifier asks for about a record.
fn keys_of(record: &CapsuleRecord, concerns: &[MemberId]) -> Vec<Vec<u8>> {
    let Ok(head) = Head::decode(&record.head) else { return Vec::new() };
    let mut keys = alerts_of(&head, concerns);
    keys.push(state::member_key(&MemberId::from(head.heading().issuer)));
    let signer = wire::decode_envelope(&record.transaction).ok();
    let signer = signer.and_then(|envelope| KeyId::try_from(envelope.signer.as_slice()).ok());
    // Whose proofs these are, for those to whom that matters.
    let discloser = KeyId::try_from(record.discloser.as_slice()).ok();
    keys.extend(signer.into_iter().chain(discloser).map(|key| state::key_key(&key)));
    keys
}
