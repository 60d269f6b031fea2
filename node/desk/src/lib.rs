//! What an organisation's people come to do on their node: publish mill certificates, raise alerts,
//! have transactions signed; and what their node does for them unasked: acknowledge alerts.
//!
//! ```text
//!   files ─▶ reading ─▶ vault (pending, synced) ─▶ anchoring ─▶ submission ─▶ mempool … store
//!                                                      ▲                               │
//!            resume: what a crash or a full pool left ─┘        marked anchored ◀──────┘
//!
//!   attesting ─▶ the same; others' disclosures verified first
//!   alerts ──────────▶ submission          acknowledge: every committed alert ─▶ submission
//!   keeping ─▶ vault   retention, holds, destruction, operators, its log, backups
//! ```
//!
//! A record's opening is on disk before its anchor leaves the node, and a file is one record
//! however often it is published. Nothing of a file but its salted root goes on the log.

mod acknowledge;
mod alerts;
mod anchoring;
mod attesting;
mod capture;
mod disclosing;
mod error;
mod escrow;
mod genealogy;
mod inspecting;
mod keeping;
mod keys;
mod lots;
mod post;
mod publish;
mod reading;
mod recall;
mod submission;
mod superseding;
#[cfg(test)]
mod tests;

pub use alerts::{AlertOn, MAX_REASON_BYTES, RaisedAlert, reason_digest};
pub use attesting::{Agree, Attest, MAX_DISCLOSURES, MadeAttestation};
pub use capture::{
    CapturePlan, CaptureReport, Depth, Latency, MAX_PLAN_BYTES, PlanError, PointCount,
    ProductCount, WaiverPlan,
};
pub use disclosing::{Disclose, Limits, batch_proof};
pub use error::DeskError;
pub use escrow::{
    AgentView, ClassError, DealError, DealInspection, DealPlan, DealView, DepositPlan, DepositView,
    DueView, HoldingView, Lengths, LoadPolicy, MAX_CLASSES_BYTES, MAX_DEPOSIT_BYTES, OfferView,
    OpenedDocument, OpenedSection, OrderPlan, PlannedDeposit, RetentionClasses, SectionPlan,
    SignedOrder, WantedDocument, agreement_digest,
};
pub use genealogy::{
    AffectedView, Affecting, CustomerView, Found, LotPlace, MAX_TRACED, ORIGINS, OriginReport,
    Share, Trace, TracedLot,
};
pub use inspecting::{InspectionFound, InspectionView};
pub use keeping::BackupPiece;
pub use keys::{Seed, alert_signing_key};
pub use lots::{
    EventPlan, LotEventMade, LotPlan, LotView, NewSerials, ParcelLotView, ParcelView, Quantity,
    Receive, SerialsView, Shipped, WEIGHING_PERMILLE, process_fields,
};
pub use post::{Carrier, MAX_LETTER_FILE_BYTES, MAX_LETTER_NAME_BYTES};
pub use publish::{CertificateFile, MAX_FILE_NAME_BYTES, PublishEvent, RECORDS_PER_ANCHOR};
pub use recall::{Drill, DrillKind, FreeStock, HolderView, RecallDetail, RecallView};
pub use submission::Committed;
pub use superseding::{SUPERSEDED_BY, superseded_reason};

use ed25519_dalek::SigningKey;
use heatmark_ledger::ids::{AlertSubject, MemberId};
use heatmark_ledger::receipt::TrustRoot;
use heatmark_mempool::Intake;
use heatmark_records::RecordId;
use heatmark_store::Store;
use heatmark_vault::{Actor, RecordRow, Vault};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// What a desk works with.
pub struct DeskParts {
    /// The node's copy of the log.
    pub store: Store,
    /// The door for transactions.
    pub intake: Arc<Intake>,
    /// The organisation's private data.
    pub vault: Arc<Vault>,
    /// The organisation.
    pub member: MemberId,
    /// Its signing key.
    pub signing: SigningKey,
    /// What others' disclosures are verified against: the network's founding.
    pub trust: TrustRoot,
    /// From which the alert keys derive.
    pub seed: Seed,
    /// File in which the height is noted through which all alerts are acknowledged; losing it
    /// costs reading the log again.
    pub acknowledged_through: PathBuf,
}

/// The desk. Clones are the same desk.
#[derive(Clone)]
pub struct Desk {
    parts: Arc<DeskParts>,
    shared: Arc<Shared>,
    /// On whose behalf, as the vault's log names it.
    actor: Arc<Actor>,
    /// What must be recorded of events.
    capture: Arc<CapturePlan>,
    /// Where an arbiter's systems are told what to do with money.
    outbox: Option<Arc<PathBuf>>,
    /// Which own records are deposited once they are published.
    classes: Arc<RetentionClasses>,
}

