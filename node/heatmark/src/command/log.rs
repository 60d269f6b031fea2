//! `heatmark log`: where the log stands, what is written to it, and whether all of it follows from
//! genesis.

mod audit;
mod status;
mod tail;

use super::answer::Answer;
use super::failure::Failure;
use clap::Subcommand;

/// What to ask of the log.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows where the log stands, on this node or on several, and whether they agree
    #[command(
        after_help = "Example:\n  heatmark log status --home mill\n  heatmark log status --home mill --all forge assembler    (home directories)\n  heatmark log status --home mill --all forge.example:26620@42b9df1d…\nExits with 1 when two nodes hold different logs, with 3 when one does not answer."
    )]
    Status(status::Status),
    /// Prints blocks and their transactions, each block verified to follow from the last
    #[command(
        after_help = "Example:\n  heatmark log tail --home mill --follow\nWith --json, one object a line."
    )]
    Tail(tail::Tail),
    /// Replays the whole log and verifies every signature, certificate, root and transition again
    #[command(
        after_help = "Example:\n  heatmark log audit --home regulator\n  heatmark log audit --data regulator/data/log --genesis genesis.note    (offline, node stopped)\nBelieves nothing but the genesis file. Exits with 1 at the first block that does not follow."
    )]
    Audit(audit::Audit),
}

pub(crate) fn run(command: Command, json: bool) -> Result<Answer, Failure> {
    match command {
        Command::Status(command) => status::run(&command),
        Command::Tail(command) => tail::run(&command, json),
        Command::Audit(command) => audit::run(&command),
    }
}
