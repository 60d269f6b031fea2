//! Text elements of ATA Spec 2000: `MFR 1A2B3/PNR 65B/SER 12`, with `*` or a separator in place of `/`.

use super::GS;
use crate::error::ScanError;
use crate::identifiers::{Means, text};
use crate::reading::{Element, Gathering, Reading};

/// Whether a scan begins with a text element that is in the table.
pub(super) fn is_words(scan: &str) -> bool {
    let start = scan.trim_start_matches(['*', '/', GS]);
    text::split(start).is_some_and(|(identifier, _)| text::find(identifier).is_some())
}

pub(super) fn read(scan: &str, year: u16) -> Result<Reading, ScanError> {
    let body = scan.trim_matches(['*', '/', GS]);
    let separator = [GS, '*'].into_iter().find(|separator| body.contains(*separator));
    let mut gathering = Gathering::new(year);
    match separator {
        Some(separator) => {
            for (element, number) in body.split(separator).zip(1..) {
                add(element, number, &mut gathering)?;
            }
        }
        None => {
            for (element, number) in at_slashes(body).into_iter().zip(1..) {
                add(element, number, &mut gathering)?;
            }
        }
    }
    Ok(gathering.finish())
}

/// Adds one element, the `number`-th of its message.
pub(super) fn add(
    element: &str,
    number: usize,
    gathering: &mut Gathering,
) -> Result<(), ScanError> {
    if element.trim().is_empty() {
        return Err(ScanError::EmptyElement);
    }
    let (identifier, value) =
        text::split(element.trim_start()).ok_or(ScanError::NoIdentifier(number))?;
    let row = text::find(identifier);
    let element = Element {
        identifier: identifier.to_owned(),
        title: row.map_or("not in the table", |row| row.title),
        value: value.to_owned(),
    };
    gathering.add(element, row.map_or(Means::Other, |row| row.means))
}

/// Parts at the slashes that an identifier follows; others belong to part numbers.
fn at_slashes(body: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, _) in body.match_indices('/') {
        let after = at.saturating_add(1);
        if body.get(after..).is_some_and(|rest| text::split(rest.trim_start()).is_some()) {
            parts.extend(body.get(start..at));
            start = after;
        }
    }
    parts.extend(body.get(start..));
    parts
}
