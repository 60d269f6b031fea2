//! Proof against validators that signed twice, in pages that fit an answer. Any member may have it:
//! it accuses nobody falsely, and the more keep it the better.

use heatmark_ledger::ids::Height;
use heatmark_ledger::messages as pb;
use heatmark_store::{Store, StoreError};
use prost::Message as _;

/// Most bytes of a page; its last piece may exceed it.
const PAGE_BYTES: usize = 512 * 1024;

/// Most pieces of a page.
const PAGE_PIECES: usize = 16;

/// The evidence after the first `skip` pieces that reaches beyond the trust root.
pub(super) fn page(
    store: &Store,
    request: &pb::ListEvidenceRequest,
) -> Result<pb::ListEvidenceResponse, StoreError> {
    let trusted = Height(request.trusted_height);
    let mut kept = store.evidence()?;
    kept.retain(|equivocation| equivocation.height > trusted);
    let skip = usize::try_from(request.skip).unwrap_or(usize::MAX);
    let mut evidence = Vec::new();
    let mut bytes = 0_usize;
    for equivocation in kept.iter().skip(skip).take(PAGE_PIECES) {
        let piece = store.portable_evidence(equivocation, trusted)?;
        bytes = bytes.saturating_add(piece.encoded_len());
        evidence.push(piece);
        if bytes >= PAGE_BYTES {
            break;
        }
    }
    let kept = u32::try_from(kept.len()).unwrap_or(u32::MAX);
    Ok(pb::ListEvidenceResponse { evidence, kept })
}
