//! The offline verifier of disclosures. Refuses another receiver, fields of another record, a record that its issuer did
//! not anchor, proofs made for anything else, and whatever the discloser did not sign.
//! Specification: `proto/README.md` section 9.

use heatmark_ledger::ids::{Height, KeyId, MemberId, UnixMillis};
use heatmark_ledger::keys::RegisteredKey;
use heatmark_ledger::messages::{self as pb, body::Payload};
use heatmark_ledger::receipt::{self, ReceiptError, Signing, TrustRoot, VerifiedState};
use heatmark_ledger::state;
use heatmark_ledger::wire::{self, MAX_RECEIPT_BYTES};
use heatmark_merkle::{Hash, batch};
use heatmark_records::conformance::{Conformance, Standing};
use heatmark_records::{Head, Path, Quantity, RecordId, Relation, Said, Specification, Value};
use std::collections::BTreeMap;

use crate::DisclosureError;
use crate::disclosure::{Disclosure, own_limit_paths, preimage};

/// A member and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// The member.
    pub member: MemberId,
    /// Its legal name, where the disclosure proves it.
    pub legal_name: Option<String>,
}

/// Limits that a record was proved to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conformity {
    /// The specification.
    pub specification: Specification,
    /// What was proved of each limit.
    pub limits: Vec<(String, Standing)>,
}

/// What a verified disclosure says.
#[derive(Debug, Clone)]
pub struct Verified {
    /// The record.
    pub record: RecordId,
    /// Its head.
    pub head: Head,
    /// Who issued it.
    pub issuer: Party,
    /// Who discloses it.
    pub discloser: Party,
    /// For whom.
    pub receiver: MemberId,
    /// For what.
    pub purpose: String,
    /// When, by the discloser's clock.
    pub made: UnixMillis,
    /// The anchor.
    pub anchored: receipt::Verified,
    /// Whether the issuer's key was sound.
    pub signing: Signing,
    /// Height of the header that this is as of, and its time.
    pub as_of: (Height, UnixMillis),
    /// What the record says, ascending by path.
    pub fields: Vec<(Path, Said)>,
    /// What was proved of it.
    pub conformity: Option<Conformity>,
}

/// Reads and verifies a disclosure; `receiver` is who must have been meant, where the caller knows.
///
/// # Errors
/// [`DisclosureError`].
pub fn verify(
    bytes: &[u8],
    trust: &TrustRoot,
    receiver: Option<&MemberId>,
) -> Result<Verified, DisclosureError> {
    let disclosure = Disclosure::decode(bytes)?;
    let heading = disclosure.head.heading();
    if &heading.network != trust.network.as_bytes() {
        return Err(DisclosureError::WrongNetwork);
    }
    if receiver.is_some_and(|receiver| *receiver != disclosure.receiver) {
        return Err(DisclosureError::WrongReceiver);
    }
    let anchored = anchor(&disclosure, trust)?;
    let (issuer, signing, key_state) = issuer(&disclosure, &anchored, trust)?;
    for field in &disclosure.fields {
        field
            .verify(&disclosure.head, &disclosure.record)
            .map_err(|fault| DisclosureError::Field { path: field.path.to_string(), fault })?;
    }
    let (signer, discloser) = discloser(&disclosure, &anchored.signer, &key_state, trust)?;
    let conformity = conformity(&disclosure, &signer)?;
    let legal_name = issuer.legal_name.clone().filter(|_| issuer.member == discloser);
    Ok(Verified {
        record: disclosure.record,
        issuer,
        discloser: Party { member: discloser, legal_name },
        receiver: disclosure.receiver,
        purpose: disclosure.purpose,
        made: disclosure.made,
        anchored,
        signing,
        as_of: (key_state.header.height, key_state.header.time),
        fields: disclosure.fields.into_iter().map(|field| (field.path, field.said)).collect(),
        conformity,
        head: disclosure.head,
    })
}

