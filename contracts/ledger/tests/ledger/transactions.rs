//! Every refusal of a transaction, each with its reason and without a trace.

use crate::cases;
use crate::town::Town;
use heatmark_ledger::refusal::Refusal;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Every code that a refusal can have.
pub(crate) const CODES: [&str; 30] = [
    "too-long",
    "malformed",
    "not-canonical",
    "field",
    "no-payload",
    "cosignatures",
    "unacceptable-key",
    "bad-signature",
    "window",
    "too-early",
    "expired",
    "replayed",
    "unknown-key",
    "key-not-valid",
    "member-not-active",
    "unknown-member",
    "batch-size",
    "alert-sequence",
    "alert-final",
    "alert-unchanged",
    "no-such-alert",
    "acknowledged",
    "seal-broken",
    "carrier",
    "key-in-use",
    "still-validator",
    "entry",
    "action",
    "proposal-not-open",
    "voted",
];

#[test]
fn every_transaction_meets_its_fate_and_every_refusal_occurs() {
    let (town, all) = cases::all();
    let mut wrong = Vec::new();
    for case in &all {
        let found = town.refusal(&case.envelope, case.time_ms).err().map(|refusal| refusal.code());
        if found != case.expect {
            wrong.push(format!("{}: expected {:?}, found {found:?}", case.name, case.expect));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let occurred: BTreeSet<&str> = all.iter().filter_map(|case| case.expect).collect();
    assert_eq!(occurred, BTreeSet::from(CODES));
}

#[test]
fn rejects_the_second_of_two_equal_transactions_in_one_block() {
    let mut town = Town::new();
    let anchor = town.anchor(0);
    let proposal = town.propose(&[Arc::clone(&anchor), Arc::clone(&anchor)]);
    assert_eq!(proposal.block.transactions.len(), 1);
    assert_eq!(proposal.refused, [(anchor.id(), Refusal::Replayed)]);
}

#[test]
fn an_anchor_writes_nothing_to_the_state() {
    let mut town = Town::new();
    let anchor = town.anchor(0);
    let block = town.propose(&[anchor]).block;
    assert!(block.changes.is_empty());
    assert!(block.map_update.is_none());
    assert_eq!(block.header.state_root, town.tip.state_root);
    assert_ne!(block.header.log_root, town.tip.frontier.root());
}

#[test]
fn a_rotated_key_signs_to_the_end_of_its_last_height_and_the_new_one_from_the_next() {
    use heatmark_ledger::messages::KeyRole;
    use heatmark_ledger::messages::body::Payload;
    let mut town = Town::new();
    let new = crate::town::key("rotated");
    let turn = Payload::RotateKey(cases::rotate(&town.members[1], &new, KeyRole::Signing));
    let cosigners = cases::rotate_cosigners(&town.members[1], &new);
    let turn = town.tx_with(1, turn, &cosigners);
    let old = town.anchor(1);
    let body = town.body(cases::anchor());
    let early = town.decode(&town.envelope(&new, &body, &[])).unwrap();
    let proposal = town.propose(&[turn, old, Arc::clone(&early)]);
    assert_eq!(proposal.refused, [(early.id(), Refusal::KeyNotValid)]);
    town.take(proposal.block);
    town.commit(&[early]);
    let late = town.anchor(1);
    assert_eq!(town.refusal(late.bytes(), town.tip.time.0 + 1), Err(Refusal::KeyNotValid));
}
