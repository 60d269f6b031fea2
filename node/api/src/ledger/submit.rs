//! Submitting: through the door, and, when asked, waiting until the transaction stands. Refuses
//! what the door refuses; says clearly when nothing more can be said: expired, or still pending.

use super::Ledger;
use crate::refusal::{of_intake, of_refusal, of_store, pending, stopping};
use crate::share::Share;
use heatmark_ledger::ids::{Height, TransactionId, UnixMillis};
use heatmark_ledger::messages as pb;
use heatmark_ledger::refusal::Refusal;
use heatmark_ledger::transaction::Transaction;
use heatmark_mempool::{Accepted, Intake, IntakeError, Tip};
use heatmark_store::StoreError;
use prost::bytes::Bytes;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;
use tonic::Status;

/// How often a transaction that waits is looked for in the pool.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

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

    /// Verifying signatures and reading the state does not belong on the threads of the runtime.
    async fn put(&self, envelope: Bytes) -> Result<Accepted, IntakeError> {
        let node = std::sync::Arc::clone(&self.node);
        let put = tokio::task::spawn_blocking(move || {
            let tip = node.store.tip();
            let time = UnixMillis(tip.time.0.max(clock_ms()));
            node.intake.submit(envelope, Tip { next: tip.height.next(), time })
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
        let mut tip = self.node.store.subscribe();
        let mut stop = self.node.stop.clone();
        loop {
            // The time is read first: a block that takes the transaction in between is found.
            let reached = tip.borrow_and_update().time;
            if let Some(answer) = self.committed(&id, trusted).await? {
                return Ok(answer);
            }
            if reached >= not_after {
                return Err(of_refusal(&Refusal::Expired));
            }
            if begun.elapsed() >= patience {
                return Err(pending());
            }
            if looked.elapsed() >= LOOK_INTERVAL {
                self.look_after(&id, &envelope).await?;
                looked = Instant::now();
            }
            let until_look = LOOK_INTERVAL.saturating_sub(looked.elapsed());
            let pause = until_look.min(patience.saturating_sub(begun.elapsed()));
            tokio::select! {
                changed = tip.changed() => changed.map_err(|_| stopping())?,
                () = tokio::time::sleep(pause) => {}
                _ = stop.wait_for(|stop| *stop) => return Err(stopping()),
            }
        }
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

    async fn committed(
        &self,
        id: &TransactionId,
        trusted: Height,
    ) -> Result<Option<pb::SubmitResponse>, Status> {
        // A point read, made by every waiting request at every block: cheaper here than moved.
        let Some(leaf) = self.node.store.find(id).map_err(of_store)? else { return Ok(None) };
        let store = self.node.store.clone();
        let receipt = self.node.read(move || match store.receipt(leaf, trusted, None) {
            Ok(receipt) => Ok(Some(receipt)),
            // The header after the trust root is not there yet.
            Err(StoreError::NotAvailable(_)) => Ok(None),
            Err(error) => Err(error),
        });
        Ok(receipt.await?.map(|receipt| answer(*id, Some(receipt))))
    }
}

fn answer(id: TransactionId, receipt: Option<pb::Receipt>) -> pb::SubmitResponse {
    pb::SubmitResponse { transaction_id: id.to_vec(), receipt }
}

fn clock_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
