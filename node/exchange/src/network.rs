//! The libp2p swarm: TCP with Noise and yamux, gossip without message signatures (transactions
//! carry their own), pings, an allow list and limits on connections. No identify protocol: peers
//! learn of each other what the registry says and nothing else.

use crate::batch::MAX_BATCH_BYTES;
use crate::error::ExchangeError;
use crate::letter::{self, Letters};
use ed25519_dalek::SigningKey;
use heatmark_ledger::ids::NetworkId;
use libp2p::allow_block_list::{self, AllowedPeers};
use libp2p::connection_limits::{self, ConnectionLimits};
use libp2p::gossipsub::{
    self, ConfigBuilder, IdentTopic, IdentityTransform, MessageAuthenticity, MessageId,
    ValidationMode, WhitelistSubscriptionFilter,
};
use libp2p::identity::Keypair;
use libp2p::swarm::NetworkBehaviour;
use libp2p::{Swarm, SwarmBuilder, dns, noise, ping, tcp, yamux};
use sha2::{Digest, Sha256};
use std::collections::HashSet;
use std::time::Duration;

/// Gossip housekeeping. Batches stay available to peers for three of these.
const HEARTBEAT: Duration = Duration::from_millis(300);

/// A connection is kept however quiet; pings tell when it is dead.
const IDLE_CONNECTION: Duration = Duration::from_secs(365 * 24 * 3_600);

/// What gossip messages carry beside the batch.
const GOSSIP_FRAMING_BYTES: usize = 64 * 1024;

/// Peers to which a node passes on others' batches. Its own go to all its peers, so that passing on
/// only mends what does not reach somebody directly.
const MESH_PEERS: usize = 2;

const MAX_PENDING_CONNECTIONS: u32 = 64;
const MAX_CONNECTIONS: u32 = 2_048;
/// Two nodes may dial each other at the same moment.
const MAX_CONNECTIONS_OF_A_PEER: u32 = 3;

pub(crate) type Gossip = gossipsub::Behaviour<IdentityTransform, WhitelistSubscriptionFilter>;

#[derive(NetworkBehaviour)]
pub(crate) struct Behaviour {
    pub(crate) limits: connection_limits::Behaviour,
    pub(crate) allowed: allow_block_list::Behaviour<AllowedPeers>,
    pub(crate) gossip: Gossip,
    pub(crate) ping: ping::Behaviour,
    pub(crate) letters: Letters,
}

pub(crate) fn topic(network: &NetworkId) -> IdentTopic {
    IdentTopic::new(format!("heatmark/transactions/v1/{network}"))
}

/// The builder's type differs with its resolver.
macro_rules! finish {
    ($builder:expr, $behaviour:expr) => {
        Ok($builder
            .with_behaviour(|_| $behaviour)
            .map_err(|_: std::convert::Infallible| ExchangeError::Identity)?
            .with_swarm_config(|config| config.with_idle_connection_timeout(IDLE_CONNECTION))
            .build())
    };
}
/// A swarm subscribed to the network's topic. Its peers must still be allowed. A batch's id is
/// forgotten after `seen_for`, so that it can be announced again.
pub(crate) fn swarm(
    key: &SigningKey,
    network: &NetworkId,
    seen_for: Duration,
) -> Result<Swarm<Behaviour>, ExchangeError> {
    let keypair =
        Keypair::ed25519_from_bytes(key.to_bytes()).map_err(|_| ExchangeError::Identity)?;
    let transport = |keypair: Keypair| {
        SwarmBuilder::with_existing_identity(keypair)
            .with_tokio()
            .with_tcp(
                tcp::Config::default().nodelay(true),
                noise::Config::new,
                yamux::Config::default,
            )
            .map_err(|error| ExchangeError::Transport(error.into()))
    };
    let behaviour = behaviour(network, seen_for)?;
    match transport(keypair.clone())?.with_dns() {
        Ok(builder) => finish!(builder, behaviour),
        Err(error) => {
            tracing::warn!(%error, "no system resolver; peers can be dialled by IP address only");
            let options = dns::ResolverOpts::default();
            let builder = transport(keypair)?.with_dns_config(dns::ResolverConfig::new(), options);
            finish!(builder, behaviour)
        }
    }
}

fn behaviour(network: &NetworkId, seen_for: Duration) -> Result<Behaviour, ExchangeError> {
    let topic = topic(network);
    let config = ConfigBuilder::default()
        .validation_mode(ValidationMode::Anonymous)
        .validate_messages()
        .message_id_fn(|message| MessageId::from(Sha256::digest(&message.data).to_vec()))
        .max_transmit_size(MAX_BATCH_BYTES.saturating_add(GOSSIP_FRAMING_BYTES))
        .max_messages_per_rpc(Some(64))
        .mesh_n(MESH_PEERS)
        .mesh_n_low(MESH_PEERS)
        .mesh_outbound_min(MESH_PEERS / 2)
        .flood_publish(true)
        .heartbeat_initial_delay(HEARTBEAT)
        .heartbeat_interval(HEARTBEAT)
        .history_length(5)
        .history_gossip(3)
        .duplicate_cache_time(seen_for)
        .connection_handler_queue_len(1_024)
        .build()
        .map_err(|_| ExchangeError::Gossip("its configuration is not consistent"))?;
    let subscriptions = WhitelistSubscriptionFilter(HashSet::from([topic.hash()]));
    let mut gossip =
        Gossip::new_with_subscription_filter(MessageAuthenticity::Anonymous, config, subscriptions)
            .map_err(ExchangeError::Gossip)?;
    gossip.subscribe(&topic).map_err(|_| ExchangeError::Gossip("its topic is refused"))?;
    let limits = ConnectionLimits::default()
        .with_max_pending_incoming(Some(MAX_PENDING_CONNECTIONS))
        .with_max_pending_outgoing(Some(MAX_PENDING_CONNECTIONS))
        .with_max_established(Some(MAX_CONNECTIONS))
        .with_max_established_per_peer(Some(MAX_CONNECTIONS_OF_A_PEER));
    let pings = ping::Config::new()
        .with_interval(Duration::from_secs(5))
        .with_timeout(Duration::from_secs(10));
    Ok(Behaviour {
        limits: connection_limits::Behaviour::new(limits),
        allowed: allow_block_list::Behaviour::default(),
        gossip,
        ping: ping::Behaviour::new(pings),
        letters: letter::behaviour(network).ok_or(ExchangeError::Letters)?,
    })
}
