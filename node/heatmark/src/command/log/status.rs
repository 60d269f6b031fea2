//! Where the log stands on one node or several, and whether they hold the same one: headers of one
//! height are compared, each verified from genesis.

use super::super::answer::{Answer, Exit, table};
use super::super::connect::{NodeArgs, Reach, block_on, target, target_of_home};
use super::super::failure::Failure;
use super::super::words;
use crate::home::Home;
use clap::Args;
use heatmark_client::{LedgerClient, Target, VerifiedHeader};
use heatmark_ledger::ids::Height;
use heatmark_ledger::messages as pb;
use serde_json::{Value, json};

/// `log status`.
#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    node: NodeArgs,
    /// Other nodes to compare with: home directories, or HOST:PORT@P2P-KEY
    #[arg(long, value_name = "NODE", num_args = 1..)]
    all: Vec<String>,
}

struct Seen {
    name: String,
    client: Option<LedgerClient>,
    status: Option<pb::GetStatusResponse>,
    newest: Option<VerifiedHeader>,
    failure: Option<Failure>,
}

pub(crate) fn run(command: &Status) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let mut targets = vec![(reach.home.path().display().to_string(), reach.target.clone())];
    for name in &command.all {
        let target = match name.split_once('@') {
            Some((address, key)) => target(address, key)?,
            None => target_of_home(&Home::new(name))?,
        };
        targets.push((name.clone(), target));
    }
    block_on(async {
        let mut seen = Vec::new();
        for (name, target) in targets {
            seen.push(look(&reach, name, &target).await);
        }
        if command.all.is_empty()
            && let Some(failure) = seen.first_mut().and_then(|seen| seen.failure.take())
        {
            return Err(failure);
        }
        let common = compare(&seen).await?;
        Ok(answer(&reach, &seen, &common))
    })
}

async fn look(reach: &Reach, name: String, target: &Target) -> Seen {
    let mut seen = Seen { name, client: None, status: None, newest: None, failure: None };
    let looked = async {
        let client = reach.ledger_of(target).await?;
        seen.status = Some(client.status().await?);
        seen.newest = match client.header(None).await {
            Err(none) if none.is_not_found() => None,
            other => Some(other?),
        };
        seen.client = Some(client);
        Ok::<_, Failure>(())
    };
    let failure = looked.await.err();
    seen.failure = failure;
    seen
}

/// A height that all who answer have, and whether their headers there are the same.
struct Common {
    height: Height,
    agree: bool,
}

async fn compare(seen: &[Seen]) -> Result<Common, Failure> {
    let answering = || seen.iter().filter(|seen| seen.client.is_some());
    let heights = answering()
        .map(|seen| seen.newest.as_ref().map_or(Height(0), |newest| newest.header.height));
    let height = heights.min().unwrap_or(Height(0));
    let mut hashes = Vec::new();
    if height > Height(0) {
        for client in answering().filter_map(|seen| seen.client.as_ref()) {
            hashes.push(client.header(Some(height)).await?.header.hash());
        }
    }
    let agree = hashes.windows(2).all(|two| two.first() == two.last());
    Ok(Common { height, agree })
}

fn answer(reach: &Reach, seen: &[Seen], common: &Common) -> Answer {
    let rows: Vec<Vec<String>> = seen.iter().map(row).collect();
    let heading =
        ["NODE", "KIND", "HEIGHT", "LEAVES", "TIME", "LOG ROOT", "STATE ROOT", "WAITING", "PEERS"];
    let mut text = format!(
        "Network {} ({})\n\n{}",
        reach.genesis.document().name,
        reach.genesis.network(),
        table(&heading, &rows)
    );
    for (seen, failure) in seen.iter().filter_map(|seen| Some((seen, seen.failure.as_ref()?))) {
        text.push_str(&format!("\n{}: {failure}\n", seen.name));
    }
    let silent = seen.iter().any(|seen| seen.failure.is_some());
    if seen.len() > 1 {
        text.push_str(&if common.agree {
            format!("\nAll that answer hold the same log up to block {}.\n", common.height)
        } else {
            format!("\nTHEY DISAGREE about block {}: keep both logs as evidence.\n", common.height)
        });
    }
    let exit = match (common.agree, silent) {
        (false, _) => Exit::No,
        (true, true) => Exit::Unknown,
        (true, false) => Exit::Yes,
    };
    let json = json!({
        "ok": exit == Exit::Yes,
        "network": reach.genesis.network(),
        "name": reach.genesis.document().name,
        "as_member": reach.member,
        "agree": common.agree,
        "compared_height": common.height,
        "nodes": seen.iter().map(described).collect::<Vec<_>>(),
    });
    Answer::of(exit, json, text)
}

fn row(seen: &Seen) -> Vec<String> {
    let Some(status) = &seen.status else {
        return vec![seen.name.clone(), "no answer".to_owned()];
    };
    let name = if status.moniker.is_empty() { &seen.name } else { &status.moniker };
    let kind = if status.validator { "validator" } else { "observer" };
    let mut row = vec![name.clone(), kind.to_owned()];
    match &seen.newest {
        None => row.extend(["0", "0", "", "", ""].map(str::to_owned)),
        Some(newest) => row.extend([
            newest.header.height.to_string(),
            newest.header.log_size.to_string(),
            words::time(newest.header.time.0),
            words::short(&newest.header.log_root.0),
            words::short(&newest.header.state_root.0),
        ]),
    }
    row.push(status.mempool_transactions.to_string());
    row.push(format!("{}+{}", status.consensus_peers, status.exchange_peers));
    row
}

fn described(seen: &Seen) -> Value {
    let status = seen.status.as_ref();
    json!({
        "node": seen.name,
        "answers": seen.failure.is_none(),
        "failure": seen.failure.as_ref().map(Failure::json),
        "moniker": status.map(|s| s.moniker.clone()),
        "member": status.map(|s| hex::encode(&s.member)),
        "validator": status.map(|s| s.validator),
        "newest": seen.newest.as_ref().map(|newest| words::header(&newest.header)),
        "mempool_transactions": status.map(|s| s.mempool_transactions),
        "mempool_bytes": status.map(|s| s.mempool_bytes),
        "consensus_peers": status.map(|s| s.consensus_peers),
        "exchange_peers": status.map(|s| s.exchange_peers),
        "best_known_height": status.map(|s| s.best_known_height),
        "software_version": status.map(|s| s.software_version.clone()),
    })
}
