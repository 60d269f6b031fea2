//! Evidence that proves what it says, and none that does not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]

use super::*;
use ed25519_dalek::SigningKey;
use heatmark_ledger::keys::sign;

fn network() -> NetworkId {
    NetworkId::from([1; 32])
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[4; 32])
}

fn validator() -> [u8; 32] {
    key().verifying_key().to_bytes()
}

fn vote(value: Option<HeaderHash>) -> VoteSigned {
    let place = (Height(3), Round(1));
    let bytes = vote_preimage(&network(), VoteKind::Precommit, place, value.as_ref(), &validator());
    VoteSigned { value, signature: sign(&key(), &bytes).try_into().unwrap() }
}

fn proposal(value: HeaderHash, lock_round: Option<Round>) -> ProposalSigned {
    let place = (Height(3), Round(1));
    let bytes = proposal_preimage(&network(), place, lock_round, &value, &validator());
    ProposalSigned { value, lock_round, signature: sign(&key(), &bytes).try_into().unwrap() }
}

fn evidence(conflict: Conflict) -> Evidence {
    Evidence { validator: validator(), height: Height(3), round: Round(1), conflict }
}

fn votes(votes: [VoteSigned; 2]) -> Evidence {
    evidence(Conflict::Votes { kind: VoteKind::Precommit, votes })
}

#[test]
fn two_precommits_for_different_values_are_proof() {
    let (one, two) = (HeaderHash::from([1; 32]), HeaderHash::from([2; 32]));
    let proof = votes([vote(Some(one)), vote(Some(two))]);
    assert!(proof.verifies(&network()));
    assert!(votes([vote(Some(one)), vote(None)]).verifies(&network()));
    assert!(!proof.verifies(&NetworkId::from([2; 32])), "another network");
    assert!(!Evidence { height: Height(4), ..proof }.verifies(&network()), "another height");
    assert!(!Evidence { round: Round(0), ..proof }.verifies(&network()), "another round");
    let innocent = SigningKey::from_bytes(&[5; 32]).verifying_key().to_bytes();
    assert!(!Evidence { validator: innocent, ..proof }.verifies(&network()), "another validator");
}

#[test]
fn one_vote_twice_or_with_a_forged_signature_is_no_proof() {
    let (one, two) = (HeaderHash::from([1; 32]), HeaderHash::from([2; 32]));
    assert!(!votes([vote(Some(one)), vote(Some(one))]).verifies(&network()));
    let forged = VoteSigned { value: Some(two), ..vote(Some(one)) };
    assert!(!votes([vote(Some(one)), forged]).verifies(&network()));
    let prevotes = [vote(Some(one)), vote(Some(two))];
    let wrong_kind = Conflict::Votes { kind: VoteKind::Prevote, votes: prevotes };
    assert!(!evidence(wrong_kind).verifies(&network()));
}

#[test]
fn two_proposals_are_proof_even_if_only_the_lock_round_differs() {
    let (one, two) = (HeaderHash::from([1; 32]), HeaderHash::from([2; 32]));
    let pair = |a, b| evidence(Conflict::Proposals([a, b])).verifies(&network());
    assert!(pair(proposal(one, None), proposal(two, None)));
    assert!(pair(proposal(one, None), proposal(one, Some(Round(0)))));
    assert!(!pair(proposal(one, None), proposal(one, None)));
}
