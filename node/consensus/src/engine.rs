//! Starts and stops the engine with its host. Refuses to vote when the engine's log and the store
//! disagree about what was signed, because then nobody knows.

use arc_malachitebft_app_channel::app::engine::network::PersistentPeersOp;
use arc_malachitebft_app_channel::app::types::codec::Codec;
use arc_malachitebft_app_channel::{
    Channels, ConsensusContext, ConsensusRequestError, EngineHandle, NetworkContext,
    NetworkIdentity, NetworkRequest, RequestContext, SyncContext, WalContext, start_engine,
};
use arc_malachitebft_signing::Signer;
use heatmark_ledger::ids::Height;
use libp2p::Multiaddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tracing::{error, info};

use crate::application::Application;
use crate::codec::{AttentiveCodec, LedgerCodec};
use crate::config::{ConsensusConfig, Role, pinned_peer};
use crate::context::{Address, Heatmark};
use crate::error::{Failure, StartError};
use crate::host::{Ends, Host, Settings};
use crate::journal::{self, Journal};
use crate::signing::{LedgerSigner, LedgerVerifier};

/// Requests of this process that may wait for the engine.
const REQUESTS: usize = 64;

/// How often connected peers are counted.
const COUNT_PEERS: Duration = Duration::from_millis(500);

/// How long the engine's actors may take to stop.
const STOP_ENGINE: Duration = Duration::from_secs(5);

/// Why a peer was not admitted or dismissed.
#[derive(Debug, Error)]
pub enum PeerError {
    /// Its address does not end in `/p2p/<peer id>`.
    #[error("the peer address {0} does not end in /p2p/<peer id>")]
    Unpinned(Multiaddr),
    /// The engine is busy or gone.
    #[error("the consensus engine does not answer")]
    Unavailable(#[from] ConsensusUnavailable),
    /// The engine refused.
    #[error("the consensus network refused the peer: {0}")]
    Refused(String),
}

/// The engine is busy or gone.
#[derive(Debug, Clone, Copy, Error)]
#[error("the consensus engine does not answer")]
pub struct ConsensusUnavailable;

impl From<ConsensusRequestError> for PeerError {
    fn from(_: ConsensusRequestError) -> Self {
        Self::Unavailable(ConsensusUnavailable)
    }
}

/// Running consensus. Dropping it stops everything at once, as a crash would.
pub struct ConsensusHandle {
    stop: watch::Sender<bool>,
    outcome: watch::Receiver<Option<Result<(), Failure>>>,
    height: watch::Receiver<Height>,
    peers: watch::Receiver<usize>,
    requests: mpsc::Sender<NetworkRequest>,
    tasks: Vec<JoinHandle<()>>,
    kill: Option<oneshot::Sender<()>>,
}

impl ConsensusHandle {
    /// The newest committed height, changing with every commit.
    #[must_use]
    pub fn height(&self) -> watch::Receiver<Height> {
        self.height.clone()
    }

    /// How many peers are connected, counted twice a second.
    #[must_use]
    pub fn peers(&self) -> watch::Receiver<usize> {
        self.peers.clone()
    }

    /// Admits a peer and keeps a connection to it. One that is there already is no error.
    ///
    /// # Errors
    /// When the address pins no identity or the engine does not answer.
    pub async fn add_peer(&self, address: Multiaddr) -> Result<(), PeerError> {
        self.update_peers(address, PersistentPeersOp::Add).await
    }

    /// Dismisses a peer and disconnects it. One that is not there is no error.
    ///
    /// # Errors
    /// When the address pins no identity or the engine does not answer.
    pub async fn remove_peer(&self, address: Multiaddr) -> Result<(), PeerError> {
        self.update_peers(address, PersistentPeersOp::Remove).await
    }

    async fn update_peers(
        &self,
        address: Multiaddr,
        change: impl Fn(Multiaddr) -> PersistentPeersOp,
    ) -> Result<(), PeerError> {
        use arc_malachitebft_app_channel::app::engine::network::PersistentPeerError as Refusal;
        pinned_peer(&address).map_err(|_| PeerError::Unpinned(address.clone()))?;
        let (reply, answer) = oneshot::channel();
        let request = NetworkRequest::UpdatePersistentPeers(change(address), reply);
        self.requests.try_send(request).map_err(ConsensusRequestError::from)?;
        match answer.await.map_err(ConsensusRequestError::from)? {
            Ok(()) | Err(Refusal::AlreadyExists | Refusal::NotFound) => Ok(()),
            Err(refusal) => Err(PeerError::Refused(refusal.to_string())),
        }
    }

