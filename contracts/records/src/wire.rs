//! The messages in which openings and proofs are kept and sent, and their decoding: bounded first, then decoded,
//! then encoded again and compared, so that one record has one encoding. Specification: `proto/README.md` section 9.

use heatmark_merkle::Hash;
use prost::Message;
use prost::encoding::{DecodeContext, decode_key, skip_field};

use crate::opening::{MAX_FIELDS, MAX_OPENING_BYTES};
use crate::proof::MAX_PROOF_BYTES;
use crate::{Depth, Fields, Heading, Path, RecordError, Secret, Value};

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Head {
    #[prost(uint32, tag = "1")]
    suite: u32,
    #[prost(bytes = "vec", tag = "2")]
    network: Vec<u8>,
    #[prost(string, tag = "3")]
    form: String,
    #[prost(bytes = "vec", tag = "4")]
    issuer: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    alert_subject: Vec<u8>,
    #[prost(bytes = "vec", tag = "6")]
    origin_seal: Vec<u8>,
    #[prost(uint32, tag = "7")]
    depth: u32,
    #[prost(uint64, tag = "8")]
    nonce: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Field {
    #[prost(string, tag = "1")]
    path: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Opening {
    #[prost(message, optional, tag = "1")]
    head: Option<Head>,
    #[prost(bytes = "vec", tag = "2")]
    secret: Vec<u8>,
    #[prost(message, repeated, tag = "3")]
    fields: Vec<Field>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct FieldProof {
    #[prost(message, optional, tag = "1")]
    head: Option<Head>,
    #[prost(string, tag = "2")]
    path: String,
    #[prost(bytes = "vec", tag = "3")]
    value: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    salt: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "5")]
    siblings: Vec<Vec<u8>>,
}

impl From<&crate::Head> for Head {
    fn from(head: &crate::Head) -> Self {
        Self {
            suite: head.suite,
            network: head.heading.network.to_vec(),
            form: head.heading.form.clone(),
            issuer: head.heading.issuer.to_vec(),
            alert_subject: head.heading.alert_subject.to_vec(),
            origin_seal: head.heading.origin_seal.map(Vec::from).unwrap_or_default(),
            depth: head.depth.bits(),
            nonce: head.nonce,
        }
    }
}

impl From<&crate::Opening> for Opening {
    fn from(opening: &crate::Opening) -> Self {
        let field = |(path, value): (&Path, &Value)| Field {
            path: path.as_str().to_owned(),
            value: value.encode(),
        };
        Self {
            head: Some(Head::from(&opening.head)),
            secret: opening.secret.bytes().to_vec(),
            fields: opening.fields.iter().map(field).collect(),
        }
    }
}

#[cfg(test)]
impl Opening {
    pub(crate) fn swap_fields(&mut self) {
        self.fields.reverse();
    }
}

impl From<&crate::FieldProof> for FieldProof {
    fn from(proof: &crate::FieldProof) -> Self {
        Self {
            head: Some(Head::from(&proof.head)),
            path: proof.path.as_str().to_owned(),
            value: proof.value.as_ref().map(Value::encode).unwrap_or_default(),
            salt: proof.salt.to_vec(),
            siblings: proof.siblings.iter().map(|hash| hash.0.to_vec()).collect(),
        }
    }
}

pub(crate) fn decode_opening(bytes: &[u8]) -> Result<crate::Opening, RecordError> {
    if bytes.len() > MAX_OPENING_BYTES {
        return Err(RecordError::TooLong);
    }
    if entries(bytes)? > MAX_FIELDS.saturating_add(2) {
        return Err(RecordError::TooManyFields);
    }
    let message: Opening = decode(bytes, MAX_OPENING_BYTES)?;
    let mut fields = Fields::new();
    let mut previous: Option<&str> = None;
    for field in &message.fields {
        if previous.is_some_and(|previous| previous > field.path.as_str()) {
            return Err(RecordError::NotCanonical);
        }
        previous = Some(&field.path);
        fields.insert(Path::new(&field.path)?, Value::decode(&field.value)?)?;
    }
    let secret = Secret::new(exactly(&message.secret)?);
    Ok(crate::Opening { head: decode_head(message.head)?, secret, fields })
}

pub(crate) fn decode_proof(bytes: &[u8]) -> Result<crate::FieldProof, RecordError> {
    let message: FieldProof = decode(bytes, MAX_PROOF_BYTES)?;
    let value = if message.value.is_empty() { None } else { Some(Value::decode(&message.value)?) };
    let siblings: Result<Vec<Hash>, _> =
        message.siblings.iter().map(|hash| exactly(hash).map(Hash)).collect();
    Ok(crate::FieldProof {
        head: decode_head(message.head)?,
        path: Path::new(&message.path)?,
        value,
        salt: exactly(&message.salt)?,
        siblings: siblings?,
    })
}

fn decode_head(head: Option<Head>) -> Result<crate::Head, RecordError> {
    let head = head.ok_or(RecordError::NotCanonical)?;
    let origin_seal =
        if head.origin_seal.is_empty() { None } else { Some(exactly(&head.origin_seal)?) };
    let heading = Heading {
        network: exactly(&head.network)?,
        form: head.form,
        issuer: exactly(&head.issuer)?,
        alert_subject: exactly(&head.alert_subject)?,
        origin_seal,
    };
    let depth = Depth::from_bits(head.depth)?;
    let head = crate::Head { heading, suite: head.suite, depth, nonce: head.nonce };
    head.check()?;
    Ok(head)
}

/// How many entries a message has at its top level; an empty one is two bytes and would be many more once decoded.
fn entries(mut bytes: &[u8]) -> Result<usize, RecordError> {
    let mut count: usize = 0;
    while !bytes.is_empty() {
        let (tag, wire_type) = decode_key(&mut bytes).map_err(|_| RecordError::NotCanonical)?;
        skip_field(wire_type, tag, &mut bytes, DecodeContext::default())
            .map_err(|_| RecordError::NotCanonical)?;
        count = count.saturating_add(1);
    }
    Ok(count)
}

fn decode<M: Message + Default>(bytes: &[u8], max_bytes: usize) -> Result<M, RecordError> {
    if bytes.len() > max_bytes {
        return Err(RecordError::TooLong);
    }
    let message = M::decode(bytes).map_err(|_| RecordError::NotCanonical)?;
    if message.encode_to_vec() == bytes { Ok(message) } else { Err(RecordError::NotCanonical) }
}

fn exactly<const N: usize>(bytes: &[u8]) -> Result<[u8; N], RecordError> {
    bytes.try_into().map_err(|_| RecordError::NotCanonical)
}
