//! That a manifest is its owner's: its digest stands in a batch that a key of the owner's has anchored. Verified from a trust
//! root and the evidence alone.

use heatmark_evidence::{DisclosureError, anchored_by};
use heatmark_ledger::ids::{Height, MemberId};
use heatmark_ledger::receipt::{Signing, TrustRoot};
use thiserror::Error;

use crate::files::DepositEvidence;
use crate::{EscrowError, Manifest};

/// A manifest whose anchor is proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deposited {
    /// Height of the block that holds the anchor.
    pub height: Height,
    /// Whether the key that signed it counts as stolen; who judges a deposit refuses such a one.
    pub signing: Signing,
}

/// Why a manifest is not shown to be its owner's: do not keep shares under it, nor pay for it.
#[derive(Debug, Error)]
pub enum DepositError {
    /// The evidence is none.
    #[error("the evidence for the manifest is none: {0}")]
    Evidence(#[from] EscrowError),
    /// The evidence does not prove it.
    #[error("the evidence does not prove the manifest: {0}")]
    Anchor(#[from] DisclosureError),
    /// It is anchored by another member than the owner that it names.
    #[error("the manifest is anchored by another member than its owner")]
    NotTheOwner,
}

impl Manifest {
    /// Verifies that its owner anchored it.
    ///
    /// # Errors
    /// [`DepositError`].
    pub fn verify_anchored(
        &self,
        evidence: &[u8],
        trust: &TrustRoot,
    ) -> Result<Deposited, DepositError> {
        let DepositEvidence { receipt, batch, issuer_key } = DepositEvidence::read(evidence)?;
        let parts = (receipt.as_slice(), batch.as_slice(), issuer_key.as_slice());
        let anchored = anchored_by(&self.digest(), parts, trust)?;
        if MemberId::try_from(self.owner.as_slice()).ok() != Some(anchored.member) {
            return Err(DepositError::NotTheOwner);
        }
        Ok(Deposited { height: anchored.receipt.header.height, signing: anchored.signing })
    }
}
