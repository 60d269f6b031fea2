//! The pool's shares, order and bounds.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    reason = "tests fail loudly"
)]

use super::{Inserted, Mempool, MempoolError};
use crate::limits::Limits;
use crate::town::{NOW_MS, body};
use bytes::Bytes;
use heatmark_ledger::ids::{MemberId, NetworkId, TransactionId, UnixMillis};
use heatmark_ledger::transaction::Transaction;
use heatmark_proto::ledger::v1 as pb;
use heatmark_proto::ledger::v1::body::Payload;
use proptest::prelude::*;
use prost::Message;
use std::collections::BTreeMap;
use std::sync::Arc;

const SMALL: Limits = Limits {
    max_transactions: 40,
    max_bytes: 12_000,
    max_member_transactions: 10,
    max_member_bytes: 4_000,
    reserved_alert_transactions: 8,
    reserved_alert_bytes: 3_000,
    max_member_alert_transactions: 4,
    max_member_alert_bytes: 1_500,
};

fn member(number: u8) -> MemberId {
    MemberId::from([number; 32])
}

/// A transaction of acceptable form; the pool looks at no signature.
fn transaction(number: u64, alert: bool, padding: usize, signature: u8) -> Arc<Transaction> {
    let root = vec![1; 32 + padding];
    let payload = if alert {
        Payload::Alert(pb::Alert { subject: root, sequence: 1, ..pb::Alert::default() })
    } else {
        Payload::Anchor(pb::Anchor { root, records: 1 })
    };
    let envelope = pb::Envelope {
        signer: vec![9; 32],
        body: body(NOW_MS, NOW_MS + 1 + number, number, payload).encode_to_vec(),
        signature: vec![signature; 64],
        cosignatures: Vec::new(),
    };
    let network = NetworkId::from([3; 32]);
    Arc::new(Transaction::decode(&network, Bytes::from(envelope.encode_to_vec())).unwrap())
}

fn anchor(number: u64) -> Arc<Transaction> {
    transaction(number, false, 0, 0)
}

fn alert(number: u64) -> Arc<Transaction> {
    transaction(number, true, 0, 0)
}

fn ids(selected: &[Arc<Transaction>]) -> Vec<TransactionId> {
    selected.iter().map(|transaction| transaction.id()).collect()
}

/// Anchors of as many members as it takes, until the pool has no more room for anchors.
fn fill(pool: &Mempool) -> u64 {
    let mut number = 0;
    for who in 100..=255 {
        loop {
            match pool.insert(anchor(number), member(who)) {
                Ok(_) => number += 1,
                Err(MempoolError::MemberQuota) => break,
                Err(MempoolError::Full) => return number,
            }
        }
    }
    panic!("the pool never fills");
}

#[test]
fn a_member_that_floods_keeps_nobody_out() {
    let pool = Mempool::new(SMALL);
    let taken = (0..100).filter(|n| pool.insert(anchor(*n), member(1)).is_ok()).count();
    assert_eq!(taken, SMALL.max_member_transactions);
    assert_eq!(pool.insert(anchor(200), member(1)), Err(MempoolError::MemberQuota));
    assert_eq!(pool.insert(anchor(201), member(2)), Ok(Inserted::New));
    let selected = pool.select(2, 10_000, 0);
    assert!(ids(&selected).contains(&anchor(201).id()), "the other is in the next block");
}

#[test]
fn alerts_enter_a_pool_full_of_anchors_and_leave_it_first() {
    let pool = Mempool::new(SMALL);
    fill(&pool);
    assert_eq!(pool.insert(anchor(9_000), member(1)), Err(MempoolError::Full));
    assert_eq!(pool.insert(alert(9_001), member(1)), Ok(Inserted::New));
    let selected = pool.select(5, 10_000, 1_000);
    assert_eq!(selected.first().map(|first| first.id()), Some(alert(9_001).id()));
    assert_eq!(selected.len(), 5);
}

#[test]
fn a_member_that_floods_alerts_keeps_no_other_alert_out() {
    let pool = Mempool::new(SMALL);
    fill(&pool);
    let taken = (0..100).filter(|n| pool.insert(alert(*n), member(1)).is_ok()).count();
    assert_eq!(taken, SMALL.max_member_alert_transactions);
    assert_eq!(pool.insert(alert(500), member(2)), Ok(Inserted::New));
}

#[test]
fn a_member_at_its_quota_can_still_raise_an_alert() {
    let pool = Mempool::new(SMALL);
    while pool.insert(anchor(pool.next_sequence()), member(1)).is_ok() {}
    assert_eq!(pool.insert(alert(9_000), member(1)), Ok(Inserted::New));
}

