//! Measures deals on a town of its own: three of five agents, documents of many megabytes, one deal after another, many at once,
//! and what deals that only wait cost the nodes that they stand with. Each document bought singly is compared with what was
//! deposited, and one of the many, or nothing is reported.
//!
//! ```text
//!   market ──── publishes, deposits, buys: a deal from the request to the document in hand
//!   crowd ───── many deals at once
//!   standing ── thousands of deals that wait for their money
//!   costs ───── what each node pays while nothing happens, restarts, lists
//! ```

mod costs;
mod crowd;
mod market;
mod standing;

use crate::Binary;
use crate::load::percentiles::Percentiles;
use crate::output::say;
use crate::town::Ends;
use anyhow::{Context as _, Result, bail};
use clap::Args;
use market::{AGENTS, Market, THRESHOLD};
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

/// `deals`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Deals {
    #[command(flatten)]
    binary: Binary,
    /// Deals one after another, each on a document of its own that its buyer has to fetch
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100))]
    deals: u32,
    /// Bytes of each document
    #[arg(long, value_name = "BYTES", default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1..=100_000_000))]
    document: u64,
    /// Deals begun at once, on the same documents
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    at_once: u32,
    /// Deals that stand open and wait for their money
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(0..=100_000))]
    open: u32,
    /// How long nodes are watched while nothing happens, before and after
    #[arg(long, value_name = "S", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    idle: u64,
    /// Writes the figures to this file
    #[arg(long, value_name = "FILE")]
    report: PathBuf,
}

/// Measures; true when every deal opened what it should.
pub(crate) async fn run(deals: Deals) -> Result<bool> {
    let mut ends = Ends::watch()?;
    let report = tokio::select! {
        report = measure(&deals) => report?,
        () = ends.wait() => bail!("stopped; nothing was measured"),
    };
    fs::write(&deals.report, format!("{report:#}\n"))
        .with_context(|| format!("writing {}", deals.report.display()))?;
    say(&format!("{report:#}"));
    let all = |pointer: &str, wanted: u32| report.pointer(pointer) == Some(&json!(wanted));
    Ok(all("/at_once/opened", deals.at_once) && all("/standing/opened", deals.open))
}

async fn measure(deals: &Deals) -> Result<Value> {
    tell("founding a town, depositing documents");
    let mut market = Market::found(deals.binary.heatmark.as_deref()).await?;
    let lots = market.deposit("document", deals.deals, deals.document).await?;
    // A second clause's record for what only waits: none of it is ever opened.
    let waiting = market.deposit("waiting", 1, 1_000).await?;
    // One for before and one for after, whose ciphertext the buyer has not got.
    let spare = market.deposit("spare", 2, deals.document).await?;
    let [before, after] = spare.as_slice() else { bail!("two documents were deposited") };
    tell("one deal after another");
    let (mut opened, mut in_hand) = (Vec::new(), Vec::new());
    for lot in &lots {
        let bought = market.buy(lot).await?;
        opened.push(bought.opened);
        in_hand.push(bought.in_hand);
    }
    tell("deals at once");
    let crowd = crowd::buy(&market, &lots, deals.at_once).await?;
    let before = snapshot(&mut market, deals, before).await?;
    tell("standing deals");
    let waiting = waiting.first().context("a record was deposited")?;
    let standing = standing::open(&market, waiting, deals.open).await?;
    let after = snapshot(&mut market, deals, after).await?;
    market.end().await?;
    Ok(json!({
        "what": "deals",
        "machine": costs::machine(),
        "profile": if cfg!(debug_assertions) { "dev" } else { "release" },
        "fsync": true,
        "nodes": market.names().len(),
        "agents": AGENTS.len(),
        "threshold": THRESHOLD,
        "document_bytes": deals.document,
        "one_after_another": {
            "deals": lots.len(),
            "to_opened_ms": spread(opened),
            "to_document_in_hand_ms": spread(in_hand),
        },
        "at_once": crowd,
        "before": before,
        "standing": standing,
        "after": after,
    }))
}

/// What nodes cost now: one more deal, idle, restarts, lists.
async fn snapshot(market: &mut Market, deals: &Deals, lot: &market::Lot) -> Result<Value> {
    tell("one more deal");
    let bought = market.buy(lot).await?;
    tell("lists");
    let lists = costs::lists(market, bought.deal).await;
    tell("idle");
    let idle = costs::idle(market, Duration::from_secs(deals.idle)).await;
    tell("restarts");
    let restarts = costs::restarts(market).await?;
    Ok(json!({
        "one_more_deal": {
            "to_opened_ms": milliseconds(bought.opened),
            "to_document_in_hand_ms": milliseconds(bought.in_hand),
        },
        "lists_ms": lists,
        "idle_per_minute": idle,
        "restart_ms": restarts,
    }))
}

/// Progress, where a person may look: the result is on standard output.
fn tell(what: &str) {
    // Nothing is left to do when standard error is gone as well.
    let _ = writeln!(std::io::stderr(), "{what} …");
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}

fn spread(times: Vec<Duration>) -> Value {
    let spread = Percentiles::of(times);
    json!({
        "p50": milliseconds(spread.p50),
        "p95": milliseconds(spread.p95),
        "max": milliseconds(spread.max),
    })
}
