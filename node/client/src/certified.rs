//! Headers that verified a short while ago. Whoever gets many receipts of one block verifies its
//! certificate once: equal header, certificate and set changes need not be checked again against
//! the same trust root. Anything else, if only by a byte, is checked in full.

#[cfg(test)]
mod tests;

use heatmark_ledger::Hash;
use heatmark_ledger::messages as pb;
use heatmark_ledger::receipt::{self, ReceiptError, TrustRoot, Verified};
use heatmark_merkle::tag;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Headers remembered: more than the blocks from which answers come at a time.
const REMEMBERED: usize = 64;

/// The certified headers that a trust root vouched for. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct CertifiedHeaders(Arc<Mutex<VecDeque<Hash>>>);

impl CertifiedHeaders {
    /// Verifies a receipt; its certificate only when it was not verified before.
    pub(crate) fn verify(
        &self,
        receipt: &pb::Receipt,
        trust: &TrustRoot,
    ) -> Result<Verified, ReceiptError> {
        let digest = digest(receipt);
        if self.lock().contains(&digest) {
            return receipt::verify_with(receipt, trust, |_| Ok(()));
        }
        let verified = receipt::verify(receipt, trust)?;
        let mut known = self.lock();
        if known.len() >= REMEMBERED {
            known.pop_front();
        }
        known.push_back(digest);
        Ok(verified)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Hash>> {
        // A digest is there or not: nothing can be half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Of everything that `verify_header` looks at, besides the trust root.
fn digest(receipt: &pb::Receipt) -> Hash {
    let header = receipt.header.as_ref().map(prost::Message::encode_to_vec).unwrap_or_default();
    let certificate =
        receipt.certificate.as_ref().map(prost::Message::encode_to_vec).unwrap_or_default();
    let changes: Vec<Vec<u8>> =
        receipt.set_changes.iter().map(prost::Message::encode_to_vec).collect();
    let parts: Vec<&[u8]> =
        [&header, &certificate].into_iter().chain(&changes).map(Vec::as_slice).collect();
    tag::hash("certified-header", &parts)
}
