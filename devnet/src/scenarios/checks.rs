//! What must hold whatever happened: every log verifies from its first block on, all logs agree at
//! every height that they share, what was acknowledged stands on each of them in its place, and no
//! validator signed twice.

use super::traffic::{Acknowledged, Traffic};
use super::{LONG, Play};
use crate::devnet::Devnet;
use crate::error::{DevnetError, io_error};
use futures::{StreamExt as _, TryStreamExt as _};
use heatmark_client::{ClientError, LedgerClient, ReceiptOf, VerifiedBlock};
use heatmark_ledger::ids::{Height, KeyId, NetworkId, TransactionId};
use heatmark_ledger::{transaction, wire};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};

/// Receipts asked of each node; the rest is checked by reading the log.
const RECEIPTS: usize = 100;
const RECEIPTS_AT_ONCE: usize = 8;

/// Lines that no node may ever log, whatever happens around it.
const NEVER: [&str; 4] =
    ["panicked at", "signed twice", "consensus stopped for good", "a synced block is invalid"];

/// How a node's log tells a vote that it saw.
const VOTE: &str = "TRACE heatmark_consensus::votes: vote ";

/// A log as one node serves it.
struct Log {
    name: String,
    /// Header hashes by height, from height 1.
    headers: Vec<[u8; 32]>,
    /// Where each transaction stands.
    leaves: BTreeMap<TransactionId, u64>,
}

impl Play<'_> {
    /// Stops the traffic, waits until all nodes agree, and checks everything.
    pub(crate) async fn conclude(&mut self, traffic: Traffic) -> Result<(), DevnetError> {
        let (acknowledged, failures) = traffic.stop().await;
        self.note("acknowledged", acknowledged.len());
        self.note("failed_attempts", failures);
        self.claim(!acknowledged.is_empty(), "something was acknowledged")?;
        let names = self.devnet.names();
        let leaves = acknowledged.iter().map(|one| one.leaf.0.saturating_add(1)).max();
        self.devnet.agree(&names, leaves.unwrap_or(0), LONG).await?;
        let mut first: Option<Log> = None;
        for name in &names {
            let log = read(self.devnet, name).await?;
            compare(&log, &acknowledged)?;
            receipts(self.devnet, name, &acknowledged).await?;
            match &first {
                None => first = Some(log),
                Some(first) => same(first, &log)?,
            }
        }
        let heights = first.map_or(0, |log| log.headers.len());
        self.note("heights", heights);
        let count = acknowledged.len();
        self.tell(&format!(
            "holds: all {count} acknowledged transactions stand in their places on all {} logs, \
             which are one at each of {heights} heights",
            names.len()
        ));
        self.quiet_logs()?;
        self.signed_once()
    }

    /// No validator signed two votes for one step of one round, nor two proposals, by all that any
    /// node saw.
    fn signed_once(&mut self) -> Result<(), DevnetError> {
        let mut cast: BTreeMap<String, String> = BTreeMap::new();
        for node in self.devnet.nodes() {
            let log = File::open(&node.log).map_err(io_error(node.log.display()))?;
            for line in BufReader::new(log).lines() {
                let line = line.map_err(io_error(node.log.display()))?;
                let Some((step, value)) = vote(&line) else { continue };
                let known = cast.entry(step.clone()).or_insert_with(|| value.clone());
                if *known != value {
                    let told = format!("two votes at {step}: {known} and {value}");
                    return Err(DevnetError::Claim(told));
                }
            }
        }
        self.note("votes", cast.len());
        self.claim(!cast.is_empty(), "no validator cast two votes for one step of a round")
    }

    /// No node logged what none may ever log.
    pub(crate) fn quiet_logs(&mut self) -> Result<(), DevnetError> {
        for node in self.devnet.nodes() {
            let text = fs::read_to_string(&node.log).map_err(io_error(node.log.display()))?;
            if let Some(line) = text.lines().find(|line| NEVER.iter().any(|bad| line.contains(bad)))
            {
                return Err(DevnetError::Claim(format!("{} logged: {line}", node.name)));
            }
        }
        self.claim(true, "no validator signed twice, none stopped by itself")
    }
}

