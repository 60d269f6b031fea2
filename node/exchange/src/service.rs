//! The loop that owns the swarm: connections, whom to dial and whom to allow, what to send. Every
//! queue is bounded: what does not fit is dropped and counted, and comes again when it is announced
//! again.

use crate::batch::{self, MAX_BATCH_BYTES};
use crate::conduct::{Conduct, Fault};
use crate::config::ExchangeConfig;
use crate::dialer::Dialer;
use crate::handle::Command;
use crate::judge::Judgement;
use crate::members::{self, PeerKey};
use crate::metrics::Metrics;
use crate::network::{Behaviour, BehaviourEvent};
use crate::outbox::Outbox;
use crate::post::Post;
use crate::reception::Received;
use crate::start::Feed;
use bytes::Bytes;
use futures::StreamExt;
use heatmark_ledger::ids::MemberId;
use heatmark_mempool::Intake;
use libp2p::gossipsub::{self, IdentTopic, PublishError};
use libp2p::multiaddr::Protocol;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, ping};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// How often dialling and the end of cut-offs are looked at.
const UPKEEP: Duration = Duration::from_millis(250);

/// Transactions taken from the queue of fresh ones at a time.
const FRESH_AT_ONCE: usize = 64;

/// The exchange's state, owned by its one task.
pub(crate) struct Service {
    pub(crate) config: ExchangeConfig,
    pub(crate) swarm: Swarm<Behaviour>,
    pub(crate) topic: IdentTopic,
    pub(crate) intake: Arc<Intake>,
    pub(crate) feed: Feed,
    pub(crate) fresh_open: bool,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) connected: watch::Sender<Vec<MemberId>>,
    pub(crate) listening: watch::Sender<Vec<Multiaddr>>,
    pub(crate) members: HashMap<PeerId, MemberId>,
    pub(crate) conduct: HashMap<PeerId, Conduct>,
    pub(crate) subscribed: BTreeSet<PeerId>,
    /// Since when peers are connected that do not take part in gossip.
    pub(crate) silent: HashMap<PeerId, Instant>,
    pub(crate) dialer: Dialer,
    pub(crate) outbox: Outbox,
    pub(crate) waiting: VecDeque<Received>,
    pub(crate) waiting_bytes: usize,
    pub(crate) judging: JoinSet<(Received, Judgement)>,
    pub(crate) post: Post,
    pub(crate) metrics: Metrics,
    /// What arrived before this number had its time to be decided, and is announced again.
    pub(crate) announced_before: u64,
    pub(crate) announce_from: u64,
}

