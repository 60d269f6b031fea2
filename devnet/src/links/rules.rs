//! `links.json`: what ails the links of a town, pair by pair. Whoever changes it writes the whole
//! file anew; whoever keeps the links follows it and says how far it is. Refuses unknown fields.

use crate::error::{DevnetError, io_error};
use rand::RngExt as _;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

const RULES: &str = "links.json";
const APPLIED: &str = "links.applied";

/// The least that a sender waits before it sends a lost segment again, as Linux does.
const RETRANSMIT: Duration = Duration::from_millis(200);

/// Losses of one segment in a row; more would be no link at all.
const MAX_LOSSES: u32 = 6;

/// What ails a link, in both directions alike.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Condition {
    /// Nothing arrives and nothing is refused, as when packets are dropped on the way. What was
    /// under way arrives once the link is whole again.
    pub severed: bool,
    /// Milliseconds that everything takes.
    pub delay_ms: u32,
    /// Milliseconds by which this varies to either side. Order is kept, as TCP keeps it.
    pub jitter_ms: u32,
    /// Percent of segments that are lost. TCP repairs a loss: the segment, and all behind it, wait
    /// for 200 ms and a round trip, twice as long if it is lost again.
    pub loss_percent: u32,
    /// How often all connections were broken off.
    pub resets: u64,
}

impl Condition {
    /// How long a segment takes that is sent now.
    pub(crate) fn latency(&self) -> Duration {
        let mut random = rand::rng();
        let (least, most) = (
            self.delay_ms.saturating_sub(self.jitter_ms),
            self.delay_ms.saturating_add(self.jitter_ms),
        );
        let delay = if most > 0 { random.random_range(least..=most) } else { 0 };
        let mut latency = Duration::from_millis(u64::from(delay));
        let mut again = RETRANSMIT.saturating_add(self.round_trip());
        for _ in 0..MAX_LOSSES {
            if self.loss_percent == 0 || random.random_range(0..100) >= self.loss_percent {
                break;
            }
            latency = latency.saturating_add(again);
            again = again.saturating_mul(2);
        }
        latency
    }

    /// How long a question and its answer take.
    pub(crate) fn round_trip(&self) -> Duration {
        Duration::from_millis(u64::from(self.delay_ms).saturating_mul(2))
    }
}

/// A pair of nodes that something ails.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pair {
    /// Both names, ascending.
    pub between: [String; 2],
    /// What ails it.
    pub condition: Condition,
}

/// The links of a town. Pairs that are not named are whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Grows with every change.
    pub sequence: u64,
    /// Pairs that something ails.
    pub pairs: Vec<Pair>,
}

impl Rules {
    /// What ails the link between two nodes, whichever is named first.
    #[must_use]
    pub fn condition(&self, one: &str, other: &str) -> Condition {
        let between = sorted(one, other);
        let pair = self.pairs.iter().find(|pair| pair.between == between);
        pair.map(|pair| pair.condition).unwrap_or_default()
    }

    /// The condition of a pair, to be changed.
    pub fn condition_mut(&mut self, one: &str, other: &str) -> &mut Condition {
        let between = sorted(one, other);
        let place = self.pairs.binary_search_by(|pair| pair.between.cmp(&between));
        let index = match place {
            Ok(index) => index,
            Err(index) => {
                self.pairs.insert(index, Pair { between, condition: Condition::default() });
                index
            }
        };
        &mut self.pairs.get_mut(index).expect("it was found or put there").condition
    }

    pub(crate) fn read(directory: &Path) -> Result<Self, DevnetError> {
        let path = directory.join(RULES);
        match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(io_error(path.display())(error)),
            Ok(text) => serde_json::from_str(&text)
                .map_err(|source| DevnetError::Record { path: path.clone(), source }),
        }
    }

    pub(crate) fn write(&self, directory: &Path) -> Result<(), DevnetError> {
        let path = directory.join(RULES);
        let text = serde_json::to_string_pretty(self)
            .map_err(|source| DevnetError::Record { path: path.clone(), source })?;
        whole(&path, &text)
    }
}

/// How far the links follow the rules; none before they follow any.
pub(crate) fn applied(directory: &Path) -> Option<u64> {
    fs::read_to_string(directory.join(APPLIED)).ok()?.trim().parse().ok()
}

pub(crate) fn note_applied(directory: &Path, sequence: u64) -> Result<(), DevnetError> {
    whole(&directory.join(APPLIED), &sequence.to_string())
}

pub(crate) fn forget_applied(directory: &Path) {
    // Where it never was there is nothing to forget.
    let _ = fs::remove_file(directory.join(APPLIED));
}

fn whole(path: &PathBuf, text: &str) -> Result<(), DevnetError> {
    let fresh = path.with_extension(format!("{:016x}", rand::random::<u64>()));
    fs::write(&fresh, text).map_err(io_error(fresh.display()))?;
    fs::rename(&fresh, path).map_err(io_error(path.display()))
}

fn sorted(one: &str, other: &str) -> [String; 2] {
    let mut between = [one.to_owned(), other.to_owned()];
    between.sort();
    between
}
