//! What is deposited, and what is held for others.

use super::super::answer::{Answer, table};
use super::super::connect::block_on;
use super::super::failure::Failure;
use super::super::words;
use super::due;
use super::{Holdings, Status, section_json, section_text};
use heatmark_client::{DepositView, HoldingView};
use serde_json::{Value, json};

pub(super) fn status(command: &Status) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let (deposits, due) = block_on(async {
        let desk = reach.desk().await?;
        Ok((desk.deposits().await?, desk.due_deposits().await?))
    })?;
    let json = json!({
        "deposits": deposits.iter().map(deposit_json).collect::<Vec<_>>(),
        "due": due.iter().map(due::json).collect::<Vec<_>>(),
    });
    let mut text = match deposits.as_slice() {
        [] => "Nothing is deposited.\n".to_owned(),
        deposits => deposits.iter().map(deposit_text).collect::<Vec<_>>().join("\n"),
    };
    text.push_str(&due::text(&due));
    Ok(Answer::yes(json, text))
}

fn deposit_json(deposit: &DepositView) -> Value {
    json!({
        "deposit": hex::encode(&deposit.deposit),
        "manifest": hex::encode(&deposit.manifest),
        "record_id": hex::encode(&deposit.record_id),
        "epoch": deposit.epoch,
        "deposited_ms": deposit.deposited_ms,
        "threshold": deposit.threshold,
        "anchored": deposit.anchored,
        "destroyed": deposit.destroyed,
        "signed": signed(deposit),
        "agents": deposit.agents.iter().map(|agent| json!({
            "member": hex::encode(&agent.member), "name": agent.name, "state": agent.state,
            "alive_ms": agent.alive_ms, "trouble": agent.trouble,
        })).collect::<Vec<_>>(),
        "sections": deposit.sections.iter().map(section_json).collect::<Vec<_>>(),
    })
}

fn signed(deposit: &DepositView) -> usize {
    deposit.agents.iter().filter(|agent| agent.state == "signed").count()
}

fn deposit_text(deposit: &DepositView) -> String {
    let state = match (deposit.destroyed, deposit.anchored) {
        (true, _) => "DESTROYED",
        (false, true) => "anchored",
        (false, false) => "on its way to the log",
    };
    let mut text = format!(
        "Deposit {} of record {}, {}\n  {state}; {} of {} agents have signed, {} open it\n",
        words::short(&deposit.deposit),
        words::short(&deposit.record_id),
        words::time(deposit.deposited_ms),
        signed(deposit),
        deposit.agents.len(),
        deposit.threshold,
    );
    for agent in &deposit.agents {
        let member = words::short(&agent.member);
        let name = words::on_one_line(&agent.name);
        let alive = match (agent.trouble.as_str(), agent.alive_ms) {
            ("", 0) => String::new(),
            ("", at) => format!(", alive {}", words::time(at)),
            (trouble, _) => format!(", {}", words::on_one_line(trouble)),
        };
        text.push_str(&format!("  agent {name} ({member}): {}{alive}\n", agent.state));
    }
    text.extend(deposit.sections.iter().map(section_text));
    text
}

pub(super) fn holdings(command: &Holdings) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let holdings = block_on(async { Ok(reach.desk().await?.holdings().await?) })?;
    let json = json!({ "holdings": holdings.iter().map(holding_json).collect::<Vec<_>>() });
    if holdings.is_empty() {
        return Ok(Answer::yes(json, "Nothing is held for others.\n"));
    }
    let rows: Vec<Vec<String>> = holdings.iter().map(holding_row).collect();
    let header = ["OWNER", "RECORD", "SECTIONS", "OPENS WITH", "BYTES", "STATE"];
    Ok(Answer::yes(json, table(&header, &rows)))
}

fn bytes(holding: &HoldingView) -> u64 {
    holding.sections.iter().map(|section| section.bytes).fold(0, u64::saturating_add)
}

fn holding_json(holding: &HoldingView) -> Value {
    json!({
        "owner": hex::encode(&holding.owner),
        "owner_name": holding.owner_name,
        "state": holding.state,
        "signed": holding.signed,
        "manifest": hex::encode(&holding.manifest),
        "record_id": hex::encode(&holding.record_id),
        "epoch": holding.epoch,
        "deposited_ms": holding.deposited_ms,
        "threshold": holding.threshold,
        "agents": holding.agents,
        "bytes": bytes(holding),
        "sections": holding.sections.iter().map(section_json).collect::<Vec<_>>(),
    })
}

fn holding_row(holding: &HoldingView) -> Vec<String> {
    let names: Vec<String> =
        holding.sections.iter().map(|section| words::on_one_line(&section.name)).collect();
    let opens = match holding.agents {
        0 => String::new(),
        agents => format!("{} of {agents}", holding.threshold),
    };
    vec![
        words::on_one_line(&holding.owner_name),
        words::short(&holding.record_id),
        names.join(", "),
        opens,
        bytes(holding).to_string(),
        words::on_one_line(&holding.state),
    ]
}
