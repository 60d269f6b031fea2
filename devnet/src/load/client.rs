//! Clients that submit anchors of their members and verify every receipt.

use super::{Load, What};
use anyhow::{Context as _, Result};
use ed25519_dalek::SigningKey;
use heatmark::keys::KeyKind;
use heatmark_client::{ClientError, LedgerClient};
use heatmark_devnet::Devnet;
use heatmark_ledger::ids::NetworkId;
use heatmark_ledger::messages as pb;
use heatmark_ledger::transaction::{self, NONCE_BYTES};
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::task::JoinSet;

/// How long a commit may take before it counts as an error.
const COMMIT_LIMIT: Duration = Duration::from_secs(60);
/// Transactions are open from so long before now, since block time may lag behind this clock.
const EARLY_MS: u64 = 4_000;
/// Transactions are open for so long after now.
const LATE_MS: u64 = 300_000;
/// How long a client waits after an error, so that a node that refuses is not flooded.
const ERROR_PAUSE: Duration = Duration::from_millis(50);
/// Most transactions that an offered load keeps waiting; beyond it the rest count as errors.
const MAX_WAITING: usize = 50_000;

/// What came of one transaction.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Outcome {
    /// A receipt came back and verified, so long after the transaction was due.
    Committed(Duration),
    /// It was refused, or nothing came back in time.
    Failed,
}

struct One {
    ledger: LedgerClient,
    key: SigningKey,
    network: NetworkId,
    what: What,
    batch: u32,
    /// The first error of a run is printed; the others are only counted.
    complained: Arc<AtomicBool>,
}

/// All clients of a run.
pub(crate) struct Clients(Vec<Arc<One>>);

impl Clients {
    /// Connects clients to the validators in turn, each as the member whose node it is.
    pub(crate) async fn connect(devnet: &Devnet, load: &Load) -> Result<Self> {
        let network = devnet.genesis()?.network();
        let names: Vec<&str> = devnet
            .nodes()
            .iter()
            .filter(|node| node.validator && node.is_up())
            .map(|node| node.name.as_str())
            .collect();
        let complained = Arc::new(AtomicBool::new(false));
        let mut clients: Vec<Arc<One>> = Vec::new();
        for name in names.iter().cycle().take(usize::try_from(load.clients)?) {
            let ledger = match clients.first() {
                None => devnet.client(name).await?,
                Some(first) => devnet.another_client(name, &first.ledger).await?,
            };
            clients.push(Arc::new(One {
                ledger,
                key: devnet.key(name, KeyKind::Signing)?,
                network,
                what: load.what,
                batch: load.batch,
                complained: Arc::clone(&complained),
            }));
        }
        Ok(Self(clients))
    }

    /// One transaction of every client.
    pub(crate) async fn warm_up(&self) -> Result<()> {
        let all = self.0.iter().map(|client| client.commit());
        futures::future::try_join_all(all).await.context("a first transaction")?;
        Ok(())
    }

    /// Each client submits as soon as its last transaction is committed.
    pub(crate) async fn closed_loop(&self, begun: Instant, limit: Duration) -> Vec<Outcome> {
        let mut running = JoinSet::new();
        for client in &self.0 {
            let client = Arc::clone(client);
            running.spawn(async move {
                let mut outcomes = Vec::new();
                while begun.elapsed() < limit {
                    let outcome = client.measured(Instant::now()).await;
                    outcomes.push(outcome);
                    if matches!(outcome, Outcome::Failed) {
                        tokio::time::sleep(ERROR_PAUSE).await;
                    }
                }
                outcomes
            });
        }
        running.join_all().await.into_iter().flatten().collect()
    }

    /// Submits at fixed times, whatever came of earlier ones, and measures from those times: a
    /// network that stalls cannot hide it.
    pub(crate) async fn offered(&self, begun: Instant, limit: Duration, rate: u32) -> Vec<Outcome> {
        let mut running = JoinSet::new();
        let mut outcomes = Vec::new();
        let interval = Duration::from_secs(1).checked_div(rate.max(1)).unwrap_or_default();
        let mut due = begun;
        for client in self.0.iter().cycle() {
            if due.saturating_duration_since(begun) >= limit {
                break;
            }
            tokio::time::sleep_until(due.into()).await;
            while let Some(Ok(outcome)) = running.try_join_next() {
                outcomes.push(outcome);
            }
            if running.len() < MAX_WAITING {
                let (client, due) = (Arc::clone(client), due);
                running.spawn(async move { client.measured(due).await });
            } else {
                outcomes.push(Outcome::Failed);
            }
            due = due.checked_add(interval).unwrap_or(due);
        }
        outcomes.extend(running.join_all().await);
        outcomes
    }
}

impl One {
    async fn measured(&self, due: Instant) -> Outcome {
        match self.commit().await {
            Ok(()) => Outcome::Committed(due.elapsed()),
            Err(error) => {
                if !self.complained.swap(true, Ordering::Relaxed) {
                    // Nothing is left to do when standard error is gone as well.
                    let _ = writeln!(std::io::stderr(), "first error: {error}");
                }
                Outcome::Failed
            }
        }
    }

    /// Signs, submits, waits, and verifies the receipt.
    async fn commit(&self) -> Result<(), ClientError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let payload = match self.what {
            What::Anchors => pb::body::Payload::Anchor(pb::Anchor {
                root: rand::random::<[u8; 32]>().to_vec(),
                records: self.batch,
            }),
            What::Alerts => pb::body::Payload::Alert(pb::Alert {
                subject: rand::random::<[u8; 32]>().to_vec(),
                level: pb::AlertLevel::Hold.into(),
                sequence: 1,
                reason_digest: rand::random::<[u8; 32]>().to_vec(),
                concern: true,
            }),
        };
        let body = pb::Body {
            not_before_ms: now_ms.saturating_sub(EARLY_MS),
            not_after_ms: now_ms.saturating_add(LATE_MS),
            nonce: rand::random::<[u8; NONCE_BYTES]>().to_vec(),
            payload: Some(payload),
        };
        let envelope = transaction::sign(&self.network, &self.key, &body, Vec::new());
        self.ledger.submit_and_wait(envelope, COMMIT_LIMIT).await.map(|_| ())
    }
}
