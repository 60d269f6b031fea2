//! How this node takes part in consensus. Refuses peers without a pinned identity, times of zero
//! and a listen address without TCP, so that a mistake shows at start and not as a stalled height.

use arc_malachitebft_app_channel::app::config as engine;
use arc_malachitebft_app_channel::app::types::core::LinearTimeouts;
use ed25519_dalek::SigningKey;
use heatmark_ledger::ids::NetworkId;
use heatmark_ledger::restart::Eras;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use std::path::PathBuf;
use std::time::Duration;

use crate::codec::MAX_RESPONSE_BYTES;
use crate::error::StartError;

/// Heights that one request of a node that catches up asks for.
const SYNC_BATCH_BLOCKS: usize = 64;

/// Requests of a node that catches up at a time.
const SYNC_PARALLEL_REQUESTS: usize = 4;

/// How often a node tells its peers how far it is.
const STATUS_INTERVAL: Duration = Duration::from_secs(1);

/// How long a peer may take to answer a node that catches up.
const SYNC_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections an address may have: a whole consortium may sit behind one, in a test or a NAT.
const CONNECTIONS_PER_ADDRESS: usize = 4096;

/// Peers to which a node passes on what others said. What it says itself goes to all its peers, so
/// that passing on only mends what does not reach somebody directly; every copy costs its receiver a
/// signature.
const MESH_PEERS: usize = 2;

/// Peers that may choose this node for that: observers often have few to choose from.
const MOST_MESH_PEERS: usize = 12;

/// Whether this node votes.
#[allow(clippy::large_enum_variant, reason = "there is one in a process")]
pub enum Role {
    /// Votes with this consensus key in every height whose set has it, and follows otherwise.
    Validator(SigningKey),
    /// Follows and verifies everything, and never votes.
    Observer,
}

/// How long the rounds of a height wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a proposal. A dead proposer costs this at each of its turns.
    pub propose: Duration,
    /// For votes to agree once a quorum has voted.
    pub vote: Duration,
    /// Added to each with every further round.
    pub increase: Duration,
    /// Longest that any may grow.
    pub longest: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            propose: Duration::from_millis(1000),
            vote: Duration::from_millis(300),
            increase: Duration::from_millis(250),
            longest: Duration::from_secs(20),
        }
    }
}

impl Timeouts {
    pub(crate) fn engine(&self) -> LinearTimeouts {
        LinearTimeouts {
            propose: self.propose,
            propose_delta: self.increase,
            prevote: self.vote,
            prevote_delta: self.increase,
            precommit: self.vote,
            precommit_delta: self.increase,
            rebroadcast: self.propose.saturating_add(self.vote).saturating_add(self.vote),
            max_timeout: self.longest,
        }
    }
}

/// Everything that consensus is told about its surroundings.
pub struct ConsensusConfig {
    /// The network, part of the names of protocols.
    pub network: NetworkId,
    /// What votes of each height are bound to: the network, or a restart by its members.
    pub eras: Eras,
    /// Votes or follows.
    pub role: Role,
    /// Identity on the consensus network: the member's p2p key, never the consensus key.
    pub identity: Keypair,
    /// Where to listen, a TCP address.
    pub listen: Multiaddr,
    /// Who may connect and is connected to, each ending in `/p2p/<peer id>`.
    pub peers: Vec<Multiaddr>,
    /// Directory of the engine's log, one for each era: what was signed in an earlier one must not be
    /// replayed in a later one. It belongs to this key on this machine: never copied,
    /// never restored from a backup.
    pub home: PathBuf,
    /// Name in metrics and logs.
    pub moniker: String,
    /// How long rounds wait.
    pub timeouts: Timeouts,
    /// Least time from one block to the next.
    pub block_time: Duration,
    /// Longest that a starting validator waits for a quorum of its peers before its first round.
    pub gather: Duration,
}

