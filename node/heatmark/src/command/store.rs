//! `heatmark store`: checks and repairs the database of a stopped node. Refuses one that a running
//! node holds.

mod check;
mod repair;

use super::answer::Answer;
use super::failure::Failure;
use super::place::{HomeArgs, SettingArgs, read_signed_genesis};
use crate::config::Config;
use crate::home::Home;
use crate::run::is_held;
use clap::{Args, Subcommand};
use heatmark_ledger::genesis::Genesis;
use indicatif::{ProgressBar, ProgressStyle};

/// What to do with the database.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Reads all of a stopped node's database and tells what on it is damaged
    #[command(
        after_help = "Example:\n  heatmark store check --home mill\n  heatmark store check --home mill --quick    (no signatures of certificates)\nChanges nothing. Exits with 0 when all is sound, with 1 when something is damaged."
    )]
    Check(check::Check),
    /// Builds a damaged database anew from what is sound and from other members' nodes
    #[command(
        after_help = "Example:\n  heatmark store repair --home mill --from forge.example:26620 --from lab.example:26620\nBelieves no peer: every block is verified from genesis. The damaged database is kept aside."
    )]
    Repair(repair::Repair),
}

pub(crate) fn run(command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Check(command) => check::run(&command),
        Command::Repair(command) => repair::run(&command),
    }
}

/// Whose database.
#[derive(Debug, Clone, Args)]
pub(crate) struct Whose {
    #[command(flatten)]
    home: HomeArgs,
    #[command(flatten)]
    settings: SettingArgs,
}

impl Whose {
    fn read(&self) -> Result<(Home, Config, Genesis), Failure> {
        let home = self.home.home()?;
        let config = self.settings.load(&home)?;
        let genesis = read_signed_genesis(&config.genesis_path())?;
        Ok((home, config, genesis))
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} blocks  {per_sec}") {
        bar.set_style(style);
    }
    bar
}

fn in_use(error: &heatmark_store::StoreError) -> Option<Failure> {
    let text = error.to_string();
    is_held(&text).then(|| {
        Failure::input("a running node holds the database")
            .because(text)
            .next("stop the node first, then run this again")
    })
}