#[test]
fn members_share_a_block_evenly() {
    let pool = Mempool::new(Limits::default());
    for (who, count) in [(1u8, 500u64), (2, 30), (3, 10), (4, 100)] {
        for n in 0..count {
            pool.insert(anchor(u64::from(who) * 1_000 + n), member(who)).unwrap();
        }
    }
    let owner: BTreeMap<_, _> = (1..=4u64)
        .flat_map(|who| (0..500).map(move |n| (anchor(who * 1_000 + n).id(), who)))
        .collect();
    let mut served = BTreeMap::new();
    for id in ids(&pool.select(100, usize::MAX, 0)) {
        *served.entry(owner[&id]).or_insert(0u32) += 1;
    }
    assert_eq!(served, BTreeMap::from([(1, 30), (2, 30), (3, 10), (4, 30)]));
}

#[test]
fn a_member_with_large_transactions_gets_no_more_bytes() {
    let pool = Mempool::new(Limits::default());
    for n in 0..100 {
        pool.insert(transaction(n, false, 2_000, 0), member(1)).unwrap();
        pool.insert(anchor(1_000 + n), member(2)).unwrap();
    }
    let selected = pool.select(1_000, 20_000, 0);
    let large: usize =
        selected.iter().map(|t| t.bytes().len()).filter(|bytes| *bytes > 1_000).sum();
    let small: usize =
        selected.iter().map(|t| t.bytes().len()).filter(|bytes| *bytes <= 1_000).sum();
    assert!(large <= small + 2_300 && small <= large + 2_300, "{large} and {small} bytes");
}

#[test]
fn blocks_of_one_serve_members_in_turn() {
    let pool = Mempool::new(SMALL);
    for who in 1..=3u8 {
        for n in 0..2 {
            pool.insert(anchor(u64::from(who) * 10 + n), member(who)).unwrap();
        }
    }
    let mut order = Vec::new();
    for _ in 0..6 {
        let selected = ids(&pool.select(1, 1_000, 0));
        pool.remove(selected.iter().copied());
        order.extend(selected);
    }
    assert_eq!(order, [10, 20, 30, 11, 21, 31].map(|n| anchor(n).id()));
    assert!(pool.is_empty());
}

#[test]
fn what_one_member_sent_stays_in_order() {
    let pool = Mempool::new(Limits::default());
    for n in (0..50).rev() {
        pool.insert(anchor(n), member(1)).unwrap();
    }
    let expected: Vec<_> = (0..50).rev().map(|n| anchor(n).id()).collect();
    assert_eq!(ids(&pool.select(100, usize::MAX, 0)), expected);
}

#[test]
fn anchors_never_use_the_space_kept_for_alerts() {
    let pool = Mempool::new(Limits::default());
    for n in 0..100 {
        pool.insert(anchor(n), member(1)).unwrap();
    }
    let each = anchor(0).bytes().len();
    let selected = pool.select(1_000, each * 10, each * 4);
    assert_eq!(selected.len(), 6);
    assert!(pool.select(1_000, each * 10, each * 20).is_empty());
}

#[test]
fn finds_a_transaction_by_its_exact_bytes_only() {
    let pool = Mempool::new(SMALL);
    let original = transaction(1, false, 0, 0);
    let same_id = transaction(1, false, 0, 5);
    assert_eq!(original.id(), same_id.id());
    pool.insert(Arc::clone(&original), member(1)).unwrap();
    assert_eq!(pool.insert(Arc::clone(&same_id), member(1)), Ok(Inserted::Known));
    assert!(pool.lookup(original.bytes()).is_some_and(|found| Arc::ptr_eq(&found, &original)));
    assert!(pool.lookup(same_id.bytes()).is_none());
    assert!(pool.contains(&same_id.id()));
    pool.discard(&original.id());
    assert!(pool.lookup(original.bytes()).is_none());
    assert!(pool.get(&original.id()).is_none());
}

#[test]
fn expires_what_is_late_at_the_block_time_and_nothing_else() {
    let pool = Mempool::new(SMALL);
    for n in 0..10 {
        pool.insert(anchor(n), member(n as u8)).unwrap();
    }
    // Number n is late from NOW_MS + 1 + n on.
    assert_eq!(pool.expire(UnixMillis(NOW_MS)), 0);
    assert_eq!(pool.expire(UnixMillis(NOW_MS + 4)), 4);
    assert_eq!(pool.len(), 6);
    assert!(!pool.contains(&anchor(3).id()));
    assert!(pool.contains(&anchor(4).id()));
}

#[test]
fn lists_arrivals_oldest_first_and_bounded() {
    let pool = Mempool::new(SMALL);
    for n in 0..6 {
        pool.insert(anchor(n), member(n as u8)).unwrap();
    }
    let before = pool.next_sequence();
    pool.insert(anchor(6), member(6)).unwrap();
    pool.discard(&anchor(1).id());
    let arrived: Vec<_> = pool.arrived(0, before, 3).iter().map(|(_, t)| t.id()).collect();
    assert_eq!(arrived, [0, 2, 3].map(|n| anchor(n).id()));
    assert_eq!(pool.arrived(4, before, 100).len(), 2);
    assert!(pool.arrived(before, 0, 100).is_empty());
}

