//! What the exchange counts. Labels are fixed words, never a peer's own.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Metrics {
    peers: Gauge,
    received_bytes: Counter,
    received_batches: Family<Outcome, Counter>,
    received_transactions: Family<Outcome, Counter>,
    sent_batches: Family<Outcome, Counter>,
    sent_transactions: Counter,
    announced_again: Counter,
    dials: Counter,
    refused_connections: Counter,
    cut_off: Counter,
    hung_up: Counter,
    received_letters: Family<Outcome, Counter>,
    sent_letters: Family<Outcome, Counter>,
}

impl Metrics {
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let to = registry.sub_registry_with_prefix("exchange");
        to.register("peers", "Peers connected and taking part in gossip", metrics.peers.clone());
        to.register_with_unit(
            "received",
            "Gossip received",
            Unit::Bytes,
            metrics.received_bytes.clone(),
        );
        to.register(
            "received_batches",
            "Batches received: forwarded, kept, faulty, malformed, above the rate, wasteful, or crowded out",
            metrics.received_batches.clone(),
        );
        to.register(
            "received_transactions",
            "Transactions received: fresh, known, refused, faulty, or without room in the pool",
            metrics.received_transactions.clone(),
        );
        to.register(
            "sent_batches",
            "Batches sent: sent, alone (no peer), duplicate, or dropped (queues full)",
            metrics.sent_batches.clone(),
        );
        to.register(
            "sent_transactions",
            "Transactions sent, those announced again included",
            metrics.sent_transactions.clone(),
        );
        to.register(
            "announced_again_transactions",
            "Transactions announced again since they still waited",
            metrics.announced_again.clone(),
        );
        to.register("dials", "Connections tried", metrics.dials.clone());
        to.register(
            "refused_connections",
            "Incoming connections that were refused or failed",
            metrics.refused_connections.clone(),
        );
        to.register(
            "received_letters",
            "Letters received: taken, put off, refused, above the rate, crowded out, or broken off",
            metrics.received_letters.clone(),
        );
        to.register(
            "sent_letters",
            "Letters sent: answered or unanswered",
            metrics.sent_letters.clone(),
        );
        to.register("cut_off_peers", "Peers cut off for their conduct", metrics.cut_off.clone());
        to.register(
            "hung_up_on_silent_peers",
            "Connections given up because the peer took no part in gossip",
            metrics.hung_up.clone(),
        );
        metrics
    }

    pub(crate) fn peers(&self, count: usize) {
        self.peers.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(crate) fn received(&self, bytes: usize) {
        self.received_bytes.inc_by(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    pub(crate) fn received_batch(&self, outcome: &'static str) {
        self.received_batches.get_or_create(&Outcome { outcome }).inc();
    }

    pub(crate) fn received_transactions(&self, outcome: &'static str, count: u64) {
        if count > 0 {
            self.received_transactions.get_or_create(&Outcome { outcome }).inc_by(count);
        }
    }

    pub(crate) fn sent_batch(&self, outcome: &'static str) {
        self.sent_batches.get_or_create(&Outcome { outcome }).inc();
    }

    pub(crate) fn sent_transactions(&self, count: usize) {
        self.sent_transactions.inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }

    pub(crate) fn announced_again(&self, count: usize) {
        self.announced_again.inc_by(u64::try_from(count).unwrap_or(u64::MAX));
    }

    pub(crate) fn dialled(&self) {
        self.dials.inc();
    }

    pub(crate) fn refused_connection(&self) {
        self.refused_connections.inc();
    }

    pub(crate) fn received_letter(&self, outcome: &'static str) {
        self.received_letters.get_or_create(&Outcome { outcome }).inc();
    }

    pub(crate) fn sent_letter(&self, outcome: &'static str) {
        self.sent_letters.get_or_create(&Outcome { outcome }).inc();
    }

    pub(crate) fn cut_off(&self) {
        self.cut_off.inc();
    }

    pub(crate) fn hung_up(&self) {
        self.hung_up.inc();
    }
}
