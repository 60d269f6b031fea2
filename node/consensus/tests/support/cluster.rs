//! Starts, kills and restarts nodes.

use super::memory::{Memory, Stored};
use ed25519_dalek::SigningKey;
use heatmark_consensus::{ConsensusConfig, ConsensusHandle, Role, StartError, Timeouts, start};
use heatmark_ledger::ids::NetworkId;
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::validators::{Validator, ValidatorSet};
use libp2p::Multiaddr;
use libp2p::identity::Keypair;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;
use tempfile::TempDir;

/// Long enough for anything that is going to happen on a loaded machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// No heartbeat within a test.
pub const NEVER: Duration = Duration::from_secs(3600);

static NODES: AtomicU16 = AtomicU16::new(0);

/// A node with everything that survives it.
pub struct Node {
    pub memory: Arc<Memory>,
    pub handle: Option<ConsensusHandle>,
    pub home: TempDir,
    pub address: Multiaddr,
    identity: Keypair,
    key: Option<SigningKey>,
    name: String,
}

/// Validators first, then observers.
pub struct Cluster {
    pub network: NetworkId,
    pub set: ValidatorSet,
    pub nodes: Vec<Node>,
}

pub fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub fn set_of(seeds: impl IntoIterator<Item = u8>) -> ValidatorSet {
    let validator = |seed| Validator { key: PublicKey::of(&key(seed)), power: 1 };
    ValidatorSet::new(seeds.into_iter().map(validator).collect()).unwrap()
}

/// An address of its own for every node of this process: a port that is free there stays free.
fn free_address(identity: &Keypair) -> Multiaddr {
    let node = NODES.fetch_add(1, Ordering::SeqCst).to_be_bytes();
    let process = std::process::id() as u8;
    let ip = format!("127.{}.{}.{}", 64 + (process >> 2), node[0] + 1, node[1] + 1);
    let port = TcpListener::bind((ip.as_str(), 0)).unwrap().local_addr().unwrap().port();
    let peer = identity.public().to_peer_id();
    format!("/ip4/{ip}/tcp/{port}/p2p/{peer}").parse().unwrap()
}

impl Cluster {
    /// Nodes that are not started: `validators` that vote, then `observers`.
    pub fn new(validators: u8, observers: u8, heartbeat: Duration) -> Self {
        let set = set_of(1..=validators);
        let ledger = |network, set: &ValidatorSet| Memory::new(network, set.clone(), heartbeat);
        Self::with(set, validators, observers, ledger)
    }

    pub fn with(
        set: ValidatorSet,
        validators: u8,
        observers: u8,
        ledger: impl Fn(NetworkId, &ValidatorSet) -> Memory,
    ) -> Self {
        let network = NetworkId::from([9; 32]);
        let node = |seed: u8| {
            let identity = Keypair::generate_ed25519();
            Node {
                memory: Arc::new(ledger(network, &set)),
                handle: None,
                home: TempDir::new().unwrap(),
                address: free_address(&identity),
                identity,
                key: (seed <= validators).then(|| key(seed)),
                name: format!("node-{seed}"),
            }
        };
        let nodes = (1..=validators + observers).map(node).collect();
        Self { network, set, nodes }
    }

    pub fn config(&self, index: usize) -> ConsensusConfig {
        let node = &self.nodes[index];
        let role = node.key.clone().map_or(Role::Observer, Role::Validator);
        let mut listen = node.address.clone();
        listen.pop();
        let others = self.nodes.iter().enumerate().filter(|(other, _)| *other != index);
        ConsensusConfig {
            network: self.network,
            eras: self.network.into(),
            role,
            identity: node.identity.clone(),
            listen,
            peers: others.map(|(_, other)| other.address.clone()).collect(),
            home: node.home.path().to_owned(),
            moniker: node.name.clone(),
            timeouts: Timeouts::default(),
            block_time: Duration::from_millis(25),
            gather: Duration::from_secs(5),
        }
    }

    pub async fn try_start(&mut self, index: usize) -> Result<(), StartError> {
        let config = self.config(index);
        let handle = start(config, self.nodes[index].memory.clone()).await?;
        self.nodes[index].handle = Some(handle);
        Ok(())
    }

    pub async fn start(&mut self, index: usize) {
        self.try_start(index).await.unwrap();
    }

    pub async fn start_all(&mut self) {
        for index in 0..self.nodes.len() {
            self.start(index).await;
        }
    }

    /// Ends a node without letting it finish anything, and waits until its log is free again.
    pub async fn kill(&mut self, index: usize) {
        let handle = self.nodes[index].handle.take().unwrap();
        handle.kill().await;
    }

    /// Has a transaction reach every node, as gossip would.
    pub fn submit(&self, transaction: &[u8]) {
        for node in &self.nodes {
            node.memory.submit(transaction);
        }
    }

    /// Waits until a node has committed a height.
    pub async fn reach(&self, index: usize, height: u64) {
        let mut heights = self.nodes[index].handle.as_ref().unwrap().height();
        let reached = heights.wait_for(|at| at.0 >= height);
        match tokio::time::timeout(PATIENCE, reached).await {
            Ok(reached) => drop(reached.unwrap()),
            Err(_) => {
                let chain = self.nodes[index].memory.chain().len();
                panic!("node {index} is at height {chain}, not at {height}");
            }
        }
    }

    /// Writes blocks until all running nodes have committed a height.
    pub async fn drive(&self, to: u64) {
        let running: Vec<usize> =
            (0..self.nodes.len()).filter(|i| self.nodes[*i].handle.is_some()).collect();
        let mut next = self.height_of_running();
        while next < to {
            next += 1;
            self.submit(format!("transaction for {next}").as_bytes());
            for index in &running {
                self.reach(*index, next).await;
            }
            next = next.max(self.height_of_running());
        }
    }

    pub fn height_of_running(&self) -> u64 {
        let running = self.nodes.iter().filter(|node| node.handle.is_some());
        running.map(|node| node.memory.chain().len() as u64).min().unwrap()
    }

    /// That all nodes have the same headers, chained, each with a certificate that the ledger
    /// verifies on its own. Gives the shortest chain's length.
    pub fn verify(&self) -> u64 {
        let chains: Vec<Vec<Stored>> = self.nodes.iter().map(|node| node.memory.chain()).collect();
        for chain in &chains {
            let mut previous = self.network.0;
            for (index, stored) in chain.iter().enumerate() {
                assert_eq!(stored.header.height.0, index as u64 + 1);
                assert_eq!(stored.header.previous, previous);
                stored.certificate.verify(&stored.header, &stored.validators).unwrap();
                previous = stored.header.hash().0;
            }
            for (ours, theirs) in chain.iter().zip(&chains[0]) {
                assert_eq!(ours.header, theirs.header, "one header a height");
                assert_eq!(ours.block, theirs.block, "one block a height");
            }
        }
        chains.iter().map(Vec::len).min().unwrap() as u64
    }

    pub async fn shutdown(mut self) {
        for node in &mut self.nodes {
            if let Some(handle) = node.handle.take() {
                handle.shutdown().await.unwrap();
            }
        }
    }
}
