//! The decoders of what other validators send, open to `tests/fuzz` alone.

use crate::codec::{CodecError, LedgerCodec};
use crate::context::{Heatmark, Part};
use crate::parts::Assembly;
use arc_malachitebft_app_channel::app::consensus::LivenessMsg;
use arc_malachitebft_app_channel::app::streaming::StreamMessage;
use arc_malachitebft_app_channel::app::types::codec::Codec;
use arc_malachitebft_app_channel::app::types::core::{PolkaCertificate, ValidatorProof};
use arc_malachitebft_app_channel::app::types::sync::{Request, Response, Status};
use arc_malachitebft_app_channel::app::types::{PeerId, ProposedValue, SignedConsensusMsg};
use bytes::Bytes;

/// A kind of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A vote or a proposal.
    Consensus,
    /// A vote or a certificate that helps another validator along.
    Liveness,
    /// A certificate of prevotes.
    Polka,
    /// A validator's proof of its key.
    Proof,
    /// A part of a block.
    Part,
    /// A part of a block in its stream.
    Stream,
    /// What the engine's log keeps of a proposed block.
    Value,
    /// How far a node has come.
    Status,
    /// Blocks asked for.
    Request,
    /// Blocks answered.
    Response,
}

/// Decodes a message and encodes it again; nothing when it is refused.
#[must_use]
pub fn recode(kind: Kind, bytes: &Bytes) -> Option<Bytes> {
    match kind {
        Kind::Consensus => through::<SignedConsensusMsg<Heatmark>>(bytes),
        Kind::Liveness => through::<LivenessMsg<Heatmark>>(bytes),
        Kind::Polka => through::<PolkaCertificate<Heatmark>>(bytes),
        Kind::Proof => through::<ValidatorProof<Heatmark>>(bytes),
        Kind::Part => through::<Part>(bytes),
        Kind::Stream => through::<StreamMessage<Part>>(bytes),
        Kind::Value => through::<ProposedValue<Heatmark>>(bytes),
        Kind::Status => through::<Status<Heatmark>>(bytes),
        Kind::Request => through::<Request<Heatmark>>(bytes),
        Kind::Response => through::<Response<Heatmark>>(bytes),
    }
}

fn through<T>(bytes: &Bytes) -> Option<Bytes>
where
    LedgerCodec: Codec<T, Error = CodecError>,
{
    let message: T = LedgerCodec.decode(bytes.clone()).ok()?;
    LedgerCodec.encode(&message).ok()
}

/// Takes in encoded parts, each from one of these peers; tells the most bytes held meanwhile and
/// the lengths of the blocks that were completed.
#[must_use]
pub fn assemble(peers: &[PeerId], parts: &[(usize, Bytes)]) -> (usize, Vec<usize>) {
    let mut assembly = Assembly::default();
    let (mut most, mut blocks) = (0, Vec::new());
    for (from, bytes) in parts {
        let decoded: Result<Part, CodecError> = LedgerCodec.decode(bytes.clone());
        let (Ok(part), Some(peer)) = (decoded, peers.get(*from)) else { continue };
        blocks.extend(assembly.take(*peer, None, part).map(|(_, block)| block.len()));
        most = most.max(assembly.bytes());
    }
    (most, blocks)
}

/// A peer by the bytes of its id.
#[must_use]
pub fn peer(bytes: &[u8]) -> Option<PeerId> {
    PeerId::from_bytes(bytes).ok()
}
