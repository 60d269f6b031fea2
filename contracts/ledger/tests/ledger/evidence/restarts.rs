//! Receipts that cross a restart by the members, and every way to restart a network without them.

use super::{Case, Evidence, Trust};
use crate::cases::{propose, rotate, rotate_cosigners, target};
use crate::town::{self, DELAY_MS, Town, certify, certify_in, hash, key, public_key};
use heatmark_ledger::header::Header;
use heatmark_ledger::ids::{Era, Height};
use heatmark_ledger::keys;
use heatmark_ledger::messages as pb;
use heatmark_ledger::restart::era_of;
use heatmark_ledger::validators::ValidatorSet;
use heatmark_merkle::tag;
use pb::CoSigner;
use pb::body::Payload;
use pb::propose::Action;
use prost::Message;

/// Five members of whom one has left; the assembler's root key has been replaced. At height 7 the
/// mill and the forge are lost, and the assembler and the lab go on.
pub(crate) fn restarted_town() -> Town {
    let mut town = stopped_town();
    town.restart(&[2, 3], &[0, 2, 3]);
    let after = [town.anchor(2), town.anchor(3)];
    town.commit(&after);
    let last = [town.anchor(0)];
    town.commit(&last);
    town
}

/// The same before the restart, at height 7.
pub(crate) fn stopped_town() -> Town {
    let mut town = Town::new();
    let roles = [pb::Role::Supplier];
    let gone = propose(Action::AddMember(town::entry("Gone", &roles)));
    let add = town.tx_with(0, gone, &town::entry_cosigners("Gone", &roles));
    let votes = [town.vote(1, &add.id().to_vec(), true), town.vote(2, &add.id().to_vec(), true)];
    town.commit(&[&[add], votes.as_slice()].concat());
    let gone = keys::member_id(&town.tip.network, &keys::PublicKey::of(&key("Gone root")).id());
    let leave = Payload::Leave(pb::Leave { member: gone.to_vec() });
    let leave = town.tx_with(0, leave, &[(CoSigner::Root, key("Gone root"))]);
    town.commit(&[leave]);
    let powerful = town::set_power(&town.members[3], 2);
    town.decide(powerful, &[1, 2]);
    town.commit_at(town.tip.time.0 + DELAY_MS, &[]);
    let new = key("Assembler root 2");
    let replace = pb::ReplaceRoot {
        member: town.id(2).to_vec(),
        new_root: Some(public_key(pb::KeyRole::Root, &new)),
    };
    let replace =
        town.tx_with(0, propose(Action::ReplaceRoot(replace)), &[(CoSigner::NewKey, new.clone())]);
    let votes =
        [town.vote(1, &replace.id().to_vec(), true), town.vote(3, &replace.id().to_vec(), true)];
    town.commit(&[&[replace], votes.as_slice()].concat());
    town.members[2].root = new;
    let forge = key("Forge signing 2");
    let turn = Payload::RotateKey(rotate(&town.members[1], &forge, pb::KeyRole::Signing));
    let turn = town.tx_with(1, turn, &rotate_cosigners(&town.members[1], &forge));
    town.commit(&[turn]);
    town.members[1].signing = forge;
    let anchors = [town.anchor(0), town.anchor(1)];
    town.commit(&anchors);
    assert_eq!(town.tip.height.0, 7);
    town
}

/// The pinned header of a height, in its era.
fn pinned(town: &Town, height: u64) -> Trust {
    let mut pinned = pb::TrustedHeader::decode(named(town, height).as_slice()).unwrap();
    if height > 7 {
        pinned.restart = town.tip.era().to_vec();
    }
    Trust::Pinned(pinned.encode_to_vec())
}

fn named(town: &Town, height: u64) -> Vec<u8> {
    super::pinned(town, height)
}

struct Cases {
    town: Town,
    all: Vec<Case>,
}

impl Cases {
    fn push(&mut self, name: &str, trust: Trust, receipt: &pb::Receipt, expect: &'static str) {
        let evidence = Evidence::Receipt(receipt.encode_to_vec());
        self.all.push(Case { name: name.to_owned(), trust, evidence, expect });
    }

    /// A receipt seen from height 6, changed in one thing.
    fn near(&mut self, name: &str, change: impl FnOnce(&mut pb::Receipt), expect: &'static str) {
        let mut receipt = self.town.receipt(3, Height(6));
        change(&mut receipt);
        let trust = pinned(&self.town, 6);
        self.push(name, trust, &receipt, expect);
    }

