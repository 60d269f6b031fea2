//! Hosts the Malachite consensus engine on behalf of a ledger. The engine decides the hashes of
//! block headers among validators of whom less than a third may lie; the ledger side builds,
//! executes, persists and commits the blocks behind them. No type of the engine leaves this crate:
//! what validators sign are the ledger's own bytes, and they are evidence without it.
//!
//! ```text
//!            ┌──────────── this crate ────────────┐
//!  peers ══▶ engine ─── questions ──▶ host ── Application ──▶ store, mempool, execution
//!            │  votes, rounds, log     parts, pace, evidence │
//!            └───────────────────────────────────────────────┘
//! ```
//!
//! Refuses to run where it might sign twice: see [`StartError`] and [`Failure`].
//! Specification: `proto/README.md`, sections 1, 2 and 6.

mod application;
mod codec;
mod config;
mod context;
#[doc(hidden)]
pub mod decoders;
mod engine;
mod error;
mod evidence;
mod host;
mod journal;
mod parts;
mod signing;
mod turns;
mod wire;

pub use application::{
    Application, ApplicationError, Certified, Checked, Committed, Freshness, Newest, Proposed,
    Slot, Undecided,
};
pub use config::{ConsensusConfig, Role, Timeouts, pinned_peer};
pub use engine::{ConsensusHandle, ConsensusUnavailable, PeerError, engine_metrics, start};
pub use error::{Failure, StartError};
pub use evidence::{Conflict, Evidence, ProposalSigned, VoteSigned};
pub use journal::{Journal, begin_journal, journal};