impl Service {
    pub(crate) async fn run(mut self) {
        let mut upkeep = tokio::time::interval(UPKEEP);
        let mut again = tokio::time::interval(self.config.announce_again_after);
        upkeep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        again.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        again.reset();
        let mut fresh = Vec::with_capacity(FRESH_AT_ONCE);
        loop {
            let due = self.outbox.due().map(tokio::time::Instant::from_std);
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(Command::SetMembers(members)) => self.set_members(&members),
                    Some(Command::Refresh) => self.refresh_members(),
                    Some(Command::Post { to, letter, outcome }) => self.post(to, letter, outcome),
                    Some(Command::Shutdown) | None => break,
                },
                event = self.swarm.select_next_some() => self.on_event(event),
                Some(judged) = self.judging.join_next(), if !self.judging.is_empty() => {
                    match judged {
                        Ok((received, judgement)) => self.on_judged(&received, &judgement),
                        Err(error) => tracing::error!(%error, "judging a batch failed"),
                    }
                    self.judge_next();
                }
                count = self.feed.fresh.recv_many(&mut fresh, FRESH_AT_ONCE), if self.fresh_open => {
                    self.fresh_open = count > 0;
                    for transaction in fresh.drain(..) {
                        self.send(transaction.bytes().clone());
                    }
                    self.flush();
                }
                Some(answered) = self.post.answering.join_next(), if !self.post.answering.is_empty() => {
                    if let Ok(answered) = answered {
                        self.on_answered(answered);
                    }
                }
                () = sleep_until(due) => self.flush(),
                _ = upkeep.tick() => self.upkeep(),
                _ = again.tick() => self.announce_again(),
            }
        }
        self.judging.shutdown().await;
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Gossip(event)) => self.on_gossip(event),
            SwarmEvent::Behaviour(BehaviourEvent::Ping(event)) => self.on_ping(event),
            SwarmEvent::Behaviour(BehaviourEvent::Letters(event)) => self.on_letters(event),
            SwarmEvent::ConnectionEstablished { peer_id, .. } => {
                tracing::debug!(member = self.name(&peer_id), "connected");
                self.dialer.connected(&peer_id, Instant::now());
            }
            SwarmEvent::ConnectionClosed { peer_id, num_established: 0, .. } => {
                tracing::debug!(member = self.name(&peer_id), "disconnected");
                self.set_subscribed(peer_id, false);
            }
            SwarmEvent::IncomingConnectionError { error, .. } => {
                tracing::debug!(%error, "an incoming connection was refused or failed");
                self.metrics.refused_connection();
            }
            SwarmEvent::OutgoingConnectionError { peer_id: Some(peer), error, .. } => {
                tracing::debug!(member = self.name(&peer), %error, "dialling failed");
            }
            SwarmEvent::NewListenAddr { address, .. } => {
                let address = address.with(Protocol::P2p(*self.swarm.local_peer_id()));
                self.listening.send_if_modified(|known| {
                    let new = !known.contains(&address);
                    known.extend(new.then_some(address));
                    new
                });
            }
            SwarmEvent::ListenerClosed { reason: Err(error), .. }
            | SwarmEvent::ListenerError { error, .. } => {
                tracing::error!(%error, "listening failed");
            }
            _ => {}
        }
    }

    fn on_gossip(&mut self, event: gossipsub::Event) {
        match event {
            gossipsub::Event::Message { propagation_source, message_id, message } => {
                self.on_batch(message_id, propagation_source, message.data.into());
            }
            gossipsub::Event::Subscribed { peer_id, .. } => self.set_subscribed(peer_id, true),
            gossipsub::Event::Unsubscribed { peer_id, .. } => self.set_subscribed(peer_id, false),
            gossipsub::Event::GossipsubNotSupported { peer_id } => {
                tracing::warn!(member = self.name(&peer_id), "the peer does not speak gossip");
            }
            gossipsub::Event::SlowPeer { peer_id, .. } => {
                tracing::debug!(member = self.name(&peer_id), "the peer reads too slowly");
            }
        }
    }

    fn on_ping(&mut self, event: ping::Event) {
        let dead =
            matches!(event.result, Err(ping::Failure::Timeout | ping::Failure::Other { .. }));
        if dead {
            let connection: ConnectionId = event.connection;
            self.swarm.close_connection(connection);
        }
    }

    pub(crate) fn blame(&mut self, peer: &PeerId, fault: Fault, now: Instant) {
        let cut = self.conduct.get_mut(peer).is_some_and(|conduct| conduct.blame(fault, now));
        if cut {
            tracing::warn!(member = self.name(peer), "a peer is cut off for its conduct");
            self.metrics.cut_off();
            self.swarm.behaviour_mut().allowed.disallow_peer(*peer);
        }
    }

    pub(crate) fn send(&mut self, transaction: Bytes) {
        if transaction.len() > MAX_BATCH_BYTES {
            return;
        }
        if let Some(batch) = self.outbox.push(transaction, Instant::now()) {
            self.publish(batch);
        }
    }

    pub(crate) fn flush(&mut self) {
        if let Some(batch) = self.outbox.ready(Instant::now()) {
            self.publish(batch);
        }
    }

    fn publish(&mut self, transactions: Vec<Bytes>) {
        if self.subscribed.is_empty() {
            // Announced again once there are peers.
            return self.metrics.sent_batch("alone");
        }
        let count = transactions.len();
        let message = batch::encode(transactions);
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        let outcome = match gossip.publish(self.topic.hash(), message) {
            Ok(_) => "sent",
            Err(PublishError::Duplicate) => "duplicate",
            Err(PublishError::NoPeersSubscribedToTopic) => "alone",
            Err(error) => {
                tracing::debug!(%error, "a batch was not sent");
                "dropped"
            }
        };
        if outcome == "sent" {
            self.metrics.sent_transactions(count);
        }
        self.metrics.sent_batch(outcome);
    }

    fn upkeep(&mut self) {
        let now = Instant::now();
        self.hang_up_on_silent(now);
        for (peer, conduct) in &mut self.conduct {
            if conduct.readmit(now) {
                self.swarm.behaviour_mut().allowed.allow_peer(*peer);
            }
        }
        let swarm = &self.swarm;
        let wanted = |peer: &PeerId| {
            !swarm.is_connected(peer) && swarm.behaviour().allowed.allowed_peers().contains(peer)
        };
        for (peer, addresses) in self.dialer.due(now, wanted) {
            let dial = DialOpts::peer_id(peer)
                .condition(PeerCondition::DisconnectedAndNotDialing)
                .addresses(addresses)
                .allocate_new_port()
                .build();
            self.metrics.dialled();
            if let Err(error) = self.swarm.dial(dial) {
                tracing::debug!(member = self.name(&peer), %error, "not dialled");
            }
        }
    }

    /// A peer tells what it takes part in once, on its first connection. If that one broke here and not yet there, a new one
    /// brings nothing: both then hang up and begin again.
    fn hang_up_on_silent(&mut self, now: Instant) {
        let connected = self.swarm.connected_peers().copied();
        let silent: Vec<PeerId> =
            connected.filter(|peer| !self.subscribed.contains(peer)).collect();
        self.silent.retain(|peer, _| silent.contains(peer));
        for peer in silent {
            let since = *self.silent.entry(peer).or_insert(now);
            if now.duration_since(since) >= self.config.silent_for {
                self.silent.remove(&peer);
                tracing::debug!(member = self.name(&peer), "connected and silent: hung up");
                self.metrics.hung_up();
                // Gone by itself meanwhile, or closing now.
                let _ = self.swarm.disconnect_peer_id(peer);
            }
        }
    }

    /// Announces what has waited since the last but one time, a bounded part of it each time.
    fn announce_again(&mut self) {
        let mempool = self.intake.mempool();
        let limit = self.config.announce_again_transactions;
        let next = mempool.next_sequence();
        let mut old = mempool.arrived(self.announce_from, self.announced_before, limit);
        if old.is_empty() && self.announce_from > 0 {
            old = mempool.arrived(0, self.announced_before, limit);
        }
        self.announce_from = match old.last() {
            Some((sequence, _)) if old.len() >= limit => sequence.saturating_add(1),
            _ => 0,
        };
        self.announced_before = next;
        if self.subscribed.is_empty() {
            return;
        }
        self.metrics.announced_again(old.len());
        for (_, transaction) in old {
            self.send(transaction.bytes().clone());
        }
        self.flush();
    }

    fn refresh_members(&mut self) {
        match members::member_peers(&**self.intake.view()) {
            Ok(members) => self.set_members(&members),
            Err(error) => tracing::error!(%error, "the registry cannot be read"),
        }
    }

    pub(crate) fn set_members(&mut self, keys: &[PeerKey]) {
        let members = members::by_peer_id(keys);
        let now = Instant::now();
        let limits = self.config.limits;
        let removed: Vec<PeerId> =
            self.members.keys().filter(|peer| !members.contains_key(peer)).copied().collect();
        let allowed = &mut self.swarm.behaviour_mut().allowed;
        for peer in removed {
            allowed.disallow_peer(peer);
            self.conduct.remove(&peer);
        }
        for peer in members.keys() {
            let conduct = self.conduct.entry(*peer).or_insert_with(|| Conduct::new(limits, now));
            if !conduct.is_cut_off() {
                allowed.allow_peer(*peer);
            }
        }
        self.members = members;
        self.publish_connected();
    }

    fn set_subscribed(&mut self, peer: PeerId, subscribed: bool) {
        let changed =
            if subscribed { self.subscribed.insert(peer) } else { self.subscribed.remove(&peer) };
        if changed {
            self.publish_connected();
        }
    }

    fn publish_connected(&mut self) {
        let mut connected: Vec<MemberId> =
            self.subscribed.iter().filter_map(|peer| self.members.get(peer)).copied().collect();
        connected.sort_unstable();
        self.metrics.peers(connected.len());
        self.connected.send_replace(connected);
    }

    pub(crate) fn name(&self, peer: &PeerId) -> String {
        match self.members.get(peer) {
            Some(member) => member.to_string(),
            None => format!("none ({peer})"),
        }
    }
}

async fn sleep_until(due: Option<tokio::time::Instant>) {
    match due {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}
