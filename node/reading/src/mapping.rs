//! Mapping files: how a company's own CSV or JSON becomes certificates. A mapping is a short TOML file that names
//! columns, units, the decimal sign and the way dates are written; one record is one row, a group of rows with
//! one key, or one object of a list. Refuses columns that are not there, and numbers and dates that are not
//! written as the mapping says, each with its row and column.

mod rows;
#[cfg(test)]
mod tests;
mod tree;

use std::collections::BTreeSet;

use heatmark_records::forms::json::Json;
use serde::Deserialize;

use crate::cell::{Cells, Writing};
use crate::rule::{MAX_RULES, Rule};
use crate::tree::{MAX_TOML_BYTES, to_text, toml_error};
use crate::{Fault, ReadingError, Wrong};
use rows::Table;

/// Longest file that is mapped, in bytes.
pub const MAX_SOURCE_BYTES: usize = 32 << 20;
/// Most records of one file.
pub const MAX_RECORDS: usize = 10_000;
/// Faults of one record beyond this many are not listed.
const MAX_FAULTS: usize = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Format {
    Csv,
    Json,
}

/// How the rows of a CSV file stand.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct CsvShape {
    delimiter: char,
    quote: char,
    /// Name of the encoding, as the WHATWG names them.
    encoding: String,
    /// Whether the first row names the columns; else they are called 1, 2 and so on.
    header: bool,
    /// Lines before the header.
    skip_lines: usize,
    /// Rows with the same cells here are one certificate; without it, each row is one.
    group_by: Vec<String>,
}

impl Default for CsvShape {
    fn default() -> Self {
        Self {
            delimiter: ',',
            quote: '"',
            encoding: "utf-8".to_owned(),
            header: true,
            skip_lines: 0,
            group_by: Vec::new(),
        }
    }
}

/// Where the records of a JSON file stand.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct JsonShape {
    /// Path of the records, `*` for every item of a list; empty when the file is one record.
    records: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct MappingFile {
    name: String,
    format: Format,
    #[serde(default)]
    csv: CsvShape,
    #[serde(default)]
    json: JsonShape,
    #[serde(default)]
    numbers: Writing,
    /// One field a record.
    #[serde(default)]
    field: Vec<Rule>,
    /// One field a row, or a list's item.
    #[serde(default)]
    rows: Vec<Rule>,
}

/// A mapping that has been checked.
#[derive(Debug, Clone)]
pub struct Mapping {
    file: MappingFile,
}

/// One certificate that was mapped.
#[derive(Debug, Clone)]
pub struct Record {
    /// What it is called beside the file's name: its certificate number, else its place.
    pub name: String,
    /// JSON of the form `Heatmark 1`, or what is wrong.
    pub content: Result<Vec<u8>, Vec<Fault>>,
}

impl Mapping {
    /// Reads a mapping file.
    ///
    /// # Errors
    /// What is wrong with it, with line or rule.
    pub fn parse(text: &str) -> Result<Self, ReadingError> {
        if text.len() > MAX_TOML_BYTES {
            return Err(ReadingError::Whole("notes, mappings and templates have at most 256 KiB"));
        }
        let file: MappingFile = toml::from_str(text).map_err(|error| toml_error(text, &error))?;
        let rules = || file.field.iter().chain(&file.rows);
        if rules().next().is_none() || rules().count() > MAX_RULES {
            return Err(ReadingError::Whole("a mapping has 1 to 1000 rules"));
        }
        for rule in rules() {
            rule.check()?;
            let wrong = |what| ReadingError::Rule { path: rule.path.clone(), what };
            if rule.is_for_pages() {
                return Err(wrong(
                    "page, region, after, pattern, column and row are for templates",
                ));
            }
            if rule.from.is_none() && rule.value.is_none() {
                return Err(wrong("a rule needs `from` or `value`"));
            }
            if rule.each.is_some() && file.format == Format::Csv {
                return Err(wrong("`each` is for JSON; the rows of CSV are its rows"));
            }
        }
        let single = |c: char| c.is_ascii() && !c.is_control() || c == '\t';
        if !single(file.csv.delimiter) || !single(file.csv.quote) {
            return Err(ReadingError::Whole("delimiter and quote are one ASCII character each"));
        }
        Ok(Self { file })
    }

    /// The mapping's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.file.name
    }

    /// Maps a file to its records, in the file's order. A record with faults is refused alone.
    ///
    /// # Errors
    /// `Source` when the file cannot be read at all.
    pub fn read(&self, bytes: &[u8]) -> Result<Vec<Record>, ReadingError> {
        let source = |what| ReadingError::Source(Fault::new("", what));
        if bytes.len() > MAX_SOURCE_BYTES {
            return Err(source(Wrong::TooLarge));
        }
        let records = match self.file.format {
            Format::Csv => self.read_csv(bytes)?,
            Format::Json => self.read_json(bytes)?,
        };
        if records.is_empty() { Err(source(Wrong::Empty)) } else { Ok(records) }
    }

    fn read_csv(&self, bytes: &[u8]) -> Result<Vec<Record>, ReadingError> {
        let table = Table::read(&self.file.csv, bytes).map_err(ReadingError::Source)?;
        let groups = table.groups(&self.file.csv.group_by).map_err(ReadingError::Source)?;
        let read = |rows: &Vec<usize>| {
            let mut made = Made::new();
            for rule in &self.file.field {
                made.field(rule, &self.file.numbers, &table.group(rows));
            }
            for (row, rule) in
                rows.iter().flat_map(|row| self.file.rows.iter().map(move |rule| (row, rule)))
            {
                made.row(rule, &self.file.numbers, &table.group(std::slice::from_ref(row)));
            }
            made.record(&self.file.name, &table.group(rows).place(""))
        };
        Ok(groups.iter().map(read).collect())
    }

    fn read_json(&self, bytes: &[u8]) -> Result<Vec<Record>, ReadingError> {
        let root = heatmark_records::forms::json::parse(bytes).map_err(|fault| {
            ReadingError::Source(Fault::new(fault.place, Wrong::Json(fault.what)))
        })?;
        let records = tree::find(&root, &self.file.json.records);
        if records.len() > MAX_RECORDS {
            return Err(ReadingError::Source(Fault::new("", Wrong::TooMany)));
        }
        let read = |(at, node): &(String, &Json)| {
            let mut made = Made::new();
            let whole = tree::Node { record: node, item: node, at: at.clone() };
            for rule in &self.file.field {
                made.field(rule, &self.file.numbers, &whole);
            }
            for rule in &self.file.rows {
                for (below, item) in tree::find(node, rule.each.as_deref().unwrap_or_default()) {
                    let at = [at.as_str(), &below].join("/");
                    let at = at.trim_matches('/').to_owned();
                    let node = tree::Node { record: node, item, at };
                    made.row(rule, &self.file.numbers, &node);
                }
            }
            made.record(&self.file.name, at)
        };
        Ok(records.iter().map(read).collect())
    }
}

