//! A network of nodes in one process: real engines on loopback, each over a ledger in memory that
//! chains headers, and that survives its node as a disk would.

#![allow(dead_code, reason = "each test file uses a part of it")]

pub mod cluster;
pub mod memory;
pub mod rogue;
