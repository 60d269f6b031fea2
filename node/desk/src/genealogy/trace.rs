//! A lot's history and future: what it is made of, back to where material comes from, or what was made of it, as far as this
//! company made it or was shown it. Refuses lots that are not known here.

use super::{Known, clear};
use crate::{Desk, DeskError, blocking};
use heatmark_genealogy::{Direction, LotId, Place, RecordKind, Where};
use heatmark_ledger::ids::MemberId;
use heatmark_ledger::state;
use heatmark_records::{Opening, RecordId};
use heatmark_vault::VaultError;
use std::collections::{BTreeMap, HashMap};

/// Most lots in one answer.
pub const MAX_TRACED: usize = 20_000;

/// A lot as a trace shows it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct TracedLot {
    /// The leaf of the event that made it.
    pub leaf: u64,
    /// Its place among that event's outputs.
    pub output: u32,
    /// Its name here; empty for one that never was this company's.
    pub name: String,
    /// What it is, of an own lot.
    pub product: String,
    /// The kind of event that made it.
    pub made_by: &'static str,
    /// The member that carried that event.
    pub company: [u8; 32],
    /// That member's legal name.
    pub company_name: String,
    /// The certificate whose material that event commissioned.
    pub certificate: Option<RecordId>,
    /// The heat, where it was shown.
    pub heat: String,
    /// What that event was made with, where it is known.
    pub tools: Vec<String>,
    /// Milligrams, of an own lot.
    pub mass_mg: Option<u64>,
    /// Pieces, of an own lot.
    pub pieces: Option<u64>,
    /// Where an own lot is.
    pub at: Option<LotPlace>,
    /// The number of the gravest level of alerts that reach it; 0 for none.
    pub alert: u32,
    /// How many of the lots that it is made of are not known here.
    pub missing: u32,
}

/// Where an own lot is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LotPlace {
    /// In stock.
    Here,
    /// Used up.
    Used,
    /// At a customer, or on its way there.
    Sent([u8; 32], String),
}

impl std::fmt::Debug for TracedLot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TracedLot").field("leaf", &self.leaf).finish_non_exhaustive()
    }
}

/// A trace.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    /// The lots, nearest first; the first is the one that is asked about.
    pub lots: Vec<TracedLot>,
    /// Pairs of places among them: the first is made into the second.
    pub edges: Vec<(u32, u32)>,
    /// How many lots there are in all; more than here where there were too many.
    pub reached: u64,
}

impl Desk {
    /// Traces a lot, by its name here or as `LEAF/OUTPUT`; at most `limit` lots.
    ///
    /// # Errors
    /// [`DeskError::Vault`] with `UnknownLot` for one that is not known here; otherwise as of the disk.
    pub async fn trace(&self, lot: String, down: bool, limit: usize) -> Result<Trace, DeskError> {
        let desk = self.clone();
        let direction = if down { Direction::Down } else { Direction::Up };
        blocking(move || {
            let place = desk.place_of(&lot)?;
            desk.with_known(|known, walker| {
                let lot = known.graph.find(place).ok_or(VaultError::UnknownLot)?;
                let reached = walker.walk(&known.graph, [lot], direction);
                let shown = reached.get(..limit.min(MAX_TRACED)).unwrap_or(reached);
                let mut trace = Trace {
                    lots: desk.described(known, shown)?,
                    reached: u64::try_from(reached.len()).unwrap_or(u64::MAX),
                    ..Trace::default()
                };
                let places: HashMap<LotId, u32> = shown.iter().copied().zip(0..).collect();
                for (lot, at) in shown.iter().zip(0_u32..) {
                    match direction {
                        Direction::Up => {
                            let parents = known.graph.parents(*lot).flatten();
                            let from = parents.filter_map(|parent| places.get(&parent));
                            trace.edges.extend(from.map(|from| (*from, at)));
                        }
                        Direction::Down => {
                            let children = known.graph.children(*lot);
                            let to = children.filter_map(|child| places.get(&child));
                            trace.edges.extend(to.map(|to| (at, *to)));
                        }
                    }
                }
                Ok(trace)
            })
        })
        .await
    }

    /// Where a lot was made, by its name here or as `LEAF/OUTPUT`.
    pub(crate) fn place_of(&self, lot: &str) -> Result<Place, DeskError> {
        let row = match self.parts.vault.lot_named(lot) {
            Ok(row) => row,
            Err(VaultError::LotName) => None,
            Err(error) => return Err(error.into()),
        };
        if let Some(row) = row {
            let leaf = row.leaf_index.ok_or(VaultError::LotNotThere(row.name))?;
            return Ok(Place { leaf, output: row.output });
        }
        let parts = lot.split_once('/').and_then(|(leaf, output)| {
            Some(Place { leaf: leaf.parse().ok()?, output: output.parse().ok()? })
        });
        parts.ok_or_else(|| VaultError::UnknownLot.into())
    }

