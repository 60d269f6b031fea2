//! The bytes of requests and answers on their way, counted on their member's account. Refuses a
//! message longer than its method takes as soon as its length is read, and a request or an answer
//! for which the account has no room; waits for a request that does not go on only for a while.

use crate::refusal::refuse;
use crate::share::{Flow, Request};
use http_body::{Body as HttpBody, Frame, SizeHint};
use prost::bytes::{Buf as _, Bytes};
use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use tokio::time::Sleep;
use tonic::body::Body;
use tonic::codegen::http::{HeaderMap, Response};
use tonic::{Code, Status};

/// Bytes before a gRPC message: whether it is compressed, and its length.
const PREFIX_BYTES: usize = 5;

/// A request's body.
pub(crate) struct Received {
    inner: Body,
    request: Arc<Request>,
    max_message_bytes: usize,
    prefix: Vec<u8>,
    /// When a client that sends nothing has had its time; only while it is waited for.
    until: Option<Pin<Box<Sleep>>>,
}

impl Received {
    pub(crate) fn new(inner: Body, request: Arc<Request>, max_message_bytes: usize) -> Self {
        Self { inner, request, max_message_bytes, prefix: Vec::new(), until: None }
    }

    /// The client sends nothing just now.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let patience = self.request.patience();
        let until = self.until.get_or_insert_with(|| Box::pin(tokio::time::sleep(patience)));
        ready!(until.as_mut().poll(cx));
        let message = "the client did not finish its request in time";
        Poll::Ready(Some(Err(refuse(Code::DeadlineExceeded, "stalled", message))))
    }

    /// Looks at the length of the first message; later ones the decoder refuses by itself.
    fn check_length(&mut self, data: &Bytes) -> Result<(), Status> {
        let missing = PREFIX_BYTES.saturating_sub(self.prefix.len());
        if missing == 0 {
            return Ok(());
        }
        self.prefix.extend(data.iter().take(missing));
        let [_, length @ ..] = self.prefix.as_slice() else { return Ok(()) };
        let Ok(length) = <[u8; 4]>::try_from(length).map(u32::from_be_bytes) else {
            return Ok(());
        };
        if usize::try_from(length).is_ok_and(|length| length <= self.max_message_bytes) {
            return Ok(());
        }
        let message =
            format!("a message of this method has at most {} bytes", self.max_message_bytes);
        Err(refuse(Code::ResourceExhausted, "too-large", message))
    }
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.inner).poll_frame(cx) else {
            return self.wait(cx);
        };
        self.until = None;
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
        {
            let checked = self.check_length(data);
            checked.and_then(|()| self.request.received(data.remaining()))?;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Most bytes handed to the protocol at once. It takes a piece as soon as the client makes room for
/// one byte, and keeps the rest of the piece: this much may stay with it for each answer.
const PIECE_BYTES: usize = 4 << 10;

/// An answer's body; ends its request when it is dropped.
pub(crate) struct Answer {
    inner: Body,
    /// Encoded, on the account, and not handed out yet.
    rest: Bytes,
    /// What ends the answer, once it is known.
    last: Option<Frame<Bytes>>,
    /// Bytes handed out last, for which the client has not yet made room.
    handed: usize,
    ended: bool,
    flow: Arc<Flow>,
    number: u64,
    _request: Arc<Request>,
}

impl Answer {
    /// Wraps an answer. What is ready of it is encoded and counted now, whether or not the client
    /// takes it.
    pub(crate) fn wrap(
        response: Response<Body>,
        flow: Arc<Flow>,
        request: Arc<Request>,
        cx: &mut Context<'_>,
    ) -> Response<Body> {
        let (head, mut inner) = response.into_parts();
        let (mut rest, mut last) = (Bytes::new(), None);
        match Pin::new(&mut inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                Ok(data) => rest = data,
                Err(trailers) => last = Some(trailers),
            },
            Poll::Ready(Some(Err(status))) => return status.into_http(),
            Poll::Ready(None) | Poll::Pending => {}
        }
        if let Err(status) = flow.made(rest.len()) {
            return status.into_http();
        }
        let number = flow.answer();
        let (handed, ended) = (0, false);
        let answer = Self { inner, rest, last, handed, ended, flow, number, _request: request };
        Response::from_parts(head, Body::new(answer))
    }

    fn is_handed_out(&self) -> bool {
        self.rest.is_empty() && self.last.is_none()
    }

    fn next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.flow.passed(std::mem::take(&mut self.handed));
        if self.rest.is_empty() {
            if let Some(last) = self.last.take() {
                return Poll::Ready(Some(Ok(last)));
            }
            match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                other => return Poll::Ready(other),
            }
            if let Err(status) = self.flow.made(self.rest.len()) {
                self.rest.clear();
                self.ended = true;
                return Poll::Ready(Some(Ok(Frame::trailers(trailers(&status)))));
            }
        }
        let piece = self.rest.split_to(self.rest.len().min(PIECE_BYTES));
        self.handed = piece.len();
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

fn trailers(status: &Status) -> HeaderMap {
    let mut headers = HeaderMap::new();
    // Our own names and sentences are valid headers.
    let _ = status.add_header(&mut headers);
    headers
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.ended {
            return Poll::Ready(None);
        }
        self.flow.taken(self.number);
        let frame = ready!(self.next(cx));
        if frame.is_some() {
            self.flow.waits(self.number);
        } else {
            self.ended = true;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.ended || (self.is_handed_out() && self.inner.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        if self.is_handed_out() { self.inner.size_hint() } else { SizeHint::default() }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        self.flow.taken(self.number);
        self.flow.dropped(self.handed.saturating_add(self.rest.len()));
    }
}
