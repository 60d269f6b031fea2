//! `heatmark lot receive` and `refuse`: what is in a parcel, and what becomes of it.

use super::super::answer::{Answer, Exit, table};
use super::super::connect::{NodeArgs, Reach, block_on};
use super::super::failure::Failure;
use super::super::{member, post, words};
use super::quantity::{Lot, mass_text};
use super::told;
use crate::files;
use clap::Args;
use heatmark_client::{CountedLot, ParcelAt, ParcelState, ReadParcelResponse, ReceiveLotsRequest};
use heatmark_ledger::ids::MemberId;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Longest parcel that a node takes, in bytes.
const MAX_PARCEL_BYTES: u64 = 4 << 20;

/// `lot receive`.
#[derive(Debug, Args)]
pub(crate) struct Receive {
    #[command(flatten)]
    node: NodeArgs,
    /// The parcel: a file, or 4 digits of the letter's id or more
    #[arg(value_name = "PARCEL")]
    parcel: String,
    /// Tells what is in it and what its evidence proves, and does nothing
    #[arg(long, conflicts_with_all = ["names", "counted", "discrepancy", "anyway"])]
    look: bool,
    /// A name to give a lot here
    #[arg(long = "name", value_name = "THEIRS=OURS")]
    names: Vec<String>,
    /// What was counted otherwise than the sender says
    #[arg(long, value_name = "LOT=MASS[,PIECES]")]
    counted: Vec<Lot>,
    /// What to tell the sender of it
    #[arg(long, value_name = "TEXT", default_value = "")]
    discrepancy: String,
    /// Takes it although its evidence is rejected
    #[arg(long)]
    anyway: bool,
}

/// `lot refuse`.
#[derive(Debug, Args)]
pub(crate) struct Refuse {
    #[command(flatten)]
    node: NodeArgs,
    /// The parcel: a file, or 4 digits of the letter's id or more
    #[arg(value_name = "PARCEL")]
    parcel: String,
    /// Why; the sender reads it
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

pub(crate) fn run(command: &Receive) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let (at, view, name) = block_on(async {
        let at = place(&reach, &command.parcel).await?;
        let view = reach.desk().await?.read_parcel(at.clone()).await?;
        let name = sender_name(&reach, &view).await;
        Ok((at, view, name))
    })?;
    if command.look {
        return Ok(looked(&view, &name));
    }
    let request = request(command, &view)?;
    let event = block_on(async { Ok(reach.desk().await?.receive_lots(at, request).await?) })?;
    let mut answer = told(&event);
    answer.text.push_str(&format!("From {name}\n"));
    Ok(answer)
}

fn request(command: &Receive, view: &ReadParcelResponse) -> Result<ReceiveLotsRequest, Failure> {
    let place_of = |name: &str| {
        view.lots.iter().position(|lot| lot.name == name).ok_or_else(|| {
            Failure::input(format!("no lot of the parcel is called {name:?}"))
                .next("`heatmark lot receive PARCEL --look` shows its lots")
        })
    };
    let mut names = vec![String::new(); view.lots.len()];
    for pair in &command.names {
        let (theirs, ours) = pair.split_once('=').ok_or_else(|| {
            Failure::input(format!("{pair:?} is no name")).next("give it as THEIRS=OURS")
        })?;
        if let Some(name) = names.get_mut(place_of(theirs)?) {
            ours.clone_into(name);
        }
    }
    let mut counted = Vec::with_capacity(command.counted.len());
    for lot in &command.counted {
        let place = u32::try_from(place_of(&lot.name)?).unwrap_or(u32::MAX);
        counted.push(CountedLot { lot: place, mass_mg: lot.mass_mg, pieces: lot.pieces });
    }
    Ok(ReceiveLotsRequest {
        names,
        counted,
        discrepancy: command.discrepancy.clone(),
        anyway: command.anyway,
        ..ReceiveLotsRequest::default()
    })
}

