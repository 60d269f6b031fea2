//! From capsules, an order, a policy and readings to an inspection. Capsules are judged by `heatmark_evidence`; here their findings
//! get words, and a delivery is compared with what was ordered and measured. What the capsules do not show holds.

use heatmark_evidence::capsule::{
    About, Acceptance, CapsuleError, Finding, Outcome, Told as Record, Verdict, inspect,
};
use heatmark_ledger::ids::MemberId;
use heatmark_ledger::receipt::TrustRoot;
use heatmark_records::{Measured, Path, Said, Value};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;

use crate::view::{self, Input, Inspection, Line, Lot, Proved, Step, Told, part_word, short};
use crate::{Demands, Order, Reading, measured, ordered, quantity, words};

/// One capsule of a delivery, judged.
#[derive(Debug, Clone)]
pub struct Parcel {
    pub(crate) name: String,
    sha256: [u8; 32],
    bytes: u64,
    pub(crate) verdict: Result<Verdict, CapsuleError>,
}

/// What was delivered, and what it is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Delivery<'d> {
    /// The capsules, judged by the policy's acceptance.
    pub parcels: &'d [Parcel],
    /// The order line.
    pub order: Option<&'d Order>,
    /// The policy.
    pub demands: &'d Demands,
    /// Own readings.
    pub readings: &'d [Reading],
}

impl Parcel {
    /// Judges a capsule file. What it is called is told back, and nothing else is made of the name.
    #[must_use]
    pub fn inspect(name: &str, bytes: &[u8], trust: &TrustRoot, acceptance: &Acceptance) -> Self {
        Self::inspect_told(name, (bytes, bytes), trust, acceptance)
    }

    /// Judges a capsule file by `told`, which is the same capsule with what the receiver was shown beside it; the file is called
    /// by its own bytes.
    #[must_use]
    pub fn inspect_told(
        name: &str,
        (bytes, told): (&[u8], &[u8]),
        trust: &TrustRoot,
        acceptance: &Acceptance,
    ) -> Self {
        Self {
            name: name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
            sha256: Sha256::digest(bytes).into(),
            bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            verdict: inspect(told, trust, acceptance),
        }
    }

    /// SHA-256 of the file: the capsule's name.
    #[must_use]
    pub const fn sha256(&self) -> &[u8; 32] {
        &self.sha256
    }

    /// What the file proves.
    pub(crate) fn proved(&self) -> Option<&Verdict> {
        self.verdict.as_ref().ok()
    }

    fn lines(&self) -> Vec<Line> {
        match &self.verdict {
            Err(error) => {
                let outcome = if error.cannot_tell() { Outcome::Hold } else { Outcome::Reject };
                vec![self.line("anchored", outcome, ("capsule", error.code()), error.to_string())]
            }
            Ok(verdict) => {
                verdict.findings.iter().map(|finding| self.found(verdict, finding)).collect()
            }
        }
    }

    fn found(&self, verdict: &Verdict, finding: &Finding) -> Line {
        let about = name_of(&finding.about, verdict);
        let check = finding.check.word();
        let evidence = evidence_of(finding, verdict);
        self.line(check, finding.outcome, (&about, finding.code), evidence)
    }

