//! `heatmark alert`: warns about a record, withdraws the warning, and tells what stands. Refuses
//! subjects and records that are no ids.

use super::answer::{Answer, Exit, table};
use super::connect::{NodeArgs, Reach, block_on};
use super::failure::Failure;
use super::words;
use clap::{Args, Subcommand, ValueEnum};
use heatmark_client::{LedgerClient, Proven, RaiseAlert};
use heatmark_ledger::ids::{AlertSubject, MemberId};
use heatmark_ledger::messages as pb;
use heatmark_ledger::{state, wire};
use serde_json::{Value, json};

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
        after_help = "Example:\n  heatmark alert status 4c7e… --home forge\nExits with 0 when nothing stands, with 1 at superseded, hold, recall or revoke."
    )]
    Status(Status),
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
        Command::Status(command) => status(&command),
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
pub(super) async fn own_record(reach: &Reach, name: &str) -> Result<([u8; 32], [u8; 32]), Failure> {
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

/// An alert that stands, whose it is, and who has acknowledged it.
struct Standing {
    concern_of: Option<MemberId>,
    alert: pb::AlertState,
    acknowledged: Vec<String>,
}

fn status(command: &Status) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let (subject, found) = block_on(async {
        let subject = match own_record(&reach, &command.subject).await {
            Ok((_, subject)) => subject,
            Err(failure) => match words::id(&command.subject, "alert subject") {
                Ok(subject) => subject,
                Err(_) => return Err(failure),
            },
        };
        let subject = AlertSubject::from(subject);
        let ledger = reach.ledger().await?;
        Ok((subject, standing(&ledger, &subject).await?))
    })?;
    let grave = |standing: &Standing| standing.alert.level() != pb::AlertLevel::Clear;
    let stands = found.iter().any(|s| s.concern_of.is_none() && grave(s));
    Ok(status_answer(&subject, &found, stands))
}

fn status_answer(subject: &AlertSubject, found: &[Standing], stands: bool) -> Answer {
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|standing| {
            let by = standing.concern_of.map_or_else(
                || "the issuer".to_owned(),
                |member| format!("concern of {}", words::short(&member.to_vec())),
            );
            vec![
                words::level(standing.alert.level()).to_owned(),
                by,
                standing.alert.sequence.to_string(),
                standing.alert.height.to_string(),
                standing.acknowledged.len().to_string(),
            ]
        })
        .collect();
    let mut text = format!("Subject {subject}\n");
    if rows.is_empty() {
        text.push_str("Nothing has ever been raised against it.\n");
    } else {
        text.push_str(&table(&["LEVEL", "BY", "SEQUENCE", "BLOCK", "ACKNOWLEDGED BY"], &rows));
    }
    let json = json!({
        "subject": subject,
        "stands": stands,
        "alerts": found.iter().map(described).collect::<Vec<_>>(),
    });
    Answer::of(if stands { Exit::No } else { Exit::Yes }, json, text)
}

fn described(standing: &Standing) -> Value {
    json!({
        "level": words::level(standing.alert.level()),
        "concern_of": standing.concern_of,
        "sequence": standing.alert.sequence,
        "height": standing.alert.height,
        "leaf_index": standing.alert.leaf_index,
        "reason_digest": hex::encode(&standing.alert.reason_digest),
        "acknowledged_by": standing.acknowledged,
    })
}

/// The issuer's alert and every member's concern, with the acknowledgements of their last word.
async fn standing(ledger: &LedgerClient, subject: &AlertSubject) -> Result<Vec<Standing>, Failure> {
    let mut found = Vec::new();
    let issuers = match read::<pb::AlertState>(ledger, &state::alert_key(subject)).await {
        Err(none) if none.exit == Exit::No => return Ok(found),
        other => other?,
    };
    let (_, members) = ledger.proved_members().await?;
    let members: Vec<MemberId> = members.into_iter().map(|(id, _)| id).collect();
    let mut alerts = vec![(None, issuers)];
    for member in &members {
        let concern = read(ledger, &state::concern_key(subject, member)).await?;
        alerts.push((Some(*member), concern));
    }
    for (concern_of, alert) in alerts {
        let Some(alert) = alert else { continue };
        let mut acknowledged = Vec::new();
        for member in &members {
            let key = state::acknowledgement_key(subject, concern_of.as_ref(), member);
            let seen: Option<pb::AcknowledgementState> = read(ledger, &key).await?;
            if seen.is_some_and(|seen| seen.sequence == alert.sequence) {
                acknowledged.push(member.to_string());
            }
        }
        found.push(Standing { concern_of, alert, acknowledged });
    }
    Ok(found)
}

async fn read<M: prost::Message + Default + 'static>(
    ledger: &LedgerClient,
    key: &[u8],
) -> Result<Option<M>, Failure> {
    let value = ledger.state(key, None).await?.value;
    value
        .map(|value| wire::decode(&value, usize::MAX))
        .transpose()
        .map_err(|error| Failure::no("the node's state is damaged").because(error))
}
