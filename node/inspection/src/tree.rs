//! Files of people and of ERP systems, in TOML or JSON, as one tree. JSON's numbers are kept digit by digit. Refuses what is
//! longer than such a file is, before it is read.

use heatmark_records::forms::json::{self, Json};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use toml::Value;

use crate::InputError;

/// Longest order, policy or file of readings, in bytes.
pub const MAX_INPUT_BYTES: usize = 1 << 20;

/// Reads a file by its content: JSON begins with a brace.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, InputError> {
    table(bytes)?.try_into().map_err(told)
}

/// The same, as a table.
pub(crate) fn table(bytes: &[u8]) -> Result<Value, InputError> {
    let text = text(bytes)?;
    if text.trim_start().starts_with('{') {
        let tree = json::parse(bytes).map_err(|fault| InputError::Text(fault.to_string()))?;
        return Ok(value(&tree).unwrap_or_else(|| Value::Table(toml::Table::new())));
    }
    let table: toml::Table = toml::from_str(text).map_err(told)?;
    Ok(Value::Table(table))
}

pub(crate) fn text(bytes: &[u8]) -> Result<&str, InputError> {
    if bytes.len() > MAX_INPUT_BYTES {
        return Err(InputError::TooLong(MAX_INPUT_BYTES));
    }
    std::str::from_utf8(bytes).map_err(|_| InputError::NotText)
}

pub(crate) fn told(error: toml::de::Error) -> InputError {
    InputError::Text(error.message().to_owned())
}

/// Nothing stands for `null`, as for a name that is not there.
fn value(tree: &Json) -> Option<Value> {
    Some(match tree {
        Json::Null => return None,
        Json::Boolean(yes) => Value::Boolean(*yes),
        Json::Number(digits) => Value::String(digits.clone()),
        Json::Text(text) => Value::String(text.clone()),
        Json::List(items) => Value::Array(items.iter().filter_map(value).collect()),
        Json::Object(entries) => {
            let entries = entries.iter();
            Value::Table(
                entries.filter_map(|(name, of)| Some((name.clone(), value(of)?))).collect(),
            )
        }
    })
}

/// A text, or a whole number that was written without quotes. Other numbers stand in quotes in TOML, so that no digit is lost.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "write it in quotes, such as \"0.021\"")]
pub(crate) enum Word {
    Text(String),
    Whole(i64),
    Passed(bool),
}

impl Word {
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Text(text) => text.trim().to_owned(),
            Self::Whole(number) => number.to_string(),
            Self::Passed(true) => "passed".to_owned(),
            Self::Passed(false) => "failed".to_owned(),
        }
    }
}
