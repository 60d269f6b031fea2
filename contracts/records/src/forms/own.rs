//! Our own form, `Heatmark 1`, and what stands beside a certificate of any form. Its names are the paths of the
//! fields themselves, so that a mapping, a template or a person can write it; it also has what no public form has:
//! melt shop, smelter, melt country and time, remelt and ingot.
//! Refuses what the fields of these names cannot be, and a beside that contradicts its certificate.

use super::draft::{Draft, measured};
use super::fault::What;
use super::json::Json;
use super::measure::{Measurement, Of, from_text, judge_limits, several_node};
use super::rules::{is_country, join};
use super::units::{Family, converted, family};
use crate::{Document, Measured, Quantity, Relation, Value};

/// Marks a file of this form, and names its version.
pub(super) const MARK: &str = "Heatmark";
const REQUIRED: [&str; 4] =
    ["certificate/number", "certificate/issued", "manufacturer/name", "product/name"];
/// A laboratory may know neither who made its sample nor what of, and what was inspected stands in its capsules.
const REQUIRED_OF_OTHERS: usize = 2;
/// What stands beside a result and is none itself.
const BESIDE_RESULTS: [&str; 3] = ["/concession", "/method", "/date"];
/// Where numbers stand, with a unit behind them where they are written as text.
const RESULTS: [&str; 8] = [
    "chemistry/",
    "mechanical/",
    "physical/",
    "tests/",
    "product/mass",
    "product/pieces",
    "product/length",
    "product/shape/",
];

/// What a result is called that stands without an object around it: nothing, so that its place is its path.
const BARE: &str = "";

/// Checks that a certificate of our own form, with what stands beside it, says enough.
pub(super) fn check_required(draft: &mut Draft, no_certificate: bool) {
    let count = if no_certificate { REQUIRED_OF_OTHERS } else { REQUIRED.len() };
    for path in REQUIRED.into_iter().take(count) {
        let blank = match draft.field(path) {
            Some(Value::Text(text)) => text.trim().is_empty(),
            other => other.is_none(),
        };
        if blank {
            draft.fault(path, What::Missing);
        }
    }
    check_moment(draft, "certificate/issued");
}

pub(super) fn check_moment(draft: &mut Draft, path: &str) {
    if draft.field(path).is_some_and(|value| !matches!(value, Value::Moment(_))) {
        draft.fault(path, What::BadDate);
    }
}

/// Reads a certificate of our own form, or what stands beside another; `place` is where.
pub(super) fn read(draft: &mut Draft, content: &Json, place: &str) {
    if !matches!(content, Json::Object(_)) {
        draft.fault(place, What::NotAnObject);
    }
    for (key, value) in content.entries().iter().filter(|(key, _)| key != MARK) {
        field(draft, value, (&join(place, key), key));
    }
}

/// Checks the fields that every form calls the same, wherever they were read from.
pub(super) fn check_named(draft: &mut Draft) {
    let text = |draft: &Draft, path: &str| match draft.field(path) {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    };
    type Holds = fn(&str) -> bool;
    let checks = [
        ("melt/smelter", is_smelter as Holds, What::BadSmelter),
        ("melt/country", is_country, What::BadCountry),
        ("certificate/supersedes", is_record_id, What::BadRecordId),
    ];
    for (path, holds, what) in checks {
        let wrong = match draft.field(path) {
            None => false,
            Some(_) => text(draft, path).is_none_or(|text| !holds(&text)),
        };
        if wrong {
            draft.fault(path, what);
        }
    }
    check_moment(draft, "melt/time");
    for path in ["transcribed/from", "concession"] {
        let blank = text(draft, path).is_some_and(|text| text.trim().is_empty());
        if blank {
            draft.fault(path, What::Missing);
        }
    }
}

/// An id of the Conflict Minerals Reporting Template.
fn is_smelter(id: &str) -> bool {
    id.strip_prefix("CID")
        .is_some_and(|digits| digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_digit()))
}

