//! One rule of a mapping or a template: which field, where its value stands, how it is written.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::ReadingError;
use crate::date;

/// Most rules of one mapping or template.
pub(crate) const MAX_RULES: usize = 1_000;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    Text,
    Number,
}

/// A rule, as it stands in the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Rule {
    /// Path of the field; `{column}` in it is replaced by that cell.
    pub(crate) path: String,
    /// Column, or path within the JSON record, of the value.
    pub(crate) from: Option<String>,
    /// The value itself, the same for all.
    pub(crate) value: Option<String>,
    pub(crate) kind: Option<Kind>,
    /// The unit where no cell says one.
    pub(crate) unit: Option<String>,
    pub(crate) unit_from: Option<String>,
    /// How a date is written.
    pub(crate) date: Option<String>,
    /// Offset from UTC of times.
    pub(crate) offset: Option<String>,
    pub(crate) minimum: Option<String>,
    pub(crate) minimum_from: Option<String>,
    pub(crate) maximum: Option<String>,
    pub(crate) maximum_from: Option<String>,
    pub(crate) concession_from: Option<String>,
    /// Words of the source and what they mean.
    #[serde(default)]
    pub(crate) replace: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) required: bool,
    /// In rules for rows: only rows whose cells say so.
    #[serde(default, rename = "where")]
    pub(crate) only: BTreeMap<String, String>,
    /// In rules for rows of JSON: the list, `*` for its items.
    pub(crate) each: Option<String>,
    /// In templates: the page, from 1.
    pub(crate) page: Option<usize>,
    /// In templates: left, top, right and bottom in millimetres from the page's upper left corner.
    pub(crate) region: Option<[f32; 4]>,
    /// In templates: words that stand before the value in its line.
    pub(crate) after: Option<String>,
    /// In templates: a regular expression whose first group is the value.
    pub(crate) pattern: Option<String>,
    /// In templates: the word that heads the value's column …
    pub(crate) column: Option<String>,
    /// … and the words that begin its row.
    pub(crate) row: Option<String>,
    /// In templates: words that begin the row with the minimum and the maximum.
    pub(crate) minimum_row: Option<String>,
    pub(crate) maximum_row: Option<String>,
}

impl Rule {
    /// Whether the value is a number.
    pub(crate) fn is_number(&self) -> bool {
        let numbers = ["chemistry/", "mechanical/", "physical/", "product/mass", "product/pieces"];
        match self.kind {
            Some(kind) => kind == Kind::Number,
            None => {
                self.unit.is_some()
                    || self.unit_from.is_some()
                    || numbers.iter().any(|start| self.path.starts_with(start))
            }
        }
    }

    /// Checks what is the same for mappings and templates.
    pub(crate) fn check(&self) -> Result<(), ReadingError> {
        let wrong = |what| Err(ReadingError::Rule { path: self.path.clone(), what });
        if self.path.is_empty() || self.path.len() > 512 {
            return wrong("a path has 1 to 512 bytes");
        }
        if self.date.as_deref().is_some_and(|format| !date::is_format(format)) {
            return wrong("`date` needs YYYY, MM and DD, and hh with mm where there is a time");
        }
        let has_time = self.date.as_deref().is_some_and(|format| format.contains("hh"));
        if has_time && self.offset.is_none() {
            return wrong("a time needs its `offset` from UTC, such as \"+01:00\" or \"Z\"");
        }
        let limits = [&self.minimum, &self.maximum, &self.minimum_from, &self.maximum_from];
        if !self.is_number() && limits.iter().any(|limit| limit.is_some()) {
            return wrong("limits belong to numbers: set kind = \"number\"");
        }
        Ok(())
    }

    /// Whether anything of a template stands in it.
    pub(crate) fn is_for_pages(&self) -> bool {
        self.page.is_some()
            || self.region.is_some()
            || [&self.after, &self.pattern, &self.column, &self.row].iter().any(|o| o.is_some())
            || self.minimum_row.is_some()
            || self.maximum_row.is_some()
    }

    /// Whether anything of a mapping stands in it.
    pub(crate) fn is_for_records(&self) -> bool {
        let from = [&self.from, &self.unit_from, &self.minimum_from, &self.maximum_from];
        from.iter().any(|o| o.is_some())
            || self.concession_from.is_some()
            || self.each.is_some()
            || !self.only.is_empty()
    }
}
