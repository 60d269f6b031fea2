//! Deadlines on real nodes whose clocks are moved: one passes while the buyer alone is away, and the deal settles without it; one
//! passes on every clock while the log stands still, and on the log it has not passed at all.

use super::is_read;
use super::stage::{ARBITER, BUYER, Sale, phase_is, until};
use super::steps::{on_log, releases, stand_once};
use crate::town::{LONG, Town};
use heatmark_devnet::scenarios::FakeClock;
use heatmark_ledger::header::Header;
use serde_json::Value;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

const MINUTE_MS: u64 = 60_000;
/// Less than what the log takes for a gap.
const LEAP: u64 = 8;

/// A town and the clock of each of its nodes, all so many minutes ahead.
struct Timed {
    town: Town,
    clocks: Vec<FakeClock>,
    ahead: u64,
}

impl Timed {
    async fn up() -> Self {
        let (mut town, held) = Town::founded_among(3, &["heartbeat_ms=2000"], false, None).await;
        let names = town.devnet.names();
        let clocks = names.iter().map(|name| FakeClock::give(&mut town.devnet, name).unwrap());
        let clocks = clocks.collect();
        town.devnet.start(held).await.unwrap();
        Self { town, clocks, ahead: 0 }
    }

    fn set_ahead(&mut self, minutes: u64) {
        self.ahead += minutes;
        let ms = i64::try_from(self.ahead * MINUTE_MS).unwrap();
        self.clocks.iter().for_each(|clock| clock.set(ms).unwrap());
    }

    /// What the nodes' clocks show, by the true one.
    fn now_ms(&self) -> u64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        u64::try_from(now).unwrap() + self.ahead * MINUTE_MS
    }

    async fn newest(&self) -> Header {
        self.town.devnet.client(ARBITER).await.unwrap().header(None).await.unwrap().header
    }

    /// Moves all clocks while the log goes on, never by as much as a gap.
    async fn pass(&mut self, leaps: u64) {
        for _ in 0..leaps {
            self.set_ahead(LEAP);
            let (since, now) = (Instant::now(), self.now_ms());
            while self.newest().await.time.0 < now {
                assert!(since.elapsed() < LONG, "block time does not follow the clocks");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

fn shown(town: &Town, deal: &str, home: &str) -> Value {
    town.command(0, &["deal", "show", deal, "--home", home])["parts"][0].clone()
}

#[tokio::test]
async fn a_deadline_passes_for_who_is_away_and_stands_still_with_the_log() {
    if FakeClock::library().is_none() {
        eprintln!("SKIPPED: libfaketime is not here (Debian: apt-get install faketime)");
        return;
    }
    let mut timed = Timed::up().await;
    let sale = Sale::deposited(&timed.town).await;
    away(&mut timed, &sale).await;
    halted(&mut timed, &sale).await;
    timed.town.agree(&timed.town.devnet.names(), 8).await;
    timed.town.down().await;
}

/// The buyer pays, and is gone until its window has ended.
async fn away(timed: &mut Timed, sale: &Sale) {
    let deal = sale.opened(&timed.town, &["--each", "5m"]).await;
    timed.town.devnet.kill(BUYER).await.unwrap();
    sale.funded(&timed.town, &deal).await;
    phase_is(&timed.town, &deal, ARBITER, "delivered").await;
    // Payment, agents, release and the buyer's window: 20 minutes in all.
    timed.pass(3).await;
    phase_is(&timed.town, &deal, ARBITER, "settled").await;
    timed.town.devnet.restart(BUYER).await.unwrap();
    let back = until("the buyer does not open what it bought", || {
        let view = shown(&timed.town, &deal, BUYER);
        (view["opened"] == true).then_some(view)
    })
    .await;
    assert_eq!((&back["phase"], &back["trouble"]), (&"settled".into(), &Value::Null), "{back}");
    is_read(&timed.town, &deal);
    let taken = on_log(&timed.town, "forge", &deal).await;
    // Nobody confirmed: time did.
    stand_once(&taken, &["open", "fund"]);
}

/// Half of the validators are frozen for twenty minutes in which the payment's deadline passes.
async fn halted(timed: &mut Timed, sale: &Sale) {
    let deal = sale.opened(&timed.town, &["--each", "5m"]).await;
    let accepted = phase_is(&timed.town, &deal, ARBITER, "accepted").await;
    let deadline = accepted["deadline_ms"].as_u64().unwrap();
    let frozen = ["forge", "lab"];
    for name in frozen {
        timed.town.devnet.pause(name).unwrap();
    }
    timed.set_ahead(20);
    assert!(timed.now_ms() > deadline, "the deadline has not passed");
    let before = still(timed).await;
    assert!(before.time.0 < deadline, "the log went on until the deadline");
    // By every clock it is too late; the arbiter pays in all the same.
    timed.town.command(0, &["deal", "fund", &deal, "--home", ARBITER]);
    for name in frozen {
        timed.town.devnet.resume(name).unwrap();
    }
    let settled = phase_is(&timed.town, &deal, BUYER, "settled").await;
    assert_eq!(
        (&settled["opened"], &settled["trouble"]),
        (&true.into(), &Value::Null),
        "{settled}"
    );
    is_read(&timed.town, &deal);
    let taken = on_log(&timed.town, "mill", &deal).await;
    stand_once(&taken, &["open", "fund", "confirm"]);
    assert!(releases(&taken) >= 2, "{taken:?}");
    let funded = taken.iter().find(|one| one.step == "fund").unwrap();
    assert!(funded.block_ms > deadline, "it was paid in time by the clocks as well: {taken:?}");
}

/// Waits until nothing was decided for several heartbeats.
async fn still(timed: &Timed) -> Header {
    let (mut last, mut since) = (timed.newest().await, Instant::now());
    let begun = Instant::now();
    while since.elapsed() < Duration::from_secs(6) {
        let newest = timed.newest().await;
        if newest.height != last.height {
            (last, since) = (newest, Instant::now());
        }
        assert!(begun.elapsed() < LONG, "half of the validators decide");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    last
}
