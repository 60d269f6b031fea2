//! Ed25519 keys and the one predicate that every node and every verifier applies. Refuses keys
//! outside the prime-order subgroup and signatures that any strict verifier would refuse. Never
//! verifies in batches. Specification: `proto/README.md`, section 2.

use crate::ids::{AlertSubject, DealId, KeyId, MemberId, NetworkId, SealId};
use curve25519_dalek::edwards::CompressedEdwardsY;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use heatmark_merkle::tag;
use heatmark_proto::ledger::v1::KeyAlgorithm;
use std::fmt;
use thiserror::Error;

/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 64;

/// Why a key or a signature is refused. The signer's fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum KeyError {
    /// Not 32 bytes, not a point, not canonical, of small or mixed order.
    #[error("not an acceptable Ed25519 public key")]
    UnacceptableKey,
    /// Not 64 bytes, or not a signature by this key over this message.
    #[error("signature does not verify")]
    BadSignature,
}

/// An Ed25519 public key that passed the checks of registration.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Accepts a canonical encoding of a point of the prime-order subgroup.
    ///
    /// # Errors
    /// [`KeyError::UnacceptableKey`] for everything else.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| KeyError::UnacceptableKey)?;
        let point = CompressedEdwardsY(bytes).decompress().ok_or(KeyError::UnacceptableKey)?;
        let acceptable =
            point.compress().0 == bytes && !point.is_small_order() && point.is_torsion_free();
        if !acceptable {
            return Err(KeyError::UnacceptableKey);
        }
        VerifyingKey::from_bytes(&bytes).map(Self).map_err(|_| KeyError::UnacceptableKey)
    }

    /// Reads a key that passed [`Self::from_bytes`] when it was registered, without paying for the
    /// subgroup check again. For bytes from the state only.
    ///
    /// # Errors
    /// [`KeyError::UnacceptableKey`] when it is no point at all.
    pub(crate) fn from_registry(bytes: &[u8]) -> Result<Self, KeyError> {
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| KeyError::UnacceptableKey)?;
        VerifyingKey::from_bytes(&bytes).map(Self).map_err(|_| KeyError::UnacceptableKey)
    }

    /// The public half of a signing key.
    #[must_use]
    pub fn of(key: &SigningKey) -> Self {
        Self(key.verifying_key())
    }

    /// The 32 bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The id under which the registry knows this key.
    #[must_use]
    pub fn id(&self) -> KeyId {
        key_id(KeyAlgorithm::Ed25519, self.0.as_bytes())
    }

    /// The subject of alerts that this key may raise.
    #[must_use]
    pub fn alert_subject(&self) -> AlertSubject {
        AlertSubject(tag::hash("alert-subject", &[self.0.as_bytes()]))
    }

    /// The seal that this key breaks, as the state knows it once it is broken.
    #[must_use]
    pub fn seal_id(&self) -> SealId {
        SealId(tag::hash("seal-key", &[self.0.as_bytes()]))
    }

    /// Verifies a signature with the one predicate of the network.
    ///
    /// # Errors
    /// [`KeyError::BadSignature`].
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), KeyError> {
        let signature = Signature::from_slice(signature).map_err(|_| KeyError::BadSignature)?;
        self.0.verify_strict(message, &signature).map_err(|_| KeyError::BadSignature)
    }
}

/// The bytes of a key that passed [`PublicKey::from_bytes`] when it was registered: the subgroup
/// check is not paid for again, and the point is computed only when a signature is to be verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegisteredKey([u8; 32]);

impl RegisteredKey {
    /// For bytes from the state only; none when there are not 32.
    #[must_use]
    pub fn from_state(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    /// The id under which the registry knows this key.
    #[must_use]
    pub fn id(&self) -> KeyId {
        key_id(KeyAlgorithm::Ed25519, &self.0)
    }

    /// Verifies a signature with the one predicate of the network.
    ///
    /// # Errors
    /// [`KeyError::UnacceptableKey`] when the bytes are no point, [`KeyError::BadSignature`].
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), KeyError> {
        PublicKey::from_registry(&self.0)?.verify(message, signature)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", hex::encode(self.0.as_bytes()))
    }
}

/// Id of a key of any algorithm.
#[must_use]
pub fn key_id(algorithm: KeyAlgorithm, key: &[u8]) -> KeyId {
    KeyId(tag::hash("key", &[&(algorithm as u32).to_be_bytes(), key]))
}

/// Id of the member that enters with this root key.
#[must_use]
pub fn member_id(network: &NetworkId, root: &KeyId) -> MemberId {
    MemberId(tag::hash("member", &[network.as_bytes(), root.as_bytes()]))
}

/// Id of the deal that this buyer's key opens, known before it is opened.
#[must_use]
pub fn deal_id(network: &NetworkId, buyer: &[u8; 32]) -> DealId {
    DealId(tag::hash("deal", &[network.as_bytes(), buyer]))
}

/// Signs a message and returns the 64 bytes.
#[must_use]
pub fn sign(key: &SigningKey, message: &[u8]) -> Vec<u8> {
    key.sign(message).to_bytes().to_vec()
}
