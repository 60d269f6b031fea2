//! A delivery against an order line. What describes the goods is the lot's own description; a certificate describes them only while
//! nothing else was made of its material. Standards hold for the material, whatever was made of it.

use heatmark_evidence::capsule::{Outcome, Part, Told, Verdict};
use heatmark_lots::Kind;
use heatmark_records::conformance::{Unprovable, compare};
use heatmark_records::specification::Rounding;
use heatmark_records::{Limit, Said, Value, matches};

use crate::judge::{Parcel, line, result_at};
use crate::quantity::{kilograms, measured_text};
use crate::view::{Line, part_word};
use crate::{Demands, Order};

const ORDERED: &str = "ordered";

/// Where a lot's own records write things.
const PRODUCT: [&str; 2] = ["product/name", "product/designation*"];
const SPECIFICATION: [&str; 5] = [
    "product/standard*",
    "product/material-standard*",
    "product/specification*",
    "product/designation*",
    "product/grade*",
];
const CONDITION: [&str; 2] = ["product/condition*", "condition*"];

/// Mass and pieces of the whole delivery.
pub(crate) fn quantities(parcels: &[Parcel], order: &Order) -> Vec<Line> {
    let opened = |parcel: &Parcel| parcel.proved()?.lot.as_ref()?.opened;
    let told: Option<Vec<(u64, u64)>> = parcels.iter().map(opened).collect();
    let sum = |of: fn(&(u64, u64)) -> u64| {
        let mut numbers = told.as_ref()?.iter().map(of);
        numbers.try_fold(0_u64, u64::checked_add)
    };
    let (mass, pieces) = (sum(|lot| lot.0), sum(|lot| lot.1));
    let mut lines = Vec::new();
    if let Some((least, most)) = order.mass_mg {
        let ordered = if least == most {
            kilograms(least)
        } else {
            format!("{} to {}", kilograms(least), kilograms(most))
        };
        let found = mass.map(|mass| ((least..=most).contains(&mass), kilograms(mass)));
        lines.push(quantity(("mass", "mass-differs"), found, &ordered));
    }
    if let Some(ordered) = order.pieces {
        let found = pieces.map(|pieces| (pieces == ordered, format!("{pieces} pieces")));
        let ordered = format!("{ordered} pieces");
        lines.push(quantity(("pieces", "pieces-differ"), found, &ordered));
    }
    lines
}

