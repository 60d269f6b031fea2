//! `heatmark scan`: tells what a label names, from what a scanner typed. Asks nobody: whether the lot exists, and what is
//! proved of it, is another question. Refuses wrong check digits and what contradicts itself.

use super::answer::{Answer, table};
use super::failure::Failure;
use super::words;
use clap::Args;
use heatmark_labels::{MAX_SCAN_BYTES, Reading, Scan as Scanned, ScanError};
use serde_json::{Value, json};
use std::io::{self, Read as _};
use std::time::{SystemTime, UNIX_EPOCH};

/// `scan`.
#[derive(Debug, Args)]
pub(crate) struct Scan {
    /// What the scanner typed; `-` reads it, or an NFC record's bytes, from standard input
    #[arg(value_name = "TEXT")]
    text: String,
}

pub(crate) fn run(command: &Scan) -> Result<Answer, Failure> {
    let input = if command.text == "-" { typed()? } else { command.text.clone().into_bytes() };
    let scanned = heatmark_labels::scan(&input, this_year()).map_err(|error| refused(&error))?;
    Ok(Answer::yes(in_json(&scanned), in_words(&scanned)))
}

/// The present year, by which a label's two digits of a year are read.
pub(super) fn this_year() -> u16 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    words::year(u64::try_from(now).unwrap_or(u64::MAX))
}

/// Standard input, one byte more than a scan may have so that a longer one is refused and not cut.
fn typed() -> Result<Vec<u8>, Failure> {
    let mut input = Vec::new();
    let limit = u64::try_from(MAX_SCAN_BYTES).unwrap_or(u64::MAX).saturating_add(1);
    io::stdin().lock().take(limit).read_to_end(&mut input).map_err(|error| {
        Failure::input("standard input could not be read").because(error).next("scan again")
    })?;
    Ok(input)
}

fn refused(error: &ScanError) -> Failure {
    let wrong =
        matches!(error, ScanError::Value { .. } | ScanError::Twice(_) | ScanError::Contradicts(_));
    let what = "the scan is not read";
    let failure = if wrong { Failure::no(what) } else { Failure::input(what) };
    failure.because(error).next("scan again, or type what is printed beneath: '(01)…(10)…(21)…'")
}

fn in_json(scanned: &Scanned) -> Value {
    json!({
        "form": scanned.form.code(),
        "more": scanned.more,
        "readings": scanned.readings.iter().map(reading_in_json).collect::<Vec<_>>(),
    })
}

fn reading_in_json(reading: &Reading) -> Value {
    json!({
        "gtin": reading.gtin,
        "lot": reading.lot,
        "serial": reading.serial,
        "part_number": reading.part_number,
        "customer_part_number": reading.customer_part_number,
        "package": reading.package,
        "order": reading.order,
        "order_line": reading.order_line,
        "capsule": reading.capsule.map(|hash| hash.to_string()),
        "suppliers": reading.suppliers.iter().map(|supplier| json!({
            "scheme": supplier.scheme.code(),
            "number": supplier.number,
        })).collect::<Vec<_>>(),
        "amounts": reading.amounts.iter().map(|amount| json!({
            "number": amount.number(),
            "unit": amount.unit.code(),
            "milligrams": amount.milligrams(),
        })).collect::<Vec<_>>(),
        "dates": reading.dates.iter().map(|date| json!({
            "of": date.kind.code(),
            "day": date.day.to_string(),
            "minute_of_day": date.minute,
            "whole_month": date.whole_month,
        })).collect::<Vec<_>>(),
        "elements": reading.elements.iter().map(|element| json!({
            "identifier": element.identifier,
            "title": element.title,
            "value": element.value,
        })).collect::<Vec<_>>(),
    })
}

fn in_words(scanned: &Scanned) -> String {
    let mut text = format!("{}\n", scanned.form);
    if scanned.readings.len() > 1 {
        text.push_str("It can mean any of these: look up which exists.\n");
    }
    for (reading, place) in scanned.readings.iter().zip(1..) {
        if scanned.readings.len() > 1 {
            text.push_str(&format!("\nReading {place}\n"));
        }
        text.push_str(&table_of(reading));
    }
    if scanned.more {
        text.push_str("\nThere are more readings. Let the scanner send its separators.\n");
    }
    text
}

fn table_of(reading: &Reading) -> String {
    let named = [
        ("Article", &reading.gtin),
        ("Lot", &reading.lot),
        ("Serial", &reading.serial),
        ("Part", &reading.part_number),
        ("Customer's part", &reading.customer_part_number),
        ("Package", &reading.package),
        ("Order", &reading.order),
        ("Order line", &reading.order_line),
    ];
    let row = |name: &str, value: String| vec![name.to_owned(), value];
    let mut rows: Vec<Vec<String>> =
        named.into_iter().filter_map(|(name, value)| Some(row(name, value.clone()?))).collect();
    rows.extend(reading.suppliers.iter().map(|supplier| {
        row("Supplier", format!("{} {}", supplier.scheme.code(), supplier.number))
    }));
    rows.extend(reading.amounts.iter().map(|amount| row("Amount", amount.to_string())));
    rows.extend(
        reading.dates.iter().map(|date| row("Date", format!("{} {date}", date.kind.code()))),
    );
    rows.extend(reading.capsule.iter().map(|hash| row("Capsule", hash.to_string())));
    rows.extend(reading.elements.iter().map(|element| {
        row(&format!("({})", element.identifier), format!("{}  {}", element.value, element.title))
    }));
    table(&["NAMES", ""], &rows)
}
