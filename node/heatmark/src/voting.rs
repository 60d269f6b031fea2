//! What a home remembers of its consensus key's past, apart from the data directory: whether the
//! key may have voted, and whether it must wait. Refuses nothing: a record that cannot be read, or
//! that is of another key, tells as little as none.

use crate::files::{self, FileError};
use crate::home::Home;
use heatmark_ledger::keys::PublicKey;
use serde::{Deserialize, Serialize};

const MAX_BYTES: u64 = 4 * 1024;

/// What is known of a consensus key's past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Past {
    /// The key was made here and has signed nothing.
    NeverVoted,
    /// It has voted, or may have.
    Voted,
    /// It has voted, or may have, and what it signed is forgotten: it must not vote before later
    /// heights are certified.
    Forgotten,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    about: String,
    consensus_key: String,
    past: Past,
}

const ABOUT: &str = "Written by heatmark: what is known of this consensus key's votes. Do not \
                     copy it to another machine, edit it or restore it from a backup.";

/// The key's past as this home remembers it; none when it does not.
///
/// # Errors
/// When the record is there and the disk does not give it.
pub fn past(home: &Home, key: &PublicKey) -> Result<Option<Past>, FileError> {
    let text = match files::read(&home.voting(), MAX_BYTES) {
        Err(missing) if missing.is_missing() => return Ok(None),
        Err(FileError::TooLarge { .. } | FileError::NotAFile(_)) => return Ok(None),
        other => other?,
    };
    let record: Option<Record> = serde_json::from_slice(&text).ok();
    Ok(record.filter(|record| record.consensus_key == name(key)).map(|record| record.past))
}

/// Remembers the key's past, durable when this returns.
///
/// # Errors
/// When it cannot be written.
pub fn remember(home: &Home, key: &PublicKey, past: Past) -> Result<(), FileError> {
    let record = Record { about: ABOUT.to_owned(), consensus_key: name(key), past };
    let mut text = serde_json::to_string_pretty(&record).unwrap_or_default();
    text.push('\n');
    files::replace(&home.voting(), text.as_bytes(), files::PRIVATE)
}

fn name(key: &PublicKey) -> String {
    hex::encode(key.to_bytes())
}

#[cfg(test)]
mod tests;
