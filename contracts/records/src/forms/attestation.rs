//! Attestations: somebody's own record about another's. A laboratory tests the same material and gives its own results;
//! a purchaser's inspector confirms fields that it was shown. The fields have one vocabulary in every form, and what
//! they say of a result (method, date, sample, accreditation) is judged the same by who publishes and who verifies.
//!
//! | path | what it says |
//! |---|---|
//! | `attests/record` | id of the record that is attested |
//! | `attests/measured/<path>` | hash of the leaf of that field, which was shown, where a result of that path stands here |
//! | `attests/confirmed/<path>` | the same, where none stands here: what was shown is confirmed |
//! | `sample/id`, `sample/type` | what was tested; `heat` or `product` |
//! | `test/method`, `test/date`, or `<path>/method`, `<path>/date` | of all results, or of each |
//! | `accreditation/body`, `…/number`, `…/valid-from`, `…/valid-until` | all or none |
//! | `accreditation/scope/<n>/method`, `…/property` | one or both; a pattern of properties |
//!
//! Refuses a method or date that stands for all results and for one, since whoever is shown the one would not miss the
//! other; and a field that is both measured and confirmed: hiding the result must not leave a confirmation.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use heatmark_merkle::Hash;

use super::draft::Draft;
use super::fault::What;
use super::own::{check_moment, is_record_id};
use crate::{Path, RecordId, Value, matches};

/// Names the record that is attested.
pub const RECORD: &str = "attests/record";
const ATTESTS: &str = "attests/";
const MEASURED: &str = "attests/measured/";
const CONFIRMED: &str = "attests/confirmed/";
const ACCREDITATION: &str = "accreditation/";
const SCOPE: &str = "accreditation/scope/";
/// What an accreditation is not without.
const TERMS: [&str; 4] = ["body", "number", "valid-from", "valid-until"];
/// Below these, results stand.
const RESULTS: [&str; 4] = ["chemistry/", "mechanical/", "physical/", "tests/"];

/// What stands beside results; where a result is not shown, nothing else tells that these are none.
const BESIDE: [&str; 3] = ["minimum", "maximum", "target"];

/// What a file is to attest, given beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attests {
    /// The record.
    pub record: RecordId,
    /// Hashes of the leaves of fields that were shown; of these, what the file has results of is bound.
    pub leaves: BTreeMap<Path, Hash>,
    /// Which of them are confirmed, where the file has no result.
    pub confirms: BTreeSet<Path>,
}

/// Where a result stands towards the accreditation that is stated with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Accreditation {
    /// In force on the day of the test, and its scope names the method or the property.
    InForce,
    /// Its scope does not name it.
    OutOfScope,
    /// It was not in force on the day of the test.
    NotInForce,
    /// The day of the test, the method, or a part of the accreditation is not told.
    Untold,
    /// No accreditation is stated.
    None,
}

impl Accreditation {
    /// A word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::InForce => "within accreditation",
            Self::OutOfScope => "out of accreditation: its scope names neither method nor property",
            Self::NotInForce => "out of accreditation: not in force on the day of the test",
            Self::Untold => "accreditation not told in full",
            Self::None => "without accreditation",
        }
    }
}

/// How a property is attested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// By a result of the attester's own.
    Measured,
    /// By confirming the field that was shown, bound by its leaf.
    Confirmed,
}

impl How {
    /// Where the leaf is bound.
    fn place(self, property: &str) -> String {
        match self {
            Self::Measured => format!("{MEASURED}{property}"),
            Self::Confirmed => format!("{CONFIRMED}{property}"),
        }
    }
}

/// An attestation, as far as its fields are told: all of them to whoever has the opening, some to whoever is shown it.
#[derive(Debug, Clone)]
pub struct Attestation<'a> {
    record: RecordId,
    fields: BTreeMap<&'a str, &'a Value>,
    /// Results that are there, without their numbers.
    hidden: BTreeSet<&'a str>,
}

