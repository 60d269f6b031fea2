//! An inspection as a certificate file of our own form, to be published like any other: what the receiver decided about which
//! capsules, by which files, who and why. What capsules show of others' records does not go into it.

use serde_json::{Map, Value, json};

use crate::moment;
use crate::view::{Disposition, Inspection, Line, digits, word};

/// Most findings that a record tells one by one; a record has at most 1,000 fields.
const MAX_FINDINGS: usize = 200;
/// Most lots.
const MAX_LOTS: usize = 64;
/// Longest name of the file, in bytes; a node keeps 1,024.
const MAX_NAME_BYTES: usize = 1_000;
/// Longest reason or name, in bytes.
const MAX_WORDS_BYTES: usize = 512;

/// A decision that cannot be recorded. The inspector's to mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DispositionError {
    /// Nobody is named.
    #[error("name the inspector")]
    Nobody,
    /// Against the evidence, without a reason.
    #[error("this is not what the evidence says: give the reason")]
    NoReason,
    /// Longer than anybody reads, or not printable.
    #[error("a name and a reason have at most {MAX_WORDS_BYTES} bytes, and no control characters")]
    Words,
    /// More lots than one record tells of.
    #[error("an inspection is recorded of at most {MAX_LOTS} lots: dispose of them in several")]
    TooMany,
}

impl Inspection {
    /// Takes down what an inspector decided.
    ///
    /// # Errors
    /// [`DispositionError`]; nothing is taken down then.
    pub fn dispose(&mut self, disposition: Disposition) -> Result<(), DispositionError> {
        let Disposition { by, outcome, reason } = &disposition;
        if by.trim().is_empty() {
            return Err(DispositionError::Nobody);
        }
        let fits =
            |text: &str| text.len() <= MAX_WORDS_BYTES && !text.chars().any(char::is_control);
        if !fits(by) || !fits(reason) {
            return Err(DispositionError::Words);
        }
        if *outcome != self.outcome && reason.trim().is_empty() {
            return Err(DispositionError::NoReason);
        }
        if self.lots.len() > MAX_LOTS {
            return Err(DispositionError::TooMany);
        }
        self.disposition = Some(disposition);
        Ok(())
    }
}

/// The file to publish, in the form `Heatmark 1`; none before somebody decided.
#[must_use]
pub fn record(inspection: &Inspection) -> Option<Vec<u8>> {
    let disposition = inspection.disposition.as_ref()?;
    let time = moment::stamp(inspection.at_ms);
    let mut fields = Map::new();
    let mut put = |path: &str, value: Value| drop(fields.insert(path.to_owned(), value));
    put("Heatmark", json!("1"));
    let first = inspection.lots.first().map(|lot| crate::view::short(&lot.capsule));
    put("certificate/number", json!(format!("{time} {}", first.unwrap_or_default())));
    put("certificate/issued", json!(time));
    put("inspection/inspector", json!(disposition.by));
    put("inspection/time", json!(time));
    put("inspection/verdict", json!(word(inspection.outcome)));
    put("inspection/disposition", json!(word(disposition.outcome)));
    if !disposition.reason.trim().is_empty() {
        put("inspection/reason", json!(disposition.reason));
    }
    if !inspection.order.is_empty() {
        put("order/number", json!(inspection.order));
    }
    for input in &inspection.by {
        let document = json!({ "sha256": digits(&input.sha256), "length": input.bytes });
        put(&format!("inspection/{}", input.what), document);
    }
    for (lot, n) in inspection.lots.iter().zip(1..) {
        let at = |name: &str| format!("inspection/lot/{n}/{name}");
        put(&at("capsule"), json!({ "sha256": digits(&lot.capsule), "length": lot.bytes }));
        put(&at("name"), json!(lot.title()));
        put(&at("verdict"), json!(word(lot.outcome)));
        let Some(proved) = &lot.proved else { continue };
        put(&at("header"), json!(digits(&proved.header)));
        put(&at("height"), json!(proved.height.0.to_string()));
        if let Some((hash, _, _)) = proved.lot {
            put(&at("hash"), json!(digits(&hash)));
        }
    }
    for (line, n) in inspection.open().take(MAX_FINDINGS).zip(1..) {
        put(&format!("inspection/finding/{n}"), json!(finding(line)));
    }
    for ([property, result, instrument, piece], n) in inspection.readings.iter().zip(1..) {
        let parts = [property, result, instrument, piece];
        let told: Vec<&str> =
            parts.into_iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
        put(&format!("inspection/reading/{n}"), json!(told.join("; ")));
    }
    serde_json::to_vec(&Value::Object(fields)).ok()
}

fn finding(line: &Line) -> String {
    let mut told = format!("{} {} {}: {}", word(line.outcome), line.check, line.code, line.about);
    if !line.lot.is_empty() {
        told = format!("{}: {told}", line.lot);
    }
    told
}

/// What the node keeps the file under: shown in lists, never logged.
#[must_use]
pub fn record_name(inspection: &Inspection) -> Option<String> {
    let disposition = inspection.disposition.as_ref()?;
    let lots: Vec<String> = inspection.lots.iter().take(3).map(crate::view::Lot::title).collect();
    let more = if inspection.lots.len() > lots.len() { ", …" } else { "" };
    let mut name = format!(
        "{} of {}{more} by {}, evidence {}, {}",
        word(disposition.outcome),
        lots.join("; "),
        disposition.by,
        word(inspection.outcome),
        moment::spoken(inspection.at_ms)
    );
    // Names of lots are their owners', and so may be their length.
    while name.len() > MAX_NAME_BYTES {
        name.pop();
    }
    Some(name)
}
