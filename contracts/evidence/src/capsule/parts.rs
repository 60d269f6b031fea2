//! Which record is what in a capsule: the certificates that were commissioned, descriptions of lots, records of how something
//! was made, attestations. Refuses records that are none of these, and a description that another member wrote than the one
//! whose event first names it.

use heatmark_ledger::ids::MemberId;
use heatmark_records::{RecordId, Said, Value};
use std::collections::{BTreeMap, BTreeSet};

use super::graph::records_of;
use super::inspect::Evidence;
use super::records::Anchored;
use super::verdict::{About, Check, Notes, Part, Told};

/// The field in which a record names, in hexadecimal, another that it attests.
const ATTESTS: &str = "attests/record";

/// What the events that lead to the lot say of records.
pub(super) struct Parts {
    pub(super) certificates: BTreeSet<RecordId>,
    /// Records named by events, and which members carried the first of them.
    named: BTreeMap<RecordId, MemberId>,
    processes: BTreeSet<RecordId>,
    description: Option<RecordId>,
}

impl Evidence {
    pub(super) fn parts(&self) -> Parts {
        let mut parts = Parts {
            certificates: BTreeSet::new(),
            named: BTreeMap::new(),
            processes: BTreeSet::new(),
            description: self.lot().map(|lot| lot.content.description),
        };
        // Ascending, so that the first event that names a record is found first.
        for (leaf, outputs) in &self.graph.needed {
            let Some(logged) = self.logged.get(leaf) else { continue };
            parts.certificates.extend(logged.event.origin);
            parts.processes.extend(logged.event.process);
            for record in records_of(&logged.event, outputs) {
                parts.named.entry(record).or_insert(logged.carrier);
            }
        }
        parts
    }

    /// Records that belong to the lot, its description first.
    pub(super) fn told(&self) -> Vec<Told> {
        let parts = self.parts();
        let mut told: Vec<Told> = self
            .records
            .values()
            .filter_map(|record| {
                Some(Told {
                    part: parts.part(record)?,
                    record: record.record,
                    issuer: record.issuer.clone(),
                    form: record.head.heading().form.clone(),
                    fields: record.fields.clone(),
                    conformity: record.conformity.clone(),
                })
            })
            .collect();
        told.sort_by_key(|told| (told.part, told.record));
        told
    }

    /// Records that nothing leads to, that are in doubt, or that only an event vouches for which is not their writer's.
    pub(super) fn check_parts(&self, parts: &Parts, notes: &mut Notes) {
        for record in self.records.values() {
            let about = || About::Record(record.record);
            if let Some(code) = record.doubt {
                notes.hold(Check::Anchored, about(), code);
            }
            if parts.part(record).is_none() {
                let place = (about(), "record-unreached");
                notes.add(Check::Anchored, self.surplus(), place, String::new());
            } else if !record.anchored
                && parts.named.get(&record.record) != Some(&record.issuer.member)
            {
                // Where an input is missing, the event that names it first may be, too.
                let place = (about(), "not-the-issuer");
                notes.add(Check::Anchored, self.surplus(), place, String::new());
            }
        }
        // A head of what nothing names, or of what is shown.
        let shown = |id: &RecordId| self.records.contains_key(id);
        let stray = |id: &&RecordId| !parts.named.contains_key(*id) || shown(id);
        for id in self.named.keys().filter(stray) {
            let place = (About::Record(*id), "record-unreached");
            notes.add(Check::Anchored, self.surplus(), place, String::new());
        }
    }
}

impl Parts {
    /// What a record is here.
    fn part(&self, record: &Anchored) -> Option<Part> {
        let id = &record.record;
        let attests = || {
            let about = attested(record);
            about.is_some_and(|id| self.certificates.contains(&id) || self.named.contains_key(&id))
        };
        if self.certificates.contains(id) {
            Some(Part::Certificate)
        } else if self.description == Some(*id) {
            Some(Part::Description)
        } else if self.processes.contains(id) {
            Some(Part::Process)
        } else if self.named.contains_key(id) {
            Some(Part::Former)
        } else if record.anchored && attests() {
            Some(Part::Attestation)
        } else {
            None
        }
    }
}

/// Which record a record says that it is about.
pub(super) fn attested(record: &Anchored) -> Option<RecordId> {
    match record.said(ATTESTS)? {
        Said::Shown { value: Value::Text(text), .. } => text.parse().ok(),
        _ => None,
    }
}
