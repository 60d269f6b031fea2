//! What becomes of a batch from its arrival to its verdict. Judging runs on threads of its own, so
//! that signatures never hold up the network. Drops what is above a peer's rate and what would wait
//! beyond a peer's or everybody's bound.

use crate::batch;
use crate::conduct::Fault;
use crate::judge::{self, Judgement};
use crate::service::Service;
use bytes::Bytes;
use libp2p::PeerId;
use libp2p::gossipsub::{MessageAcceptance, MessageId};
use std::sync::Arc;
use std::time::Instant;

/// Bytes of all peers that may wait to be judged.
const MAX_WAITING_BYTES: usize = 16 * 1024 * 1024;

/// A batch that waits to be judged.
pub(crate) struct Received {
    pub(crate) id: MessageId,
    pub(crate) from: PeerId,
    pub(crate) transactions: Vec<Bytes>,
    pub(crate) bytes: usize,
}

impl Service {
    pub(crate) fn on_batch(&mut self, id: MessageId, from: PeerId, data: Bytes) {
        let now = Instant::now();
        let bytes = data.len();
        self.metrics.received(bytes);
        let transactions = match batch::decode(data) {
            Ok(transactions) => transactions,
            Err(error) => {
                tracing::warn!(member = self.name(&from), %error, "a peer sent a malformed batch");
                self.metrics.received_batch("malformed");
                self.blame(&from, Fault::Malformed, now);
                return self.report(&id, &from, MessageAcceptance::Reject);
            }
        };
        let Some(conduct) = self.conduct.get_mut(&from) else {
            return self.report(&id, &from, MessageAcceptance::Ignore);
        };
        if !conduct.admit(bytes, transactions.len(), now) {
            self.metrics.received_batch("above_rate");
            self.blame(&from, Fault::Rate, now);
            return self.report(&id, &from, MessageAcceptance::Ignore);
        }
        let room = self.waiting_bytes.saturating_add(bytes) <= MAX_WAITING_BYTES;
        if !room || !conduct.enqueue(bytes) {
            self.metrics.received_batch("crowded_out");
            return self.report(&id, &from, MessageAcceptance::Ignore);
        }
        self.waiting_bytes = self.waiting_bytes.saturating_add(bytes);
        self.waiting.push_back(Received { id, from, transactions, bytes });
        self.judge_next();
    }

    pub(crate) fn judge_next(&mut self) {
        while self.judging.len() < self.config.judging_threads.max(1) {
            let Some(received) = self.waiting.pop_front() else {
                return;
            };
            let (intake, tip) = (Arc::clone(&self.intake), Arc::clone(&self.feed.tip));
            self.judging.spawn_blocking(move || {
                let judgement = judge::judge(&intake, &received.transactions, tip());
                (received, judgement)
            });
        }
    }

    pub(crate) fn on_judged(&mut self, received: &Received, judgement: &Judgement) {
        self.waiting_bytes = self.waiting_bytes.saturating_sub(received.bytes);
        if let Some(conduct) = self.conduct.get_mut(&received.from) {
            conduct.dequeue(received.bytes);
        }
        let fresh = u64::try_from(judgement.fresh.len()).unwrap_or(u64::MAX);
        self.metrics.received_transactions("fresh", fresh);
        self.metrics.received_transactions("known", judgement.known);
        self.metrics.received_transactions("refused", judgement.refused);
        self.metrics.received_transactions("no_room", judgement.no_room);
        let now = Instant::now();
        let wasted = judgement.verified_in_vain;
        let conduct = self.conduct.get_mut(&received.from);
        if wasted > 0 && conduct.is_some_and(|conduct| !conduct.waste(wasted, now)) {
            self.metrics.received_batch("wasteful");
            self.blame(&received.from, Fault::Rate, now);
        }
        if let Some(error) = &judgement.broken {
            tracing::error!(%error, "a transaction cannot be judged");
        }
        if let Some(refusal) = judgement.fault {
            let (member, reason) = (self.name(&received.from), refusal.code());
            tracing::warn!(member, reason, "a peer passed on an invalid transaction");
            self.metrics.received_transactions("faulty", 1);
            self.metrics.received_batch("faulty");
            self.blame(&received.from, Fault::Transaction, now);
            self.report(&received.id, &received.from, MessageAcceptance::Reject);
        } else if judgement.forwards() {
            self.metrics.received_batch("forwarded");
            return self.report(&received.id, &received.from, MessageAcceptance::Accept);
        } else {
            self.metrics.received_batch("kept");
            self.report(&received.id, &received.from, MessageAcceptance::Ignore);
        }
        // What was taken goes on without the rest of its batch.
        for id in &judgement.fresh {
            if let Some(transaction) = self.intake.mempool().get(id) {
                self.send(transaction.bytes().clone());
            }
        }
        self.flush();
    }

    fn report(&mut self, id: &MessageId, from: &PeerId, acceptance: MessageAcceptance) {
        let gossip = &mut self.swarm.behaviour_mut().gossip;
        // False when gossip has let go of the message meanwhile: it is not forwarded then.
        let _ = gossip.report_message_validation_result(id, from, acceptance);
    }
}
