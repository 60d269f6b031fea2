//! A trace as a picture: one file without script and without anything from elsewhere. Material flows from left to right; lots of
//! one distance from the one that was asked about stand in one column, ordered so that lines cross little.

#[cfg(test)]
mod tests;

use super::{alert, name, whereabouts};
use crate::command::lot::quantity::mass_text;
use crate::command::words;
use heatmark_client::{Trace, TracedLot, Whereabouts};
use std::fmt::Write as _;

const BOX_WIDTH: usize = 216;
const COLUMN: usize = 288;
/// Height of a box, and from one row to the next: with three lines, and with one where columns are long.
const ROOMY: (usize, usize) = (58, 72);
const CLOSE: (usize, usize) = (26, 31);
/// From so many rows on, they are close.
const MANY_ROWS: usize = 24;
const MARGIN: usize = 24;
const HEAD: usize = 96;
/// Characters of a line that fit into a box.
const FITS: usize = 33;
/// Of a name, which is bolder; and of one beside an alert.
const NAME_FITS: usize = FITS - 5;
const NAME_BESIDE_ALERT_FITS: usize = FITS - 12;
const GAP: usize = COLUMN - BOX_WIDTH;
const MARGINS: usize = 2 * MARGIN;
const AROUND: usize = HEAD + MARGIN;
/// Where an alert ends in a box.
const ALERT_END: usize = BOX_WIDTH - 8;
const SWEEPS: usize = 8;

const STYLE: &str = "\
text{font:12px system-ui,'Segoe UI','DejaVu Sans',sans-serif;fill:#1b1f24}\
.n{font-weight:600;font-size:13px}.s{fill:#57606a;font-size:11px}.h{font-weight:600;font-size:16px}\
.b{fill:#fff;stroke:#8c959f}.o{fill:#eef6ff;stroke:#0969da}.u{fill:#f6f8fa;stroke:#8c959f}\
.c{stroke-width:2.5}.x{fill:#fff1f0;stroke:#cf222e;stroke-width:2.5}.w{fill:#fff8e6;stroke:#bf8700;stroke-width:2.5}\
.q{stroke-width:3}.a{fill:#cf222e;font-weight:700;font-size:11px}path{fill:none;stroke:#afb8c1;stroke-width:1.3}";

/// Where each lot stands.
struct Layout {
    /// By lot: column and row.
    at: Vec<(usize, usize)>,
    columns: usize,
    rows: usize,
    /// Height of a box, and from one row to the next.
    heights: (usize, usize),
}

/// Draws a trace.
pub(super) fn draw(trace: &Trace, down: bool) -> String {
    let layout = Layout::of(trace, down);
    let wide = layout.columns.max(1).saturating_sub(1).saturating_mul(COLUMN);
    let width = wide.saturating_add(BOX_WIDTH).saturating_add(MARGINS).max(720);
    let height = layout.rows.saturating_mul(layout.heights.1).saturating_add(AROUND);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         <style>{STYLE}</style>\n<rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    heading(&mut svg, trace, down);
    for (from, to) in &trace.edges {
        let (Some(from), Some(to)) = (layout.at.get(*from), layout.at.get(*to)) else { continue };
        let (x1, y1) = layout.corner(*from);
        let (x2, y2) = layout.corner(*to);
        let (x1, y1) = (x1.saturating_add(BOX_WIDTH), y1.saturating_add(layout.heights.0 / 2));
        let y2 = y2.saturating_add(layout.heights.0 / 2);
        let bend = x2.saturating_sub(x1).max(GAP) / 2;
        let (b1, b2) = (x1.saturating_add(bend), x2.saturating_sub(bend));
        line(&mut svg, format_args!("<path d=\"M{x1} {y1}C{b1} {y1} {b2} {y2} {x2} {y2}\"/>"));
    }
    for (place, (lot, at)) in trace.lots.iter().zip(&layout.at).enumerate() {
        let (corner, height) = (layout.corner(*at), layout.heights.0);
        node(&mut svg, lot, (corner, height), place == 0);
    }
    svg.push_str("</svg>\n");
    svg
}

