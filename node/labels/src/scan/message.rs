//! Messages after ISO/IEC 15434: `[)>` RS, formats that each end with RS, EOT. Formats 05 (GS1), 06 (data identifiers),
//! 12 and DD (text elements); what all of them say is one reading. Some programs leave RS or EOT off at the end, but a
//! message without both may be cut off and is refused.

use super::{EOT, GS, RS, elements, words};
use crate::error::ScanError;
use crate::identifiers::{Means, data};
use crate::reading::{Element, Gathering, Reading};

/// Reads what follows `[)>`.
pub(super) fn read(rest: &str, year: u16) -> Result<Reading, ScanError> {
    let Some(body) = rest.strip_prefix(RS) else {
        let format_follows = rest.starts_with(|c: char| c.is_ascii_alphanumeric());
        return Err(if format_follows { ScanError::SeparatorsDropped } else { ScanError::CutOff });
    };
    let without_end = body.strip_suffix(EOT);
    let formats = without_end.unwrap_or(body);
    let whole = formats.strip_suffix(RS);
    if without_end.is_none() && whole.is_none() {
        return Err(ScanError::CutOff);
    }
    let formats = whole.unwrap_or(formats);
    if formats.contains(EOT) {
        return Err(ScanError::CutOff);
    }
    let mut gathering = Gathering::new(year);
    for format in formats.split(RS) {
        add_format(format, year, &mut gathering)?;
    }
    Ok(gathering.finish())
}

fn add_format(format: &str, year: u16, gathering: &mut Gathering) -> Result<(), ScanError> {
    let (indicator, rest) = format.split_at_checked(2).ok_or(ScanError::CutOff)?;
    if !matches!(indicator, "05" | "06" | "12" | "DD") {
        return Err(ScanError::OtherFormat(indicator.to_owned()));
    }
    let fields = rest.strip_prefix(GS).ok_or(ScanError::SeparatorsDropped)?;
    let fields = fields.strip_suffix(GS).unwrap_or(fields);
    if indicator == "05" {
        return elements::separated(fields, year, gathering);
    }
    for (field, number) in fields.split(GS).zip(1..) {
        if indicator == "06" {
            add_data(field, number, gathering)?;
        } else {
            words::add(field, number, gathering)?;
        }
    }
    Ok(())
}

fn add_data(field: &str, number: usize, gathering: &mut Gathering) -> Result<(), ScanError> {
    if field.trim().is_empty() {
        return Err(ScanError::EmptyElement);
    }
    let (identifier, value) = data::split(field).ok_or(ScanError::NoIdentifier(number))?;
    if value.trim().is_empty() {
        return Err(ScanError::EmptyElement);
    }
    let row = data::find(identifier);
    let element = Element {
        identifier: identifier.to_owned(),
        title: row.map_or("not in the table", |row| row.title),
        value: value.trim().to_owned(),
    };
    gathering.add(element, row.map_or(Means::Other, |row| row.means))
}

/// Data identifiers without a message around them, as on a tag of one bar code: all of them in the table, or it is
/// something else.
pub(super) fn data_identifiers(text: &str, year: u16) -> Option<Reading> {
    let known = |field: &str| data::split(field).is_some_and(|(it, _)| data::find(it).is_some());
    let mut gathering = Gathering::new(year);
    for (field, number) in text.split(GS).zip(1..) {
        if !known(field) {
            return None;
        }
        add_data(field, number, &mut gathering).ok()?;
    }
    Some(gathering.finish())
}
