//! Proof that a validator signed twice, in bytes that outlive the engine: two votes or proposals
//! for one height and round, each with its signature over the preimage of `proto/README.md`,
//! section 1.

use heatmark_consensus::{Conflict, Evidence};
use heatmark_ledger::certificate::VoteKind;
use heatmark_ledger::ids::NetworkId;
use prost::Message;

/// The pair of messages.
#[derive(Clone, PartialEq, Message)]
struct Portable {
    #[prost(bytes = "vec", tag = "1")]
    network: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    validator: Vec<u8>,
    #[prost(uint64, tag = "3")]
    height: u64,
    #[prost(uint32, tag = "4")]
    round: u32,
    /// 1 prevote, 2 precommit, 3 proposal.
    #[prost(uint32, tag = "5")]
    kind: u32,
    #[prost(message, repeated, tag = "6")]
    signed: Vec<Signed>,
}

/// One of the two.
#[derive(Clone, PartialEq, Message)]
struct Signed {
    /// Header hash; empty for nil.
    #[prost(bytes = "vec", tag = "1")]
    value: Vec<u8>,
    /// Proof-of-lock round + 1; 0 for none and for votes.
    #[prost(uint32, tag = "2")]
    lock: u32,
    #[prost(bytes = "vec", tag = "3")]
    signature: Vec<u8>,
}

pub(super) fn encode(network: &NetworkId, evidence: &Evidence) -> Vec<u8> {
    let (kind, signed) = match &evidence.conflict {
        Conflict::Votes { kind, votes } => {
            let signed = votes.iter().map(|vote| Signed {
                value: vote.value.map_or_else(Vec::new, |hash| hash.to_vec()),
                lock: 0,
                signature: vote.signature.to_vec(),
            });
            let kind = if *kind == VoteKind::Prevote { 1 } else { 2 };
            (kind, signed.collect())
        }
        Conflict::Proposals(proposals) => {
            let signed = proposals.iter().map(|proposal| Signed {
                value: proposal.value.to_vec(),
                lock: proposal.lock_round.map_or(0, |round| round.0.saturating_add(1)),
                signature: proposal.signature.to_vec(),
            });
            (3, signed.collect())
        }
    };
    let portable = Portable {
        network: network.to_vec(),
        validator: evidence.validator.to_vec(),
        height: evidence.height.0,
        round: evidence.round.0,
        kind,
        signed,
    };
    portable.encode_to_vec()
}
