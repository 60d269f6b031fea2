//! Acknowledging alerts: every committed alert, whoever raised it and whether or not we hold any of
//! the material, is acknowledged once in the member's name. The state says what is acknowledged,
//! so a restart repeats nothing; a height noted in a file says how far the log was read.

use crate::{Desk, DeskError, blocking};
use heatmark_ledger::ids::{AlertSubject, Height, KeyId, MemberId};
use heatmark_ledger::messages as pb;
use heatmark_ledger::refusal::Refusal;
use heatmark_ledger::state;
use pb::body::Payload;
use prost::Message as _;
use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::Duration;
use tokio::task::JoinSet;

/// Blocks read before what they hold is acknowledged.
const BLOCKS_AT_ONCE: u64 = 256;
/// Acknowledgements on their way at once.
const UNDER_WAY: usize = 32;
/// So that a hundred nodes do not answer in the same moment.
const MAX_JITTER_MS: u64 = 1_500;
const RETRY_PAUSE: Duration = Duration::from_secs(5);
/// How often the height is noted when nothing is to be acknowledged.
const NOTE_EVERY_BLOCKS: u64 = 1_000;

/// An alert by its issuer, or the concern of a member.
type Subject = (AlertSubject, Option<MemberId>);

impl Desk {
    /// Follows the log for ever.
    pub(crate) async fn acknowledge(&self) {
        let mut tip = self.parts.store.subscribe();
        let mut done = self.noted_height().await;
        let mut noted = done;
        loop {
            let newest = tip.borrow_and_update().height;
            while done < newest {
                let last = Height(done.0.saturating_add(BLOCKS_AT_ONCE)).min(newest);
                match self.acknowledge_blocks(done.next(), last).await {
                    Ok(acknowledged) => {
                        done = last;
                        let far = done.0.saturating_sub(noted.0) >= NOTE_EVERY_BLOCKS;
                        if acknowledged || far {
                            self.note_height(done).await;
                            noted = done;
                        }
                    }
                    Err(error) => {
                        tracing::warn!(code = error.code(), "alerts are not acknowledged yet");
                        tokio::time::sleep(RETRY_PAUSE).await;
                    }
                }
            }
            if tip.changed().await.is_err() {
                return;
            }
        }
    }

    /// Acknowledges what the blocks hold; true when there was something.
    async fn acknowledge_blocks(&self, first: Height, last: Height) -> Result<bool, DeskError> {
        let desk = self.clone();
        let subjects = blocking(move || desk.alerts_in(first, last)).await?;
        let found = !subjects.is_empty();
        let mut running: JoinSet<Result<(), DeskError>> = JoinSet::new();
        for subject in subjects {
            while running.len() >= UNDER_WAY {
                finished(running.join_next().await)?;
            }
            let desk = self.clone();
            running.spawn(async move { desk.acknowledge_subject(subject).await });
        }
        while !running.is_empty() {
            finished(running.join_next().await)?;
        }
        Ok(found)
    }

    fn alerts_in(&self, first: Height, last: Height) -> Result<BTreeSet<Subject>, DeskError> {
        let mut subjects = BTreeSet::new();
        for height in first.0..=last.0 {
            let block = self.parts.store.certified_block(Height(height))?;
            let transactions = block.and_then(|b| b.block).map(|b| b.transactions);
            for envelope in transactions.unwrap_or_default() {
                subjects.extend(self.subject_of(&envelope)?);
            }
        }
        Ok(subjects)
    }

    fn subject_of(&self, envelope: &[u8]) -> Result<Option<Subject>, DeskError> {
        // On the log it decodes: it was executed.
        let Ok(envelope) = pb::Envelope::decode(envelope) else { return Ok(None) };
        let Ok(body) = pb::Body::decode(envelope.body.as_slice()) else { return Ok(None) };
        let Some(Payload::Alert(alert)) = body.payload else { return Ok(None) };
        let Ok(subject) = AlertSubject::try_from(alert.subject.as_slice()) else { return Ok(None) };
        if !alert.concern {
            return Ok(Some((subject, None)));
        }
        let Ok(signer) = KeyId::try_from(envelope.signer.as_slice()) else { return Ok(None) };
        let entry = state::key_state(&self.parts.store, &signer)?;
        let member = entry.and_then(|entry| MemberId::try_from(entry.member.as_slice()).ok());
        Ok(member.map(|member| (subject, Some(member))))
    }

    /// Acknowledges the alert that stands on a subject, unless that is done.
    async fn acknowledge_subject(&self, subject: Subject) -> Result<(), DeskError> {
        let jitter = rand::random::<u64>() % MAX_JITTER_MS;
        tokio::time::sleep(Duration::from_millis(jitter)).await;
        loop {
            let Some(acknowledge) = self.outstanding(&subject)? else { return Ok(()) };
            let body = self.body(Payload::Acknowledge(acknowledge))?;
            match self.commit(&self.sign(&body, Vec::new())).await {
                Ok(_) => return Ok(()),
                // Overtaken by the next alert, by an earlier run of ours, or by time: look again.
                Err(DeskError::Refused(Refusal::NoSuchAlert | Refusal::Acknowledged))
                | Err(DeskError::Expired | DeskError::NotCommitted) => {}
                Err(DeskError::Refused(refusal)) => {
                    tracing::warn!(code = refusal.code(), "the ledger takes no acknowledgement");
                    return Ok(());
                }
                Err(other) => return Err(other),
            }
        }
    }

    fn outstanding(
        &self,
        (subject, concern_of): &Subject,
    ) -> Result<Option<pb::Acknowledge>, DeskError> {
        let view = &self.parts.store;
        let Some(standing) = state::alert(view, subject, concern_of.as_ref())? else {
            return Ok(None);
        };
        let key = state::acknowledgement_key(subject, concern_of.as_ref(), &self.parts.member);
        let last: Option<pb::AcknowledgementState> = state::read(view, &key, "acknowledgement")?;
        if last.is_some_and(|last| last.sequence >= standing.sequence) {
            return Ok(None);
        }
        Ok(Some(pb::Acknowledge {
            subject: subject.to_vec(),
            concern_of: concern_of.map(|member| member.to_vec()).unwrap_or_default(),
            sequence: standing.sequence,
        }))
    }

    /// Without a readable note the log is read from its beginning.
    async fn noted_height(&self) -> Height {
        let path = self.parts.acknowledged_through.clone();
        let text = tokio::fs::read_to_string(path).await.unwrap_or_default();
        let height = Height(text.trim().parse().unwrap_or(0));
        height.min(self.parts.store.tip().height)
    }

    async fn note_height(&self, height: Height) {
        let path = self.parts.acknowledged_through.clone();
        let noted = blocking(move || Ok(write_whole(&path, height))).await;
        if !matches!(noted, Ok(Ok(()))) {
            tracing::warn!("the height up to which alerts are acknowledged could not be noted");
        }
    }
}

fn finished(
    joined: Option<Result<Result<(), DeskError>, tokio::task::JoinError>>,
) -> Result<(), DeskError> {
    joined.unwrap_or(Ok(Ok(()))).map_err(|_| DeskError::Stopped)?
}

/// Writes beside and renames, so that a crash leaves the old note or the new one.
fn write_whole(path: &std::path::Path, height: Height) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = std::fs::File::create(&beside)?;
    file.write_all(format!("{height}\n").as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}
