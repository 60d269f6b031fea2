//! What is missing, as a letter to the supplier: which lot, which records, which fields, in words that people read. Only what the
//! supplier can supply is asked for, and nothing is told of the receiver's own policy beyond that.

use heatmark_evidence::capsule::Outcome;
use std::collections::BTreeSet;

use crate::Demands;
use crate::moment;
use crate::view::{Inspection, Line, Lot, digits, part_word};

/// Codes that a supplier can do nothing about, or that are the receiver's own affair.
const NOT_ASKED: [&str; 9] = [
    "reading-missing",
    "reading-differs",
    "lot-twice",
    "discloser",
    "expired",
    "on-hold",
    "not-comparable",
    "uncertified",
    "gain",
];

/// A letter that asks for what is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The file's name.
    pub name: String,
    /// Its text.
    pub text: String,
    /// Member ids of those who handed the lots over, the last one of each, without the receiver.
    pub suppliers: BTreeSet<[u8; 32]>,
}

/// Writes the letter; none where nothing is missing.
#[must_use]
pub fn request(
    inspection: &Inspection,
    demands: &Demands,
    own: Option<&[u8; 32]>,
) -> Option<Request> {
    let mut text = String::from("Request for evidence\n====================\n\n");
    let mut suppliers = BTreeSet::new();
    let mut some = false;
    for lot in &inspection.lots {
        let wanted = wanted(inspection, lot);
        if wanted.is_empty() {
            continue;
        }
        some = true;
        suppliers.extend(supplier(lot, own));
        text.push_str(&about(lot));
        for line in wanted {
            text.push_str(&format!("  - {}: {}", line.about, line.words));
            if !line.evidence.is_empty() && is_ours_to_tell(line) {
                text.push_str(&format!(" ({})", line.evidence));
            }
            text.push_str(&format!(" [{}]\n", line.code));
        }
        text.push_str(&specifications(inspection, lot, demands));
        text.push('\n');
    }
    if !some {
        return None;
    }
    if !inspection.order.is_empty() {
        text.push_str(&format!("Order: {}\n", inspection.order));
    }
    text.push_str(&format!(
        "Written {}. Please send a new capsule that shows or proves this, or files beside it: \
         `heatmark cert show`, `cert prove`, then `heatmark post send`.\n",
        moment::spoken(inspection.at_ms)
    ));
    let stem = inspection.lots.first().map(|lot| crate::view::short(&lot.capsule));
    let name = format!("request-{}.txt", stem.unwrap_or_default());
    Some(Request { name, text, suppliers })
}

fn wanted<'i>(inspection: &'i Inspection, lot: &Lot) -> Vec<&'i Line> {
    let asked = |line: &&Line| {
        line.lot == lot.file && line.outcome == Outcome::Hold && !NOT_ASKED.contains(&line.code)
    };
    inspection.lines.iter().filter(asked).collect()
}

/// Evidence of an order's line or of a field is what is asked for; what own instruments said is not told.
fn is_ours_to_tell(line: &Line) -> bool {
    line.check != "measured"
}

fn about(lot: &Lot) -> String {
    let mut text = format!("Lot        {}\nCapsule    {}\n", lot.title(), digits(&lot.capsule));
    let Some(proved) = &lot.proved else { return text };
    if let Some((hash, leaf, output)) = proved.lot {
        text.push_str(&format!("On the log {}, output {output} of leaf {leaf}\n", digits(&hash)));
    }
    for record in &proved.records {
        text.push_str(&format!(
            "Record     {} ({} of {})\n",
            digits(&record.id),
            part_word(record.part),
            record.issuer
        ));
    }
    text.push_str("What is missing:\n");
    text
}

/// Specifications whose limits are not told, by name and id.
fn specifications(inspection: &Inspection, lot: &Lot, demands: &Demands) -> String {
    let untold = |line: &&Line| {
        line.lot == lot.file && matches!(line.code, "not-shown" | "not-proved" | "no-certificate")
    };
    if !inspection.lines.iter().any(|line| untold(&line)) {
        return String::new();
    }
    let one = |limits: &heatmark_evidence::capsule::Limits| {
        let how = if limits.shown { "values shown" } else { "shown or proved" };
        let specification = &limits.specification;
        format!("  Limits: {}, {how} (id {})\n", specification.title, specification.id())
    };
    demands.limits().iter().map(one).collect()
}

/// Who handed the lot over: the last member that posted an event of it and is not the receiver.
fn supplier(lot: &Lot, own: Option<&[u8; 32]>) -> Option<[u8; 32]> {
    let history = lot.proved.as_ref()?.history.iter().rev();
    history.map(|step| step.member).find(|member| Some(member) != own)
}
