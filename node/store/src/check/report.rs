//! What a check found, one line a damage: what, where, and how it is repaired.

use crate::disk::DiskError;
use heatmark_ledger::LeafIndex;
use heatmark_ledger::ids::Height;
use heatmark_merkle::tiles::TileId;
use std::fmt;

/// Damages listed; further ones are counted.
const MAX_LISTED: usize = 1_000;

/// Where something is damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In a file, as the database names it.
    File(String),
    /// In a block or its header.
    Height(Height),
    /// In a log entry.
    Leaf(LeafIndex),
    /// In a tile.
    Tile(TileId),
    /// Under a key of a family.
    Key {
        /// The family.
        family: &'static str,
        /// The key, hex.
        key: String,
    },
    /// In a family as a whole.
    Family(&'static str),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(said) => f.write_str(said),
            Self::Height(height) => write!(f, "block {height}"),
            Self::Leaf(leaf) => write!(f, "leaf {leaf}"),
            Self::Tile(tile) => write!(f, "tile {tile}"),
            Self::Key { family, key } => write!(f, "{family} {key}"),
            Self::Family(family) => write!(f, "family {family}"),
        }
    }
}

/// How a damage is repaired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// The block is fetched from other members' nodes.
    Fetched,
    /// It is computed again from the blocks.
    Computed,
    /// It is left out; nothing needs it.
    LeftOut,
    /// It cannot come back: a validator waits before it votes again.
    Waits,
    /// The whole database is built anew.
    Anew,
}

impl fmt::Display for Remedy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fetched => "repair fetches the block from a peer",
            Self::Computed => "repair computes it from the blocks",
            Self::LeftOut => "repair leaves it out",
            Self::Waits => "repair leaves it out, and a validator waits before it votes again",
            Self::Anew => "repair builds the database anew from what is sound and from peers",
        })
    }
}

/// One thing that is damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// What is wrong.
    pub what: &'static str,
    /// Where.
    pub place: Place,
    /// What repair does about it.
    pub remedy: Remedy,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.place, self.what, self.remedy)
    }
}

/// What a check looked at and found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Newest height with a readable header.
    pub height: Height,
    /// Log entries read.
    pub leaves: u64,
    /// Signatures of certificates verified.
    pub signatures: u64,
    /// Values of the state read.
    pub values: u64,
    /// Map nodes found sound.
    pub nodes: u64,
    /// What is damaged, at most 1,000 items.
    pub damages: Vec<Damage>,
    /// Damages beyond those listed.
    pub unlisted: u64,
}

impl Report {
    /// Whether nothing is damaged.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.damages.is_empty() && self.unlisted == 0
    }
}

/// Collects damages.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) report: Report,
}

impl Findings {
    pub(super) fn add(&mut self, damage: Damage) {
        if self.report.damages.len() < MAX_LISTED {
            self.report.damages.push(damage);
        } else {
            self.report.unlisted = self.report.unlisted.saturating_add(1);
        }
    }

    pub(super) fn at(&mut self, place: Place, what: &'static str, remedy: Remedy) {
        self.add(Damage { what, place, remedy });
    }

    /// A read that failed; the database names file and offset.
    pub(super) fn unreadable(&mut self, error: &DiskError, what: &'static str, remedy: Remedy) {
        let place = Place::File(error.to_string());
        let damage = Damage { what, place, remedy };
        // Many keys lie in one damaged block of a file.
        if self.report.damages.last() != Some(&damage) {
            self.add(damage);
        }
    }
}
