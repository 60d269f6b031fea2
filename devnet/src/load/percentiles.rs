//! Exact percentiles by nearest rank over all measurements.

use std::time::Duration;

/// Percentiles of commit times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Percentiles {
    pub(crate) p50: Duration,
    pub(crate) p95: Duration,
    pub(crate) p99: Duration,
    pub(crate) max: Duration,
}

impl Percentiles {
    /// Of all measurements; zero without any.
    pub(crate) fn of(mut measured: Vec<Duration>) -> Self {
        measured.sort_unstable();
        let rank = |percent: usize| {
            // The smallest measurement that at least so many percent do not exceed.
            let rank = measured.len().saturating_mul(percent).div_ceil(100);
            measured.get(rank.saturating_sub(1)).copied().unwrap_or_default()
        };
        Self { p50: rank(50), p95: rank(95), p99: rank(99), max: rank(100) }
    }
}

#[cfg(test)]
mod tests;
