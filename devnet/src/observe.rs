//! Where each node stands: asked over its own API with its own organisation's key, and verified
//! against genesis. Refuses to call nodes agreed that hold different blocks.

use crate::devnet::Devnet;
use crate::error::{DevnetError, Standings, io_error};
use crate::process::Activity;
use crate::record::NodeRecord;
use ed25519_dalek::SigningKey;
use heatmark::Home;
use heatmark::keys::{self, KeyKind, PassphraseSource};
use heatmark_client::tls::Identity;
use heatmark_client::{ClientError, DeskClient, LedgerClient, Target};
use heatmark_ledger::genesis::Genesis;
use heatmark_ledger::header::Header;
use heatmark_ledger::ids::{Height, MemberId};
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::receipt::TrustRoot;
use serde::Serialize;
use std::fs;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const POLL: Duration = Duration::from_millis(40);
const ASK_LIMIT: Duration = Duration::from_secs(3);
/// How long a node may take to be ready; debug builds on a busy machine are slow.
const READY_LIMIT: Duration = Duration::from_secs(90);

/// What a node's process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It runs.
    Up,
    /// It is frozen.
    Paused,
    /// There is none.
    Down,
}

/// Where a node stands.
#[derive(Debug, Clone, Serialize)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// Its organisation's role.
    pub role: String,
    /// Whether it votes.
    pub validator: bool,
    /// What its process does.
    pub state: State,
    /// Its process's number.
    pub pid: Option<u32>,
    /// Height of its newest block; none when it cannot be asked.
    pub height: Option<u64>,
    /// Leaves on its log.
    pub log_size: Option<u64>,
    /// Its log's root, 64 hex digits; none before the first block.
    pub log_root: Option<String>,
    /// Nodes that its consensus engine is connected to.
    pub consensus_peers: Option<u32>,
    /// Nodes that it exchanges transactions with.
    pub exchange_peers: Option<u32>,
}

/// One header that all nodes asked hold.
#[derive(Debug, Clone)]
pub struct Agreement {
    /// The header.
    pub header: Header,
    /// Who was asked.
    pub names: Vec<String>,
}

impl Devnet {
    /// The founding document, read and checked.
    ///
    /// # Errors
    /// [`DevnetError::Io`], [`DevnetError::Genesis`].
    pub fn genesis(&self) -> Result<Genesis, DevnetError> {
        let path = self.genesis_path();
        let bytes = fs::read(&path).map_err(io_error(path.display()))?;
        Genesis::parse(&bytes).map_err(|source| DevnetError::Genesis { path, source })
    }

    /// An organisation's key.
    ///
    /// # Errors
    /// [`DevnetError::Keys`].
    pub fn key(&self, name: &str, kind: KeyKind) -> Result<SigningKey, DevnetError> {
        let path = keys::key_path(&Home::new(&self.node(name)?.home), kind);
        Ok(keys::load(&path, kind, &mut PassphraseSource::none())?.signing_key())
    }

    /// An organisation's member id.
    ///
    /// # Errors
    /// [`DevnetError::Unknown`] when it is no founder, and see [`DevnetError`].
    pub fn member(&self, name: &str) -> Result<MemberId, DevnetError> {
        // By name, since keys may have been rotated.
        let legal_name = &self.node(name)?.legal_name;
        let genesis = self.genesis()?;
        let founder = genesis.founders().find(|(_, entry)| entry.legal_name == *legal_name);
        founder.map(|(id, _)| *id).ok_or_else(|| {
            let known = crate::error::Names(self.names());
            DevnetError::Unknown { name: name.to_owned(), known }
        })
    }

    /// A node's address and key.
    ///
    /// # Errors
    /// [`DevnetError::Unknown`], [`DevnetError::Keys`].
    pub fn target(&self, name: &str) -> Result<Target, DevnetError> {
        let server_key = PublicKey::of(&self.key(name, KeyKind::P2p)?);
        let address = format!("127.0.0.1:{}", self.node(name)?.ports.grpc);
        Ok(Target { address, server_key })
    }

