//! Capsules from the vault: what this member made and what it was shown, with paths and states from its own copy of the log.
//! Of others' records goes on what they let go on; of own ones what is chosen, and otherwise no more than it takes to check a
//! commission.

use super::described::describe;
use crate::keys::LOT_SEALS;
use crate::{Desk, DeskError, batch_proof, blocking};
use heatmark_evidence::capsule::{
    Capsule, CapsuleEntry, CapsuleEvent, CapsuleHead, CapsuleRecord, Frame, Holdings,
    MAX_CAPSULE_BYTES, assemble,
};
use heatmark_evidence::{Draft, Selection};
use heatmark_ledger::LeafIndex;
use heatmark_ledger::ids::{Height, MemberId};
use heatmark_ledger::keys::PublicKey;
use heatmark_lots::{Event, MASS_PATH, OpenLot, THEORETICAL_MASS_PATH};
use heatmark_records::{Opening, Path, RecordId, Specification};
use heatmark_vault::{Deed, LotRow, NamedRecord, StoredRecord, VaultError};
use prost::Message as _;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// What a receiver of lots is shown of own certificates.
#[derive(Debug, Clone)]
pub(super) struct Showing {
    pub(super) receiver: MemberId,
    pub(super) purpose: String,
    pub(super) show: Selection,
    /// What of that may go on.
    pub(super) onward: Selection,
    pub(super) specification: Option<Specification>,
}

/// What a capsule is made from, at one height.
pub(super) struct Shelf<'a> {
    desk: &'a Desk,
    at: Height,
    /// What is shown of own certificates; none for what it takes to check a commission.
    showing: Option<&'a Showing>,
    /// Whether it is for this member's own eyes, and tells all that it was shown of others' records.
    own_use: bool,
    /// What of which record may go on, as far as it was asked for.
    pub(super) onward: RefCell<BTreeMap<RecordId, BTreeSet<Path>>>,
    /// Heads of own records that had to be hashed.
    hashed: RefCell<Vec<NamedRecord>>,
}

impl Desk {
    /// The capsule of a lot of this member, against the newest header: with its opening for this member's own use, with all
    /// that it was shown; without for anybody, with what others let go on.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn capsule(
        &self,
        lot: String,
        concerns: Vec<MemberId>,
        opening: bool,
    ) -> Result<Vec<u8>, DeskError> {
        let desk = self.clone();
        blocking(move || {
            let row = desk.parts.vault.lot_named(&lot)?.ok_or(VaultError::UnknownLot)?;
            let shelf = Shelf { own_use: opening, ..desk.shelf(None) };
            let mut capsule = shelf.capsule_of(&row, &concerns)?;
            if opening {
                capsule.opening = row.open.to_vec();
                describe(&mut capsule, &row, &shelf)?;
                desk.parts.vault.note(&desk.actor, Deed::Export, Some(row.hash), 0)?;
            }
            encoded(&capsule)
        })
        .await
    }

    /// For whoever is shown something, or for anybody.
    pub(super) fn shelf<'a>(&'a self, showing: Option<&'a Showing>) -> Shelf<'a> {
        let at = self.parts.store.tip().height;
        Shelf {
            desk: self,
            at,
            showing,
            own_use: false,
            onward: RefCell::default(),
            hashed: RefCell::default(),
        }
    }
}

pub(super) fn encoded(capsule: &Capsule) -> Result<Vec<u8>, DeskError> {
    let bytes = capsule.encode_to_vec();
    if bytes.len() > MAX_CAPSULE_BYTES { Err(DeskError::CapsuleTooLong) } else { Ok(bytes) }
}

