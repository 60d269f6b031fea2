//! The records that lots bear: the certificate whose material they are, how they were made, what they are. An alert names a
//! record's subject, a person a heat or a die; both lead here to records, and from these to the lots that a walk begins with.

use std::collections::{BTreeMap, HashMap};

use crate::{Genealogy, LotId};

/// What a record says of lots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordKind {
    /// It certifies the material that an event commissioned.
    Certificate,
    /// It tells how an event was made.
    Process,
    /// It describes one lot.
    Description,
}

/// What of a record is told: as much as was shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Told {
    /// Hash of the key that alerts on it are signed with.
    pub subject: Option<[u8; 32]>,
    /// The heat or cast number.
    pub heat: Option<String>,
    /// Dies, ring mills and whatever else made it, as they are called there.
    pub tools: Vec<String>,
}

/// Which lots a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bearing {
    /// All that the event at a leaf made.
    Event(u64),
    /// One lot: the leaf, and the place among its event's outputs.
    Lot(u64, u32),
}

#[derive(Debug, Default)]
struct Record {
    kind: Option<RecordKind>,
    bearings: Vec<Bearing>,
    told: Told,
}

/// The records, and what leads to them.
#[derive(Debug, Default)]
pub struct About {
    records: HashMap<[u8; 32], Record>,
    subjects: HashMap<[u8; 32], Vec<[u8; 32]>>,
    heats: BTreeMap<String, Vec<[u8; 32]>>,
    tools: BTreeMap<String, Vec<[u8; 32]>>,
    /// Records of all that an event made, by its leaf.
    events: HashMap<u64, Vec<([u8; 32], RecordKind)>>,
}

impl About {
    /// Notes that lots bear a record; again is once.
    pub fn bear(&mut self, record: [u8; 32], kind: RecordKind, bearing: Bearing) {
        let known = self.records.entry(record).or_default();
        known.kind = Some(kind);
        if !known.bearings.contains(&bearing) {
            known.bearings.push(bearing);
            if let Bearing::Event(leaf) = bearing {
                self.events.entry(leaf).or_default().push((record, kind));
            }
        }
    }

    /// Notes what a record tells; what was told before and is not now stays.
    pub fn tell(&mut self, record: [u8; 32], told: Told) {
        let known = &mut self.records.entry(record).or_default().told;
        if let Some(subject) = told.subject {
            known.subject = Some(subject);
            lead(self.subjects.entry(subject).or_default(), record);
        }
        if let Some(heat) = told.heat {
            lead(self.heats.entry(folded(&heat)).or_default(), record);
            known.heat = Some(heat);
        }
        for tool in told.tools {
            lead(self.tools.entry(folded(&tool)).or_default(), record);
            if !known.tools.contains(&tool) {
                known.tools.push(tool);
            }
        }
    }

    /// The records whose alerts are on a subject: one, unless a liar gave another's subject to a record of its own.
    #[must_use]
    pub fn of_subject(&self, subject: &[u8; 32]) -> &[[u8; 32]] {
        self.subjects.get(subject).map(Vec::as_slice).unwrap_or_default()
    }

    /// The certificates of a heat; case and blanks around it do not count.
    #[must_use]
    pub fn of_heat(&self, heat: &str) -> &[[u8; 32]] {
        self.heats.get(&folded(heat)).map(Vec::as_slice).unwrap_or_default()
    }

    /// The process records that name a die, a ring mill or the like.
    #[must_use]
    pub fn of_tool(&self, tool: &str) -> &[[u8; 32]] {
        self.tools.get(&folded(tool)).map(Vec::as_slice).unwrap_or_default()
    }

    /// Records whose heat or tool begins with, or holds, a text; at most `limit`.
    #[must_use]
    pub fn search(&self, text: &str, limit: usize) -> Vec<[u8; 32]> {
        let text = folded(text);
        let both = self.heats.iter().chain(&self.tools);
        let found = both.filter(|(name, _)| name.contains(&text));
        found.flat_map(|(_, records)| records.iter().copied()).take(limit).collect()
    }

    /// What is told of a record.
    #[must_use]
    pub fn told(&self, record: &[u8; 32]) -> Option<&Told> {
        self.records.get(record).map(|known| &known.told)
    }

    /// What a record is, where a lot bears it.
    #[must_use]
    pub fn kind(&self, record: &[u8; 32]) -> Option<RecordKind> {
        self.records.get(record)?.kind
    }

    /// Every record, and what it is where lots bear it.
    pub fn records(&self) -> impl Iterator<Item = (&[u8; 32], Option<RecordKind>)> {
        self.records.iter().map(|(record, known)| (record, known.kind))
    }

    /// The records that all lots of an event bear.
    pub fn at_event(&self, leaf: u64) -> impl Iterator<Item = (&[u8; 32], RecordKind)> {
        let records = self.events.get(&leaf).map(Vec::as_slice).unwrap_or_default();
        records.iter().map(|(record, kind)| (record, *kind))
    }

    /// The lots that bear a record.
    pub fn lots<'a>(
        &'a self,
        graph: &'a Genealogy,
        record: &[u8; 32],
    ) -> impl Iterator<Item = LotId> + use<'a> {
        let bearings = self.records.get(record).map(|known| known.bearings.as_slice());
        bearings.unwrap_or_default().iter().flat_map(|bearing| {
            let (leaf, output) = match bearing {
                Bearing::Event(leaf) => (*leaf, None),
                Bearing::Lot(leaf, output) => (*leaf, Some(*output)),
            };
            let places = graph.lots_at(leaf).zip(0_u32..);
            places
                .filter(move |(_, at)| output.is_none_or(|output| output == *at))
                .map(|(lot, _)| lot)
        })
    }
}

fn lead(records: &mut Vec<[u8; 32]>, record: [u8; 32]) {
    if !records.contains(&record) {
        records.push(record);
    }
}

fn folded(text: &str) -> String {
    text.trim().to_lowercase()
}
