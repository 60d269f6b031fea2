//! Every command that a person types: parsed here, one module each.

mod alert;
mod answer;
mod cert;
mod config;
mod connect;
mod day;
mod deal;
mod entry;
mod escrow;
mod evidence;
mod failure;
mod inspect;
mod keys;
mod label;
mod log;
mod lot;
mod member;
mod network;
mod node;
mod origin;
mod place;
mod post;
mod recall;
mod receipt;
mod report;
mod scan;
mod store;
mod vault;
mod verify;
mod vote;
mod words;

use answer::{Answer, Exit};
use clap::{CommandFactory, Parser, Subcommand};
use failure::Failure;
pub(crate) use failure::chain;
use serde_json::json;
use std::io::{self, Write};
use std::process::ExitCode;

const AFTER_HELP: &str = "\
Result on standard output, progress and logs on standard error.
Exit codes: 0 yes, 1 no (refused, revoked, does not match), 2 wrong usage or input, 3 cannot tell,
4 the node's disk is full or fails, 5 data on it are damaged.

To join a network:
  heatmark keys generate --home mill --legal-name 'Norra AB' --country SE --role supplier --validator
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
    /// Founds a network, changes what all agree on, restarts it when validators are lost
    #[command(subcommand)]
    Network(network::Command),
    /// Writes and checks a node's settings
    #[command(subcommand)]
    Config(config::Command),
    /// Runs this organisation's node
    #[command(subcommand)]
    Node(node::Command),
    /// Checks and repairs the database of a stopped node
    #[command(subcommand)]
    Store(store::Command),
    /// Publishes mill certificates and lists what was published
    #[command(subcommand)]
    Cert(cert::Command),
    /// Makes lots of certified material, works on them, divides them, lists them
    #[command(subcommand)]
    Lot(lot::Command),
    /// Shows which alerts bear on lots here, writes notices, tells suppliers what is left, drills
    #[command(subcommand)]
    Recall(recall::Command),
    /// Reports where stock comes from
    #[command(subcommand)]
    Origin(origin::Command),
    /// Deposits sections of records with agents, tells what could be opened of others' records
    #[command(subcommand)]
    Escrow(escrow::Command),
    /// Opens what others have deposited, accepts, pays for and rules such deals
    #[command(subcommand)]
    Deal(deal::Command),
    /// Fetches receipts, verifies them offline, pins trust roots
    #[command(subcommand)]
    Receipt(receipt::Command),
    /// Verifies disclosures and agreements offline: what they show or prove, by whom issued, for whom
    #[command(
        after_help = "Example:\n  heatmark verify --trust genesis.note --home forge heat.disclosure\n  heatmark verify --trust genesis.note --home forge --policy incoming.toml *.disclosure\n  heatmark alert status SUBJECT --out heat.alerts --home forge\n  heatmark verify --trust genesis.note --home forge heat.disclosure --alerts heat.alerts --max-age 3600\nFiles of one record, and of what others attest of it, are judged together by the policy.\nExit codes: 0 all verified, 1 one refused, 2 one unreadable, 3 one on hold or older than the trust root.\nA recall or a revocation refuses; without --alerts nothing is said of alerts.\nNeeds no node and no network."
    )]
    Verify(verify::Verify),
    /// Tells what a label names, from what a scanner typed
    #[command(
        after_help = "Example:\n  heatmark scan '(01)09506000134352(10)RING-48(21)0007'\n  heatmark scan 'https://id.gs1.org/01/09506000134352/10/RING-48'\n  heatmark scan - < typed-by-the-scanner\nReads GS1 element strings and links, ISO/IEC 15434 messages, ATA Spec 2000 text elements, a capsule's hash.\nWithout separators several readings are possible: all are given, best first.\nExit codes: 0 read, 1 a check digit, date or amount is wrong, 2 not a label. Needs no node and no network."
    )]
    Scan(scan::Scan),
    /// Judges what was delivered: capsules against an order, a policy and own readings
    #[command(
        after_help = "Example:\n  heatmark inspect ring-9.capsule --trust genesis.note --order po-4711.toml --policy incoming.toml\n  heatmark inspect *.capsule --home assembler --order po-4711.json --readings pmi.csv --report dock.pdf --out dock.json\n  heatmark inspect ring-9.capsule --home assembler --policy incoming.toml --ask\n  heatmark inspect ring-9.capsule --home assembler --by 'Anna Berg' --dispose accept --reason 'seen and measured'\n  heatmark inspect list --home assembler\nCapsule files are judged offline. What an inspector decides is recorded and anchored through the own node.\nExit codes: 0 accept, 1 reject, 3 hold; once it is disposed of, those of the disposition; 2 unreadable input."
    )]
    Inspect(inspect::Inspect),
    /// Draws labels with a GS1 DataMatrix or a QR code, to print
    #[command(
        after_help = "Example:\n  heatmark label --gtin 09506000134352 --lot RING-48 --serial 0007 --out ring.svg\n  heatmark label --gtin 09506000134352 --lot RING-48 --symbol qr --resolver https://id.example.com --dpi 300 --out ring.png\n  heatmark label --gtin 09506000134352 --lot RING-48 --serials-from serials.txt --columns 4 --out sheet.svg\nIn a PNG a module is a whole number of the printer's dots: print it at its own size, never scaled.\nNeeds no node and no network."
    )]
    Label(label::Label),
    /// Shows, follows and audits the shared log
    #[command(subcommand)]
    Log(log::Command),
    /// Shows the registry of members and proposes changes to it
    #[command(subcommand)]
    Member(member::Command),
    /// Votes on a proposal, or lists the proposals
    #[command(
        after_help = "Example:\n  heatmark vote --home forge                     (lists proposals; --open: those not settled)\n  heatmark vote 5d0c… approve --home forge"
    )]
    Vote(vote::Vote),
    /// Warns about records, withdraws warnings, tells what stands
    #[command(subcommand)]
    Alert(alert::Command),
    /// Sends files to other members' nodes, shows what arrived from them
    #[command(subcommand)]
    Post(post::Command),
    /// Reports on how the company records its events
    #[command(subcommand)]
    Report(report::Command),
    /// Keeps what your certificates say: who may, who did, how long, backups
    #[command(subcommand)]
    Vault(vault::Command),
    /// Lists, exports and verifies proof that a validator signed twice
    #[command(subcommand)]
    Evidence(evidence::Command),
    /// Prints the completion script of a shell
    #[command(
        after_help = "Example:\n  heatmark completions bash > ~/.local/share/bash-completion/completions/heatmark"
    )]
    Completions {
        /// bash, elvish, fish, powershell or zsh
        shell: clap_complete::Shell,
    },
    /// Prints the versions of the program and of the protocol it knows
    #[command(after_help = "Example:\n  heatmark version --json")]
    Version,
}

