//! The node's program: found, and run for one command, as a person would type it. Refuses exit
//! codes other than the one expected. The caller's own `HEATMARK_…` settings never reach it.

use crate::error::{DevnetError, FailedCommand, io_error};
use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The program `heatmark`, with the directory in which its commands are run.
#[derive(Debug, Clone)]
pub struct Program {
    path: PathBuf,
    directory: PathBuf,
}

/// What a command said.
#[derive(Debug, Clone)]
pub struct Ran {
    /// As one would type it in the town's directory.
    pub line: String,
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// Its result.
    pub stdout: String,
    /// Its progress and errors.
    pub stderr: String,
}

impl Program {
    /// The program at `path`, or else beside this one, to be run in `directory`.
    ///
    /// # Errors
    /// [`DevnetError::NoProgram`].
    pub fn find(path: Option<&Path>, directory: &Path) -> Result<Self, DevnetError> {
        let path = match path {
            Some(path) => path.to_owned(),
            None => beside_this_one()?,
        };
        let path = path.canonicalize().map_err(|_| DevnetError::NoProgram(path))?;
        Ok(Self { path, directory: directory.to_owned() })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A command that starts another program of the same build, with nothing of the caller's own
    /// settings.
    pub(crate) fn beside(&self, name: &str) -> Command {
        Self { path: self.path.with_file_name(name), directory: self.directory.clone() }.command()
    }

    /// A command that starts the program with nothing of the caller's own settings.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.current_dir(&self.directory).stdin(Stdio::null());
        for (name, _) in env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"HEATMARK_") {
                command.env_remove(name);
            }
        }
        command
    }

    /// Runs a command to its end, whatever its exit code.
    ///
    /// # Errors
    /// [`DevnetError::Io`] when it could not be started.
    pub fn run(&self, arguments: &[&str]) -> Result<Ran, DevnetError> {
        let mut command = self.command();
        let output = command.args(arguments).output().map_err(io_error(self.path.display()))?;
        Ok(Ran {
            line: Self::line(arguments),
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs a command that must end with this exit code.
    ///
    /// # Errors
    /// [`DevnetError::Command`] when it ends otherwise.
    pub fn run_expecting(&self, code: i32, arguments: &[&str]) -> Result<Ran, DevnetError> {
        let ran = self.run(arguments)?;
        if ran.code == Some(code) {
            return Ok(ran);
        }
        let stderr = if ran.stderr.trim().is_empty() { ran.stdout } else { ran.stderr };
        let failed = FailedCommand { line: ran.line, code: ran.code, stderr };
        Err(DevnetError::Command(Box::new(failed)))
    }

    /// A command line as a person would type it.
    #[must_use]
    pub fn line(arguments: &[&str]) -> String {
        let mut line = String::from("heatmark");
        for argument in arguments {
            line.push(' ');
            if !argument.is_empty()
                && argument.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./=:+,".contains(&b))
            {
                line.push_str(argument);
            } else {
                line.push('\'');
                line.push_str(&argument.replace('\'', "'\\''"));
                line.push('\'');
            }
        }
        line
    }
}

fn beside_this_one() -> Result<PathBuf, DevnetError> {
    let own = env::current_exe().map_err(io_error("this program"))?;
    let mut directory = own.parent().unwrap_or(Path::new(".")).to_owned();
    // Test programs live one directory deeper.
    if directory.ends_with("deps") {
        directory.pop();
    }
    Ok(directory.join("heatmark"))
}
