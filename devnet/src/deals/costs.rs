//! What nodes pay: processor time and memory of each while nothing happens, how long they take to come back, how long lists take.

use super::market::{AGENTS, ARBITER, BUYER, Market};
use super::milliseconds;
use anyhow::Result;
use heatmark_devnet::processor_time;
use serde_json::{Map, Value, json};
use std::fs;
use std::time::{Duration, Instant};

/// What is under way is let to end before an idle time is measured.
const QUIET: Duration = Duration::from_secs(15);

/// Of each node: processor milliseconds a minute, and memory.
pub(super) async fn idle(market: &Market, lasting: Duration) -> Value {
    tokio::time::sleep(QUIET).await;
    let spent = |market: &Market| -> Vec<Duration> {
        let nodes = market.devnet.nodes().iter();
        nodes.map(|node| node.process.map_or(Duration::ZERO, |p| processor_time(p.pid))).collect()
    };
    let (before, begun) = (spent(market), Instant::now());
    tokio::time::sleep(lasting).await;
    let minutes = begun.elapsed().as_secs_f64() / 60.0;
    let each = spent(market).into_iter().zip(before);
    let nodes = market.devnet.nodes().iter().zip(each).map(|(node, (after, before))| {
        let cpu = milliseconds(after.saturating_sub(before)) / minutes.max(f64::EPSILON);
        let memory = node.process.map(|process| memory_of(process.pid));
        (node.name.clone(), json!({ "cpu_ms": cpu.round(), "rss_bytes": memory }))
    });
    Value::Object(nodes.collect())
}

/// Memory that a process holds, in bytes; 0 when it is gone.
fn memory_of(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0).saturating_mul(1_024)
}

/// Buyer, an agent and the arbiter, one after another: from the start of the process until it is ready, and until its desk has
/// told a deal's people something.
pub(super) async fn restarts(market: &mut Market) -> Result<Value> {
    let mut all = Map::new();
    let [agent, ..] = AGENTS;
    for name in [BUYER, agent, ARBITER] {
        market.devnet.stop(name).await?;
        let begun = Instant::now();
        market.devnet.restart(name).await?;
        let ready = begun.elapsed();
        market.devnet.desk(name).await?.deposits().await?;
        let figures = json!({
            "ready": milliseconds(ready),
            "first_answer": milliseconds(begun.elapsed()),
        });
        all.insert(name.to_owned(), figures);
    }
    market.connect().await?;
    Ok(Value::Object(all))
}

/// How long the buyer's node takes to list all deals, and to show one.
pub(super) async fn lists(market: &Market, deal: [u8; 32]) -> Value {
    let begun = Instant::now();
    let listed = market.buyer.deals().await;
    let list = begun.elapsed();
    let begun = Instant::now();
    let shown = market.buyer.deal(hex::encode(deal)).await;
    let show = begun.elapsed();
    // A list that takes too long is a figure, too.
    json!({
        "deals": listed.as_ref().ok().map(Vec::len),
        "all": milliseconds(list),
        "all_failed": listed.err().map(|error| error.to_string()),
        "one": milliseconds(show),
        "one_failed": shown.err().map(|error| error.to_string()),
    })
}

/// The machine, as far as it tells.
pub(super) fn machine() -> Value {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.and_then(|line| line.split_once(':')).map(|(_, name)| name.trim().to_owned());
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")).map(str::trim);
    json!({
        "cores": std::thread::available_parallelism().ok().map(std::num::NonZero::get),
        "processor": model,
        "memory": memory,
    })
}
