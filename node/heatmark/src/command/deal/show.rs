//! `heatmark deal list`, `show`, `watch`: how far deals are.

use super::super::answer::{Answer, Exit, table};
use super::super::connect::block_on;
use super::super::failure::Failure;
use super::super::words;
use super::{List, One, find, part_name};
use heatmark_client::{DealInspection, DealPart, DealView};
use heatmark_escrow::format_amount;
use serde_json::{Value, json};
use std::io::{self, Write as _};

pub(super) fn list(command: &List) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let deals = block_on(async { Ok(reach.desk().await?.deals().await?) })?;
    let json = json!({ "deals": deals.iter().map(deal_json).collect::<Vec<_>>() });
    if deals.is_empty() {
        return Ok(Answer::yes(json, "There are no deals.\n"));
    }
    let rows: Vec<Vec<String>> = deals
        .iter()
        .map(|deal| {
            let with = match deal.part() {
                DealPart::Buyer => &deal.owner_name,
                _ => &deal.buyer_name,
            };
            vec![
                words::short(&deal.deal),
                part_name(deal.part()).to_owned(),
                state(deal),
                price(deal),
                words::on_one_line(with),
                words::short(&deal.record_id),
                deal.sections
                    .iter()
                    .map(|name| words::on_one_line(name))
                    .collect::<Vec<_>>()
                    .join(", "),
            ]
        })
        .collect();
    let header = ["DEAL", "AS", "STATE", "PRICE", "WITH", "RECORD", "SECTIONS"];
    Ok(Answer::yes(json, table(&header, &rows)))
}

pub(super) fn show(command: &One) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let (id, views) = block_on(async { find(&reach.desk().await?, &command.deal).await })?;
    let json = json!({
        "deal": hex::encode(id), "parts": views.iter().map(deal_json).collect::<Vec<_>>(),
    });
    let text = views.iter().map(deal_text).collect::<Vec<_>>().join("\n");
    Ok(Answer::yes(json, text))
}

pub(super) fn watch(command: &One, json: bool) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    block_on(async {
        let desk = reach.desk().await?;
        let (id, _) = find(&desk, &command.deal).await?;
        let mut watch = desk.watch_deal(id).await?;
        while let Some(views) = watch.next().await? {
            let mut lines = String::new();
            for view in &views {
                lines.push_str(&if json {
                    format!("{}\n", deal_json(view))
                } else {
                    format!("{}\n", line(view, views.len() > 1))
                });
            }
            let mut stdout = io::stdout().lock();
            // Whoever read along has gone: that is how `| head` ends.
            if stdout.write_all(lines.as_bytes()).and_then(|()| stdout.flush()).is_err() {
                return Ok(Answer::printed(Exit::Yes));
            }
            if views.iter().all(has_ended) {
                let settled = views.iter().all(|view| view.phase == "settled");
                return Ok(Answer::printed(if settled { Exit::Yes } else { Exit::No }));
            }
        }
        Err(Failure::unknown("the node ended the watch").next("run the command again"))
    })
}

/// Whether nothing more will come of it by itself.
pub(super) fn has_ended(view: &DealView) -> bool {
    let over = matches!(view.phase.as_str(), "settled" | "expired" | "refunded");
    let never = view.phase == "gathering" && !is_patient(view);
    // A buyer may still be fetching what a settled deal gave it.
    let opening = view.part() == DealPart::Buyer
        && view.phase == "settled"
        && !view.opened
        && !is_faulty(view);
    (over && !opening && !inspects(view)) || never
}

/// Whether the inspection that asked for it is being run again.
pub(super) fn inspects(view: &DealView) -> bool {
    let waits = |asked: &DealInspection| asked.after.is_empty() && asked.trouble.is_empty();
    view.opened && !view.destroyed && view.inspection.as_ref().is_some_and(waits)
}

/// What the inspection that asked for it came to before, and what after the deal has opened.
pub(super) fn inspection(view: &DealView) -> Option<String> {
    let asked = view.inspection.as_ref()?;
    let before = asked.verdict_before.to_uppercase();
    let id = words::short(&asked.before);
    Some(match (asked.after.is_empty(), asked.trouble.as_str()) {
        (false, _) => {
            let (after, again) = (asked.verdict_after.to_uppercase(), words::short(&asked.after));
            format!("{before} before ({id}), {after} now ({again})")
        }
        (true, "") => format!("{before} ({id})"),
        (true, trouble) => {
            let why = words::on_one_line(&asked.trouble_text);
            format!("{before} ({id}), not run again yet: {why} ({trouble})")
        }
    })
}

/// Whether a deal that is not on the log yet may still get there.
pub(super) fn is_patient(view: &DealView) -> bool {
    matches!(view.trouble.as_str(), "" | "too-few-parties" | "refused")
}

/// Whether the buyer's node found what it bought faulty.
fn is_faulty(view: &DealView) -> bool {
    view.trouble == "bad-shares" || view.trouble.starts_with("payload-")
}

/// A change on one line.
pub(super) fn line(view: &DealView, several: bool) -> String {
    let mut parts = vec![state(view)];
    if several {
        parts.insert(0, format!("as {}:", part_name(view.part())));
    }
    if view.phase == "funded" && view.ready > 0 {
        parts.push(format!("{} agents ready", view.ready));
    }
    if matches!(view.phase.as_str(), "ready" | "delivered" | "disputed") {
        parts.push(format!("{} of {} shares released", view.released, view.threshold));
    }
    if view.deadline_ms != 0 {
        parts.push(format!("until {}", words::time(view.deadline_ms)));
    }
    if let Some(ruling) = &view.ruling {
        parts.push(ruled(ruling.refund, &ruling.reason));
    }
    if let Some(said) = inspection(view).filter(|_| view.opened) {
        parts.push(format!("inspection: {said}"));
    }
    if !view.trouble.is_empty() {
        parts.push(format!("TROUBLE {}: {}", view.trouble, words::on_one_line(&view.trouble_text)));
    }
    parts.join("  ")
}

