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
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Blocks read before what they hold is acknowledged.
const BLOCKS_AT_ONCE: u64 = 256;
/// Acknowledgements that begin at once.
const UNDER_WAY: usize = 32;
/// For so long one of them keeps others from beginning.
const SLOT_PATIENCE: Duration = Duration::from_secs(20);
/// Acknowledgements that may wait to be committed; then the log is read no further. A member's
/// share of every pool holds as many.
const MOST_WAITING: usize = 1_024;
/// So that a hundred nodes do not answer in the same moment.
const MAX_JITTER_MS: u64 = 1_500;
const RETRY_PAUSE: Duration = Duration::from_secs(5);
/// How often the height is noted while something is not acknowledged yet.
const NOTE_EVERY_BLOCKS: u64 = 1_000;

/// An alert by its issuer, or the concern of a member.
pub(crate) type Subject = (AlertSubject, Option<MemberId>);

/// What is to be acknowledged and is not yet.
#[derive(Default)]
struct UnderWay {
    subjects: BTreeMap<Subject, Found>,
    running: JoinSet<(Subject, Result<(), DeskError>)>,
    /// Something was acknowledged since the height was noted.
    acknowledged: bool,
}

struct Found {
    /// First block that is not done before this subject is.
    height: Height,
    /// Found once more since its acknowledgement began.
    again: bool,
}

impl Desk {
    /// Follows the log for ever. An acknowledgement that nobody takes holds up no other.
    pub(crate) async fn acknowledge(&self) {
        let mut tip = self.parts.store.subscribe();
        let mut read = self.noted_height().await;
        let mut noted = read;
        let mut under_way = UnderWay::default();
        let slots = Arc::new(Semaphore::new(UNDER_WAY));
        loop {
            let newest = tip.borrow_and_update().height;
            let room = under_way.subjects.len() < MOST_WAITING;
            if read < newest && room {
                match self.read_on(read, newest).await {
                    Ok((subjects, last)) => {
                        for subject in subjects {
                            self.begin(&mut under_way, subject, read.next(), &slots);
                        }
                        read = last;
                    }
                    Err(error) => {
                        tracing::warn!(code = error.code(), "the log is not read for alerts");
                        tokio::time::sleep(RETRY_PAUSE).await;
                    }
                }
            }
            noted = self.note_done(&mut under_way, read, noted).await;
            if read < newest && room {
                continue;
            }
            tokio::select! {
                Some(done) = under_way.running.join_next() => match done {
                    Ok((subject, result)) => self.end(&mut under_way, subject, result, &slots),
                    Err(error) => tracing::error!(%error, "an acknowledgement failed"),
                },
                changed = tip.changed() => if changed.is_err() { return },
            }
        }
    }

    async fn read_on(
        &self,
        read: Height,
        newest: Height,
    ) -> Result<(BTreeSet<Subject>, Height), DeskError> {
        let last = Height(read.0.saturating_add(BLOCKS_AT_ONCE)).min(newest);
        let desk = self.clone();
        let subjects = blocking(move || desk.alerts_in(read.next(), last)).await?;
        Ok((subjects, last))
    }

    fn begin(
        &self,
        under_way: &mut UnderWay,
        subject: Subject,
        height: Height,
        slots: &Arc<Semaphore>,
    ) {
        if let Some(found) = under_way.subjects.get_mut(&subject) {
            found.again = true;
            return;
        }
        under_way.subjects.insert(subject, Found { height, again: false });
        self.run(under_way, subject, Duration::ZERO, slots);
    }

    fn run(
        &self,
        under_way: &mut UnderWay,
        subject: Subject,
        pause: Duration,
        slots: &Arc<Semaphore>,
    ) {
        let (desk, slots) = (self.clone(), Arc::clone(slots));
        under_way.running.spawn(async move {
            tokio::time::sleep(pause).await;
            let slot = slots.acquire_owned().await;
            let work = desk.acknowledge_subject(subject);
            tokio::pin!(work);
            // Whoever waits for long lets others begin.
            let result = tokio::select! {
                result = &mut work => result,
                () = tokio::time::sleep(SLOT_PATIENCE) => {
                    drop(slot);
                    work.await
                }
            };
            (subject, result)
        });
    }

    fn end(
        &self,
        under_way: &mut UnderWay,
        subject: Subject,
        result: Result<(), DeskError>,
        slots: &Arc<Semaphore>,
    ) {
        let Some(found) = under_way.subjects.get_mut(&subject) else { return };
        let pause = match result {
            Ok(()) if !std::mem::take(&mut found.again) => {
                under_way.subjects.remove(&subject);
                under_way.acknowledged = true;
                return;
            }
            Ok(()) => Duration::ZERO,
            Err(error) => {
                tracing::warn!(code = error.code(), "an alert is not acknowledged yet");
                RETRY_PAUSE
            }
        };
        self.run(under_way, subject, pause, slots);
    }

    /// Notes the height up to which all is done, when it is worth it.
    async fn note_done(&self, under_way: &mut UnderWay, read: Height, noted: Height) -> Height {
        let first_open = under_way.subjects.values().map(|found| found.height).min();
        let done = first_open.map_or(read, Height::previous);
        let far = done.0.saturating_sub(noted.0) >= NOTE_EVERY_BLOCKS;
        // Without a note a restart reads a few blocks again, and finds them done.
        let all = under_way.acknowledged && under_way.subjects.is_empty();
        if done > noted && (far || all) {
            under_way.acknowledged = false;
            self.note_height(done).await;
            return done;
        }
        noted
    }

    pub(crate) fn alerts_in(
        &self,
        first: Height,
        last: Height,
    ) -> Result<BTreeSet<Subject>, DeskError> {
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

/// Writes beside and renames, so that a crash leaves the old note or the new one.
fn write_whole(path: &std::path::Path, height: Height) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = std::fs::File::create(&beside)?;
    file.write_all(format!("{height}\n").as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&beside, path)
}
