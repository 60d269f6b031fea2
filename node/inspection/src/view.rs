//! What an inspection came to, line by line, in an inspector's words. Everything that is written of it (for the ERP, the terminal,
//! paper, the record) is made from this one view, so that no two of them differ.

use heatmark_evidence::capsule::{Outcome, Part};
use heatmark_ledger::ids::Height;
use heatmark_records::Said;

use crate::{quantity, value_text};

/// An inspection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The gravest of its lines.
    pub outcome: Outcome,
    /// What was checked, lot by lot, then the delivery as a whole.
    pub lines: Vec<Line>,
    /// What was delivered.
    pub lots: Vec<Lot>,
    /// The order line, in words; empty without one.
    pub order: String,
    /// The files that it was judged by.
    pub by: Vec<Input>,
    /// What was measured, in words: property, result, instrument, piece.
    pub readings: Vec<[String; 4]>,
    /// When, by the inspector's clock, in Unix milliseconds.
    pub at_ms: u64,
    /// What the inspector decided; none while nobody has.
    pub disposition: Option<Disposition>,
}

/// A file that an inspection was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// `order`, `policy` or `readings`.
    pub what: &'static str,
    /// Its name.
    pub name: String,
    /// SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// How many these are.
    pub bytes: u64,
}

/// One line of a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The lot that it is about, by its file's name; empty for the delivery.
    pub lot: String,
    /// One of the eight checks of a capsule, or `ordered` or `measured`.
    pub check: &'static str,
    /// How it came out.
    pub outcome: Outcome,
    /// Of what: an event, a record, the lot.
    pub about: String,
    /// The stable name of what was found.
    pub code: &'static str,
    /// What was found.
    pub words: String,
    /// By which evidence.
    pub evidence: String,
    /// What to do next; empty where nothing is to be done.
    pub next: String,
}

/// A lot that was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lot {
    /// The capsule's file.
    pub file: String,
    /// SHA-256 of that file: the capsule's name.
    pub capsule: [u8; 32],
    /// How many bytes it has.
    pub bytes: u64,
    /// What its own lines come to.
    pub outcome: Outcome,
    /// What it proves; none for a file that proves nothing.
    pub proved: Option<Proved>,
}

/// What a capsule proves of its lot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proved {
    /// The header that everything is as of: hash, height and time.
    pub header: [u8; 32],
    /// Its height.
    pub height: Height,
    /// Its time in Unix milliseconds.
    pub time_ms: u64,
    /// The lot's hash on the log, and the leaf and place of the event that made it.
    pub lot: Option<([u8; 32], u64, u32)>,
    /// Milligrams and pieces, where they are told.
    pub quantities: Option<(u64, u64)>,
    /// From when on it must not be used, in Unix milliseconds; 0 for never.
    pub expires_ms: u64,
    /// At least so many thousandths are certified.
    pub certified_permille: u32,
    /// At most so many millionths were found by weighing.
    pub gain_ppm: u64,
    /// What happened, in the order of the log.
    pub history: Vec<Step>,
    /// The records that belong to it.
    pub records: Vec<Record>,
}

/// An event on the way to a lot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its leaf.
    pub leaf: u64,
    /// What happened.
    pub kind: &'static str,
    /// Who posted it: a name, or an id.
    pub by: String,
    /// That member's id.
    pub member: [u8; 32],
}

/// A record, as far as it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What it is here.
    pub part: Part,
    /// Its id.
    pub id: [u8; 32],
    /// Whose it is: a name, or an id.
    pub issuer: String,
    /// That member's id.
    pub member: [u8; 32],
    /// Its form.
    pub form: String,
    /// Every field that is told, and what of it.
    pub fields: Vec<(String, Told)>,
    /// The specification that it is proved to keep; its title and id.
    pub proved: Option<(String, String)>,
}

/// What is told of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// Its value, in words.
    Shown(String),
    /// That it is there, in this unit.
    Hidden(String),
    /// That the record says nothing of it.
    Absent,
}

/// What a named inspector decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disposition {
    /// Who.
    pub by: String,
    /// What.
    pub outcome: Outcome,
    /// Why; empty where it is what the evidence says.
    pub reason: String,
}

impl Inspection {
    /// What counts in the end: the decision, and before there is one the verdict.
    #[must_use]
    pub fn stands(&self) -> Outcome {
        self.disposition.as_ref().map_or(self.outcome, |disposition| disposition.outcome)
    }

    /// The lines that are not in order.
    pub fn open(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(|line| line.outcome != Outcome::Accept)
    }
}

impl Lot {
    /// What people call it: its own name and product, where its description tells them, else its file.
    #[must_use]
    pub fn title(&self) -> String {
        let shown = |path: &str| {
            let records = self.proved.as_ref().map(|proved| proved.records.as_slice());
            let own = records.unwrap_or_default().iter().find(|r| r.part == Part::Description)?;
            own.fields.iter().find_map(|(at, told)| match told {
                Told::Shown(text) if at == path => Some(text.clone()),
                _ => None,
            })
        };
        match (shown("lot/name"), shown("product/name")) {
            (Some(name), Some(product)) => format!("{name}, {product}"),
            (Some(name), None) | (None, Some(name)) => name,
            (None, None) => self.file.clone(),
        }
    }

    /// Mass and pieces in words; empty where they are not told.
    #[must_use]
    pub fn quantities(&self) -> String {
        let told = self.proved.as_ref().and_then(|proved| proved.quantities);
        told.map(|(mass, pieces)| format!("{}, {pieces} pieces", quantity::kilograms(mass)))
            .unwrap_or_default()
    }
}

impl Told {
    pub(crate) fn of(said: &Said) -> Self {
        match said {
            Said::Shown { value, .. } => Self::Shown(value_text(value)),
            Said::Committed(committed) => Self::Hidden(committed.unit.clone()),
            Said::Absent => Self::Absent,
        }
    }
}

/// An outcome as it stands in lists, in records and for machines.
#[must_use]
pub const fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Accept => "accept",
        Outcome::Hold => "hold",
        Outcome::Reject => "reject",
    }
}

/// An outcome as it stands on top of a report.
#[must_use]
pub const fn loud(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Accept => "ACCEPT",
        Outcome::Hold => "HOLD",
        Outcome::Reject => "REJECT",
    }
}

/// What a record is, in a word.
#[must_use]
pub(crate) const fn part_word(part: Part) -> &'static str {
    match part {
        Part::Description => "description",
        Part::Certificate => "certificate",
        Part::Attestation => "attestation",
        Part::Former => "earlier description",
        Part::Process => "process record",
    }
}

/// Bytes as hexadecimal digits.
#[must_use]
pub fn digits(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The first digits of an id.
pub(crate) fn short(bytes: &[u8]) -> String {
    digits(bytes.get(..6).unwrap_or(bytes))
}
