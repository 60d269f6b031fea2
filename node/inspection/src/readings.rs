//! What was measured at the dock: PMI, hardness, sizes, as TOML, JSON or CSV. Refuses results that are none, rather than leaving them
//! out.

use heatmark_records::{Measured, Path};
use serde::Deserialize;

use crate::policy::{path, quantity as wrong};
use crate::tree::Word;
use crate::{InputError, quantity, tree};

/// Most readings of one inspection.
const MAX_READINGS: usize = 300;

/// One reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The property, as certificates call it.
    pub property: Path,
    /// What was measured.
    pub result: Measured,
    /// With what; empty where it is not said.
    pub instrument: String,
    /// On which piece; empty where it is not said.
    pub piece: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    reading: Vec<Row>,
}

/// A line of a table, each cell as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    property: String,
    value: String,
    #[serde(default)]
    unit: String,
    #[serde(default)]
    instrument: String,
    #[serde(default)]
    piece: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    property: String,
    value: Word,
    unit: Option<Word>,
    instrument: Option<Word>,
    piece: Option<Word>,
}

impl Reading {
    /// Reads a file of readings: tables or objects `reading`, or lines of CSV under `property,value,unit`.
    ///
    /// # Errors
    /// [`InputError`], naming the property.
    pub fn parse(bytes: &[u8]) -> Result<Vec<Self>, InputError> {
        let text = tree::text(bytes)?.trim_start_matches('\u{feff}');
        let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let rows = match delimiter(first) {
            Some(delimiter) => table(text, delimiter)?,
            None => tree::read::<Document>(bytes)?.reading,
        };
        if rows.is_empty() {
            return Err(InputError::Empty);
        }
        if rows.len() > MAX_READINGS {
            return Err(InputError::TooMany(MAX_READINGS));
        }
        rows.iter().map(Row::read).collect()
    }
}

/// What separates the columns of a table whose first line names them.
fn delimiter(first: &str) -> Option<u8> {
    let begins =
        |mark| first.trim_start_matches('"').starts_with("property") && first.contains(mark);
    [';', '\t', ','].into_iter().find(|mark| begins(*mark)).and_then(|mark| u8::try_from(mark).ok())
}

fn table(text: &str, delimiter: u8) -> Result<Vec<Row>, InputError> {
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    let mut rows = Vec::new();
    for row in reader.deserialize() {
        if rows.len() > MAX_READINGS {
            return Err(InputError::TooMany(MAX_READINGS));
        }
        let line: Line = row.map_err(|error: csv::Error| InputError::Text(error.to_string()))?;
        rows.push(line.into());
    }
    Ok(rows)
}

impl From<Line> for Row {
    fn from(line: Line) -> Self {
        let word = |text: String| Some(Word::Text(text));
        Self {
            property: line.property,
            value: Word::Text(line.value),
            unit: word(line.unit),
            instrument: word(line.instrument),
            piece: word(line.piece),
        }
    }
}

impl Row {
    fn read(&self) -> Result<Reading, InputError> {
        let words = |word: &Option<Word>| word.as_ref().map(Word::text).unwrap_or_default();
        let value = self.value.text();
        let result = quantity::measured(&value, &words(&self.unit))
            .ok_or_else(|| wrong(&self.property, &value, "result, such as 0.021 % or <0.002 %"))?;
        Ok(Reading {
            property: path(self.property.trim())?,
            result,
            instrument: words(&self.instrument),
            piece: words(&self.piece),
        })
    }
}

#[cfg(test)]
mod tests;
