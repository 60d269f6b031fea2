//! The one accepted encoding of every message: decode, encode again, compare. Refuses everything
//! else, whatever it means. Specification: `proto/README.md`, section 1.

use heatmark_proto::ledger::v1 as pb;
use heatmark_proto::ledger::v1::body::Payload;
use heatmark_proto::ledger::v1::propose::Action;
use prost::Message;
use thiserror::Error;

/// Largest encoded envelope in bytes; with 28 bytes of tag and length it fills a tile entry.
pub const MAX_TRANSACTION_BYTES: usize = 65_507;

/// Largest encoded block in bytes that is ever decoded.
pub const MAX_BLOCK_BYTES: usize = 8 * 1024 * 1024;

/// Largest encoded receipt or state proof in bytes.
pub const MAX_RECEIPT_BYTES: usize = 4 * 1024 * 1024;

/// Why bytes are not a message. The sender's fault; retrying is pointless.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WireError {
    /// More bytes than such a message may have.
    #[error("{length} bytes, at most {limit} are accepted")]
    TooLong {
        /// Bytes given.
        length: usize,
        /// Bytes accepted.
        limit: usize,
    },
    /// Not a Protocol Buffers message of this kind.
    #[error("not a message of this kind")]
    Malformed,
    /// A message, but not in its one accepted encoding.
    #[error("not the canonical encoding of this message")]
    NotCanonical,
}

/// Decodes a message of at most `limit` bytes from its one accepted encoding.
///
/// # Errors
/// When it is too long, malformed, or encoded in any other way.
pub fn decode<M: Message + Default>(bytes: &[u8], limit: usize) -> Result<M, WireError> {
    if bytes.len() > limit {
        return Err(WireError::TooLong { length: bytes.len(), limit });
    }
    let message = M::decode(bytes).map_err(|_| WireError::Malformed)?;
    if message.encode_to_vec() == bytes { Ok(message) } else { Err(WireError::NotCanonical) }
}

/// Decodes an envelope, all of its enumerations named in their files.
///
/// # Errors
/// As [`decode`]; [`WireError::Malformed`] for a number that names nothing.
pub fn decode_envelope(bytes: &[u8]) -> Result<pb::Envelope, WireError> {
    let envelope: pb::Envelope = decode(bytes, MAX_TRANSACTION_BYTES)?;
    let known = envelope.cosignatures.iter().all(|c| pb::CoSigner::try_from(c.purpose).is_ok());
    if known { Ok(envelope) } else { Err(WireError::Malformed) }
}

/// Decodes a body, all of its enumerations named in their files.
///
/// # Errors
/// As [`decode`]; [`WireError::Malformed`] for a number that names nothing.
pub fn decode_body(bytes: &[u8]) -> Result<pb::Body, WireError> {
    let body: pb::Body = decode(bytes, MAX_TRANSACTION_BYTES)?;
    let known = match &body.payload {
        Some(Payload::Alert(alert)) => pb::AlertLevel::try_from(alert.level).is_ok(),
        Some(Payload::RotateKey(rotate)) => rotate.new_key.iter().all(names_are_known),
        Some(Payload::Propose(propose)) => match &propose.action {
            Some(Action::AddMember(entry)) => {
                roles_are_known(&entry.roles) && entry.keys.iter().all(names_are_known)
            }
            Some(Action::SetRoles(set)) => roles_are_known(&set.roles),
            Some(Action::ReplaceRoot(replace)) => replace.new_root.iter().all(names_are_known),
            _ => true,
        },
        _ => true,
    };
    if known { Ok(body) } else { Err(WireError::Malformed) }
}

/// Decodes a `MemberState`, all of its enumerations named in their files.
///
/// # Errors
/// As [`decode`]; [`WireError::Malformed`] for a number that names nothing.
pub fn decode_member(bytes: &[u8]) -> Result<pb::MemberState, WireError> {
    let state: pb::MemberState = decode(bytes, MAX_RECEIPT_BYTES)?;
    let entry_is_known = |entry: &pb::MemberEntry| {
        roles_are_known(&entry.roles) && entry.keys.iter().all(names_are_known)
    };
    let known =
        pb::MemberStatus::try_from(state.status).is_ok() && state.entry.iter().all(entry_is_known);
    if known { Ok(state) } else { Err(WireError::Malformed) }
}

fn names_are_known(key: &pb::PublicKey) -> bool {
    pb::KeyRole::try_from(key.role).is_ok() && pb::KeyAlgorithm::try_from(key.algorithm).is_ok()
}

fn roles_are_known(roles: &[i32]) -> bool {
    roles.iter().all(|role| pb::Role::try_from(*role).is_ok())
}
