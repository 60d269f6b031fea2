//! What a node serves: gRPC over mutual TLS for members, HTTP for its own operators.
//!
//! ```text
//!   TCP ─▶ accept: handshake in time, registered key, share of connections
//!            └▶ guard: still registered? within its member's share? span, metrics
//!                 ├▶ ledger service   submit ─▶ Intake      everything else ◀─ Store
//!                 ├▶ desk service     own member only, by role ─▶ Desk
//!                 ├▶ escrow service   the same: deposits and deals
//!                 └▶ health, reflection
//!   HTTP: /healthz  /readyz  /metrics         (no secrets, no TLS: bind it to loopback)
//! ```
//!
//! No rule of the ledger lives here: a handler gathers, asks, and answers. Refuses whom the
//! registry does not know, at the handshake and again at every request.

mod accept;
mod access;
mod body;
mod config;
mod desk;
mod escrow;
mod guard;
mod http;
mod ledger;
mod metrics;
mod refusal;
mod registry;
mod server;
mod share;
#[cfg(test)]
mod tests;

pub use config::{ApiConfig, ApiLimits};
pub use metrics::ApiMetrics;
pub use registry::StoreRegistry;
pub use server::{ApiDeps, ApiError, ApiHandle, Notices, PeerCounts, serve};
