//! Decisions: one synced commit, before the engine hears of it; a fuller certificate later; and
//! what it collected against validators that signed twice.

use arc_malachitebft_app_channel::app::types::MisbehaviorEvidence;
use arc_malachitebft_app_channel::app::types::core::CommitCertificate as EngineCertificate;
use heatmark_ledger::certificate::CommitCertificate;
use heatmark_ledger::validators::ValidatorSet as LedgerSet;
use std::time::Instant;
use tracing::{debug, warn};

use super::{Host, pace};
use crate::context::{Heatmark, ValidatorSet};
use crate::error::Failure;
use crate::evidence;
use crate::signing::round_of;

/// The certificate in the ledger's terms; `None` when it names someone who is not in the set.
fn to_ledger(
    certificate: &EngineCertificate<Heatmark>,
    set: &LedgerSet,
) -> Option<CommitCertificate> {
    let mut signatures = certificate
        .commit_signatures
        .iter()
        .map(|s| {
            let index = u32::try_from(set.position(&s.address.0)?).ok()?;
            Some((index, s.signature.0.to_vec()))
        })
        .collect::<Option<Vec<_>>>()?;
    signatures.sort_by_key(|(index, _)| *index);
    Some(CommitCertificate { round: round_of(certificate.round)?, signatures })
}

impl Host {
    pub(super) async fn decided(
        &mut self,
        certificate: &EngineCertificate<Heatmark>,
    ) -> Result<(), Failure> {
        let height = certificate.height;
        if height != self.next_height() {
            return Err(Failure::OutOfOrder { height: height.0, newest: self.newest.height.0 });
        }
        let set = self.newest.next_validators.clone();
        let stored =
            to_ledger(certificate, &set).ok_or(Failure::Certificate { height: height.0 })?;
        self.stored_signatures = stored.signatures.len();
        let (at, hash) = (height.ledger(), certificate.value_id.0);
        let committed =
            self.ask("committing a block", move |app| app.commit(at, &hash, &stored)).await?;
        if committed.newest.height != at {
            let newest = committed.newest.height.0;
            return Err(Failure::OutOfOrder { height: height.0, newest });
        }
        debug!(height = height.0, transactions = committed.transactions, "block committed");
        self.deciding_set = Some(set);
        let caught_up = self.receiving.take_synced(height);
        let next = ValidatorSet::from(&committed.newest.next_validators);
        let decided_by = std::mem::replace(&mut self.set, next);
        self.newest = committed.newest;
        self.assembly.forget_through(height);
        self.receiving.forget_through(height);
        let due = pace::after(Instant::now(), self.newest.heartbeat);
        let wanted = *self.wants.borrow();
        self.pace.committed(height, committed.transactions, wanted, due);
        if caught_up {
            self.pace.synced();
            self.turns.missed_some();
        } else {
            self.turns.decided(&decided_by);
        }
        self.ends.height.send_replace(at);
        Ok(())
    }

    pub(super) async fn finalized(
        &mut self,
        certificate: &EngineCertificate<Heatmark>,
        found: &MisbehaviorEvidence<Heatmark>,
    ) -> Result<(), Failure> {
        let height = certificate.height.ledger();
        if height != self.newest.height {
            let newest = self.newest.height.0;
            return Err(Failure::OutOfOrder { height: height.0, newest });
        }
        let evidence = evidence::collect(found);
        if !evidence.is_empty() {
            warn!(height = height.0, count = evidence.len(), "validators signed twice");
            self.ask("keeping evidence", move |app| app.keep_evidence(&evidence)).await?;
        }
        let fuller = certificate.commit_signatures.len() > self.stored_signatures;
        if let Some(set) = self.deciding_set.take().filter(|_| fuller) {
            let certificate =
                to_ledger(certificate, &set).ok_or(Failure::Certificate { height: height.0 })?;
            let during = "replacing a certificate";
            self.ask(during, move |app| app.finalize(height, &certificate)).await?;
        }
        Ok(())
    }
}
