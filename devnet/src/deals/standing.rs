//! Thousands of deals that stand on the log and wait for their money, begun a few at a time. One counts once the buyer's own log
//! holds its opening.

use super::crowd::processor_time_of_all;
use super::market::{BUYER, LONG, Lot, Market};
use super::{milliseconds, tell};
use anyhow::{Context as _, Result, bail};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use heatmark_client::ClientError;
use heatmark_ledger::ids::Height;
use heatmark_ledger::messages::{self as pb, body::Payload, deal::Step};
use prost::Message as _;
use prost::bytes::Bytes;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Deals that are begun and not on the log yet, at most.
const AT_ONCE: usize = 64;
/// After how many a line of progress and a rate are noted.
const EVERY: u32 = 1_000;

/// How far it is.
struct Progress {
    wanted: u32,
    opened: u32,
    begun: Instant,
    noted: Instant,
    /// How long each thousand took, in milliseconds.
    each: Vec<f64>,
}

impl Progress {
    fn count(&mut self) {
        self.opened = self.opened.saturating_add(1);
        if self.opened.checked_rem(EVERY) == Some(0) {
            self.each.push(milliseconds(self.noted.elapsed()));
            self.noted = Instant::now();
            tell(&format!(
                "{} of {} after {} s",
                self.opened,
                self.wanted,
                self.begun.elapsed().as_secs()
            ));
        }
    }
}

/// Opens so many.
pub(super) async fn open(market: &Market, lot: &Lot, wanted: u32) -> Result<Value> {
    let ledger = market.devnet.client(BUYER).await?;
    let from = ledger.header(None).await?.header.height;
    let mut blocks = ledger.unverified_blocks(Height(from.0.saturating_add(1)), None, true).await?;
    let spent = processor_time_of_all(market);
    let now = Instant::now();
    let mut progress = Progress { wanted, opened: 0, begun: now, noted: now, each: Vec::new() };
    let (mut asked, mut refused) = (0_u32, 0_u32);
    let (mut waiting, mut early) = (BTreeSet::new(), BTreeSet::new());
    let mut calls = FuturesUnordered::new();
    while progress.opened < wanted {
        while asked < wanted && waiting.len().saturating_add(calls.len()) < AT_ONCE {
            calls.push(begin(market, lot));
            asked = asked.saturating_add(1);
        }
        tokio::select! {
            begun = calls.next(), if !calls.is_empty() => {
                let (deal, refusals) = begun.context("a call")??;
                refused = refused.saturating_add(refusals);
                if early.remove(&deal) { progress.count() } else { waiting.insert(deal); }
            }
            block = blocks.next() => {
                let block = block.context("the node ended the stream of its blocks")??;
                for deal in opened_in(block) {
                    if waiting.remove(&deal) { progress.count() } else { early.insert(deal); }
                }
            }
            () = tokio::time::sleep(LONG) => {
                let stuck = waiting.first().map(hex::encode);
                bail!("{} of {wanted} deals are open, and no more come, such as {stuck:?}", progress.opened);
            }
        }
    }
    let elapsed = progress.begun.elapsed();
    let spent = processor_time_of_all(market).saturating_sub(spent);
    Ok(json!({
        "deals": wanted,
        "opened": progress.opened,
        "begun_at_once": AT_ONCE,
        "refused_and_tried_again": refused,
        "seconds": elapsed.as_secs_f64(),
        "opened_per_s": f64::from(wanted) / elapsed.as_secs_f64().max(f64::EPSILON),
        "ms_each_thousand": progress.each,
        "nodes_cpu_ms_per_deal": milliseconds(spent) / f64::from(wanted.max(1)),
    }))
}

/// Begins one, again where the node is busy; gives how often it was refused.
async fn begin(market: &Market, lot: &Lot) -> Result<([u8; 32], u32), ClientError> {
    let mut refusals = 0_u32;
    loop {
        match market.buyer.open_deal(Market::request(lot, "sale")).await {
            Ok(deal) => return Ok((deal, refusals)),
            Err(error) => {
                let wait: Duration = error.retry_after().ok_or(error)?;
                refusals = refusals.saturating_add(1);
                tokio::time::sleep(wait).await;
            }
        }
    }
}

/// The deals that a block opens.
fn opened_in(answer: pb::StreamBlocksResponse) -> Vec<[u8; 32]> {
    let transactions = answer
        .block
        .and_then(|certified| certified.block)
        .map(|block| block.transactions)
        .unwrap_or_default();
    let opened = |envelope: &Bytes| {
        let envelope = pb::Envelope::decode(envelope.clone()).ok()?;
        let body = pb::Body::decode(envelope.body.as_slice()).ok()?;
        let Some(Payload::Deal(pb::Deal { deal, step: Some(Step::Open(_)) })) = body.payload else {
            return None;
        };
        deal.try_into().ok()
    };
    transactions.iter().filter_map(opened).collect()
}
