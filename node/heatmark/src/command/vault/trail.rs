//! The vault's log, page by page, each held against the one before.

use super::super::answer::{Answer, table};
use super::super::connect::block_on;
use super::super::failure::Failure;
use super::super::words;
use super::Log;
use heatmark_client::{DeskClient, Entry};
use heatmark_vault::Deed;
use serde_json::{Value, json};

/// Entries asked for at once.
const PAGE: u32 = 1_000;

struct Trail {
    entries: Vec<Entry>,
    count: u64,
    head: String,
}

pub(super) fn log(command: &Log) -> Result<Answer, Failure> {
    let expected = command.expect.as_deref().map(expected).transpose()?;
    let reach = command.node.reach()?;
    let (trail, kept) = block_on(async {
        let desk = reach.desk().await?;
        let count = desk.vault_log(u64::MAX, 1).await?.count;
        let Some((noted, hash)) = expected else {
            let first = command.from.unwrap_or_else(|| count.saturating_sub(command.limit.into()));
            return Ok((read(&desk, first, u64::from(command.limit)).await?, true));
        };
        if noted > count {
            return Ok((read(&desk, count, 0).await?, false));
        }
        let trail = read(&desk, noted.saturating_sub(1), u64::MAX).await?;
        let kept = noted == 0 || trail.entries.first().is_some_and(|entry| entry.hash == hash);
        Ok((trail, kept))
    })?;
    Ok(answer(&trail, kept))
}

/// `COUNT:HASH`, as the command prints it.
fn expected(text: &str) -> Result<(u64, [u8; 32]), Failure> {
    let parsed = text.split_once(':').and_then(|(count, hash)| {
        let hash = hex::decode(hash).ok().and_then(|hash| <[u8; 32]>::try_from(hash).ok());
        count.parse().ok().zip(hash)
    });
    parsed.ok_or_else(|| {
        Failure::input(format!("{text:?} is no head of a log"))
            .next("give it as `heatmark vault log` printed it, for example 12:9c1f…")
    })
}

async fn read(desk: &DeskClient, first: u64, most: u64) -> Result<Trail, Failure> {
    let mut entries: Vec<Entry> = Vec::new();
    loop {
        let length = u64::try_from(entries.len()).unwrap_or(u64::MAX);
        let wanted = most.saturating_sub(length).min(PAGE.into());
        let page = u32::try_from(wanted).unwrap_or(PAGE).max(1);
        let log = desk.vault_log(first.saturating_add(length), page).await?;
        let follows = match (entries.last(), log.entries.first()) {
            (Some(before), Some(next)) => next.entry.previous == before.hash,
            _ => true,
        };
        if !follows {
            return Err(Failure::no("the node's answer is not true")
                .because("a log entry that does not follow from the one before"));
        }
        let ended = log.entries.is_empty() || wanted == 0;
        let (count, head) = (log.count, hex::encode(&log.head));
        if !ended {
            entries.extend(log.entries);
        }
        let length = u64::try_from(entries.len()).unwrap_or(u64::MAX);
        if ended || length >= most || first.saturating_add(length) >= count {
            return Ok(Trail { entries, count, head });
        }
    }
}

fn answer(trail: &Trail, kept: bool) -> Answer {
    let rows: Vec<Vec<String>> = trail.entries.iter().map(row).collect();
    let mut text = table(&["NO", "WHEN", "WHO", "WHAT", "ABOUT", "NUMBER"], &rows);
    text.push_str(&format!("Head {}:{}\n", trail.count, trail.head));
    if !kept {
        text.push_str(
            "REWRITTEN: the log is not the one whose head you noted. Find out who had the vault's \
             key.\n",
        );
    }
    let json = json!({
        "ok": kept,
        "count": trail.count,
        "head": format!("{}:{}", trail.count, trail.head),
        "entries": trail.entries.iter().map(described).collect::<Vec<_>>(),
    });
    Answer::holds(kept, json, text)
}

fn deed(number: u32) -> String {
    Deed::of(number).map_or_else(|| format!("deed {number}"), |deed| deed.name().to_owned())
}

fn who(entry: &Entry) -> (&'static str, String) {
    let name = entry.entry.name.clone();
    match entry.entry.actor {
        1 => ("node", "the node".to_owned()),
        2 => ("client", format!("{name} ({})", words::short(&entry.entry.key))),
        _ => ("user", format!("user {name}")),
    }
}

fn row(entry: &Entry) -> Vec<String> {
    let said = &entry.entry;
    let number = match Deed::of(said.deed) {
        Some(Deed::Retain) if said.number != 0 => words::time(said.number),
        _ if said.number == 0 => String::new(),
        _ => said.number.to_string(),
    };
    vec![
        said.sequence.to_string(),
        words::time(said.at_ms),
        who(entry).1,
        deed(said.deed),
        words::short(&said.about),
        number,
    ]
}

fn described(entry: &Entry) -> Value {
    let said = &entry.entry;
    json!({
        "sequence": said.sequence,
        "at_ms": said.at_ms,
        "by": who(entry).0,
        "key": hex::encode(&said.key),
        "name": said.name,
        "deed": deed(said.deed),
        "about": hex::encode(&said.about),
        "number": said.number,
        "hash": hex::encode(entry.hash),
    })
}
