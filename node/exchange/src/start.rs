//! Joining the network.

use crate::config::ExchangeConfig;
use crate::dialer::Dialer;
use crate::error::ExchangeError;
use crate::handle::ExchangeHandle;
use crate::letter::Letter;
use crate::members;
use crate::metrics::Metrics;
use crate::network::{self, Behaviour};
use crate::outbox::Outbox;
use crate::post::Post;
use crate::service::Service;
use ed25519_dalek::SigningKey;
use futures::StreamExt;
use heatmark_ledger::transaction::Transaction;
use heatmark_mempool::{Intake, Tip};
use libp2p::multiaddr::Protocol;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, Swarm};
use prometheus_client::registry::Registry;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

/// Tells where the chain stands now.
pub type TipSource = Arc<dyn Fn() -> Tip + Send + Sync>;

/// What the exchange lives on.
pub struct Feed {
    /// Freshly submitted transactions, from [`Intake::new`].
    pub fresh: mpsc::Receiver<Arc<Transaction>>,
    /// Where the chain stands.
    pub tip: TipSource,
    /// Where letters go that arrive; what finds no room is asked for again.
    pub letters: mpsc::Sender<Letter>,
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
    let mut swarm = network::swarm(key, &intake.network(), seen_for)?;
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
        silent: HashMap::new(),
        waiting: VecDeque::new(),
        waiting_bytes: 0,
        judging: JoinSet::new(),
        fresh_open: true,
        post: Post::new(feed.letters.clone()),
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
) -> Result<Vec<Multiaddr>, ExchangeError> {
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
