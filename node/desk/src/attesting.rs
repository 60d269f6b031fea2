//! Attesting: results of the own laboratory, or an inspector's confirmation, made into a record about somebody else's; and
//! proofs that own and others' results agree. What others disclosed is verified as they made it for this member, and
//! fields are bound by the leaves that were shown. Refuses to attest what this member issued itself.

use crate::{CertificateFile, Committed, Desk, DeskError, PublishEvent, blocking};
use heatmark_evidence::{AgreementDraft, Disclosure, Selection, Side, Verified, check_purpose};
use heatmark_ledger::ids::{Height, MemberId, TransactionId};
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::receipt::Signing;
use heatmark_ledger::{LeafIndex, state};
use heatmark_merkle::Hash;
use heatmark_records::conformance::agreement::Tolerances;
use heatmark_records::forms::{self, Attests};
use heatmark_records::{Fields, Path, RecordId, Said, Value};
use heatmark_vault::Deed;
use std::collections::BTreeMap;
use tokio::sync::mpsc;

/// Most disclosures that one attestation rests on.
pub const MAX_DISCLOSURES: usize = 16;

/// What is to be attested.
#[derive(Debug, Clone)]
pub struct Attest {
    /// Somebody else's record.
    pub record: RecordId,
    /// The results, or an inspector's report, in any form that can be published.
    pub file: CertificateFile,
    /// Disclosures of the record to this member.
    pub disclosures: Vec<Vec<u8>>,
    /// Fields shown in them that are confirmed without a result of one's own.
    pub confirms: Selection,
}

/// An attestation that stands on the log.
#[derive(Debug, Clone)]
pub struct MadeAttestation {
    /// Its record.
    pub record: RecordId,
    /// Its form.
    pub form: String,
    /// How many fields it has.
    pub fields: u32,
    /// Whether it was made before, and stood already.
    pub already_published: bool,
    /// What of it is out of accreditation, and what else its readers will be told.
    pub warnings: Vec<String>,
    /// Properties with the leaf that each is bound to.
    pub bound: Vec<Path>,
    /// Its anchor.
    pub committed: Committed,
}

/// What is to be proved to agree.
#[derive(Debug, Clone)]
pub struct Agree {
    /// An own record.
    pub record: RecordId,
    /// A disclosure of another record to this member, which shows the same paths.
    pub with: Vec<u8>,
    /// By how much the numbers may differ.
    pub tolerances: Tolerances,
    /// Who it is for.
    pub receiver: MemberId,
    /// What it is for, in words that both sides will read.
    pub purpose: String,
}

/// A file read for attesting, with what it will bind.
struct Ready {
    file: CertificateFile,
    warnings: Vec<String>,
    bound: Vec<Path>,
}

