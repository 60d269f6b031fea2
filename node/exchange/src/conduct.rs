//! How a peer behaves: what it sends a second, and what it sent that no honest node would.

use crate::config::PeerLimits;
use std::time::{Duration, Instant};

/// What a peer did wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Bytes that are no batch.
    Malformed,
    /// A transaction whose refusal follows from its bytes alone.
    Transaction,
    /// More than its rate.
    Rate,
}

impl Fault {
    const fn points(self) -> u32 {
        match self {
            Self::Malformed => 10,
            Self::Transaction => 5,
            Self::Rate => 1,
        }
    }
}

/// Lets through a rate, and twice as much of it at once.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    per_s: u64,
    thousandths: u64,
    filled: Instant,
}

impl Bucket {
    fn new(per_s: u32, now: Instant) -> Self {
        let per_s = u64::from(per_s);
        Self { per_s, thousandths: per_s.saturating_mul(2_000), filled: now }
    }

    fn take(&mut self, amount: usize, now: Instant) -> bool {
        let elapsed_ms = milliseconds(now.saturating_duration_since(self.filled));
        if elapsed_ms > 0 {
            self.filled = now;
            let full = self.per_s.saturating_mul(2_000);
            let gained = self.per_s.saturating_mul(elapsed_ms);
            self.thousandths = self.thousandths.saturating_add(gained).min(full);
        }
        let cost = u64::try_from(amount).unwrap_or(u64::MAX).saturating_mul(1_000);
        match self.thousandths.checked_sub(cost) {
            Some(rest) => {
                self.thousandths = rest;
                true
            }
            None => false,
        }
    }
}

/// One peer's record; kept while it is a member, connected or not.
#[derive(Debug)]
pub(crate) struct Conduct {
    limits: PeerLimits,
    bytes: Bucket,
    transactions: Bucket,
    refusals: Bucket,
    letters: Bucket,
    points: u32,
    forgiven: Instant,
    waiting_bytes: usize,
    cut_off_until: Option<Instant>,
}

impl Conduct {
    pub(crate) fn new(limits: PeerLimits, now: Instant) -> Self {
        Self {
            limits,
            bytes: Bucket::new(limits.bytes_per_s, now),
            transactions: Bucket::new(limits.transactions_per_s, now),
            refusals: Bucket::new(limits.refusals_per_s, now),
            letters: Bucket::new(limits.letters_per_s, now),
            points: 0,
            forgiven: now,
            waiting_bytes: 0,
            cut_off_until: None,
        }
    }

    /// Whether a batch of this size is within the rate.
    pub(crate) fn admit(&mut self, bytes: usize, transactions: usize, now: Instant) -> bool {
        self.bytes.take(bytes, now) && self.transactions.take(transactions, now)
    }

    /// Whether a letter of this size is within the rates.
    pub(crate) fn admit_letter(&mut self, bytes: usize, now: Instant) -> bool {
        self.bytes.take(bytes, now) && self.letters.take(1, now)
    }

    /// Whether so many transactions that were verified in vain are within the rate.
    pub(crate) fn waste(&mut self, transactions: u64, now: Instant) -> bool {
        self.refusals.take(usize::try_from(transactions).unwrap_or(usize::MAX), now)
    }

    /// Whether a batch of this size may wait to be judged; if so, it is counted.
    pub(crate) fn enqueue(&mut self, bytes: usize) -> bool {
        let waiting = self.waiting_bytes.saturating_add(bytes);
        if waiting > self.limits.waiting_bytes {
            return false;
        }
        self.waiting_bytes = waiting;
        true
    }

    pub(crate) fn dequeue(&mut self, bytes: usize) {
        self.waiting_bytes = self.waiting_bytes.saturating_sub(bytes);
    }

    /// Counts a fault; true when the peer is to be cut off now.
    pub(crate) fn blame(&mut self, fault: Fault, now: Instant) -> bool {
        let forgiven_s = now.saturating_duration_since(self.forgiven).as_secs();
        if forgiven_s > 0 {
            self.forgiven = now;
            let points = u32::try_from(forgiven_s).unwrap_or(u32::MAX);
            self.points = self.points.saturating_sub(points);
        }
        self.points = self.points.saturating_add(fault.points());
        if self.points < self.limits.fault_points || self.cut_off_until.is_some() {
            return false;
        }
        self.points = 0;
        self.cut_off_until = now.checked_add(self.limits.cut_off);
        true
    }

    pub(crate) fn is_cut_off(&self) -> bool {
        self.cut_off_until.is_some()
    }

    /// Whether the time away has just ended.
    pub(crate) fn readmit(&mut self, now: Instant) -> bool {
        self.cut_off_until.take_if(|until| *until <= now).is_some()
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
