//! Clients that speak HTTP/2 by themselves and behave as no honest one does: they read nothing,
//! finish nothing, ask for too much. What they hold is bounded, ends, and keeps no other out.

use super::{Server, chain, start};
use crate::ApiLimits;
use chain::{anchor, body};
use heatmark_client::tls::{self, Identity};
use heatmark_ledger::ids::Height;
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::{messages as pb, transaction};
use heatmark_proto::ledger::v1 as ledger;
use prost::bytes::{BufMut as _, Bytes, BytesMut};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tonic::Code;
use tonic::codegen::http::{HeaderMap, Request};

/// Generous: the machine may be busy.
const LONG: Duration = Duration::from_secs(30);

type Wire = tokio_rustls::client::TlsStream<TcpStream>;

pub(super) struct Raw {
    send: h2::client::SendRequest<Bytes>,
    connection: tokio::task::JoinHandle<Result<(), h2::Error>>,
}

async fn dial(server: &Server, member: usize) -> Wire {
    let member = &server.chain.members[member];
    let identity = Identity::new(member.p2p.clone(), &member.id).unwrap();
    let own = PublicKey::of(&server.chain.members[0].p2p);
    let connector = TlsConnector::from(tls::client_config(&identity, own).unwrap());
    let tcp = TcpStream::connect(server.handle.grpc_addr).await.unwrap();
    connector.connect(tls::server_name(), tcp).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_at_one_address_keep_no_other_address_out() {
    let limits = ApiLimits { max_handshakes: 4, max_address_handshakes: 2, ..ApiLimits::default() };
    let server = start(1, limits).await;
    let mut strangers = Vec::new();
    for _ in 0..2 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        strangers.push(socket.connect(server.handle.grpc_addr).await.unwrap());
    }
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut third = socket.connect(server.handle.grpc_addr).await.unwrap();
    let mut answer = Vec::new();
    let ended = tokio::time::timeout(LONG, third.read_to_end(&mut answer)).await;
    // Let go at once, not after the time that a handshake has.
    assert!(ended.is_ok() && answer.is_empty());
    server.client(0).await.status().await.unwrap();
    drop(strangers);
}

/// A client that grants each answer so many bytes.
pub(super) async fn raw(server: &Server, member: usize, window: u32) -> Raw {
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(window);
    let (send, connection) = builder.handshake(dial(server, member).await).await.unwrap();
    Raw { send, connection: tokio::spawn(connection) }
}

pub(super) fn framed(message: &impl prost::Message) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_u8(0);
    bytes.put_u32(message.encoded_len() as u32);
    message.encode(&mut bytes).unwrap();
    bytes.freeze()
}

