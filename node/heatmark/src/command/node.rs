//! `heatmark node run`: the node itself, in the foreground, until it is told to stop. Refuses to
//! start with settings that `heatmark config check` finds faulty.

use super::answer::{Answer, Exit};
use super::failure::Failure;
use super::place::{HomeArgs, PassphraseArgs, SettingArgs, read_signed_genesis};
use crate::config::{self, Standing};
use crate::home::Home;
use crate::keys::{self, KeyKind, KeyRing, Keys};
use crate::logging;
use crate::run::{RunError, Trouble, describe, is_held};
use crate::voting::{self, Past};
use clap::{Args, Subcommand};
use heatmark_consensus::{Failure as StopReason, begin_journal};
use heatmark_ledger::keys::PublicKey;
use heatmark_store::{Store, StoreOptions};
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
    /// Lets a validator that lost its data vote at once, where too few others are left to go on
    #[command(
        after_help = "Example:\n  heatmark node resume-voting --home mill --accept-risk\nA validator that lost its data follows the log and votes again by itself. Where a third or more of the votes did\nat once, the network cannot go on without them: then, and only then, their operators may agree to this."
    )]
    ResumeVoting(ResumeVoting),
}

/// `node resume-voting`.
#[derive(Debug, Args)]
pub(crate) struct ResumeVoting {
    #[command(flatten)]
    home: HomeArgs,
    #[command(flatten)]
    settings: SettingArgs,
    /// Says that you accept that this key may sign twice
    #[arg(long)]
    accept_risk: bool,
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
    let command = match command {
        Command::Run(command) => command,
        Command::ResumeVoting(command) => return resume_voting(&command),
    };
    let home = command.home.home()?;
    let config = command.settings.load(&home)?;
    refuse_faults(&config)?;
    let genesis = read_signed_genesis(&config.genesis_path())?;
    // Opened before anything else, so that a passphrase is asked for while somebody is there.
    let mut passphrase = command.passphrase.source();
    Keys::load(&home, &mut passphrase)?;
    let ring = KeyRing::new(home.clone(), passphrase);
    logging::init(&config.log).map_err(|error| {
        Failure::input("logging cannot be set up").because(error).next("mend [log] in the settings")
    })?;
    let runtime = crate::run::runtime();
    let runtime = runtime.map_err(|error| {
        Failure::unknown("the program could not start its runtime").because(error)
    })?;
    runtime.block_on(async {
        let shutdown = shutdown(command.stop_on_stdin_close)?;
        let ran = crate::run::run(&config, ring, genesis, shutdown).await;
        ran.map_err(|error| failed(&error, &home))
    })?;
    Ok(Answer::yes(json!({ "stopped": true }), ""))
}

fn failed(error: &RunError, home: &Home) -> Failure {
    if let RunError::Version(version) = error {
        return Failure::unknown("the node has stopped: this program is too old for the network")
            .because(version)
            .next(
                "install a newer heatmark and start the node again; its log, state and keys are \
                 whole, and `heatmark log audit --data HOME/data/log` still reads them",
            );
    }
    let why = describe(error);
    if is_held(&why) {
        return Failure::input("another process runs a node with this home, or reads its database")
            .because(why)
            .next("let that one go on, or stop it first, then start this one again");
    }
    let Some(trouble) = Trouble::of(&why) else {
        return Failure::unknown("the node does not run")
            .because(why)
            .next("mend what the reason names; `heatmark config check` may tell more");
    };
    let exit = if trouble == Trouble::Damaged { Exit::Damaged } else { Exit::Disk };
    let next = if trouble == Trouble::Damaged && matches!(error, RunError::Vault(_)) {
        "move data/vault away and make it anew: heatmark vault restore BACKUP; the log is not affected"
            .to_owned()
    } else if matches!(error, RunError::ConsensusFailed(StopReason::Log(_))) {
        "start the node again: it follows the log, and votes again by itself once that is safe"
            .to_owned()
    } else {
        trouble.next(&home.path().display().to_string())
    };
    Failure::new(exit, trouble.what()).because(why).next(next)
}

/// Lets a validator vote whose earlier votes are forgotten, on its operator's word.
fn resume_voting(command: &ResumeVoting) -> Result<Answer, Failure> {
    let home = command.home.home()?;
    let config = command.settings.load(&home)?;
    if !command.accept_risk {
        return Err(Failure::input("this is not done without --accept-risk")
            .because(RISK)
            .next("let the node rejoin by itself; only where too few others are left, run it again with --accept-risk"));
    }
    let config = config.in_era(newest_era(&config)?);
    let described = keys::describe(&keys::key_path(&home, KeyKind::Consensus))?;
    let key = described.public.and_then(|public| PublicKey::from_bytes(&public).ok());
    let key = key.ok_or_else(|| Failure::input("keys/consensus.key has no public key"))?;
    std::fs::create_dir_all(config.wal_dir())
        .and_then(|()| begin_journal(&config.wal_dir()).map(|_| ()))
        .map_err(|error| {
            Failure::input("the consensus journal cannot be begun anew")
                .because(error)
                .next("stop the node first, then run this again")
        })?;
    voting::remember(&home, &key, Past::Voted)?;
    Ok(Answer::yes(
        json!({ "ok": true, "votes": true }),
        format!("The node of {} votes from its next start on.\n{RISK}\n", home.path().display()),
    ))
}

/// The era of the next height, whose journal counts.
fn newest_era(config: &config::Config) -> Result<Option<String>, Failure> {
    if !config.log_dir().join("CURRENT").is_file() {
        return Ok(None);
    }
    let genesis = read_signed_genesis(&config.genesis_path())?;
    let store = Store::open(&config.log_dir(), &genesis, &StoreOptions::default());
    let store = store.map_err(|error| {
        Failure::unknown("the node's database cannot be opened")
            .because(error)
            .next("stop the node first, then run this again")
    })?;
    Ok(store.tip().chain.restart.map(|restart| config::era_directory(&restart.era)))
}

const RISK: &str = "What this key signed before is forgotten. Should it now sign another block of \
                    the same height and round, others keep that as proof of fraud, and a block \
                    that was acknowledged may be undone. It is for a network that cannot go on \
                    otherwise, after its members agreed on it.";

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