impl<'a> Attestation<'a> {
    /// Takes fields, if they name a record that is attested.
    #[must_use]
    pub fn of(fields: impl Iterator<Item = (&'a Path, &'a Value)>) -> Option<Self> {
        let fields: BTreeMap<_, _> = fields.map(|(path, value)| (path.as_str(), value)).collect();
        let record = hash(fields.get(RECORD)?)?;
        Some(Self { record, fields, hidden: BTreeSet::new() })
    }

    /// The same with results of which only the commitments are shown.
    #[must_use]
    pub fn with_hidden(mut self, results: impl Iterator<Item = &'a Path>) -> Self {
        self.hidden = results.map(Path::as_str).collect();
        self
    }

    /// The record that is attested.
    #[must_use]
    pub const fn record(&self) -> &RecordId {
        &self.record
    }

    /// The properties that are attested, ascending, and how.
    #[must_use]
    pub fn properties(&self) -> Vec<(&'a str, How)> {
        let confirmed = self.below(CONFIRMED).map(|(path, _)| path);
        let mut all: BTreeMap<&str, How> = confirmed.map(|path| (path, How::Confirmed)).collect();
        let measured = self.fields.iter().filter(|(_, value)| matches!(value, Value::Measured(_)));
        let results: BTreeSet<&str> =
            measured.map(|(path, _)| *path).chain(self.hidden.iter().copied()).collect();
        let own = results.iter().filter(|path| is_result(&results, path));
        all.extend(own.map(|path| (*path, How::Measured)));
        all.into_iter().collect()
    }

    /// The attester's own result of a property.
    #[must_use]
    pub fn result(&self, property: &str) -> Option<&'a Value> {
        self.fields.get(property).copied()
    }

    /// The leaf of the other record's field, where one is bound.
    #[must_use]
    pub fn leaf(&self, property: &str, how: How) -> Option<Hash> {
        hash(self.fields.get(how.place(property).as_str())?)
    }

    /// Id of the sample, as text.
    #[must_use]
    pub fn sample(&self) -> Option<&'a Value> {
        self.fields.get("sample/id").copied()
    }

    /// `heat` or `product`.
    #[must_use]
    pub fn sample_type(&self) -> Option<&'a str> {
        self.text("sample/type")
    }

    /// The method by which a property was tested.
    #[must_use]
    pub fn method(&self, property: &str) -> Option<&'a str> {
        self.of_result(property, "method").and_then(text)
    }

    /// The day of its test, `YYYY-MM-DD`.
    #[must_use]
    pub fn date(&self, property: &str) -> Option<&'a str> {
        day(self.of_result(property, "date")?)
    }

    /// Body and number of the accreditation.
    #[must_use]
    pub fn accredited_as(&self) -> Option<(&'a str, &'a str)> {
        Some((self.text("accreditation/body")?, self.text("accreditation/number")?))
    }

    /// Where a property stands towards the accreditation.
    #[must_use]
    pub fn accreditation(&self, property: &str) -> Accreditation {
        if self.below(ACCREDITATION).next().is_none() {
            return Accreditation::None;
        }
        let term = |name: &str| self.fields.get(format!("{ACCREDITATION}{name}").as_str());
        let valid = |name: &str| day(term(name)?);
        let told = self.accredited_as().and_then(|_| {
            let from = valid("valid-from")?;
            let until = valid("valid-until")?;
            Some((from, until, self.date(property)?, self.method(property)?))
        });
        let Some((from, until, date, method)) = told else { return Accreditation::Untold };
        // Days of this form are in order as texts are.
        if !(from..=until).contains(&date) {
            return Accreditation::NotInForce;
        }
        let mut scope: BTreeMap<&str, (Option<&str>, Option<&str>)> = BTreeMap::new();
        for (path, value) in self.below(SCOPE) {
            let Some((number, name)) = path.split_once('/') else { continue };
            let entry = scope.entry(number).or_default();
            match name {
                "method" => entry.0 = text(value),
                "property" => entry.1 = text(value),
                _ => {}
            }
        }
        let names = |(of_method, of_property): &(Option<&str>, Option<&str>)| {
            (of_method.is_some() || of_property.is_some())
                && of_method.is_none_or(|named| is_same_method(named, method))
                && of_property.is_none_or(|pattern| matches(pattern, property))
        };
        if scope.values().any(names) { Accreditation::InForce } else { Accreditation::OutOfScope }
    }

    /// The fields of the other record that are bound, ascending, with their leaves.
    pub fn bound(&self) -> BTreeMap<&'a str, Hash> {
        let both = self.below(MEASURED).chain(self.below(CONFIRMED));
        both.filter_map(|(path, leaf)| Some((path, hash(leaf)?))).collect()
    }

    /// What a reader should know before it is published, a line for each result that stands outside the accreditation.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let stated = self.below(ACCREDITATION).next().is_some();
        if !stated {
            return vec![Accreditation::None.word().to_owned()];
        }
        // Confirming what one was shown is no test, which a scope would have to name.
        let measured = self.properties().into_iter().filter(|(_, how)| *how == How::Measured);
        let outside = measured.filter_map(|(property, _)| {
            let standing = self.accreditation(property);
            (standing != Accreditation::InForce).then(|| format!("{property}: {}", standing.word()))
        });
        outside.collect()
    }

    fn text(&self, path: &str) -> Option<&'a str> {
        text(self.fields.get(path)?)
    }

    /// Said of one result, or of all.
    fn of_result(&self, property: &str, name: &str) -> Option<&'a Value> {
        let own = self.fields.get(format!("{property}/{name}").as_str());
        own.or_else(|| self.fields.get(format!("test/{name}").as_str())).copied()
    }

    fn below(&self, start: &'static str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let from = self.fields.range(start..);
        from.map_while(move |(path, value)| Some((path.strip_prefix(start)?, *value)))
    }
}