pub(super) fn is_record_id(id: &str) -> bool {
    id.len() == 64 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn field(draft: &mut Draft, node: &Json, (place, path): (&str, &str)) {
    let is_result = RESULTS.iter().any(|start| path.starts_with(start))
        && path != "product/shape/Form"
        && !BESIDE_RESULTS.iter().any(|end| path.ends_with(end));
    match node {
        Json::Null => {}
        Json::Object(_) if node.get("sha256").is_some() => document(draft, node, (place, path)),
        Json::Object(_) if node.get("value").is_some() || node.get("values").is_some() => {
            result(draft, node, (place, path));
        }
        Json::Object(entries) => {
            for (key, value) in entries {
                field(draft, value, (&join(place, key), &join(path, key)));
            }
        }
        Json::Text(_) | Json::Number(_) if is_result => {
            let node = Json::Object(vec![(BARE.to_owned(), node.clone())]);
            result(draft, &node, (place, path));
        }
        Json::List(_) if is_result => {
            let node = Json::Object(vec![("values".to_owned(), node.clone())]);
            result(draft, &node, (place, path));
        }
        Json::List(items) => {
            for (index, item) in items.iter().enumerate() {
                let index = index.to_string();
                field(draft, item, (&join(place, &index), &join(path, &index)));
            }
        }
        Json::Text(text) => draft.text(place, path, text),
        Json::Number(text) => draft.put_number(place, path, (text, "")),
        Json::Boolean(passed) => draft.put(place, path, measured("", Quantity::Verdict(*passed))),
    }
}

/// `{value | values, unit, minimum, maximum, target, …}`; numbers may be written as text with their unit.
fn result(draft: &mut Draft, node: &Json, (place, path): (&str, &str)) {
    let value = node.get("value").or(node.get(BARE));
    let values = node.get("values").map(Json::items).unwrap_or_default();
    let first = value.or(values.first());
    let unit = match node.text_at("unit") {
        Some(unit) => unit.to_owned(),
        None => first.and_then(Json::text).map(split_unit).unwrap_or_default().1.to_owned(),
    };
    let mut entries = vec![("Unit".to_owned(), Json::Text(unit.clone()))];
    for (key, value) in node.entries() {
        let at = join(place, key);
        let (name, value) = match key.as_str() {
            "unit" => continue,
            BARE | "value" | "minimum" | "maximum" | "target" => {
                (key.as_str(), in_unit(draft, value, &at, &unit))
            }

            "values" => {
                let values = value.items().iter();
                let values = values.map(|value| in_unit(draft, value, &at, &unit)).collect();
                ("value", several_node(values))
            }
            other => (other, value.clone()),
        };
        entries.push((name.to_owned(), value));
    }
    let element = path.strip_prefix("chemistry/").is_some_and(|name| !name.contains('/'));
    let content = element && node.get("formula").is_none();
    let of = if content { Of::Content } else { Of::Property };
    let node = &Json::Object(entries);
    let actual = if node.get(BARE).is_some() { BARE } else { "value" };
    Measurement { node, place, path, of, actual, named_by: &[] }.read(draft);
    // A limit given beside a certificate is a limit of the certificate's own result.
    if let Some(result) = path.strip_suffix("/minimum").or(path.strip_suffix("/maximum")) {
        judge_limits(draft, (place, result));
    }
    let stays_text = matches!(draft.field(path), Some(Value::Text(_)));
    let is_mass = path.starts_with("product/mass");
    if stays_text && (content || is_mass) {
        draft.fault(place, What::NotANumber);
    } else if is_mass {
        mass(draft, (place, path));
    }
}

fn mass(draft: &mut Draft, (place, path): (&str, &str)) {
    let Some(Value::Measured(Measured { unit, quantity })) = draft.field(path) else { return };
    let (unit, quantity) = (unit.clone(), quantity.clone());
    if family(&unit) != Some(Family::Mass) {
        draft.fault(place, What::NoMassUnit);
    }
    if super::bounds::numbers(&quantity).iter().any(|number| number.mantissa() <= 0) {
        draft.fault(place, What::NotPositive);
    }
}

/// A number without its unit, in the unit of the result that it belongs to.
fn in_unit(draft: &mut Draft, value: &Json, place: &str, unit: &str) -> Json {
    let Json::Text(text) = value else { return value.clone() };
    let (number, own) = split_unit(text);
    if own.is_empty() || own == unit {
        return Json::Text(number.to_owned());
    }
    let Value::Measured(Measured { quantity: Quantity::Number(relation, digits), .. }) =
        from_text(number, own)
    else {
        return value.clone();
    };
    match converted(&digits, own, unit) {
        Some(digits) => Json::Text(format!("{}{digits}", sign(relation))),
        None => {
            draft.fault(place, What::UnitsDiffer);
            Json::Null
        }
    }
}

/// A number and the unit written behind it; a text that is no number is all number and no unit.
fn split_unit(text: &str) -> (&str, &str) {
    let text = text.trim();
    let signs = |c: char| matches!(c, '<' | '>' | '=' | '≤' | '≥' | ' ');
    let digits = text.trim_start_matches(signs);
    let is_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '-' | '+');
    let behind = digits.trim_start_matches(is_number);
    let has_exponent = behind.starts_with(['e', 'E'])
        && behind.chars().nth(1).is_some_and(|c| c.is_ascii_digit() || matches!(c, '-' | '+'));
    let before = text.len().saturating_sub(behind.len());
    match text.split_at_checked(before) {
        Some((number, unit))
            if !has_exponent && matches!(from_text(number, ""), Value::Measured(_)) =>
        {
            (number.trim(), unit.trim())
        }
        _ => (text, ""),
    }
}

const fn sign(relation: Relation) -> &'static str {
    match relation {
        Relation::Equal => "",
        Relation::Less => "<",
        Relation::LessOrEqual => "<=",
        Relation::Greater => ">",
        Relation::GreaterOrEqual => ">=",
    }
}

/// `{sha256, length, media-type}`.
fn document(draft: &mut Draft, node: &Json, (place, path): (&str, &str)) {
    let sha256 = node.text_at("sha256").and_then(from_hex);
    let length = match node.get("length") {
        Some(Json::Number(text)) => text.parse::<u64>().ok(),
        _ => None,
    };
    let media_type = node.text_at("media-type").unwrap_or_default().to_ascii_lowercase();
    match (sha256, length) {
        (Some(sha256), Some(length_bytes)) => {
            let document = Document { sha256, length_bytes, media_type };
            draft.put(place, path, Value::Document(document));
        }
        _ => draft.fault(place, What::NotAField),
    }
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in out.iter_mut().enumerate() {
        let start = at.checked_mul(2)?;
        *byte = u8::from_str_radix(text.get(start..start.checked_add(2)?)?, 16).ok()?;
    }
    Some(out)
}
