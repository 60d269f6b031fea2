//! Where stock comes from, by mass: which melt shop or smelter, country, route and issuer, as far as certificates show it. What
//! is made of several certificates counts under all of them together, since no share of each is known.

use super::Known;
use crate::{Desk, DeskError, blocking};
use heatmark_genealogy::{Direction, LotId, Walker, Where};
use heatmark_records::RecordId;
use std::collections::{BTreeMap, BTreeSet};

/// What stock is counted by, in the order of a report.
pub const ORIGINS: [&str; 5] = ["melt shop", "smelter", "melt country", "route", "issuer"];

/// A part of the stock.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Share {
    /// Milligrams.
    pub mass_mg: u128,
    /// Pieces.
    pub pieces: u128,
    /// Lots.
    pub lots: u32,
}

/// A report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OriginReport {
    /// By what, and of which value; an empty one where it is not shown.
    pub shares: BTreeMap<(&'static str, String), Share>,
    /// All of it.
    pub total: Share,
}

impl Desk {
    /// Counts the stock whose product holds a text; all of it for none.
    ///
    /// # Errors
    /// As of the disk.
    pub async fn origin(&self, product: String) -> Result<OriginReport, DeskError> {
        let desk = self.clone();
        blocking(move || {
            desk.with_known(|known, walker| {
                let held = known.holdings.all().filter(|(_, held)| held.at == Where::Here);
                let mut stock: Vec<LotId> = held.map(|(lot, _)| lot).collect();
                stock.sort_unstable();
                let wanted = product.trim().to_lowercase();
                let mut report = OriginReport::default();
                let mut names = BTreeMap::new();
                for lot in stock {
                    if !wanted.is_empty() {
                        let product = desk.product_at(known.hashes.get(&lot))?;
                        if !product.to_lowercase().contains(&wanted) {
                            continue;
                        }
                    }
                    for (by, value) in desk.origins(known, walker, lot, &mut names)? {
                        report.count((by, value), known, lot);
                    }
                }
                Ok(report)
            })
        })
        .await
    }

    fn origins(
        &self,
        known: &Known,
        walker: &mut Walker,
        lot: LotId,
        names: &mut BTreeMap<[u8; 32], String>,
    ) -> Result<Vec<(&'static str, String)>, DeskError> {
        let (certificates, whole) = known.certificates_of(walker, lot);
        let mut origins = Vec::with_capacity(ORIGINS.len());
        for by in ORIGINS {
            let mut values = BTreeSet::new();
            let mut shown = whole && !certificates.is_empty();
            for certificate in &certificates {
                let facts = known.facts.get(certificate);
                let text = |path: &str| facts.and_then(|facts| facts.texts.get(path)).cloned();
                let value = match by {
                    "melt shop" => text("melt/shop"),
                    "smelter" => text("melt/smelter"),
                    "melt country" => text("melt/country").map(|country| country.to_uppercase()),
                    "route" => match (text("melt/process"), text("melt/remelt")) {
                        (Some(process), Some(remelt)) => Some(format!("{process}, {remelt}")),
                        (one, other) => one.or(other),
                    },
                    _ => match facts {
                        Some(facts) => Some(self.called(names, facts.issuer)?),
                        None => None,
                    },
                };
                match value.filter(|value| !value.trim().is_empty()) {
                    Some(value) => drop(values.insert(value.trim().to_owned())),
                    None => shown = false,
                }
            }
            let together: Vec<String> = values.into_iter().collect();
            // Half of an answer is none: a buyer would take it for the whole.
            origins.push((by, if shown { together.join(" + ") } else { String::new() }));
        }
        Ok(origins)
    }
}

impl OriginReport {
    fn count(&mut self, by: (&'static str, String), known: &Known, lot: LotId) {
        let Some(held) = known.holdings.get(lot) else { return };
        let first = ORIGINS.first() == Some(&by.0);
        let total = if first { Some(&mut self.total) } else { None };
        let share = self.shares.entry(by).or_default();
        for part in std::iter::once(share).chain(total) {
            part.mass_mg = part.mass_mg.saturating_add(held.mass_mg.into());
            part.pieces = part.pieces.saturating_add(held.pieces.into());
            part.lots = part.lots.saturating_add(1);
        }
    }
}

impl Known {
    /// The certificates that a lot is made of, and whether they are all of it: nothing is missing, and nothing without one.
    fn certificates_of(&self, walker: &mut Walker, lot: LotId) -> (BTreeSet<RecordId>, bool) {
        let mut certificates = BTreeSet::new();
        let mut whole = true;
        for lot in walker.walk(&self.graph, [lot], Direction::Up) {
            let Some(made_of) = self.graph.made_of(*lot) else { continue };
            whole &= made_of.missing == 0;
            if self.graph.parents(*lot).next().is_none() {
                let place = self.graph.place(*lot);
                let of = place.and_then(|place| self.certificate_at(place.leaf));
                match of {
                    Some(certificate) => drop(certificates.insert(certificate)),
                    None => whole = false,
                }
            }
        }
        (certificates, whole)
    }
}
