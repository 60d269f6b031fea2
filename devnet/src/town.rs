//! The commands that keep a town: up, status, kill, restart, pause, resume, down.

use crate::output::{Ink, lasted, say, short, table};
use crate::{Binary, Named, Place};
use anyhow::{Context as _, Result, anyhow};
use clap::Args;
use heatmark_devnet::{Devnet, Keeping, Plan, Program, Record, Standing, State};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::signal::unix::{Signal, SignalKind, signal};

const KEEPER_LIMIT: Duration = Duration::from_secs(60);
const LOOK_INTERVAL: Duration = Duration::from_millis(500);

/// `up`.
#[derive(Debug, Args)]
pub(crate) struct Up {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    binary: Binary,
    /// Organisations that vote: mill, forge, assembler, lab, escrow-agent, mill-2, …
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    validators: u16,
    /// Organisations that only watch: regulator, …
    #[arg(long, value_name = "M", default_value_t = 1, value_parser = clap::value_parser!(u16).range(0..=64))]
    observers: u16,
    /// Sets what all nodes agree on, for example heartbeat_ms=5000; may be repeated
    #[arg(long = "parameter", value_name = "NAME=VALUE")]
    parameters: Vec<String>,
    /// What nodes log, for example info,heatmark_consensus=debug
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// Lays links between nodes that partition, delay, loss and reset can break
    #[arg(long)]
    links: bool,
    /// Leaves the nodes running until `heatmark-devnet down`
    #[arg(long)]
    detach: bool,
}

/// `status`.
#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    place: Place,
    /// Prints the result as JSON
    #[arg(long)]
    json: bool,
}

/// Starts a town, or one that was stopped, and keeps it unless told to leave it alone.
pub(crate) async fn up(up: Up) -> Result<bool> {
    let begun = Instant::now();
    let keeping = if up.detach { Keeping::Detached } else { Keeping::Kept };
    let (mut devnet, new) = raise(&up, keeping)?;
    let mut ends = Ends::watch()?;
    let started = tokio::select! {
        started = start(&mut devnet, new) => started,
        () = ends.wait() => Err(anyhow!("stopped while the nodes were starting")),
    };
    if let Err(error) = started {
        devnet.down().await.context("stopping what had started")?;
        return Err(error);
    }
    say(&status_table(&devnet.standings().await));
    say("");
    say(&format!(
        "Up after {}. Homes, logs and devnet.json are in {}.",
        lasted(begun.elapsed()),
        devnet.directory().display()
    ));
    let place = devnet.directory().display().to_string();
    say(&format!("Try:   heatmark log status --home {place}/mill"));
    if keeping == Keeping::Detached {
        say(&format!("Stop:  heatmark-devnet down --dir {place}"));
        return Ok(true);
    }
    say("Stop:  Ctrl-C");
    keep(&mut devnet, &mut ends).await
}

fn raise(up: &Up, keeping: Keeping) -> Result<(Devnet, Vec<heatmark_devnet::HeldPorts>)> {
    std::fs::create_dir_all(&up.place.dir)?;
    let directory = directory(&up.place.dir)?;
    if Record::read(&directory).is_ok() {
        let mut devnet = Devnet::open(&directory)?;
        if up.links {
            // Says so where the network was founded without.
            devnet.rules()?;
        }
        devnet.take_over(keeping)?;
        say(&format!("Going on with the network in {}.", directory.display()));
        return Ok((devnet, Vec::new()));
    }
    let program = Program::find(up.binary.heatmark.as_deref(), &directory)?;
    let plan = Plan {
        directory,
        validators: usize::from(up.validators),
        observers: usize::from(up.observers),
        parameters: up.parameters.clone(),
        log_filter: up.log.clone(),
        keeping,
    };
    let found = if up.links { Devnet::found_linked } else { Devnet::found };
    Ok(found(&program, plan, &mut |_| {})?)
}

async fn start(devnet: &mut Devnet, held: Vec<heatmark_devnet::HeldPorts>) -> Result<()> {
    Ok(devnet.start(held).await?)
}

