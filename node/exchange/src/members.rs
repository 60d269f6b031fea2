//! Who may connect: the registry's members, under the peer ids of their p2p keys. A suspended
//! member stays connected, since it may still raise and acknowledge alerts; one that left does not.

use ed25519_dalek::SigningKey;
use heatmark_ledger::ids::MemberId;
use heatmark_ledger::state::{self, StateError, StateView};
use heatmark_proto::ledger::v1 as pb;
use libp2p::PeerId;
use libp2p::identity::{PublicKey, ed25519};
use std::collections::HashMap;

/// A member's key on the exchange network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerKey {
    /// The member.
    pub member: MemberId,
    /// Its Ed25519 p2p key, 32 bytes.
    pub key: [u8; 32],
}

/// The keys of all members that may connect, active and suspended.
///
/// # Errors
/// When the store fails or an entry is damaged.
pub fn member_peers(view: &(impl StateView + ?Sized)) -> Result<Vec<PeerKey>, StateError> {
    let mut peers = Vec::new();
    for member in state::members(view)? {
        let entry = state::member(view, &member)?.ok_or(StateError::Damaged("member"))?;
        let may_connect =
            matches!(entry.status(), pb::MemberStatus::Active | pb::MemberStatus::Suspended);
        let keys = entry.entry.map(|entry| entry.keys).unwrap_or_default();
        let key = keys.iter().find(|key| key.role() == pb::KeyRole::P2p);
        let key = key.and_then(|key| key.key.as_slice().try_into().ok());
        if let (true, Some(key)) = (may_connect, key) {
            peers.push(PeerKey { member, key });
        }
    }
    Ok(peers)
}

/// The peer id of a p2p key, as it stands at the end of an address.
#[must_use]
pub fn peer_id(key: &SigningKey) -> Option<PeerId> {
    peer_id_of(key.verifying_key().as_bytes())
}

fn peer_id_of(key: &[u8; 32]) -> Option<PeerId> {
    let key = ed25519::PublicKey::try_from_bytes(key).ok()?;
    Some(PublicKey::from(key).to_peer_id())
}

/// Members by peer id.
pub(crate) fn by_peer_id(keys: &[PeerKey]) -> HashMap<PeerId, MemberId> {
    keys.iter().filter_map(|key| Some((peer_id_of(&key.key)?, key.member))).collect()
}
