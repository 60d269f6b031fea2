//! What people are shown of deposits, holdings, offers and deals.

use super::DealError;
use super::depositing::member;
use super::parties::{deal_of, phase_name, role_of};
use super::repeating::DealInspection;
use crate::{Desk, DeskError, blocking};
use heatmark_escrow::files::{Ruling, TermsContent};
use heatmark_escrow::{Clause, Manifest};
use heatmark_ledger::ids::MemberId;
use heatmark_records::RecordId;
use heatmark_vault::{DealRole, DealRow};
use prost::Message as _;

/// More rows than one deal has: one for each role.
const MOST_ROLES: usize = 8;

/// A deposit of this organisation's.
#[derive(Debug, Clone)]
pub struct DepositView {
    /// Its id.
    pub id: [u8; 32],
    /// The manifest.
    pub manifest: Manifest,
    /// Whether the manifest is anchored.
    pub anchored: bool,
    /// Whether its secrets are destroyed.
    pub destroyed: bool,
    /// The agents, in the order of their shares.
    pub agents: Vec<AgentView>,
}

/// How far an agent of a deposit is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentView {
    /// The member.
    pub member: MemberId,
    /// Its legal name.
    pub name: String,
    /// `asked`, `answered`, `sent`, `signed` or `destroyed`.
    pub state: &'static str,
    /// When it last showed that shares and ciphertext are alive, in Unix milliseconds; 0 for never.
    pub alive_ms: u64,
    /// What a drill found wrong; empty for nothing.
    pub trouble: String,
}

/// A deposit that this organisation is an agent of.
#[derive(Debug, Clone)]
pub struct HoldingView {
    /// The owner, and its name.
    pub owner: (MemberId, String),
    /// The manifest; none while only a key was given.
    pub manifest: Option<Manifest>,
    /// Whether it has signed for its shares and all ciphertext.
    pub signed: bool,
    /// `asked`, `held`, `signed` or `destroyed`.
    pub state: &'static str,
}

/// What could be opened of a record, under one clause.
#[derive(Debug, Clone)]
pub struct OfferView {
    /// The manifest.
    pub manifest: Manifest,
    /// The clause.
    pub clause: Clause,
    /// The owner's legal name.
    pub owner: String,
    /// Agents that said so.
    pub told_by: usize,
}

/// A deal in one role of this organisation's.
#[derive(Debug, Clone)]
pub struct DealView {
    /// Its id.
    pub deal: [u8; 32],
    /// What this organisation is in it.
    pub role: DealRole,
    /// The phase by name; `gathering` before the log has it.
    pub phase: &'static str,
    /// The buyer, and its name.
    pub buyer: (MemberId, String),
    /// The owner, and its name, once the terms are here.
    pub owner: Option<(MemberId, String)>,
    /// The record, once the terms are here.
    pub record: Option<RecordId>,
    /// The sections.
    pub sections: Vec<String>,
    /// For what.
    pub purpose: String,
    /// What is paid, as far as it is known here: minor units, and the currency.
    pub amount: (Option<u64>, String),
    /// How many agents said that they are ready, and how many released, of how many it takes.
    pub agents: (u32, u32, u32),
    /// When the phase ends by itself, in Unix milliseconds of block time.
    pub deadline_ms: Option<u64>,
    /// What is wrong: a stable name, and words.
    pub trouble: (String, String),
    /// Indices of agents whose shares were bad.
    pub bad: Vec<u8>,
    /// Whether this buyer has opened it, and whether it is destroyed again.
    pub opened: (bool, bool),
    /// What the arbiter ruled: for the buyer, by which finding, why.
    pub ruling: Option<(bool, String, String)>,
    /// When it was begun here.
    pub at_ms: u64,
    /// The inspection that asked for it.
    pub inspection: Option<DealInspection>,
}

