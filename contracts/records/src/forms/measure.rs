//! Measured results of both forms, each of which becomes one field with its unit and keeps its meaning; limits
//! beside it become fields of their own, so that they can be shown without the result.
//! Refuses contents below zero or above the whole, and a minimum above its maximum.

use super::document;
use super::draft::{Draft, decimal, measured, segment};
use super::fault::What;
use super::json::Json;
use super::rules::join;
use crate::{Decimal, Moment, Quantity, Relation, Value};

const LIMITS: [(&str, &str); 3] =
    [("Minimum", "minimum"), ("Maximum", "maximum"), ("Target", "target")];

/// What a measurement is of, for the checks that depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// The share of an element: between zero and everything.
    Content,
    /// Anything else; elongation may exceed 100 %.
    Property,
}

/// A result with its limits, where it stands and what its field is called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measurement<'a> {
    pub(super) node: &'a Json,
    pub(super) place: &'a str,
    pub(super) path: &'a str,
    pub(super) of: Of,
    /// Name of the member that holds the result.
    pub(super) actual: &'static str,
    /// Members that already stand in the path.
    pub(super) named_by: &'a [&'a str],
}

impl Measurement<'_> {
    /// Adds the result, its limits and what else is said of it.
    pub(super) fn read(&self, draft: &mut Draft) {
        let unit = self.node.text_at("Unit").unwrap_or_default();
        if self.node.get(self.actual).is_none_or(|actual| *actual == Json::Null) {
            draft.fault(&join(self.place, self.actual), What::Missing);
        }
        for (key, value) in self.node.entries() {
            let place = join(self.place, key);
            if key == self.actual {
                self.number(draft, value, (&place, self.path), unit);
            } else if let Some((_, name)) = LIMITS.iter().find(|(limit, _)| limit == key) {
                self.number(draft, value, (&place, &join(self.path, name)), unit);
            } else if key != "Unit" && !self.named_by.contains(&key.as_str()) {
                flatten_member(draft, key, value, (&place, self.path));
            }
        }
        let limit = |name| self.node.get(name).and_then(single);
        if let (Some(minimum), Some(maximum)) = (limit("Minimum"), limit("Maximum"))
            && minimum.cmp_quantity(&maximum).is_gt()
        {
            draft.fault(self.place, What::MinimumAboveMaximum);
        }
    }

    fn number(&self, draft: &mut Draft, value: &Json, (place, path): (&str, &str), unit: &str) {
        if self.of == Of::Content {
            check_contents(draft, value, place, unit);
        }
        result(draft, value, (place, path), unit);
    }
}

/// A result of any shape: an object with `ResultType`, one with `Value`, a number, or text.
pub(super) fn result(draft: &mut Draft, value: &Json, (place, path): (&str, &str), unit: &str) {
    match (value, value.text_at("ResultType")) {
        (Json::Object(_), None) => plain_object(draft, value, (place, path), unit),
        (Json::Object(_), Some("numeric" | "boolean" | "string")) => {
            single_result(draft, value, (place, path), unit)
        }
        (Json::Object(_), Some("range")) => range(draft, value, (place, path), unit),
        (Json::Object(_), Some("array")) => array(draft, value, (place, path), unit),
        (Json::Object(_), Some("multiValue")) => several(draft, value, (place, path), unit),
        (Json::Object(_), Some(_)) | (Json::List(_), _) => draft.fault(place, What::UnknownResult),
        (Json::Number(text), _) => draft.put_number(place, path, (text, unit)),
        (Json::Text(text), _) => draft.put(place, path, from_text(text, unit)),
        (Json::Boolean(passed), _) => {
            draft.put(place, path, measured(unit, Quantity::Verdict(*passed)))
        }
        (Json::Null, _) => {}
    }
}

/// `{Value, Operator}` of EN 10168, whose value is a number written as text.
fn plain_object(draft: &mut Draft, node: &Json, (place, path): (&str, &str), unit: &str) {
    match (relation(draft, node, place), node.get("Value")) {
        (_, None | Some(Json::Null)) => draft.fault(&join(place, "Value"), What::Missing),
        (relation, Some(Json::Text(text))) => match (decimal(text.trim()), relation) {
            (Ok(number), relation) => {
                draft.put(place, path, measured(unit, Quantity::Number(relation, number)))
            }
            (Err(_), Relation::Equal) => draft.put(place, path, from_text(text, unit)),
            (Err(error), _) => draft.fault(place, What::Field(error)),
        },
        (_, Some(_)) => draft.fault(&join(place, "Value"), What::NotANumberText),
    }
    extras(draft, node, (place, path), &["Value", "Operator"]);
}

