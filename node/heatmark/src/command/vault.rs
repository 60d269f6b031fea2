//! `heatmark vault`: the keeping of what this organisation's certificates say. All but restoring,
//! checking a backup and changing the key is asked of the running node, which refuses who may not.

mod copies;
mod keep;
mod operators;
mod trail;

use super::answer::Answer;
use super::connect::NodeArgs;
use super::failure::Failure;
use super::place::{HomeArgs, PassphraseArgs, SettingArgs};
use crate::keys::VaultKeySource;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// What to do with the vault.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists who did what: published, showed, proved, alerted, exported, destroyed
    #[command(
        after_help = "Example:\n  heatmark vault log --home mill\n  heatmark vault log --home mill --expect 1204:9c1f…\nEvery entry holds the hash of the one before. Note the head now and then where nobody who has\nthe vault's key can change it: with --expect, a log that was rewritten exits with 1."
    )]
    Log(Log),
    /// Lists the records with how long they are kept, what is on hold and what was destroyed
    #[command(after_help = "Example:\n  heatmark vault list --home mill")]
    List(List),
    /// Sets until when a record is kept, and after when what it says is destroyed
    #[command(
        after_help = "Example:\n  heatmark vault retain 4c7e… --until 2051-12-31 --home mill\n  heatmark vault retain 4c7e… --forever --home mill"
    )]
    Retain(Retain),
    /// Keeps a record from being destroyed, whatever its date
    #[command(
        after_help = "Example:\n  heatmark vault hold 4c7e… --reason 'claim 2026-118' --home mill\nThe reason stays in the vault."
    )]
    Hold(Hold),
    /// Ends a record's hold
    #[command(after_help = "Example:\n  heatmark vault release 4c7e… --home mill")]
    Release(OneRecord),
    /// Destroys what a record says, for good; alerts on it can still be raised
    #[command(
        after_help = "Example:\n  heatmark vault erase 4c7e… --for-good --home mill\nRefused while the record is on hold or must be kept. Backups made before still hold it."
    )]
    Erase(Erase),
    /// Lists who may use the node beside the holder of its home
    #[command(after_help = "Example:\n  heatmark vault operators --home mill")]
    Operators(Operators),
    /// Makes the key of an operator, on the operator's own machine
    #[command(
        after_help = "Example:\n  heatmark vault key --out anna.key\nSend the public key it prints to whoever administers the node."
    )]
    Key(Key),
    /// Lets an operator's key in, with these roles and no others
    #[command(
        after_help = "Example:\n  heatmark vault grant 77d0… --name 'Anna Berg' --role publish --role alert --home mill\n  heatmark cert publish heat.json --home mill --as anna.key\nRoles: publish, inspect (show and prove), alert, administer (everything else). Whoever holds the\nhome's own keys has all of them."
    )]
    Grant(Grant),
    /// Shuts an operator's key out, from its next request on
    #[command(after_help = "Example:\n  heatmark vault revoke 77d0… --home mill")]
    Revoke(Revoke),
    /// Writes a backup of the vault while the node runs
    #[command(
        after_help = "Example:\n  heatmark vault backup mill-2026-11.vault --home mill\nIt is encrypted, and opens with the key that the vault has now: keep `keys backup` with it."
    )]
    Backup(Backup),
    /// Reads a backup to its end and tells whether it is whole; needs no node
    #[command(after_help = "Example:\n  heatmark vault check mill-2026-11.vault --home mill")]
    Check(File),
    /// Makes the vault of an empty home from a backup; needs no node
    #[command(
        after_help = "Example:\n  heatmark keys restore --home mill --from mill-keys.backup\n  heatmark vault restore mill-2026-11.vault --home mill\nA backup that is damaged, cut off or another vault's is refused, and leaves nothing."
    )]
    Restore(File),
    /// Puts the vault of a stopped node under another key
    #[command(
        after_help = "Example:\n  heatmark vault rekey --to file --home mill      (makes keys/vault.key)\nThen set vault.key in heatmark.toml. Backups made before open with the old key."
    )]
    Rekey(Rekey),
}

