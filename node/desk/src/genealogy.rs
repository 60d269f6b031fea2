//! What this company knows of where lots come from and where they went: an adjacency in memory, built from the vault when it is
//! first asked for and brought up to date before every answer. What comes into the vault is marked there in the same write, so
//! that neither a crash nor a restored backup leaves anything out. Refuses nothing that the vault took: an event that cannot be
//! read is passed over, with a line in the log.
//!
//! ```text
//!   vault: outlines ─▶ graph ◀─ marked events, outlined        walks ─▶ trace, affected, origin, recall
//!          lots ─────▶ holdings      records ─▶ about ◀─ alerts
//! ```

mod affected;
mod origin;
mod reading;
mod trace;

pub use affected::{AffectedView, Affecting, CustomerView, Found};
pub use origin::{ORIGINS, OriginReport, Share};
pub(crate) use reading::Facts;
pub use trace::{LotPlace, MAX_TRACED, Trace, TracedLot};

use crate::{Desk, DeskError, blocking};
use heatmark_genealogy::{
    About, Bearing, Direction, Genealogy, Holding, Holdings, LotId, NewEvent, Place, RecordKind,
    Told, Walker, Where,
};
use heatmark_ledger::ids::{AlertSubject, MemberId};
use heatmark_ledger::messages as pb;
use heatmark_ledger::state;
use heatmark_lots::{Kind, LotFigures};
use heatmark_records::{Opening, RecordId};
use heatmark_vault::{LotRow, LotState, Outline, ParcelState, RecallRow, VaultError};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError, RwLock};

/// Rows that are read, or marks that are worked off, at once.
const AT_ONCE: usize = 1_000;

/// Everything that is kept in memory.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) graph: Genealogy,
    pub(crate) about: About,
    pub(crate) holdings: Holdings,
    /// What is told of certificates, for people.
    pub(crate) facts: HashMap<RecordId, Facts>,
    /// The level of the issuer's alert on a record, where one stands.
    pub(crate) alerts: BTreeMap<RecordId, u32>,
    /// The gravest level that bears on each lot that an alert reaches.
    pub(crate) marks: HashMap<LotId, u32>,
    /// Under which hash the vault has an own lot.
    pub(crate) hashes: HashMap<LotId, [u8; 32]>,
    by_hash: HashMap<[u8; 32], LotId>,
    /// The number of lots when the marks were made; none when alerts changed since.
    marked_at: Option<usize>,
    /// Lots that were sent and not accepted yet, by hash.
    underway: BTreeSet<[u8; 32]>,
}

/// A desk's genealogy: none before it is first asked for.
#[derive(Default)]
pub(crate) struct Kept {
    known: RwLock<Option<Known>>,
    walkers: Mutex<Vec<Walker>>,
}

impl Desk {
    /// Answers from all that is known, brought up to date first. Waits for the disk and computes.
    pub(crate) fn with_known<T>(
        &self,
        answer: impl FnOnce(&Known, &mut Walker) -> Result<T, DeskError>,
    ) -> Result<T, DeskError> {
        if self.is_stale()? {
            let mut guard =
                self.shared.genealogy.known.write().unwrap_or_else(PoisonError::into_inner);
            let mut known = match guard.take() {
                Some(known) => known,
                None => self.build()?,
            };
            let outcome = self.catch_up(&mut known);
            known.mark();
            *guard = Some(known);
            outcome?;
        }
        let guard = self.shared.genealogy.known.read().unwrap_or_else(PoisonError::into_inner);
        let known = guard.as_ref().ok_or(DeskError::Stopped)?;
        let mut walkers =
            self.shared.genealogy.walkers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut walker = walkers.pop().unwrap_or_default();
        drop(walkers);
        let answered = answer(known, &mut walker);
        let mut walkers =
            self.shared.genealogy.walkers.lock().unwrap_or_else(PoisonError::into_inner);
        if walkers.len() < 2 {
            walkers.push(walker);
        }
        answered
    }

    /// Changes what is known, after it was brought up to date.
    pub(crate) fn change_known<T>(
        &self,
        change: impl FnOnce(&mut Known) -> Result<T, DeskError>,
    ) -> Result<T, DeskError> {
        let mut guard = self.shared.genealogy.known.write().unwrap_or_else(PoisonError::into_inner);
        let mut known = match guard.take() {
            Some(known) => known,
            None => self.build()?,
        };
        let outcome = self.catch_up(&mut known).and_then(|()| change(&mut known));
        known.mark();
        *guard = Some(known);
        outcome
    }

    /// Builds what is known, so that the first who asks does not wait for it.
    pub(crate) async fn prepare_genealogy(&self) {
        let desk = self.clone();
        if let Err(error) = blocking(move || desk.with_known(|_, _| Ok(()))).await {
            tracing::warn!(code = error.code(), "the genealogy cannot be built yet");
        }
    }

    fn is_stale(&self) -> Result<bool, DeskError> {
        let vault = &self.parts.vault;
        let underway = self.underway()?;
        let guard = self.shared.genealogy.known.read().unwrap_or_else(PoisonError::into_inner);
        let Some(known) = guard.as_ref() else { return Ok(true) };
        Ok(known.underway != underway
            || !vault.unoutlined(1)?.is_empty()
            || !vault.unread_records(1)?.is_empty())
    }

