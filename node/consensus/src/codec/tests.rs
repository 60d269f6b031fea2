//! Encodings: what is sent arrives, and nothing else is accepted.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::too_many_lines,
    reason = "tests fail loudly"
)]

use super::*;
use crate::context::{Heatmark, Height, Part, Proposal, Vote};
use crate::parts::{MAX_PARTS, PART_BYTES};
use crate::wire as messages;
use arc_malachitebft_app_channel::app::consensus::LivenessMsg;
use arc_malachitebft_app_channel::app::streaming::{StreamContent, StreamId, StreamMessage};
use arc_malachitebft_app_channel::app::types::codec::{Codec, HasEncodedLen};
use arc_malachitebft_app_channel::app::types::core::{
    ExtendedCommitCertificate, ExtendedCommitSignature, NilOrVal, PolkaCertificate, PolkaSignature,
    RoundCertificate, RoundCertificateType, RoundSignature, SignedMessage, ValidatorProof,
    Validity, VoteType,
};
use arc_malachitebft_app_channel::app::types::sync::{RawDecidedValue, Request, Response, Status};
use arc_malachitebft_app_channel::app::types::{PeerId, ProposedValue, SignedConsensusMsg};
use arc_malachitebft_sync::{ValueRequest, ValueResponse};
use std::fmt::Debug;

const ADDRESS: Address = Address([1; 32]);
const SIGNATURE: Signature = Signature([2; 64]);

fn id() -> BlockId {
    BlockId(HeaderHash::from([3; 32]))
}

fn vote(value: NilOrVal<BlockId>) -> Vote {
    let (height, round) = (Height(u64::MAX), Round::new(u32::MAX));
    Vote { kind: VoteType::Precommit, height, round, value, address: ADDRESS }
}

fn part(index: u32, count: u32, bytes: usize) -> Part {
    Part {
        height: Height(4),
        round: Round::new(0),
        valid_round: Round::new(0),
        proposer: ADDRESS,
        block: id(),
        index,
        count,
        chunk: vec![7; bytes].into(),
    }
}

fn round_trip<T: Debug + PartialEq>(message: &T)
where
    LedgerCodec: Codec<T, Error = CodecError>,
{
    let bytes = LedgerCodec.encode(message).unwrap();
    assert_eq!(&LedgerCodec.decode(bytes.clone()).unwrap(), message);
    for length in 0..bytes.len().min(2000) {
        let shorter: Result<T, _> = LedgerCodec.decode(bytes.slice(..length));
        assert!(shorter.is_err() || shorter.unwrap() != *message, "cut at {length}");
    }
    let mut longer = bytes.to_vec();
    longer.extend_from_slice(&[0xf8, 0x07, 0x01]);
    let refused: Result<T, _> = LedgerCodec.decode(longer.into());
    assert!(refused.is_err(), "an unknown field is refused");
}

#[test]
fn votes_and_proposals_survive_the_wire() {
    for value in [NilOrVal::Nil, NilOrVal::Val(id())] {
        let signed = SignedMessage::<Heatmark, _>::new(vote(value), SIGNATURE);
        round_trip(&SignedConsensusMsg::Vote(signed.clone()));
        round_trip(&LivenessMsg::Vote(signed));
    }
    for pol_round in [Round::Nil, Round::new(0), Round::new(5)] {
        let (height, round) = (Height(9), Round::new(6));
        let proposal = Proposal { height, round, value: id(), pol_round, address: ADDRESS };
        round_trip(&SignedConsensusMsg::Proposal(SignedMessage::new(proposal, SIGNATURE)));
    }
}

#[test]
fn certificates_survive_the_wire() {
    let polka = PolkaCertificate::<Heatmark> {
        height: Height(1),
        round: Round::new(2),
        value_id: id(),
        polka_signatures: vec![PolkaSignature::new(ADDRESS, SIGNATURE)],
    };
    round_trip(&polka);
    round_trip(&LivenessMsg::PolkaCertificate(polka));
    let nil = RoundSignature::new(VoteType::Prevote, NilOrVal::Nil, ADDRESS, SIGNATURE);
    let val = RoundSignature::new(VoteType::Precommit, NilOrVal::Val(id()), ADDRESS, SIGNATURE);
    for cert_type in [RoundCertificateType::Skip, RoundCertificateType::Precommit] {
        round_trip(&LivenessMsg::SkipRoundCertificate(RoundCertificate::<Heatmark> {
            height: Height(1),
            round: Round::new(2),
            cert_type,
            round_signatures: vec![nil.clone(), val.clone()],
        }));
    }
    round_trip(&ValidatorProof::<Heatmark>::new(vec![1; 32], vec![2; 38], SIGNATURE));
}

#[test]
fn blocks_survive_the_wire() {
    for part in [part(0, 1, 1), part(0, 2, PART_BYTES), part(7, 8, PART_BYTES), part(7, 8, 5)] {
        round_trip(&part);
        let stream = StreamId::new(Bytes::from_static(b"stream"));
        round_trip(&StreamMessage::new(stream, 3, StreamContent::Data(part)));
    }
    for validity in [Validity::Valid, Validity::Invalid] {
        round_trip(&ProposedValue::<Heatmark> {
            height: Height(8),
            round: Round::new(1),
            valid_round: Round::Nil,
            proposer: ADDRESS,
            value: id(),
            validity,
        });
    }
}