impl Desk {
    /// Own deposits, newest first.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn deposits(&self) -> Result<Vec<DepositView>, DeskError> {
        self.deposits_from(0, usize::MAX).await
    }

    /// So many of them, after those that are skipped.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn deposits_from(
        &self,
        skip: usize,
        most: usize,
    ) -> Result<Vec<DepositView>, DeskError> {
        let desk = self.clone();
        blocking(move || {
            let mut views = Vec::new();
            for row in desk.parts.vault.newest_deposits(skip, most)? {
                let manifest = desk.manifest_of(&row.manifest)?;
                let mut agents = Vec::with_capacity(row.agents.len());
                for agent in &row.agents {
                    let member = member(&agent.member)?;
                    let state = match agent {
                        a if !a.destroyed.is_empty() => "destroyed",
                        a if !a.receipt.is_empty() => "signed",
                        a if a.sent => "sent",
                        a if !a.key.is_empty() => "answered",
                        _ => "asked",
                    };
                    agents.push(AgentView {
                        member,
                        name: desk.name_of(&member)?,
                        state,
                        alive_ms: agent.drilled_ms,
                        trouble: agent.trouble.clone(),
                    });
                }
                let id = row.id.as_slice().try_into().unwrap_or_default();
                let (anchored, destroyed) = (!row.evidence.is_empty(), row.destroyed);
                views.push(DepositView { id, manifest, anchored, destroyed, agents });
            }
            Ok(views)
        })
        .await
    }

    /// Deposits that this organisation is an agent of, newest first.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn holdings(&self) -> Result<Vec<HoldingView>, DeskError> {
        self.holdings_from(0, usize::MAX).await
    }

    /// So many of them, after those that are skipped.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn holdings_from(
        &self,
        skip: usize,
        most: usize,
    ) -> Result<Vec<HoldingView>, DeskError> {
        let desk = self.clone();
        blocking(move || {
            let mut views = Vec::new();
            for row in desk.parts.vault.newest_holdings(skip, most)? {
                let owner = member(&row.owner)?;
                let manifest = if row.manifest.is_empty() {
                    None
                } else {
                    Some(desk.manifest_of(&row.manifest)?)
                };
                let owner = (owner, desk.name_of(&owner)?);
                let state = match &row {
                    row if row.destroyed => "destroyed",
                    row if row.signed => "signed",
                    row if !row.manifest.is_empty() => "held",
                    _ => "asked",
                };
                views.push(HoldingView { owner, manifest, signed: row.signed, state });
            }
            Ok(views)
        })
        .await
    }

    /// What could be opened of a record, as far as agents have said.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn offers(&self, record: RecordId) -> Result<Vec<OfferView>, DeskError> {
        let desk = self.clone();
        blocking(move || {
            let mut views = Vec::new();
            for row in desk.parts.vault.openable(&record)? {
                let manifest = desk.manifest_of(&row.manifest)?;
                let owner = desk.name_of(&member(&manifest.owner)?)?;
                for clause in &row.clauses {
                    let (clause, told_by) = (Clause::read(clause)?, row.told_by.len());
                    let (manifest, owner) = (manifest.clone(), owner.clone());
                    views.push(OfferView { manifest, clause, owner, told_by });
                }
            }
            let newest = views.iter().map(|view| view.manifest.epoch).max();
            views.retain(|view| Some(view.manifest.epoch) == newest);
            Ok(views)
        })
        .await
    }

    /// Deals of this organisation's, newest first: so many, after those that are skipped.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn deals_from(&self, skip: usize, most: usize) -> Result<Vec<DealView>, DeskError> {
        let desk = self.clone();
        blocking(move || {
            let rows = desk.parts.vault.newest_deals(skip, most)?;
            rows.iter().map(|row| desk.deal_view(row)).collect()
        })
        .await
    }

    /// One deal, in every role of this organisation's; by the beginning of its id in hex.
    ///
    /// # Errors
    /// [`DealError::UnknownDeal`] where none, or more than one, is meant.
    pub async fn deal(&self, named: String) -> Result<Vec<DealView>, DeskError> {
        let desk = self.clone();
        blocking(move || {
            let mut meant: Vec<DealRow> = Vec::new();
            for beginning in beginnings(&named) {
                meant.extend(desk.parts.vault.deals_from(&beginning, MOST_ROLES)?);
            }
            let first = meant.first().ok_or(DealError::UnknownDeal)?;
            if named.is_empty() || meant.iter().any(|row| row.deal != first.deal) {
                return Err(DealError::UnknownDeal.into());
            }
            meant.iter().map(|row| desk.deal_view(row)).collect()
        })
        .await
    }

    /// One deal, in every role of this organisation's; by its id.
    ///
    /// # Errors
    /// [`DealError::UnknownDeal`]; see [`DeskError`].
    pub async fn deal_by_id(&self, deal: [u8; 32]) -> Result<Vec<DealView>, DeskError> {
        let desk = self.clone();
        blocking(move || {
            let rows = desk.parts.vault.deal_roles(&deal)?;
            if rows.is_empty() {
                return Err(DealError::UnknownDeal.into());
            }
            rows.iter().map(|row| desk.deal_view(row)).collect()
        })
        .await
    }

    fn deal_view(&self, row: &DealRow) -> Result<DealView, DeskError> {
        let buyer = member(&row.buyer)?;
        let on_log = self.on_log(&row.deal)?;
        let mut view = DealView {
            deal: deal_of(row)?,
            role: role_of(row)?,
            phase: on_log.as_ref().map_or_else(|| phase_name(0), |on_log| on_log.phase.name()),
            buyer: (buyer, self.name_of(&buyer)?),
            owner: None,
            record: None,
            sections: Vec::new(),
            purpose: String::new(),
            amount: (None, String::new()),
            agents: (0, 0, 0),
            deadline_ms: None,
            trouble: (row.trouble.clone(), row.trouble_text.clone()),
            bad: row.bad.clone(),
            opened: (row.opened, row.destroyed),
            ruling: None,
            at_ms: row.at_ms,
            inspection: self.inspection_of_deal(row)?,
        };
        if !row.terms.is_empty() {
            let content = TermsContent::read(&row.terms)?;
            let terms = self.terms_in(&row.terms)?;
            let manifest = self.manifest_of(&content.manifest)?;
            let owner = member(&manifest.owner)?;
            view.owner = Some((owner, self.name_of(&owner)?));
            view.record = manifest.record();
            view.amount = (self.amount_of(&terms, &content)?, terms.currency);
            (view.sections, view.purpose) = (terms.sections, terms.purpose);
            view.agents.2 = manifest.threshold;
        }
        if let Some(on_log) = on_log {
            let count = |some: usize| u32::try_from(some).unwrap_or(u32::MAX);
            let agents = on_log.deal.agents();
            view.agents.0 = count(agents.iter().filter(|agent| agent.ready.is_some()).count());
            view.agents.1 = count(agents.iter().filter(|agent| agent.released.is_some()).count());
            let clock = heatmark_ledger::state::deal_clock(&self.parts.store)?;
            let deadline = on_log.deal.deadline().filter(|_| !on_log.phase.is_final());
            let time = deadline.map(|by| on_log.deal.clock(clock).block_time(by));
            view.deadline_ms = time.map(|time| time.0);
        }
        if !row.ruling.is_empty()
            && let Ok(ruling) = Ruling::decode(row.ruling.as_slice())
        {
            view.ruling = Some((ruling.refund, ruling.code, ruling.reason));
        }
        Ok(view)
    }
}

/// The bytes with which ids begin whose hex begins so; none where it is no hex.
fn beginnings(named: &str) -> Vec<Vec<u8>> {
    if let Ok(whole) = hex::decode(named) {
        return vec![whole];
    }
    let digits = "0123456789abcdef".chars();
    digits.filter_map(|digit| hex::decode(format!("{named}{digit}")).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::beginnings;

    #[test]
    fn an_id_is_named_by_any_number_of_digits() {
        assert_eq!(beginnings("9f41"), [[0x9f, 0x41]]);
        let odd = beginnings("9f4");
        assert_eq!((odd.len(), odd.first()), (16, Some(&vec![0x9f, 0x40])));
        assert!(beginnings("x").is_empty());
    }
}
