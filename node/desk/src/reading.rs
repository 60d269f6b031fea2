//! Certificate files read into records: parsed, sealed with fresh secrets, and put into the vault
//! before anything else is said of them. Refuses files with faults, each named. A file that was
//! published before is that record again.

use crate::keys::{ORIGIN_SEALS, alert_signing_key};
use crate::publish::{CertificateFile, MAX_FILE_NAME_BYTES, PublishEvent};
use crate::{Desk, DeskError};
use heatmark_ledger::keys::PublicKey;
use heatmark_merkle::tag;
use heatmark_records::forms::{self, Certificate};
use heatmark_records::{Heading, Opening, RecordError, RecordId, Secret};
use heatmark_vault::{FileDigest, NewRecord, Stored};
use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZero;
use std::thread;

/// How often a record is tried with another secret; one has always been enough.
const SECRETS_TRIED: usize = 4;

/// What a group of files came to: an event a file, and the records to be anchored.
pub(crate) struct Reading {
    pub(crate) events: Vec<PublishEvent>,
    pub(crate) new: Vec<RecordId>,
}

/// A file on its way to a record.
enum Draft {
    Known(RecordId),
    Faulty(Vec<String>),
    Certificate(Certificate),
}

impl Desk {
    /// Reads a group of files; computes for long and waits for the disk.
    pub(crate) fn read(&self, files: Vec<CertificateFile>) -> Result<Reading, DeskError> {
        let digests: Vec<FileDigest> = files.iter().map(digest_of).collect();
        let mut seen = BTreeSet::new();
        let work: Vec<_> = files
            .iter()
            .zip(&digests)
            .map(|(file, digest)| (file, digest, seen.insert(*digest)))
            .collect();
        let mut drafts =
            on_all_processors(&work, |(file, digest, first)| self.draft(file, digest, *first))?;
        let sealed = self.seal(&files, &digests, &mut drafts)?;
        // Claimed before they are on disk, so that resuming leaves them to us.
        self.claimed().extend(sealed.iter().map(|record| record.id));
        let stored = self.parts.vault.put_pending(&self.actor, &sealed).map_err(DeskError::from);
        let reading =
            stored.and_then(|stored| self.settle(&files, &digests, drafts, (&sealed, &stored)));
        if reading.is_err() {
            self.release(sealed.iter().map(|record| &record.id));
        }
        reading
    }

    fn draft(
        &self,
        file: &CertificateFile,
        digest: &FileDigest,
        first: bool,
    ) -> Result<Option<Draft>, DeskError> {
        if file.name.len() > MAX_FILE_NAME_BYTES {
            return Ok(Some(Draft::Faulty(vec!["the file's name is too long".to_owned()])));
        }
        if let Some(id) = self.parts.vault.find_by_file(digest)? {
            return Ok(Some(Draft::Known(id)));
        }
        if !first {
            return Ok(None);
        }
        let certificate =
            match forms::read_attesting(&file.content, &file.beside, file.attests.as_ref()) {
                Ok(certificate) => certificate,
                Err(faults) => {
                    let faults = faults.iter().map(ToString::to_string).collect();
                    return Ok(Some(Draft::Faulty(faults)));
                }
            };
        if let Some(id) = certificate.supersedes()
            && !self.has_published(id)?
        {
            let fault = "certificate/supersedes: this node has published no such record";
            return Ok(Some(Draft::Faulty(vec![fault.to_owned()])));
        }
        Ok(Some(Draft::Certificate(certificate)))
    }

    fn has_published(&self, id: &str) -> Result<bool, DeskError> {
        let Ok(id) = id.parse::<RecordId>() else { return Ok(false) };
        Ok(!self.parts.vault.records(&id.0, 1)?.is_empty())
    }

    /// Makes records of all certificates among the drafts, on all processors.
    fn seal(
        &self,
        files: &[CertificateFile],
        digests: &[FileDigest],
        drafts: &mut [Option<Draft>],
    ) -> Result<Vec<NewRecord>, DeskError> {
        let mut work = Vec::new();
        for (position, draft) in drafts.iter_mut().enumerate() {
            if !matches!(draft, Some(Draft::Certificate(_))) {
                continue;
            }
            if let (Some(Draft::Certificate(certificate)), Some(file), Some(digest)) =
                (draft.take(), files.get(position), digests.get(position))
            {
                work.push((certificate, file.name.as_str(), *digest));
            }
        }
        if work.is_empty() {
            return Ok(Vec::new());
        }
        let count = u64::try_from(work.len()).unwrap_or(u64::MAX);
        let first_index = self.parts.vault.take_alert_indices(count)?;
        let indexed: Vec<_> = (first_index..).zip(work).collect();
        on_all_processors(&indexed, |item| self.seal_one(item))
    }

