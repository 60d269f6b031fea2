//! `heatmark report`: what the company's own events tell of how it records them.

use super::answer::{Answer, table};
use super::connect::{NodeArgs, block_on};
use super::day;
use super::failure::Failure;
use super::words;
use crate::files;
use clap::{Args, Subcommand};
use heatmark_client::{ReportCaptureRequest, ReportCaptureResponse};
use serde_json::{Value, json};
use std::path::PathBuf;

/// What to report on.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Tells how much was scanned, how late events were recorded, which points were skipped, which lots lead back to certificates
    #[command(
        after_help = "Example:\n  heatmark report capture --from 2026-11-01 --to 2026-11-30 --csv november.csv --home forge\nBoth days are included, in UTC. The capture plan is the file that `lots.capture_plan` names in the settings."
    )]
    Capture(Capture),
}

/// `report capture`.
#[derive(Debug, Args)]
pub(crate) struct Capture {
    #[command(flatten)]
    node: NodeArgs,
    /// The first day
    #[arg(long, value_name = "DATE", value_parser = day_of)]
    from: u64,
    /// The last day
    #[arg(long, value_name = "DATE", value_parser = day_of)]
    to: u64,
    /// Writes the numbers as CSV as well
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
}

fn day_of(text: &str) -> Result<u64, String> {
    day::beginning_ms(text).ok_or_else(|| "not a date such as 2026-11-30".to_owned())
}

pub(crate) fn run(command: Command) -> Result<Answer, Failure> {
    let Command::Capture(command) = command;
    let to_ms = command.to.saturating_add(day::DAY_MS);
    if command.from >= to_ms {
        return Err(Failure::input("the last day is before the first one").next("exchange them"));
    }
    let reach = command.node.reach()?;
    let request = ReportCaptureRequest { from_ms: command.from, to_ms };
    let report = block_on(async { Ok(reach.desk().await?.report_capture(request).await?) })?;
    if let Some(file) = &command.csv {
        files::replace(file, rows_as_csv(&report).as_bytes(), files::PRIVATE)?;
    }
    Ok(Answer::yes(described(&report), text(&report)))
}

fn text(report: &ReportCaptureResponse) -> String {
    let mut text = format!(
        "Events       {}\nScanned      {} of {} lots used{}\n",
        report.events,
        report.scanned,
        report.inputs,
        share(report.scanned, report.inputs),
    );
    text.push_str(&match &report.latency {
        None => "Recorded     no event was told when it happened\n".to_owned(),
        Some(latency) => format!(
            "Recorded     {} after it happened in half of {} events, {} in 95 of 100, {} at most\n",
            span(latency.median_ms),
            latency.events,
            span(latency.p95_ms),
            span(latency.longest_ms),
        ),
    });
    if !report.points.is_empty() {
        let row = |point: &heatmark_client::CapturePoint| {
            let kept = point.demanded.saturating_sub(point.waived);
            vec![
                point.product.clone(),
                point.point.clone(),
                format!("{kept} of {}{}", point.demanded, share(kept, point.demanded)),
                point.waived.to_string(),
            ]
        };
        let rows: Vec<Vec<String>> = report.points.iter().map(row).collect();
        text.push_str(&format!("\n{}", table(&["PRODUCT", "POINT", "RECORDED", "WAIVED"], &rows)));
    }
    if !report.products.is_empty() {
        let row = |count: &heatmark_client::CaptureProduct| {
            vec![
                count.product.clone(),
                if count.depth.is_empty() { "-".to_owned() } else { count.depth.clone() },
                count.lots.to_string(),
                format!("{}{}", count.complete, share(count.complete, count.lots)),
                count.serialised.to_string(),
            ]
        };
        let rows: Vec<Vec<String>> = report.products.iter().map(row).collect();
        let header = ["PRODUCT", "DEPTH", "LOTS", "BACK TO CERTIFICATES", "WITH SERIALS"];
        text.push_str(&format!("\n{}", table(&header, &rows)));
    }
    for waiver in &report.waivers {
        text.push_str(&format!(
            "\nWaived       {} of {} until {}, by {} on {}: {}\n",
            waiver.point,
            waiver.product,
            words::time(waiver.until_ms),
            waiver.by,
            words::time(waiver.at_ms),
            words::on_one_line(&waiver.reason),
        ));
    }
    text
}

