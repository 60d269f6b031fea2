//! A transaction as it travels: read once, checked for form, signed and verified over the exact
//! bytes it carries. Refuses any other encoding and any field out of its bounds before a signature
//! is looked at. Specification: `proto/README.md`, sections 1 to 3.

use crate::ids::{KeyId, NetworkId, TransactionId};
use crate::keys::{self, PublicKey, RegisteredKey, SIGNATURE_BYTES};
use crate::refusal::Refusal;
use crate::wire;
use ed25519_dalek::SigningKey;
use heatmark_merkle::{Hash, tag, tree};
use heatmark_proto::ledger::v1 as pb;
use heatmark_proto::ledger::v1::body::Payload;
use prost::Message;
use prost::bytes::Bytes;
use std::sync::OnceLock;

/// Bytes of a body's nonce.
pub const NONCE_BYTES: usize = 16;

/// Most co-signatures an envelope may carry, unless it is a lot event.
pub const MAX_COSIGNATURES: usize = 8;

/// Most seals that one lot event breaks.
pub const MAX_SEALS: usize = 64;

/// A transaction of acceptable form. Whether it may stand on the log is [`crate::execute`]'s to say.
#[derive(Debug)]
pub struct Transaction {
    bytes: Bytes,
    envelope: pb::Envelope,
    body: pb::Body,
    payload: Payload,
    id: TransactionId,
    signer: KeyId,
    /// The key against which all signatures were verified; form and signatures never change.
    verified_with: OnceLock<[u8; 32]>,
}

impl Transaction {
    /// Reads an envelope and its body and checks lengths and ranges; signatures are checked later,
    /// against the key that the registry names.
    ///
    /// # Errors
    /// [`Refusal::Wire`], [`Refusal::Field`], [`Refusal::NoPayload`] or [`Refusal::Cosignatures`].
    pub fn decode(network: &NetworkId, bytes: Bytes) -> Result<Self, Refusal> {
        let envelope = wire::decode_envelope(&bytes)?;
        let signer =
            KeyId::try_from(envelope.signer.as_slice()).map_err(|_| Refusal::Field("signer"))?;
        if envelope.signature.len() != SIGNATURE_BYTES {
            return Err(Refusal::Field("signature"));
        }
        let body = wire::decode_body(&envelope.body)?;
        if body.nonce.len() != NONCE_BYTES {
            return Err(Refusal::Field("nonce"));
        }
        if body.not_after_ms <= body.not_before_ms {
            return Err(Refusal::Window);
        }
        let payload = body.payload.clone().ok_or(Refusal::NoPayload)?;
        check_cosignatures(&envelope, &payload)?;
        let id = transaction_id(network, &signer, &envelope.body);
        Ok(Self { bytes, envelope, body, payload, id, signer, verified_with: OnceLock::new() })
    }

    /// The envelope's bytes, exactly as received.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The id under which replays are refused.
    #[must_use]
    pub fn id(&self) -> TransactionId {
        self.id
    }

    /// The key that carries the transaction.
    #[must_use]
    pub fn signer(&self) -> KeyId {
        self.signer
    }

    /// The signed body.
    #[must_use]
    pub fn body(&self) -> &pb::Body {
        &self.body
    }

    /// What the transaction says.
    #[must_use]
    pub fn payload(&self) -> &Payload {
        &self.payload
    }

    /// The co-signatures, at most [`MAX_COSIGNATURES`] or [`MAX_SEALS`], lengths checked.
    #[must_use]
    pub fn cosignatures(&self) -> &[pb::CoSignature] {
        &self.envelope.cosignatures
    }

    /// Whether reserved block space is open to it.
    #[must_use]
    pub fn is_alert(&self) -> bool {
        matches!(self.payload, Payload::Alert(_) | Payload::Acknowledge(_))
    }

    /// Hash of the leaf that the transaction becomes.
    #[must_use]
    pub fn leaf_hash(&self) -> Hash {
        leaf_hash(&self.bytes)
    }

    /// Whether [`Self::verify`] has succeeded with some key.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        self.verified_with.get().is_some()
    }

    /// Verifies the carrier's signature with `key` and every co-signature with its own key. The
    /// answer for a key is remembered, so a transaction costs its signatures once a node.
    ///
    /// # Errors
    /// [`Refusal::Key`]; [`Refusal::UnknownKey`] when `key` is not the signer's.
    pub fn verify(&self, network: &NetworkId, key: &RegisteredKey) -> Result<(), Refusal> {
        if self.verified_with.get() == Some(&key.to_bytes()) {
            return Ok(());
        }
        if key.id() != self.signer {
            return Err(Refusal::UnknownKey);
        }
        let message = signed_preimage("sign/member", network, &self.signer, &self.envelope.body);
        key.verify(&message, &self.envelope.signature)?;
        for cosignature in &self.envelope.cosignatures {
            verify_cosignature(network, cosignature, &self.envelope.body)?;
        }
        // A second thread may have verified the same bytes meanwhile; both found the same.
        let _ = self.verified_with.set(key.to_bytes());
        Ok(())
    }
}

