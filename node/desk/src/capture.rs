//! What must be recorded of an event, and what was. An event that skips a point of the capture plan is refused unless somebody
//! waives it, by name, for a reason and until a day; from then on the point may be skipped at that product until then.

mod plan;
mod report;

pub use plan::{CapturePlan, Depth, MAX_PLAN_BYTES, PlanError};
pub use report::{CaptureReport, Latency, PointCount, ProductCount};

use crate::lots::{EventPlan, WEIGHING_PERMILLE};
use crate::{Desk, DeskError};
use heatmark_lots::Kind;
use heatmark_vault::{Captured, CapturedPoint, Waiver};
use plan::{CERTIFICATE, EXPIRY, ProductPlan, SERIALS};
use std::collections::BTreeSet;

/// Longest reason of a waiver, in bytes.
const MAX_REASON_BYTES: usize = 512;
/// How long a waiver stands at most.
const LONGEST_WAIVER_MS: u64 = 366 * 86_400_000;

/// A waiver as it is asked for with an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaiverPlan {
    /// The points that the event skips.
    pub points: Vec<String>,
    /// Why; kept in the vault and told to nobody else.
    pub reason: String,
    /// Until when they may be skipped, in milliseconds since 1970; at most a year ahead.
    pub until_ms: u64,
}

/// A lot as the capture plan looks at it.
pub(crate) struct Seen {
    /// What it is.
    pub(crate) product: String,
    pub(crate) has_expiry: bool,
    /// Whether every piece has a serial.
    pub(crate) has_serials: bool,
}

/// An event as the capture plan looks at it.
pub(crate) struct Happening<'p> {
    pub(crate) plan: &'p EventPlan,
    /// Names of the lots that it uses, as they are and as they were typed.
    pub(crate) inputs: Vec<(String, String)>,
    /// What it makes, or else what it uses.
    pub(crate) lots: Vec<Seen>,
    /// Whether it makes them.
    pub(crate) makes: bool,
}

/// What is missing at which point.
struct Skipped {
    product: String,
    point: String,
    missing: Vec<String>,
}

impl Desk {
    /// The same desk, which demands what a plan demands.
    #[must_use]
    pub fn capturing(self, plan: CapturePlan) -> Self {
        Self { capture: plan.into(), ..self }
    }

    /// By how many thousandths a weighing of a product may exceed the last one: what is asked for, within what the plan says.
    pub(crate) fn weighing_permille(&self, product: &str, asked: u32) -> u32 {
        let planned = self.capture.of(product).and_then(|plan| plan.weighing_permille);
        match (planned, asked) {
            (Some(planned), 0) => planned,
            (Some(planned), asked) => planned.min(asked),
            (None, 0) => WEIGHING_PERMILLE,
            (None, asked) => asked,
        }
    }

    /// What is recorded of an event, and the waivers that were given for it.
    pub(crate) fn captured(
        &self,
        happening: &Happening<'_>,
    ) -> Result<(Captured, Vec<Waiver>), DeskError> {
        let plan = happening.plan;
        let mut captured = Captured {
            inputs: u32::try_from(happening.inputs.len()).unwrap_or(u32::MAX),
            scanned: happening.scanned()?,
            happened_ms: if plan.time_ms.1 == 0 { plan.time_ms.0 } else { plan.time_ms.1 },
            recorded_ms: self.now().0,
            ..Captured::default()
        };
        let mut skipped = Vec::new();
        let products: BTreeSet<&str> =
            happening.lots.iter().map(|lot| lot.product.as_str()).collect();
        for product in products {
            captured.products.push(product.to_owned());
            let Some(demands) = self.capture.of(product) else { continue };
            for (point, missing) in happening.demanded(product, demands) {
                let (product, point) = (product.to_owned(), point.to_owned());
                let waived = !missing.is_empty();
                captured.points.push(CapturedPoint {
                    product: product.clone(),
                    point: point.clone(),
                    waived,
                });
                if waived {
                    skipped.push(Skipped { product, point, missing });
                }
            }
        }
        let waivers = self.waived(plan.waiver.as_ref(), &skipped)?;
        Ok((captured, waivers))
    }

