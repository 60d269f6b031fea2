//! Clients that publish while things happen, each through its own member's node, and remember what
//! was acknowledged with a receipt that verified. A failure is no fault here; a lost
//! acknowledgement is.

use crate::devnet::Devnet;
use crate::error::DevnetError;
use ed25519_dalek::SigningKey;
use heatmark::keys::KeyKind;
use heatmark_client::tls::Identity;
use heatmark_client::{ClientError, LedgerClient, Target};
use heatmark_ledger::LeafIndex;
use heatmark_ledger::ids::{NetworkId, TransactionId};
use heatmark_ledger::messages as pb;
use heatmark_ledger::receipt::TrustRoot;
use heatmark_ledger::transaction::{self, NONCE_BYTES};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long a client waits for one receipt before it tries the next; the network may halt longer.
const COMMIT_LIMIT: Duration = Duration::from_secs(40);
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How long a client waits after a failure.
const PAUSE: Duration = Duration::from_millis(150);
/// Windows open so long before now, since block time may lag behind, and close so long after.
const EARLY_MS: u64 = 4_000;
const LATE_MS: u64 = 300_000;

/// What a client was promised.
#[derive(Debug, Clone)]
pub struct Acknowledged {
    /// The transaction.
    pub id: TransactionId,
    /// Where it stands.
    pub leaf: LeafIndex,
    /// Height of the header that it was proved against.
    pub height: u64,
    /// Through whose node it went.
    pub through: String,
    /// When its receipt verified.
    pub at: Instant,
    /// From submission until then.
    pub took: Duration,
}

#[derive(Debug, Default)]
struct Book {
    acknowledged: Vec<Acknowledged>,
    failures: u64,
}

/// Figures of a span of time.
#[derive(Debug, Clone, Copy)]
pub struct Window {
    /// Acknowledged in it.
    pub acknowledged: usize,
    /// Of these, each second.
    pub each_second: f64,
    /// Half of them took no longer.
    pub p50: Duration,
    /// Nor 99 of 100.
    pub p99: Duration,
    /// Nor any.
    pub longest: Duration,
}

impl Window {
    /// For a report.
    #[must_use]
    pub fn json(&self) -> Value {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        json!({
            "acknowledged": self.acknowledged,
            "each_second": (self.each_second * 10.0).round() / 10.0,
            "p50_ms": ms(self.p50),
            "p99_ms": ms(self.p99),
            "longest_ms": ms(self.longest),
        })
    }
}

#[derive(Clone)]
struct Client {
    name: String,
    target: Target,
    identity: Identity,
    trust: TrustRoot,
    network: NetworkId,
    key: SigningKey,
    book: Arc<Mutex<Book>>,
}

/// Traffic under way. Dropping it stops it at once.
#[derive(Debug)]
pub struct Traffic {
    stop: watch::Sender<bool>,
    clients: JoinSet<()>,
    book: Arc<Mutex<Book>>,
}

impl Traffic {
    /// Starts so many clients at every validator's node, whether it is up or not.
    ///
    /// # Errors
    /// [`DevnetError::Keys`], [`DevnetError::Genesis`].
    pub fn start(devnet: &Devnet, clients_each: usize) -> Result<Self, DevnetError> {
        let genesis = devnet.genesis()?;
        let (stop, _) = watch::channel(false);
        let book = Arc::new(Mutex::new(Book::default()));
        let mut clients = JoinSet::new();
        for node in devnet.nodes().iter().filter(|node| node.validator) {
            let failed = |source| DevnetError::Client { name: node.name.clone(), source };
            let p2p = devnet.key(&node.name, KeyKind::P2p)?;
            let identity = Identity::new(p2p, &devnet.member(&node.name)?);
            let client = Client {
                name: node.name.clone(),
                target: devnet.target(&node.name)?,
                identity: identity.map_err(|error| failed(ClientError::from(error)))?,
                trust: TrustRoot::from_genesis(&genesis),
                network: genesis.network(),
                key: devnet.key(&node.name, KeyKind::Signing)?,
                book: Arc::clone(&book),
            };
            for _ in 0..clients_each {
                clients.spawn(client.clone().publish(stop.subscribe()));
            }
        }
        Ok(Self { stop, clients, book })
    }

