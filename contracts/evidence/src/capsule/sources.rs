//! What the receiver demands of each certificate: what it claims, the properties that have to be told, the limits that it has to
//! keep, shown or proved, and what independent others attest of it.

use heatmark_ledger::ids::MemberId;
use heatmark_records::conformance::{Standing, Unprovable, compare};
use heatmark_records::forms::ATTESTATION;
use heatmark_records::{Limit, Measured, Said, Value};

use super::acceptance::Limits;
use super::demands::Demands;
use super::parts::{Parts, attested};
use super::records::Anchored;
use super::verdict::{About, Check, Notes, Outcome, Source};
use crate::Bundle;
use crate::policy::Shortfall;

/// How a certificate stands to one limit.
enum Kept {
    Yes,
    /// Outside, by its own shown value.
    No,
    /// It cannot be told; why, as a code and in words.
    Untold(&'static str, String),
}

impl Demands<'_> {
    /// The certificates that were commissioned, each against what is demanded of it.
    pub(super) fn check_sources(&self, notes: &mut Notes) -> Vec<Source> {
        let parts = self.evidence.parts();
        self.evidence.check_parts(&parts, notes);
        let anchored = || self.evidence.records.values().filter(|record| record.anchored);
        let bundles = Bundle::of(anchored().map(Anchored::telling), &[]);
        let mut sources = Vec::new();
        for id in &parts.certificates {
            let Some(record) = self.evidence.records.get(id).filter(|record| record.anchored)
            else {
                continue;
            };
            let bundle = bundles.iter().find(|bundle| bundle.record() == id);
            self.check_source(record, notes);
            self.check_policy(record, bundle, notes);
            self.check_attested_by(record, notes);
            self.check_discloser(record, notes);
            for limits in &self.acceptance.limits {
                check_limits(record, limits, notes);
            }
            sources.push(Source {
                record: *id,
                issuer: record.issuer.member,
                legal_name: record.issuer.legal_name.clone(),
                transcribed: record.transcribed(),
            });
        }
        self.check_told(&parts, notes);
        sources
    }

    /// Demands on certificates are not met by there being none to look at.
    fn check_told(&self, parts: &Parts, notes: &mut Notes) {
        let some = parts.certificates.iter().any(|id| self.evidence.records.contains_key(id));
        let acceptance = self.acceptance;
        if some {
            return;
        }
        let missing = |check, notes: &mut Notes| notes.hold(check, About::Lot, "no-certificate");
        if !acceptance.claims.is_empty() {
            missing(Check::Origin, notes);
        }
        if !acceptance.limits.is_empty() || acceptance.policy.is_some() {
            missing(Check::Conforming, notes);
        }
        if !acceptance.attested_by.is_empty() {
            missing(Check::Attested, notes);
        }
    }

    fn check_source(&self, record: &Anchored, notes: &mut Notes) {
        let about = || About::Record(record.record);
        if record.head.heading().form.starts_with(ATTESTATION) {
            notes.reject(Check::Origin, about(), "commissions-nothing");
        }
        if record.transcribed() {
            let grave = if self.acceptance.transcribed { Outcome::Accept } else { Outcome::Hold };
            notes.add(Check::Origin, grave, (about(), "transcribed"), String::new());
        }
        for claim in &self.acceptance.claims {
            let path = claim.path.to_string();
            match record.said(claim.path.as_str()) {
                Some(Said::Shown { value: Value::Text(text), .. }) => {
                    if !claim.one_of.contains(text) {
                        let place = (about(), "claim-false");
                        notes.add(Check::Origin, Outcome::Reject, place, path);
                    }
                }
                // A number is never one of the texts that will do.
                Some(Said::Shown { .. }) => {
                    notes.add(Check::Origin, Outcome::Reject, (about(), "claim-false"), path);
                }
                Some(Said::Committed(_) | Said::Absent) | None => {
                    notes.add(Check::Origin, Outcome::Hold, (about(), "claim-missing"), path);
                }
            }
        }
    }

