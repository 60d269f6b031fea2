//! Own readings against the limits of order and policy, and against what certificates show. A reading outside its limit refuses; one
//! that differs from the certificate holds, since it may be the reading that is wrong.

use heatmark_evidence::capsule::{Outcome, Part, Told};
use heatmark_records::conformance::{Unprovable, compare};
use heatmark_records::specification::Rounding;
use heatmark_records::{Limit, Measured, Path, matches};
use std::collections::BTreeSet;

use crate::Reading;
use crate::judge::{Delivery, Parcel, line, result_at};
use crate::ordered::limit_text;
use crate::quantity::measured_text;
use crate::view::Line;

const MEASURED: &str = "measured";

/// Readings by themselves: kept limits, left limits, and what was to be measured and was not.
pub(crate) fn own(delivery: &Delivery<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    for reading in delivery.readings {
        let before = lines.len();
        for (limit, rounding, title) in limits(delivery) {
            if limit.of.paths().eq([&reading.property]) {
                lines.push(judged(reading, &limit, rounding, &title));
            }
        }
        if lines.len() == before && tolerance(delivery, reading).is_none() {
            lines.push(of(reading, Outcome::Accept, "reading-unjudged", told(reading)));
        }
    }
    lines.extend(formulas(delivery));
    lines.extend(missing(delivery));
    lines
}

/// A limit, how numbers are compared with it, and whose it is.
type Bound = (Limit, Rounding, String);

fn limits(delivery: &Delivery<'_>) -> Vec<Bound> {
    let of_order = delivery.order.iter().flat_map(|order| &order.limits);
    let of_order = of_order.map(|limit| (limit.clone(), Rounding::Absolute, "order".to_owned()));
    let of_policy = delivery.demands.specifications().flat_map(|specification| {
        let limits = specification.limits.iter();
        limits.map(|limit| (limit.clone(), specification.rounding, specification.title.clone()))
    });
    of_order.chain(of_policy).collect()
}

fn judged(reading: &Reading, limit: &Limit, rounding: Rounding, title: &str) -> Line {
    let evidence = format!("{}; {} by {title}", told(reading), limit_text(limit));
    match compare(limit, rounding, &[&reading.result]) {
        Ok(()) => of(reading, Outcome::Accept, "as-measured", evidence),
        Err(Unprovable::Outside) => of(reading, Outcome::Reject, "reading-outside", evidence),
        Err(why) => of(reading, Outcome::Hold, "not-comparable", format!("{evidence}: {why}")),
    }
}

/// Limits on several properties together, where all of them were measured.
fn formulas(delivery: &Delivery<'_>) -> Vec<Line> {
    let reading = |path: &Path| {
        let found = delivery.readings.iter().find(|reading| reading.property == *path);
        found.map(|reading| &reading.result)
    };
    let mut lines = Vec::new();
    for (limit, rounding, title) in limits(delivery) {
        let results: Option<Vec<&Measured>> = limit.of.paths().map(reading).collect();
        let Some(results) = results.filter(|results| results.len() > 1) else { continue };
        let evidence = format!("{} by {title}", limit_text(&limit));
        let (outcome, code, evidence) = match compare(&limit, rounding, &results) {
            Ok(()) => (Outcome::Accept, "as-measured", evidence),
            Err(Unprovable::Outside) => (Outcome::Reject, "reading-outside", evidence),
            Err(why) => (Outcome::Hold, "not-comparable", format!("{evidence}: {why}")),
        };
        lines.push(Line { about: limit.name, ..line(MEASURED, outcome, code, evidence) });
    }
    lines
}

fn missing(delivery: &Delivery<'_>) -> Vec<Line> {
    let of_order = delivery.order.iter().flat_map(|order| &order.limits);
    let of_order = of_order.flat_map(|limit| limit.of.paths());
    let wanted: BTreeSet<&Path> = delivery.demands.measure.iter().chain(of_order).collect();
    let is_there = |path: &&Path| delivery.readings.iter().any(|one| one.property == **path);
    let missing = wanted.into_iter().filter(|path| !is_there(path));
    missing
        .map(|path| Line {
            about: path.to_string(),
            ..line(MEASURED, Outcome::Hold, "reading-missing", String::new())
        })
        .collect()
}

/// Readings against what the certificates of a lot show.
pub(crate) fn of_lot(parcel: &Parcel, delivery: &Delivery<'_>) -> Vec<Line> {
    let Some(verdict) = parcel.proved() else { return Vec::new() };
    let certificates: Vec<&Told> =
        verdict.told.iter().filter(|told| told.part == Part::Certificate).collect();
    let mut lines = Vec::new();
    for reading in delivery.readings {
        let Some(within) = tolerance(delivery, reading) else { continue };
        let about = reading.property.as_str();
        let shown = certificates.iter().filter_map(|record| result_at(record, &reading.property));
        let mut some = false;
        for result in shown {
            some = true;
            let evidence = format!(
                "{}; the certificate says {}; may differ by {within}",
                told(reading),
                measured_text(result)
            );
            let (outcome, code, evidence) = match within.covers(result, &reading.result) {
                Ok(()) => (Outcome::Accept, "as-measured", evidence),
                Err(Unprovable::Outside) => (Outcome::Hold, "reading-differs", evidence),
                Err(why) => (Outcome::Hold, "not-comparable", format!("{evidence}: {why}")),
            };
            lines.push(parcel.line(MEASURED, outcome, (about, code), evidence));
        }
        if !some {
            let evidence = format!("{}; the certificate does not show it", told(reading));
            let place = (about, "reading-unjudged");
            lines.push(parcel.line(MEASURED, Outcome::Accept, place, evidence));
        }
    }
    lines
}

fn tolerance<'d>(
    delivery: &Delivery<'d>,
    reading: &Reading,
) -> Option<&'d heatmark_records::conformance::agreement::Tolerance> {
    let within = delivery.demands.within.iter();
    let mut fitting = within.filter(|(property, _)| matches(property, reading.property.as_str()));
    fitting.next().map(|(_, tolerance)| tolerance)
}

fn told(reading: &Reading) -> String {
    let mut text = format!("measured {}", measured_text(&reading.result));
    for (what, word) in [("with", &reading.instrument), ("on", &reading.piece)] {
        if !word.is_empty() {
            text.push_str(&format!(" {what} {word}"));
        }
    }
    text
}

fn of(reading: &Reading, outcome: Outcome, code: &'static str, evidence: String) -> Line {
    Line { about: reading.property.to_string(), ..line(MEASURED, outcome, code, evidence) }
}