    /// Waits until consensus has stopped: `Ok` after [`Self::shutdown`], or why it stopped for
    /// good, on which the process should end.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn finished(&self) -> Result<(), Failure> {
        let mut outcome = self.outcome.clone();
        match outcome.wait_for(Option::is_some).await {
            Ok(outcome) => outcome.clone().unwrap_or(Err(Failure::EngineStopped)),
            Err(_) => Err(Failure::EngineStopped),
        }
    }

    /// Stops after the height under way, or two seconds later if none gets decided, and waits
    /// until the log is closed.
    ///
    /// # Errors
    /// When consensus had failed before.
    pub async fn shutdown(mut self) -> Result<(), Failure> {
        self.stop.send_replace(true);
        let outcome = self.finished().await;
        for task in self.tasks.drain(..) {
            // Nothing to do about a task that was cancelled: it has stopped.
            let _ = task.await;
        }
        outcome
    }
}

impl ConsensusHandle {
    /// Stops everything at once, as a crash would, and waits until the log is closed. What was
    /// under way is recovered from the log at the next start.
    pub async fn kill(mut self) {
        drop(self.kill.take());
        for task in self.tasks.drain(..) {
            // Nothing to do about a task that was cancelled: it has stopped.
            let _ = task.await;
        }
    }
}

impl Drop for ConsensusHandle {
    fn drop(&mut self) {
        // Told to the supervising task, which ends the engine without waiting for anything.
        drop(self.kill.take());
    }
}

/// Starts consensus on top of a ledger.
///
/// # Errors
/// See [`StartError`]; nothing is left running then.
pub async fn start(
    config: ConsensusConfig,
    app: Arc<dyn Application>,
) -> Result<ConsensusHandle, StartError> {
    config.check()?;
    let reader = Arc::clone(&app);
    let newest = tokio::task::spawn_blocking(move || reader.newest())
        .await
        .unwrap_or_else(|panic| Err(crate::application::ApplicationError::new(panic)))?;
    let wal_path = config.wal_path();
    if matches!(config.role, Role::Validator(_)) {
        check_log(&config.home, newest.height)?;
    }
    let height = watch::channel(newest.height);
    let settings = |address| Settings {
        eras: config.eras.clone(),
        address,
        timeouts: config.timeouts.engine(),
        block_time: config.block_time,
        gather: config.gather,
    };
    let engine_config = config.engine();
    let (settings, identity, context) = participant(&config, settings).await?;
    let (codec, claimed) = AttentiveCodec::new(newest.height);
    let (channels, engine) = start_engine(
        Heatmark,
        engine_config,
        WalContext::new(wal_path, LedgerCodec),
        NetworkContext::new(identity, codec),
        context,
        SyncContext::new(LedgerCodec),
        RequestContext::new(REQUESTS),
    )
    .await
    .map_err(|report| StartError::Engine(report.into()))?;
    let (stop, stopped) = watch::channel(false);
    let Channels { consensus, network, events, net_requests, requests: _ } = channels;
    let ends = Ends {
        questions: consensus,
        network,
        requests: net_requests.clone(),
        events: events.subscribe(),
        stop: stopped.clone(),
        claimed,
        height: height.0,
    };
    let host = Host::new(app, settings, ends, newest);
    let (peer_count, peers) = watch::channel(0);
    let counting = tokio::spawn(count_peers(net_requests.clone(), peer_count, stopped));
    let (outcome_sender, outcome) = watch::channel(None);
    let (kill, killed) = oneshot::channel();
    let supervising = tokio::spawn(supervise(host, engine, killed, outcome_sender));
    Ok(ConsensusHandle {
        stop,
        outcome,
        height: height.1,
        peers,
        requests: net_requests,
        tasks: vec![supervising, counting],
        kill: Some(kill),
    })
}

type Participant = (Settings, NetworkIdentity, ConsensusContext<Heatmark>);

