//! `heatmark post`: files for other members, sent from node to node. They leave when the other's node is there, and
//! wait in this node's vault until it has them.

use super::answer::{Answer, table};
use super::connect::{NodeArgs, block_on};
use super::failure::Failure;
use super::{member, words};
use crate::files;
use clap::{Args, Subcommand};
use heatmark_client::LetterRow;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Longest file that goes as a letter, in bytes.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// What to do with letters.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Sends a file to a member's node, now or as soon as it is there
    #[command(
        after_help = "Example:\n  heatmark post send heat.disclosure --to 'Forge GmbH' --home mill\nNobody but that member's node sees it. At most 4 MiB."
    )]
    Send(Send),
    /// Lists what arrived and what is still on its way
    #[command(after_help = "Example:\n  heatmark post list --home forge")]
    List(List),
    /// Writes a file that arrived
    #[command(
        after_help = "Example:\n  heatmark post save 4c7e --home forge\n  heatmark verify --trust genesis.note --home forge heat.disclosure"
    )]
    Save(Save),
    /// Throws away a letter, one that arrived or one on its way
    #[command(after_help = "Example:\n  heatmark post drop 4c7e --home forge")]
    Drop(One),
}

/// `post send`.
#[derive(Debug, Args)]
pub(crate) struct Send {
    #[command(flatten)]
    node: NodeArgs,
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The receiver: a member's id, the beginning of one, or its legal name
    #[arg(long, value_name = "MEMBER")]
    to: String,
}

/// `post list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    node: NodeArgs,
}

/// `post save`.
#[derive(Debug, Args)]
pub(crate) struct Save {
    #[command(flatten)]
    one: One,
    /// The file to write [default: as the sender named it, in this directory]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// One letter.
#[derive(Debug, Args)]
pub(crate) struct One {
    #[command(flatten)]
    node: NodeArgs,
    /// The letter's id, or the beginning of it
    #[arg(value_name = "LETTER")]
    letter: String,
}

pub(crate) fn run(command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Send(command) => send(&command),
        Command::List(command) => list(&command),
        Command::Save(command) => save(&command),
        Command::Drop(command) => throw_away(&command),
    }
}

fn send(command: &Send) -> Result<Answer, Failure> {
    let name = command.file.file_name().and_then(|name| name.to_str()).ok_or_else(|| {
        Failure::input(format!("{} has no name that can be sent", command.file.display()))
    })?;
    let content = files::read(&command.file, MAX_FILE_BYTES)?;
    let reach = command.node.reach()?;
    let (to, legal_name, id) = block_on(async {
        let ledger = reach.ledger().await?;
        let (to, state) = member::find(&reach, &ledger, &command.to).await?;
        let legal_name = state.entry.map(|entry| entry.legal_name).unwrap_or_default();
        let id = reach.desk().await?.send_letter(*to.as_bytes(), name.to_owned(), content).await?;
        Ok((to, legal_name, id))
    })?;
    let text = format!(
        "{name} goes to {legal_name} as soon as its node is there\n`heatmark post list` shows it until then\n"
    );
    let json = json!({ "letter": hex::encode(id), "to": to.to_string(), "name": name });
    Ok(Answer::yes(json, text))
}

fn list(command: &List) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let (sent, arrived) = block_on(async { Ok(reach.desk().await?.letters().await?) })?;
    let mut text = String::new();
    for (title, rows, peer) in [("Arrived", &arrived, "FROM"), ("On their way", &sent, "TO")] {
        if rows.is_empty() {
            continue;
        }
        text.push_str(title);
        text.push('\n');
        let cells: Vec<Vec<String>> = rows.iter().map(cells).collect();
        text.push_str(&table(&["LETTER", peer, "SINCE", "BYTES", "FILE"], &cells));
    }
    if text.is_empty() {
        text.push_str("Nothing arrived, and nothing is on its way.\n");
    }
    let rows = |rows: &[LetterRow]| rows.iter().map(described).collect::<Vec<_>>();
    Ok(Answer::yes(json!({ "arrived": rows(&arrived), "sent": rows(&sent) }), text))
}

fn save(command: &Save) -> Result<Answer, Failure> {
    let reach = command.one.node.reach()?;
    let (row, content) = block_on(async {
        let desk = reach.desk().await?;
        let row = find(&desk.letters().await?.1, &command.one.letter)?;
        let content = desk.letter(id_of(&row)).await?;
        Ok((row, content))
    })?;
    let out = command.out.clone().unwrap_or_else(|| own_name(&row.name));
    files::create(&out, &content, files::PRIVATE)?;
    let json = json!({ "file": out, "bytes": content.len(), "from": hex::encode(&row.member) });
    Ok(Answer::yes(json, format!("Written to {}, {} bytes\n", out.display(), content.len())))
}

fn throw_away(command: &One) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let row = block_on(async {
        let desk = reach.desk().await?;
        let (sent, arrived) = desk.letters().await?;
        let row = find(&[arrived, sent].concat(), &command.letter)?;
        desk.drop_letter(id_of(&row)).await?;
        Ok(row)
    })?;
    let id = hex::encode(&row.id);
    Ok(Answer::yes(json!({ "dropped": id }), format!("{} is thrown away\n", row.name)))
}

/// The one letter whose id begins so.
pub(super) fn find(rows: &[LetterRow], prefix: &str) -> Result<LetterRow, Failure> {
    let mut found =
        rows.iter().filter(|row| prefix.len() >= 4 && hex::encode(&row.id).starts_with(prefix));
    match (found.next(), found.next()) {
        (Some(row), None) => Ok(row.clone()),
        (Some(_), Some(_)) => Err(Failure::input(format!("{prefix:?} means several letters"))
            .next("give more digits of the id")),
        (None, _) => Err(Failure::no(format!("no letter is {prefix:?}"))
            .next("`heatmark post list` shows them; give 4 digits of the id or more")),
    }
}

pub(super) fn id_of(row: &LetterRow) -> [u8; 32] {
    row.id.as_slice().try_into().unwrap_or_default()
}

/// The name under which the sender sent it, without any directory.
fn own_name(name: &str) -> PathBuf {
    Path::new(name).file_name().map_or_else(|| PathBuf::from("letter"), PathBuf::from)
}

fn cells(row: &LetterRow) -> Vec<String> {
    let refused = if row.refused { " (refused)" } else { "" };
    vec![
        words::short(&row.id),
        words::short(&row.member),
        words::time(row.at_ms),
        row.bytes.to_string(),
        format!("{}{refused}", row.name),
    ]
}

fn described(row: &LetterRow) -> Value {
    json!({
        "letter": hex::encode(&row.id),
        "member": hex::encode(&row.member),
        "name": row.name,
        "bytes": row.bytes,
        "at_ms": row.at_ms,
        "refused": row.refused,
    })
}
