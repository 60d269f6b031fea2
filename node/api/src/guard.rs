//! What every gRPC request passes: whose it is, whether that key is still registered, whether its
//! member has room for it, its span, its count. Refuses peers that the registry no longer knows,
//! though their connection still stands, others' people at the desk, operators without
//! the role, and members over their share.
//! Never looks at a payload.

use crate::accept::Client;
use crate::access::{Access, DESK};
use crate::body::{Answer, Received};
use crate::metrics::ApiMetrics;
use crate::refusal::{of_state, refuse};
use crate::share;
use heatmark_client::REFUSAL_CODE;
use heatmark_client::tls::Registry;
use heatmark_ledger::wire::MAX_TRANSACTION_BYTES;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;
use tonic::codegen::http::{Request, Response};
use tonic::{Code, Status, body::Body};
use tower::{Layer, Service};
use tracing::Instrument as _;

/// Methods whose requests are streams of files.
const PUBLISH: &str = "/heatmark.desk.v1.DeskService/Publish";
const DEPOSIT: &str = "/heatmark.desk.v1.EscrowService/Deposit";
const KEEP_DOCUMENT: &str = "/heatmark.desk.v1.EscrowService/KeepDocument";

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
    PUBLISH,
    "/heatmark.desk.v1.DeskService/ListRecords",
    "/heatmark.desk.v1.DeskService/RaiseAlert",
    "/heatmark.desk.v1.DeskService/Disclose",
    "/heatmark.desk.v1.DeskService/Attest",
    "/heatmark.desk.v1.DeskService/Agree",
    "/heatmark.desk.v1.DeskService/SignAndSubmit",
    "/heatmark.desk.v1.DeskService/MakeLots",
    "/heatmark.desk.v1.DeskService/ListLots",
    "/heatmark.desk.v1.DeskService/SendLetter",
    "/heatmark.desk.v1.DeskService/ListLetters",
    "/heatmark.desk.v1.DeskService/GetLetter",
    "/heatmark.desk.v1.DeskService/DropLetter",
    "/heatmark.desk.v1.DeskService/ListVaultLog",
    "/heatmark.desk.v1.DeskService/SetRetention",
    "/heatmark.desk.v1.DeskService/SetHold",
    "/heatmark.desk.v1.DeskService/EraseRecord",
    "/heatmark.desk.v1.DeskService/ListOperators",
    "/heatmark.desk.v1.DeskService/GrantOperator",
    "/heatmark.desk.v1.DeskService/RevokeOperator",
    "/heatmark.desk.v1.DeskService/BackupVault",
    DEPOSIT,
    KEEP_DOCUMENT,
    "/heatmark.desk.v1.EscrowService/ListDueDeposits",
    "/heatmark.desk.v1.EscrowService/TendDeposit",
    "/heatmark.desk.v1.EscrowService/KeepInspection",
    "/heatmark.desk.v1.EscrowService/ListInspections",
    "/heatmark.desk.v1.EscrowService/ShowInspection",
    "/heatmark.desk.v1.EscrowService/ListDeposits",
    "/heatmark.desk.v1.EscrowService/ListHoldings",
    "/heatmark.desk.v1.EscrowService/AskOffers",
    "/heatmark.desk.v1.EscrowService/SignOrder",
    "/heatmark.desk.v1.EscrowService/OpenDeal",
    "/heatmark.desk.v1.EscrowService/ListDeals",
    "/heatmark.desk.v1.EscrowService/ShowDeal",
    "/heatmark.desk.v1.EscrowService/WatchDeal",
    "/heatmark.desk.v1.EscrowService/AcceptDeal",
    "/heatmark.desk.v1.EscrowService/FundDeal",
    "/heatmark.desk.v1.EscrowService/ConfirmDeal",
    "/heatmark.desk.v1.EscrowService/DisputeDeal",
    "/heatmark.desk.v1.EscrowService/JudgeClaim",
    "/heatmark.desk.v1.EscrowService/RuleDeal",
    "/heatmark.desk.v1.EscrowService/OpenedSections",
    "/heatmark.desk.v1.EscrowService/OpenedDocument",
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

