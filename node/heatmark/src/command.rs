//! Every command that a person types: parsed here, one module each.

mod answer;
mod cert;
mod config;
mod connect;
mod entry;
mod failure;
mod keys;
mod network;
mod place;
mod words;

use answer::{Answer, Exit};
use clap::{Parser, Subcommand};
use failure::Failure;
use std::io::{self, Write};
use std::process::ExitCode;

const AFTER_HELP: &str = "\
Result on standard output, progress and logs on standard error.
Exit codes: 0 yes, 1 no (refused, revoked, does not match), 2 wrong usage or input, 3 cannot tell.

To join a network:
  heatmark keys generate --home mill --legal-name 'Norra Stål AB' --country SE --role supplier --validator
  heatmark network init --name steel --out genesis.note mill/entry.json forge/entry.json …
  heatmark network sign genesis.note --home mill
  heatmark config init --home mill && heatmark config check --home mill
  heatmark node run --home mill
To publish and prove:
  heatmark cert publish --home mill certificates/ --receipts receipts/
  heatmark receipt verify --trust genesis.note receipts/*.receipt";

/// Shares one log of material certificates among companies, and proves what stands on it.
#[derive(Debug, Parser)]
#[command(name = "heatmark", version, about, after_help = AFTER_HELP, max_term_width = 100)]
#[command(disable_help_subcommand = true, arg_required_else_help = true)]
struct Cli {
    /// Prints the result as JSON
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Makes, shows, backs up and restores this organisation's keys
    #[command(subcommand)]
    Keys(keys::Command),
    /// Founds a network: every founder signs one document, all compare one fingerprint
    #[command(subcommand)]
    Network(network::Command),
    /// Writes and checks a node's settings
    #[command(subcommand)]
    Config(config::Command),
    /// Publishes mill certificates and lists what was published
    #[command(subcommand)]
    Cert(cert::Command),
}

/// Parses the command line, runs the command, prints what came of it.
#[must_use]
pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(report_broken_invariant));
    let cli = Cli::parse();
    let outcome = dispatch(cli.command);
    finish(cli.json, outcome).into()
}

fn dispatch(command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Keys(command) => keys::run(command),
        Command::Network(command) => network::run(command),
        Command::Config(command) => config::run(command),
        Command::Cert(command) => cert::run(command),
    }
}

fn finish(json: bool, outcome: Result<Answer, Failure>) -> Exit {
    let (exit, output) = match outcome {
        Ok(answer) if json => (answer.exit, format!("{:#}\n", answer.json)),
        Ok(answer) => (answer.exit, answer.text),
        Err(failure) => {
            // Nothing is left to do when standard error is gone as well.
            let _ = writeln!(io::stderr(), "{failure}");
            let output = if json { format!("{:#}\n", failure.json()) } else { String::new() };
            (failure.exit, output)
        }
    };
    let mut stdout = io::stdout().lock();
    let printed = stdout.write_all(output.as_bytes()).and_then(|()| {
        if output.is_empty() || output.ends_with('\n') { Ok(()) } else { stdout.write_all(b"\n") }
    });
    match printed.and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Exit::Unknown,
        _ => exit,
    }
}

fn report_broken_invariant(panic: &std::panic::PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let what = panic.payload_as_str().unwrap_or("no message");
    // Nothing is left to do when standard error is gone as well.
    let _ = writeln!(
        io::stderr(),
        "error: a fault in the program itself\n  why:  {what} ({place})\n  next: please report this line"
    );
}
