//! One organisation's node: the store, the pool with its door, and the chain, as the program puts
//! them together, on a disk that fails and under a clock that errs.

use crate::agreement::{Agreement, Context, Journal, Timer};
use crate::disk::Drive;
use crate::judge::Parts;
use crate::messages::Message;
use crate::town::{START_MS, Town};
use heatmark::run::Chain;
use heatmark_consensus::{Application, ApplicationError, Slot};
use heatmark_ledger::ids::{Height, Round, UnixMillis};
use heatmark_ledger::state::StateView;
use heatmark_ledger::transaction::Transaction;
use heatmark_mempool::{Accepted, Intake, IntakeError, Limits, Mempool, Tip};
use heatmark_store::{Store, StoreError};
use prost::bytes::Bytes;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use tokio::sync::mpsc;

/// A pool so small that it is full now and then.
pub const LIMITS: Limits = Limits {
    max_transactions: 24,
    max_bytes: 24 * 1024,
    max_member_transactions: 9,
    max_member_bytes: 12 * 1024,
    reserved_alert_transactions: 8,
    reserved_alert_bytes: 8 * 1024,
    max_member_alert_transactions: 4,
    max_member_alert_bytes: 4 * 1024,
};

/// True time, and by how much a replica's clock is wrong, milliseconds.
#[derive(Clone)]
pub struct Clock {
    pub true_ms: Arc<AtomicU64>,
    pub wrong_ms: Arc<AtomicI64>,
}

impl Clock {
    pub fn now(&self) -> UnixMillis {
        let now = START_MS + 1_000 + self.true_ms.load(Ordering::Relaxed);
        UnixMillis(now.saturating_add_signed(self.wrong_ms.load(Ordering::Relaxed)))
    }
}

/// What a process holds in memory.
pub struct Node {
    pub store: Store,
    pub mempool: Arc<Mempool>,
    intake: Intake,
    fresh: mpsc::Receiver<Arc<Transaction>>,
    pub chain: Rc<Chain>,
    pub agreement: Agreement,
    announced: u64,
}

/// A node, running or not, and what it stands on.
pub struct Replica {
    pub drive: Drive,
    pub journal: Journal,
    pub clock: Clock,
    pub node: Option<Node>,
    /// Counts starts: what was meant for an earlier process is not delivered.
    pub start: u64,
    pub silent_through: Height,
    /// A byte of its disk was flipped and it may not have noticed.
    pub damaged: bool,
}

/// Why a node did not start.
pub enum StartError {
    Store(StoreError),
    Application(ApplicationError),
}

impl Replica {
    pub fn new(town: &Town, true_ms: &Arc<AtomicU64>) -> Self {
        Self {
            drive: Drive::new(town.medium.clone()),
            journal: Journal::default(),
            clock: Clock { true_ms: Arc::clone(true_ms), wrong_ms: Arc::default() },
            node: None,
            start: 0,
            silent_through: Height(0),
            damaged: false,
        }
    }

    /// Opens the store and starts what stands on it. The judge is told before anything is signed.
    pub fn start(&mut self, town: &Town, context: &mut Context<'_>) -> Result<(), StartError> {
        let opened = self.drive.open().map_err(|error| StartError::Store(error.into()))?;
        let store = Store::open_on(opened, &town.genesis).map_err(StartError::Store)?;
        let mempool = Arc::new(Mempool::new(LIMITS));
        let view: Arc<dyn StateView + Send + Sync> = Arc::new(store.clone());
        let (intake, fresh) = Intake::new(town.network(), Arc::clone(&mempool), view);
        let clock = self.clock.clone();
        let now: Arc<dyn Fn() -> UnixMillis + Send + Sync> = Arc::new(move || clock.now());
        let chain = Rc::new(Chain::new(store.clone(), Arc::clone(&mempool), Arc::clone(&now)));
        let parts = Parts { store: store.clone(), mempool: Arc::clone(&mempool), now };
        context.judge.running[context.me] = Some(parts);
        context.judge.restarted(context.me).map_err(StartError::Store)?;
        self.start += 1;
        let next = store.tip().height.next();
        for (round, value) in context.judge.slots(context.me, next) {
            let slot = Slot { height: next, round: Round(round), proposer: [0; 32] };
            let again = chain.propose(&slot).map_err(StartError::Application)?;
            assert_eq!(again.header_hash, value, "r{} proposes another block", context.me);
        }
        let agreement = Agreement::start(Rc::clone(&chain), &mut self.journal, context)
            .map_err(StartError::Application)?;
        self.node = Some(Node { store, mempool, intake, fresh, chain, agreement, announced: 0 });
        Ok(())
    }

