//! The retention classes that the settings name. A node does not start without the classes that it was told to keep: what it
//! publishes in the meantime would not be deposited.

use crate::config::Config;
use crate::files;
use heatmark_desk::{ClassError, MAX_CLASSES_BYTES, RetentionClasses};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Longest policy in bytes; its reader says of a shorter one what is wrong with it.
const MAX_POLICY_BYTES: u64 = 1 << 20;

/// Why the classes cannot be read.
#[derive(Debug, Error)]
pub enum ClassesError {
    /// The file is not there, or cannot be read: mend `escrow.retention_classes`.
    #[error("the retention classes cannot be read")]
    File(#[from] files::FileError),
    /// It has no such classes: mend it.
    #[error("{} has no retention classes: {error}", path.display())]
    Classes {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: Box<ClassError>,
    },
}

/// Reads the classes, with the policies beside them; none deposit nothing.
///
/// # Errors
/// [`ClassesError`].
pub fn classes(config: &Config) -> Result<RetentionClasses, ClassesError> {
    let Some(path) = config.retention_classes_path() else {
        return Ok(RetentionClasses::default());
    };
    let limit = u64::try_from(MAX_CLASSES_BYTES).unwrap_or(u64::MAX);
    let text = files::read_text(&path, limit)?;
    let beside = path.parent().unwrap_or(Path::new("")).to_owned();
    let mut load = |name: &str| {
        let policy = files::read_text(&beside.join(name), MAX_POLICY_BYTES);
        policy.map_err(|error| error.to_string())
    };
    RetentionClasses::parse(&text, &mut load)
        .map_err(|error| ClassesError::Classes { path, error: Box::new(error) })
}
