//! What every gRPC request passes: whose it is, whether that key is still registered, its span,
//! its count. Refuses peers that the registry no longer knows, though their connection still
//! stands. Never looks at a payload.

use crate::metrics::ApiMetrics;
use crate::refusal::{of_state, refuse};
use heatmark_client::tls::{PeerIdentity, Registry};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;
use tonic::codegen::http::{Request, Response};
use tonic::{Code, Status, body::Body};
use tower::{Layer, Service};
use tracing::Instrument as _;

/// Paths that are counted by name.
const METHODS: &[&str] = &[
    "/heatmark.ledger.v1.LedgerService/Submit",
    "/heatmark.ledger.v1.LedgerService/GetReceipt",
    "/heatmark.ledger.v1.LedgerService/GetStatus",
    "/heatmark.ledger.v1.LedgerService/GetHeader",
    "/heatmark.ledger.v1.LedgerService/StreamBlocks",
    "/heatmark.ledger.v1.LedgerService/GetState",
    "/heatmark.ledger.v1.LedgerService/ListMembers",
    "/heatmark.ledger.v1.LedgerService/GetTile",
    "/heatmark.ledger.v1.LedgerService/ListEvidence",
    "/heatmark.desk.v1.DeskService/Publish",
    "/heatmark.desk.v1.DeskService/ListRecords",
    "/heatmark.desk.v1.DeskService/RaiseAlert",
    "/heatmark.desk.v1.DeskService/SignAndSubmit",
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
];

const STATUSES: [&str; 17] = [
    "ok",
    "cancelled",
    "unknown",
    "invalid-argument",
    "deadline-exceeded",
    "not-found",
    "already-exists",
    "permission-denied",
    "resource-exhausted",
    "failed-precondition",
    "aborted",
    "out-of-range",
    "unimplemented",
    "internal",
    "unavailable",
    "data-loss",
    "unauthenticated",
];

/// Puts a [`Guard`] before every service.
#[derive(Clone)]
pub(crate) struct GuardLayer {
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) metrics: ApiMetrics,
}

impl<S> Layer<S> for GuardLayer {
    type Service = Guard<S>;

    fn layer(&self, inner: S) -> Guard<S> {
        Guard { inner, layer: self.clone() }
    }
}

/// A service behind the registry.
#[derive(Clone)]
pub(crate) struct Guard<S> {
    inner: S,
    layer: GuardLayer,
}

impl<S> Service<Request<Body>> for Guard<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let begun = Instant::now();
        let path = request.uri().path();
        let method = METHODS.iter().find(|known| **known == path).copied().unwrap_or("other");
        let metrics = self.layer.metrics.clone();
        let identity = match self.layer.admit(&request) {
            Ok(identity) => identity,
            Err(status) => {
                metrics.request(method, name_of(status.code()), begun.elapsed());
                return Box::pin(std::future::ready(Ok(status.into_http())));
            }
        };
        let span = tracing::info_span!("request", method, member = %identity.member);
        // The service that was polled ready is the one to call.
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        let answered = async move {
            let response = inner.call(request).await?;
            let status = status_of(&response);
            metrics.request(method, status, begun.elapsed());
            tracing::debug!(status, "answered");
            Ok(response)
        };
        Box::pin(answered.instrument(span))
    }
}

impl GuardLayer {
    fn admit(&self, request: &Request<Body>) -> Result<PeerIdentity, Status> {
        let refused = || {
            let message = "the key is no longer a valid key of a member in good standing";
            refuse(Code::PermissionDenied, "not-admitted", message)
        };
        let identity = request.extensions().get::<PeerIdentity>().copied().ok_or_else(refused)?;
        let member = self.registry.member_of(&identity.key).map_err(of_state)?;
        if member == Some(identity.member) { Ok(identity) } else { Err(refused()) }
    }
}

/// An answer that failed at once says so in its head; a stream may fail later.
fn status_of(response: &Response<Body>) -> &'static str {
    let header = response.headers().get(Status::GRPC_STATUS);
    header.map_or(name_of(Code::Ok), |value| name_of(Code::from_bytes(value.as_bytes())))
}

fn name_of(code: Code) -> &'static str {
    let index = usize::try_from(i32::from(code)).unwrap_or(usize::MAX);
    STATUSES.get(index).copied().unwrap_or("unknown")
}
