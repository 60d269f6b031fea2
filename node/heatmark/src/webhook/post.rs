//! One post to a webhook: a connection of its own, a signed request, the status of the answer. Refuses redirects, answers with long
//! heads, and receivers that take too long. What an answer says beyond its status is read within bounds and dropped.

use super::{Hook, Target};
use crate::files::FileError;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// Longest head of an answer, in bytes.
const MAX_HEAD_BYTES: usize = 32 * 1024;

/// Most headers of an answer.
const MAX_HEADERS: usize = 64;

/// Most bytes of an answer that are read.
const MAX_ANSWER_BYTES: usize = 64 * 1024;

/// How long they are waited for: closing on unread bytes resets the connection, which some receivers log as a fault.
const READ_OUT: Duration = Duration::from_secs(1);

/// Longest wait for one address of the receiver's, so that a dead one leaves time for the next.
const CONNECT: Duration = Duration::from_secs(8);

/// Why the receiver has not taken something. It is tried again.
#[derive(Debug, Error)]
pub(crate) enum PostError {
    /// No connection: the receiver is down, or its name or address is wrong.
    #[error("cannot connect: {0}")]
    Connect(#[source] io::Error),
    /// TLS came to nothing: mostly a certificate that goes back to no known authority, or is another host's.
    #[error("TLS failed: {0}")]
    Tls(#[source] io::Error),
    /// What came back is no answer.
    #[error("the receiver does not speak HTTP: {0}")]
    Http(#[from] hyper::Error),
    /// A request could not be made. A defect.
    #[error("the request cannot be made")]
    Request(#[from] hyper::http::Error),
    /// The receiver took too long.
    #[error("the receiver took too long")]
    TooLate,
    /// The receiver said no, or that it is elsewhere.
    #[error("the receiver answered {0}")]
    Status(StatusCode),
    /// What was to be posted cannot be read, or that it was taken cannot be noted.
    #[error("the outbox cannot be used: {0}")]
    File(#[from] FileError),
}

impl PostError {
    /// Whether another message may fare better at once: the receiver is there, and refused this one.
    pub(crate) fn is_of_the_message(&self) -> bool {
        match self {
            Self::Status(status) => {
                let later = [
                    StatusCode::REQUEST_TIMEOUT,
                    StatusCode::TOO_EARLY,
                    StatusCode::TOO_MANY_REQUESTS,
                ];
                !status.is_server_error() && !later.contains(status)
            }
            Self::Request(_) | Self::File(_) => true,
            Self::Connect(_) | Self::Tls(_) | Self::Http(_) | Self::TooLate => false,
        }
    }
}

impl Hook {
    /// Posts a content under an id; the receiver has taken it when this returns. `seconds` is the time, from 1970.
    ///
    /// # Errors
    /// [`PostError`].
    pub(crate) async fn post(
        &self,
        id: &str,
        content: Vec<u8>,
        seconds: u64,
    ) -> Result<(), PostError> {
        let signature = self.secrets.sign(id, seconds, &content);
        let request = Request::post(self.target.path.as_str())
            .header(header::HOST, self.target.authority.as_str())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, concat!("heatmark/", env!("CARGO_PKG_VERSION")))
            .header(header::CONNECTION, "close")
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", signature)
            .body(Full::new(Bytes::from(content)))?;
        let status = timeout(self.patience, self.target.ask(request)).await;
        let status = status.map_err(|_| PostError::TooLate)??;
        if status.is_success() { Ok(()) } else { Err(PostError::Status(status)) }
    }
}

impl Target {
    async fn ask(&self, request: Request<Full<Bytes>>) -> Result<StatusCode, PostError> {
        let socket = self.connect().await.map_err(PostError::Connect)?;
        match &self.tls {
            None => exchange(socket, request).await,
            Some((config, name)) => {
                let connector = TlsConnector::from(config.clone());
                let stream = connector.connect(name.clone(), socket).await;
                exchange(stream.map_err(PostError::Tls)?, request).await
            }
        }
    }

    async fn connect(&self) -> io::Result<TcpStream> {
        let addresses = tokio::net::lookup_host((self.host.as_str(), self.port)).await?;
        // Without TLS nothing leaves this machine, whatever its name service says.
        let encrypted = self.tls.is_some();
        let allowed = |address: &SocketAddr| encrypted || address.ip().is_loopback();
        let mut failed = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in addresses.filter(allowed) {
            match timeout(CONNECT, TcpStream::connect(address)).await {
                Ok(Ok(socket)) => return Ok(socket),
                Ok(Err(error)) => failed = error,
                Err(_) => failed = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(failed)
    }
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<StatusCode, PostError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let mut builder = http1::Builder::new();
    builder.max_buf_size(MAX_HEAD_BYTES).max_headers(MAX_HEADERS);
    let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    // Ends with this function, whatever the receiver still sends.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let response = sender.send_request(request).await?;
    let status = response.status();
    // Its status is the answer, however the rest comes.
    let _ = timeout(READ_OUT, read_out(response.into_body())).await;
    Ok(status)
}

async fn read_out(mut body: Incoming) {
    let mut left = MAX_ANSWER_BYTES;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        match left.checked_sub(length) {
            Some(rest) => left = rest,
            None => return,
        }
        if body.is_end_stream() {
            return;
        }
    }
}
