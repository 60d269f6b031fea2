//! Holder totals: once a person has acknowledged an alert, this company's suppliers of the material are told how much of it is
//! left here and at its customers, as one sum; again whenever a customer's answer changes it. What is made of two suppliers'
//! material counts for both: a sum is at most too high.

use crate::genealogy::{Known, clear};
use crate::{Desk, DeskError, blocking};
use heatmark_evidence::transfer::{HolderTotals, SignedFile, TransferError};
use heatmark_genealogy::{Direction, LotId, MemberIndex, Walker, affected};
use heatmark_ledger::ids::MemberId;
use heatmark_ledger::state;
use heatmark_vault::RecallRow;
use prost::Message as _;
use std::collections::{BTreeMap, BTreeSet};

/// Under which name totals go as letters.
pub(crate) const TOTALS_NAME: &str = "holders.heatmark-totals";

impl Desk {
    /// Notes that a person took notice of an alert, and tells this company's suppliers what is left of the material. Gives the
    /// names of those who are told.
    ///
    /// # Errors
    /// [`DeskError::NoRecall`]; otherwise as of the disk.
    pub async fn acknowledge_recall(&self, named: String) -> Result<Vec<String>, DeskError> {
        let detail = self.recall(named).await?;
        let row = detail.view.row;
        let desk = self.clone();
        let noted = row.clone();
        blocking(move || {
            let own = desk.parts.member;
            let about = (&noted.subject, own.as_bytes());
            Ok(desk.parts.vault.put_notified(about, noted.sequence)?)
        })
        .await?;
        self.tell_suppliers(row).await
    }

    async fn tell_suppliers(&self, row: RecallRow) -> Result<Vec<String>, DeskError> {
        let desk = self.clone();
        let files = blocking(move || desk.totals(&row)).await?;
        let mut told = Vec::with_capacity(files.len());
        for (supplier, file) in files {
            self.send_letter(supplier, TOTALS_NAME.to_owned(), file).await?;
            told.push(self.called(&mut BTreeMap::new(), *supplier.as_bytes())?);
        }
        Ok(told)
    }

    /// What each supplier of the material is to be told.
    fn totals(&self, row: &RecallRow) -> Result<Vec<(MemberId, Vec<u8>)>, DeskError> {
        let members = state::members(&self.parts.store)?.len();
        let said = self.said(row)?;
        self.with_known(|known, walker| {
            let reached = walker.walk(&known.graph, known.struck(&row.subject), Direction::Down);
            let received =
                reached.iter().filter_map(|lot| Some((known.holdings.get(*lot)?.from?, *lot)));
            let mut from: BTreeMap<MemberIndex, Vec<LotId>> = BTreeMap::new();
            received.for_each(|(supplier, lot)| from.entry(supplier).or_default().push(lot));
            let mut files = Vec::with_capacity(from.len());
            for (supplier, lots) in from {
                let Some(id) = known.graph.member_id(supplier) else { continue };
                let totals = self.sum(known, walker, (row, lots), (id, &said));
                // More answers than there are members: they go round in a circle, and no sum of them means anything.
                if usize::try_from(totals.holders).unwrap_or(usize::MAX) > members {
                    tracing::warn!("holder totals go round in a circle; they are not passed on");
                    continue;
                }
                let network = self.parts.intake.network();
                files.push((id.into(), totals.signed(&network, &self.parts.signing)));
            }
            Ok(files)
        })
    }

