//! What a record stands on: its anchor's receipt, its place in the batch, and the registry's states of the key that
//! signed the anchor, of the issuer, and of the key that signs a file about it. A record is its issuer's by this alone.
//! Specification: `proto/README.md` section 9.

use heatmark_ledger::ids::{KeyId, MemberId};
use heatmark_ledger::keys::RegisteredKey;
use heatmark_ledger::messages::{self as pb, body::Payload};
use heatmark_ledger::receipt::{self, ReceiptError, Signing, TrustRoot, VerifiedState};
use heatmark_ledger::state;
use heatmark_ledger::wire::{self, MAX_RECEIPT_BYTES};
use heatmark_merkle::{Hash, batch, tag};
use heatmark_records::{Head, RecordId};

use crate::{DisclosureError, Proofs};

/// A member and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// The member.
    pub member: MemberId,
    /// Its legal name, where the file proves it.
    pub legal_name: Option<String>,
}

/// A record whose anchor and issuer are proved.
#[derive(Debug, Clone)]
pub(crate) struct Grounds {
    pub(crate) anchored: receipt::Verified,
    pub(crate) issuer: Party,
    /// The issuer's roles, by the registry's state in the file.
    pub(crate) roles: Vec<pb::Role>,
    pub(crate) signing: Signing,
    pub(crate) key_state: VerifiedState,
}

impl Grounds {
    /// Verifies what a record stands on.
    pub(crate) fn verify(
        (head, record): (&Head, &RecordId),
        proofs: &Proofs,
        trust: &TrustRoot,
    ) -> Result<Self, DisclosureError> {
        if &head.heading().network != trust.network.as_bytes() {
            return Err(DisclosureError::WrongNetwork);
        }
        let Proofs { receipt, batch, issuer_key, .. } = proofs;
        let parts = (receipt.as_slice(), batch.as_slice(), issuer_key.as_slice());
        let anchored = anchored_by(record, parts, trust)?;
        let Anchored { receipt: anchored, signing, member: by, key_state } = anchored;
        let member = MemberId::from(head.heading().issuer);
        if by != member {
            return Err(DisclosureError::NotTheIssuer);
        }
        let member_state = state_of(&proofs.issuer, "the issuer's entry", trust)?;
        if member_state.key != state::member_key(&member) {
            return Err(DisclosureError::WrongEntry);
        }
        let entry = member_state.value.as_deref().and_then(|value| wire::decode_member(value).ok());
        let entry = entry.and_then(|state| state.entry).ok_or(DisclosureError::WrongEntry)?;
        let roles = entry.roles().collect();
        let issuer = Party { member, legal_name: Some(entry.legal_name) };
        Ok(Self { anchored, issuer, roles, signing, key_state })
    }
}

/// Something whose anchor is proved, and by whose key.
#[derive(Debug, Clone)]
pub struct Anchored {
    /// The anchor's receipt.
    pub receipt: receipt::Verified,
    /// Whether the key that signed the anchor counts as stolen.
    pub signing: Signing,
    /// The member whose key it is.
    pub member: MemberId,
    pub(crate) key_state: VerifiedState,
}

/// Verifies that a root, of a record or of something else with a salted digest, is in a batch that a member anchored:
/// `receipt` of the anchor, `batch` the root's place in it, `issuer_key` the registry's state of the key that signed it.
///
/// # Errors
/// [`DisclosureError`].
pub fn anchored_by(
    root: &Hash,
    (receipt, batch, issuer_key): (&[u8], &[u8], &[u8]),
    trust: &TrustRoot,
) -> Result<Anchored, DisclosureError> {
    let receipt = anchor(root, receipt, batch, trust)?;
    let part = "the issuer's key";
    let key_state = state_of(issuer_key, part, trust)?;
    let signing =
        receipt.signing(&key_state).map_err(|fault| DisclosureError::Chain { part, fault })?;
    let key: pb::KeyState = value_of(&key_state)?;
    let member = MemberId::try_from(key.member.as_slice());
    let member = member.map_err(|_| DisclosureError::NotTheIssuer)?;
    Ok(Anchored { receipt, signing, member, key_state })
}

