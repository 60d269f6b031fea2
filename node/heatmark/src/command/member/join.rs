//! How an organisation joins: a member fixes the proposal's exact bytes, the newcomer's keys sign
//! them, the member submits. Refuses entries that the registry would refuse.

use super::super::answer::Answer;
use super::super::connect::NodeArgs;
use super::super::failure::Failure;
use super::super::{entry, words};
use super::prepared;
use crate::files;
use clap::Args;
use heatmark_ledger::messages as pb;
use pb::body::Payload;
use pb::propose::Action;
use prost::Message as _;
use serde_json::json;
use std::path::{Path, PathBuf};

/// `member add`.
#[derive(Debug, Args)]
pub(crate) struct Add {
    #[command(flatten)]
    node: NodeArgs,
    /// The newcomer's entry, as its `heatmark keys generate` wrote it
    #[arg(value_name = "ENTRY.json", required_unless_present = "submit", requires = "prepare")]
    entry: Option<PathBuf>,
    /// Writes the proposal's bytes to this file, for the newcomer to sign
    #[arg(long, value_name = "FILE", requires = "entry", conflicts_with = "submit")]
    prepare: Option<PathBuf>,
    /// The proposal becomes valid in so many minutes, for a newcomer that needs time to sign
    #[arg(long, value_name = "N", default_value_t = 0)]
    starts_in_minutes: u64,
    /// Submits the proposal in this file
    #[arg(long, value_name = "FILE", requires = "cosignatures")]
    submit: Option<PathBuf>,
    /// What the newcomer's `heatmark member cosign` wrote
    #[arg(long, value_name = "FILE", requires = "submit")]
    cosignatures: Option<PathBuf>,
}

pub(crate) fn add(command: &Add) -> Result<Answer, Failure> {
    match (&command.entry, &command.prepare, &command.submit, &command.cosignatures) {
        (Some(entry), Some(out), ..) => prepare(command, entry, out),
        (_, _, Some(body), Some(cosignatures)) => {
            prepared::submit_file(&command.node, body, cosignatures)
        }
        _ => Err(Failure::input("nothing to do").next("see: heatmark member add --help")),
    }
}

fn prepare(command: &Add, entry: &Path, out: &Path) -> Result<Answer, Failure> {
    let entry = entry::to_registry(&entry::read(entry)?)?;
    let reach = command.node.reach()?;
    let name = entry.legal_name.clone();
    let propose = pb::Propose { action: Some(Action::AddMember(entry)) };
    let payload = Payload::Propose(propose);
    let body = prepared::body(&reach, payload, command.starts_in_minutes)?;
    files::create(out, &body.encode_to_vec(), files::PUBLIC)?;
    let text = format!(
        "{} proposes to add {name:?}; it can be submitted from {} until {}.\n\
         Send it to them; they run: heatmark member cosign {} --home DIR --genesis GENESIS\n",
        out.display(),
        words::time(body.not_before_ms),
        words::time(body.not_after_ms),
        out.display(),
    );
    let json = json!({
        "body_file": out,
        "not_before_ms": body.not_before_ms,
        "not_after_ms": body.not_after_ms,
    });
    Ok(Answer::yes(json, text))
}
