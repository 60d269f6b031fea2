//! `heatmark alert`: warns about a record, withdraws the warning, and tells what stands. Refuses
//! subjects and records that are no ids.

pub(crate) mod standing;

use super::answer::Answer;
use super::connect::{NodeArgs, Reach, block_on};
use super::failure::Failure;
use super::words;
use clap::{Args, Subcommand, ValueEnum};
use heatmark_client::{Proven, RaiseAlert};
use heatmark_ledger::messages as pb;
use serde_json::json;
use std::path::PathBuf;

/// What to do with alerts.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Warns all holders of material of one of your records
    #[command(
        after_help = "Example:\n  heatmark alert raise 4c7e… --level recall --reason 'retest of heat 48213 failed' --home mill\n  heatmark alert raise --concern SUBJECT --level hold --reason 'hardness off' --home forge\nThe reason stays with you: only a salted digest of it goes on the log. A revoke is final."
    )]
    Raise(Raise),
    /// Withdraws a warning
    #[command(
        after_help = "Example:\n  heatmark alert clear 4c7e… --reason 'retest passed' --home mill"
    )]
    Clear(Clear),
    /// Tells what stands against a record, proved, and who has acknowledged it
    #[command(
        after_help = "Example:\n  heatmark alert status 4c7e… --home forge\n  heatmark alert status 4c7e… --home forge --out 4c7e.alerts --max-age 600\n  heatmark alert status 9f41… --home mill --reason --out 9f41.alerts\nExits with 0 when nothing stands, with 1 at superseded, hold, recall or revoke, with 3 when the\nnewest block is older than --max-age seconds: what came since is not known."
    )]
    Status(Status),
    /// Tells the same from a file, offline
    #[command(
        after_help = "Example:\n  heatmark alert verify 4c7e.alerts --trust genesis.note --max-age 86400\nNeeds no node and no network. Exit codes as of `heatmark alert status`; 1 also when refused."
    )]
    Verify(Verify),
}

/// Whose alert it is, and about what.
#[derive(Debug, Args)]
pub(crate) struct About {
    #[command(flatten)]
    node: NodeArgs,
    /// A record of your own node: its id or the beginning of it
    #[arg(value_name = "RECORD", required_unless_present = "concern")]
    record: Option<String>,
    /// Another's record, by its alert subject: your own concern, beside the issuer's alert
    #[arg(long, value_name = "SUBJECT", conflicts_with = "record")]
    concern: Option<String>,
    /// Why; kept by your node, salted and hashed for the log
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// `alert raise`.
#[derive(Debug, Args)]
pub(crate) struct Raise {
    #[command(flatten)]
    about: About,
    /// How grave it is
    #[arg(long, value_enum)]
    level: Level,
}

/// `alert clear`.
#[derive(Debug, Args)]
pub(crate) struct Clear {
    #[command(flatten)]
    about: About,
}

/// `alert status`.
#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    node: NodeArgs,
    /// An alert subject, or a record of your own node
    #[arg(value_name = "SUBJECT|RECORD")]
    subject: String,
    /// Writes the proof to this file, which anybody can check offline
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Tells also why the alert on a record of your own was raised, in the file too: whoever gets it can check the
    /// reason
    #[arg(long)]
    reason: bool,
    #[command(flatten)]
    age: Age,
}

/// `alert verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// A signed genesis file, or a header that `heatmark receipt pin` wrote
    #[arg(long, value_name = "GENESIS|PIN")]
    trust: PathBuf,
    #[command(flatten)]
    age: Age,
    /// A file that `heatmark alert status --out` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// How old the newest header may be.
#[derive(Debug, Args)]
pub(crate) struct Age {
    /// Most seconds since the block, by this machine's clock; older cannot tell
    #[arg(long, value_name = "SECONDS")]
    max_age: Option<u64>,
}

/// How grave a warning is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    /// Another record has replaced it
    Superseded,
    /// Do not use until cleared
    Hold,
    /// Return or quarantine
    Recall,
    /// The record is void, for ever
    Revoke,
}

impl From<Level> for pb::AlertLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Superseded => Self::Superseded,
            Level::Hold => Self::Hold,
            Level::Recall => Self::Recall,
            Level::Revoke => Self::Revoke,
        }
    }
}

pub(crate) fn run(command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Raise(command) => raise(&command.about, command.level.into()),
        Command::Clear(command) => raise(&command.about, pb::AlertLevel::Clear),
        Command::Status(command) => standing::status(&command),
        Command::Verify(command) => standing::verify(&command),
    }
}

fn raise(about: &About, level: pb::AlertLevel) -> Result<Answer, Failure> {
    let reach = about.node.reach()?;
    let (alert, proven) = block_on(async {
        let desk = reach.desk().await?;
        let on = match (&about.concern, &about.record) {
            (Some(subject), _) => RaiseAlert::Concern(words::id(subject, "alert subject")?),
            (None, Some(record)) => RaiseAlert::OwnRecord(own_record(&reach, record).await?.0),
            (None, None) => return Err(Failure::input("no record is named")),
        };
        Ok(desk.alert(on, level, about.reason.clone()).await?)
    })?;
    Ok(raised(&alert, &proven))
}

fn raised(alert: &pb::Alert, proven: &Proven) -> Answer {
    let subject = hex::encode(&alert.subject);
    let text = format!(
        "{}Subject      {subject}\nSequence     {}\nWhoever holds material of this record can now see it:\n  heatmark alert status {subject}\n",
        words::verified_text(&proven.verified),
        alert.sequence,
    );
    let json = json!({
        "subject": subject,
        "level": words::level(alert.level()),
        "sequence": alert.sequence,
        "concern": alert.concern,
        "receipt": words::verified(&proven.verified),
    });
    Answer::yes(json, text)
}

/// A record of the own node by the beginning of its id: the id and its alert subject.
pub(crate) async fn own_record(reach: &Reach, name: &str) -> Result<([u8; 32], [u8; 32]), Failure> {
    let prefix = hex::decode(name).ok().filter(|prefix| !prefix.is_empty()).ok_or_else(|| {
        Failure::input(format!("{name:?} is no record"))
            .because("a record id is hex, with an even number of digits")
    })?;
    let rows = reach.desk().await?.records(&prefix, 2).await?;
    let row = match rows.as_slice() {
        [row] => row,
        [] => {
            return Err(Failure::no(format!("{name} is no record of this node")).next(
                "`heatmark cert list` shows them; for another's record use --concern SUBJECT",
            ));
        }
        _ => {
            return Err(Failure::input(format!("{name} is the beginning of several records"))
                .next("give more digits; `heatmark cert list` shows them"));
        }
    };
    let id = <[u8; 32]>::try_from(row.record_id.as_slice());
    let subject = <[u8; 32]>::try_from(row.alert_subject.as_slice());
    match (id, subject) {
        (Ok(id), Ok(subject)) => Ok((id, subject)),
        _ => Err(Failure::no("the node's answer is not true").because("an id of wrong length")),
    }
}
