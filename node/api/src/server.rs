//! Starting and stopping: both listeners bound before anything is served, every service behind the
//! guard, and a stop that lets running requests finish for a while and then does not.

use crate::accept::Acceptor;
use crate::access::Access;
use crate::config::{ApiConfig, ApiLimits};
use crate::desk::DeskApi;
use crate::guard::{GuardLayer, MAX_DESK_REQUEST_BYTES, MAX_LEDGER_REQUEST_BYTES};
use crate::http::{self, Bounded};
use crate::ledger::Ledger;
use crate::metrics::ApiMetrics;
use crate::refusal::{of_store, stopping};
use crate::registry::StoreRegistry;
use heatmark_client::MAX_ANSWER_BYTES;
use heatmark_client::tls::{self, Identity, Registry, TlsError};
use heatmark_desk::Desk;
use heatmark_ledger::ids::MemberId;
use heatmark_ledger::keys::PublicKey;
use heatmark_mempool::Intake;
use heatmark_proto::desk::v1::desk_service_server::DeskServiceServer;
use heatmark_proto::desk::v1::escrow_service_server::EscrowServiceServer;
use heatmark_proto::ledger::v1::ledger_service_server::LedgerServiceServer;
use heatmark_store::{Store, StoreError};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tonic::transport::Server;

const KEEPALIVE: Duration = Duration::from_secs(20);
/// Header lists are ours and short.
const MAX_HEADER_BYTES: u32 = 16 << 10;
/// Beyond the longest wait of a handler, so that the handler's own answer comes first.
const REQUEST_TIMEOUT_MARGIN: Duration = Duration::from_secs(10);

/// Why the API cannot start.
#[derive(Debug, Error)]
pub enum ApiError {
    /// An address is taken or not ours. The operator's fault.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The node's key makes no TLS identity.
    #[error("{0}")]
    Tls(#[from] TlsError),
    /// The reflection service cannot be built; a defect.
    #[error("gRPC reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
}

/// How many peers there are and how far they have come, as other parts of the node know it.
#[derive(Debug, Clone, Copy, Default)]
pub struct PeerCounts {
    /// Connected peers on the exchange network.
    pub exchange_peers: u32,
    /// Connected peers on the consensus network.
    pub consensus_peers: u32,
    /// Highest height that a peer reported; 0 when none did.
    pub best_known_height: u64,
}

/// What the rest of the node has to say to its operators.
#[derive(Debug, Clone, Default)]
pub struct Notices {
    /// Why the node is about to end.
    pub trouble: Option<String>,
    /// What it waits for before it takes its full part.
    pub waits_for: Option<String>,
}

/// What the API serves from.
pub struct ApiDeps {
    /// The log.
    pub store: Store,
    /// The door for transactions.
    pub intake: Arc<Intake>,
    /// The desk; without one the desk service is not served.
    pub desk: Option<Desk>,
    /// Told at `/healthz` and `/readyz`.
    pub notices: watch::Receiver<Notices>,
    /// The member whose node this is.
    pub member: MemberId,
    /// Its consensus key, where it runs a validator.
    pub validator_key: Option<PublicKey>,
    /// Its p2p key as TLS shows it.
    pub identity: Identity,
    /// Asked at every status and scrape; must not block.
    pub peers: Arc<dyn Fn() -> PeerCounts + Send + Sync>,
    /// The API's metrics, registered in `registry`.
    pub metrics: ApiMetrics,
    /// All of the node's metrics, to be scraped.
    pub registry: Arc<prometheus_client::registry::Registry>,
}

/// What handlers share.
pub(crate) struct Node {
    pub(crate) store: Store,
    pub(crate) intake: Arc<Intake>,
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) notices: watch::Receiver<Notices>,
    pub(crate) member: MemberId,
    pub(crate) validator_key: Option<PublicKey>,
    pub(crate) moniker: String,
    pub(crate) peers: Arc<dyn Fn() -> PeerCounts + Send + Sync>,
    pub(crate) limits: ApiLimits,
    pub(crate) reads: Semaphore,
    pub(crate) block_streams: Arc<Semaphore>,
    pub(crate) publications: Arc<Semaphore>,
    pub(crate) deposits: Arc<Semaphore>,
    /// Transactions judged at a time.
    pub(crate) judging: Semaphore,
    pub(crate) stop: watch::Receiver<bool>,
}

impl Node {
    /// Reads from the store off the runtime's threads, a bounded number at a time.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, Status> {
        let _turn = self.reads.acquire().await.map_err(|_| stopping())?;
        let answer = tokio::task::spawn_blocking(read).await.map_err(|_| stopping())?;
        answer.inspect_err(|error| self.store.note_fault(error)).map_err(of_store)
    }
}

/// A running API. Dropping it stops it without waiting.
#[derive(Debug)]
pub struct ApiHandle {
    /// Where gRPC is served.
    pub grpc_addr: SocketAddr,
    /// Where HTTP is served.
    pub http_addr: SocketAddr,
    stop: watch::Sender<bool>,
    timeout: Duration,
    tasks: Vec<JoinHandle<()>>,
}

