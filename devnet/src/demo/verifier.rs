//! The second verifier, for which a Python with PyNaCl must be there.

use anyhow::Result;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const SCRIPT: &str = include_str!("../../../tests/verifier/heatmark_verify.py");

/// Name of the script in the town's directory.
pub(crate) const NAME: &str = "heatmark_verify.py";

/// A Python that can verify signatures.
#[derive(Debug)]
pub(crate) struct Python(&'static str);

impl Python {
    /// One that is installed, if any.
    pub(crate) fn find() -> Option<Self> {
        ["python3", "/usr/bin/python3"].into_iter().map(Python).find(|python| {
            let mut command = Command::new(python.0);
            command.args(["-c", "import nacl.bindings"]).stdin(Stdio::null());
            command.output().is_ok_and(|output| output.status.success())
        })
    }

    /// How one types it.
    pub(crate) fn name(&self) -> &'static str {
        self.0
    }

    /// Puts the script into a directory.
    pub(crate) fn prepare(directory: &Path) -> Result<()> {
        Ok(fs::write(directory.join(NAME), SCRIPT)?)
    }

    /// Runs the script on a receipt.
    pub(crate) fn verify(&self, directory: &Path, trust: &str, receipt: &str) -> Result<Output> {
        let mut command = Command::new(self.0);
        command.current_dir(directory).stdin(Stdio::null());
        Ok(command.args([NAME, "receipt", "--trust", trust, receipt]).output()?)
    }
}
