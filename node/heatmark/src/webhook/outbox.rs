//! The outbox as a webhook sees it: files that the desk put there, in the order in which it did, and beside them what was
//! delivered. A file stays where it is, for those who read files; an empty one of its name in `delivered` says that the receiver has
//! taken it. Once somebody takes the file away, its mark goes too.

#[cfg(test)]
mod tests;

use crate::files::{self, FileError};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Longest file that is posted, in bytes.
const MAX_FILE_BYTES: u64 = 64 * 1024;

const DELIVERED: &str = "delivered";

/// Hex digits of a deal's id, with which a file's name begins.
const DEAL_DIGITS: usize = 64;

/// Longest word for what is to be done.
const MAX_WHAT_BYTES: usize = 32;

/// The directory.
#[derive(Debug, Clone)]
pub(crate) struct Outbox {
    place: PathBuf,
}

/// A file that no receiver has taken yet. Those that the desk put there first are the least; the names of one deal's ascend in
/// the order in which things happen to it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Waiting {
    written: SystemTime,
    id: String,
}

impl Waiting {
    /// Its name without the ending: the same at every attempt, and no full stop in it.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The deal it is about.
    pub(crate) fn deal(&self) -> &str {
        self.id.get(..DEAL_DIGITS).unwrap_or(&self.id)
    }
}

impl Outbox {
    /// The outbox at a place, which need not be there yet.
    pub(crate) fn new(place: PathBuf) -> Self {
        Self { place }
    }

    /// When something last came or went; none while there is no outbox.
    pub(crate) fn changed(&self) -> Option<SystemTime> {
        fs::metadata(&self.place).and_then(|place| place.modified()).ok()
    }

    /// Files that wait, the first one first. Files of other names are nobody's business here.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub(crate) fn waiting(&self) -> Result<Vec<Waiting>, FileError> {
        let there = names(&self.place)?;
        let there: BTreeSet<&str> = there.iter().filter_map(|name| id_of(name)).collect();
        let marks = self.place.join(DELIVERED);
        let mut delivered = names(&marks)?;
        delivered.retain(|mark| {
            let kept = there.contains(mark.as_str());
            if !kept {
                // What is left of it is empty, and is tried again.
                let _ = fs::remove_file(marks.join(mark));
            }
            kept
        });
        let mut waiting = Vec::new();
        for id in there.iter().filter(|id| !delivered.contains(**id)) {
            match fs::symlink_metadata(self.file(id)) {
                Ok(file) if file.is_file() => {
                    let written = file.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                    waiting.push(Waiting { written, id: (*id).to_owned() });
                }
                // It is no file, or was taken away just now.
                Ok(_) | Err(_) => {}
            }
        }
        waiting.sort();
        Ok(waiting)
    }

    /// What a file says; none when it was taken away.
    ///
    /// # Errors
    /// [`FileError`].
    pub(crate) fn read(&self, waiting: &Waiting) -> Result<Option<Vec<u8>>, FileError> {
        match files::read(&self.file(&waiting.id), MAX_FILE_BYTES) {
            Err(missing) if missing.is_missing() => Ok(None),
            other => other.map(Some),
        }
    }

    /// Notes that the receiver has taken a file; durable when this returns.
    ///
    /// # Errors
    /// [`FileError`].
    pub(crate) fn mark(&self, waiting: &Waiting) -> Result<(), FileError> {
        let marks = self.place.join(DELIVERED);
        files::create_private_directory(&marks)?;
        files::replace(&marks.join(&waiting.id), b"", files::PRIVATE)
    }

    fn file(&self, id: &str) -> PathBuf {
        self.place.join(format!("{id}.json"))
    }
}

/// Names in a directory; none where it is not there.
fn names(place: &Path) -> Result<BTreeSet<String>, FileError> {
    let entries = match fs::read_dir(place) {
        Err(missing) if missing.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        other => other.map_err(files::io_error(place))?,
    };
    let mut names = BTreeSet::new();
    for entry in entries {
        let entry = entry.map_err(files::io_error(place))?;
        if let Ok(name) = entry.file_name().into_string() {
            names.insert(name);
        }
    }
    Ok(names)
}

/// The id in the name of a file that the desk put there: `<deal>-<what>.json`.
fn id_of(name: &str) -> Option<&str> {
    let id = name.strip_suffix(".json")?;
    let (deal, what) = id.split_at_checked(DEAL_DIGITS)?;
    let hex = deal.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let what = what.strip_prefix('-')?;
    let word = (1..=MAX_WHAT_BYTES).contains(&what.len())
        && what.bytes().all(|byte| byte == b'-' || byte.is_ascii_lowercase());
    (hex && word).then_some(id)
}
