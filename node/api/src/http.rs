//! HTTP for the node's operators: `/healthz` answers while the node runs and its store reads,
//! `/readyz` while it is near the best known height, `/metrics` in Prometheus text. It knows no
//! clients and tells no secrets; connections are few and short-lived.

use crate::metrics::ApiMetrics;
use crate::server::Node;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use heatmark_ledger::state;
use prometheus_client::registry::Registry;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Sleep;

const MAX_CONNECTIONS: usize = 64;
/// However slow the client: a scrape takes milliseconds.
const CONNECTION_LIFETIME: Duration = Duration::from_secs(60);
const PROMETHEUS_TEXT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone)]
struct Operators {
    node: Arc<Node>,
    metrics: ApiMetrics,
    registry: Arc<Registry>,
}

pub(crate) fn router(node: Arc<Node>, metrics: ApiMetrics, registry: Arc<Registry>) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(scrape))
        .with_state(Operators { node, metrics, registry })
}

async fn healthz(State(operators): State<Operators>) -> Response {
    if let Some(trouble) = operators.node.notices.borrow().trouble.as_deref() {
        return (StatusCode::SERVICE_UNAVAILABLE, format!("{trouble}\n")).into_response();
    }
    match state::versions(&operators.node.store) {
        Ok(_) => (StatusCode::OK, "ok\n").into_response(),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the store cannot be read\n").into_response(),
    }
}

async fn readyz(State(operators): State<Operators>) -> Response {
    let node = &operators.node;
    let height = node.store.tip().height.0;
    let best = (node.peers)().best_known_height.max(height);
    let lag = best.saturating_sub(height);
    let notices = node.notices.borrow().clone();
    let waits_for = notices.trouble.or(notices.waits_for);
    let near = lag <= node.limits.ready_lag_heights;
    let ready = near && waits_for.is_none() && !*node.stop.borrow();
    let code = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::json!({
        "ready": ready, "height": height, "best_known_height": best, "waits_for": waits_for,
    });
    (code, Json(body)).into_response()
}

async fn scrape(State(operators): State<Operators>) -> Response {
    let node = &operators.node;
    operators.metrics.refresh(&node.store, node.intake.mempool(), (node.peers)());
    let mut text = String::new();
    match prometheus_client::encoding::text::encode(&mut text, &operators.registry) {
        Ok(()) => ([(header::CONTENT_TYPE, PROMETHEUS_TEXT)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// A listener that holds a bounded number of connections, each for a bounded time.
pub(crate) struct Bounded {
    listener: TcpListener,
    places: Arc<Semaphore>,
    /// How long a client may take until its first request stands.
    patience: Duration,
}

impl Bounded {
    pub(crate) fn new(listener: TcpListener, patience: Duration) -> Self {
        Self { listener, places: Arc::new(Semaphore::new(MAX_CONNECTIONS)), patience }
    }
}

impl axum::serve::Listener for Bounded {
    type Io = Expiring;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Expiring, SocketAddr) {
        loop {
            let place = Arc::clone(&self.places).acquire_owned().await;
            let accepted = self.listener.accept().await;
            if let (Ok(place), Ok((stream, address))) = (place, accepted) {
                let expiry = Box::pin(tokio::time::sleep(self.patience));
                return (Expiring { stream, expiry, answered: false, _place: place }, address);
            }
            // Descriptors ran out, most likely.
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection that ends after [`CONNECTION_LIFETIME`], or early when nothing was asked in time.
pub(crate) struct Expiring {
    stream: TcpStream,
    expiry: Pin<Box<Sleep>>,
    answered: bool,
    _place: OwnedSemaphorePermit,
}

impl Expiring {
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.expiry.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::TimedOut.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl AsyncRead for Expiring {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Expiring {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if !self.answered {
            self.answered = true;
            let end = tokio::time::Instant::now().checked_add(CONNECTION_LIFETIME);
            self.expiry.as_mut().reset(end.unwrap_or_else(tokio::time::Instant::now));
        }
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
