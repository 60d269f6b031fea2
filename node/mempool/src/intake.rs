//! The one door for transactions, whoever brings them: the API or the gossip of other nodes.
//! Refuses what the ledger would refuse in the next block, cheapest checks first and signatures
//! last, so that a flood costs its sender more than the node. Specification: `proto/README.md`,
//! section 3.

#[cfg(test)]
mod tests;

use crate::pool::{Inserted, Mempool, MempoolError};
use crate::tip_view::{HeightCache, SharedView, TipView};
use bytes::Bytes;
use heatmark_ledger::execute::{self, Environment, ExecutionError, Executor};
use heatmark_ledger::ids::{Height, MemberId, NetworkId, TransactionId, UnixMillis};
use heatmark_ledger::refusal::Refusal;
use heatmark_ledger::state::{self, StateError, StateView as _};
use heatmark_ledger::transaction::Transaction;
use heatmark_ledger::wire::{MAX_TRANSACTION_BYTES, WireError};
use std::sync::Arc;
use thiserror::Error;
use tokio::sync::mpsc;

/// Freshly submitted transactions that wait for gossip. One that finds the queue full stays in the
/// pool and is announced later.
pub const GOSSIP_QUEUE_TRANSACTIONS: usize = 4_096;

/// Why a transaction did not enter.
#[derive(Debug, Error)]
pub enum IntakeError {
    /// The ledger refuses it; see the reason for the remedy.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// No room; transient.
    #[error("{0}")]
    Pool(#[from] MempoolError),
    /// The state cannot be read. Fatal for the node: stop, check the store.
    #[error("{0}")]
    State(#[from] StateError),
    /// The network runs a protocol version that this program does not know. Install a newer one.
    #[error("protocol version {0} is in force, which this program does not know")]
    VersionTooNew(u32),
}

impl From<ExecutionError> for IntakeError {
    fn from(error: ExecutionError) -> Self {
        match error {
            ExecutionError::Refused(refusal) => Self::Refused(refusal),
            ExecutionError::State(error) => Self::State(error),
            ExecutionError::VersionTooNew { version, .. } => Self::VersionTooNew(version),
            ExecutionError::Restart(error) => Self::State(StateError::Store(error)),
        }
    }
}

/// A transaction that waits in the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// Its id.
    pub id: TransactionId,
    /// The member whose key carries it.
    pub member: MemberId,
    /// Whether it came just now; false when it waited already.
    pub fresh: bool,
}

/// Where the chain stands when a transaction comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tip {
    /// The height that is decided next.
    pub next: Height,
    /// The later of the newest block's time and the node's clock, Unix milliseconds.
    pub time: UnixMillis,
    /// The newest block's time: how long the network stands still counts for deals.
    pub parent_time: UnixMillis,
}

/// The door.
pub struct Intake {
    network: NetworkId,
    mempool: Arc<Mempool>,
    view: SharedView,
    cache: HeightCache,
    gossip: mpsc::Sender<Arc<Transaction>>,
}

impl Intake {
    /// A door into `mempool`, judging by `view`, the newest decided state at every moment. The
    /// receiver yields what was freshly submitted here, for gossip; it may be dropped.
    #[must_use]
    pub fn new(
        network: NetworkId,
        mempool: Arc<Mempool>,
        view: SharedView,
    ) -> (Self, mpsc::Receiver<Arc<Transaction>>) {
        let (gossip, fresh) = mpsc::channel(GOSSIP_QUEUE_TRANSACTIONS);
        (Self { network, mempool, view, cache: HeightCache::default(), gossip }, fresh)
    }

    /// The pool behind the door.
    #[must_use]
    pub fn mempool(&self) -> &Arc<Mempool> {
        &self.mempool
    }

    /// The network whose transactions are taken.
    #[must_use]
    pub fn network(&self) -> NetworkId {
        self.network
    }

    /// The newest decided state.
    #[must_use]
    pub fn view(&self) -> &SharedView {
        &self.view
    }

