//! A node's settings: TOML, one struct a concern, each value from a flag, the environment, the
//! file or a default, in this order. Refuses unknown fields anywhere. What must agree between
//! nodes lives in genesis, not here; passphrases and keys are never settings.

mod check;
mod error;
mod layers;
mod template;
#[cfg(test)]
mod tests;

pub use check::{Finding, Standing, check};
pub use error::ConfigError;
pub use layers::{Origin, Override};
pub use template::commented_default;

use crate::home::Home;
use crate::keys::VaultKeySource;
use heatmark_ledger::ids::Era;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// All settings of a node.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Name and files.
    pub node: NodeConfig,
    /// The consensus engine.
    pub consensus: ConsensusConfig,
    /// The exchange network.
    pub exchange: ExchangeConfig,
    /// What clients and people connect to.
    pub api: ApiConfig,
    /// The pool of waiting transactions.
    pub mempool: MempoolConfig,
    /// The database.
    pub store: StoreConfig,
    /// The organisation's private data.
    pub vault: VaultConfig,
    /// Lots, and what must be recorded of them.
    pub lots: LotsConfig,
    /// Deposits with escrow agents, deals, and who is told what to do with their money.
    pub escrow: EscrowConfig,
    /// What is logged, and how.
    pub log: LogConfig,
    #[serde(skip)]
    home: Option<Home>,
    /// Directory of the journal of an era after the first.
    #[serde(skip)]
    era: Option<String>,
    #[serde(skip)]
    origins: BTreeMap<String, Origin>,
}

/// `[node]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NodeConfig {
    /// A name for people, at most 64 characters.
    pub moniker: String,
    /// The network's founding document, from the home.
    pub genesis: PathBuf,
    /// The directory of log, journal and vault, from the home.
    pub data: PathBuf,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            moniker: "heatmark".to_owned(),
            genesis: PathBuf::from("genesis.note"),
            data: PathBuf::from("data"),
        }
    }
}

/// Whether a node votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Votes when its consensus key is in the validator set.
    Validator,
    /// Verifies everything and never votes.
    Observer,
}

/// `[consensus]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ConsensusConfig {
    /// Whether the node votes.
    pub mode: Mode,
    /// Multiaddress that the engine listens on.
    pub listen: String,
    /// Multiaddresses of the other nodes' engines, each ending in `/p2p/<peer id>`.
    pub peers: Vec<String>,
    /// Milliseconds to wait for a proposal in round 0.
    pub propose_timeout_ms: u64,
    /// Milliseconds to wait for votes to agree once a quorum has voted.
    pub vote_timeout_ms: u64,
    /// Milliseconds that each further round waits longer.
    pub timeout_step_ms: u64,
    /// Milliseconds that no wait exceeds.
    pub longest_timeout_ms: u64,
    /// Milliseconds from one block to the next while there are transactions.
    pub block_pace_ms: u64,
}

impl Default for ConsensusConfig {
    fn default() -> Self {
        Self {
            mode: Mode::Observer,
            listen: "/ip4/127.0.0.1/tcp/26600".to_owned(),
            peers: Vec::new(),
            propose_timeout_ms: 1_000,
            vote_timeout_ms: 300,
            timeout_step_ms: 250,
            longest_timeout_ms: 20_000,
            block_pace_ms: 20,
        }
    }
}

/// `[exchange]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExchangeConfig {
    /// Multiaddress to listen on; empty behind NAT, where outbound connections suffice.
    pub listen: String,
    /// Multiaddresses of other nodes, each ending in `/p2p/<peer id>`.
    pub peers: Vec<String>,
}

/// `[api]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiConfig {
    /// Socket address of gRPC with mutual TLS.
    pub grpc_listen: String,
    /// Socket address of metrics and health for the operator.
    pub http_listen: String,
    /// Most connections at a time.
    pub max_connections: u32,
    /// Requests of one connection that are worked on at a time.
    pub max_requests_per_connection: u32,
    /// Milliseconds after which a request that is no stream is given up.
    pub request_timeout_ms: u64,
    /// Most connections of one member.
    pub max_connections_per_member: u32,
    /// Requests of one member that are worked on at a time.
    pub max_requests_per_member: u32,
    /// Requests of one member a second; as many again may come at once.
    pub requests_per_second_per_member: u32,
    /// Most bytes of one member's unfinished requests and unread answers.
    pub max_held_bytes_per_member: u64,
    /// Most such bytes of all members.
    pub max_held_bytes: u64,
    /// Milliseconds for which a client may leave an answer unread or a request unfinished.
    pub stall_timeout_ms: u64,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            grpc_listen: "127.0.0.1:26620".to_owned(),
            http_listen: "127.0.0.1:26621".to_owned(),
            max_connections: 256,
            max_requests_per_connection: 64,
            request_timeout_ms: 60_000,
            max_connections_per_member: 128,
            max_requests_per_member: 8_192,
            requests_per_second_per_member: 10_000,
            max_held_bytes_per_member: 64 * 1024 * 1024,
            max_held_bytes: 256 * 1024 * 1024,
            stall_timeout_ms: 30_000,
        }
    }
}

/// `[mempool]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MempoolConfig {
    /// Most transactions that wait.
    pub max_transactions: u32,
    /// Most bytes that wait.
    pub max_bytes: u64,
    /// Most transactions of one member that wait.
    pub max_member_transactions: u32,
}