impl Desk {
    /// Makes a record that attests somebody else's, and anchors it.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn attest(&self, what: Attest) -> Result<MadeAttestation, DeskError> {
        let desk = self.clone();
        let Ready { file, warnings, bound } =
            blocking(move || desk.ready_attestation(what)).await?;
        let (sender, files) = mpsc::channel(1);
        sender.send(file).await.map_err(|_| DeskError::Stopped)?;
        drop(sender);
        let mut heard = self.publish(files);
        let (mut made, mut committed) = (None, None);
        while let Some(event) = heard.recv().await {
            match event? {
                PublishEvent::Read { record_id, form, fields, already_published, .. } => {
                    made = Some((record_id, form, fields, already_published));
                }
                PublishEvent::Refused { faults, .. } => return Err(DeskError::Faults(faults)),
                PublishEvent::Anchored { transaction_id, receipt, leaf_index, .. } => {
                    committed =
                        Some(Committed { id: transaction_id, leaf_index, receipt: *receipt });
                }
            }
        }
        let (record, form, fields, already_published) = made.ok_or(DeskError::Stopped)?;
        let committed = match committed {
            Some(committed) => committed,
            None => {
                let desk = self.clone();
                blocking(move || desk.standing(record)).await?
            }
        };
        Ok(MadeAttestation { record, form, fields, already_published, warnings, bound, committed })
    }

    /// The anchor of a record that was published before.
    fn standing(&self, record: RecordId) -> Result<Committed, DeskError> {
        let stored = self.parts.vault.record(&record)?.ok_or(DeskError::UnknownRecord(record))?;
        let place = stored.row.placement.ok_or(DeskError::NotAnchored(record))?;
        let leaf_index = LeafIndex(place.leaf_index);
        let receipt = self.parts.store.receipt(leaf_index, Height(0), None)?;
        Ok(Committed { id: TransactionId::from(place.transaction_id), leaf_index, receipt })
    }

    fn ready_attestation(&self, what: Attest) -> Result<Ready, DeskError> {
        let Attest { record, mut file, disclosures, confirms } = what;
        if disclosures.len() > MAX_DISCLOSURES {
            return Err(DeskError::TooManyDisclosures);
        }
        if !self.parts.vault.records(&record.0, 1)?.is_empty() {
            return Err(DeskError::OwnRecord(record));
        }
        let mut warnings = Vec::new();
        let (mut shown, mut leaves) = (Fields::new(), BTreeMap::new());
        for bytes in &disclosures {
            let verified = self.verified(bytes)?;
            if verified.record != record {
                return Err(DeskError::OtherRecord(verified.record));
            }
            if verified.issuer.member == self.parts.member {
                return Err(DeskError::OwnRecord(record));
            }
            if let Signing::Suspect { since } = verified.signing {
                warnings.push(format!("the issuer's key counts as stolen from block {since} on"));
            }
            take_shown(verified, &mut shown, &mut leaves)?;
        }
        let mut attests = Attests { record, leaves, confirms: confirms.of(&shown)? };
        let certificate = forms::read_attesting(&file.content, &file.beside, Some(&attests));
        let certificate = certificate.map_err(|faults| {
            DeskError::Faults(faults.iter().map(ToString::to_string).collect())
        })?;
        let mut bound = Vec::new();
        if let Some(attestation) = certificate.attests() {
            warnings.extend(attestation.warnings());
            let leaves = attestation.bound();
            attests.leaves.retain(|path, _| leaves.contains_key(path.as_str()));
            let measured =
                |path: &Path| matches!(attestation.result(path.as_str()), Some(Value::Measured(_)));
            attests.confirms.retain(|path| leaves.contains_key(path.as_str()) && !measured(path));
            bound = attests.leaves.keys().cloned().collect();
        }
        file.attests = Some(attests);
        Ok(Ready { file, warnings, bound })
    }

    /// What somebody disclosed to this member.
    fn verified(&self, bytes: &[u8]) -> Result<Verified, DeskError> {
        let own = &self.parts.member;
        heatmark_evidence::verify(bytes, &self.parts.trust, Some(own)).map_err(DeskError::Evidence)
    }

    /// Makes an agreement and gives the file's bytes.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn agree(&self, what: Agree) -> Result<Vec<u8>, DeskError> {
        let desk = self.clone();
        blocking(move || desk.make_agreement(what)).await
    }

    fn make_agreement(&self, what: Agree) -> Result<Vec<u8>, DeskError> {
        let Agree { record, with, tolerances, receiver, purpose } = what;
        check_purpose(&purpose).map_err(|_| DeskError::Purpose)?;
        if state::member(&self.parts.store, &receiver)?.is_none() {
            return Err(DeskError::UnknownMember(receiver));
        }
        let stored = self.parts.vault.record(&record)?.ok_or(DeskError::UnknownRecord(record))?;
        let place = stored.row.placement.ok_or(DeskError::NotAnchored(record))?;
        let other = self.verified(&with)?.record;
        if other == record {
            return Err(DeskError::SameRecord);
        }
        let second = Side::disclosed(Disclosure::decode(&with).map_err(DeskError::Evidence)?);
        let signer = PublicKey::of(&self.parts.signing).id();
        let tree = stored.opening.tree()?;
        if tree.id() != record {
            return Err(heatmark_vault::VaultError::Damaged.into());
        }
        let mut chain = self.chain(&place, &signer)?;
        let discloser_key = std::mem::take(&mut chain.discloser_key);
        let paths = tolerances.iter().map(|(path, _)| path.clone());
        let first = Side::own(stored.opening.head(), &tree, chain, paths)?;
        let noted = tolerances.clone();
        let draft = AgreementDraft { first, second, tolerances, receiver, purpose };
        // Made first, so that a tolerance which cannot be proved binds nobody; noted before it leaves.
        let made =
            draft.sign(self.tip().time, discloser_key, &self.parts.signing, &mut rand::rng())?;
        let tolerances = noted.iter().map(|(path, tolerance)| (path, tolerance.id().0));
        let vault = &self.parts.vault;
        vault.agree_within(&record, (receiver.as_bytes(), &other), tolerances)?;
        vault.note(&self.actor, Deed::Prove, Some(record.0), 0)?;
        Ok(made)
    }
}

/// Every field that a disclosure tells, by its leaf, and the values of those that are shown.
fn take_shown(
    verified: Verified,
    shown: &mut Fields,
    leaves: &mut BTreeMap<Path, Hash>,
) -> Result<(), DeskError> {
    for (path, said) in verified.fields {
        match said {
            // Two disclosures of one record may show one field twice.
            Said::Shown { value, .. } if shown.get(&path).is_none() => {
                shown.insert(path.clone(), value)?;
            }
            Said::Absent => continue,
            Said::Shown { .. } | Said::Committed(_) => {}
        }
        if let Some(leaf) = verified.leaves.get(&path) {
            leaves.insert(path, *leaf);
        }
    }
    Ok(())
}