    /// Lots that left and whose receivers have not posted them.
    fn underway(&self) -> Result<BTreeSet<[u8; 32]>, DeskError> {
        let parcels = self.parts.vault.open_parcels()?.into_iter();
        let sent = parcels.filter(|parcel| parcel.sent && parcel.state == ParcelState::Underway);
        Ok(sent.flat_map(|parcel| parcel.lots).collect())
    }

    fn build(&self) -> Result<Known, DeskError> {
        let begun = std::time::Instant::now();
        let vault = &self.parts.vault;
        let mut known = Known::default();
        vault.outlines(|outline| {
            known.take(&outline);
            Ok(true)
        })?;
        known.graph.compact();
        let mut after = None;
        loop {
            let rows = vault.lots(after.as_ref(), AT_ONCE)?;
            for row in &rows {
                self.note_lot(&mut known, row)?;
            }
            let Some(last) = rows.last() else { break };
            after = Some(last.hash);
        }
        let mut after = None;
        loop {
            let records = vault.upstream_records(after.as_ref(), AT_ONCE)?;
            for record in &records {
                known.read_shown(record);
            }
            let Some(last) = records.last() else { break };
            after = Some(last.record);
        }
        vault.each_named(|named| {
            known.read_named(&named);
            Ok(true)
        })?;
        for record in known.untold() {
            self.read_own(&mut known, &record)?;
        }
        for row in vault.recalls()? {
            known.alert(&row);
        }
        known.underway = self.underway()?;
        tracing::info!(
            lots = known.graph.lots(),
            bytes = known.graph.bytes(),
            ms = begun.elapsed().as_millis(),
            "the genealogy is built"
        );
        Ok(known)
    }

    /// Takes in whatever is marked in the vault.
    fn catch_up(&self, known: &mut Known) -> Result<(), DeskError> {
        loop {
            let leaves = self.parts.vault.unoutlined(AT_ONCE)?;
            if leaves.is_empty() {
                break;
            }
            self.outline_all(known, &leaves)?;
        }
        loop {
            let records = self.parts.vault.unread_records(AT_ONCE)?;
            if records.is_empty() {
                break;
            }
            let mut found = Vec::new();
            for record in &records {
                if let Some(shown) = self.parts.vault.upstream_record(record)? {
                    known.read_shown(&shown);
                } else if let Some(named) = self.parts.vault.named(record)? {
                    known.read_named(&named);
                }
                found.extend(self.alerts_on(known, record)?);
            }
            // Before the marks go: an alert from before the record came is found only now.
            self.parts.vault.put_recalls(&found, None)?;
            found.iter().for_each(|row| known.alert(row));
            self.parts.vault.records_read(&records)?;
        }
        let underway = self.underway()?;
        let changed: Vec<[u8; 32]> =
            known.underway.symmetric_difference(&underway).copied().collect();
        for hash in changed {
            if let Some(row) = self.parts.vault.lot(&hash)? {
                self.note_lot(known, &row)?;
            }
        }
        known.underway = underway;
        Ok(())
    }

    fn outline_all(&self, known: &mut Known, leaves: &[u64]) -> Result<(), DeskError> {
        let vault = &self.parts.vault;
        let mut outlines = Vec::with_capacity(leaves.len());
        for leaf in leaves {
            match self.outline(*leaf)? {
                Some(outline) => outlines.push(outline),
                None => {
                    tracing::warn!(leaf, "an event in the vault cannot be read; it is not traced");
                    vault.pass_over(*leaf)?;
                }
            }
        }
        let mut found = Vec::new();
        for outline in &outlines {
            known.take(outline);
            for record in outline.origin.iter().chain(&outline.process) {
                if !known.facts.contains_key(record) {
                    self.read_own(known, record)?;
                    found.extend(self.alerts_on(known, record)?);
                }
            }
            self.hold_around(known, outline.leaf)?;
        }
        vault.put_recalls(&found, None)?;
        found.iter().for_each(|row| known.alert(row));
        // Last: what fails before is done again.
        Ok(vault.put_outlines(&outlines)?)
    }

    /// Notes what became of the own lots that an event used and made.
    fn hold_around(&self, known: &mut Known, leaf: u64) -> Result<(), DeskError> {
        let vault = &self.parts.vault;
        let Some(event) = vault.lot_event_at(leaf)? else { return Ok(()) };
        for hash in event.inputs.iter().chain(&event.outputs) {
            if let Some(row) = vault.lot(hash)? {
                self.note_lot(known, &row)?;
            }
        }
        Ok(())
    }