    /// The waivers that are given for what was skipped; those that stand need no other.
    fn waived(
        &self,
        asked: Option<&WaiverPlan>,
        skipped: &[Skipped],
    ) -> Result<Vec<Waiver>, DeskError> {
        let now = self.now().0;
        if let Some(asked) = asked {
            let said = (1..=MAX_REASON_BYTES).contains(&asked.reason.len())
                && !asked.reason.trim().is_empty()
                && !asked.reason.chars().any(char::is_control);
            let until = now.saturating_add(1)..=now.saturating_add(LONGEST_WAIVER_MS);
            if !said || !until.contains(&asked.until_ms) || asked.points.is_empty() {
                return Err(DeskError::Waiver);
            }
            let idle = |point: &&String| !skipped.iter().any(|skipped| skipped.point == **point);
            if let Some(point) = asked.points.iter().find(idle) {
                return Err(DeskError::NothingToWaive(point.clone()));
            }
        }
        if skipped.is_empty() {
            return Ok(Vec::new());
        }
        let standing = self.parts.vault.waivers()?;
        let mut given = Vec::new();
        for skipped in skipped {
            let Skipped { product, point, missing } = skipped;
            let stands = |waiver: &Waiver| {
                waiver.product == *product && waiver.point == *point && waiver.until_ms > now
            };
            match asked.filter(|asked| asked.points.contains(point)) {
                Some(asked) => given.push(Waiver {
                    point: point.clone(),
                    product: product.clone(),
                    reason: asked.reason.clone(),
                    until_ms: asked.until_ms,
                    by: Waiver::giver(&self.actor),
                    at_ms: now,
                    event: [0; 32],
                }),
                None if standing.iter().any(stands) => {}
                None => {
                    return Err(DeskError::PointSkipped {
                        point: point.clone(),
                        product: product.clone(),
                        missing: missing.join(", "),
                    });
                }
            }
        }
        Ok(given)
    }
}

impl Happening<'_> {
    /// How many of the lots that are used were scanned. A label of another lot is the mistake that scanning is to find.
    fn scanned(&self) -> Result<u32, DeskError> {
        let mut scanned = BTreeSet::new();
        for name in &self.plan.scanned {
            let place = self.inputs.iter().position(|(is, typed)| is == name || typed == name);
            scanned.insert(place.ok_or_else(|| DeskError::ScannedOther(name.clone()))?);
        }
        Ok(u32::try_from(scanned.len()).unwrap_or(u32::MAX))
    }

    /// The points that a product's plan demands of this event, each with what is missing.
    fn demanded<'d>(&self, product: &str, demands: &'d ProductPlan) -> Vec<(&'d str, Vec<String>)> {
        let plan = self.plan;
        let mut points = Vec::new();
        for point in demands.points.iter().filter(|point| point.events.contains(&plan.kind)) {
            let told = |name: &&String| !plan.process.iter().any(|(field, _)| field == *name);
            let mut missing: Vec<String> = point.process.iter().filter(told).cloned().collect();
            let unscanned = self.scanned().ok().and_then(|count| usize::try_from(count).ok());
            if point.scan && unscanned != Some(self.inputs.len()) {
                missing.push("scan".to_owned());
            }
            points.push((point.name.as_str(), missing));
        }
        if !self.makes {
            return points;
        }
        let lots = || self.lots.iter().filter(|lot| lot.product == product);
        let lacking = |lacks: bool, what: &str| {
            if lacks { vec![what.to_owned()] } else { Vec::new() }
        };
        if demands.depth == Depth::Item {
            points.push((SERIALS, lacking(lots().any(|lot| !lot.has_serials), SERIALS)));
        }
        if demands.depth != Depth::Shipment && plan.kind == Kind::Commission {
            points.push((CERTIFICATE, lacking(plan.certificate.is_none(), CERTIFICATE)));
        }
        if demands.expires {
            points.push((EXPIRY, lacking(lots().any(|lot| !lot.has_expiry), EXPIRY)));
        }
        points
    }
}
