//! The loop that owns the swarm. Judging runs on threads of its own, so that signatures never hold
//! up the network. Every queue is bounded: what does not fit is dropped and counted, and comes
//! again when it is announced again.

use crate::batch::{self, MAX_BATCH_BYTES};
use crate::conduct::{Conduct, Fault};
use crate::config::ExchangeConfig;
use crate::dialer::Dialer;
use crate::error::ExchangeError;
use crate::handle::{Command, ExchangeHandle};
use crate::judge::{self, Judgement};
use crate::members::{self, PeerKey};
use crate::metrics::Metrics;
use crate::network::{self, Behaviour, BehaviourEvent};
use crate::outbox::Outbox;
use bytes::Bytes;
use ed25519_dalek::SigningKey;
use futures::StreamExt;
use heatmark_ledger::ids::MemberId;
use heatmark_ledger::transaction::Transaction;
use heatmark_mempool::{Intake, Tip};
use libp2p::gossipsub::{self, IdentTopic, MessageAcceptance, MessageId, PublishError};
use libp2p::multiaddr::Protocol;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, SwarmEvent};
use libp2p::{PeerId, Swarm, ping};
use prometheus_client::registry::Registry;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// How often dialling and the end of cut-offs are looked at.
const UPKEEP: Duration = Duration::from_millis(250);

/// Bytes of all peers that may wait to be judged.
const MAX_WAITING_BYTES: usize = 16 * 1024 * 1024;

/// Transactions taken from the queue of fresh ones at a time.
const FRESH_AT_ONCE: usize = 64;

/// Tells where the chain stands now.
pub type TipSource = Arc<dyn Fn() -> Tip + Send + Sync>;

/// What the exchange lives on.
pub struct Feed {
    /// Freshly submitted transactions, from [`Intake::new`].
    pub fresh: mpsc::Receiver<Arc<Transaction>>,
    /// Where the chain stands.
    pub tip: TipSource,
}

/// Joins the exchange network with the members that the registry names now. Returns once it
/// listens, if it is to listen. Metrics are registered under the prefix `exchange`.
///
/// # Errors
/// See [`ExchangeError`].
pub async fn start(
    config: ExchangeConfig,
    key: &SigningKey,
    intake: Arc<Intake>,
    feed: Feed,
    registry: &mut Registry,
) -> Result<ExchangeHandle, ExchangeError> {
    let now = Instant::now();
    let topic = network::topic(&intake.network());
    // Shorter than the time to the next announcement, or that one would pass for seen.
    let seen_for = config.announce_again_after.mul_f32(0.9);
    let mut swarm = network::swarm(key, &topic, seen_for)?;
    let local = *swarm.local_peer_id();
    let dialer = Dialer::new(local, &config.peers, now)?;
    let members = members::member_peers(&**intake.view())?;
    let addresses = listen(&mut swarm, &config).await?;
    let (commands, command_queue) = mpsc::channel(16);
    let (connected, connected_now) = watch::channel(Vec::new());
    let (listening, listening_now) = watch::channel(addresses);
    let mut service = Service {
        announced_before: intake.mempool().next_sequence(),
        announce_from: 0,
        outbox: Outbox::new(now),
        metrics: Metrics::register(registry),
        members: HashMap::new(),
        conduct: HashMap::new(),
        subscribed: BTreeSet::new(),
        waiting: VecDeque::new(),
        waiting_bytes: 0,
        judging: JoinSet::new(),
        fresh_open: true,
        config,
        swarm,
        topic,
        intake,
        dialer,
        feed,
        commands: command_queue,
        connected,
        listening,
    };
    service.set_members(&members);
    let task = tokio::spawn(service.run());
    Ok(ExchangeHandle {
        local,
        commands,
        connected: connected_now,
        listening: listening_now,
        task: Mutex::new(Some(task)),
    })
}

async fn listen(
    swarm: &mut Swarm<Behaviour>,
    config: &ExchangeConfig,
) -> Result<Vec<libp2p::Multiaddr>, ExchangeError> {
    let Some(address) = config.listen.clone() else {
        return Ok(Vec::new());
    };
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| ExchangeError::Listen {
        address: address.clone(),
        source,
    };
    swarm.listen_on(address.clone()).map_err(|error| failed(error.into()))?;
    let local = *swarm.local_peer_id();
    loop {
        match swarm.select_next_some().await {
            SwarmEvent::NewListenAddr { address, .. } => {
                return Ok(vec![address.with(Protocol::P2p(local))]);
            }
            SwarmEvent::ListenerError { error, .. } => return Err(failed(error.into())),
            SwarmEvent::ListenerClosed { reason: Err(error), .. } => {
                return Err(failed(error.into()));
            }
            _ => {}
        }
    }
}

/// A batch that waits to be judged.
struct Received {
    id: MessageId,
    from: PeerId,
    transactions: Vec<Bytes>,
    bytes: usize,
}

struct Service {
    config: ExchangeConfig,
    swarm: Swarm<Behaviour>,
    topic: IdentTopic,
    intake: Arc<Intake>,
    feed: Feed,
    fresh_open: bool,
    commands: mpsc::Receiver<Command>,
    connected: watch::Sender<Vec<MemberId>>,
    listening: watch::Sender<Vec<libp2p::Multiaddr>>,
    members: HashMap<PeerId, MemberId>,
    conduct: HashMap<PeerId, Conduct>,
    subscribed: BTreeSet<PeerId>,
    dialer: Dialer,
    outbox: Outbox,
    waiting: VecDeque<Received>,
    waiting_bytes: usize,
    judging: JoinSet<(Received, Judgement)>,
    metrics: Metrics,
    /// What arrived before this number had its time to be decided, and is announced again.
    announced_before: u64,
    announce_from: u64,
}