    fn note_lot(&self, known: &mut Known, row: &LotRow) -> Result<(), DeskError> {
        let Some(leaf) = row.leaf_index else { return Ok(()) };
        let Some(lot) = known.graph.find(Place { leaf, output: row.output }) else { return Ok(()) };
        let figures = LotFigures::decode(&row.open).map_err(|_| VaultError::Damaged)?;
        let parcel = match &row.used_by {
            Some(event) => self.parts.vault.parcel(event)?.filter(|parcel| parcel.sent),
            None => None,
        };
        let at = match (parcel, row.state) {
            (Some(parcel), _) => match known.graph.number_member(parcel.peer) {
                Ok(member) => Where::Sent(member),
                Err(_) => Where::Used,
            },
            (None, LotState::Used) => Where::Used,
            (None, _) => Where::Here,
        };
        let received = self.parts.vault.parcel(&row.event)?.filter(|parcel| !parcel.sent);
        let from = received.and_then(|parcel| known.graph.number_member(parcel.peer).ok());
        let (mass_mg, pieces) = (figures.mass_mg, figures.pieces);
        known.hashes.insert(lot, row.hash);
        known.by_hash.insert(row.hash, lot);
        known.holdings.put(lot, Holding { name: row.name.clone(), mass_mg, pieces, at, from });
        if let Ok(description) = Opening::decode(&row.description) {
            let subject = Some(description.head().heading().alert_subject);
            let bearing = Bearing::Lot(leaf, row.output);
            known.about.bear(figures.description.0, RecordKind::Description, bearing);
            known.about.tell(figures.description.0, Told { subject, ..Told::default() });
        }
        Ok(())
    }

    /// The alerts that stand on a record already: its issuer's, and members' concerns.
    fn alerts_on(&self, known: &Known, record: &RecordId) -> Result<Vec<RecallRow>, DeskError> {
        let subject = known.about.told(&record.0).and_then(|told| told.subject);
        let Some(subject) = subject else { return Ok(Vec::new()) };
        let store = &self.parts.store;
        let of = AlertSubject::from(subject);
        let mut rows = Vec::new();
        rows.extend(state::alert(store, &of, None)?.map(|alert| row_of(subject, None, &alert)));
        for member in state::members(store)? {
            let concern = state::alert(store, &of, Some(&member))?;
            rows.extend(concern.map(|alert| row_of(subject, Some(member), &alert)));
        }
        Ok(rows)
    }
}

impl Known {
    fn take(&mut self, outline: &Outline) {
        let Ok(kind) = Kind::from_code(outline.kind) else { return };
        let place = |(leaf, output): &(u64, u32)| Place { leaf: *leaf, output: *output };
        let inputs: Vec<Place> = outline.inputs.iter().map(place).collect();
        let event = NewEvent {
            leaf: outline.leaf,
            kind,
            inputs: &inputs,
            outputs: outline.outputs,
            carrier: outline.carrier,
            removed: &outline.removed,
        };
        match self.graph.add(&event) {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::warn!(%error, leaf = outline.leaf, "an event is not traced");
                return;
            }
        }
        let bearing = Bearing::Event(outline.leaf);
        if let Some(origin) = &outline.origin {
            self.about.bear(origin.0, RecordKind::Certificate, bearing);
        }
        if let Some(process) = &outline.process {
            self.about.bear(process.0, RecordKind::Process, bearing);
        }
    }

    /// The number of the gravest level that bears on an own lot; 0 for none.
    pub(crate) fn mark_of(&self, hash: &[u8; 32]) -> u32 {
        let level = self.by_hash.get(hash).and_then(|lot| self.marks.get(lot)).copied();
        level.filter(|level| *level > clear()).unwrap_or(0)
    }

    /// Notes an alert; members' concerns bear on no lot.
    pub(crate) fn alert(&mut self, row: &RecallRow) {
        if row.concern_of.is_some() {
            return;
        }
        for record in self.about.of_subject(&row.subject) {
            self.alerts.insert((*record).into(), row.level);
        }
        self.marked_at = None;
    }

    /// Marks again what alerts reach, where alerts or lots have changed.
    fn mark(&mut self) {
        if self.marked_at == Some(self.graph.lots()) {
            return;
        }
        self.marks.clear();
        let mut standing: Vec<(u32, RecordId)> =
            self.alerts.iter().map(|(record, level)| (*level, *record)).collect();
        standing.retain(|(level, _)| *level > clear());
        standing.sort_unstable();
        let mut walker = Walker::default();
        for (level, record) in standing {
            let lots: Vec<LotId> = self.about.lots(&self.graph, &record.0).collect();
            for lot in walker.walk(&self.graph, lots, Direction::Down) {
                // Ascending: the gravest is written last.
                self.marks.insert(*lot, level);
            }
        }
        self.marked_at = Some(self.graph.lots());
    }
}

pub(crate) fn clear() -> u32 {
    pb::AlertLevel::Clear as u32
}

/// An alert as the state has it.
pub(crate) fn row_of(
    subject: [u8; 32],
    concern_of: Option<MemberId>,
    alert: &pb::AlertState,
) -> RecallRow {
    RecallRow {
        subject,
        concern_of: concern_of.map(|member| *member.as_bytes()),
        level: u32::try_from(alert.level).unwrap_or(0),
        sequence: alert.sequence,
        leaf: alert.leaf_index,
        height: alert.height,
        found_ms: 0,
        changed_ms: 0,
    }
}
