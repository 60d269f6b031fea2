//! Whether a manifest is its owner's: its digest stands in an anchor on this node's own copy of the log, carried by a key of
//! the owner's. Refuses anchors of others and keys that were stolen since.

use super::DealError;
use crate::{Desk, DeskError};
use heatmark_escrow::Manifest;
use heatmark_escrow::files::DepositEvidence;
use heatmark_ledger::ids::{KeyId, MemberId, TransactionId};
use heatmark_ledger::messages::{self as pb, body::Payload};
use heatmark_ledger::{Hash, LeafIndex, state, transaction, wire};
use heatmark_merkle::batch;
use prost::Message as _;

/// `u32be position ‖ u32be count ‖ path` of the only record of a batch.
pub(super) const ALONE: [u8; 8] = [0, 0, 0, 0, 0, 0, 0, 1];

impl Desk {
    /// Checks it.
    ///
    /// # Errors
    /// [`DeskError::NotCommitted`] while this node's log has no such anchor, [`DealError::NotDeposited`] where it is not the
    /// owner's or not of this manifest.
    pub(super) fn check_deposited(
        &self,
        manifest: &Manifest,
        evidence: &[u8],
    ) -> Result<LeafIndex, DeskError> {
        let evidence = DepositEvidence::read(evidence)?;
        let receipt = pb::Receipt::decode(evidence.receipt.as_slice());
        let receipt = receipt.map_err(|_| DealError::NotDeposited)?;
        let leaf = self.anchor_leaf(&receipt.transaction)?;
        let entry = self.parts.store.entry(leaf)?.ok_or(DealError::NotDeposited)?;
        let envelope = wire::decode_envelope(&entry).map_err(|_| DealError::NotDeposited)?;
        let body = wire::decode_body(&envelope.body).map_err(|_| DealError::NotDeposited)?;
        let Some(Payload::Anchor(anchor)) = body.payload else {
            return Err(DealError::NotDeposited.into());
        };
        if !stands_in(&manifest.digest(), &anchor, &evidence.batch) {
            return Err(DealError::NotDeposited.into());
        }
        let signer = KeyId::try_from(envelope.signer.as_slice());
        let signer = signer.map_err(|_| DealError::NotDeposited)?;
        let key = state::key_state(&self.parts.store, &signer)?.ok_or(DealError::NotDeposited)?;
        let sound = key.compromised_since_height == 0;
        let by_owner = manifest.owner == key.member;
        if sound && by_owner { Ok(leaf) } else { Err(DealError::NotDeposited.into()) }
    }

    fn anchor_leaf(&self, envelope: &[u8]) -> Result<LeafIndex, DeskError> {
        let read = wire::decode_envelope(envelope).map_err(|_| DealError::NotDeposited)?;
        let signer = KeyId::try_from(read.signer.as_slice());
        let signer = signer.map_err(|_| DealError::NotDeposited)?;
        let network = self.parts.intake.network();
        let id: TransactionId = transaction::transaction_id(&network, &signer, &read.body);
        self.parts.store.find(&id)?.ok_or(DeskError::NotCommitted)
    }

    /// The members with a role that are in good standing, without this one.
    pub(super) fn members_with(&self, role: pb::Role) -> Result<Vec<MemberId>, DeskError> {
        let mut members = Vec::new();
        for id in state::members(&self.parts.store)? {
            let Some(member) = state::member(&self.parts.store, &id)? else { continue };
            let active = member.status() == pb::MemberStatus::Active;
            let has = member.entry.as_ref().is_some_and(|entry| entry.roles().any(|r| r == role));
            if active && has {
                members.push(id);
            }
        }
        Ok(members)
    }
}

fn stands_in(digest: &Hash, anchor: &pb::Anchor, proof: &[u8]) -> bool {
    let Some((position, rest)) = proof.split_first_chunk::<4>() else { return false };
    let Some((count, path)) = rest.split_first_chunk::<4>() else { return false };
    let (path, []) = path.as_chunks::<32>() else { return false };
    let path: Vec<Hash> = path.iter().map(|hash| Hash(*hash)).collect();
    let (position, count) = (u32::from_be_bytes(*position), u32::from_be_bytes(*count));
    let Ok(root) = Hash::try_from(anchor.root.as_slice()) else { return false };
    count == anchor.records && batch::verify(digest, position, count, &path, &root).is_ok()
}
