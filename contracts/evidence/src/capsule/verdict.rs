//! The verdict: what was found of each check, computed from evidence that is named, never asserted.

use heatmark_ledger::LeafIndex;
use heatmark_ledger::ids::{HeaderHash, Height, MemberId, UnixMillis};
use heatmark_lots::{Kind, LotHash};
use heatmark_records::{Path, RecordId, Said};

use crate::{Conformity, Party};

/// How a finding, or the whole, comes out. The order is that of gravity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The evidence says so.
    Accept,
    /// It cannot be told: something is missing, stale or suspect. Ask for it.
    Hold,
    /// The evidence says otherwise.
    Reject,
}

/// What is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// Everything stands on the log, records in their issuers' names.
    Anchored,
    /// Every seal is its lot's, and was broken once.
    Sealed,
    /// Nothing was added, and no certificate commissioned twice or too much.
    Balanced,
    /// The lot is what was received, and nobody else's.
    Mine,
    /// Where the material comes from.
    Origin,
    /// Its properties.
    Conforming,
    /// What others found of it.
    Attested,
    /// Nothing stands against it.
    Clear,
}

impl Check {
    /// All checks in the order in which they are told.
    pub const ALL: [Self; 8] = [
        Self::Anchored,
        Self::Sealed,
        Self::Balanced,
        Self::Mine,
        Self::Origin,
        Self::Conforming,
        Self::Attested,
        Self::Clear,
    ];

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Anchored => "anchored",
            Self::Sealed => "sealed",
            Self::Balanced => "balanced",
            Self::Mine => "mine",
            Self::Origin => "origin",
            Self::Conforming => "conforming",
            Self::Attested => "attested",
            Self::Clear => "clear",
        }
    }
}

/// What a finding is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum About {
    /// The capsule as a whole, as of its header.
    Capsule,
    /// The lot.
    Lot,
    /// An event, by its leaf.
    Event(LeafIndex),
    /// A record.
    Record(RecordId),
}

/// One line of the verdict.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// What was checked.
    pub check: Check,
    /// How it came out.
    pub outcome: Outcome,
    /// Of what.
    pub about: About,
    /// Why: a stable name, the same in every implementation; `ok` where nothing is wrong.
    pub code: &'static str,
    /// The evidence, in words.
    pub evidence: String,
}

/// A certificate that the lot's material is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The record.
    pub record: RecordId,
    /// Who issued it.
    pub issuer: MemberId,
    /// The issuer's legal name, where the capsule proves it.
    pub legal_name: Option<String>,
    /// Whether it copies another company's paper.
    pub transcribed: bool,
}

/// An event on the way to the lot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its leaf.
    pub leaf: LeafIndex,
    /// What happened.
    pub kind: Kind,
    /// The member that posted it.
    pub carrier: MemberId,
    /// That member's legal name, where the capsule proves it.
    pub carrier_name: Option<String>,
}

/// The lot that a capsule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The leaf of the event that made it, and its place among that event's outputs.
    pub at: (LeafIndex, u32),
    /// Its hash, as it stands on the log.
    pub hash: LotHash,
    /// Milligrams and pieces, where the capsule opens them.
    pub opened: Option<(u64, u64)>,
    /// The record that describes it.
    pub description: RecordId,
    /// From when on it must not be used, in Unix milliseconds; 0 for never.
    pub expires_ms: u64,
    /// Whether its pieces carry serials.
    pub serials: bool,
}

/// What a record is in a capsule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// It describes the lot itself.
    Description,
    /// Its material was commissioned.
    Certificate,
    /// It attests a certificate.
    Attestation,
    /// It describes a lot on the way.
    Former,
    /// How something was made.
    Process,
}

/// A record, and what a capsule tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What it is here.
    pub part: Part,
    /// The record.
    pub record: RecordId,
    /// Whose it is.
    pub issuer: Party,
    /// The form in its head.
    pub form: String,
    /// What is told of its fields, ascending by path.
    pub fields: Vec<(Path, Said)>,
    /// What is proved of it.
    pub conformity: Option<Conformity>,
}

/// What a capsule proves, by one acceptance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What was found, in the order of the checks, the gravest first.
    pub findings: Vec<Finding>,
    /// As of which header.
    pub as_of: (Height, UnixMillis),
    /// That header's hash.
    pub header: HeaderHash,
    /// The lot, where its event stands.
    pub lot: Option<Made>,
    /// The records that belong to it, the lot's description first.
    pub told: Vec<Told>,
    /// At least what share of the lot is certified material, in thousandths.
    pub certified_permille: u32,
    /// At most by what share weighings have raised it, in millionths.
    pub gain_ppm: u64,
    /// The certificates that it is made of.
    pub sources: Vec<Source>,
    /// The events that lead to it, in the order of the log.
    pub history: Vec<Step>,
}

impl Verdict {
    /// The gravest outcome.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let outcomes = self.findings.iter().map(|finding| finding.outcome);
        outcomes.max().unwrap_or(Outcome::Hold)
    }

    /// The codes of everything that is not accepted.
    #[must_use]
    pub fn codes(&self) -> Vec<&'static str> {
        let bad = self.findings.iter().filter(|finding| finding.outcome != Outcome::Accept);
        bad.map(|finding| finding.code).collect()
    }
}

/// Collects findings.
#[derive(Debug, Default)]
pub(super) struct Notes(Vec<Finding>);

impl Notes {
    pub(super) fn reject(&mut self, check: Check, about: About, code: &'static str) {
        self.add(check, Outcome::Reject, (about, code), String::new());
    }

    pub(super) fn hold(&mut self, check: Check, about: About, code: &'static str) {
        self.add(check, Outcome::Hold, (about, code), String::new());
    }

    pub(super) fn add(
        &mut self,
        check: Check,
        outcome: Outcome,
        (about, code): (About, &'static str),
        evidence: String,
    ) {
        self.0.push(Finding { check, outcome, about, code, evidence });
    }

    /// The findings, with a line for each check in which nothing is wrong.
    pub(super) fn finish(mut self, evidence: impl Fn(Check) -> String) -> Vec<Finding> {
        for check in Check::ALL {
            if !self.0.iter().any(|finding| finding.check == check) {
                let place = (About::Capsule, "ok");
                self.add(check, Outcome::Accept, place, evidence(check));
            }
        }
        self.0.sort_by(|left, right| {
            (left.check, right.outcome, &left.about, left.code).cmp(&(
                right.check,
                left.outcome,
                &right.about,
                right.code,
            ))
        });
        self.0.dedup();
        self.0
    }
}
