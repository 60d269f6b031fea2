//! Proof against validators that signed twice: kept within bounds, and made portable on request.
//! Refuses to keep more of one validator than convicts it, so that no liar fills the disk or crowds
//! out the proof against another. Specification: `proto/README.md`, section 7.

use crate::disk::{Batch, Durability, Walk};
use crate::error::StoreError;
use crate::schema::{EVIDENCE, slot_key};
use crate::store::Store;
use heatmark_ledger::evidence::{Equivocation, MAX_EVIDENCE_BYTES};
use heatmark_ledger::ids::{Height, MemberId};
use heatmark_ledger::keys::key_id;
use heatmark_ledger::{state, wire};
use heatmark_proto::ledger::v1 as pb;
use prost::Message;

/// Most equivocations kept of one validator at one height.
pub const MAX_EVIDENCE_AT_HEIGHT: usize = 4;

/// Most equivocations kept of one validator.
pub const MAX_EVIDENCE_OF_VALIDATOR: usize = 64;

/// Most equivocations kept.
pub const MAX_EVIDENCE: usize = 4_096;

/// What became of an equivocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It is kept now.
    New,
    /// It was kept already.
    Known,
    /// There is enough of this validator, or altogether.
    Enough,
}

fn key_of(height: Height, bytes: &[u8]) -> Vec<u8> {
    slot_key(height.0, &heatmark_merkle::tag::hash("evidence", &[bytes]).0)
}

impl Store {
    /// Keeps an equivocation, synced; the same one is kept once.
    ///
    /// # Errors
    /// When the database fails.
    pub fn keep_evidence(&self, equivocation: &Equivocation) -> Result<Kept, StoreError> {
        let bytes = equivocation.to_proto().encode_to_vec();
        let key = key_of(equivocation.height, &bytes);
        if self.shared.disk.get(EVIDENCE, &key)?.is_some() {
            return Ok(Kept::Known);
        }
        let kept = self.evidence()?;
        let all = kept.len();
        let of_validator = kept.iter().filter(|one| one.validator == equivocation.validator);
        let at_height = of_validator.clone().filter(|one| one.height == equivocation.height);
        let (of_validator, at_height) = (of_validator.count(), at_height.count());
        if all >= MAX_EVIDENCE
            || of_validator >= MAX_EVIDENCE_OF_VALIDATOR
            || at_height >= MAX_EVIDENCE_AT_HEIGHT
        {
            return Ok(Kept::Enough);
        }
        let mut batch = Batch::new();
        batch.put(EVIDENCE, key, bytes);
        self.shared.disk.write(batch, Durability::Synced)?;
        Ok(Kept::New)
    }

    /// All equivocations kept, oldest height first; at most [`MAX_EVIDENCE`].
    ///
    /// # Errors
    /// When the database fails or is damaged.
    pub fn evidence(&self) -> Result<Vec<Equivocation>, StoreError> {
        let damaged = || StoreError::Damaged("evidence");
        let mut all = self
            .shared
            .disk
            .walk(EVIDENCE, Walk::First)
            .take(MAX_EVIDENCE)
            .map(|item| {
                let (_, bytes) = item?;
                let message: pb::Equivocation =
                    wire::decode(&bytes, MAX_EVIDENCE_BYTES).map_err(|_| damaged())?;
                Equivocation::from_proto(&message).map_err(|_| damaged())
            })
            .collect::<Result<Vec<_>, StoreError>>()?;
        all.sort_by_key(|equivocation| (equivocation.height, equivocation.round));
        Ok(all)
    }

    /// An equivocation with all that a third party needs who trusts height `trusted`: the header
    /// that names the height's validators, and the registry's entries of the key and its owner.
    ///
    /// # Errors
    /// [`StoreError::NotAvailable`] when it is not later than `trusted`, or is of a height that is
    /// not committed here; otherwise when the database fails.
    pub fn portable_evidence(
        &self,
        equivocation: &Equivocation,
        trusted: Height,
    ) -> Result<pb::Evidence, StoreError> {
        if equivocation.height <= trusted {
            return Err(StoreError::NotAvailable("evidence later than the trust root"));
        }
        let mut evidence =
            pb::Evidence { equivocation: Some(equivocation.to_proto()), ..Default::default() };
        if equivocation.height > trusted.next() {
            let before = equivocation.height.previous();
            let missing = || StoreError::NotAvailable("the header before the equivocation");
            let (header, certificate) = self.header(before)?.ok_or_else(missing)?;
            let set = self.validators(equivocation.height)?.ok_or_else(missing)?;
            evidence.header = Some(header.to_proto());
            evidence.certificate = Some(certificate.to_proto());
            evidence.set_changes = self.set_changes(trusted, before)?;
            evidence.validators = Some(set.to_proto());
        }
        let id = key_id(pb::KeyAlgorithm::Ed25519, &equivocation.validator);
        evidence.key = self.entry_proof(&state::key_key(&id), trusted)?;
        let owner = evidence.key.as_ref().and_then(|proof| {
            let key = pb::KeyState::decode(proof.value.as_slice()).ok()?;
            MemberId::try_from(key.member.as_slice()).ok()
        });
        if let Some(owner) = owner {
            evidence.member = self.entry_proof(&state::member_key(&owner), trusted)?;
        }
        Ok(evidence)
    }

    /// A registry entry at the newest height; none where the registry has none, or no header yet
    /// that is later than the trust root.
    fn entry_proof(
        &self,
        key: &[u8],
        trusted: Height,
    ) -> Result<Option<pb::StateProof>, StoreError> {
        match self.state_proof(key, None, trusted) {
            Ok(proof) => Ok(Some(proof).filter(|proof| proof.present)),
            Err(StoreError::NotAvailable(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
