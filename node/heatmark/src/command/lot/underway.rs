//! `heatmark lot underway` and `overdue`: lots between companies, from either side.

use super::super::answer::{Answer, Exit, table};
use super::super::connect::{NodeArgs, block_on};
use super::super::failure::Failure;
use super::super::words;
use super::quantity::mass_text;
use clap::Args;
use heatmark_client::{LetterRow, ListParcelsResponse, ParcelRow, ParcelState, ShipmentRow};
use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

/// How parcels are called as letters.
const PARCEL: &str = ".heatmark-parcel";
const DAY_MS: u64 = 86_400_000;

/// `lot underway`.
#[derive(Debug, Args)]
pub(crate) struct Underway {
    #[command(flatten)]
    node: NodeArgs,
    /// Also what has found its end
    #[arg(long)]
    all: bool,
}

/// `lot overdue`.
#[derive(Debug, Args)]
pub(crate) struct Overdue {
    #[command(flatten)]
    node: NodeArgs,
    /// How many days are too long
    #[arg(long, value_name = "N", default_value_t = 3)]
    days: u64,
}

/// Everything between this company and others.
struct Between {
    rows: ListParcelsResponse,
    arrived: Vec<LetterRow>,
}

fn ask(node: &NodeArgs) -> Result<Between, Failure> {
    let reach = node.reach()?;
    block_on(async {
        let desk = reach.desk().await?;
        let mut arrived = desk.letters().await?.1;
        arrived.retain(|letter| letter.name.ends_with(PARCEL));
        Ok(Between { rows: desk.parcels().await?, arrived })
    })
}

pub(crate) fn run(command: &Underway) -> Result<Answer, Failure> {
    let mut between = ask(&command.node)?;
    if !command.all {
        between.rows.parcels.retain(is_open);
    }
    Ok(Answer::yes(json_of(&between), text_of(&between, "Nothing is on its way.\n")))
}

pub(crate) fn overdue(command: &Overdue) -> Result<Answer, Failure> {
    let mut between = ask(&command.node)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    let too_old = |at_ms: u64| now.saturating_sub(at_ms) > command.days.saturating_mul(DAY_MS);
    // One that is refused waits for its sender, however short a time ago that was.
    between.rows.parcels.retain(|parcel| {
        is_open(parcel) && (too_old(parcel.at_ms) || parcel.state() == ParcelState::Refused)
    });
    between.rows.shipments.retain(|row| too_old(row.at_ms) || !row.trouble.is_empty());
    between.arrived.retain(|letter| too_old(letter.at_ms));
    let none = between.rows.parcels.is_empty()
        && between.rows.shipments.is_empty()
        && between.arrived.is_empty();
    let exit = if none { Exit::Yes } else { Exit::No };
    Ok(Answer::of(exit, json_of(&between), text_of(&between, "Nothing is overdue.\n")))
}

fn is_open(parcel: &ParcelRow) -> bool {
    match parcel.state() {
        ParcelState::Underway => true,
        ParcelState::Refused => parcel.sent,
        _ => false,
    }
}

fn text_of(between: &Between, none: &str) -> String {
    let mut text = String::new();
    for (title, sent, peer) in [("Sent", true, "TO"), ("Received", false, "FROM")] {
        let parcels = between.rows.parcels.iter().filter(|parcel| parcel.sent == sent);
        let cells: Vec<Vec<String>> = parcels.clone().map(cells).collect();
        if cells.is_empty() {
            continue;
        }
        text.push_str(&format!("{title}\n"));
        text.push_str(&table(&["TRANSFER", peer, "SINCE", "UNTIL", "STATE", "LOTS"], &cells));
        for parcel in
            parcels.filter(|parcel| !parcel.answer.is_empty() || !parcel.counted.is_empty())
        {
            text.push_str(&said(parcel));
        }
    }
    if !between.arrived.is_empty() {
        text.push_str("Arrived, to be received\n");
        let cells: Vec<Vec<String>> = between
            .arrived
            .iter()
            .map(|letter| {
                let (id, from) = (words::short(&letter.id), words::short(&letter.member));
                vec![id, from, words::time(letter.at_ms)]
            })
            .collect();
        text.push_str(&table(&["LETTER", "FROM", "SINCE"], &cells));
    }
    if !between.rows.shipments.is_empty() {
        text.push_str("Waiting for seals\n");
        let cells: Vec<Vec<String>> = between
            .rows
            .shipments
            .iter()
            .map(|row| {
                vec![
                    words::short(&row.shipment),
                    words::short(&row.member),
                    words::time(row.at_ms),
                    row.lots.join(", "),
                    row.trouble.clone(),
                ]
            })
            .collect();
        text.push_str(&table(&["SHIPMENT", "TO", "SINCE", "LOTS", "TROUBLE"], &cells));
    }
    if text.is_empty() { none.to_owned() } else { text }
}