impl Service {
    async fn run(mut self) {
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
        let dead = matches!(
            event.result,
            Err(ping::Failure::Timeout | ping::Failure::Other { .. })
        );
        if dead {
            let connection: ConnectionId = event.connection;
            self.swarm.close_connection(connection);
        }
    }

    fn on_batch(&mut self, id: MessageId, from: PeerId, data: Bytes) {
        let now = Instant::now();
        let bytes = data.len();
        self.metrics.received(bytes);
        let transactions = match batch::decode(data) {
            Ok(transactions) => transactions,
            Err(error) => {
                tracing::warn!(member = self.name(&from), %error, "a peer sent a malformed batch");
                self.metrics.received_batch("malformed");
                self.blame(&from, Fault::Malformed, now);
                return self.report(&id, &from, MessageAcceptance::Reject);
            }
        };
        let Some(conduct) = self.conduct.get_mut(&from) else {
            return self.report(&id, &from, MessageAcceptance::Ignore);
        };
        if !conduct.admit(bytes, transactions.len(), now) {
            self.metrics.received_batch("above_rate");
            self.blame(&from, Fault::Rate, now);
            return self.report(&id, &from, MessageAcceptance::Ignore);
        }
        let room = self.waiting_bytes.saturating_add(bytes) <= MAX_WAITING_BYTES;
        if !room || !conduct.enqueue(bytes) {
            self.metrics.received_batch("crowded_out");
            return self.report(&id, &from, MessageAcceptance::Ignore);
        }
        self.waiting_bytes = self.waiting_bytes.saturating_add(bytes);
        self.waiting.push_back(Received { id, from, transactions, bytes });
        self.judge_next();
    }

    fn judge_next(&mut self) {
        while self.judging.len() < self.config.judging_threads.max(1) {
            let Some(received) = self.waiting.pop_front() else {
                return;
            };
            let (intake, tip) = (Arc::clone(&self.intake), Arc::clone(&self.feed.tip));
            self.judging.spawn_blocking(move || {
                let judgement = judge::judge(&intake, &received.transactions, tip());
                (received, judgement)
            });
        }
    }

    fn on_judged(&mut self, received: &Received, judgement: &Judgement) {
        self.waiting_bytes = self.waiting_bytes.saturating_sub(received.bytes);
        if let Some(conduct) = self.conduct.get_mut(&received.from) {
            conduct.dequeue(received.bytes);
        }
        let fresh = u64::try_from(judgement.fresh.len()).unwrap_or(u64::MAX);
        self.metrics.received_transactions("fresh", fresh);
        self.metrics.received_transactions("known", judgement.known);
        self.metrics.received_transactions("refused", judgement.refused);
        self.metrics.received_transactions("no_room", judgement.no_room);
        if let Some(error) = &judgement.broken {
            tracing::error!(%error, "a transaction cannot be judged");
        }
        if let Some(refusal) = judgement.fault {
            let (member, reason) = (self.name(&received.from), refusal.code());
            tracing::warn!(member, reason, "a peer passed on an invalid transaction");
            self.metrics.received_transactions("faulty", 1);
            self.metrics.received_batch("faulty");
            self.blame(&received.from, Fault::Transaction, Instant::now());
            self.report(&received.id, &received.from, MessageAcceptance::Reject);
        } else if judgement.forwards() {
            self.metrics.received_batch("forwarded");
            return self.report(&received.id, &received.from, MessageAcceptance::Accept);
        } else {
            self.metrics.received_batch("kept");
            self.report(&received.id, &received.from, MessageAcceptance::Ignore);
        }
        // What was taken goes on without the rest of its batch.
        for id in &judgement.fresh {
            if let Some(transaction) = self.intake.mempool().get(id) {
                self.send(transaction.bytes().clone());
            }
        }
        self.flush();
    }

    fn report(&mut self, id: &MessageId, from: &PeerId, acceptance: MessageAcceptance) {
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        // False when gossip has let go of the message meanwhile: it is not forwarded then.
        let _ = gossip.report_message_validation_result(id, from, acceptance);
    }

    fn blame(&mut self, peer: &PeerId, fault: Fault, now: Instant) {
        let cut = self.conduct.get_mut(peer).is_some_and(|conduct| conduct.blame(fault, now));
        if cut {
            tracing::warn!(member = self.name(peer), "a peer is cut off for its conduct");
            self.metrics.cut_off();
            self.swarm.behaviour_mut().allowed.disallow_peer(*peer);
        }
    }

    fn send(&mut self, transaction: Bytes) {
        if transaction.len() > MAX_BATCH_BYTES {
            return;
        }
        if let Some(batch) = self.outbox.push(transaction, Instant::now()) {
            self.publish(batch);
        }
    }

    fn flush(&mut self) {
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

    fn set_members(&mut self, keys: &[PeerKey]) {
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
        let changed = if subscribed {
            self.subscribed.insert(peer)
        } else {
            self.subscribed.remove(&peer)
        };
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

    fn name(&self, peer: &PeerId) -> String {
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
