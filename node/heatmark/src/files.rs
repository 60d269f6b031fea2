//! Files written so that a crash leaves the old one or the new one, and read within bounds.
//! Refuses to overwrite what must never be overwritten, and private files that others may read.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Bits of a mode that let anybody but the owner in.
const OTHERS: u32 = 0o077;

/// Mode of a private file.
pub(crate) const PRIVATE: u32 = 0o600;

/// Mode of a public file.
pub(crate) const PUBLIC: u32 = 0o644;

/// Why a file was not read or written.
#[derive(Debug, Error)]
pub enum FileError {
    /// The operating system refused. The source says why.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is there already and is never overwritten. Choose another place, or move it away.
    #[error("{} exists already and is not overwritten", .0.display())]
    Exists(PathBuf),
    /// Others may read it. Run `chmod 600` on it, and think of who may have read it.
    #[error(
        "{} may be read by others than its owner (mode {mode:03o}); run: chmod 600 {}",
        path.display(),
        path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is not an ordinary file.
    #[error("{} is not an ordinary file", .0.display())]
    NotAFile(PathBuf),
    /// It is larger than such a file may be.
    #[error("{} has more than the {limit} bytes that such a file may have", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Bytes accepted.
        limit: u64,
    },
    /// It is not text.
    #[error("{} is not UTF-8 text", .0.display())]
    NotText(PathBuf),
}

impl FileError {
    /// Whether the file simply is not there.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

pub(crate) fn io_error(path: &Path) -> impl FnOnce(io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError::Io { path, source }
}

/// Reads a file of at most `limit` bytes.
pub(crate) fn read(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let file = open(path)?;
    read_open(&file, path, limit)
}

/// Reads a text of at most `limit` bytes.
pub(crate) fn read_text(path: &Path, limit: u64) -> Result<String, FileError> {
    String::from_utf8(read(path, limit)?).map_err(|_| FileError::NotText(path.to_owned()))
}

/// Reads a file of at most `limit` bytes that nobody but its owner may read.
pub(crate) fn read_private(path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let file = open(path)?;
    let mode = file.metadata().map_err(io_error(path))?.permissions().mode();
    if mode & OTHERS != 0 {
        return Err(FileError::Exposed { path: path.to_owned(), mode: mode & 0o777 });
    }
    read_open(&file, path, limit)
}

fn open(path: &Path) -> Result<File, FileError> {
    // Asked before opening, since opening a pipe would wait for a writer.
    if !fs::metadata(path).map_err(io_error(path))?.is_file() {
        return Err(FileError::NotAFile(path.to_owned()));
    }
    File::open(path).map_err(io_error(path))
}

fn read_open(file: &File, path: &Path, limit: u64) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    let mut bounded = file.take(limit.saturating_add(1));
    bounded.read_to_end(&mut bytes).map_err(io_error(path))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length <= limit) {
        Ok(bytes)
    } else {
        Err(FileError::TooLarge { path: path.to_owned(), limit })
    }
}

/// Creates a file that must not exist, durable when this returns.
pub(crate) fn create(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    place(&write_beside(path, bytes, mode)?, path)
}

/// Gives a finished file its name, which must be free, durable when this returns.
fn place(temporary: &Path, path: &Path) -> Result<(), FileError> {
    // A link, unlike a rename, fails when the name is taken.
    let linked = fs::hard_link(temporary, path);
    let removed = fs::remove_file(temporary);
    match linked {
        Err(source) if source.kind() == io::ErrorKind::AlreadyExists => {
            return Err(FileError::Exists(path.to_owned()));
        }
        other => other.map_err(io_error(path))?,
    }
    removed.map_err(io_error(temporary))?;
    sync_parent(path)
}

/// A file that is written piece by piece and has its name only once it is whole. Dropped before, it
/// leaves nothing.
pub(crate) struct Growing {
    file: File,
    path: PathBuf,
    temporary: PathBuf,
}

impl Growing {
    /// Begins a file that must not exist.
    pub(crate) fn begin(path: &Path, mode: u32) -> Result<Self, FileError> {
        if path.exists() {
            return Err(FileError::Exists(path.to_owned()));
        }
        let (file, temporary) = open_beside(path, mode)?;
        Ok(Self { file, path: path.to_owned(), temporary })
    }

    /// Adds bytes at its end.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.file.write_all(bytes).map_err(io_error(&self.temporary))
    }

    /// Syncs it and gives it its name.
    pub(crate) fn finish(self) -> Result<(), FileError> {
        self.file.sync_all().map_err(io_error(&self.temporary))?;
        place(&self.temporary, &self.path)
    }
}

impl Drop for Growing {
    fn drop(&mut self) {
        // Gone already when it has its name.
        let _ = fs::remove_file(&self.temporary);
    }
}

/// Puts a file in the place of another one, or of none, durable when this returns.
pub(crate) fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    let temporary = write_beside(path, bytes, mode)?;
    if let Err(source) = fs::rename(&temporary, path) {
        // The rename's failure is what counts; a leftover of ours is harmless.
        let _ = fs::remove_file(&temporary);
        return Err(io_error(path)(source));
    }
    sync_parent(path)
}

fn open_beside(path: &Path, mode: u32) -> Result<(File, PathBuf), FileError> {
    let name = path.file_name().ok_or_else(|| FileError::NotAFile(path.to_owned()))?;
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{:016x}", rand::random::<u64>()));
    let temporary = path.with_file_name(temporary);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(mode);
    let file = options.open(&temporary).map_err(io_error(&temporary))?;
    if let Err(source) = file.set_permissions(Permissions::from_mode(mode)) {
        // The failure is what counts; the leftover is empty.
        let _ = fs::remove_file(&temporary);
        return Err(io_error(&temporary)(source));
    }
    Ok((file, temporary))
}

fn write_beside(path: &Path, bytes: &[u8], mode: u32) -> Result<PathBuf, FileError> {
    let (mut file, temporary) = open_beside(path, mode)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if let Err(source) = written {
        // The write's failure is what counts; the leftover holds nothing whole.
        let _ = fs::remove_file(&temporary);
        return Err(io_error(&temporary)(source));
    }
    Ok(temporary)
}

/// Makes a directory with its parents; the last one for the owner alone.
pub(crate) fn create_private_directory(path: &Path) -> Result<(), FileError> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(io_error(parent))?;
    }
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(source) if source.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        other => other.map_err(io_error(path)),
    }
}

/// Makes the names in a file's directory durable.
pub(crate) fn sync_parent(path: &Path) -> Result<(), FileError> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(parent).and_then(|directory| directory.sync_all()).map_err(io_error(parent))
}
