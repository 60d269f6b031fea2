//! Messages between validators and in the engine's log. They are no evidence and stand in no
//! receipt, hence not in the specification; they follow its rule of one accepted encoding.
//! Rounds that may be absent travel as round + 1, 0 for none.

use bytes::Bytes;

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Vote {
    /// 1 prevote, 2 precommit.
    #[prost(uint32, tag = "1")]
    pub(crate) kind: u32,
    #[prost(uint64, tag = "2")]
    pub(crate) height: u64,
    #[prost(uint32, tag = "3")]
    pub(crate) round: u32,
    /// Header hash, empty for nil.
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) value: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    pub(crate) validator: Vec<u8>,
    #[prost(bytes = "vec", tag = "6")]
    pub(crate) signature: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Proposal {
    #[prost(uint64, tag = "1")]
    pub(crate) height: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) round: u32,
    /// Proof-of-lock round + 1.
    #[prost(uint32, tag = "3")]
    pub(crate) lock: u32,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) value: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    pub(crate) validator: Vec<u8>,
    #[prost(bytes = "vec", tag = "6")]
    pub(crate) signature: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ConsensusMessage {
    #[prost(oneof = "Consensus", tags = "1, 2")]
    pub(crate) message: Option<Consensus>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Consensus {
    #[prost(message, tag = "1")]
    Vote(Vote),
    #[prost(message, tag = "2")]
    Proposal(Proposal),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Signature {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) validator: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) signature: Vec<u8>,
}

/// Signatures for one value: a quorum of prevotes, or a commit certificate.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Certificate {
    #[prost(uint64, tag = "1")]
    pub(crate) height: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) round: u32,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) value: Vec<u8>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) signatures: Vec<Signature>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RoundVote {
    #[prost(uint32, tag = "1")]
    pub(crate) kind: u32,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) value: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) validator: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) signature: Vec<u8>,
}

/// Votes that justify entering a round.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct RoundCertificate {
    #[prost(uint64, tag = "1")]
    pub(crate) height: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) round: u32,
    /// 1 skip, 2 precommit.
    #[prost(uint32, tag = "3")]
    pub(crate) kind: u32,
    #[prost(message, repeated, tag = "4")]
    pub(crate) votes: Vec<RoundVote>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct LivenessMessage {
    #[prost(oneof = "Liveness", tags = "1, 2, 3")]
    pub(crate) message: Option<Liveness>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Liveness {
    #[prost(message, tag = "1")]
    Vote(Vote),
    #[prost(message, tag = "2")]
    Polka(Certificate),
    #[prost(message, tag = "3")]
    Round(RoundCertificate),
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Part {
    #[prost(uint64, tag = "1")]
    pub(crate) height: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) round: u32,
    /// Valid round + 1.
    #[prost(uint32, tag = "3")]
    pub(crate) valid_round: u32,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) proposer: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    pub(crate) value: Vec<u8>,
    #[prost(uint32, tag = "6")]
    pub(crate) index: u32,
    #[prost(uint32, tag = "7")]
    pub(crate) count: u32,
    #[prost(bytes = "bytes", tag = "8")]
    pub(crate) chunk: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct StreamPart {
    #[prost(bytes = "bytes", tag = "1")]
    pub(crate) stream: Bytes,
    #[prost(uint64, tag = "2")]
    pub(crate) sequence: u64,
    /// Absent at the end of a stream.
    #[prost(message, optional, tag = "3")]
    pub(crate) part: Option<Part>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ValidatorProof {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) public_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) peer: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) signature: Vec<u8>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct ProposedValue {
    #[prost(uint64, tag = "1")]
    pub(crate) height: u64,
    #[prost(uint32, tag = "2")]
    pub(crate) round: u32,
    /// Valid round + 1.
    #[prost(uint32, tag = "3")]
    pub(crate) valid_round: u32,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) proposer: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    pub(crate) value: Vec<u8>,
    #[prost(bool, tag = "6")]
    pub(crate) valid: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Status {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) peer: Vec<u8>,
    #[prost(uint64, tag = "2")]
    pub(crate) newest: u64,
    #[prost(uint64, tag = "3")]
    pub(crate) earliest: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Request {
    #[prost(uint64, tag = "1")]
    pub(crate) from: u64,
    #[prost(uint64, tag = "2")]
    pub(crate) to: u64,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Decided {
    #[prost(message, optional, tag = "1")]
    pub(crate) certificate: Option<Certificate>,
    #[prost(bytes = "bytes", tag = "2")]
    pub(crate) block: Bytes,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Response {
    #[prost(uint64, tag = "1")]
    pub(crate) from: u64,
    #[prost(message, repeated, tag = "2")]
    pub(crate) blocks: Vec<Decided>,
}
