//! The program that a company runs: its node, and every command that a person types.
//!
//! ```text
//!   main ── command ── keys       key files, backup, what derives from the seed
//!              │    ── config     settings from flag, environment, file, default
//!              │    ── capture    what must be recorded of events
//!              │    ── home       where a node keeps things
//!              │    ── voting     what a home remembers of its votes
//!              │    ── webhook    where it is posted what to do with money
//!              │    ── run        the node, put together
//!              │
//!              └─ node/client     a running node, own or another's; answers verified
//! ```
//!
//! Commands write results to standard output, progress and logs to standard error, and exit with
//! 0 for yes, 1 for no, 2 for wrong usage or input, 3 when it cannot be told, 4 when the disk is full or
//! failing, 5 when data on it are damaged.

pub mod capture;
pub mod classes;
pub mod command;
pub mod config;
mod files;
pub mod home;
pub mod keys;
pub mod logging;
pub mod run;
pub mod voting;
pub mod webhook;

pub use config::Config;
pub use files::FileError;
pub use home::Home;
pub use keys::Keys;