impl ApiHandle {
    /// Refuses new requests, lets running ones finish within the shutdown timeout, and ends.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        let finished = async {
            for task in &mut self.tasks {
                // A panicked task has ended too.
                let _ = task.await;
            }
        };
        if tokio::time::timeout(self.timeout, finished).await.is_err() {
            tracing::warn!("requests were still running when the API stopped");
        }
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Drop for ApiHandle {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

/// Binds both listeners and serves until the handle is told to stop.
///
/// # Errors
/// See [`ApiError`].
pub async fn serve(config: ApiConfig, deps: ApiDeps) -> Result<ApiHandle, ApiError> {
    let (grpc, grpc_addr) = listen(config.grpc_listen).await?;
    let (http, http_addr) = listen(config.http_listen).await?;
    let (stop, stopped) = watch::channel(false);
    let registry = StoreRegistry::new(deps.store.clone());
    let operators = deps.desk.as_ref().map(Desk::admitted).unwrap_or_default();
    let access = Access::new(registry, operators, deps.member);
    let registry: Arc<dyn Registry> = Arc::new(access.clone());
    let limits = config.limits;
    let node = Arc::new(Node {
        store: deps.store,
        intake: deps.intake,
        registry: Arc::clone(&registry),
        notices: deps.notices,
        member: deps.member,
        validator_key: deps.validator_key,
        moniker: config.moniker,
        peers: deps.peers,
        limits,
        reads: Semaphore::new(limits.max_reads),
        block_streams: Arc::new(Semaphore::new(limits.max_block_streams)),
        publications: Arc::new(Semaphore::new(limits.max_publications)),
        deposits: Arc::new(Semaphore::new(limits.max_deposits)),
        judging: Semaphore::new(cores()),
        stop: stopped,
    });
    let tls = TlsAcceptor::from(tls::server_config(&deps.identity, Arc::clone(&registry))?);
    let acceptor = Acceptor::new(tls, Arc::clone(&registry), limits, deps.metrics.clone());
    let router = http::router(Arc::clone(&node), deps.metrics.clone(), deps.registry);
    let guard = GuardLayer { access, metrics: deps.metrics };
    let grpc = serve_grpc(Arc::clone(&node), deps.desk, guard, acceptor.run(grpc))?;
    let http = tokio::spawn(async move {
        let stop = node.stop.clone();
        let served = axum::serve(Bounded::new(http, limits.handshake_timeout), router)
            .with_graceful_shutdown(until_stopped(stop));
        if let Err(error) = served.await {
            tracing::error!(%error, "the HTTP server failed");
        }
    });
    Ok(ApiHandle {
        grpc_addr,
        http_addr,
        stop,
        timeout: limits.shutdown_timeout,
        tasks: vec![grpc, http],
    })
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ApiError> {
    let failed = |source| ApiError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((listener, bound))
}

fn serve_grpc(
    node: Arc<Node>,
    desk: Option<Desk>,
    guard: GuardLayer,
    incoming: tokio::sync::mpsc::Receiver<std::io::Result<crate::accept::Connection>>,
) -> Result<JoinHandle<()>, ApiError> {
    let limits = node.limits;
    let requests = u32::try_from(limits.max_connection_requests).unwrap_or(u32::MAX);
    let ledger = LedgerServiceServer::new(Ledger { node: Arc::clone(&node) })
        .max_decoding_message_size(MAX_LEDGER_REQUEST_BYTES)
        .max_encoding_message_size(MAX_ANSWER_BYTES);
    let desk = desk.map(|desk| DeskApi { node: Arc::clone(&node), desk });
    let escrow = desk.clone().map(|desk| {
        EscrowServiceServer::new(desk)
            .max_decoding_message_size(MAX_DESK_REQUEST_BYTES)
            .max_encoding_message_size(MAX_ANSWER_BYTES)
    });
    let desk = desk.map(|desk| {
        DeskServiceServer::new(desk)
            .max_decoding_message_size(MAX_DESK_REQUEST_BYTES)
            .max_encoding_message_size(MAX_ANSWER_BYTES)
    });
    let reflection = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(heatmark_proto::DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        .build_v1()?;
    let (reporter, health) = tonic_health::server::health_reporter();
    let server = Server::builder()
        .layer(guard)
        .timeout(limits.commit_timeout.saturating_add(REQUEST_TIMEOUT_MARGIN))
        .concurrency_limit_per_connection(limits.max_connection_requests)
        .max_concurrent_streams(requests)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE))
        .http2_max_header_list_size(MAX_HEADER_BYTES)
        .add_service(ledger)
        .add_optional_service(desk)
        .add_optional_service(escrow)
        .add_service(health)
        .add_service(reflection);
    let stop = node.stop.clone();
    Ok(tokio::spawn(async move {
        reporter.set_serving::<LedgerServiceServer<Ledger>>().await;
        let stopped = async {
            until_stopped(stop).await;
            reporter.set_not_serving::<LedgerServiceServer<Ledger>>().await;
        };
        let incoming = ReceiverStream::new(incoming);
        if let Err(error) = server.serve_with_incoming_shutdown(incoming, stopped).await {
            tracing::error!(%error, "the gRPC server failed");
        }
    }))
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

async fn until_stopped(mut stop: watch::Receiver<bool>) {
    // An error means that the handle is gone, which stops as well.
    let _ = stop.wait_for(|stop| *stop).await;
}
