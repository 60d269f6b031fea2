//! Why a command stopped: what happened, why, and what to do next. Never a stack trace.

use super::answer::Exit;
use crate::config::ConfigError;
use crate::files::FileError;
use crate::keys::KeysError;
use heatmark_client::ClientError;
use heatmark_ledger::genesis::GenesisError;
use serde_json::{Value, json};
use std::fmt;

/// A command's end without a result.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    what: String,
    why: Option<String>,
    next: Option<String>,
    code: Option<String>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), why: None, next: None, code: None }
    }

    /// Wrong usage, or input that cannot be read.
    pub(crate) fn input(what: impl Into<String>) -> Self {
        Self::new(Exit::Input, what)
    }

    /// The answer is no.
    pub(crate) fn no(what: impl Into<String>) -> Self {
        Self::new(Exit::No, what)
    }

    /// It cannot be told.
    pub(crate) fn unknown(what: impl Into<String>) -> Self {
        Self::new(Exit::Unknown, what)
    }

    pub(crate) fn because(mut self, why: impl fmt::Display) -> Self {
        self.why = Some(why.to_string());
        self
    }

    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    fn code(mut self, code: Option<&str>) -> Self {
        self.code = code.map(str::to_owned);
        self
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "ok": false,
            "error": {
                "what": self.what,
                "why": self.why,
                "next": self.next,
                "code": self.code,
            },
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        if let Some(why) = &self.why {
            write!(f, "\n  why:  {why}")?;
        }
        if let Some(next) = &self.next {
            write!(f, "\n  next: {next}")?;
        }
        Ok(())
    }
}

impl From<FileError> for Failure {
    fn from(error: FileError) -> Self {
        let next = match &error {
            FileError::Exists(_) => "choose another place, or move the old one away yourself",
            FileError::Exposed { .. } => {
                "change the mode, and if somebody may have read it, rotate the key"
            }
            _ if error.is_missing() => "check the path",
            _ => "check the path and its permissions",
        };
        Self::input("a file could not be used").because(&error).next(next)
    }
}

impl From<KeysError> for Failure {
    fn from(error: KeysError) -> Self {
        let next = match error {
            KeysError::File(missing) if missing.is_missing() => {
                return Self::input("a key file is missing")
                    .because(missing)
                    .next("make keys with `heatmark keys generate`, or name the home with --home");
            }
            KeysError::File(FileError::Exists(path)) => {
                return Self::input("this home has keys already, and keys are never overwritten")
                    .because(format!("{} holds files", path.display()))
                    .next("use another --home, or move the old keys away yourself");
            }
            KeysError::File(file) => return file.into(),
            KeysError::PassphraseNeeded(_) => "set it and run the command again",
            KeysError::DoesNotOpen(_) => "try the passphrase again; else restore from a backup",
            KeysError::PassphrasesDiffer | KeysError::EmptyPassphrase => "run the command again",
            KeysError::Crypto(_) | KeysError::Terminal(_) => "run the command again",
            _ => "restore the file from a backup: heatmark keys restore --from FILE",
        };
        Self::input("the keys could not be used").because(&error).next(next)
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let next = match &error {
            ConfigError::Missing(_) => "write one: heatmark config init --home DIR",
            _ => "mend it, then run: heatmark config check",
        };
        Self::input("the settings cannot be used").because(&error).next(next)
    }
}

impl From<GenesisError> for Failure {
    fn from(error: GenesisError) -> Self {
        let next = match &error {
            GenesisError::Unsigned(_) => {
                "wait until every founder has signed: heatmark network show GENESIS tells who has not"
            }
            GenesisError::BadSignature(_) => "ask that founder to sign this very document again",
            _ => "mend the founding entries and run `heatmark network init` again",
        };
        Self::input("the genesis file cannot be used").because(&error).next(next)
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let why = chain(&error);
        let (exit, what, next) = match &error {
            ClientError::Address => {
                (Exit::Input, "the node's address is not one", "give it as host:port")
            }
            ClientError::Tls(_) | ClientError::NotATransaction(_) => {
                (Exit::Input, "the request could not be made", "check the keys of this home")
            }
            _ if error.is_unreachable() => (
                Exit::Unknown,
                "the node does not answer",
                "start it with `heatmark node run`, or name another one with --node",
            ),
            ClientError::NotAdmitted => (
                Exit::No,
                "the node does not let this key in",
                "use the home of a member in good standing; `heatmark member list` shows them",
            ),
            ClientError::OtherNetwork => (
                Exit::Input,
                "the node belongs to another network than the genesis file",
                "check --home and the address",
            ),
            _ if error.is_not_found() => {
                (Exit::No, "it is not on the log of this node", "check the id; it may come yet")
            }
            ClientError::Refused { .. } => {
                (Exit::No, "the node refused", "mend what the reason names, then try again")
            }
            _ => (
                Exit::No,
                "the node's answer is not true",
                "do not rely on this node: ask another one, and tell its operator",
            ),
        };
        let code = error.refusal_code().map(str::to_owned);
        Self::new(exit, what).because(why).next(next).code(code.as_deref())
    }
}

/// An error with everything under it, each said once.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let said = source.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = source.source();
    }
    text
}
