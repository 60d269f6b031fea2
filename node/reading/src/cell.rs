//! A cell made into a field's value, as its rule describes it. Numbers stay text, digit for digit.

use heatmark_records::forms::json::Json;
use serde::Deserialize;

use crate::Wrong;
use crate::date;
use crate::rule::Rule;

/// How numbers are written in a file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct Writing {
    /// The decimal sign.
    pub(crate) decimal: char,
    /// What groups thousands, if anything.
    pub(crate) thousands: Option<char>,
    /// What stands where nothing is said.
    pub(crate) empty: Vec<String>,
}

impl Default for Writing {
    fn default() -> Self {
        Self { decimal: '.', thousands: None, empty: vec!["-".into(), "—".into(), "n.a.".into()] }
    }
}

/// The cells that one field is made of, as they stand in the file.
#[derive(Debug, Default)]
pub(crate) struct Cells {
    pub(crate) value: Option<String>,
    pub(crate) unit: Option<String>,
    pub(crate) minimum: Option<String>,
    pub(crate) maximum: Option<String>,
    pub(crate) concession: Option<String>,
}

impl Writing {
    /// A cell's text; `None` when it says nothing.
    pub(crate) fn said<'a>(&self, text: &'a str) -> Option<&'a str> {
        let text = text.trim();
        let nothing = text.is_empty() || self.empty.iter().any(|word| word == text);
        (!nothing).then_some(text)
    }

    /// The value of a field; `None` when the cell says nothing.
    pub(crate) fn value(&self, rule: &Rule, cells: &Cells) -> Result<Option<Json>, Wrong> {
        let stated = cells.value.as_deref().and_then(|text| self.said(text));
        let Some(stated) = stated.or(rule.value.as_deref()) else { return Ok(None) };
        let stated = rule.replace.get(stated).map_or(stated, String::as_str);
        if let Some(format) = &rule.date {
            let offset = rule.offset.as_deref().unwrap_or("Z");
            let date = date::read(format, offset, stated).ok_or(Wrong::NotADate)?;
            return Ok(Some(Json::Text(date)));
        }
        if !rule.is_number() {
            return Ok(Some(Json::Text(stated.to_owned())));
        }
        let mut entries = vec![("value".to_owned(), Json::Text(self.number(stated)?))];
        let unit = cells.unit.as_deref().and_then(|text| self.said(text)).or(rule.unit.as_deref());
        entries.push(("unit".to_owned(), Json::Text(unit.unwrap_or_default().to_owned())));
        for (name, cell, fixed) in
            [("minimum", &cells.minimum, &rule.minimum), ("maximum", &cells.maximum, &rule.maximum)]
        {
            let cell = cell.as_deref().and_then(|text| self.said(text));
            let limit = match (cell, fixed) {
                (Some(cell), _) => self.number(cell)?,
                (None, Some(fixed)) => fixed.clone(),
                (None, None) => continue,
            };
            entries.push((name.to_owned(), Json::Text(limit)));
        }
        if let Some(reference) = cells.concession.as_deref().and_then(|text| self.said(text)) {
            entries.push(("concession".to_owned(), Json::Text(reference.to_owned())));
        }
        Ok(Some(Json::Object(entries)))
    }

    /// A number with a point, or the balance; a sign such as `<` stays before it.
    fn number(&self, text: &str) -> Result<String, Wrong> {
        let balance = ["balance", "bal", "bal.", "rest", "remainder"];
        if balance.iter().any(|word| text.eq_ignore_ascii_case(word)) {
            return Ok("balance".to_owned());
        }
        let signs = |c: char| matches!(c, '<' | '>' | '=' | '≤' | '≥' | ' ');
        let digits = text.trim_start_matches(signs);
        let sign = text.strip_suffix(digits).unwrap_or_default().trim();
        let mut number = String::with_capacity(digits.len());
        for c in digits.chars() {
            match c {
                _ if c == self.decimal => number.push('.'),
                _ if Some(c) == self.thousands => {}
                '0'..='9' | '-' | '+' | 'e' | 'E' => number.push(c),
                _ => return Err(Wrong::NotANumber),
            }
        }
        let number = number.strip_prefix('+').unwrap_or(&number);
        let zero = if number.starts_with('.') { "0" } else { "" };
        let number = format!("{zero}{number}");
        heatmark_records::Decimal::parse(&number).map_err(|_| Wrong::NotANumber)?;
        Ok(format!("{sign}{number}"))
    }
}