pub(crate) fn refuse(command: &Refuse) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let name = block_on(async {
        let at = place(&reach, &command.parcel).await?;
        let desk = reach.desk().await?;
        let view = desk.read_parcel(at.clone()).await?;
        desk.refuse_lots(at, command.reason.clone()).await?;
        Ok(sender_name(&reach, &view).await)
    })?;
    let text = format!("Refused; {name} is told as soon as its node is there\n");
    Ok(Answer::yes(json!({ "refused": true, "sender": name }), text))
}

/// A file of that name, else a letter whose id begins so.
async fn place(reach: &Reach, text: &str) -> Result<ParcelAt, Failure> {
    if Path::new(text).is_file() {
        return Ok(ParcelAt::File(files::read(&PathBuf::from(text), MAX_PARCEL_BYTES)?));
    }
    let arrived = reach.desk().await?.letters().await?.1;
    Ok(ParcelAt::Letter(post::id_of(&post::find(&arrived, text)?)))
}

/// Who sends it, by name where the registry tells.
async fn sender_name(reach: &Reach, view: &ReadParcelResponse) -> String {
    let id = MemberId::try_from(view.sender.as_slice()).map(|id| id.to_string());
    let id = id.unwrap_or_default();
    let Ok(ledger) = reach.ledger().await else { return id };
    let found = member::find(reach, &ledger, &id).await.ok();
    found.and_then(|(_, state)| state.entry).map_or(id, |entry| entry.legal_name)
}

fn looked(view: &ReadParcelResponse, sender: &str) -> Answer {
    let mut text = format!("From      {sender}\n");
    let advice = view.advice.clone().unwrap_or_default();
    let lines = [
        ("Order     ", &advice.order),
        ("Despatch  ", &advice.number),
        ("Carrier   ", &advice.carrier),
        ("Note      ", &advice.note),
    ];
    for (title, line) in lines.iter().filter(|(_, line)| !line.is_empty()) {
        text.push_str(&format!("{title}{line}\n"));
    }
    text.push_str(&format!("To be posted before {}\n", words::time(view.not_after_ms)));
    let state = match view.state() {
        ParcelState::Unspecified => None,
        ParcelState::Underway => Some("being received"),
        ParcelState::Accepted => Some("received before"),
        ParcelState::Refused => Some("refused before"),
        ParcelState::Lapsed | ParcelState::Cancelled => Some("received too late"),
    };
    if let Some(state) = state {
        text.push_str(&format!("State     {state}\n"));
    }
    let cells: Vec<Vec<String>> = view
        .lots
        .iter()
        .map(|lot| {
            let codes = lot.codes.join(", ");
            vec![
                lot.name.clone(),
                lot.product.clone(),
                mass_text(lot.mass_mg),
                lot.pieces.to_string(),
                lot.outcome.to_uppercase(),
                codes,
            ]
        })
        .collect();
    let titles = ["LOT", "PRODUCT", "MASS", "PIECES", "EVIDENCE", "BECAUSE"];
    text.push_str(&table(&titles, &cells));
    let rejected = view.lots.iter().any(|lot| lot.outcome == "reject");
    let held = view.lots.iter().any(|lot| lot.outcome != "accept");
    let exit = match (rejected, held) {
        (true, _) => Exit::No,
        (false, true) => Exit::Unknown,
        (false, false) => Exit::Yes,
    };
    Answer::of(exit, described(view, sender), text)
}

fn described(view: &ReadParcelResponse, sender: &str) -> Value {
    let lots: Vec<Value> = view
        .lots
        .iter()
        .map(|lot| {
            json!({
                "name": lot.name,
                "product": lot.product,
                "mass_mg": lot.mass_mg,
                "pieces": lot.pieces,
                "expires_ms": lot.expires_ms,
                "outcome": lot.outcome,
                "codes": lot.codes,
                "certificates": lot.certificates.iter().map(hex::encode).collect::<Vec<_>>(),
            })
        })
        .collect();
    let advice = view.advice.clone().unwrap_or_default();
    json!({
        "transfer": hex::encode(&view.transfer),
        "sender": hex::encode(&view.sender),
        "sender_name": sender,
        "order": advice.order,
        "despatch": advice.number,
        "carrier": advice.carrier,
        "note": advice.note,
        "despatched_ms": advice.despatched_ms,
        "not_after_ms": view.not_after_ms,
        "lots": lots,
    })
}
