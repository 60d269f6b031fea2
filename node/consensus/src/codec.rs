//! Encodes and decodes what validators send each other and what the engine's log keeps. Refuses
//! everything oversized, malformed, of wrong length or in any but the one accepted encoding.
//!
//! ```text
//! engine types ── codec::votes, codec::blocks, codec::sync ── wire messages ── bytes
//! ```

mod attentive;
mod blocks;
mod sync;
mod votes;

pub(crate) use attentive::AttentiveCodec;
pub(crate) use sync::{MAX_REQUEST_BLOCKS, MAX_RESPONSE_BYTES};

use arc_malachitebft_app_channel::app::types::core::Round;
use bytes::Bytes;
use heatmark_ledger::ids::HeaderHash;
use heatmark_ledger::validators::MAX_VALIDATORS;
use heatmark_ledger::wire::shape::{self, Shape};
use heatmark_ledger::wire::{self, WireError};
use prost::Message;
use thiserror::Error;

use crate::context::{Address, BlockId};
use crate::signing::Signature;

/// Most bytes of a message with a signature of every validator.
const MAX_CERTIFICATE_BYTES: usize = MAX_VALIDATORS.saturating_mul(192);

/// Most bytes of a message of fixed shape.
const MAX_SMALL_BYTES: usize = 512;

/// Why a message is refused. Its sender's fault, except for [`CodecError::NoRound`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum CodecError {
    /// Too long, malformed or not canonical.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// Nothing in it.
    #[error("an empty message")]
    Empty,
    /// A key, hash, signature, peer id or stream id of wrong length.
    #[error("a field of wrong length")]
    Length,
    /// A kind that has no name, or a count or range out of bounds.
    #[error("a field out of range")]
    Range,
    /// A message to send that names no round.
    #[error("a message to send names no round")]
    NoRound,
}

/// The engine's codec for all of its messages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LedgerCodec;

fn decode<M: Message + Default + 'static>(bytes: &Bytes, limit: usize) -> Result<M, CodecError> {
    Ok(wire::decode(bytes, limit)?)
}

/// Decodes a message with parts that repeat, none of them shorter than one that means something:
/// empty ones would take many times their length in memory.
fn decode_shaped<M: Message + Default + 'static>(
    bytes: &Bytes,
    limit: usize,
    shape: Shape,
) -> Result<M, CodecError> {
    if bytes.len() <= limit && !shape::fits(bytes, shape) {
        return Err(WireError::Malformed.into());
    }
    decode(bytes, limit)
}

/// Shorter than any signature with its validator.
const SHORT: usize = 64;

/// The signatures of a certificate.
const CERTIFICATE: Shape = &[shape::part(4, SHORT, &[])];

fn encode<M: Message>(message: &M) -> Bytes {
    message.encode_to_vec().into()
}

fn address(bytes: &[u8]) -> Result<Address, CodecError> {
    bytes.try_into().map(Address).map_err(|_| CodecError::Length)
}

fn block_id(bytes: &[u8]) -> Result<BlockId, CodecError> {
    HeaderHash::try_from(bytes).map(BlockId).map_err(|_| CodecError::Length)
}

fn signature(bytes: &[u8]) -> Result<Signature, CodecError> {
    Signature::try_from(bytes).map_err(|_| CodecError::Length)
}

/// A round that must exist, to send.
fn round_out(round: Round) -> Result<u32, CodecError> {
    round.as_u32().ok_or(CodecError::NoRound)
}

/// A round that may be absent, to send.
fn optional_round_out(round: Round) -> u32 {
    round.as_u32().map_or(0, |round| round.saturating_add(1))
}

/// A round that may be absent, as received.
fn optional_round_in(round: u32) -> Round {
    round.checked_sub(1).map_or(Round::Nil, Round::new)
}

#[cfg(test)]
mod tests;
