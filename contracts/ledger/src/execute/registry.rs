//! The registry of members and keys. Refuses entries that break its form, keys it knows already,
//! and changes that the member's root key has not signed. Specification: `proto/README.md`,
//! sections 2 and 3.

use super::{Context, ExecutionError, expect_cosigners, member_field};
use crate::ids::{Height, MemberId, NetworkId};
use crate::keys::{self, PublicKey};
use crate::refusal::Refusal;
use crate::state::{self, Overlay, StateError, StateView};
use crate::transaction::Transaction;
use heatmark_proto::ledger::v1 as pb;

const MAX_NAME_CHARS: usize = 200;
const MAX_IDENTIFIERS: usize = 16;
const MAX_IDENTIFIER_CHARS: usize = 64;
const SCHEMES: [&str; 5] = ["cmrt-smelter", "gln", "gs1-prefix", "lei", "melt-shop"];

/// Whether an entry has the form that the registry asks for: names, identifiers, roles and keys
/// within bounds and in order, Ed25519 keys acceptable.
///
/// # Errors
/// [`Refusal::Entry`] or [`Refusal::Key`].
pub fn check_entry(entry: &pb::MemberEntry) -> Result<(), Refusal> {
    let name = &entry.legal_name;
    let printable = name.chars().all(|c| !c.is_control());
    if name.trim() != name || name.is_empty() || !printable || name.chars().count() > MAX_NAME_CHARS
    {
        return Err(Refusal::Entry("a legal name has 1 to 200 printable characters"));
    }
    if entry.country.len() != 2 || !entry.country.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(Refusal::Entry("a country is two capital letters of ISO 3166-1"));
    }
    check_identifiers(&entry.identifiers)?;
    check_roles(&entry.roles)?;
    check_keys(entry)
}

fn check_identifiers(identifiers: &[pb::Identifier]) -> Result<(), Refusal> {
    if identifiers.len() > MAX_IDENTIFIERS {
        return Err(Refusal::Entry("at most 16 identifiers"));
    }
    for identifier in identifiers {
        let value = &identifier.value;
        let fits = !value.is_empty()
            && value.len() <= MAX_IDENTIFIER_CHARS
            && value.bytes().all(|b| b.is_ascii_graphic());
        if !SCHEMES.contains(&identifier.scheme.as_str()) || !fits {
            return Err(Refusal::Entry(
                "an identifier is lei, gln, gs1-prefix, melt-shop or cmrt-smelter, and a value of 1 to 64 characters",
            ));
        }
    }
    let order =
        |a: &pb::Identifier, b: &pb::Identifier| (&a.scheme, &a.value) < (&b.scheme, &b.value);
    if identifiers.is_sorted_by(order) {
        Ok(())
    } else {
        Err(Refusal::Entry("identifiers must ascend, each once"))
    }
}

/// Whether roles are known, ascending and each once.
pub(super) fn check_roles(roles: &[i32]) -> Result<(), Refusal> {
    let known = roles
        .iter()
        .all(|role| pb::Role::try_from(*role).is_ok_and(|role| role != pb::Role::Unspecified));
    if known && !roles.is_empty() && roles.is_sorted_by(|a, b| a < b) {
        Ok(())
    } else {
        Err(Refusal::Entry("roles must be known, ascending, at least one"))
    }
}

fn check_keys(entry: &pb::MemberEntry) -> Result<(), Refusal> {
    use pb::KeyRole::{Consensus, Envelope, P2p, Root, Signing};
    let validator = entry.roles.contains(&(pb::Role::Validator as i32));
    let needed: &[pb::KeyRole] = if validator {
        &[Root, Signing, P2p, Envelope, Consensus]
    } else {
        &[Root, Signing, P2p, Envelope]
    };
    if !entry.keys.iter().map(pb::PublicKey::role).eq(needed.iter().copied()) {
        return Err(Refusal::Entry(
            "keys must be root, signing, p2p and envelope, and consensus for validators only",
        ));
    }
    entry.keys.iter().try_for_each(check_key)
}

