//! Log lines on standard error, for people or for machines. Refuses filters that do not parse, and
//! lines of one kind without end.

mod throttle;

use crate::config::{LogConfig, LogFormat};
use std::io::IsTerminal as _;
use thiserror::Error;
use throttle::Throttle;
use tracing_subscriber::filter::{FilterExt as _, ParseError};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{EnvFilter, fmt, registry};

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
    let filter: EnvFilter = config.filter.parse()?;
    let lines =
        fmt::layer().with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr);
    let throttle = Throttle::default();
    match config.format {
        LogFormat::Text => {
            registry().with(lines.with_filter(filter.and(throttle))).try_init()?;
        }
        LogFormat::Json => {
            let lines = lines.json().flatten_event(true);
            registry().with(lines.with_filter(filter.and(throttle))).try_init()?;
        }
    }
    Ok(())
}
