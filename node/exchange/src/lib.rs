//! The exchange network: members' nodes spread transactions among themselves, apart from the
//! consensus engine's own network and from clients. Refuses connections with whoever is not in the
//! registry, batches out of bounds, and, for a while, peers that pass on what no honest node would.
//! What is meant for one member alone goes to its node as a letter, which no other node sees.
//! Outbound connections suffice, so a node behind NAT takes part. Specification:
//! `proto/README.md`, section 8.
//!
//! ```text
//!  Intake ─fresh─▶ outbox ─batches─▶ gossip ═══ TCP, Noise, yamux ═══ other members' nodes
//!    ▲                ▲                │
//!    │                └─ again, while  │ allow list ◀── registry
//!    │                   it waits      │ rate and conduct a peer
//!    └──────── judge ◀─────────────────┘ forwarded only once judged
//! ```

mod batch;
mod conduct;
mod config;
#[doc(hidden)]
pub mod decoders;
mod dialer;
mod error;
mod handle;
mod judge;
mod letter;
mod members;
mod metrics;
mod network;
mod outbox;
mod post;
mod reception;
mod service;
mod start;

#[cfg(test)]
mod tests;
#[cfg(test)]
#[allow(
    dead_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail loudly, and each crate's tests use a part of it"
)]
#[path = "../../mempool/src/town.rs"]
mod town;

pub use batch::{MAX_BATCH_BYTES, MAX_BATCH_TRANSACTIONS};
pub use config::{ExchangeConfig, PeerLimits};
pub use error::ExchangeError;
pub use handle::ExchangeHandle;
pub use letter::{Answer, Letter, LetterError, MAX_LETTER_BYTES};
pub use libp2p::{Multiaddr, PeerId};
pub use members::{PeerKey, member_peers, peer_id};
pub use start::{Feed, TipSource, start};
