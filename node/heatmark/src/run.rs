//! A node, put together and taken apart: store, pool, exchange, consensus, desk and API, each told
//! only what it needs. Refuses to start on a genesis that not all founders signed, on keys that
//! contradict the settings, and on a database of another network. Starts its parts again by itself
//! when a rotated key comes into force.
//!
//! ```text
//!             api ──── desk ── vault
//!              │         │
//!    exchange ─┴─ intake ┴─ mempool ── chain ── consensus
//!                   │                    │
//!                   └────── store ───────┘
//! ```

mod chain;
mod clock;
mod disk;
mod due;
mod error;
mod evidence;
mod first_block;
mod peers;
mod rejoin;
mod stand;
mod trouble;
mod turn;
mod webhook;

pub use chain::{Chain, Clock};
pub use disk::DiskError;
pub use error::RunError;
pub(crate) use trouble::is_held;
pub use trouble::{Trouble, describe};

use crate::config::{Config, Mode};
use crate::keys::{KeyRing, Keys};
use clock::ClockWatch;
use disk::Disks;
use heatmark_api::{ApiConfig, ApiDeps, ApiHandle, ApiLimits, ApiMetrics, Notices, PeerCounts};
use heatmark_client::tls::Identity;
use heatmark_consensus::{Application, ConsensusConfig, ConsensusHandle, Timeouts};
use heatmark_desk::{Carrier, Desk, DeskParts};
use heatmark_exchange::{ExchangeConfig, ExchangeHandle, Feed};
use heatmark_ledger::execute;
use heatmark_ledger::genesis::{Founder, Genesis};
use heatmark_ledger::ids::{MemberId, UnixMillis};
use heatmark_ledger::keys::{self as ledger_keys, PublicKey};
use heatmark_ledger::messages::KeyAlgorithm;
use heatmark_ledger::receipt::TrustRoot;
use heatmark_ledger::restart::Eras;
use heatmark_ledger::state::{self, StateView};
use heatmark_mempool::{Intake, Limits, Mempool, Tip};
use heatmark_store::{Store, StoreOptions};
use heatmark_vault::{Vault, VaultError};
use libp2p::Multiaddr;
use prometheus_client::registry::Registry;
use rejoin::Voice;
use std::fs;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// Letters that arrived and wait for the desk.
const LETTERS_WAITING: usize = 8;

/// Longest that a starting validator waits for a quorum of its peers before its first round.
const GATHER: Duration = Duration::from_secs(5);

const DAY_SECONDS: u64 = 86_400;

/// Largest registry entry file in bytes.
const MAX_ENTRY_BYTES: u64 = 64 * 1024;

/// Runs a node until `shutdown` resolves, then stops it in order: no new requests, the desk, the
/// height under way, the database.
///
/// # Errors
/// See [`RunError`]: what kept it from starting, or the fault that stopped it.
pub async fn run(
    config: &Config,
    ring: KeyRing,
    genesis: Genesis,
    shutdown: impl Future<Output = ()>,
) -> Result<(), RunError> {
    run_as(config, ring, genesis, |chain, _| chain, shutdown).await
}

/// Runs a node whose ledger side of consensus is what `wrap` makes of the honest one: for tests of
/// networks in which a validator lies. A node of a company uses [`run`].
///
/// # Errors
/// As [`run`].
pub async fn run_as(
    config: &Config,
    mut ring: KeyRing,
    genesis: Genesis,
    wrap: impl Fn(Arc<dyn Application>, &Store) -> Arc<dyn Application>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), RunError> {
    genesis.require_signed()?;
    make_directories(config)?;
    Disks::new(config).try_all()?;
    let store = open_store(config, &genesis)?;
    execute::check_version(&store, store.tip().height.next()).map_err(RunError::Version)?;
    tokio::pin!(shutdown);
    loop {
        let config = &config.in_era(turn::journal_of(&store));
        make_directories(config)?;
        let keys = ring.load(|kind, public| turn::stands(&store, kind, public))?;
        let mut node = Node::start(config, &keys, &genesis, &store, &wrap).await?;
        tracing::info!(
            network = %genesis.network(),
            member = %node.member,
            height = node.store.tip().height.0,
            grpc = %node.api.grpc_addr,
            http = %node.api.http_addr,
            "node is up"
        );
        let stood = tokio::select! {
            stood = node.stand(config, &keys, &mut shutdown) => Some(stood),
            () = turn::changes(store.clone(), ring.home().clone()) => None,
        };
        let stopped = node.stop().await;
        match stood {
            Some(Err(failure)) => return Err(failure),
            Some(Ok(())) => return stopped,
            None => {
                stopped?;
                execute::check_version(&store, store.tip().height.next())
                    .map_err(RunError::Version)?;
                tracing::info!("starting again with what the network has changed");
                tokio::time::sleep(stand::ENGINES_APART).await;
            }
        }
    }
}

