//! Flags that say which home a command works on, and where its passphrase comes from.

use super::failure::Failure;
use crate::config::{Config, ConfigError, Override};
use crate::files;
use crate::home::Home;
use crate::keys::PassphraseSource;
use clap::Args;
use heatmark_ledger::genesis::{Genesis, MAX_GENESIS_BYTES};
use std::path::{Path, PathBuf};

/// The home.
#[derive(Debug, Clone, Args)]
pub(crate) struct HomeArgs {
    /// The node's directory [default: ~/.heatmark]
    #[arg(long, env = "HEATMARK_HOME", value_name = "DIR")]
    home: Option<PathBuf>,
}

impl HomeArgs {
    pub(crate) fn home(&self) -> Result<Home, Failure> {
        if let Some(home) = &self.home {
            return Ok(Home::new(home));
        }
        std::env::var_os("HOME")
            .map(|home| Home::new(Path::new(&home).join(".heatmark")))
            .ok_or_else(|| Failure::input("no home is given").next("name one with --home DIR"))
    }
}

/// The passphrase.
#[derive(Debug, Clone, Args)]
pub(crate) struct PassphraseArgs {
    /// File with the passphrase of the keys (mode 0600); else HEATMARK_PASSPHRASE, else a prompt
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl PassphraseArgs {
    pub(crate) fn source(&self) -> PassphraseSource {
        PassphraseSource::new(self.passphrase_file.clone())
    }
}

/// Settings given as flags.
#[derive(Debug, Clone, Args)]
pub(crate) struct SettingArgs {
    /// Overrides a setting for this run, for example --set log.filter=debug
    #[arg(long = "set", value_name = "SECTION.FIELD=VALUE")]
    overrides: Vec<Override>,
}

impl SettingArgs {
    pub(crate) fn load(&self, home: &Home) -> Result<Config, Failure> {
        Ok(self.load_plain(home)?)
    }

    pub(crate) fn load_plain(&self, home: &Home) -> Result<Config, ConfigError> {
        Config::load(home, &self.overrides)
    }
}

/// Reads a genesis file; signatures may be missing.
pub(crate) fn read_genesis(path: &Path) -> Result<Genesis, Failure> {
    let limit = u64::try_from(MAX_GENESIS_BYTES).unwrap_or(u64::MAX);
    Ok(Genesis::parse(&files::read(path, limit)?)?)
}

/// Reads a genesis file that every founder has signed.
pub(crate) fn read_signed_genesis(path: &Path) -> Result<Genesis, Failure> {
    let genesis = read_genesis(path)?;
    genesis.require_signed()?;
    Ok(genesis)
}
