//! Blocks: built by a proposer, checked by everybody else with the very same steps, so that a
//! certificate over a header attests its roots. Refuses a block that contains a transaction which
//! does not take effect, that is over its limits, or whose header is not the one its execution
//! gives. Specification: `proto/README.md`, section 6.

use crate::execute::{Environment, ExecutionError, Executor, Outcome};
use crate::header::Header;
use crate::ids::{Era, Height, NetworkId, TransactionId, UnixMillis};
use crate::refusal::Refusal;
use crate::restart::RestartPoint;
use crate::state::{Changes, StateView};
use crate::transaction::Transaction;
use crate::validators::ValidatorSet;
use crate::wire::{self, MAX_BLOCK_BYTES, WireError};
use heatmark_merkle::map::{self, NodeReader, Update};
use heatmark_merkle::tree::Frontier;
use heatmark_merkle::{Hash, HashError, MapError};
use heatmark_proto::ledger::v1 as pb;
use prost::Message;
use prost::bytes::Bytes;
use std::sync::Arc;
use thiserror::Error;

/// Why a block is not one, or cannot be judged.
#[derive(Debug, Error)]
pub enum BlockError {
    /// Not a block's bytes. The proposer's fault.
    #[error("block: {0}")]
    Wire(#[from] WireError),
    /// A header field has the wrong length. The proposer's fault.
    #[error("block header: {0}")]
    Header(#[from] HashError),
    /// The header names another network, height or parent. The proposer's fault, or ours if late.
    #[error("the block does not extend this chain: {0}")]
    NotNext(&'static str),
    /// A transaction does not take effect. The proposer's fault.
    #[error("transaction {position} does not take effect: {refusal}")]
    Transaction {
        /// Position in the block, from 0.
        position: usize,
        /// Why.
        refusal: Refusal,
    },
    /// More transactions or bytes than a block may have. The proposer's fault.
    #[error("the block is over the network's limits")]
    TooLarge,
    /// Executing the block gives another header. The proposer's fault, or a defect of ours.
    #[error("executing the block gives another {0}")]
    Mismatch(&'static str),
    /// The state cannot be read, or the protocol version is unknown. Fatal for the node.
    #[error("{0}")]
    Execution(ExecutionError),
    /// The state map cannot be read. Fatal for the node.
    #[error("state map: {0}")]
    Map(#[from] MapError),
}

impl BlockError {
    /// Whether the block is at fault, and not the node that judges it.
    #[must_use]
    pub fn is_proposers_fault(&self) -> bool {
        !matches!(self, Self::Execution(_) | Self::Map(_))
    }
}

impl From<ExecutionError> for BlockError {
    fn from(error: ExecutionError) -> Self {
        Self::Execution(error)
    }
}

/// The end of the chain: what the next block is built on.
#[derive(Debug, Clone)]
pub struct Tip {
    /// The network.
    pub network: NetworkId,
    /// Height of the newest block; 0 at genesis.
    pub height: Height,
    /// Its time; the genesis time at genesis.
    pub time: UnixMillis,
    /// Its hash; the network id at genesis.
    pub hash: Hash,
    /// Right edge of the log.
    pub frontier: Frontier,
    /// Root of the state map.
    pub state_root: Hash,
    /// Version of the state map; blocks that write nothing keep it.
    pub map_version: u64,
    /// The set that certifies the next block.
    pub validators: Arc<ValidatorSet>,
    /// The newest restart; one at this very height has put `validators` in place.
    pub restart: Option<RestartPoint>,
}

impl Tip {
    /// The era in which the next block is certified.
    #[must_use]
    pub fn era(&self) -> Era {
        self.restart.map_or(Era::of(self.network), |restart| restart.era)
    }

    /// The chain's end once the members have restarted the network from it.
    #[must_use]
    pub fn restarted(&self, era: Era, next: Arc<ValidatorSet>) -> Self {
        let restart = Some(RestartPoint { height: self.height, era });
        Self { validators: next, restart, ..self.clone() }
    }

    /// The block that follows at this time.
    fn environment(&self, time: UnixMillis) -> Environment {
        let height = self.height.next();
        Environment { network: self.network, height, time, parent_time: self.time }
    }

    fn begin<'v, V: StateView>(
        &self,
        view: &'v V,
        env: Environment,
    ) -> Result<Executor<'v, V>, ExecutionError> {
        let mut executor = Executor::begin(view, env, self.frontier.size().0)?;
        if let Some(restart) = self.restart.filter(|restart| restart.height == self.height) {
            executor.restart(&restart, &self.validators)?;
        }
        Ok(executor)
    }
}

/// A block's header and transactions as received.
#[derive(Debug)]
pub struct Block {
    /// The header, lengths checked.
    pub header: Header,
    /// Envelopes in log order.
    pub transactions: Vec<Bytes>,
}

impl Block {
    /// Reads a block of at most [`MAX_BLOCK_BYTES`].
    ///
    /// # Errors
    /// When it is not canonical or a header field has the wrong length.
    pub fn decode(bytes: &[u8]) -> Result<Self, BlockError> {
        let message: pb::Block = wire::decode(bytes, MAX_BLOCK_BYTES)?;
        Self::from_proto(message)
    }

    /// Reads the message.
    ///
    /// # Errors
    /// When it has no header or a header field has the wrong length.
    pub fn from_proto(message: pb::Block) -> Result<Self, BlockError> {
        let header = message.header.as_ref().ok_or(WireError::Malformed)?;
        Ok(Self { header: Header::from_proto(header)?, transactions: message.transactions })
    }

    /// The message's bytes.
    #[must_use]
    pub fn encode(header: &Header, transactions: &[Arc<Transaction>]) -> Vec<u8> {
        let transactions = transactions.iter().map(|t| t.bytes().clone()).collect();
        pb::Block { header: Some(header.to_proto()), transactions }.encode_to_vec()
    }
}

/// A block with everything that follows from executing it.
#[derive(Debug)]
pub struct ExecutedBlock {
    /// The header that attests the rest.
    pub header: Header,
    /// The transactions, in log order.
    pub transactions: Vec<Arc<Transaction>>,
    /// Hashes of their leaves.
    pub leaf_hashes: Vec<Hash>,
    /// Writes to the state map.
    pub changes: Changes,
    /// New nodes of the state map; none when nothing was written.
    pub map_update: Option<Update>,
    /// The chain's end once this block is committed.
    pub tip: Tip,
}

/// What a proposer's candidates gave.
#[derive(Debug)]
pub struct Proposal {
    /// The block.
    pub block: ExecutedBlock,
    /// Candidates that would not take effect, to be dropped.
    pub refused: Vec<(TransactionId, Refusal)>,
}

/// Builds the next block from candidates: those that take effect and fit, in order.
///
/// # Errors
/// Only fatal ones: the state or the state map cannot be read.
pub fn propose<V: StateView + NodeReader>(
    view: &V,
    tip: &Tip,
    now: UnixMillis,
    candidates: impl IntoIterator<Item = Arc<Transaction>>,
) -> Result<Proposal, BlockError> {
    let time = UnixMillis(now.0.max(tip.time.0.saturating_add(1)));
    let env = tip.environment(time);
    let mut executor = tip.begin(view, env)?;
    let mut space = Space::new(executor.parameters());
    let (mut transactions, mut refused) = (Vec::new(), Vec::new());
    for candidate in candidates {
        if !space.fits(&candidate) {
            continue;
        }
        match executor.apply(&candidate) {
            Ok(()) => {
                space.take(&candidate);
                transactions.push(candidate);
            }
            Err(ExecutionError::Refused(refusal)) => refused.push((candidate.id(), refusal)),
            Err(fatal) => return Err(fatal.into()),
        }
    }
    let block = seal(view, tip, &env, executor.finish()?, transactions)?;
    Ok(Proposal { block, refused })
}

/// Executes a block received from others on the chain's end and compares its header.
///
/// # Errors
/// See [`BlockError`]; [`BlockError::is_proposers_fault`] tells blame from trouble.
pub fn check<V: StateView + NodeReader>(
    view: &V,
    tip: &Tip,
    header: &Header,
    transactions: Vec<Arc<Transaction>>,
) -> Result<ExecutedBlock, BlockError> {
    check_link(tip, header)?;
    let env = tip.environment(header.time);
    let mut executor = tip.begin(view, env)?;
    let mut space = Space::new(executor.parameters());
    for (position, transaction) in transactions.iter().enumerate() {
        if !space.fits(transaction) {
            return Err(BlockError::TooLarge);
        }
        space.take(transaction);
        executor.apply(transaction).map_err(|error| match error {
            ExecutionError::Refused(refusal) => BlockError::Transaction { position, refusal },
            fatal => fatal.into(),
        })?;
    }
    let block = seal(view, tip, &env, executor.finish()?, transactions)?;
    match difference(&block.header, header) {
        None => Ok(block),
        Some(field) => Err(BlockError::Mismatch(field)),
    }
}

fn check_link(tip: &Tip, header: &Header) -> Result<(), BlockError> {
    if header.network != tip.network {
        return Err(BlockError::NotNext("another network"));
    }
    if header.height != tip.height.next() {
        return Err(BlockError::NotNext("another height"));
    }
    if header.previous != tip.hash {
        return Err(BlockError::NotNext("another parent"));
    }
    if header.time <= tip.time {
        return Err(BlockError::NotNext("time does not increase"));
    }
    Ok(())
}

fn difference(ours: &Header, theirs: &Header) -> Option<&'static str> {
    let fields = [
        (ours.version == theirs.version, "protocol version"),
        (ours.log_size == theirs.log_size, "log size"),
        (ours.log_root == theirs.log_root, "log root"),
        (ours.state_root == theirs.state_root, "state root"),
        (ours.next_validators == theirs.next_validators, "validator set"),
        (ours == theirs, "header"),
    ];
    fields.into_iter().find(|(equal, _)| !equal).map(|(_, name)| name)
}

fn seal<V: StateView + NodeReader>(
    view: &V,
    tip: &Tip,
    env: &Environment,
    outcome: Outcome,
    transactions: Vec<Arc<Transaction>>,
) -> Result<ExecutedBlock, BlockError> {
    let leaf_hashes: Vec<Hash> = transactions.iter().map(|t| t.leaf_hash()).collect();
    let mut frontier = tip.frontier.clone();
    for leaf in &leaf_hashes {
        frontier.push(*leaf);
    }
    let map_update = if outcome.changes.is_empty() {
        None
    } else {
        Some(map::update(view, tip.map_version.saturating_add(1), &outcome.changes)?)
    };
    let state_root = map_update.as_ref().map_or(tip.state_root, |update| update.root);
    let map_version = map_update.as_ref().map_or(tip.map_version, |update| update.version);
    let header = Header {
        network: env.network,
        version: outcome.version,
        height: env.height,
        time: env.time,
        previous: tip.hash,
        log_size: frontier.size(),
        log_root: frontier.root(),
        state_root,
        next_validators: outcome.next_validators.hash(),
    };
    let validators = if outcome.next_validators.hash() == tip.validators.hash() {
        Arc::clone(&tip.validators)
    } else {
        Arc::new(outcome.next_validators)
    };
    let tip = Tip {
        network: env.network,
        height: env.height,
        time: env.time,
        hash: header.hash().0,
        frontier,
        state_root,
        map_version,
        validators,
        restart: tip.restart,
    };
    let changes = outcome.changes;
    Ok(ExecutedBlock { header, transactions, leaf_hashes, changes, map_update, tip })
}

/// Room left in a block: alerts may use all of it, the rest not the part reserved for alerts.
struct Space {
    transactions: u32,
    bytes: u64,
    open_bytes: u64,
}

impl Space {
    fn new(parameters: &pb::Parameters) -> Self {
        let bytes = u64::from(parameters.max_block_bytes);
        let open_bytes = bytes.saturating_sub(u64::from(parameters.reserved_alert_bytes));
        Self { transactions: parameters.max_block_transactions, bytes, open_bytes }
    }

    fn fits(&self, transaction: &Transaction) -> bool {
        let length = length_of(transaction);
        let open = transaction.is_alert() || length <= self.open_bytes;
        self.transactions > 0 && length <= self.bytes && open
    }

    fn take(&mut self, transaction: &Transaction) {
        let length = length_of(transaction);
        self.transactions = self.transactions.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(length);
        if !transaction.is_alert() {
            self.open_bytes = self.open_bytes.saturating_sub(length);
        }
    }
}

fn length_of(transaction: &Transaction) -> u64 {
    u64::try_from(transaction.bytes().len()).unwrap_or(u64::MAX)
}
