#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    dead_code,
    reason = "tests fail loudly"
)]
//! The services on a real store, pool and desk, asked by the real client over loopback.

#[path = "../../desk/src/tests/chain.rs"]
mod chain;
mod desk;
mod evidence;
mod hostile;
mod limits;
mod operators;
mod retention;
mod service;
mod shares;
mod transactions;

use crate::{ApiConfig, ApiDeps, ApiHandle, ApiLimits, ApiMetrics, PeerCounts, serve};
use chain::TestChain;
use ed25519_dalek::SigningKey;
use heatmark_client::tls::Identity;
use heatmark_client::{ClientError, DeskClient, LedgerClient, Target};
use heatmark_desk::{Desk, DeskParts, RetentionClasses, Seed};
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::receipt::TrustRoot;
use heatmark_vault::{Vault, VaultKey};
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A node of member 0.
struct Server {
    chain: Arc<TestChain>,
    handle: ApiHandle,
}

async fn start(members: u8, limits: ApiLimits) -> Server {
    start_with(members, limits, |_| RetentionClasses::default()).await
}

async fn start_with(
    members: u8,
    limits: ApiLimits,
    classes: impl FnOnce(&TestChain) -> RetentionClasses,
) -> Server {
    let chain = TestChain::new(members);
    let own = &chain.members[0];
    let vault = Vault::open(&chain.dir.path().join("vault"), &VaultKey::new([1; 32])).unwrap();
    let desk = Desk::new(DeskParts {
        store: chain.store.clone(),
        intake: Arc::clone(&chain.intake),
        vault: Arc::new(vault),
        member: own.id,
        signing: own.signing.clone(),
        trust: TrustRoot::from_genesis(&chain.genesis),
        seed: Seed::new([7; 32]),
        acknowledged_through: chain.dir.path().join("acknowledged"),
    })
    .retaining(classes(&chain));
    let mut registry = prometheus_client::registry::Registry::default();
    let metrics = ApiMetrics::register(&mut registry);
    let deps = ApiDeps {
        store: chain.store.clone(),
        intake: Arc::clone(&chain.intake),
        desk: Some(desk),
        notices: tokio::sync::watch::Sender::default().subscribe(),
        member: own.id,
        validator_key: Some(PublicKey::of(&chain.consensus)),
        identity: Identity::new(own.p2p.clone(), &own.id).unwrap(),
        peers: Arc::new(|| PeerCounts { exchange_peers: 2, ..PeerCounts::default() }),
        metrics,
        registry: Arc::new(registry),
    };
    let config = ApiConfig { moniker: "mill".to_owned(), limits, ..ApiConfig::default() };
    let handle = serve(config, deps).await.unwrap();
    Server { chain, handle }
}

impl Server {
    fn target(&self) -> Target {
        Target {
            address: self.handle.grpc_addr.to_string(),
            server_key: PublicKey::of(&self.chain.members[0].p2p),
        }
    }

    fn trust(&self) -> TrustRoot {
        TrustRoot::from_genesis(&self.chain.genesis)
    }

    async fn connect_with(&self, key: &SigningKey) -> Result<LedgerClient, ClientError> {
        let identity = Identity::new(key.clone(), &self.chain.members[0].id).unwrap();
        LedgerClient::connect(&self.target(), &identity, self.trust()).await
    }

    async fn client(&self, member: usize) -> LedgerClient {
        self.connect_with(&self.chain.members[member].p2p).await.unwrap()
    }

    async fn desk(&self, member: usize) -> DeskClient {
        let member = &self.chain.members[member];
        let identity = Identity::new(member.p2p.clone(), &member.id).unwrap();
        DeskClient::connect(&self.target(), &identity, self.trust()).await.unwrap()
    }

    async fn http(&self, path: &str) -> String {
        let mut tcp = tokio::net::TcpStream::connect(self.handle.http_addr).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n\r\n");
        tcp.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).await.unwrap();
        answer
    }
}
