//! One HTTP/2 channel to a node over the TLS of [`crate::tls`]; reconnects by itself. Refuses
//! servers that do not hold the key expected.

use crate::error::ClientError;
use crate::tls::{self, Identity};
use heatmark_ledger::keys::PublicKey;
use hyper_util::rt::TokioIo;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// Where a node is and by what key it is known.
#[derive(Debug, Clone)]
pub struct Target {
    /// `host:port`.
    pub address: String,
    /// Its member's p2p key.
    pub server_key: PublicKey,
}

pub(crate) async fn open(target: &Target, identity: &Identity) -> Result<Channel, ClientError> {
    let connector = TlsConnector::from(tls::client_config(identity, target.server_key)?);
    // The scheme is the connector's business; with https the channel would add TLS of its own.
    let endpoint = Endpoint::from_shared(format!("http://{}", target.address))
        .map_err(|_| ClientError::Address)?
        .connect_timeout(CONNECT_TIMEOUT)
        .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
        .keep_alive_timeout(KEEPALIVE_TIMEOUT)
        .keep_alive_while_idle(true);
    if endpoint.uri().port().is_none() {
        return Err(ClientError::Address);
    }
    let address = target.address.clone();
    let connect = service_fn(move |_: Uri| {
        let (connector, address) = (connector.clone(), address.clone());
        async move {
            let tcp = TcpStream::connect(address).await?;
            tcp.set_nodelay(true)?;
            let stream = connector.connect(tls::server_name(), tcp).await?;
            Ok::<_, io::Error>(TokioIo::new(admitted(stream).await?))
        }
    });
    endpoint.connect_with_connector(connect).await.map_err(ClientError::from_transport)
}

/// A connection on which the server has spoken. In TLS 1.3 a client learns that its key is refused
/// with its first read only; read here, that is an error of connecting, not of some request. An
/// HTTP/2 server speaks first.
struct Spoken {
    first: Option<u8>,
    stream: TlsStream<TcpStream>,
}

async fn admitted(mut stream: TlsStream<TcpStream>) -> io::Result<Spoken> {
    let first = tokio::time::timeout(CONNECT_TIMEOUT, stream.read_u8()).await??;
    Ok(Spoken { first: Some(first), stream })
}

impl AsyncRead for Spoken {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() > 0
            && let Some(first) = self.first.take()
        {
            buf.put_slice(&[first]);
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Spoken {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
