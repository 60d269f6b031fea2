//! Votes: how much agreement it takes, when it takes effect, and what becomes of it then.

use crate::cases::{anchor, propose, rotate, rotate_cosigners, target};
use crate::town::{self, DELAY_MS, LIFETIME_MS, Town, key, set_power};
use heatmark_ledger::messages as pb;
use heatmark_ledger::messages::body::Payload;
use heatmark_ledger::messages::propose::Action;
use heatmark_ledger::refusal::Refusal;
use heatmark_ledger::{ids, state};

fn status(town: &Town, id: &[u8]) -> pb::ProposalStatus {
    let id = ids::TransactionId::try_from(id).unwrap();
    town.value::<pb::ProposalState>(&state::proposal_key(&id)).unwrap().status()
}

fn standing(town: &Town, who: usize) -> pb::MemberStatus {
    town.value::<pb::MemberState>(&state::member_key(&town.id(who))).unwrap().status()
}

#[test]
fn half_of_the_members_suspend_nobody_and_one_more_do_at_once() {
    let mut town = Town::new();
    let suspend = propose(Action::Suspend(target(&town.members[3])));
    let id = town.decide(suspend, &[1]);
    assert_eq!(status(&town, &id), pb::ProposalStatus::Open);
    assert_eq!(standing(&town, 3), pb::MemberStatus::Active);
    let vote = town.vote(2, &id, true);
    town.commit(&[vote]);
    assert_eq!(status(&town, &id), pb::ProposalStatus::InEffect);
    assert_eq!(standing(&town, 3), pb::MemberStatus::Suspended);
}

#[test]
fn rejections_count_for_nothing_and_cannot_be_taken_back() {
    let mut town = Town::new();
    let id = town.decide(propose(Action::Suspend(target(&town.members[3]))), &[1]);
    let no = town.vote(2, &id, false);
    town.commit(&[no]);
    assert_eq!(status(&town, &id), pb::ProposalStatus::Open);
    let changed_mind = town.vote(2, &id, true);
    let refusal = town.refusal(changed_mind.bytes(), town.tip.time.0 + 1);
    assert_eq!(refusal, Err(Refusal::Voted));
}

#[test]
fn a_grave_vote_waits_for_its_delay_and_not_a_millisecond_longer() {
    let mut town = Town::new();
    let before = town.tip.validators.hash();
    let powerful = set_power(&town.members[3], 2);
    let id = town.decide(powerful, &[1, 2]);
    let decided = town.tip.time.0;
    assert_eq!(status(&town, &id), pb::ProposalStatus::Adopted);
    town.commit_at(decided + DELAY_MS - 1, &[]);
    assert_eq!(status(&town, &id), pb::ProposalStatus::Adopted);
    assert_eq!(town.tip.validators.hash(), before);
    town.commit_at(decided + DELAY_MS, &[]);
    assert_eq!(status(&town, &id), pb::ProposalStatus::InEffect);
    assert_ne!(town.tip.validators.hash(), before);
    assert_eq!(town.tip.validators.total_power(), 5);
}

#[test]
fn two_thirds_of_the_members_need_two_thirds_of_the_power_too() {
    let mut document = town::document();
    document.founders[3].power = 100;
    let mut town = Town::with(&document);
    let id = town.decide(set_power(&town.members[1], 2), &[1, 2]);
    assert_eq!(status(&town, &id), pb::ProposalStatus::Open, "3 of 4 members, 3 of 103 power");
    let vote = town.vote(3, &id, true);
    town.commit(&[vote]);
    assert_eq!(status(&town, &id), pb::ProposalStatus::Adopted);
}

#[test]
fn a_member_with_a_weighty_role_needs_two_thirds_and_a_supplier_a_majority() {
    for (roles, expected) in [
        (vec![pb::Role::Supplier, pb::Role::Assembler], pb::ProposalStatus::InEffect),
        (vec![pb::Role::Lab], pb::ProposalStatus::Adopted),
    ] {
        let mut town = Town::new();
        let action = propose(Action::AddMember(town::entry("Newcomer", &roles)));
        let add = town.tx_with(0, action, &town::entry_cosigners("Newcomer", &roles));
        let id = add.id().to_vec();
        let votes = [town.vote(1, &id, true), town.vote(2, &id, true)];
        town.commit(&[&[add], votes.as_slice()].concat());
        assert_eq!(status(&town, &id), expected);
    }
}

#[test]
fn a_new_member_signs_from_the_height_after_its_adoption() {
    let mut town = Town::new();
    let roles = [pb::Role::Supplier];
    let action = propose(Action::AddMember(town::entry("Newcomer", &roles)));
    let add = town.tx_with(0, action, &town::entry_cosigners("Newcomer", &roles));
    let id = add.id().to_vec();
    let (second, third) = (town.vote(1, &id, true), town.vote(2, &id, true));
    let body = town.body(anchor());
    let first = town.decode(&town.envelope(&key("Newcomer signing"), &body, &[])).unwrap();
    let proposal = town.propose(&[add, second, third, first.clone()]);
    assert_eq!(proposal.refused, [(first.id(), Refusal::KeyNotValid)]);
    town.take(proposal.block);
    town.commit(&[first]);
}