/// What the receiver said of a parcel.
fn said(parcel: &ParcelRow) -> String {
    let mut text = format!("{}: \"{}\"", words::short(&parcel.transfer), parcel.answer);
    for counted in &parcel.counted {
        let name = usize::try_from(counted.lot).ok().and_then(|place| parcel.lots.get(place));
        let name = name.map_or_else(|| format!("lot {}", counted.lot), Clone::clone);
        let (mass, pieces) = (mass_text(counted.mass_mg), counted.pieces);
        text.push_str(&format!("; of {name} {mass} and {pieces} pieces were counted"));
    }
    text.push('\n');
    text
}

fn cells(parcel: &ParcelRow) -> Vec<String> {
    vec![
        words::short(&parcel.transfer),
        words::short(&parcel.member),
        words::time(parcel.at_ms),
        words::time(parcel.not_after_ms),
        state(parcel).to_owned(),
        parcel.lots.join(", "),
    ]
}

fn state(parcel: &ParcelRow) -> &'static str {
    match parcel.state() {
        ParcelState::Underway if parcel.being_cancelled => "being taken back",
        ParcelState::Underway if parcel.sent => "not posted yet",
        ParcelState::Underway => "being posted",
        ParcelState::Accepted if parcel.counted.is_empty() && parcel.answer.is_empty() => {
            "accepted"
        }
        ParcelState::Accepted => "accepted, differs",
        ParcelState::Lapsed => "lapsed",
        ParcelState::Cancelled => "taken back",
        ParcelState::Refused if parcel.being_cancelled => "refused, being taken back",
        ParcelState::Refused => "refused",
        ParcelState::Unspecified => "unknown",
    }
}

fn json_of(between: &Between) -> Value {
    let parcels: Vec<Value> = between.rows.parcels.iter().map(parcel).collect();
    let shipments: Vec<Value> = between.rows.shipments.iter().map(shipment).collect();
    let arrived: Vec<Value> = between
        .arrived
        .iter()
        .map(|letter| {
            json!({
                "letter": hex::encode(&letter.id),
                "from": hex::encode(&letter.member),
                "at_ms": letter.at_ms,
            })
        })
        .collect();
    json!({ "parcels": parcels, "waiting": shipments, "arrived": arrived })
}

fn parcel(parcel: &ParcelRow) -> Value {
    let advice = parcel.advice.clone().unwrap_or_default();
    let counted: Vec<Value> = parcel
        .counted
        .iter()
        .map(|lot| json!({ "lot": lot.lot, "mass_mg": lot.mass_mg, "pieces": lot.pieces }))
        .collect();
    json!({
        "transfer": hex::encode(&parcel.transfer),
        "member": hex::encode(&parcel.member),
        "sent": parcel.sent,
        "lots": parcel.lots,
        "state": state(parcel),
        "not_after_ms": parcel.not_after_ms,
        "at_ms": parcel.at_ms,
        "order": advice.order,
        "despatch": advice.number,
        "answer": parcel.answer,
        "counted": counted,
    })
}

fn shipment(row: &ShipmentRow) -> Value {
    json!({
        "shipment": hex::encode(&row.shipment),
        "member": hex::encode(&row.member),
        "lots": row.lots,
        "at_ms": row.at_ms,
        "trouble": row.trouble,
    })
}