/// A result, and not what stands beside one.
fn is_result(results: &BTreeSet<&str>, path: &str) -> bool {
    let placed = RESULTS.iter().any(|start| path.starts_with(start));
    let last = path.rsplit('/').next().unwrap_or(path);
    let beside_another =
        path.match_indices('/').any(|(at, _)| path.get(..at).is_some_and(|p| results.contains(p)));
    placed && !beside_another && !BESIDE.contains(&last)
}

fn hash(value: &Value) -> Option<Hash> {
    match value {
        Value::Text(text) if is_record_id(text) => text.parse().ok(),
        _ => None,
    }
}

const fn text(value: &Value) -> Option<&str> {
    if let Value::Text(text) = value { Some(text.as_str()) } else { None }
}

fn day(value: &Value) -> Option<&str> {
    if let Value::Moment(moment) = value { moment.as_str().get(..10) } else { None }
}

/// Spaces and capitals make no other method; an edition does.
fn is_same_method(one: &str, other: &str) -> bool {
    let words =
        |text: &str| -> Vec<String> { text.split_whitespace().map(str::to_lowercase).collect() };
    words(one) == words(other)
}

/// Adds what is attested to a file that was read.
pub(super) fn put(draft: &mut Draft, attests: &Attests) {
    draft.begin_beside();
    draft.put(RECORD, RECORD, Value::Text(attests.record.to_string()));
    let bound = |(path, leaf): (&Path, &Hash)| {
        let result = matches!(draft.fields().get(path), Some(Value::Measured(_)));
        let how = if result { How::Measured } else { How::Confirmed };
        let binds = result || attests.confirms.contains(path);
        binds.then(|| (how.place(path.as_str()), Value::Text(leaf.to_string())))
    };
    let bound: Vec<_> = attests.leaves.iter().filter_map(bound).collect();
    for (at, leaf) in bound {
        draft.put(&at, &at, leaf);
    }
}

/// Whether anything in a file says that it attests something.
pub(super) fn is_one(draft: &Draft) -> bool {
    draft.fields().iter().any(|(path, _)| path.as_str().starts_with(ATTESTS))
}

/// Checks that an attestation says of what, and of each result how and when.
pub(super) fn check(draft: &mut Draft) {
    check_binding(draft);
    if draft.field("transcribed/from").is_some() {
        draft.fault("transcribed/from", What::AttestsByCopy);
    }
    match draft.field("sample/id") {
        Some(Value::Text(text)) if !text.trim().is_empty() => {}
        Some(Value::Measured(_) | Value::Moment(_)) => {}
        _ => draft.fault("sample/id", What::Missing),
    }
    match draft.field("sample/type") {
        None => draft.fault("sample/type", What::Missing),
        Some(Value::Text(text)) if text == "heat" || text == "product" => {}
        Some(_) => draft.fault("sample/type", What::BadSample),
    }
    check_results(draft);
    check_accreditation(draft);
}

