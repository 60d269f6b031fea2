//! `heatmark vote`: lists proposals and answers them. Refuses nothing itself: whether a proposal
//! is open is the log's to say.

use super::answer::{Answer, table};
use super::connect::{NodeArgs, block_on};
use super::failure::Failure;
use super::words;
use clap::{Args, ValueEnum};
use futures::StreamExt as _;
use heatmark_client::LedgerClient;
use heatmark_ledger::ids::{Height, KeyId, TransactionId};
use heatmark_ledger::messages as pb;
use heatmark_ledger::state;
use heatmark_ledger::transaction::transaction_id;
use heatmark_ledger::wire::{self, MAX_TRANSACTION_BYTES};
use pb::body::Payload;
use serde_json::json;

/// `vote`.
#[derive(Debug, Args)]
pub(crate) struct Vote {
    #[command(flatten)]
    node: NodeArgs,
    /// The proposal's transaction id; without it, lists all proposals
    #[arg(value_name = "PROPOSAL", requires = "answer")]
    proposal: Option<String>,
    /// What to answer
    #[arg(value_name = "ANSWER", value_enum)]
    answer: Option<Choice>,
    /// Lists only proposals that may still be voted on or wait for their time
    #[arg(long, conflicts_with = "proposal")]
    open: bool,
}

/// An answer to a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Choice {
    /// In favour
    Approve,
    /// Against
    Reject,
}

pub(crate) fn run(command: &Vote) -> Result<Answer, Failure> {
    match (&command.proposal, command.answer) {
        (Some(proposal), Some(answer)) => vote(command, proposal, answer),
        _ => list(command),
    }
}

fn vote(command: &Vote, proposal: &str, answer: Choice) -> Result<Answer, Failure> {
    let id = TransactionId::from(words::id(proposal, "proposal")?);
    let reach = command.node.reach()?;
    let approve = answer == Choice::Approve;
    let vote = pb::Vote { proposal: id.to_vec(), approve };
    let body = pb::Body { payload: Some(Payload::Vote(vote)), ..pb::Body::default() };
    let (proven, standing) = block_on(async {
        let proven = reach.desk().await?.sign_and_submit(body, Vec::new()).await?;
        Ok((proven, proposal_state(&reach.ledger().await?, &id).await?))
    })?;
    let mut text = words::verified_text(&proven.verified);
    if let Some(standing) = &standing {
        text.push_str(&format!("Proposal     {}\n", words::proposal(standing)));
    }
    let json = json!({
        "receipt": words::verified(&proven.verified),
        "proposal": standing.as_ref().map(|standing| words::proposal_json(&id, standing)),
    });
    Ok(Answer::yes(json, text))
}

/// The state map has no list of proposals; the log has.
fn list(command: &Vote) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let found = block_on(async {
        let ledger = reach.ledger().await?;
        let mut found = Vec::new();
        let newest = ledger.status().await?.newest;
        let now_ms = newest.map_or(0, |header| header.time_ms);
        for id in proposals(&ledger).await? {
            if let Some(standing) = proposal_state(&ledger, &id).await?
                && (!command.open || is_open(&standing, now_ms))
            {
                found.push((id, standing));
            }
        }
        Ok(found)
    })?;
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|(id, standing)| {
            let asked = standing.action.as_ref().map(words::action).unwrap_or_default();
            vec![id.to_string(), words::proposal(standing), asked]
        })
        .collect();
    let text = if rows.is_empty() {
        "There are no proposals.\n".to_owned()
    } else {
        table(&["PROPOSAL", "STATUS", "TO"], &rows)
    };
    let json = json!({
        "proposals": found.iter().map(|(id, standing)| words::proposal_json(id, standing)).collect::<Vec<_>>(),
    });
    Ok(Answer::yes(json, text))
}

fn is_open(proposal: &pb::ProposalState, block_time_ms: u64) -> bool {
    match proposal.status() {
        pb::ProposalStatus::Open => block_time_ms < proposal.expires_ms,
        pb::ProposalStatus::Adopted => true,
        _ => false,
    }
}

async fn proposals(ledger: &LedgerClient) -> Result<Vec<TransactionId>, Failure> {
    let mut found = Vec::new();
    if ledger.status().await?.newest.is_none() {
        return Ok(found);
    }
    let mut blocks = ledger.blocks(Height(1), None, false).await?;
    while let Some(block) = blocks.next().await {
        let block = block?;
        for bytes in block.message.block.iter().flat_map(|block| &block.transactions) {
            let proposal = wire::decode::<pb::Envelope>(bytes, MAX_TRANSACTION_BYTES)
                .ok()
                .and_then(|envelope| proposal_id(&block.header.network, &envelope));
            found.extend(proposal);
        }
    }
    Ok(found)
}

fn proposal_id(
    network: &heatmark_ledger::ids::NetworkId,
    envelope: &pb::Envelope,
) -> Option<TransactionId> {
    let body: pb::Body = wire::decode(&envelope.body, MAX_TRANSACTION_BYTES).ok()?;
    if !matches!(body.payload, Some(Payload::Propose(_))) {
        return None;
    }
    let signer = KeyId::try_from(envelope.signer.as_slice()).ok()?;
    Some(transaction_id(network, &signer, &envelope.body))
}

async fn proposal_state(
    ledger: &LedgerClient,
    id: &TransactionId,
) -> Result<Option<pb::ProposalState>, Failure> {
    let value = ledger.state(&state::proposal_key(id), None).await?.value;
    Ok(value.and_then(|value| wire::decode(&value, usize::MAX).ok()))
}
