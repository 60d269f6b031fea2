//! Lots: material made into lots of a certificate, worked on, divided, put together, scrapped. Each event is on disk with
//! the very transaction that carries it before it leaves the node, so that a crash finds it again and nothing is used
//! twice. Refuses plans whose masses or pieces do not add up, and lots that are used already.
//!
//! ```text
//!  plan ─▶ event and proofs ─▶ vault (lots reserved, synced) ─▶ submission ─▶ log ─▶ lots stand
//!                                       ▲                          │
//!                    resume: again after a crash ◀─────────────────┴─▶ window over: lots are free again
//! ```

mod becoming;
mod capsule;
mod described;
mod docking;
mod making;
mod offers;
mod plan;
mod receiving;
mod serials;
mod settling;
mod shipping;

use making::Made;
pub use making::process_fields;
pub(crate) use making::product_of;
pub use plan::{EventPlan, LotPlan, NewSerials, Quantity, WEIGHING_PERMILLE};
pub use receiving::{ParcelLotView, ParcelView, Receive};
pub use serials::SerialsView;
pub use shipping::Shipped;

use crate::submission::{Committed, Signed};
use crate::{Desk, DeskError, blocking};
use heatmark_ledger::LeafIndex;
use heatmark_ledger::ids::{TransactionId, UnixMillis};
use heatmark_ledger::messages as pb;
use heatmark_lots::{Kind, OpenLot};
use heatmark_records::Opening;
use heatmark_vault::{LotEventRow, LotRow, LotState, VaultError};
use prost::Message as _;
use prost::bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;

/// How often events that were left are looked for.
const RESUME_INTERVAL: Duration = Duration::from_secs(30);

/// An event that stands on the log.
#[derive(Debug, Clone)]
pub struct LotEventMade {
    /// Its digest.
    pub digest: [u8; 32],
    /// Its transaction.
    pub committed: Committed,
    /// The lots that it made.
    pub lots: Vec<LotView>,
}

/// A lot as its owner's people see it.
#[derive(Clone, PartialEq, Eq)]
pub struct LotView {
    /// Its hash, as it stands on the log.
    pub hash: [u8; 32],
    /// Its name.
    pub name: String,
    /// What it is.
    pub product: String,
    /// Milligrams.
    pub mass_mg: u64,
    /// Pieces.
    pub pieces: u64,
    /// From when on it must not be used, in milliseconds since 1970; 0 for never.
    pub expires_ms: u64,
    /// What became of it.
    pub state: LotState,
    /// The kind of event that made it.
    pub made_by: &'static str,
    /// The leaf of that event, once it stands.
    pub leaf_index: Option<LeafIndex>,
    /// The certificate, where that event commissioned one's material.
    pub certificate: Option<heatmark_records::RecordId>,
    /// The lots that went into that event, by name.
    pub from: Vec<String>,
    /// When it was made, in milliseconds since 1970.
    pub at_ms: u64,
    /// The number of the gravest level of alerts that reach it; 0 for none.
    pub alert: u32,
    /// What it became, by name: the lot that it is now under another name or seal, else the lots that were made of it.
    pub became: Vec<String>,
    /// The kind of event that used it.
    pub used_by: Option<&'static str>,
    /// The process record of the event that made it: fields by name.
    pub process: Vec<(String, String)>,
    /// Its serials, where it was asked for by name.
    pub serials: Option<SerialsView>,
}

