//! Why settings are refused.

use crate::files::FileError;
use std::path::PathBuf;
use thiserror::Error;

/// What is wrong with the settings. The operator's to mend.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// There is no settings file. Write one with `heatmark config init`.
    #[error("{} does not exist", .0.display())]
    Missing(PathBuf),
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is not TOML, or has an unknown field or a value of the wrong kind.
    #[error("{}: {source}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// Where and what.
        source: Box<toml::de::Error>,
    },
    /// The settings do not fit together after flags and environment were applied.
    #[error("{0}")]
    Value(#[source] Box<toml::de::Error>),
    /// An override is not `section.field=value`.
    #[error("an override must read section.field=value, not {0:?}")]
    NotAnOverride(String),
    /// No setting has this name.
    #[error("no setting is called {0}; `heatmark config init --stdout` lists them all")]
    Unknown(String),
    /// A value from a flag or the environment is of the wrong kind.
    #[error("{name}: {value:?} is not {expected}")]
    Kind {
        /// The setting or variable.
        name: String,
        /// As given.
        value: String,
        /// What it should be.
        expected: &'static str,
    },
    /// The settings cannot be written as TOML.
    #[error("the settings cannot be written as TOML")]
    Write(#[from] toml::ser::Error),
}
