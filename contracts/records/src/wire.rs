//! The messages in which openings and proofs are kept and sent, and their decoding: bounded first, then decoded,
//! then encoded again and compared, so that one record has one encoding. Specification: `proto/README.md` section 9.

use heatmark_merkle::Hash;
use prost::Message;
use prost::encoding::{DecodeContext, decode_key, skip_field};

use crate::opening::{MAX_FIELDS, MAX_OPENING_BYTES};
use crate::proof::MAX_PROOF_BYTES;
use crate::proof::Said;
use crate::value::KIND_COMMITTED;
use crate::{Blinding, Committed, Depth, Fields, Heading, Path, RecordError, Secret, Value};

/// Longest encoding of a head, in bytes.
const MAX_HEAD_BYTES: usize = 512;

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
    #[prost(string, tag = "1")]
    path: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
    #[prost(bytes = "vec", tag = "3")]
    blindings: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    salt: Vec<u8>,
    #[prost(bytes = "vec", tag = "5")]
    siblings: Vec<u8>,
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
        let (value, blindings) = match &proof.said {
            Said::Shown { value, blindings } => {
                (value.encode(), blindings.iter().flat_map(Blinding::to_bytes).collect())
            }
            Said::Committed(committed) => (committed.encode(), Vec::new()),
            Said::Absent => (Vec::new(), Vec::new()),
        };
        Self {
            path: proof.path.as_str().to_owned(),
            value,
            blindings,
            salt: proof.salt.to_vec(),
            siblings: proof.siblings.iter().flat_map(|hash| hash.0).collect(),
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
    let (siblings, rest) = message.siblings.as_chunks::<32>();
    let depths = 0..=usize::try_from(Depth::Eighteen.bits()).unwrap_or_default();
    if !rest.is_empty() || !depths.contains(&siblings.len()) {
        return Err(RecordError::WrongLength);
    }
    Ok(crate::FieldProof {
        path: Path::new(&message.path)?,
        said: decode_said(&message)?,
        salt: exactly(&message.salt)?,
        siblings: siblings.iter().copied().map(Hash).collect(),
    })
}

fn decode_said(message: &FieldProof) -> Result<Said, RecordError> {
    let (blindings, rest) = message.blindings.as_chunks::<32>();
    if !rest.is_empty() {
        return Err(RecordError::WrongLength);
    }
    let said = match message.value.first() {
        None => Said::Absent,
        Some(&KIND_COMMITTED) => Said::Committed(Committed::decode(&message.value)?),
        Some(_) => {
            let value = Value::decode(&message.value)?;
            if blindings.len() != value.numbers().len() {
                return Err(RecordError::WrongLength);
            }
            let blindings = blindings.iter().map(|bytes| Blinding::decode(*bytes));
            return Ok(Said::Shown { value, blindings: blindings.collect::<Result<_, _>>()? });
        }
    };
    if blindings.is_empty() { Ok(said) } else { Err(RecordError::WrongLength) }
}

/// Reads the canonical encoding of a head.
pub(crate) fn decode_head_bytes(bytes: &[u8]) -> Result<crate::Head, RecordError> {
    decode_head(Some(decode(bytes, MAX_HEAD_BYTES)?))
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
