//! GS1 element strings: with separators, in brackets, and without separators, where every way of cutting the string
//! that the standard allows is a reading. General Specifications, section 7.8.

mod search;

use super::GS;
use crate::error::ScanError;
use crate::identifiers::Means;
use crate::identifiers::application::Application;
use crate::reading::{Element, Gathering, Reading};
use crate::value;

pub(super) use search::readings;

/// Reads a string whose separators arrived. A separator may also stand in front, for the first function character,
/// and at the end.
pub(super) fn separated(text: &str, year: u16, gathering: &mut Gathering) -> Result<(), ScanError> {
    let mut rest = text.strip_prefix(GS).unwrap_or(text);
    if rest.is_empty() {
        return Err(ScanError::EmptyElement);
    }
    let mut number: usize = 1;
    while !rest.is_empty() {
        if rest.starts_with(GS) {
            return Err(ScanError::EmptyElement);
        }
        let (application, identifier) =
            Application::at_start(rest).ok_or_else(|| unknown(rest, number))?;
        let after = rest.get(identifier.len()..).unwrap_or("");
        let to_separator = after.find(GS).unwrap_or(after.len());
        let length = if application.needs_no_separator() {
            application.lengths().1.min(to_separator)
        } else {
            to_separator
        };
        let (value, after) = after.split_at_checked(length).unwrap_or((after, ""));
        add(application, identifier, value, (year, gathering))?;
        rest = after.strip_prefix(GS).unwrap_or(after);
        number = number.saturating_add(1);
    }
    Ok(())
}

/// Reads `(01)…(10)…`. A bracket around the digits of an identifier begins an element; any other belongs to a value.
pub(super) fn in_brackets(text: &str, year: u16) -> Result<Reading, ScanError> {
    let mut gathering = Gathering::new(year);
    let mut rest = bracketed(text).ok_or(ScanError::NoIdentifier(1))?;
    loop {
        let (identifier, after) = rest;
        let end = after
            .match_indices('(')
            .map(|(at, _)| at)
            .find(|at| after.get(*at..).and_then(bracketed).is_some())
            .unwrap_or(after.len());
        let (value, next) = after.split_at_checked(end).unwrap_or((after, ""));
        let application = Application::find(identifier)
            .ok_or_else(|| ScanError::UnknownApplication(identifier.to_owned()))?;
        add(application, identifier, value.trim(), (year, &mut gathering))?;
        match bracketed(next) {
            Some(more) => rest = more,
            None => return Ok(gathering.finish()),
        }
    }
}

fn bracketed(text: &str) -> Option<(&str, &str)> {
    let (identifier, after) = text.strip_prefix('(')?.split_once(')')?;
    ((2..=4).contains(&identifier.len()) && value::is_digits(identifier))
        .then_some((identifier, after))
}

/// Reads the number of an article that stands alone: 8, 12, 13 or 14 digits.
pub(super) fn article(text: &str, year: u16) -> Result<Reading, ScanError> {
    let mut gathering = Gathering::new(year);
    add_article(text, &mut gathering)?;
    Ok(gathering.finish())
}

/// Adds a GTIN of any of its lengths.
pub(super) fn add_article(text: &str, gathering: &mut Gathering) -> Result<(), ScanError> {
    let title = "article (GTIN)";
    let identifier = "01".to_owned();
    let value = value::gtin(text).map_err(|what| ScanError::Value {
        identifier: identifier.clone(),
        title,
        what,
    })?;
    gathering.add(Element { identifier, title, value }, Means::Gtin)
}

/// Adds an element after checking it.
pub(super) fn add(
    application: &Application,
    identifier: &str,
    value: &str,
    (year, gathering): (u16, &mut Gathering),
) -> Result<(), ScanError> {
    let title = application.title;
    let identifier = identifier.to_owned();
    if let Err(what) = application.verify(value, year) {
        return Err(ScanError::Value { identifier, title, what });
    }
    if gathering.holds_other(&identifier, value) {
        return Err(ScanError::Twice(identifier));
    }
    gathering.add(Element { identifier, title, value: value.to_owned() }, application.means)
}

/// Why a string that begins with an identifier is no element string; `None` when it begins with none.
pub(super) fn first_fault(text: &str, year: u16) -> Option<ScanError> {
    Application::at_start(text)?;
    separated(text, year, &mut Gathering::new(year)).err()
}

/// Says as many digits as the identifier can have had, and no more of what may be a value.
fn unknown(rest: &str, number: usize) -> ScanError {
    let length = match rest.get(..2) {
        Some("23" | "24" | "25" | "40" | "41" | "42" | "71") => 3,
        Some(start) if start.starts_with(['3', '4', '7', '8']) => 4,
        _ => 2,
    };
    match rest.get(..length).filter(|digits| value::is_digits(digits)) {
        Some(identifier) => ScanError::UnknownApplication(identifier.to_owned()),
        None => ScanError::NoIdentifier(number),
    }
}
