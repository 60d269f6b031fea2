//! What a buyer does once its deal stands: it gathers the shares that the log holds for it, drops those that do not check and
//! names their agents, fetches the ciphertext, and opens everything against the anchored record. What it opened stays encrypted
//! where it is: destroying its secret at the end of its time destroys all of it.

use super::DealError;
use super::Outgoing;
use super::parties::{BAD_SHARES, Looked, OnLog, PAYLOAD, deal_of, is_fault, refusal_of};
use super::quoting::DealSecrets;
use crate::{Desk, DeskError, blocking};
use heatmark_envelopes::{Decryptor, SectionSecret, Share, combine, open_piece};
use heatmark_escrow::files::TermsContent;
use heatmark_escrow::purpose::content_context;
use heatmark_escrow::{
    Claim, Manifest, Portion, Releases, SectionFault, SectionHead, SectionReader, Terms,
    open_release,
};
use heatmark_ledger::deal::Phase;
use heatmark_ledger::messages::{self as pb, body::Payload, deal::Step};
use heatmark_ledger::wire;
use heatmark_records::{FieldProof, RecordId};
use heatmark_vault::{DealRole, DealRow, Deed, Destroyed, VaultError};
use prost::Message as _;
use zeroize::Zeroizing;

/// How soon another agent is asked for pieces that do not come.
const PIECES_WAIT_MS: u64 = 5_000;
/// How often what is kept for a time is looked at.
const KEPT_MS: u64 = 600_000;

/// A section that a deal opened.
#[derive(Debug, Clone)]
pub struct OpenedSection {
    /// Its name.
    pub name: String,
    /// Its fields.
    pub fields: Vec<FieldProof>,
    /// Its documents, without their bytes.
    pub documents: Vec<OpenedDocument>,
}

/// A document that a deal opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedDocument {
    /// Its name.
    pub name: String,
    /// Its length.
    pub bytes: u64,
}

/// What can be told of the shares that were released.
struct Gathered {
    /// A secret for each section of the terms; none where too few shares are good.
    secrets: Option<Vec<SectionSecret>>,
    /// Indices of agents whose shares are bad.
    bad: Vec<u8>,
}

impl Desk {
    pub(super) fn look_as_buyer(
        &self,
        row: &mut DealRow,
        on_log: Option<&OnLog>,
    ) -> Result<Looked, DeskError> {
        if row.destroyed {
            return Ok(Looked::default());
        }
        if row.terms.is_empty() {
            let gathered = self.gather(row);
            if let Err(error) = &gathered
                && let Some((code, text)) = refusal_of(error)
            {
                // Its own terms are what every agent would refuse.
                (row.trouble, row.trouble_text) = (code.to_owned(), text);
                return Ok(Looked::default());
            }
            let (letters, again_ms) = gathered?;
            return Ok(Looked::again(letters, again_ms));
        }
        let content = TermsContent::read(&row.terms)?;
        let manifest = self.manifest_of(&content.manifest)?;
        let terms = self.terms_in(&row.terms)?;
        let secrets = self.deal_secrets(&deal_of(row)?, DealRole::Buyer)?;
        let Some(on_log) = on_log else {
            return self.put_deal_on_log(row, &secrets, (&terms, &manifest));
        };
        let mut letters = Vec::new();
        let delivered = matches!(on_log.phase, Phase::Ready | Phase::Delivered | Phase::Settled);
        if delivered && !row.opened {
            letters = self.try_to_open(row, on_log, (&manifest, &terms), secrets.clone())?;
        }
        if on_log.phase.is_final() {
            let waits = on_log.phase == Phase::Settled && !row.opened && !is_fault(&row.trouble);
            let again_ms = if waits { Some(PIECES_WAIT_MS) } else { self.kept_for(row)? };
            return Ok(Looked::again(letters, again_ms));
        }
        let step = match on_log.phase {
            Phase::Delivered if !row.claim.is_empty() => {
                let claim_digest = Claim::read(&row.claim)?.digest().0.to_vec();
                Some(("dispute", Step::Dispute(pb::DealDispute { claim_digest })))
            }
            Phase::Delivered if row.opened && (row.agreed || !row.by_hand) => {
                Some(("confirm", Step::Confirm(pb::DealConfirm {})))
            }
            _ => None,
        };
        let mut looked = self.take_step(row, &secrets, on_log, step)?;
        if delivered && !row.opened {
            looked.again_ms = looked.again_ms.map(|again| again.min(PIECES_WAIT_MS));
        }
        looked.letters.extend(letters);
        Ok(looked)
    }

