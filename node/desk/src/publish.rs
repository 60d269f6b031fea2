//! Publishing: files come in one by one, events go out, and neither queue grows. Files are read in
//! groups, records anchored in batches while the next files are read. Refuses nothing as a whole: a
//! file with faults is refused alone.

use crate::anchoring::Anchored;
use crate::reading::Reading;
use crate::{Desk, DeskError, PlannedDeposit, blocking};
use heatmark_ledger::{LeafIndex, ids::TransactionId, messages as pb, state};
use heatmark_records::RecordId;
use heatmark_records::forms::{Attests, NoOrigin, Origin};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Most records in one anchor.
pub const RECORDS_PER_ANCHOR: usize = 10_000;
/// Longest file name that is kept, in bytes.
pub const MAX_FILE_NAME_BYTES: usize = 1_024;

/// Files of one group, and bytes after which a group is closed: what a publication holds in memory.
const GROUP_FILES: usize = 256;
const GROUP_BYTES: usize = 16 << 20;
/// Anchors of one publication on their way at once.
const ANCHORS_UNDER_WAY: usize = 4;
/// Events that wait for whoever listens.
const EVENT_QUEUE: usize = 256;

/// A certificate file to publish.
#[derive(Clone)]
pub struct CertificateFile {
    /// The name as the person typed it; kept in the vault, never logged.
    pub name: String,
    /// The file's bytes.
    pub content: Vec<u8>,
    /// What stands beside it: JSON of the form `Heatmark 1`, or nothing.
    pub beside: Vec<u8>,
    /// What it attests, beyond what stands in it.
    pub attests: Option<Attests>,
}

impl std::fmt::Debug for CertificateFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CertificateFile")
    }
}

/// What is heard of a publication.
#[derive(Debug, Clone)]
pub enum PublishEvent {
    /// A file was understood; its record is in the vault.
    Read {
        /// The file's name.
        name: String,
        /// The record's id.
        record_id: RecordId,
        /// The form of certificate.
        form: String,
        /// How many fields it has.
        fields: u32,
        /// Whether it is a record of an earlier publication, or of the same file in this one.
        already_published: bool,
        /// What it commissions, or why nothing.
        origin: Result<Origin, NoOrigin>,
        /// The record whose place it takes.
        supersedes: Option<RecordId>,
        /// What of it will be deposited, since it is of a retention class.
        deposits: Vec<PlannedDeposit>,
    },
    /// A file was not understood; nothing of it was kept.
    Refused {
        /// The file's name.
        name: String,
        /// What is wrong with it, one line each.
        faults: Vec<String>,
    },
    /// A batch of records stands on the log.
    Anchored {
        /// The anchor's transaction id.
        transaction_id: TransactionId,
        /// How many records it carries.
        records: u32,
        /// The anchor's leaf on the log.
        leaf_index: LeafIndex,
        /// Its receipt, from genesis on.
        receipt: Box<pb::Receipt>,
    },
}

impl Desk {
    /// Publishes the files that come through a channel, until its sender is gone. Every file gives
    /// one event in its order; anchors are told as they stand. An error ends the publication: what
    /// is in the vault by then is anchored later all the same.
    #[must_use]
    pub fn publish(
        &self,
        files: mpsc::Receiver<CertificateFile>,
    ) -> mpsc::Receiver<Result<PublishEvent, DeskError>> {
        let (events, heard) = mpsc::channel(EVENT_QUEUE);
        let publication = Publication {
            desk: self.clone(),
            events,
            batch: Vec::new(),
            claimed: Vec::new(),
            anchors: JoinSet::new(),
        };
        tokio::spawn(publication.run(files));
        heard
    }
}

/// One publication.
struct Publication {
    desk: Desk,
    events: mpsc::Sender<Result<PublishEvent, DeskError>>,
    /// Records in the vault that wait for their anchor.
    batch: Vec<RecordId>,
    /// Records that this publication keeps from being resumed.
    claimed: Vec<RecordId>,
    anchors: JoinSet<Result<(), DeskError>>,
}

impl Publication {
    async fn run(mut self, files: mpsc::Receiver<CertificateFile>) {
        let ended = self.all(files).await;
        // Anchors under way go on when nobody listens any more; their outcome is in the vault.
        while self.anchors.join_next().await.is_some() {}
        if let Err(error) = ended {
            tracing::warn!(code = error.code(), "a publication ended early");
            // Nobody may be listening; the error was logged.
            let _ = self.events.send(Err(error)).await;
        }
    }

    async fn all(&mut self, mut files: mpsc::Receiver<CertificateFile>) -> Result<(), DeskError> {
        let most = state::parameters(&self.desk.parts.store)?.max_batch_records;
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(RECORDS_PER_ANCHOR);
        while let Some(group) = next_group(&mut files).await {
            let desk = self.desk.clone();
            let Reading { events, new } = blocking(move || desk.read(group)).await?;
            self.batch.extend(&new);
            self.claimed.extend(new);
            for event in events {
                self.events.send(Ok(event)).await.map_err(|_| DeskError::Stopped)?;
            }
            while self.batch.len() >= most {
                let rest = self.batch.split_off(most);
                let full = std::mem::replace(&mut self.batch, rest);
                self.anchor(full).await?;
            }
        }
        if !self.batch.is_empty() {
            let last = std::mem::take(&mut self.batch);
            self.anchor(last).await?;
        }
        while let Some(anchored) = self.anchors.join_next().await {
            anchored.map_err(|_| DeskError::Stopped)??;
        }
        Ok(())
    }

    /// Sends a batch on its way once there is room for it.
    async fn anchor(&mut self, records: Vec<RecordId>) -> Result<(), DeskError> {
        while self.anchors.len() >= ANCHORS_UNDER_WAY {
            if let Some(anchored) = self.anchors.join_next().await {
                anchored.map_err(|_| DeskError::Stopped)??;
            }
        }
        let (desk, events) = (self.desk.clone(), self.events.clone());
        self.anchors.spawn(async move {
            let Anchored { committed, records } = desk.anchor(records).await?;
            let event = PublishEvent::Anchored {
                transaction_id: committed.id,
                records,
                leaf_index: committed.leaf_index,
                receipt: Box::new(committed.receipt),
            };
            // The anchor stands whether somebody listens or not.
            let _ = events.send(Ok(event)).await;
            // What cannot be told now is told later; the publication stands.
            if let Err(error) = desk.tell_superseded().await {
                tracing::warn!(
                    code = error.code(),
                    "a superseded record is not marked on the log yet"
                );
            }
            Ok(())
        });
        Ok(())
    }
}

impl Drop for Publication {
    fn drop(&mut self) {
        self.desk.release(&self.claimed);
        self.desk.shared.left.notify_one();
    }
}

/// The next few files, as many as are there, one at least; none at the end.
async fn next_group(files: &mut mpsc::Receiver<CertificateFile>) -> Option<Vec<CertificateFile>> {
    let first = files.recv().await?;
    let mut bytes = first.content.len().saturating_add(first.beside.len());
    let mut group = vec![first];
    while group.len() < GROUP_FILES && bytes < GROUP_BYTES {
        let Ok(next) = files.try_recv() else { break };
        bytes = bytes.saturating_add(next.content.len()).saturating_add(next.beside.len());
        group.push(next);
    }
    Some(group)
}
