//! The commands that do something to a town: break links, and play scenarios of faults.

use crate::output::{Ink, chain, lasted, say};
use crate::town::{Ends, directory};
use crate::{Binary, Place};
use anyhow::{Context as _, Result, bail};
use clap::Args;
use heatmark_devnet::links::{self, Condition};
use heatmark_devnet::scenarios::{self, Extent, Scenario};
use heatmark_devnet::{Devnet, Keeping, Plan, Program};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// `partition`.
#[derive(Debug, Args)]
pub(crate) struct Partition {
    #[command(flatten)]
    place: Place,
    /// Groups of names, for example mill,forge assembler,lab; who is in none makes up one more
    #[arg(value_name = "NAME,NAME", required = true)]
    groups: Vec<String>,
}

/// Which links.
#[derive(Debug, Args)]
struct Between {
    /// Only between these two, for example mill,forge [default: all links]
    #[arg(long, value_name = "NAME,NAME")]
    between: Option<String>,
}

/// `delay`.
#[derive(Debug, Args)]
pub(crate) struct Delay {
    #[command(flatten)]
    place: Place,
    /// Milliseconds that everything takes
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u32).range(0..=60_000))]
    ms: u32,
    /// Milliseconds by which this varies to either side
    #[arg(long, value_name = "MS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=60_000))]
    jitter_ms: u32,
    #[command(flatten)]
    between: Between,
}

/// `loss`.
#[derive(Debug, Args)]
pub(crate) struct Loss {
    #[command(flatten)]
    place: Place,
    /// Of 100 segments of 16 KiB or less, how many are lost
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=100))]
    percent: u32,
    #[command(flatten)]
    between: Between,
}

/// `reset`.
#[derive(Debug, Args)]
pub(crate) struct Reset {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    between: Between,
}

/// `scenario`.
#[derive(Debug, Args)]
pub(crate) struct Play {
    #[command(flatten)]
    binary: Binary,
    /// kill-loop, blackout, one-down, two-down, pause, partition, delay, loss or clock
    #[arg(value_name = "NAME")]
    scenario: Scenario,
    /// How long each state lasts that is measured
    #[arg(long, value_name = "S", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// How often something is killed
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    kills: u32,
    /// Clients that publish meanwhile, at every validator
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=256))]
    clients: u16,
    /// Chooses what is killed and when; the same number gives the same choices [default: random]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Writes the figures to this file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// What ails a link, in words; none when nothing does.
pub(crate) fn described(condition: &Condition) -> Option<String> {
    let mut words = Vec::new();
    if condition.severed {
        words.push("severed".to_owned());
    }
    if condition.delay_ms > 0 || condition.jitter_ms > 0 {
        words.push(format!("{} ± {} ms", condition.delay_ms, condition.jitter_ms));
    }
    if condition.loss_percent > 0 {
        words.push(format!("{} % lost", condition.loss_percent));
    }
    (!words.is_empty()).then(|| words.join(", "))
}

/// Parts the town.
pub(crate) async fn partition(partition: &Partition) -> Result<bool> {
    let devnet = open(&partition.place)?;
    let groups: Vec<Vec<String>> = partition.groups.iter().map(|group| names(group)).collect();
    devnet.partition(&groups).await?;
    let mut shown: Vec<String> = groups.iter().map(|group| group.join(", ")).collect();
    let named = |name: &String| groups.iter().any(|group| group.contains(name));
    let rest: Vec<String> = devnet.names().into_iter().filter(|name| !named(name)).collect();
    if !rest.is_empty() {
        shown.push(rest.join(", "));
    }
    say(&format!("Parted: {}", shown.join(" | ")));
    Ok(true)
}

/// Makes all links whole.
pub(crate) async fn heal(place: &Place) -> Result<bool> {
    open(place)?.heal().await?;
    say("All links are whole.");
    Ok(true)
}

/// Slows links.
pub(crate) async fn delay(delay: &Delay) -> Result<bool> {
    let set = |condition: &mut Condition| {
        condition.delay_ms = delay.ms;
        condition.jitter_ms = delay.jitter_ms;
    };
    disturb(&delay.place, &delay.between, set).await?;
    say(&format!("Everything takes {} ± {} ms now.", delay.ms, delay.jitter_ms));
    Ok(true)
}