    /// A connection to a node, as its own organisation; answers are verified from genesis on.
    ///
    /// # Errors
    /// [`DevnetError::Client`].
    pub async fn client(&self, name: &str) -> Result<LedgerClient, DevnetError> {
        let failed = |source| DevnetError::Client { name: name.to_owned(), source };
        let p2p = self.key(name, KeyKind::P2p)?;
        let identity = Identity::new(p2p, &self.member(name)?);
        let identity = identity.map_err(|error| failed(ClientError::from(error)))?;
        let trust = TrustRoot::from_genesis(&self.genesis()?);
        LedgerClient::connect(&self.target(name)?, &identity, trust).await.map_err(failed)
    }

    /// A connection to a node's desk, as its own organisation; answers are verified from genesis on.
    ///
    /// # Errors
    /// [`DevnetError::Client`].
    pub async fn desk(&self, name: &str) -> Result<DeskClient, DevnetError> {
        let failed = |source| DevnetError::Client { name: name.to_owned(), source };
        let p2p = self.key(name, KeyKind::P2p)?;
        let identity = Identity::new(p2p, &self.member(name)?);
        let identity = identity.map_err(|error| failed(ClientError::from(error)))?;
        let trust = TrustRoot::from_genesis(&self.genesis()?);
        DeskClient::connect(&self.target(name)?, &identity, trust).await.map_err(failed)
    }

    /// As [`Self::client`], sharing what `first` has verified: many clients in one process verify a
    /// block's certificate once.
    ///
    /// # Errors
    /// [`DevnetError::Client`].
    pub async fn another_client(
        &self,
        name: &str,
        first: &LedgerClient,
    ) -> Result<LedgerClient, DevnetError> {
        let failed = |source| DevnetError::Client { name: name.to_owned(), source };
        let p2p = self.key(name, KeyKind::P2p)?;
        let identity = Identity::new(p2p, &self.member(name)?);
        let identity = identity.map_err(|error| failed(ClientError::from(error)))?;
        first.connect_another(&self.target(name)?, &identity).await.map_err(failed)
    }

    /// Where all nodes stand; a node that does not answer within seconds has no height.
    pub async fn standings(&self) -> Vec<Standing> {
        let all = self.nodes().iter().map(|node| self.standing(node));
        futures::future::join_all(all).await
    }

    async fn standing(&self, node: &NodeRecord) -> Standing {
        let activity = node.process.map_or(Activity::Gone, |process| process.activity());
        let mut standing = Standing {
            name: node.name.clone(),
            role: node.role.clone(),
            validator: node.validator,
            state: match activity {
                Activity::Running => State::Up,
                Activity::Paused => State::Paused,
                Activity::Gone => State::Down,
            },
            pid: node.process.filter(|_| activity != Activity::Gone).map(|process| process.pid),
            height: None,
            log_size: None,
            log_root: None,
            consensus_peers: None,
            exchange_peers: None,
        };
        if activity != Activity::Running {
            return standing;
        }
        let asked = async {
            let status = self.client(&node.name).await?.status().await;
            status.map_err(|source| DevnetError::Client { name: node.name.clone(), source })
        };
        if let Ok(Ok(status)) = tokio::time::timeout(ASK_LIMIT, asked).await {
            let newest = status.newest;
            standing.log_root = newest.as_ref().map(|header| hex::encode(&header.log_root));
            let newest = newest.unwrap_or_default();
            standing.height = Some(newest.height);
            standing.log_size = Some(newest.log_size);
            standing.consensus_peers = Some(status.consensus_peers);
            standing.exchange_peers = Some(status.exchange_peers);
        }
        standing
    }

