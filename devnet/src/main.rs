//! The binary `heatmark-devnet`: parses the command line, runs one command, prints what came of it.
//! Exit codes: 0 yes, 1 no, 2 wrong usage or input.

mod deals;
mod demo;
mod faults;
mod genealogy;
mod load;
mod output;
mod publish;
mod town;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

const AFTER_HELP: &str = "\
To see what it is about:        heatmark-devnet demo
To try it by hand:              heatmark-devnet up     (stops with Ctrl-C)
and in another terminal:        heatmark-devnet status
                                heatmark log tail --home devnet-data/regulator
To break links by hand:         heatmark-devnet up --links
                                heatmark-devnet partition mill,forge
                                heatmark-devnet heal
To try what nodes survive:      heatmark-devnet scenario kill-loop --kills 20
To measure:                     heatmark-devnet load --clients 64 --seconds 30 --batch 1 --report load.json";

/// Runs a network of organisations on this machine: real nodes, each with its own keys and data.
#[derive(Debug, Parser)]
#[command(name = "heatmark-devnet", version, about, after_help = AFTER_HELP, max_term_width = 100)]
#[command(disable_help_subcommand = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Starts the nodes, new ones or those that were stopped here
    Up(town::Up),
    /// Shows where each node stands
    Status(town::Status),
    /// Ends a node as a power failure would
    Kill(Named),
    /// Starts a node that is down
    Restart(Named),
    /// Freezes a node
    Pause(Named),
    /// Lets a frozen node go on
    Resume(Named),
    /// Stops all nodes
    Down(Place),
    /// Parts a town with links: `partition mill,forge` is these against the rest
    Partition(faults::Partition),
    /// Makes all links whole again
    Heal(Place),
    /// Makes everything on links take longer
    Delay(faults::Delay),
    /// Loses segments on links: each loss is a stall, since TCP repairs it
    Loss(faults::Loss),
    /// Breaks off all connections on links; nodes connect again by themselves
    Reset(faults::Reset),
    /// Plays a scenario of faults on a town of its own and checks what must hold
    Scenario(faults::Play),
    /// Carries the links of a town that nobody keeps
    #[command(hide = true)]
    Links(Place),
    /// Tells the whole story in under two minutes: publish, prove, tamper, kill, recover, recall
    Demo(demo::Demo),
    /// Measures throughput and time to a verified receipt
    Load(load::Load),
    /// Measures how many certificates a second one node reads, commits to and anchors
    Publish(publish::Publish),
    /// Measures deals: one after another, many at once, and what thousands that only wait cost
    Deals(deals::Deals),
    /// Measures a genealogy of a million lots in one vault: load, start, memory, traces, alerts
    Genealogy(genealogy::Measure),
}

/// Where a town is.
#[derive(Debug, Clone, Args)]
struct Place {
    /// The town's directory
    #[arg(long, value_name = "DIR", default_value = "devnet-data")]
    dir: PathBuf,
}

/// One node of a town.
#[derive(Debug, Args)]
struct Named {
    #[command(flatten)]
    place: Place,
    /// The organisation, for example forge
    #[arg(value_name = "NAME")]
    name: String,
}

/// Which program the nodes run.
#[derive(Debug, Clone, Args)]
struct Binary {
    /// The node's program [default: heatmark beside this program]
    #[arg(long, value_name = "FILE")]
    heatmark: Option<PathBuf>,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = heatmark::run::runtime();
    let held = match runtime {
        Ok(runtime) => runtime.block_on(run(cli.command)),
        Err(error) => Err(error.into()),
    };
    match held {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            // Nothing is left to do when standard error is gone as well.
            let _ = writeln!(io::stderr(), "error: {}", crate::output::chain(&error));
            ExitCode::from(2)
        }
    }
}

async fn run(command: Command) -> Result<bool> {
    match command {
        Command::Up(up) => town::up(up).await,
        Command::Status(status) => town::status(&status).await,
        Command::Kill(named) => town::kill(&named).await,
        Command::Restart(named) => town::restart(&named).await,
        Command::Pause(named) => town::pause(&named),
        Command::Resume(named) => town::resume(&named),
        Command::Down(place) => town::down(&place).await,
        Command::Partition(partition) => faults::partition(&partition).await,
        Command::Heal(place) => faults::heal(&place).await,
        Command::Delay(delay) => faults::delay(&delay).await,
        Command::Loss(loss) => faults::loss(&loss).await,
        Command::Reset(reset) => faults::reset(&reset).await,
        Command::Scenario(play) => faults::play(play).await,
        Command::Links(place) => faults::links(&place).await,
        Command::Demo(demo) => demo::run(demo).await,
        Command::Load(load) => load::run(load).await,
        Command::Publish(publish) => publish::run(publish).await,
        Command::Deals(deals) => deals::run(deals).await,
        Command::Genealogy(measure) => genealogy::run(&measure),
    }
}