impl Default for MempoolConfig {
    fn default() -> Self {
        Self {
            max_transactions: 50_000,
            max_bytes: 64 * 1024 * 1024,
            max_member_transactions: 20_000,
        }
    }
}

/// `[store]`. Every block is synced to disk before it counts; that is no setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// Bytes of the database's block cache.
    pub block_cache_bytes: u64,
    /// The node stops, and does not start, while a disk under its data has fewer bytes free.
    pub min_free_bytes: u64,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { block_cache_bytes: 64 * 1024 * 1024, min_free_bytes: 256 * 1024 * 1024 }
    }
}

/// `[vault]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VaultConfig {
    /// Where the key comes from that opens it.
    pub key: VaultKeySource,
    /// Days after which what a new record says is destroyed; 0 keeps it.
    pub retention_days: u32,
}

/// `[lots]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LotsConfig {
    /// The capture plan, from the home; empty for none.
    pub capture_plan: PathBuf,
}

/// `[escrow]`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EscrowConfig {
    /// Where the outbox is posted to: `https`, or `http` on this machine; empty for nowhere.
    pub webhook_url: String,
    /// The secret that what is posted is signed with, from the home.
    pub webhook_secret_file: PathBuf,
    /// Certificates of the authorities that the receiver's may go back to, from the home; empty for the system's.
    pub webhook_ca_file: PathBuf,
    /// The retention classes, from the home; empty for none.
    pub retention_classes: PathBuf,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// `[log]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// A `tracing` filter, for example `info,heatmark_consensus=debug`.
    pub filter: String,
    /// Text or JSON.
    pub format: LogFormat,
}

impl Default for LogConfig {
    fn default() -> Self {
        // The engine tells every vote at info.
        let filter = "info,arc_malachitebft=warn,libp2p=warn";
        Self { filter: filter.to_owned(), format: LogFormat::Text }
    }
}

impl Config {
    /// The settings in force for a home: flags over environment over file over defaults.
    ///
    /// # Errors
    /// When the file is missing or not TOML, or a value is unknown or of the wrong kind.
    pub fn load(home: &Home, overrides: &[Override]) -> Result<Self, ConfigError> {
        layers::load(home, overrides, &|name| std::env::var(name).ok())
    }

    /// The defaults, for a home without a settings file.
    #[must_use]
    pub fn default_for(home: &Home) -> Self {
        Self { home: Some(home.clone()), ..Self::default() }
    }

    /// The home it was loaded for.
    #[must_use]
    pub fn home(&self) -> Home {
        self.home.clone().unwrap_or_else(|| Home::new("."))
    }

    /// Every setting as `section.field` with where its value came from.
    #[must_use]
    pub fn origins(&self) -> &BTreeMap<String, Origin> {
        &self.origins
    }

    /// The founding document.
    #[must_use]
    pub fn genesis_path(&self) -> PathBuf {
        self.resolve(&self.node.genesis)
    }

    /// The database of blocks, state and tiles.
    #[must_use]
    pub fn log_dir(&self) -> PathBuf {
        self.resolve(&self.node.data).join("log")
    }

    /// The consensus engine's journal.
    #[must_use]
    pub fn wal_dir(&self) -> PathBuf {
        let journals = self.resolve(&self.node.data).join("wal");
        self.era.as_ref().map_or_else(|| journals.clone(), |era| journals.join(era))
    }

    /// The same settings in an era: what was signed in an earlier one is not replayed in it.
    #[must_use]
    pub fn in_era(&self, era: Option<String>) -> Self {
        Self { era, ..self.clone() }
    }

    /// The vault.
    #[must_use]
    pub fn vault_dir(&self) -> PathBuf {
        self.resolve(&self.node.data).join("vault")
    }

    /// The capture plan, if there is one.
    #[must_use]
    pub fn capture_plan_path(&self) -> Option<PathBuf> {
        let path = &self.lots.capture_plan;
        (!path.as_os_str().is_empty()).then(|| self.resolve(path))
    }

    /// What an arbiter is to do with money, a file each.
    #[must_use]
    pub fn outbox_dir(&self) -> PathBuf {
        self.vault_dir().join("outbox")
    }

    /// The webhook's secret, if one is named.
    #[must_use]
    pub fn webhook_secret_path(&self) -> Option<PathBuf> {
        let path = &self.escrow.webhook_secret_file;
        (!path.as_os_str().is_empty()).then(|| self.resolve(path))
    }

    /// The authorities that the webhook's receiver may go back to, if they are named.
    #[must_use]
    pub fn webhook_ca_path(&self) -> Option<PathBuf> {
        let path = &self.escrow.webhook_ca_file;
        (!path.as_os_str().is_empty()).then(|| self.resolve(path))
    }

    /// The retention classes, if there are any.
    #[must_use]
    pub fn retention_classes_path(&self) -> Option<PathBuf> {
        let path = &self.escrow.retention_classes;
        (!path.as_os_str().is_empty()).then(|| self.resolve(path))
    }

    fn resolve(&self, path: &Path) -> PathBuf {
        self.home().resolve(path)
    }
}

/// Name of the directory of an era's journal.
#[must_use]
pub fn era_directory(era: &Era) -> String {
    let name = era.to_string();
    format!("era-{}", name.get(..16).unwrap_or(&name))
}
