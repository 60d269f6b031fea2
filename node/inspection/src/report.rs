//! A report as blocks, in the order in which an inspector reads: what it came to, what is open and what to do about it, then all the
//! rest. Paper, screen and terminal draw the same blocks.

use heatmark_evidence::capsule::Outcome;

use crate::moment;
use crate::view::{Inspection, Line, Lot, Proved, Record, Told, digits, loud, part_word, short};

/// A part of a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Block {
    /// On top, once.
    Title(String),
    /// What it came to.
    Verdict(Outcome, String),
    /// Begins a part.
    Heading(String),
    /// Names with what they are.
    Facts(Vec<(String, String)>),
    /// Rows under a head.
    Table(Table),
    /// A remark.
    Note(String),
    /// Lines to sign on.
    Signature,
}

/// Rows under a head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) head: Vec<&'static str>,
    /// Each column's share of the width.
    pub(crate) widths: Vec<u16>,
    pub(crate) rows: Vec<Row>,
}

/// A row, coloured by an outcome or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) mark: Option<Outcome>,
    pub(crate) cells: Vec<String>,
}

/// Everything that a report on paper has.
pub(crate) fn blocks(inspection: &Inspection) -> Vec<Block> {
    let mut blocks = top(inspection);
    blocks.extend(open(inspection));
    blocks.push(Block::Heading("Delivered".into()));
    blocks.push(Block::Table(lots(inspection)));
    if !inspection.readings.is_empty() {
        blocks.push(Block::Heading("Measured at the dock".into()));
        blocks.push(readings(inspection));
    }
    blocks.push(Block::Heading("Every check, with its evidence".into()));
    blocks.push(Block::Table(checks(inspection)));
    for lot in &inspection.lots {
        if let Some(proved) = &lot.proved {
            blocks.extend(records(lot, proved));
        }
    }
    blocks.push(Block::Note(
        "ACCEPT: the evidence says so. HOLD: it cannot be told yet; something is missing, old or suspect. REJECT: the evidence says \
         otherwise. A verdict judges evidence as of the block named with it; what happened since, a newer capsule tells. An inspector \
         disposes of the part."
            .into(),
    ));
    blocks.push(Block::Signature);
    blocks
}

/// What it came to, by what.
pub(crate) fn top(inspection: &Inspection) -> Vec<Block> {
    let open = inspection.open().count();
    let says = match open {
        0 => format!("all {} checks are in order", inspection.lines.len()),
        1 => "one check is not in order".to_owned(),
        open => format!("{open} checks are not in order"),
    };
    let mut facts = vec![("Inspected".to_owned(), moment::spoken(inspection.at_ms))];
    if !inspection.order.is_empty() {
        facts.push(("Order".to_owned(), inspection.order.clone()));
    }
    if let Some(disposition) = &inspection.disposition {
        let mut said = format!("{} by {}", loud(disposition.outcome), disposition.by);
        if !disposition.reason.is_empty() {
            said.push_str(&format!(": {}", disposition.reason));
        }
        facts.push(("Disposition".to_owned(), said));
    }
    for input in &inspection.by {
        let name = format!("{}, SHA-256 {}", input.name, digits(&input.sha256));
        let mut what = input.what.to_owned();
        what.get_mut(..1).map(str::make_ascii_uppercase);
        facts.push((format!("{what} file"), name));
    }
    vec![
        Block::Title("Incoming inspection".into()),
        Block::Verdict(inspection.outcome, says),
        Block::Facts(facts),
    ]
}

/// What is not in order, and what to do; nothing where all is.
pub(crate) fn open(inspection: &Inspection) -> Vec<Block> {
    let mut lines: Vec<&Line> = inspection.open().collect();
    lines.sort_by_key(|line| std::cmp::Reverse(line.outcome));
    if lines.is_empty() {
        return Vec::new();
    }
    let several = inspection.lots.len() > 1;
    let row = |line: &&Line| Row {
        mark: Some(line.outcome),
        cells: vec![
            loud(line.outcome).to_owned(),
            about(line, several),
            found(line),
            line.next.clone(),
        ],
    };
    let rows = lines.iter().map(row).collect();
    let head = vec!["", "What", "Found", "What to do"];
    vec![
        Block::Heading("Not in order".into()),
        Block::Table(Table { head, widths: vec![11, 24, 37, 28], rows }),
    ]
}