    /// The restart of a receipt seen from height 6, changed in one thing.
    fn restart(&mut self, name: &str, change: impl FnOnce(&mut pb::Restart), expect: &'static str) {
        self.near(name, |r| change(restart(r)), expect);
    }

    /// Another set, or other signers: signed anew, and the blocks after it certified anew.
    fn signed(&mut self, name: &str, keep: &[usize], signers: &[usize], expect: &'static str) {
        let mut town = stopped_town();
        let document = town.unsigned_restart(keep);
        let mut draft = town.trust().verify_draft(document).unwrap();
        for who in signers {
            draft.sign(&town.members[*who].root).unwrap();
        }
        let mut change = draft.document().restart.clone().unwrap();
        let entries = &mut change.restart.as_mut().unwrap().entries;
        let active = |entry: &pb::RestartMember| {
            let state = pb::MemberState::decode(entry.state.as_slice()).unwrap();
            state.status() == pb::MemberStatus::Active
        };
        entries.retain(|entry| !active(entry) || !entry.signature.is_empty());
        town.changes.push(change);
        town.tip = town.tip.restarted(draft.era(), draft.next().clone().into());
        let anchor = [town.anchor(3)];
        town.commit(&anchor);
        let receipt = town.receipt(3, Height(6));
        let trust = pinned(&self.town, 6);
        self.push(name, trust, &receipt, expect);
    }
}

fn restart(receipt: &mut pb::Receipt) -> &mut pb::Restart {
    let change = receipt.set_changes.iter_mut().find(|change| change.restart.is_some());
    change.unwrap().restart.as_mut().unwrap()
}

fn change(receipt: &mut pb::Receipt) -> &mut pb::SetChange {
    receipt.set_changes.iter_mut().find(|change| change.restart.is_some()).unwrap()
}

fn is_active(entry: &pb::RestartMember) -> bool {
    !entry.signature.is_empty()
}

/// All cases: every code of a restart at least once.
pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Cases { town: restarted_town(), all: Vec::new() };
    sound(&mut cases);
    forms(&mut cases);
    members(&mut cases);
    signatures(&mut cases);
    eras(&mut cases);
    cases.all
}

fn sound(cases: &mut Cases) {
    let genesis = Trust::Genesis(cases.town.text());
    let receipt = cases.town.receipt(0, Height(0));
    cases.push("from genesis, over a set change and a restart", genesis, &receipt, "ok");
    for height in [1, 6, 7, 8] {
        let receipt = cases.town.receipt(1, Height(height));
        let trust = pinned(&cases.town, height);
        cases.push(&format!("from height {height}"), trust, &receipt, "ok");
    }
    let before = stopped_town();
    let receipt = before.receipt(2, Height(0));
    let genesis = Trust::Genesis(cases.town.text());
    cases.push("made before the restart", genesis, &receipt, "ok");
    let receipt = before.receipt(2, Height(5));
    let trust = pinned(&before, 5);
    cases.push("made before the restart, from a header before it", trust, &receipt, "ok");
    let trust = pinned(&cases.town, 8);
    cases.push("made before the restart, from after it", trust, &receipt, "older-than-trust");
    cases.signed("one validator, signed by all", &[3], &[0, 1, 2, 3], "ok");
}

