//! `devnet.json`: what a town consists of and which processes run it, so that another invocation
//! finds them. Refuses unknown fields. Written whole or not at all.

use crate::error::{DevnetError, io_error};
use crate::links::LinkRecord;
use crate::ports::NodePorts;
use crate::process::ProcessId;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const NAME: &str = "devnet.json";

/// A town.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The network's fingerprint, 64 hex digits.
    pub network: String,
    /// The node's program.
    pub heatmark: PathBuf,
    /// Who stops the nodes when it ends; none when they run on by themselves.
    pub keeper: Option<ProcessId>,
    /// Its nodes, validators first.
    pub nodes: Vec<NodeRecord>,
    /// Links that can be broken; none when nodes dial each other directly.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<LinkRecord>,
    /// Who keeps the links of a town without a keeper.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub links_process: Option<ProcessId>,
}

/// A node of a town.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeRecord {
    /// Short name of its organisation.
    pub name: String,
    /// Name under which the organisation is registered.
    pub legal_name: String,
    /// Its role.
    pub role: String,
    /// Whether it votes.
    pub validator: bool,
    /// Its home directory.
    pub home: PathBuf,
    /// Its log.
    pub log: PathBuf,
    /// Its ports on 127.0.0.1.
    pub ports: NodePorts,
    /// Its peer id.
    pub peer_id: String,
    /// Its process; none when it was stopped.
    pub process: Option<ProcessId>,
}

impl NodeRecord {
    /// Whether its process is there, paused or not.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.process.is_some_and(ProcessId::is_alive)
    }
}

impl Record {
    /// Reads the record of the town in a directory.
    ///
    /// # Errors
    /// [`DevnetError::NotHere`], [`DevnetError::Record`].
    pub fn read(directory: &Path) -> Result<Self, DevnetError> {
        let path = directory.join(NAME);
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(DevnetError::NotHere(directory.to_owned()));
            }
            other => other.map_err(io_error(path.display()))?,
        };
        serde_json::from_str(&text).map_err(|source| DevnetError::Record { path, source })
    }

    pub(crate) fn write(&self, directory: &Path) -> Result<(), DevnetError> {
        let path = directory.join(NAME);
        let text = serde_json::to_string_pretty(self)
            .map_err(|source| DevnetError::Record { path: path.clone(), source })?;
        let fresh = directory.join(format!(".{NAME}.{:016x}", rand::random::<u64>()));
        fs::write(&fresh, text).map_err(io_error(fresh.display()))?;
        fs::rename(&fresh, &path).map_err(io_error(path.display()))
    }

    /// Whether any of its nodes runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.nodes.iter().any(NodeRecord::is_up)
    }

    /// The keeper, if it lives.
    #[must_use]
    pub fn living_keeper(&self) -> Option<ProcessId> {
        self.keeper.filter(|keeper| keeper.is_alive())
    }
}
