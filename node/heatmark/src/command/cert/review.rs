//! What a template read from a PDF, shown to the person who is to confirm it: every field, and every one that was not
//! found. Refuses without a person or a person's word given beforehand.

use super::super::answer::table;
use heatmark_reading::Reading;
use heatmark_records::forms::json::Json;
use std::io::{self, BufRead, IsTerminal, Write};

/// What was read from one file.
#[derive(Debug, Clone)]
pub(super) struct Review {
    pub(super) fields: Vec<(String, String)>,
    pub(super) unread: Vec<String>,
}

impl Review {
    pub(super) fn of(reading: &Reading) -> Self {
        let said = |(path, value): &(String, Json)| (path.clone(), in_words(value));
        Self { fields: reading.fields.iter().map(said).collect(), unread: reading.unread.clone() }
    }

    /// The fields as a table, and what was not found.
    pub(super) fn text(&self, name: &str) -> String {
        let rows: Vec<Vec<String>> =
            self.fields.iter().map(|(path, said)| vec![path.clone(), said.clone()]).collect();
        let mut text = format!("read from {name}\n{}", table(&["FIELD", "READ"], &rows));
        if !self.unread.is_empty() {
            text.push_str(&format!("not found: {}\n", self.unread.join(", ")));
        }
        text
    }

    /// Asks the person at the terminal; `Err` when there is none.
    pub(super) fn is_confirmed(&self, name: &str) -> Result<bool, &'static str> {
        const NOBODY: &str = "read by a template, and nobody confirmed it: run it at a terminal, or review and give --yes";
        let (stdin, mut stderr) = (io::stdin(), io::stderr());
        if !stdin.is_terminal() || !stderr.is_terminal() {
            return Err(NOBODY);
        }
        let question = format!("{}Is this what the certificate says? [y/N] ", self.text(name));
        let mut answer = String::new();
        stderr
            .write_all(question.as_bytes())
            .and_then(|()| stderr.flush())
            .and_then(|()| stdin.lock().read_line(&mut answer))
            .map_err(|_| NOBODY)?;
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
    }
}

fn in_words(value: &Json) -> String {
    let text = |name| value.text_at(name).unwrap_or_default();
    let Some(stated) = value.text_at("value") else {
        return value.text().unwrap_or_default().to_owned();
    };
    let mut words = format!("{stated} {}", text("unit")).trim().to_owned();
    for (name, sign) in [("minimum", "≥"), ("maximum", "≤")] {
        if !text(name).is_empty() {
            words.push_str(&format!("  ({sign} {})", text(name)));
        }
    }
    words
}