fn single_result(draft: &mut Draft, node: &Json, (place, path): (&str, &str), unit: &str) {
    let relation = relation(draft, node, place);
    match (node.text_at("ResultType"), node.get("Value")) {
        (_, None | Some(Json::Null)) => draft.fault(&join(place, "Value"), What::Missing),
        (Some("numeric"), Some(Json::Number(text))) => match decimal(text) {
            Ok(number) => {
                draft.put(place, path, measured(unit, Quantity::Number(relation, number)))
            }
            Err(error) => draft.fault(place, What::Field(error)),
        },
        (Some("boolean"), Some(Json::Boolean(passed))) => {
            draft.put(place, path, measured(unit, Quantity::Verdict(*passed)));
        }
        (Some("string"), Some(Json::Text(text))) => draft.put(place, path, from_text(text, unit)),
        (Some("numeric"), Some(_)) => draft.fault(&join(place, "Value"), What::NotANumber),
        (Some("boolean"), Some(_)) => draft.fault(&join(place, "Value"), What::NotABoolean),
        (_, Some(_)) => draft.fault(&join(place, "Value"), What::NotAText),
    }
    extras(draft, node, (place, path), &["ResultType", "Value", "Operator"]);
}

fn range(draft: &mut Draft, node: &Json, (place, path): (&str, &str), unit: &str) {
    let inclusive = !matches!(node.get("Inclusive"), Some(Json::Boolean(false)));
    match (node.get("Minimum").and_then(single), node.get("Maximum").and_then(single)) {
        (Some(low), Some(high)) if low.cmp_quantity(&high).is_gt() => {
            draft.fault(place, What::MinimumAboveMaximum)
        }
        (Some(low), Some(high)) => {
            draft.put(place, path, measured(unit, Quantity::Range { low, high, inclusive }))
        }
        (None, _) => draft.fault(&join(place, "Minimum"), What::NotANumber),
        (_, None) => draft.fault(&join(place, "Maximum"), What::NotANumber),
    }
    extras(draft, node, (place, path), &["ResultType", "Minimum", "Maximum", "Inclusive"]);
}

fn several(draft: &mut Draft, node: &Json, (place, path): (&str, &str), unit: &str) {
    let items = node.get("Values").map(Json::items).unwrap_or_default();
    several_of(draft, items, (&join(place, "Values"), path), unit);
    let (place_of, path_of) = (join(place, "Statistics"), join(path, "Statistics"));
    for (key, value) in node.get("Statistics").map(Json::entries).unwrap_or_default() {
        let at = join(&place_of, key);
        match segment(key) {
            Some(name) if value.get("ResultType").is_some() => {
                result(draft, value, (&at, &join(&path_of, &name)), unit)
            }
            _ => flatten_member(draft, key, value, (&at, &path_of)),
        }
    }
    extras(draft, node, (place, path), &["ResultType", "Values", "Statistics"]);
}

/// A list of single results as one field.
pub(super) fn several_of(
    draft: &mut Draft,
    items: &[Json],
    (place, path): (&str, &str),
    unit: &str,
) {
    let mut results = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let at = join(place, &index.to_string());
        match single(item) {
            Some(number) => results.push((relation(draft, item, &at), number)),
            None => draft.fault(&at, What::NotANumber),
        }
    }
    if items.is_empty() {
        draft.fault(place, What::NotAList);
    } else if results.len() == items.len() {
        draft.put(place, path, measured(unit, Quantity::Several(results)));
    }
}

/// A curve: one field for each point, named by its parameter.
fn array(draft: &mut Draft, node: &Json, (place, path): (&str, &str), unit: &str) {
    let points = node.get("Data").map(Json::items).unwrap_or_default();
    if points.is_empty() {
        draft.fault(&join(place, "Data"), What::NotAList);
    }
    for (index, point) in points.iter().enumerate() {
        let at = join(&join(place, "Data"), &index.to_string());
        let Some(name) = point.text_at("Parameter").and_then(segment) else {
            draft.fault(&join(&at, "Parameter"), What::Missing);
            continue;
        };
        let path = draft.unique(&join(path, &name));
        let named_by = ["Parameter", "ParameterType"];
        for (key, value) in point.entries() {
            let at = join(&at, key);
            match LIMITS.iter().find(|(limit, _)| limit == key) {
                Some((_, name)) => result(draft, value, (&at, &join(&path, name)), unit),
                None if key == "Value" => result(draft, value, (&at, &path), unit),
                None if named_by.contains(&key.as_str()) => {}
                None => flatten_member(draft, key, value, (&at, &path)),
            }
        }
    }
    extras(draft, node, (place, path), &["ResultType", "Data"]);
}

/// `{Key, Value, Type, Unit, …}` of EN 10168: a field of the certificate's own naming, typed by its `Type`.
pub(super) fn key_value(draft: &mut Draft, node: &Json, place: &str, path: &str) {
    let unit = node.text_at("Unit").unwrap_or_default();
    let at = join(place, "Value");
    match (node.text_at("Type").unwrap_or("string"), node.get("Value")) {
        (_, None | Some(Json::Null)) => {}
        ("number", Some(Json::Text(text))) => match from_text(text, unit) {
            Value::Text(_) => draft.fault(&at, What::NotANumberText),
            number => draft.put(&at, path, number),
        },
        ("date" | "date-time", Some(Json::Text(text))) => match Moment::new(text) {
            Ok(moment) => draft.put(&at, path, Value::Moment(moment)),
            Err(_) => draft.fault(&at, What::BadDate),
        },
        ("boolean", Some(Json::Text(text))) => match text.as_str() {
            "true" | "false" => {
                draft.put(&at, path, measured(unit, Quantity::Verdict(text == "true")))
            }
            _ => draft.fault(&at, What::NotABoolean),
        },
        (_, Some(Json::Text(text))) => draft.text(&at, path, text),
        (_, Some(_)) => draft.fault(&at, What::NotAText),
    }
    let is_number = node.text_at("Type") == Some("number");
    let named = if is_number { &["Value", "Type", "Unit"][..] } else { &["Value", "Type"][..] };
    extras(draft, node, (place, path), named);
}