/// Leaf data of a transaction: the tagged envelope bytes.
#[must_use]
pub fn leaf_data(envelope: &[u8]) -> Vec<u8> {
    tag::preimage("transaction", &[envelope])
}

/// Hash of a transaction's leaf.
#[must_use]
pub fn leaf_hash(envelope: &[u8]) -> Hash {
    tree::leaf_hash(&leaf_data(envelope))
}

/// Id of the transaction in which `signer` carries `body`.
#[must_use]
pub fn transaction_id(network: &NetworkId, signer: &KeyId, body: &[u8]) -> TransactionId {
    TransactionId(tag::hash("sign/member", &[network.as_bytes(), signer.as_bytes(), body]))
}

/// A co-signature by `key` over encoded body bytes.
///
/// # Errors
/// [`Refusal::Cosignatures`] for a purpose that names nothing.
pub fn cosign(
    network: &NetworkId,
    purpose: pb::CoSigner,
    key: &SigningKey,
    body: &[u8],
) -> Result<pb::CoSignature, Refusal> {
    let tag = cosigner_tag(purpose).ok_or(Refusal::Cosignatures)?;
    let public = PublicKey::of(key);
    let message = signed_preimage(tag, network, &public.id(), body);
    Ok(pb::CoSignature {
        purpose: purpose as i32,
        public_key: public.to_bytes().to_vec(),
        signature: keys::sign(key, &message),
    })
}

/// Verifies a co-signature over encoded body bytes with the key that it names.
///
/// # Errors
/// [`Refusal::Key`], or [`Refusal::Cosignatures`] for a purpose that names nothing.
pub fn verify_cosignature(
    network: &NetworkId,
    cosignature: &pb::CoSignature,
    body: &[u8],
) -> Result<(), Refusal> {
    let purpose = cosigner_tag(cosignature.purpose()).ok_or(Refusal::Cosignatures)?;
    let cosigner = PublicKey::from_bytes(&cosignature.public_key)?;
    let message = signed_preimage(purpose, network, &cosigner.id(), body);
    Ok(cosigner.verify(&message, &cosignature.signature)?)
}

/// Signs a body and returns the envelope's bytes. The body's encoding here is what the
/// co-signatures must have covered.
#[must_use]
pub fn sign(
    network: &NetworkId,
    key: &SigningKey,
    body: &pb::Body,
    cosignatures: Vec<pb::CoSignature>,
) -> Bytes {
    let signer = PublicKey::of(key).id();
    let body = body.encode_to_vec();
    let message = signed_preimage("sign/member", network, &signer, &body);
    let envelope = pb::Envelope {
        signer: signer.to_vec(),
        signature: keys::sign(key, &message),
        body,
        cosignatures,
    };
    envelope.encode_to_vec().into()
}

fn signed_preimage(what: &str, network: &NetworkId, signer: &KeyId, body: &[u8]) -> Vec<u8> {
    tag::preimage(what, &[network.as_bytes(), signer.as_bytes(), body])
}

fn cosigner_tag(purpose: pb::CoSigner) -> Option<&'static str> {
    match purpose {
        pb::CoSigner::Unspecified => None,
        pb::CoSigner::Alert => Some("sign/alert"),
        pb::CoSigner::Root => Some("sign/root"),
        pb::CoSigner::NewKey => Some("sign/new-key"),
        pb::CoSigner::Seal => Some("sign/seal"),
        pb::CoSigner::Deal => Some("sign/deal"),
    }
}

fn check_cosignatures(envelope: &pb::Envelope, payload: &Payload) -> Result<(), Refusal> {
    let most = if matches!(payload, Payload::LotEvent(_)) { MAX_SEALS } else { MAX_COSIGNATURES };
    if envelope.cosignatures.len() > most {
        return Err(Refusal::Cosignatures);
    }
    for cosignature in &envelope.cosignatures {
        if cosigner_tag(cosignature.purpose()).is_none() {
            return Err(Refusal::Cosignatures);
        }
        if cosignature.public_key.len() != 32 || cosignature.signature.len() != SIGNATURE_BYTES {
            return Err(Refusal::Field("cosignatures"));
        }
    }
    Ok(())
}
