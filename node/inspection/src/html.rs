//! The report as one HTML file: no script, no outside resource, printable on A4. Whatever comes from a file is text and nothing else.

use heatmark_evidence::capsule::Outcome;

use crate::report::{Block, Row, Table, blocks};
use crate::view::{Inspection, loud};

const STYLE: &str = "\
@page{size:A4;margin:16mm 14mm}\
*{box-sizing:border-box}\
body{font:10.5pt/1.4 system-ui,'Segoe UI','Noto Sans','DejaVu Sans',sans-serif;color:#1a1a1a;max-width:190mm;margin:0 auto;padding:8mm}\
h1{font-size:18pt;margin:0 0 4mm}\
h2{font-size:11.5pt;margin:7mm 0 2mm;break-after:avoid;overflow-wrap:anywhere}\
.verdict{display:flex;gap:5mm;align-items:baseline;border:1.5pt solid;border-radius:2mm;padding:3mm 4mm;margin:0 0 4mm}\
.verdict b{font-size:16pt;letter-spacing:.04em}\
.accept{color:#14532d}.hold{color:#7a4a00}.reject{color:#991b1b}\
.verdict.accept{background:#f0fdf4}.verdict.hold{background:#fffbeb}.verdict.reject{background:#fef2f2}\
table{border-collapse:collapse;width:100%;table-layout:fixed}\
th{text-align:left;font-size:8.5pt;color:#555;border-bottom:1pt solid #999;padding:1mm 1.5mm}\
td{vertical-align:top;border-bottom:.5pt solid #ddd;padding:1.2mm 1.5mm;font-size:9pt;overflow-wrap:anywhere}\
tr{break-inside:avoid}\
thead{display:table-header-group}\
td.mark{font-weight:700;font-size:8.5pt}\
dl{display:grid;grid-template-columns:minmax(32mm,max-content) 1fr;gap:.6mm 4mm;margin:0;font-size:9pt}\
dt{color:#555;overflow-wrap:anywhere;max-width:62mm}dd{margin:0;overflow-wrap:anywhere}\
p.note{font-size:8.5pt;color:#555;margin-top:7mm}\
.sign{display:grid;grid-template-columns:1fr 1fr 1fr;gap:8mm;margin-top:16mm;break-inside:avoid}\
.sign div{border-top:.75pt solid #333;padding-top:1mm;font-size:8.5pt;color:#555}\
@media print{body{padding:0;max-width:none}*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}";

/// The inspection as an HTML file.
#[must_use]
pub fn html(inspection: &Inspection) -> String {
    let mut out =
        String::from("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    // Whatever a capsule says, the page loads nothing and runs nothing.
    out.push_str("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n");
    out.push_str("<meta name=\"viewport\" content=\"width=device-width\">\n");
    let title = format!("Incoming inspection: {}", loud(inspection.stands()));
    out.push_str(&format!(
        "<title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n",
        escaped(&title)
    ));
    for block in blocks(inspection) {
        write(&mut out, &block);
    }
    out.push_str("</body>\n</html>\n");
    out
}

fn write(out: &mut String, block: &Block) {
    match block {
        Block::Title(text) => out.push_str(&format!("<h1>{}</h1>\n", escaped(text))),
        Block::Verdict(outcome, says) => out.push_str(&format!(
            "<div class=\"verdict {}\"><b>{}</b><span>{}</span></div>\n",
            class(*outcome),
            loud(*outcome),
            escaped(says)
        )),
        Block::Heading(text) => out.push_str(&format!("<h2>{}</h2>\n", escaped(text))),
        Block::Facts(facts) => {
            out.push_str("<dl>\n");
            for (name, value) in facts {
                out.push_str(&format!("<dt>{}</dt><dd>{}</dd>\n", escaped(name), escaped(value)));
            }
            out.push_str("</dl>\n");
        }
        Block::Table(table) => write_table(out, table),
        Block::Note(text) => out.push_str(&format!("<p class=\"note\">{}</p>\n", escaped(text))),
        Block::Signature => out.push_str(
            "<div class=\"sign\"><div>Inspector</div><div>Date</div><div>Signature</div></div>\n",
        ),
    }
}

fn write_table(out: &mut String, table: &Table) {
    out.push_str("<table>\n<colgroup>");
    for width in &table.widths {
        out.push_str(&format!("<col style=\"width:{width}%\">"));
    }
    out.push_str("</colgroup>\n<thead><tr>");
    for name in &table.head {
        out.push_str(&format!("<th>{}</th>", escaped(name)));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in &table.rows {
        write_row(out, row);
    }
    out.push_str("</tbody>\n</table>\n");
}

fn write_row(out: &mut String, row: &Row) {
    out.push_str("<tr>");
    let mut mark = row.mark.map(|outcome| format!(" class=\"mark {}\"", class(outcome)));
    for cell in &row.cells {
        // Only the first cell has the colour.
        let class = mark.take().unwrap_or_default();
        out.push_str(&format!("<td{class}>{}</td>", escaped(cell)));
    }
    out.push_str("</tr>\n");
}

const fn class(outcome: Outcome) -> &'static str {
    crate::view::word(outcome)
}

/// Text as HTML has it. Characters that turn the direction of what follows are told and not obeyed.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if crate::report::is_hidden(c) => out.push_str(&crate::report::named(c)),
            c => out.push(c),
        }
    }
    out
}