/// The lots, a row each.
pub(crate) fn lots(inspection: &Inspection) -> Table {
    let row = |lot: &Lot| {
        let proved = lot.proved.as_ref();
        let certified = proved.map(|proved| thousandths(proved.certified_permille));
        let as_of = proved
            .map(|proved| format!("block {} of {}", proved.height, moment::spoken(proved.time_ms)));
        Row {
            mark: Some(lot.outcome),
            cells: vec![
                loud(lot.outcome).to_owned(),
                lot.title(),
                lot.quantities(),
                certified.unwrap_or_default(),
                as_of.unwrap_or_default(),
                digits(&lot.capsule),
            ],
        }
    };
    Table {
        head: vec!["", "Lot", "Quantity", "Certified", "As of", "Capsule"],
        widths: vec![11, 20, 16, 11, 19, 23],
        rows: inspection.lots.iter().map(row).collect(),
    }
}

/// Every line of the verdict.
pub(crate) fn checks(inspection: &Inspection) -> Table {
    let several = inspection.lots.len() > 1;
    let row = |line: &Line| Row {
        mark: Some(line.outcome),
        cells: vec![
            loud(line.outcome).to_owned(),
            line.check.to_owned(),
            about(line, several),
            found(line),
            line.code.to_owned(),
        ],
    };
    Table {
        head: vec!["", "Check", "Of", "Evidence", "Code"],
        widths: vec![11, 13, 23, 37, 16],
        rows: inspection.lines.iter().map(row).collect(),
    }
}

fn readings(inspection: &Inspection) -> Block {
    let rows = inspection.readings.iter();
    let rows = rows.map(|reading| Row { mark: None, cells: reading.to_vec() }).collect();
    let head = vec!["Property", "Result", "With", "On"];
    Block::Table(Table { head, widths: vec![34, 22, 22, 22], rows })
}

/// Where a lot comes from, and what is told of it.
fn records(lot: &Lot, proved: &Proved) -> Vec<Block> {
    let step = |step: &crate::view::Step| Row {
        mark: None,
        cells: vec![step.kind.to_owned(), step.by.clone(), step.leaf.to_string()],
    };
    let history = Table {
        head: vec!["What happened", "Posted by", "Leaf on the log"],
        widths: vec![30, 50, 20],
        rows: proved.history.iter().map(step).collect(),
    };
    let mut blocks =
        vec![Block::Heading(format!("Where {} comes from", lot.title())), Block::Table(history)];
    for record in &proved.records {
        let title = format!(
            "{} of {} ({}, {})",
            part_word(record.part),
            record.issuer,
            record.form,
            short(&record.id)
        );
        blocks.push(Block::Heading(title));
        blocks.push(Block::Facts(fields(record)));
    }
    blocks
}

fn fields(record: &Record) -> Vec<(String, String)> {
    let said = |told: &Told| match told {
        Told::Shown(text) => text.clone(),
        Told::Hidden(unit) if unit.is_empty() => "not shown".to_owned(),
        Told::Hidden(unit) => format!("not shown, in {unit}"),
        Told::Absent => "the record says nothing of it".to_owned(),
    };
    let mut facts: Vec<(String, String)> =
        record.fields.iter().map(|(path, told)| (path.clone(), said(told))).collect();
    if let Some((title, id)) = &record.proved {
        facts.push(("proved to keep".to_owned(), format!("{title} ({id})")));
    }
    facts.push(("record".to_owned(), digits(&record.id)));
    facts
}

fn about(line: &Line, several: bool) -> String {
    if several && !line.lot.is_empty() {
        return format!("{}: {}", line.lot, line.about);
    }
    line.about.clone()
}

/// What was found, with its evidence.
pub(crate) fn found(line: &Line) -> String {
    match (line.words.as_str(), line.evidence.as_str()) {
        ("in order", evidence) if !evidence.is_empty() => evidence.to_owned(),
        (words, "") => words.to_owned(),
        (words, evidence) => format!("{words} — {evidence}"),
    }
}

fn thousandths(permille: u32) -> String {
    let (whole, rest) = (permille.div_euclid(10), permille.rem_euclid(10));
    if rest == 0 { format!("{whole} %") } else { format!("{whole}.{rest} %") }
}

/// Characters that draw nothing, or turn the direction of what follows: a report tells them.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A character by its number.
pub(crate) fn named(c: char) -> String {
    format!("[U+{:04X}]", u32::from(c))
}