/// Refusals that are counted by name.
const REASONS: &[&str] = &[
    "bad-signature",
    "busy",
    "expired",
    "malformed",
    "member-not-active",
    "member-quota",
    "not-admitted",
    "not-canonical",
    "not-own-member",
    "pending",
    "pool-full",
    "rate",
    "replayed",
    "role",
    "too-early",
    "too-large",
    "too-long",
    "too-many-refused",
    "too-many-requests",
    "unknown-key",
    "unread",
];

/// Longest message of the ledger service, in bytes: an envelope and what stands around it.
pub(crate) const MAX_LEDGER_REQUEST_BYTES: usize = MAX_TRANSACTION_BYTES + (1 << 10);
/// Longest message of the desk service, in bytes: a file of 4 MiB with its name.
pub(crate) const MAX_DESK_REQUEST_BYTES: usize = (4 << 20) + (160 << 10);

/// Puts a [`Guard`] before every service.
#[derive(Clone)]
pub(crate) struct GuardLayer {
    pub(crate) access: Access,
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
        let (client, place) = match self.layer.admit(&request) {
            Ok(admitted) => admitted,
            Err(status) => {
                let answer = status.into_http();
                metrics.request(method, status_of(&answer), begun.elapsed());
                metrics.refusal(reason_of(&answer));
                return Box::pin(std::future::ready(Ok(answer)));
            }
        };
        let most =
            if path.starts_with(DESK) { MAX_DESK_REQUEST_BYTES } else { MAX_LEDGER_REQUEST_BYTES };
        let span = tracing::info_span!("request", method, member = %client.identity.member);
        let files = [PUBLISH, DEPOSIT, KEEP_DOCUMENT].contains(&method);
        let place = if files { place.passing() } else { place };
        let (place, flow) = (Arc::new(place), client.flow);
        let mut request =
            request.map(|body| Body::new(Received::new(body, Arc::clone(&place), most)));
        request.extensions_mut().insert(client.identity);
        // The service that was polled ready is the one to call.
        let ready = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, ready);
        let answered = async move {
            let response = inner.call(request).await?;
            let mut response = Some(response);
            let response = poll_fn(|cx| {
                let response = response.take().unwrap_or_default();
                Poll::Ready(Answer::wrap(response, Arc::clone(&flow), Arc::clone(&place), cx))
            });
            let response = response.await;
            let status = status_of(&response);
            metrics.request(method, status, begun.elapsed());
            metrics.refusal(reason_of(&response));
            tracing::debug!(status, "answered");
            Ok(response)
        };
        Box::pin(answered.instrument(span))
    }
}

impl GuardLayer {
    fn admit(&self, request: &Request<Body>) -> Result<(Client, share::Request), Status> {
        let refused = || {
            let message = "the key is no longer a valid key of a member in good standing";
            refuse(Code::PermissionDenied, "not-admitted", message)
        };
        let client = request.extensions().get::<Client>().cloned().ok_or_else(refused)?;
        let identity = client.identity;
        let place = client.flow.share().begin()?;
        let member = self.access.member_of(&identity.key).map_err(of_state)?;
        if member != Some(identity.member) {
            return Err(refused());
        }
        self.access.check(&identity, request.uri().path())?;
        Ok((client, place))
    }
}

/// An answer that failed at once says so in its head; a stream may fail later.
fn status_of(response: &Response<Body>) -> &'static str {
    let header = response.headers().get(Status::GRPC_STATUS);
    header.map_or(name_of(Code::Ok), |value| name_of(Code::from_bytes(value.as_bytes())))
}

/// Why a request was refused, by its stable code; nothing for an answer or an unlisted code.
fn reason_of(response: &Response<Body>) -> Option<&'static str> {
    let code = response.headers().get(REFUSAL_CODE)?.as_bytes();
    let known = REASONS.iter().find(|known| known.as_bytes() == code);
    Some(known.copied().unwrap_or("other"))
}

fn name_of(code: Code) -> &'static str {
    let index = usize::try_from(i32::from(code)).unwrap_or(usize::MAX);
    STATUSES.get(index).copied().unwrap_or("unknown")
}
