//! Measured results of both forms, each of which becomes one field with its unit and keeps its meaning; limits
//! beside it become fields of their own, so that they can be shown without the result.
//! Refuses contents below zero or above the whole, what a property cannot be, and a minimum above its maximum.

use super::bounds;
use super::draft::{Draft, decimal, measured, segment};
use super::fault::What;
use super::json::Json;
use super::limits::{Limit, Limits};
use super::rules::join;
use super::units::{Family, converted, family, share_exponent};
use crate::{Decimal, MAX_SEVERAL, Measured, Quantity, RecordError, Relation, Value};

/// Members that are limits, of the public forms and of our own.
const LIMITS: [(&str, &str); 6] = [
    ("Minimum", "minimum"),
    ("Maximum", "maximum"),
    ("Target", "target"),
    ("minimum", "minimum"),
    ("maximum", "maximum"),
    ("target", "target"),
];

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
        if self.of == Of::Content && family(unit).is_some_and(|family| family != Family::Share) {
            draft.fault(&join(self.place, "Unit"), What::WrongUnit);
        }
        for (key, value) in self.node.entries() {
            let place = join(self.place, key);
            if key == self.actual {
                self.number(draft, value, (&place, self.path), unit);
            } else if let Some((_, name)) = LIMITS.iter().find(|(limit, _)| limit == key) {
                self.number(draft, value, (&place, &join(self.path, name)), unit);
            } else if key == "Concession" {
                draft.flatten(&[], value, &place, &join(self.path, "concession"));
            } else if key != "Unit" && !self.named_by.contains(&key.as_str()) {
                flatten_member(draft, key, value, (&place, self.path));
            }
        }
        if self.node.text_at("Interpretation") == Some("Out of Specification") {
            draft.outside_limits(self.place, self.path);
        }
        self.judge(draft);
    }

    fn number(&self, draft: &mut Draft, value: &Json, (place, path): (&str, &str), unit: &str) {
        if self.of == Of::Content {
            check_contents(draft, value, place, unit);
            return result(draft, &with_points(value), (place, path), unit);
        }
        result(draft, value, (place, path), unit);
    }

    fn judge(&self, draft: &mut Draft) {
        if self.of == Of::Property
            && let Some(Value::Measured(actual)) = draft.field(self.path)
        {
            let called = ["PropertySymbol", "PropertyName", "Property"];
            let mut names: Vec<&str> =
                called.iter().filter_map(|key| self.node.text_at(key)).collect();
            let own = self.path.split_once('/').map_or(self.path, |(_, name)| name);
            let own = own.split('#').next().unwrap_or(own);
            names.push(own.strip_suffix("/mean").unwrap_or(own));
            if let Err(what) = bounds::check(&names, actual) {
                draft.fault(&join(self.place, self.actual), what);
            }
        }
        judge_limits(draft, (self.place, self.path));
    }
}

