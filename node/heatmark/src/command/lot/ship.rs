//! `heatmark lot offer`, `ship`, `cancel`: seals for a sender, lots to a receiver, and back.

use super::super::answer::Answer;
use super::super::connect::{NodeArgs, Reach, block_on};
use super::super::failure::Failure;
use super::super::member;
use super::told;
use crate::files;
use clap::Args;
use heatmark_client::{DespatchNote, ParcelState, ShipLotsRequest};
use serde_json::json;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

/// Longest file of an offer, a specification or a disclosure that is read here, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;
const DAY_MS: u64 = 86_400_000;

/// `lot offer`.
#[derive(Debug, Args)]
pub(crate) struct Offer {
    #[command(flatten)]
    node: NodeArgs,
    /// The sender: a member's id, the beginning of one, or its legal name
    #[arg(long, value_name = "MEMBER")]
    to: String,
    /// How many seals: one for each lot
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    seals: u32,
    /// An order's number or the like
    #[arg(long, value_name = "TEXT", default_value = "")]
    reference: String,
    /// A file to hand over instead of a letter
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// `lot ship`.
#[derive(Debug, Args)]
pub(crate) struct Ship {
    #[command(flatten)]
    node: NodeArgs,
    /// The lots, by name
    #[arg(value_name = "LOT", required = true, num_args = 1..=64)]
    lots: Vec<String>,
    /// The receiver: a member's id, the beginning of one, or its legal name
    #[arg(long, value_name = "MEMBER")]
    to: String,
    /// The order's number
    #[arg(long, value_name = "TEXT", default_value = "")]
    order: String,
    /// The despatch advice's number
    #[arg(long, value_name = "TEXT", default_value = "")]
    despatch: String,
    /// Who carries the goods
    #[arg(long, value_name = "TEXT", default_value = "")]
    carrier: String,
    /// Anything else to tell
    #[arg(long, value_name = "TEXT", default_value = "")]
    note: String,
    /// What the receiver is shown of your certificates: paths, patterns (chemistry/*), profiles (origin, chemistry, mechanical, all)
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    show: Vec<String>,
    /// What of your certificates may also go on to the receiver's customers
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    onward: Vec<String>,
    /// A specification whose limits are proved of your certificates, to all who get the material
    #[arg(long, value_name = "FILE")]
    limits: Option<PathBuf>,
    /// A laboratory's disclosure to you that is to go along with the material
    #[arg(long, value_name = "FILE")]
    with: Vec<PathBuf>,
    /// How long the receiver has to post it
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=59))]
    days: u64,
    /// The receiver's offer, where it came as a file
    #[arg(long, value_name = "FILE")]
    offer: Option<PathBuf>,
    /// A file to hand over instead of a letter
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The lots go back to whom they came from
    #[arg(long = "return")]
    give_back: bool,
}

/// `lot cancel`.
#[derive(Debug, Args)]
pub(crate) struct Cancel {
    #[command(flatten)]
    node: NodeArgs,
    /// The transfer, 4 digits of its id or more, or the name of one of its lots
    #[arg(value_name = "TRANSFER")]
    transfer: String,
}

pub(crate) fn offer(command: &Offer) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let letter = command.out.is_none();
    let (name, offer) = block_on(async {
        let ledger = reach.ledger().await?;
        let (to, state) = member::find(&reach, &ledger, &command.to).await?;
        let name = state.entry.map(|entry| entry.legal_name).unwrap_or_default();
        let reference = command.reference.clone();
        let desk = reach.desk().await?;
        Ok((name, desk.offer_seals(*to.as_bytes(), command.seals, reference, letter).await?))
    })?;
    let seals = match command.seals {
        1 => "A seal".to_owned(),
        seals => format!("{seals} seals"),
    };
    let text = match &command.out {
        Some(out) => {
            files::create(out, &offer, files::PRIVATE)?;
            format!("{seals} for {name}, written to {}\n", out.display())
        }
        None => format!("{seals} for {name}: the offer goes as soon as its node is there\n"),
    };
    Ok(Answer::yes(json!({ "seals": command.seals, "file": command.out }), text))
}

