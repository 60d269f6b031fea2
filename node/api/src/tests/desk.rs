//! The desk over the network: own people in, everybody else out.

use super::chain::{anchor, certificate};
use super::start;
use crate::ApiLimits;
use futures::stream;
use heatmark_client::{
    AgreeRequest, AttestRequest, CertificateFile, ClientError, PublishEvent, RaiseAlert,
    ReportFile, Tolerance,
};
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

fn attest(record_id: Vec<u8>, report: &str) -> AttestRequest {
    let file = ReportFile {
        name: "report.json".to_owned(),
        content: report.as_bytes().to_vec(),
        beside: Vec::new(),
    };
    AttestRequest { record_id, file: Some(file), ..AttestRequest::default() }
}

const REPORT: &str = r#"{"Heatmark":"1","certificate":{"number":"P-1","issued":"2026-05-12"},
    "sample":{"id":"S-1","type":"product"},"test":{"method":"ASTM E415-21","date":"2026-05-10"},
    "chemistry":{"C":"0.021 %"}}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_laboratorys_software_attests_over_the_network() {
    let server = start(2, ApiLimits::default()).await;
    server.chain.keep_producing();
    let desk = server.desk(0).await;
    let refused = |code| move |error: ClientError| assert_eq!(error.refusal_code(), Some(code));
    desk.attest(attest(vec![9; 31], REPORT)).await.map_err(refused("field")).unwrap_err();
    let no_file = AttestRequest { record_id: vec![9; 32], ..AttestRequest::default() };
    desk.attest(no_file).await.map_err(refused("field")).unwrap_err();
    let faulty = attest(vec![9; 32], &REPORT.replace("product", "coil"));
    desk.attest(faulty).await.map_err(refused("faults")).unwrap_err();
    let mut unread = attest(vec![9; 32], REPORT);
    unread.disclosures = vec![vec![1; 100]];
    desk.attest(unread).await.map_err(refused("not-canonical")).unwrap_err();
    let other = server.desk(1).await.attest(attest(vec![9; 32], REPORT)).await;
    other.map_err(refused("not-own-member")).unwrap_err();

    let (made, _) = desk.attest(attest(vec![9; 32], REPORT)).await.unwrap();
    assert_eq!((made.form.as_str(), made.already_published), ("attestation Heatmark 1", false));
    assert_eq!(made.warnings, ["without accreditation"]);
    let own = attest(made.record_id.clone(), REPORT);
    desk.attest(own).await.map_err(refused("own-record")).unwrap_err();
    // The same report for another record is another attestation.
    let (other, _) = desk.attest(attest(vec![8; 32], REPORT)).await.unwrap();
    assert_ne!(other.record_id, made.record_id);
    let (again, _) = desk.attest(attest(vec![9; 32], REPORT)).await.unwrap();
    assert_eq!((again.record_id, again.already_published), (made.record_id.clone(), true));

    let agree = |tolerances: &[(&str, &str)]| AgreeRequest {
        record_id: made.record_id.clone(),
        disclosure: vec![1; 100],
        tolerances: tolerances
            .iter()
            .map(|(path, within)| Tolerance { path: (*path).into(), within: (*within).into() })
            .collect(),
        receiver: server.chain.members[1].id.to_vec(),
        purpose: "order".to_owned(),
    };
    for (tolerances, code) in [
        (&[][..], "tolerance"),
        (&[("chemistry/C", "little")], "tolerance"),
        (&[("chemistry/C", "1 %"), ("chemistry/C", "2 %")], "tolerance"),
        (&[("chemistry/C", "1 %")], "not-canonical"),
    ] {
        desk.agree(agree(tolerances)).await.map_err(refused(code)).unwrap_err();
    }
}