#[derive(Default)]
struct Shared {
    /// Records that somebody is anchoring right now.
    claimed: Mutex<BTreeSet<RecordId>>,
    /// Subjects on which an alert is on its way.
    alerting: Mutex<BTreeSet<(AlertSubject, bool)>>,
    /// Something was left for resuming.
    left: Notify,
    /// Retention dates have changed.
    dates: Notify,
    /// A letter is to go.
    letters: Notify,
    /// Events of lots that somebody is posting right now.
    posting: Mutex<BTreeSet<[u8; 32]>>,
    /// An event of lots was left for resuming.
    events_left: Notify,
    /// Lots on their way are to be looked after.
    parcels: Notify,
    /// The height through which the log was read for alerts.
    alerts_read: AtomicU64,
    /// What is known of where lots come from and went.
    genealogy: genealogy::Kept,
    /// Held while a row of escrow is read and written back.
    escrow: Mutex<()>,
    /// Deals and deposits are to be looked at.
    deals: Notify,
    /// The height through which the log was read for deals.
    deals_read: AtomicU64,
    /// Deposits are due.
    due: Notify,
    /// A deal has opened, or what it opened is destroyed.
    opened: Notify,
    /// Deals that inspections asked for.
    asking: Mutex<escrow::Asking>,
    /// What of deals runs now.
    running: Mutex<escrow::Running>,
}

impl Desk {
    /// A desk; nothing runs until [`Desk::start`].
    #[must_use]
    pub fn new(parts: DeskParts) -> Self {
        Self {
            parts: Arc::new(parts),
            shared: Arc::default(),
            actor: Arc::new(Actor::Node),
            capture: Arc::default(),
            outbox: None,
            classes: Arc::default(),
        }
    }

    /// The same desk, which puts into a directory what an arbiter's systems are to do with money.
    #[must_use]
    pub fn telling(self, outbox: PathBuf) -> Self {
        Self { outbox: Some(Arc::new(outbox)), ..self }
    }

    /// The same desk on behalf of somebody: what is done through it stands in the vault's log
    /// under this name.
    #[must_use]
    pub fn acting(&self, actor: Actor) -> Self {
        Self { actor: Arc::new(actor), ..self.clone() }
    }

    /// Starts what runs unasked: anchoring what was left pending, acknowledging and matching alerts, and
    /// destroying what is past its retention date. All end when `stop` is set or its sender is
    /// gone.
    #[must_use]
    pub fn start(&self, stop: &tokio::sync::watch::Receiver<bool>) -> Vec<JoinHandle<()>> {
        if let Err(error) = self.skip_known_indices() {
            tracing::warn!(code = error.code(), "it cannot be told whether keys were given before");
        }
        let (resume, acknowledge, destroy) = (self.clone(), self.clone(), self.clone());
        let (stop_resume, stop_acknowledge) = (stop.clone(), stop.clone());
        let (stop_destroy, stop_events) = (stop.clone(), stop.clone());
        let (events, parcels, stop_parcels) = (self.clone(), self.clone(), stop.clone());
        let (recalls, stop_recalls) = (self.clone(), stop.clone());
        let (deals, stop_deals) = (self.clone(), stop.clone());
        let (due, stop_due) = (self.clone(), stop.clone());
        let (again, stop_again) = (self.clone(), stop.clone());
        vec![
            tokio::spawn(async move { until(stop_deals, deals.follow_deals()).await }),
            tokio::spawn(async move { until(stop_due, due.deposit_due()).await }),
            tokio::spawn(async move { until(stop_again, again.repeat_inspections()).await }),
            tokio::spawn(async move { until(stop_recalls, recalls.follow_alerts()).await }),
            tokio::spawn(async move { until(stop_parcels, parcels.settle_parcels()).await }),
            tokio::spawn(async move { until(stop_events, events.resume_events()).await }),
            tokio::spawn(async move { until(stop_destroy, destroy.destroy_due()).await }),
            tokio::spawn(async move { until(stop_resume, resume.resume()).await }),
            tokio::spawn(async move { until(stop_acknowledge, acknowledge.acknowledge()).await }),
        ]
    }

    /// The organisation whose desk this is.
    #[must_use]
    pub fn member(&self) -> MemberId {
        self.parts.member
    }

    /// Records of the vault whose id starts with `prefix`, at most `limit`.
    ///
    /// # Errors
    /// [`DeskError::Vault`].
    pub async fn records(
        &self,
        prefix: Vec<u8>,
        limit: usize,
    ) -> Result<Vec<RecordRow>, DeskError> {
        let vault = Arc::clone(&self.parts.vault);
        blocking(move || Ok(vault.records(&prefix, limit)?)).await
    }

    fn claimed(&self) -> MutexGuard<'_, BTreeSet<RecordId>> {
        self.shared.claimed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn alerting(&self) -> MutexGuard<'_, BTreeSet<(AlertSubject, bool)>> {
        self.shared.alerting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn until(mut stop: tokio::sync::watch::Receiver<bool>, work: impl Future<Output = ()>) {
    tokio::select! {
        () = work => {}
        // An error means that whoever could stop us is gone.
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

/// Runs what waits for a disk or computes for long away from the threads that serve requests.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DeskError> + Send + 'static,
) -> Result<T, DeskError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| DeskError::Stopped)?
}
