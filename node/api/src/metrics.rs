//! What the API counts. Labels come from fixed lists, so that no client can make the number of
//! series grow.

use heatmark_mempool::Mempool;
use heatmark_store::Store;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::time::Duration;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MethodLabels {
    method: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConnectionLabels {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    reason: &'static str,
}

/// The API's metrics. Clones share them.
#[derive(Debug, Clone)]
pub struct ApiMetrics {
    requests: Family<RequestLabels, Counter>,
    seconds: Family<MethodLabels, Histogram, fn() -> Histogram>,
    connections: Family<ConnectionLabels, Counter>,
    refusals: Family<RefusalLabels, Counter>,
    height: Gauge,
    log_leaves: Gauge,
    block_time_ms: Gauge,
    pool_transactions: Gauge,
    pool_bytes: Gauge,
    exchange_peers: Gauge,
    consensus_peers: Gauge,
}

fn seconds() -> Histogram {
    Histogram::new([0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0])
}

impl ApiMetrics {
    /// Makes the metrics and registers them under `heatmark_`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            seconds: Family::new_with_constructor(seconds),
            connections: Family::default(),
            refusals: Family::default(),
            height: Gauge::default(),
            log_leaves: Gauge::default(),
            block_time_ms: Gauge::default(),
            pool_transactions: Gauge::default(),
            pool_bytes: Gauge::default(),
            exchange_peers: Gauge::default(),
            consensus_peers: Gauge::default(),
        };
        let m = &metrics;
        let r = registry.sub_registry_with_prefix("heatmark");
        r.register("api_requests", "gRPC requests, by method and status", m.requests.clone());
        r.register(
            "api_request_seconds",
            "Time from a gRPC request to the head of its answer, in seconds",
            m.seconds.clone(),
        );
        r.register("api_connections", "Connections, by outcome", m.connections.clone());
        r.register("api_refusals", "Refused gRPC requests, by reason", m.refusals.clone());
        r.register("height", "Height of the newest block", m.height.clone());
        r.register("log_leaves", "Leaves on the log", m.log_leaves.clone());
        r.register(
            "block_time_milliseconds",
            "Time of the newest block, Unix milliseconds",
            m.block_time_ms.clone(),
        );
        r.register(
            "pool_transactions",
            "Transactions that wait for a block",
            m.pool_transactions.clone(),
        );
        r.register("pool_bytes", "Envelope bytes that wait for a block", m.pool_bytes.clone());
        r.register("exchange_peers", "Peers on the exchange network", m.exchange_peers.clone());
        r.register("consensus_peers", "Peers on the consensus network", m.consensus_peers.clone());
        metrics
    }

    pub(crate) fn request(&self, method: &'static str, status: &'static str, took: Duration) {
        self.requests.get_or_create(&RequestLabels { method, status }).inc();
        self.seconds.get_or_create(&MethodLabels { method }).observe(took.as_secs_f64());
    }

    pub(crate) fn connection(&self, outcome: &'static str) {
        self.connections.get_or_create(&ConnectionLabels { outcome }).inc();
    }

    pub(crate) fn refusal(&self, reason: Option<&'static str>) {
        if let Some(reason) = reason {
            self.refusals.get_or_create(&RefusalLabels { reason }).inc();
        }
    }

    /// Reads what is only looked at when somebody asks.
    pub(crate) fn refresh(&self, store: &Store, pool: &Mempool, peers: crate::PeerCounts) {
        let tip = store.tip();
        let gauge = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        self.height.set(gauge(tip.height.0));
        self.log_leaves.set(gauge(tip.log_size.0));
        self.block_time_ms.set(gauge(tip.time.0));
        self.pool_transactions.set(i64::try_from(pool.len()).unwrap_or(i64::MAX));
        self.pool_bytes.set(i64::try_from(pool.bytes()).unwrap_or(i64::MAX));
        self.exchange_peers.set(i64::from(peers.exchange_peers));
        self.consensus_peers.set(i64::from(peers.consensus_peers));
    }
}
