//! Many deals begun at once. Their ciphertext is at the buyer's already: what is measured is keys, terms, the log, shares, and
//! reading everything against the record.

use super::market::{LONG, Lot, Market};
use super::{milliseconds, spread};
use anyhow::{Context as _, Result, ensure};
use heatmark_devnet::processor_time;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Begins so many and waits until each has opened; one of them is compared.
pub(super) async fn buy(market: &Market, lots: &[Lot], count: u32) -> Result<Value> {
    if count == 0 {
        return Ok(json!({ "deals": 0, "opened": 0 }));
    }
    let spent = processor_time_of_all(market);
    let begun = Instant::now();
    let chosen: Vec<&Lot> = lots.iter().cycle().take(usize::try_from(count)?).collect();
    let calls = chosen.iter().map(|lot| market.buyer.open_deal(Market::request(lot, "audit")));
    let mut refused: BTreeMap<String, u32> = BTreeMap::new();
    let mut waiting: BTreeMap<Vec<u8>, &Lot> = BTreeMap::new();
    for (begun, lot) in futures::future::join_all(calls).await.into_iter().zip(&chosen) {
        match begun {
            Ok(deal) => {
                waiting.insert(deal.to_vec(), lot);
            }
            Err(error) => {
                let code = error.refusal_code().unwrap_or("unreachable").to_owned();
                let times = refused.entry(code).or_default();
                *times = times.saturating_add(1);
            }
        }
    }
    let taken_on = begun.elapsed();
    let last = waiting.last_key_value().map(|(deal, lot)| (deal.clone(), (*lot).clone()));
    let mut times = Vec::new();
    while !waiting.is_empty() {
        ensure!(begun.elapsed() < LONG, "{} of {count} deals open nothing", waiting.len());
        tokio::time::sleep(LOOK_EVERY).await;
        for view in market.buyer.deals().await? {
            if view.opened && waiting.remove(&view.deal).is_some() {
                times.push(begun.elapsed());
            }
        }
    }
    let elapsed = begun.elapsed();
    let spent = processor_time_of_all(market).saturating_sub(spent);
    if let Some((deal, lot)) = last {
        market.take(deal.try_into().ok().context("a deal's id")?, &lot).await?;
    }
    let opened = u32::try_from(times.len())?;
    let each = |time: Duration| milliseconds(time) / f64::from(opened.max(1));
    Ok(json!({
        "deals": count,
        "opened": opened,
        "refused": refused,
        "all_taken_on_ms": milliseconds(taken_on),
        "all_opened_ms": milliseconds(elapsed),
        "opened_per_s": f64::from(opened) / elapsed.as_secs_f64().max(f64::EPSILON),
        "to_opened_ms": spread(times),
        "nodes_cpu_ms_per_deal": each(spent),
    }))
}

/// Of all nodes together.
pub(super) fn processor_time_of_all(market: &Market) -> Duration {
    let nodes = market.devnet.nodes().iter().filter_map(|node| node.process);
    nodes.map(|process| processor_time(process.pid)).sum()
}
