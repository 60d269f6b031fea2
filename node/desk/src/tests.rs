#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    clippy::let_underscore_must_use,
    dead_code,
    reason = "tests fail loudly"
)]
//! The desk on a real store, pool and vault, with blocks decided in this process.

mod attesting;
mod beside;
mod capture;
pub(crate) mod chain;
mod disclosures;
mod escrow;
mod genealogy;
mod heads;
mod lots;
mod lots_kinds;
mod post;
mod serials;
mod transfer;

use crate::{
    AlertOn, CertificateFile, Desk, DeskError, DeskParts, PublishEvent, Seed, alert_signing_key,
    reason_digest,
};
use chain::{TestChain, anchor, certificate, key};
use heatmark_ledger::ids::{AlertSubject, Height};
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::receipt::{self, TrustRoot};
use heatmark_ledger::{Hash, messages as pb, state};
use heatmark_merkle::batch;
use heatmark_records::RecordId;
use heatmark_vault::{Vault, VaultKey};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

const SEED: [u8; 32] = [7; 32];

fn desk_of(chain: &TestChain, member: usize, vault: Arc<Vault>) -> Desk {
    Desk::new(DeskParts {
        store: chain.store.clone(),
        intake: Arc::clone(&chain.intake),
        vault,
        member: chain.members[member].id,
        signing: chain.members[member].signing.clone(),
        trust: TrustRoot::from_genesis(&chain.genesis),
        seed: Seed::new(SEED),
        acknowledged_through: chain.dir.path().join(format!("acknowledged-{member}")),
    })
}

fn vault_of(chain: &TestChain, name: &str) -> Arc<Vault> {
    Arc::new(Vault::open(&chain.dir.path().join(name), &VaultKey::new([1; 32])).unwrap())
}

fn file(number: usize) -> CertificateFile {
    CertificateFile {
        name: format!("{number}.json"),
        content: certificate(number),
        beside: Vec::new(),
        attests: None,
    }
}

async fn publish(desk: &Desk, files: Vec<CertificateFile>) -> Vec<PublishEvent> {
    let (sender, receiver) = mpsc::channel(4);
    let mut heard = desk.publish(receiver);
    tokio::spawn(async move {
        for file in files {
            if sender.send(file).await.is_err() {
                return;
            }
        }
    });
    let mut events = Vec::new();
    while let Some(event) = heard.recv().await {
        events.push(event.unwrap());
    }
    events
}

fn records_of(events: &[PublishEvent]) -> (Vec<RecordId>, Vec<RecordId>) {
    let (mut new, mut known) = (Vec::new(), Vec::new());
    for event in events {
        if let PublishEvent::Read { record_id, already_published, .. } = event {
            if *already_published { known.push(*record_id) } else { new.push(*record_id) }
        }
    }
    (new, known)
}

fn anchors_of(events: &[PublishEvent]) -> Vec<(pb::Receipt, u32)> {
    let anchored = |event: &PublishEvent| match event {
        PublishEvent::Anchored { receipt, records, .. } => Some(((**receipt).clone(), *records)),
        _ => None,
    };
    events.iter().filter_map(anchored).collect()
}

/// Waits on blocks, not on time.
async fn until(chain: &TestChain, condition: impl Fn() -> bool) {
    let mut tip = chain.store.subscribe();
    let waited = tokio::time::timeout(Duration::from_secs(30), async {
        while !condition() {
            let _ = tokio::time::timeout(Duration::from_millis(200), tip.changed()).await;
        }
    });
    waited.await.expect("what was waited for did not happen in 30 s");
}

