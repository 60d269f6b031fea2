//! What is affected by a lot, a heat, a certificate, a die or a supplier: own lots, customers and stock, in one walk; and what is
//! known here under a text. Refuses what is not known here.

use super::Known;
use super::trace::TracedLot;
use crate::{Desk, DeskError, blocking};
use heatmark_genealogy::{Affected, Direction, LotId, Walker, Where, affected};
use heatmark_ledger::ids::MemberId;
use heatmark_ledger::state;
use heatmark_lots::Kind;
use heatmark_merkle::tag;
use heatmark_records::{Path, RecordId, Value};
use heatmark_vault::VaultError;
use std::collections::BTreeMap;

/// What something may be affected by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Affecting {
    /// A lot, by its name here or as `LEAF/OUTPUT`.
    Lot(String),
    /// All certificates of a heat that are known here.
    Heat(String),
    /// A certificate, or any other record that lots bear.
    Record(RecordId),
    /// All events made with a die, a ring mill or a station.
    Die(String),
    /// All events that a member carried.
    Supplier(MemberId),
}

/// The field of the process record of a disposal that names to whom material went who is no member.
const CUSTOMER: &str = "process/customer";

/// What a customer has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CustomerView {
    /// The customer; of one that is no member, a hash of its name.
    pub member: [u8; 32],
    /// Whether it is no member: whatever it is told goes on paper.
    pub outside: bool,
    /// Its legal name.
    pub name: String,
    /// Milligrams.
    pub mass_mg: u128,
    /// Pieces.
    pub pieces: u128,
    /// The lots as they were sent, as places among the own lots of the answer.
    pub lots: Vec<u32>,
}

/// What is affected.
#[derive(Debug, Clone, Default)]
pub struct AffectedView {
    /// All lots that are reached, others' included.
    pub reached: u64,
    /// Own lots, wherever they are now.
    pub own: Vec<TracedLot>,
    /// Those in stock, as places among the own lots.
    pub stock: Vec<u32>,
    /// Milligrams in stock.
    pub stock_mg: u128,
    /// Pieces in stock.
    pub stock_pieces: u128,
    /// Who has the rest.
    pub customers: Vec<CustomerView>,
    /// How long it took to find, in microseconds.
    pub found_us: u64,
}

/// What is known here under a text.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Own lots.
    pub lots: Vec<TracedLot>,
    /// Records: certificates by their heat, process records by what was used; with what names them.
    pub records: Vec<(RecordId, &'static str, String)>,
    /// Companies.
    pub companies: Vec<(MemberId, String)>,
}

impl Desk {
    /// Finds what is affected.
    ///
    /// # Errors
    /// [`DeskError::UnknownRecord`], [`DeskError::UnknownMember`], or `UnknownLot` for what is not known here.
    pub async fn affected(&self, by: Affecting) -> Result<AffectedView, DeskError> {
        let desk = self.clone();
        blocking(move || {
            let lot = match &by {
                Affecting::Lot(lot) => Some(desk.place_of(lot)?),
                _ => None,
            };
            desk.with_known(|known, walker| {
                let from = match lot {
                    Some(place) => vec![known.graph.find(place).ok_or(VaultError::UnknownLot)?],
                    None => known.begin(&by)?,
                };
                desk.affected_from(known, walker, from)
            })
        })
        .await
    }

    /// The same from lots.
    pub(crate) fn affected_from(
        &self,
        known: &Known,
        walker: &mut Walker,
        from: Vec<LotId>,
    ) -> Result<AffectedView, DeskError> {
        let begun = std::time::Instant::now();
        let reached = walker.walk(&known.graph, from, Direction::Down);
        let found = affected(reached, &known.holdings);
        let took = begun.elapsed().as_micros();
        let mut view = self.view_affected(known, found)?;
        view.found_us = u64::try_from(took).unwrap_or(u64::MAX);
        Ok(view)
    }