fn heading(svg: &mut String, trace: &Trace, down: bool) {
    let asked = trace.lots.first().map(name).unwrap_or_default();
    let what = if down { "and what was made of it" } else { "and what it is made of" };
    line(
        svg,
        format_args!("<text class=\"h\" x=\"{MARGIN}\" y=\"36\">{} {what}</text>", escaped(&asked)),
    );
    let shown = trace.lots.len();
    let of = if u64::try_from(shown).is_ok_and(|shown| shown < trace.reached) {
        format!("{shown} of {} lots, nearest first", trace.reached)
    } else {
        format!("{shown} lots")
    };
    line(
        svg,
        format_args!(
            "<text class=\"s\" x=\"{MARGIN}\" y=\"56\">{of}, from left to right as made. Blue: in stock here; red: recalled or revoked; yellow: on hold or superseded; thick: asked about, or certified.</text>"
        ),
    );
}

fn node(svg: &mut String, lot: &TracedLot, ((x, y), height): ((usize, usize), usize), asked: bool) {
    let level = alert(lot);
    let class = match level {
        Some("recall" | "revoke") => "x",
        Some(_) => "w",
        None if lot.whereabouts() == Whereabouts::Here => "o",
        None if lot.own => "u",
        None => "b",
    };
    let thick = match (asked, lot.certificate.is_empty()) {
        (true, _) => " q",
        (false, true) => "",
        (false, false) => " c",
    };
    line(
        svg,
        format_args!("<g><title>{}  {}</title>", escaped(&name(lot)), escaped(&super::line(lot))),
    );
    line(
        svg,
        format_args!(
            "<rect class=\"{class}{thick}\" x=\"{x}\" y=\"{y}\" width=\"{BOX_WIDTH}\" height=\"{height}\" rx=\"6\"/>"
        ),
    );
    let left = x.saturating_add(10);
    let name_fits = if level.is_some() { NAME_BESIDE_ALERT_FITS } else { NAME_FITS };
    let rows = [
        ("n", 19, name_fits, name(lot)),
        ("s", 35, FITS, what(lot)),
        ("s", 50, FITS, made_and_where(lot)),
    ];
    let lines = if height == ROOMY.0 { rows.len() } else { 1 };
    for (class, below, fits, text) in rows.into_iter().take(lines) {
        let y = y.saturating_add(below);
        let text = escaped(&shortened(&text, fits));
        line(svg, format_args!("<text class=\"{class}\" x=\"{left}\" y=\"{y}\">{text}</text>"));
    }
    if let Some(level) = level {
        let (right, y) = (x.saturating_add(ALERT_END), y.saturating_add(18));
        let level = level.to_uppercase();
        line(
            svg,
            format_args!(
                "<text class=\"a\" x=\"{right}\" y=\"{y}\" text-anchor=\"end\">{level}</text>"
            ),
        );
    }
    svg.push_str("</g>\n");
}

/// What a lot is; of another's lot, whose it was.
fn what(lot: &TracedLot) -> String {
    if !lot.own {
        return words::on_one_line(&lot.company_name);
    }
    let (product, mass) = (words::on_one_line(&lot.product), mass_text(lot.mass_mg));
    let comma = if product.is_empty() { "" } else { ", " };
    format!("{product}{comma}{mass}, {} pcs", lot.pieces)
}

fn made_and_where(lot: &TracedLot) -> String {
    let mut parts = vec![lot.made_by.clone()];
    if !lot.heat.is_empty() {
        parts.push(format!("heat {}", words::on_one_line(&lot.heat)));
    }
    parts.push(whereabouts(lot));
    if lot.missing > 0 {
        parts.push(format!("{} inputs unknown", lot.missing));
    }
    parts.retain(|part| !part.is_empty());
    parts.join(", ")
}

