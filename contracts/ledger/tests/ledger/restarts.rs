//! Restarts by the members: how one is signed, what it does to the chain, and what stays true.

use crate::cases::{propose, target};
use crate::evidence::{restart_cases, restarted_town, verdict};
use crate::town::{self, DELAY_MS, Town, key};
use heatmark_ledger::audit::Auditor;
use heatmark_ledger::block::{self, Block, BlockError};
use heatmark_ledger::header::Header;
use heatmark_ledger::ids::{Era, Height};
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::messages as pb;
use heatmark_ledger::receipt::{self, ReceiptError, TrustRoot};
use heatmark_ledger::restart::{self, Eras, RestartError, RestartPoint};
use heatmark_ledger::state;
use heatmark_ledger::validators::{Validator, ValidatorSet};
use pb::propose::Action;
use prost::Message;

#[test]
fn restarts_meet_their_fate_and_every_code_occurs() {
    let all = restart_cases();
    let wrong: Vec<String> = all
        .iter()
        .filter(|case| verdict(case) != case.expect)
        .map(|case| format!("{}: expected {}, found {}", case.name, case.expect, verdict(case)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for code in ["restart-header", "restart-members", "restart-signature", "restart-quorum"] {
        assert!(all.iter().any(|case| case.expect == code), "{code} never occurs");
    }
    let refused = all.iter().filter(|case| case.expect != "ok").count();
    assert!(refused > all.len() / 2, "negatives outnumber positives");
}

#[test]
fn rejects_a_receipt_across_a_restart_with_any_bit_flipped() {
    let town = restarted_town();
    let trust = town.trust();
    let sound = town.receipt(0, Height(0)).encode_to_vec();
    receipt::verify_bytes(&sound, &trust).unwrap();
    for position in 0..sound.len() {
        let mut flipped = sound.clone();
        flipped[position] ^= 1 << (position % 8);
        assert!(receipt::verify_bytes(&flipped, &trust).is_err(), "byte {position}");
    }
}

#[test]
fn a_restart_is_signed_on_copies_and_merged() {
    let town = restarted_from_two_of_four();
    let draft = || town.trust().verify_draft(town.unsigned_restart(&[2, 3])).unwrap();
    let (mut first, mut second) = (draft(), draft());
    assert!(matches!(first.finished(), Err(ReceiptError::RestartQuorum)));
    assert_eq!(first.sign(&town.members[3].root).unwrap(), town.id(3));
    second.sign(&town.members[0].root).unwrap();
    second.sign(&town.members[1].root).unwrap();
    assert!(matches!(second.finished(), Err(ReceiptError::RestartQuorum)));
    first.merge(&second).unwrap();
    let standing = first.standing().unwrap();
    assert_eq!((standing.signed.len(), standing.unsigned.len(), standing.active), (3, 1, 4));
    assert!(standing.is_enough());
    assert_eq!(first.finished().unwrap().restart.unwrap().entries.len(), 3);
    let bytes = first.document().encode_to_vec();
    let read = pb::RestartDocument::decode(bytes.as_slice()).unwrap();
    assert_eq!(town.trust().verify_draft(read).unwrap().standing().unwrap(), standing);
}

fn restarted_from_two_of_four() -> Town {
    let mut town = Town::new();
    let anchors = [town.anchor(0), town.anchor(1)];
    town.commit(&anchors);
    town
}

#[test]
fn rejects_keys_that_are_no_root_key_and_copies_of_another_restart() {
    let town = restarted_from_two_of_four();
    let mut draft = town.trust().verify_draft(town.unsigned_restart(&[2, 3])).unwrap();
    for stranger in [key("nobody"), town.members[0].signing.clone()] {
        assert!(matches!(draft.sign(&stranger), Err(RestartError::NotARootKey)));
    }
    let other = town.trust().verify_draft(town.unsigned_restart(&[1, 2])).unwrap();
    assert!(matches!(draft.merge(&other), Err(RestartError::Different)));
}

#[test]
fn rejects_a_draft_that_its_chain_or_its_state_does_not_bear_out() {
    let town = Town::with_two_set_changes();
    let sound = town.unsigned_restart(&[1, 2]);
    town.trust().verify_draft(sound.clone()).unwrap();
    type Change = fn(&mut pb::RestartDocument);
    let changes: [(&str, Change, &str); 6] = [
        ("no restart", |d| d.restart = None, "wrong-length"),
        ("an ordinary set change", |d| d.restart.as_mut().unwrap().restart = None, "wrong-length"),
        ("a set change missing", |d| drop(d.set_changes.pop()), "certificate-signature"),
        (
            "another list of members",
            |d| {
                let restart = d.restart.as_mut().unwrap().restart.as_mut().unwrap();
                restart.members.truncate(34);
            },
            "restart-members",
        ),
        (
            "a signature by nobody",
            |d| {
                let restart = d.restart.as_mut().unwrap().restart.as_mut().unwrap();
                restart.entries[0].signature = vec![1; 64];
            },
            "restart-signature",
        ),
        (
            "a header that nobody certified",
            |d| d.restart.as_mut().unwrap().header.as_mut().unwrap().time_ms += 1,
            "certificate-signature",
        ),
    ];
    for (name, change, code) in changes {
        let mut document = sound.clone();
        change(&mut document);
        let found = town.trust().verify_draft(document).map(|_| ());
        assert_eq!(found.map_err(|error| error.code()), Err(code), "{name}");
    }
    let mut elsewhere = town::document();
    elsewhere.name = "Elsewhere".to_owned();
    let other = Town::with(&elsewhere).trust().verify_draft(sound).map(|_| ());
    assert_eq!(other.map_err(|error| error.code()), Err("wrong-network"));
}

#[test]
fn only_consensus_keys_of_active_members_are_put_in_place() {
    let mut town = restarted_from_two_of_four();
    let set = |keys: &[&ed25519_dalek::SigningKey]| {
        let validators =
            keys.iter().map(|key| Validator { key: PublicKey::of(key), power: 1 }).collect();
        ValidatorSet::new(validators).unwrap()
    };
    let sound = set(&[&town.members[0].consensus, &town.members[1].consensus]);
    restart::check_set(&town.ledger, &sound).unwrap();
    for wrong in [
        set(&[&town.members[0].consensus, &key("nobody")]),
        set(&[&town.members[0].signing]),
        set(&[&town.members[0].root]),
    ] {
        let found = restart::check_set(&town.ledger, &wrong);
        assert!(matches!(found, Err(RestartError::NotAValidator(_))), "{found:?}");
        let forced = town.tip.restarted(Era(town::hash("forced")), wrong.into());
        let now = heatmark_ledger::ids::UnixMillis(town.tip.time.0 + 1);
        let built = block::propose(&town.ledger, &forced, now, []);
        assert!(matches!(built, Err(BlockError::Execution(_))), "a backstop in execution");
    }
    let suspend = propose(Action::Suspend(target(&town.members[1])));
    town.decide(suspend, &[2, 3]);
    assert!(restart::check_set(&town.ledger, &sound).is_err(), "the forge is suspended");
}

#[test]
fn the_chain_goes_on_with_the_new_set_and_says_so_in_its_state() {
    let town = restarted_town();
    let header = Header::from_proto(&town.header(8)).unwrap();
    let change = town.changes.last().unwrap();
    let set = ValidatorSet::from_proto(change.next.as_ref().unwrap()).unwrap();
    assert_eq!(header.next_validators, set.hash());
    assert_eq!(header.previous, Header::from_proto(&town.header(7)).unwrap().hash().0);
    let noted: pb::RestartState = town.value(&state::restart_key()).unwrap();
    assert_eq!((noted.restart, noted.height), (town.tip.era().to_vec(), 7));
    let stored: pb::ValidatorsState = town.value(&state::validators_key()).unwrap();
    assert_eq!(stored.next.unwrap(), set.to_proto());
}

/// What the old set had adopted does not put lost validators back.
#[test]
fn a_vote_on_validators_that_falls_due_with_the_restart_gives_way_to_it() {
    let mut town = restarted_from_two_of_four();
    town.decide(town::set_power(&town.members[0], 5), &[1, 2]);
    let due = town.tip.time.0 + DELAY_MS;
    town.restart(&[2, 3], &[1, 2, 3]);
    town.commit_at(due, &[]);
    assert_eq!(town.tip.validators.total_power(), 2, "as the members signed it");
}

#[test]
fn a_replay_needs_the_restart_and_follows_it() {
    let town = restarted_town();
    let mut auditor = Auditor::new(&town.genesis).unwrap();
    for block in &town.blocks[..7] {
        auditor.block(block).unwrap();
    }
    assert!(auditor.block(&town.blocks[7]).is_err(), "the old set never certified it");
    let change = town.changes.last().unwrap();
    let mut forged = change.clone();
    forged.restart.as_mut().unwrap().entries.pop();
    assert!(auditor.restart(&forged).is_err());
    let early = town.changes.first().unwrap();
    assert!(auditor.restart(early).is_err(), "an ordinary set change is no restart");
    auditor.restart(change).unwrap();
    assert!(auditor.restart(change).is_ok(), "the same restart again changes nothing");
    for block in &town.blocks[7..] {
        auditor.block(block).unwrap();
    }
    assert_eq!(auditor.tip().hash, town.tip.hash);
}

/// A block that validators of the old set had begun to vote on is none of the new chain's.
#[test]
fn a_block_built_before_the_restart_is_refused_after_it() {
    let mut town = restarted_from_two_of_four();
    let old = town.propose(&[]).block;
    let bytes = Block::encode(&old.header, &old.transactions);
    town.restart(&[2, 3], &[1, 2, 3]);
    let received = Block::decode(&bytes).unwrap();
    let found = block::check(&town.ledger, &town.tip, &received.header, Vec::new());
    assert!(matches!(found, Err(BlockError::Mismatch(_))), "{found:?}");
}

#[test]
fn an_era_begins_above_its_restart() {
    let network = Town::new().tip.network;
    let (first, second) = (Era(town::hash("first")), Era(town::hash("second")));
    let point = |height, era| RestartPoint { height: Height(height), era };
    let eras = Eras::new(network, [point(9, second), point(4, first)]);
    for (height, era) in
        [(0, Era::of(network)), (4, Era::of(network)), (5, first), (9, first), (10, second)]
    {
        assert_eq!(eras.at(Height(height)), era, "height {height}");
    }
}

#[test]
fn a_second_restart_follows_the_first() {
    let mut town = restarted_town();
    town.restart(&[1, 3], &[0, 1, 3]);
    let anchor = [town.anchor(1)];
    town.commit(&anchor);
    let trust = town.trust();
    for leaf in [0, town.envelopes.len() as u64 - 1] {
        receipt::verify(&town.receipt(leaf, Height(0)), &trust).unwrap();
    }
    let pinned = TrustRoot {
        height: Height(8),
        header: Some(Header::from_proto(&town.header(8)).unwrap().hash()),
        validators: restarted_town().tip.validators,
        era: restarted_town().tip.era(),
        ..trust
    };
    receipt::verify(&town.receipt(0, Height(8)), &pinned).unwrap();
}
