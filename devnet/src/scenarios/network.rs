//! A network that parts, delays and loses what nodes say to each other.

use super::crashes::halted;
use super::{LONG, Play};
use crate::error::DevnetError;
use std::time::{Duration, Instant};

/// A town spread over a continent.
const DELAY_MS: u32 = 100;
const JITTER_MS: u32 = 20;
/// One spread over the world.
const FAR_MS: u32 = 200;
const LOSS_PERCENT: u32 = 5;
const BETWEEN_RESETS: Duration = Duration::from_secs(2);

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Halves decide nothing and go on by themselves once they hear each other; three of four go on,
/// and the fourth catches up.
pub(super) async fn partition(play: &mut Play<'_>) -> Result<(), DevnetError> {
    let traffic = play.traffic()?;
    play.claim(traffic.goes_on(play.extent.clients, LONG).await, "the town takes transactions")?;
    let voters = play.validators();
    let half = voters.len().wrapping_div(2);
    let (left, right) = voters.split_at(half);
    play.devnet.partition(&[left.to_vec(), right.to_vec()]).await?;
    play.tell(&format!("parted: {} | {}", left.join(", "), right.join(", ")));
    halted(play, "halves").await?;
    tokio::time::sleep(play.extent.lasting).await;
    play.devnet.heal().await?;
    let begun = Instant::now();
    play.claim(traffic.goes_on(1, LONG).await, "healed, it goes on by itself")?;
    play.note("halves_resumed_ms", ms(begun.elapsed()));
    play.agree_on_newest().await?;
    let alone = play.validator(3)?;
    play.devnet.partition(&[vec![alone.clone()]]).await?;
    play.tell(&format!("parted: {alone} | all others"));
    let before = traffic.count();
    play.claim(traffic.goes_on(play.extent.clients, LONG).await, "three of four go on")?;
    tokio::time::sleep(play.extent.lasting).await;
    play.note("acknowledged_meanwhile", traffic.count().saturating_sub(before));
    play.devnet.heal().await?;
    let begun = Instant::now();
    play.agree_on_newest().await?;
    play.note("one_caught_up_ms", ms(begun.elapsed()));
    play.claim(true, &format!("healed, {alone} catches up"))?;
    play.conclude(traffic).await
}

/// Every message takes long: the town goes on, at the pace of its network.
pub(super) async fn delay(play: &mut Play<'_>) -> Result<(), DevnetError> {
    let traffic = play.traffic()?;
    play.claim(traffic.goes_on(play.extent.clients, LONG).await, "the town takes transactions")?;
    for (delay_ms, jitter_ms) in [(DELAY_MS, JITTER_MS), (FAR_MS, JITTER_MS)] {
        let set = |condition: &mut crate::links::Condition| {
            condition.delay_ms = delay_ms;
            condition.jitter_ms = jitter_ms;
        };
        play.devnet.disturb(None, set).await?;
        play.tell(&format!("every message takes {delay_ms} ± {jitter_ms} ms"));
        play.claim(traffic.goes_on(play.extent.clients, LONG).await, "the town goes on")?;
        let begun = Instant::now();
        tokio::time::sleep(play.extent.lasting).await;
        let window = traffic.since(begun);
        play.tell(&format!(
            "{:.1} a second, half within {} ms",
            window.each_second,
            window.p50.as_millis()
        ));
        play.note(&format!("at_{delay_ms}_ms"), window.json());
    }
    play.devnet.heal().await?;
    play.conclude(traffic).await
}

/// Segments are lost, and connections broken off every other second.
pub(super) async fn loss(play: &mut Play<'_>) -> Result<(), DevnetError> {
    let traffic = play.traffic()?;
    play.claim(traffic.goes_on(play.extent.clients, LONG).await, "the town takes transactions")?;
    play.devnet.disturb(None, |condition| condition.loss_percent = LOSS_PERCENT).await?;
    play.tell(&format!("{LOSS_PERCENT} of 100 segments are lost"));
    play.claim(traffic.goes_on(play.extent.clients, LONG).await, "the town goes on")?;
    let begun = Instant::now();
    tokio::time::sleep(play.extent.lasting).await;
    play.note("with_loss", traffic.since(begun).json());
    play.devnet.heal().await?;
    let begun = Instant::now();
    let mut resets: u32 = 0;
    while begun.elapsed() < play.extent.lasting {
        let again = |condition: &mut crate::links::Condition| {
            condition.resets = condition.resets.saturating_add(1);
        };
        play.devnet.disturb(None, again).await?;
        resets = resets.saturating_add(1);
        tokio::time::sleep(BETWEEN_RESETS).await;
    }
    play.tell(&format!("all connections were broken off {resets} times"));
    play.note("resets", resets);
    play.note("with_resets", traffic.since(begun).json());
    play.claim(traffic.goes_on(play.extent.clients, LONG).await, "the town goes on")?;
    play.conclude(traffic).await
}