    fn seal_one(
        &self,
        (alert_index, (certificate, name, file)): &(u64, (Certificate, &str, FileDigest)),
    ) -> Result<NewRecord, DeskError> {
        let key = PublicKey::of(&alert_signing_key(&self.parts.seed, *alert_index));
        let seals = self.parts.seed.seals(ORIGIN_SEALS);
        let heading = Heading {
            network: *self.parts.intake.network().as_bytes(),
            form: certificate.form_name(),
            issuer: *self.parts.member.as_bytes(),
            alert_subject: *key.alert_subject().as_bytes(),
            origin_seal: certificate.origin().is_ok().then(|| seals.seal(*alert_index).0),
        };
        let mut tried = 0_usize;
        let opening = loop {
            let secret = Secret::new(rand::random());
            tried = tried.saturating_add(1);
            match Opening::seal(heading.clone(), certificate.fields.clone(), secret) {
                Err(RecordError::NoNonce) if tried < SECRETS_TRIED => {}
                sealed => break sealed?,
            }
        };
        let due = self.classes.due(&opening);
        Ok(NewRecord { due, ..NewRecord::of(opening, *file, (*name).to_owned(), *alert_index)? })
    }

    /// Says what became of each file, in the files' order.
    fn settle(
        &self,
        files: &[CertificateFile],
        digests: &[FileDigest],
        drafts: Vec<Option<Draft>>,
        (sealed, stored): (&[NewRecord], &[Stored]),
    ) -> Result<Reading, DeskError> {
        let (mut new, mut made) = (Vec::new(), BTreeMap::new());
        for (record, stored) in sealed.iter().zip(stored) {
            match stored {
                Stored::New(id) => new.push(*id),
                Stored::Already(_) => self.release([&record.id]),
            }
            made.insert(record.file, (record, *stored));
        }
        let mut events = Vec::with_capacity(files.len());
        let mut told = BTreeSet::new();
        for ((file, digest), draft) in files.iter().zip(digests).zip(drafts) {
            let name = file.name.clone();
            events.push(match (draft, made.get(digest)) {
                (Some(Draft::Faulty(faults)), _) => PublishEvent::Refused { name, faults },
                (Some(Draft::Known(id)), _) => self.known_event(name, id)?,
                (_, Some((_, Stored::Already(id)))) => self.known_event(name, *id)?,
                (_, Some((record, Stored::New(_)))) => {
                    let already_published = !told.insert(*digest);
                    PublishEvent::Read {
                        name,
                        record_id: record.id,
                        form: record.opening.head().heading().form.clone(),
                        fields: u32::try_from(record.opening.fields().len()).unwrap_or(u32::MAX),
                        already_published,
                        origin: forms::origin(record.opening.fields()),
                        supersedes: record.supersedes(),
                        deposits: self.planned(&record.id)?,
                    }
                }
                // The same bytes stood before in this group, and were refused there.
                (_, None) => PublishEvent::Refused { name, faults: faults_of(file) },
            });
        }
        Ok(Reading { events, new })
    }

    /// A file that is a record of an earlier publication.
    fn known_event(&self, name: String, id: RecordId) -> Result<PublishEvent, DeskError> {
        let record = self.parts.vault.record(&id)?.ok_or(DeskError::UnknownRecord(id))?;
        Ok(PublishEvent::Read {
            name,
            record_id: id,
            form: record.row.form,
            fields: record.row.fields,
            already_published: true,
            origin: forms::origin(record.opening.fields()),
            supersedes: record.row.supersedes,
            deposits: self.planned(&id)?,
        })
    }

    /// Leaves records to whoever comes next.
    pub(crate) fn release<'r>(&self, ids: impl IntoIterator<Item = &'r RecordId>) {
        let mut claimed = self.claimed();
        for id in ids {
            claimed.remove(id);
        }
    }
}

/// Works on every item, in shares for each processor; the results in the items' order, or the first error.
fn on_all_processors<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> Result<R, DeskError> + Sync,
) -> Result<Vec<R>, DeskError> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let share = items.len().div_ceil(threads.max(1)).max(1);
    let work = &work;
    let done: Vec<Result<Vec<R>, DeskError>> = thread::scope(|scope| {
        let running: Vec<_> = items
            .chunks(share)
            .map(|share| scope.spawn(move || share.iter().map(work).collect()))
            .collect();
        running.into_iter().map(|run| run.join().unwrap_or(Err(DeskError::Stopped))).collect()
    });
    let done: Result<Vec<Vec<R>>, DeskError> = done.into_iter().collect();
    Ok(done?.into_iter().flatten().collect())
}

/// What makes a file the same one: its bytes and, where there is something beside it or it attests something, that.
fn digest_of(file: &CertificateFile) -> FileDigest {
    if let Some(attests) = &file.attests {
        let pairs = attests.leaves.iter().flat_map(|(path, leaf)| {
            let confirmed = u8::from(attests.confirms.contains(path));
            tag::preimage("attested-leaf", &[path.as_bytes(), &leaf.0, &[confirmed]])
        });
        let bound: Vec<u8> = pairs.collect();
        let parts: [&[u8]; 4] = [&file.content, &file.beside, &attests.record.0, &bound];
        return FileDigest::of(&tag::preimage("attestation-file", &parts));
    }
    if file.beside.is_empty() {
        return FileDigest::of(&file.content);
    }
    FileDigest::of(&tag::preimage("certificate-file", &[&file.content, &file.beside]))
}

fn faults_of(file: &CertificateFile) -> Vec<String> {
    match forms::read_attesting(&file.content, &file.beside, file.attests.as_ref()) {
        Ok(_) => vec!["refused as the same file before it".to_owned()],
        Err(faults) => faults.iter().map(ToString::to_string).collect(),
    }
}