/// A vote that a node logged: for which step, and for what.
fn vote(line: &str) -> Option<(String, String)> {
    let (_, fields) = line.split_once(VOTE)?;
    let (step, value) = fields.split_once(" value=")?;
    let value = value.trim();
    // A killed node's last line may be torn.
    let whole = value == "Nil" || (value.contains("BlockId(") && value.ends_with("))"));
    (whole && !value.contains(' ')).then(|| (step.trim().to_owned(), value.to_owned()))
}

/// Reads a node's whole log, verified block for block; block times must increase.
async fn read(devnet: &Devnet, name: &str) -> Result<Log, DevnetError> {
    let client = devnet.client(name).await?;
    let failed = |source| DevnetError::Client { name: name.to_owned(), source };
    let newest = client.header(None).await.map_err(failed)?.header.height;
    let mut blocks = client.blocks(Height(1), Some(newest), false).await.map_err(failed)?;
    let network = client.trust().network;
    let mut log = Log { name: name.to_owned(), headers: Vec::new(), leaves: BTreeMap::new() };
    let mut time = 0;
    while let Some(block) = blocks.next().await {
        let block = block.map_err(failed)?;
        if block.header.time.0 <= time {
            let height = block.header.height;
            return Err(DevnetError::Claim(format!("{name}: time went back at height {height}")));
        }
        time = block.header.time.0;
        log.take(&network, &block).map_err(failed)?;
    }
    Ok(log)
}

impl Log {
    fn take(&mut self, network: &NetworkId, block: &VerifiedBlock) -> Result<(), ClientError> {
        self.headers.push(block.header.hash().0.0);
        let entries = block.message.block.iter().flat_map(|block| &block.transactions);
        for bytes in entries {
            let envelope = wire::decode_envelope(bytes)?;
            let signer = KeyId::try_from(envelope.signer.as_slice())
                .map_err(|_| ClientError::WrongAnswer("a signer of wrong length"))?;
            let id = transaction::transaction_id(network, &signer, &envelope.body);
            let place = u64::try_from(self.leaves.len()).unwrap_or(u64::MAX);
            if self.leaves.insert(id, place).is_some() {
                return Err(ClientError::WrongAnswer("a transaction that stands twice"));
            }
        }
        Ok(())
    }
}

fn compare(log: &Log, acknowledged: &[Acknowledged]) -> Result<(), DevnetError> {
    for one in acknowledged {
        if log.leaves.get(&one.id) != Some(&one.leaf.0) {
            return Err(DevnetError::Claim(format!(
                "{} was acknowledged through {} at leaf {} and is not there on {}",
                one.id, one.through, one.leaf.0, log.name
            )));
        }
    }
    Ok(())
}

fn same(one: &Log, other: &Log) -> Result<(), DevnetError> {
    let pairs = one.headers.iter().zip(&other.headers);
    match pairs.zip(1_u64..).find(|((a, b), _)| a != b) {
        None => Ok(()),
        Some((_, height)) => {
            let (one, other) = (one.name.clone(), other.name.clone());
            Err(DevnetError::Fork { one, other, height })
        }
    }
}

/// Asks a node for receipts of some that are spread over all.
async fn receipts(
    devnet: &Devnet,
    name: &str,
    acknowledged: &[Acknowledged],
) -> Result<(), DevnetError> {
    let client = devnet.client(name).await?;
    let step = acknowledged.len().div_ceil(RECEIPTS).max(1);
    let asked = acknowledged.iter().step_by(step).map(|one| ask(&client, one));
    let asking = futures::stream::iter(asked).buffer_unordered(RECEIPTS_AT_ONCE);
    let failed = |source| DevnetError::Client { name: name.to_owned(), source };
    asking.try_collect::<Vec<()>>().await.map(|_| ()).map_err(failed)
}

async fn ask(client: &LedgerClient, one: &Acknowledged) -> Result<(), ClientError> {
    let proven = client.receipt(ReceiptOf::Transaction(one.id), None).await?;
    let same = proven.verified.leaf_index == one.leaf;
    if same { Ok(()) } else { Err(ClientError::WrongAnswer("a receipt for another place")) }
}