    /// Takes a transaction from a client.
    pub fn submit(
        &mut self,
        bytes: &Bytes,
        context: &mut Context<'_>,
    ) -> Option<Result<Accepted, IntakeError>> {
        let tip = self.tip()?;
        let node = self.node.as_mut()?;
        let outcome = node.intake.submit(bytes.clone(), tip);
        node.chain.update_wants_block();
        let mut fresh = Vec::new();
        while let Ok(transaction) = node.fresh.try_recv() {
            fresh.push(transaction.bytes().clone());
        }
        if !fresh.is_empty() {
            let message = Rc::new(Message::Transactions(fresh));
            context.effects.push(crate::agreement::Effect::Broadcast(message));
        }
        context.judge.check_pool(context.me);
        Some(outcome)
    }

    fn tip(&self) -> Option<Tip> {
        let tip = self.node.as_ref()?.store.tip();
        let time = UnixMillis(tip.time.0.max(self.clock.now().0));
        Some(Tip { next: tip.height.next(), time, parent_time: tip.time })
    }

    /// Has what waits in the pool looked at.
    pub fn wake(&mut self, context: &mut Context<'_>) -> Result<(), ApplicationError> {
        let Some(node) = &mut self.node else { return Ok(()) };
        node.agreement.wake(false, &mut self.journal, context)
    }

    /// A message arrives.
    pub fn receive(
        &mut self,
        from: usize,
        message: &Message,
        context: &mut Context<'_>,
    ) -> Result<(), ApplicationError> {
        let tip = self.tip();
        let (Some(node), Some(tip)) = (&mut self.node, tip) else { return Ok(()) };
        let journal = &mut self.journal;
        match message {
            Message::Transactions(transactions) => {
                for bytes in transactions {
                    if let Err(error) = node.intake.receive(bytes, tip) {
                        let blames = Intake::is_senders_fault(&error);
                        assert!(!blames, "r{from} is blamed for what it took itself: {error}");
                        let by_disk = matches!(error, IntakeError::State(_));
                        assert!(!by_disk || self.drive.has_failed(), "{error}");
                    }
                }
                node.chain.update_wants_block();
                context.judge.check_pool(context.me);
                node.agreement.wake(false, journal, context)
            }
            Message::Proposal(proposal) => node.agreement.proposed(proposal, journal, context),
            Message::Parts(parts) => node.agreement.parts(parts, context),
            Message::Vote(vote) => node.agreement.voted(vote, journal, context),
            Message::Status(height) => {
                if *height >= node.agreement.height() {
                    let wanted = Rc::new(Message::Request(node.agreement.height()));
                    context.effects.push(crate::agreement::Effect::Send(from, wanted));
                }
                Ok(())
            }
            Message::Request(height) => node.agreement.serve(*height, from, context),
            Message::Blocks(blocks) => node.agreement.catch_up(blocks, journal, context),
        }
    }

    pub fn timed_out(
        &mut self,
        timer: Timer,
        context: &mut Context<'_>,
    ) -> Result<(), ApplicationError> {
        let Some(node) = &mut self.node else { return Ok(()) };
        node.agreement.timed_out(timer, &mut self.journal, context)
    }

    /// Now and then: says again what may have been lost, and announces what still waits.
    pub fn repeat(&mut self, context: &mut Context<'_>) -> Result<(), ApplicationError> {
        let Some(node) = &mut self.node else { return Ok(()) };
        node.agreement.repeat(&self.journal, context)?;
        // What was here at the last turn already had its time to be decided.
        let waiting = node.mempool.arrived(0, node.announced, 64);
        node.announced = node.mempool.next_sequence();
        if !waiting.is_empty() {
            let envelopes = waiting.into_iter().map(|(_, t)| t.bytes().clone()).collect();
            let message = Rc::new(Message::Transactions(envelopes));
            context.effects.push(crate::agreement::Effect::Broadcast(message));
        }
        Ok(())
    }

    /// Keeps proof of a misbehaviour.
    pub fn keep_evidence(
        &self,
        evidence: &heatmark_consensus::Evidence,
    ) -> Result<(), ApplicationError> {
        let Some(node) = &self.node else { return Ok(()) };
        node.chain.keep_evidence(std::slice::from_ref(evidence))
    }
}
