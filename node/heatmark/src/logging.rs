//! Log lines on standard error, for people or for machines. Refuses filters that do not parse.

use crate::config::{LogConfig, LogFormat};
use std::io::IsTerminal as _;
use thiserror::Error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::TryInitError;

/// Why nothing can be logged.
#[derive(Debug, Error)]
pub enum LoggingError {
    /// The filter is not one. Mend `log.filter`.
    #[error("log.filter: {0}")]
    Filter(#[from] ParseError),
    /// Logging was set up before.
    #[error("logging was set up already")]
    Twice(#[from] TryInitError),
}

/// Starts logging for the whole process.
///
/// # Errors
/// When the filter does not parse, or logging was started before.
pub fn init(config: &LogConfig) -> Result<(), LoggingError> {
    use tracing_subscriber::util::SubscriberInitExt as _;
    let filter: EnvFilter = config.filter.parse()?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match config.format {
        LogFormat::Text => builder.finish().try_init()?,
        LogFormat::Json => builder.json().flatten_event(true).finish().try_init()?,
    }
    Ok(())
}
