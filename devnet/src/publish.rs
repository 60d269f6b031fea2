//! Measures publishing: certificates of 100 fields, 25 of them decimals, sent to one node over gRPC as its own people send
//! them; counted once they are anchored and the anchor's receipt verifies from genesis on.

use crate::Binary;
use crate::output::say;
use crate::town::{Ends, directory};
use anyhow::{Context as _, Result, bail};
use clap::Args;
use heatmark_client::CertificateFile;
use heatmark_devnet::{Devnet, Keeping, Plan, Program, processor_time};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Fields that are no decimals, beside the six that a certificate has to have or commissions by.
const TEXTS: u32 = 70;
/// Decimals beside the mass.
const ELEMENTS: u32 = 24;

/// `publish`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Publish {
    #[command(flatten)]
    binary: Binary,
    /// Certificates to publish
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    certificates: u32,
    /// Validators of the network that is started for this
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    validators: u16,
    /// Writes the figures to this file
    #[arg(long, value_name = "FILE")]
    report: PathBuf,
}

/// Publishes and measures; true when every certificate was anchored.
pub(crate) async fn run(publish: Publish) -> Result<bool> {
    let mut ends = Ends::watch()?;
    let report = tokio::select! {
        report = measure(&publish) => report?,
        () = ends.wait() => bail!("stopped; nothing was measured"),
    };
    fs::write(&publish.report, format!("{report:#}\n"))
        .with_context(|| format!("writing {}", publish.report.display()))?;
    say(&format!("{report:#}"));
    Ok(report.get("anchored") == Some(&json!(publish.certificates)))
}

async fn measure(publish: &Publish) -> Result<Value> {
    let temporary = tempfile::Builder::new().prefix("heatmark-publish-").tempdir()?;
    let place = directory(temporary.path())?;
    let program = Program::find(publish.binary.heatmark.as_deref(), &place)?;
    let plan = Plan {
        directory: place,
        validators: usize::from(publish.validators),
        observers: 0,
        parameters: Vec::new(),
        log_filter: Some("warn".to_owned()),
        keeping: Keeping::Kept,
    };
    let (mut devnet, held) = Devnet::found(&program, plan, &mut |_| {})?;
    devnet.start(held).await?;
    let name = devnet.names().into_iter().next().context("a network without nodes")?;
    let desk = devnet.desk(&name).await?;
    // Connections and tables are warm before anything counts.
    let first = desk.publish(1, futures::stream::iter([certificate(u32::MAX)]), |_| {}).await?;
    if first.new != 1 {
        bail!("the first certificate was refused");
    }
    let files: Vec<CertificateFile> = (0..publish.certificates).map(certificate).collect();
    let bytes = files.iter().map(|file| file.content.len()).sum::<usize>();
    let (begun, spent) = (Instant::now(), spent(&devnet, &name));
    let published =
        desk.publish(publish.certificates, futures::stream::iter(files), |_| {}).await?;
    let elapsed = begun.elapsed();
    let spent = self::spent(&devnet, &name).saturating_sub(spent);
    let report = json!({
        "certificates": publish.certificates,
        "anchored": published.new,
        "refused": published.refused,
        "fields_each": TEXTS.saturating_add(ELEMENTS).saturating_add(6),
        "decimals_each": ELEMENTS.saturating_add(1),
        "bytes_each": bytes.checked_div(usize::try_from(publish.certificates)?).unwrap_or(0),
        "anchors": published.anchors,
        "validators": publish.validators,
        "fsync": true,
        "seconds": rounded(elapsed),
        "certificates_per_s": rounded_rate(publish.certificates, elapsed),
        "node_cpu_seconds": rounded(spent),
    });
    devnet.down().await?;
    Ok(report)
}

fn spent(devnet: &Devnet, name: &str) -> Duration {
    let node = devnet.node(name).ok().and_then(|node| node.process);
    node.map(|process| processor_time(process.pid)).unwrap_or_default()
}

/// A certificate unlike every other number's.
fn certificate(number: u32) -> CertificateFile {
    let texts = (0..TEXTS).map(|n| (format!("note/{n}"), json!(format!("remark {n} of {number}"))));
    let element = |n: u32| {
        let content = number.wrapping_mul(7).wrapping_add(n.wrapping_mul(13)) % 1_000;
        (format!("chemistry/E{n}"), json!(format!("0.{content:03} %")))
    };
    let required = [
        ("Heatmark", json!("1")),
        ("certificate/number", json!(format!("L-{number}"))),
        ("certificate/issued", json!("2026-10-06")),
        ("manufacturer/name", json!("Kesselbach Edelstahl AG")),
        ("product/name", json!("Plate")),
        ("product/mass", json!("1912.5 kg")),
        ("heat", json!(format!("H{number}"))),
    ];
    let required = required.into_iter().map(|(path, value)| (path.to_owned(), value));
    let all: serde_json::Map<String, Value> =
        required.chain(texts).chain((0..ELEMENTS).map(element)).collect();
    CertificateFile {
        name: format!("{number}.json"),
        content: Value::Object(all).to_string().into_bytes(),
        beside: Vec::new(),
    }
}

fn rounded(time: Duration) -> f64 {
    (time.as_secs_f64() * 1_000.0).round() / 1_000.0
}

fn rounded_rate(count: u32, time: Duration) -> f64 {
    (f64::from(count) / time.as_secs_f64().max(f64::EPSILON)).round()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail loudly")]
mod tests {
    use super::*;

    #[test]
    fn certificates_have_a_hundred_fields_and_differ() {
        let of = |number| certificate(number).content;
        let read: Value = serde_json::from_slice(&of(1)).unwrap();
        // The mark is no field.
        assert_eq!(read.as_object().unwrap().len(), 101);
        assert_ne!(of(1), of(2));
    }
}
