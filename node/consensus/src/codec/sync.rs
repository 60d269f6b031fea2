//! What a node says of its chain, asks for and is given while it catches up.

use arc_malachitebft_app_channel::app::types::PeerId;
use arc_malachitebft_app_channel::app::types::codec::{Codec, HasEncodedLen};
use arc_malachitebft_app_channel::app::types::core::{
    ExtendedCommitCertificate, ExtendedCommitSignature, Round,
};
use arc_malachitebft_app_channel::app::types::sync::{RawDecidedValue, Request, Response, Status};
use arc_malachitebft_sync::{ValueRequest, ValueResponse};
use bytes::Bytes;
use heatmark_ledger::validators::MAX_VALIDATORS;
use heatmark_ledger::wire::shape::{Shape, part};
use prost::Message;

use super::{
    CERTIFICATE, CodecError, LedgerCodec, MAX_SMALL_BYTES, SHORT, address, block_id, decode,
    decode_shaped, encode, round_out, signature,
};
use crate::context::{Heatmark, Height};
use crate::wire;

/// Most bytes of one answer to a node that catches up, certificates included.
pub(crate) const MAX_RESPONSE_BYTES: usize = 10 * 1024 * 1024;

/// Decided blocks, each with its certificate.
const RESPONSE: Shape = &[part(2, SHORT, &[part(1, 0, CERTIFICATE)])];

/// Most blocks that one request may ask for.
pub(crate) const MAX_REQUEST_BLOCKS: u64 = 1024;

impl Codec<Status<Heatmark>> for LedgerCodec {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<Status<Heatmark>, CodecError> {
        let status: wire::Status = decode(&bytes, MAX_SMALL_BYTES)?;
        Ok(Status {
            peer_id: PeerId::from_bytes(&status.peer).map_err(|_| CodecError::Length)?,
            tip_height: Height(status.newest),
            history_min_height: Height(status.earliest),
        })
    }

    fn encode(&self, status: &Status<Heatmark>) -> Result<Bytes, CodecError> {
        Ok(encode(&wire::Status {
            peer: status.peer_id.to_bytes(),
            newest: status.tip_height.0,
            earliest: status.history_min_height.0,
        }))
    }
}

impl Codec<Request<Heatmark>> for LedgerCodec {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<Request<Heatmark>, CodecError> {
        let request: wire::Request = decode(&bytes, MAX_SMALL_BYTES)?;
        let length = request.to.checked_sub(request.from).ok_or(CodecError::Range)?;
        if length >= MAX_REQUEST_BLOCKS {
            return Err(CodecError::Range);
        }
        let range = Height(request.from)..=Height(request.to);
        Ok(Request::ValueRequest(ValueRequest::new(range)))
    }

    fn encode(&self, request: &Request<Heatmark>) -> Result<Bytes, CodecError> {
        let Request::ValueRequest(request) = request;
        let (from, to) = (request.range.start().0, request.range.end().0);
        Ok(encode(&wire::Request { from, to }))
    }
}

fn decided_out(decided: &RawDecidedValue<Heatmark>) -> Result<wire::Decided, CodecError> {
    let certificate = &decided.certificate;
    let signatures = certificate
        .commit_signatures
        .iter()
        .map(|s| wire::Signature {
            validator: s.address.0.to_vec(),
            signature: s.signature.0.to_vec(),
        })
        .collect();
    let certificate = wire::Certificate {
        height: certificate.height.0,
        round: round_out(certificate.round)?,
        value: certificate.value_id.0.to_vec(),
        signatures,
    };
    Ok(wire::Decided { certificate: Some(certificate), block: decided.value_bytes.clone() })
}

fn decided_in(decided: wire::Decided) -> Result<RawDecidedValue<Heatmark>, CodecError> {
    let certificate = decided.certificate.ok_or(CodecError::Empty)?;
    if certificate.signatures.len() > MAX_VALIDATORS {
        return Err(CodecError::Range);
    }
    let commit_signatures = certificate
        .signatures
        .iter()
        .map(|s| {
            let (address, signature) = (address(&s.validator)?, signature(&s.signature)?);
            Ok(ExtendedCommitSignature::new(address, signature, None))
        })
        .collect::<Result<_, CodecError>>()?;
    let certificate = ExtendedCommitCertificate {
        height: Height(certificate.height),
        round: Round::new(certificate.round),
        value_id: block_id(&certificate.value)?,
        commit_signatures,
    };
    Ok(RawDecidedValue::new(decided.block, certificate))
}

fn response_out(response: &Response<Heatmark>) -> Result<wire::Response, CodecError> {
    let Response::ValueResponse(response) = response;
    let blocks = response.values.iter().map(decided_out).collect::<Result<_, _>>()?;
    Ok(wire::Response { from: response.start_height.0, blocks })
}

impl Codec<Response<Heatmark>> for LedgerCodec {
    type Error = CodecError;

    fn decode(&self, bytes: Bytes) -> Result<Response<Heatmark>, CodecError> {
        let response: wire::Response = decode_shaped(&bytes, MAX_RESPONSE_BYTES, RESPONSE)?;
        if u64::try_from(response.blocks.len()).unwrap_or(u64::MAX) > MAX_REQUEST_BLOCKS {
            return Err(CodecError::Range);
        }
        let values =
            response.blocks.into_iter().map(decided_in).collect::<Result<Vec<_>, CodecError>>()?;
        Ok(Response::ValueResponse(ValueResponse::new(Height(response.from), values)))
    }

    fn encode(&self, response: &Response<Heatmark>) -> Result<Bytes, CodecError> {
        Ok(encode(&response_out(response)?))
    }
}

impl HasEncodedLen<Response<Heatmark>> for LedgerCodec {
    fn encoded_len(&self, response: &Response<Heatmark>) -> Result<usize, CodecError> {
        Ok(response_out(response)?.encoded_len())
    }
}