fn forms(cases: &mut Cases) {
    cases.near("no restart", |r| r.set_changes.clear(), "certificate-signature");
    cases.near("an empty restart", |r| *restart(r) = pb::Restart::default(), "restart-members");
    cases.near("a set change without restart", |r| change(r).restart = None, "wrong-next-set");
    cases.near(
        "a restart twice",
        |r| {
            let again = change(r).clone();
            r.set_changes.push(again);
        },
        "set-change-order",
    );
    cases.near("a restart without header", |r| change(r).header = None, "wrong-length");
    cases.near("a restart without certificate", |r| change(r).certificate = None, "wrong-length");
    cases.near("a restart without set", |r| change(r).next = None, "wrong-length");
    let empty = pb::ValidatorSet::default();
    cases.near("a restart with an empty set", |r| change(r).next = Some(empty), "invalid-set");
    cases.near(
        "a restart of another network",
        |r| change(r).header.as_mut().unwrap().network[0] ^= 1,
        "wrong-network",
    );
    cases.near(
        "a restart from another header",
        |r| change(r).header.as_mut().unwrap().time_ms += 1,
        "certificate-signature",
    );
    cases.near(
        "a restart without its header's quorum",
        |r| change(r).certificate.as_mut().unwrap().signatures.truncate(2),
        "certificate-quorum",
    );
    cases.restart("a member id of 31 bytes", |r| r.entries[0].member.truncate(31), "wrong-length");
    cases.restart(
        "a signature of 65 bytes",
        |r| r.entries[0].signature = vec![1; 65],
        "wrong-length",
    );
    let mut bytes = cases.town.receipt(3, Height(6));
    let message = restart(&mut bytes);
    message.members.push(0);
    let trust = pinned(&cases.town, 6);
    cases.push("a list with a byte more", trust, &bytes, "restart-members");
    let own = cases.town.receipt(3, Height(7));
    let trust = pinned(&cases.town, 7);
    let mut other = own.clone();
    change(&mut other).header.as_mut().unwrap().time_ms += 1;
    cases.push("from its own height, another header", trust.clone(), &other, "restart-header");
    let mut certified = own.clone();
    let full = cases.town.receipt(3, Height(6)).set_changes[0].certificate.clone();
    change(&mut certified).certificate = full;
    cases.push(
        "from its own header, with a certificate",
        trust.clone(),
        &certified,
        "restart-header",
    );
    let mut twice = own.clone();
    twice.set_changes.push(twice.set_changes[0].clone());
    cases.push("from its own header, twice", trust.clone(), &twice, "set-change-order");
    let mut none = own;
    none.set_changes.clear();
    cases.push("from its own header, without it", trust, &none, "certificate-signature");
}

fn members(cases: &mut Cases) {
    cases.restart("members in another order", |r| r.entries.reverse(), "restart-members");
    cases.restart(
        "a member that signs twice",
        |r| {
            let at = r.entries.iter().position(is_active).unwrap();
            r.entries.insert(at, r.entries[at].clone());
        },
        "restart-members",
    );
    cases.restart("another list", |r| r.members[5] ^= 1, "restart-members");
    cases.restart("a list without proof", |r| r.members_proof.clear(), "restart-members");
    cases.restart(
        "a shorter list",
        |r| {
            let mut index = pb::MemberIndex::decode(r.members.as_slice()).unwrap();
            index.members.truncate(3);
            r.members = index.encode_to_vec();
        },
        "restart-members",
    );
    cases.restart("a member without proof", |r| r.entries[1].proof.clear(), "restart-members");
    cases.restart(
        "a member that is not in the state",
        |r| {
            let last = r.entries.len() - 1;
            r.entries[last].member = vec![0xff; 32];
        },
        "restart-members",
    );
    cases.restart(
        "a member with another's entry",
        |r| {
            let (state, proof) = (r.entries[0].state.clone(), r.entries[0].proof.clone());
            (r.entries[1].state, r.entries[1].proof) = (state, proof);
        },
        "restart-members",
    );
    cases.restart(
        "a member with another root key",
        |r| {
            let entry = r.entries.iter_mut().find(|entry| is_active(entry)).unwrap();
            let mut state = pb::MemberState::decode(entry.state.as_slice()).unwrap();
            state.entry.as_mut().unwrap().keys[0] = public_key(pb::KeyRole::Root, &key("thief"));
            entry.state = state.encode_to_vec();
        },
        "restart-members",
    );
    cases.restart(
        "a member that left, left out",
        |r| r.entries.retain(is_active),
        "restart-quorum",
    );
}

