//! Proof that a validator signed twice, in the ledger's terms: it verifies without the engine and
//! may be carried anywhere. Specification: `proto/README.md`, sections 1 and 6.

use arc_malachitebft_app_channel::app::types::MisbehaviorEvidence;
use arc_malachitebft_app_channel::app::types::core::{SignedMessage, SignedProposal, SignedVote};
use heatmark_ledger::certificate::{VoteKind, proposal_preimage, vote_preimage};
use heatmark_ledger::ids::{HeaderHash, Height, NetworkId, Round};
use heatmark_ledger::keys::{PublicKey, SIGNATURE_BYTES};

use crate::context::{Heatmark, Proposal, Vote};
use crate::signing::{kind, round_of, value_of};

/// One of two conflicting votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VoteSigned {
    /// What was voted for; `None` for nil.
    pub value: Option<HeaderHash>,
    /// Signature over the vote's preimage.
    pub signature: [u8; SIGNATURE_BYTES],
}

/// One of two conflicting proposals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProposalSigned {
    /// What was proposed.
    pub value: HeaderHash,
    /// Proof-of-lock round it claims, if any.
    pub lock_round: Option<Round>,
    /// Signature over the proposal's preimage.
    pub signature: [u8; SIGNATURE_BYTES],
}

/// What the validator signed twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    /// Two votes of one kind.
    Votes {
        /// Which vote.
        kind: VoteKind,
        /// The two.
        votes: [VoteSigned; 2],
    },
    /// Two proposals.
    Proposals([ProposalSigned; 2]),
}

/// Two conflicting signatures by one validator for one height and round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evidence {
    /// Consensus key that signed both.
    pub validator: [u8; 32],
    /// Height of both.
    pub height: Height,
    /// Round of both.
    pub round: Round,
    /// What was signed.
    pub conflict: Conflict,
}

impl Evidence {
    /// Whether it proves what it says: both signatures verify and they contradict each other.
    #[must_use]
    pub fn verifies(&self, network: &NetworkId) -> bool {
        let Ok(key) = PublicKey::from_bytes(&self.validator) else { return false };
        let place = (self.height, self.round);
        match &self.conflict {
            Conflict::Votes { kind, votes: [first, second] } => {
                first.value != second.value
                    && [first, second].into_iter().all(|vote| {
                        let value = vote.value.as_ref();
                        let bytes = vote_preimage(network, *kind, place, value, &self.validator);
                        key.verify(&bytes, &vote.signature).is_ok()
                    })
            }
            Conflict::Proposals([first, second]) => {
                (first.value, first.lock_round) != (second.value, second.lock_round)
                    && [first, second].into_iter().all(|proposal| {
                        let (value, lock) = (&proposal.value, proposal.lock_round);
                        let bytes = proposal_preimage(network, place, lock, value, &self.validator);
                        key.verify(&bytes, &proposal.signature).is_ok()
                    })
            }
        }
    }
}

/// All pairs that the engine collected over a height.
pub(crate) fn collect(found: &MisbehaviorEvidence<Heatmark>) -> Vec<Evidence> {
    let votes = found.votes.iter().flat_map(|(_, pairs)| pairs).filter_map(votes);
    let proposals = found.proposals.iter().flat_map(|(_, pairs)| pairs).filter_map(proposals);
    votes.chain(proposals).collect()
}

fn votes((first, second): &(SignedVote<Heatmark>, SignedVote<Heatmark>)) -> Option<Evidence> {
    let signed = |vote: &SignedMessage<Heatmark, Vote>| VoteSigned {
        value: value_of(&vote.message),
        signature: vote.signature.0,
    };
    Some(Evidence {
        validator: first.message.address.0,
        height: first.message.height.ledger(),
        round: round_of(first.message.round)?,
        conflict: Conflict::Votes {
            kind: kind(first.message.kind),
            votes: [signed(first), signed(second)],
        },
    })
}

fn proposals(
    (first, second): &(SignedProposal<Heatmark>, SignedProposal<Heatmark>),
) -> Option<Evidence> {
    let signed = |proposal: &SignedMessage<Heatmark, Proposal>| ProposalSigned {
        value: proposal.message.value.0,
        lock_round: round_of(proposal.message.pol_round),
        signature: proposal.signature.0,
    };
    Some(Evidence {
        validator: first.message.address.0,
        height: first.message.height.ledger(),
        round: round_of(first.message.round)?,
        conflict: Conflict::Proposals([signed(first), signed(second)]),
    })
}

#[cfg(test)]
mod tests;