impl std::fmt::Debug for LotView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LotView").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Desk {
    /// Makes an event, and waits until it stands.
    ///
    /// # Errors
    /// See [`DeskError`]. An event that the door refuses at once has not happened; one that has left goes on by itself,
    /// whatever is answered here and whether anybody still listens.
    pub async fn lot_event(&self, plan: EventPlan) -> Result<LotEventMade, DeskError> {
        let desk = self.clone();
        let made = blocking(move || desk.make_event(&plan)).await?;
        let desk = self.clone();
        self.keep_and_post(made, move |made| desk.keep_event(made)).await
    }

    /// Keeps an event that was made, posts it and waits until it stands.
    async fn keep_and_post<L: Send + 'static>(
        &self,
        made: Made<L>,
        keep: impl FnOnce(Made<L>) -> Result<Made, DeskError> + Send + 'static,
    ) -> Result<LotEventMade, DeskError> {
        let digest = made.row.digest;
        // Before it is on disk, so that resuming leaves it to us.
        let mut claim = EventClaim::take(self, digest).ok_or(DeskError::Stopped)?;
        claim.resumes = true;
        let Made { signed, row, .. } = blocking(move || keep(made)).await?;
        if let Err(DeskError::Refused(refusal)) = self.submit_again(&signed).await {
            self.lapse(digest).await?;
            claim.resumes = false;
            return Err(DeskError::Refused(refusal));
        }
        let committed = self.post_event(&signed, digest).await?;
        claim.resumes = false;
        let desk = self.clone();
        let lots = blocking(move || {
            let outputs =
                row.outputs.iter().filter_map(|hash| desk.parts.vault.lot(hash).transpose());
            outputs.map(|lot| desk.view(&lot?)).collect()
        })
        .await?;
        Ok(LotEventMade { digest, committed, lots })
    }

    /// Lots after one hash, or from the first on, at most `limit`.
    ///
    /// # Errors
    /// [`DeskError::Vault`].
    pub async fn lots(
        &self,
        after: Option<[u8; 32]>,
        limit: usize,
    ) -> Result<Vec<LotView>, DeskError> {
        let desk = self.clone();
        blocking(move || {
            let rows = desk.parts.vault.lots(after.as_ref(), limit)?;
            let views = rows.iter().map(|row| desk.view(row)).collect::<Result<Vec<_>, _>>()?;
            desk.marked(views)
        })
        .await
    }

    /// A lot by its name.
    ///
    /// # Errors
    /// [`DeskError::Vault`].
    pub async fn lot_named(&self, name: String) -> Result<LotView, DeskError> {
        let desk = self.clone();
        blocking(move || {
            let row = desk.parts.vault.lot_named(&name)?.ok_or(VaultError::UnknownLot)?;
            let view = desk.view(&row)?;
            let view = LotView { serials: desk.serials_view(&row)?, ..view };
            desk.marked(vec![view])?.pop().ok_or(DeskError::Stopped)
        })
        .await
    }

    /// Lots with the alerts that reach them.
    fn marked(&self, mut views: Vec<LotView>) -> Result<Vec<LotView>, DeskError> {
        self.with_known(|known, _| {
            views.iter_mut().for_each(|view| view.alert = known.mark_of(&view.hash));
            Ok(())
        })?;
        Ok(views)
    }

    fn view(&self, row: &LotRow) -> Result<LotView, DeskError> {
        let open = OpenLot::decode(&row.open).map_err(|_| VaultError::Damaged)?;
        let description = Opening::decode(&row.description)?;
        let event = self.parts.vault.lot_event(&row.event)?.ok_or(VaultError::Damaged)?;
        let kind = Kind::from_code(event.kind).map_err(|_| VaultError::Damaged)?;
        let mut from = Vec::with_capacity(event.inputs.len());
        for input in &event.inputs {
            from.extend(self.parts.vault.lot(input)?.map(|lot| lot.name));
        }
        let (used_by, became) = self.became(row)?;
        let process = self.parts.vault.process(&row.event)?;
        Ok(LotView {
            hash: row.hash,
            name: row.name.clone(),
            product: making::product_of(&description),
            mass_mg: open.mass().number,
            pieces: open.pieces().number,
            expires_ms: open.lot().content.expires_ms,
            state: row.state,
            made_by: kind.word(),
            leaf_index: row.leaf_index.map(LeafIndex),
            certificate: event.origin,
            from,
            at_ms: row.at_ms,
            alert: 0,
            became,
            used_by,
            process: process.as_ref().map(process_fields).unwrap_or_default(),
            serials: None,
        })
    }

    /// Waits until a kept event stands, and notes where; frees its lots when it no longer can.
    async fn post_event(&self, signed: &Signed, digest: [u8; 32]) -> Result<Committed, DeskError> {
        let outcome = match self.commit(signed).await {
            // The door judges by a state that moves: what it refuses may have come to stand meanwhile.
            Err(DeskError::Refused(refusal)) => {
                self.committed(signed.id).await?.ok_or(DeskError::Refused(refusal))
            }
            outcome => outcome,
        };
        match &outcome {
            Ok(committed) => {
                let (vault, leaf) = (Arc::clone(&self.parts.vault), committed.leaf_index.0);
                blocking(move || Ok(vault.event_stands(&digest, leaf)?)).await?;
            }
            Err(DeskError::Expired) => self.lapse(digest).await?,
            // It may have left the node: only the end of its window says that it will never stand.
            Err(_) => {}
        }
        outcome
    }

    /// Forgets an event that never left the node, or no longer can stand.
    async fn lapse(&self, digest: [u8; 32]) -> Result<(), DeskError> {
        let vault = Arc::clone(&self.parts.vault);
        blocking(move || match vault.event_lapsed(&digest) {
            // The receiver of what it was to take back was first, and it is forgotten already.
            Ok(()) | Err(VaultError::UnknownLot) => Ok(()),
            Err(error) => Err(error.into()),
        })
        .await
    }

    /// Posts the events that an earlier run left, and those that had to wait.
    pub(crate) async fn resume_events(&self) {
        loop {
            if let Err(error) = self.resume_events_once().await {
                tracing::warn!(code = error.code(), "an event of lots is not on the log yet");
            }
            tokio::select! {
                () = self.shared.events_left.notified() => tokio::time::sleep(Duration::from_secs(1)).await,
                () = tokio::time::sleep(RESUME_INTERVAL) => {}
            }
        }
    }

    /// One that waits or cannot be posted keeps no other from it; the last error is told.
    pub(crate) async fn resume_events_once(&self) -> Result<(), DeskError> {
        let vault = Arc::clone(&self.parts.vault);
        let mut posting = JoinSet::new();
        for row in blocking(move || Ok(vault.waiting_events()?)).await? {
            let desk = self.clone();
            posting.spawn(async move { desk.resume_event(row.digest).await });
        }
        let mut outcome = Ok(());
        while let Some(posted) = posting.join_next().await {
            match posted {
                Ok(Ok(()) | Err(DeskError::Expired)) => {}
                Ok(Err(error)) => outcome = Err(error),
                Err(_) => outcome = Err(DeskError::Stopped),
            }
        }
        outcome
    }

    async fn resume_event(&self, digest: [u8; 32]) -> Result<(), DeskError> {
        let Some(_claim) = EventClaim::take(self, digest) else { return Ok(()) };
        // Read under the claim: whoever had it before may have settled the event.
        let vault = Arc::clone(&self.parts.vault);
        let row = blocking(move || Ok(vault.lot_event(&digest)?)).await?;
        let Some(row) = row.filter(|row| row.leaf_index.is_none()) else { return Ok(()) };
        self.post_event(&signed_of(&row)?, digest).await.map(drop)
    }

    fn posting(&self) -> MutexGuard<'_, BTreeSet<[u8; 32]>> {
        self.shared.posting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The transaction of a kept event, byte for byte.
fn signed_of(row: &LotEventRow) -> Result<Signed, DeskError> {
    let envelope = pb::Envelope::decode(row.envelope.as_slice());
    let body = envelope.and_then(|envelope| pb::Body::decode(envelope.body.as_slice()));
    let body = body.map_err(|_| VaultError::Damaged)?;
    Ok(Signed {
        id: TransactionId::from(row.transaction_id),
        envelope: Bytes::from(row.envelope.clone()),
        not_after: UnixMillis(body.not_after_ms),
    })
}

/// An event that only the holder posts.
struct EventClaim<'d> {
    desk: &'d Desk,
    digest: [u8; 32],
    /// Whether it is left for resuming when the holder goes.
    resumes: bool,
}

impl<'d> EventClaim<'d> {
    fn take(desk: &'d Desk, digest: [u8; 32]) -> Option<Self> {
        desk.posting().insert(digest).then_some(Self { desk, digest, resumes: false })
    }
}

impl Drop for EventClaim<'_> {
    fn drop(&mut self) {
        self.desk.posting().remove(&self.digest);
        if self.resumes {
            self.desk.shared.events_left.notify_one();
        }
    }
}
