//! `heatmark origin`: where stock comes from, as far as certificates show it.

use super::answer::{Answer, table};
use super::connect::{NodeArgs, block_on};
use super::failure::Failure;
use super::lot::quantity::mass_text;
use super::words;
use crate::files;
use clap::{Args, Subcommand};
use heatmark_client::{OriginReport, OriginShare};
use serde_json::{Value, json};
use std::path::PathBuf;

/// What to report.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Tells what share of stock comes from which melt shop, smelter, country, route and issuer
    #[command(
        after_help = "Example:\n  heatmark origin report --home assembler\n  heatmark origin report --product 'ring 400' --csv rings.csv --home assembler\nCounts by mass what is in stock. What certificates do not show is told as not shown, never spread over the rest."
    )]
    Report(Report),
}

/// `origin report`.
#[derive(Debug, Args)]
pub(crate) struct Report {
    #[command(flatten)]
    node: NodeArgs,
    /// Only stock whose product holds this text
    #[arg(long, value_name = "TEXT", default_value = "")]
    product: String,
    /// Writes the shares to this file as well
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
}

pub(crate) fn run(command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Report(command) => report(&command),
    }
}

fn report(command: &Report) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let product = command.product.clone();
    let mut report = block_on(async { Ok(reach.desk().await?.origin(product).await?) })?;
    // Greatest first, within each way of counting; what is not shown last.
    report.shares.sort_by(|left, right| {
        let key = |share: &OriginShare| (share.by.clone(), share.value.is_empty());
        key(left).cmp(&key(right)).then(right.mass_mg.cmp(&left.mass_mg))
    });
    if let Some(path) = &command.csv {
        files::replace(path, csv(&report).as_bytes(), 0o644)?;
    }
    Ok(Answer::yes(as_json(&report), text(&report)))
}

/// Thousandths of all, rounded down.
fn permille(share: &OriginShare, report: &OriginReport) -> u64 {
    let scaled = u128::from(share.mass_mg).saturating_mul(1_000);
    let part = scaled.checked_div(u128::from(report.mass_mg)).unwrap_or(0);
    u64::try_from(part).unwrap_or(u64::MAX)
}

fn percent(permille: u64) -> String {
    format!("{}.{} %", permille / 10, permille % 10)
}

fn text(report: &OriginReport) -> String {
    if report.lots == 0 {
        return "No stock.\n".to_owned();
    }
    let mut text = format!(
        "In stock: {} lots, {}, {} pieces\n\n",
        report.lots,
        mass_text(report.mass_mg),
        report.pieces
    );
    let row = |share: &OriginShare| {
        let value = match share.value.as_str() {
            "" => "(not shown)".to_owned(),
            value => words::on_one_line(value),
        };
        let (mass, lots) = (mass_text(share.mass_mg), share.lots.to_string());
        vec![share.by.clone(), value, percent(permille(share, report)), mass, lots]
    };
    let rows: Vec<Vec<String>> = report.shares.iter().map(row).collect();
    text.push_str(&table(&["BY", "FROM", "SHARE", "MASS", "LOTS"], &rows));
    text
}

fn as_json(report: &OriginReport) -> Value {
    json!({
        "mass_mg": report.mass_mg,
        "pieces": report.pieces,
        "lots": report.lots,
        "shares": report.shares.iter().map(|share| json!({
            "by": share.by,
            "value": if share.value.is_empty() { Value::Null } else { json!(share.value) },
            "permille": permille(share, report),
            "mass_mg": share.mass_mg,
            "pieces": share.pieces,
            "lots": share.lots,
        })).collect::<Vec<_>>(),
    })
}

fn csv(report: &OriginReport) -> String {
    let mut text = "by,from,shown,permille,mass_mg,pieces,lots\r\n".to_owned();
    for share in &report.shares {
        let shown = if share.value.is_empty() { "no" } else { "yes" };
        text.push_str(&format!(
            "{},{},{shown},{},{},{},{}\r\n",
            cell(&share.by),
            cell(&share.value),
            permille(share, report),
            share.mass_mg,
            share.pieces,
            share.lots,
        ));
    }
    text
}

/// A cell of a CSV file (RFC 4180). What a spreadsheet would take for a formula is not one.
pub(crate) fn cell(text: &str) -> String {
    let plain = words::on_one_line(text);
    let formula = plain.starts_with(['=', '+', '-', '@']);
    let plain = if formula { format!("'{plain}") } else { plain };
    if formula || plain.contains([',', '"', ';']) {
        return format!("\"{}\"", plain.replace('"', "\"\""));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_hold_what_others_wrote_without_becoming_formulas() {
        assert_eq!(cell("Witten 2"), "Witten 2");
        assert_eq!(cell("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(cell("=HYPERLINK(1)"), "\"'=HYPERLINK(1)\"");
        assert!(!cell("two\nlines").contains('\n'));
    }

    #[test]
    fn shares_round_down_and_an_empty_stock_has_none() {
        let share = OriginShare { mass_mg: 2, ..OriginShare::default() };
        let all = OriginReport { mass_mg: 3, ..OriginReport::default() };
        assert_eq!(percent(permille(&share, &all)), "66.6 %");
        assert_eq!(permille(&share, &OriginReport::default()), 0);
    }
}
