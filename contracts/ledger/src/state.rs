//! The keys of the state map and typed reads and writes of its values, over a view that may be a
//! database, a map in memory, or either with a block's changes on top. Refuses nothing: a value
//! that does not decode is a broken store, reported as such. Specification: `proto/README.md`,
//! section 5.

use crate::ids::{AlertSubject, DealId, KeyId, MemberId, SealId, TransactionId};
use crate::wire;
use heatmark_merkle::Hash;
use heatmark_proto::ledger::v1 as pb;
use prost::Message;
use std::cell::RefCell;
use std::collections::BTreeMap;
use thiserror::Error;

/// A block's writes: `None` deletes.
pub type Changes = BTreeMap<Vec<u8>, Option<Vec<u8>>>;

/// The state cannot be read. Nothing can be decided until it can: stop, check the store.
#[derive(Debug, Error)]
pub enum StateError {
    /// The store under the view failed.
    #[error("reading the state failed")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A stored value is not a message of its kind: the store is damaged.
    #[error("the stored value of a {0} entry is damaged")]
    Damaged(&'static str),
}

/// Read access to the ledger as of a block.
pub trait StateView {
    /// Value of a state map key.
    ///
    /// # Errors
    /// When the store fails.
    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError>;

    /// Whether a transaction stands on the log.
    ///
    /// # Errors
    /// When the store fails.
    fn contains_transaction(&self, id: &TransactionId) -> Result<bool, StateError>;
}

impl<V: StateView + ?Sized> StateView for &V {
    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        (**self).value(key)
    }

    fn contains_transaction(&self, id: &TransactionId) -> Result<bool, StateError> {
        (**self).contains_transaction(id)
    }
}

/// A view with changes on top that are not stored yet. Members and keys are read from below once:
/// a block has more transactions than signers.
pub struct Overlay<'v, V: StateView + ?Sized> {
    base: &'v V,
    changes: Changes,
    registry: RefCell<BTreeMap<Vec<u8>, Option<Vec<u8>>>>,
}

impl<'v, V: StateView + ?Sized> Overlay<'v, V> {
    /// An overlay without changes.
    pub fn new(base: &'v V) -> Self {
        Self { base, changes: Changes::new(), registry: RefCell::default() }
    }

    /// The changes, to be applied or thrown away.
    #[must_use]
    pub fn into_changes(self) -> Changes {
        self.changes
    }

    /// Takes over another overlay's changes.
    pub fn absorb(&mut self, changes: Changes) {
        self.changes.extend(changes);
    }

    fn registered(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        if let Some(value) = self.registry.borrow().get(key) {
            return Ok(value.clone());
        }
        let value = self.base.value(key)?;
        self.registry.borrow_mut().insert(key.to_vec(), value.clone());
        Ok(value)
    }

    pub(crate) fn put<M: Message>(&mut self, key: Vec<u8>, message: &M) {
        self.changes.insert(key, Some(message.encode_to_vec()));
    }
}

impl<V: StateView + ?Sized> StateView for Overlay<'_, V> {
    fn value(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StateError> {
        match self.changes.get(key) {
            Some(changed) => Ok(changed.clone()),
            None if is_registry_key(key) => self.registered(key),
            None => self.base.value(key),
        }
    }

    fn contains_transaction(&self, id: &TransactionId) -> Result<bool, StateError> {
        self.base.contains_transaction(id)
    }
}

fn key(prefix: &str, ids: &[&[u8; 32]]) -> Vec<u8> {
    let mut key = prefix.as_bytes().to_vec();
    for id in ids {
        key.push(b'/');
        key.extend_from_slice(id.as_slice());
    }
    key
}

/// Key of the list of all members.
#[must_use]
pub fn members_key() -> Vec<u8> {
    key("members", &[])
}

/// Key of a member's registry entry.
#[must_use]
pub fn member_key(member: &MemberId) -> Vec<u8> {
    key("member", &[member.as_bytes()])
}

/// Key of a public key's validity.
#[must_use]
pub fn key_key(id: &KeyId) -> Vec<u8> {
    key("key", &[id.as_bytes()])
}

/// Whether a key is that of a member's or a public key's entry, which every transaction asks for.
#[must_use]
pub fn is_registry_key(key: &[u8]) -> bool {
    key.starts_with(b"key/") || key.starts_with(b"member/")
}

/// Key of the issuer's alert on a subject.
#[must_use]
pub fn alert_key(subject: &AlertSubject) -> Vec<u8> {
    key("alert", &[subject.as_bytes()])
}

/// Key of a member's concern about a subject.
#[must_use]
pub fn concern_key(subject: &AlertSubject, member: &MemberId) -> Vec<u8> {
    key("concern", &[subject.as_bytes(), member.as_bytes()])
}

/// Key of a member's newest acknowledgement of an alert or, with `concern_of`, of a concern.
#[must_use]
pub fn acknowledgement_key(
    subject: &AlertSubject,
    concern_of: Option<&MemberId>,
    member: &MemberId,
) -> Vec<u8> {
    match concern_of {
        None => key("ack", &[subject.as_bytes(), member.as_bytes()]),
        Some(of) => key("ack", &[subject.as_bytes(), of.as_bytes(), member.as_bytes()]),
    }
}

