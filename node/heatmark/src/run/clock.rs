//! The wall clock, read in one place, and compared with those of the other validators: block times
//! are theirs. One proposer's clock may be wrong; when those of most differ from ours in one
//! direction, ours is.

use heatmark_ledger::header::Header;
use heatmark_ledger::ids::UnixMillis;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Proposers whose newest difference is kept.
const MAX_PROPOSERS: usize = 256;

/// How often the same warning is repeated.
const REPEAT: Duration = Duration::from_secs(60);

/// Milliseconds since 1970; 0 on a clock set before that.
#[must_use]
pub(super) fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// What the others' block times say of this machine's clock.
#[derive(Debug)]
pub(super) struct ClockWatch {
    seen: Mutex<Seen>,
    gauge: Gauge,
}

#[derive(Debug, Default)]
struct Seen {
    /// By proposer: our clock minus the block's time, when its last fresh block arrived.
    differences_ms: BTreeMap<[u8; 32], i64>,
    warned: Option<Instant>,
}

/// What there is to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum News {
    Nothing,
    Off,
    RightAgain,
}

impl ClockWatch {
    /// Registers its metric under `heatmark_`.
    pub(super) fn register(registry: &mut Registry) -> Self {
        let gauge = Gauge::default();
        registry.sub_registry_with_prefix("heatmark").register(
            "clock_difference_milliseconds",
            "This machine's clock minus the time of blocks as others propose them; 0 until known",
            gauge.clone(),
        );
        Self { seen: Mutex::default(), gauge }
    }

    /// Notes a block that another validator proposed just now, with the time of the block before
    /// and of our clock. A time that only had to exceed the previous block's says nothing about a
    /// clock.
    pub(super) fn proposed(
        &self,
        proposer: [u8; 32],
        header: &Header,
        (previous, now): (UnixMillis, UnixMillis),
        skew_ms: u64,
    ) {
        if header.time.0 <= previous.0.saturating_add(1) {
            return;
        }
        let difference_ms = difference(now, header.time);
        let (median_ms, news) = {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.note(proposer, difference_ms, skew_ms, Instant::now())
        };
        self.gauge.set(median_ms);
        match news {
            News::Nothing => {}
            News::Off => tracing::warn!(
                difference_ms = median_ms,
                permitted_ms = skew_ms,
                "this machine's clock differs from the other validators'; set it right, or blocks \
                 proposed here are refused"
            ),
            News::RightAgain => {
                tracing::info!(difference_ms = median_ms, "this machine's clock is right again");
            }
        }
    }
}

impl Seen {
    fn note(
        &mut self,
        proposer: [u8; 32],
        difference_ms: i64,
        skew_ms: u64,
        at: Instant,
    ) -> (i64, News) {
        if self.differences_ms.len() >= MAX_PROPOSERS {
            self.differences_ms.clear();
        }
        self.differences_ms.insert(proposer, difference_ms);
        let median_ms = median(self.differences_ms.values().copied().collect());
        let off = median_ms.unsigned_abs() > skew_ms.checked_div(2).unwrap_or(skew_ms);
        let news = match (off, self.warned) {
            (true, Some(before)) if at.saturating_duration_since(before) < REPEAT => News::Nothing,
            (true, _) => {
                self.warned = Some(at);
                News::Off
            }
            (false, Some(_)) => {
                self.warned = None;
                News::RightAgain
            }
            (false, None) => News::Nothing,
        };
        (median_ms, news)
    }
}

fn difference(ours: UnixMillis, theirs: UnixMillis) -> i64 {
    let signed = |ms: u64| i64::try_from(ms).unwrap_or(i64::MAX);
    signed(ours.0).saturating_sub(signed(theirs.0))
}

/// The middle one; of two middle ones the one nearer to zero, so that half of the proposers alone
/// never make a clock wrong.
fn median(mut values: Vec<i64>) -> i64 {
    values.sort_unstable();
    let upper = values.len().wrapping_div(2);
    let lower = values.len().saturating_sub(1).wrapping_div(2);
    let of = |index: usize| values.get(index).copied().unwrap_or(0);
    if of(lower).unsigned_abs() <= of(upper).unsigned_abs() { of(lower) } else { of(upper) }
}

#[cfg(test)]
mod tests;
