//! `heatmark node run`: the node itself, in the foreground, until it is told to stop. Refuses to
//! start with settings that `heatmark config check` finds faulty.

use super::answer::Answer;
use super::failure::{Failure, chain};
use super::place::{HomeArgs, PassphraseArgs, SettingArgs, read_signed_genesis};
use crate::config::{self, Standing};
use crate::keys::Keys;
use crate::logging;
use clap::{Args, Subcommand};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

/// What to do with the node.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs the node until it receives SIGTERM or Ctrl-C
    #[command(
        after_help = "Example:\n  heatmark node run --home mill\n  heatmark node run --home mill --set log.format=json --set log.filter=info\nStops in order: no new requests, the block under way, the database."
    )]
    Run(Run),
}

/// `node run`.
#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    home: HomeArgs,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    #[command(flatten)]
    settings: SettingArgs,
    /// Also stops when standard input ends, so that the node does not outlive who started it
    #[arg(long)]
    stop_on_stdin_close: bool,
}

pub(crate) fn run(command: Command) -> Result<Answer, Failure> {
    let Command::Run(command) = command;
    let home = command.home.home()?;
    let config = command.settings.load(&home)?;
    refuse_faults(&config)?;
    let genesis = read_signed_genesis(&config.genesis_path())?;
    let keys = Keys::load(&home, &mut command.passphrase.source())?;
    logging::init(&config.log).map_err(|error| {
        Failure::input("logging cannot be set up").because(error).next("mend [log] in the settings")
    })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        Failure::unknown("the program could not start its runtime").because(error)
    })?;
    runtime.block_on(async {
        let shutdown = shutdown(command.stop_on_stdin_close)?;
        crate::run::run(&config, keys, genesis, shutdown).await.map_err(|error| {
            Failure::unknown("the node does not run")
                .because(chain(&error))
                .next("mend what the reason names; `heatmark config check` may tell more")
        })
    })?;
    Ok(Answer::yes(json!({ "stopped": true }), ""))
}

fn refuse_faults(config: &config::Config) -> Result<(), Failure> {
    let faults: Vec<String> = config::check(config)
        .into_iter()
        .filter(|finding| finding.standing == Standing::Fault)
        .map(|finding| format!("{} {}", finding.what, finding.found))
        .collect();
    if faults.is_empty() {
        return Ok(());
    }
    Err(Failure::input("the node cannot run with these settings")
        .because(faults.join("\n        "))
        .next("mend them; heatmark config check shows everything"))
}

/// Resolves at the first SIGTERM or SIGINT, or when standard input ends where that counts.
fn shutdown(with_stdin: bool) -> Result<impl Future<Output = ()>, Failure> {
    let unheard = |error| Failure::unknown("signals cannot be received").because(error);
    let mut terminate = signal(SignalKind::terminate()).map_err(unheard)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(unheard)?;
    let (ended, end) = tokio::sync::oneshot::channel::<()>();
    if with_stdin {
        // A thread of its own: a runtime would wait for a read that never ends before it stops.
        std::thread::spawn(move || {
            // An error ends the input as well; nobody listens once the node stops.
            let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
            let _ = ended.send(());
        });
    }
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            Ok(()) = end => {}
        }
    })
}
