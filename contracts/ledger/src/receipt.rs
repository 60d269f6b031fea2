//! Receipts and state proofs: evidence that verifies offline from a trust root, and the trust
//! roots themselves. Refuses anything that is not canonical, does not link to the trust root, or
//! proves less than it claims. Specification: `proto/README.md`, section 7.

mod error;

pub use error::ReceiptError;

use crate::certificate::CommitCertificate;
use crate::genesis::Genesis;
use crate::header::Header;
use crate::ids::{Era, HeaderHash, Height, KeyId, NetworkId, Round, TransactionId};
use crate::keys::SIGNATURE_BYTES;
use crate::restart::{Draft, RestartProof};
use crate::validators::ValidatorSet;
use crate::wire::{self, MAX_RECEIPT_BYTES};
use crate::{state, transaction};
use heatmark_merkle::map::MapProof;
use heatmark_merkle::{Hash, LeafIndex, tree};
use heatmark_proto::ledger::v1 as pb;
use prost::Message;
use std::sync::Arc;

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
    /// The era in which it does.
    pub era: Era,
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
            era: Era::of(genesis.network()),
        }
    }

    /// Trust in a header pinned earlier: the bytes of a `TrustedHeader`.
    ///
    /// # Errors
    /// When the bytes are malformed or the set is not the one the header names.
    pub fn from_pinned(bytes: &[u8]) -> Result<Self, ReceiptError> {
        let message: pb::TrustedHeader = wire::decode(bytes, MAX_RECEIPT_BYTES)?;
        let header = header_of(message.header.as_ref())?;
        let next = set_of(message.next.as_ref(), None)?;
        if next.hash() != header.next_validators {
            return Err(ReceiptError::WrongNextSet);
        }
        let era = match message.restart.as_slice() {
            [] => Era::of(header.network),
            // The first era is named by leaving its name out.
            first if first == header.network.as_bytes() => {
                return Err(ReceiptError::Field("restart"));
            }
            restart => Era::try_from(restart).map_err(|_| ReceiptError::Field("restart"))?,
        };
        Ok(Self {
            network: header.network,
            height: header.height,
            header: Some(header.hash()),
            validators: Arc::new(next),
            era,
        })
    }

    /// The trust root that a verified header gives, with its `TrustedHeader` bytes to keep; `era`
    /// is the one in which it was certified, as [`Self::verify_header`] tells.
    ///
    /// # Errors
    /// [`ReceiptError::WrongNextSet`] when the set is not the one the header names.
    pub fn pin(header: &Header, next: &ValidatorSet, era: &Era) -> Result<Vec<u8>, ReceiptError> {
        if next.hash() != header.next_validators {
            return Err(ReceiptError::WrongNextSet);
        }
        let first = *era == Era::of(header.network);
        let message = pb::TrustedHeader {
            header: Some(header.to_proto()),
            next: Some(next.to_proto()),
            restart: if first { Vec::new() } else { era.to_vec() },
        };
        Ok(message.encode_to_vec())
    }

    /// Verifies that a header is certified, through the set changes and restarts from this trust
    /// root to it, and tells the era in which it is.
    ///
    /// # Errors
    /// See [`ReceiptError`].
    pub fn verify_header(&self, certified: &CertifiedHeader) -> Result<Era, ReceiptError> {
        let header = &certified.header;
        if header.network != self.network {
            return Err(ReceiptError::WrongNetwork);
        }
        if header.height <= self.height {
            let (header, trust) = (header.height, self.height);
            return Err(ReceiptError::OlderThanTrust { header, trust });
        }
        let mut walk = Walk::new(self);
        for change in &certified.changes {
            if change.header.network != self.network {
                return Err(ReceiptError::WrongNetwork);
            }
            if change.header.height >= header.height {
                return Err(ReceiptError::SetChangeOrder);
            }
            walk.pass(change)?;
        }
        certified.certificate.verify_in(&walk.era, header, walk.current)?;
        Ok(walk.era)
    }

    /// Verifies a restart that precedes the next block of a chain whose newest header is this trust
    /// root, or later, and gives the trust root with the restart's set and era.
    ///
    /// # Errors
    /// See [`ReceiptError`]; [`ReceiptError::RestartHeader`] when it starts from another header.
    pub fn restarted(&self, change: &pb::SetChange) -> Result<Self, ReceiptError> {
        let mut change = Change::from_proto(change, Some(&self.validators))?;
        if change.header.network != self.network {
            return Err(ReceiptError::WrongNetwork);
        }
        if change.header.height != self.height || change.restart.is_none() {
            return Err(ReceiptError::RestartHeader);
        }
        // The header is verified already, which is more than its certificate says.
        change.certificate.signatures.clear();
        change.certificate.round = Round(0);
        let mut walk = Walk::new(self);
        walk.pass(&change)?;
        let (era, validators) = (walk.era, Arc::new(walk.current.clone()));
        Ok(Self { era, validators, ..self.clone() })
    }

    /// Verifies a restart that is being passed round: the chain from this trust root to its header,
    /// its members and whatever signatures it has.
    ///
    /// # Errors
    /// See [`ReceiptError`].
    pub fn verify_draft(&self, document: pb::RestartDocument) -> Result<Draft, ReceiptError> {
        let mut walk = Walk::new(self);
        let changes = Change::all(&document.set_changes)?;
        let last = document.restart.as_ref().ok_or(ReceiptError::Field("restart"))?;
        let known = changes.last().map(|change| &change.next);
        let last = Change::from_proto(last, known)?;
        for change in &changes {
            if change.header.network != self.network {
                return Err(ReceiptError::WrongNetwork);
            }
            walk.pass(change)?;
        }
        let (header, next) = (last.header, last.next);
        if header.network != self.network {
            return Err(ReceiptError::WrongNetwork);
        }
        if header.height <= walk.after {
            return Err(ReceiptError::SetChangeOrder);
        }
        last.certificate.verify_in(&walk.era, &header, walk.current)?;
        Draft::new(document, header, next)
    }
}