/// An attachment of EN 10168: the digest of its data, which must have the hash that is stated for it.
pub(super) fn attachment(draft: &mut Draft, node: &Json, place: &str, path: &str) {
    let media_type = node.text_at("MIME-Type").unwrap_or_default();
    let data = node.text_at("Data").unwrap_or_default();
    let is_base64 =
        node.text_at("Encoding").is_some_and(|encoding| encoding.eq_ignore_ascii_case("base64"));
    let document = match document::from_data_uri(data) {
        Some(document) => document,
        None if is_base64 => document::from_base64(data, media_type),
        None => Ok(document::from_bytes(data.as_bytes(), media_type)),
    };
    // The form means the document's hash; some issuers state that of the Base64 text.
    let encoded = document::from_bytes(data.as_bytes(), media_type);
    let has_stated_hash = |document| {
        [document, &encoded]
            .iter()
            .any(|hashed| document::has_stated_hash(hashed, node.get("Hash")))
    };
    match document {
        Ok(document) if has_stated_hash(&document) => {
            draft.put(place, path, Value::Document(document));
        }
        Ok(_) => draft.fault(&join(place, "Data"), What::WrongHash),
        Err(what) => draft.fault(&join(place, "Data"), what),
    }
    extras(draft, node, (place, path), &["Data"]);
}

fn extras(draft: &mut Draft, node: &Json, (place, path): (&str, &str), done: &[&str]) {
    for (key, value) in node.entries().iter().filter(|(key, _)| !done.contains(&key.as_str())) {
        flatten_member(draft, key, value, (&join(place, key), path));
    }
}

fn flatten_member(draft: &mut Draft, key: &str, value: &Json, (place, path): (&str, &str)) {
    match segment(key) {
        Some(name) => draft.flatten(&[], value, place, &join(path, &name)),
        None => draft.fault(place, What::Field(crate::RecordError::BadPath)),
    }
}

fn relation(draft: &mut Draft, node: &Json, place: &str) -> Relation {
    let sign = node.get("Operator").map(|operator| operator.text().and_then(Relation::from_sign));
    if sign == Some(None) {
        draft.fault(&join(place, "Operator"), What::UnknownOperator);
    }
    sign.flatten().unwrap_or(Relation::Equal)
}

/// The single number that a result states, in any of the ways the forms write one.
fn single(value: &Json) -> Option<Decimal> {
    match value {
        Json::Number(text) => decimal(text).ok(),
        Json::Text(text) => match from_text(text, "") {
            Value::Measured(crate::Measured { quantity: Quantity::Number(_, number), .. }) => {
                Some(number)
            }
            _ => None,
        },
        Json::Object(_) => value.get("Value").and_then(single),
        _ => None,
    }
}

/// What a result written as text means: a number, perhaps with a sign before it, the balance, or just text.
fn from_text(text: &str, unit: &str) -> Value {
    let trimmed = text.trim();
    if ["balance", "bal", "bal.", "rest", "remainder"]
        .iter()
        .any(|word| trimmed.eq_ignore_ascii_case(word))
    {
        return measured(unit, Quantity::Balance);
    }
    let signs = ["<=", ">=", "≤", "≥", "<", ">", "="];
    let sign = signs
        .iter()
        .find_map(|sign| trimmed.strip_prefix(sign).map(|rest| (Relation::from_sign(sign), rest)));
    let (relation, digits) = sign.unwrap_or((Some(Relation::Equal), trimmed));
    match (relation, decimal(digits.trim_start())) {
        (Some(relation), Ok(number)) => measured(unit, Quantity::Number(relation, number)),
        _ => Value::Text(text.to_owned()),
    }
}

fn check_contents(draft: &mut Draft, value: &Json, place: &str, unit: &str) {
    let whole = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "%" | "wt%" | "wt.%" | "wt.-%" | "wt %" | "mass%" | "mass %" | "m%" | "at%"
        | "at.%" => 100,
        "ppm" => 1_000_000,
        "ppb" => 1_000_000_000,
        _ => return,
    };
    let Ok(whole) = Decimal::new(whole, 0) else { return };
    let Ok(zero) = Decimal::new(0, 0) else { return };
    let members = ["Value", "Minimum", "Maximum"].iter().filter_map(|name| value.get(name));
    let items = value.get("Values").map(Json::items).unwrap_or_default();
    for number in members.chain(items).chain([value]).filter_map(single) {
        if number.cmp_quantity(&zero).is_lt() {
            draft.fault(place, What::NegativeContent);
        } else if number.cmp_quantity(&whole).is_gt() {
            draft.fault(place, What::ContentAboveWhole);
        }
    }
}
