//! Where an organisation's node keeps things: one directory, the same layout everywhere. Refuses
//! nothing; whoever opens a file checks it.

use std::path::{Path, PathBuf};

/// A node's directory.
///
/// ```text
/// DIR/heatmark.toml     settings
///     genesis.note      the network's founding document
///     entry.json        this organisation's registry entry
///     keys/*.key        key files, mode 0600; keys/retired holds those that were rotated
///     voting.json       what is known of the consensus key's votes
///     restarts/*.doc    restarts by the members that were applied here
///     data/log          blocks, state and tiles
///     data/wal          the consensus engine's journal
///     data/vault        openings of what this node published
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home(PathBuf);

impl Home {
    /// The home in this directory, which need not exist.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self(directory.into())
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.0.join("heatmark.toml")
    }

    /// This organisation's registry entry.
    #[must_use]
    pub fn entry(&self) -> PathBuf {
        self.0.join("entry.json")
    }

    /// What is remembered of the consensus key's votes.
    #[must_use]
    pub fn voting(&self) -> PathBuf {
        self.0.join("voting.json")
    }

    /// Restarts by the members that were applied here.
    #[must_use]
    pub fn restarts(&self) -> PathBuf {
        self.0.join("restarts")
    }

    /// The directory of key files.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.0.join("keys")
    }

    /// A path from the settings: relative ones are meant from the home.
    #[must_use]
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.0.join(path)
    }
}
