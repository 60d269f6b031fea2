//! Submitting: through the door, and, when asked, waiting until the transaction stands. Refuses
//! what the door refuses; says clearly when nothing more can be said: expired, or still pending.

use super::Ledger;
use crate::refusal::{of_intake, of_refusal, of_store, pending, stopping};
use crate::share::Share;
use heatmark_ledger::LeafIndex;
use heatmark_ledger::ids::{Height, TransactionId, UnixMillis};
use heatmark_ledger::messages as pb;
use heatmark_ledger::refusal::Refusal;
use heatmark_ledger::transaction::Transaction;
use heatmark_mempool::{Accepted, Intake, IntakeError, Tip};
use prost::bytes::Bytes;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;
use tonic::Status;

/// How often a transaction that waits is looked for in the pool, and its window at the log's time.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

impl Ledger {
    pub(super) async fn submit_transaction(
        &self,
        request: pb::SubmitRequest,
        share: &Share,
    ) -> Result<pb::SubmitResponse, Status> {
        let envelope = Bytes::from(request.transaction);
        match self.put(envelope.clone()).await {
            Ok(accepted) if !request.wait => Ok(answer(accepted.id, None)),
            Ok(_) => self.wait(envelope, Height(request.trusted_height)).await,
            // Whoever waits wants the receipt, and it may be asking for the second time.
            Err(IntakeError::Refused(Refusal::Replayed)) if request.wait => {
                self.wait(envelope, Height(request.trusted_height)).await
            }
            Err(error) => {
                if Intake::is_senders_fault(&error) {
                    share.refused();
                }
                Err(of_intake(error))
            }
        }
    }

    /// Verifying signatures and reading the state does not belong on the threads of the runtime,
    /// nor on more threads than there are cores.
    async fn put(&self, envelope: Bytes) -> Result<Accepted, IntakeError> {
        let node = std::sync::Arc::clone(&self.node);
        // Never closed.
        let _turn = self.node.judging.acquire().await;
        let put = tokio::task::spawn_blocking(move || {
            let tip = node.store.tip();
            let time = UnixMillis(tip.time.0.max(clock_ms()));
            let tip = Tip { next: tip.height.next(), time, parent_time: tip.time };
            node.intake.submit(envelope, tip)
        });
        // The task cannot be cancelled, and does not panic.
        put.await.unwrap_or(Err(heatmark_mempool::MempoolError::Full.into()))
    }

    async fn wait(&self, envelope: Bytes, trusted: Height) -> Result<pb::SubmitResponse, Status> {
        let transaction = Transaction::decode(&self.node.store.network(), envelope.clone())
            .map_err(|refusal| of_refusal(&refusal))?;
        let (id, not_after) = (transaction.id(), UnixMillis(transaction.body().not_after_ms));
        let (begun, patience) = (Instant::now(), self.node.limits.commit_timeout);
        let mut looked = begun;
        let mut awaiting = self.node.store.await_transaction(id);
        let mut stop = self.node.stop.clone();
        // It may stand on the log since before the waiting began.
        let mut leaf = self.node.store.find(&id).map_err(of_store)?;
        loop {
            if let Some(leaf) = leaf {
                return self
                    .receipt(id, leaf, trusted, patience.saturating_sub(begun.elapsed()))
                    .await;
            }
            // The time is read first: a block that takes the transaction in between is found.
            let reached = self.node.store.tip().time;
            if reached >= not_after {
                leaf = self.node.store.find(&id).map_err(of_store)?;
                if leaf.is_none() {
                    return Err(of_refusal(&Refusal::Expired));
                }
                continue;
            }
            if begun.elapsed() >= patience {
                return Err(pending());
            }
            if looked.elapsed() >= LOOK_INTERVAL {
                self.look_after(&id, &envelope).await?;
                looked = Instant::now();
            }
            let pause = LOOK_INTERVAL.min(patience.saturating_sub(begun.elapsed()));
            tokio::select! {
                committed = awaiting.committed() => leaf = Some(committed),
                () = tokio::time::sleep(pause) => {}
                _ = stop.wait_for(|stop| *stop) => return Err(stopping()),
            }
        }
    }

    /// The receipt of a committed transaction, as soon as there is a header after the trust root.
    async fn receipt(
        &self,
        id: TransactionId,
        leaf: LeafIndex,
        trusted: Height,
        patience: Duration,
    ) -> Result<pb::SubmitResponse, Status> {
        let later = async {
            let mut tip = self.node.store.subscribe();
            tip.wait_for(|tip| tip.height > trusted).await.map(|_| ())
        };
        match tokio::time::timeout(patience, later).await {
            Ok(reached) => reached.map_err(|_| stopping())?,
            Err(_) => return Err(pending()),
        }
        let store = self.node.store.clone();
        let receipt = self.node.read(move || store.receipt(leaf, trusted, None)).await?;
        Ok(answer(id, Some(receipt)))
    }

    /// A transaction that left the pool without reaching the log was refused by a proposer: the
    /// door says why, or takes it again.
    async fn look_after(&self, id: &TransactionId, envelope: &Bytes) -> Result<(), Status> {
        if self.node.intake.mempool().contains(id) {
            return Ok(());
        }
        match self.put(envelope.clone()).await {
            Ok(_) | Err(IntakeError::Refused(Refusal::Replayed) | IntakeError::Pool(_)) => Ok(()),
            Err(error) => Err(of_intake(error)),
        }
    }
}

fn answer(id: TransactionId, receipt: Option<pb::Receipt>) -> pb::SubmitResponse {
    pb::SubmitResponse { transaction_id: id.to_vec(), receipt }
}

fn clock_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
