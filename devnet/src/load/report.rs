//! The figures of a run, for machines.

use super::percentiles::Percentiles;
use super::{Spent, What};
use serde_json::{Value, json};
use std::time::Duration;

/// What was measured.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    pub(crate) validators: usize,
    pub(crate) clients: u32,
    pub(crate) batch: u32,
    /// From the first submission to the last receipt.
    pub(crate) seconds: Duration,
    /// Committed, with verified receipts, warm-up not counted.
    pub(crate) transactions: u64,
    pub(crate) commits: Vec<Duration>,
    pub(crate) errors: u64,
    pub(crate) what: What,
    pub(crate) spent: Spent,
    /// By how much the data of the node that grew most have grown; none when nobody stopped it.
    pub(crate) disk_bytes: Option<u64>,
    pub(crate) rss_bytes_max: u64,
}

impl Report {
    /// The report. Every block is synced before it counts; nodes have no setting against it.
    pub(crate) fn json(&self) -> Value {
        let seconds = self.seconds.as_secs_f64().max(f64::EPSILON);
        let transactions = float(self.transactions);
        let records = transactions * f64::from(self.batch);
        let commit = Percentiles::of(self.commits.clone());
        let ms = |time: Duration| rounded(time.as_secs_f64() * 1_000.0);
        // The transactions of the warm-up lie on disk as well, one a client.
        let stored = transactions + f64::from(self.clients);
        let disk = self.disk_bytes.filter(|_| self.transactions > 0).map(float);
        let each = |spent: Duration| rounded(spent.as_secs_f64() * 1e6 / transactions.max(1.0));
        json!({
            "what": match self.what { What::Anchors => "anchors", What::Alerts => "alerts" },
            "validators": self.validators,
            "clients": self.clients,
            "batch": self.batch,
            "fsync": true,
            "seconds": rounded(seconds),
            "tx_per_s": rounded(transactions / seconds),
            "records_per_s": rounded(records / seconds),
            "commit_ms": {
                "p50": ms(commit.p50),
                "p95": ms(commit.p95),
                "p99": ms(commit.p99),
                "max": ms(commit.max),
            },
            "errors": self.errors,
            "cpu_us_per_tx": {
                "nodes": each(self.spent.nodes),
                "clients": each(self.spent.clients),
            },
            "disk_bytes_per_tx": disk.map(|bytes| rounded(bytes / stored)),
            "disk_bytes_per_record": disk.map(|bytes| rounded(bytes / (stored * f64::from(self.batch)))),
            "rss_bytes_max": self.rss_bytes_max,
        })
    }
}

fn float(count: u64) -> f64 {
    // Exact up to 2^53, far beyond any run.
    f64::from(u32::try_from(count >> 32).unwrap_or(u32::MAX)) * 4_294_967_296.0
        + f64::from(u32::try_from(count & 0xffff_ffff).unwrap_or(u32::MAX))
}

fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}
