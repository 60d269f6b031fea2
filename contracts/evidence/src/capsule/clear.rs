//! Whether something stands against the lot: alerts on the certificates, processes and descriptions that lead to it, expiry of
//! what it was made of and of itself, and the age of all this.

use heatmark_ledger::ids::AlertSubject;
use heatmark_ledger::messages::AlertLevel;
use heatmark_lots::Kind;
use heatmark_merkle::LeafIndex;
use heatmark_records::RecordId;

use super::demands::Demands;
use super::graph::lot_at;
use super::verdict::{About, Check, Notes};

impl Demands<'_> {
    /// Alerts, concerns, expiry, and the age of all this.
    pub(super) fn check_clear(&self, notes: &mut Notes) {
        let (header, now) = (&self.evidence.header, self.acceptance.now.0);
        if now.saturating_sub(header.time.0) > self.acceptance.max_age_ms {
            notes.hold(Check::Clear, About::Capsule, "stale");
        }
        let expires = self.evidence.lot().map_or(0, |lot| lot.content.expires_ms);
        if expires != 0 && now >= expires {
            notes.hold(Check::Clear, About::Lot, "expired");
        }
        self.check_inputs_expiry(notes);
        let (certificates, told) = self.evidence.named_on_the_way();
        for (id, record) in &self.evidence.records {
            let waived = self.acceptance.untold && told.contains(id) && !certificates.contains(id);
            self.check_alerts(*id, record.subject(), waived, notes);
        }
        for id in told.iter().filter(|id| !self.evidence.records.contains_key(id)) {
            match self.evidence.named.get(id) {
                Some(subject) => self.check_alerts(*id, *subject, self.acceptance.untold, notes),
                None if self.acceptance.untold => {}
                None => notes.hold(Check::Clear, About::Record(*id), "alert-untold"),
            }
        }
    }

    /// What stands against a record, by its issuer and by those whose concerns count. `waived`: it need not be told.
    fn check_alerts(&self, id: RecordId, subject: AlertSubject, waived: bool, notes: &mut Notes) {
        let about = || About::Record(id);
        let entries = &self.evidence.entries;
        let concerns = &self.acceptance.concerns;
        let levels = concerns.iter().map(|member| entries.concern(&subject, member));
        for level in levels.chain([entries.alert(&subject)]) {
            match level {
                None if waived => {}
                None => notes.hold(Check::Clear, about(), "alert-untold"),
                Some(AlertLevel::Clear | AlertLevel::Unspecified) => {}
                Some(AlertLevel::Superseded) => notes.hold(Check::Clear, about(), "superseded"),
                Some(AlertLevel::Hold) => notes.hold(Check::Clear, about(), "on-hold"),
                Some(AlertLevel::Recall) => notes.reject(Check::Clear, about(), "recalled"),
                Some(AlertLevel::Revoke) => notes.reject(Check::Clear, about(), "revoked"),
            }
        }
    }

    /// Nothing was used that had expired by then, and nothing lasts longer than what it was made of. When an event came to
    /// stand, only its window tells: where an input expires within it, that cannot be told.
    fn check_inputs_expiry(&self, notes: &mut Notes) {
        for (leaf, outputs) in &self.evidence.graph.needed {
            let Some(logged) = self.evidence.logged.get(leaf) else { continue };
            let inputs = self.evidence.inputs(logged, outputs);
            let expiries = inputs.into_iter().flatten().map(|lot| lot.content.expires_ms);
            let Some(expires) = expiries.filter(|expires| *expires != 0).min() else { continue };
            let kind = logged.event.kind;
            let about = || About::Event(LeafIndex(*leaf));
            let (from, until) = logged.window_ms;
            if kind.uses_material() && from >= expires {
                notes.reject(Check::Clear, about(), "expired-input");
            } else if kind.uses_material() && until > expires {
                notes.hold(Check::Clear, about(), "expired-input");
            }
            let mut made = outputs.iter().filter_map(|output| lot_at(logged, *output));
            let lasts = |after: u64| after == 0 || after > expires;
            let longer = made.any(|lot| lasts(lot.content.expires_ms));
            // Of other kinds the rules refuse it.
            let may = matches!(kind, Kind::Transform | Kind::Service);
            if may && longer && !self.acceptance.extended {
                notes.hold(Check::Clear, about(), "expiry-extended");
            }
        }
    }
}
