//! What enters by the one door, what does not, and at what cost.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    reason = "tests fail loudly"
)]

use super::{Intake, IntakeError, Tip};
use crate::limits::Limits;
use crate::pool::{Mempool, MempoolError};
use crate::town::{NOW_MS, Town, body};
use bytes::Bytes;
use ed25519_dalek::SigningKey;
use heatmark_ledger::ids::{Height, UnixMillis};
use heatmark_ledger::keys::KeyError;
use heatmark_ledger::refusal::Refusal;
use heatmark_ledger::transaction::{self, Transaction};
use heatmark_ledger::wire::{MAX_TRANSACTION_BYTES, WireError};
use heatmark_proto::ledger::v1 as pb;
use heatmark_proto::ledger::v1::body::Payload;
use prost::Message;
use std::sync::Arc;
use tokio::sync::mpsc;

const TIP: Tip = Tip { next: Height(1), time: UnixMillis(NOW_MS), parent_time: UnixMillis(NOW_MS) };

fn door(town: &Town, limits: Limits) -> (Intake, mpsc::Receiver<Arc<Transaction>>) {
    let state = Arc::clone(&town.state);
    Intake::new(town.network, Arc::new(Mempool::new(limits)), state)
}

fn refusal(intake: &Intake, bytes: Bytes) -> Refusal {
    match intake.submit(bytes, TIP) {
        Err(IntakeError::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

fn anchor(number: u64) -> Payload {
    Payload::Anchor(pb::Anchor { root: number.to_be_bytes().repeat(4), records: 1 })
}

/// The same body under a signature that does not verify.
fn garbled(bytes: &Bytes) -> Bytes {
    let mut envelope = pb::Envelope::decode(bytes.clone()).unwrap();
    envelope.signature[0] ^= 1;
    envelope.encode_to_vec().into()
}

#[test]
fn takes_a_members_anchor_and_announces_it_once() {
    let town = Town::found(2);
    let (intake, mut fresh) = door(&town, Limits::default());
    let bytes = town.anchor(0, 1);
    let first = intake.submit(bytes.clone(), TIP).unwrap();
    assert!(first.fresh && first.member == town.residents[0].id);
    assert!(!intake.submit(bytes.clone(), TIP).unwrap().fresh);
    assert!(!intake.receive(&bytes, TIP).unwrap().fresh);
    assert_eq!(fresh.try_recv().unwrap().id(), first.id);
    assert!(fresh.try_recv().is_err());
    assert!(intake.receive(&town.anchor(1, 2), TIP).unwrap().fresh);
    assert!(fresh.try_recv().is_err(), "gossip announces what comes by gossip");
}

#[test]
fn goes_on_when_nobody_takes_what_is_fresh() {
    let town = Town::found(1);
    let (intake, fresh) = door(&town, Limits::default());
    drop(fresh);
    assert!(intake.submit(town.anchor(0, 1), TIP).unwrap().fresh);
}

#[test]
fn refuses_bytes_over_the_limit_before_reading_them() {
    let town = Town::found(1);
    let (intake, _fresh) = door(&town, Limits::default());
    let refused = refusal(&intake, vec![0; MAX_TRANSACTION_BYTES + 1].into());
    assert!(matches!(refused, Refusal::Wire(WireError::TooLong { .. })));
    assert_eq!(refusal(&intake, Bytes::from_static(b"\xff")), WireError::Malformed.into());
}

#[test]
fn refuses_a_garbled_signature_even_over_a_body_that_waits() {
    let town = Town::found(1);
    let (intake, _fresh) = door(&town, Limits::default());
    let bytes = town.anchor(0, 1);
    let bad = Refusal::Key(KeyError::BadSignature);
    assert_eq!(refusal(&intake, garbled(&bytes)), bad);
    intake.submit(bytes.clone(), TIP).unwrap();
    assert_eq!(refusal(&intake, garbled(&bytes)), bad);
}

#[test]
fn takes_what_is_early_by_a_clocks_error_and_no_more() {
    let town = Town::found(1);
    let (intake, _fresh) = door(&town, Limits::default());
    let early = |by| {
        let from = NOW_MS + by;
        town.sign(0, &body(from, from + 10_000, by, anchor(by)))
    };
    assert!(intake.submit(early(5_000), TIP).unwrap().fresh);
    assert_eq!(refusal(&intake, early(5_001)), Refusal::TooEarly);
}

#[test]
fn refuses_windows_that_are_over_or_too_long() {
    let town = Town::found(1);
    let (intake, _fresh) = door(&town, Limits::default());
    let window = |from, to| town.sign(0, &body(from, to, 1, anchor(1)));
    assert_eq!(refusal(&intake, window(NOW_MS - 100, NOW_MS)), Refusal::Expired);
    assert_eq!(refusal(&intake, window(NOW_MS, NOW_MS + 600_001)), Refusal::Window);
    assert!(intake.submit(window(NOW_MS - 100, NOW_MS + 1), TIP).is_ok());
}

#[test]
fn refuses_what_stands_on_the_log() {
    let town = Town::found(1);
    let (intake, _fresh) = door(&town, Limits::default());
    let bytes = town.anchor(0, 1);
    let accepted = intake.submit(bytes.clone(), TIP).unwrap();
    town.state.log(accepted.id);
    intake.mempool().remove([accepted.id]);
    assert_eq!(refusal(&intake, bytes), Refusal::Replayed);
}

#[test]
fn refuses_a_stranger_and_another_networks_transaction() {
    let town = Town::found(1);
    let (intake, _fresh) = door(&town, Limits::default());
    let body = body(NOW_MS, NOW_MS + 1_000, 1, anchor(1));
    let stranger = SigningKey::from_bytes(&[77; 32]);
    let foreign = transaction::sign(&town.network, &stranger, &body, Vec::new());
    assert_eq!(refusal(&intake, foreign), Refusal::UnknownKey);
    let elsewhere = [5; 32].into();
    let key = &town.residents[0].signing;
    let replayed = transaction::sign(&elsewhere, key, &body, Vec::new());
    assert_eq!(refusal(&intake, replayed), Refusal::Key(KeyError::BadSignature));
}

#[test]
fn a_suspended_member_may_raise_alerts_and_nothing_else() {
    let town = Town::found(2);
    let (intake, _fresh) = door(&town, Limits::default());
    town.state.set_status(&town.residents[0].id, pb::MemberStatus::Suspended);
    assert_eq!(refusal(&intake, town.anchor(0, 1)), Refusal::MemberNotActive);
    assert!(intake.submit(town.concern(0, 2, 1), TIP).unwrap().fresh);
}

#[test]
fn says_at_once_what_the_next_block_would_refuse() {
    let town = Town::found(1);
    let (intake, _fresh) = door(&town, Limits::default());
    assert_eq!(refusal(&intake, town.concern(0, 1, 2)), Refusal::AlertSequence);
    let empty = Payload::Anchor(pb::Anchor { root: vec![1; 32], records: 0 });
    assert_eq!(refusal(&intake, town.signed(0, 2, empty)), Refusal::BatchSize);
    let short = Payload::Anchor(pb::Anchor { root: vec![1; 31], records: 1 });
    assert_eq!(refusal(&intake, town.signed(0, 3, short)), Refusal::Field("root"));
    let vote = Payload::Vote(pb::Vote { proposal: vec![1; 32], approve: true });
    assert_eq!(refusal(&intake, town.signed(0, 4, vote)), Refusal::ProposalNotOpen);
    assert!(intake.mempool().is_empty());
}

#[test]
fn a_member_over_its_quota_costs_no_signature_check() {
    let town = Town::found(2);
    let limits = Limits { max_member_transactions: 3, ..Limits::default() };
    let (intake, _fresh) = door(&town, limits);
    for n in 0..3 {
        intake.submit(town.anchor(0, n), TIP).unwrap();
    }
    // Had the signature been looked at, it would be the reason.
    let over = intake.submit(garbled(&town.anchor(0, 9)), TIP);
    assert!(matches!(over, Err(IntakeError::Pool(MempoolError::MemberQuota))));
    assert!(intake.submit(town.anchor(1, 10), TIP).is_ok());
}

#[test]
fn keeps_no_more_of_a_message_than_its_transaction() {
    let town = Town::found(1);
    let (intake, _fresh) = door(&town, Limits::default());
    let bytes = town.anchor(0, 1);
    let id = intake.submit(bytes.clone(), TIP).unwrap().id;
    let pooled = intake.mempool().get(&id).unwrap();
    assert_ne!(pooled.bytes().as_ptr(), bytes.as_ptr());
}

#[test]
fn blames_the_sender_for_bytes_and_not_for_circumstances() {
    let fault = |refusal| Intake::is_senders_fault(&IntakeError::Refused(refusal));
    assert!(fault(Refusal::Key(KeyError::BadSignature)));
    assert!(fault(Refusal::Wire(WireError::NotCanonical)));
    assert!(fault(Refusal::NoPayload));
    assert!(fault(Refusal::Field("nonce")));
    let by_state = [
        Refusal::Replayed,
        Refusal::Expired,
        Refusal::UnknownKey,
        Refusal::Acknowledged,
        // The member's root key was replaced, and the sender has not heard of it.
        Refusal::Cosignatures,
        // A height that the sender has and this node does not.
        Refusal::Field("compromised_since"),
    ];
    for honest in by_state {
        assert!(!fault(honest), "{honest}");
    }
    assert!(!Intake::is_senders_fault(&IntakeError::Pool(MempoolError::Full)));
}

/// Prints what the door costs; run with `--nocapture`.
#[test]
fn a_thousand_anchors_enter() {
    let town = Town::found(4);
    let (intake, _fresh) = door(&town, Limits::default());
    let anchors: Vec<Bytes> = (0..1_000).map(|n| town.anchor(n as usize % 4, n)).collect();
    let start = std::time::Instant::now();
    for bytes in &anchors {
        intake.receive(bytes, TIP).unwrap();
    }
    let entered = start.elapsed();
    let start = std::time::Instant::now();
    for bytes in &anchors {
        assert!(!intake.receive(bytes, TIP).unwrap().fresh);
    }
    let known = start.elapsed();
    let start = std::time::Instant::now();
    assert_eq!(intake.mempool().select(1_000, usize::MAX, 0).len(), 1_000);
    eprintln!(
        "a thousand anchors: entered {entered:?}, known {known:?}, selected {:?}",
        start.elapsed()
    );
}
