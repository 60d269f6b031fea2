//! The bounded pool of transactions that wait for a block, and the one door into it. Refuses what
//! the ledger refuses, and whatever exceeds a member's share or the pool. Performs no IO, reads no
//! clock and needs no runtime: time is an argument, so that a simulation can drive it.
//! Specification: `proto/README.md`, sections 3 and 8.
//!
//! ```text
//!  gRPC ──submit──▶ Intake ──▶ Mempool ──select──▶ proposer
//!  gossip ─receive─▶   │           ▲
//!                      │           └── remove, expire ── decided blocks
//!                      └── freshly submitted ──▶ gossip
//! ```
//!
//! An [`Intake`] decides whether a transaction may enter, cheapest checks first. A [`Mempool`]
//! keeps the shares: alerts have room of their own, and no member can keep another out.

mod intake;
mod limits;
mod pool;
mod selection;
mod tip_view;
#[cfg(test)]
#[allow(
    dead_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "tests fail loudly, and each crate's tests use a part of it"
)]
mod town;

pub use intake::{Accepted, GOSSIP_QUEUE_TRANSACTIONS, Intake, IntakeError, Tip};
pub use limits::Limits;
pub use pool::{Inserted, Mempool, MempoolError};
