//! Blocks as they are written, each verified to follow from the one before.

use super::super::answer::{Answer, Exit};
use super::super::connect::{NodeArgs, block_on};
use super::super::failure::Failure;
use super::super::words;
use clap::Args;
use futures::StreamExt as _;
use heatmark_client::VerifiedBlock;
use heatmark_ledger::ids::{Height, KeyId};
use heatmark_ledger::messages as pb;
use heatmark_ledger::transaction::transaction_id;
use heatmark_ledger::wire::{self, MAX_TRANSACTION_BYTES};
use serde_json::{Value, json};
use std::io::{self, Write};

/// `log tail`.
#[derive(Debug, Args)]
pub(crate) struct Tail {
    #[command(flatten)]
    node: NodeArgs,
    /// Goes on as blocks are written, until interrupted
    #[arg(long)]
    follow: bool,
    /// First block [default: the last ten]
    #[arg(long, value_name = "HEIGHT")]
    from: Option<u64>,
}

pub(crate) fn run(command: &Tail, json: bool) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    block_on(async {
        let ledger = reach.ledger().await?;
        let newest = ledger.status().await?.newest.map_or(0, |header| header.height);
        let from = command.from.unwrap_or_else(|| newest.saturating_sub(9)).max(1);
        if from > newest && !command.follow {
            return Ok(Answer::printed(Exit::Yes));
        }
        let mut blocks = ledger.blocks(Height(from), None, command.follow).await?;
        let mut stdout = io::stdout().lock();
        while let Some(block) = blocks.next().await {
            let block = block?;
            let text = if json { json_line(&block) } else { lines(&block) };
            // Whoever read along has gone: that is how `| head` ends.
            if stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).is_err() {
                break;
            }
        }
        Ok(Answer::printed(Exit::Yes))
    })
}

/// A transaction as read from a verified block.
struct Entry {
    id: String,
    signer: Vec<u8>,
    body: pb::Body,
}

fn entries(block: &VerifiedBlock) -> Vec<Entry> {
    let transactions = block.message.block.iter().flat_map(|block| &block.transactions);
    transactions
        .filter_map(|bytes| {
            let envelope: pb::Envelope = wire::decode(bytes, MAX_TRANSACTION_BYTES).ok()?;
            let body = wire::decode(&envelope.body, MAX_TRANSACTION_BYTES).ok()?;
            let signer = KeyId::try_from(envelope.signer.as_slice()).ok()?;
            let id = transaction_id(&block.header.network, &signer, &envelope.body).to_string();
            Some(Entry { id, signer: envelope.signer, body })
        })
        .collect()
}

fn lines(block: &VerifiedBlock) -> String {
    let header = &block.header;
    let entries = entries(block);
    let mut text = format!(
        "block {:>6}  {}  {} leaves  root {}{}\n",
        header.height,
        words::time(header.time.0),
        header.log_size,
        words::short(&header.log_root.0),
        if entries.is_empty() { "  (heartbeat)" } else { "" },
    );
    for entry in &entries {
        let id = entry.id.get(..12).unwrap_or(&entry.id);
        let signer = words::short(&entry.signer);
        text.push_str(&format!("  {id}  by key {signer}  {}\n", words::payload(&entry.body)));
    }
    if block.next.is_some() {
        text.push_str("  the validators change from the next block on\n");
    }
    text
}

fn json_line(block: &VerifiedBlock) -> String {
    let transactions: Vec<Value> = entries(block)
        .iter()
        .map(|entry| {
            json!({
                "transaction_id": entry.id,
                "signer_key": hex::encode(&entry.signer),
                "kind": words::kind(&entry.body),
                "says": words::payload(&entry.body),
            })
        })
        .collect();
    let line = json!({
        "header": words::header(&block.header),
        "transactions": transactions,
        "validators_change": block.next.is_some(),
    });
    format!("{line}\n")
}
