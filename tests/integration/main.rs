//! Networks of real processes, perturbed. Every test starts its own town, waits on events with
//! generous deadlines, and takes the town down; one town at a time, since towns are large.
//!
//! The programs must be built first: `cargo build --workspace --bins`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    reason = "tests fail loudly"
)]

mod attestations;
mod canaries;
mod cheats;
mod disclosures;
mod disk;
mod escrow;
mod faults;
mod governance;
mod inspection;
mod liars;
mod lots;
mod members;
mod post;
mod reading;
mod recall;
mod scenarios;
mod shopfloor;
mod spine;
mod town;
mod transfer;
mod vault;
