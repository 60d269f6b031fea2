//! What the ledger service answers, verified by the client.

use super::chain::{self, TestChain, anchor};
use super::start;
use crate::ApiLimits;
use futures::StreamExt as _;
use heatmark_client::{ClientError, ReceiptOf};
use heatmark_ledger::ids::{Height, TransactionId};
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::receipt::TrustRoot;
use heatmark_ledger::{LeafIndex, messages as pb, state, transaction};
use prost::bytes::Bytes;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn submitted_transaction_gives_a_receipt_that_verifies() {
    let server = start(2, ApiLimits::default()).await;
    server.chain.keep_producing();
    let client = server.client(1).await;
    let envelope = server.chain.signed(1, anchor(1), 1);
    let proven = client.submit_and_wait(envelope.clone(), SOON).await.unwrap();
    assert_eq!(proven.verified.header.height, Height(1));
    // Asking a second time is no second transaction.
    let again = client.submit_and_wait(envelope, SOON).await.unwrap();
    assert_eq!(again.verified.leaf_index, proven.verified.leaf_index);
    let by_leaf = client.receipt(ReceiptOf::Leaf(LeafIndex(0)), None).await.unwrap();
    assert_eq!(by_leaf.verified.transaction_id, proven.verified.transaction_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn receipt_verifies_against_a_later_header_and_a_pinned_one() {
    let server = start(1, ApiLimits::default()).await;
    let client = server.client(0).await;
    let id = client.submit(server.chain.signed(0, anchor(1), 1)).await.unwrap();
    for _ in 0..3 {
        server.chain.produce(None);
    }
    let of = ReceiptOf::Transaction(id);
    let later = client.receipt(of, Some(Height(3))).await.unwrap();
    assert_eq!(later.verified.header.height, Height(3));
    let pinned = client.header(Some(Height(2))).await.unwrap().pin().unwrap();
    let trust = TrustRoot::from_pinned(&pinned).unwrap();
    let own = &server.chain.members[0];
    let identity = heatmark_client::tls::Identity::new(own.p2p.clone(), &own.id).unwrap();
    let client =
        heatmark_client::LedgerClient::connect(&server.target(), &identity, trust).await.unwrap();
    let pinned = client.receipt(of, None).await.unwrap();
    assert_eq!(pinned.verified.header.height, Height(3));
}

#[tokio::test(flavor = "multi_thread")]
async fn refusal_carries_the_ledgers_code() {
    let server = start(1, ApiLimits::default()).await;
    let client = server.client(0).await;
    let chain = &server.chain;
    let none = pb::Anchor { root: vec![1; 32], records: 0 };
    let refused = client.submit(chain.signed(0, pb::body::Payload::Anchor(none), 1)).await;
    assert_eq!(refused.unwrap_err().refusal_code(), Some("batch-size"));
    let stranger = chain::key(199);
    let body = chain::body(anchor(1), 2);
    let network = chain.genesis.network();
    let unknown = transaction::sign(&network, &stranger, &body, Vec::new());
    let error = client.submit(unknown).await.unwrap_err();
    assert_eq!(error.refusal_code(), Some("unknown-key"));
    let mut broken = chain.signed(0, anchor(1), 3).to_vec();
    let last = broken.len() - 1;
    broken[last] ^= 1;
    let error = client.submit(Bytes::from(broken)).await.unwrap_err();
    assert!(!error.is_unreachable() && error.refusal_code() == Some("bad-signature"), "{error:?}");
    let old = pb::Body { not_before_ms: 1, not_after_ms: 2, ..chain::body(anchor(1), 4) };
    let late = transaction::sign(&network, &chain.members[0].signing, &old, Vec::new());
    assert_eq!(client.submit(late).await.unwrap_err().refusal_code(), Some("expired"));
    let envelope = chain.signed(0, anchor(1), 5);
    client.submit(envelope.clone()).await.unwrap();
    chain.produce(None);
    assert_eq!(client.submit(envelope).await.unwrap_err().refusal_code(), Some("replayed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_ends_with_pending_when_nothing_is_decided_and_expired_when_time_has_passed() {
    let limits = ApiLimits { commit_timeout: Duration::from_millis(300), ..ApiLimits::default() };
    let server = start(1, limits).await;
    let client = server.client(0).await;
    let envelope = server.chain.signed(0, anchor(1), 1);
    let error = client.submit_and_wait(envelope.clone(), SOON).await.unwrap_err();
    assert_eq!(error.refusal_code(), Some("pending"));
    let id = client.submit(envelope.clone()).await.unwrap();
    let error = client.receipt(ReceiptOf::Transaction(id), None).await.unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(error.refusal_code(), Some("pending"));
    let waiting = tokio::spawn(async move { client.submit_and_wait(envelope, SOON).await });
    server.chain.mempool.discard(&id);
    server.chain.produce(Some(chain::now_ms() + 120_000));
    let code = waiting.await.unwrap().unwrap_err();
    assert_eq!(code.refusal_code(), Some("expired"));
}

#[tokio::test(flavor = "multi_thread")]
async fn state_is_proved_present_and_absent_and_members_with_it() {
    let server = start(3, ApiLimits::default()).await;
    server.chain.produce(None);
    let client = server.client(1).await;
    let own = server.chain.members[1].id;
    let present = client.state(&state::member_key(&own), None).await.unwrap();
    assert!(present.value.is_some());
    let absent = client.state(b"member/nobody", None).await.unwrap();
    assert!(absent.value.is_none());
    let (height, proved) = client.proved_members().await.unwrap();
    let listed = client.members().await.unwrap();
    assert_eq!((height, proved.len(), listed.members.len()), (Height(1), 3, 3));
    for ((id, entry), row) in proved.iter().zip(&listed.members) {
        assert_eq!((id.to_vec(), Some(entry)), (row.member.clone(), row.state.as_ref()));
    }
    let error = client.state(&[1; 300], None).await.unwrap_err();
    assert_eq!(error.refusal_code(), Some("field"));
}

#[tokio::test(flavor = "multi_thread")]
async fn blocks_stream_verified_and_follow_the_log() {
    let server = start(1, ApiLimits::default()).await;
    let client = server.client(0).await;
    for nonce in 1..=3 {
        client.submit(server.chain.signed(0, anchor(nonce), nonce)).await.unwrap();
        server.chain.produce(None);
    }
    let mut all = client.blocks(Height(1), None, false).await.unwrap();
    let mut heights = Vec::new();
    while let Some(block) = all.next().await {
        heights.push(block.unwrap().header.height.0);
    }
    assert_eq!(heights, [1, 2, 3]);
    let mut following = client.blocks(Height(3), None, true).await.unwrap();
    assert_eq!(following.next().await.unwrap().unwrap().header.height, Height(3));
    server.chain.produce(None);
    assert_eq!(following.next().await.unwrap().unwrap().header.height, Height(4));
    let mut none = client.blocks(Height(5), None, false).await.unwrap();
    assert!(none.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn status_header_and_tiles_are_told() {
    let server = start(1, ApiLimits::default()).await;
    let client = server.client(0).await;
    assert!(client.header(None).await.unwrap_err().is_not_found());
    let before = client.status().await.unwrap();
    assert!(before.newest.is_none() && before.validator && before.moniker == "mill");
    assert_eq!(before.exchange_peers, 2);
    client.submit(server.chain.signed(0, anchor(1), 1)).await.unwrap();
    assert_eq!(client.status().await.unwrap().mempool_transactions, 1);
    server.chain.produce(None);
    let header = client.header(None).await.unwrap();
    assert_eq!((header.header.height, header.header.log_size.0), (Height(1), 1));
    assert_eq!(client.tile(Some(0), 0, 1).await.unwrap(), header.header.log_root.0);
    let bundle = client.tile(None, 0, 1).await.unwrap();
    let entry = server.chain.store.entry(LeafIndex(0)).unwrap().unwrap();
    assert_eq!(bundle[2..], transaction::leaf_data(&entry));
    assert!(client.tile(Some(0), 0, 2).await.unwrap_err().is_not_found());
    assert_eq!(client.tile(Some(9), 0, 1).await.unwrap_err().refusal_code(), Some("field"));
    let nobody = ReceiptOf::Transaction(TransactionId::from([9; 32]));
    let error = client.receipt(nobody, None).await.unwrap_err();
    assert_eq!(error.refusal_code(), Some("unknown-transaction"));
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_see_health_readiness_and_metrics() {
    let server = start(1, ApiLimits::default()).await;
    server.client(0).await.status().await.unwrap();
    assert!(server.http("/healthz").await.starts_with("HTTP/1.1 200"));
    assert!(server.http("/readyz").await.contains(r#""ready":true"#));
    let metrics = server.http("/metrics").await;
    let counted = "heatmark_api_requests_total{method=\"/heatmark.ledger.v1.LedgerService/GetStatus\",status=\"ok\"} 2";
    assert!(metrics.contains(counted), "{metrics}");
    assert!(metrics.contains("heatmark_height 0"));
    assert!(server.http("/else").await.starts_with("HTTP/1.1 404"));
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_ends_streams_and_then_nobody_is_served() {
    let server = start(1, ApiLimits::default()).await;
    let client = server.client(0).await;
    let mut following = client.blocks(Height(1), None, true).await.unwrap();
    server.handle.shutdown().await;
    assert!(following.next().await.unwrap().is_err());
    assert!(client.status().await.unwrap_err().is_unreachable());
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_another_network_or_server_say_so() {
    let server = start(1, ApiLimits::default()).await;
    let other = TestChain::new(2);
    let own = &server.chain.members[0];
    let identity = heatmark_client::tls::Identity::new(own.p2p.clone(), &own.id).unwrap();
    let trust = TrustRoot::from_genesis(&other.genesis);
    let connected =
        heatmark_client::LedgerClient::connect(&server.target(), &identity, trust).await;
    assert!(matches!(connected, Err(ClientError::OtherNetwork)));
    let mut target = server.target();
    target.server_key = PublicKey::of(&chain::key(99));
    let connected =
        heatmark_client::LedgerClient::connect(&target, &identity, server.trust()).await;
    let error = connected.unwrap_err();
    assert!(matches!(error, ClientError::WrongServer) && error.is_lie(), "{error:?}");
    target.address = "127.0.0.1:1".to_owned();
    let connected =
        heatmark_client::LedgerClient::connect(&target, &identity, server.trust()).await;
    assert!(connected.unwrap_err().is_unreachable());
}
