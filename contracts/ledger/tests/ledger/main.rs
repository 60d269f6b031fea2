//! The ledger's rules, tried from outside: what is accepted, what is refused and with which
//! reason, that a refusal leaves no trace, and that other programs agree through golden files.
//! Specification: `proto/README.md`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "tests fail loudly, and read and write golden files"
)]

mod agreement;
mod alerts;
mod blocks;
mod cases;
mod deals;
mod equivocation;
mod evidence;
mod genesis;
mod governance;
mod hostile;
mod keys;
mod receipts;
mod restarts;
mod town;
mod transactions;
mod vectors;
mod versions;
