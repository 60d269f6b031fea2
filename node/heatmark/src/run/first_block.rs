//! A home restored from a copy made before its first start says that its key never voted, which is
//! not so. Such a node has no block, while the network's first one is older than the node's start:
//! where that is seen, consensus stops before a vote, and the node goes on as one whose votes are
//! forgotten. Passes everything else on.

use heatmark_consensus::{
    Application, ApplicationError, Certified, Checked, Committed, Evidence, Freshness, Newest,
    Proposed, Slot, Undecided,
};
use heatmark_ledger::block::Block;
use heatmark_ledger::certificate::CommitCertificate;
use heatmark_ledger::ids::{HeaderHash, Height, UnixMillis};
use heatmark_ledger::validators::ValidatorSet;
use prost::bytes::Bytes;
use std::ops::RangeInclusive;
use std::sync::Arc;
use thiserror::Error;
use tokio::sync::watch;

/// The network is older than this node's memory of it.
#[derive(Debug, Clone, Copy, Error)]
#[error("the network had blocks before this node started without any")]
pub(super) struct NotNew;

/// The ledger side, until its first block has come.
pub(super) struct FirstBlock {
    app: Arc<dyn Application>,
    oldest: UnixMillis,
}

impl FirstBlock {
    /// Takes no certified first block from before `oldest`.
    pub(super) fn new(app: Arc<dyn Application>, oldest: UnixMillis) -> Self {
        Self { app, oldest }
    }
}

impl Application for FirstBlock {
    fn newest(&self) -> Result<Newest, ApplicationError> {
        self.app.newest()
    }

    fn earliest(&self) -> Result<Height, ApplicationError> {
        self.app.earliest()
    }

    fn validators(&self, height: Height) -> Result<Option<ValidatorSet>, ApplicationError> {
        self.app.validators(height)
    }

    fn prepare(&self, slot: &Slot) -> Result<Option<Proposed>, ApplicationError> {
        self.app.prepare(slot)
    }

    fn propose(&self, slot: &Slot) -> Result<Proposed, ApplicationError> {
        self.app.propose(slot)
    }

    fn check(
        &self,
        slot: &Slot,
        block: Bytes,
        freshness: Freshness,
    ) -> Result<Checked, ApplicationError> {
        if slot.height == Height(1)
            && freshness == Freshness::Certified
            && Block::decode(&block).is_ok_and(|block| block.header.time < self.oldest)
        {
            return Err(ApplicationError::new(NotNew));
        }
        self.app.check(slot, block, freshness)
    }

    fn undecided(&self, height: Height) -> Result<Vec<Undecided>, ApplicationError> {
        self.app.undecided(height)
    }

    fn undecided_block(
        &self,
        height: Height,
        header_hash: &HeaderHash,
    ) -> Result<Option<Bytes>, ApplicationError> {
        self.app.undecided_block(height, header_hash)
    }

    fn commit(
        &self,
        height: Height,
        header_hash: &HeaderHash,
        certificate: &CommitCertificate,
    ) -> Result<Committed, ApplicationError> {
        self.app.commit(height, header_hash, certificate)
    }

    fn finalize(
        &self,
        height: Height,
        certificate: &CommitCertificate,
    ) -> Result<(), ApplicationError> {
        self.app.finalize(height, certificate)
    }

    fn certified(
        &self,
        heights: RangeInclusive<Height>,
        max_bytes: usize,
    ) -> Result<Vec<Certified>, ApplicationError> {
        self.app.certified(heights, max_bytes)
    }

    fn publisher(&self, validator: &[u8; 32]) -> Result<Option<[u8; 32]>, ApplicationError> {
        self.app.publisher(validator)
    }

    fn keep_evidence(&self, evidence: &[Evidence]) -> Result<(), ApplicationError> {
        self.app.keep_evidence(evidence)
    }

    fn wants_block(&self) -> watch::Receiver<bool> {
        self.app.wants_block()
    }
}
