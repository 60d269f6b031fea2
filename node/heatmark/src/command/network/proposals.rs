//! `heatmark network parameters` and `heatmark network upgrade`: what all nodes agree on, shown and
//! proposed anew. Refuses parameters that no node could bear.

use super::super::answer::{Answer, table};
use super::super::connect::{NodeArgs, Reach, block_on};
use super::super::failure::Failure;
use super::super::member::{propose, proposed};
use clap::Args;
use heatmark_ledger::execute::NEWEST_VERSION;
use heatmark_ledger::genesis::GenesisParameters;
use heatmark_ledger::messages as pb;
use heatmark_ledger::{state, wire};
use pb::propose::Action;
use prost::Message;
use serde_json::json;

/// `network parameters`.
#[derive(Debug, Args)]
pub(crate) struct Parameters {
    #[command(flatten)]
    node: NodeArgs,
    /// What to change; without any, shows what is in force
    #[arg(value_name = "NAME=VALUE")]
    changes: Vec<String>,
}

/// `network upgrade`.
#[derive(Debug, Args)]
pub(crate) struct Upgrade {
    #[command(flatten)]
    node: NodeArgs,
    /// The protocol version to run; without one, shows what runs and what is scheduled
    #[arg(value_name = "VERSION", requires = "at_height")]
    version: Option<u32>,
    /// The first block of that version
    #[arg(long, value_name = "HEIGHT", requires = "version")]
    at_height: Option<u64>,
}

async fn read<M: Message + Default>(reach: &Reach, key: &[u8]) -> Result<Option<M>, Failure> {
    match reach.ledger().await?.state(key, None).await {
        Err(none) if none.is_not_found() => Ok(None),
        other => Ok(other?.value.and_then(|value| wire::decode(&value, usize::MAX).ok())),
    }
}

pub(super) fn parameters(command: &Parameters) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let found = block_on(read::<pb::Parameters>(&reach, &state::parameters_key()))?;
    let standing = found.map_or(reach.genesis.document().parameters, of_message);
    if command.changes.is_empty() {
        let written = serde_json::to_value(standing).unwrap_or_default();
        let rows: Vec<Vec<String>> = written
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| vec![name.clone(), value.to_string()])
            .collect();
        return Ok(Answer::yes(
            json!({ "parameters": written }),
            table(&["PARAMETER", "VALUE"], &rows),
        ));
    }
    let wanted = super::changed(standing, &command.changes)?;
    let action = Action::Parameters(wanted.to_proto());
    Ok(proposed(&block_on(propose(&reach, action))?))
}

fn of_message(p: pb::Parameters) -> GenesisParameters {
    GenesisParameters {
        max_clock_skew_ms: p.max_clock_skew_ms,
        max_window_ms: p.max_window_ms,
        max_batch_records: p.max_batch_records,
        max_block_transactions: p.max_block_transactions,
        max_block_bytes: p.max_block_bytes,
        reserved_alert_bytes: p.reserved_alert_bytes,
        heartbeat_ms: p.heartbeat_ms,
        governance_delay_ms: p.governance_delay_ms,
        proposal_lifetime_ms: p.proposal_lifetime_ms,
        state_history_heights: p.state_history_heights,
    }
}

pub(super) fn upgrade(command: &Upgrade) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    if let (Some(version), Some(height)) = (command.version, command.at_height) {
        let action = Action::ScheduleVersion(pb::ScheduleVersion { version, height });
        let mut answer = proposed(&block_on(propose(&reach, action))?);
        if version > NEWEST_VERSION {
            answer.text.push_str(&format!(
                "This program knows versions up to {NEWEST_VERSION}: once adopted, every node must run a newer\n\
                 one before block {height}. A node that does not stops there, and loses nothing.\n"
            ));
        }
        return Ok(answer);
    }
    let found = block_on(read::<pb::VersionsState>(&reach, &state::versions_key()))?;
    let versions = found.unwrap_or(pb::VersionsState { current: 1, scheduled: Vec::new() });
    let mut text = format!(
        "The network runs protocol version {}; this program knows versions up to {NEWEST_VERSION}.\n",
        versions.current
    );
    for next in &versions.scheduled {
        text.push_str(&format!("Version {} begins at block {}.\n", next.version, next.height));
    }
    let scheduled: Vec<_> = versions
        .scheduled
        .iter()
        .map(|next| json!({ "version": next.version, "height": next.height }))
        .collect();
    let json = json!({
        "current": versions.current,
        "scheduled": scheduled,
        "known": NEWEST_VERSION,
    });
    Ok(Answer::yes(json, text))
}
