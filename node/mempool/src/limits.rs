//! How much a pool holds, and how much of that one member may hold. Specification:
//! `proto/README.md`, section 3 (quota, reserved space for alerts).

/// Limits of a pool. Bytes are envelope bytes; a pooled transaction takes about three times as
/// many in memory, and 1 KiB more, so that a pool full to [`Limits::default`] stays below 64 MiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most transactions of all kinds.
    pub max_transactions: usize,
    /// Most bytes of all kinds.
    pub max_bytes: usize,
    /// Most transactions of one member, alerts and acknowledgements apart.
    pub max_member_transactions: usize,
    /// Most bytes of one member, alerts and acknowledgements apart.
    pub max_member_bytes: usize,
    /// Transactions of [`Limits::max_transactions`] that only alerts and acknowledgements may use;
    /// at most half.
    pub reserved_alert_transactions: usize,
    /// Bytes of [`Limits::max_bytes`] that only alerts and acknowledgements may use; at most half.
    pub reserved_alert_bytes: usize,
    /// Most alerts and acknowledgements of one member.
    pub max_member_alert_transactions: usize,
    /// Most bytes of alerts and acknowledgements of one member.
    pub max_member_alert_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_transactions: 16_384,
            max_bytes: 10 * 1024 * 1024,
            max_member_transactions: 6_144,
            max_member_bytes: 3 * 1024 * 1024,
            reserved_alert_transactions: 4_096,
            reserved_alert_bytes: 2 * 1024 * 1024,
            max_member_alert_transactions: 1_024,
            max_member_alert_bytes: 512 * 1024,
        }
    }
}

/// Transactions and bytes, counted together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) transactions: usize,
    pub(crate) bytes: usize,
}

impl Usage {
    pub(crate) const fn of(bytes: usize) -> Self {
        Self { transactions: 1, bytes }
    }

    pub(crate) const fn plus(self, other: Self) -> Self {
        Self {
            transactions: self.transactions.saturating_add(other.transactions),
            bytes: self.bytes.saturating_add(other.bytes),
        }
    }

    pub(crate) const fn minus(self, other: Self) -> Self {
        Self {
            transactions: self.transactions.saturating_sub(other.transactions),
            bytes: self.bytes.saturating_sub(other.bytes),
        }
    }

    pub(crate) const fn fits(self, limit: Self) -> bool {
        self.transactions <= limit.transactions && self.bytes <= limit.bytes
    }
}

impl Limits {
    pub(crate) const fn total(&self) -> Usage {
        Usage { transactions: self.max_transactions, bytes: self.max_bytes }
    }

    /// What everything but alerts and acknowledgements may use together: never less than half,
    /// however small the pool.
    pub(crate) fn ordinary(&self) -> Usage {
        self.total().minus(Usage {
            transactions: self.reserved_alert_transactions.min(self.max_transactions / 2),
            bytes: self.reserved_alert_bytes.min(self.max_bytes / 2),
        })
    }

    pub(crate) const fn member(&self) -> Usage {
        Usage { transactions: self.max_member_transactions, bytes: self.max_member_bytes }
    }

    pub(crate) const fn member_alerts(&self) -> Usage {
        Usage {
            transactions: self.max_member_alert_transactions,
            bytes: self.max_member_alert_bytes,
        }
    }
}
