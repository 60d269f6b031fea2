//! Words on the terminal: tables, and colours only where a person looks.

use std::env;
use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

/// Whether standard output takes colours.
pub(crate) fn coloured() -> bool {
    io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none()
}

/// A colour of the terminal.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ink {
    Bold,
    Dim,
    Green,
    Red,
}

impl Ink {
    fn code(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Dim => "2",
            Self::Green => "32",
            Self::Red => "31",
        }
    }

    /// The text in this colour, or as it is where nobody sees colours.
    pub(crate) fn paint(self, text: &str) -> String {
        if coloured() { format!("\u{1b}[{}m{text}\u{1b}[0m", self.code()) } else { text.to_owned() }
    }
}

/// Prints one line; a reader that went away is no fault.
pub(crate) fn say(line: &str) {
    let mut out = io::stdout().lock();
    // A closed pipe must not stop nodes from being brought down in order.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// Rows under a heading, columns aligned, indented by `indent` spaces.
pub(crate) fn table(indent: usize, heading: &[&str], rows: &[Vec<String>]) -> String {
    let heading: Vec<String> = heading.iter().map(|cell| (*cell).to_owned()).collect();
    let mut widths = vec![0_usize; heading.len()];
    for row in std::iter::once(&heading).chain(rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &Vec<String>| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        format!("{:indent$}{}", "", cells.join("  ").trim_end())
    };
    let mut lines = vec![Ink::Dim.paint(&line(&heading))];
    lines.extend(rows.iter().map(line));
    lines.join("\n")
}

/// The first digits of a hash.
pub(crate) fn short(hex: &str) -> String {
    hex.chars().take(12).collect()
}

/// A time as people read it: `380 ms`, `2.4 s`.
pub(crate) fn lasted(time: Duration) -> String {
    if time < Duration::from_secs(1) {
        format!("{} ms", time.as_millis())
    } else {
        format!("{:.1} s", time.as_secs_f64())
    }
}

/// An error with everything under it, each said once.
pub(crate) fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = cause;
        } else if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    text
}
