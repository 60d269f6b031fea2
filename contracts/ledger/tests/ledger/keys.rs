//! Keys that are rotated, compromised, replaced, and members that go: what was signed before stays
//! proved, and what a stolen key signed is told apart.

use crate::cases::{alert, anchor, issuer, propose, rotate, rotate_cosigners, target};
use crate::town::{self, DELAY_MS, Town, key, public_key, set_power};
use heatmark_ledger::ids::Height;
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::messages as pb;
use heatmark_ledger::receipt::{self, Signing, VerifiedState};
use heatmark_ledger::refusal::Refusal;
use heatmark_ledger::state;
use pb::CoSigner;
use pb::body::Payload;
use pb::propose::Action;

fn turn(town: &mut Town, who: usize, new: &str, role: pb::KeyRole, since: u64) {
    let new = key(new);
    let rotation =
        pb::RotateKey { compromised_since: since, ..rotate(&town.members[who], &new, role) };
    let cosigners = rotate_cosigners(&town.members[who], &new);
    let turn = town.tx_with(who, Payload::RotateKey(rotation), &cosigners);
    town.commit(&[turn]);
}

fn key_state(town: &Town, of: &ed25519_dalek::SigningKey) -> VerifiedState {
    let proof = town.state_proof(&state::key_key(&PublicKey::of(of).id()), Height(0));
    receipt::verify_state(&proof, &town.trust()).unwrap()
}

#[test]
fn a_signature_after_the_compromise_is_on_hold_and_one_before_is_sound() {
    let mut town = Town::new();
    let early = town.anchor(1);
    town.commit(&[early]);
    let before = town.receipt(0, Height(0));
    town.commit(&[]);
    let late = town.anchor(1);
    town.commit(&[late]);
    let at_compromise = town.receipt(1, Height(0));
    let old = town.members[1].signing.clone();
    turn(&mut town, 1, "Forge signing 2", pb::KeyRole::Signing, 3);
    town.members[1].signing = key("Forge signing 2");
    let fresh = town.anchor(1);
    town.commit(&[fresh]);
    let after = town.receipt(3, Height(0));

    let trust = town.trust();
    let standing = key_state(&town, &old);
    let before = receipt::verify(&before, &trust).unwrap();
    assert_eq!(before.signing(&standing), Ok(Signing::Sound));
    let suspect = receipt::verify(&at_compromise, &trust).unwrap();
    assert_eq!(suspect.signing(&standing), Ok(Signing::Suspect { since: Height(3) }));
    // The same early transaction, proved by a header of after the compromise only: cannot be told
    // to be earlier.
    let later = receipt::verify(&town.receipt(0, Height(0)), &trust).unwrap();
    assert_eq!(later.signing(&standing), Ok(Signing::Suspect { since: Height(3) }));
    let fresh = receipt::verify(&after, &trust).unwrap();
    let new = key_state(&town, &town.members[1].signing.clone());
    assert_eq!(fresh.signing(&new), Ok(Signing::Sound));
    assert!(fresh.signing(&standing).is_err(), "the state of another key says nothing");
}

#[test]
fn the_state_of_a_key_before_the_receipt_says_nothing_of_it() {
    let mut town = Town::new();
    let first = town.anchor(1);
    town.commit(&[first]);
    let early = key_state(&town, &town.members[1].signing.clone());
    let second = town.anchor(1);
    town.commit(&[second]);
    let receipt = receipt::verify(&town.receipt(1, Height(0)), &town.trust()).unwrap();
    assert!(receipt.signing(&early).is_err());
}

#[test]
fn an_ordinary_rotation_leaves_everything_sound() {
    let mut town = Town::new();
    let early = town.anchor(1);
    town.commit(&[early]);
    let receipt = town.receipt(0, Height(0));
    let old = town.members[1].signing.clone();
    turn(&mut town, 1, "Forge signing 2", pb::KeyRole::Signing, 0);
    let verified = receipt::verify(&receipt, &town.trust()).unwrap();
    assert_eq!(verified.signing(&key_state(&town, &old)), Ok(Signing::Sound));
}

/// The height after the rotation's is the first at which the old key is refused.
#[test]
fn keys_change_with_the_height_after_the_rotation() {
    let mut town = Town::new();
    let (old, new) = (town.members[1].signing.clone(), key("Forge signing 2"));
    let rotation = Payload::RotateKey(rotate(&town.members[1], &new, pb::KeyRole::Signing));
    let rotation = town.tx_with(1, rotation, &rotate_cosigners(&town.members[1], &new));
    let (by_old, by_new) = (town.body(anchor()), town.body(anchor()));
    let by_old = town.decode(&town.envelope(&old, &by_old, &[])).unwrap();
    let by_new = town.decode(&town.envelope(&new, &by_new, &[])).unwrap();
    let proposal = town.propose(&[rotation, by_old, by_new.clone()]);
    assert_eq!(proposal.refused, [(by_new.id(), Refusal::KeyNotValid)]);
    town.take(proposal.block);
    let late = town.body(anchor());
    let late = town.envelope(&old, &late, &[]);
    let now = town.tip.time.0 + 1;
    assert_eq!(town.refusal(&late, now), Err(Refusal::KeyNotValid));
    town.commit(&[by_new]);
}