fn quantity(
    (about, code): (&str, &'static str),
    found: Option<(bool, String)>,
    ordered: &str,
) -> Line {
    let (outcome, code, evidence) = match found {
        None => (Outcome::Hold, "not-opened", format!("ordered: {ordered}")),
        Some((right, delivered)) => {
            let evidence = format!("delivered: {delivered}; ordered: {ordered}");
            match right {
                true => (Outcome::Accept, "as-ordered", evidence),
                false => (Outcome::Reject, code, evidence),
            }
        }
    };
    Line { about: about.to_owned(), ..line(ORDERED, outcome, code, evidence) }
}

/// What one lot is, against what was ordered.
pub(crate) fn of_lot(parcel: &Parcel, order: &Order, demands: &Demands) -> Vec<Line> {
    let Some(verdict) = parcel.proved() else { return Vec::new() };
    let goods = describing(verdict);
    let mut lines = Vec::new();
    let mut add = |about: &str, (outcome, code, evidence): Found| {
        lines.push(parcel.line(ORDERED, outcome, (about, code), evidence));
    };
    if let Some(product) = &order.product {
        let places = places(&PRODUCT, &order.fields.product);
        add("product", texts(&goods, &places, product, same_words));
    }
    if let Some(condition) = &order.condition {
        let places = places(&CONDITION, &order.fields.condition);
        add("condition", texts(&goods, &places, condition, same_words));
    }
    if let Some(specification) = &order.specification {
        let wanted = match &order.revision {
            Some(revision) => format!("{specification}, revision {revision}"),
            None => specification.clone(),
        };
        let says = |text: &str, _: &str| {
            let revision = order.revision.as_deref();
            has_words(text, specification)
                && revision.is_none_or(|revision| has_words(text, revision))
        };
        let titles = titles(verdict, demands);
        let found = match titles.iter().find(|title| says(title, "")) {
            Some(title) => as_ordered(format!("its limits are judged as {title}")),
            None => {
                let places = places(&SPECIFICATION, &order.fields.specification);
                texts(&of_material(verdict), &places, &wanted, says)
            }
        };
        add("specification", found);
    }
    for limit in &order.dimensions {
        add(&limit.name, size(&goods, limit));
    }
    lines
}

/// How a comparison came out: outcome, code, evidence.
type Found = (Outcome, &'static str, String);

fn as_ordered(evidence: String) -> Found {
    (Outcome::Accept, "as-ordered", evidence)
}

fn places<'p>(usual: &[&'p str], given: &'p [String]) -> Vec<&'p str> {
    given.iter().map(String::as_str).chain(usual.iter().copied()).collect()
}

/// The records that describe the goods as they are.
fn describing(verdict: &Verdict) -> Vec<&Told> {
    let of_part = |part| verdict.told.iter().filter(move |told| told.part == part);
    let own: Vec<&Told> = of_part(Part::Description).collect();
    let untouched = |kind: Kind| {
        use Kind::{Adjust, Commission, Correct, Merge, Return, Split, Transfer};
        matches!(kind, Commission | Transfer | Split | Merge | Return | Correct | Adjust)
    };
    if own.is_empty() && verdict.history.iter().all(|step| untouched(step.kind)) {
        return of_part(Part::Certificate).collect();
    }
    own
}

/// The records that say of which standard the material is.
fn of_material(verdict: &Verdict) -> Vec<&Told> {
    let says = |told: &&Told| matches!(told.part, Part::Description | Part::Certificate);
    verdict.told.iter().filter(says).collect()
}

/// Specifications whose limits are judged: proved by a certificate, or demanded by the policy.
fn titles(verdict: &Verdict, demands: &Demands) -> Vec<String> {
    let certificates = verdict.told.iter().filter(|told| told.part == Part::Certificate);
    let proved = certificates.filter_map(|told| told.conformity.as_ref());
    let proved = proved.map(|conformity| &conformity.specification);
    proved.chain(demands.specifications()).map(|one| one.title.clone()).collect()
}

fn texts(
    records: &[&Told],
    places: &[&str],
    wanted: &str,
    right: impl Fn(&str, &str) -> bool,
) -> Found {
    let mut other = Vec::new();
    for record in records {
        for (path, said) in &record.fields {
            let Said::Shown { value: Value::Text(text), .. } = said else { continue };
            if !places.iter().any(|place| matches(place, path.as_str())) {
                continue;
            }
            let told = crate::value_text(&Value::Text(text.clone()));
            let evidence =
                format!("{path} of the {} says {told}; ordered: {wanted}", part_word(record.part));
            if right(text, wanted) {
                return as_ordered(evidence);
            }
            other.push(evidence);
        }
    }
    match other.into_iter().next() {
        Some(evidence) => (Outcome::Reject, "order-differs", evidence),
        None => (Outcome::Hold, "order-untold", format!("ordered: {wanted}")),
    }
}

fn size(records: &[&Told], limit: &Limit) -> Found {
    let ordered = format!("ordered: {}", limit_text(limit));
    let path = limit.of.paths().next();
    let found = path.and_then(|path| records.iter().find_map(|record| result_at(record, path)));
    let Some(result) = found else { return (Outcome::Hold, "order-untold", ordered) };
    let evidence = format!("{}; {ordered}", measured_text(result));
    match compare(limit, Rounding::Absolute, &[result]) {
        Ok(()) => as_ordered(evidence),
        Err(Unprovable::Outside) => (Outcome::Reject, "size-differs", evidence),
        Err(why) => (Outcome::Hold, "not-comparable", format!("{evidence}: {why}")),
    }
}

/// A limit in words.
pub(crate) fn limit_text(limit: &Limit) -> String {
    let unit = &limit.unit;
    let told = match (&limit.minimum, &limit.maximum) {
        (Some(minimum), Some(maximum)) if minimum == maximum => minimum.to_string(),
        (Some(minimum), Some(maximum)) => format!("{minimum} to {maximum}"),
        (Some(minimum), None) => format!("at least {minimum}"),
        (None, Some(maximum)) => format!("at most {maximum}"),
        (None, None) => String::new(),
    };
    format!("{told} {unit}").trim().to_owned()
}

/// Letters and digits, in small letters, word by word: blanks, hyphens and the like separate, and say nothing.
fn words(text: &str) -> Vec<String> {
    let split = text.split(|c: char| !c.is_alphanumeric());
    split.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

fn same_words(text: &str, wanted: &str) -> bool {
    words(text) == words(wanted)
}

/// Whether words stand in a text, one after another.
fn has_words(text: &str, wanted: &str) -> bool {
    let (text, wanted) = (words(text), words(wanted));
    !wanted.is_empty() && text.windows(wanted.len()).any(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_compared_and_not_letters() {
        assert!(same_words("Ring 400 mm", "ring  400-mm"));
        assert!(!same_words("not annealed", "annealed"));
        assert!(has_words("ASTM A240/A240M-23", "astm a240"));
        assert!(has_words("ASTM A240/A240M-23", "23"));
        assert!(!has_words("ASTM A2401", "ASTM A240"));
        assert!(!has_words("ASTM A240", ""));
    }
}
