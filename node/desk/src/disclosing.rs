//! Disclosures: chosen fields of an own record shown, or proved to keep limits, to one member and for one purpose, and
//! signed by the node, once the vault's log says for whom it was done. Refuses records that are not anchored yet, receivers that the registry does not know, limits that
//! the record does not keep, and a second specification for what was proved to the receiver already.

use crate::{Desk, DeskError, blocking};
use heatmark_evidence::{Draft, Proofs, Selection};
use heatmark_ledger::ids::{Height, KeyId, MemberId};
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::messages as pb;
use heatmark_ledger::{LeafIndex, state};
use heatmark_records::{RecordId, Specification};
use heatmark_vault::{Deed, Placement};
use prost::Message as _;

/// The limits that are to be proved.
#[derive(Debug, Clone)]
pub enum Limits {
    /// A specification's.
    Of(Specification),
    /// Those that the certificate itself gives.
    Own,
}

/// What is to be disclosed, to whom, for what.
#[derive(Debug, Clone)]
pub struct Disclose {
    /// An own record.
    pub record: RecordId,
    /// Who it is for.
    pub receiver: MemberId,
    /// What it is for, in words that both sides will read.
    pub purpose: String,
    /// What is shown.
    pub fields: Selection,
    /// What is proved.
    pub limits: Option<Limits>,
}

impl Desk {
    /// Makes a disclosure and gives the file's bytes.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn disclose(&self, what: Disclose) -> Result<Vec<u8>, DeskError> {
        let desk = self.clone();
        blocking(move || desk.make_disclosure(what)).await
    }

    fn make_disclosure(&self, what: Disclose) -> Result<Vec<u8>, DeskError> {
        let Disclose { record, receiver, purpose, fields, limits } = what;
        if state::member(&self.parts.store, &receiver)?.is_none() {
            return Err(DeskError::UnknownMember(receiver));
        }
        let stored = self.parts.vault.record(&record)?.ok_or(DeskError::UnknownRecord(record))?;
        let place = stored.row.placement.clone().ok_or(DeskError::NotAnchored(record))?;
        let signer = PublicKey::of(&self.parts.signing).id();
        let tree = stored.tree()?;
        let mut draft = Draft::new(&stored.opening, &tree, receiver, &purpose)
            .map_err(|_| DeskError::Purpose)?;
        let mut shown: u64 = 0;
        for path in fields.of(stored.opening.fields())? {
            draft.show(&path)?;
            shown = shown.saturating_add(1);
        }
        let mut deeds = Vec::from_iter((shown > 0).then_some((Deed::Show, shown)));
        if let Some(limits) = limits {
            let specification = match limits {
                Limits::Of(specification) => specification,
                Limits::Own => {
                    Specification::own_limits_of(&stored.opening).ok_or(DeskError::NoOwnLimits)?
                }
            };
            if !specification.may_be_used_by(receiver.as_bytes()) {
                return Err(DeskError::SpecificationNotFor(receiver));
            }
            // Made first, so that a specification which cannot be proved binds nobody; noted before it leaves.
            draft.prove(specification.clone(), &signer, &mut rand::rng())?;
            let (paths, id) = (specification.paths(), specification.id().0);
            self.parts.vault.agree(&record, receiver.as_bytes(), paths.iter(), &id)?;
            deeds.push((Deed::Prove, 0));
        }
        if draft.is_empty() {
            return Err(DeskError::NothingDisclosed);
        }
        let chain = self.chain(&place, &signer)?;
        for (deed, number) in deeds {
            self.parts.vault.note(&self.actor, deed, Some(record.0), number)?;
        }
        Ok(draft.sign(self.tip().time, chain, &self.parts.signing))
    }

    /// What ties a record to the log, to its issuer and to the key that signs now.
    pub(crate) fn chain(&self, place: &Placement, signer: &KeyId) -> Result<Proofs, DeskError> {
        let store = &self.parts.store;
        let receipt = store.receipt(LeafIndex(place.leaf_index), Height(0), None)?;
        let envelope = pb::Envelope::decode(receipt.transaction.as_slice());
        let damaged = heatmark_store::StoreError::Damaged("log entries");
        let envelope = envelope.map_err(|_| damaged)?;
        let anchor_key = KeyId::try_from(envelope.signer.as_slice())
            .map_err(|_| heatmark_store::StoreError::Damaged("log entries"))?;
        let state_of = |key: Vec<u8>| {
            Ok::<_, DeskError>(store.state_proof(&key, None, Height(0))?.encode_to_vec())
        };
        let discloser_key =
            if anchor_key == *signer { Vec::new() } else { state_of(state::key_key(signer))? };
        Ok(Proofs {
            batch: batch_proof(place),
            receipt: receipt.encode_to_vec(),
            issuer_key: state_of(state::key_key(&anchor_key))?,
            issuer: state_of(state::member_key(&self.parts.member))?,
            discloser_key,
        })
    }
}

/// A record's place in its anchor: `u32be position ‖ u32be count ‖ 32 bytes a hash, leaf to root`.
#[must_use]
pub fn batch_proof(placement: &Placement) -> Vec<u8> {
    let mut proof = placement.position.to_be_bytes().to_vec();
    proof.extend_from_slice(&placement.count.to_be_bytes());
    for hash in &placement.path {
        proof.extend_from_slice(&hash.0);
    }
    proof
}
