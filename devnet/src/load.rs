//! Measures a network from outside: clients sign anchors with members' keys, submit them over gRPC
//! and count only what comes back with a receipt that verifies from genesis on.
//!
//! ```text
//!   clients ── sign ─▶ submit and wait ─▶ verify the receipt ─▶ one measurement
//!                          │
//!   an own network: up ─ idle, stopped: disk before ─ up ─ load ─ stopped: disk after
//! ```

mod client;
mod disk;
pub(crate) mod percentiles;
mod report;

use crate::Binary;
use crate::output::say;
use crate::town::{Ends, directory};
use anyhow::{Context as _, Result, bail};
use clap::Args;
use client::{Clients, Outcome};
use heatmark_devnet::{Devnet, Keeping, Plan, Program, processor_time};
use report::Report;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const SETTLE_LIMIT: Duration = Duration::from_secs(60);

/// What is submitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum What {
    /// Roots of records: they write no state.
    Anchors,
    /// First concerns, each about a subject of its own: a new key of the state map each.
    Alerts,
}

/// `load`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Load {
    #[command(flatten)]
    binary: Binary,
    /// Clients at a time, each on a connection of its own
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4096))]
    clients: u32,
    /// How long to submit
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// Record roots an anchor
    #[arg(long, value_name = "B", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    batch: u32,
    /// What each transaction is: an anchor, or an alert, which also writes state
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = What::Anchors)]
    what: What,
    /// Offers so many transactions a second, whether or not earlier ones are committed; without
    /// it, each client submits as soon as its last one is
    #[arg(long, value_name = "R", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: Option<u32>,
    /// Writes the figures to this file
    #[arg(long, value_name = "FILE")]
    report: PathBuf,
    /// Validators of the network that is started for this
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    validators: u16,
    /// Uses the network that runs here; the disk figures are null then
    #[arg(long, value_name = "DIR", conflicts_with = "validators")]
    dir: Option<PathBuf>,
}

/// Runs the load; true when nothing failed.
pub(crate) async fn run(load: Load) -> Result<bool> {
    let mut ends = Ends::watch()?;
    let report = tokio::select! {
        report = measure(&load) => report?,
        () = ends.wait() => bail!("stopped; nothing was measured"),
    };
    let json = report.json();
    fs::write(&load.report, format!("{json:#}\n"))
        .with_context(|| format!("writing {}", load.report.display()))?;
    say(&format!("{json:#}"));
    Ok(report.errors == 0 && report.transactions > 0)
}

async fn measure(load: &Load) -> Result<Report> {
    if let Some(dir) = &load.dir {
        let devnet = Devnet::open(&directory(dir)?)?;
        return drive(load, &devnet).await;
    }
    let temporary = tempfile::Builder::new().prefix("heatmark-load-").tempdir()?;
    let place = directory(temporary.path())?;
    let program = Program::find(load.binary.heatmark.as_deref(), &place)?;
    let plan = Plan {
        directory: place,
        validators: usize::from(load.validators),
        observers: 0,
        parameters: Vec::new(),
        log_filter: Some("warn".to_owned()),
        keeping: Keeping::Kept,
    };
    let (mut devnet, held) = Devnet::found(&program, plan, &mut |_| {})?;
    devnet.start(held).await?;
    down(&mut devnet).await?;
    let before = disk::used(&devnet)?;
    devnet.start(Vec::new()).await?;
    let mut report = drive(load, &devnet).await?;
    devnet.agree(&devnet.names(), report.transactions, SETTLE_LIMIT).await?;
    report.rss_bytes_max = peak_memory(&devnet);
    down(&mut devnet).await?;
    report.disk_bytes = Some(disk::most_grown(&before, &disk::used(&devnet)?));
    Ok(report)
}

async fn drive(load: &Load, devnet: &Devnet) -> Result<Report> {
    let clients = Clients::connect(devnet, load).await?;
    // One commit a client before anything counts: connections are warm, sessions set up.
    clients.warm_up().await?;
    let (begun, spent) = (Instant::now(), Spent::so_far(devnet));
    let limit = Duration::from_secs(load.seconds);
    let outcomes = match load.rate {
        None => clients.closed_loop(begun, limit).await,
        Some(rate) => clients.offered(begun, limit, rate).await,
    };
    let (elapsed, spent) = (begun.elapsed(), Spent::so_far(devnet).since(&spent));
    let mut report = Report {
        validators: devnet.nodes().iter().filter(|node| node.validator).count(),
        clients: load.clients,
        batch: load.batch,
        seconds: elapsed,
        transactions: 0,
        commits: Vec::new(),
        errors: 0,
        what: load.what,
        spent,
        disk_bytes: None,
        rss_bytes_max: peak_memory(devnet),
    };
    for outcome in outcomes {
        match outcome {
            Outcome::Committed(took) => {
                report.transactions = report.transactions.saturating_add(1);
                report.commits.push(took);
            }
            Outcome::Failed => report.errors = report.errors.saturating_add(1),
        }
    }
    Ok(report)
}

/// Processor time: nodes, and this process with all its clients.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spent {
    pub(crate) nodes: Duration,
    pub(crate) clients: Duration,
}

impl Spent {
    fn so_far(devnet: &Devnet) -> Self {
        let nodes = devnet.nodes().iter().filter_map(|node| node.process);
        Self {
            nodes: nodes.map(|process| processor_time(process.pid)).sum(),
            clients: processor_time(std::process::id()),
        }
    }

    fn since(self, before: &Self) -> Self {
        Self {
            nodes: self.nodes.saturating_sub(before.nodes),
            clients: self.clients.saturating_sub(before.clients),
        }
    }
}

async fn down(devnet: &mut Devnet) -> Result<()> {
    for node in devnet.down().await? {
        if node.killed || node.code != Some(0) {
            bail!("{} did not stop cleanly: disk figures would be wrong", node.name);
        }
    }
    Ok(())
}

fn peak_memory(devnet: &Devnet) -> u64 {
    let processes = devnet.nodes().iter().filter_map(|node| node.process);
    processes.map(|process| process.peak_memory_bytes()).max().unwrap_or(0)
}