/// A share in tenths of a percent, in brackets; nothing of nothing.
fn share(part: u64, whole: u64) -> String {
    permille(part, whole)
        .map_or_else(String::new, |share| format!(" ({}.{} %)", share / 10, share % 10))
}

fn permille(part: u64, whole: u64) -> Option<u64> {
    u128::from(part)
        .saturating_mul(1_000)
        .checked_div(u128::from(whole))
        .and_then(|share| u64::try_from(share).ok())
}

/// A time span as people say it.
fn span(ms: u64) -> String {
    match ms {
        0..60_000 => format!("{} s", ms / 1_000),
        60_000..7_200_000 => format!("{} min", ms / 60_000),
        7_200_000..172_800_000 => format!("{} h", ms / 3_600_000),
        _ => format!("{} days", ms / 86_400_000),
    }
}

/// One number a row: what, of which product and point, how many, of how many.
fn rows_as_csv(report: &ReportCaptureResponse) -> String {
    let mut rows: Vec<[String; 5]> = Vec::new();
    let mut put = |what: &str, product: &str, point: &str, count: u64, of: Option<u64>| {
        let of = of.map(|of| of.to_string()).unwrap_or_default();
        rows.push([what.to_owned(), cell(product), cell(point), count.to_string(), of]);
    };
    put("events", "", "", report.events, None);
    put("scanned", "", "", report.scanned, Some(report.inputs));
    if let Some(latency) = &report.latency {
        put("latency-told", "", "", latency.events, Some(report.events));
        put("latency-median-ms", "", "", latency.median_ms, None);
        put("latency-p95-ms", "", "", latency.p95_ms, None);
        put("latency-longest-ms", "", "", latency.longest_ms, None);
    }
    for point in &report.points {
        let kept = point.demanded.saturating_sub(point.waived);
        put("recorded", &point.product, &point.point, kept, Some(point.demanded));
        put("waived", &point.product, &point.point, point.waived, Some(point.demanded));
    }
    for count in &report.products {
        put("complete", &count.product, "", count.complete, Some(count.lots));
        put("serialised", &count.product, "", count.serialised, Some(count.lots));
    }
    let mut text = "measure,product,point,count,of\n".to_owned();
    for row in rows {
        text.push_str(&format!("{}\n", row.join(",")));
    }
    text
}

/// A cell of a CSV file (RFC 4180). One that a spreadsheet would take for a formula gets an apostrophe in front.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t']);
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

fn described(report: &ReportCaptureResponse) -> Value {
    json!({
        "events": report.events,
        "inputs": report.inputs,
        "scanned": report.scanned,
        "scanned_permille": permille(report.scanned, report.inputs),
        "latency": report.latency.as_ref().map(|latency| json!({
            "events": latency.events,
            "median_ms": latency.median_ms,
            "p95_ms": latency.p95_ms,
            "longest_ms": latency.longest_ms,
        })),
        "points": report.points.iter().map(|point| json!({
            "product": point.product,
            "point": point.point,
            "demanded": point.demanded,
            "waived": point.waived,
        })).collect::<Vec<_>>(),
        "products": report.products.iter().map(|count| json!({
            "product": count.product,
            "depth": if count.depth.is_empty() { Value::Null } else { count.depth.clone().into() },
            "lots": count.lots,
            "complete": count.complete,
            "serialised": count.serialised,
        })).collect::<Vec<_>>(),
        "waivers": report.waivers.iter().map(|waiver| json!({
            "product": waiver.product,
            "point": waiver.point,
            "reason": waiver.reason,
            "until_ms": waiver.until_ms,
            "by": waiver.by,
            "key": hex::encode(&waiver.key),
            "at_ms": waiver.at_ms,
        })).collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_never_formulas() {
        for (text, expected) in [
            ("ring 400", "ring 400"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("=SUM(A1)", "'=SUM(A1)"),
            ("-1,2", "\"'-1,2\""),
        ] {
            assert_eq!(cell(text), expected);
        }
        assert_eq!(share(1, 3), " (33.3 %)");
        assert_eq!(share(0, 0), "");
        assert_eq!(span(59_999), "59 s");
        assert_eq!(span(7_200_000), "2 h");
    }
}
