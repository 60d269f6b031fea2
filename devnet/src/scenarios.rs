//! Faults on purpose: nodes killed, frozen and cut off, links slowed and broken, clocks set wrong,
//! all of it under load, and then whether everything promised still holds.
//!
//! ```text
//!   scenario ── does things to a town, tells what it does and claims
//!      ├── crashes ── kill-loop, blackout, one-down, two-down, pause
//!      ├── network ── partition, delay, loss
//!      └── clock ──── a clock off by minutes that jumps back and forth
//!   traffic ─── clients that publish meanwhile and remember what was acknowledged
//!   checks ──── reads every log from its first block on, and compares
//! ```
//!
//! A claim that does not hold ends the scenario with [`DevnetError::Claim`].

mod checks;
mod clock;
mod crashes;
mod network;
mod traffic;

pub use clock::FakeClock;
pub use traffic::{Acknowledged, Traffic, Window};

use crate::devnet::Devnet;
use crate::error::DevnetError;
use serde_json::{Map, Value, json};
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// Longest wait for something that must happen; a fast machine waits no longer than it must.
pub(crate) const LONG: Duration = Duration::from_secs(180);

/// What nodes of a town must log for a scenario: as by default, and every vote that they see.
pub const LOG_FILTER: &str =
    "info,arc_malachitebft=warn,libp2p=warn,heatmark_consensus::votes=trace";

/// How long nothing may be decided where nothing can be.
const HALT: Duration = Duration::from_secs(6);

/// What is done to a town.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// Any node is killed at any moment and started again, over and over.
    KillLoop,
    /// All nodes lose power at once, again and again.
    Blackout,
    /// One validator is down.
    OneDown,
    /// Two validators of four are down.
    TwoDown,
    /// A validator is frozen for long, then two are.
    Pause,
    /// The town is parted in halves, then one node from the rest.
    Partition,
    /// Everything takes long, on all links.
    Delay,
    /// Segments are lost and connections broken off.
    Loss,
    /// A validator's clock is wrong and jumps.
    Clock,
}

/// Every scenario.
pub const ALL: [Scenario; 9] = [
    Scenario::KillLoop,
    Scenario::Blackout,
    Scenario::OneDown,
    Scenario::TwoDown,
    Scenario::Pause,
    Scenario::Partition,
    Scenario::Delay,
    Scenario::Loss,
    Scenario::Clock,
];

impl Scenario {
    fn name(self) -> &'static str {
        match self {
            Self::KillLoop => "kill-loop",
            Self::Blackout => "blackout",
            Self::OneDown => "one-down",
            Self::TwoDown => "two-down",
            Self::Pause => "pause",
            Self::Partition => "partition",
            Self::Delay => "delay",
            Self::Loss => "loss",
            Self::Clock => "clock",
        }
    }

    /// Whether it needs links that can be broken.
    #[must_use]
    pub fn needs_links(self) -> bool {
        matches!(self, Self::Partition | Self::Delay | Self::Loss)
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Scenario {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = ALL.into_iter().find(|scenario| scenario.name() == name);
        found.ok_or_else(|| {
            let known: Vec<&str> = ALL.into_iter().map(Self::name).collect();
            format!("there is no scenario {name}; there are {}", known.join(", "))
        })
    }
}

/// How much of it.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// How long each state lasts that is measured.
    pub lasting: Duration,
    /// How often something is killed.
    pub kills: u32,
    /// Clients that publish meanwhile, at every validator.
    pub clients: usize,
    /// Chooses what is killed and when; the same number gives the same choices.
    pub seed: u64,
}

/// A scenario under way.
pub(crate) struct Play<'p> {
    pub(crate) devnet: &'p mut Devnet,
    pub(crate) extent: Extent,
    tell: &'p mut dyn FnMut(&str),
    facts: Map<String, Value>,
}

impl Play<'_> {
    /// Says what happens.
    pub(crate) fn tell(&mut self, sentence: &str) {
        (self.tell)(sentence);
    }

    /// Keeps a figure for the report.
    pub(crate) fn note(&mut self, name: &str, value: impl Into<Value>) {
        self.facts.insert(name.to_owned(), value.into());
    }

    /// Holds, or ends the scenario.
    pub(crate) fn claim(&mut self, holds: bool, claim: &str) -> Result<(), DevnetError> {
        if holds {
            self.tell(&format!("holds: {claim}"));
            return Ok(());
        }
        Err(DevnetError::Claim(format!("it does not hold that {claim}")))
    }

    /// Names of the validators.
    pub(crate) fn validators(&self) -> Vec<String> {
        let nodes = self.devnet.nodes().iter().filter(|node| node.validator);
        nodes.map(|node| node.name.clone()).collect()
    }

    /// The validator of this number, from 0.
    pub(crate) fn validator(&self, number: usize) -> Result<String, DevnetError> {
        let found = self.validators().into_iter().nth(number);
        found.ok_or_else(|| DevnetError::Claim("the town has at least four validators".to_owned()))
    }

    /// Waits until all nodes hold what the first validator holds now.
    pub(crate) async fn agree_on_newest(&self) -> Result<(), DevnetError> {
        let witness = self.validator(0)?;
        let newest = self.devnet.client(&witness).await?.header(None).await;
        let newest = newest.map_err(|source| DevnetError::Client { name: witness, source })?;
        let names = self.devnet.names();
        self.devnet.agree(&names, newest.header.log_size.0, LONG).await.map(|_| ())
    }

    /// Publishes until it is stopped.
    pub(crate) fn traffic(&self) -> Result<Traffic, DevnetError> {
        Traffic::start(self.devnet, self.extent.clients)
    }
}

/// Plays a scenario on a town that is up, with at least four validators, whose nodes log by
/// [`LOG_FILTER`], and tells each step to `tell`. What it measured comes back; all nodes are up again then.
///
/// # Errors
/// [`DevnetError::Claim`] when something promised does not hold, [`DevnetError::NoLinks`], and see
/// [`DevnetError`].
pub async fn play(
    scenario: Scenario,
    devnet: &mut Devnet,
    extent: Extent,
    tell: &mut dyn FnMut(&str),
) -> Result<Value, DevnetError> {
    if scenario.needs_links() {
        devnet.rules()?;
    }
    let begun = Instant::now();
    let mut play = Play { devnet, extent, tell, facts: Map::new() };
    match scenario {
        Scenario::KillLoop => crashes::kill_loop(&mut play).await?,
        Scenario::Blackout => crashes::blackout(&mut play).await?,
        Scenario::OneDown => crashes::one_down(&mut play).await?,
        Scenario::TwoDown => crashes::two_down(&mut play).await?,
        Scenario::Pause => crashes::pause(&mut play).await?,
        Scenario::Partition => network::partition(&mut play).await?,
        Scenario::Delay => network::delay(&mut play).await?,
        Scenario::Loss => network::loss(&mut play).await?,
        Scenario::Clock => clock::clock(&mut play).await?,
    }
    let seconds = begun.elapsed().as_secs_f64();
    let facts = Value::Object(play.facts);
    Ok(json!({ "scenario": scenario.name(), "seconds": seconds, "figures": facts }))
}