    /// Waits until a node says that it is ready.
    ///
    /// # Errors
    /// [`DevnetError::StoppedEarly`], [`DevnetError::Deadline`].
    pub async fn ready(&self, name: &str) -> Result<(), DevnetError> {
        let begun = Instant::now();
        let node = self.node(name)?;
        loop {
            if !node.is_up() {
                return Err(self.stopped_early(node));
            }
            if says_ready(node.ports.http).await {
                return Ok(());
            }
            if begun.elapsed() > READY_LIMIT {
                let standing = Standings(vec![(node.name.clone(), "not ready".to_owned())]);
                let what = "becoming ready";
                return Err(DevnetError::Deadline { what, within: READY_LIMIT, standing });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Waits until every node that is up says that it is ready.
    ///
    /// # Errors
    /// As [`Self::ready`].
    pub async fn all_ready(&self) -> Result<(), DevnetError> {
        let up = self.nodes().iter().filter(|node| node.process.is_some());
        futures::future::try_join_all(up.map(|node| self.ready(&node.name))).await.map(|_| ())
    }

    /// Waits until all these nodes hold one and the same header with at least so many leaves.
    ///
    /// # Errors
    /// [`DevnetError::Fork`], at once, and [`DevnetError::Deadline`] with where each stands.
    pub async fn agree(
        &self,
        names: &[String],
        at_least_leaves: u64,
        within: Duration,
    ) -> Result<Agreement, DevnetError> {
        let begun = Instant::now();
        let mut clients: Vec<Option<LedgerClient>> = vec![None; names.len()];
        loop {
            let mut newest = Vec::new();
            for (name, client) in names.iter().zip(&mut clients) {
                newest.push(self.newest(name, client).await);
            }
            let lowest = newest.iter().flatten().min_by_key(|header| header.height);
            let complete = newest.iter().all(Option::is_some);
            if let (true, Some(lowest)) = (complete, lowest)
                && lowest.log_size.0 >= at_least_leaves
                && let Some(header) = same_at(names, &clients, lowest.height).await?
            {
                return Ok(Agreement { header, names: names.to_vec() });
            }
            if begun.elapsed() > within {
                let at = |header: &Option<Header>| match header {
                    None => "does not answer".to_owned(),
                    Some(header) => format!("at {} leaves", header.log_size.0),
                };
                let each = names.iter().zip(&newest).map(|(name, h)| (name.clone(), at(h)));
                let standing = Standings(each.collect());
                let what = "agreement of all nodes";
                return Err(DevnetError::Deadline { what, within, standing });
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// The newest header; none when the node has none or cannot be asked now.
    async fn newest(&self, name: &str, client: &mut Option<LedgerClient>) -> Option<Header> {
        if client.is_none() {
            let connected = tokio::time::timeout(ASK_LIMIT, self.client(name)).await;
            *client = connected.ok().and_then(Result::ok);
        }
        let asked = tokio::time::timeout(ASK_LIMIT, client.as_ref()?.header(None)).await;
        Some(asked.ok()?.ok()?.header)
    }
}

/// The header of a height, when all could be asked for it.
async fn same_at(
    names: &[String],
    clients: &[Option<LedgerClient>],
    height: Height,
) -> Result<Option<Header>, DevnetError> {
    let mut first: Option<(&String, Header)> = None;
    for (name, client) in names.iter().zip(clients) {
        let Some(client) = client else { return Ok(None) };
        let Ok(verified) = client.header(Some(height)).await else { return Ok(None) };
        match first {
            None => first = Some((name, verified.header)),
            Some((one, header)) if header.hash() != verified.header.hash() => {
                let (one, other) = (one.clone(), name.clone());
                return Err(DevnetError::Fork { one, other, height: height.0 });
            }
            Some(_) => {}
        }
    }
    Ok(first.map(|(_, header)| header))
}

/// Asks `/readyz`, which is plain HTTP on loopback.
async fn says_ready(port: u16) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.ok()?;
        let request = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        stream.write_all(request).await.ok()?;
        let mut answer = Vec::new();
        stream.take(16 * 1024).read_to_end(&mut answer).await.ok()?;
        Some(answer.starts_with(b"HTTP/1.1 200"))
    };
    tokio::time::timeout(ASK_LIMIT, ask).await.ok().flatten().unwrap_or(false)
}
