//! Restarts by the members: in force from their header on, whether a node was there or comes later;
//! kept across stops; and refused where they contradict what stands.

use crate::world::{World, key};
use heatmark_ledger::block::{self, Block};
use heatmark_ledger::certificate::{CommitCertificate, VoteKind, vote_preimage};
use heatmark_ledger::header::Header;
use heatmark_ledger::ids::{Era, HeaderHash, Height, MemberId, Round};
use heatmark_ledger::keys::{self, PublicKey};
use heatmark_ledger::messages as pb;
use heatmark_ledger::receipt::{TrustRoot, verify};
use heatmark_ledger::transaction::Transaction;
use heatmark_ledger::validators::{Validator, ValidatorSet};
use heatmark_ledger::{LeafIndex, state};
use heatmark_store::{Applied, Store, StoreError, StoreOptions, StoreTip, UndecidedBlock};
use prost::Message;
use prost::bytes::Bytes;
use std::sync::Arc;
use tempfile::tempdir;

const NAMES: [&str; 4] = ["Mill", "Forge", "Assembler", "Lab"];

fn founders() -> Vec<ed25519_dalek::SigningKey> {
    NAMES.iter().map(|name| key(&format!("{name} root"))).collect()
}

fn set_of(names: &[&str]) -> ValidatorSet {
    let validators = names
        .iter()
        .map(|name| Validator { key: PublicKey::of(&key(&format!("{name} consensus"))), power: 1 });
    ValidatorSet::new(validators.collect()).unwrap()
}

/// A restart from the newest header, signed by all founders.
fn restart(world: &World, names: &[&str]) -> pb::SetChange {
    let tip = world.store.tip();
    let header = tip.header.unwrap();
    let (_, certificate) = world.store.header(tip.height).unwrap().unwrap();
    let prove = |key: &[u8]| world.store.state_proof(key, None, Height(0)).unwrap();
    let list = prove(&state::members_key());
    let index = pb::MemberIndex::decode(list.value.as_slice()).unwrap();
    let entries = index.members.into_iter().map(|member| {
        let id = MemberId::try_from(member.as_slice()).unwrap();
        let proved = prove(&state::member_key(&id));
        let (state, proof) = (proved.value, proved.proof);
        pb::RestartMember { member, state, proof, signature: Vec::new() }
    });
    let proof = pb::Restart {
        entries: entries.collect(),
        members: list.value.clone(),
        members_proof: list.proof.clone(),
    };
    let change = pb::SetChange {
        header: Some(header.to_proto()),
        certificate: Some(certificate.to_proto()),
        next: Some(set_of(names).to_proto()),
        restart: Some(proof),
    };
    let set_changes = world.store.set_changes(Height(0), tip.height).unwrap();
    let document = pb::RestartDocument { set_changes, restart: Some(change) };
    let trust = TrustRoot::from_genesis(&world.genesis);
    let mut draft = trust.verify_draft(document).unwrap();
    for root in founders() {
        draft.sign(&root).unwrap();
    }
    draft.finished().unwrap()
}

fn certify(header: &Header, era: &Era, set: &ValidatorSet) -> CommitCertificate {
    let mut signatures = Vec::new();
    for (index, validator) in (0_u32..).zip(set.validators()) {
        let bytes = validator.key.to_bytes();
        let own = |name: &&&str| PublicKey::of(&key(&format!("{name} consensus"))) == validator.key;
        let name = NAMES.iter().find(own).unwrap();
        let at = (header.height, Round(0));
        let message = vote_preimage(era, VoteKind::Precommit, at, Some(&header.hash()), &bytes);
        signatures.push((index, keys::sign(&key(&format!("{name} consensus")), &message)));
    }
    CommitCertificate { round: Round(0), signatures }
}

/// Commits the next block as the set and era of the tip certify it.
fn go_on(world: &mut World, count: usize) -> StoreTip {
    let anchors = world.anchors(count);
    let block = world.propose(&anchors);
    let tip = world.store.tip();
    let certificate = certify(&block.header, &tip.chain.era(), &tip.next_validators);
    certificate.verify_in(&tip.chain.era(), &block.header, &tip.next_validators).unwrap();
    world.envelopes.extend(anchors.iter().map(|t| t.bytes().to_vec()));
    world.store.commit(&block, &certificate).unwrap()
}