pub(crate) fn run(command: &Ship) -> Result<Answer, Failure> {
    let specification = match &command.limits {
        Some(file) => String::from_utf8(files::read(file, MAX_FILE_BYTES)?)
            .map_err(|_| Failure::input(format!("{} is no text", file.display())))?,
        None => String::new(),
    };
    let offer = command.offer.as_ref().map(|file| files::read(file, MAX_FILE_BYTES)).transpose()?;
    let mut attestations = Vec::with_capacity(command.with.len());
    for file in &command.with {
        attestations.push(files::read(file, MAX_FILE_BYTES)?);
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let advice = DespatchNote {
        number: command.despatch.clone(),
        order: command.order.clone(),
        carrier: command.carrier.clone(),
        note: command.note.clone(),
        despatched_ms: u64::try_from(since.as_millis()).unwrap_or_default(),
    };
    let reach = command.node.reach()?;
    let (name, answer) = block_on(async {
        let ledger = reach.ledger().await?;
        let (to, state) = member::find(&reach, &ledger, &command.to).await?;
        let name = state.entry.map(|entry| entry.legal_name).unwrap_or_default();
        let desk = reach.desk().await?;
        if let Some(offer) = offer {
            desk.take_offer(offer).await?;
        }
        let request = ShipLotsRequest {
            lots: command.lots.clone(),
            to: to.to_vec(),
            give_back: command.give_back,
            advice: Some(advice),
            show: command.show.clone(),
            onward: command.onward.clone(),
            specification,
            attestations,
            window_ms: command.days.saturating_mul(DAY_MS),
            as_file: command.out.is_some(),
        };
        Ok((name, desk.ship_lots(request).await?))
    })?;
    let lots = command.lots.join(", ");
    let text = match &command.out {
        _ if !answer.shipment.is_empty() => format!(
            "{lots} for {name}: its node is asked for seals, and the parcel goes when they are here\n\
             `heatmark lot underway` shows it\n"
        ),
        Some(out) => {
            files::create(out, &answer.parcel, files::PRIVATE)?;
            format!("{lots} for {name}, written to {}: hand it over\n", out.display())
        }
        None => format!(
            "{lots} for {name}: the parcel goes as soon as its node is there\n\
             Yours until {name} posts it; `heatmark lot underway` shows it\n"
        ),
    };
    let json = json!({
        "lots": command.lots,
        "transfer": hex::encode(&answer.transfer),
        "waiting": hex::encode(&answer.shipment),
        "file": command.out.as_ref().filter(|_| answer.shipment.is_empty()),
    });
    Ok(Answer::yes(json, text))
}

pub(crate) fn cancel(command: &Cancel) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    if let Some(shipment) = block_on(drop_shipment(&reach, &command.transfer))? {
        let text = format!("{} is not sent; nothing had left\n", shipment.join(", "));
        return Ok(Answer::yes(json!({ "dropped": shipment }), text));
    }
    let event = block_on(async {
        let desk = reach.desk().await?;
        let parcels = desk.parcels().await?.parcels;
        let means = |text: &str, transfer: &[u8], lots: &[String]| {
            lots.iter().any(|lot| lot == text)
                || (text.len() >= 4 && hex::encode(transfer).starts_with(text))
        };
        let open = [ParcelState::Underway, ParcelState::Refused];
        let mut found = parcels.iter().filter(|parcel| {
            parcel.sent
                && open.contains(&parcel.state())
                && means(&command.transfer, &parcel.transfer, &parcel.lots)
        });
        let transfer = match (found.next(), found.next()) {
            (Some(parcel), None) => parcel.transfer.as_slice().try_into().unwrap_or_default(),
            (Some(_), Some(_)) => {
                return Err(Failure::input(format!(
                    "{:?} means several parcels",
                    command.transfer
                ))
                .next("give more digits of the transfer"));
            }
            (None, _) => {
                return Err(Failure::no(format!("no parcel on its way is {:?}", command.transfer))
                    .next("`heatmark lot underway` shows them"));
            }
        };
        Ok(desk.cancel_parcel(transfer).await?)
    })?;
    Ok(told(&event))
}

/// Gives up what waits for seals, where it is that which is meant.
async fn drop_shipment(reach: &Reach, text: &str) -> Result<Option<Vec<String>>, Failure> {
    let desk = reach.desk().await?;
    let shipments = desk.parcels().await?.shipments;
    let found = shipments.into_iter().find(|row| {
        row.lots.iter().any(|lot| lot == text)
            || (text.len() >= 4 && hex::encode(&row.shipment).starts_with(text))
    });
    let Some(row) = found else { return Ok(None) };
    desk.drop_shipment(row.shipment.as_slice().try_into().unwrap_or_default()).await?;
    Ok(Some(row.lots))
}
