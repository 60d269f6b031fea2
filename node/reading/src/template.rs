//! Templates: where the fields of a certificate stand on a PDF of one layout. A rule finds its value behind words in
//! a line, by a regular expression, within a region, or where a column and a row of a table cross.
//! What is read has to be confirmed by a person; rules that found nothing are listed.

#[cfg(test)]
mod tests;

use heatmark_records::forms::json::Json;
use regex::{Regex, RegexBuilder};
use serde::Deserialize;

use crate::cell::{Cells, Writing};
use crate::layout::{Layout, Line, Page, lines, text};
use crate::rule::{MAX_RULES, Rule};
use crate::tree::{MAX_TOML_BYTES, to_text, toml_error};
use crate::{Fault, ReadingError, Wrong};

/// How far a cell may stand from its column's head, in millimetres.
const COLUMN_REACH_MM: f32 = 8.0;
/// A gap of so many letter sizes ends a value.
const GAP: f32 = 2.0;
/// Largest compiled regular expression, in bytes.
const MAX_REGEX_BYTES: usize = 1 << 20;

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
struct Match {
    /// Texts that stand on the first page of every certificate of this layout.
    contains: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct TemplateFile {
    name: String,
    #[serde(rename = "match")]
    layout: Match,
    #[serde(default)]
    numbers: Writing,
    #[serde(default)]
    field: Vec<Rule>,
}

/// A template that has been checked.
#[derive(Debug, Clone)]
pub struct Template {
    name: String,
    layout: Match,
    numbers: Writing,
    rules: Vec<(Rule, Option<Regex>)>,
}

/// What a template read from a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Path and value of each field, in the template's order.
    pub fields: Vec<(String, Json)>,
    /// Paths of rules that found nothing.
    pub unread: Vec<String>,
    /// What stands where a rule looked, and is not what the rule says.
    pub faults: Vec<Fault>,
}

impl Template {
    /// Reads a template file.
    ///
    /// # Errors
    /// What is wrong with it, with line or rule.
    pub fn parse(text: &str) -> Result<Self, ReadingError> {
        if text.len() > MAX_TOML_BYTES {
            return Err(ReadingError::Whole("notes, mappings and templates have at most 256 KiB"));
        }
        let file: TemplateFile = toml::from_str(text).map_err(|error| toml_error(text, &error))?;
        if file.layout.contains.iter().all(|text| text.trim().is_empty()) {
            return Err(ReadingError::Whole(
                "a template needs match.contains to know its layout by",
            ));
        }
        if file.field.is_empty() || file.field.len() > MAX_RULES {
            return Err(ReadingError::Whole("a template has 1 to 1000 fields"));
        }
        let rules = file.field.into_iter().map(|rule| {
            let pattern = check(&rule)?;
            Ok((rule, pattern))
        });
        let rules = rules.collect::<Result<_, ReadingError>>()?;
        Ok(Self { name: file.name, layout: file.layout, numbers: file.numbers, rules })
    }

    /// Whether a file is of the layout that this template is for.
    #[must_use]
    pub fn fits(&self, layout: &Layout) -> bool {
        let Some(page) = layout.pages.first() else { return false };
        let all: Vec<String> = lines(page, None).iter().map(|line| text(line)).collect();
        let all = all.join("\n");
        self.layout.contains.iter().all(|wanted| all.contains(wanted.as_str()))
    }

    /// Reads the fields of a file.
    ///
    /// # Errors
    /// `Source` when the file is of another layout.
    pub fn read(&self, layout: &Layout) -> Result<Reading, ReadingError> {
        if !self.fits(layout) {
            return Err(ReadingError::Source(Fault::new("", Wrong::OtherLayout)));
        }
        let mut reading = Reading { fields: Vec::new(), unread: Vec::new(), faults: Vec::new() };
        for (rule, pattern) in &self.rules {
            let numbered = layout.pages.iter().enumerate();
            let cells = numbered
                .filter(|(index, _)| rule.page.is_none_or(|page| index.saturating_add(1) == page))
                .find_map(|(_, page)| find(rule, pattern.as_ref(), page))
                .unwrap_or_default();
            match self.numbers.value(rule, &cells) {
                Ok(Some(_)) if reading.fields.iter().any(|(path, _)| *path == rule.path) => {
                    reading.faults.push(Fault::new(&rule.path, Wrong::FieldTwice));
                }
                Ok(Some(value)) => reading.fields.push((rule.path.clone(), value)),
                Ok(None) if rule.required => {
                    reading.faults.push(Fault::new(&rule.path, Wrong::Missing));
                }
                Ok(None) => reading.unread.push(rule.path.clone()),
                Err(what) => reading.faults.push(Fault::new(&rule.path, what)),
            }
        }
        Ok(reading)
    }

    /// A certificate of our own form: what was read, and the document that it was read from.
    #[must_use]
    pub fn certificate(&self, reading: &Reading, document: Json) -> Vec<u8> {
        let mut entries = vec![
            ("Heatmark".to_owned(), Json::Text("1".to_owned())),
            ("source/template".to_owned(), Json::Text(self.name.clone())),
            ("source/document".to_owned(), document),
        ];
        entries.extend(reading.fields.iter().cloned());
        to_text(&Json::Object(entries)).into_bytes()
    }
}

