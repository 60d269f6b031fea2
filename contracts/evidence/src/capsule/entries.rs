//! Entries of the state map that a capsule carries, each proved against its one header: keys, members, alerts, concerns and
//! the lot's own seal. Refuses an entry that is not proved; what is not there is not known.

use heatmark_ledger::header::Header;
use heatmark_ledger::ids::{AlertSubject, KeyId, MemberId, SealId};
use heatmark_ledger::messages as pb;
use heatmark_ledger::state;
use heatmark_ledger::wire::{self, MAX_RECEIPT_BYTES};
use heatmark_merkle::map::MapProof;
use prost::Message;
use std::collections::BTreeMap;

use super::{CapsuleEntry, CapsuleError};

/// Entries by key, with their values where they are present.
pub(super) struct Entries(BTreeMap<Vec<u8>, Option<Vec<u8>>>);

impl Entries {
    pub(super) fn verify(entries: &[CapsuleEntry], header: &Header) -> Result<Self, CapsuleError> {
        let mut verified = BTreeMap::new();
        for entry in entries {
            if !entry.present && !entry.value.is_empty() {
                return Err(CapsuleError::NotCanonical);
            }
            let value = entry.present.then(|| entry.value.clone());
            MapProof::from_bytes(&entry.proof)
                .and_then(|map| map.verify(&header.state_root, &entry.key, value.as_deref()))
                .map_err(|_| CapsuleError::Entry)?;
            verified.insert(entry.key.clone(), value);
        }
        Ok(Self(verified))
    }

    /// The value of an entry: none where the capsule does not tell, nothing within where there is none.
    fn value<M: Message + Default + 'static>(&self, key: &[u8]) -> Option<Option<M>> {
        match self.0.get(key)? {
            None => Some(None),
            Some(value) => wire::decode(value, MAX_RECEIPT_BYTES).ok().map(Some),
        }
    }

    pub(super) fn key(&self, id: &KeyId) -> Option<pb::KeyState> {
        self.value(&state::key_key(id))?
    }

    pub(super) fn legal_name(&self, member: &MemberId) -> Option<String> {
        Some(self.member(member)?.legal_name)
    }

    /// A member's entry in the registry.
    pub(super) fn member(&self, member: &MemberId) -> Option<pb::MemberEntry> {
        let value = self.0.get(&state::member_key(member))?.as_deref()?;
        wire::decode_member(value).ok()?.entry
    }

    /// The issuer's alert on a subject.
    pub(super) fn alert(&self, subject: &AlertSubject) -> Option<pb::AlertLevel> {
        self.level(&state::alert_key(subject))
    }

    /// A member's concern about a subject.
    pub(super) fn concern(
        &self,
        subject: &AlertSubject,
        member: &MemberId,
    ) -> Option<pb::AlertLevel> {
        self.level(&state::concern_key(subject, member))
    }

    fn level(&self, key: &[u8]) -> Option<pb::AlertLevel> {
        let alert = self.value::<pb::AlertState>(key)?;
        Some(alert.map_or(pb::AlertLevel::Clear, |alert| alert.level()))
    }

    /// Whether a seal was broken.
    pub(super) fn is_broken(&self, seal: &SealId) -> Option<bool> {
        self.0.get(&state::seal_key(seal)).map(Option::is_some)
    }
}