    fn check_policy(&self, record: &Anchored, bundle: Option<&Bundle<'_>>, notes: &mut Notes) {
        let Some(policy) = &self.acceptance.policy else { return };
        let shortfalls = match bundle {
            Some(bundle) => policy.shortfalls(bundle),
            // It attests another record that is here, and so is no certificate.
            None => vec![Shortfall::Alone],
        };
        for shortfall in shortfalls {
            let (check, outcome, code) = match &shortfall {
                Shortfall::Issuer => (Check::Origin, Outcome::Reject, "issuer"),
                Shortfall::Property { .. } => (Check::Conforming, Outcome::Hold, "property"),
                // Proofs of limits that nobody asks for do no harm: they were made for the first buyer.
                Shortfall::Specification if !policy.takes_proofs() => continue,
                Shortfall::Specification => (Check::Conforming, Outcome::Hold, "specification"),
                Shortfall::Attestation { why, .. } => (Check::Attested, Outcome::Hold, why.code()),
                Shortfall::Alone => (Check::Attested, Outcome::Hold, "not-attested"),
            };
            let place = (About::Record(record.record), code);
            notes.add(check, outcome, place, shortfall.to_string());
        }
    }

    fn check_attested_by(&self, record: &Anchored, notes: &mut Notes) {
        let accepted = &self.acceptance.attested_by;
        let by_one_of_them = |other: &Anchored| {
            other.anchored
                && other.head.heading().form.starts_with(ATTESTATION)
                && other.issuer.member != record.issuer.member
                && accepted.contains(&other.issuer.member)
                && attested(other) == Some(record.record)
        };
        if !accepted.is_empty() && !self.evidence.records.values().any(by_one_of_them) {
            notes.hold(Check::Attested, About::Record(record.record), "not-attested");
        }
    }

    fn check_discloser(&self, record: &Anchored, notes: &mut Notes) {
        let named = &self.acceptance.disclosers;
        let Some(key) = record.discloser.filter(|_| !named.is_empty()) else { return };
        let state = self.evidence.entries.key(&key);
        let member = state.and_then(|state| MemberId::try_from(state.member.as_slice()).ok());
        let code = match member {
            None => "discloser-untold",
            Some(member) if named.contains(&member) => return,
            Some(_) => "discloser",
        };
        notes.hold(Check::Conforming, About::Record(record.record), code);
    }
}

/// Every limit of a specification against what a certificate tells.
fn check_limits(record: &Anchored, limits: &Limits, notes: &mut Notes) {
    for limit in &limits.specification.limits {
        let (outcome, code, words) = match kept(record, limits, limit) {
            Kept::Yes => continue,
            Kept::No => (Outcome::Reject, "outside-limits", limit.name.clone()),
            Kept::Untold(code, why) => (Outcome::Hold, code, why),
        };
        let words = format!("{words}: {}", limits.specification.title);
        notes.add(Check::Conforming, outcome, (About::Record(record.record), code), words);
    }
}

fn kept(record: &Anchored, limits: &Limits, limit: &Limit) -> Kept {
    let specification = &limits.specification;
    let proved = || {
        let conformity = record.conformity.as_ref()?;
        let same = conformity.specification.id() == specification.id();
        let found = conformity.limits.iter().find(|(name, _)| *name == limit.name)?;
        same.then_some(found.1)
    };
    let said: Vec<Option<&Said>> =
        limit.of.paths().map(|path| record.said(path.as_str())).collect();
    let shown: Option<Vec<&Measured>> = said.iter().map(|said| measured((*said)?)).collect();
    if let Some(results) = shown {
        return match compare(limit, specification.rounding, &results) {
            Ok(()) => Kept::Yes,
            Err(Unprovable::Outside) => Kept::No,
            Err(why) => Kept::Untold("not-comparable", format!("{}: {why}", limit.name)),
        };
    }
    let absent = said.iter().any(|said| matches!(said, Some(Said::Absent)));
    match proved() {
        _ if absent && limit.optional => Kept::Yes,
        Some(Standing::Kept | Standing::Absent) if !limits.shown => Kept::Yes,
        Some(_) => Kept::Untold("not-shown", limit.name.clone()),
        None if limits.shown => Kept::Untold("not-shown", limit.name.clone()),
        None => Kept::Untold("not-proved", limit.name.clone()),
    }
}

const fn measured(said: &Said) -> Option<&Measured> {
    match said {
        Said::Shown { value: Value::Measured(measured), .. } => Some(measured),
        _ => None,
    }
}