fn check_binding(draft: &mut Draft) {
    let of_attestation =
        draft.fields().iter().filter(|(path, _)| path.as_str().starts_with(ATTESTS));
    let found: Vec<(String, bool)> = of_attestation
        .map(|(path, value)| (path.as_str().to_owned(), hash(value).is_some()))
        .collect();
    for (path, is_hash) in found {
        let has_result = |property: &str| matches!(draft.field(property), Some(Value::Measured(_)));
        let what = match (path.strip_prefix(MEASURED), path.strip_prefix(CONFIRMED)) {
            _ if path == RECORD => (!is_hash).then_some(What::BadRecordId),
            (None, None) => Some(What::NotAttested),
            _ if !is_hash => Some(What::BadLeaf),
            (Some(property), _) if !has_result(property) => Some(What::NotMeasured),
            (_, Some(property)) if has_result(property) => Some(What::MeasuredAlready),
            _ => None,
        };
        if let Some(what) = what {
            draft.fault(&path, what);
        }
    }
    if draft.field(RECORD).is_none() {
        draft.fault(RECORD, What::Missing);
    }
}

fn check_results(draft: &mut Draft) {
    let attestation = Attestation {
        record: RecordId::from([0; 32]),
        hidden: BTreeSet::new(),
        fields: draft.fields().iter().map(|(path, value)| (path.as_str(), value)).collect(),
    };
    let properties: Vec<String> =
        attestation.properties().into_iter().map(|(path, _)| path.to_owned()).collect();
    if properties.is_empty() {
        draft.fault("", What::AttestsNothing);
    }
    for name in ["method", "date"] {
        let of_all = format!("test/{name}");
        let for_all = draft.field(&of_all).is_some();
        if for_all {
            check_said(draft, &of_all, name);
        }
        for property in &properties {
            let own = format!("{property}/{name}");
            match (for_all, draft.field(&own).is_some()) {
                (true, true) => draft.fault(&own, What::SaidTwice),
                (false, false) => draft.fault(&own, What::Missing),
                (false, true) => check_said(draft, &own, name),
                (true, false) => {}
            }
        }
    }
}

fn check_said(draft: &mut Draft, path: &str, name: &str) {
    if name == "date" {
        return check_moment(draft, path);
    }
    check_text(draft, path);
}

fn check_text(draft: &mut Draft, path: &str) {
    match draft.field(path) {
        Some(Value::Text(text)) if !text.trim().is_empty() => {}
        Some(Value::Text(_)) | None => draft.fault(path, What::Missing),
        Some(_) => draft.fault(path, What::NotAText),
    }
}

fn check_accreditation(draft: &mut Draft) {
    let stated = draft.fields().iter().map(|(path, _)| path.as_str().to_owned());
    let stated: Vec<String> = stated.filter(|path| path.starts_with(ACCREDITATION)).collect();
    if stated.is_empty() {
        return;
    }
    for term in TERMS {
        let path = format!("{ACCREDITATION}{term}");
        match draft.field(&path) {
            None => draft.fault(&path, What::Missing),
            Some(_) if term.starts_with("valid-") => check_moment(draft, &path),
            Some(_) => check_text(draft, &path),
        }
    }
    let ends_before = {
        let valid = |name: &str| draft.field(&format!("{ACCREDITATION}{name}")).and_then(day);
        valid("valid-from").zip(valid("valid-until")).is_some_and(|(from, until)| from > until)
    };
    if ends_before {
        draft.fault("accreditation/valid-until", What::EndsBefore);
    }
    let of_scope = stated.iter().filter(|path| path.starts_with(SCOPE));
    let of_scope: Vec<&String> =
        of_scope.filter(|path| path.ends_with("/method") || path.ends_with("/property")).collect();
    if of_scope.is_empty() {
        draft.fault("accreditation/scope", What::Missing);
    }
    for path in of_scope {
        check_text(draft, path);
    }
}
