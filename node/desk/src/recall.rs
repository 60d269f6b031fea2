//! Alerts on what is held here: every block is read for them, and matched against the certificates, process records and
//! descriptions that lots here bear. What an alert reaches is marked, customers and stock are told apart, and totals go up the chain to the
//! issuer, hop by hop. Refuses totals from whoever has none of it.
//!
//! ```text
//!   block ─▶ alert ─▶ subject known here? ─▶ vault ─▶ marks ─▶ recall list, show, notices
//!                                                       ▲
//!   customers' totals ─▶ (signed letters) ──────────────┴─▶ own stock and theirs ─▶ suppliers
//! ```

mod drill;
mod totals;

pub use drill::{Drill, DrillKind};
pub(crate) use totals::TOTALS_NAME;

use crate::genealogy::{Known, clear, row_of};
use crate::{AffectedView, Desk, DeskError, blocking};
use heatmark_evidence::transfer::HolderTotals;
use heatmark_genealogy::{LotId, RecordKind, Where};
use heatmark_ledger::ids::{AlertSubject, Height, MemberId};
use heatmark_ledger::{messages as pb, state};
use heatmark_records::RecordId;
use heatmark_vault::{RecallRow, VaultError};
use prost::Message as _;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Blocks read at once.
const BLOCKS_AT_ONCE: u64 = 256;
const RETRY_PAUSE: Duration = Duration::from_secs(5);

/// An alert on something known here.
#[derive(Debug, Clone)]
pub struct RecallView {
    /// As the vault keeps it.
    pub row: RecallRow,
    /// The records that it is on.
    pub records: Vec<RecordId>,
    /// What they are to lots here: certificate, process, description.
    pub kind: &'static str,
    /// Their heat, where it was shown.
    pub heat: String,
    /// Who issued them.
    pub issuer: ([u8; 32], String),
    /// Who is concerned, of a concern.
    pub concerned: Option<String>,
    /// Own lots that it reaches, those of them in stock, and customers.
    pub counts: (usize, usize, usize),
    /// Whether a person of this company has acknowledged it as it stands.
    pub acknowledged: bool,
}

/// What one customer has said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HolderView {
    /// The customer.
    pub member: [u8; 32],
    /// Its legal name.
    pub name: String,
    /// Of which of the alerts on this subject it was told; 0 for none.
    pub told_of: u64,
    /// What it said.
    pub totals: Option<HolderTotals>,
}

/// An alert with all that is known of its reach.
#[derive(Debug, Clone)]
pub struct RecallDetail {
    /// The alert.
    pub view: RecallView,
    /// What of own lots, stock and customers it reaches.
    pub affected: AffectedView,
    /// Stock that no alert reaches: it can be released.
    pub free: FreeStock,
    /// Customers, and what they said.
    pub holders: Vec<HolderView>,
    /// Members whose nodes have acknowledged the alert on the log, of all members.
    pub acknowledged: (usize, usize),
}

/// Stock that no standing alert reaches.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FreeStock {
    /// Names of the lots, ascending.
    pub lots: Vec<String>,
    /// Milligrams.
    pub mass_mg: u128,
    /// Pieces.
    pub pieces: u128,
}

impl Desk {
    /// Follows the log for ever, and matches every alert.
    pub(crate) async fn follow_alerts(&self) {
        self.prepare_genealogy().await;
        let mut tip = self.parts.store.subscribe();
        loop {
            tip.borrow_and_update();
            let desk = self.clone();
            if let Err(error) = blocking(move || desk.match_alerts()).await {
                tracing::warn!(code = error.code(), "alerts are not matched yet");
                tokio::time::sleep(RETRY_PAUSE).await;
            } else if tip.changed().await.is_err() {
                return;
            }
        }
    }

    /// Matches the alerts of all blocks that were not read yet.
    pub(crate) fn match_alerts(&self) -> Result<(), DeskError> {
        let newest = self.parts.store.tip().height;
        let mut noted = self.parts.vault.alerts_read_through()?;
        let through = &self.shared.alerts_read;
        let mut read = Height(through.load(Ordering::Acquire).max(noted)).min(newest);
        while read < newest {
            let last = Height(read.0.saturating_add(BLOCKS_AT_ONCE)).min(newest);
            let subjects = self.alerts_in(read.next(), last)?;
            let far = last.0.saturating_sub(noted) >= BLOCKS_AT_ONCE;
            if subjects.is_empty() && !far {
                through.fetch_max(last.0, Ordering::AcqRel);
                read = last;
                continue;
            }
            self.change_known(|known| {
                let rows = self.matched(known, &subjects)?;
                // A height that is not noted costs reading blocks again, which finds the same; a write costs more.
                if !rows.is_empty() || far {
                    self.parts.vault.put_recalls(&rows, Some(last.0))?;
                    noted = last.0;
                }
                for row in &rows {
                    known.alert(row);
                    tracing::warn!(
                        height = row.height,
                        level = row.level,
                        concern = row.concern_of.is_some(),
                        "an alert is on something that is known here: see `heatmark recall list`"
                    );
                }
                Ok(())
            })?;
            through.fetch_max(last.0, Ordering::AcqRel);
            read = last;
        }
        Ok(())
    }

