//! What can go wrong between a client and a node, told apart by what the caller can do about it:
//! try again, mend the request, or stop trusting the node.

use crate::tls::TlsError;
use heatmark_ledger::receipt::ReceiptError;
use heatmark_proto::codec::NotAMessage;
use rustls::AlertDescription;
use std::error::Error as StdError;
use std::io;
use std::time::Duration;
use thiserror::Error;
use tonic::{Code, Status, TimeoutExpired};

/// Metadata key under which a node names the stable code of a refusal.
pub const REFUSAL_CODE: &str = "heatmark-code";

/// Metadata key under which a node that is busy says after how many milliseconds to try again.
pub const RETRY_AFTER_MS: &str = "heatmark-retry-after-ms";

/// Why a call gave nothing.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Not `host:port`. The caller's fault.
    #[error("not an address of the form host:port")]
    Address,
    /// The own TLS identity cannot be used. The caller's fault.
    #[error("{0}")]
    Tls(#[from] TlsError),
    /// Nobody answers, or the connection broke. Transient: try again.
    #[error("the node cannot be reached")]
    Unreachable(#[source] Box<dyn StdError + Send + Sync>),
    /// The node did not answer in time; whether it acted is not known. Ask again before repeating.
    #[error("the node did not answer in time")]
    Deadline,
    /// The node knows no valid member key like ours. Check the key, or have it registered.
    #[error("the node does not admit this key: it is not a valid key of a member in good standing")]
    NotAdmitted,
    /// The server holds another key than the one expected: wrong address, or an impostor.
    #[error("the server does not hold the key that this node is known by")]
    WrongServer,
    /// The node belongs to another network than the trust root.
    #[error("the node belongs to another network")]
    OtherNetwork,
    /// The node refused the request and says why.
    #[error("{message}")]
    Refused {
        /// Stable code of the refusal, where it has one.
        code: Option<String>,
        /// Kind of refusal.
        kind: Code,
        /// The node's sentence.
        message: String,
        /// Milliseconds after which the node has room again, where it is only busy.
        retry_after_ms: Option<u64>,
    },
    /// What the node answered proves nothing: it lies, or it is broken.
    #[error("the node's answer does not verify: {0}")]
    Evidence(#[from] ReceiptError),
    /// What the node answered is not what was asked: it lies, or it is broken.
    #[error("the node's answer is wrong: {0}")]
    WrongAnswer(&'static str),
    /// What was to be submitted is no transaction. The caller's fault.
    #[error("not a transaction: {0}")]
    NotATransaction(#[from] heatmark_ledger::wire::WireError),
}

impl ClientError {
    /// Whether the node could not be asked, so that nothing can be said; try again later.
    #[must_use]
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Deadline)
    }

    /// Whether the node answered something that is not true.
    #[must_use]
    pub fn is_lie(&self) -> bool {
        matches!(self, Self::Evidence(_) | Self::WrongAnswer(_) | Self::WrongServer)
    }

    /// Whether the node says that there is no such thing (yet).
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { kind: Code::NotFound, .. })
    }

    /// How long a busy node asks to be left alone before the next try.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after_ms, .. } => retry_after_ms.map(Duration::from_millis),
            _ => None,
        }
    }

    /// Stable code of the node's refusal, the one that [`heatmark_ledger::refusal::Refusal::code`]
    /// gives where the ledger's rules refused.
    #[must_use]
    pub fn refusal_code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => code.as_deref(),
            _ => None,
        }
    }

    pub(crate) fn from_transport(error: tonic::transport::Error) -> Self {
        Self::of_tls(&error).unwrap_or_else(|| Self::Unreachable(Box::new(error)))
    }

    fn of_tls(error: &(dyn StdError + 'static)) -> Option<Self> {
        match find::<rustls::Error>(error)? {
            rustls::Error::AlertReceived(
                AlertDescription::AccessDenied
                | AlertDescription::BadCertificate
                | AlertDescription::CertificateRequired
                | AlertDescription::CertificateUnknown,
            ) => Some(Self::NotAdmitted),
            rustls::Error::InvalidCertificate(_) => Some(Self::WrongServer),
            _ => None,
        }
    }
}

impl From<Status> for ClientError {
    fn from(status: Status) -> Self {
        if let Some(error) = Self::of_tls(&status) {
            return error;
        }
        if find::<NotAMessage>(&status).is_some() {
            return Self::WrongAnswer("not a message of the kind that was asked for");
        }
        let code = status.metadata().get(REFUSAL_CODE).and_then(|value| value.to_str().ok());
        match (status.code(), code) {
            (Code::DeadlineExceeded, None) => Self::Deadline,
            (Code::Cancelled, None) if find::<TimeoutExpired>(&status).is_some() => Self::Deadline,
            // With a source it comes from this side: the connection failed under the call.
            (Code::Cancelled | Code::Unavailable | Code::Unknown | Code::Internal, None)
                if StdError::source(&status).is_some() =>
            {
                Self::Unreachable(Box::new(status))
            }
            (kind, code) => Self::Refused {
                code: code.map(str::to_owned),
                kind,
                message: status.message().to_owned(),
                retry_after_ms: status
                    .metadata()
                    .get(RETRY_AFTER_MS)
                    .and_then(|value| value.to_str().ok()?.parse().ok()),
            },
        }
    }
}

/// The error of a kind within an error, if there is one.
fn find<'e, E: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        // An I/O error's source is its inner error's source, which would pass the inner one by.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner as &(dyn StdError + 'static)),
            None => error.source(),
        };
    }
    None
}
