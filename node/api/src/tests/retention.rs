//! What a node does by itself with what is published, over the network: deposits that are due, documents for them, and
//! inspections that it keeps.

use super::{Server, start_with};
use crate::ApiLimits;
use futures::stream;
use heatmark_client::{
    CertificateFile, Delivered, DeliveredGoods, DeskClient, InspectionGiven, NamedFile,
    PublishEvent,
};
use heatmark_desk::RetentionClasses;
use sha2::{Digest as _, Sha256};

const REPORT: &[u8] = b"full assay of heat M41";
const POLICY: &str = "[[clause]]\nname = \"audit\"\nsections = [\"assay\"]\nopen_to = \"anyone\"\nprice = \"free\"\n";

/// A node that deposits magnets' assays with one agent.
async fn server() -> Server {
    start_with(2, ApiLimits::default(), |chain| {
        let text = format!(
            "[[class]]\nname = \"assays\"\nagents = [\"{}\"]\nthreshold = 1\npolicy = \"p.toml\"\n\
             [class.records]\nproduct = [\"magnet*\"]\n[[class.section]]\nname = \"assay\"\nfields = [\"assay/*\"]\n",
            chain.members[1].id
        );
        RetentionClasses::parse(&text, &mut |_| Ok(POLICY.to_owned())).unwrap()
    })
    .await
}

/// Publishes a certificate with a report; its record, and the digests that are wanted for it.
async fn publish(desk: &DeskClient) -> ([u8; 32], Vec<Vec<u8>>) {
    let content = format!(
        r#"{{"Heatmark":"1","certificate/number":"M-41","certificate/issued":"2026-03-02",
        "manufacturer/name":"Lanthan","heat":"M41","product/name":"magnet blocks","product/mass":"40 kg",
        "assay":{{"Nd":"29.4 %","report":{{"sha256":"{}","length":{}}}}}}}"#,
        hex::encode(Sha256::digest(REPORT)),
        REPORT.len()
    );
    let file = CertificateFile {
        name: "m.json".to_owned(),
        content: content.into_bytes(),
        beside: Vec::new(),
    };
    let mut heard = None;
    let hear = |event: &PublishEvent| {
        if let PublishEvent::Read(read) = event {
            let record = read.record_id.clone().try_into().unwrap();
            let wanted = read.deposits.iter().flat_map(|deposit| &deposit.wanted);
            heard = Some((record, wanted.map(|wanted| wanted.sha256.clone()).collect()));
        }
    };
    desk.publish(1, stream::iter([file]), hear).await.unwrap();
    heard.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_publisher_is_told_what_is_wanted_and_may_give_nothing_else() {
    let server = server().await;
    server.chain.keep_producing();
    let desk = server.desk(0).await;
    let (record, wanted) = publish(&desk).await;
    assert_eq!(wanted, [Sha256::digest(REPORT).to_vec()]);
    let due = desk.due_deposits().await.unwrap();
    assert_eq!((due.len(), due[0].class.as_str(), due[0].wanted.len()), (1, "assays", 1));
    let give = async |record, name: &str, content: &[u8]| {
        let given = desk.keep_document(record, name.to_owned(), content.to_vec()).await;
        given.map_err(|error| error.refusal_code().unwrap_or_default().to_owned())
    };
    let unwanted = Err("document-unwanted".to_owned());
    assert_eq!(give(record, "r.pdf", b"another").await, unwanted);
    assert_eq!(give([7; 32], "r.pdf", REPORT).await, unwanted);
    assert_eq!(give(record, "", REPORT).await, Err("document-name".to_owned()));
    for _ in 0..2 {
        assert_eq!(give(record, "r.pdf", REPORT).await, Ok(()));
    }
    assert_eq!(desk.due_deposits().await.unwrap()[0].wanted, []);
    let stranger = server.desk(1).await;
    let refused = stranger.keep_document(record, "r.pdf".to_owned(), REPORT.to_vec()).await;
    assert_eq!(refused.unwrap_err().refusal_code(), Some("not-own-member"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_inspection_is_found_by_the_beginning_of_its_id() {
    let server = server().await;
    let desk = server.desk(0).await;
    let goods = DeliveredGoods {
        name: "noise.capsule".to_owned(),
        what: Some(Delivered::Capsule(vec![7; 99])),
    };
    let order = NamedFile { name: "po.toml".to_owned(), content: b"number = \"4711\"".to_vec() };
    let given =
        InspectionGiven { goods: vec![goods], order: Some(order), ..InspectionGiven::default() };
    let kept = desk.keep_inspection(given.clone()).await.unwrap();
    assert_eq!((kept.verdict.as_str(), kept.order.as_str()), ("reject", "4711"));
    assert_eq!(desk.inspections().await.unwrap(), std::slice::from_ref(&kept));
    let id = hex::encode(&kept.inspection);
    for named in [&id[..5], &id[..6], &id] {
        let shown = desk.inspection(named.to_owned()).await.unwrap();
        assert_eq!(shown.view, kept);
        assert!(shown.json.contains("\"verdict\":\"reject\"") && shown.text.contains("REJECT"));
    }
    for (named, code) in [("", "field"), ("zz", "field"), ("AB", "field")] {
        let error = desk.inspection(named.to_owned()).await.unwrap_err();
        assert_eq!(error.refusal_code(), Some(code), "{named:?}");
    }
    let other = if id.starts_with("00") { "ff" } else { "00" };
    let error = desk.inspection(other.to_owned()).await.unwrap_err();
    assert_eq!(error.refusal_code(), Some("no-such-inspection"));
    let noise = NamedFile { name: "po.toml".to_owned(), content: b"x = ".to_vec() };
    let bad = InspectionGiven { order: Some(noise), ..given };
    let error = desk.keep_inspection(bad).await.unwrap_err();
    assert_eq!(error.refusal_code(), Some("inspection-file"));
    assert_eq!(desk.inspections().await.unwrap().len(), 1);
}
