//! The messages that disclosures and agreements are, and their decoding: bounded first, then decoded, then encoded again and
//! compared. Specification: `proto/README.md` section 9.

use prost::Message;
use prost::encoding::{DecodeContext, decode_key, skip_field};

use crate::DisclosureError;
use crate::disclosure::MAX_DISCLOSURE_BYTES;

/// Single parts beside the fields and proofs, and more of these than any disclosure has.
const MAX_ENTRIES: usize = 2_048;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Disclosure {
    #[prost(uint32, tag = "1")]
    pub(crate) version: u32,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) head: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    pub(crate) record: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) receiver: Vec<u8>,
    #[prost(string, tag = "5")]
    pub(crate) purpose: String,
    #[prost(uint64, tag = "6")]
    pub(crate) made_ms: u64,
    #[prost(bytes = "vec", repeated, tag = "7")]
    pub(crate) fields: Vec<Vec<u8>>,
    #[prost(string, tag = "8")]
    pub(crate) specification: String,
    #[prost(bytes = "vec", repeated, tag = "9")]
    pub(crate) proofs: Vec<Vec<u8>>,
    #[prost(bytes = "vec", tag = "10")]
    pub(crate) batch: Vec<u8>,
    #[prost(bytes = "vec", tag = "11")]
    pub(crate) receipt: Vec<u8>,
    #[prost(bytes = "vec", tag = "12")]
    pub(crate) issuer_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "13")]
    pub(crate) issuer: Vec<u8>,
    #[prost(bytes = "vec", tag = "14")]
    pub(crate) discloser_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "15")]
    pub(crate) signature: Vec<u8>,
}

/// One record of an agreement.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Side {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) head: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) record: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "3")]
    pub(crate) fields: Vec<Vec<u8>>,
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) batch: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    pub(crate) receipt: Vec<u8>,
    #[prost(bytes = "vec", tag = "6")]
    pub(crate) issuer_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "7")]
    pub(crate) issuer: Vec<u8>,
}

/// By how much two numbers may differ.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Tolerance {
    #[prost(string, tag = "1")]
    pub(crate) path: String,
    #[prost(string, tag = "2")]
    pub(crate) number: String,
    #[prost(string, tag = "3")]
    pub(crate) unit: String,
}

/// Numbers of two records that differ by no more than tolerances.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Agreement {
    #[prost(uint32, tag = "1")]
    pub(crate) version: u32,
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) receiver: Vec<u8>,
    #[prost(string, tag = "3")]
    pub(crate) purpose: String,
    #[prost(uint64, tag = "4")]
    pub(crate) made_ms: u64,
    #[prost(bytes = "vec", tag = "5")]
    pub(crate) first: Vec<u8>,
    #[prost(bytes = "vec", tag = "6")]
    pub(crate) second: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "7")]
    pub(crate) tolerances: Vec<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "8")]
    pub(crate) proofs: Vec<Vec<u8>>,
    #[prost(bytes = "vec", tag = "9")]
    pub(crate) discloser_key: Vec<u8>,
    #[prost(bytes = "vec", tag = "10")]
    pub(crate) signature: Vec<u8>,
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Disclosure, DisclosureError> {
    decode_within(bytes, MAX_DISCLOSURE_BYTES)
}

/// Reads the one encoding of a message.
pub(crate) fn decode_within<M: Message + Default>(
    bytes: &[u8],
    max_bytes: usize,
) -> Result<M, DisclosureError> {
    if bytes.len() > max_bytes {
        return Err(DisclosureError::TooLong);
    }
    let mut rest = bytes;
    let mut entries: usize = 0;
    // An empty entry is two bytes and would be many more once decoded.
    while !rest.is_empty() {
        let malformed = |_| DisclosureError::NotCanonical;
        let (tag, wire_type) = decode_key(&mut rest).map_err(malformed)?;
        skip_field(wire_type, tag, &mut rest, DecodeContext::default()).map_err(malformed)?;
        entries = entries.saturating_add(1);
        if entries > MAX_ENTRIES {
            return Err(DisclosureError::NotCanonical);
        }
    }
    let message = M::decode(bytes).map_err(|_| DisclosureError::NotCanonical)?;
    if message.encode_to_vec() == bytes { Ok(message) } else { Err(DisclosureError::NotCanonical) }
}