impl Shelf<'_> {
    /// The capsule of an own lot, with its seal shown to be whole.
    pub(super) fn capsule_of(
        &self,
        lot: &LotRow,
        concerns: &[MemberId],
    ) -> Result<Capsule, DeskError> {
        let leaf = lot.leaf_index.ok_or_else(|| VaultError::LotNotThere(lot.name.clone()))?;
        let frame = self.frame(leaf)?;
        let mut capsule = assemble((leaf, lot.output), frame, self, concerns)?;
        self.desk.parts.vault.put_named(&self.hashed.take())?;
        let seals = self.desk.parts.seed.seals(LOT_SEALS);
        let key = PublicKey::of(&seals.key(lot.seal_index)).to_bytes();
        capsule.show_seal((&key, &seals.blind(lot.seal_index)), self)?;
        Ok(capsule)
    }

    pub(super) fn frame(&self, leaf: u64) -> Result<Frame, DeskError> {
        let store = &self.desk.parts.store;
        let receipt = store.receipt(LeafIndex(leaf), Height(0), Some(self.at))?;
        let (header, certificate) = (receipt.header, receipt.certificate);
        Ok(Frame { header, certificate, set_changes: receipt.set_changes })
    }

    /// A transaction and its path to the header.
    pub(super) fn logged(&self, leaf: u64) -> Result<(Vec<u8>, Vec<u8>), DeskError> {
        let store = &self.desk.parts.store;
        let receipt = store.receipt(LeafIndex(leaf), Height(0), Some(self.at))?;
        Ok((receipt.transaction, receipt.inclusion_path.concat()))
    }

    /// What is shown of an own certificate, with the deeds noted before anything leaves.
    fn own(&self, id: &RecordId, stored: &StoredRecord) -> Result<CapsuleRecord, DeskError> {
        let parts = &self.desk.parts;
        let place = stored.row.placement.as_ref().ok_or(DeskError::NotAnchored(*id))?;
        let signer = PublicKey::of(&parts.signing).id();
        let tree = stored.tree()?;
        let (receiver, purpose) = match self.showing {
            Some(showing) => (showing.receiver, showing.purpose.as_str()),
            None => (parts.member, "own use"),
        };
        let draft = Draft::new(&stored.opening, &tree, receiver, purpose);
        let mut draft = draft.map_err(|_| DeskError::Purpose)?;
        let mut shown: u64 = 0;
        if let Some(showing) = self.showing {
            for path in showing.show.of(stored.opening.fields())? {
                draft.show(&path)?;
                shown = shown.saturating_add(1);
            }
            let onward = showing.onward.of(stored.opening.fields())?;
            self.onward.borrow_mut().insert(*id, onward);
            if let Some(specification) = &showing.specification {
                if !specification.may_be_used_by(receiver.as_bytes()) {
                    return Err(DeskError::SpecificationNotFor(receiver));
                }
                // Made first, so that a specification which cannot be proved binds nobody.
                draft.prove(specification.clone(), &signer, &mut rand::rng())?;
                let (paths, agreed) = (specification.paths(), specification.id().0);
                parts.vault.agree(id, receiver.as_bytes(), paths.iter(), &agreed)?;
                parts.vault.note(&self.desk.actor, Deed::Prove, Some(id.0), 0)?;
            }
        }
        if shown > 0 {
            parts.vault.note(&self.desk.actor, Deed::Show, Some(id.0), shown)?;
        }
        for path in [MASS_PATH, THEORETICAL_MASS_PATH] {
            draft.commit_to(&Path::new(path)?)?;
        }
        let (transaction, path) = self.logged(place.leaf_index)?;
        let (batch, leaf) = (batch_proof(place), place.leaf_index);
        let anchor = CapsuleRecord { batch, transaction, leaf, path, ..CapsuleRecord::default() };
        Ok(draft.for_capsule(&signer, anchor))
    }

    /// The opening of a record of what an own lot is, or of what was done to make it.
    fn described(
        &self,
        record: &RecordId,
        (leaf, output): (u64, u32),
    ) -> Result<Option<Opening>, DeskError> {
        let vault = &self.desk.parts.vault;
        let Some(event) = vault.lot_event_at(leaf)? else { return Ok(None) };
        let made = usize::try_from(output).ok().and_then(|output| event.outputs.get(output));
        // What was handed over is here as what went in.
        for hash in made.into_iter().chain(&event.inputs) {
            let Some(lot) = vault.lot(hash)? else { continue };
            let open = OpenLot::decode(&lot.open).map_err(|_| VaultError::Damaged)?;
            if open.lot().content.description == *record {
                return Ok(Some(Opening::decode(&lot.description)?));
            }
        }
        let body = Event::decode(&event.event).map_err(|_| VaultError::Damaged)?;
        if body.process == Some(*record)
            && let Some(process) = vault.process(&event.digest)?
        {
            return Ok(Some(process));
        }
        match vault.record(record) {
            Ok(stored) => Ok(stored.map(|stored| stored.opening)),
            Err(VaultError::Erased(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// What this member was shown of another's record, as far as it goes to whoever the capsule is for.
    fn shown(&self, id: &RecordId) -> Result<Option<CapsuleRecord>, DeskError> {
        let Some(row) = self.desk.parts.vault.upstream_record(id)? else { return Ok(None) };
        let mut record =
            CapsuleRecord::decode(row.content.as_slice()).map_err(|_| VaultError::Damaged)?;
        if self.own_use {
            let fields = self.desk.fields_opened(id)?;
            if !fields.is_empty() {
                record.learn(&CapsuleRecord { fields, ..CapsuleRecord::default() });
            }
        } else {
            let onward: BTreeSet<Path> =
                row.onward.iter().filter_map(|path| Path::new(path).ok()).collect();
            record = record.passed_on(&onward);
            self.onward.borrow_mut().insert(*id, onward);
        }
        (record.transaction, record.path) = self.logged(record.leaf)?;
        Ok(Some(record))
    }
}

impl Holdings for Shelf<'_> {
    type Error = DeskError;

    fn event(&self, leaf: u64) -> Result<Option<CapsuleEvent>, DeskError> {
        let vault = &self.desk.parts.vault;
        let (event, proofs, blinds) = match vault.lot_event_at(leaf)? {
            Some(own) => (own.event, own.proofs, own.blinds.concat()),
            None => match vault.upstream_event(leaf)? {
                Some(shown) => (shown.event, shown.proofs, shown.blinds),
                None => return Ok(None),
            },
        };
        let (transaction, path) = self.logged(leaf)?;
        Ok(Some(CapsuleEvent { transaction, leaf, path, event, proofs, blinds }))
    }

    fn record(&self, record: &RecordId) -> Result<Option<CapsuleRecord>, DeskError> {
        match self.desk.parts.vault.record(record) {
            Ok(Some(stored)) => self.own(record, &stored).map(Some),
            // Of one that was destroyed nothing can be shown any more.
            Ok(None) | Err(VaultError::Erased(_)) => self.shown(record),
            Err(error) => Err(error.into()),
        }
    }

    fn head(&self, record: &RecordId, lot: (u64, u32)) -> Result<Option<CapsuleHead>, DeskError> {
        let vault = &self.desk.parts.vault;
        if let Some(named) = vault.named(record)? {
            return Ok(Some(CapsuleHead { head: named.head, root: named.root.to_vec() }));
        }
        let Some(opening) = self.described(record, lot)? else { return Ok(None) };
        let tree = opening.tree()?;
        if tree.id() != *record {
            return Err(VaultError::Damaged.into());
        }
        let (head, root) = (opening.head().encode(), tree.root().0);
        // The next capsule does not hash it again.
        self.hashed.borrow_mut().push(NamedRecord { record: *record, head: head.clone(), root });
        Ok(Some(CapsuleHead { head, root: root.to_vec() }))
    }

    fn beside(&self, certificate: &RecordId) -> Result<Vec<RecordId>, DeskError> {
        Ok(self.desk.parts.vault.attesting(certificate)?)
    }

    fn entry(&self, key: Vec<u8>) -> Result<CapsuleEntry, DeskError> {
        let proof = self.desk.parts.store.state_proof(&key, Some(self.at), Height(0))?;
        let (present, value, proof) = (proof.present, proof.value, proof.proof);
        Ok(CapsuleEntry { key, value, present, proof })
    }
}
