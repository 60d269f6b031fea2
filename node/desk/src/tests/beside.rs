//! What stands beside a file: part of what the file is, and bound to what this node has published.

use super::{
    CertificateFile, PublishEvent, TestChain, certificate, desk_of, publish, records_of, vault_of,
};
use crate::{AlertOn, superseded_reason};
use heatmark_ledger::ids::AlertSubject;
use heatmark_ledger::{messages as pb, state};
use heatmark_records::forms::NoOrigin;
use heatmark_records::{Path, RecordId, Value};
use heatmark_vault::Vault;
use std::sync::Arc;

fn with(beside: &str) -> CertificateFile {
    CertificateFile {
        name: "1.json".to_owned(),
        content: certificate(1),
        beside: beside.as_bytes().to_vec(),
        attests: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_with_other_notes_is_another_record_and_with_the_same_the_same() {
    let chain = TestChain::new(1);
    chain.keep_producing();
    let vault = vault_of(&chain, "vault");
    let desk = desk_of(&chain, 0, Arc::clone(&vault));
    let files = vec![with(""), with(r#"{"melt/ingot":"7"}"#), with(r#"{"melt/ingot":"8"}"#)];
    let (new, known) = records_of(&publish(&desk, files.clone()).await);
    assert_eq!((new.len(), known.len()), (3, 0));
    let (none, known) = records_of(&publish(&desk, files).await);
    assert_eq!((none.len(), known), (0, new.clone()));
    let opening = vault.record(&new[1]).unwrap().unwrap().opening;
    let ingot = opening.fields().get(&Path::new("melt/ingot").unwrap()).cloned();
    assert_eq!(ingot, Some(Value::Text("7".to_owned())));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_says_so_in_its_head_and_commissions_nothing_however_often_it_is_asked() {
    let chain = TestChain::new(1);
    chain.keep_producing();
    let vault = vault_of(&chain, "vault");
    let desk = desk_of(&chain, 0, Arc::clone(&vault));
    for again in [false, true] {
        let events = publish(&desk, vec![with(r#"{"transcribed/from":"Another Mill"}"#)]).await;
        let PublishEvent::Read { record_id, form, already_published, origin, .. } = &events[0]
        else {
            panic!("it is read")
        };
        assert_eq!((*already_published, *origin), (again, Err(NoOrigin::Transcribed)));
        assert!(form.starts_with("transcribed "), "{form}");
        let opening = vault.record(record_id).unwrap().unwrap().opening;
        assert_eq!(opening.head().heading().form, *form);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_record_of_this_node_is_superseded() {
    let chain = TestChain::new(1);
    chain.keep_producing();
    let desk = desk_of(&chain, 0, vault_of(&chain, "vault"));
    let (first, _) = records_of(&publish(&desk, vec![with("")]).await);
    let superseding = |id: &str| with(&format!(r#"{{"certificate/supersedes":"{id}"}}"#));
    let unknown = publish(&desk, vec![superseding(&"ab".repeat(32)), superseding("short")]).await;
    let refused = |event: &PublishEvent| matches!(event, PublishEvent::Refused { faults, .. } if faults.len() == 1);
    assert!(unknown.iter().all(refused), "{unknown:?}");
    let (second, _) =
        records_of(&publish(&desk, vec![superseding(&hex::encode(first[0].0))]).await);
    assert_eq!(second.len(), 1);
    assert_ne!(first, second);
}

/// The issuer's alert on a record of the chain's first member, and the reason that its vault keeps.
fn alert_on(chain: &TestChain, vault: &Vault, id: &RecordId) -> Option<(pb::AlertState, String)> {
    let row = vault.records(&id.0, 1).unwrap().remove(0);
    let subject = AlertSubject::from(row.alert_subject);
    let alert = state::alert(&chain.store, &subject, None).unwrap()?;
    let digest = alert.reason_digest.as_slice().try_into().unwrap();
    let kept = vault.alert_reason(&digest).unwrap().unwrap();
    Some((alert, kept.reason))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_superseded_is_marked_and_the_network_told_once() {
    let chain = TestChain::new(1);
    chain.keep_producing();
    let vault = vault_of(&chain, "vault");
    let desk = desk_of(&chain, 0, Arc::clone(&vault));
    let (first, _) = records_of(&publish(&desk, vec![with("")]).await);
    assert_eq!(alert_on(&chain, &vault, &first[0]), None);
    let superseding = |note: &str| {
        with(&format!(r#"{{"certificate/supersedes":"{}","a/b":"{note}"}}"#, first[0]))
    };
    let mut told = None;
    for note in ["once", "again"] {
        let events = publish(&desk, vec![superseding(note)]).await;
        let (second, _) = records_of(&events);
        assert!(events.iter().any(|event| matches!(event, PublishEvent::Read { supersedes: Some(old), .. } if *old == first[0])));
        let (alert, reason) = alert_on(&chain, &vault, &first[0]).unwrap();
        assert_eq!((alert.level(), alert.sequence), (pb::AlertLevel::Superseded, 1));
        // The ledger takes no level twice in a row: the first successor is the one that is told of.
        assert_eq!(reason, superseded_reason(told.get_or_insert(second[0])));
        let row = vault.records(&first[0].0, 1).unwrap().remove(0);
        assert_eq!(row.superseded_by, Some(second[0]));
        // The same file again, and another round, change nothing.
        publish(&desk, vec![superseding(note)]).await;
        desk.tell_superseded().await.unwrap();
        assert_eq!(alert_on(&chain, &vault, &first[0]).unwrap().0.sequence, 1);
        assert_eq!(vault.superseded_untold(9).unwrap(), []);
        assert_eq!(alert_on(&chain, &vault, &second[0]), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recall_is_not_covered_by_superseding_and_what_is_revoked_stays_so() {
    use pb::AlertLevel::{Clear, Recall, Revoke, Superseded};
    let chain = TestChain::new(1);
    chain.keep_producing();
    let vault = vault_of(&chain, "vault");
    let desk = desk_of(&chain, 0, Arc::clone(&vault));
    let numbered = |n: usize| with(&format!(r#"{{"a/b":"{n}"}}"#));
    let (old, _) = records_of(&publish(&desk, vec![numbered(0), numbered(1)]).await);
    let raise = async |on: usize, level| {
        desk.alert(AlertOn::OwnRecord(old[on]), level, "for a test".into()).await.unwrap();
    };
    raise(0, Recall).await;
    raise(1, Revoke).await;
    let superseding = |old: &RecordId| with(&format!(r#"{{"certificate/supersedes":"{old}"}}"#));
    let new = publish(&desk, vec![superseding(&old[0]), superseding(&old[1])]).await;
    assert_eq!(records_of(&new).0.len(), 2);
    let level = |on: usize| alert_on(&chain, &vault, &old[on]).unwrap().0.level();
    assert_eq!([level(0), level(1)], [Recall, Revoke]);
    raise(0, Clear).await;
    desk.tell_superseded().await.unwrap();
    assert_eq!([level(0), level(1)], [Superseded, Revoke]);
    // Withdrawn by the organisation: the node does not raise it again.
    raise(0, Clear).await;
    desk.tell_superseded().await.unwrap();
    assert_eq!(level(0), Clear);
}