fn response(blocks: usize) -> Response<Heatmark> {
    let certificate = ExtendedCommitCertificate {
        height: Height(5),
        round: Round::new(0),
        value_id: id(),
        commit_signatures: vec![ExtendedCommitSignature::new(ADDRESS, SIGNATURE, None)],
    };
    let decided = RawDecidedValue::new(Bytes::from_static(b"a block"), certificate);
    Response::ValueResponse(ValueResponse::new(Height(5), vec![decided; blocks]))
}

#[test]
fn what_a_node_catches_up_with_survives_the_wire() {
    let keypair = libp2p::identity::Keypair::generate_ed25519();
    let peer_id = PeerId::from_bytes(&keypair.public().to_peer_id().to_bytes()).unwrap();
    let (tip_height, history_min_height) = (Height(10), Height(1));
    round_trip(&Status::<Heatmark> { peer_id, tip_height, history_min_height });
    round_trip(&Request::<Heatmark>::ValueRequest(ValueRequest::new(Height(1)..=Height(1024))));
    for blocks in [0, 1, 3] {
        round_trip(&response(blocks));
        let length = LedgerCodec.encode(&response(blocks)).unwrap().len();
        assert_eq!(LedgerCodec.encoded_len(&response(blocks)).unwrap(), length);
    }
}

#[test]
fn refuses_parts_out_of_bounds() {
    let refused = |part: Part| {
        let bytes = LedgerCodec.encode(&part).unwrap();
        let decoded: Result<Part, CodecError> = LedgerCodec.decode(bytes);
        assert!(decoded.is_err(), "{} of {}, {} bytes", part.index, part.count, part.chunk.len());
    };
    refused(part(0, 0, 1));
    refused(part(1, 1, 1));
    refused(part(0, 1, 0));
    refused(part(0, 2, PART_BYTES - 1));
    refused(part(0, 1, PART_BYTES + 1));
    refused(part(0, MAX_PARTS + 1, PART_BYTES));
    refused(part(u32::MAX, u32::MAX, 1));
}

#[test]
fn refuses_requests_backwards_or_without_end() {
    for (from, to) in [(2, 1), (1, 1025), (0, u64::MAX)] {
        let bytes = encode(&messages::Request { from, to });
        let decoded: Result<Request<Heatmark>, _> = LedgerCodec.decode(bytes);
        assert_eq!(decoded.unwrap_err(), CodecError::Range);
    }
}

#[test]
fn refuses_more_than_a_message_may_have() {
    let oversized = |limit: usize| Bytes::from(vec![0; limit + 1]);
    let vote: Result<SignedConsensusMsg<Heatmark>, _> =
        LedgerCodec.decode(oversized(MAX_SMALL_BYTES));
    assert!(matches!(vote.unwrap_err(), CodecError::Wire(WireError::TooLong { .. })));
    let blocks: Result<Response<Heatmark>, _> = LedgerCodec.decode(oversized(MAX_RESPONSE_BYTES));
    assert!(matches!(blocks.unwrap_err(), CodecError::Wire(WireError::TooLong { .. })));
    let signature = messages::Signature { validator: vec![1; 32], signature: vec![2; 64] };
    let certificate = messages::Certificate {
        height: 1,
        round: 0,
        value: vec![3; 32],
        signatures: vec![signature; MAX_VALIDATORS + 1],
    };
    let polka: Result<PolkaCertificate<Heatmark>, _> = LedgerCodec.decode(encode(&certificate));
    assert!(polka.is_err());
}

#[test]
fn refuses_fields_of_wrong_length_or_kind() {
    let good = messages::Vote {
        kind: 1,
        height: 1,
        round: 0,
        value: vec![3; 32],
        validator: vec![1; 32],
        signature: vec![2; 64],
    };
    let decode = |vote: messages::Vote| -> Result<SignedConsensusMsg<Heatmark>, CodecError> {
        let message = Some(messages::Consensus::Vote(vote));
        LedgerCodec.decode(encode(&messages::ConsensusMessage { message }))
    };
    decode(good.clone()).unwrap();
    for kind in [0, 3] {
        assert_eq!(decode(messages::Vote { kind, ..good.clone() }), Err(CodecError::Range));
    }
    let wrong = [
        messages::Vote { value: vec![3; 31], ..good.clone() },
        messages::Vote { validator: vec![1; 33], ..good.clone() },
        messages::Vote { validator: vec![], ..good.clone() },
        messages::Vote { signature: vec![2; 63], ..good },
    ];
    for vote in wrong {
        assert_eq!(decode(vote), Err(CodecError::Length));
    }
    let empty: Result<SignedConsensusMsg<Heatmark>, _> = LedgerCodec.decode(Bytes::new());
    assert_eq!(empty.unwrap_err(), CodecError::Empty);
}