/// Whatever becomes of members and keys, what stands on the log stays proved from genesis.
#[test]
fn receipts_from_before_verify_after_everything() {
    let mut town = Town::new();
    let first = [town.anchor(0), town.anchor(1), town.anchor(2), town.anchor(3)];
    town.commit(&first);
    let receipts: Vec<pb::Receipt> = (0..4).map(|leaf| town.receipt(leaf, Height(0))).collect();
    turn(&mut town, 1, "Forge signing 2", pb::KeyRole::Signing, 1);
    town.members[1].signing = key("Forge signing 2");
    turn(&mut town, 1, "Forge consensus 2", pb::KeyRole::Consensus, 0);
    town.members[1].consensus = key("Forge consensus 2");
    town.voters.push(key("Forge consensus 2"));
    town.decide(set_power(&town.members[1], 1), &[1, 2]);
    town.commit_at(town.tip.time.0 + DELAY_MS, &[]);
    let new_root = key("Assembler root 2");
    let replace = pb::ReplaceRoot {
        member: town.id(2).to_vec(),
        new_root: Some(public_key(pb::KeyRole::Root, &new_root)),
    };
    let cosigner = [(CoSigner::NewKey, new_root)];
    let replace = town.tx_with(0, propose(Action::ReplaceRoot(replace)), &cosigner);
    let id = replace.id().to_vec();
    let votes = [town.vote(1, &id, true), town.vote(3, &id, true)];
    town.commit(&[&[replace], votes.as_slice()].concat());
    town.decide(set_power(&town.members[3], 0), &[1, 2]);
    town.commit_at(town.tip.time.0 + DELAY_MS, &[]);
    let leave = Payload::Leave(pb::Leave { member: town.id(3).to_vec() });
    let leave = town.tx_with(3, leave, &[(CoSigner::Root, town.members[3].root.clone())]);
    town.commit(&[leave]);
    town.decide(propose(Action::Suspend(target(&town.members[2]))), &[1]);
    town.restart(&[0], &[0, 1]);
    let last = [town.anchor(0)];
    town.commit(&last);
    let trust = town.trust();
    for (leaf, receipt) in receipts.iter().enumerate() {
        receipt::verify(receipt, &trust).unwrap();
        receipt::verify(&town.receipt(leaf as u64, Height(0)), &trust).unwrap();
    }
}

#[test]
fn a_replaced_root_key_rotates_nothing_and_its_successor_does() {
    let mut town = Town::new();
    let (old, new_root) = (town.members[1].root.clone(), key("Forge root 2"));
    let replace = pb::ReplaceRoot {
        member: town.id(1).to_vec(),
        new_root: Some(public_key(pb::KeyRole::Root, &new_root)),
    };
    let cosigner = [(CoSigner::NewKey, new_root.clone())];
    let replace = town.tx_with(0, propose(Action::ReplaceRoot(replace)), &cosigner);
    let id = replace.id().to_vec();
    let votes = [town.vote(2, &id, true), town.vote(3, &id, true)];
    town.commit(&[&[replace], votes.as_slice()].concat());
    let new = key("Forge signing 2");
    let payload = Payload::RotateKey(rotate(&town.members[1], &new, pb::KeyRole::Signing));
    let by = |root| [(CoSigner::Root, root), (CoSigner::NewKey, new.clone())];
    let refused = town.tx_with(1, payload.clone(), &by(old));
    let now = town.tip.time.0 + 1;
    assert_eq!(town.refusal(refused.bytes(), now), Err(Refusal::Cosignatures));
    let accepted = town.tx_with(1, payload, &by(new_root));
    town.commit(&[accepted]);
    assert_eq!(town.id(1), town::Town::new().id(1), "the member stays who it is");
}

#[test]
fn another_member_carries_the_alert_of_a_suspended_one() {
    let mut town = Town::new();
    town.decide(propose(Action::Suspend(target(&town.members[3]))), &[1, 2]);
    let record = key("a record of the lab");
    let held = Payload::Alert(alert(&record, pb::AlertLevel::Hold, 1));
    let own = town.tx_with(3, held.clone(), &issuer(&record));
    let now = town.tip.time.0 + 1;
    assert_eq!(town.refusal(own.bytes(), now), Ok(()), "alerts are open to suspended members");
    let carried = town.tx_with(1, held, &issuer(&record));
    town.commit(&[carried]);
    let subject = PublicKey::of(&record).alert_subject();
    let stands = state::alert(&town.ledger, &subject, None).unwrap().unwrap();
    assert_eq!(stands.level(), pb::AlertLevel::Hold);
    // And of one that has left.
    let recall = Payload::Alert(alert(&record, pb::AlertLevel::Recall, 2));
    town.decide(propose(Action::Reinstate(target(&town.members[3]))), &[1]);
    town.decide(set_power(&town.members[3], 0), &[1, 2]);
    town.commit_at(town.tip.time.0 + DELAY_MS, &[]);
    let leave = Payload::Leave(pb::Leave { member: town.id(3).to_vec() });
    let leave = town.tx_with(3, leave, &[(CoSigner::Root, town.members[3].root.clone())]);
    town.commit(&[leave]);
    let carried = town.tx_with(0, recall, &issuer(&record));
    town.commit(&[carried]);
}

/// Only a vote moves the power, all of it, so that a member never votes with two keys.
#[test]
fn a_rotated_consensus_key_votes_from_the_vote_on() {
    let mut town = Town::new();
    turn(&mut town, 3, "Lab consensus 2", pb::KeyRole::Consensus, 0);
    let set = |town: &Town, label: &str| {
        let wanted = PublicKey::of(&key(label)).to_bytes();
        town.tip.validators.position(&wanted).is_some()
    };
    assert!(set(&town, "Lab consensus") && !set(&town, "Lab consensus 2"));
    town.members[3].consensus = key("Lab consensus 2");
    town.voters.push(key("Lab consensus 2"));
    town.decide(set_power(&town.members[3], 1), &[1, 2]);
    town.commit_at(town.tip.time.0 + DELAY_MS, &[]);
    assert!(!set(&town, "Lab consensus") && set(&town, "Lab consensus 2"));
    assert_eq!(town.tip.validators.total_power(), 4);
    town.commit(&[]);
}
