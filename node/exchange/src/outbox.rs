//! Collects transactions into batches: one that comes after a pause leaves at once, those that
//! follow closely leave together.

use crate::batch::{FRAMING_BYTES, MAX_BATCH_BYTES};
use bytes::Bytes;
use std::time::{Duration, Instant};

/// Transactions in a batch that leaves at once.
const FULL_TRANSACTIONS: usize = 50;

/// How soon after the last batch the next one leaves, full or not.
const LINGER: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(crate) struct Outbox {
    waiting: Vec<Bytes>,
    bytes: usize,
    quiet_until: Instant,
}

impl Outbox {
    pub(crate) fn new(now: Instant) -> Self {
        Self { waiting: Vec::new(), bytes: 0, quiet_until: now }
    }

    /// Adds a transaction; returns the batch before it when both do not fit one.
    pub(crate) fn push(&mut self, transaction: Bytes, now: Instant) -> Option<Vec<Bytes>> {
        let bytes = transaction.len().saturating_add(FRAMING_BYTES);
        let over = self.bytes.saturating_add(bytes) > MAX_BATCH_BYTES;
        let full = self.waiting.len() >= FULL_TRANSACTIONS;
        let batch = (over || full).then(|| self.take(now));
        self.waiting.push(transaction);
        self.bytes = self.bytes.saturating_add(bytes);
        batch
    }

    /// When the waiting batch should leave.
    pub(crate) fn due(&self) -> Option<Instant> {
        (!self.waiting.is_empty()).then_some(self.quiet_until)
    }

    /// The waiting batch, if it should leave now.
    pub(crate) fn ready(&mut self, now: Instant) -> Option<Vec<Bytes>> {
        let full = self.waiting.len() >= FULL_TRANSACTIONS;
        let due = self.due().is_some_and(|due| due <= now);
        (full || due).then(|| self.take(now))
    }

    fn take(&mut self, now: Instant) -> Vec<Bytes> {
        self.quiet_until = now.checked_add(LINGER).unwrap_or(now);
        self.bytes = 0;
        std::mem::take(&mut self.waiting)
    }
}
