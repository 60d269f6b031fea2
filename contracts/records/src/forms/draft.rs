//! Fields and faults as a file is read, and the part of flattening that both forms share: names, units that
//! stand beside their numbers, dates, embedded documents.

use std::collections::{BTreeMap, BTreeSet};

use super::fault::{Fault, What};
use super::json::Json;
use super::rules::join;
use super::{bounds, document, measure, origin, statements};
use crate::{Decimal, Fields, Measured, Moment, Path, Quantity, RecordError, Relation, Value};

/// Places of a form that have a short path of their own, in every form the same.
pub(super) type Names = &'static [(&'static str, &'static str)];

/// Faults beyond this many are not listed.
const MAX_FAULTS: usize = 200;

#[derive(Debug)]
pub(super) struct Draft {
    fields: Fields,
    faults: Vec<Fault>,
    bases: BTreeSet<String>,
    /// Highest number given to a base.
    numbers: BTreeMap<String, usize>,
    /// Whether what is read stands beside the certificate, which it may repeat but not contradict.
    beside: bool,
    /// Place and path of results outside their limits: faults unless a concession is named.
    outside: Vec<(String, String)>,
}

impl Draft {
    pub(super) fn new() -> Self {
        Self {
            fields: Fields::new(),
            faults: Vec::new(),
            bases: BTreeSet::new(),
            numbers: BTreeMap::new(),
            beside: false,
            outside: Vec::new(),
        }
    }

    /// What is read from here on stands beside the certificate.
    pub(super) fn begin_beside(&mut self) {
        self.beside = true;
    }

    /// A result is outside its limits; whether a concession covers it is known when everything was read.
    pub(super) fn outside_limits(&mut self, place: &str, path: &str) {
        self.outside.push((place.to_owned(), path.to_owned()));
    }

    pub(super) fn field(&self, path: &str) -> Option<&Value> {
        origin::field(&self.fields, path)
    }

    pub(super) const fn fields(&self) -> &Fields {
        &self.fields
    }

    pub(super) fn finish(mut self) -> Result<Fields, Vec<Fault>> {
        for (place, path) in std::mem::take(&mut self.outside) {
            let covered = ["concession".to_owned(), join(&path, "concession")];
            if covered.iter().all(|path| self.field(path).is_none()) {
                self.fault(&place, What::OutsideLimits);
            }
        }
        if self.fields.is_empty() {
            self.fault("", What::Field(RecordError::NoFields));
        }
        if self.faults.is_empty() { Ok(self.fields) } else { Err(self.faults) }
    }

    pub(super) fn fault(&mut self, place: &str, what: What) {
        let fault = Fault::new(place, what);
        let repeated = what == What::Field(RecordError::TooManyFields)
            && self.faults.iter().any(|f| f.what == what);
        if !repeated && !self.faults.contains(&fault) && self.faults.len() < MAX_FAULTS {
            self.faults.push(fault);
        }
    }

    pub(super) fn put(&mut self, place: &str, path: &str, value: Value) {
        if let Value::Measured(measured) = &value
            && let Err(what) = bounds::check_temperature(measured)
        {
            self.fault(place, what);
        }
        if self.beside && self.field(path) == Some(&value) {
            return;
        }
        let added = Path::new(path).and_then(|path| self.fields.insert(path, value));
        match added {
            Ok(()) => {}
            Err(RecordError::PathTwice) if self.beside => self.fault(place, What::Contradicts),
            Err(RecordError::TooManyFields) => {
                self.fault("", What::Field(RecordError::TooManyFields))
            }
            Err(error) => self.fault(place, What::Field(error)),
        }
    }

    pub(super) fn put_number(&mut self, place: &str, path: &str, (text, unit): (&str, &str)) {
        match decimal(text) {
            Ok(number) => {
                self.put(place, path, measured(unit, Quantity::Number(Relation::Equal, number)))
            }
            Err(error) => self.fault(place, What::Field(error)),
        }
    }

    /// A path for a result: `base`, or `base#2` and on when a result of that name was there before.
    pub(super) fn unique(&mut self, base: &str) -> String {
        if self.bases.insert(base.to_owned()) {
            return base.to_owned();
        }
        let number = self.numbers.entry(base.to_owned()).or_insert(1);
        loop {
            *number = number.saturating_add(1);
            let path = format!("{base}#{number}");
            if self.bases.insert(path.clone()) {
                return path;
            }
        }
    }

