//! The desk over the network: own people in, everybody else out.

use super::chain::{anchor, certificate};
use super::start;
use crate::ApiLimits;
use futures::stream;
use heatmark_client::{CertificateFile, PublishEvent, RaiseAlert};
use heatmark_ledger::messages as pb;

fn files(numbers: std::ops::Range<usize>) -> Vec<CertificateFile> {
    let file = |n| CertificateFile {
        name: format!("{n}.json"),
        content: certificate(n),
        beside: Vec::new(),
    };
    numbers.map(file).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn published_files_come_back_with_verified_anchors() {
    let server = start(1, ApiLimits::default()).await;
    server.chain.keep_producing();
    let desk = server.desk(0).await;
    let mut names = Vec::new();
    let heard = |event: &PublishEvent| {
        if let PublishEvent::Read(read) = event {
            names.push(read.name.clone());
        }
    };
    let mut all = files(0..20);
    all.push(CertificateFile { name: "bad".to_owned(), content: vec![0xff], beside: Vec::new() });
    let published = desk.publish(21, stream::iter(all), heard).await.unwrap();
    assert_eq!((published.new, published.refused, published.anchors), (20, 1, 1));
    assert_eq!(names[7], "7.json");
    let again = desk.publish(20, stream::iter(files(0..20)), |_| {}).await.unwrap();
    assert_eq!((again.new, again.already_published, again.anchors), (0, 20, 0));
    let rows = desk.records(&[], 100).await.unwrap();
    assert_eq!(rows.len(), 20);
    assert!(rows.iter().all(|row| row.batch_proof.len() >= 8 && row.transaction_id.len() == 32));
    let found = desk.records(&rows[3].record_id[..4], 10).await.unwrap();
    assert_eq!(found[0].record_id, rows[3].record_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_members_are_not_served_at_the_desk() {
    let server = start(2, ApiLimits::default()).await;
    let desk = server.desk(1).await;
    let error = desk.records(&[], 10).await.unwrap_err();
    assert_eq!(error.refusal_code(), Some("not-own-member"));
    let error = desk.publish(1, stream::iter(files(0..1)), |_| {}).await.unwrap_err();
    assert_eq!(error.refusal_code(), Some("not-own-member"));
    let body = pb::Body { payload: Some(anchor(1)), ..pb::Body::default() };
    let error = desk.sign_and_submit(body, Vec::new()).await.unwrap_err();
    assert_eq!(error.refusal_code(), Some("not-own-member"));
    let on = RaiseAlert::Concern([1; 32]);
    let error = desk.alert(on, pb::AlertLevel::Hold, String::new()).await.unwrap_err();
    assert_eq!(error.refusal_code(), Some("not-own-member"));
}

#[tokio::test(flavor = "multi_thread")]
async fn alert_and_signature_come_back_proved() {
    let server = start(1, ApiLimits::default()).await;
    server.chain.keep_producing();
    let desk = server.desk(0).await;
    desk.publish(1, stream::iter(files(0..1)), |_| {}).await.unwrap();
    let row = desk.records(&[], 1).await.unwrap().remove(0);
    let id = row.record_id.clone().try_into().unwrap();
    let raised = desk.alert(RaiseAlert::OwnRecord(id), pb::AlertLevel::Hold, "crack".to_owned());
    let (alert, _) = raised.await.unwrap();
    assert_eq!((alert.subject, alert.sequence, alert.concern), (row.alert_subject, 1, false));
    let body = pb::Body { payload: Some(anchor(1)), ..pb::Body::default() };
    let proven = desk.sign_and_submit(body, Vec::new()).await.unwrap();
    assert_eq!(proven.verified.body.payload, Some(anchor(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn more_files_than_announced_or_none_are_refused() {
    let server = start(1, ApiLimits::default()).await;
    server.chain.keep_producing();
    let desk = server.desk(0).await;
    let error = desk.publish(1, stream::iter(files(0..3)), |_| {}).await.unwrap_err();
    assert_eq!(error.refusal_code(), Some("field"));
    let error = desk.publish(0, stream::iter(files(0..0)), |_| {}).await.unwrap_err();
    assert_eq!(error.refusal_code(), Some("field"));
}