/// Where a rule's cells are looked up.
trait Source {
    /// The cell's text; `None` when there is nothing in it.
    fn cell(&self, name: &str) -> Result<Option<String>, Wrong>;
    /// What a fault says of where it is.
    fn place(&self, name: &str) -> String;
}

/// A record in the making.
struct Made {
    entries: Vec<(String, Json)>,
    paths: BTreeSet<String>,
    faults: Vec<Fault>,
}

impl Made {
    const fn new() -> Self {
        Self { entries: Vec::new(), paths: BTreeSet::new(), faults: Vec::new() }
    }

    fn fault(&mut self, place: String, what: Wrong) {
        let fault = Fault::new(place, what);
        if self.faults.len() < MAX_FAULTS && !self.faults.contains(&fault) {
            self.faults.push(fault);
        }
    }

    /// A field of the record as a whole.
    fn field(&mut self, rule: &Rule, numbers: &Writing, source: &impl Source) {
        if let Some((path, value)) = self.value(rule, numbers, source)
            && !self.add(path, value)
        {
            self.fault(rule.path.clone(), Wrong::FieldTwice);
        }
    }

    /// A field of a row; a second result of one name keeps its own path.
    fn row(&mut self, rule: &Rule, numbers: &Writing, source: &impl Source) {
        for (column, wanted) in &rule.only {
            match source.cell(column) {
                Ok(cell) if cell.as_deref().map(str::trim) == Some(wanted.as_str()) => {}
                Ok(_) => return,
                Err(what) => return self.fault(source.place(column), what),
            }
        }
        let Some((path, value)) = self.value(rule, numbers, source) else { return };
        let mut number = 1_usize;
        let mut numbered = path.clone();
        while self.paths.contains(&numbered) {
            number = number.saturating_add(1);
            numbered = format!("{path}#{number}");
        }
        self.add(numbered, value);
    }

    fn add(&mut self, path: String, value: Json) -> bool {
        let new = self.paths.insert(path.clone());
        if new {
            self.entries.push((path, value));
        }
        new
    }

    fn value(
        &mut self,
        rule: &Rule,
        numbers: &Writing,
        source: &impl Source,
    ) -> Option<(String, Json)> {
        let from = rule.from.as_deref();
        let mut look = |name: Option<&str>| match name.map(|name| (name, source.cell(name))) {
            Some((_, Ok(cell))) => cell,
            Some((name, Err(what))) => {
                self.fault(source.place(name), what);
                None
            }
            None => None,
        };
        let cells = Cells {
            value: look(from),
            unit: look(rule.unit_from.as_deref()),
            minimum: look(rule.minimum_from.as_deref()),
            maximum: look(rule.maximum_from.as_deref()),
            concession: look(rule.concession_from.as_deref()),
        };
        let place = source.place(from.unwrap_or(&rule.path));
        match numbers.value(rule, &cells) {
            Ok(Some(value)) => match path_of(&rule.path, numbers, source) {
                Ok(path) => return Some((path, value)),
                Err((name, what)) => self.fault(source.place(&name), what),
            },
            Ok(None) if rule.required => self.fault(place, Wrong::Missing),
            Ok(None) => {}
            Err(what) => self.fault(place, what),
        }
        None
    }

    fn record(self, mapping: &str, place: &str) -> Record {
        let number = self.entries.iter().find(|(path, _)| path == "certificate/number");
        let name = match number {
            Some((_, Json::Text(number))) => number.clone(),
            _ => place.to_owned(),
        };
        if !self.faults.is_empty() {
            return Record { name, content: Err(self.faults) };
        }
        let mut entries = vec![
            ("Heatmark".to_owned(), Json::Text("1".to_owned())),
            ("source/mapping".to_owned(), Json::Text(mapping.to_owned())),
        ];
        entries.extend(self.entries);
        Record { name, content: Ok(to_text(&Json::Object(entries)).into_bytes()) }
    }
}

/// A rule's path with the cells that it names in braces.
fn path_of(
    template: &str,
    numbers: &Writing,
    source: &impl Source,
) -> Result<String, (String, Wrong)> {
    let mut path = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else { break };
        let cell = source.cell(name).map_err(|what| (name.to_owned(), what))?;
        let cell = cell.as_deref().and_then(|cell| numbers.said(cell));
        let cell = cell.ok_or_else(|| (name.to_owned(), Wrong::NoName))?;
        path.push_str(before);
        path.push_str(&cell.replace('~', "~0").replace('/', "~1"));
        rest = after;
    }
    path.push_str(rest);
    Ok(path)
}
