//! The ledger side of consensus: blocks proposed from the pool, executed before anybody votes,
//! synced before the engine hears of them, and committed in one write. Refuses what
//! [`heatmark_ledger::block`] refuses. Specification: `proto/README.md`, section 6.

use super::clock::ClockWatch;
use super::due;
use super::evidence;
use heatmark_consensus::{
    Application, ApplicationError, Certified, Checked, Committed, Evidence, Freshness, Newest,
    Proposed, Slot, Undecided,
};
use heatmark_ledger::block::{self, Block, BlockError, ExecutedBlock};
use heatmark_ledger::certificate::CommitCertificate;
use heatmark_ledger::execute::{self, Environment, ExecutionError, Executor};
use heatmark_ledger::header::Header;
use heatmark_ledger::ids::{HeaderHash, Height, MemberId, UnixMillis};
use heatmark_ledger::keys::key_id;
use heatmark_ledger::messages as pb;
use heatmark_ledger::refusal::Refusal;
use heatmark_ledger::state::{self, StateError};
use heatmark_ledger::transaction::Transaction;
use heatmark_ledger::validators::ValidatorSet;
use heatmark_mempool::Mempool;
use heatmark_store::{Kept, Store, StoreError, StoreTip, UndecidedBlock};
use prost::Message;
use prost::bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;
use thiserror::Error;
use tokio::sync::watch;

/// Fewer transactions than this are verified where they are executed; a thread costs more.
const VERIFIED_AHEAD_FROM: usize = 16;

/// Waiting transactions that are looked at again after one block.
const LOOKED_AT_AGAIN: usize = 16;