/// The phase, with what only the buyer knows of it.
pub(super) fn state(view: &DealView) -> String {
    match (view.opened, view.destroyed) {
        (_, true) => format!("{}, destroyed here", view.phase),
        (true, false) => format!("{}, opened", view.phase),
        (false, false) => view.phase.clone(),
    }
}

fn ruled(refund: bool, reason: &str) -> String {
    let whom = if refund { "buyer" } else { "owner" };
    format!("ruled for the {whom}: {}", words::on_one_line(reason))
}

/// What is paid, as far as it is known here.
pub(super) fn price(view: &DealView) -> String {
    match (view.amount, view.currency.as_str()) {
        (_, "") => String::new(),
        (Some(amount), currency) => format_amount(amount, currency),
        (None, currency) => format!("a premium in {currency}"),
    }
}

/// A deal in one part, for machines.
pub(super) fn deal_json(view: &DealView) -> Value {
    json!({
        "deal": hex::encode(&view.deal),
        "part": part_name(view.part()),
        "phase": view.phase,
        "buyer": hex::encode(&view.buyer),
        "buyer_name": view.buyer_name,
        "owner": Some(hex::encode(&view.owner)).filter(|owner| !owner.is_empty()),
        "owner_name": Some(&view.owner_name).filter(|name| !name.is_empty()),
        "record_id": Some(hex::encode(&view.record_id)).filter(|record| !record.is_empty()),
        "sections": view.sections,
        "purpose": view.purpose,
        "amount": view.amount,
        "currency": Some(&view.currency).filter(|currency| !currency.is_empty()),
        "ready": view.ready,
        "released": view.released,
        "threshold": view.threshold,
        "deadline_ms": Some(view.deadline_ms).filter(|deadline| *deadline != 0),
        "trouble": Some(&view.trouble).filter(|trouble| !trouble.is_empty()),
        "trouble_text": Some(&view.trouble_text).filter(|text| !text.is_empty()),
        "bad_agents": view.bad_agents,
        "opened": view.opened,
        "destroyed": view.destroyed,
        "ruling": view.ruling.as_ref().map(|ruling| json!({
            "refund": ruling.refund, "code": ruling.code, "reason": ruling.reason,
        })),
        "begun_ms": view.begun_ms,
        "inspection": view.inspection.as_ref().map(inspection_json),
    })
}

fn inspection_json(asked: &DealInspection) -> Value {
    json!({
        "before": hex::encode(&asked.before),
        "verdict_before": asked.verdict_before,
        "after": Some(hex::encode(&asked.after)).filter(|after| !after.is_empty()),
        "verdict_after": Some(&asked.verdict_after).filter(|verdict| !verdict.is_empty()),
        "trouble": Some(&asked.trouble).filter(|trouble| !trouble.is_empty()),
        "trouble_text": Some(&asked.trouble_text).filter(|text| !text.is_empty()),
    })
}

fn deal_text(view: &DealView) -> String {
    let mut text = format!(
        "Deal      {}\nAs        {}\nState     {}\n",
        hex::encode(&view.deal),
        part_name(view.part()),
        state(view)
    );
    let mut add = |name: &str, value: String| {
        if !value.is_empty() {
            text.push_str(&format!("{name:<9} {value}\n"));
        }
    };
    let plain = words::on_one_line;
    if view.deadline_ms != 0 {
        add("Until", words::time(view.deadline_ms));
    }
    add("Buyer", format!("{} ({})", plain(&view.buyer_name), words::short(&view.buyer)));
    if !view.owner.is_empty() {
        add("Owner", format!("{} ({})", plain(&view.owner_name), words::short(&view.owner)));
    }
    add("Record", hex::encode(&view.record_id));
    add("Sections", view.sections.iter().map(|name| plain(name)).collect::<Vec<_>>().join(", "));
    add("Purpose", plain(&view.purpose));
    add("Price", price(view));
    if view.threshold != 0 {
        let counts =
            format!("{} ready, {} released, {} needed", view.ready, view.released, view.threshold);
        add("Agents", counts);
    }
    if !view.bad_agents.is_empty() {
        let bad: Vec<String> = view.bad_agents.iter().map(ToString::to_string).collect();
        add("Bad", format!("shares of agents number {}", bad.join(", ")));
    }
    if let Some(ruling) = &view.ruling {
        add("Ruling", ruled(ruling.refund, &ruling.reason));
    }
    if !view.trouble.is_empty() {
        add("Trouble", format!("{} ({})", plain(&view.trouble_text), view.trouble));
    }
    add("Inspected", inspection(view).unwrap_or_default());
    add("Next", next(view));
    text
}

/// What its people may do now.
fn next(view: &DealView) -> String {
    let deal = words::short(&view.deal);
    match (view.part(), view.phase.as_str()) {
        (DealPart::Owner, "open") => format!("heatmark deal accept {deal}"),
        (DealPart::Arbiter, "accepted") => {
            format!("heatmark deal fund {deal}, once the money is here")
        }
        (DealPart::Arbiter, "disputed") if view.ruling.is_none() => {
            format!("heatmark deal judge {deal}, then heatmark deal rule {deal} …")
        }
        (DealPart::Buyer, "delivered") if is_faulty(view) => {
            format!("heatmark deal dispute {deal}")
        }
        (DealPart::Buyer, _) if view.opened && !view.destroyed => {
            format!("heatmark deal sections {deal}")
        }
        _ => String::new(),
    }
}