/// Whether a result that has been read is within the limits that have been read beside it.
pub(super) fn judge_limits(draft: &mut Draft, (place, path): (&str, &str)) {
    let unit = match draft.field(path) {
        Some(Value::Measured(actual)) => actual.unit.clone(),
        _ => String::new(),
    };
    let mut limits = Limits::default();
    for (name, strict) in [("minimum", Relation::Greater), ("maximum", Relation::Less)] {
        let Some(Value::Measured(limit)) = draft.field(&join(path, name)) else { continue };
        let Quantity::Number(relation, number) = &limit.quantity else { continue };
        let exclusive = *relation == strict;
        let Some(number) = converted(number, &limit.unit, &unit) else {
            draft.fault(place, What::UnitsDiffer);
            continue;
        };
        let limit = Some(Limit { number, exclusive });
        if name == "minimum" { limits.minimum = limit } else { limits.maximum = limit }
    }
    if let (Some(minimum), Some(maximum)) = (limits.minimum, limits.maximum)
        && minimum.number.cmp_quantity(&maximum.number).is_gt()
    {
        draft.fault(place, What::MinimumAboveMaximum);
        return;
    }
    let Some(Value::Measured(actual)) = draft.field(path) else { return };
    if limits.are_left_by(&actual.quantity) {
        draft.outside_limits(place, path);
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
        (relation, Some(Json::Text(text))) => match (written(text), relation) {
            (Some(number), relation) => {
                draft.put(place, path, measured(unit, Quantity::Number(relation, number)))
            }
            (None, Relation::Equal) => draft.put(place, path, from_text(text, unit)),
            (None, _) => draft.fault(place, What::Field(RecordError::BadDecimal)),
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
fn several_of(draft: &mut Draft, items: &[Json], (place, path): (&str, &str), unit: &str) {
    let mut results = Vec::with_capacity(items.len().min(MAX_SEVERAL));
    for (index, item) in items.iter().enumerate() {
        let at = join(place, &index.to_string());
        match (item, from_item(item)) {
            (Json::Object(_), Some((_, number))) => {
                results.push((relation(draft, item, &at), number));
            }
            (_, Some(result)) => results.push(result),
            (_, None) => draft.fault(&at, What::NotANumber),
        }
    }
    if items.is_empty() {
        draft.fault(place, What::NotAList);
    } else if results.len() == items.len() {
        draft.put(place, path, measured(unit, Quantity::Several(results)));
    }
}

/// Single values of one test, each an object of its own: one field while they differ in their value only, else a
/// field each, since a limit belongs to its value.
pub(super) fn list(draft: &mut Draft, items: &[Json], (place, path): (&str, &str)) {
    let others = |item: &Json| -> Vec<(String, Json)> {
        item.entries().iter().filter(|(key, _)| key != "Value").cloned().collect()
    };
    let Some(first) = items.first() else { return };
    let alike = items.iter().all(|item| {
        others(item) == others(first) && matches!(item.get("Value"), Some(Json::Number(_)))
    });
    if alike {
        let values = items.iter().filter_map(|item| item.get("Value").cloned()).collect();
        let mut entries = others(first);
        entries.push(("Value".to_owned(), several_node(values)));
        let node = &Json::Object(entries);
        Measurement { node, place, path, of: Of::Property, actual: "Value", named_by: &[] }
            .read(draft);
        return;
    }
    for (index, node) in items.iter().enumerate() {
        let place = &join(place, &index.to_string());
        if !matches!(node, Json::Object(_)) {
            draft.fault(place, What::NotAnObject);
            continue;
        }
        let path = &if index == 0 { path.to_owned() } else { draft.unique(path) };
        Measurement { node, place, path, of: Of::Property, actual: "Value", named_by: &[] }
            .read(draft);
    }
}

/// Several values as the forms write them.
pub(super) fn several_node(values: Vec<Json>) -> Json {
    Json::Object(vec![
        ("ResultType".to_owned(), Json::Text("multiValue".to_owned())),
        ("Values".to_owned(), Json::List(values)),
    ])
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
        judge_limits(draft, (&at, &path));
    }
    extras(draft, node, (place, path), &["ResultType", "Data"]);
}

pub(super) fn extras(draft: &mut Draft, node: &Json, (place, path): (&str, &str), done: &[&str]) {
    for (key, value) in node.entries().iter().filter(|(key, _)| !done.contains(&key.as_str())) {
        flatten_member(draft, key, value, (&join(place, key), path));
    }
}

fn flatten_member(draft: &mut Draft, key: &str, value: &Json, (place, path): (&str, &str)) {
    match segment(key) {
        Some(name) => draft.flatten(&[], value, place, &join(path, &name)),
        None => draft.fault(place, What::Field(RecordError::BadPath)),
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
        Json::Object(_) => value.get("Value").and_then(single),
        _ => from_item(value).map(|(_, number)| number),
    }
}

/// A number, or a text that is one, perhaps with a sign before it.
fn from_item(value: &Json) -> Option<(Relation, Decimal)> {
    match value {
        Json::Number(text) => decimal(text).ok().map(|number| (Relation::Equal, number)),
        Json::Text(text) => match from_text(text, "") {
            Value::Measured(Measured { quantity: Quantity::Number(relation, number), .. }) => {
                Some((relation, number))
            }
            _ => None,
        },
        Json::Object(_) => value.get("Value").and_then(from_item),
        _ => None,
    }
}

/// What a result written as text means: a number, perhaps with a sign before it, the balance, or just text.
pub(super) fn from_text(text: &str, unit: &str) -> Value {
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
    match (relation, written(digits)) {
        (Some(relation), Some(number)) => measured(unit, Quantity::Number(relation, number)),
        _ => Value::Text(text.to_owned()),
    }
}

/// A number as people write it: `.003`, `+0.5` and `0,15` are read, `1,234` is not, since it may be a thousand.
fn written(text: &str) -> Option<Decimal> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = match digits.split_once(',') {
        Some((_, places)) if digits.contains('.') || places.contains(',') => return None,
        Some((whole, places)) => {
            let thousands =
                places.len() == 3 && (1..=3).contains(&whole.len()) && !whole.starts_with('0');
            if thousands {
                return None;
            }
            format!("{whole}.{places}")
        }
        None => digits.to_owned(),
    };
    let zero = if digits.starts_with('.') { "0" } else { "" };
    decimal(&format!("{sign}{zero}{digits}")).ok()
}

/// Contents are at most 100, so that a comma before three digits is no thousand: `1,234` % becomes `1.234`.
fn with_points(value: &Json) -> Json {
    let point = |text: &String| {
        let is_number = |c: char| c.is_ascii_digit() || matches!(c, ',' | '<' | '>' | '=' | ' ');
        let comma = text.chars().all(is_number) && text.matches(',').count() == 1;
        Json::Text(if comma { text.replace(',', ".") } else { text.clone() })
    };
    match value {
        Json::Text(text) => point(text),
        Json::Object(entries) => Json::Object(
            entries
                .iter()
                .map(|(key, value)| match value {
                    Json::Text(text) if key == "Value" => (key.clone(), point(text)),
                    _ => (key.clone(), value.clone()),
                })
                .collect(),
        ),
        _ => value.clone(),
    }
}

fn check_contents(draft: &mut Draft, value: &Json, place: &str, unit: &str) {
    let exponent = if unit.trim().is_empty() { Some(2) } else { share_exponent(unit) };
    let whole = exponent.and_then(|exponent| 10_i128.checked_pow(u32::from(exponent)));
    let Some(Ok(whole)) = whole.map(|whole| Decimal::new(whole, 0)) else { return };
    let mut numbers = Vec::new();
    collect(&with_points(value), &mut numbers);
    for number in numbers {
        if number.mantissa() < 0 {
            draft.fault(place, What::NegativeContent);
        } else if number.cmp_quantity(&whole).is_gt() {
            draft.fault(place, What::ContentAboveWhole);
        }
    }
}

/// Every number within a result of any type.
fn collect(value: &Json, numbers: &mut Vec<Decimal>) {
    match value {
        Json::List(items) => items.iter().for_each(|item| collect(item, numbers)),
        Json::Object(_) => ["Value", "Minimum", "Maximum", "Values", "Data", "Average"]
            .iter()
            .filter_map(|name| value.get(name))
            .for_each(|value| collect(value, numbers)),
        _ => numbers.extend(single(value)),
    }
}
