//! Where the API listens and how much it lets anybody hold.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Where the API listens. Port 0 takes a free port, which the handle then tells.
#[derive(Debug, Clone)]
pub struct ApiConfig {
    /// gRPC over mutual TLS, for members.
    pub grpc_listen: SocketAddr,
    /// HTTP for health checks and metrics; it knows no clients, so keep it on loopback.
    pub http_listen: SocketAddr,
    /// A name for people, told in the status.
    pub moniker: String,
    /// What clients may hold.
    pub limits: ApiLimits,
}

impl Default for ApiConfig {
    fn default() -> Self {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Self {
            grpc_listen: SocketAddr::new(loopback, 0),
            http_listen: SocketAddr::new(loopback, 0),
            moniker: String::new(),
            limits: ApiLimits::default(),
        }
    }
}

/// How much clients may hold, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct ApiLimits {
    /// Connections of all members.
    pub max_connections: usize,
    /// Connections of one member.
    pub max_member_connections: usize,
    /// Handshakes at once; these are strangers yet, and share nothing with connections.
    pub max_handshakes: usize,
    /// Handshakes at once from one address, so that no stranger keeps everybody out.
    pub max_address_handshakes: usize,
    /// How long a handshake may take, or over HTTP the first request.
    pub handshake_timeout: Duration,
    /// Requests of one connection at once.
    pub max_connection_requests: usize,
    /// Requests of one member at once, over all of its connections.
    pub max_member_requests: usize,
    /// Requests of one member a second; as many again may come at once.
    pub max_member_requests_per_s: u32,
    /// Transactions of one member a second that no honest program submits: malformed, or with
    /// signatures that do not verify. As many again may come at once.
    pub max_member_refusals_per_s: u32,
    /// Bytes of one member's requests under way and answers that it has not read.
    pub max_member_held_bytes: usize,
    /// Such bytes of all members.
    pub max_held_bytes: usize,
    /// Reads of the store at once, of all members; further ones wait their turn.
    pub max_reads: usize,
    /// Streams of blocks at once, of all members.
    pub max_block_streams: usize,
    /// Streams of blocks at once, of one member.
    pub max_member_block_streams: usize,
    /// Publications at once; each holds up to 50 MiB of files.
    pub max_publications: usize,
    /// Deposits taken in and opened documents given out at once; each holds up to 256 MiB.
    pub max_deposits: usize,
    /// How long a request may wait for its transaction to be committed.
    pub commit_timeout: Duration,
    /// How long a client may leave an answer lying, or send nothing of what it began to send;
    /// then its connection ends.
    pub stall_timeout: Duration,
    /// Height distance from the best known height up to which the node is ready.
    pub ready_lag_heights: u64,
    /// How long requests may go on once the node stops.
    pub shutdown_timeout: Duration,
}

impl Default for ApiLimits {
    fn default() -> Self {
        Self {
            max_connections: 1_024,
            max_member_connections: 256,
            max_handshakes: 256,
            max_address_handshakes: 32,
            handshake_timeout: Duration::from_secs(5),
            max_connection_requests: 256,
            max_member_requests: 16_384,
            max_member_requests_per_s: 10_000,
            max_member_refusals_per_s: 50,
            max_member_held_bytes: 64 << 20,
            max_held_bytes: 256 << 20,
            max_reads: 16,
            max_block_streams: 64,
            max_member_block_streams: 16,
            max_publications: 4,
            max_deposits: 2,
            commit_timeout: Duration::from_secs(120),
            stall_timeout: Duration::from_secs(30),
            ready_lag_heights: 5,
            shutdown_timeout: Duration::from_secs(10),
        }
    }
}
