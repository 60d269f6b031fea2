//! What a period's events tell of recording itself: how much was scanned, how late it was recorded, which points were skipped, and
//! which lots lead back to certificates.

use super::Depth;
use crate::lots::product_of;
use crate::{Desk, DeskError, blocking};
use heatmark_lots::{Event, Kind, OpenLot};
use heatmark_records::Opening;
use heatmark_vault::{Captured, LotRow, VaultError, Waiver};
use std::collections::{BTreeMap, BTreeSet};

/// How many events one lot is followed through before it counts as not leading back.
const MAX_STEPS: usize = 100_000;

/// A report over a period.
#[derive(Debug, Clone, Default)]
pub struct CaptureReport {
    /// Events that were recorded in the period.
    pub events: u64,
    /// Lots that they used, and how many of these were scanned.
    pub inputs: u64,
    /// Of these, how many were scanned.
    pub scanned: u64,
    /// From happening to record, of the events of which it was told when they happened.
    pub latency: Option<Latency>,
    /// The plan's points, by product and name.
    pub points: Vec<PointCount>,
    /// Lots that were made, by product.
    pub products: Vec<ProductCount>,
    /// Waivers that were given in the period, or stand now.
    pub waivers: Vec<Waiver>,
}

/// From happening to record, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Latency {
    /// Of how many events it was told.
    pub events: u64,
    /// Half of them took no longer.
    pub median_ms: u64,
    /// 95 of 100 took no longer.
    pub p95_ms: u64,
    /// The longest.
    pub longest_ms: u64,
}

/// How often a point was demanded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PointCount {
    /// At which product.
    pub product: String,
    /// The point.
    pub point: String,
    /// In so many events.
    pub demanded: u64,
    /// In so many of these it was skipped under a waiver.
    pub waived: u64,
}

/// Lots of one product.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProductCount {
    /// The product.
    pub product: String,
    /// How deep the plan traces it, if it names it.
    pub depth: Option<Depth>,
    /// Lots that were made.
    pub lots: u64,
    /// Of these, lots that lead back to certificates and to nothing else.
    pub complete: u64,
    /// Of these, lots whose pieces have serials.
    pub serialised: u64,
}

impl Desk {
    /// Reports on the events that were recorded from one time to another, in milliseconds since 1970.
    ///
    /// # Errors
    /// [`DeskError::Vault`].
    pub async fn capture_report(
        &self,
        from_ms: u64,
        to_ms: u64,
    ) -> Result<CaptureReport, DeskError> {
        let desk = self.clone();
        blocking(move || desk.report(from_ms, to_ms)).await
    }

    fn report(&self, from_ms: u64, to_ms: u64) -> Result<CaptureReport, DeskError> {
        let period = from_ms..to_ms;
        let mut report = CaptureReport::default();
        let (mut points, mut latencies) = (BTreeMap::new(), Vec::new());
        let mut digests = Vec::new();
        self.parts.vault.each_captured(|digest, captured| {
            if period.contains(&captured.recorded_ms) {
                report.count(&captured, &mut points, &mut latencies);
                digests.push(digest);
            }
            Ok(true)
        })?;
        report.points = points.into_values().collect();
        report.latency = latency(latencies);
        let mut products: BTreeMap<String, ProductCount> = BTreeMap::new();
        for digest in digests {
            let event = self.parts.vault.lot_event(&digest)?.ok_or(VaultError::Damaged)?;
            for output in &event.outputs {
                if let Some(lot) = self.parts.vault.lot(output)? {
                    self.count_lot(&lot, &mut products)?;
                }
            }
        }
        report.products = products.into_values().collect();
        let now = self.now().0;
        let told = |waiver: &Waiver| period.contains(&waiver.at_ms) || waiver.until_ms > now;
        report.waivers = self.parts.vault.waivers()?.into_iter().filter(told).collect();
        Ok(report)
    }

