//! The capture plan: for each product how deep it is traced, and what must be recorded of the events that make it. A TOML file in
//! the company's own settings. Refuses unknown keys, kinds of events that are not known, points that nothing would satisfy, and
//! names that stand twice.

use heatmark_lots::Kind;
use serde::Deserialize;
use std::collections::BTreeSet;
use thiserror::Error;

/// Longest plan in bytes.
pub const MAX_PLAN_BYTES: usize = 256 << 10;
const MAX_PRODUCTS: usize = 1_000;
const MAX_POINTS: usize = 64;
const MAX_NAME_BYTES: usize = 128;

/// What a depth of tracing demands by itself, by name.
pub(super) const SERIALS: &str = "serials";
pub(super) const CERTIFICATE: &str = "certificate";
pub(super) const EXPIRY: &str = "expiry";

/// Why a plan is none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PlanError {
    /// It is longer than any plan.
    #[error("the plan is longer than {MAX_PLAN_BYTES} bytes")]
    TooLong,
    /// It is no TOML, or has keys that are not known.
    #[error("{0}")]
    Text(String),
    /// A product or a point has a name that is empty, too long, not printable, or stands twice.
    #[error("{0:?} is no name of a product or point, or stands twice")]
    Name(String),
    /// A point names no kind of event that can be recorded.
    #[error("point {point}: {event:?} is no kind of event")]
    Event {
        /// The point.
        point: String,
        /// What it names.
        event: String,
    },
    /// A point demands nothing, or fields of process records with impossible names.
    #[error("point {0} demands nothing, or a process field with an impossible name")]
    Demands(String),
    /// More thousandths than a tolerance has.
    #[error("weighing_permille of {0:?} is not 1 to 1,000")]
    Tolerance(String),
    /// More products or points than a plan has.
    #[error("a plan has at most {MAX_PRODUCTS} products, and {MAX_POINTS} points each")]
    TooMany,
}

/// How deep a product is traced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Depth {
    /// Shipments and lots: what came, what went.
    Shipment,
    /// Batch genealogy: every lot leads back to lots with a certificate.
    #[default]
    Batch,
    /// Items: every piece has a serial as well.
    Item,
}

impl Depth {
    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Shipment => "shipment",
            Self::Batch => "batch",
            Self::Item => "item",
        }
    }
}

