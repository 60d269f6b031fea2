//! Who waits for a transaction to be committed: told by the commit itself, so that a thousand who
//! wait cost a block nothing but the looking up of its own transactions.

use crate::store::Store;
use heatmark_ledger::LeafIndex;
use heatmark_ledger::ids::TransactionId;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// Those who wait, by what they wait for.
#[derive(Debug, Default)]
pub(crate) struct Awaited(Mutex<HashMap<TransactionId, Vec<oneshot::Sender<LeafIndex>>>>);

impl Awaited {
    /// Tells whoever waits for these transactions where they stand.
    pub(crate) fn committed(&self, placed: impl Iterator<Item = (LeafIndex, TransactionId)>) {
        let mut waiting = self.lock();
        if waiting.is_empty() {
            return;
        }
        for (leaf, id) in placed {
            for sender in waiting.remove(&id).into_iter().flatten() {
                // Whoever does not wait any more needs no answer.
                let _ = sender.send(leaf);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TransactionId, Vec<oneshot::Sender<LeafIndex>>>> {
        // Every change is a single insertion or removal.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for one transaction. Dropping it ends the waiting.
pub struct Awaiting {
    store: Store,
    id: TransactionId,
    answer: Option<oneshot::Receiver<LeafIndex>>,
}

impl Awaiting {
    /// Resolves when the transaction is committed after the waiting began. One that stood on the
    /// log before must be looked up with [`Store::find`]; look after beginning to wait.
    pub async fn committed(&mut self) -> LeafIndex {
        if let Some(answer) = self.answer.as_mut()
            && let Ok(leaf) = answer.await
        {
            self.answer = None;
            return leaf;
        }
        // Answered before, and asked again: nothing more will come.
        std::future::pending().await
    }
}

impl Drop for Awaiting {
    fn drop(&mut self) {
        if self.answer.take().is_none() {
            return;
        }
        let mut waiting = self.store.shared.awaited.lock();
        if let Some(senders) = waiting.get_mut(&self.id) {
            senders.retain(|sender| !sender.is_closed());
            if senders.is_empty() {
                waiting.remove(&self.id);
            }
        }
    }
}

impl Store {
    /// Begins to wait for a transaction.
    #[must_use]
    pub fn await_transaction(&self, id: TransactionId) -> Awaiting {
        let (sender, answer) = oneshot::channel();
        self.shared.awaited.lock().entry(id).or_default().push(sender);
        Awaiting { store: self.clone(), id, answer: Some(answer) }
    }

    /// How many wait; for tests and metrics.
    #[must_use]
    pub fn awaited_transactions(&self) -> usize {
        self.shared.awaited.lock().len()
    }
}