#[tokio::test(flavor = "multi_thread")]
async fn published_records_stand_under_the_anchors_root() {
    let chain = TestChain::new(1);
    chain.keep_producing();
    let vault = vault_of(&chain, "vault");
    let desk = desk_of(&chain, 0, Arc::clone(&vault));
    let events = publish(&desk, (0..5).map(file).collect()).await;
    let (new, known) = records_of(&events);
    assert_eq!((new.len(), known.len()), (5, 0));
    let anchors = anchors_of(&events);
    let [(receipt, 5)] = anchors.as_slice() else { panic!("one anchor of five records") };
    let verified = receipt::verify(receipt, &TrustRoot::from_genesis(&chain.genesis)).unwrap();
    let Some(pb::body::Payload::Anchor(anchor)) = verified.body.payload else { panic!() };
    let root = Hash::try_from(anchor.root.as_slice()).unwrap();
    for (index, id) in new.iter().enumerate() {
        let stored = vault.record(id).unwrap().unwrap();
        assert_eq!(stored.opening.check().unwrap(), *id);
        assert_eq!(stored.opening.head().heading().issuer, *chain.members[0].id.as_bytes());
        let place = stored.row.placement.unwrap();
        assert_eq!(place.position as usize, index);
        assert_eq!(place.transaction_id, *verified.transaction_id.as_bytes());
        batch::verify(id, place.position, place.count, &place.path, &root).unwrap();
    }
    assert!(vault.pending(10).unwrap().is_empty() && vault.submissions().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn same_file_is_one_record_within_and_across_publications() {
    let chain = TestChain::new(1);
    chain.keep_producing();
    let desk = desk_of(&chain, 0, vault_of(&chain, "vault"));
    let events = publish(&desk, vec![file(1), file(2), file(1), file(1)]).await;
    let (new, known) = records_of(&events);
    assert_eq!((new.len(), known.len()), (2, 2));
    assert!(known.iter().all(|id| *id == new[0]));
    let again = publish(&desk, vec![file(2), file(1)]).await;
    let (none, known) = records_of(&again);
    assert_eq!((none.len(), known), (0, vec![new[1], new[0]]));
    assert!(anchors_of(&again).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn same_files_published_at_once_are_anchored_once() {
    let chain = TestChain::new(1);
    chain.keep_producing();
    let desk = desk_of(&chain, 0, vault_of(&chain, "vault"));
    let files = || (0..40).map(file).collect::<Vec<_>>();
    let (one, two, three) =
        tokio::join!(publish(&desk, files()), publish(&desk, files()), publish(&desk, files()));
    let events = [one, two, three].concat();
    let (new, known) = records_of(&events);
    assert_eq!((new.len(), known.len()), (40, 80));
    let ids: BTreeSet<_> = new.iter().collect();
    assert_eq!(ids.len(), 40);
    assert_eq!(anchors_of(&events).iter().map(|(_, records)| records).sum::<u32>(), 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn file_with_faults_is_refused_alone_and_every_time() {
    let chain = TestChain::new(1);
    chain.keep_producing();
    let vault = vault_of(&chain, "vault");
    let desk = desk_of(&chain, 0, Arc::clone(&vault));
    let broken = CertificateFile {
        name: "broken.json".to_owned(),
        content: b"{\"a\":".to_vec(),
        beside: Vec::new(),
        attests: None,
    };
    let named = CertificateFile {
        name: "n".repeat(2_000),
        content: certificate(9),
        beside: Vec::new(),
        attests: None,
    };
    let files = vec![broken.clone(), file(1), broken, named];
    let events = publish(&desk, files).await;
    let kinds: Vec<bool> = events
        .iter()
        .filter_map(|event| match event {
            PublishEvent::Refused { faults, .. } => {
                assert!(!faults.is_empty());
                Some(false)
            }
            PublishEvent::Read { .. } => Some(true),
            PublishEvent::Anchored { .. } => None,
        })
        .collect();
    assert_eq!(kinds, [false, true, false, false]);
    assert_eq!(vault.records(&[], 10).unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn restart_anchors_what_was_pending_and_never_twice() {
    let chain = TestChain::new(1);
    let vault = vault_of(&chain, "vault");
    // The first run ends while its anchor waits for a block that never comes.
    let first = desk_of(&chain, 0, Arc::clone(&vault));
    let (sender, receiver) = mpsc::channel(4);
    let heard = first.publish(receiver);
    sender.send(file(1)).await.unwrap();
    drop(sender);
    let mut waiting = chain.mempool.subscribe();
    waiting.wait_for(|waiting| *waiting == 1).await.unwrap();
    let submissions = vault.submissions().unwrap();
    let [submission] = submissions.as_slice() else { panic!("one anchor on its way") };
    drop(heard);
    // A second run on the same vault; its pool has lost the transaction.
    chain.mempool.remove([submission.transaction_id.into()]);
    let second = desk_of(&chain, 0, Arc::clone(&vault));
    chain.keep_producing();
    let (_stop, stopped) = watch::channel(false);
    let _tasks = second.start(&stopped);
    until(&chain, || vault.submissions().unwrap().is_empty()).await;
    let rows = vault.records(&[], 10).unwrap();
    let place = rows[0].placement.clone().unwrap();
    assert_eq!(place.transaction_id, submission.transaction_id);
    assert_eq!(chain.store.tip().log_size.0, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_anchor_is_replaced_by_a_new_one() {
    let chain = TestChain::new(1);
    let vault = vault_of(&chain, "vault");
    let desk = desk_of(&chain, 0, Arc::clone(&vault));
    let (sender, receiver) = mpsc::channel(4);
    let mut heard = desk.publish(receiver);
    sender.send(file(1)).await.unwrap();
    drop(sender);
    let mut waiting = chain.mempool.subscribe();
    waiting.wait_for(|waiting| *waiting == 1).await.unwrap();
    let lost = vault.submissions().unwrap()[0].transaction_id;
    chain.mempool.remove([lost.into()]);
    // Block time passes the window's end; the desk then signs anew for the time of the chain.
    chain.produce(Some(chain::now_ms() + 301_000));
    let mut replaced = None;
    while let Some(event) = heard.recv().await {
        match event.unwrap() {
            PublishEvent::Anchored { transaction_id, .. } => replaced = Some(transaction_id),
            PublishEvent::Read { .. } => {
                waiting.wait_for(|waiting| *waiting == 1).await.unwrap();
                chain.produce(Some(chain::now_ms() + 302_000));
            }
            PublishEvent::Refused { .. } => panic!(),
        }
    }
    assert!(replaced.is_some_and(|id| *id.as_bytes() != lost));
    assert_eq!(chain.store.tip().log_size.0, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn alert_on_an_own_record_is_raised_cleared_and_counted_by_the_state() {
    let chain = TestChain::new(1);
    chain.keep_producing();
    let vault = vault_of(&chain, "vault");
    let desk = desk_of(&chain, 0, Arc::clone(&vault));
    let (new, _) = records_of(&publish(&desk, vec![file(1)]).await);
    let on = AlertOn::OwnRecord(new[0]);
    let hold = desk.alert(on, pb::AlertLevel::Hold, "crack".to_owned()).await.unwrap();
    assert_eq!(hold.alert.sequence, 1);
    let clear = desk.alert(on, pb::AlertLevel::Clear, "recheck".to_owned()).await.unwrap();
    assert_eq!(clear.alert.sequence, 2);
    let subject = AlertSubject::try_from(clear.alert.subject.as_slice()).unwrap();
    let standing = state::alert(&chain.store, &subject, None).unwrap().unwrap();
    assert_eq!((standing.level(), standing.sequence), (pb::AlertLevel::Clear, 2));
    let digest: [u8; 32] = hold.alert.reason_digest.clone().try_into().unwrap();
    let kept = vault.alert_reason(&digest).unwrap().unwrap();
    assert_eq!(kept.reason, "crack");
    assert_eq!(reason_digest(&kept.salt, &kept.reason).0, digest);
    let refused = desk.alert(on, pb::AlertLevel::Clear, String::new()).await.unwrap_err();
    assert_eq!(refused.code(), "alert-unchanged");
}

#[tokio::test(flavor = "multi_thread")]
async fn alert_on_an_unknown_record_or_without_level_is_refused() {
    let chain = TestChain::new(1);
    let desk = desk_of(&chain, 0, vault_of(&chain, "vault"));
    let on = AlertOn::OwnRecord(Hash([3; 32]));
    let unknown = desk.alert(on, pb::AlertLevel::Hold, String::new()).await;
    assert!(matches!(unknown, Err(DeskError::UnknownRecord(_))));
    let level = desk.alert(on, pb::AlertLevel::Unspecified, String::new()).await;
    assert!(matches!(level, Err(DeskError::NoLevel)));
    let long = desk.alert(on, pb::AlertLevel::Hold, "x".repeat(5_000)).await;
    assert!(matches!(long, Err(DeskError::ReasonTooLong)));
    assert_eq!(chain.mempool.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_members_node_acknowledges_alerts_and_concerns_once_across_restarts() {
    let chain = TestChain::new(2);
    chain.keep_producing();
    let desks = [
        desk_of(&chain, 0, vault_of(&chain, "vault-0")),
        desk_of(&chain, 1, vault_of(&chain, "vault-1")),
    ];
    let (stop, stopped) = watch::channel(false);
    let mut tasks: Vec<_> = desks.iter().flat_map(|desk| desk.start(&stopped)).collect();
    let (new, _) = records_of(&publish(&desks[0], vec![file(1)]).await);
    let own = desks[0].alert(AlertOn::OwnRecord(new[0]), pb::AlertLevel::Recall, String::new());
    let own = own.await.unwrap().alert;
    let subject = AlertSubject::try_from(own.subject.as_slice()).unwrap();
    let concern = desks[1].alert(AlertOn::Concern(subject), pb::AlertLevel::Hold, String::new());
    concern.await.unwrap();
    let sides = [None, Some(chain.members[1].id)];
    let acknowledged = || {
        chain.members.iter().all(|member| {
            sides.iter().all(|side| {
                let key = state::acknowledgement_key(&subject, side.as_ref(), &member.id);
                let found: Option<pb::AcknowledgementState> =
                    state::read(&chain.store, &key, "acknowledgement").unwrap();
                found.is_some_and(|found| found.sequence == 1)
            })
        })
    };
    until(&chain, acknowledged).await;
    stop.send(true).unwrap();
    for task in tasks.drain(..) {
        task.await.unwrap();
    }
    let leaves = chain.store.tip().log_size.0;
    assert_eq!(leaves, 1 + 2 + 4, "anchor, alert, concern, and two acknowledgements a member");
    // Without its note the second run reads the log again, and finds everything done.
    for member in 0..2 {
        let _ = std::fs::remove_file(chain.dir.path().join(format!("acknowledged-{member}")));
    }
    let (_stop, stopped) = watch::channel(false);
    let _tasks: Vec<_> = desks.iter().flat_map(|desk| desk.start(&stopped)).collect();
    let seen = desks[0]
        .sign_and_submit(pb::Body { payload: Some(anchor(1)), ..pb::Body::default() }, Vec::new());
    seen.await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(chain.store.tip().log_size.0, leaves + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledgement_that_no_block_takes_holds_up_no_other_and_is_not_forgotten() {
    let chain = TestChain::new(2);
    chain.keep_producing();
    let desks = [
        desk_of(&chain, 0, vault_of(&chain, "vault-0")),
        desk_of(&chain, 1, vault_of(&chain, "vault-1")),
    ];
    let subject = |n: u8| AlertSubject(Hash([n; 32]));
    let acknowledged = |n: u8| {
        let concern_of = chain.members[0].id;
        let by = chain.members[1].id;
        let key = state::acknowledgement_key(&subject(n), Some(&concern_of), &by);
        let found: Option<pb::AcknowledgementState> =
            state::read(&chain.store, &key, "acknowledgement").unwrap();
        found.is_some()
    };
    chain.left_out.lock().unwrap().push(vec![1; 32]);
    let (stop, stopped) = watch::channel(false);
    let tasks: Vec<_> = desks[1].start(&stopped);
    for n in 1..=3 {
        let on = AlertOn::Concern(subject(n));
        desks[0].alert(on, pb::AlertLevel::Hold, String::new()).await.unwrap();
    }
    until(&chain, || acknowledged(2) && acknowledged(3)).await;
    assert!(!acknowledged(1));
    stop.send(true).unwrap();
    for task in tasks {
        task.await.unwrap();
    }
    // The note says no more than what is done, so that a restart finds what was left.
    let noted = std::fs::read_to_string(chain.dir.path().join("acknowledged-1"));
    let noted: u64 = noted.map_or(0, |text| text.trim().parse().unwrap());
    assert_eq!(noted, 0, "the first block holds what is left");
    chain.left_out.lock().unwrap().clear();
    let (_stop, stopped) = watch::channel(false);
    let _tasks = desks[1].start(&stopped);
    until(&chain, || acknowledged(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn co_signed_body_without_window_is_not_signed() {
    let chain = TestChain::new(1);
    let desk = desk_of(&chain, 0, vault_of(&chain, "vault"));
    let body = pb::Body { payload: Some(anchor(1)), ..pb::Body::default() };
    let refused = desk.sign_and_submit(body, vec![pb::CoSignature::default()]).await;
    assert!(matches!(refused, Err(DeskError::IncompleteBody)));
    let empty = desk.sign_and_submit(pb::Body::default(), Vec::new()).await;
    assert!(matches!(empty, Err(DeskError::NoPayload)));
}

#[tokio::test(flavor = "multi_thread")]
async fn ledgers_refusal_reaches_the_person_by_its_code() {
    let chain = TestChain::new(1);
    let desk = desk_of(&chain, 0, vault_of(&chain, "vault"));
    let anchor = pb::Anchor { root: vec![1; 32], records: 0 };
    let payload = Some(pb::body::Payload::Anchor(anchor));
    let body = pb::Body { payload, ..pb::Body::default() };
    let refused = desk.sign_and_submit(body, Vec::new()).await.unwrap_err();
    assert_eq!(refused.code(), "batch-size");
}

#[test]
fn alert_keys_follow_from_seed_and_index_alone() {
    let derived = |seed: [u8; 32], index| {
        PublicKey::of(&alert_signing_key(&Seed::new(seed), index)).to_bytes()
    };
    assert_eq!(derived(SEED, 3), derived(SEED, 3));
    assert_ne!(derived(SEED, 3), derived(SEED, 4));
    assert_ne!(derived(SEED, 3), derived([8; 32], 3));
    assert_ne!(derived(SEED, 0), PublicKey::of(&key(7)).to_bytes());
    assert_eq!(Height(0).next(), Height(1));
}