/// Whether a key has its role's algorithm and an acceptable encoding.
pub(super) fn check_key(key: &pb::PublicKey) -> Result<(), Refusal> {
    let expected = match key.role() {
        pb::KeyRole::Envelope => pb::KeyAlgorithm::X25519,
        _ => pb::KeyAlgorithm::Ed25519,
    };
    if key.algorithm() != expected || key.role() == pb::KeyRole::Unspecified {
        return Err(Refusal::Entry("a key's algorithm does not fit its role"));
    }
    match expected {
        pb::KeyAlgorithm::X25519 if key.key.len() == 32 && key.key.iter().any(|b| *b != 0) => {
            Ok(())
        }
        pb::KeyAlgorithm::X25519 => Err(Refusal::Entry("an envelope key has 32 bytes, not all 0")),
        _ => Ok(PublicKey::from_bytes(&key.key).map(|_| ())?),
    }
}

fn id_of(key: &pb::PublicKey) -> crate::ids::KeyId {
    keys::key_id(key.algorithm(), &key.key)
}

/// The id an entry's member will have.
pub(crate) fn member_id_of(network: &NetworkId, entry: &pb::MemberEntry) -> Option<MemberId> {
    let root = entry.keys.iter().find(|key| key.role() == pb::KeyRole::Root)?;
    Some(keys::member_id(network, &id_of(root)))
}

/// Whether none of the entry's keys, nor its member, is known.
pub(super) fn check_unknown(
    view: &(impl StateView + ?Sized),
    network: &NetworkId,
    entry: &pb::MemberEntry,
) -> Result<(), ExecutionError> {
    let mut ids = Vec::new();
    for key in &entry.keys {
        let id = id_of(key);
        if ids.contains(&id) || state::key_state(view, &id)?.is_some() {
            return Err(Refusal::KeyInUse.into());
        }
        ids.push(id);
    }
    let member = member_id_of(network, entry).ok_or(Refusal::Entry("no root key"))?;
    if state::member(view, &member)?.is_some() {
        return Err(Refusal::KeyInUse.into());
    }
    Ok(())
}

/// Writes a checked entry; its keys are valid from `from`.
pub(crate) fn enter<V: StateView + ?Sized>(
    state: &mut Overlay<'_, V>,
    network: &NetworkId,
    entry: &pb::MemberEntry,
    (since, from): (Height, Height),
) -> Result<MemberId, ExecutionError> {
    let member = member_id_of(network, entry).ok_or(Refusal::Entry("no root key"))?;
    let mut all = state::members(state)?;
    if let Err(position) = all.binary_search(&member) {
        all.insert(position, member);
    }
    let index = pb::MemberIndex { members: all.iter().map(MemberId::to_vec).collect() };
    state.put(state::members_key(), &index);
    for key in &entry.keys {
        put_key(state, &member, key, from);
    }
    let entry = pb::MemberState {
        entry: Some(entry.clone()),
        status: pb::MemberStatus::Active as i32,
        since_height: since.0,
    };
    state.put(state::member_key(&member), &entry);
    Ok(member)
}

fn put_key<V: StateView + ?Sized>(
    state: &mut Overlay<'_, V>,
    member: &MemberId,
    key: &pb::PublicKey,
    from: Height,
) {
    let entry = pb::KeyState {
        member: member.to_vec(),
        key: Some(key.clone()),
        valid_from_height: from.0,
        valid_to_height: 0,
        compromised_since_height: 0,
    };
    state.put(state::key_key(&id_of(key)), &entry);
}

fn retire_key<V: StateView + ?Sized>(
    state: &mut Overlay<'_, V>,
    key: &pb::PublicKey,
    to: Height,
    compromised_since: u64,
) -> Result<(), ExecutionError> {
    let id = id_of(key);
    let mut entry = state::key_state(state, &id)?.ok_or(StateError::Damaged("key"))?;
    if entry.valid_to_height == 0 {
        entry.valid_to_height = to.0;
    }
    if compromised_since != 0 {
        entry.compromised_since_height = compromised_since;
    }
    state.put(state::key_key(&id), &entry);
    Ok(())
}

/// A member with its entry, when it is in the registry.
pub(super) fn existing(
    view: &(impl StateView + ?Sized),
    member: &MemberId,
) -> Result<(pb::MemberState, pb::MemberEntry), ExecutionError> {
    let found = state::member(view, member)?.ok_or(Refusal::UnknownMember)?;
    let entry = found.entry.clone().ok_or(StateError::Damaged("member"))?;
    Ok((found, entry))
}