/// Loses segments.
pub(crate) async fn loss(loss: &Loss) -> Result<bool> {
    disturb(&loss.place, &loss.between, |condition| condition.loss_percent = loss.percent).await?;
    say(&format!(
        "Of 100 segments {} are lost: each, and what follows it, waits until it is sent again.",
        loss.percent
    ));
    Ok(true)
}

/// Breaks off connections.
pub(crate) async fn reset(reset: &Reset) -> Result<bool> {
    let again = |condition: &mut Condition| {
        condition.resets = condition.resets.saturating_add(1);
    };
    disturb(&reset.place, &reset.between, again).await?;
    say("The connections were broken off.");
    Ok(true)
}

/// Carries links until asked to stop.
pub(crate) async fn links(place: &Place) -> Result<bool> {
    let mut ends = Ends::watch()?;
    links::run(&directory(&place.dir)?, ends.wait()).await?;
    Ok(true)
}

/// Plays a scenario on a town of its own; true when all that it claims holds.
pub(crate) async fn play(play: Play) -> Result<bool> {
    let temporary = tempfile::Builder::new().prefix("heatmark-scenario-").tempdir()?;
    let place = directory(temporary.path())?;
    let program = Program::find(play.binary.heatmark.as_deref(), &place)?;
    let plan = Plan {
        directory: place.clone(),
        validators: 4,
        observers: 1,
        parameters: Vec::new(),
        log_filter: Some(scenarios::LOG_FILTER.to_owned()),
        keeping: Keeping::Kept,
    };
    let seed = play.seed.unwrap_or_else(rand::random);
    let extent = Extent {
        lasting: Duration::from_secs(play.seconds),
        kills: play.kills,
        clients: usize::from(play.clients),
        seed,
    };
    say(&Ink::Bold.paint(&format!("Scenario {}, seed {seed}", play.scenario)));
    let begun = Instant::now();
    let mut tell = |sentence: &str| say(&format!("{:>8}  {sentence}", lasted(begun.elapsed())));
    let mut ends = Ends::watch()?;
    let playing = async {
        let linked = play.scenario.needs_links();
        let found = if linked { Devnet::found_linked } else { Devnet::found };
        let (mut devnet, held) = found(&program, plan, &mut |_| {})?;
        devnet.start(held).await?;
        let report = scenarios::play(play.scenario, &mut devnet, extent, &mut tell).await?;
        for node in devnet.down().await? {
            if node.killed || node.code != Some(0) {
                bail!("{} did not stop by itself when asked", node.name);
            }
        }
        Ok(report)
    };
    let played = tokio::select! {
        played = playing => played,
        () = ends.wait() => bail!("stopped; no node runs any more"),
    };
    match played {
        Ok(report) => {
            if let Some(file) = &play.report {
                let text = format!("{report:#}\n");
                fs::write(file, text).with_context(|| format!("writing {}", file.display()))?;
            }
            say(&format!("{report:#}"));
            say(&Ink::Bold.paint("Everything held."));
            Ok(true)
        }
        Err(error) => {
            say(&format!("{} {}", Ink::Red.paint("It did not hold:"), chain(&error)));
            let kept = TempDir::keep(temporary);
            say(&format!("Homes and logs are kept in {}.", kept.display()));
            Ok(false)
        }
    }
}

async fn disturb(place: &Place, between: &Between, change: impl Fn(&mut Condition)) -> Result<()> {
    let devnet = open(place)?;
    let pair = between.between.as_deref().map(names);
    match pair.as_deref() {
        None => devnet.disturb(None, change).await?,
        Some([one, other]) => devnet.disturb(Some((one, other)), change).await?,
        Some(_) => bail!("--between takes two names, for example mill,forge"),
    }
    Ok(())
}

fn names(list: &str) -> Vec<String> {
    list.split(',').map(|name| name.trim().to_owned()).collect()
}

fn open(place: &Place) -> Result<Devnet> {
    Ok(Devnet::open(&directory(&place.dir)?)?)
}