/// Holds the town until somebody ends it, or all its nodes are gone.
async fn keep(devnet: &mut Devnet, ends: &mut Ends) -> Result<bool> {
    loop {
        tokio::select! {
            () = ends.wait() => break,
            () = tokio::time::sleep(LOOK_INTERVAL) => devnet.refresh()?,
        }
    }
    say("Stopping all nodes.");
    devnet.refresh()?;
    let stopped = devnet.down().await?;
    let mut graceful = true;
    for node in stopped.iter().filter(|node| node.killed) {
        graceful = false;
        say(&format!("{} {} did not stop in time and was killed", Ink::Red.paint("!"), node.name));
    }
    Ok(graceful)
}

/// Prints where each node stands.
pub(crate) async fn status(status: &Status) -> Result<bool> {
    let devnet = Devnet::open(&directory(&status.place.dir)?)?;
    let standings = devnet.standings().await;
    if status.json {
        let json = json!({ "network": devnet.record().network, "nodes": standings });
        say(&format!("{json:#}"));
    } else {
        say(&status_table(&standings));
        for pair in devnet.rules().map(|rules| rules.pairs).unwrap_or_default() {
            let [one, other] = &pair.between;
            let ailing = crate::faults::described(&pair.condition);
            if let Some(ailing) = ailing {
                say(&format!("{one} – {other}: {ailing}"));
            }
        }
    }
    Ok(standings.iter().all(|node| node.state == State::Up && node.height.is_some()))
}

/// Where nodes stand, as a table.
pub(crate) fn status_table(standings: &[Standing]) -> String {
    let shown = |number: Option<u64>| number.map_or_else(|| "–".to_owned(), |n| n.to_string());
    let rows: Vec<Vec<String>> = standings
        .iter()
        .map(|node| {
            let peers = match (node.consensus_peers, node.exchange_peers) {
                (Some(consensus), Some(exchange)) => format!("{consensus}+{exchange}"),
                _ => "–".to_owned(),
            };
            let state = match node.state {
                State::Up => "up",
                State::Paused => "paused",
                State::Down => "down",
            };
            vec![
                node.name.clone(),
                if node.validator { format!("{}, votes", node.role) } else { node.role.clone() },
                shown(node.height),
                shown(node.log_size),
                node.log_root.as_deref().map_or_else(|| "–".to_owned(), short),
                peers,
                node.pid.map_or_else(|| "–".to_owned(), |pid| pid.to_string()),
                state.to_owned(),
            ]
        })
        .collect();
    let heading = ["ORGANISATION", "ROLE", "HEIGHT", "LEAVES", "LOG ROOT", "PEERS", "PID", "STATE"];
    table(0, &heading, &rows)
}

/// `kill`.
pub(crate) async fn kill(named: &Named) -> Result<bool> {
    open(named)?.kill(&named.name).await?;
    say(&format!("{} is gone, as after a power failure", named.name));
    Ok(true)
}

/// `restart`.
pub(crate) async fn restart(named: &Named) -> Result<bool> {
    let begun = Instant::now();
    open(named)?.restart(&named.name).await?;
    say(&format!("{} is ready again after {}", named.name, lasted(begun.elapsed())));
    Ok(true)
}

/// `pause`.
pub(crate) fn pause(named: &Named) -> Result<bool> {
    open(named)?.pause(&named.name)?;
    say(&format!("{} is frozen", named.name));
    Ok(true)
}

/// `resume`.
pub(crate) fn resume(named: &Named) -> Result<bool> {
    open(named)?.resume(&named.name)?;
    say(&format!("{} goes on", named.name));
    Ok(true)
}

/// `down`: through the keeper where one lives, so that it ends as well.
pub(crate) async fn down(place: &Place) -> Result<bool> {
    let mut devnet = Devnet::open(&directory(&place.dir)?)?;
    if devnet.dismiss_keeper(KEEPER_LIMIT).await? {
        devnet.refresh()?;
    }
    devnet.down().await?;
    say("No node runs any more.");
    Ok(true)
}

fn open(named: &Named) -> Result<Devnet> {
    Ok(Devnet::open(&directory(&named.place.dir)?)?)
}

/// Absolute, since nodes run in the town's directory and not in ours.
pub(crate) fn directory(path: &Path) -> Result<PathBuf> {
    path.canonicalize().with_context(|| format!("{} is no directory", path.display()))
}

/// What ends a keeper: Ctrl-C, a request to terminate, or the terminal's end.
pub(crate) struct Ends {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Ends {
    pub(crate) fn watch() -> Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    pub(crate) async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}