fn signatures(cases: &mut Cases) {
    cases.signed("two of four members", &[2, 3], &[2, 3], "restart-quorum");
    cases.signed("nobody", &[2, 3], &[], "restart-quorum");
    cases.restart(
        "a signature less",
        |r| {
            let at = r.entries.iter().position(is_active).unwrap();
            r.entries.remove(at);
        },
        "restart-quorum",
    );
    cases.restart(
        "an active member that has not signed",
        |r| r.entries.iter_mut().find(|entry| is_active(entry)).unwrap().signature.clear(),
        "restart-signature",
    );
    cases.restart(
        "a flipped signature",
        |r| r.entries.iter_mut().find(|entry| is_active(entry)).unwrap().signature[3] ^= 1,
        "restart-signature",
    );
    let (town, era) = (&cases.town, cases.town.tip.era());
    let by = |root: &ed25519_dalek::SigningKey, era: &Era| {
        let id = keys::PublicKey::of(root).id();
        let network = town.tip.network;
        let parts: [&[u8]; 3] = [network.as_bytes(), id.as_bytes(), era.as_bytes()];
        keys::sign(root, &tag::preimage("sign/restart", &parts))
    };
    let left = by(&key("Gone root"), &era);
    let assembler = town.id(2).to_vec();
    let old = by(&key("Assembler root"), &era);
    let signing = by(&town.members[2].signing, &era);
    let other_era = by(&town.members[2].root, &Era(hash("another restart")));
    cases.restart(
        "a member that left signs",
        |r| r.entries.iter_mut().find(|entry| !is_active(entry)).unwrap().signature = left,
        "restart-signature",
    );
    for (name, signature) in [
        ("signed by a root key that was replaced", old),
        ("signed by a signing key", signing),
        ("signed for another restart", other_era),
    ] {
        let member = assembler.clone();
        cases.restart(
            name,
            |r| {
                let of = |entry: &&mut pb::RestartMember| entry.member == member;
                r.entries.iter_mut().find(of).unwrap().signature = signature;
            },
            "restart-signature",
        );
    }
    cases.near(
        "another set than was signed",
        |r| change(r).next.as_mut().unwrap().validators[0].power = 7,
        "restart-signature",
    );
    let header = Header::from_proto(&cases.town.header(7)).unwrap();
    let same = cases.town.changes[0].next.clone().unwrap();
    assert_eq!(ValidatorSet::from_proto(&same).unwrap().hash(), header.next_validators);
    cases.near("the set that stands", |r| change(r).next = Some(same), "set-change-unchanged");
}

/// Votes of one era count for nothing in another.
fn eras(cases: &mut Cases) {
    let header = Header::from_proto(&cases.town.header(9)).unwrap();
    let set = cases.town.tip.validators.clone();
    let voters = cases.town.voters.clone();
    let old = certify(&voters, &header, &set, usize::MAX).to_proto();
    cases.near(
        "votes of before the restart",
        |r| r.certificate = Some(old),
        "certificate-signature",
    );
    let stopped = stopped_town();
    let before = certify(&voters, &header, &stopped.tip.validators, usize::MAX).to_proto();
    cases.near(
        "the set of before the restart",
        |r| r.certificate = Some(before),
        "certificate-order",
    );
    let other = era_of(&header, &set);
    let wrong = certify_in(&other, &voters, &header, &set, usize::MAX).to_proto();
    cases.near(
        "votes of another restart",
        |r| r.certificate = Some(wrong),
        "certificate-signature",
    );
    let receipt = cases.town.receipt(1, Height(8));
    let Trust::Pinned(bytes) = pinned(&cases.town, 8) else { unreachable!() };
    let mut first = pb::TrustedHeader::decode(bytes.as_slice()).unwrap();
    first.restart.clear();
    let trust = Trust::Pinned(first.encode_to_vec());
    cases.push("pinned without its restart", trust, &receipt, "certificate-signature");
    let mut short = first;
    short.restart = vec![1; 31];
    let trust = Trust::Pinned(short.encode_to_vec());
    cases.push("pinned with a restart of 31 bytes", trust, &receipt, "input");
    let suspended = suspended_signature();
    let trust = pinned(&suspended.0, 7);
    cases.push("a suspended member signs", trust, &suspended.1, "restart-signature");
}

/// A restart from a state in which the mill is suspended, with the mill's signature on it.
fn suspended_signature() -> (Town, pb::Receipt) {
    let mut town = stopped_town();
    let suspend = propose(Action::Suspend(target(&town.members[0])));
    let proposal = town.tx(1, suspend);
    let id = proposal.id().to_vec();
    let votes = [town.vote(2, &id, true), town.vote(3, &id, true)];
    town.commit(&[&[proposal], votes.as_slice()].concat());
    town.restart(&[2, 3], &[1, 2, 3]);
    let anchor = [town.anchor(3)];
    town.commit(&anchor);
    let mut receipt = town.receipt(3, Height(7));
    let (id, era) = (keys::PublicKey::of(&town.members[0].root).id(), town.tip.era());
    let parts: [&[u8]; 3] = [town.tip.network.as_bytes(), id.as_bytes(), era.as_bytes()];
    let signature = keys::sign(&town.members[0].root, &tag::preimage("sign/restart", &parts));
    let mill = town.id(0).to_vec();
    let of = |entry: &&mut pb::RestartMember| entry.member == mill;
    restart(&mut receipt).entries.iter_mut().find(of).unwrap().signature = signature;
    (town, receipt)
}
