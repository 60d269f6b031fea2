//! A chain of blocks as it streams in: each certified by the right set, restarts by the members
//! included, linked to the one before,
//! and, from the first block on, with a log root that follows from its transactions. Refuses the
//! first block that breaks the chain. Specification: `proto/README.md`, sections 4 and 6.

use crate::error::ClientError;
use heatmark_ledger::header::Header;
use heatmark_ledger::ids::{Era, Height};
use heatmark_ledger::receipt::{CertifiedHeader, ReceiptError, TrustRoot};
use heatmark_ledger::validators::ValidatorSet;
use heatmark_ledger::{Hash, TreeSize, messages as pb, transaction};
use heatmark_merkle::tree::Frontier;
use std::sync::Arc;

/// A block that follows from the one before.
#[derive(Debug, Clone)]
pub struct VerifiedBlock {
    /// Its header.
    pub header: Header,
    /// The block with its certificate, as received.
    pub message: pb::CertifiedBlock,
    /// The validators of the next height, where this block changes them.
    pub next: Option<Arc<ValidatorSet>>,
}

/// Verifies blocks in order.
#[derive(Debug)]
pub struct BlockVerifier {
    trust: TrustRoot,
    /// Hash of the newest header; unknown right after a pinned trust root without one.
    previous: Hash,
    /// Leaves so far, where known.
    size: Option<TreeSize>,
    /// The log's right edge, when it was followed from its beginning.
    frontier: Option<Frontier>,
}

impl BlockVerifier {
    /// Starts at the block after the trust root.
    #[must_use]
    pub fn from_trust(trust: &TrustRoot) -> Self {
        let genesis = trust.height == Height(0);
        Self {
            previous: trust.header.map_or(trust.network.0, |header| header.0),
            size: genesis.then_some(TreeSize(0)),
            frontier: genesis.then(Frontier::new),
            trust: trust.clone(),
        }
    }

    /// Starts at the block after a verified header of this era.
    #[must_use]
    pub fn after(header: &Header, next: ValidatorSet, era: Era) -> Self {
        let hash = header.hash();
        let trust = TrustRoot {
            network: header.network,
            height: header.height,
            header: Some(hash),
            validators: Arc::new(next),
            era,
        };
        Self { trust, previous: hash.0, size: Some(header.log_size), frontier: None }
    }

    /// Verifies the next block.
    ///
    /// # Errors
    /// [`ClientError::Evidence`] or [`ClientError::WrongAnswer`]; the verifier is of no use then.
    pub fn verify(
        &mut self,
        response: pb::StreamBlocksResponse,
    ) -> Result<VerifiedBlock, ClientError> {
        let message = response.block.ok_or(ReceiptError::Field("block"))?;
        let block = message.block.as_ref().ok_or(ReceiptError::Field("block"))?;
        if let Some(restart) = &response.restart {
            self.trust = self.trust.restarted(restart)?;
        }
        let certified =
            CertifiedHeader::from_proto(block.header.as_ref(), message.certificate.as_ref(), &[])?;
        let header = certified.header;
        if header.height != self.trust.height.next() || header.previous != self.previous {
            return Err(ClientError::WrongAnswer("a block that does not follow the last one"));
        }
        self.trust.verify_header(&certified)?;
        self.count_leaves(&header, block)?;
        let next = self.next_set(&header, response.next.as_ref())?;
        self.previous = header.hash().0;
        self.trust.height = header.height;
        self.trust.header = Some(header.hash());
        if let Some(next) = &next {
            self.trust.validators = Arc::clone(next);
        }
        Ok(VerifiedBlock { header, message, next })
    }

    fn count_leaves(&mut self, header: &Header, block: &pb::Block) -> Result<(), ClientError> {
        let wrong = ClientError::WrongAnswer("transactions that are not the header's");
        let count = u64::try_from(block.transactions.len()).unwrap_or(u64::MAX);
        if let Some(before) = self.size
            && before.0.checked_add(count) != Some(header.log_size.0)
        {
            return Err(wrong);
        }
        self.size = Some(header.log_size);
        if let Some(frontier) = &mut self.frontier {
            for bytes in &block.transactions {
                frontier.push(transaction::leaf_hash(bytes));
            }
            if frontier.root() != header.log_root {
                return Err(wrong);
            }
        }
        Ok(())
    }

    fn next_set(
        &self,
        header: &Header,
        next: Option<&pb::ValidatorSet>,
    ) -> Result<Option<Arc<ValidatorSet>>, ClientError> {
        if header.next_validators == self.trust.validators.hash() {
            return Ok(None);
        }
        let next = next.ok_or(ReceiptError::Field("next"))?;
        let next = ValidatorSet::from_proto(next).map_err(ReceiptError::from)?;
        if next.hash() != header.next_validators {
            return Err(ReceiptError::WrongNextSet.into());
        }
        Ok(Some(Arc::new(next)))
    }
}
