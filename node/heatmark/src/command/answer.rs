//! What a command says when it is done, once for people and once for machines.

use serde_json::Value;
use std::process::ExitCode;

/// The ways in which a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or the answer is yes.
    Yes,
    /// The answer is no: refused, revoked, does not match.
    No,
    /// Wrong usage, or input that cannot be read.
    Input,
    /// It cannot be told: unreachable, stale.
    Unknown,
    /// A disk is full or fails.
    Disk,
    /// Data on a disk are damaged.
    Damaged,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Yes => 0,
            Exit::No => 1,
            Exit::Input => 2,
            Exit::Unknown => 3,
            Exit::Disk => 4,
            Exit::Damaged => 5,
        })
    }
}

/// A command's result.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) exit: Exit,
    /// What `--json` prints.
    pub(crate) json: Value,
    /// What people read.
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn of(exit: Exit, json: Value, text: impl Into<String>) -> Self {
        Self { exit, json, text: text.into() }
    }

    pub(crate) fn yes(json: Value, text: impl Into<String>) -> Self {
        Self { exit: Exit::Yes, json, text: text.into() }
    }

    /// Everything has been printed on the way.
    pub(crate) fn printed(exit: Exit) -> Self {
        Self { exit, json: Value::Null, text: String::new() }
    }

    /// Yes or no.
    pub(crate) fn holds(holds: bool, json: Value, text: impl Into<String>) -> Self {
        Self { exit: if holds { Exit::Yes } else { Exit::No }, json, text: text.into() }
    }
}

/// Rows as columns of equal width, two spaces apart, without trailing blanks.
pub(crate) fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let header: Vec<String> = header.iter().map(|cell| (*cell).to_owned()).collect();
    let all = || std::iter::once(&header).chain(rows);
    let widths: Vec<usize> = (0..header.len())
        .map(|column| {
            all().filter_map(|row| row.get(column)).map(|c| c.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in all() {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// Hex in groups of four, to be read aloud.
pub(crate) fn grouped(hex: &str) -> String {
    let characters: Vec<char> = hex.chars().collect();
    let groups: Vec<String> = characters.chunks(4).map(|four| four.iter().collect()).collect();
    groups.join(" ")
}
