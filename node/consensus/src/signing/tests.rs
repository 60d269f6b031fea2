//! Signatures of votes and proposals.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    reason = "tests fail loudly"
)]

use super::*;
use crate::context::{BlockId, Height};
use heatmark_ledger::ids::{Era, Height as LedgerHeight, NetworkId};
use heatmark_ledger::restart::RestartPoint;

const NETWORK: [u8; 32] = [1; 32];

fn signer() -> LedgerSigner {
    LedgerSigner::new(NetworkId::from(NETWORK), SigningKey::from_bytes(&[5; 32]))
}

fn block(fill: u8) -> BlockId {
    BlockId(HeaderHash::from([fill; 32]))
}

fn vote(kind: VoteType, value: NilOrVal<BlockId>) -> Vote {
    Vote { kind, height: Height(7), round: Round::new(2), value, address: signer().address() }
}

fn key() -> PublicKey {
    PublicKey::from_bytes(&signer().address().0).unwrap()
}

#[tokio::test]
async fn a_precommit_verifies_as_the_ledgers_certificate_would_read_it() {
    let signed =
        signer().sign_vote(vote(VoteType::Precommit, NilOrVal::Val(block(3)))).await.unwrap();
    let bytes = vote_preimage(
        &NetworkId::from(NETWORK),
        VoteKind::Precommit,
        (LedgerHeight(7), ids::Round(2)),
        Some(&block(3).0),
        &signer().address().0,
    );
    key().verify(&bytes, &signed.signature.0).unwrap();
}

#[tokio::test]
async fn a_vote_verifies_only_for_its_network_kind_value_and_voter() {
    let signed = signer().sign_vote(vote(VoteType::Prevote, NilOrVal::Nil)).await.unwrap();
    let here = LedgerVerifier::new(NetworkId::from(NETWORK));
    let elsewhere = LedgerVerifier::new(NetworkId::from([2; 32]));
    let valid = async |verifier: &LedgerVerifier, vote: &Vote, key: &PublicKey| {
        verifier.verify_signed_vote(vote, &signed.signature, key).await.unwrap().is_valid()
    };
    assert!(valid(&here, &signed.message, &key()).await);
    assert!(!valid(&elsewhere, &signed.message, &key()).await);
    assert!(!valid(&here, &vote(VoteType::Precommit, NilOrVal::Nil), &key()).await);
    assert!(!valid(&here, &vote(VoteType::Prevote, NilOrVal::Val(block(1))), &key()).await);
    let other = PublicKey::of(&SigningKey::from_bytes(&[6; 32]));
    assert!(!valid(&here, &signed.message, &other).await);
    let mut forged = signed.message.clone();
    forged.address = Address(other.to_bytes());
    assert!(!valid(&here, &forged, &key()).await, "signed for somebody else's address");
}

#[tokio::test]
async fn refuses_to_sign_two_values_in_one_place() {
    let signer = signer();
    let (one, two) = (NilOrVal::Val(block(1)), NilOrVal::Val(block(2)));
    let first = signer.sign_vote(vote(VoteType::Precommit, one)).await.unwrap();
    let again = signer.sign_vote(vote(VoteType::Precommit, one)).await.unwrap();
    assert_eq!(first.signature, again.signature, "the same vote may be signed again");
    signer.sign_vote(vote(VoteType::Precommit, two)).await.unwrap_err();
    signer.sign_vote(vote(VoteType::Precommit, NilOrVal::Nil)).await.unwrap_err();
    signer.sign_vote(vote(VoteType::Prevote, two)).await.unwrap();
    let proposal = |value, pol_round| Proposal {
        height: Height(7),
        round: Round::new(2),
        value,
        pol_round,
        address: signer.address(),
    };
    signer.sign_proposal(proposal(block(1), Round::Nil)).await.unwrap();
    signer.sign_proposal(proposal(block(1), Round::new(0))).await.unwrap_err();
    signer.sign_proposal(proposal(block(2), Round::Nil)).await.unwrap_err();
}

#[tokio::test]
async fn refuses_to_sign_for_another_validator_or_for_no_round() {
    let mut foreign = vote(VoteType::Prevote, NilOrVal::Nil);
    foreign.address = Address([8; 32]);
    signer().sign_vote(foreign).await.unwrap_err();
    let mut roundless = vote(VoteType::Prevote, NilOrVal::Nil);
    roundless.round = Round::Nil;
    signer().sign_vote(roundless).await.unwrap_err();
}

#[tokio::test]
async fn a_validator_proof_holds_for_its_peer_only() {
    let proof =
        signer().sign_validator_proof(signer().address().0.to_vec(), vec![1, 2]).await.unwrap();
    let verifier = LedgerVerifier::new(NetworkId::from(NETWORK));
    assert!(verifier.verify_validator_proof(&proof).await.unwrap().is_valid());
    let stolen = ValidatorProof::new(proof.public_key.clone(), vec![1, 3], proof.signature.clone());
    assert!(verifier.verify_validator_proof(&stolen).await.unwrap().is_invalid());
}

/// A vote of before a restart counts for nothing after it, and neither conflicts with the other.
#[tokio::test]
async fn votes_of_two_eras_are_strangers() {
    let network = NetworkId::from(NETWORK);
    let point = RestartPoint { height: LedgerHeight(6), era: Era::from([9; 32]) };
    let after = Eras::new(network, [point]);
    let later = || LedgerSigner::new(after.clone(), SigningKey::from_bytes(&[5; 32]));
    let of = |value| vote(VoteType::Precommit, NilOrVal::Val(block(value)));
    let old = signer().sign_vote(of(3)).await.unwrap();
    let new = later().sign_vote(of(4)).await.unwrap();
    let (before, after) = (LedgerVerifier::new(network), LedgerVerifier::new(after.clone()));
    for (verifier, signed, valid) in
        [(&before, &old, true), (&before, &new, false), (&after, &old, false), (&after, &new, true)]
    {
        let found = verifier.verify_signed_vote(&signed.message, &signed.signature, &key()).await;
        assert_eq!(found.unwrap().is_valid(), valid);
    }
    let mut below = of(3);
    below.height = Height(6);
    let signed = later().sign_vote(below).await.unwrap();
    let found = before.verify_signed_vote(&signed.message, &signed.signature, &key()).await;
    assert!(found.unwrap().is_valid(), "the restart's own height is of the era before");
}
