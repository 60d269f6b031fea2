//! Proof that a validator signed twice, from the engine's terms into the ledger's portable ones.
//! Specification: `proto/README.md`, section 7.

use heatmark_consensus::{Conflict, Evidence};
use heatmark_ledger::certificate::VoteKind;
use heatmark_ledger::evidence::{Equivocation, EvidenceError, Signed, Statement};
use heatmark_ledger::ids::NetworkId;

/// The same evidence, portable.
///
/// # Errors
/// When the two statements are no conflict.
pub(super) fn portable(
    network: &NetworkId,
    evidence: &Evidence,
) -> Result<Equivocation, EvidenceError> {
    let (statement, signed) = match &evidence.conflict {
        Conflict::Votes { kind, votes } => {
            let statement = match kind {
                VoteKind::Prevote => Statement::Prevote,
                VoteKind::Precommit => Statement::Precommit,
            };
            let signed = votes.map(|vote| Signed {
                value: vote.value,
                lock_round: None,
                signature: vote.signature,
            });
            (statement, signed)
        }
        Conflict::Proposals(proposals) => {
            let signed = proposals.map(|proposal| Signed {
                value: Some(proposal.value),
                lock_round: proposal.lock_round,
                signature: proposal.signature,
            });
            (Statement::Proposal, signed)
        }
    };
    let place = (evidence.height, evidence.round);
    Equivocation::new(*network, evidence.validator, place, statement, signed)
}
