//! The report for a terminal: what it came to, the lots, and every line that matters, with what to do next.

use heatmark_evidence::capsule::Outcome;

use crate::moment;
use crate::report::{found, is_hidden, named};
use crate::view::{Inspection, Line, loud};

/// The inspection in plain text. Lines that are in order are one line each.
#[must_use]
pub fn text(inspection: &Inspection) -> String {
    let mut text = loud(inspection.outcome).to_owned();
    if !inspection.order.is_empty() {
        text.push_str(&format!("   order {}", inspection.order));
    }
    text.push('\n');
    for lot in &inspection.lots {
        text.push_str(&format!("\n{:<8} {}", loud(lot.outcome), lot.title()));
        let quantities = lot.quantities();
        if !quantities.is_empty() {
            text.push_str(&format!(", {quantities}"));
        }
        text.push('\n');
        if let Some(proved) = &lot.proved {
            let time = moment::spoken(proved.time_ms);
            text.push_str(&format!("         as of block {} of {time}\n", proved.height));
        }
        let own = inspection.lines.iter().filter(|line| line.lot == lot.file);
        own.for_each(|line| text.push_str(&told(line)));
    }
    let rest: Vec<&Line> = inspection.lines.iter().filter(|line| line.lot.is_empty()).collect();
    if !rest.is_empty() {
        text.push_str("\nThe delivery\n");
        rest.iter().for_each(|line| text.push_str(&told(line)));
    }
    if let Some(disposition) = &inspection.disposition {
        text.push_str(&format!("\nDisposed: {} by {}", loud(disposition.outcome), disposition.by));
        if !disposition.reason.is_empty() {
            text.push_str(&format!(": {}", disposition.reason));
        }
        text.push('\n');
    }
    plain(&text)
}

/// Lines of ours, and nothing in them that a terminal would obey.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if c != '\n' && is_hidden(c) {
            plain.push_str(&named(c));
        } else {
            plain.push(c);
        }
    }
    plain
}

fn told(line: &Line) -> String {
    let mark = match line.outcome {
        Outcome::Accept => "ok",
        other => loud(other),
    };
    let mut told = format!("  {mark:<7}{:<11} {}", line.check, line.about);
    if line.code == "ok" {
        return format!("  {mark:<7}{:<11} {}\n", line.check, found(line));
    }
    told.push_str(&format!(": {} ({})\n", found(line), line.code));
    if !line.next.is_empty() {
        told.push_str(&format!("                     next: {}\n", line.next));
    }
    told
}