/// Parses the command line, runs the command, prints what came of it.
#[must_use]
pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(report_broken_invariant));
    let cli = Cli::parse();
    let outcome = dispatch(cli.command, cli.json);
    finish(cli.json, outcome).into()
}

fn dispatch(command: Command, json: bool) -> Result<Answer, Failure> {
    match command {
        Command::Keys(command) => keys::run(command),
        Command::Network(command) => network::run(command),
        Command::Config(command) => config::run(command),
        Command::Node(command) => node::run(command),
        Command::Store(command) => store::run(command),
        Command::Cert(command) => cert::run(command, json),
        Command::Lot(command) => lot::run(command),
        Command::Recall(command) => recall::run(command),
        Command::Origin(command) => origin::run(command),
        Command::Escrow(command) => escrow::run(command),
        Command::Deal(command) => deal::run(command, json),
        Command::Receipt(command) => receipt::run(command),
        Command::Verify(command) => verify::run(&command),
        Command::Scan(command) => scan::run(&command),
        Command::Inspect(command) => inspect::run(&command),
        Command::Label(command) => label::run(&command),
        Command::Log(command) => log::run(command, json),
        Command::Member(command) => member::run(command),
        Command::Vote(command) => vote::run(&command),
        Command::Alert(command) => alert::run(command),
        Command::Post(command) => post::run(command),
        Command::Report(command) => report::run(command),
        Command::Vault(command) => vault::run(command),
        Command::Evidence(command) => evidence::run(command),
        Command::Completions { shell } => Ok(completions(shell)),
        Command::Version => Ok(version()),
    }
}

fn completions(shell: clap_complete::Shell) -> Answer {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "heatmark", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    Answer::yes(json!({ "script": script }), script)
}

fn version() -> Answer {
    let program = env!("CARGO_PKG_VERSION");
    let protocol = heatmark_ledger::execute::NEWEST_VERSION;
    Answer::yes(
        json!({ "program": program, "protocol": protocol }),
        format!("heatmark {program}, protocol version {protocol}\n"),
    )
}

fn finish(json: bool, outcome: Result<Answer, Failure>) -> Exit {
    let (exit, output) = match outcome {
        Ok(answer) if json && answer.json.is_null() => (answer.exit, String::new()),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_options_of_a_command_share_a_name() {
        Cli::command().debug_assert();
    }
}
