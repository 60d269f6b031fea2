//! What a form requires, as a table: place, whether it must be there, and of what kind it is. Only what a mill
//! would call a fault is listed; members that a form does not know are kept, not refused.

use super::draft::{Draft, decimal};
use super::fault::What;
use super::json::Json;
use crate::{Moment, RecordError};

/// Whether a member may be absent from an object that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    Must,
    May,
}

/// What a member has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Date,
    Country,
    Number,
    Positive,
    /// A list with at least one item.
    Items,
    /// A list, perhaps empty.
    List,
    Object,
    /// Text or a list of texts: versions of the form differ.
    Texts,
    /// An object or a list of objects.
    Objects,
}

/// A place within the content (`*` stands for every item of a list), its need and its kind.
pub(super) type Rule = (&'static str, Need, Kind);

pub(super) fn check(draft: &mut Draft, rules: &[Rule], content: &Json) {
    if !matches!(content, Json::Object(_)) {
        draft.fault("", What::NotAnObject);
        return;
    }
    for (place, need, kind) in rules {
        let (parents, name) = place.rsplit_once('/').unwrap_or(("", place));
        let mut found = vec![(String::new(), content)];
        for step in parents.split('/').filter(|step| !step.is_empty()) {
            found = descend(&found, step);
        }
        for (at, parent) in found.iter().filter(|(_, parent)| matches!(parent, Json::Object(_))) {
            check_member(draft, &join(at, name), parent.get(name), (*need, *kind));
        }
    }
}

fn check_member(draft: &mut Draft, place: &str, member: Option<&Json>, (need, kind): (Need, Kind)) {
    let fault = match member {
        None | Some(Json::Null) => (need == Need::Must).then_some(What::Missing),
        Some(Json::Text(text)) if text.trim().is_empty() && need == Need::Must => {
            Some(What::Missing)
        }
        Some(value) => kind_fault(kind, value),
    };
    if let Some(what) = fault {
        draft.fault(place, what);
    }
}

fn kind_fault(kind: Kind, value: &Json) -> Option<What> {
    match (kind, value) {
        (Kind::Date, Json::Text(text)) => {
            let date = Moment::new(text).ok().filter(Moment::is_date);
            if date.is_some() { None } else { Some(What::BadDate) }
        }
        (Kind::Country, Json::Text(code)) => {
            if is_country(code) {
                None
            } else {
                Some(What::BadCountry)
            }
        }
        (Kind::Text | Kind::Texts, Json::Text(_))
        | (Kind::Object | Kind::Objects, Json::Object(_))
        | (Kind::List, Json::List(_)) => None,
        (Kind::Number | Kind::Positive, Json::Number(text)) => match decimal(text) {
            Ok(number) if kind == Kind::Positive && number.mantissa() <= 0 => {
                Some(What::NotPositive)
            }
            Ok(_) => None,
            Err(_) => Some(What::Field(RecordError::BadDecimal)),
        },
        (Kind::Items | Kind::Texts | Kind::Objects, Json::List(items)) if !items.is_empty() => {
            items.iter().find_map(|item| match kind {
                Kind::Texts => kind_fault(Kind::Text, item),
                Kind::Objects => kind_fault(Kind::Object, item),
                _ => None,
            })
        }
        (Kind::Text | Kind::Texts | Kind::Date | Kind::Country, _) => Some(What::NotAText),
        (Kind::Number | Kind::Positive, _) => Some(What::NotANumber),
        (Kind::Items | Kind::List, _) => Some(What::NotAList),
        (Kind::Object | Kind::Objects, _) => Some(What::NotAnObject),
    }
}

/// Whether a text has the shape of an ISO 3166-1 alpha-2 code.
pub(super) fn is_country(code: &str) -> bool {
    code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase())
}

fn descend<'a>(found: &[(String, &'a Json)], step: &str) -> Vec<(String, &'a Json)> {
    let mut below = Vec::new();
    for (at, node) in found {
        if step == "*" {
            let items = node.items().iter().enumerate();
            below.extend(items.map(|(index, item)| (join(at, &index.to_string()), item)));
        } else if let Some(member) = node.get(step) {
            below.push((join(at, step), member));
        }
    }
    below
}

pub(super) fn join(at: &str, name: &str) -> String {
    match (at.is_empty(), name.is_empty()) {
        (true, _) => name.to_owned(),
        (false, true) => at.to_owned(),
        (false, false) => format!("{at}/{name}"),
    }
}
