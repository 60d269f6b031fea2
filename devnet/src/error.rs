//! What can go wrong in a town, told apart by what its keeper can do about it.

use crate::process::ProcessId;
use heatmark_client::ClientError;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;
use thiserror::Error;

/// Why a town could not be made, changed or asked.
#[derive(Debug, Error)]
pub enum DevnetError {
    /// The system refused a file, a port or a signal. The source says why.
    #[error("{place}: {source}")]
    Io {
        /// File or address.
        place: String,
        /// What the system said.
        source: io::Error,
    },
    /// No port could be bound in very many attempts. Close something that listens.
    #[error("no free port was found on 127.0.0.1")]
    NoFreePort,
    /// The node's program is not there. Build it: `cargo build --workspace --bins`.
    #[error("{} is not there; build it with `cargo build --workspace --bins` or name it with --heatmark", .0.display())]
    NoProgram(PathBuf),
    /// A command exited with another code than it should have.
    #[error("{0}")]
    Command(Box<FailedCommand>),
    /// There is no town here. Start one with `heatmark-devnet up`.
    #[error("{} holds no devnet; start one with `heatmark-devnet up`", .0.display())]
    NotHere(PathBuf),
    /// A town runs here already. Stop it with `heatmark-devnet down`.
    #[error("a devnet runs in {} already; stop it with `heatmark-devnet down`", .0.display())]
    Running(PathBuf),
    /// `devnet.json` is not what this program writes. Remove the directory.
    #[error("{}: {source}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: serde_json::Error,
    },
    /// Nobody by this name lives here. See `heatmark-devnet status`.
    #[error("nobody here is called {name}; there are {known}")]
    Unknown {
        /// As given.
        name: String,
        /// Who is there.
        known: Names,
    },
    /// The node is up already.
    #[error("{0} is up already")]
    Up(String),
    /// The node is down. Start it with `heatmark-devnet restart`.
    #[error("{0} is down; start it with `heatmark-devnet restart {0}`")]
    Down(String),
    /// A node stopped while it was starting. Its log says why.
    #[error("{name} stopped while starting; its log {} ends:\n{tail}", log.display())]
    StoppedEarly {
        /// The node.
        name: String,
        /// Its log.
        log: PathBuf,
        /// The log's last lines.
        tail: LogTail,
    },
    /// What was waited for did not happen in time. The logs in the town's directory say more.
    #[error("{what} did not happen within {} s: {standing}", within.as_secs())]
    Deadline {
        /// What was waited for.
        what: &'static str,
        /// How long.
        within: Duration,
        /// Where the nodes stand.
        standing: Standings,
    },
    /// Two nodes hold different blocks at one height. Never may that be.
    #[error("{one} and {other} hold different blocks at height {height}")]
    Fork {
        /// A node.
        one: String,
        /// Another one.
        other: String,
        /// Where they differ.
        height: u64,
    },
    /// A node could not be asked.
    #[error("{name}: {source}")]
    Client {
        /// The node.
        name: String,
        /// Why.
        source: ClientError,
    },
    /// The genesis file is none.
    #[error("{}: {source}", path.display())]
    Genesis {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: heatmark_ledger::genesis::GenesisError,
    },
    /// A node's keys cannot be read.
    #[error("{0}")]
    Keys(#[from] heatmark::keys::KeysError),
    /// Settings cannot be written as TOML.
    #[error("settings: {0}")]
    Settings(#[from] toml::ser::Error),
    /// Its nodes dial each other directly. Start it with `heatmark-devnet up --links`.
    #[error("the links of the devnet in {} cannot be broken; a new one started with `heatmark-devnet up --links` has such", .0.display())]
    NoLinks(PathBuf),
    /// What a scenario claims does not hold.
    #[error("{0}")]
    Claim(String),
    /// A process would not end.
    #[error("process {0} does not end, not even killed")]
    Immortal(ProcessId),
}

/// A command that did not do what it should.
#[derive(Debug)]
pub struct FailedCommand {
    /// As one would type it.
    pub line: String,
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl fmt::Display for FailedCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code =
            self.code.map_or_else(|| "no exit code".to_owned(), |c| format!("exit code {c}"));
        write!(f, "`{}` ended with {code}:\n{}", self.line, self.stderr.trim_end())
    }
}

/// Names in a message.
#[derive(Debug)]
pub struct Names(pub Vec<String>);

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}

/// The end of a log.
#[derive(Debug)]
pub struct LogTail(pub Vec<String>);

impl fmt::Display for LogTail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("\n"))
    }
}

impl LogTail {
    /// Whether the node found its port taken.
    pub(crate) fn port_taken(&self) -> bool {
        self.0.iter().any(|line| line.to_lowercase().contains("in use"))
    }
}

/// Where nodes stood when a deadline passed.
#[derive(Debug)]
pub struct Standings(pub Vec<(String, String)>);

impl fmt::Display for Standings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let each: Vec<String> = self.0.iter().map(|(name, at)| format!("{name} {at}")).collect();
        f.write_str(&each.join(", "))
    }
}

pub(crate) fn io_error(place: impl fmt::Display) -> impl FnOnce(io::Error) -> DevnetError {
    let place = place.to_string();
    move |source| DevnetError::Io { place, source }
}
