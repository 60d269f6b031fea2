//! Receipts and state proofs: evidence that verifies offline from a trust root, and the trust
//! roots themselves. Refuses anything that is not canonical, does not link to the trust root, or
//! proves less than it claims. Specification: `proto/README.md`, section 7.

use crate::certificate::{CertificateError, CommitCertificate};
use crate::genesis::Genesis;
use crate::header::Header;
use crate::ids::{HeaderHash, Height, KeyId, NetworkId, TransactionId};
use crate::keys::SIGNATURE_BYTES;
use crate::transaction;
use crate::validators::{SetError, ValidatorSet};
use crate::wire::{self, MAX_RECEIPT_BYTES, WireError};
use heatmark_merkle::map::MapProof;
use heatmark_merkle::{Hash, LeafIndex, ProofError, tree};
use heatmark_proto::ledger::v1 as pb;
use prost::Message;
use std::sync::Arc;
use thiserror::Error;

/// Why evidence is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReceiptError {
    /// Not the message it claims to be, in its one encoding.
    #[error("{0}")]
    Wire(#[from] WireError),
    /// A field is missing or has the wrong length.
    #[error("field {0} is missing or has the wrong length")]
    Field(&'static str),
    /// Made for another network.
    #[error("it belongs to another network")]
    WrongNetwork,
    /// Its header is not later than the trust root's: this trust root cannot tell. Use genesis or
    /// an older pinned header, or ask for a newer receipt.
    #[error("its header (height {header}) is not later than the trust root (height {trust})")]
    OlderThanTrust {
        /// Height of the evidence's header.
        header: Height,
        /// Height of the trust root.
        trust: Height,
    },
    /// Set changes are not strictly between trust root and header, ascending.
    #[error("the validator set changes are out of order")]
    SetChangeOrder,
    /// A set change that changes nothing.
    #[error("a validator set change names the same set again")]
    SetChangeUnchanged,
    /// A set is not the one its header names.
    #[error("a validator set is not the one its header names")]
    WrongNextSet,
    /// A list of validators is not a set.
    #[error("{0}")]
    InvalidSet(#[from] SetError),
    /// A certificate does not prove its header.
    #[error("{0}")]
    Certificate(#[from] CertificateError),
    /// The transaction does not stand where the receipt says.
    #[error("the inclusion path does not lead to the header's log root: {0}")]
    Inclusion(ProofError),
    /// The map proof does not lead to the header's state root.
    #[error("the state proof does not lead to the header's state root: {0}")]
    State(ProofError),
    /// The proven transaction's body is not canonical.
    #[error("the transaction inside is malformed")]
    Transaction,
}

impl ReceiptError {
    /// A stable name, the same in every implementation.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Wire(_) => "not-canonical",
            Self::Field(_) => "wrong-length",
            Self::WrongNetwork => "wrong-network",
            Self::OlderThanTrust { .. } => "older-than-trust",
            Self::SetChangeOrder => "set-change-order",
            Self::SetChangeUnchanged => "set-change-unchanged",
            Self::WrongNextSet => "wrong-next-set",
            Self::InvalidSet(_) => "invalid-set",
            Self::Certificate(CertificateError::Order) => "certificate-order",
            Self::Certificate(CertificateError::Signature) => "certificate-signature",
            Self::Certificate(CertificateError::Quorum) => "certificate-quorum",
            Self::Inclusion(_) => "inclusion-path",
            Self::State(_) => "state-proof",
            Self::Transaction => "body-not-canonical",
        }
    }

    /// Whether the evidence may be sound but this trust root cannot say.
    #[must_use]
    pub fn cannot_tell(&self) -> bool {
        matches!(self, Self::OlderThanTrust { .. })
    }
}

/// What a verifier starts from.
#[derive(Debug, Clone)]
pub struct TrustRoot {
    /// The network.
    pub network: NetworkId,
    /// Height that is trusted; 0 for genesis.
    pub height: Height,
    /// Hash of the trusted header; none for genesis.
    pub header: Option<HeaderHash>,
    /// The set that certifies the next height.
    pub validators: Arc<ValidatorSet>,
}

impl TrustRoot {
    /// Trust in a network's founding. Whether all founders signed is the caller's to insist on.
    #[must_use]
    pub fn from_genesis(genesis: &Genesis) -> Self {
        Self {
            network: genesis.network(),
            height: Height(0),
            header: None,
            validators: Arc::new(genesis.validators().clone()),
        }
    }

    /// Trust in a header pinned earlier: the bytes of a `TrustedHeader`.
    ///
    /// # Errors
    /// When the bytes are malformed or the set is not the one the header names.
    pub fn from_pinned(bytes: &[u8]) -> Result<Self, ReceiptError> {
        let message: pb::TrustedHeader = wire::decode(bytes, MAX_RECEIPT_BYTES)?;
        let header = header_of(message.header.as_ref())?;
        let next = message.next.as_ref().ok_or(ReceiptError::Field("next"))?;
        let next = ValidatorSet::from_proto(next)?;
        if next.hash() != header.next_validators {
            return Err(ReceiptError::WrongNextSet);
        }
        Ok(Self {
            network: header.network,
            height: header.height,
            header: Some(header.hash()),
            validators: Arc::new(next),
        })
    }

    /// The trust root that a verified header gives, with its `TrustedHeader` bytes to keep.
    ///
    /// # Errors
    /// [`ReceiptError::WrongNextSet`] when the set is not the one the header names.
    pub fn pin(header: &Header, next: &ValidatorSet) -> Result<Vec<u8>, ReceiptError> {
        if next.hash() != header.next_validators {
            return Err(ReceiptError::WrongNextSet);
        }
        let message =
            pb::TrustedHeader { header: Some(header.to_proto()), next: Some(next.to_proto()) };
        Ok(message.encode_to_vec())
    }

    /// Verifies that a header is certified, through the set changes from this trust root to it.
    ///
    /// # Errors
    /// See [`ReceiptError`].
    pub fn verify_header(&self, certified: &CertifiedHeader) -> Result<(), ReceiptError> {
        let header = &certified.header;
        if header.network != self.network {
            return Err(ReceiptError::WrongNetwork);
        }
        if header.height <= self.height {
            let (header, trust) = (header.height, self.height);
            return Err(ReceiptError::OlderThanTrust { header, trust });
        }
        let mut current = &*self.validators;
        let mut after = self.height;
        for change in &certified.changes {
            if change.header.network != self.network {
                return Err(ReceiptError::WrongNetwork);
            }
            if change.header.height <= after || change.header.height >= header.height {
                return Err(ReceiptError::SetChangeOrder);
            }
            change.certificate.verify(&change.header, current)?;
            if change.next.hash() != change.header.next_validators {
                return Err(ReceiptError::WrongNextSet);
            }
            if change.next.hash() == current.hash() {
                return Err(ReceiptError::SetChangeUnchanged);
            }
            current = &change.next;
            after = change.header.height;
        }
        Ok(certified.certificate.verify(header, current)?)
    }
}

/// A header, its certificate, and the set changes that lead to it: read, not verified yet.
#[derive(Debug, Clone)]
pub struct CertifiedHeader {
    /// The header.
    pub header: Header,
    certificate: CommitCertificate,
    changes: Vec<Change>,
}

#[derive(Debug, Clone)]
struct Change {
    header: Header,
    certificate: CommitCertificate,
    next: ValidatorSet,
}

impl CertifiedHeader {
    /// Reads the three parts; every length is checked here, so that what is malformed is refused
    /// whatever the trust root.
    ///
    /// # Errors
    /// [`ReceiptError::Field`] or [`ReceiptError::InvalidSet`].
    pub fn from_proto(
        header: Option<&pb::Header>,
        certificate: Option<&pb::CommitCertificate>,
        changes: &[pb::SetChange],
    ) -> Result<Self, ReceiptError> {
        let header = header_of(header)?;
        let certificate = certificate_of(certificate)?;
        let changes = changes
            .iter()
            .map(|change| {
                let next = change.next.as_ref().ok_or(ReceiptError::Field("next"))?;
                Ok(Change {
                    header: header_of(change.header.as_ref())?,
                    certificate: certificate_of(change.certificate.as_ref())?,
                    next: ValidatorSet::from_proto(next)?,
                })
            })
            .collect::<Result<_, ReceiptError>>()?;
        Ok(Self { header, certificate, changes })
    }
}

/// What a verified receipt says.
#[derive(Debug, Clone)]
pub struct Verified {
    /// Id of the transaction.
    pub transaction_id: TransactionId,
    /// The key that carried it.
    pub signer: KeyId,
    /// Its body.
    pub body: pb::Body,
    /// Where it stands on the log.
    pub leaf_index: LeafIndex,
    /// The certified header it was proved against.
    pub header: Header,
}

/// Reads and verifies a receipt.
///
/// # Errors
/// See [`ReceiptError`].
pub fn verify_bytes(bytes: &[u8], trust: &TrustRoot) -> Result<Verified, ReceiptError> {
    verify(&wire::decode::<pb::Receipt>(bytes, MAX_RECEIPT_BYTES)?, trust)
}

/// Verifies a receipt that came as a message.
///
/// # Errors
/// See [`ReceiptError`].
pub fn verify(receipt: &pb::Receipt, trust: &TrustRoot) -> Result<Verified, ReceiptError> {
    verify_with(receipt, trust, |certified| trust.verify_header(certified))
}

/// As [`verify`], with another way to be sure of the header: a verifier of many receipts need not
/// check the same header with the same certificate again for each of them.
///
/// # Errors
/// What `certify` says of header, certificate and set changes, and see [`ReceiptError`].
pub fn verify_with(
    receipt: &pb::Receipt,
    trust: &TrustRoot,
    certify: impl FnOnce(&CertifiedHeader) -> Result<(), ReceiptError>,
) -> Result<Verified, ReceiptError> {
    let certified = CertifiedHeader::from_proto(
        receipt.header.as_ref(),
        receipt.certificate.as_ref(),
        &receipt.set_changes,
    )?;
    let path = receipt
        .inclusion_path
        .iter()
        .map(|hash| {
            Hash::try_from(hash.as_slice()).map_err(|_| ReceiptError::Field("inclusion_path"))
        })
        .collect::<Result<Vec<_>, _>>()?;
    certify(&certified)?;
    let header = certified.header;
    let leaf = transaction::leaf_hash(&receipt.transaction);
    let leaf_index = LeafIndex(receipt.leaf_index);
    tree::verify_inclusion(&leaf, leaf_index, header.log_size, &path, &header.log_root)
        .map_err(ReceiptError::Inclusion)?;
    let malformed = |_| ReceiptError::Transaction;
    let envelope = wire::decode_envelope(&receipt.transaction).map_err(malformed)?;
    let body = wire::decode_body(&envelope.body).map_err(malformed)?;
    let signer =
        KeyId::try_from(envelope.signer.as_slice()).map_err(|_| ReceiptError::Transaction)?;
    let transaction_id = transaction::transaction_id(&trust.network, &signer, &envelope.body);
    Ok(Verified { transaction_id, signer, body, leaf_index, header })
}

/// What a verified state proof says.
#[derive(Debug, Clone)]
pub struct VerifiedState {
    /// The key asked for.
    pub key: Vec<u8>,
    /// Its value, or that it has none.
    pub value: Option<Vec<u8>>,
    /// The certified header it was proved against.
    pub header: Header,
}

/// Verifies presence or absence of a key in the state.
///
/// # Errors
/// See [`ReceiptError`].
pub fn verify_state(
    proof: &pb::StateProof,
    trust: &TrustRoot,
) -> Result<VerifiedState, ReceiptError> {
    let certified = CertifiedHeader::from_proto(
        proof.header.as_ref(),
        proof.certificate.as_ref(),
        &proof.set_changes,
    )?;
    if !proof.present && !proof.value.is_empty() {
        return Err(ReceiptError::Field("value"));
    }
    trust.verify_header(&certified)?;
    let header = certified.header;
    let value = proof.present.then(|| proof.value.clone());
    MapProof::from_bytes(&proof.proof)
        .and_then(|map| map.verify(&header.state_root, &proof.key, value.as_deref()))
        .map_err(ReceiptError::State)?;
    Ok(VerifiedState { key: proof.key.clone(), value, header })
}

/// Reads and verifies a state proof.
///
/// # Errors
/// See [`ReceiptError`].
pub fn verify_state_bytes(bytes: &[u8], trust: &TrustRoot) -> Result<VerifiedState, ReceiptError> {
    verify_state(&wire::decode::<pb::StateProof>(bytes, MAX_RECEIPT_BYTES)?, trust)
}

fn header_of(message: Option<&pb::Header>) -> Result<Header, ReceiptError> {
    let message = message.ok_or(ReceiptError::Field("header"))?;
    Header::from_proto(message).map_err(|_| ReceiptError::Field("header"))
}

fn certificate_of(
    message: Option<&pb::CommitCertificate>,
) -> Result<CommitCertificate, ReceiptError> {
    let message = message.ok_or(ReceiptError::Field("certificate"))?;
    if message.signatures.iter().any(|s| s.signature.len() != SIGNATURE_BYTES) {
        return Err(ReceiptError::Field("signature"));
    }
    Ok(CommitCertificate::from_proto(message)?)
}
