//! When the next adopted proposal takes effect. An idle network would notice at its next heartbeat
//! only, since it is a block that puts it into effect.

use heatmark_ledger::ids::{TransactionId, UnixMillis};
use heatmark_ledger::messages as pb;
use heatmark_ledger::state::{self, StateError, StateView};

/// The time of effect of the adopted proposal that comes first; none when none waits.
///
/// # Errors
/// When the state cannot be read.
pub(super) fn next_effect(view: &impl StateView) -> Result<Option<UnixMillis>, StateError> {
    let pending: Option<pb::PendingProposals> =
        state::read(view, &state::pending_key(), "pending")?;
    let Some(first) = pending.and_then(|pending| pending.proposals.into_iter().next()) else {
        return Ok(None);
    };
    let id =
        TransactionId::try_from(first.as_slice()).map_err(|_| StateError::Damaged("pending"))?;
    let proposal: pb::ProposalState = state::read(view, &state::proposal_key(&id), "proposal")?
        .ok_or(StateError::Damaged("proposal"))?;
    Ok(Some(UnixMillis(proposal.effective_ms)))
}