#[test]
fn an_adopted_proposal_that_can_no_longer_be_applied_is_void() {
    let mut town = Town::new();
    let roles = pb::SetRoles { member: town.id(3).to_vec(), roles: vec![pb::Role::Lab as i32] };
    let to_be_void = set_power(&town.members[3], 7);
    let id = town.decide(to_be_void, &[1, 2]);
    let other = town.decide(propose(Action::SetRoles(roles)), &[1, 2]);
    town.decide(propose(Action::Suspend(target(&town.members[3]))), &[1, 2]);
    let before = town.tip.validators.hash();
    town.commit_at(town.tip.time.0 + DELAY_MS, &[]);
    assert_eq!(status(&town, &id), pb::ProposalStatus::Void, "a suspended member gets no power");
    assert_eq!(status(&town, &other), pb::ProposalStatus::InEffect, "the next one is not held up");
    assert_eq!(town.tip.validators.hash(), before);
    let pending = town.value::<pb::PendingProposals>(&state::pending_key()).unwrap();
    assert!(pending.proposals.is_empty());
}

#[test]
fn a_proposal_expires() {
    let mut town = Town::new();
    let id = town.decide(propose(Action::Suspend(target(&town.members[3]))), &[1]);
    let expires = town.tip.time.0 + LIFETIME_MS;
    let vote = |town: &mut Town, at: u64| {
        let proposal = id.clone();
        let mut body = town.body(Payload::Vote(pb::Vote { proposal, approve: true }));
        (body.not_before_ms, body.not_after_ms) = (at - 10, at + 10);
        let envelope = town.envelope(&town.members[2].signing.clone(), &body, &[]);
        town.refusal(&envelope, at)
    };
    assert_eq!(vote(&mut town, expires - 1), Ok(()));
    assert_eq!(vote(&mut town, expires), Err(Refusal::ProposalNotOpen));
}

#[test]
fn a_validator_leaves_only_after_its_power_is_gone() {
    let mut town = Town::new();
    let root = [(pb::CoSigner::Root, town.members[3].root.clone())];
    let payload = Payload::Leave(pb::Leave { member: town.id(3).to_vec() });
    let leave = town.tx_with(3, payload.clone(), &root);
    let now = town.tip.time.0 + 1;
    assert_eq!(town.refusal(leave.bytes(), now), Err(Refusal::StillValidator));
    let powerless = set_power(&town.members[3], 0);
    town.decide(powerless, &[1, 2]);
    town.commit_at(town.tip.time.0 + DELAY_MS, &[]);
    assert_eq!(town.tip.validators.validators().len(), 3);
    let leave = town.tx_with(3, payload, &root);
    town.commit(&[leave]);
    assert_eq!(standing(&town, 3), pb::MemberStatus::Left);
}

/// The replaced consensus key keeps voting, so its member keeps its power.
#[test]
fn a_validator_that_rotated_its_consensus_key_cannot_leave_and_still_counts() {
    let mut town = Town::new();
    let new = key("Lab consensus 2");
    let turn = Payload::RotateKey(rotate(&town.members[3], &new, pb::KeyRole::Consensus));
    let cosigners = rotate_cosigners(&town.members[3], &new);
    let turn = town.tx_with(3, turn, &cosigners);
    town.commit(&[turn]);
    assert_eq!(town.tip.validators.total_power(), 4, "no vote has taken its power");
    let root = [(pb::CoSigner::Root, town.members[3].root.clone())];
    let leave = Payload::Leave(pb::Leave { member: town.id(3).to_vec() });
    let leave = town.tx_with(3, leave, &root);
    let now = town.tip.time.0 + 1;
    assert_eq!(town.refusal(leave.bytes(), now), Err(Refusal::StillValidator));
    let id = town.decide(set_power(&town.members[1], 2), &[1]);
    let vote = town.vote(3, &id, true);
    town.commit(&[vote]);
    assert_eq!(status(&town, &id), pb::ProposalStatus::Adopted, "3 of 4 members and power");
}

#[test]
fn the_last_validator_cannot_be_removed() {
    let mut document = town::document();
    for founder in &mut document.founders[1..] {
        founder.power = 0;
        founder.roles = vec!["supplier".to_owned()];
        founder.keys.consensus = None;
    }
    let mut town = Town::with(&document);
    let none = set_power(&town.members[0], 0);
    let payload = town.tx(0, none);
    let found = town.refusal(payload.bytes(), town.tip.time.0 + 1);
    assert_eq!(found.map_err(|refusal| refusal.code()), Err("action"));
}
