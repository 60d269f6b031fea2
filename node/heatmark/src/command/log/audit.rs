//! The log replayed from genesis: over a node's stream, or over the database of a node that is
//! stopped. Refuses the first block that does not follow, and a node whose newest header is not
//! the one the replay leads to.

use super::super::answer::Answer;
use super::super::connect::{NodeArgs, Reach, block_on};
use super::super::failure::Failure;
use super::super::place::read_signed_genesis;
use super::super::words;
use clap::Args;
use futures::StreamExt as _;
use heatmark_client::ClientError;
use heatmark_ledger::audit::{AuditError, Auditor};
use heatmark_ledger::ids::Height;
use heatmark_ledger::messages as pb;
use heatmark_store::{Store, StoreOptions};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use std::path::{Path, PathBuf};

/// `log audit`.
#[derive(Debug, Args)]
pub(crate) struct Audit {
    #[command(flatten)]
    node: NodeArgs,
    /// Starts at genesis, which is the only way there is
    #[arg(long, hide = true)]
    from_genesis: bool,
    /// Reads the database of a stopped node instead of asking a running one; needs --genesis
    #[arg(long, value_name = "DIR", requires = "genesis")]
    data: Option<PathBuf>,
}

pub(crate) fn run(command: &Audit) -> Result<Answer, Failure> {
    let auditor = match &command.data {
        Some(data) => offline(data, command.node.genesis_flag())?,
        None => {
            let reach = command.node.reach()?;
            block_on(over_stream(&reach))?
        }
    };
    Ok(answer(&auditor))
}

async fn over_stream(reach: &Reach) -> Result<Auditor, Failure> {
    let ledger = reach.ledger().await?;
    let mut auditor = Auditor::new(&reach.genesis).map_err(broken(Height(0)))?;
    let newest = match ledger.header(None).await {
        Err(none) if none.is_not_found() => return Ok(auditor),
        other => other?.header,
    };
    let bar = bar(newest.height.0);
    let mut blocks = ledger.unverified_blocks(Height(1), Some(newest.height), false).await?;
    while let Some(block) = blocks.next().await {
        let answer = block?;
        let block = answer.block.ok_or(ClientError::WrongAnswer("no block"))?;
        step(&mut auditor, answer.restart.as_ref(), &block)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    if auditor.newest().map(heatmark_ledger::header::Header::hash) == Some(newest.hash()) {
        return Ok(auditor);
    }
    Err(Failure::no("the node's blocks do not lead to its newest header")
        .because(format!("the replay ends at block {}", auditor.tip().height))
        .next("do not rely on this node; ask another one and compare"))
}

fn offline(data: &Path, genesis: Option<&Path>) -> Result<Auditor, Failure> {
    let genesis = genesis.ok_or_else(|| Failure::input("--data needs --genesis"))?;
    let genesis = read_signed_genesis(genesis)?;
    if !data.join("CURRENT").is_file() {
        return Err(Failure::input(format!("{} holds no log", data.display()))
            .next("name the directory data/log of a node's home"));
    }
    let unopened = |error| {
        Failure::unknown("the database cannot be read")
            .because(error)
            .next("stop the node first: one process at a time may open it")
    };
    let store = Store::open(data, &genesis, &StoreOptions::default()).map_err(unopened)?;
    let mut auditor = Auditor::new(&genesis).map_err(broken(Height(0)))?;
    let newest = store.tip().height;
    let bar = bar(newest.0);
    while auditor.tip().height < newest {
        let height = auditor.tip().height.next();
        let block = store.certified_block(height).map_err(unopened)?;
        let block = block.ok_or_else(|| {
            Failure::no(format!("block {height} is missing from the database"))
                .next("restore the node from its peers: remove its data and start it")
        })?;
        let restart = store.restart_at(height.previous()).map_err(unopened)?;
        step(&mut auditor, restart.as_ref(), &block)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(auditor)
}

fn step(
    auditor: &mut Auditor,
    restart: Option<&pb::SetChange>,
    block: &pb::CertifiedBlock,
) -> Result<(), Failure> {
    let height = auditor.tip().height.next();
    if let Some(restart) = restart {
        auditor.restart(restart).map_err(broken(height))?;
    }
    auditor.block(block).map_err(broken(height))
}

fn broken(height: Height) -> impl FnOnce(AuditError) -> Failure {
    move |error| {
        Failure::no(format!("block {height} does not follow from genesis and the blocks before"))
            .because(error)
            .next("keep this log as evidence, and compare with other nodes: heatmark log status --all")
    }
}

fn bar(blocks: u64) -> ProgressBar {
    let bar = ProgressBar::new(blocks);
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} blocks  {per_sec}") {
        bar.set_style(style);
    }
    bar
}

fn answer(auditor: &Auditor) -> Answer {
    let summary = auditor.summary();
    let tip = auditor.tip();
    let text = format!(
        "The log follows from genesis up to block {}{}.\nChecked again:\n  \
         {} blocks: link to the one before, time, log root, state root\n  \
         {} commit certificates with {} validator signatures\n  \
         {} transactions executed, with {} member and co-signatures\n  \
         {} changes of the validator set, {} restarts by the members\nLog root    {}\nState root  {}\n",
        tip.height,
        auditor.newest().map(|h| format!(" of {}", words::time(h.time.0))).unwrap_or_default(),
        summary.blocks,
        summary.blocks,
        summary.certificate_signatures,
        summary.transactions,
        summary.transaction_signatures,
        summary.set_changes,
        summary.restarts,
        tip.frontier.root(),
        tip.state_root,
    );
    let json = json!({
        "ok": true,
        "network": tip.network,
        "height": tip.height,
        "newest": auditor.newest().map(words::header),
        "checked": {
            "blocks": summary.blocks,
            "certificate_signatures": summary.certificate_signatures,
            "transactions": summary.transactions,
            "transaction_signatures": summary.transaction_signatures,
            "set_changes": summary.set_changes,
            "restarts": summary.restarts,
        },
        "log_root": tip.frontier.root(),
        "state_root": tip.state_root,
    });
    Answer::yes(json, text)
}
