//! CSV as a table of named columns. Refuses rows of another length, two columns of one name, and more than fits.

use std::collections::BTreeMap;

use super::{CsvShape, MAX_RECORDS, Source};
use crate::{Fault, Wrong};

const MAX_ROWS: usize = 200_000;
const MAX_COLUMNS: usize = 1_000;

/// The rows of a file.
pub(super) struct Table {
    columns: BTreeMap<String, usize>,
    /// Line in the file, cells.
    rows: Vec<(u64, csv::StringRecord)>,
}

/// Rows that are looked up together; they must say the same.
pub(super) struct Group<'a> {
    table: &'a Table,
    rows: &'a [usize],
}

impl Table {
    pub(super) fn read(shape: &CsvShape, bytes: &[u8]) -> Result<Self, Fault> {
        let encoding = encoding_rs::Encoding::for_label(shape.encoding.as_bytes());
        let (text, _, broken) =
            encoding.ok_or_else(|| Fault::new("csv.encoding", Wrong::Encoding))?.decode(bytes);
        if broken {
            return Err(Fault::new("", Wrong::Encoding));
        }
        let mut body: &str = &text;
        for _ in 0..shape.skip_lines.min(10_000) {
            body = body.split_once('\n').map_or("", |(_, rest)| rest);
        }
        let ascii = |c: char| u8::try_from(c).unwrap_or(b',');
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(shape.header)
            .delimiter(ascii(shape.delimiter))
            .quote(ascii(shape.quote))
            .flexible(false)
            .from_reader(body.as_bytes());
        let offset = u64::try_from(shape.skip_lines).unwrap_or(u64::MAX);
        let mut columns = BTreeMap::new();
        let first = reader.headers().map_err(|error| csv_fault(&error, offset))?.clone();
        if first.len() > MAX_COLUMNS {
            return Err(Fault::new("", Wrong::TooMany));
        }
        for (index, name) in first.iter().enumerate() {
            let number = index.saturating_add(1).to_string();
            let name = if shape.header { name.trim().to_owned() } else { number };
            if !name.is_empty() && columns.insert(name.clone(), index).is_some() {
                return Err(Fault::new(format!("column {name}"), Wrong::ColumnTwice));
            }
        }
        let mut rows = Vec::new();
        for row in reader.records() {
            let row = row.map_err(|error| csv_fault(&error, offset))?;
            let line = row.position().map_or(0, csv::Position::line).saturating_add(offset);
            if row.iter().all(|cell| cell.trim().is_empty()) {
                continue;
            }
            if rows.len() >= MAX_ROWS {
                return Err(Fault::new("", Wrong::TooMany));
            }
            rows.push((line, row));
        }
        Ok(Self { columns, rows })
    }

    /// The rows of each certificate, in the order in which the first of each stands.
    pub(super) fn groups(&self, by: &[String]) -> Result<Vec<Vec<usize>>, Fault> {
        let mut places = BTreeMap::new();
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (row, (line, _)) in self.rows.iter().enumerate() {
            let own = self.group(std::slice::from_ref(&row)).key(by)?;
            let key = if by.is_empty() { vec![line.to_string()] } else { own };
            let next = groups.len();
            let place = *places.entry(key).or_insert(next);
            match groups.get_mut(place) {
                Some(group) => group.push(row),
                None if next >= MAX_RECORDS => return Err(Fault::new("", Wrong::TooMany)),
                None => groups.push(vec![row]),
            }
        }
        Ok(groups)
    }

    pub(super) const fn group<'a>(&'a self, rows: &'a [usize]) -> Group<'a> {
        Group { table: self, rows }
    }
}

impl Group<'_> {
    fn key(&self, by: &[String]) -> Result<Vec<String>, Fault> {
        let cell = |name: &String| match self.cell(name) {
            Ok(Some(cell)) if !cell.trim().is_empty() => Ok(cell.trim().to_owned()),
            Ok(_) => Err(Fault::new(self.place(name), Wrong::Missing)),
            Err(what) => Err(Fault::new(self.place(name), what)),
        };
        by.iter().map(cell).collect()
    }
}

impl Source for Group<'_> {
    fn cell(&self, name: &str) -> Result<Option<String>, Wrong> {
        let column = *self.table.columns.get(name).ok_or(Wrong::NoColumn)?;
        let mut said: Option<&str> = None;
        for row in self.rows {
            let cell = self.table.rows.get(*row).and_then(|(_, cells)| cells.get(column));
            let Some(cell) = cell.map(str::trim).filter(|cell| !cell.is_empty()) else { continue };
            match said {
                Some(before) if before != cell => return Err(Wrong::RowsDiffer),
                _ => said = Some(cell),
            }
        }
        Ok(said.map(str::to_owned))
    }

    fn place(&self, name: &str) -> String {
        let line = |row: &usize| self.table.rows.get(*row).map_or(0, |(line, _)| *line);
        let line = self.rows.first().map_or(0, line);
        if name.is_empty() { format!("row {line}") } else { format!("row {line}, column {name}") }
    }
}

/// Names the row, never its cells.
fn csv_fault(error: &csv::Error, offset: u64) -> Fault {
    let line = |position: &Option<csv::Position>| {
        position.as_ref().map_or(0, csv::Position::line).saturating_add(offset)
    };
    match error.kind() {
        csv::ErrorKind::UnequalLengths { pos, .. } => {
            Fault::new(format!("row {}", line(pos)), Wrong::RowLength)
        }
        csv::ErrorKind::Utf8 { pos, .. } => {
            Fault::new(format!("row {}", line(pos)), Wrong::Encoding)
        }
        _ => Fault::new("", Wrong::NotCsv),
    }
}