/// Reads the identity that an address pins.
///
/// # Errors
/// [`StartError::UnpinnedPeer`] when it does not end in `/p2p/<peer id>`.
pub fn pinned_peer(address: &Multiaddr) -> Result<PeerId, StartError> {
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => Ok(peer),
        _ => Err(StartError::UnpinnedPeer(address.clone())),
    }
}

impl ConsensusConfig {
    pub(crate) fn wal_path(&self) -> PathBuf {
        self.home.join(crate::journal::FILE)
    }

    pub(crate) fn check(&self) -> Result<(), StartError> {
        if !self.listen.iter().any(|part| matches!(part, Protocol::Tcp(_))) {
            return Err(StartError::ListenAddress(self.listen.clone()));
        }
        for peer in &self.peers {
            pinned_peer(peer)?;
        }
        let times = [self.timeouts.propose, self.timeouts.vote, self.timeouts.longest];
        if times.iter().any(Duration::is_zero) {
            return Err(StartError::ZeroTimeout);
        }
        Ok(())
    }

    pub(crate) fn engine(&self) -> EngineConfig {
        let network = self.network.to_string();
        let name = |what: &str| format!("/heatmark/{network}/{what}/1");
        let discovery = engine::DiscoveryConfig {
            enabled: false,
            max_connections_per_ip: CONNECTIONS_PER_ADDRESS,
            ip_throttle_duration: Duration::ZERO,
            num_inbound_peers: 256,
            num_outbound_peers: 256,
            ..Default::default()
        };
        let (scoring, explicit, to_all) = (false, false, true);
        let gossip = engine::GossipSubConfig::new(
            MESH_PEERS,
            MOST_MESH_PEERS,
            MESH_PEERS,
            MESH_PEERS / 2,
            scoring,
            explicit,
            to_all,
        );
        let p2p = engine::P2pConfig {
            protocol: engine::PubSubProtocol::GossipSub(gossip),
            listen_addr: self.listen.clone(),
            persistent_peers: self.peers.clone(),
            persistent_peers_only: true,
            discovery,
            protocol_names: engine::ProtocolNames {
                consensus: name("consensus"),
                discovery_kad: name("discovery-kad"),
                discovery_regres: name("discovery"),
                sync: name("sync"),
                validator_proof: name("validator-proof"),
            },
            ..Default::default()
        };
        let consensus = engine::ConsensusConfig {
            enabled: true,
            p2p,
            value_payload: engine::ValuePayload::ProposalAndParts,
            ..Default::default()
        };
        let mut sync = engine::ValueSyncConfig {
            enabled: true,
            status_update_interval: STATUS_INTERVAL,
            request_timeout: SYNC_TIMEOUT,
            parallel_requests: SYNC_PARALLEL_REQUESTS,
            batch_size: SYNC_BATCH_BLOCKS,
            ..Default::default()
        };
        debug_assert_eq!(
            sync.max_response_size.as_u64(),
            u64::try_from(MAX_RESPONSE_BYTES).unwrap_or(u64::MAX),
            "the codec's bound is the engine's"
        );
        sync.inactive_threshold = Duration::from_secs(60);
        EngineConfig { moniker: self.moniker.clone(), consensus, sync }
    }
}

/// The configuration in the engine's form.
pub(crate) struct EngineConfig {
    moniker: String,
    consensus: engine::ConsensusConfig,
    sync: engine::ValueSyncConfig,
}

impl engine::NodeConfig for EngineConfig {
    fn moniker(&self) -> &str {
        &self.moniker
    }

    fn consensus(&self) -> &engine::ConsensusConfig {
        &self.consensus
    }

    fn consensus_mut(&mut self) -> &mut engine::ConsensusConfig {
        &mut self.consensus
    }

    fn value_sync(&self) -> &engine::ValueSyncConfig {
        &self.sync
    }

    fn value_sync_mut(&mut self) -> &mut engine::ValueSyncConfig {
        &mut self.sync
    }
}
