//! Claims about a node's database: what it keeps across stops, what it proves, what it refuses.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    reason = "tests fail loudly"
)]

mod durability;
mod evidence;
mod repair;
mod restarts;
mod world;