/// Key of a broken seal.
#[must_use]
pub fn seal_key(seal: &SealId) -> Vec<u8> {
    key("seal", &[seal.as_bytes()])
}

/// Key of a deal.
#[must_use]
pub fn deal_key(deal: &DealId) -> Vec<u8> {
    key("deal", &[deal.as_bytes()])
}

/// Key of how long the network stood still.
#[must_use]
pub fn deal_clock_key() -> Vec<u8> {
    key("deal-clock", &[])
}

/// Key of a proposal.
#[must_use]
pub fn proposal_key(id: &TransactionId) -> Vec<u8> {
    key("proposal", &[id.as_bytes()])
}

/// Key of the adopted proposals that wait for their time.
#[must_use]
pub fn pending_key() -> Vec<u8> {
    key("pending", &[])
}

/// Key of the network's parameters.
#[must_use]
pub fn parameters_key() -> Vec<u8> {
    key("parameters", &[])
}

/// Key of the next height's validator set.
#[must_use]
pub fn validators_key() -> Vec<u8> {
    key("validators", &[])
}

/// Key of the protocol versions.
#[must_use]
pub fn versions_key() -> Vec<u8> {
    key("versions", &[])
}

/// Key of the newest restart.
#[must_use]
pub fn restart_key() -> Vec<u8> {
    key("restart", &[])
}

/// Reads a value as its message.
///
/// # Errors
/// When the store fails or the value is damaged.
pub fn read<M: Message + Default + 'static>(
    view: &(impl StateView + ?Sized),
    key: &[u8],
    kind: &'static str,
) -> Result<Option<M>, StateError> {
    view.value(key)?
        .map(|bytes| wire::decode(&bytes, usize::MAX).map_err(|_| StateError::Damaged(kind)))
        .transpose()
}

/// A member's registry entry.
///
/// # Errors
/// When the store fails or the value is damaged.
pub fn member(
    view: &(impl StateView + ?Sized),
    id: &MemberId,
) -> Result<Option<pb::MemberState>, StateError> {
    read(view, &member_key(id), "member")
}

/// All member ids, ascending.
///
/// # Errors
/// When the store fails or the value is damaged.
pub fn members(view: &(impl StateView + ?Sized)) -> Result<Vec<MemberId>, StateError> {
    let index: pb::MemberIndex = read(view, &members_key(), "members")?.unwrap_or_default();
    index
        .members
        .iter()
        .map(|id| MemberId::try_from(id.as_slice()).map_err(|_| StateError::Damaged("members")))
        .collect()
}

/// A key's owner and validity.
///
/// # Errors
/// When the store fails or the value is damaged.
pub fn key_state(
    view: &(impl StateView + ?Sized),
    id: &KeyId,
) -> Result<Option<pb::KeyState>, StateError> {
    read(view, &key_key(id), "key")
}

/// The network's parameters.
///
/// # Errors
/// When the store fails or the value is missing or damaged.
pub fn parameters(view: &(impl StateView + ?Sized)) -> Result<pb::Parameters, StateError> {
    read(view, &parameters_key(), "parameters")?.ok_or(StateError::Damaged("parameters"))
}

/// The protocol versions.
///
/// # Errors
/// When the store fails or the value is missing or damaged.
pub fn versions(view: &(impl StateView + ?Sized)) -> Result<pb::VersionsState, StateError> {
    read(view, &versions_key(), "versions")?.ok_or(StateError::Damaged("versions"))
}

/// The alert by the issuer, or the concern of a member.
///
/// # Errors
/// When the store fails or the value is damaged.
pub fn alert(
    view: &(impl StateView + ?Sized),
    subject: &AlertSubject,
    concern_of: Option<&MemberId>,
) -> Result<Option<pb::AlertState>, StateError> {
    let key = concern_of.map_or_else(|| alert_key(subject), |m| concern_key(subject, m));
    read(view, &key, "alert")
}

/// What was done in a deal. [`crate::deal::Deal::from_state`] says what follows from it.
///
/// # Errors
/// When the store fails or the value is damaged.
pub fn deal(
    view: &(impl StateView + ?Sized),
    id: &DealId,
) -> Result<Option<pb::DealState>, StateError> {
    read(view, &deal_key(id), "deal")
}

/// How long the network stood still up to this block, all gaps together, in milliseconds.
///
/// # Errors
/// When the store fails or the value is damaged.
pub fn deal_clock(view: &(impl StateView + ?Sized)) -> Result<u64, StateError> {
    let clock: Option<pb::DealClockState> = read(view, &deal_clock_key(), "deal-clock")?;
    Ok(clock.map_or(0, |clock| clock.gaps_ms))
}

pub(crate) fn digest(bytes: &[u8]) -> Option<Hash> {
    Hash::try_from(bytes).ok()
}