    /// Turns a part of the file into fields: `place` is where it stands, `path` what its field will be called.
    pub(super) fn flatten(&mut self, names: Names, node: &Json, place: &str, path: &str) {
        match node {
            Json::Null => {}
            Json::Boolean(passed) => {
                self.put(place, path, measured("", Quantity::Verdict(*passed)))
            }
            Json::Number(text) => self.put_number(place, path, (text, "")),
            Json::Text(text) => self.text(place, path, text),
            Json::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    let index = index.to_string();
                    self.flatten(names, item, &join(place, &index), &join(path, &index));
                }
            }
            Json::Object(_) if node.get("ResultType").is_some() => {
                measure::result(self, node, (place, path), "")
            }
            Json::Object(_) if node.text_at("Key").is_some() => {
                statements::key_value(self, node, place, path)
            }
            Json::Object(_) => self.members(names, node, place, path),
        }
    }

    fn members(&mut self, names: Names, node: &Json, place: &str, path: &str) {
        let entries = node.entries();
        let units = units(entries);
        let is_number = |value: &Json| matches!(value, Json::Number(_));
        let used: BTreeSet<&str> = entries
            .iter()
            .filter(|(_, v)| is_number(v))
            .filter_map(|(k, _)| Some(unit_key(&units, k)?.0))
            .collect();
        for (key, value) in entries.iter().filter(|(key, _)| !used.contains(key.as_str())) {
            let place = join(place, key);
            let Some(segment) = segment(key) else {
                self.fault(&place, What::Field(RecordError::BadPath));
                continue;
            };
            let named =
                names.iter().find(|(at, _)| *at == place).map(|(_, name)| (*name).to_owned());
            let path = named.unwrap_or_else(|| join(path, &segment));
            match (value, unit_key(&units, key).map(|(_, unit)| unit)) {
                (Json::Number(text), Some(unit)) => self.put_number(&place, &path, (text, unit)),
                _ => self.flatten(names, value, &place, &path),
            }
        }
    }

    pub(super) fn text(&mut self, place: &str, path: &str, text: &str) {
        match document::from_text(text) {
            Some(Ok(document)) => self.put(place, path, Value::Document(document)),
            Some(Err(what)) => self.fault(place, what),
            None => match Moment::new(text) {
                Ok(moment) => self.put(place, path, Value::Moment(moment)),
                Err(_) => self.put(place, path, Value::Text(text.to_owned())),
            },
        }
    }
}

/// Keys that name units, and the units, by what they are the unit of: `WeightUnit` by `Weight`, `Unit` by nothing.
/// Looked up and not searched: a file may have as many as it likes.
type Units<'a> = BTreeMap<&'a str, (&'a str, &'a str)>;

fn units(entries: &[(String, Json)]) -> Units<'_> {
    entries.iter().filter_map(|(key, value)| unit_of(key, value)).collect()
}

fn unit_of<'a>(key: &'a str, value: &'a Json) -> Option<(&'a str, (&'a str, &'a str))> {
    let text = value.text().filter(|text| !text.is_empty())?;
    Some((key.strip_suffix("Unit")?, (key, text)))
}

/// The key, and the unit, with the longest stem that the number's name ends with.
fn unit_key<'a>(units: &Units<'a>, number: &str) -> Option<(&'a str, &'a str)> {
    let suffixes = (0..=number.len()).filter_map(|at| number.get(at..));
    suffixes.filter_map(|suffix| units.get(suffix).copied()).next()
}

/// A name as a segment of a path, `~` and `/` escaped as in RFC 6901; `None` when it cannot be one.
pub(super) fn segment(name: &str) -> Option<String> {
    let printable = !name.is_empty() && !name.chars().any(char::is_control);
    printable.then(|| name.replace('~', "~0").replace('/', "~1"))
}

pub(super) fn measured(unit: &str, quantity: Quantity) -> Value {
    Value::Measured(Measured { unit: unit.to_owned(), quantity })
}

pub(super) fn decimal(text: &str) -> Result<Decimal, RecordError> {
    Decimal::parse(text)
}
