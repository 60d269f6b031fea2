//! The pool itself: who waits, in what order, within which shares. Refuses what exceeds a member's
//! share or the pool. Nothing in it depends on the iteration order of a hash map, so that equal
//! calls give equal answers.

#[cfg(test)]
mod tests;

use crate::limits::{Limits, Usage};
use crate::selection::{self, Space};
use bytes::Bytes;
use heatmark_ledger::ids::{MemberId, TransactionId, UnixMillis};
use heatmark_ledger::transaction::Transaction;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use thiserror::Error;
use tokio::sync::watch;

/// Why the pool does not take a transaction. Transient: submit again after the next blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum MempoolError {
    /// The pool is full of others' transactions. The node is overloaded; wait and submit again.
    #[error("the pool is full")]
    Full,
    /// The member has as many transactions waiting as it may. It should slow down.
    #[error("the member has too many transactions waiting")]
    MemberQuota,
}

/// What inserting did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// The transaction waits now.
    New,
    /// A transaction with this id waits already.
    Known,
}

/// A bounded pool of verified transactions. All methods take a short lock and never block on
/// anything else.
#[derive(Debug)]
pub struct Mempool {
    limits: Limits,
    pool: Mutex<Pool>,
    length: watch::Sender<u64>,
}

#[derive(Debug)]
struct Entry {
    transaction: Arc<Transaction>,
    member: MemberId,
    sequence: u64,
}

/// One member's waiting transactions, each queue in order of arrival.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    pub(crate) alerts: BTreeMap<u64, Arc<Transaction>>,
    pub(crate) ordinary: BTreeMap<u64, Arc<Transaction>>,
    alert_usage: Usage,
    ordinary_usage: Usage,
}

#[derive(Debug, Default)]
struct Pool {
    entries: HashMap<TransactionId, Entry>,
    by_bytes: HashMap<Bytes, TransactionId>,
    by_sequence: BTreeMap<u64, TransactionId>,
    /// `not_after_ms` and sequence.
    by_deadline: BTreeSet<(u64, u64)>,
    /// Only members with something waiting.
    members: BTreeMap<MemberId, Queues>,
    total: Usage,
    ordinary: Usage,
    next_sequence: u64,
    /// The member served last; the next selection begins after it.
    last_served: Option<MemberId>,
}

impl Default for Mempool {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Mempool {
    /// An empty pool.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self { limits, pool: Mutex::default(), length: watch::Sender::new(0) }
    }

    /// The pool's limits.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Takes a transaction whose signatures are verified, on the share of `member`, its signer.
    ///
    /// # Errors
    /// [`MempoolError`] when it exceeds the member's share or the pool.
    pub fn insert(
        &self,
        transaction: Arc<Transaction>,
        member: MemberId,
    ) -> Result<Inserted, MempoolError> {
        let mut pool = self.lock();
        if pool.entries.contains_key(&transaction.id()) {
            return Ok(Inserted::Known);
        }
        let cost = Usage::of(transaction.bytes().len());
        pool.check_room(&self.limits, &member, transaction.is_alert(), cost)?;
        pool.add(transaction, member, cost);
        self.announce(&pool);
        Ok(Inserted::New)
    }

    /// Whether a transaction of this kind and size would be taken now.
    ///
    /// # Errors
    /// [`MempoolError`] when it exceeds the member's share or the pool.
    pub fn check_room(
        &self,
        member: &MemberId,
        is_alert: bool,
        bytes: usize,
    ) -> Result<(), MempoolError> {
        self.lock().check_room(&self.limits, member, is_alert, Usage::of(bytes))
    }

    /// Transactions for the next block, at most `max_transactions` of at most `max_bytes` envelope
    /// bytes, of which `reserved_alert_bytes` serve alerts and acknowledgements only. These come
    /// first; then whoever has had the fewest bytes in this selection is served next, so members
    /// share a block evenly; what one member sent stays in order. Nothing leaves the pool.
    /// O(selected), and one visit a member.
    #[must_use]
    pub fn select(
        &self,
        max_transactions: usize,
        max_bytes: usize,
        reserved_alert_bytes: usize,
    ) -> Vec<Arc<Transaction>> {
        let mut pool = self.lock();
        let reserved = reserved_alert_bytes.min(max_bytes);
        let space = Space {
            transactions: max_transactions,
            reserved_bytes: reserved,
            open_bytes: max_bytes.saturating_sub(reserved),
        };
        let selected = selection::select(pool.in_turn(), space);
        if selected.last_served.is_some() {
            pool.last_served = selected.last_served;
        }
        selected.transactions
    }

    /// Takes out what a decided block contains.
    pub fn remove(&self, ids: impl IntoIterator<Item = TransactionId>) {
        let mut pool = self.lock();
        for id in ids {
            pool.take_out(&id);
        }
        self.announce(&pool);
    }

    /// Takes out one transaction that execution refused for good. One that is only too early
    /// ([`heatmark_ledger::refusal::Refusal::TooEarly`]) should stay.
    pub fn discard(&self, id: &TransactionId) {
        self.remove([*id]);
    }

    /// Takes out what is late at this block time, and says how many there were.
    pub fn expire(&self, block_time: UnixMillis) -> usize {
        let mut pool = self.lock();
        let mut expired = 0usize;
        while let Some((not_after_ms, sequence)) = pool.by_deadline.first().copied() {
            if not_after_ms > block_time.0 {
                break;
            }
            match pool.by_sequence.get(&sequence).copied() {
                Some(id) => pool.take_out(&id),
                None => drop(pool.by_deadline.pop_first()),
            }
            expired = expired.saturating_add(1);
        }
        if expired > 0 {
            self.announce(&pool);
        }
        expired
    }

