//! Deposits at publication: what a retention class wants of a record is written with the record, deposited once the record stands
//! on the log and all documents are here, and tried again until then. A deposit that is made of a class has an id of its own, so
//! that a crash after it makes no second one.

use super::DealError;
use super::classes::Class;
use crate::{DepositPlan, MAX_DEPOSIT_BYTES, RetentionClasses, SectionPlan};
use crate::{Desk, DeskError, blocking};
use heatmark_escrow::MAX_NAME_BYTES;
use heatmark_ledger::ids::MemberId;
use heatmark_ledger::messages as pb;
use heatmark_ledger::state;
use heatmark_merkle::{Hash, tag};
use heatmark_records::RecordId;
use heatmark_vault::{DueDeposit, DueDocument, DueRow, StoredRecord, VaultError};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// How often what is due is tried.
const TRY_EVERY: Duration = Duration::from_secs(10);
/// Records that are looked at in one go.
const ROUND: usize = 64;

/// A deposit that will be made of a record, as its publisher is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedDeposit {
    /// The retention class.
    pub class: String,
    /// Documents that are wanted for it and not here yet.
    pub wanted: Vec<WantedDocument>,
}

/// A document that a deposit waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedDocument {
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// How many these are.
    pub bytes: u64,
}

/// A deposit that is due and not made yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueView {
    /// The record.
    pub record: RecordId,
    /// The retention class.
    pub class: String,
    /// When the record was published, by the node's clock.
    pub at_ms: u64,
    /// Why it is not made yet: a stable name, and words; empty where nothing is wrong.
    pub trouble: (String, String),
    /// Documents that it waits for.
    pub wanted: Vec<WantedDocument>,
}

impl Desk {
    /// The same desk, which deposits records of these classes once they are published.
    #[must_use]
    pub fn retaining(self, classes: RetentionClasses) -> Self {
        Self { classes: Arc::new(classes), ..self }
    }

    /// Deposits what is due, for ever.
    pub(crate) async fn deposit_due(&self) {
        loop {
            if let Err(error) = self.deposit_round().await {
                tracing::warn!(code = error.code(), "deposits that are due cannot be made yet");
            }
            tokio::select! {
                () = self.shared.due.notified() => {}
                () = tokio::time::sleep(TRY_EVERY) => {}
            }
        }
    }

    /// Tries everything that is due, once.
    async fn deposit_round(&self) -> Result<(), DeskError> {
        let mut after: Option<RecordId> = None;
        loop {
            let vault = Arc::clone(&self.parts.vault);
            let from = after;
            let rows = blocking(move || Ok(vault.due_deposits(from.as_ref(), ROUND)?)).await?;
            let Some(last) = rows.last() else { return Ok(()) };
            after = Some(record_of(last)?);
            for row in rows {
                let desk = self.clone();
                let made = blocking(move || desk.make_what_is_due(&row)).await?;
                if made {
                    self.shared.deals.notify_one();
                }
            }
        }
    }

    /// Makes what can be made of what is due of a record; whether anything was.
    fn make_what_is_due(&self, row: &DueRow) -> Result<bool, DeskError> {
        let vault = &self.parts.vault;
        let record = record_of(row)?;
        let stored = match vault.record(&record) {
            Ok(Some(stored)) => stored,
            // Of what is destroyed nothing is deposited any more.
            Ok(None) | Err(VaultError::Erased(_)) => {
                let documents = row.deposits.iter().flat_map(|due| due.documents.clone());
                let none = DueRow { deposits: Vec::new(), ..row.clone() };
                vault.settle_due(&none, &documents.collect::<Vec<_>>())?;
                return Ok(false);
            }
            Err(error) => return Err(error.into()),
        };
        if stored.row.placement.is_none() {
            return Ok(false);
        }
        let (mut left, mut made) = (row.clone(), false);
        left.deposits.clear();
        for due in &row.deposits {
            match self.try_due(&record, &stored, due) {
                Ok(true) => made = true,
                Ok(false) => {}
                Err(error) => {
                    let (trouble, trouble_text) = (error.code().to_owned(), error.to_string());
                    if trouble != due.trouble {
                        tracing::warn!(
                            code = trouble.as_str(),
                            "a record is not deposited yet as its class has it"
                        );
                    }
                    left.deposits.push(DueDeposit { trouble, trouble_text, ..due.clone() });
                }
            }
        }
        if left != *row {
            let needed: BTreeSet<&[u8]> = documents_of(&left).collect();
            let gone = row.deposits.iter().flat_map(|due| &due.documents);
            let gone = gone.filter(|document| !needed.contains(document.sha256.as_slice()));
            let gone: Vec<DueDocument> = gone.cloned().collect();
            vault.settle_due(&left, &gone)?;
        }
        Ok(made)
    }

    /// Makes a deposit that is due; false where it is there already.
    pub(crate) fn try_due(
        &self,
        record: &RecordId,
        stored: &StoredRecord,
        due: &DueDeposit,
    ) -> Result<bool, DeskError> {
        let id = deposit_id(record, &due.class);
        if self.parts.vault.has_deposit(&id)? {
            return Ok(false);
        }
        let Some(class) = self.classes.class(&due.class) else {
            let deposits = self.parts.vault.deposits()?;
            // Whoever took the class away deposited the record by hand.
            let by_hand = deposits.iter().any(|row| row.record == record.0 && !row.destroyed);
            return if by_hand { Ok(false) } else { Err(DealError::NoSuchClass.into()) };
        };
        for agent in &class.agents {
            self.check_agent(agent)?;
        }
        let plan = self.plan_of(record, stored, class)?;
        self.make_deposit(id, &plan)?;
        Ok(true)
    }