fn check(rule: &Rule) -> Result<Option<Regex>, ReadingError> {
    rule.check()?;
    let wrong = |what| ReadingError::Rule { path: rule.path.clone(), what };
    if rule.is_for_records() {
        return Err(wrong("from, unit-from, where and each are for mappings"));
    }
    if rule.column.is_some() != rule.row.is_some() {
        return Err(wrong("`column` and `row` go together"));
    }
    if !rule.is_for_pages() && rule.value.is_none() {
        return Err(wrong("a rule needs a place: after, pattern, region, or column and row"));
    }
    if rule.page == Some(0) {
        return Err(wrong("pages count from 1"));
    }
    let Some(pattern) = &rule.pattern else { return Ok(None) };
    let regex = RegexBuilder::new(pattern)
        .multi_line(true)
        .size_limit(MAX_REGEX_BYTES)
        .dfa_size_limit(MAX_REGEX_BYTES)
        .build()
        .map_err(|_| wrong("`pattern` is no regular expression, or too large a one"))?;
    Ok(Some(regex))
}

/// The cells of a rule on a page; `None` when there is nothing.
fn find(rule: &Rule, pattern: Option<&Regex>, page: &Page) -> Option<Cells> {
    let lines = lines(page, rule.region);
    if let (Some(column), Some(row)) = (&rule.column, &rule.row) {
        let limit =
            |row: &Option<String>| row.as_ref().and_then(|row| crossing(&lines, column, row));
        return Some(Cells {
            value: Some(crossing(&lines, column, row)?),
            minimum: limit(&rule.minimum_row),
            maximum: limit(&rule.maximum_row),
            ..Cells::default()
        });
    }
    let value = match (&rule.after, pattern) {
        (Some(anchor), pattern) => {
            let rest = lines.iter().find_map(|line| behind(line, anchor, pattern.is_none()))?;
            pattern.map_or(Some(rest.clone()), |pattern| matched(pattern, &rest))
        }
        (None, Some(pattern)) => {
            let all: Vec<String> = lines.iter().map(|line| text(line)).collect();
            matched(pattern, &all.join("\n"))
        }
        (None, None) if rule.region.is_some() => {
            let all: Vec<String> = lines.iter().map(|line| text(line)).collect();
            Some(all.join(" "))
        }
        (None, None) => None,
    };
    Some(Cells { value: Some(value?), ..Cells::default() })
}

fn matched(pattern: &Regex, text: &str) -> Option<String> {
    let found = pattern.captures(text)?;
    found.get(1).or_else(|| found.get(0)).map(|found| found.as_str().trim().to_owned())
}

/// What stands behind an anchor in its line, up to the next wide gap where asked.
fn behind(line: &Line<'_>, anchor: &str, to_gap: bool) -> Option<String> {
    let whole = text(line);
    let start = whole.find(anchor)?.checked_add(anchor.len())?;
    // The first word that lies wholly behind the anchor: counted in the letters of the joined line.
    let mut end = 0_usize;
    let mut words = Vec::new();
    let mut last: Option<f32> = None;
    for word in line {
        let begin = end;
        end = end.saturating_add(word.text.len()).saturating_add(1);
        if begin < start {
            last = (end > start).then(|| word.right()).or(last);
            continue;
        }
        let wide = last.is_some_and(|last| word.x - last > GAP * word.size);
        if to_gap && wide && !words.is_empty() {
            break;
        }
        words.push(*word);
        last = Some(word.right());
    }
    // `Heat: H-77` may be one word to the PDF.
    let glued = whole.get(start..)?.split(' ').next().unwrap_or_default().trim();
    let value = match (glued.is_empty(), words.is_empty()) {
        (false, _) if to_gap => [glued, &text(&words)].join(" ").trim().to_owned(),
        _ if to_gap => text(&words),
        _ => whole.get(start..)?.trim().to_owned(),
    };
    let value = value.trim_start_matches([':', '.', ' ']).trim().to_owned();
    (!value.is_empty()).then_some(value)
}

/// The word of a row that stands under the head of a column.
fn crossing(lines: &[Line<'_>], column: &str, row: &str) -> Option<String> {
    let heads = lines.iter().enumerate().flat_map(|(at, line)| {
        line.iter().filter(|word| word.text == column).map(move |word| (at, *word))
    });
    heads.into_iter().find_map(|(at, head)| {
        let below = lines.get(at.checked_add(1)?..)?;
        let line = below.iter().find(|line| text(line).starts_with(row))?;
        let distance = |word: &f32| (word - head.centre()).abs();
        line.iter()
            .skip(row.split_whitespace().count())
            .filter(|word| distance(&word.centre()) <= COLUMN_REACH_MM)
            .min_by(|a, b| distance(&a.centre()).total_cmp(&distance(&b.centre())))
            .map(|word| word.text.clone())
    })
}
