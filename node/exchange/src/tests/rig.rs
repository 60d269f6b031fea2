//! Nodes on loopback, and peers that keep to no rules.

use crate::config::{ExchangeConfig, PeerLimits};
use crate::handle::ExchangeHandle;
use crate::letter::{Answer, Letter};
use crate::network::{self, Behaviour, BehaviourEvent};
use crate::start::{Feed, start};
use crate::town::{NOW_MS, Town};
use bytes::Bytes;
use ed25519_dalek::SigningKey;
use futures::StreamExt;
use heatmark_ledger::ids::{Height, UnixMillis};
use heatmark_mempool::{Intake, Limits, Mempool, Tip};
use heatmark_proto::ledger::v1::Envelope;
use libp2p::gossipsub;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, Swarm};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use prost::Message;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

pub(super) const PATIENCE: Duration = Duration::from_secs(60);
pub(super) const TIP: Tip =
    Tip { next: Height(1), time: UnixMillis(NOW_MS), parent_time: UnixMillis(NOW_MS) };

pub(super) struct Node {
    pub(super) exchange: ExchangeHandle,
    pub(super) intake: Arc<Intake>,
    pub(super) registry: Registry,
    pub(super) letters: Mutex<mpsc::Receiver<Letter>>,
}

/// How a test's node differs from an ordinary one.
#[derive(Clone)]
pub(super) struct Traits {
    pub(super) listens: bool,
    pub(super) peers: Vec<Multiaddr>,
    pub(super) pool: Limits,
    pub(super) limits: PeerLimits,
    pub(super) silent_for: Duration,
}

pub(super) fn ordinary(peers: Vec<Multiaddr>) -> Traits {
    let (pool, limits) = (Limits::default(), PeerLimits::default());
    let silent_for = ExchangeConfig::default().silent_for;
    Traits { listens: true, peers, pool, limits, silent_for }
}

impl Node {
    pub(super) async fn start(town: &Town, resident: usize, traits: Traits) -> Self {
        let mempool = Arc::new(Mempool::new(traits.pool));
        let state = Arc::clone(&town.state);
        let (intake, fresh) = Intake::new(town.network, mempool, state);
        let intake = Arc::new(intake);
        let config = ExchangeConfig {
            listen: traits.listens.then(|| "/ip4/127.0.0.1/tcp/0".parse().unwrap()),
            peers: traits.peers,
            announce_again_after: Duration::from_millis(500),
            limits: traits.limits,
            silent_for: traits.silent_for,
            ..ExchangeConfig::default()
        };
        let (post, letters) = mpsc::channel(1);
        let letters = Mutex::new(letters);
        let feed = Feed { fresh, tip: Arc::new(|| TIP), letters: post };
        let mut registry = Registry::default();
        let key = &town.residents[resident].p2p;
        let exchange = start(config, key, Arc::clone(&intake), feed, &mut registry).await.unwrap();
        Self { exchange, intake, registry, letters }
    }

    pub(super) fn address(&self) -> Multiaddr {
        self.exchange.listen_addresses().remove(0)
    }

    pub(super) fn submit(&self, transaction: Bytes) {
        assert!(self.intake.submit(transaction, TIP).unwrap().fresh);
    }

    pub(super) async fn sees_peers(&self, count: usize) {
        let mut connected = self.exchange.connected();
        let reached = timeout(PATIENCE, connected.wait_for(|peers| peers.len() == count)).await;
        assert!(reached.is_ok(), "never had {count} peers");
    }

    pub(super) async fn holds(&self, count: u64) {
        let mut waiting = self.intake.mempool().subscribe();
        let reached = timeout(PATIENCE, waiting.wait_for(|held| *held == count)).await;
        let held = self.intake.mempool().len();
        assert!(reached.is_ok(), "holds {held} instead of {count}");
    }

    pub(super) fn metrics(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        text
    }
}

impl Node {
    pub(super) async fn answers(&self, answer: Answer) -> Letter {
        let mut letters = self.letters.lock().await;
        let Letter { from, content, answer: heard } =
            timeout(PATIENCE, letters.recv()).await.unwrap().unwrap();
        heard.send(answer).unwrap();
        Letter { from, content, answer: tokio::sync::oneshot::channel().0 }
    }
}

/// A peer that keeps to no rules of its own: the bare swarm.
pub(super) struct Rogue {
    pub(super) swarm: Swarm<Behaviour>,
    pub(super) town: heatmark_ledger::ids::NetworkId,
}

impl Rogue {
    pub(super) fn dial(town: &Town, key: &SigningKey, address: &Multiaddr) -> Self {
        let mut swarm = network::swarm(key, &town.network, Duration::from_secs(1)).unwrap();
        let Some(Protocol::P2p(peer)) = address.iter().last() else { panic!("{address}") };
        swarm.behaviour_mut().allowed.allow_peer(peer);
        swarm.dial(address.clone()).unwrap();
        Self { swarm, town: town.network }
    }

    /// True once the other side takes part in gossip, false once it has hung up.
    pub(super) async fn is_welcome(&mut self) -> bool {
        let answered = async {
            loop {
                match self.swarm.select_next_some().await {
                    SwarmEvent::Behaviour(BehaviourEvent::Gossip(
                        gossipsub::Event::Subscribed { .. },
                    )) => return true,
                    SwarmEvent::ConnectionClosed { .. }
                    | SwarmEvent::OutgoingConnectionError { .. } => return false,
                    _ => {}
                }
            }
        };
        timeout(PATIENCE, answered).await.unwrap()
    }

    pub(super) fn say(&mut self, data: Vec<u8>) {
        let topic = network::topic(&self.town);
        // Full queues: the other side reads more slowly than this one shouts.
        let _ = self.swarm.behaviour_mut().gossip.publish(topic.hash(), data);
    }

    /// Says something every few milliseconds until the other side hangs up; how often it did.
    pub(super) async fn says_until_cut(&mut self, mut next: impl FnMut(u64) -> Vec<u8>) -> u64 {
        let mut tick = tokio::time::interval(Duration::from_millis(5));
        let mut said = 0;
        let cut = async {
            loop {
                tokio::select! {
                    event = self.swarm.select_next_some() => {
                        if matches!(event, SwarmEvent::ConnectionClosed { num_established: 0, .. }) {
                            return said;
                        }
                    }
                    _ = tick.tick() => {
                        let data = next(said);
                        let topic = network::topic(&self.town);
                        let _ = self.swarm.behaviour_mut().gossip.publish(topic.hash(), data);
                        said += 1;
                    }
                }
            }
        };
        timeout(PATIENCE, cut).await.expect("never cut off")
    }
}

pub(super) fn garbled(bytes: &Bytes) -> Bytes {
    let mut envelope = Envelope::decode(bytes.clone()).unwrap();
    envelope.signature[0] ^= 1;
    envelope.encode_to_vec().into()
}