    /// Whether a member holds shares for others, as it may not yet.
    fn check_agent(&self, agent: &MemberId) -> Result<(), DeskError> {
        let state = state::member(&self.parts.store, agent)?;
        let state = state.ok_or(DeskError::UnknownMember(*agent))?;
        let entry = state.entry.unwrap_or_default();
        let holds = entry.roles().any(|role| role == pb::Role::EscrowAgent);
        if holds || *agent == self.parts.member {
            Ok(())
        } else {
            Err(DealError::NoAgent(*agent).into())
        }
    }

    fn plan_of(
        &self,
        record: &RecordId,
        stored: &StoredRecord,
        class: &Class,
    ) -> Result<DepositPlan, DeskError> {
        let most = u64::try_from(MAX_DEPOSIT_BYTES).unwrap_or(u64::MAX);
        let taken = class.take(stored.opening.fields())?;
        let bytes = taken.iter().flat_map(|section| &section.documents).map(|named| named.bytes);
        // Before any of them is read into memory.
        if bytes.fold(0, u64::saturating_add) > most {
            return Err(DealError::DepositTooLong.into());
        }
        let mut sections = Vec::with_capacity(taken.len());
        for section in taken {
            let mut documents: Vec<(String, Vec<u8>)> = Vec::with_capacity(section.documents.len());
            for named in &section.documents {
                let sha256 = digest_of(named)?;
                let kept = self.parts.vault.kept_document(record, &sha256)?;
                let (name, content) = kept.ok_or(DealError::DocumentMissing(Hash(sha256)))?;
                let taken = documents.iter().any(|(known, _)| *known == name);
                documents.push((if taken { hex::encode(sha256) } else { name }, content));
            }
            let (name, fields) = (section.name, section.fields);
            sections.push(SectionPlan { name, fields, documents });
        }
        Ok(DepositPlan {
            record: *record,
            sections,
            agents: class.agents.clone(),
            threshold: class.threshold,
            policy: class.policy.clone(),
        })
    }

    /// Takes a document that a deposit waits for. One that is here already is taken again.
    ///
    /// # Errors
    /// [`DealError::DocumentUnwanted`] for one that no deposit of the record waits for; see [`DeskError`].
    pub async fn keep_document(
        &self,
        record: RecordId,
        (name, content): (String, Vec<u8>),
    ) -> Result<(), DeskError> {
        let desk = self.clone();
        blocking(move || {
            let printable = !name.chars().any(char::is_control);
            if !(1..=MAX_NAME_BYTES).contains(&name.len()) || !printable {
                return Err(DealError::DocumentName.into());
            }
            let sha256: [u8; 32] = Sha256::digest(&content).into();
            let row = desk.parts.vault.due_deposit(&record)?;
            let row = row.ok_or(DealError::DocumentUnwanted)?;
            if !documents_of(&row).any(|wanted| wanted == sha256) {
                return Err(DealError::DocumentUnwanted.into());
            }
            Ok(desk.parts.vault.keep_document(&record, &sha256, (&name, content))?)
        })
        .await?;
        self.shared.due.notify_one();
        Ok(())
    }

    /// The deposits that are due and not made yet.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn due_deposits(&self) -> Result<Vec<DueView>, DeskError> {
        let desk = self.clone();
        blocking(move || {
            let mut views = Vec::new();
            for row in desk.parts.vault.due_deposits(None, usize::MAX)? {
                let record = record_of(&row)?;
                for due in row.deposits {
                    let wanted = desk.wanted(&record, &due)?;
                    let DueDeposit { class, trouble, trouble_text, .. } = due;
                    let (at_ms, trouble) = (row.at_ms, (trouble, trouble_text));
                    views.push(DueView { record, class, at_ms, trouble, wanted });
                }
            }
            views.sort_by_key(|view| std::cmp::Reverse(view.at_ms));
            Ok(views)
        })
        .await
    }

    /// What will be deposited of a record that is published.
    pub(crate) fn planned(&self, record: &RecordId) -> Result<Vec<PlannedDeposit>, DeskError> {
        let row = self.parts.vault.due_deposit(record)?;
        let mut planned = Vec::new();
        for due in row.into_iter().flat_map(|row| row.deposits) {
            let wanted = self.wanted(record, &due)?;
            planned.push(PlannedDeposit { class: due.class, wanted });
        }
        Ok(planned)
    }

    fn wanted(
        &self,
        record: &RecordId,
        due: &DueDeposit,
    ) -> Result<Vec<WantedDocument>, DeskError> {
        let mut wanted = Vec::new();
        for document in &due.documents {
            let sha256 = digest_of(document)?;
            if !self.parts.vault.has_document(record, &sha256)? {
                wanted.push(WantedDocument { sha256, bytes: document.bytes });
            }
        }
        Ok(wanted)
    }
}

/// The id of the deposit of a record that a class has made.
fn deposit_id(record: &RecordId, class: &str) -> [u8; 32] {
    tag::hash("class-deposit", &[&record.0, class.as_bytes()]).0
}

fn record_of(row: &DueRow) -> Result<RecordId, DeskError> {
    Ok(Hash(row.record.as_slice().try_into().map_err(|_| VaultError::Damaged)?))
}

fn digest_of(document: &DueDocument) -> Result<[u8; 32], DeskError> {
    Ok(document.sha256.as_slice().try_into().map_err(|_| VaultError::Damaged)?)
}

fn documents_of(row: &DueRow) -> impl Iterator<Item = &[u8]> {
    row.deposits.iter().flat_map(|due| &due.documents).map(|named| named.sha256.as_slice())
}