/// A plan; the default demands nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CapturePlan {
    products: Vec<ProductPlan>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProductPlan {
    /// The product's name, `*` standing for any characters.
    pub(super) name: String,
    pub(super) depth: Depth,
    pub(super) expires: bool,
    pub(super) weighing_permille: Option<u32>,
    pub(super) points: Vec<Point>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) name: String,
    pub(super) events: Vec<Kind>,
    pub(super) process: Vec<String>,
    pub(super) scan: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanFile {
    #[serde(default)]
    product: Vec<ProductFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ProductFile {
    name: String,
    #[serde(default)]
    depth: Depth,
    #[serde(default)]
    expires: bool,
    weighing_permille: Option<u32>,
    #[serde(default)]
    point: Vec<PointFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PointFile {
    name: String,
    events: Vec<String>,
    #[serde(default)]
    process: Vec<String>,
    #[serde(default)]
    scan: bool,
}

impl CapturePlan {
    /// Reads a plan.
    ///
    /// # Errors
    /// [`PlanError`].
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        if text.len() > MAX_PLAN_BYTES {
            return Err(PlanError::TooLong);
        }
        let file: PlanFile =
            toml::from_str(text).map_err(|error| PlanError::Text(error.to_string()))?;
        let mut names = BTreeSet::new();
        let mut products = Vec::with_capacity(file.product.len());
        for product in file.product {
            if !names.insert(product.name.clone()) {
                return Err(PlanError::Name(product.name));
            }
            products.push(ProductPlan::read(product)?);
        }
        if products.len() > MAX_PRODUCTS {
            return Err(PlanError::TooMany);
        }
        Ok(Self { products })
    }

    /// How many products it names.
    #[must_use]
    pub fn products(&self) -> usize {
        self.products.len()
    }

    /// What holds for a product: the first entry that its name fits.
    pub(super) fn of(&self, product: &str) -> Option<&ProductPlan> {
        self.products.iter().find(|plan| heatmark_records::matches(&plan.name, product))
    }
}

impl ProductPlan {
    fn read(file: ProductFile) -> Result<Self, PlanError> {
        check_name(&file.name)?;
        if file.weighing_permille.is_some_and(|permille| !(1..=1_000).contains(&permille)) {
            return Err(PlanError::Tolerance(file.name));
        }
        if file.point.len() > MAX_POINTS {
            return Err(PlanError::TooMany);
        }
        let mut names: BTreeSet<String> =
            [SERIALS, CERTIFICATE, EXPIRY].map(str::to_owned).into_iter().collect();
        let mut points = Vec::with_capacity(file.point.len());
        for point in file.point {
            check_name(&point.name)?;
            if !names.insert(point.name.clone()) {
                return Err(PlanError::Name(point.name));
            }
            points.push(Point::read(point)?);
        }
        let ProductFile { name, depth, expires, weighing_permille, .. } = file;
        Ok(Self { name, depth, expires, weighing_permille, points })
    }
}

impl Point {
    fn read(file: PointFile) -> Result<Self, PlanError> {
        let mut events = Vec::with_capacity(file.events.len());
        for event in &file.events {
            let known = Kind::all().iter().find(|kind| kind.word() == event);
            // Handing over is recorded by what is sent and received.
            let known = known.filter(|kind| **kind != Kind::Transfer);
            let missing = || PlanError::Event { point: file.name.clone(), event: event.clone() };
            events.push(*known.ok_or_else(missing)?);
        }
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let fields = file.process.iter();
        let named = fields
            .clone()
            .all(|name| (1..=MAX_PROCESS_NAME).contains(&name.len()) && name.bytes().all(plain));
        let demands = file.scan || !file.process.is_empty();
        if events.is_empty() || !demands || !named || file.process.len() > MAX_POINTS {
            return Err(PlanError::Demands(file.name));
        }
        Ok(Self { name: file.name, events, process: file.process, scan: file.scan })
    }
}

/// Longest name of a process field.
const MAX_PROCESS_NAME: usize = 64;

fn check_name(name: &str) -> Result<(), PlanError> {
    let plain = (1..=MAX_NAME_BYTES).contains(&name.len())
        && name.trim() == name
        && !name.chars().any(char::is_control);
    if plain { Ok(()) } else { Err(PlanError::Name(name.to_owned())) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    const PLAN: &str = r#"
        [[product]]
        name = "ring*"
        depth = "item"
        weighing_permille = 3
        [[product.point]]
        name = "forging"
        events = ["transform", "rework"]
        process = ["die"]
        scan = true
        [[product]]
        name = "*"
        depth = "shipment"
    "#;

    #[test]
    fn the_first_product_that_fits_counts() {
        let plan = CapturePlan::parse(PLAN).unwrap();
        assert_eq!(plan.of("ring 400 mm").unwrap().depth, Depth::Item);
        assert_eq!(plan.of("bar").unwrap().depth, Depth::Shipment);
        assert_eq!(plan.of("ring 1").unwrap().points.first().unwrap().events.len(), 2);
        assert!(CapturePlan::default().of("ring").is_none());
        let short = "[[product]]\nname = \"x\"";
        assert_eq!(CapturePlan::parse(short).unwrap().of("x").unwrap().depth, Depth::Batch);
    }

    #[test]
    fn plans_that_cannot_be_kept_are_refused() {
        for (from, to) in [
            ("\"item\"", "\"items\""),
            ("scan = true", "scan = true\nscam = true"),
            ("[\"transform\", \"rework\"]", "[\"transfer\"]"),
            ("[\"transform\", \"rework\"]", "[\"forge\"]"),
            ("[\"transform\", \"rework\"]", "[]"),
            ("[\"die\"]\n        scan = true", "[]"),
            ("[\"die\"]", "[\"Die\"]"),
            ("= 3", "= 0"),
            ("= 3", "= 1001"),
            ("\"forging\"", "\"serials\""),
            ("\"forging\"", "\" forging\""),
            ("\"*\"", "\"ring*\""),
            ("\"*\"", "\"\""),
        ] {
            let text = PLAN.replacen(from, to, 1);
            assert!(text != PLAN && CapturePlan::parse(&text).is_err(), "{from} {to}");
        }
        let long = format!("{PLAN}# {}", "x".repeat(MAX_PLAN_BYTES));
        assert_eq!(CapturePlan::parse(&long), Err(PlanError::TooLong));
    }
}