/// Who signed a file about a record: `what` names the kind of file, `signed` is what the signature covers. The key is
/// proved by `discloser_key`, or is the one that signed the record's anchor.
pub(crate) fn discloser(
    grounds: &Grounds,
    discloser_key: &[u8],
    trust: &TrustRoot,
    (what, signed, signature): (&str, &[u8], &[u8]),
) -> Result<(KeyId, Party), DisclosureError> {
    let own;
    let proved = if discloser_key.is_empty() {
        &grounds.key_state
    } else {
        own = state_of(discloser_key, "the discloser's key", trust)?;
        if own.key == state::key_key(&grounds.anchored.signer) {
            return Err(DisclosureError::WrongEntry);
        }
        &own
    };
    let entry: pb::KeyState = value_of(proved)?;
    let key = entry.key.as_ref().filter(|key| {
        key.role() == pb::KeyRole::Signing && key.algorithm() == pb::KeyAlgorithm::Ed25519
    });
    let key = key.and_then(|key| RegisteredKey::from_state(&key.key));
    let key = key.ok_or(DisclosureError::DiscloserKey)?;
    let valid = entry.valid_to_height == 0 || entry.valid_to_height > proved.header.height.0;
    if !valid || proved.key != state::key_key(&key.id()) {
        return Err(DisclosureError::DiscloserKey);
    }
    let signed = preimage(what, trust.network.as_bytes(), &key.id(), signed);
    key.verify(&signed, signature).map_err(|_| DisclosureError::Signature)?;
    let member = MemberId::try_from(entry.member.as_slice());
    let member = member.map_err(|_| DisclosureError::WrongEntry)?;
    let named = grounds.issuer.member == member;
    let legal_name = grounds.issuer.legal_name.clone().filter(|_| named);
    Ok((key.id(), Party { member, legal_name }))
}

/// What the discloser signs.
pub(crate) fn preimage(what: &str, network: &[u8], signer: &KeyId, message: &[u8]) -> Vec<u8> {
    tag::preimage(what, &[network, signer.as_bytes(), message])
}

fn anchor(
    record: &RecordId,
    receipt: &[u8],
    place: &[u8],
    trust: &TrustRoot,
) -> Result<receipt::Verified, DisclosureError> {
    let chain = |fault| DisclosureError::Chain { part: "receipt", fault };
    let message = wire::decode(receipt, MAX_RECEIPT_BYTES);
    let mut message: pb::Receipt = message.map_err(|fault| chain(fault.into()))?;
    only_after(trust, &mut message.set_changes);
    let anchored = receipt::verify(&message, trust).map_err(chain)?;
    let Some(Payload::Anchor(anchor)) = &anchored.body.payload else {
        return Err(DisclosureError::NotAnAnchor);
    };
    let root = Hash::try_from(anchor.root.as_slice()).map_err(|_| DisclosureError::NotAnAnchor)?;
    let (position, count, path) = read_batch(place).ok_or(DisclosureError::BatchPath)?;
    if count != anchor.records {
        return Err(DisclosureError::BatchPath);
    }
    batch::verify(record, position, count, &path, &root).map_err(|_| DisclosureError::BatchPath)?;
    Ok(anchored)
}

/// `u32be position ‖ u32be count ‖ hashes`; a tree over 2^32 records has 32 levels.
pub(crate) fn read_batch(bytes: &[u8]) -> Option<(u32, u32, Vec<Hash>)> {
    let (position, rest) = bytes.split_first_chunk::<4>()?;
    let (count, rest) = rest.split_first_chunk::<4>()?;
    let (hashes, surplus) = rest.as_chunks::<32>();
    if hashes.len() > 32 || !surplus.is_empty() {
        return None;
    }
    let hashes = hashes.iter().copied().map(Hash).collect();
    Some((u32::from_be_bytes(*position), u32::from_be_bytes(*count), hashes))
}

fn state_of(
    bytes: &[u8],
    part: &'static str,
    trust: &TrustRoot,
) -> Result<VerifiedState, DisclosureError> {
    let chain = |fault: ReceiptError| DisclosureError::Chain { part, fault };
    let message = wire::decode(bytes, MAX_RECEIPT_BYTES);
    let mut message: pb::StateProof = message.map_err(|fault| chain(fault.into()))?;
    only_after(trust, &mut message.set_changes);
    receipt::verify_state(&message, trust).map_err(chain)
}

fn value_of(proved: &VerifiedState) -> Result<pb::KeyState, DisclosureError> {
    let value = proved.value.as_deref().ok_or(DisclosureError::WrongEntry)?;
    wire::decode(value, MAX_RECEIPT_BYTES).map_err(|_| DisclosureError::WrongEntry)
}

/// A file made for genesis serves who pinned a later header: the set changes before it are passed over.
pub(crate) fn only_after(trust: &TrustRoot, changes: &mut Vec<pb::SetChange>) {
    let later = |change: &pb::SetChange| {
        change.header.as_ref().is_none_or(|header| header.height > trust.height.0)
    };
    changes.retain(later);
}
