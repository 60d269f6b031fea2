//! From records in the vault to their place on the log: batch tree, anchor, commit, placement; and
//! the same again for whatever a crash, a full pool or a stalled chain left behind. An anchor that
//! may have left the node is sent again byte for byte until its window has ended in block time, so
//! that no record is anchored twice.

use crate::submission::{Committed, Signed};
use crate::{Desk, DeskError, RECORDS_PER_ANCHOR, blocking};
use heatmark_ledger::ids::{TransactionId, UnixMillis};
use heatmark_ledger::messages as pb;
use heatmark_merkle::batch::BatchTree;
use heatmark_records::RecordId;
use heatmark_vault::{Placement, Submission};
use prost::Message as _;
use prost::bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;

/// How often a batch gets a new anchor after the last one expired, before it is left for later.
const ANCHORS_TRIED: usize = 3;
/// How often what was left is looked for.
const RESUME_INTERVAL: Duration = Duration::from_secs(30);

/// A batch that stands on the log.
pub(crate) struct Anchored {
    pub(crate) committed: Committed,
    pub(crate) records: u32,
}

impl Desk {
    /// Anchors records that are pending in the vault and claimed by the caller.
    pub(crate) async fn anchor(&self, records: Vec<RecordId>) -> Result<Anchored, DeskError> {
        let tree = Arc::new(BatchTree::new(&records)?);
        let mut tried = 0_usize;
        loop {
            let signed = self.prepare(&tree, &records).await?;
            tried = tried.saturating_add(1);
            match self.finish(&signed, &tree, &records).await {
                Err(DeskError::Expired) if tried < ANCHORS_TRIED => {}
                finished => return finished,
            }
        }
    }

    /// Signs an anchor and keeps it before it leaves the node.
    async fn prepare(
        &self,
        tree: &Arc<BatchTree>,
        records: &[RecordId],
    ) -> Result<Signed, DeskError> {
        let count = u32::try_from(records.len()).unwrap_or(u32::MAX);
        let anchor = pb::Anchor { root: tree.root().0.to_vec(), records: count };
        let body = self.body(pb::body::Payload::Anchor(anchor))?;
        let signed = self.sign(&body, Vec::new());
        let submission = Submission {
            transaction_id: *signed.id.as_bytes(),
            envelope: signed.envelope.to_vec(),
            records: records.to_vec(),
        };
        let vault = Arc::clone(&self.parts.vault);
        blocking(move || Ok(vault.put_submission(&submission)?)).await?;
        Ok(signed)
    }

    /// Waits until a kept anchor stands and notes where; forgets one that no longer can.
    async fn finish(
        &self,
        signed: &Signed,
        tree: &Arc<BatchTree>,
        records: &[RecordId],
    ) -> Result<Anchored, DeskError> {
        let vault = Arc::clone(&self.parts.vault);
        let committed = match self.commit(signed).await {
            Ok(committed) => committed,
            Err(DeskError::Expired) => {
                let id = *signed.id.as_bytes();
                blocking(move || Ok(vault.drop_submission(&id)?)).await?;
                return Err(DeskError::Expired);
            }
            Err(other) => return Err(other),
        };
        let (tree, ids, place) = (Arc::clone(tree), records.to_vec(), committed.clone());
        let count = blocking(move || {
            let placements = placements(&tree, &ids, &place);
            vault.mark_anchored(&placements)?;
            Ok(u32::try_from(placements.len()).unwrap_or(u32::MAX))
        })
        .await?;
        self.shared.due.notify_one();
        Ok(Anchored { committed, records: count })
    }

    /// Anchors what was left, at once, whenever something is left, and every now and then.
    pub(crate) async fn resume(&self) {
        loop {
            if let Err(error) = self.resume_once().await {
                tracing::warn!(code = error.code(), "pending records are not anchored yet");
            }
            if let Err(error) = self.tell_superseded().await {
                tracing::warn!(
                    code = error.code(),
                    "a superseded record is not marked on the log yet"
                );
            }
            tokio::select! {
                () = self.shared.left.notified() => {}
                () = tokio::time::sleep(RESUME_INTERVAL) => {}
            }
        }
    }

    async fn resume_once(&self) -> Result<(), DeskError> {
        let vault = Arc::clone(&self.parts.vault);
        for submission in blocking(move || Ok(vault.submissions()?)).await? {
            let Some(claim) = Claim::take(self, &submission.records) else { continue };
            if let Err(error) = self.resume_submission(&submission).await {
                tracing::warn!(
                    code = error.code(),
                    "an anchor of an earlier run is not on the log"
                );
            }
            drop(claim);
        }
        loop {
            let vault = Arc::clone(&self.parts.vault);
            let claimed = self.claimed().len();
            let limit = RECORDS_PER_ANCHOR.saturating_add(claimed);
            let mut pending = blocking(move || Ok(vault.pending(limit)?)).await?;
            {
                let claimed = self.claimed();
                pending.retain(|id| !claimed.contains(id));
            }
            pending.truncate(self.records_per_anchor()?);
            if pending.is_empty() {
                return Ok(());
            }
            let Some(_claim) = Claim::take(self, &pending) else { return Ok(()) };
            self.anchor(pending).await?;
        }
    }

    fn records_per_anchor(&self) -> Result<usize, DeskError> {
        let most = heatmark_ledger::state::parameters(&self.parts.store)?.max_batch_records;
        Ok(usize::try_from(most).unwrap_or(usize::MAX).min(RECORDS_PER_ANCHOR))
    }

    async fn resume_submission(&self, submission: &Submission) -> Result<(), DeskError> {
        let envelope = pb::Envelope::decode(submission.envelope.as_slice());
        let body = envelope.and_then(|envelope| pb::Body::decode(envelope.body.as_slice()));
        let body = body.map_err(|_| heatmark_vault::VaultError::Damaged)?;
        let signed = Signed {
            id: TransactionId::from(submission.transaction_id),
            envelope: Bytes::from(submission.envelope.clone()),
            not_after: UnixMillis(body.not_after_ms),
        };
        let tree = Arc::new(BatchTree::new(&submission.records)?);
        match self.finish(&signed, &tree, &submission.records).await {
            // Forgotten; its records are pending again and get a new anchor.
            Ok(_) | Err(DeskError::Expired) => Ok(()),
            Err(other) => Err(other),
        }
    }
}

fn placements(
    tree: &BatchTree,
    records: &[RecordId],
    committed: &Committed,
) -> Vec<(RecordId, Placement)> {
    let count = u32::try_from(records.len()).unwrap_or(u32::MAX);
    let placement = |(position, id): (u32, &RecordId)| {
        let path = tree.path(position)?;
        let transaction_id = *committed.id.as_bytes();
        let leaf_index = committed.leaf_index.0;
        Some((*id, Placement { transaction_id, leaf_index, position, count, path }))
    };
    (0_u32..).zip(records).filter_map(placement).collect()
}

/// Records that only the holder anchors.
struct Claim<'d> {
    desk: &'d Desk,
    records: Vec<RecordId>,
}

impl<'d> Claim<'d> {
    /// Claims all of the records, or none when somebody has one of them.
    fn take(desk: &'d Desk, records: &[RecordId]) -> Option<Self> {
        let mut claimed = desk.claimed();
        if records.iter().any(|id| claimed.contains(id)) {
            return None;
        }
        claimed.extend(records);
        Some(Self { desk, records: records.to_vec() })
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        self.desk.release(&self.records);
    }
}