/// Takes over a block from another node's database.
fn take(to: &Store, from: &Store, height: Height) -> Result<StoreTip, StoreError> {
    let certified = from.certified_block(height).unwrap().unwrap();
    let received = Block::from_proto(certified.block.unwrap()).unwrap();
    let network = to.network();
    let transactions = received
        .transactions
        .into_iter()
        .map(|bytes| Arc::new(Transaction::decode(&network, bytes).unwrap()))
        .collect();
    let block = block::check(to, &to.tip().chain, &received.header, transactions).unwrap();
    let certificate = CommitCertificate::from_proto(&certified.certificate.unwrap()).unwrap();
    let tip = to.tip();
    certificate.verify_in(&tip.chain.era(), &block.header, &tip.next_validators).unwrap();
    to.commit(&block, &certificate)
}

fn undecided(fill: u8) -> UndecidedBlock {
    UndecidedBlock {
        round: Round(0),
        proposer: [fill; 32],
        header_hash: HeaderHash::from([fill; 32]),
        block: Bytes::from_static(b"of the old set"),
    }
}

#[test]
fn a_restart_is_in_force_at_once_and_after_every_stop() {
    let directory = tempdir().unwrap();
    let mut world = World::new(directory.path(), 1_000);
    world.varied_chain();
    let height = world.store.tip().height;
    world.store.put_undecided(height.next(), &undecided(7), true).unwrap();
    let named = world.store.tip().next_validators;
    let change = restart(&world, &["Assembler", "Lab"]);
    assert_eq!(world.store.apply_restart(&change).unwrap(), Applied::InForce);
    assert_eq!(world.store.apply_restart(&change).unwrap(), Applied::Already);
    for stopped in [false, true] {
        if stopped {
            world = world.reopen(directory.path());
        }
        let tip = world.store.tip();
        assert_eq!(*tip.next_validators, set_of(&["Assembler", "Lab"]));
        assert_ne!(tip.chain.era(), Era::of(world.genesis.network()));
        assert_eq!(world.store.named_next(height).unwrap().unwrap(), named);
        assert_eq!(world.store.undecided_at(height.next()).unwrap(), []);
        assert_eq!(world.store.proposed(height.next(), Round(0)).unwrap(), None);
        assert_eq!(world.store.restarts().unwrap().len(), 1);
    }
    go_on(&mut world, 2);
    world = world.reopen(directory.path());
    go_on(&mut world, 1);
    let trust = TrustRoot::from_genesis(&world.genesis);
    for leaf in (0..world.envelopes.len() as u64).step_by(50) {
        for at in [None, Some(height), Some(world.store.tip().height)] {
            if let Ok(receipt) = world.store.receipt(LeafIndex(leaf), Height(0), at) {
                verify(&receipt, &trust).unwrap();
            }
        }
    }
}

#[test]
fn whoever_trusts_a_header_around_the_restart_can_cross_it() {
    let directory = tempdir().unwrap();
    let mut world = World::new(directory.path(), 1_000);
    world.varied_chain();
    let height = world.store.tip().height;
    world.store.apply_restart(&restart(&world, &["Assembler", "Lab"])).unwrap();
    go_on(&mut world, 1);
    go_on(&mut world, 1);
    for trusted in [height.previous(), height, height.next()] {
        let (header, _) = world.store.header(trusted).unwrap().unwrap();
        let next = world.store.named_next(trusted).unwrap().unwrap();
        let era = if trusted > height {
            world.store.tip().chain.era()
        } else {
            Era::of(world.genesis.network())
        };
        let pinned = TrustRoot::pin(&header, &next, &era).unwrap();
        let trust = TrustRoot::from_pinned(&pinned).unwrap();
        let receipt =
            world.store.receipt(LeafIndex(0), trusted, Some(height.next().next())).unwrap();
        verify(&receipt, &trust).unwrap();
    }
}