    fn sum(
        &self,
        known: &Known,
        walker: &mut Walker,
        (row, lots): (&RecallRow, Vec<LotId>),
        (supplier, said): ([u8; 32], &BTreeMap<[u8; 32], HolderTotals>),
    ) -> HolderTotals {
        let found = affected(walker.walk(&known.graph, lots, Direction::Down), &known.holdings);
        let small = |number: u128| u64::try_from(number).unwrap_or(u64::MAX);
        let mut totals = HolderTotals {
            holder: self.parts.member.to_vec(),
            supplier: supplier.to_vec(),
            subject: row.subject.to_vec(),
            sequence: row.sequence,
            mass_mg: small(found.stock_mg),
            pieces: small(found.stock_pieces),
            holders: 1,
            at_ms: self.tip().time.0,
            ..HolderTotals::default()
        };
        let customers = found.customers.keys().filter_map(|member| known.graph.member_id(*member));
        // What went back to the supplier, the supplier counts itself.
        for customer in customers.filter(|customer| *customer != supplier) {
            match said.get(&customer) {
                Some(answer) => {
                    totals.mass_mg = totals.mass_mg.saturating_add(answer.mass_mg);
                    totals.pieces = totals.pieces.saturating_add(answer.pieces);
                    totals.holders = totals.holders.saturating_add(answer.holders);
                    totals.awaited = totals.awaited.saturating_add(answer.awaited);
                }
                None => totals.awaited = totals.awaited.saturating_add(1),
            }
        }
        totals
    }

    /// What customers said to an alert as it stands.
    fn said(&self, row: &RecallRow) -> Result<BTreeMap<[u8; 32], HolderTotals>, DeskError> {
        let files = self.parts.vault.holders(&row.subject)?.into_iter();
        let read = files.filter_map(|(member, file)| {
            let totals = HolderTotals::decode(file.as_slice()).ok()?;
            (totals.sequence == row.sequence).then_some((member, totals))
        });
        Ok(read.collect())
    }

    /// Takes in what a customer says, and passes the new sum on where this company has acknowledged the alert.
    pub(crate) async fn keep_totals(
        &self,
        bytes: Vec<u8>,
        from: MemberId,
    ) -> Result<(), DeskError> {
        let desk = self.clone();
        let row = blocking(move || desk.take_totals(&bytes, from)).await?;
        match row {
            Some(row) => self.tell_suppliers(row).await.map(drop),
            None => Ok(()),
        }
    }

    /// The alert, where the new sum has to go on.
    fn take_totals(&self, bytes: &[u8], from: MemberId) -> Result<Option<RecallRow>, DeskError> {
        let network = self.parts.intake.network();
        let totals = self.proved(HolderTotals::read(bytes, &network)?)?;
        let for_us = totals.supplier == self.parts.member.as_bytes();
        if !for_us || totals.holder != from.as_bytes() {
            return Err(DeskError::NotForUs);
        }
        let subject: [u8; 32] =
            totals.subject.as_slice().try_into().map_err(|_| TransferError::NotCanonical)?;
        // The customer may have read the block before this node did.
        self.match_alerts()?;
        let rows = self.parts.vault.recalls()?;
        let row = rows.into_iter().find(|row| row.subject == subject && row.concern_of.is_none());
        let row = row.filter(|row| row.level > clear()).ok_or(DeskError::NoRecall)?;
        let customers = self.with_known(|known, walker| {
            let reached = walker.walk(&known.graph, known.struck(&subject), Direction::Down);
            let found = affected(reached, &known.holdings);
            let ids = found.customers.keys().filter_map(|member| known.graph.member_id(*member));
            Ok(ids.collect::<BTreeSet<[u8; 32]>>())
        })?;
        // Only who got some of it has something to say.
        if !customers.contains(from.as_bytes()) {
            return Err(DeskError::NotForUs);
        }
        let known = self.said(&row)?;
        let same = |known: &HolderTotals| {
            let told = |totals: &HolderTotals| {
                (totals.mass_mg, totals.pieces, totals.holders, totals.awaited)
            };
            told(known) == told(&totals)
        };
        // An older letter that comes late says nothing new.
        let stale = known.get(from.as_bytes()).is_some_and(|last| last.at_ms > totals.at_ms);
        if totals.sequence != row.sequence || stale || known.get(from.as_bytes()).is_some_and(same)
        {
            return Ok(None);
        }
        self.parts.vault.put_holder(&subject, from.as_bytes(), bytes)?;
        let told = self.parts.vault.notified(&subject)?;
        let own = self.parts.member;
        let acknowledged =
            told.iter().any(|(member, of)| member == own.as_bytes() && *of >= row.sequence);
        Ok(acknowledged.then_some(row))
    }
}