    fn matched(
        &self,
        known: &Known,
        subjects: &BTreeSet<(AlertSubject, Option<MemberId>)>,
    ) -> Result<Vec<RecallRow>, DeskError> {
        let mut rows = Vec::new();
        for (subject, concern_of) in subjects {
            let bytes = *subject.as_bytes();
            if known.about.of_subject(&bytes).is_empty() {
                continue;
            }
            // As it stands now, not as the block had it: the next one may have changed it.
            let alert = state::alert(&self.parts.store, subject, concern_of.as_ref())?;
            rows.extend(alert.map(|alert| row_of(bytes, *concern_of, &alert)));
        }
        Ok(rows)
    }

    /// Alerts on what is known here, newest first; those cleared since only where they are asked for.
    ///
    /// # Errors
    /// As of the disk.
    pub async fn recalls(&self, all: bool) -> Result<Vec<RecallView>, DeskError> {
        let desk = self.clone();
        blocking(move || {
            desk.match_alerts()?;
            let mut rows = desk.parts.vault.recalls()?;
            rows.retain(|row| all || row.level > clear());
            rows.sort_by_key(|row| std::cmp::Reverse((row.height, row.leaf)));
            desk.with_known(|known, walker| {
                let view = |row: RecallRow| {
                    let from = known.struck(&row.subject);
                    let affected = desk.affected_from(known, walker, from)?;
                    desk.recall_view(known, row, &affected)
                };
                rows.into_iter().map(view).collect()
            })
        })
        .await
    }

    /// One alert with its reach; by the beginning of its subject or of a record's id that it is on, in hex, or by a heat.
    ///
    /// # Errors
    /// [`DeskError::NoRecall`] where none, or more than one, is meant; otherwise as of the disk.
    pub async fn recall(&self, named: String) -> Result<RecallDetail, DeskError> {
        let desk = self.clone();
        blocking(move || {
            desk.match_alerts()?;
            let rows = desk.parts.vault.recalls()?;
            desk.with_known(|known, walker| {
                let row = known.meant(rows, &named)?;
                let from = known.struck(&row.subject);
                let affected = desk.affected_from(known, walker, from)?;
                let holders = desk.holders_of(&row, &affected)?;
                let acknowledged = desk.acknowledged(&row)?;
                let view = desk.recall_view(known, row, &affected)?;
                Ok(RecallDetail { view, affected, free: known.free(), holders, acknowledged })
            })
        })
        .await
    }

    fn recall_view(
        &self,
        known: &Known,
        row: RecallRow,
        affected: &AffectedView,
    ) -> Result<RecallView, DeskError> {
        let records: Vec<RecordId> =
            known.about.of_subject(&row.subject).iter().map(|id| (*id).into()).collect();
        let first = records.first();
        let kind = first.and_then(|id| known.about.kind(&id.0)).map_or("record", word);
        let told = first.and_then(|id| known.about.told(&id.0));
        let issuer = first
            .and_then(|id| known.facts.get(id))
            .map_or(self.parts.member, |facts| MemberId::from(facts.issuer));
        let mut names = BTreeMap::new();
        let issuer = *issuer.as_bytes();
        let issuer = (issuer, self.called(&mut names, issuer)?);
        let concerned = row.concern_of.map(|member| self.called(&mut names, member)).transpose()?;
        let told_of = self.parts.vault.notified(&row.subject)?;
        let acknowledged = told_of
            .iter()
            .any(|(member, of)| member == self.parts.member.as_bytes() && *of >= row.sequence);
        Ok(RecallView {
            kind,
            heat: told.and_then(|told| told.heat.clone()).unwrap_or_default(),
            issuer,
            concerned,
            counts: (affected.own.len(), affected.stock.len(), affected.customers.len()),
            acknowledged,
            records,
            row,
        })
    }

