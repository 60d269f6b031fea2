//! A target for every decoder of bytes from outside, each a test of its own.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    reason = "tests fail loudly"
)]

mod answers;
mod escrow;
mod files;
mod inspection;
mod labels;
mod ledger;
mod network;
mod reading;
mod recalls;
mod records;
mod sealed;
mod seeds;
mod transfers;
mod trees;
