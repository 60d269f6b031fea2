//! The steps of a deal as they stand on a node's log, in their order.

use crate::town::Town;
use futures::StreamExt as _;
use heatmark_ledger::ids::Height;
use heatmark_ledger::messages::{self as pb, body::Payload, deal::Step};
use heatmark_ledger::wire;
use serde_json::Value;
use std::time::Instant;

/// A step, and the time of the block that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) step: String,
    pub(super) block_ms: u64,
}

/// What a node's log holds of a deal.
pub(super) async fn on_log(town: &Town, node: &str, deal: &str) -> Vec<Taken> {
    let client = town.devnet.client(node).await.unwrap();
    let newest = client.header(None).await.unwrap().header.height;
    let mut blocks = client.blocks(Height(1), Some(newest), false).await.unwrap();
    let mut taken = Vec::new();
    while let Some(block) = blocks.next().await {
        let block = block.unwrap();
        let block_ms = block.header.time.0;
        for envelope in block.message.block.unwrap_or_default().transactions {
            let envelope = wire::decode_envelope(&envelope).unwrap();
            let body = wire::decode_body(&envelope.body).unwrap();
            let Some(Payload::Deal(said)) = body.payload else { continue };
            if hex::encode(&said.deal) == deal {
                taken.push(Taken { step: name(said), block_ms });
            }
        }
    }
    taken
}

fn name(said: pb::Deal) -> String {
    match said.step.unwrap() {
        Step::Open(_) => "open".to_owned(),
        Step::Accept(_) => "accept".to_owned(),
        Step::Fund(_) => "fund".to_owned(),
        Step::Ready(ready) => format!("ready {}", ready.agent),
        Step::Release(release) => format!("release {}", release.agent),
        Step::Confirm(_) => "confirm".to_owned(),
        Step::Dispute(_) => "dispute".to_owned(),
        Step::Rule(_) => "rule".to_owned(),
    }
}

/// Each step stands once; besides what agents do, exactly these, in this order.
pub(super) fn stand_once(taken: &[Taken], others: &[&str]) {
    let steps: Vec<&str> = taken.iter().map(|one| one.step.as_str()).collect();
    let mut once = steps.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!(once.len(), steps.len(), "a step stands twice: {steps:?}");
    let is_agents = |step: &&&str| step.starts_with("ready") || step.starts_with("release");
    let of_others: Vec<&str> = steps.iter().filter(|step| !is_agents(step)).copied().collect();
    assert_eq!(of_others, others, "{steps:?}");
}

/// How many shares were released.
pub(super) fn releases(taken: &[Taken]) -> usize {
    taken.iter().filter(|one| one.step.starts_with("release")).count()
}

const ORDER: [&str; 9] = [
    "gathering",
    "open",
    "accepted",
    "funded",
    "ready",
    "delivered",
    "disputed",
    "settled",
    "refunded",
];

/// Waits until a party's node has a deal in a phase or in a later one.
pub(super) async fn reached(town: &Town, deal: &str, home: &str, phase: &str) -> Value {
    let place = |name: &str| ORDER.iter().position(|known| *known == name);
    let wanted = place(phase).unwrap();
    let (since, mut last) = (Instant::now(), Value::Null);
    loop {
        let ran = town.devnet.program().run(&["deal", "show", deal, "--home", home, "--json"]);
        let shown: Value = serde_json::from_str(&ran.unwrap().stdout).unwrap_or_default();
        let view = shown["parts"][0].clone();
        if view["phase"].as_str().and_then(place).is_some_and(|at| at >= wanted) {
            return view;
        }
        if !view.is_null() {
            last = view;
        }
        assert!(since.elapsed() < crate::town::LONG, "{home} never has it {phase}: {last}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
