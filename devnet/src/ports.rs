//! Free TCP ports on loopback, held until the moment before a node takes them. Refuses ports that
//! the system hands out for outgoing connections, since a killed node's port would then be taken
//! by any of its peers before it is back.

use crate::error::{DevnetError, io_error};
use rand::RngExt as _;
use serde::{Deserialize, Serialize};
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

const FIRST: u16 = 10_240;
const RANGE_FILE: &str = "/proc/sys/net/ipv4/ip_local_port_range";
const ATTEMPTS: usize = 2_000;

/// The ports of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodePorts {
    /// The consensus engine.
    pub consensus: u16,
    /// The exchange network.
    pub exchange: u16,
    /// gRPC.
    pub grpc: u16,
    /// Metrics and health.
    pub http: u16,
}

/// The ports of one node, bound so that nobody else takes them; dropping this frees them.
#[derive(Debug)]
pub struct HeldPorts {
    ports: NodePorts,
    _listeners: [TcpListener; 4],
}

impl HeldPorts {
    /// Binds four free ports.
    ///
    /// # Errors
    /// [`DevnetError::NoFreePort`] after very many attempts.
    pub fn bind() -> Result<Self, DevnetError> {
        let range = range();
        let (consensus, a) = free(&range)?;
        let (exchange, b) = free(&range)?;
        let (grpc, c) = free(&range)?;
        let (http, d) = free(&range)?;
        let ports = NodePorts { consensus, exchange, grpc, http };
        Ok(Self { ports, _listeners: [a, b, c, d] })
    }

    /// The four.
    #[must_use]
    pub fn ports(&self) -> NodePorts {
        self.ports
    }
}

impl NodePorts {
    /// Whether all four can be bound now.
    ///
    /// # Errors
    /// [`DevnetError::Io`] with the port that cannot.
    pub(crate) fn check_free(self) -> Result<(), DevnetError> {
        for port in [self.consensus, self.exchange, self.grpc, self.http] {
            TcpListener::bind((Ipv4Addr::LOCALHOST, port))
                .map_err(io_error(format!("127.0.0.1:{port}")))?;
        }
        Ok(())
    }
}

/// A free port, bound.
pub(crate) fn any() -> Result<(u16, TcpListener), DevnetError> {
    free(&range())
}

/// Ports that the system does not give to outgoing connections.
fn range() -> Range<u16> {
    let text = fs::read_to_string(RANGE_FILE).unwrap_or_default();
    let outgoing = text.split_whitespace().next().and_then(|first| first.parse::<u16>().ok());
    match outgoing {
        Some(first) if first > FIRST.saturating_add(1_000) => FIRST..first,
        // Where outgoing connections take nearly all, share with them.
        _ => FIRST..u16::MAX,
    }
}

fn free(range: &Range<u16>) -> Result<(u16, TcpListener), DevnetError> {
    for _ in 0..ATTEMPTS {
        let port = rand::rng().random_range(range.clone());
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return Ok((port, listener));
        }
    }
    Err(DevnetError::NoFreePort)
}