    fn put_deal_on_log(
        &self,
        row: &mut DealRow,
        secrets: &DealSecrets,
        (terms, manifest): (&Terms, &Manifest),
    ) -> Result<Looked, DeskError> {
        let first = [terms.accept_by_ms, terms.fund_by_ms, terms.ready_by_ms];
        let first = first.into_iter().find(|by| *by != 0).unwrap_or(0);
        if self.parts.store.tip().time.0 >= first {
            "not-opened".clone_into(&mut row.trouble);
            "the deal did not get to the log before its first deadline; open another one"
                .clone_into(&mut row.trouble_text);
            return Ok(Looked::default());
        }
        let open = terms.opening(manifest.threshold);
        let (letters, again) = self.carry_step(row, secrets, ("open", Step::Open(open)))?;
        Ok(Looked::again(letters, Some(again)))
    }

    /// Destroys what was kept long enough; gives when to look again at what is kept for a time.
    fn kept_for(&self, row: &mut DealRow) -> Result<Option<u64>, DeskError> {
        if !row.opened || row.retain_until_ms == 0 {
            return Ok(None);
        }
        let left = row.retain_until_ms.saturating_sub(self.now().0);
        if left > 0 {
            return Ok(Some(left.min(KEPT_MS)));
        }
        row.destroyed = true;
        self.parts.vault.destroy_escrow(&self.actor, &Destroyed::Deal(row))?;
        self.shared.opened.notify_one();
        tracing::info!("what a deal opened is destroyed at the end of its time");
        Ok(None)
    }

    fn try_to_open(
        &self,
        row: &mut DealRow,
        on_log: &OnLog,
        (manifest, terms): (&Manifest, &Terms),
        mut secrets: DealSecrets,
    ) -> Result<Vec<Outgoing>, DeskError> {
        let mut letters = Vec::new();
        let sections = || terms.sections.iter().filter_map(|name| manifest.section(name));
        for section in sections() {
            letters.extend(self.missing_pieces(row, section, terms)?);
        }
        let gathered = self.gather_shares(on_log, (manifest, terms), &secrets)?;
        row.bad.clone_from(&gathered.bad);
        let Some(opened) = gathered.secrets else {
            let released = on_log.deal.agents().iter().filter(|a| a.released.is_some()).count();
            let enough = usize::try_from(manifest.threshold).is_ok_and(|t| released >= t);
            if enough && !gathered.bad.is_empty() {
                BAD_SHARES.clone_into(&mut row.trouble);
                "too few of the released shares are good: dispute the deal before its window ends"
                    .clone_into(&mut row.trouble_text);
            }
            return Ok(letters);
        };
        for section in sections() {
            if self.any_missing(section)? {
                return Ok(letters);
            }
        }
        for (name, secret) in terms.sections.iter().zip(&opened) {
            match self.read_section(manifest, name, secret)? {
                Ok(_) => {}
                Err(fault) => {
                    row.trouble = format!("{PAYLOAD}{}", fault.code());
                    row.trouble_text =
                        format!("section {name}: {fault}; dispute the deal before its window ends");
                    return Ok(letters);
                }
            }
        }
        secrets.opened = opened.iter().map(|secret| secret.to_bytes().to_vec()).collect();
        row.opened = true;
        row.trouble.clear();
        row.trouble_text.clear();
        let sealed = Zeroizing::new(secrets.encode_to_vec());
        let record = manifest.record().ok_or(VaultError::Damaged)?;
        self.parts.vault.note_opened(&record, &deal_of(row)?)?;
        let deed = Some(Deed::OpenSections);
        self.parts.vault.put_deal(&self.actor, (row, true), Some(&sealed), deed)?;
        self.shared.opened.notify_one();
        Ok(letters)
    }

    /// Opens the shares that the log holds for this deal.
    fn gather_shares(
        &self,
        on_log: &OnLog,
        (manifest, terms): (&Manifest, &Terms),
        secrets: &DealSecrets,
    ) -> Result<Gathered, DeskError> {
        let releases = self.releases(on_log, terms)?;
        let (mut opened, mut bad) = (Vec::new(), Vec::new());
        for name in &terms.sections {
            let mut good: Vec<Share> = Vec::new();
            for (index, envelopes) in &releases {
                let key = secrets.reply(*index)?;
                match open_release(&key, manifest, terms, (*index, name), envelopes) {
                    Ok(share) => good.push(share),
                    Err(_) => bad.push(*index),
                }
            }
            let sharing = manifest.section(name).and_then(|section| section.sharing());
            let sharing = sharing.ok_or(VaultError::Damaged)?;
            opened.push(combine(&sharing, &good).ok());
        }
        bad.sort_unstable();
        bad.dedup();
        Ok(Gathered { secrets: opened.into_iter().collect(), bad })
    }