/// Who this node is to the engine.
async fn participant(
    config: &ConsensusConfig,
    settings: impl Fn(Address) -> Settings,
) -> Result<Participant, StartError> {
    let (moniker, keypair) = (config.moniker.clone(), config.identity.clone());
    let verifier = Box::new(LedgerVerifier::new(config.eras.clone()));
    let peer = keypair.public().to_peer_id();
    match &config.role {
        Role::Validator(key) => {
            let signer = LedgerSigner::new(config.eras.clone(), key.clone());
            let address = signer.address();
            let proof = signer
                .sign_validator_proof(address.0.to_vec(), peer.to_bytes())
                .await
                .map_err(|_| StartError::Proof)?;
            let proof = LedgerCodec.encode(&proof).map_err(|_| StartError::Proof)?;
            let name = address.to_string();
            let identity = NetworkIdentity::new_validator(moniker, keypair, name, proof);
            let signer = Box::new(signer);
            let context = ConsensusContext::new_validator(address, verifier, signer);
            Ok((settings(address), identity, context))
        }
        Role::Observer => {
            // An address outside every validator set: no point of the curve encodes as this.
            let address = Address([0xff; 32]);
            let identity = NetworkIdentity::new(moniker, keypair, None);
            let context = ConsensusContext::new_full_node(address, verifier);
            Ok((settings(address), identity, context))
        }
    }
}

/// Compares the log of what was signed with the store.
fn check_log(home: &Path, store: Height) -> Result<(), StartError> {
    let path = home.join(journal::FILE);
    let read = journal::journal(home);
    match read.map_err(|source| StartError::Log { path: path.clone(), source })? {
        Journal::Missing if store.0 > 0 => Err(StartError::LogMissing { path, store: store.0 }),
        Journal::Damaged(why) => Err(StartError::LogDamaged { path, why }),
        Journal::Sound { height: log } if log > store.next().0 => {
            Err(StartError::StoreBehindLog { path, log, store: store.0 })
        }
        Journal::Missing | Journal::Sound { .. } => Ok(()),
    }
}

/// Runs the host to its end, then ends the engine.
async fn supervise(
    host: Host,
    engine: EngineHandle,
    killed: oneshot::Receiver<()>,
    outcome: watch::Sender<Option<Result<(), Failure>>>,
) {
    let ended = tokio::select! {
        ended = host.run() => ended,
        _ = killed => Ok(()),
    };
    match &ended {
        Ok(()) => info!("consensus stopped"),
        Err(failure) => error!(%failure, "consensus stopped for good"),
    }
    // Nothing more is voted from here on, whether or not the actors stop in time.
    let reason = Some("the host has ended".to_owned());
    engine.actor.get_cell().stop_children_and_wait(reason.clone(), Some(STOP_ENGINE)).await;
    engine.actor.stop(reason);
    if tokio::time::timeout(STOP_ENGINE, engine.handle).await.is_err() {
        error!("the consensus engine did not stop in time");
    }
    outcome.send_replace(Some(ended));
}

/// How many peers are connected; none while nobody can tell.
pub(crate) async fn connected_peers(
    requests: &mpsc::Sender<NetworkRequest>,
) -> Result<Option<usize>, ConsensusUnavailable> {
    let (reply, answer) = oneshot::channel();
    // Asked directly: the engine's own way of asking calls it an error when a node is stopping.
    match requests.try_send(NetworkRequest::DumpState(reply)) {
        Ok(()) => {}
        Err(mpsc::error::TrySendError::Full(_)) => return Ok(None),
        Err(mpsc::error::TrySendError::Closed(_)) => return Err(ConsensusUnavailable),
    }
    let dump = answer.await.map_err(|_| ConsensusUnavailable)?;
    Ok(dump.map(|dump| dump.peers.len()))
}

/// Keeps the number of peers current until the node stops.
async fn count_peers(
    requests: mpsc::Sender<NetworkRequest>,
    count: watch::Sender<usize>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        tokio::select! {
            () = count.closed() => return,
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(COUNT_PEERS) => {}
        }
        match connected_peers(&requests).await {
            Ok(Some(connected)) => {
                count.send_if_modified(|known| std::mem::replace(known, connected) != connected);
            }
            Ok(None) => {}
            Err(ConsensusUnavailable) => return,
        }
    }
}

/// The engine's own metrics in the Prometheus text format, of all engines in this process.
#[must_use]
pub fn engine_metrics() -> String {
    let mut text = String::new();
    arc_malachitebft_app_channel::app::metrics::export(&mut text);
    text
}
