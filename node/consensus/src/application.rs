//! What the host asks of the ledger side. The engine decides 32-byte header hashes; whoever
//! implements [`Application`] holds the blocks behind them, executes, persists and commits.
//! Specification: `proto/README.md`, section 6.

use bytes::Bytes;
use heatmark_ledger::certificate::CommitCertificate;
use heatmark_ledger::ids::{HeaderHash, Height, Round};
use heatmark_ledger::validators::ValidatorSet;
use std::error::Error;
use std::ops::RangeInclusive;
use std::time::Duration;
use tokio::sync::watch;

use crate::evidence::Evidence;

/// Why the ledger side could not answer: a failing disk, a damaged store, a broken invariant.
/// Never the fault of a peer. The host stops for good when it sees one.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ApplicationError(Box<dyn Error + Send + Sync>);

impl ApplicationError {
    /// Wraps the cause.
    #[must_use]
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

/// The newest committed block, and what follows from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Newest {
    /// Its height; 0 for genesis.
    pub height: Height,
    /// The set that votes on the next height.
    pub next_validators: ValidatorSet,
    /// How long an idle network waits before it writes an empty block.
    pub heartbeat: Duration,
    /// No height follows on this node, which only serves what it has: it does not know the rules.
    pub halted: bool,
}

/// What a commit brought about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The block just committed.
    pub newest: Newest,
    /// Transactions in it.
    pub transactions: usize,
}

/// An attempt to decide a height, and who proposes in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot {
    /// Height to decide.
    pub height: Height,
    /// Attempt.
    pub round: Round,
    /// Consensus key of the round's proposer.
    pub proposer: [u8; 32],
}

/// A block that this node proposes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposed {
    /// What consensus decides on.
    pub header_hash: HeaderHash,
    /// The encoded block, at most [`heatmark_ledger::wire::MAX_BLOCK_BYTES`].
    pub block: Bytes,
}

/// Which of the clock rules apply to a block that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Proposed just now: its time must be within the permitted skew of our clock, on either side.
    Fresh,
    /// Proposed again from an earlier round, hence aged: only a time too far ahead is refused.
    Relocked,
    /// Certified by a quorum: its time is beyond question.
    Certified,
}

/// What the ledger says of a block's bytes.
#[derive(Debug)]
pub enum Checked {
    /// It executes, and is persisted.
    Valid(HeaderHash),
    /// It is the block that the header names, and it must not be decided.
    Invalid {
        /// Hash of its header.
        header_hash: HeaderHash,
        /// What is wrong with it.
        refusal: Box<dyn Error + Send + Sync>,
    },
    /// It does not decode, or its transactions are not those its header commits to, so that it
    /// says nothing about the block it claims to be.
    NoBlock(Box<dyn Error + Send + Sync>),
}

/// A valid block that was persisted and not decided so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Undecided {
    /// Where it was proposed.
    pub slot: Slot,
    /// Its id.
    pub header_hash: HeaderHash,
}

/// A decided block with what certifies it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certified {
    /// Its height.
    pub height: Height,
    /// Its id.
    pub header_hash: HeaderHash,
    /// The encoded block.
    pub block: Bytes,
    /// Precommits for it.
    pub certificate: CommitCertificate,
}

/// The ledger side of consensus.
///
/// Every method may block on the disk: the host calls them off its own task, one at a time and
/// in order. An error stops consensus for good; what a peer did wrong is never an error.
pub trait Application: Send + Sync + 'static {
    /// The newest committed block.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn newest(&self) -> Result<Newest, ApplicationError>;

    /// The earliest height whose block can still be served to peers.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn earliest(&self) -> Result<Height, ApplicationError>;

    /// The set that voted on a decided height; `None` when the height is not decided here.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn validators(&self, height: Height) -> Result<Option<ValidatorSet>, ApplicationError>;

    /// The block that [`Self::propose`] is going to persist for this slot, or `None` when that is
    /// not known ahead. Its parts are sent while it is being persisted, and nothing is signed for it
    /// before: whoever crashes in between may propose another block, and has not proposed two.
    ///
    /// # Errors
    /// When it cannot be built.
    fn prepare(&self, slot: &Slot) -> Result<Option<Proposed>, ApplicationError>;

    /// Builds and executes a block for the height after the newest one. It is persisted and
    /// synced before this returns, and the same slot gives the same block for ever, restarts
    /// included: this is what keeps a validator from proposing two.
    ///
    /// # Errors
    /// When it cannot be built or persisted.
    fn propose(&self, slot: &Slot) -> Result<Proposed, ApplicationError>;

    /// Executes a block for the height after the newest one, and persists and syncs it before
    /// saying that it is valid: the engine's own log keeps only the hash.
    ///
    /// # Errors
    /// When the store fails; a bad block is no error.
    fn check(
        &self,
        slot: &Slot,
        block: Bytes,
        freshness: Freshness,
    ) -> Result<Checked, ApplicationError>;

    /// All persisted valid blocks of an undecided height.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn undecided(&self, height: Height) -> Result<Vec<Undecided>, ApplicationError>;

    /// The encoded block behind one of [`Self::undecided`].
    ///
    /// # Errors
    /// When the store cannot be read.
    fn undecided_block(
        &self,
        height: Height,
        header_hash: &HeaderHash,
    ) -> Result<Option<Bytes>, ApplicationError>;

    /// Commits a persisted block with its certificate in one synced write, takes its transactions
    /// out of what [`Self::wants_block`] watches, and forgets the height's other blocks.
    ///
    /// # Errors
    /// When the block is unknown or the write fails.
    fn commit(
        &self,
        height: Height,
        header_hash: &HeaderHash,
        certificate: &CommitCertificate,
    ) -> Result<Committed, ApplicationError>;

    /// Replaces the certificate of the newest block by one with more signatures.
    ///
    /// # Errors
    /// When the write fails.
    fn finalize(
        &self,
        height: Height,
        certificate: &CommitCertificate,
    ) -> Result<(), ApplicationError>;

    /// Decided blocks for a peer that catches up: consecutive from the range's start, as many as
    /// exist and fit, at least one if the first exists.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn certified(
        &self,
        heights: RangeInclusive<Height>,
        max_bytes: usize,
    ) -> Result<Vec<Certified>, ApplicationError>;

    /// The Ed25519 p2p key of the member whose consensus key this is: only its node publishes that
    /// validator's blocks. `None` when it cannot be told; then anybody may.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn publisher(&self, validator: &[u8; 32]) -> Result<Option<[u8; 32]>, ApplicationError>;

    /// Keeps proof that validators signed twice.
    ///
    /// # Errors
    /// When the write fails.
    fn keep_evidence(&self, evidence: &[Evidence]) -> Result<(), ApplicationError>;

    /// True while something waits that could go into the next block; an idle network writes
    /// nothing while this is false.
    fn wants_block(&self) -> watch::Receiver<bool>;
}
