//! `heatmark lot capsule`: a lot's capsule in a file.

use super::super::answer::Answer;
use super::super::connect::{NodeArgs, block_on};
use super::super::failure::Failure;
use super::super::member;
use crate::files;
use clap::Args;
use heatmark_evidence::capsule::Capsule;
use serde_json::json;
use std::path::PathBuf;

/// `lot capsule`.
#[derive(Debug, Args)]
pub(crate) struct Write {
    #[command(flatten)]
    node: NodeArgs,
    /// The lot's name
    #[arg(value_name = "LOT")]
    lot: String,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Members whose concerns are told beside the issuers' own alerts
    #[arg(long, value_name = "MEMBER")]
    concerns: Vec<String>,
    /// For your own use: with the lot's quantities, and all that you were shown of others' records. Without it the file
    /// says only what its issuers let go on
    #[arg(long)]
    quantities: bool,
}

pub(crate) fn run(command: &Write) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let bytes = block_on(async {
        let ledger = reach.ledger().await?;
        let mut concerns = Vec::with_capacity(command.concerns.len());
        for name in &command.concerns {
            concerns.push(*member::find(&reach, &ledger, name).await?.0.as_bytes());
        }
        let desk = reach.desk().await?;
        Ok(desk.capsule(command.lot.clone(), concerns, command.quantities).await?)
    })?;
    let capsule = Capsule::decode(&bytes).map_err(|error| {
        Failure::no("the node made a capsule that cannot be read")
            .because(error)
            .next("nothing was written; tell the node's operator")
    })?;
    files::create(&command.out, &bytes, files::PRIVATE)?;
    let (events, records) = (capsule.events.len(), capsule.records.len());
    let text = format!(
        "Written to {}: {events} events, {records} records, {} bytes\n",
        command.out.display(),
        bytes.len()
    );
    let json = json!({
        "file": command.out, "bytes": bytes.len(), "events": events, "records": records,
    });
    Ok(Answer::yes(json, text))
}
