//! Whom to dial and when: configured peers, again and again, ever more slowly while they do not
//! answer. Refuses addresses that do not say who must answer.

use crate::error::ExchangeError;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, Instant};

const FIRST_PAUSE_MS: u64 = 250;
const LONGEST_PAUSE_MS: u64 = 15_000;

#[derive(Debug)]
struct Target {
    addresses: Vec<Multiaddr>,
    next: Instant,
    failures: u32,
}

/// The configured peers.
#[derive(Debug)]
pub(crate) struct Dialer {
    targets: BTreeMap<PeerId, Target>,
    /// Spreads nodes that lost the same peer at the same moment.
    jitter: RandomState,
}

impl Dialer {
    /// Leaves out this node's own address, so that all nodes may share one list.
    pub(crate) fn new(
        own: PeerId,
        addresses: &[Multiaddr],
        now: Instant,
    ) -> Result<Self, ExchangeError> {
        let mut targets = BTreeMap::new();
        for address in addresses {
            let Some(Protocol::P2p(peer)) = address.iter().last() else {
                return Err(ExchangeError::Unpinned(address.clone()));
            };
            if peer == own {
                continue;
            }
            let target = targets.entry(peer).or_insert_with(|| Target {
                addresses: Vec::new(),
                next: now,
                failures: 0,
            });
            target.addresses.push(address.clone());
        }
        Ok(Self { targets, jitter: RandomState::new() })
    }

    /// Peers to dial now, of those that `wanted` accepts. Each waits its pause from then on.
    pub(crate) fn due(
        &mut self,
        now: Instant,
        wanted: impl Fn(&PeerId) -> bool,
    ) -> Vec<(PeerId, Vec<Multiaddr>)> {
        let mut due = Vec::new();
        for (peer, target) in &mut self.targets {
            if target.next > now || !wanted(peer) {
                continue;
            }
            target.failures = target.failures.saturating_add(1);
            let pause = pause(target.failures, self.jitter.hash_one((peer, target.failures)));
            target.next = now.checked_add(pause).unwrap_or(now);
            due.push((*peer, target.addresses.clone()));
        }
        due
    }

    /// A connection stands; should it break, it is dialled again soon.
    pub(crate) fn connected(&mut self, peer: &PeerId, now: Instant) {
        if let Some(target) = self.targets.get_mut(peer) {
            target.failures = 0;
            target.next = now;
        }
    }
}

/// 250 ms, doubling to 15 s, then shortened by up to a half.
fn pause(failures: u32, random: u64) -> Duration {
    let doublings = failures.saturating_sub(1).min(6);
    let longest = FIRST_PAUSE_MS.saturating_mul(1 << doublings).min(LONGEST_PAUSE_MS);
    let shortened = random.checked_rem(longest / 2).unwrap_or(0);
    Duration::from_millis(longest.saturating_sub(shortened))
}