impl Layout {
    fn corner(&self, (column, row): (usize, usize)) -> (usize, usize) {
        let x = column.saturating_mul(COLUMN).saturating_add(MARGIN);
        (x, row.saturating_mul(self.heights.1).saturating_add(HEAD))
    }

    fn of(trace: &Trace, down: bool) -> Self {
        let count = trace.lots.len();
        let mut steps = vec![0_usize; count];
        // Lots are made of earlier leaves only: in their order every lot comes after what it is made of.
        let mut edges = trace.edges.clone();
        let leaf = |place: usize| trace.lots.get(place).map_or(0, |lot| lot.leaf);
        if down {
            edges.sort_by_key(|(from, _)| leaf(*from));
        } else {
            edges.sort_by_key(|(_, to)| std::cmp::Reverse(leaf(*to)));
        }
        for (from, to) in &edges {
            let (near, far) = if down { (*from, *to) } else { (*to, *from) };
            let step = steps.get(near).copied().unwrap_or(0).saturating_add(1);
            if let Some(known) = steps.get_mut(far) {
                *known = step.max(*known);
            }
        }
        let last = steps.iter().copied().max().unwrap_or(0);
        let column = |step: &usize| if down { *step } else { last.saturating_sub(*step) };
        let columns: Vec<usize> = steps.iter().map(column).collect();
        let mut order: Vec<Vec<usize>> = vec![Vec::new(); last.saturating_add(1)];
        for (place, column) in columns.iter().enumerate() {
            if let Some(list) = order.get_mut(*column) {
                list.push(place);
            }
        }
        let rows = order.iter().map(Vec::len).max().unwrap_or(0);
        let heights = arrange(&mut order, &edges, rows, count);
        let at = columns.into_iter().zip(heights).collect();
        let spacing = if rows < MANY_ROWS { ROOMY } else { CLOSE };
        Self { at, columns: last.saturating_add(1), rows, heights: spacing }
    }
}

/// Puts the lots of each column in the order of their neighbours' heights, to and fro; gives each lot's row, its column being
/// centred.
fn arrange(
    order: &mut [Vec<usize>],
    edges: &[(usize, usize)],
    rows: usize,
    count: usize,
) -> Vec<usize> {
    let mut neighbours: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (from, to) in edges {
        for (here, there) in [(from, to), (to, from)] {
            if let Some(list) = neighbours.get_mut(*here) {
                list.push(*there);
            }
        }
    }
    let mut heights = vec![0_usize; count];
    let place = |column: &[usize], heights: &mut Vec<usize>| {
        let first = rows.saturating_sub(column.len()) / 2;
        for (row, lot) in (first..).zip(column) {
            if let Some(height) = heights.get_mut(*lot) {
                *height = row;
            }
        }
    };
    order.iter().for_each(|column| place(column, &mut heights));
    let last = order.len();
    for sweep in 0..SWEEPS {
        for step in 0..last {
            let at =
                if sweep % 2 == 0 { step } else { last.saturating_sub(step.saturating_add(1)) };
            let Some(column) = order.get_mut(at) else { continue };
            let mean = |lot: &usize| {
                let near = neighbours.get(*lot).map(Vec::as_slice).unwrap_or_default();
                let sum: usize = near.iter().filter_map(|other| heights.get(*other)).sum();
                let own = heights.get(*lot).copied().unwrap_or(0);
                // In thousandths, so that ties are rare.
                sum.saturating_mul(1_000)
                    .checked_div(near.len())
                    .unwrap_or(own.saturating_mul(1_000))
            };
            column.sort_by_key(mean);
            place(column, &mut heights);
        }
    }
    heights
}

fn line(svg: &mut String, what: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(svg, "{what}");
}

fn shortened(text: &str, fits: usize) -> String {
    if text.chars().count() <= fits {
        return text.to_owned();
    }
    let kept: String = text.chars().take(fits.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, c| {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push(' '),
            c => escaped.push(c),
        }
        escaped
    })
}