fn check_root(entry: &pb::MemberEntry, given: Option<&PublicKey>) -> Result<(), Refusal> {
    let root = entry.keys.iter().find(|key| key.role() == pb::KeyRole::Root);
    let matches = root.zip(given).is_some_and(|(root, given)| root.key == given.to_bytes());
    if matches { Ok(()) } else { Err(Refusal::Cosignatures) }
}

/// Puts `new` in the place of the member's key of the same role.
pub(super) fn replace_key<V: StateView + ?Sized>(
    state: &mut Overlay<'_, V>,
    member: &MemberId,
    (new, compromised_since): (&pb::PublicKey, u64),
    height: Height,
) -> Result<(), ExecutionError> {
    let (mut found, mut entry) = existing(state, member)?;
    let slot = entry
        .keys
        .iter_mut()
        .find(|key| key.role == new.role)
        .ok_or(Refusal::Entry("the member has no key of this role"))?;
    let old = std::mem::replace(slot, new.clone());
    found.entry = Some(entry);
    retire_key(state, &old, height.next(), compromised_since)?;
    put_key(state, member, new, height.next());
    state.put(state::member_key(member), &found);
    Ok(())
}

pub(super) fn rotate<V: StateView + ?Sized>(
    state: &mut Overlay<'_, V>,
    context: &Context,
    transaction: &Transaction,
    rotate: &pb::RotateKey,
) -> Result<(), ExecutionError> {
    let member = member_field(&rotate.member)?;
    let new = rotate.new_key.as_ref().ok_or(Refusal::Field("new_key"))?;
    check_key(new)?;
    if new.role() == pb::KeyRole::Root {
        return Err(Refusal::Entry("a root key is replaced by vote").into());
    }
    if rotate.compromised_since > context.env.height.0 {
        return Err(Refusal::Field("compromised_since").into());
    }
    let proves_new = new.algorithm() == pb::KeyAlgorithm::Ed25519;
    let purposes: &[pb::CoSigner] = if proves_new {
        &[pb::CoSigner::Root, pb::CoSigner::NewKey]
    } else {
        &[pb::CoSigner::Root]
    };
    let keys = expect_cosigners(transaction, purposes)?;
    let (found, entry) = existing(state, &member)?;
    if found.status() == pb::MemberStatus::Left {
        return Err(Refusal::MemberNotActive.into());
    }
    check_root(&entry, keys.first())?;
    if proves_new && keys.get(1).is_none_or(|key| key.to_bytes().as_slice() != new.key) {
        return Err(Refusal::Cosignatures.into());
    }
    if state::key_state(state, &id_of(new))?.is_some() {
        return Err(Refusal::KeyInUse.into());
    }
    replace_key(state, &member, (new, rotate.compromised_since), context.env.height)
}

pub(super) fn leave<V: StateView + ?Sized>(
    state: &mut Overlay<'_, V>,
    context: &Context,
    transaction: &Transaction,
    leave: &pb::Leave,
) -> Result<(), ExecutionError> {
    let member = member_field(&leave.member)?;
    let keys = expect_cosigners(transaction, &[pb::CoSigner::Root])?;
    let (mut found, entry) = existing(state, &member)?;
    check_root(&entry, keys.first())?;
    if found.status() == pb::MemberStatus::Left {
        return Err(Refusal::MemberNotActive.into());
    }
    if super::governance::power_of(state, &[member])? > 0 {
        return Err(Refusal::StillValidator.into());
    }
    for key in &entry.keys {
        retire_key(state, key, context.env.height.next(), 0)?;
    }
    found.status = pb::MemberStatus::Left as i32;
    found.since_height = context.env.height.0;
    state.put(state::member_key(&member), &found);
    Ok(())
}

/// Changes a member's standing between active and suspended.
pub(super) fn set_status<V: StateView + ?Sized>(
    state: &mut Overlay<'_, V>,
    member: &MemberId,
    status: pb::MemberStatus,
    height: Height,
) -> Result<(), ExecutionError> {
    let (mut found, _) = existing(state, member)?;
    found.status = status as i32;
    found.since_height = height.0;
    state.put(state::member_key(member), &found);
    Ok(())
}
