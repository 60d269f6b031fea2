//! Links between the nodes of a town that can be broken: for every node, every other node and both
//! planes a TCP proxy on loopback, which the node dials in the other's place. Nodes know nothing of
//! it: they pin each other's keys, not addresses.
//!
//! ```text
//!   mill ──dials──▶ link mill→forge ──▶ forge      one pair, two links a plane, one condition
//!   mill ◀── link forge→mill ◀──dials── forge
//! ```
//!
//! It models what TCP shows of a network to programs: silence while a link is severed, latency,
//! stalls by loss, broken connections. Bandwidth and what happens below TCP it does not model.

mod keeper;
mod proxy;
mod rules;
#[cfg(test)]
mod tests;

pub(crate) use keeper::LinkKeeper;
pub use rules::{Condition, Pair, Rules};

use crate::devnet::Devnet;
use crate::error::{DevnetError, Standings};
use crate::ports::{self, NodePorts};
use crate::record::NodeRecord;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long the links may take to follow a change.
const FOLLOW_LIMIT: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(10);

/// One of the networks among nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Plane {
    /// The consensus engines'.
    Consensus,
    /// Where transactions spread.
    Exchange,
}

impl Plane {
    /// A node's own port on it.
    #[must_use]
    pub fn port(self, ports: &NodePorts) -> u16 {
        match self {
            Self::Consensus => ports.consensus,
            Self::Exchange => ports.exchange,
        }
    }
}

/// A link: what `from` dials to reach `to`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkRecord {
    /// Who dials.
    pub from: String,
    /// Who is meant.
    pub to: String,
    /// On which network.
    pub plane: Plane,
    /// Port of the link on 127.0.0.1.
    pub port: u16,
}

impl LinkRecord {
    pub(crate) fn between(&self) -> [String; 2] {
        let mut between = [self.from.clone(), self.to.clone()];
        between.sort();
        between
    }
}

/// Links between all these nodes, on free ports.
pub(crate) fn lay(nodes: &[NodeRecord]) -> Result<Vec<LinkRecord>, DevnetError> {
    let mut links = Vec::new();
    // Held until all are found, so that no port is given twice.
    let mut held = Vec::new();
    for from in nodes {
        for to in nodes.iter().filter(|to| to.name != from.name) {
            for plane in [Plane::Consensus, Plane::Exchange] {
                let (port, listener) = ports::any()?;
                held.push(listener);
                let (from, to) = (from.name.clone(), to.name.clone());
                links.push(LinkRecord { from, to, plane, port });
            }
        }
    }
    Ok(links)
}

/// Runs the links of the town in a directory until `ended` resolves, for towns without a keeper.
///
/// # Errors
/// [`DevnetError::NoLinks`], and [`DevnetError::Io`] with a port that is taken.
pub async fn run(directory: &Path, ended: impl Future<Output = ()>) -> Result<(), DevnetError> {
    let record = crate::record::Record::read(directory)?;
    if record.links.is_empty() {
        return Err(DevnetError::NoLinks(directory.to_owned()));
    }
    let _keeper = LinkKeeper::start(directory, &record.links)?;
    ended.await;
    Ok(())
}

impl Devnet {
    /// Whether its links can be broken.
    #[must_use]
    pub fn is_linked(&self) -> bool {
        !self.record().links.is_empty()
    }

    /// What ails its links now.
    ///
    /// # Errors
    /// [`DevnetError::NoLinks`], [`DevnetError::Record`].
    pub fn rules(&self) -> Result<Rules, DevnetError> {
        if !self.is_linked() {
            return Err(DevnetError::NoLinks(self.directory().to_owned()));
        }
        Rules::read(self.directory())
    }

    /// Changes what ails the links and waits until they follow; those of a town that is down will.
    ///
    /// # Errors
    /// As [`Self::rules`], and [`DevnetError::Deadline`] when the links do not follow in time.
    pub async fn change_links(&self, change: impl FnOnce(&mut Rules)) -> Result<(), DevnetError> {
        let mut rules = self.rules()?;
        change(&mut rules);
        rules.pairs.retain(|pair| pair.condition != Condition::default());
        rules.sequence = rules.sequence.saturating_add(1);
        rules.write(self.directory())?;
        let record = crate::record::Record::read(self.directory())?;
        let kept = record.living_keeper().or(record.links_process.filter(|one| one.is_alive()));
        if kept.is_none() {
            // Whoever brings the town up again finds it so.
            return Ok(());
        }
        self.links_follow(rules.sequence).await
    }

    /// Waits until the links follow the rules of this number or later ones.
    pub(crate) async fn links_follow(&self, sequence: u64) -> Result<(), DevnetError> {
        let begun = Instant::now();
        while rules::applied(self.directory()).is_none_or(|applied| applied < sequence) {
            if begun.elapsed() > FOLLOW_LIMIT {
                let standing =
                    Standings(vec![("the links".to_owned(), "do not follow".to_owned())]);
                let what = "a change of the links";
                return Err(DevnetError::Deadline { what, within: FOLLOW_LIMIT, standing });
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Parts the town: nodes of different groups no longer hear each other, those of one group do.
    /// Nodes that no group names make up one more.
    ///
    /// # Errors
    /// [`DevnetError::Unknown`], and as [`Self::change_links`].
    pub async fn partition(&self, groups: &[Vec<String>]) -> Result<(), DevnetError> {
        for name in groups.iter().flatten() {
            self.node(name)?;
        }
        let group = |name: &String| groups.iter().position(|group| group.contains(name));
        let names = self.names();
        self.change_links(|rules| {
            for (one, other) in pairs(&names) {
                rules.condition_mut(one, other).severed = group(one) != group(other);
            }
        })
        .await
    }

    /// Makes all links whole.
    ///
    /// # Errors
    /// As [`Self::change_links`].
    pub async fn heal(&self) -> Result<(), DevnetError> {
        self.change_links(|rules| {
            for pair in &mut rules.pairs {
                pair.condition =
                    Condition { resets: pair.condition.resets, ..Condition::default() };
            }
        })
        .await
    }

    /// Changes the condition of the link between two nodes, or of every link.
    ///
    /// # Errors
    /// [`DevnetError::Unknown`], and as [`Self::change_links`].
    pub async fn disturb(
        &self,
        between: Option<(&str, &str)>,
        change: impl Fn(&mut Condition),
    ) -> Result<(), DevnetError> {
        let names = match between {
            Some((one, other)) => {
                vec![self.node(one)?.name.clone(), self.node(other)?.name.clone()]
            }
            None => self.names(),
        };
        self.change_links(|rules| {
            for (one, other) in pairs(&names) {
                change(rules.condition_mut(one, other));
            }
        })
        .await
    }
}

/// Every two of these names.
fn pairs(names: &[String]) -> Vec<(&String, &String)> {
    let mut all = Vec::new();
    for (index, one) in names.iter().enumerate() {
        let others = names.iter().skip(index.saturating_add(1)).filter(|other| *other != one);
        all.extend(others.map(|other| (one, other)));
    }
    all
}
