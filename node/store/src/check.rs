//! Whether a stopped node's database is sound: every file's checksums, and then whether every entry
//! is what the certified headers say. Changes nothing, stops at nothing, and refuses a database
//! that another process holds.
//!
//! ```text
//!   files ── checksums of every block of every table and of the write-ahead log
//!   chain ── links, times, sets, certificates; entries and tiles against the log roots; indexes
//!   state ── values against the newest state root, map nodes of every served version
//!   rest ─── undecided blocks, own proposals, evidence, format
//! ```

mod chain;
mod files;
mod report;
pub(crate) mod rest;
mod state;

pub use files::Held;
pub use report::{Damage, Place, Remedy, Report};

use crate::disk::Disk;
use crate::error::StoreError;
use heatmark_ledger::genesis::Genesis;
use report::Findings;
use std::path::Path;

/// How thoroughly to look.
#[derive(Debug, Clone, Copy)]
pub struct CheckOptions {
    /// Whether the signatures of certificates are verified; nearly all the time goes there.
    pub signatures: bool,
}

/// How far a check or repair has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Blocks done.
    pub blocks: u64,
    /// Blocks in all.
    pub of: u64,
}

/// Reads everything in the database at `path` and tells what on it is damaged.
///
/// # Errors
/// [`StoreError::OtherNetwork`] and [`StoreError::Format`]; [`StoreError::Database`] when another
/// process holds it or the directory cannot be read.
pub fn check(
    path: &Path,
    genesis: &Genesis,
    options: CheckOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, StoreError> {
    let _held = Held::take(path)?;
    let mut findings = Findings::default();
    files::check_log_files(path, &mut findings);
    match files::open_to_read(path) {
        Ok(disk) => {
            let mut report = check_disk(&disk, genesis, options, progress)?;
            findings.report.damages.append(&mut report.damages);
            report.damages = findings.report.damages;
            report.unlisted = report.unlisted.saturating_add(findings.report.unlisted);
            Ok(report)
        }
        Err(error) => {
            findings.add(Damage {
                what: "the database does not open",
                place: Place::File(error.to_string()),
                remedy: Remedy::Anew,
            });
            Ok(findings.report)
        }
    }
}

/// Reads everything on an open disk; see [`check`].
///
/// # Errors
/// [`StoreError::OtherNetwork`] and [`StoreError::Format`].
pub fn check_disk(
    disk: &dyn Disk,
    genesis: &Genesis,
    options: CheckOptions,
    progress: &mut dyn FnMut(Progress),
) -> Result<Report, StoreError> {
    let mut findings = Findings::default();
    if rest::check_meta(disk, genesis, &mut findings)? == rest::Meta::Empty {
        return Ok(findings.report);
    }
    let chain = chain::check(disk, genesis, options, progress, &mut findings);
    state::check(disk, genesis, &chain, &mut findings);
    rest::check(disk, &chain, &mut findings);
    Ok(findings.report)
}
