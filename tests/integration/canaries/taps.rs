//! Taps on what nodes and clients say to each other, before it is encrypted. The test holds every
//! key, so it stands in the middle as each end takes it for the other: no node knows of it, and
//! nothing in the programs is made for it.
//!
//! ```text
//!   mill ──Noise as forge──▶ tap ──Noise as mill──▶ link ──▶ forge       both planes of libp2p
//!   client ──TLS as the node──▶ tap ──TLS as the client──▶ node          gRPC
//! ```

use ed25519_dalek::SigningKey;
use futures::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use heatmark_client::Target;
use heatmark_client::tls::{self, Identity, Registry};
use heatmark_ledger::ids::MemberId;
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::state::StateError;
use libp2p::core::upgrade::{InboundConnectionUpgrade as _, OutboundConnectionUpgrade as _};
use libp2p::identity::Keypair;
use libp2p::noise;
use libp2p::tcp::tokio::TcpStream as Futures;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// What was heard, by a name of the line and its direction.
#[derive(Clone, Default)]
pub(super) struct Heard(Arc<Mutex<BTreeMap<String, Vec<u8>>>>);

impl Heard {
    fn note(&self, line: &str, bytes: &[u8]) {
        self.0.lock().unwrap().entry(line.to_owned()).or_default().extend_from_slice(bytes);
    }

    /// All lines whose name begins so.
    pub(super) fn lines(&self, prefix: &str) -> BTreeMap<String, Vec<u8>> {
        let lines = self.0.lock().unwrap();
        lines
            .iter()
            .filter(|(name, _)| name.starts_with(prefix))
            .map(|(n, b)| (n.clone(), b.clone()))
            .collect()
    }
}

fn keypair(key: &SigningKey) -> Keypair {
    Keypair::ed25519_from_bytes(key.to_bytes()).unwrap()
}

/// Stands between a node that dials and one that listens behind `onward`; the port to dial.
pub(super) async fn libp2p(
    heard: &Heard,
    line: String,
    (dialer, listener): (SigningKey, SigningKey),
    onward: u16,
) -> u16 {
    let socket = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = socket.local_addr().unwrap().port();
    let heard = heard.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = socket.accept().await {
            let (heard, line) = (heard.clone(), line.clone());
            let (dialer, listener) = (keypair(&dialer), keypair(&listener));
            tokio::spawn(async move {
                // A connection that fails is the nodes' to try again.
                let Ok(next) = TcpStream::connect(("127.0.0.1", onward)).await else { return };
                let (mut inward, mut outward) = (Futures(stream), Futures(next));
                let noise = |keys: &Keypair| noise::Config::new(keys).unwrap();
                let agreed = (agree(&mut inward).await, agree(&mut outward).await);
                let (Ok(()), Ok(())) = agreed else { return };
                let inward = noise(&listener).upgrade_inbound(inward, "/noise").await;
                let outward = noise(&dialer).upgrade_outbound(outward, "/noise").await;
                if let (Ok((_, inward)), Ok((_, outward))) = (inward, outward) {
                    relay(&heard, &line, inward, outward).await;
                }
            });
        }
    });
    port
}

/// Both ends of a connection say that they speak multistream-select, and that they want Noise.
const AGREED: &[u8] = b"\x13/multistream/1.0.0\n\x07/noise\n";

async fn agree(stream: &mut Futures) -> io::Result<()> {
    stream.write_all(AGREED).await?;
    stream.flush().await?;
    let mut heard = vec![0; AGREED.len()];
    stream.read_exact(&mut heard).await?;
    assert_eq!(heard, AGREED, "another handshake than the taps know");
    Ok(())
}

/// Takes any key for this member's: the tap stands for the node, which judges for itself.
struct Anybody(MemberId);

impl Registry for Anybody {
    fn member_of(&self, _: &PublicKey) -> Result<Option<MemberId>, StateError> {
        Ok(Some(self.0))
    }
}

/// Stands between a client and a node's gRPC port; the target to give the client.
pub(super) async fn grpc(
    heard: &Heard,
    line: &str,
    (client, node): ((SigningKey, MemberId), (SigningKey, MemberId)),
    onward: String,
) -> Target {
    let socket = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let server_key = PublicKey::of(&node.0);
    let (heard, line) = (heard.clone(), line.to_owned());
    let as_node = Identity::new(node.0, &node.1).unwrap();
    let as_client = Identity::new(client.0, &client.1).unwrap();
    let accept = tls::server_config(&as_node, Arc::new(Anybody(client.1))).unwrap();
    let connect = tls::client_config(&as_client, server_key).unwrap();
    let (accept, connect) = (TlsAcceptor::from(accept), TlsConnector::from(connect));
    tokio::spawn(async move {
        while let Ok((stream, _)) = socket.accept().await {
            let (heard, line, onward) = (heard.clone(), line.clone(), onward.clone());
            let (accept, connect) = (accept.clone(), connect.clone());
            tokio::spawn(async move {
                let Ok(next) = TcpStream::connect(onward).await else { return };
                let inward = accept.accept(stream).await;
                let outward = connect.connect(tls::server_name(), next).await;
                if let (Ok(inward), Ok(outward)) = (inward, outward) {
                    let (inward, outward) = (Adapted(inward), Adapted(outward));
                    relay(&heard, &line, inward, outward).await;
                }
            });
        }
    });
    Target { address, server_key }
}

async fn relay(
    heard: &Heard,
    line: &str,
    inward: impl AsyncRead + AsyncWrite + Send + 'static,
    outward: impl AsyncRead + AsyncWrite + Send + 'static,
) {
    let (from_in, to_in) = inward.split();
    let (from_out, to_out) = outward.split();
    let there = copy(heard, format!("{line} there"), from_in, to_out);
    let back = copy(heard, format!("{line} back"), from_out, to_in);
    // Either end's silence ends both.
    let _ = futures::future::select(Box::pin(there), Box::pin(back)).await;
}

async fn copy(
    heard: &Heard,
    line: String,
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return to.close().await;
        }
        heard.note(&line, &buffer[..read]);
        to.write_all(&buffer[..read]).await?;
        to.flush().await?;
    }
}

/// A stream of tokio's as one of futures'.
struct Adapted<S>(S);

impl<S: tokio::io::AsyncRead + Unpin> AsyncRead for Adapted<S> {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        buffer: &mut [u8],
    ) -> std::task::Poll<io::Result<usize>> {
        let mut buffer = tokio::io::ReadBuf::new(buffer);
        let read = std::pin::Pin::new(&mut self.0).poll_read(cx, &mut buffer);
        read.map_ok(|()| buffer.filled().len())
    }
}

impl<S: tokio::io::AsyncWrite + Unpin> AsyncWrite for Adapted<S> {
    fn poll_write(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
        bytes: &[u8],
    ) -> std::task::Poll<io::Result<usize>> {
        std::pin::Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::pin::Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
