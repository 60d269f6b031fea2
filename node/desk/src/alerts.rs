//! Raising, changing and clearing alerts: on own records with the record's alert key, on anybody's
//! subject as the member's own concern. The reason stays in the vault; a salted digest of it,
//! `H("alert-reason", salt, reason)`, goes on the log. What levels may follow each other is the
//! ledger's to say.

use crate::keys::alert_signing_key;
use crate::submission::Committed;
use crate::{Desk, DeskError, blocking};
use heatmark_ledger::ids::AlertSubject;
use heatmark_ledger::{Hash, messages as pb, state, transaction};
use heatmark_records::RecordId;
use heatmark_vault::{AlertReason, Alerted, Deed};
use prost::Message as _;
use std::sync::Arc;

pub use heatmark_ledger::alerts::{MAX_ALERT_REASON_BYTES as MAX_REASON_BYTES, reason_digest};

/// What an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertOn {
    /// A record that this node published.
    OwnRecord(RecordId),
    /// Any subject, as the member's concern.
    Concern(AlertSubject),
}

/// An alert that stands.
#[derive(Debug, Clone)]
pub struct RaisedAlert {
    /// The alert.
    pub alert: pb::Alert,
    /// Its transaction.
    pub committed: Committed,
}

impl Desk {
    /// Raises, changes or clears an alert and waits until it stands.
    ///
    /// # Errors
    /// See [`DeskError`]; [`DeskError::Refused`] with the ledger's reason where the level cannot
    /// follow the one that stands.
    pub async fn alert(
        &self,
        on: AlertOn,
        level: pb::AlertLevel,
        reason: String,
    ) -> Result<RaisedAlert, DeskError> {
        if level == pb::AlertLevel::Unspecified {
            return Err(DeskError::NoLevel);
        }
        if reason.len() > MAX_REASON_BYTES {
            return Err(DeskError::ReasonTooLong);
        }
        let (subject, alert_index) = self.subject(on).await?;
        let _underway = Underway::begin(self, subject, alert_index.is_none())?;
        let reason_digest = self.keep_reason(on, level, reason).await?;
        let concern_of = alert_index.is_none().then_some(self.parts.member);
        let last = state::alert(&self.parts.store, &subject, concern_of.as_ref())?;
        let alert = pb::Alert {
            subject: subject.to_vec(),
            level: level.into(),
            sequence: last.map_or(0, |last| last.sequence).saturating_add(1),
            reason_digest: reason_digest.0.to_vec(),
            concern: alert_index.is_none(),
        };
        let body = self.body(pb::body::Payload::Alert(alert.clone()))?;
        let cosignatures = match alert_index {
            None => Vec::new(),
            Some(index) => {
                let key = alert_signing_key(&self.parts.seed, index);
                let network = self.parts.intake.network();
                let body = body.encode_to_vec();
                vec![transaction::cosign(&network, pb::CoSigner::Alert, &key, &body)?]
            }
        };
        let committed = self.commit(&self.sign(&body, cosignatures)).await?;
        Ok(RaisedAlert { alert, committed })
    }

    /// Why the alert that stands on an own record was raised, for one who tells others: the vault's log says so
    /// first. Nothing where none stands, or the vault does not know.
    ///
    /// # Errors
    /// [`DeskError::UnknownRecord`], [`DeskError::Vault`], [`DeskError::State`].
    pub async fn explain_alert(&self, id: RecordId) -> Result<Option<AlertReason>, DeskError> {
        let (subject, _) = self.subject(AlertOn::OwnRecord(id)).await?;
        let desk = self.clone();
        blocking(move || {
            let Some(alert) = state::alert(&desk.parts.store, &subject, None)? else {
                return Ok(None);
            };
            let Ok(digest) = Hash::try_from(alert.reason_digest.as_slice()) else {
                return Ok(None);
            };
            let vault = &desk.parts.vault;
            let Some(reason) = vault.alert_reason(&digest.0)? else { return Ok(None) };
            vault.note(&desk.actor, Deed::Show, Some(id.0), 0)?;
            Ok(Some(reason))
        })
        .await
    }

    /// Notes an alert that comes as a whole body: its reason is the caller's.
    pub(crate) async fn note_alert(&self, alert: &pb::Alert) -> Result<(), DeskError> {
        let subject = <[u8; 32]>::try_from(alert.subject.as_slice()).ok();
        let level = u64::try_from(alert.level).unwrap_or(0);
        let (vault, actor) = (Arc::clone(&self.parts.vault), Arc::clone(&self.actor));
        blocking(move || Ok(vault.note(&actor, Deed::Concern, subject, level)?)).await
    }

    async fn subject(&self, on: AlertOn) -> Result<(AlertSubject, Option<u64>), DeskError> {
        match on {
            AlertOn::Concern(subject) => Ok((subject, None)),
            AlertOn::OwnRecord(id) => {
                let rows = self.records(id.0.to_vec(), 1).await?;
                let row = rows.into_iter().next().ok_or(DeskError::UnknownRecord(id))?;
                Ok((AlertSubject::from(row.alert_subject), Some(row.alert_index)))
            }
        }
    }

    /// Keeps the reason, and who raises the alert, before anything of it leaves the node.
    async fn keep_reason(
        &self,
        on: AlertOn,
        level: pb::AlertLevel,
        reason: String,
    ) -> Result<Hash, DeskError> {
        let salt: [u8; 32] = rand::random();
        let digest = reason_digest(&salt, &reason);
        let vault = Arc::clone(&self.parts.vault);
        let kept = AlertReason { reason, salt };
        let about = match on {
            AlertOn::OwnRecord(id) => Alerted::Record(id),
            AlertOn::Concern(subject) => Alerted::Subject(*subject.as_bytes()),
        };
        let level = u32::try_from(i32::from(level)).unwrap_or(0);
        let actor = Arc::clone(&self.actor);
        let keep = move || Ok(vault.put_alert_reason(&actor, (about, level), &digest.0, &kept)?);
        blocking(keep).await?;
        Ok(digest)
    }
}

/// One alert a subject and side at a time: the next one's sequence depends on it.
struct Underway<'d> {
    desk: &'d Desk,
    subject: (AlertSubject, bool),
}

impl<'d> Underway<'d> {
    fn begin(desk: &'d Desk, subject: AlertSubject, concern: bool) -> Result<Self, DeskError> {
        let subject = (subject, concern);
        if desk.alerting().insert(subject) {
            Ok(Self { desk, subject })
        } else {
            Err(DeskError::AlertUnderway)
        }
    }
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        self.desk.alerting().remove(&self.subject);
    }
}