    /// How many were acknowledged so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().acknowledged.len()
    }

    /// Waits until `more` further ones are acknowledged; false when they are not within `limit`.
    pub async fn goes_on(&self, more: usize, limit: Duration) -> bool {
        let (begun, wanted) = (Instant::now(), self.count().saturating_add(more));
        while self.count() < wanted {
            if begun.elapsed() > limit {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        true
    }

    /// Figures of what was acknowledged since a moment.
    #[must_use]
    pub fn since(&self, from: Instant) -> Window {
        let book = self.lock();
        let within = book.acknowledged.iter().filter(|acknowledged| acknowledged.at >= from);
        let mut took: Vec<Duration> = within.map(|acknowledged| acknowledged.took).collect();
        took.sort_unstable();
        let rank = |percent: usize| {
            let rank = took.len().saturating_mul(percent).div_ceil(100);
            took.get(rank.saturating_sub(1)).copied().unwrap_or_default()
        };
        let count = u32::try_from(took.len()).unwrap_or(u32::MAX);
        let seconds = from.elapsed().as_secs_f64().max(f64::EPSILON);
        Window {
            acknowledged: took.len(),
            each_second: f64::from(count) / seconds,
            p50: rank(50),
            p99: rank(99),
            longest: rank(100),
        }
    }

    /// Stops, and tells what was acknowledged and how many attempts failed.
    pub async fn stop(mut self) -> (Vec<Acknowledged>, u64) {
        self.stop.send_replace(true);
        while self.clients.join_next().await.is_some() {}
        let mut book = self.lock();
        (std::mem::take(&mut book.acknowledged), book.failures)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Client {
    async fn publish(self, mut stop: watch::Receiver<bool>) {
        let publishing = async {
            let mut connection = None;
            loop {
                if !self.one(&mut connection).await {
                    connection = None;
                    tokio::time::sleep(PAUSE).await;
                }
            }
        };
        tokio::select! {
            () = publishing => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    async fn one(&self, connection: &mut Option<LedgerClient>) -> bool {
        let begun = Instant::now();
        let outcome = self.attempt(connection).await;
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        match outcome {
            Some((id, leaf, height)) => {
                let (at, through) = (Instant::now(), self.name.clone());
                let took = at.saturating_duration_since(begun);
                book.acknowledged.push(Acknowledged { id, leaf, height, through, at, took });
                true
            }
            None => {
                book.failures = book.failures.saturating_add(1);
                false
            }
        }
    }

    async fn attempt(
        &self,
        connection: &mut Option<LedgerClient>,
    ) -> Option<(TransactionId, LeafIndex, u64)> {
        let client = match connection {
            Some(client) => client,
            None => {
                let opening =
                    LedgerClient::connect(&self.target, &self.identity, self.trust.clone());
                let opened = tokio::time::timeout(CONNECT_LIMIT, opening).await;
                connection.insert(opened.ok()?.ok()?)
            }
        };
        let waiting = client.submit_and_wait(self.anchor(), COMMIT_LIMIT);
        // A frozen node does not even say that it is late.
        let proven = tokio::time::timeout(COMMIT_LIMIT, waiting).await.ok()?.ok()?;
        let verified = proven.verified;
        Some((verified.transaction_id, verified.leaf_index, verified.header.height.0))
    }

    fn anchor(&self) -> prost::bytes::Bytes {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let anchor = pb::Anchor { root: rand::random::<[u8; 32]>().to_vec(), records: 1 };
        let body = pb::Body {
            not_before_ms: now_ms.saturating_sub(EARLY_MS),
            not_after_ms: now_ms.saturating_add(LATE_MS),
            nonce: rand::random::<[u8; NONCE_BYTES]>().to_vec(),
            payload: Some(pb::body::Payload::Anchor(anchor)),
        };
        transaction::sign(&self.network, &self.key, &body, Vec::new())
    }
}
