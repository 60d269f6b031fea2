//! What is read of events and records for the genealogy: an event's outline, and of a record what was shown of where its
//! material comes from.

use super::Known;
use crate::{Desk, DeskError};
use heatmark_evidence::capsule::CapsuleRecord;
use heatmark_genealogy::{RecordKind, Told};
use heatmark_ledger::messages::body::Payload;
use heatmark_ledger::{LeafIndex, wire};
use heatmark_lots::Event;
use heatmark_records::{FieldProof, Head, Opening, Path, RecordId, Said, Value};
use heatmark_vault::{NamedRecord, Outline, UpstreamRecord, VaultError};
use prost::Message as _;
use std::collections::BTreeMap;

/// Fields that name what an event was made with, beside everything below `process/tool/`.
const TOOLS: [&str; 4] = ["process/die", "process/load", "process/ring-mill", "process/station"];
/// Most bytes of a field's text that are kept.
const MAX_TEXT_BYTES: usize = 200;

/// Fields of certificates that are kept in memory, by their paths: what people ask by, and what origins are counted by.
pub(crate) const FACTS: [&str; 9] = [
    "heat",
    "grade",
    "melt/country",
    "melt/shop",
    "melt/smelter",
    "melt/process",
    "melt/remelt",
    "manufacturer/name",
    "manufacturer/country",
];

/// What is known of a certificate.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) issuer: [u8; 32],
    /// Texts by path, of [`FACTS`].
    pub(crate) texts: BTreeMap<&'static str, String>,
}

impl Desk {
    /// The outline of an event in the vault; none where it cannot be read.
    pub(super) fn outline(&self, leaf: u64) -> Result<Option<Outline>, DeskError> {
        let vault = &self.parts.vault;
        let body = match vault.lot_event_at(leaf)? {
            Some(own) => own.event,
            None => match vault.upstream_event(leaf)? {
                Some(shown) => shown.event,
                None => return Ok(None),
            },
        };
        let (Ok(event), Some(carrier)) = (Event::decode(&body), self.carrier_of(leaf)?) else {
            return Ok(None);
        };
        Ok(Some(Outline {
            leaf,
            kind: event.kind.code(),
            inputs: event.inputs.iter().map(|input| (input.leaf.0, input.output)).collect(),
            outputs: u32::try_from(event.outputs.len()).unwrap_or(u32::MAX),
            carrier,
            origin: event.origin,
            process: event.process,
            removed: event.removed,
        }))
    }

    /// The member that carried the event at a leaf, as the log has it.
    fn carrier_of(&self, leaf: u64) -> Result<Option<[u8; 32]>, DeskError> {
        let Some(entry) = self.parts.store.entry(LeafIndex(leaf))? else { return Ok(None) };
        let envelope = wire::decode_envelope(&entry).ok();
        let body = envelope.and_then(|envelope| wire::decode_body(&envelope.body).ok());
        let Some(Payload::LotEvent(event)) = body.and_then(|body| body.payload) else {
            return Ok(None);
        };
        Ok(event.carrier.as_slice().try_into().ok())
    }

    /// Reads a record of this member's own, where it is one: a certificate, or how an event was made.
    pub(super) fn read_own(&self, known: &mut Known, id: &RecordId) -> Result<(), DeskError> {
        match self.parts.vault.record(id) {
            Ok(Some(stored)) => known.read_opening(id, &stored.opening),
            Ok(None) => self.read_process(known, id)?,
            // Alerts on what was destroyed are still matched.
            Err(VaultError::Erased(_)) => {
                if let Some(row) = self.parts.vault.records(&id.0, 1)?.first() {
                    let subject = Some(row.alert_subject);
                    known.about.tell(id.0, Told { subject, ..Told::default() });
                }
            }
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Reads the process record of an own event, which the vault has beside that event.
    fn read_process(&self, known: &mut Known, id: &RecordId) -> Result<(), DeskError> {
        let lot = known.about.lots(&known.graph, &id.0).next();
        let Some(place) = lot.and_then(|lot| known.graph.place(lot)) else { return Ok(()) };
        let Some(event) = self.parts.vault.lot_event_at(place.leaf)? else { return Ok(()) };
        if let Some(process) = self.parts.vault.process(&event.digest)? {
            known.read_opening(id, &process);
        }
        Ok(())
    }
}

impl Known {
    /// Certificates and process records that lots bear and of which nothing is told yet.
    pub(super) fn untold(&self) -> Vec<RecordId> {
        let untold = self.about.records().filter(|(record, kind)| {
            *kind != Some(RecordKind::Description)
                && self.about.told(record).is_none_or(|told| told.subject.is_none())
        });
        untold.map(|(record, _)| RecordId::from(*record)).collect()
    }

    /// Notes an own record.
    pub(super) fn read_opening(&mut self, id: &RecordId, opening: &Opening) {
        let heading = opening.head().heading();
        let text = |path: &str| match opening.fields().get(&Path::new(path).ok()?)? {
            Value::Text(text) => Some(text.clone()),
            _ => None,
        };
        let tools = opening.fields().iter().filter(|(path, _)| is_tool(path.as_str()));
        let tools = tools.filter_map(|(path, _)| text(path.as_str())).collect();
        self.tell(id, (heading.alert_subject, heading.issuer), text, tools);
    }

    /// Notes what was shown of another's record.
    pub(super) fn read_shown(&mut self, shown: &UpstreamRecord) {
        let Ok(record) = CapsuleRecord::decode(shown.content.as_slice()) else { return };
        let Ok(head) = Head::decode(&record.head) else { return };
        let fields = record.fields.iter().filter_map(|field| FieldProof::decode(field).ok());
        let texts: BTreeMap<String, String> = fields
            .filter_map(|field| match field.said {
                Said::Shown { value: Value::Text(text), .. } => {
                    Some((field.path.as_str().to_owned(), text))
                }
                _ => None,
            })
            .collect();
        let heading = head.heading();
        let tools = texts.iter().filter(|(path, _)| is_tool(path)).map(|(_, text)| text.clone());
        let tools = tools.collect();
        let text = |path: &str| texts.get(path).cloned();
        self.tell(&shown.record, (heading.alert_subject, heading.issuer), text, tools);
    }

    /// Notes what alerts on a record stand under of which nothing else was shown.
    pub(super) fn read_named(&mut self, named: &NamedRecord) {
        let Ok(head) = Head::decode(&named.head) else { return };
        let subject = Some(head.heading().alert_subject);
        self.about.tell(named.record.0, Told { subject, ..Told::default() });
    }

    fn tell(
        &mut self,
        id: &RecordId,
        (subject, issuer): ([u8; 32], [u8; 32]),
        text: impl Fn(&str) -> Option<String>,
        tools: Vec<String>,
    ) {
        let facts = self.facts.entry(*id).or_default();
        facts.issuer = issuer;
        for path in FACTS {
            if let Some(text) = text(path) {
                facts.texts.insert(path, kept(text));
            }
        }
        let heat = facts.texts.get("heat").cloned();
        let tools = tools.into_iter().map(kept).collect();
        self.about.tell(id.0, Told { subject: Some(subject), heat, tools });
    }
}

fn is_tool(path: &str) -> bool {
    TOOLS.contains(&path) || path.starts_with("process/tool/")
}

fn kept(mut text: String) -> String {
    let end = (0..=MAX_TEXT_BYTES).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.truncate(end);
    text.retain(|c| !c.is_control());
    text
}