fn anchor(
    disclosure: &Disclosure,
    trust: &TrustRoot,
) -> Result<receipt::Verified, DisclosureError> {
    let chain = |fault| DisclosureError::Chain { part: "receipt", fault };
    let message = wire::decode(&disclosure.chain.receipt, MAX_RECEIPT_BYTES);
    let mut message: pb::Receipt = message.map_err(|fault| chain(fault.into()))?;
    only_after(trust, &mut message.set_changes);
    let anchored = receipt::verify(&message, trust).map_err(chain)?;
    let Some(Payload::Anchor(anchor)) = &anchored.body.payload else {
        return Err(DisclosureError::NotAnAnchor);
    };
    let root = Hash::try_from(anchor.root.as_slice()).map_err(|_| DisclosureError::NotAnAnchor)?;
    let (position, count, path) =
        read_batch(&disclosure.chain.batch).ok_or(DisclosureError::BatchPath)?;
    if count != anchor.records {
        return Err(DisclosureError::BatchPath);
    }
    batch::verify(&disclosure.record, position, count, &path, &root)
        .map_err(|_| DisclosureError::BatchPath)?;
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

/// The issuer, whose key signed the anchor: by the registry's state, not by anybody's word.
fn issuer(
    disclosure: &Disclosure,
    anchored: &receipt::Verified,
    trust: &TrustRoot,
) -> Result<(Party, Signing, VerifiedState), DisclosureError> {
    let part = "the issuer's key";
    let key_state = state_of(&disclosure.chain.issuer_key, part, trust)?;
    let signing =
        anchored.signing(&key_state).map_err(|fault| DisclosureError::Chain { part, fault })?;
    let key: pb::KeyState = value_of(&key_state)?;
    let member = MemberId::from(disclosure.head.heading().issuer);
    if key.member != member.as_bytes() {
        return Err(DisclosureError::NotTheIssuer);
    }
    let member_state = state_of(&disclosure.chain.issuer, "the issuer's entry", trust)?;
    if member_state.key != state::member_key(&member) {
        return Err(DisclosureError::WrongEntry);
    }
    let entry = member_state.value.as_deref().and_then(|value| wire::decode_member(value).ok());
    let entry = entry.and_then(|state| state.entry).ok_or(DisclosureError::WrongEntry)?;
    Ok((Party { member, legal_name: Some(entry.legal_name) }, signing, key_state))
}

fn discloser(
    disclosure: &Disclosure,
    anchor_signer: &KeyId,
    anchor_state: &VerifiedState,
    trust: &TrustRoot,
) -> Result<(KeyId, MemberId), DisclosureError> {
    let own;
    let proved = if disclosure.chain.discloser_key.is_empty() {
        anchor_state
    } else {
        own = state_of(&disclosure.chain.discloser_key, "the discloser's key", trust)?;
        if own.key == state::key_key(anchor_signer) {
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
    let signed = preimage(&trust.network, &key.id(), &disclosure.signed);
    key.verify(&signed, &disclosure.signature).map_err(|_| DisclosureError::Signature)?;
    let member = MemberId::try_from(entry.member.as_slice());
    Ok((key.id(), member.map_err(|_| DisclosureError::WrongEntry)?))
}

fn conformity(
    disclosure: &Disclosure,
    signer: &KeyId,
) -> Result<Option<Conformity>, DisclosureError> {
    let Some(text) = &disclosure.specification else { return Ok(None) };
    let specification = Specification::parse(text).map_err(|_| DisclosureError::Specification)?;
    if !specification.may_be_used_by(disclosure.receiver.as_bytes()) {
        return Err(DisclosureError::NotForThisMember);
    }
    let fields = || disclosure.fields.iter().map(|field| (field.path.clone(), &field.said));
    if specification.own_limits {
        check_own_limits(&specification, &fields().collect())?;
    }
    let said: BTreeMap<Path, Said> = fields().map(|(path, said)| (path, said.hidden())).collect();
    let context = disclosure.context(signer);
    let conformance = Conformance { context: &context, specification: &specification, said: &said };
    let limits = conformance.verify(&disclosure.proofs)?;
    Ok(Some(Conformity { specification, limits }))
}

/// Limits that claim to be the certificate's own are shown by it, number for number.
fn check_own_limits(
    specification: &Specification,
    fields: &BTreeMap<Path, &Said>,
) -> Result<(), DisclosureError> {
    let mut paths = own_limit_paths(specification).into_iter();
    for limit in &specification.limits {
        let alone = limit.of.terms().len() == 1
            && limit.of.paths().next().is_some_and(|path| path.as_str() == limit.name);
        if !alone {
            return Err(DisclosureError::OwnLimits);
        }
        for bound in [&limit.minimum, &limit.maximum].into_iter().flatten() {
            let path = paths.next().ok_or(DisclosureError::OwnLimits)?;
            let Some(Said::Shown { value: Value::Measured(shown), .. }) = fields.get(&path) else {
                return Err(DisclosureError::OwnLimits);
            };
            let Quantity::Number(relation, number) = &shown.quantity else {
                return Err(DisclosureError::OwnLimits);
            };
            let plain = !matches!(relation, Relation::Less | Relation::Greater);
            if !plain || number != bound || shown.unit != limit.unit {
                return Err(DisclosureError::OwnLimits);
            }
        }
    }
    Ok(())
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