    /// Lots as people read them.
    pub(crate) fn described(
        &self,
        known: &Known,
        lots: &[LotId],
    ) -> Result<Vec<TracedLot>, DeskError> {
        let mut names: BTreeMap<[u8; 32], String> = BTreeMap::new();
        let events = known.records_by_event(lots);
        lots.iter().map(|lot| self.describe(known, *lot, (&mut names, &events))).collect()
    }

    fn describe(
        &self,
        known: &Known,
        lot: LotId,
        (names, events): (&mut BTreeMap<[u8; 32], String>, &HashMap<u64, Borne>),
    ) -> Result<TracedLot, DeskError> {
        let place = known.graph.place(lot).ok_or(DeskError::Stopped)?;
        let made_of = known.graph.made_of(lot).ok_or(DeskError::Stopped)?;
        let company = known.graph.member_id(made_of.carrier).unwrap_or_default();
        let company_name = self.called(names, company)?;
        let mut traced = TracedLot {
            leaf: place.leaf,
            output: place.output,
            made_by: made_of.kind.word(),
            company,
            company_name,
            missing: made_of.missing,
            alert: known.marks.get(&lot).copied().filter(|level| *level > clear()).unwrap_or(0),
            ..TracedLot::default()
        };
        if let Some(borne) = events.get(&place.leaf) {
            traced.certificate = borne.certificate;
            traced.heat.clone_from(&borne.heat);
            traced.tools.clone_from(&borne.tools);
        }
        if let Some(holding) = known.holdings.get(lot) {
            traced.name.clone_from(&holding.name);
            (traced.mass_mg, traced.pieces) = (Some(holding.mass_mg), Some(holding.pieces));
            traced.product = self.product_at(known.hashes.get(&lot))?;
            traced.at = Some(match holding.at {
                Where::Here => LotPlace::Here,
                Where::Used => LotPlace::Used,
                Where::Sent(member) => {
                    let member = known.graph.member_id(member).unwrap_or_default();
                    LotPlace::Sent(member, self.called(names, member)?)
                }
            });
        }
        Ok(traced)
    }

    /// A member's legal name.
    pub(crate) fn called(
        &self,
        names: &mut BTreeMap<[u8; 32], String>,
        member: [u8; 32],
    ) -> Result<String, DeskError> {
        if let Some(name) = names.get(&member) {
            return Ok(name.clone());
        }
        let entry = state::member(&self.parts.store, &MemberId::from(member))?;
        let name = entry.and_then(|entry| entry.entry).map(|entry| entry.legal_name);
        Ok(names.entry(member).or_insert(name.unwrap_or_default()).clone())
    }

    pub(super) fn product_at(&self, hash: Option<&[u8; 32]>) -> Result<String, DeskError> {
        let row = hash.map(|hash| self.parts.vault.lot(hash)).transpose()?.flatten();
        let Some(row) = row else { return Ok(String::new()) };
        let description = Opening::decode(&row.description)?;
        Ok(crate::lots::product_of(&description))
    }
}

/// What the records of one event tell.
#[derive(Debug, Default)]
pub(super) struct Borne {
    certificate: Option<RecordId>,
    heat: String,
    tools: Vec<String>,
}

impl Known {
    /// The certificate whose material an event commissioned.
    pub(super) fn certificate_at(&self, leaf: u64) -> Option<RecordId> {
        let mut records = self.about.at_event(leaf);
        let of = records.find(|(_, kind)| *kind == RecordKind::Certificate);
        of.map(|(record, _)| (*record).into())
    }

    /// The certificates and process records of the events that made lots, by leaf.
    fn records_by_event(&self, lots: &[LotId]) -> HashMap<u64, Borne> {
        let leaves = lots.iter().filter_map(|lot| self.graph.place(*lot)).map(|place| place.leaf);
        let mut events: HashMap<u64, Borne> = HashMap::new();
        for leaf in leaves {
            if events.contains_key(&leaf) {
                continue;
            }
            let mut borne = Borne::default();
            for (record, kind) in self.about.at_event(leaf) {
                let Some(told) = self.about.told(record) else { continue };
                borne.tools.extend(told.tools.iter().cloned());
                if kind == RecordKind::Certificate {
                    borne.certificate = Some((*record).into());
                    borne.heat = told.heat.clone().unwrap_or_default();
                }
            }
            events.insert(leaf, borne);
        }
        events
    }
}
