//! Why a document of escrow is refused as it stands, before anybody asks what it allows.

use thiserror::Error;

/// Why bytes are no manifest, clause, order or the like. The sender's fault; retrying is pointless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EscrowError {
    /// Longer than any such document; nothing of it was read.
    #[error("it is longer than any such document")]
    TooLong,
    /// Not such a document in its one encoding, or one of a version that this program does not know.
    #[error("it is no such document in its one encoding")]
    NotCanonical,
    /// Its parts do not belong together: refuse it, whoever made it.
    #[error("{0}")]
    Parts(&'static str),
    /// It does not follow the manifest that it names as the one before.
    #[error("it does not follow the manifest that it names as the one before: {0}")]
    Succession(&'static str),
}

impl EscrowError {
    /// A stable name, the same in every implementation.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "too-long",
            Self::NotCanonical => "not-canonical",
            Self::Parts(_) => "parts",
            Self::Succession(_) => "succession",
        }
    }
}