fn request(method: &str) -> Request<()> {
    Request::post(format!("http://node/heatmark.ledger.v1.LedgerService/{method}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .unwrap()
}

impl Raw {
    pub(super) async fn begin(
        &mut self,
        method: &str,
        message: Bytes,
        end: bool,
    ) -> (h2::client::ResponseFuture, h2::SendStream<Bytes>) {
        self.send.clone().ready().await.unwrap();
        let (answer, mut body) = self.send.send_request(request(method), false).unwrap();
        body.send_data(message, end).unwrap();
        (answer, body)
    }

    /// The refusal in an answer's head; none when data follows.
    pub(super) async fn refusal(answer: h2::client::ResponseFuture) -> Option<(Code, String)> {
        let answer = tokio::time::timeout(LONG, answer).await.unwrap().unwrap();
        refusal_in(answer.headers())
    }

    /// Waits until the node ends the connection.
    async fn ends(self) {
        let _ = tokio::time::timeout(LONG, self.connection).await.expect("still connected");
    }
}

fn refusal_in(headers: &HeaderMap) -> Option<(Code, String)> {
    let code = Code::from_bytes(headers.get("grpc-status")?.as_bytes());
    let name = headers.get("heatmark-code").map(|code| code.to_str().unwrap().to_owned());
    Some((code, name.unwrap_or_default()))
}

/// A log whose first entry bundle is some 60 kB.
fn fill(server: &Server) {
    let network = server.chain.genesis.network();
    for n in 0..=255 {
        let body = pb::Body { nonce: vec![n; 16], ..body(anchor(n), 0) };
        let key = &server.chain.members[0].signing;
        let envelope = transaction::sign(&network, key, &body, Vec::new());
        server.chain.intake.submit(envelope, server.chain.tip()).unwrap();
    }
    server.chain.produce(None);
}

fn bundle() -> Bytes {
    framed(&ledger::GetTileRequest { level: -1, index: 0, width: 0 })
}

async fn metric_is(server: &Server, line: &str) {
    let waited = tokio::time::timeout(LONG, async {
        while !server.http("/metrics").await.contains(line) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("never: {line}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_nobody_reads_are_bounded_and_their_connection_ends() {
    let limits = ApiLimits {
        stall_timeout: Duration::from_secs(2),
        max_member_held_bytes: 200_000,
        ..ApiLimits::default()
    };
    let server = start(2, limits).await;
    fill(&server);
    let mut hostile = raw(&server, 1, 0).await;
    let mut held = Vec::new();
    let mut refused = None;
    for _ in 0..20 {
        let (answer, _) = hostile.begin("GetTile", bundle(), true).await;
        let answer = tokio::time::timeout(LONG, answer).await.unwrap().unwrap();
        refused = refusal_in(answer.headers());
        held.push(answer);
        if refused.is_some() {
            break;
        }
    }
    assert_eq!(refused, Some((Code::ResourceExhausted, "unread".to_owned())));
    assert!((2..=4).contains(&held.len()), "{} bundles of 60 kB for 200 kB", held.len());
    // It is that member's account: others are served.
    assert!(!server.client(0).await.tile(None, 0, 0).await.unwrap().is_empty());
    hostile.ends().await;
    metric_is(&server, "heatmark_api_connections_total{outcome=\"stalled\"} 1").await;
    metric_is(&server, "heatmark_api_refusals_total{reason=\"unread\"}").await;
    // Everything came back with the connection.
    for _ in 0..10 {
        assert!(!server.client(1).await.tile(None, 0, 0).await.unwrap().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn client_that_makes_room_for_a_few_bytes_of_each_answer_is_bounded_alike() {
    let limits = ApiLimits {
        stall_timeout: Duration::from_secs(2),
        max_member_held_bytes: 200_000,
        ..ApiLimits::default()
    };
    let server = start(2, limits).await;
    fill(&server);
    let mut hostile = raw(&server, 1, 1).await;
    let (mut held, mut refused) = (Vec::new(), None);
    while refused.is_none() && held.len() < 20 {
        let (answer, _) = hostile.begin("GetTile", bundle(), true).await;
        let answer = tokio::time::timeout(LONG, answer).await.unwrap().unwrap();
        refused = refusal_in(answer.headers());
        held.push(answer);
    }
    assert_eq!(refused, Some((Code::ResourceExhausted, "unread".to_owned())));
    hostile.ends().await;
    assert!(!server.client(1).await.tile(None, 0, 0).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn client_that_grants_everything_and_reads_no_byte_is_let_go() {
    let limits = ApiLimits {
        stall_timeout: Duration::from_secs(2),
        max_connection_requests: 1_000,
        ..ApiLimits::default()
    };
    let server = start(2, limits).await;
    fill(&server);
    let mut builder = h2::client::Builder::new();
    builder.initial_window_size(1 << 30).initial_connection_window_size(1 << 30);
    let wire = dial(&server, 1).await;
    let (mut send, connection) = builder.handshake(wire).await.unwrap();
    let mut connection = Box::pin(connection);
    // Sends requests as long as the node takes them, then never touches its socket again.
    let asked = async {
        for _ in 0..900 {
            let sent = send.send_request(request("GetTile"), false);
            let Ok((answer, mut body)) = sent else { break };
            body.send_data(bundle(), true).unwrap();
            std::mem::forget(answer);
            tokio::task::yield_now().await;
        }
    };
    tokio::select! { () = asked => {}, _ = &mut connection => {} }
    metric_is(&server, "heatmark_api_connections_total{outcome=\"stalled\"} 1").await;
    assert!(!server.client(1).await.tile(None, 0, 0).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn reader_of_a_stream_of_blocks_that_stops_reading_is_let_go() {
    let limits = ApiLimits {
        stall_timeout: Duration::from_secs(1),
        max_block_streams: 2,
        max_member_block_streams: 1,
        ..ApiLimits::default()
    };
    let server = start(2, limits).await;
    fill(&server);
    let mut hostile = raw(&server, 1, 1_000).await;
    let all = ledger::StreamBlocksRequest { from_height: 1, follow: true, ..Default::default() };
    let (answer, _) = hostile.begin("StreamBlocks", framed(&all), true).await;
    let _first = tokio::time::timeout(LONG, answer).await.unwrap().unwrap();
    let (second, _) = hostile.begin("StreamBlocks", framed(&all), true).await;
    assert_eq!(Raw::refusal(second).await.unwrap().1, "busy");
    // The other place is another member's.
    let other = server.client(0).await;
    let following = other.blocks(Height(1), None, true).await.unwrap();
    drop(following);
    hostile.ends().await;
    let again = server.client(1).await;
    drop(again.blocks(Height(1), None, false).await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn stream_that_is_read_and_waits_for_blocks_is_not_stalled() {
    let limits = ApiLimits { stall_timeout: Duration::from_millis(400), ..ApiLimits::default() };
    let server = start(1, limits).await;
    let client = server.client(0).await;
    let mut following = client.blocks(Height(1), None, true).await.unwrap();
    for height in 1..=2 {
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        server.chain.produce(None);
        let next = futures::StreamExt::next(&mut following).await.unwrap().unwrap();
        assert_eq!(next.header.height, Height(height));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn request_that_is_never_finished_ends_and_is_on_its_members_account_until_then() {
    let limits = ApiLimits {
        stall_timeout: Duration::from_secs(2),
        max_member_held_bytes: 100_000,
        ..ApiLimits::default()
    };
    let server = start(2, limits).await;
    let mut hostile = raw(&server, 1, 65_535).await;
    // The head of a message of 60 kB, and all of it but the last byte.
    let message = framed(&ledger::SubmitRequest {
        transaction: vec![7; 60_000],
        ..ledger::SubmitRequest::default()
    });
    let unfinished = message.slice(..message.len() - 1);
    let stalled = (Code::DeadlineExceeded, "stalled".to_owned());
    let (alone, _body) = hostile.begin("Submit", unfinished.clone(), false).await;
    assert_eq!(Raw::refusal(alone).await.unwrap(), stalled);
    let (first, _body) = hostile.begin("Submit", unfinished.clone(), false).await;
    let (second, _also) = hostile.begin("Submit", unfinished, false).await;
    let told = [Raw::refusal(first).await.unwrap(), Raw::refusal(second).await.unwrap()];
    // Where both arrive at once, neither has room for the whole of it.
    let unread = (Code::ResourceExhausted, "unread".to_owned());
    assert!(told.contains(&unread), "{told:?}");
    assert!(told.iter().all(|end| *end == unread || *end == stalled), "{told:?}");
    server.client(1).await.status().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn message_beyond_its_methods_length_is_refused_by_its_head() {
    let server = start(2, ApiLimits::default()).await;
    let mut hostile = raw(&server, 1, 65_535).await;
    let mut head = BytesMut::new();
    head.put_u8(0);
    head.put_u32(66_600);
    let (answer, _body) = hostile.begin("Submit", head.freeze(), false).await;
    let refused = Raw::refusal(answer).await.unwrap();
    assert_eq!(refused, (Code::ResourceExhausted, "too-large".to_owned()));
    metric_is(&server, "heatmark_api_refusals_total{reason=\"too-large\"} 1").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_no_message_are_refused_as_the_senders_fault() {
    let server = start(2, ApiLimits::default()).await;
    let mut hostile = raw(&server, 1, 65_535).await;
    let garbage = Bytes::from_static(&[0, 0, 0, 0, 3, 0x0a, 0x7f, 1]);
    let (answer, _body) = hostile.begin("Submit", garbage, true).await;
    assert_eq!(Raw::refusal(answer).await.unwrap().0, Code::InvalidArgument);
    let oversized_head = request("GetStatus");
    let (mut head, ()) = oversized_head.into_parts();
    head.headers.insert("x", "y".repeat(40_000).parse().unwrap());
    let sent = hostile.send.send_request(Request::from_parts(head, ()), true);
    let refused = match sent {
        Ok((answer, _)) => !matches!(answer.await, Ok(answer) if answer.status().is_success()),
        Err(_) => true,
    };
    assert!(refused, "headers of 40 kB");
    server.client(1).await.status().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_opened_and_reset_at_once_end_the_connection_and_hurt_nobody() {
    let server = start(2, ApiLimits::default()).await;
    let mut hostile = raw(&server, 1, 65_535).await;
    let status = framed(&ledger::GetStatusRequest {});
    for _ in 0..20_000 {
        let Ok(ready) = hostile.send.clone().ready().await else { break };
        hostile.send = ready;
        let sent = hostile.send.send_request(request("GetStatus"), false);
        let Ok((answer, mut body)) = sent else { break };
        let _ = body.send_data(status.clone(), true);
        body.send_reset(h2::Reason::CANCEL);
        drop(answer);
    }
    server.client(1).await.status().await.unwrap();
    server.client(0).await.status().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_page_lets_slow_clients_go() {
    let limits =
        ApiLimits { handshake_timeout: Duration::from_millis(300), ..ApiLimits::default() };
    let server = start(1, limits).await;
    let mut slow = Vec::new();
    for _ in 0..64 {
        let mut tcp = TcpStream::connect(server.handle.http_addr).await.unwrap();
        tcp.write_all(b"GET /healthz HTTP/1.1\r\nHost: n").await.unwrap();
        slow.push(tcp);
    }
    // All places are theirs, for a moment.
    assert!(server.http("/healthz").await.starts_with("HTTP/1.1 200"));
    for mut tcp in slow {
        let mut answer = Vec::new();
        let read = tokio::time::timeout(LONG, tcp.read_to_end(&mut answer)).await.unwrap();
        assert!(read.is_err() || answer.is_empty() || answer.starts_with(b"HTTP/1.1 4"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_at_the_operators_page_gets_an_error_or_nothing() {
    let server = start(1, ApiLimits::default()).await;
    let inputs: [&[u8]; 8] = [
        b"\r\n\r\n",
        b"GET",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /metrics HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"POST /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        b"GET /\0\xff HTTP/1.1\r\nHost: n\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /metrics/../../etc HTTP/1.1\r\nHost: n\r\nConnection: close\r\n\r\n",
    ];
    for input in inputs {
        let mut tcp = TcpStream::connect(server.handle.http_addr).await.unwrap();
        tcp.write_all(input).await.unwrap();
        tcp.shutdown().await.unwrap();
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(LONG, tcp.read_to_end(&mut answer)).await.unwrap();
        assert!(!answer.starts_with(b"HTTP/1.1 2"), "{input:?}");
    }
    let mut tcp = TcpStream::connect(server.handle.http_addr).await.unwrap();
    let head = format!("GET /healthz HTTP/1.1\r\nX: {}", "y".repeat(1 << 20));
    let _ = tcp.write_all(head.as_bytes()).await;
    assert!(server.http("/healthz").await.starts_with("HTTP/1.1 200"));
}
