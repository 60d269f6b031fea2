//! What stands beside a file: part of what the file is, and bound to what this node has published.

use super::{
    CertificateFile, PublishEvent, TestChain, certificate, desk_of, publish, records_of, vault_of,
};
use heatmark_records::forms::NoOrigin;
use heatmark_records::{Path, Value};
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
