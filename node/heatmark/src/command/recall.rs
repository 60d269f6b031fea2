//! `heatmark recall`: alerts on material that is or was here, who has it, what can still be used; notices, totals and drills.

mod drill;
mod notices;

use super::answer::{Answer, table};
use super::connect::{NodeArgs, block_on};
use super::failure::Failure;
use super::lot::quantity::mass_text;
use super::lot::trace::{affected_json, affected_text};
use super::words;
use clap::{Args, Subcommand};
use heatmark_client::{Recall, RecallDetail, RecallHolder};
use heatmark_ledger::messages::AlertLevel;
use serde_json::{Value, json};

/// What to do about recalls.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists alerts on what is or was here
    #[command(
        after_help = "Example:\n  heatmark recall list --home assembler\nExits with 1 when a hold, a recall or a revocation reaches own lots."
    )]
    List(List),
    /// Shows one: lots, stock that is affected and stock that is not, customers and what they said
    #[command(
        after_help = "Example:\n  heatmark recall show 48213 --home assembler\nNames an alert by the beginning of its subject or of the record's id, or by the heat."
    )]
    Show(One),
    /// Writes notices to the customers who have affected material, and sends them
    #[command(
        after_help = "Example:\n  heatmark recall notices 48213 --out notices --home forge\n  heatmark recall notices 48213 --out notices --send --reason 'retest of the heat failed' --home forge\nFor each customer a text, a PDF and a CSV file; --send also posts the text to its node."
    )]
    Notices(notices::Notices),
    /// Notes that a person took notice, and tells the suppliers of the material how much of it is left
    #[command(
        after_help = "Example:\n  heatmark recall acknowledge 48213 --home assembler\nThe node itself acknowledges every alert on the log. This tells each supplier one sum: own stock and\nwhat customers said. Told again by itself whenever a customer's answer changes it."
    )]
    Acknowledge(One),
    /// Plays a supplier's fault, an own rework and a customer's return through, without raising any alert
    #[command(
        after_help = "Example:\n  heatmark recall drill --home forge\n  heatmark recall drill --letters --wait 60 --home forge\nWith --letters customers' nodes get a letter that says DRILL; whose node took it counts as acknowledged."
    )]
    Drill(drill::DrillArgs),
}

/// `recall list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    node: NodeArgs,
    /// Those that were cleared as well
    #[arg(long)]
    all: bool,
}

/// One alert.
#[derive(Debug, Args)]
pub(crate) struct One {
    #[command(flatten)]
    node: NodeArgs,
    /// The beginning of its subject or of the record's id, or the heat
    #[arg(value_name = "ALERT")]
    alert: String,
}

pub(crate) fn run(command: Command) -> Result<Answer, Failure> {
    match command {
        Command::List(command) => list(&command),
        Command::Show(command) => show(&command),
        Command::Notices(command) => notices::run(&command),
        Command::Acknowledge(command) => acknowledge(&command),
        Command::Drill(command) => drill::run(&command),
    }
}

fn list(command: &List) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let all = command.all;
    let recalls = block_on(async { Ok(reach.desk().await?.recalls(all).await?) })?;
    let row = |recall: &Recall| {
        vec![
            words::short(&recall.subject),
            level_of(recall),
            about(recall),
            words::on_one_line(&recall.issuer_name),
            recall.height.to_string(),
            recall.own_lots.to_string(),
            recall.stock_lots.to_string(),
            recall.customers.to_string(),
            if recall.acknowledged { "yes" } else { "no" }.to_owned(),
        ]
    };
    let rows: Vec<Vec<String>> = recalls.iter().map(row).collect();
    let header =
        ["ALERT", "LEVEL", "ON", "ISSUER", "HEIGHT", "LOTS", "STOCK", "CUSTOMERS", "ACKNOWLEDGED"];
    let text = if rows.is_empty() {
        "No alert is on anything that is or was here.\n".to_owned()
    } else {
        table(&header, &rows)
    };
    let reached = recalls.iter().any(|recall| is_grave(recall) && recall.own_lots > 0);
    let json = json!({ "recalls": recalls.iter().map(recall_json).collect::<Vec<_>>() });
    Ok(Answer::holds(!reached, json, text))
}

fn show(command: &One) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let named = command.alert.clone();
    let detail = block_on(async { Ok(reach.desk().await?.recall(named).await?) })?;
    let reached =
        detail.recall.as_ref().is_some_and(|recall| is_grave(recall) && recall.own_lots > 0);
    Ok(Answer::holds(!reached, detail_json(&detail), detail_text(&detail)))
}

