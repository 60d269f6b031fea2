//! Nodes that lose power or freeze, one, two or all of them, at any moment.

use super::{HALT, LONG, Play};
use crate::error::DevnetError;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use std::time::{Duration, Instant};

/// After so many kills everybody comes back and must agree.
const KILLS_A_LAP: u32 = 10;

/// Kills a random node at a random moment and starts it again, whether or not it was ready yet.
pub(super) async fn kill_loop(play: &mut Play<'_>) -> Result<(), DevnetError> {
    let mut random = StdRng::seed_from_u64(play.extent.seed);
    let traffic = play.traffic()?;
    play.claim(traffic.goes_on(1, LONG).await, "the town takes transactions")?;
    let (mut done, mut slowest) = (0, Duration::ZERO);
    while done < play.extent.kills {
        let lap = KILLS_A_LAP.min(play.extent.kills.saturating_sub(done));
        let mut killed = 0;
        while killed < lap {
            killed = killed.saturating_add(u32::from(kill_one(play, &mut random).await?));
        }
        done = done.saturating_add(killed);
        let begun = Instant::now();
        back(play).await?;
        if !traffic.goes_on(play.extent.clients, LONG).await {
            return Err(DevnetError::Claim("the town takes no more transactions".to_owned()));
        }
        play.agree_on_newest().await?;
        slowest = slowest.max(begun.elapsed());
        let count = traffic.count();
        play.tell(&format!("{done} kills; {count} acknowledged; all are back and agree"));
    }
    play.note("kills", done);
    play.note("slowest_recovery_ms", u64::try_from(slowest.as_millis()).unwrap_or(u64::MAX));
    play.conclude(traffic).await
}

/// Kills a node if it is up, and starts it; whether it was killed.
async fn kill_one(play: &mut Play<'_>, random: &mut StdRng) -> Result<bool, DevnetError> {
    let names = play.devnet.names();
    let chosen = random.random_range(0..names.len().max(1));
    let Some(name) = names.get(chosen) else { return Ok(false) };
    pause_up_to(random, 900).await;
    let up = play.devnet.node(name)?.is_up();
    if up {
        play.devnet.kill(name).await?;
        // Most come back soon, some stay away while others are killed.
        if random.random_range(0..4) == 0 {
            return Ok(true);
        }
        pause_up_to(random, 500).await;
    }
    play.devnet.spawn(name).map(|_| up)
}

async fn pause_up_to(random: &mut StdRng, ms: u64) {
    tokio::time::sleep(Duration::from_millis(random.random_range(0..=ms))).await;
}

/// Starts whoever is down and waits until all are ready.
async fn back(play: &mut Play<'_>) -> Result<(), DevnetError> {
    for name in play.devnet.names() {
        if !play.devnet.node(&name)?.is_up() {
            play.devnet.spawn(&name)?;
        }
    }
    play.devnet.all_ready().await
}

/// Kills all nodes at once, again and again.
pub(super) async fn blackout(play: &mut Play<'_>) -> Result<(), DevnetError> {
    let traffic = play.traffic()?;
    let mut slowest = Duration::ZERO;
    for number in 1..=play.extent.kills {
        play.claim(
            traffic.goes_on(play.extent.clients, LONG).await,
            "the town takes transactions",
        )?;
        play.devnet.kill_all().await?;
        play.tell(&format!("blackout {number}: no node runs"));
        let begun = Instant::now();
        back(play).await?;
        play.claim(traffic.goes_on(1, LONG).await, "it goes on by itself")?;
        slowest = slowest.max(begun.elapsed());
    }
    play.note("blackouts", play.extent.kills);
    play.note("slowest_recovery_ms", u64::try_from(slowest.as_millis()).unwrap_or(u64::MAX));
    play.conclude(traffic).await
}

