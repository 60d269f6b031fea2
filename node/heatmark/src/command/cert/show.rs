//! `heatmark cert show`: a file that shows chosen fields of an own record to one member. The node makes it; before it is
//! written it is verified here as its receiver will.

use super::super::alert::own_record;
use super::super::answer::Answer;
use super::super::connect::{NodeArgs, Reach, block_on};
use super::super::failure::Failure;
use super::super::member;
use super::super::verify::{Heard, told};
use crate::files;
use clap::Args;
use heatmark_client::DiscloseRequest;
use heatmark_ledger::ids::MemberId;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// `cert show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    pub(super) about: About,
    /// What to show: paths, patterns (chemistry/*), profiles (origin, chemistry, mechanical, all)
    #[arg(long, value_name = "FIELDS", value_delimiter = ',', required = true)]
    fields: Vec<String>,
}

/// A record, for whom, for what, and where to.
#[derive(Debug, Args)]
pub(crate) struct About {
    #[command(flatten)]
    pub(super) node: NodeArgs,
    /// A record of this node, or the beginning of its id
    #[arg(value_name = "RECORD")]
    pub(super) record: String,
    /// The receiver: a member's id, the beginning of one, or its legal name
    #[arg(long, value_name = "MEMBER")]
    pub(super) to: String,
    /// What it is for; the receiver reads it, and it cannot be changed
    #[arg(long, value_name = "TEXT")]
    pub(super) purpose: String,
    /// The file to write [default: the record's and the receiver's first digits, .disclosure]
    #[arg(long, value_name = "FILE")]
    pub(super) out: Option<PathBuf>,
}

impl About {
    /// The file to write.
    pub(super) fn out_for(&self, record: &[u8; 32], receiver: &MemberId, ending: &str) -> PathBuf {
        self.out.clone().unwrap_or_else(|| {
            let digits = |hex: String| hex.chars().take(8).collect::<String>();
            let (record, to) = (hex::encode(record), receiver.to_string());
            PathBuf::from(format!("{}-{}.{ending}", digits(record), digits(to)))
        })
    }
}

pub(crate) fn run(command: &Show) -> Result<Answer, Failure> {
    let wanted = DiscloseRequest { fields: command.fields.clone(), ..DiscloseRequest::default() };
    disclose(&command.about, wanted)
}

/// Has the node make a disclosure, verifies it, and writes it.
pub(super) fn disclose(about: &About, wanted: DiscloseRequest) -> Result<Answer, Failure> {
    let reach = about.node.reach()?;
    let (receiver, bytes) = block_on(ask(&reach, about, wanted))?;
    let receiver = MemberId::from(receiver);
    let verified = heatmark_evidence::verify(&bytes, &reach.trust, Some(&receiver));
    let verified = verified.map_err(|error| {
        Failure::no("the node made a disclosure that does not verify")
            .because(error)
            .next("nothing was written; tell the node's operator")
    })?;
    let out = about.out_for(&verified.record.0, &receiver, "disclosure");
    files::create(&out, &bytes, files::PRIVATE)?;
    Ok(made(&out, bytes.len(), &Heard::new(&verified)))
}

async fn ask(
    reach: &Reach,
    about: &About,
    wanted: DiscloseRequest,
) -> Result<([u8; 32], Vec<u8>), Failure> {
    let (record, _) = own_record(reach, &about.record).await?;
    let ledger = reach.ledger().await?;
    let (receiver, _) = member::find(reach, &ledger, &about.to).await?;
    let request = DiscloseRequest {
        record_id: record.to_vec(),
        receiver: receiver.to_vec(),
        purpose: about.purpose.clone(),
        ..wanted
    };
    let bytes = reach.desk().await?.disclose(request).await?;
    Ok((*receiver.as_bytes(), bytes))
}

fn made(out: &Path, bytes: usize, heard: &Heard<'_>) -> Answer {
    let text = format!("{}Written to {}, {bytes} bytes\n", told(heard), out.display());
    let mut json = heard.json();
    if let Value::Object(fields) = &mut json {
        fields.insert("file".to_owned(), json!(out));
        fields.insert("bytes".to_owned(), json!(bytes));
    }
    Answer::yes(json, text)
}
