//! Who does not get in, and who gets no more.

use super::{chain, start};
use crate::ApiLimits;
use futures::StreamExt as _;
use heatmark_client::ClientError;
use heatmark_ledger::ids::Height;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread")]
async fn unregistered_key_is_told_that_it_is_not_admitted() {
    let server = start(1, ApiLimits::default()).await;
    let error = server.connect_with(&chain::key(200)).await.unwrap_err();
    assert!(matches!(error, ClientError::NotAdmitted), "{error:?}");
    // A root key is registered, and still no key to connect with.
    let error = server.connect_with(&server.chain.members[0].root).await.unwrap_err();
    assert!(matches!(error, ClientError::NotAdmitted), "{error:?}");
    server.connect_with(&server.chain.members[0].signing).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn rotated_key_is_refused_on_its_open_connection_and_on_a_new_one() {
    let server = start(2, ApiLimits::default()).await;
    let client = server.client(1).await;
    client.status().await.unwrap();
    let mut following = client.blocks(Height(1), None, true).await.unwrap();
    let new = server.chain.rotate_p2p(1, 180);
    // A key is valid up to the block that replaces it; the height after it decides.
    server.chain.produce(None);
    let error = client.status().await.unwrap_err();
    assert_eq!(error.refusal_code(), Some("not-admitted"));
    let mut last = following.next().await;
    while matches!(last, Some(Ok(_))) {
        last = following.next().await;
    }
    assert_eq!(last.unwrap().unwrap_err().refusal_code(), Some("not-admitted"));
    let old = &server.chain.members[1].p2p;
    assert!(matches!(server.connect_with(old).await, Err(ClientError::NotAdmitted)));
    server.connect_with(&new).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn plaintext_client_gets_no_answer() {
    let server = start(1, ApiLimits::default()).await;
    let mut tcp = TcpStream::connect(server.handle.grpc_addr).await.unwrap();
    tcp.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // A TLS alert at most, then the end.
    let _ = tcp.read_to_end(&mut answer).await;
    assert!(answer.len() < 16, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_client_is_let_go_when_its_handshake_takes_too_long() {
    let limits =
        ApiLimits { handshake_timeout: Duration::from_millis(200), ..ApiLimits::default() };
    let server = start(1, limits).await;
    let mut tcp = TcpStream::connect(server.handle.grpc_addr).await.unwrap();
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(10), tcp.read_to_end(&mut answer)).await;
    assert!(ended.is_ok() && answer.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_in_their_handshake_keep_no_member_out() {
    let limits = ApiLimits { max_connections: 2, max_handshakes: 4, ..ApiLimits::default() };
    let server = start(1, limits).await;
    let mut strangers = Vec::new();
    for _ in 0..3 {
        strangers.push(TcpStream::connect(server.handle.grpc_addr).await.unwrap());
    }
    server.client(0).await.status().await.unwrap();
    drop(strangers);
}

#[tokio::test(flavor = "multi_thread")]
async fn member_gets_no_more_connections_than_its_share_and_others_still_do() {
    let limits = ApiLimits { max_member_connections: 2, ..ApiLimits::default() };
    let server = start(2, limits).await;
    let first = server.client(0).await;
    let second = server.client(0).await;
    assert!(server.connect_with(&server.chain.members[0].p2p).await.unwrap_err().is_unreachable());
    server.client(1).await;
    drop((first, second));
    // Places come back once the server has seen the connections close.
    for _ in 0..50 {
        if server.connect_with(&server.chain.members[0].p2p).await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("a closed connection kept its place");
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_blocks_are_bounded() {
    let limits = ApiLimits { max_block_streams: 1, ..ApiLimits::default() };
    let server = start(1, limits).await;
    let client = server.client(0).await;
    let one = client.blocks(Height(1), None, true).await.unwrap();
    let two = client.unverified_blocks(Height(1), None, true).await;
    assert_eq!(two.err().unwrap().refusal_code(), Some("busy"));
    drop(one);
}

#[tokio::test(flavor = "multi_thread")]
async fn oversized_request_is_refused_before_it_is_read() {
    let server = start(1, ApiLimits::default()).await;
    let client = server.client(0).await;
    let error = client.state(&vec![1; 5 << 20], None).await.unwrap_err();
    assert!(
        matches!(error, ClientError::Refused { .. } | ClientError::Unreachable(_)),
        "{error:?}"
    );
    client.status().await.unwrap();
}