    /// What agents released, as it stands on the log.
    pub(super) fn releases(&self, on_log: &OnLog, terms: &Terms) -> Result<Releases, DeskError> {
        let mut releases = Releases::new();
        for (agent, marks) in terms.agents.iter().zip(on_log.deal.agents()) {
            let Some(mark) = marks.released else { continue };
            let entry = self.parts.store.entry(mark.leaf)?.ok_or(VaultError::Damaged)?;
            let envelope = wire::decode_envelope(&entry).map_err(|_| VaultError::Damaged)?;
            let body = wire::decode_body(&envelope.body).map_err(|_| VaultError::Damaged)?;
            if let Some(Payload::Deal(pb::Deal { step: Some(Step::Release(release)), .. })) =
                body.payload
            {
                releases.insert(agent.share_index(), release.envelopes);
            }
        }
        Ok(releases)
    }

    /// Reads a section's ciphertext as its owner has to have made it.
    pub(super) fn read_section(
        &self,
        manifest: &Manifest,
        name: &str,
        secret: &SectionSecret,
    ) -> Result<Result<SectionHead, SectionFault>, DeskError> {
        self.read_documents(manifest, name, secret, |_, _| Ok(()))
    }

    /// The same, giving out the documents' bytes as they come.
    fn read_documents(
        &self,
        manifest: &Manifest,
        name: &str,
        secret: &SectionSecret,
        mut out: impl FnMut(usize, &[u8]) -> Result<(), DeskError>,
    ) -> Result<Result<SectionHead, SectionFault>, DeskError> {
        let entry = manifest.section(name).ok_or(VaultError::Damaged)?;
        let content = entry.content().ok_or(VaultError::Damaged)?;
        let mut decryptor = Decryptor::new(secret, &content_context(manifest, name), &content);
        let mut reader = SectionReader::new(manifest, name).ok_or(VaultError::Damaged)?;
        let mut give = |portions: Vec<Portion>| -> Result<(), DeskError> {
            for portion in portions {
                if let Portion::Document { place, bytes } = portion {
                    out(place, &bytes)?;
                }
            }
            Ok(())
        };
        for number in 0..content.pieces() {
            let piece = self.sound_piece(&content.root(), number)?;
            let piece = piece.ok_or(DealError::PiecesMissing)?;
            let Ok(plain) = decryptor.push(&piece) else {
                return Ok(Err(SectionFault::Piece(number)));
            };
            match reader.push(&plain) {
                Ok(portions) => give(portions)?,
                Err(fault) => return Ok(Err(fault)),
            }
        }
        let last = content.pieces().saturating_sub(1);
        let Ok(plain) = decryptor.finish() else { return Ok(Err(SectionFault::Piece(last))) };
        match reader.push(&plain) {
            Ok(portions) => give(portions)?,
            Err(fault) => return Ok(Err(fault)),
        }
        Ok(reader.finish())
    }