/// Why the ledger side stops the node.
#[derive(Debug, Error)]
enum ChainError {
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("{0}")]
    State(#[from] StateError),
    #[error("{0}")]
    Block(#[from] BlockError),
    #[error("{0}")]
    Version(#[from] ExecutionError),
    #[error("height {0} was decided, but its block is not on this disk")]
    UnknownBlock(Height),
    #[error("slot {given} does not follow height {tip}")]
    NotNext { given: Height, tip: Height },
}

impl From<ChainError> for ApplicationError {
    fn from(error: ChainError) -> Self {
        Self::new(error)
    }
}

/// Where the present comes from: the wall clock, or a simulated one.
pub type Clock = Arc<dyn Fn() -> UnixMillis + Send + Sync>;

fn fatal(error: impl Into<ChainError>) -> ApplicationError {
    ApplicationError::from(error.into())
}

/// The chain as this node has it, between store and pool.
pub struct Chain {
    store: Store,
    mempool: Arc<Mempool>,
    clock: Clock,
    /// Blocks of the height under way that this process has executed.
    executed: Mutex<BTreeMap<HeaderHash, Arc<ExecutedBlock>>>,
    /// The block built for a slot and not persisted yet.
    prepared: Mutex<Option<(Slot, UndecidedBlock)>>,
    /// Arrivals that the pool had counted two blocks ago, and one block ago.
    arrivals: Mutex<(u64, u64)>,
    wants_block: watch::Sender<bool>,
    watch: Option<ClockWatch>,
}

impl Chain {
    /// The chain on top of a store and a pool.
    #[must_use]
    pub fn new(store: Store, mempool: Arc<Mempool>, clock: Clock) -> Self {
        let wants_block = watch::Sender::new(!mempool.is_empty());
        let (executed, prepared) = (Mutex::default(), Mutex::default());
        let arrivals = Mutex::default();
        Self { store, mempool, clock, executed, prepared, arrivals, wants_block, watch: None }
    }

    /// Compares the clock with other proposers' from now on.
    #[must_use]
    pub(super) fn watching(self, watch: ClockWatch) -> Self {
        Self { watch: Some(watch), ..self }
    }

    /// Tells consensus whether something waits: a transaction, or an adopted proposal whose time
    /// has come. To be called whenever the pool grew or that time came.
    pub fn update_wants_block(&self) {
        let wants = !self.mempool.is_empty()
            || self.next_effect().is_some_and(|effect| effect <= (self.clock)());
        self.wants_block.send_if_modified(|wanted| std::mem::replace(wanted, wants) != wants);
    }

    /// What this node proposed in a slot of the next height before.
    fn kept_proposal(&self, slot: &Slot) -> Result<Option<UndecidedBlock>, ChainError> {
        let tip = self.store.tip().height;
        if slot.height != tip.next() {
            return Err(ChainError::NotNext { given: slot.height, tip });
        }
        Ok(self.store.proposed(slot.height, slot.round)?)
    }

    fn prepared(&self) -> MutexGuard<'_, Option<(Slot, UndecidedBlock)>> {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// When the next adopted proposal takes effect.
    pub(super) fn next_effect(&self) -> Option<UnixMillis> {
        // A state that cannot be read stops the node where it is executed, with the reason.
        due::next_effect(&self.store).unwrap_or(None)
    }

    fn remember(&self, hash: HeaderHash, block: ExecutedBlock) {
        let mut executed = self.executed.lock().unwrap_or_else(PoisonError::into_inner);
        executed.insert(hash, Arc::new(block));
    }

    fn recall(&self, hash: &HeaderHash) -> Option<Arc<ExecutedBlock>> {
        let executed = self.executed.lock().unwrap_or_else(PoisonError::into_inner);
        executed.get(hash).cloned()
    }

    fn build(&self, slot: &Slot, tip: &StoreTip) -> Result<UndecidedBlock, ChainError> {
        let parameters = state::parameters(&self.store)?;
        let size = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
        let candidates = self.mempool.select(
            size(parameters.max_block_transactions),
            size(parameters.max_block_bytes),
            size(parameters.reserved_alert_bytes),
        );
        let proposal = block::propose(&self.store, &tip.chain, (self.clock)(), candidates)?;
        for (id, refusal) in &proposal.refused {
            if *refusal != Refusal::TooEarly {
                tracing::debug!(transaction = %id, reason = refusal.code(), "dropped from the pool");
                self.mempool.discard(id);
            }
        }
        let header = proposal.block.header;
        let header_hash = header.hash();
        let bytes = Bytes::from(Block::encode(&header, &proposal.block.transactions));
        self.remember(header_hash, proposal.block);
        let (round, proposer) = (slot.round, slot.proposer);
        Ok(UndecidedBlock { round, proposer, header_hash, block: bytes })
    }

    /// Reads and executes a block on the tip.
    fn execute(&self, tip: &StoreTip, block: &Bytes) -> Result<Judged, ChainError> {
        let received = match Block::decode(block) {
            Ok(received) => received,
            Err(error) => return Ok(Judged::NoBlock(error)),
        };
        let header = received.header;
        let transactions = match self.read(received) {
            Ok(transactions) => transactions,
            Err(error) => return Ok(Judged::NoBlock(error)),
        };
        if header.height == tip.height.next() && !commits_to(&header, tip, &transactions) {
            return Ok(Judged::NoBlock(BlockError::Mismatch("log root")));
        }
        self.verify_ahead(&transactions, header.height);
        match block::check(&self.store, &tip.chain, &header, transactions) {
            Ok(block) => Ok(Judged::Valid(Box::new(block))),
            Err(error) if error.is_proposers_fault() => Ok(Judged::Invalid(header, error)),
            Err(error) => Err(error.into()),
        }
    }

    fn read(&self, block: Block) -> Result<Vec<Arc<Transaction>>, BlockError> {
        let network = self.store.network();
        let read = |(position, bytes): (usize, Bytes)| match self.mempool.lookup(&bytes) {
            Some(known) => Ok(known),
            None => Transaction::decode(&network, bytes)
                .map(Arc::new)
                .map_err(|refusal| BlockError::Transaction { position, refusal }),
        };
        block.transactions.into_iter().enumerate().map(read).collect()
    }

    /// Verifies signatures on all cores; execution then finds them verified. What fails here is
    /// found again, and refused, where it is executed.
    fn verify_ahead(&self, transactions: &[Arc<Transaction>], height: Height) {
        let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
        // Those that came through the door are verified already.
        let unverified: Vec<&Arc<Transaction>> =
            transactions.iter().filter(|transaction| !transaction.is_verified()).collect();
        if unverified.len() < VERIFIED_AHEAD_FROM || threads < 2 {
            return;
        }
        let network = self.store.network();
        let share = unverified.len().div_ceil(threads);
        thread::scope(|scope| {
            for part in unverified.chunks(share) {
                scope.spawn(move || {
                    for transaction in part {
                        if let Ok((_, key)) = execute::signer(&self.store, transaction, height) {
                            // Refused with its reason when it is executed.
                            let _ = transaction.verify(&network, &key);
                        }
                    }
                });
            }
        });
    }

    /// Drops what has waited through two blocks and would be refused in the next one. A proposer
    /// drops what it cannot propose; a node that never proposes would keep it, count it against
    /// its member and announce it until it expires.
    fn drop_refused(&self, tip: &StoreTip) -> Result<(), ChainError> {
        let before = {
            let mut arrivals = self.arrivals.lock().unwrap_or_else(PoisonError::into_inner);
            let (two_ago, one_ago) = *arrivals;
            *arrivals = (one_ago, self.mempool.next_sequence());
            two_ago
        };
        let waiting = self.mempool.arrived(0, before, LOOKED_AT_AGAIN);
        if waiting.is_empty() {
            return Ok(());
        }
        let time = tip.time.max((self.clock)());
        let env = Environment {
            network: self.store.network(),
            height: tip.height.next(),
            time,
            parent_time: tip.time,
        };
        let mut executor = match Executor::begin(&self.store, env, tip.log_size.0) {
            Ok(executor) => executor,
            Err(ExecutionError::State(error)) => return Err(error.into()),
            // Whoever builds or checks the next block says so.
            Err(_) => return Ok(()),
        };
        for (_, transaction) in waiting {
            match executor.apply(&transaction) {
                Err(ExecutionError::State(error)) => return Err(error.into()),
                Err(ExecutionError::Refused(refusal)) if refusal != Refusal::TooEarly => {
                    self.mempool.discard(&transaction.id());
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }

    fn newest_of(&self, tip: &StoreTip) -> Result<Newest, ChainError> {
        // Asked before the height begins, so that a program too old for it never votes on it.
        let halted = match execute::check_version(&self.store, tip.height.next()) {
            Err(ExecutionError::VersionTooNew { version, height }) => {
                tracing::error!(version, %height, "this program is too old to go on");
                true
            }
            other => {
                other?;
                false
            }
        };
        let parameters = state::parameters(&self.store)?;
        Ok(Newest {
            height: tip.height,
            next_validators: (*tip.next_validators).clone(),
            heartbeat: Duration::from_millis(parameters.heartbeat_ms),
            halted,
        })
    }

    /// The p2p key of the member that a consensus key belongs to.
    fn p2p_key_of(&self, consensus: &[u8; 32]) -> Result<Option<[u8; 32]>, StateError> {
        let id = key_id(pb::KeyAlgorithm::Ed25519, consensus);
        let Some(known) = state::key_state(&self.store, &id)? else { return Ok(None) };
        let damaged = || StateError::Damaged("key");
        let member = MemberId::try_from(known.member.as_slice()).map_err(|_| damaged())?;
        let entry = state::member(&self.store, &member)?.and_then(|state| state.entry);
        let keys = entry.map(|entry| entry.keys).unwrap_or_default();
        let p2p = keys.iter().find(|key| key.role() == pb::KeyRole::P2p);
        Ok(p2p.and_then(|key| key.key.as_slice().try_into().ok()))
    }

    fn decided(&self, height: Height, hash: &HeaderHash) -> Result<Arc<ExecutedBlock>, ChainError> {
        if let Some(block) = self.recall(hash) {
            return Ok(block);
        }
        let stored = self.store.undecided(height, hash)?.ok_or(ChainError::UnknownBlock(height))?;
        match self.execute(&self.store.tip(), &stored.block)? {
            Judged::Valid(block) => Ok(Arc::new(*block)),
            Judged::Invalid(_, error) | Judged::NoBlock(error) => Err(error.into()),
        }
    }
}

fn is_in_time(header: &Header, freshness: Freshness, now: UnixMillis, skew_ms: u64) -> bool {
    let ahead = header.time.0.saturating_sub(now.0);
    let behind = now.0.saturating_sub(header.time.0);
    match freshness {
        Freshness::Fresh => ahead <= skew_ms && behind <= skew_ms,
        Freshness::Relocked => ahead <= skew_ms,
        Freshness::Certified => true,
    }
}

enum Judged {
    Valid(Box<ExecutedBlock>),
    Invalid(Header, BlockError),
    NoBlock(BlockError),
}

fn commits_to(header: &Header, tip: &StoreTip, transactions: &[Arc<Transaction>]) -> bool {
    let mut frontier = tip.chain.frontier.clone();
    for transaction in transactions {
        frontier.push(transaction.leaf_hash());
    }
    frontier.size() == header.log_size && frontier.root() == header.log_root
}

impl Application for Chain {
    fn newest(&self) -> Result<Newest, ApplicationError> {
        Ok(self.newest_of(&self.store.tip())?)
    }

    fn earliest(&self) -> Result<Height, ApplicationError> {
        Ok(Height(1))
    }

    fn validators(&self, height: Height) -> Result<Option<ValidatorSet>, ApplicationError> {
        let tip = self.store.tip();
        if height > tip.height {
            return Ok(None);
        }
        let set = self.store.validators(height).map_err(fatal)?;
        Ok(set.map(|set| (*set).clone()))
    }

    fn prepare(&self, slot: &Slot) -> Result<Option<Proposed>, ApplicationError> {
        let block = match self.kept_proposal(slot)? {
            Some(block) => block,
            None => self.build(slot, &self.store.tip())?,
        };
        let proposed = Proposed { header_hash: block.header_hash, block: block.block.clone() };
        *self.prepared() = Some((*slot, block));
        Ok(Some(proposed))
    }

    fn propose(&self, slot: &Slot) -> Result<Proposed, ApplicationError> {
        let block = match self.kept_proposal(slot)? {
            Some(block) => block,
            None => {
                let prepared = self.prepared().take().filter(|(at, _)| at == slot);
                let block = match prepared {
                    Some((_, block)) => block,
                    None => self.build(slot, &self.store.tip())?,
                };
                self.store.put_undecided(slot.height, &block, true).map_err(fatal)?;
                block
            }
        };
        Ok(Proposed { header_hash: block.header_hash, block: block.block })
    }

    fn check(
        &self,
        slot: &Slot,
        block: Bytes,
        freshness: Freshness,
    ) -> Result<Checked, ApplicationError> {
        let tip = self.store.tip();
        let executed = match self.execute(&tip, &block)? {
            Judged::NoBlock(error) => return Ok(Checked::NoBlock(Box::new(error))),
            Judged::Invalid(header, error) => {
                return Ok(Checked::Invalid {
                    header_hash: header.hash(),
                    refusal: Box::new(error),
                });
            }
            Judged::Valid(executed) => executed,
        };
        let header_hash = executed.header.hash();
        let skew_ms = state::parameters(&self.store).map_err(fatal)?.max_clock_skew_ms;
        let now = (self.clock)();
        if let (Freshness::Fresh, Some(watch)) = (freshness, &self.watch) {
            watch.proposed(slot.proposer, &executed.header, (tip.time, now), skew_ms);
        }
        if !is_in_time(&executed.header, freshness, now, skew_ms) {
            let refusal = Box::new(BlockError::NotNext("its time is too far from our clock"));
            return Ok(Checked::Invalid { header_hash, refusal });
        }
        let height = executed.header.height;
        self.remember(header_hash, *executed);
        let (round, proposer) = (slot.round, slot.proposer);
        let undecided = UndecidedBlock { round, proposer, header_hash, block };
        self.store.put_undecided(height, &undecided, false).map_err(fatal)?;
        Ok(Checked::Valid(header_hash))
    }

    fn undecided(&self, height: Height) -> Result<Vec<Undecided>, ApplicationError> {
        let blocks = self.store.undecided_at(height).map_err(fatal)?;
        let named = |block: UndecidedBlock| Undecided {
            slot: Slot { height, round: block.round, proposer: block.proposer },
            header_hash: block.header_hash,
        };
        Ok(blocks.into_iter().map(named).collect())
    }

    fn undecided_block(
        &self,
        height: Height,
        header_hash: &HeaderHash,
    ) -> Result<Option<Bytes>, ApplicationError> {
        let found = self.store.undecided(height, header_hash).map_err(fatal)?;
        Ok(found.map(|block| block.block))
    }

    fn commit(
        &self,
        height: Height,
        header_hash: &HeaderHash,
        certificate: &CommitCertificate,
    ) -> Result<Committed, ApplicationError> {
        let block = self.decided(height, header_hash)?;
        let tip = self.store.commit(&block, certificate).map_err(fatal)?;
        self.executed.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.mempool.remove(block.transactions.iter().map(|transaction| transaction.id()));
        self.mempool.expire(tip.time);
        self.drop_refused(&tip)?;
        self.update_wants_block();
        let newest = self.newest_of(&tip)?;
        Ok(Committed { newest, transactions: block.transactions.len() })
    }

    fn finalize(
        &self,
        height: Height,
        certificate: &CommitCertificate,
    ) -> Result<(), ApplicationError> {
        self.store.finalize(height, certificate).map_err(fatal)
    }

    fn certified(
        &self,
        heights: RangeInclusive<Height>,
        max_bytes: usize,
    ) -> Result<Vec<Certified>, ApplicationError> {
        let mut blocks = Vec::new();
        let mut room = max_bytes;
        for height in (heights.start().0..=heights.end().0).map(Height) {
            let Some(found) = self.store.certified_block(height).map_err(fatal)? else { break };
            let certified = certified_of(height, &found).map_err(fatal)?;
            if !blocks.is_empty() && certified.block.len() > room {
                break;
            }
            room = room.saturating_sub(certified.block.len());
            blocks.push(certified);
        }
        Ok(blocks)
    }

    fn keep_evidence(&self, evidence: &[Evidence]) -> Result<(), ApplicationError> {
        for item in evidence {
            let validator = hex::encode(item.validator);
            let height = item.height.0;
            let Ok(portable) = evidence::portable(&self.store.network(), item) else { continue };
            match self.store.keep_evidence(&portable).map_err(fatal)? {
                Kept::New => tracing::warn!(
                    height,
                    %validator,
                    "a validator signed twice; `heatmark evidence list` shows the proof"
                ),
                Kept::Known | Kept::Enough => {
                    tracing::debug!(height, %validator, "a validator signed twice, once more");
                }
            }
        }
        Ok(())
    }

    fn publisher(&self, validator: &[u8; 32]) -> Result<Option<[u8; 32]>, ApplicationError> {
        self.p2p_key_of(validator).map_err(fatal)
    }

    fn wants_block(&self) -> watch::Receiver<bool> {
        self.wants_block.subscribe()
    }
}

fn certified_of(height: Height, found: &pb::CertifiedBlock) -> Result<Certified, StoreError> {
    let damaged = || StoreError::Damaged("block");
    let block = found.block.as_ref().ok_or_else(damaged)?;
    let header = block.header.as_ref().ok_or_else(damaged)?;
    let header = Header::from_proto(header).map_err(|_| damaged())?;
    let certificate = found.certificate.as_ref().ok_or_else(damaged)?;
    Ok(Certified {
        height,
        header_hash: header.hash(),
        block: block.encode_to_vec().into(),
        certificate: CommitCertificate::from_proto(certificate).map_err(|_| damaged())?,
    })
}
