//! Parts of blocks, and what the engine's log keeps of a block: its hash and whether it is valid.

use arc_malachitebft_app_channel::app::streaming::{StreamContent, StreamId, StreamMessage};
use arc_malachitebft_app_channel::app::types::ProposedValue;
use arc_malachitebft_app_channel::app::types::codec::Codec;
use arc_malachitebft_app_channel::app::types::core::{Round, Validity};
use bytes::Bytes;

use super::{
    CodecError, LedgerCodec, MAX_SMALL_BYTES, address, block_id, decode, encode, optional_round_in,
    optional_round_out, round_out,
};
use crate::context::{Heatmark, Height, Part};
use crate::parts::{MAX_PARTS, PART_BYTES};
use crate::wire;

/// Most bytes of a stream's name.
const MAX_STREAM_ID_BYTES: usize = 64;

const MAX_PART_BYTES: usize = PART_BYTES.saturating_add(MAX_SMALL_BYTES);

fn part_out(part: &Part) -> Result<wire::Part, CodecError> {
    Ok(wire::Part {
        height: part.height.0,
        round: round_out(part.round)?,
        valid_round: optional_round_out(part.valid_round),
        proposer: part.proposer.0.to_vec(),
        value: part.block.0.to_vec(),
        index: part.index,
        count: part.count,
        chunk: part.chunk.clone(),
    })
}

fn part_in(part: wire::Part) -> Result<Part, CodecError> {
    // All parts but the last are full, so that a block has one division and few parts.
    let last = part.index.checked_add(1) == Some(part.count);
    let length = part.chunk.len();
    let full = length == PART_BYTES;
    let sized = if last { length > 0 && length <= PART_BYTES } else { full };
    if part.index >= part.count || part.count > MAX_PARTS || !sized {
        return Err(CodecError::Range);
    }
    Ok(Part {
        height: Height(part.height),
        round: Round::new(part.round),
        valid_round: optional_round_in(part.valid_round),
        proposer: address(&part.proposer)?,
        block: block_id(&part.value)?,
        index: part.index,
        count: part.count,
        chunk: part.chunk,
    })
}

impl Codec<Part> for LedgerCodec {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<Part, CodecError> {
        part_in(decode(&bytes, MAX_PART_BYTES)?)
    }

    fn encode(&self, part: &Part) -> Result<Bytes, CodecError> {
        Ok(encode(&part_out(part)?))
    }
}

impl Codec<StreamMessage<Part>> for LedgerCodec {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<StreamMessage<Part>, CodecError> {
        let message: wire::StreamPart = decode(&bytes, MAX_PART_BYTES)?;
        if message.stream.len() > MAX_STREAM_ID_BYTES {
            return Err(CodecError::Length);
        }
        let content = match message.part {
            Some(part) => StreamContent::Data(part_in(part)?),
            None => StreamContent::Fin,
        };
        Ok(StreamMessage::new(StreamId::new(message.stream), message.sequence, content))
    }

    fn encode(&self, message: &StreamMessage<Part>) -> Result<Bytes, CodecError> {
        Ok(encode(&wire::StreamPart {
            stream: message.stream_id.to_bytes(),
            sequence: message.sequence,
            part: message.content.as_data().map(part_out).transpose()?,
        }))
    }
}

impl Codec<ProposedValue<Heatmark>> for LedgerCodec {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<ProposedValue<Heatmark>, CodecError> {
        let value: wire::ProposedValue = decode(&bytes, MAX_SMALL_BYTES)?;
        Ok(ProposedValue {
            height: Height(value.height),
            round: Round::new(value.round),
            valid_round: optional_round_in(value.valid_round),
            proposer: address(&value.proposer)?,
            value: block_id(&value.value)?,
            validity: Validity::from_bool(value.valid),
        })
    }

    fn encode(&self, value: &ProposedValue<Heatmark>) -> Result<Bytes, CodecError> {
        Ok(encode(&wire::ProposedValue {
            height: value.height.0,
            round: round_out(value.round)?,
            valid_round: optional_round_out(value.valid_round),
            proposer: value.proposer.0.to_vec(),
            value: value.value.0.to_vec(),
            valid: value.validity.is_valid(),
        }))
    }
}
