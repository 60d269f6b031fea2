//! A town of nodes on one machine: real processes, each with its own keys, data and settings, for
//! named organisations.
//!
//! ```text
//!   organisation ── who lives there
//!        │
//!   ceremony ────── keys, founding document, settings: the commands that companies type
//!        │
//!   Devnet ──────── up, kill, pause, restart, down     record ── devnet.json, what is running
//!        │            process ── one node's process     ports ── free ones, held until used
//!        │            lifeline ── a pipe that stops all nodes once their keeper is gone
//!        │
//!        │            links ── what nodes dial in each other's place, so that it can be broken
//!        │
//!   observe ─────── where each node stands, asked over its own API and verified
//!   scenarios ───── faults on purpose, and whether everything promised still holds
//! ```
//!
//! Everything a node does here it does as in production: nothing is switched off or mocked.
//! Linux only, because processes are told apart by `/proc`.

mod ceremony;
mod devnet;
mod error;
mod lifeline;
pub mod links;
mod observe;
mod organisation;
mod ports;
mod process;
mod program;
mod record;
pub mod scenarios;

pub use devnet::{Devnet, Keeping, Plan, Stopped};
pub use error::DevnetError;
pub use observe::{Agreement, Standing, State};
pub use organisation::{Organisation, cast};
pub use ports::{HeldPorts, NodePorts};
pub use process::{ProcessId, processor_time};
pub use program::{Program, Ran};
pub use record::{NodeRecord, Record};
