//! What an operator may choose. What must agree between nodes is not here.

use libp2p::Multiaddr;
use std::time::Duration;

/// One node's part in the exchange network.
#[derive(Debug, Clone)]
pub struct ExchangeConfig {
    /// Address to listen on, such as `/ip4/0.0.0.0/tcp/7402`; none for a node that only dials.
    pub listen: Option<Multiaddr>,
    /// Addresses to keep dialling, each ending in `/p2p/<peer id>`.
    pub peers: Vec<Multiaddr>,
    /// After this long in the pool a transaction is announced again, for nodes that were away.
    pub announce_again_after: Duration,
    /// Most transactions announced again at a time.
    pub announce_again_transactions: usize,
    /// How long a peer may be connected without taking part in gossip.
    pub silent_for: Duration,
    /// Batches judged at the same time; each takes a thread while it is judged.
    pub judging_threads: usize,
    /// What one peer may send.
    pub limits: PeerLimits,
}

impl Default for ExchangeConfig {
    fn default() -> Self {
        Self {
            listen: None,
            peers: Vec::new(),
            announce_again_after: Duration::from_secs(2),
            announce_again_transactions: 1_024,
            silent_for: Duration::from_secs(10),
            judging_threads: std::thread::available_parallelism().map_or(1, |n| n.get().min(4)),
            limits: PeerLimits::default(),
        }
    }
}

/// What one peer may send before its batches are dropped, and before it is cut off.
#[derive(Debug, Clone, Copy)]
pub struct PeerLimits {
    /// Bytes a second; as many again may come at once.
    pub bytes_per_s: u32,
    /// Transactions a second; as many again may come at once.
    pub transactions_per_s: u32,
    /// Transactions a second that were verified in vain, because the state refuses them; twice as
    /// many may come at once. Honest nodes differ by a block; a flood of these costs a signature
    /// and a dry run each.
    pub refusals_per_s: u32,
    /// Letters a second; twice as many may come at once.
    pub letters_per_s: u32,
    /// Bytes that may wait to be judged.
    pub waiting_bytes: usize,
    /// Fault points at which the peer is cut off: 10 for a batch that is none, 5 for a transaction
    /// that no honest node would pass on, 1 for a batch above a rate. One point a second is
    /// forgiven.
    pub fault_points: u32,
    /// How long a peer stays cut off.
    pub cut_off: Duration,
}

impl Default for PeerLimits {
    fn default() -> Self {
        Self {
            bytes_per_s: 16 * 1024 * 1024,
            transactions_per_s: 20_000,
            refusals_per_s: 500,
            letters_per_s: 100,
            waiting_bytes: 4 * 1024 * 1024,
            fault_points: 100,
            cut_off: Duration::from_secs(60),
        }
    }
}
