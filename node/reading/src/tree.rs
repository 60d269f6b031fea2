//! TOML and JSON as one exact tree: numbers keep their digits, so that what a person wrote is what is certified.

use heatmark_records::forms::json::Json;
use sha2::{Digest, Sha256};
use toml::de::{DeTable, DeValue};

use crate::ReadingError;

/// Longest TOML file, in bytes.
pub const MAX_TOML_BYTES: usize = 256 << 10;

/// Reads notes in TOML as JSON of the same shape; dates become texts.
///
/// # Errors
/// `Toml` with the place, `Whole` when it is too long or has a number that no certificate has.
pub fn json_of_toml(text: &str) -> Result<Json, ReadingError> {
    if text.len() > MAX_TOML_BYTES {
        return Err(ReadingError::Whole("notes, mappings and templates have at most 256 KiB"));
    }
    let table = DeTable::parse(text).map_err(|error| toml_error(text, &error))?;
    from_table(table.get_ref())
}

/// Where TOML is wrong and how, without the line itself, which may hold what nobody else should read.
pub(crate) fn toml_error(text: &str, error: &toml::de::Error) -> ReadingError {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count().saturating_add(1);
    ReadingError::Toml(format!("line {line}: {}", error.message()))
}

fn from_table(table: &DeTable<'_>) -> Result<Json, ReadingError> {
    let entries = table
        .iter()
        .map(|(key, value)| Ok((key.get_ref().to_string(), from_value(value.get_ref())?)));
    Ok(Json::Object(entries.collect::<Result<_, ReadingError>>()?))
}

fn from_value(value: &DeValue<'_>) -> Result<Json, ReadingError> {
    Ok(match value {
        DeValue::String(text) => Json::Text(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Json::Number(plain(number.as_str())),
        DeValue::Integer(_) => {
            return Err(ReadingError::Whole("numbers are decimal: no 0x, 0o or 0b"));
        }
        DeValue::Float(number) if number.as_str().ends_with(|c: char| c.is_ascii_digit()) => {
            Json::Number(plain(number.as_str()))
        }
        DeValue::Float(_) => return Err(ReadingError::Whole("inf and nan are no numbers")),
        DeValue::Boolean(passed) => Json::Boolean(*passed),
        DeValue::Datetime(moment) => Json::Text(moment.to_string()),
        DeValue::Array(items) => {
            let items = items.iter().map(|item| from_value(item.get_ref()));
            Json::List(items.collect::<Result<_, _>>()?)
        }
        DeValue::Table(table) => from_table(table)?,
    })
}

fn plain(number: &str) -> String {
    number.strip_prefix('+').unwrap_or(number).replace('_', "")
}

/// The tree as JSON text.
#[must_use]
pub fn to_text(json: &Json) -> String {
    let mut out = String::new();
    write(json, &mut out);
    out
}

fn write(json: &Json, out: &mut String) {
    match json {
        Json::Null => out.push_str("null"),
        Json::Boolean(passed) => out.push_str(if *passed { "true" } else { "false" }),
        Json::Number(text) => out.push_str(text),
        Json::Text(text) => out.push_str(&serde_json::Value::from(text.as_str()).to_string()),
        Json::List(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                write(item, out);
            }
            out.push(']');
        }
        Json::Object(entries) => {
            out.push('{');
            for (index, (key, value)) in entries.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { "," });
                out.push_str(&serde_json::Value::from(key.as_str()).to_string());
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
    }
}

/// Adds the members of `more` to those of `base`; objects of one name become one. Neither wins in silence.
///
/// # Errors
/// `Whole` when both say something else of one name.
pub fn merge(base: Json, more: Json) -> Result<Json, ReadingError> {
    match (base, more) {
        (Json::Object(mut entries), Json::Object(more)) => {
            for (key, value) in more {
                match entries.iter().position(|(known, _)| *known == key) {
                    Some(at) => {
                        let (_, known) = entries.swap_remove(at);
                        entries.push((key, merge(known, value)?));
                    }
                    None => entries.push((key, value)),
                }
            }
            Ok(Json::Object(entries))
        }
        (base, more) if base == more => Ok(base),
        _ => Err(ReadingError::Whole("flags and the notes beside the file say different things")),
    }
}

/// A document as our own form writes one: its digest, length and media type.
#[must_use]
pub fn document(bytes: &[u8], media_type: &str) -> Json {
    let text = |text: String| Json::Text(text);
    Json::Object(vec![
        ("sha256".to_owned(), text(hex::encode(Sha256::digest(bytes)))),
        ("length".to_owned(), Json::Number(bytes.len().to_string())),
        ("media-type".to_owned(), text(media_type.to_owned())),
    ])
}