    /// The sections that a deal opened, without their documents' bytes.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn opened_sections(&self, deal: [u8; 32]) -> Result<Vec<OpenedSection>, DeskError> {
        let desk = self.clone();
        blocking(move || {
            let (manifest, terms, secrets) = desk.opened_deal(&deal)?;
            let mut sections = Vec::with_capacity(terms.sections.len());
            for (name, secret) in terms.sections.iter().zip(&secrets) {
                let head = desk.head_of_section(&manifest, name, secret)?;
                let fields = head.fields.iter().map(|field| FieldProof::decode(field));
                let entry = manifest.section(name).ok_or(VaultError::Damaged)?;
                let document = |listed: &heatmark_escrow::DocumentEntry| OpenedDocument {
                    name: listed.name.clone(),
                    bytes: listed.bytes,
                };
                sections.push(OpenedSection {
                    name: name.clone(),
                    fields: fields.collect::<Result<_, _>>()?,
                    documents: entry.documents.iter().map(document).collect(),
                });
            }
            Ok(sections)
        })
        .await
    }

    /// A document that a deal opened.
    ///
    /// # Errors
    /// See [`DeskError`].
    pub async fn opened_document(
        &self,
        deal: [u8; 32],
        section: String,
        document: String,
    ) -> Result<Vec<u8>, DeskError> {
        let desk = self.clone();
        let read = blocking(move || {
            let (manifest, terms, secrets) = desk.opened_deal(&deal)?;
            let at = terms.place_of(&section).ok_or(DealError::NoSuchDocument)?;
            let secret = secrets.get(at).ok_or(VaultError::Damaged)?;
            let entry = manifest.section(&section).ok_or(DealError::NoSuchDocument)?;
            let wanted = entry.documents.iter().position(|listed| listed.name == document);
            let wanted = wanted.ok_or(DealError::NoSuchDocument)?;
            let mut bytes = Vec::new();
            let read = desk.read_documents(&manifest, &section, secret, |place, more| {
                if place == wanted {
                    bytes.extend_from_slice(more);
                }
                Ok(())
            });
            match read {
                Ok(Ok(_)) => return Ok(Ok(bytes)),
                // It was sound when it was opened: it is gone or has rotted since.
                Ok(Err(_)) | Err(DeskError::Deal(DealError::PiecesMissing)) => {}
                Err(error) => return Err(error),
            }
            let _alone = desk.alone();
            desk.doubt(entry)?;
            let row = desk.parts.vault.deal(&deal, DealRole::Buyer)?;
            let row = row.ok_or(DealError::UnknownDeal)?;
            Ok(Err(desk.missing_pieces(&row, entry, &terms)?))
        });
        match read.await? {
            Ok(bytes) => Ok(bytes),
            Err(ask) => {
                self.send_out(ask.into_iter().collect()).await?;
                Err(DealError::PiecesMissing.into())
            }
        }
    }

    fn opened_deal(
        &self,
        deal: &[u8; 32],
    ) -> Result<(Manifest, Terms, Vec<SectionSecret>), DeskError> {
        let row = self.parts.vault.deal(deal, DealRole::Buyer)?.ok_or(DealError::UnknownDeal)?;
        if row.destroyed {
            return Err(DealError::SectionsDestroyed.into());
        }
        if !row.opened {
            return Err(DealError::NotOpened.into());
        }
        let content = TermsContent::read(&row.terms)?;
        let secrets = self.deal_secrets(deal, DealRole::Buyer)?;
        let read = |bytes: &Vec<u8>| -> Result<SectionSecret, DeskError> {
            let bytes: &[u8; 32] = bytes.as_slice().try_into().map_err(|_| VaultError::Damaged)?;
            Ok(SectionSecret::from_bytes(bytes).map_err(|_| VaultError::Damaged)?)
        };
        let opened: Result<Vec<SectionSecret>, DeskError> =
            secrets.opened.iter().map(read).collect();
        Ok((self.manifest_of(&content.manifest)?, self.terms_in(&row.terms)?, opened?))
    }

    /// The head of a section that was read whole before: its first pieces say it.
    fn head_of_section(
        &self,
        manifest: &Manifest,
        name: &str,
        secret: &SectionSecret,
    ) -> Result<SectionHead, DeskError> {
        let entry = manifest.section(name).ok_or(VaultError::Damaged)?;
        let content = entry.content().ok_or(VaultError::Damaged)?;
        let context = content_context(manifest, name);
        let mut reader = SectionReader::new(manifest, name).ok_or(VaultError::Damaged)?;
        for number in 0..content.pieces() {
            let piece = self.sound_piece(&content.root(), number)?;
            let piece = piece.ok_or(DealError::PiecesMissing)?;
            let plain = open_piece(secret, &context, &content, (number, &piece));
            let plain = plain.map_err(|_| VaultError::Damaged)?;
            for portion in reader.push(&plain).map_err(|_| VaultError::Damaged)? {
                if let Portion::Head(head) = portion {
                    return Ok(head);
                }
            }
        }
        Err(VaultError::Damaged.into())
    }

    /// Fields of another's record that deals opened, for this organisation's own use.
    pub(crate) fn fields_opened(&self, record: &RecordId) -> Result<Vec<Vec<u8>>, DeskError> {
        let mut fields = Vec::new();
        for deal in self.parts.vault.deals_that_opened(record)? {
            let (manifest, terms, secrets) = match self.opened_deal(&deal) {
                Ok(opened) => opened,
                Err(DeskError::Deal(DealError::SectionsDestroyed | DealError::UnknownDeal)) => {
                    continue;
                }
                Err(error) => return Err(error),
            };
            for (name, secret) in terms.sections.iter().zip(&secrets) {
                fields.extend(self.head_of_section(&manifest, name, secret)?.fields);
            }
        }
        Ok(fields)
    }
}