    /// A line about this lot.
    pub(crate) fn line(
        &self,
        check: &'static str,
        outcome: Outcome,
        (about, code): (&str, &'static str),
        evidence: String,
    ) -> Line {
        Line { lot: self.name.clone(), ..line(check, outcome, code, evidence).about(about) }
    }

    fn view(&self, lines: &[Line]) -> Lot {
        let own = lines.iter().filter(|line| line.lot == self.name);
        let outcome = own.map(|line| line.outcome).max().unwrap_or(Outcome::Hold);
        Lot {
            file: self.name.clone(),
            capsule: self.sha256,
            bytes: self.bytes,
            outcome,
            proved: self.proved().map(proved),
        }
    }
}

impl Line {
    fn about(mut self, about: &str) -> Self {
        about.clone_into(&mut self.about);
        self
    }
}

/// A line about the delivery as a whole.
pub(crate) fn line(
    check: &'static str,
    outcome: Outcome,
    code: &'static str,
    evidence: String,
) -> Line {
    let (words, next) = words::of(code);
    // What is accepted with a remark, as a copied certificate may be, needs nobody to do anything.
    let next = if outcome == Outcome::Accept { "" } else { next };
    Line {
        lot: String::new(),
        check,
        outcome,
        about: "delivery".to_owned(),
        code,
        words: words.to_owned(),
        evidence,
        next: next.to_owned(),
    }
}

/// Judges a delivery.
#[must_use]
pub fn judge(delivery: &Delivery<'_>, by: Vec<Input>, at_ms: u64) -> Inspection {
    let mut lines = Vec::new();
    let mut seen = BTreeSet::new();
    for parcel in delivery.parcels {
        lines.extend(parcel.lines());
        let lot = parcel.proved().and_then(|verdict| verdict.lot.as_ref());
        if lot.is_some_and(|lot| !seen.insert(lot.at)) {
            lines.push(parcel.line("mine", Outcome::Reject, ("lot", "lot-twice"), String::new()));
        }
        if let Some(order) = delivery.order {
            lines.extend(ordered::of_lot(parcel, order, delivery.demands));
        }
        lines.extend(measured::of_lot(parcel, delivery));
    }
    if let Some(order) = delivery.order {
        lines.extend(ordered::quantities(delivery.parcels, order));
    }
    lines.extend(measured::own(delivery));
    let outcome = lines.iter().map(|line| line.outcome).max().unwrap_or(Outcome::Hold);
    let reading = |reading: &Reading| {
        let result = quantity::measured_text(&reading.result);
        [reading.property.to_string(), result, reading.instrument.clone(), reading.piece.clone()]
    };
    Inspection {
        outcome,
        lots: delivery.parcels.iter().map(|parcel| parcel.view(&lines)).collect(),
        lines,
        order: delivery.order.map(Order::title).unwrap_or_default(),
        by,
        readings: delivery.readings.iter().map(reading).collect(),
        at_ms,
        disposition: None,
    }
}

/// A member's name with the beginning of its id, or its id.
fn member(name: Option<&String>, id: &MemberId) -> String {
    match name {
        Some(name) => name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
        None => id.to_string(),
    }
}

/// What a finding is about, in words.
fn name_of(about: &About, verdict: &Verdict) -> String {
    match about {
        About::Capsule => "capsule".to_owned(),
        About::Lot => "lot".to_owned(),
        About::Event(leaf) => {
            let step = verdict.history.iter().find(|step| step.leaf == *leaf);
            let told = step.map(|step| {
                let by = member(step.carrier_name.as_ref(), &step.carrier);
                format!("{} by {by}, leaf {leaf}", step.kind.word())
            });
            told.unwrap_or_else(|| format!("event at leaf {leaf}"))
        }
        About::Record(id) => {
            let told = verdict.told.iter().find(|told| told.record == *id);
            let told = told.map(|told| {
                let by = member(told.issuer.legal_name.as_ref(), &told.issuer.member);
                format!("{} of {by} ({})", part_word(told.part), short(&id.0))
            });
            told.unwrap_or_else(|| format!("record {}", short(&id.0)))
        }
    }
}

/// The evidence of a finding; where it names a field that is shown, with what that says.
fn evidence_of(finding: &Finding, verdict: &Verdict) -> String {
    let About::Record(id) = &finding.about else { return finding.evidence.clone() };
    let record = verdict.told.iter().find(|told| told.record == *id);
    let shown = record.and_then(|record| {
        let found = |(path, _): &&(Path, Said)| {
            let rest = finding.evidence.strip_prefix(path.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(": "))
        };
        match &record.fields.iter().find(found)?.1 {
            Said::Shown { value, .. } => Some(crate::value_text(value)),
            Said::Committed(_) | Said::Absent => None,
        }
    });
    match shown {
        Some(value) => format!("{}; shown: {value}", finding.evidence),
        None => finding.evidence.clone(),
    }
}

fn proved(verdict: &Verdict) -> Proved {
    let made = verdict.lot.as_ref();
    Proved {
        header: *verdict.header.as_bytes(),
        height: verdict.as_of.0,
        time_ms: verdict.as_of.1.0,
        lot: made.map(|made| (made.hash.0, made.at.0.0, made.at.1)),
        quantities: made.and_then(|made| made.opened),
        expires_ms: made.map_or(0, |made| made.expires_ms),
        certified_permille: verdict.certified_permille,
        gain_ppm: verdict.gain_ppm,
        history: verdict
            .history
            .iter()
            .map(|step| Step {
                leaf: step.leaf.0,
                kind: step.kind.word(),
                by: member(step.carrier_name.as_ref(), &step.carrier),
                member: *step.carrier.as_bytes(),
            })
            .collect(),
        records: verdict.told.iter().map(record).collect(),
    }
}

fn record(told: &Record) -> view::Record {
    let conformity = told.conformity.as_ref();
    view::Record {
        part: told.part,
        id: told.record.0,
        issuer: member(told.issuer.legal_name.as_ref(), &told.issuer.member),
        member: *told.issuer.member.as_bytes(),
        form: told.form.clone(),
        fields: {
            let fields = told.fields.iter();
            fields.map(|(path, said)| (path.to_string(), Told::of(said))).collect()
        },
        proved: conformity.map(|conformity| {
            let specification = &conformity.specification;
            (specification.title.clone(), specification.id().to_string())
        }),
    }
}

/// The shown results of a record at a path.
pub(crate) fn result_at<'t>(record: &'t Record, path: &Path) -> Option<&'t Measured> {
    let said = record.fields.iter().find(|(at, _)| at == path);
    match &said?.1 {
        Said::Shown { value: Value::Measured(measured), .. } => Some(measured),
        _ => None,
    }
}