    fn count_lot(
        &self,
        lot: &LotRow,
        products: &mut BTreeMap<String, ProductCount>,
    ) -> Result<(), DeskError> {
        let product = product_of(&Opening::decode(&lot.description)?);
        let open = OpenLot::decode(&lot.open).map_err(|_| VaultError::Damaged)?;
        let depth = self.capture.of(&product).map(|plan| plan.depth);
        let count = products.entry(product.clone()).or_insert_with(|| ProductCount {
            product,
            depth,
            ..ProductCount::default()
        });
        count.lots = count.lots.saturating_add(1);
        if open.lot().content.serials.is_some() {
            count.serialised = count.serialised.saturating_add(1);
        }
        // What is not on the log yet will be counted once it is.
        if let Some(leaf) = lot.leaf_index
            && self.leads_back(leaf, lot.output)?
        {
            count.complete = count.complete.saturating_add(1);
        }
        Ok(())
    }

    /// Whether a lot leads back to certificates, and to nothing that has none or is not known here.
    fn leads_back(&self, leaf: u64, output: u32) -> Result<bool, DeskError> {
        let mut seen = BTreeSet::new();
        let mut left = vec![(leaf, output)];
        while let Some((leaf, output)) = left.pop() {
            if !seen.insert((leaf, output)) {
                continue;
            }
            if seen.len() > MAX_STEPS {
                return Ok(false);
            }
            let Some(event) = self.event_at(leaf)? else { return Ok(false) };
            let without = event.kind == Kind::Commission && event.origin.is_none();
            if without || event.uncertified.is_some() {
                return Ok(false);
            }
            let inputs = event.inputs.iter().map(|input| (input.leaf.0, input.output));
            match usize::try_from(output).ok().filter(|_| event.kind.is_pairwise()) {
                Some(place) => left.extend(inputs.skip(place).take(1)),
                None => left.extend(inputs),
            }
        }
        Ok(true)
    }

    fn event_at(&self, leaf: u64) -> Result<Option<Event>, DeskError> {
        let body = match self.parts.vault.lot_event_at(leaf)? {
            Some(own) => Some(own.event),
            None => self.parts.vault.upstream_event(leaf)?.map(|event| event.event),
        };
        let event = body.map(|body| Event::decode(&body).map_err(|_| VaultError::Damaged));
        Ok(event.transpose()?)
    }
}

impl CaptureReport {
    fn count(
        &mut self,
        captured: &Captured,
        points: &mut BTreeMap<(String, String), PointCount>,
        latencies: &mut Vec<u64>,
    ) {
        self.events = self.events.saturating_add(1);
        self.inputs = self.inputs.saturating_add(captured.inputs.into());
        self.scanned = self.scanned.saturating_add(captured.scanned.into());
        if captured.happened_ms != 0 {
            latencies.push(captured.recorded_ms.saturating_sub(captured.happened_ms));
        }
        for point in &captured.points {
            let place = (point.product.clone(), point.point.clone());
            let (product, name) = place.clone();
            let empty = PointCount { product, point: name, ..PointCount::default() };
            let count = points.entry(place).or_insert(empty);
            count.demanded = count.demanded.saturating_add(1);
            count.waived = count.waived.saturating_add(point.waived.into());
        }
    }
}

fn latency(mut all: Vec<u64>) -> Option<Latency> {
    all.sort_unstable();
    // The least that so many of a hundred do not exceed.
    let at = |percent: usize| {
        let place = all.len().checked_mul(percent)?.div_ceil(100).checked_sub(1)?;
        all.get(place).copied()
    };
    Some(Latency {
        events: u64::try_from(all.len()).ok()?,
        median_ms: at(50)?,
        p95_ms: at(95)?,
        longest_ms: *all.last()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_are_those_that_so_many_do_not_exceed() {
        assert_eq!(latency(vec![]), None);
        let of = |all: Vec<u64>| {
            latency(all).map(|told| (told.events, told.median_ms, told.p95_ms, told.longest_ms))
        };
        assert_eq!(of(vec![7]), Some((1, 7, 7, 7)));
        assert_eq!(of((1..=100).rev().collect()), Some((100, 50, 95, 100)));
        assert_eq!(of(vec![3, 1, 2]), Some((3, 2, 3, 3)));
    }
}
