//! Inspections on the log: what a named inspector decided, published through the own node like any certificate, and those that were.

use super::super::answer::{Answer, table};
use super::super::connect::{NodeArgs, block_on};
use super::super::failure::Failure;
use super::super::words;
use super::kept;
use clap::Args;
use heatmark_client::{CertificateFile, PublishEvent};
use heatmark_inspection::Inspection;
use heatmark_records::forms::INSPECTION;
use serde_json::{Value, json};

/// How many records a node is asked for at once.
const MAX_RECORDS: u32 = 100_000;

/// An inspection that stands on the log.
pub(super) struct Recorded {
    record: String,
    transaction: String,
    block: u64,
}

impl Recorded {
    pub(super) fn json(&self) -> Value {
        json!({
            "record_id": self.record,
            "transaction_id": self.transaction,
            "height": self.block,
        })
    }

    pub(super) fn text(&self) -> String {
        format!("\nRecorded as {}, block {}\n", self.record, self.block)
    }
}

/// Publishes what was decided; nothing before anybody decided.
pub(super) fn publish(
    node: &NodeArgs,
    inspection: &Inspection,
) -> Result<Option<Recorded>, Failure> {
    let Some(content) = heatmark_inspection::record(inspection) else { return Ok(None) };
    let name = heatmark_inspection::record_name(inspection).unwrap_or_default();
    let file = CertificateFile { name, content, beside: Vec::new() };
    let reach = node.reach()?;
    let (mut read, mut faults, mut anchored) = (None, Vec::new(), None);
    block_on(async {
        let files = futures::stream::iter([file]);
        let heard = |event: &PublishEvent| match event {
            PublishEvent::Read(event) => read = Some(hex::encode(&event.record_id)),
            PublishEvent::Refused(event) => faults.clone_from(&event.faults),
            PublishEvent::Anchored(proven, _) => {
                let verified = &proven.verified;
                let id = verified.transaction_id.to_string();
                anchored = Some((id, verified.header.height.0));
            }
        };
        Ok(reach.desk().await?.publish(1, files, heard).await?)
    })?;
    if !faults.is_empty() {
        return Err(Failure::no("the node does not take the inspection")
            .because(faults.join("; "))
            .next("mend what is named; nothing was recorded"));
    }
    match (read, anchored) {
        (Some(record), Some((transaction, block))) => {
            Ok(Some(Recorded { record, transaction, block }))
        }
        _ => Err(Failure::unknown("it is not known whether the inspection is recorded")
            .next("`heatmark inspect list` shows it once it stands")),
    }
}

/// `inspect list`.
#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    node: NodeArgs,
}

/// The inspections that the own node recorded, and those that it keeps.
pub(super) fn list(command: &List) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let (records, kept) = block_on(async {
        let desk = reach.desk().await?;
        Ok((desk.records(&[], MAX_RECORDS).await?, desk.inspections().await?))
    })?;
    let inspections: Vec<_> =
        records.iter().filter(|row| row.form.starts_with(INSPECTION)).collect();
    let anchor = |id: &[u8]| match id {
        [] => "waiting".to_owned(),
        id => words::short(id),
    };
    let rows: Vec<Vec<String>> = inspections
        .iter()
        .map(|row| {
            let id = hex::encode(&row.record_id);
            vec![id, anchor(&row.transaction_id), words::on_one_line(&row.file_name)]
        })
        .collect();
    let json = json!({ "inspections": inspections.iter().map(|row| json!({
        "record_id": hex::encode(&row.record_id),
        "transaction_id": hex::encode(&row.transaction_id),
        "what": row.file_name,
        "superseded_by": (!row.superseded_by.is_empty()).then(|| hex::encode(&row.superseded_by)),
    })).collect::<Vec<_>>(), "kept": kept::rows_json(&kept) });
    let mut text = String::new();
    if !rows.is_empty() {
        text.push_str(&table(&["RECORD", "ANCHOR", "INSPECTION"], &rows));
    }
    if !kept.is_empty() {
        text.push_str(if rows.is_empty() { "" } else { "\n" });
        text.push_str(&kept::rows_text(&kept));
    }
    if text.is_empty() {
        text.push_str("No inspections.\n");
    }
    Ok(Answer::yes(json, text))
}
