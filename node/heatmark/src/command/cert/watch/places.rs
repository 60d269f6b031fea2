//! The directories of a watch, and moves that survive a kill in their middle. Before a file and its notes move, the
//! move is written down; whoever starts next finishes it, so that a file is never published without its notes.
//! Refuses a directory that another process watches.

use super::super::super::failure::Failure;
use super::super::sources::{is_notes, notes_of};
use crate::files::{self, PUBLIC};
use rustix::fs::{FlockOperation, flock};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const OWN: &str = ".heatmark-watch";
const MOVE: &str = "move.json";
const MAX_MOVE_BYTES: u64 = 64 << 10;
/// Files that are being written often end so.
const UNFINISHED: [&str; 5] = [".part", ".tmp", ".temp", ".filepart", ".crdownload"];

/// What tells one state of a file from another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    length_bytes: u64,
    changed: (i64, i64),
}

/// A file that has not changed for a while, with its notes.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) path: PathBuf,
    stamps: Vec<Option<Stamp>>,
}

/// A watched directory.
pub(super) struct Places {
    directory: PathBuf,
    settle: Duration,
    since: BTreeMap<PathBuf, (Vec<Option<Stamp>>, Instant)>,
    /// Held for as long as the directory is watched.
    _lock: File,
}

impl Places {
    /// Takes the directory for this process and finishes what an earlier one left.
    pub(super) fn open(directory: &Path, settle: Duration) -> Result<Self, Failure> {
        if !directory.is_dir() {
            return Err(Failure::input(format!("{} is no directory", directory.display()))
                .next("make it, then start the watch again"));
        }
        for name in [OWN, "published", "refused"] {
            let path = directory.join(name);
            fs::create_dir_all(&path).map_err(files::io_error(&path))?;
        }
        let path = directory.join(OWN).join("lock");
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        let lock = options.open(&path).map_err(files::io_error(&path))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).map_err(|_| {
            Failure::input(format!("{} is watched already", directory.display()))
                .next("let the other one do it, or stop it first")
        })?;
        let places =
            Self { directory: directory.to_owned(), settle, since: BTreeMap::new(), _lock: lock };
        places.finish_move()?;
        Ok(places)
    }

    /// Files that are complete, oldest names first.
    pub(super) fn settled(&mut self) -> Result<Vec<Seen>, Failure> {
        let now = Instant::now();
        let mut since = BTreeMap::new();
        let mut settled = Vec::new();
        for path in self.files()? {
            let stamps = stamps(&path);
            let start = match self.since.get(&path) {
                Some((before, start)) if *before == stamps => *start,
                _ => now,
            };
            if now.duration_since(start) >= self.settle {
                settled.push(Seen { path: path.clone(), stamps: stamps.clone() });
            }
            since.insert(path, (stamps, start));
        }
        self.since = since;
        Ok(settled)
    }

    /// Whether nothing is left to do.
    pub(super) fn is_done(&self) -> Result<bool, Failure> {
        Ok(self.files()?.is_empty())
    }

    /// Moves a file that was published; `None` when it has changed meanwhile, and is another file now.
    pub(super) fn set_published(
        &self,
        seen: &Seen,
        record: &str,
    ) -> Result<Option<PathBuf>, Failure> {
        self.set(seen, "published", ("record.json", record))
    }

    /// Moves a file that was refused, with the reason.
    pub(super) fn set_refused(
        &self,
        seen: &Seen,
        reason: &str,
    ) -> Result<Option<PathBuf>, Failure> {
        self.set(seen, "refused", ("reason.txt", reason))
    }

    fn set(
        &self,
        seen: &Seen,
        folder: &str,
        (ending, note): (&str, &str),
    ) -> Result<Option<PathBuf>, Failure> {
        if stamps(&seen.path) != seen.stamps {
            return Ok(None);
        }
        let to = self.free_name(&seen.path, folder);
        let mut name = to.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{ending}"));
        files::replace(&to.with_file_name(name), note.as_bytes(), PUBLIC)?;
        let planned =
            json!({ "from": file_name(&seen.path), "to": file_name(&to), "folder": folder });
        let journal = self.directory.join(OWN).join(MOVE);
        files::replace(&journal, planned.to_string().as_bytes(), PUBLIC)?;
        self.finish_move()?;
        Ok(Some(to))
    }

    /// Does the move that is written down, as far as it is not done.
    fn finish_move(&self) -> Result<(), Failure> {
        let journal = self.directory.join(OWN).join(MOVE);
        let text = match files::read_text(&journal, MAX_MOVE_BYTES) {
            Err(error) if error.is_missing() => return Ok(()),
            text => text?,
        };
        let planned: Value = serde_json::from_str(&text).unwrap_or_default();
        // Names only: the journal cannot be made to reach beyond the directory.
        let name = |key: &str| {
            let name = planned.get(key).and_then(Value::as_str)?;
            Path::new(name).file_name().map(PathBuf::from)
        };
        if let (Some(from), Some(to), Some(folder)) = (name("from"), name("to"), name("folder")) {
            let (from, to) = (self.directory.join(from), self.directory.join(folder).join(to));
            // The file goes last: while it is here, its notes' move is not complete.
            for (from, to) in notes_of(&from).iter().zip(&notes_of(&to)).chain([(&from, &to)]) {
                if from.exists() && !to.exists() {
                    fs::rename(from, to).map_err(files::io_error(from))?;
                }
            }
            files::sync_parent(&to)?;
            files::sync_parent(&from)?;
        }
        fs::remove_file(&journal).map_err(files::io_error(&journal))?;
        files::sync_parent(&journal)?;
        Ok(())
    }

    /// A name in the folder that nothing has yet.
    fn free_name(&self, path: &Path, folder: &str) -> PathBuf {
        let folder = self.directory.join(folder);
        let name = file_name(path);
        let taken = |name: &str| {
            folder.join(name).exists()
                || notes_of(&folder.join(name)).iter().any(|notes| notes.exists())
        };
        let mut free = name.clone();
        let mut number = 1_u64;
        while taken(&free) {
            number = number.saturating_add(1);
            free = format!("{number}-{name}");
        }
        folder.join(free)
    }

    /// A name that is no text can stand in no list of what was published.
    fn set_aside_unnamed(&self, path: &Path) -> Result<(), Failure> {
        let to = self.free_name(path, "refused");
        let mut note = to.file_name().unwrap_or_default().to_owned();
        note.push(".reason.txt");
        files::replace(&to.with_file_name(note), b"the file's name is not UTF-8 text\n", PUBLIC)?;
        fs::rename(path, &to).map_err(files::io_error(path))?;
        Ok(files::sync_parent(&to)?)
    }

    fn files(&self) -> Result<Vec<PathBuf>, Failure> {
        let entries = fs::read_dir(&self.directory).map_err(files::io_error(&self.directory))?;
        let mut paths = Vec::new();
        for entry in entries {
            let entry = entry.map_err(files::io_error(&self.directory))?;
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                self.set_aside_unnamed(&entry.path())?;
                continue;
            };
            let lower = name.to_lowercase();
            let unfinished = UNFINISHED.iter().any(|ending| lower.ends_with(ending));
            // Links and pipes are left alone: nobody drops those by accident.
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            if is_file && !name.starts_with('.') && !unfinished && !is_notes(&entry.path()) {
                paths.push(entry.path());
            }
        }
        paths.sort();
        Ok(paths)
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The states of a file and of its notes.
fn stamps(path: &Path) -> Vec<Option<Stamp>> {
    let stamp = |path: &Path| {
        let metadata = fs::metadata(path).ok()?;
        Some(Stamp {
            inode: metadata.ino(),
            length_bytes: metadata.len(),
            changed: (metadata.mtime(), metadata.mtime_nsec()),
        })
    };
    let notes = notes_of(path);
    std::iter::once(path).chain(notes.iter().map(PathBuf::as_path)).map(stamp).collect()
}