    /// Takes a transaction from one of this node's own clients; a fresh one goes to gossip.
    ///
    /// # Errors
    /// See [`IntakeError`].
    pub fn submit(&self, bytes: Bytes, tip: Tip) -> Result<Accepted, IntakeError> {
        let (accepted, fresh) = self.take(&bytes, tip)?;
        if let Some(transaction) = fresh {
            // A full queue or no receiver: the transaction waits in the pool all the same.
            let _ = self.gossip.try_send(transaction);
        }
        Ok(accepted)
    }

    /// Takes a transaction from another node.
    ///
    /// # Errors
    /// See [`IntakeError`]. A peer is to blame only for [`is_senders_fault`](Self::is_senders_fault).
    pub fn receive(&self, bytes: &[u8], tip: Tip) -> Result<Accepted, IntakeError> {
        self.take(bytes, tip).map(|(accepted, _)| accepted)
    }

    /// Hands a transaction to gossip; dropped when the queue is full.
    pub fn announce(&self, transaction: Arc<Transaction>) {
        // Announced again from the pool later.
        let _ = self.gossip.try_send(transaction);
    }

    /// Whether no honest node could have passed this on: the refusal follows from the bytes alone,
    /// whatever the state and the time. Other fields and co-signatures are judged by the state: a
    /// root key may have been replaced, and a height may not have come here yet.
    #[must_use]
    pub fn is_senders_fault(error: &IntakeError) -> bool {
        matches!(
            error,
            IntakeError::Refused(
                Refusal::Wire(_)
                    | Refusal::Field("signer" | "signature" | "nonce")
                    | Refusal::NoPayload
                    | Refusal::Key(_)
            )
        )
    }

    fn take(
        &self,
        bytes: &[u8],
        tip: Tip,
    ) -> Result<(Accepted, Option<Arc<Transaction>>), IntakeError> {
        if bytes.len() > MAX_TRANSACTION_BYTES {
            let (length, limit) = (bytes.len(), MAX_TRANSACTION_BYTES);
            return Err(Refusal::Wire(WireError::TooLong { length, limit }).into());
        }
        if let Some((id, member)) = self.mempool.known(bytes) {
            return Ok((Accepted { id, member, fresh: false }, None));
        }
        // A copy of its own: a slice would keep the whole message alive that it came in.
        let transaction = Transaction::decode(&self.network, Bytes::copy_from_slice(bytes))?;
        let member = self.judge(&transaction, tip)?;
        let id = transaction.id();
        let transaction = Arc::new(transaction);
        match self.mempool.insert(Arc::clone(&transaction), member)? {
            Inserted::New => Ok((Accepted { id, member, fresh: true }, Some(transaction))),
            Inserted::Known => Ok((Accepted { id, member, fresh: false }, None)),
        }
    }

    /// Whether the next block could record it, and whose quota it spends. An id that waits already
    /// is no shortcut: other signatures may stand over the same body.
    fn judge(&self, transaction: &Transaction, tip: Tip) -> Result<MemberId, IntakeError> {
        let view = TipView::new(&self.view, &self.cache, tip.next)?;
        let parameters = state::parameters(&view)?;
        let body = transaction.body();
        let latest = tip.time.0.saturating_add(parameters.max_clock_skew_ms);
        // Clocks differ: what is early by no more than they may is taken as if its time had come.
        let time = UnixMillis(body.not_before_ms.min(latest).max(tip.time.0));
        execute::check_window(body, time, parameters.max_window_ms)?;
        if view.contains_transaction(&transaction.id())? {
            return Err(Refusal::Replayed.into());
        }
        let (member, key) = execute::signer(&view, transaction, tip.next)?;
        self.mempool.check_room(&member, transaction.is_alert(), transaction.bytes().len())?;
        transaction.verify(&self.network, &key)?;
        let env = Environment {
            network: self.network,
            height: tip.next,
            time,
            parent_time: tip.parent_time,
        };
        // On the decided state alone: an alert that follows one still waiting is refused until
        // that one stands. The log size names no leaf, since the changes are thrown away.
        Executor::begin(&view, env, 0)?.apply(transaction)?;
        Ok(member)
    }
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake").field("network", &self.network).finish_non_exhaustive()
    }
}