/// How far the set changes have been followed.
struct Walk<'w> {
    trust: &'w TrustRoot,
    after: Height,
    /// Nothing has been passed, so that a restart from the trust root's own header may come.
    fresh: bool,
    current: &'w ValidatorSet,
    era: Era,
}

impl<'w> Walk<'w> {
    fn new(trust: &'w TrustRoot) -> Self {
        let (after, current) = (trust.height, &*trust.validators);
        Self { trust, after, fresh: true, current, era: trust.era }
    }

    fn pass(&mut self, change: &'w Change) -> Result<(), ReceiptError> {
        let own = self.fresh && change.header.height == self.trust.height;
        match &change.restart {
            Some(_) if own => {
                let bare = change.certificate.signatures.is_empty();
                let same = Some(change.header.hash()) == self.trust.header;
                if !bare || change.certificate.round != Round(0) || !same {
                    return Err(ReceiptError::RestartHeader);
                }
            }
            _ if change.header.height <= self.after => return Err(ReceiptError::SetChangeOrder),
            _ => change.certificate.verify_in(&self.era, &change.header, self.current)?,
        }
        match &change.restart {
            Some(restart) => self.era = restart.verify(&change.header, &change.next)?,
            None if change.next.hash() != change.header.next_validators => {
                return Err(ReceiptError::WrongNextSet);
            }
            None if change.next.hash() == self.current.hash() => {
                return Err(ReceiptError::SetChangeUnchanged);
            }
            None => {}
        }
        self.current = &change.next;
        self.after = change.header.height;
        self.fresh = false;
        Ok(())
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
    restart: Option<RestartProof>,
}

impl Change {
    /// Reads all of them, in their order.
    fn all(changes: &[pb::SetChange]) -> Result<Vec<Self>, ReceiptError> {
        let mut read: Vec<Self> = Vec::with_capacity(changes.len());
        for change in changes {
            let before = read.last().map(|change| &change.next);
            read.push(Self::from_proto(change, before)?);
        }
        Ok(read)
    }

    /// Reads one; `known` is a set whose keys are checked.
    fn from_proto(
        change: &pb::SetChange,
        known: Option<&ValidatorSet>,
    ) -> Result<Self, ReceiptError> {
        let header = header_of(change.header.as_ref())?;
        let certificate = certificate_of(change.certificate.as_ref())?;
        let next = set_of(change.next.as_ref(), known)?;
        let restart = change.restart.as_ref().map(RestartProof::from_proto).transpose()?;
        Ok(Self { header, certificate, next, restart })
    }
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
        let changes = Change::all(changes)?;
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
    verify_with(receipt, trust, |certified| trust.verify_header(certified).map(|_| ()))
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

/// What a key's state says of a transaction that it signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    /// Nothing stands against the key up to the receipt's header.
    Sound,
    /// The key was declared compromised since a height that the receipt's header has reached: HOLD
    /// until its member reaffirms. A receipt by an earlier header may show that it was before.
    Suspect {
        /// First height at which its signatures are suspect.
        since: Height,
    },
}

impl Verified {
    /// What the proved state of the signer's key says of this transaction.
    ///
    /// # Errors
    /// [`ReceiptError::Field`] when the state is of another key, or none, or of an earlier header.
    pub fn signing(&self, state: &VerifiedState) -> Result<Signing, ReceiptError> {
        if state.key != state::key_key(&self.signer) || state.header.height < self.header.height {
            return Err(ReceiptError::Field("key"));
        }
        let value = state.value.as_ref().ok_or(ReceiptError::Field("value"))?;
        let key: pb::KeyState = wire::decode(value, MAX_RECEIPT_BYTES)?;
        match Height(key.compromised_since_height) {
            Height(0) => Ok(Signing::Sound),
            since if self.header.height < since => Ok(Signing::Sound),
            since => Ok(Signing::Suspect { since }),
        }
    }
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

fn set_of(
    message: Option<&pb::ValidatorSet>,
    known: Option<&ValidatorSet>,
) -> Result<ValidatorSet, ReceiptError> {
    let message = message.ok_or(ReceiptError::Field("next"))?;
    if message.validators.iter().any(|validator| validator.key.len() != 32) {
        return Err(ReceiptError::Field("key"));
    }
    Ok(ValidatorSet::from_proto_after(message, known)?)
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