/// One validator is down: the others go on, and how fast.
pub(super) async fn one_down(play: &mut Play<'_>) -> Result<(), DevnetError> {
    let lasting = play.extent.lasting;
    let name = play.validator(3)?;
    let traffic = play.traffic()?;
    play.claim(traffic.goes_on(play.extent.clients, LONG).await, "the town takes transactions")?;
    let begun = Instant::now();
    tokio::time::sleep(lasting).await;
    let with = traffic.since(begun);
    play.note("four_up", with.json());
    play.devnet.kill(&name).await?;
    play.tell(&format!("{name} is down"));
    play.claim(traffic.goes_on(play.extent.clients, LONG).await, "three of four go on")?;
    let begun = Instant::now();
    tokio::time::sleep(lasting).await;
    let without = traffic.since(begun);
    play.note("three_up", without.json());
    play.tell(&format!(
        "four up: {:.1} a second, half within {} ms; three up: {:.1} a second, half within {} ms, \
         all within {} ms",
        with.each_second,
        with.p50.as_millis(),
        without.each_second,
        without.p50.as_millis(),
        without.longest.as_millis()
    ));
    play.devnet.restart(&name).await?;
    play.conclude(traffic).await
}

/// Two validators of four are down: nothing is decided, nothing lost, and it goes on by itself.
pub(super) async fn two_down(play: &mut Play<'_>) -> Result<(), DevnetError> {
    let (one, other) = (play.validator(2)?, play.validator(3)?);
    let traffic = play.traffic()?;
    play.claim(traffic.goes_on(play.extent.clients, LONG).await, "the town takes transactions")?;
    play.devnet.kill(&one).await?;
    play.devnet.kill(&other).await?;
    play.tell(&format!("{one} and {other} are down"));
    halted(play, "half of the validators").await?;
    play.devnet.spawn(&one)?;
    let begun = Instant::now();
    play.claim(traffic.goes_on(1, LONG).await, "with three it goes on by itself")?;
    play.note("resumed_ms", u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX));
    play.devnet.restart(&other).await?;
    play.conclude(traffic).await
}

/// A frozen validator costs no more than a dead one; two halt the town; thawed, all go on.
pub(super) async fn pause(play: &mut Play<'_>) -> Result<(), DevnetError> {
    let (one, other) = (play.validator(1)?, play.validator(2)?);
    let traffic = play.traffic()?;
    play.claim(traffic.goes_on(play.extent.clients, LONG).await, "the town takes transactions")?;
    play.devnet.pause(&one)?;
    play.tell(&format!("{one} is frozen"));
    play.claim(traffic.goes_on(1, LONG).await, "the others go on")?;
    tokio::time::sleep(play.extent.lasting).await;
    play.devnet.resume(&one)?;
    play.agree_on_newest().await?;
    play.claim(true, "thawed, it catches up")?;
    play.devnet.pause(&one)?;
    play.devnet.pause(&other)?;
    play.tell(&format!("{one} and {other} are frozen"));
    halted(play, "half of the validators").await?;
    play.devnet.resume(&one)?;
    play.devnet.resume(&other)?;
    play.claim(traffic.goes_on(1, LONG).await, "thawed, it goes on by itself")?;
    play.conclude(traffic).await
}

/// Nothing is decided for a while, once what was under way is through.
pub(super) async fn halted(play: &mut Play<'_>, who: &str) -> Result<(), DevnetError> {
    let witness = play.validator(0)?;
    let client = play.devnet.client(&witness).await?;
    let failed = |source| DevnetError::Client { name: witness.clone(), source };
    let mut newest = client.header(None).await.map_err(failed)?.header.height;
    let begun = Instant::now();
    let mut quiet_since = Instant::now();
    while quiet_since.elapsed() < HALT {
        if begun.elapsed() > LONG {
            return Err(DevnetError::Claim(format!("{who} decide nothing")));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = client.header(None).await.map_err(failed)?.header.height;
        // One height may still come through by votes that were cast before.
        if now.0 > newest.0.saturating_add(1) {
            return Err(DevnetError::Claim(format!("{who} decided height {now}")));
        }
        if now != newest {
            newest = now;
            quiet_since = Instant::now();
        }
    }
    play.claim(true, &format!("{who} decide nothing"))
}
