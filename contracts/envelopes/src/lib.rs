//! What is told to one and kept from all others: envelopes, shared secrets, encrypted contents.
//!
//! ```text
//!   content ──Encryptor──▶ pieces, replicated ──▶ ContentId (root, bytes) ──▶ manifest
//!                ▲                                                              ▲
//!          SectionSecret ──split──▶ Commitments ────────────────────────────────┘
//!                ▲             └──▶ Share 1 … Share n ──seal──▶ one envelope for each agent
//!                └──combine── t shares, each checked against the commitments
//! ```
//!
//! - [`seal`] and [`open`]: HPKE (RFC 9180) with X-Wing, so that what is recorded today stays closed when there are quantum
//!   computers. An envelope is bound to its [`Purpose`] and begins with the number of its suite.
//! - [`split`] and [`combine`]: Pedersen's verifiable secret sharing (CRYPTO 1991), t of n.
//! - [`Encryptor`] and [`Decryptor`]: ChaCha20-Poly1305 in pieces of 64 KiB, the STREAM construction, under an RFC 9162 tree.
//!
//! Specification: `proto/README.md` section 17. Everything here is a function of its arguments: no clock, no file, no
//! randomness of its own. Secrets are wiped when they are dropped.

mod content;
mod errors;
mod seal;
mod sharing;

pub use content::{
    ContentId, Decryptor, Encryptor, MAX_CONTENT_BYTES, MAX_PIECES, PIECE_BYTES, PieceProof,
    PieceTree, RootHasher, SEALED_PIECE_BYTES, open_piece,
};
pub use errors::{CombineError, ContentError, SealError, ShareError};
pub use seal::{
    ENVELOPE_OVERHEAD_BYTES, MAX_SEALED_CONTENT_BYTES, OpeningKey, Purpose, SEALING_KEY_BYTES,
    SUITE, SealingKey, open, seal,
};
pub use sharing::{
    COMMITMENT_BYTES, Commitments, MAX_SHARES, SHARE_BYTES, SectionSecret, Share, combine, split,
};