fn acknowledge(command: &One) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let named = command.alert.clone();
    let told = block_on(async { Ok(reach.desk().await?.acknowledge_recall(named).await?) })?;
    let text = if told.is_empty() {
        "Noted. None of the material came from a supplier on this network: nobody is to be told.\n"
            .to_owned()
    } else {
        let names: Vec<String> = told.iter().map(|name| words::on_one_line(name)).collect();
        format!("Noted. What is left goes to {}\n", names.join(", "))
    };
    Ok(Answer::yes(json!({ "told": told }), text))
}

fn is_grave(recall: &Recall) -> bool {
    matches!(recall.level(), AlertLevel::Hold | AlertLevel::Recall | AlertLevel::Revoke)
}

fn level_of(recall: &Recall) -> String {
    let level = words::level(recall.level());
    if recall.concern_of.is_empty() {
        return level.to_owned();
    }
    format!("{level} (concern of {})", words::on_one_line(&recall.concerned))
}

/// What an alert is on, in words.
fn about(recall: &Recall) -> String {
    if recall.heat.is_empty() {
        let first = recall.records.first();
        let record = first.map(|record| words::short(record)).unwrap_or_default();
        return format!("{} {record}", recall.kind);
    }
    format!("heat {}", words::on_one_line(&recall.heat))
}

fn recall_json(recall: &Recall) -> Value {
    json!({
        "subject": hex::encode(&recall.subject),
        "level": words::level(recall.level()),
        "concern_of": hex::encode(&recall.concern_of),
        "concerned": recall.concerned,
        "sequence": recall.sequence,
        "height": recall.height,
        "leaf": recall.leaf,
        "found_ms": recall.found_ms,
        "changed_ms": recall.changed_ms,
        "records": recall.records.iter().map(hex::encode).collect::<Vec<_>>(),
        "kind": recall.kind,
        "heat": recall.heat,
        "issuer": hex::encode(&recall.issuer),
        "issuer_name": recall.issuer_name,
        "own_lots": recall.own_lots,
        "stock_lots": recall.stock_lots,
        "customers": recall.customers,
        "acknowledged": recall.acknowledged,
    })
}

fn holder_json(holder: &RecallHolder) -> Value {
    json!({
        "member": hex::encode(&holder.member),
        "name": holder.name,
        "told_of": holder.told_of,
        "answer": holder.answered.then(|| json!({
            "sequence": holder.sequence,
            "mass_mg": holder.mass_mg,
            "pieces": holder.pieces,
            "holders": holder.holders,
            "awaited": holder.awaited,
            "at_ms": holder.at_ms,
        })),
    })
}

fn detail_json(detail: &RecallDetail) -> Value {
    json!({
        "recall": detail.recall.as_ref().map(recall_json),
        "affected": detail.affected.as_ref().map(affected_json),
        "free": {
            "lots": detail.free_lots,
            "mass_mg": detail.free_mg,
            "pieces": detail.free_pieces,
        },
        "holders": detail.holders.iter().map(holder_json).collect::<Vec<_>>(),
        "acknowledged": detail.acknowledged,
        "members": detail.members,
    })
}

fn detail_text(detail: &RecallDetail) -> String {
    let mut text = String::new();
    if let Some(recall) = &detail.recall {
        text.push_str(&format!(
            "Alert        {}\nLevel        {}\nOn           {}\nIssuer       {}\nBlock        {}, found here {}\nAcknowledged {} of {} nodes; by a person here: {}\n",
            hex::encode(&recall.subject),
            level_of(recall),
            about(recall),
            words::on_one_line(&recall.issuer_name),
            recall.height,
            words::time(recall.found_ms),
            detail.acknowledged,
            detail.members,
            if recall.acknowledged { "yes" } else { "no" },
        ));
    }
    if let Some(affected) = &detail.affected {
        text.push_str(&affected_text(affected));
    }
    for holder in &detail.holders {
        let said = if holder.answered {
            format!(
                "has {}, {} pieces with {} holders; {} have yet to answer",
                mass_text(holder.mass_mg),
                holder.pieces,
                holder.holders,
                holder.awaited
            )
        } else {
            "has not answered".to_owned()
        };
        let told = if holder.told_of > 0 { "told" } else { "not told yet" };
        text.push_str(&format!("  {}: {told}; {said}\n", words::on_one_line(&holder.name)));
    }
    text.push_str(&format!(
        "To release   {} lots that no alert reaches, {}, {} pieces\n",
        detail.free_lots.len(),
        mass_text(detail.free_mg),
        detail.free_pieces,
    ));
    text
}
