//! The capture plan that the settings name. A node does not start without the plan that it was told to keep.

use crate::config::Config;
use crate::files;
use heatmark_desk::{CapturePlan, MAX_PLAN_BYTES, PlanError};
use std::path::PathBuf;
use thiserror::Error;

/// Why the plan cannot be read.
#[derive(Debug, Error)]
pub enum CaptureError {
    /// The file is not there, or cannot be read: mend `lots.capture_plan`.
    #[error("the capture plan cannot be read")]
    File(#[from] files::FileError),
    /// It is no plan: mend it.
    #[error("{} is no capture plan: {error}", path.display())]
    Plan {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: PlanError,
    },
}

/// Reads the plan; none demands nothing.
///
/// # Errors
/// [`CaptureError`].
pub fn plan(config: &Config) -> Result<CapturePlan, CaptureError> {
    let Some(path) = config.capture_plan_path() else { return Ok(CapturePlan::default()) };
    let limit = u64::try_from(MAX_PLAN_BYTES).unwrap_or(u64::MAX);
    let text = files::read_text(&path, limit)?;
    CapturePlan::parse(&text).map_err(|error| CaptureError::Plan { path, error })
}