    fn holders_of(
        &self,
        row: &RecallRow,
        affected: &AffectedView,
    ) -> Result<Vec<HolderView>, DeskError> {
        let told: BTreeMap<[u8; 32], u64> =
            self.parts.vault.notified(&row.subject)?.into_iter().collect();
        let mut said: BTreeMap<[u8; 32], HolderTotals> = BTreeMap::new();
        for (member, file) in self.parts.vault.holders(&row.subject)? {
            let totals = HolderTotals::decode(file.as_slice()).map_err(|_| VaultError::Damaged)?;
            said.insert(member, totals);
        }
        let customers = affected.customers.iter().filter(|customer| !customer.outside);
        let view = |member: &[u8; 32], name: &str| HolderView {
            member: *member,
            name: name.to_owned(),
            told_of: told.get(member).copied().unwrap_or(0),
            totals: said.get(member).cloned(),
        };
        Ok(customers.map(|customer| view(&customer.member, &customer.name)).collect())
    }

    /// How many members have acknowledged an alert on the log, of all in good standing.
    fn acknowledged(&self, row: &RecallRow) -> Result<(usize, usize), DeskError> {
        let (mut acknowledged, mut all): (usize, usize) = (0, 0);
        let subject = AlertSubject::from(row.subject);
        let concern_of = row.concern_of.map(MemberId::from);
        for member in state::members(&self.parts.store)? {
            all = all.saturating_add(1);
            let key = state::acknowledgement_key(&subject, concern_of.as_ref(), &member);
            let last: Option<pb::AcknowledgementState> =
                state::read(&self.parts.store, &key, "acknowledgement")?;
            let done = last.is_some_and(|last| last.sequence >= row.sequence);
            acknowledged = acknowledged.saturating_add(usize::from(done));
        }
        Ok((acknowledged, all))
    }

    /// Notes that customers were told of an alert.
    ///
    /// # Errors
    /// As [`Desk::recall`].
    pub async fn customers_told(
        &self,
        subject: [u8; 32],
        members: Vec<[u8; 32]>,
    ) -> Result<(), DeskError> {
        let vault = self.parts.vault.clone();
        blocking(move || {
            let rows = vault.recalls()?;
            let row = rows.iter().find(|row| row.subject == subject && row.concern_of.is_none());
            let sequence = row.ok_or(DeskError::NoRecall)?.sequence;
            for member in members {
                vault.put_notified((&subject, &member), sequence)?;
            }
            Ok(())
        })
        .await
    }
}

impl Known {
    /// The lots that bear what an alert is on.
    pub(crate) fn struck(&self, subject: &[u8; 32]) -> Vec<LotId> {
        let records = self.about.of_subject(subject).iter();
        records.flat_map(|record| self.about.lots(&self.graph, record)).collect()
    }

    fn meant(&self, rows: Vec<RecallRow>, named: &str) -> Result<RecallRow, DeskError> {
        let of_heat = self.about.of_heat(named);
        let prefix = named.to_lowercase();
        let begins = |bytes: &[u8; 32]| !prefix.is_empty() && hex(bytes).starts_with(&prefix);
        let is_meant = |row: &RecallRow| {
            let records = self.about.of_subject(&row.subject);
            begins(&row.subject)
                || records.iter().any(|record| begins(record) || of_heat.contains(record))
        };
        let mut meant: Vec<RecallRow> = rows.into_iter().filter(is_meant).collect();
        // The issuer's own word before members' concerns about the same.
        meant.sort_by_key(|row| row.concern_of.is_some());
        let subjects: BTreeSet<[u8; 32]> = meant.iter().map(|row| row.subject).collect();
        let standing = |row: &&RecallRow| row.level > clear();
        let of = match subjects.len() {
            1 => meant.first(),
            // Of several one may stand alone.
            _ => {
                let mut standing = meant.iter().filter(standing);
                let first = standing.next();
                first.filter(|first| standing.all(|row| row.subject == first.subject))
            }
        };
        of.cloned().ok_or(DeskError::NoRecall)
    }

    fn free(&self) -> FreeStock {
        let mut free = FreeStock::default();
        for (lot, held) in self.holdings.all() {
            if held.at == Where::Here && !self.marks.contains_key(&lot) {
                free.lots.push(held.name.clone());
                free.mass_mg = free.mass_mg.saturating_add(held.mass_mg.into());
                free.pieces = free.pieces.saturating_add(held.pieces.into());
            }
        }
        free.lots.sort_unstable();
        free
    }
}

const fn word(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Certificate => "certificate",
        RecordKind::Process => "process",
        RecordKind::Description => "description",
    }
}

fn hex(bytes: &[u8; 32]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