/// `vault log`.
#[derive(Debug, Args)]
pub(crate) struct Log {
    #[command(flatten)]
    node: NodeArgs,
    /// Number of the first entry to list [default: the last hundred]
    #[arg(long, value_name = "N")]
    from: Option<u64>,
    /// Most entries to list
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: u32,
    /// A head noted earlier: reads everything since, and fails if it was rewritten
    #[arg(long, value_name = "COUNT:HASH", conflicts_with_all = ["from", "limit"])]
    expect: Option<String>,
}

/// `vault list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    node: NodeArgs,
    /// Only records whose id begins so
    #[arg(value_name = "RECORD")]
    record: Option<String>,
    /// Most records to list
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    limit: u32,
}

/// A record of the own node.
#[derive(Debug, Args)]
pub(crate) struct OneRecord {
    #[command(flatten)]
    node: NodeArgs,
    /// A record of your own node: its id or the beginning of it
    #[arg(value_name = "RECORD")]
    record: String,
}

/// `vault retain`.
#[derive(Debug, Args)]
pub(crate) struct Retain {
    #[command(flatten)]
    about: OneRecord,
    #[command(flatten)]
    until: Until,
}

/// Until when.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Until {
    /// The day it may be destroyed, in UTC
    #[arg(long, value_name = "YYYY-MM-DD")]
    until: Option<String>,
    /// So many days from now
    #[arg(long, value_name = "N")]
    days: Option<u32>,
    /// Until it is destroyed by hand
    #[arg(long)]
    forever: bool,
}

/// `vault hold`.
#[derive(Debug, Args)]
pub(crate) struct Hold {
    #[command(flatten)]
    about: OneRecord,
    /// Why; kept in the vault
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// `vault erase`.
#[derive(Debug, Args)]
pub(crate) struct Erase {
    #[command(flatten)]
    about: OneRecord,
    /// Says that you mean it
    #[arg(long)]
    for_good: bool,
}

/// `vault operators`.
#[derive(Debug, Args)]
pub(crate) struct Operators {
    #[command(flatten)]
    node: NodeArgs,
}

/// `vault key`.
#[derive(Debug, Args)]
pub(crate) struct Key {
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// The file to write; must not exist
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// `vault grant`.
#[derive(Debug, Args)]
pub(crate) struct Grant {
    #[command(flatten)]
    node: NodeArgs,
    /// The operator's public key, as `heatmark vault key` prints it
    #[arg(value_name = "KEY")]
    key: String,
    /// Who it is
    #[arg(long, value_name = "NAME")]
    name: String,
    /// publish, inspect, alert or administer; may be repeated
    #[arg(long = "role", value_name = "ROLE", required = true)]
    roles: Vec<String>,
}

/// `vault revoke`.
#[derive(Debug, Args)]
pub(crate) struct Revoke {
    #[command(flatten)]
    node: NodeArgs,
    /// The operator's public key
    #[arg(value_name = "KEY")]
    key: String,
}

/// `vault backup`.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    #[command(flatten)]
    node: NodeArgs,
    /// The file to write; must not exist
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// A backup, and the home whose key opens it.
#[derive(Debug, Args)]
pub(crate) struct File {
    #[command(flatten)]
    home: HomeArgs,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    #[command(flatten)]
    settings: SettingArgs,
    /// The backup
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// `vault rekey`.
#[derive(Debug, Args)]
pub(crate) struct Rekey {
    #[command(flatten)]
    home: HomeArgs,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    #[command(flatten)]
    settings: SettingArgs,
    /// Where the new key comes from
    #[arg(long, value_enum)]
    to: VaultKeySource,
}

pub(crate) fn run(command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Log(command) => trail::log(&command),
        Command::List(command) => keep::list(&command),
        Command::Retain(command) => keep::retain(&command),
        Command::Hold(command) => keep::hold(&command),
        Command::Release(command) => keep::release(&command),
        Command::Erase(command) => keep::erase(&command),
        Command::Operators(command) => operators::list(&command),
        Command::Key(command) => operators::key(&command),
        Command::Grant(command) => operators::grant(&command),
        Command::Revoke(command) => operators::revoke(&command),
        Command::Backup(command) => copies::backup(&command),
        Command::Check(command) => copies::check(&command),
        Command::Restore(command) => copies::restore(&command),
        Command::Rekey(command) => copies::rekey(&command),
    }
}