#[test]
fn a_pool_smaller_than_its_reserve_still_takes_anchors() {
    let pool = Mempool::new(Limits { max_transactions: 10, ..Limits::default() });
    let taken = (0..20).filter(|n| pool.insert(anchor(*n), member(*n as u8)).is_ok()).count();
    assert_eq!(taken, 5);
    assert_eq!(pool.insert(alert(100), member(1)), Ok(Inserted::New));
}

#[test]
fn wakes_whoever_waits_for_work() {
    let pool = Mempool::new(SMALL);
    let mut waiting = pool.subscribe();
    assert!(!waiting.has_changed().unwrap());
    pool.insert(anchor(1), member(1)).unwrap();
    assert!(waiting.has_changed().unwrap());
    assert_eq!(*waiting.borrow_and_update(), 1);
    pool.remove([anchor(1).id()]);
    assert_eq!(*waiting.borrow_and_update(), 0);
}

#[derive(Debug, Clone)]
enum Step {
    Insert { who: u8, alert: bool, padding: usize },
    Select { transactions: usize, bytes: usize, reserved: usize, commit: bool },
    Discard { nth: usize },
    Expire { after: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..6u8, any::<bool>(), 0..900usize)
            .prop_map(|(who, alert, padding)| Step::Insert { who, alert, padding }),
        2 => (0..30usize, 0..8_000usize, 0..3_000usize, any::<bool>()).prop_map(
            |(transactions, bytes, reserved, commit)| {
                Step::Select { transactions, bytes, reserved, commit }
            }
        ),
        1 => (0..50usize).prop_map(|nth| Step::Discard { nth }),
        1 => (0..200u64).prop_map(|after| Step::Expire { after }),
    ]
}

/// What waits, kept the slow and obvious way.
type Model = Vec<(Arc<Transaction>, MemberId)>;

fn count(model: &Model, wanted: impl Fn(&Transaction, &MemberId) -> bool) -> (usize, usize) {
    let held = model.iter().filter(|(t, who)| wanted(t, who));
    held.fold((0, 0), |(n, bytes), (t, _)| (n + 1, bytes + t.bytes().len()))
}

fn check_select(pool: &Mempool, step: &Step) -> Vec<Arc<Transaction>> {
    let Step::Select { transactions, bytes, reserved, .. } = step else { return Vec::new() };
    let selected = pool.select(*transactions, *bytes, *reserved);
    let all: usize = selected.iter().map(|t| t.bytes().len()).sum();
    let open: usize = selected.iter().filter(|t| !t.is_alert()).map(|t| t.bytes().len()).sum();
    assert!(selected.len() <= *transactions);
    assert!(all <= *bytes, "{all} of {bytes} bytes");
    assert!(open <= bytes.saturating_sub(*reserved), "anchors used the alerts' space");
    let mut unique = ids(&selected);
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), selected.len());
    selected
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn limits_hold_whatever_happens(steps in proptest::collection::vec(step(), 1..200)) {
        let pool = Mempool::new(SMALL);
        let mut model = Model::new();
        for (number, step) in steps.iter().enumerate() {
            match step {
                Step::Insert { who, alert, padding } => {
                    let new = transaction(number as u64, *alert, *padding, 0);
                    if pool.insert(Arc::clone(&new), member(*who)).is_ok() {
                        model.push((new, member(*who)));
                    }
                }
                Step::Select { commit, .. } => {
                    let selected = check_select(&pool, step);
                    if *commit {
                        pool.remove(ids(&selected));
                        model.retain(|(t, _)| !ids(&selected).contains(&t.id()));
                    }
                }
                Step::Discard { nth } => {
                    if *nth < model.len() {
                        pool.discard(&model.remove(*nth).0.id());
                    }
                }
                Step::Expire { after } => {
                    let time = NOW_MS + after;
                    let before = model.len();
                    model.retain(|(t, _)| t.body().not_after_ms > time);
                    prop_assert_eq!(pool.expire(UnixMillis(time)), before - model.len());
                }
            }
            let (all, bytes) = count(&model, |_, _| true);
            prop_assert_eq!((pool.len(), pool.bytes()), (all, bytes));
            prop_assert!(all <= SMALL.max_transactions && bytes <= SMALL.max_bytes);
            let (ordinary, bytes) = count(&model, |t, _| !t.is_alert());
            prop_assert!(ordinary <= SMALL.ordinary().transactions);
            prop_assert!(bytes <= SMALL.ordinary().bytes);
            for who in 0..6 {
                let (n, bytes) = count(&model, |t, m| *m == member(who) && !t.is_alert());
                prop_assert!(n <= SMALL.max_member_transactions);
                prop_assert!(bytes <= SMALL.max_member_bytes);
                let (n, bytes) = count(&model, |t, m| *m == member(who) && t.is_alert());
                prop_assert!(n <= SMALL.max_member_alert_transactions);
                prop_assert!(bytes <= SMALL.max_member_alert_bytes);
            }
        }
        pool.remove(model.iter().map(|(t, _)| t.id()).collect::<Vec<_>>());
        prop_assert!(pool.is_empty() && pool.bytes() == 0);
    }
}
