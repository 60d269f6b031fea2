//! The log, replayed from genesis in memory: every encoding, signature, certificate, root and
//! transition checked again with the rules of [`crate::block`]. Refuses the first block that does
//! not follow. Specification: `proto/README.md`, sections 3 to 6.

use crate::block::{self, Block, BlockError, Tip};
use crate::certificate::{CertificateError, CommitCertificate};
use crate::execute::ExecutionError;
use crate::genesis::Genesis;
use crate::header::Header;
use crate::ids::{Height, TransactionId, UnixMillis};
use crate::receipt::{ReceiptError, TrustRoot};
use crate::refusal::Refusal;
use crate::state::{Changes, StateError, StateView};
use crate::transaction::Transaction;
use heatmark_merkle::MapError;
use heatmark_merkle::map::{self, MemoryNodes, NodeReader};
use heatmark_merkle::tree::Frontier;
use heatmark_proto::ledger::v1 as pb;
use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;
use thiserror::Error;

/// Map versions kept behind the newest; building needs one.
const KEPT_VERSIONS: u64 = 4;

/// Why a log does not follow from its genesis.
#[derive(Debug, Error)]
pub enum AuditError {
    /// A part of the certified block is missing.
    #[error("the block has no {0}")]
    Missing(&'static str),
    /// The block does not follow.
    #[error("{0}")]
    Block(#[from] BlockError),
    /// A transaction is malformed.
    #[error("transaction {position}: {refusal}")]
    Transaction {
        /// Position in the block, from 0.
        position: usize,
        /// Why.
        refusal: Refusal,
    },
    /// The block is not certified.
    #[error("{0}")]
    Certificate(#[from] CertificateError),
    /// Genesis gives no state.
    #[error("genesis: {0}")]
    Genesis(#[from] ExecutionError),
    /// The state map refused.
    #[error("state map: {0}")]
    Map(#[from] MapError),
    /// A restart does not verify.
    #[error("restart: {0}")]
    Restart(#[from] ReceiptError),
}

/// What an audit has checked so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Blocks whose link, roots and certificate were checked.
    pub blocks: u64,
    /// Transactions executed again.
    pub transactions: u64,
    /// Member and co-signatures verified.
    pub transaction_signatures: u64,
    /// Precommits verified.
    pub certificate_signatures: u64,
    /// Changes of the validator set followed.
    pub set_changes: u64,
    /// Restarts by the members verified.
    pub restarts: u64,
}

/// A ledger in memory: values, map and transaction ids, for audits and tests.
#[derive(Debug, Default)]
pub struct MemoryLedger {
    values: BTreeMap<Vec<u8>, Vec<u8>>,
    nodes: MemoryNodes,
    transactions: BTreeSet<TransactionId>,
}

impl MemoryLedger {
    /// The ledger at height 0 and the chain's end there.
    ///
    /// # Errors
    /// [`AuditError::Genesis`] or [`AuditError::Map`], for a genesis that gives no state.
    pub fn new(genesis: &Genesis) -> Result<(Self, Tip), AuditError> {
        let mut ledger = Self::default();
        let changes = genesis.state()?;
        let update = map::update(&ledger.nodes, 0, &changes)?;
        let tip = Tip {
            network: genesis.network(),
            height: Height(0),
            time: UnixMillis(genesis.document().time_ms),
            hash: genesis.network().0,
            frontier: Frontier::new(),
            state_root: update.root,
            map_version: 0,
            validators: Arc::new(genesis.validators().clone()),
            restart: None,
        };
        ledger.nodes.apply(update);
        ledger.write(changes);
        Ok((ledger, tip))
    }

    /// Takes over an executed block.
    pub fn commit(&mut self, block: block::ExecutedBlock) -> Tip {
        if let Some(update) = block.map_update {
            let oldest = update.version.saturating_sub(KEPT_VERSIONS);
            self.nodes.apply(update);
            self.nodes.prune(oldest);
        }
        self.write(block.changes);
        self.transactions.extend(block.transactions.iter().map(|t| t.id()));
        block.tip
    }

    /// The state map's nodes, to make proofs from.
    #[must_use]
    pub fn nodes(&self) -> &MemoryNodes {
        &self.nodes
    }

    fn write(&mut self, changes: Changes) {
        for (key, value) in changes {
            match value {
                Some(value) => self.values.insert(key, value),
                None => self.values.remove(&key),
            };
        }
    }
}

impl StateView for MemoryLedger {
    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        Ok(self.values.get(key).cloned())
    }

    fn contains_transaction(&self, id: &TransactionId) -> Result<bool, StateError> {
        Ok(self.transactions.contains(id))
    }
}

impl NodeReader for MemoryLedger {
    type Error = Infallible;

    fn node(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Infallible> {
        self.nodes.node(key)
    }

    fn value(&self, hash: &[u8; 32], max_version: u64) -> Result<Option<Vec<u8>>, Infallible> {
        self.nodes.value(hash, max_version)
    }
}

/// Replays a log.
#[derive(Debug)]
pub struct Auditor {
    ledger: MemoryLedger,
    tip: Tip,
    newest: Option<Header>,
    summary: Summary,
}

impl Auditor {
    /// Starts at genesis.
    ///
    /// # Errors
    /// When genesis gives no state.
    pub fn new(genesis: &Genesis) -> Result<Self, AuditError> {
        let (ledger, tip) = MemoryLedger::new(genesis)?;
        Ok(Self { ledger, tip, newest: None, summary: Summary::default() })
    }

    /// Checks a restart that precedes the next block.
    ///
    /// # Errors
    /// [`AuditError::Restart`]. The auditor stays where it was.
    pub fn restart(&mut self, change: &pb::SetChange) -> Result<(), AuditError> {
        let newest = self.newest.as_ref().ok_or(AuditError::Missing("header"))?;
        let trust = TrustRoot {
            network: self.tip.network,
            height: self.tip.height,
            header: Some(newest.hash()),
            validators: Arc::clone(&self.tip.validators),
            era: self.tip.era(),
        };
        let restarted = trust.restarted(change)?;
        self.tip = self.tip.restarted(restarted.era, restarted.validators);
        self.summary.restarts = self.summary.restarts.saturating_add(1);
        Ok(())
    }

    /// Checks the next block; blocks come in order, each once.
    ///
    /// # Errors
    /// See [`AuditError`]. The auditor stays where it was.
    pub fn block(&mut self, certified: &pb::CertifiedBlock) -> Result<(), AuditError> {
        let message = certified.block.clone().ok_or(AuditError::Missing("block"))?;
        let certificate =
            certified.certificate.as_ref().ok_or(AuditError::Missing("certificate"))?;
        let certificate = CommitCertificate::from_proto(certificate)?;
        let received = Block::from_proto(message)?;
        certificate.verify_in(&self.tip.era(), &received.header, &self.tip.validators)?;
        let mut transactions = Vec::new();
        for (position, bytes) in received.transactions.into_iter().enumerate() {
            let transaction = Transaction::decode(&self.tip.network, bytes)
                .map_err(|refusal| AuditError::Transaction { position, refusal })?;
            transactions.push(Arc::new(transaction));
        }
        let executed = block::check(&self.ledger, &self.tip, &received.header, transactions)?;
        self.count(&executed, &certificate);
        self.newest = Some(executed.header);
        self.tip = self.ledger.commit(executed);
        Ok(())
    }

    fn count(&mut self, block: &block::ExecutedBlock, certificate: &CommitCertificate) {
        let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        let cosignatures: usize = block.transactions.iter().map(|t| t.cosignatures().len()).sum();
        let transactions = count(block.transactions.len());
        let changed = block.tip.validators.hash() != self.tip.validators.hash();
        let s = &mut self.summary;
        s.blocks = s.blocks.saturating_add(1);
        s.transactions = s.transactions.saturating_add(transactions);
        s.transaction_signatures = s
            .transaction_signatures
            .saturating_add(transactions)
            .saturating_add(count(cosignatures));
        s.certificate_signatures =
            s.certificate_signatures.saturating_add(count(certificate.signatures.len()));
        s.set_changes = s.set_changes.saturating_add(u64::from(changed));
    }

    /// What has been checked so far.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.summary
    }

    /// The newest header checked.
    #[must_use]
    pub fn newest(&self) -> Option<&Header> {
        self.newest.as_ref()
    }

    /// The chain's end reached.
    #[must_use]
    pub fn tip(&self) -> &Tip {
        &self.tip
    }

    /// The state reached.
    #[must_use]
    pub fn ledger(&self) -> &MemoryLedger {
        &self.ledger
    }
}