#[test]
fn a_node_that_comes_later_waits_for_its_header_and_goes_on() {
    let (one, two) = (tempdir().unwrap(), tempdir().unwrap());
    let mut world = World::new(one.path(), 1_000);
    world.varied_chain();
    let height = world.store.tip().height;
    let change = restart(&world, &["Assembler", "Lab"]);
    world.store.apply_restart(&change).unwrap();
    let newest = go_on(&mut world, 2).height;
    let late = Store::open(two.path(), &world.genesis, &StoreOptions::default()).unwrap();
    assert_eq!(late.apply_restart(&change).unwrap(), Applied::Waiting);
    assert_eq!(late.apply_restart(&change).unwrap(), Applied::Already);
    for at in 1..=newest.0 {
        if at == height.0 {
            let point = late.restarts().unwrap()[0];
            assert_eq!(point.height, height);
            assert_eq!(late.tip().chain.era(), Era::of(world.genesis.network()));
        }
        take(&late, &world.store, Height(at)).unwrap();
    }
    assert_eq!(late.tip().chain.hash, world.store.tip().chain.hash);
    assert_eq!(late.tip().chain.era(), world.store.tip().chain.era());
    assert_eq!(
        late.set_changes(Height(0), newest).unwrap(),
        world.store.set_changes(Height(0), newest).unwrap()
    );
}

#[test]
fn a_restart_that_contradicts_what_stands_is_refused_and_leaves_no_trace() {
    let (one, two) = (tempdir().unwrap(), tempdir().unwrap());
    let mut world = World::new(one.path(), 1_000);
    world.varied_chain();
    let height = world.store.tip().height;
    let (change, other) =
        (restart(&world, &["Assembler", "Lab"]), restart(&world, &["Mill", "Lab"]));

    // A node that holds a later certified block, by the old set.
    let mut ahead = World::new(two.path(), 1_000);
    ahead.varied_chain();
    ahead.commit(&[]);
    let refused = ahead.store.apply_restart(&change);
    assert!(matches!(refused, Err(StoreError::RestartTooLate { .. })), "{refused:?}");
    assert_eq!(ahead.store.restarts().unwrap(), []);
    ahead.commit(&[]);

    world.store.apply_restart(&change).unwrap();
    let refused = world.store.apply_restart(&other);
    assert!(matches!(refused, Err(StoreError::OtherRestart(at)) if at == height), "{refused:?}");
    go_on(&mut world, 1);
    let refused = world.store.apply_restart(&other);
    assert!(matches!(refused, Err(StoreError::OtherRestart(_))), "{refused:?}");
    let later = restart(&world, &["Mill", "Lab"]);
    assert_eq!(world.store.apply_restart(&later).unwrap(), Applied::InForce);
    go_on(&mut world, 1);
}

#[test]
fn a_restart_from_another_chain_is_refused_when_its_height_comes() {
    let (one, two) = (tempdir().unwrap(), tempdir().unwrap());
    let mut world = World::new(one.path(), 1_000);
    world.commit_anchors(1);
    world.commit_anchors(2);
    let change = restart(&world, &["Assembler", "Lab"]);
    let mut other = World::new(two.path(), 1_000);
    other.commit_anchors(1);
    assert_eq!(other.store.apply_restart(&change).unwrap(), Applied::Waiting);
    let anchors = other.anchors(3);
    let block = other.propose(&anchors);
    let tip = other.store.tip();
    let certificate = certify(&block.header, &tip.chain.era(), &tip.next_validators);
    let refused = other.store.commit(&block, &certificate);
    assert!(matches!(refused, Err(StoreError::RestartElsewhere(Height(2)))), "{refused:?}");
    assert_eq!(other.store.tip().height, Height(1));
}

#[test]
fn an_ordinary_set_change_is_no_restart() {
    let directory = tempdir().unwrap();
    let mut world = World::new(directory.path(), 1_000);
    world.varied_chain();
    let changes = world.store.set_changes(Height(0), world.store.tip().height).unwrap();
    assert!(world.store.apply_restart(&changes[0]).is_err());
}
