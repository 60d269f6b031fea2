//! What any scanner types, as what it names. Decides which form a scan has and hands it to that form's reader.
//! Refuses what is longer than any label before it looks at it.

mod capsule;
mod elements;
mod link;
mod message;
mod record;
mod typed;
mod words;

use crate::error::ScanError;
use crate::reading::{Form, Gathering, Reading, Scan};
use crate::value;

/// Longest scan in bytes. The largest symbols hold some 3 KB.
pub const MAX_SCAN_BYTES: usize = 4096;

/// Most readings that are listed of one scan.
pub const MAX_READINGS: usize = 32;

/// Ends an element.
const GS: char = '\u{1d}';
/// Ends a format of a message.
const RS: char = '\u{1e}';
/// Ends a message.
const EOT: char = '\u{4}';

/// Reads what a scanner typed: text, or the bytes of an NFC record.
///
/// `year` is the present one, by which two-digit years are read.
///
/// # Errors
/// Nothing can be made of it; the error says which identifier is wrong, and never shows a value.
pub fn scan(input: &[u8], year: u16) -> Result<Scan, ScanError> {
    if input.len() > MAX_SCAN_BYTES {
        return Err(ScanError::TooLong { limit: MAX_SCAN_BYTES });
    }
    let text = match record::text_of(input) {
        Some(text) => typed::control_characters(&text?)?,
        None => {
            typed::control_characters(std::str::from_utf8(input).map_err(|_| ScanError::NotAscii)?)?
        }
    };
    match symbology(&text) {
        Some((Symbology::Gs1, rest)) => gs1_symbol(rest, year),
        Some((Symbology::Other, rest)) => by_content(rest, year),
        None => by_content(&text, year),
    }
}

enum Symbology {
    Gs1,
    Other,
}

/// Takes off what ISO/IEC 15424 scanners send first: `]`, a letter, a modifier.
fn symbology(text: &str) -> Option<(Symbology, &str)> {
    let (identifier, rest) = text.strip_prefix(']')?.split_at_checked(2)?;
    let formed = identifier.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let kind = match identifier {
        "C1" | "d2" | "Q3" | "e0" | "e1" | "e2" | "J1" => Symbology::Gs1,
        _ => Symbology::Other,
    };
    formed.then_some((kind, rest))
}

fn gs1_symbol(text: &str, year: u16) -> Result<Scan, ScanError> {
    if text.is_empty() {
        return Err(ScanError::Empty);
    }
    if text.starts_with('(') {
        return one(Form::ElementsInBrackets, elements::in_brackets(text, year)?);
    }
    if text.contains(GS) {
        return separated(text, year);
    }
    let (readings, more) = elements::readings(text, year);
    if readings.is_empty() {
        return separated(text, year).map_err(|error| dropped(more, error));
    }
    Ok(Scan { form: Form::ElementsUnseparated, readings, more })
}

fn by_content(text: &str, year: u16) -> Result<Scan, ScanError> {
    if text.is_empty() {
        return Err(ScanError::Empty);
    }
    if let Some(rest) = text.strip_prefix("[)>") {
        return one(Form::Message, message::read(rest, year)?);
    }
    if let Some(hash) = capsule::read(text) {
        return one(Form::Capsule, Reading { capsule: Some(hash), ..Reading::default() });
    }
    if link::is_link(text) {
        let readings = link::read(text, year)?;
        return Ok(Scan { form: Form::Link, readings, more: false });
    }
    if text.starts_with('(') {
        return one(Form::ElementsInBrackets, elements::in_brackets(text, year)?);
    }
    if words::is_words(text) {
        return one(Form::TextElements, words::read(text, year)?);
    }
    if text.contains(GS) {
        let data = || message::data_identifiers(text, year).map(|it| one(Form::DataIdentifier, it));
        return separated(text, year).or_else(|error| data().unwrap_or(Err(error)));
    }
    unmarked(text, year)
}

fn separated(text: &str, year: u16) -> Result<Scan, ScanError> {
    let mut gathering = Gathering::new(year);
    elements::separated(text, year, &mut gathering)?;
    one(Form::Elements, gathering.finish())
}

/// Neither marks nor separators: an article number, an element string, a data identifier, or several of them.
fn unmarked(text: &str, year: u16) -> Result<Scan, ScanError> {
    let (elements, more) = elements::readings(text, year);
    let mut readings: Vec<Reading> = elements.into_iter().filter(names_something).collect();
    let number = value::is_digits(text).then(|| elements::article(text, year));
    let form = match &number {
        Some(Ok(_)) if readings.is_empty() => Form::ArticleNumber,
        _ => Form::ElementsUnseparated,
    };
    if let Some(Ok(article)) = &number {
        readings.insert(0, article.clone());
    }
    if let Some(hash) = capsule::all_digits(text) {
        readings.push(Reading { capsule: Some(hash), ..Reading::default() });
    }
    if !readings.is_empty() {
        let more = more || readings.len() > MAX_READINGS;
        readings.truncate(MAX_READINGS);
        return Ok(Scan { form, readings, more });
    }
    if let Some(reading) = message::data_identifiers(text, year) {
        return one(Form::DataIdentifier, reading);
    }
    let whole_number = matches!(text.len(), 8 | 12..=14);
    Err(match (number, elements::first_fault(text, year)) {
        (Some(Err(error)), _) if whole_number => error,
        (_, Some(error)) => dropped(more, error),
        _ => ScanError::NoForm,
    })
}

/// What to say when no reading was found: if not all were tried, that the scanner made them too many.
fn dropped(more: bool, error: ScanError) -> ScanError {
    if more { ScanError::SeparatorsDropped } else { error }
}

/// Whether a reading that was guessed names anything that can be looked up.
fn names_something(reading: &Reading) -> bool {
    [&reading.gtin, &reading.lot, &reading.serial, &reading.part_number, &reading.package]
        .into_iter()
        .any(Option::is_some)
}

fn one(form: Form, reading: Reading) -> Result<Scan, ScanError> {
    Ok(Scan { form, readings: vec![reading], more: false })
}

#[cfg(test)]
mod tests;