/// The runtime that a node wants: signatures and the disk have threads of their own, and what is left
/// is messages that wake each other, which costs less on few threads.
///
/// # Errors
/// When the system gives no threads.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.div_ceil(2))
        .enable_all()
        .build()
}

/// Everything that runs.
struct Node {
    member: MemberId,
    store: Store,
    api: ApiHandle,
    exchange: Arc<ExchangeHandle>,
    consensus: Option<Arc<ConsensusHandle>>,
    /// What consensus stands on, to start it again.
    chain: Arc<Chain>,
    desk: Desk,
    voice: Voice,
    /// Follows the registry on behalf of consensus.
    follows: JoinHandle<()>,
    consensus_peers: watch::Sender<usize>,
    disks: Disks,
    notices: watch::Sender<Notices>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Node {
    async fn start(
        config: &Config,
        keys: &Keys,
        genesis: &Genesis,
        store: &Store,
        wrap: &impl Fn(Arc<dyn Application>, &Store) -> Arc<dyn Application>,
    ) -> Result<Self, RunError> {
        let disks = Disks::new(config);
        let store = store.clone();
        let voice = if turn::waiting(&store)? {
            // It votes only once it stands at the restart, with the journal of that era.
            Voice::None
        } else {
            rejoin::decide(config, keys, store.tip().height)?
        };
        let member = own_member(config, keys, genesis, &store)?;
        let vault = open_vault(config, keys)?;
        let mempool = Arc::new(Mempool::new(pool_limits(config)));
        let view: Arc<dyn StateView + Send + Sync> = Arc::new(store.clone());
        let (intake, fresh) = Intake::new(genesis.network(), Arc::clone(&mempool), view);
        let intake = Arc::new(intake);
        let mut registry = Registry::default();
        let watch = ClockWatch::register(&mut registry);
        let chain = Chain::new(store.clone(), Arc::clone(&mempool), Arc::new(clock::now));
        let chain = Arc::new(chain.watching(watch));
        let (stop, stopping) = watch::channel(false);

        let tip = tip_source(store.clone());
        let (post, letters) = mpsc::channel(LETTERS_WAITING);
        let exchange = heatmark_exchange::start(
            exchange_config(config)?,
            &keys.p2p,
            Arc::clone(&intake),
            Feed { fresh, tip, letters: post },
            registry.sub_registry_with_prefix("heatmark"),
        )
        .await?;
        let exchange = Arc::new(exchange);
        disks.register(&mut registry);
        let consensus_config = consensus_config(config, keys, &store, voice)?;
        let app = wrap(Arc::clone(&chain) as Arc<dyn Application>, &store);
        let app = rejoin::guarded(app, voice, store.tip().height);
        let consensus = heatmark_consensus::start(consensus_config, app).await?;
        let consensus = Arc::new(consensus);
        let capture = crate::capture::plan(config)?;
        let classes = crate::classes::classes(config)?;
        let desk = Desk::new(DeskParts {
            store: store.clone(),
            intake: Arc::clone(&intake),
            vault,
            member,
            signing: keys.signing.clone(),
            trust: TrustRoot::from_genesis(genesis),
            seed: heatmark_desk::Seed::new(*keys.seed.bytes()),
            acknowledged_through: config.vault_dir().join("acknowledged"),
        })
        .capturing(capture)
        .retaining(classes)
        .telling(config.outbox_dir());
        let mut tasks = desk.start(&stopping);
        tasks.extend(webhook::start(config, &mut registry, &stopping)?);
        let carrier = Arc::clone(&exchange) as Arc<dyn Carrier>;
        tasks.extend(desk.correspond(carrier, letters, &stopping));
        let wake =
            peers::wake_consensus(mempool, store.clone(), Arc::clone(&chain), stopping.clone());
        tasks.push(tokio::spawn(wake));
        let follows = follow(config, &store, &exchange, &consensus);
        let (consensus_peers, counted) = watch::channel(0);
        let counts = peer_counts(&exchange, counted);
        let notices = watch::Sender::default();
        let deps = ApiDeps {
            store: store.clone(),
            intake,
            desk: Some(desk.clone()),
            notices: notices.subscribe(),
            member,
            validator_key: voting_key(config, keys),
            identity: Identity::new(keys.p2p.clone(), &member)?,
            peers: counts,
            metrics: ApiMetrics::register(&mut registry),
            registry: Arc::new(registry),
        };
        let api = heatmark_api::serve(api_config(config)?, deps).await?;
        Ok(Self {
            member,
            store,
            api,
            exchange,
            consensus: Some(consensus),
            chain,
            desk,
            voice,
            follows,
            consensus_peers,
            disks,
            notices,
            stop,
            tasks,
        })
    }

    async fn stop(self) -> Result<(), RunError> {
        tracing::info!("stopping");
        let Self { api, mut follows, mut consensus, .. } = self;
        api.shutdown().await;
        self.stop.send_replace(true);
        for task in self.tasks {
            // A task that panicked has said so; nothing more to stop.
            let _ = task.await;
        }
        let outcome = stand::end(&mut follows, &mut consensus).await;
        self.exchange.shutdown().await;
        self.store.flush()?;
        tracing::info!(height = self.store.tip().height.0, "node has stopped");
        outcome
    }
}

/// Has the registry followed on behalf of both networks.
fn follow(
    config: &Config,
    store: &Store,
    exchange: &Arc<ExchangeHandle>,
    consensus: &Arc<ConsensusHandle>,
) -> JoinHandle<()> {
    let known = peers::configured(&config.consensus.peers);
    let (exchange, consensus) = (Arc::clone(exchange), Arc::clone(consensus));
    tokio::spawn(peers::follow_registry(store.clone(), exchange, consensus, known))
}

/// The key this node votes with; an observer votes with none, even where it holds one.
fn voting_key(config: &Config, keys: &Keys) -> Option<PublicKey> {
    let votes = config.consensus.mode == Mode::Validator;
    keys.consensus.as_ref().filter(|_| votes).map(PublicKey::of)
}

fn make_directories(config: &Config) -> Result<(), RunError> {
    for directory in [config.log_dir(), config.wal_dir()] {
        fs::create_dir_all(&directory)
            .map_err(|source| RunError::Directory { path: directory, source })?;
    }
    Ok(())
}

fn open_store(config: &Config, genesis: &Genesis) -> Result<Store, RunError> {
    let cache = usize::try_from(config.store.block_cache_bytes).unwrap_or(usize::MAX);
    let options = StoreOptions { block_cache_bytes: cache, ..StoreOptions::default() };
    Ok(Store::open(&config.log_dir(), genesis, &options)?)
}

fn open_vault(config: &Config, keys: &Keys) -> Result<Arc<Vault>, RunError> {
    let key = keys.vault_key(&config.home(), config.vault.key)?;
    let days = u64::from(config.vault.retention_days);
    let retention = Duration::from_secs(days.saturating_mul(DAY_SECONDS));
    let retention = Some(retention).filter(|retention| !retention.is_zero());
    let vault = Vault::open(&config.vault_dir(), &key).map_err(|error| match error {
        VaultError::WrongKey => RunError::WrongVaultKey(config.vault.key.name()),
        error => error.into(),
    })?;
    Ok(Arc::new(vault.retaining(retention)))
}

/// The member whose signing key this node holds: by the registry as far as this node knows it, or
/// by the home's own entry for a member that joined after what this node has seen.
fn own_member(
    config: &Config,
    keys: &Keys,
    genesis: &Genesis,
    store: &Store,
) -> Result<MemberId, RunError> {
    let signing = PublicKey::of(&keys.signing);
    if let Some(known) = state::key_state(store, &signing.id())? {
        return MemberId::try_from(known.member.as_slice()).map_err(|_| RunError::NoMember);
    }
    let path = config.home().entry();
    let fits = fs::metadata(&path).is_ok_and(|file| file.len() <= MAX_ENTRY_BYTES);
    let text = if fits { fs::read(&path).unwrap_or_default() } else { Vec::new() };
    let entry: Founder = serde_json::from_slice(&text).map_err(|_| RunError::NoMember)?;
    if entry.keys.signing != hex::encode(signing.to_bytes()) {
        return Err(RunError::NoMember);
    }
    let root = hex::decode(&entry.keys.root).map_err(|_| RunError::NoMember)?;
    let root = ledger_keys::key_id(KeyAlgorithm::Ed25519, &root);
    Ok(ledger_keys::member_id(&genesis.network(), &root))
}

fn pool_limits(config: &Config) -> Limits {
    let size = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    Limits {
        max_transactions: size(config.mempool.max_transactions),
        max_bytes: usize::try_from(config.mempool.max_bytes).unwrap_or(usize::MAX),
        max_member_transactions: size(config.mempool.max_member_transactions),
        ..Limits::default()
    }
}

fn tip_source(store: Store) -> heatmark_exchange::TipSource {
    Arc::new(move || {
        let tip = store.tip();
        let time = UnixMillis(tip.time.0.max(clock::now().0));
        Tip { next: tip.height.next(), time, parent_time: tip.time }
    })
}

fn exchange_config(config: &Config) -> Result<ExchangeConfig, RunError> {
    let listen = match config.exchange.listen.as_str() {
        "" => None,
        address => Some(multiaddr(address)?),
    };
    let peers =
        config.exchange.peers.iter().map(|peer| multiaddr(peer)).collect::<Result<_, _>>()?;
    Ok(ExchangeConfig { listen, peers, ..ExchangeConfig::default() })
}

fn consensus_config(
    config: &Config,
    keys: &Keys,
    store: &Store,
    voice: Voice,
) -> Result<ConsensusConfig, RunError> {
    let settings = &config.consensus;
    let role = rejoin::role(voice, keys);
    let peers = settings.peers.iter().map(|peer| multiaddr(peer)).collect::<Result<_, _>>()?;
    Ok(ConsensusConfig {
        network: store.network(),
        eras: Eras::new(store.network(), store.restarts()?),
        role,
        identity: keys.p2p_keypair(),
        listen: multiaddr(&settings.listen)?,
        peers,
        home: config.wal_dir(),
        moniker: config.node.moniker.clone(),
        timeouts: Timeouts {
            propose: Duration::from_millis(settings.propose_timeout_ms),
            vote: Duration::from_millis(settings.vote_timeout_ms),
            increase: Duration::from_millis(settings.timeout_step_ms),
            longest: Duration::from_millis(settings.longest_timeout_ms),
        },
        block_time: Duration::from_millis(settings.block_pace_ms),
        gather: GATHER,
    })
}

fn api_config(config: &Config) -> Result<ApiConfig, RunError> {
    let address = |text: &str| text.parse().map_err(|_| RunError::Address(text.to_owned()));
    let size = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    let bytes = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let limits = ApiLimits {
        max_connections: size(config.api.max_connections),
        max_member_connections: size(config.api.max_connections_per_member),
        max_connection_requests: size(config.api.max_requests_per_connection),
        max_member_requests: size(config.api.max_requests_per_member),
        max_member_requests_per_s: config.api.requests_per_second_per_member,
        max_member_held_bytes: bytes(config.api.max_held_bytes_per_member),
        max_held_bytes: bytes(config.api.max_held_bytes),
        stall_timeout: Duration::from_millis(config.api.stall_timeout_ms),
        commit_timeout: Duration::from_millis(config.api.request_timeout_ms),
        ..ApiLimits::default()
    };
    Ok(ApiConfig {
        grpc_listen: address(&config.api.grpc_listen)?,
        http_listen: address(&config.api.http_listen)?,
        moniker: config.node.moniker.clone(),
        limits,
    })
}

fn multiaddr(text: &str) -> Result<Multiaddr, RunError> {
    text.parse().map_err(|_| RunError::Address(text.to_owned()))
}

fn peer_counts(
    exchange: &Arc<ExchangeHandle>,
    peers: watch::Receiver<usize>,
) -> Arc<dyn Fn() -> PeerCounts + Send + Sync> {
    let members = exchange.connected();
    let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    Arc::new(move || PeerCounts {
        exchange_peers: count(members.borrow().len()),
        consensus_peers: count(*peers.borrow()),
        best_known_height: 0,
    })
}