    fn view_affected(&self, known: &Known, found: Affected) -> Result<AffectedView, DeskError> {
        let places: BTreeMap<LotId, u32> = found.own.iter().copied().zip(0..).collect();
        let at = |lots: &[LotId]| lots.iter().filter_map(|lot| places.get(lot).copied()).collect();
        let mut names = BTreeMap::new();
        let mut customers = Vec::with_capacity(found.customers.len());
        for (member, held) in &found.customers {
            let member = known.graph.member_id(*member).unwrap_or_default();
            customers.push(CustomerView {
                member,
                outside: false,
                name: self.called(&mut names, member)?,
                mass_mg: held.mass_mg,
                pieces: held.pieces,
                lots: at(&held.lots),
            });
        }
        customers.extend(self.outside(known, &found.own)?);
        Ok(AffectedView {
            reached: u64::try_from(found.reached).unwrap_or(u64::MAX),
            stock: at(&found.stock),
            stock_mg: found.stock_mg,
            stock_pieces: found.stock_pieces,
            own: self.described(known, &found.own)?,
            customers,
            found_us: 0,
        })
    }

    /// Customers that are no members, by what disposals say of where lots went.
    fn outside(&self, known: &Known, own: &[LotId]) -> Result<Vec<CustomerView>, DeskError> {
        let vault = &self.parts.vault;
        let mut customers: BTreeMap<String, CustomerView> = BTreeMap::new();
        for (place, lot) in (0_u32..).zip(own) {
            let held = known.holdings.get(*lot).filter(|held| held.at == Where::Used);
            let (Some(held), Some(hash)) = (held, known.hashes.get(lot)) else { continue };
            let Some(used_by) = vault.lot(hash)?.and_then(|row| row.used_by) else { continue };
            let disposed = vault.lot_event(&used_by)?;
            if disposed.is_none_or(|event| event.kind != Kind::Dispose.code()) {
                continue;
            }
            let Some(process) = vault.process(&used_by)? else { continue };
            let Some(Value::Text(name)) = process.fields().get(&Path::new(CUSTOMER)?).cloned()
            else {
                continue;
            };
            let customer = customers.entry(name.clone()).or_insert_with(|| CustomerView {
                member: tag::hash("outside-customer", &[name.as_bytes()]).0,
                outside: true,
                name,
                mass_mg: 0,
                pieces: 0,
                lots: Vec::new(),
            });
            customer.mass_mg = customer.mass_mg.saturating_add(held.mass_mg.into());
            customer.pieces = customer.pieces.saturating_add(held.pieces.into());
            customer.lots.push(place);
        }
        Ok(customers.into_values().collect())
    }

    /// Finds lots, records and companies by a part of their names, at most `limit` of each.
    ///
    /// # Errors
    /// As of the disk.
    pub async fn search_lots(&self, text: String, limit: usize) -> Result<Found, DeskError> {
        let desk = self.clone();
        blocking(move || {
            let mut companies = Vec::new();
            for member in state::members(&desk.parts.store)? {
                let name = desk.called(&mut BTreeMap::new(), *member.as_bytes())?;
                if name.to_lowercase().contains(&text.trim().to_lowercase()) {
                    companies.push((member, name));
                }
            }
            companies.truncate(limit);
            desk.with_known(|known, _| {
                let lots = known.holdings.search(&text, limit);
                let mut records = Vec::new();
                for record in known.about.search(&text, limit) {
                    let Some(told) = known.about.told(&record) else { continue };
                    let id = RecordId::from(record);
                    records.extend(told.heat.iter().map(|heat| (id, "heat", heat.clone())));
                    records.extend(told.tools.iter().map(|tool| (id, "tool", tool.clone())));
                }
                Ok(Found { lots: desk.described(known, &lots)?, records, companies })
            })
        })
        .await
    }
}

impl Known {
    /// Where a walk begins.
    fn begin(&self, by: &Affecting) -> Result<Vec<LotId>, DeskError> {
        let of = |records: &[[u8; 32]]| -> Vec<LotId> {
            records.iter().flat_map(|record| self.about.lots(&self.graph, record)).collect()
        };
        let unknown = || DeskError::from(VaultError::UnknownLot);
        match by {
            Affecting::Lot(_) => Err(unknown()),
            Affecting::Heat(heat) => match self.about.of_heat(heat) {
                [] => Err(unknown()),
                records => Ok(of(records)),
            },
            Affecting::Die(tool) => match self.about.of_tool(tool) {
                [] => Err(unknown()),
                records => Ok(of(records)),
            },
            Affecting::Record(record) => {
                self.about.told(&record.0).ok_or(DeskError::UnknownRecord(*record))?;
                Ok(of(&[record.0]))
            }
            Affecting::Supplier(member) => {
                let index = self.graph.member_index(member.as_bytes());
                let index = index.ok_or(DeskError::UnknownMember(*member))?;
                Ok(self.graph.carried_by(index).collect())
            }
        }
    }
}