    /// Whether a transaction waits.
    #[must_use]
    pub fn contains(&self, id: &TransactionId) -> bool {
        self.lock().entries.contains_key(id)
    }

    /// A waiting transaction.
    #[must_use]
    pub fn get(&self, id: &TransactionId) -> Option<Arc<Transaction>> {
        self.lock().entries.get(id).map(|entry| Arc::clone(&entry.transaction))
    }

    /// The waiting transaction with exactly these envelope bytes. Its form and signatures are
    /// verified already, so a block's transaction found here need not be read again.
    #[must_use]
    pub fn lookup(&self, envelope: &[u8]) -> Option<Arc<Transaction>> {
        let pool = self.lock();
        let entry = pool.entries.get(pool.by_bytes.get(envelope)?)?;
        Some(Arc::clone(&entry.transaction))
    }

    /// Id and member of the waiting transaction with exactly these envelope bytes.
    pub(crate) fn known(&self, envelope: &[u8]) -> Option<(TransactionId, MemberId)> {
        let pool = self.lock();
        let id = *pool.by_bytes.get(envelope)?;
        Some((id, pool.entries.get(&id)?.member))
    }

    /// Arrival number that the next transaction gets; they only grow.
    #[must_use]
    pub fn next_sequence(&self) -> u64 {
        self.lock().next_sequence
    }

    /// Waiting transactions whose arrival numbers are in `from..before`, oldest first, at most
    /// `limit`: what to announce again.
    #[must_use]
    pub fn arrived(&self, from: u64, before: u64, limit: usize) -> Vec<(u64, Arc<Transaction>)> {
        let pool = self.lock();
        if from >= before {
            return Vec::new();
        }
        pool.by_sequence
            .range(from..before)
            .filter_map(|(sequence, id)| {
                Some((*sequence, Arc::clone(&pool.entries.get(id)?.transaction)))
            })
            .take(limit)
            .collect()
    }

    /// Transactions waiting.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().total.transactions
    }

    /// Envelope bytes waiting.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.lock().total.bytes
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of waiting transactions, to be awaited: `wait_for(|waiting| *waiting > 0)`.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.length.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Pool> {
        // No code that can panic runs between two changes that belong together.
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Called under the lock, so that the announced lengths come in order.
    fn announce(&self, pool: &Pool) {
        let waiting = u64::try_from(pool.total.transactions).unwrap_or(u64::MAX);
        self.length.send_if_modified(|length| std::mem::replace(length, waiting) != waiting);
    }
}

impl Pool {
    fn check_room(
        &self,
        limits: &Limits,
        member: &MemberId,
        is_alert: bool,
        cost: Usage,
    ) -> Result<(), MempoolError> {
        let queues = self.members.get(member);
        let (held, quota) = if is_alert {
            (queues.map(|queues| queues.alert_usage), limits.member_alerts())
        } else {
            (queues.map(|queues| queues.ordinary_usage), limits.member())
        };
        if !held.unwrap_or_default().plus(cost).fits(quota) {
            return Err(MempoolError::MemberQuota);
        }
        let room = self.total.plus(cost).fits(limits.total())
            && (is_alert || self.ordinary.plus(cost).fits(limits.ordinary()));
        if room { Ok(()) } else { Err(MempoolError::Full) }
    }

    fn add(&mut self, transaction: Arc<Transaction>, member: MemberId, cost: Usage) {
        let id = transaction.id();
        let sequence = self.next_sequence;
        self.next_sequence = sequence.saturating_add(1);
        let queues = self.members.entry(member).or_default();
        if transaction.is_alert() {
            queues.alerts.insert(sequence, Arc::clone(&transaction));
            queues.alert_usage = queues.alert_usage.plus(cost);
        } else {
            queues.ordinary.insert(sequence, Arc::clone(&transaction));
            queues.ordinary_usage = queues.ordinary_usage.plus(cost);
            self.ordinary = self.ordinary.plus(cost);
        }
        self.total = self.total.plus(cost);
        self.by_bytes.insert(transaction.bytes().clone(), id);
        self.by_sequence.insert(sequence, id);
        self.by_deadline.insert((transaction.body().not_after_ms, sequence));
        self.entries.insert(id, Entry { transaction, member, sequence });
    }

    fn take_out(&mut self, id: &TransactionId) {
        let Some(Entry { transaction, member, sequence }) = self.entries.remove(id) else {
            return;
        };
        let cost = Usage::of(transaction.bytes().len());
        self.by_bytes.remove(transaction.bytes());
        self.by_sequence.remove(&sequence);
        self.by_deadline.remove(&(transaction.body().not_after_ms, sequence));
        self.total = self.total.minus(cost);
        if !transaction.is_alert() {
            self.ordinary = self.ordinary.minus(cost);
        }
        let Some(queues) = self.members.get_mut(&member) else {
            return;
        };
        if queues.alerts.remove(&sequence).is_some() {
            queues.alert_usage = queues.alert_usage.minus(cost);
        }
        if queues.ordinary.remove(&sequence).is_some() {
            queues.ordinary_usage = queues.ordinary_usage.minus(cost);
        }
        if queues.alerts.is_empty() && queues.ordinary.is_empty() {
            self.members.remove(&member);
        }
    }

    /// Members with something waiting, beginning after the one served last.
    fn in_turn(&self) -> impl Iterator<Item = (&MemberId, &Queues)> {
        let (after, upto) = match &self.last_served {
            None => (Bound::Unbounded, None),
            Some(last) => (Bound::Excluded(last), Some(last)),
        };
        let rest = upto.map(|last| self.members.range(..=last)).into_iter().flatten();
        self.members.range((after, Bound::Unbounded)).chain(rest)
    }
}
