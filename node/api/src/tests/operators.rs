//! Operators at the desk: what they were let in for, asked anew at every request.

use super::chain::{anchor, certificate, key};
use super::{Server, start};
use crate::ApiLimits;
use futures::stream;
use heatmark_client::tls::Identity;
use heatmark_client::{CertificateFile, DeskClient, Operator, OperatorRole, RaiseAlert};
use heatmark_ledger::messages as pb;

fn operator(number: u8, roles: &[OperatorRole]) -> Operator {
    Operator {
        key: key(number).verifying_key().to_bytes().to_vec(),
        name: "Anna Berg".to_owned(),
        roles: roles.iter().map(|role| i32::from(*role)).collect(),
    }
}

async fn desk_as(server: &Server, number: u8) -> DeskClient {
    let identity = Identity::new(key(number), &server.chain.members[0].id).unwrap();
    DeskClient::connect(&server.target(), &identity, server.trust()).await.unwrap()
}

fn file() -> stream::Iter<std::vec::IntoIter<CertificateFile>> {
    let (name, content) = ("1.json".to_owned(), certificate(1));
    stream::iter(vec![CertificateFile { name, content, beside: Vec::new() }])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_opens_its_methods_and_a_revocation_shuts_a_standing_connection() {
    let server = start(1, ApiLimits::default()).await;
    server.chain.keep_producing();
    let own = server.desk(0).await;
    own.grant(operator(200, &[OperatorRole::Publish])).await.unwrap();
    let anna = desk_as(&server, 200).await;
    assert_eq!(anna.publish(1, file(), |_| {}).await.unwrap().new, 1);
    let rows = anna.records(&[], 10).await.unwrap();
    let id: [u8; 32] = rows[0].record_id.clone().try_into().unwrap();
    let on = || RaiseAlert::OwnRecord(id);
    let code = |error: heatmark_client::ClientError| error.refusal_code().map(str::to_owned);
    let role = Some("role".to_owned());
    let refused = anna.alert(on(), pb::AlertLevel::Hold, String::new()).await.unwrap_err();
    assert!(refused.to_string().contains("\"alert\""), "{refused}");
    assert_eq!(code(refused), role);
    let body = pb::Body { payload: Some(anchor(1)), ..pb::Body::default() };
    assert_eq!(code(anna.sign_and_submit(body, Vec::new()).await.unwrap_err()), role);
    let all = operator(200, &[OperatorRole::Administer]);
    assert_eq!(code(anna.grant(all).await.unwrap_err()), role, "nobody promotes themselves");
    assert_eq!(code(anna.erase(id).await.unwrap_err()), role);
    assert_eq!(code(anna.vault_log(0, 9).await.unwrap_err()), role);
    let stolen = anna.backup(|_| Ok::<_, heatmark_client::ClientError>(())).await.unwrap_err();
    assert_eq!(code(stolen), role);

    own.grant(operator(200, &[OperatorRole::Alert])).await.unwrap();
    anna.alert(on(), pb::AlertLevel::Hold, String::new()).await.unwrap();
    assert_eq!(code(anna.publish(1, file(), |_| {}).await.unwrap_err()), role);
    own.revoke(key(200).verifying_key().to_bytes()).await.unwrap();
    let gone = anna.alert(on(), pb::AlertLevel::Clear, String::new()).await.unwrap_err();
    assert_eq!(code(gone), Some("not-admitted".to_owned()));

    let log = own.vault_log(0, 100).await.unwrap();
    let said: Vec<_> =
        log.entries.iter().map(|e| (e.entry.deed, e.entry.key == operator(200, &[]).key)).collect();
    // Grant, publish, grant, alert, revoke: by the member's own key, or by Anna's.
    assert_eq!(said, [(11, false), (1, true), (11, false), (4, true), (12, false)]);
    assert_eq!(log.count, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_has_a_key_of_its_own_and_at_least_one_role() {
    let server = start(2, ApiLimits::default()).await;
    let own = server.desk(0).await;
    let refused = async |operator: Operator| {
        let error = own.grant(operator).await.unwrap_err();
        error.refusal_code().map(str::to_owned).unwrap()
    };
    let registered = server.chain.members[1].p2p.verifying_key().to_bytes().to_vec();
    let theirs = Operator { key: registered, ..operator(201, &[OperatorRole::Alert]) };
    assert_eq!(refused(theirs).await, "registered-key");
    // A point of small order is no key.
    let small = Operator { key: vec![0; 32], ..operator(201, &[OperatorRole::Alert]) };
    assert_eq!(refused(small).await, "key");
    assert_eq!(refused(operator(201, &[])).await, "field");
    assert_eq!(refused(operator(201, &[OperatorRole::Unspecified])).await, "field");
    let nameless = Operator { name: String::new(), ..operator(201, &[OperatorRole::Alert]) };
    assert_eq!(refused(nameless).await, "field");
    assert!(own.operators().await.unwrap().is_empty());
}
