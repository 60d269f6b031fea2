//! `heatmark cert agree`: a file that proves to one member that numbers of an own record and of one shown to us differ by no
//! more than tolerances. The node makes it; before it is written it is verified here as its receiver will.

use super::super::alert::own_record;
use super::super::answer::Answer;
use super::super::connect::{Reach, block_on};
use super::super::failure::Failure;
use super::super::member;
use super::super::verify::{agreed_json, agreed_text};
use super::show::About;
use crate::files;
use clap::Args;
use heatmark_client::{AgreeRequest, Tolerance};
use heatmark_evidence::MAX_DISCLOSURE_BYTES;
use heatmark_ledger::ids::MemberId;
use serde_json::{Value, json};
use std::path::PathBuf;

/// `cert agree`.
#[derive(Debug, Args)]
pub(crate) struct Agree {
    #[command(flatten)]
    about: About,
    /// A disclosure of the other record to you, which shows the same fields
    #[arg(long, value_name = "FILE")]
    with: PathBuf,
    /// By how much a number of both may differ, such as chemistry/C=0.02%
    #[arg(long, value_name = "PATH=TOLERANCE", value_delimiter = ',', required = true)]
    within: Vec<String>,
}

pub(crate) fn run(command: &Agree) -> Result<Answer, Failure> {
    let tolerances = command.within.iter().map(|text| tolerance(text));
    let tolerances = tolerances.collect::<Result<Vec<_>, _>>()?;
    let limit = u64::try_from(MAX_DISCLOSURE_BYTES).unwrap_or(u64::MAX);
    let disclosure = files::read(&command.with, limit)?;
    let reach = command.about.node.reach()?;
    let wanted = AgreeRequest { disclosure, tolerances, ..AgreeRequest::default() };
    let (receiver, bytes) = block_on(ask(&reach, &command.about, wanted))?;
    let agreed = heatmark_evidence::verify_agreement(&bytes, &reach.trust, Some(&receiver));
    let agreed = agreed.map_err(|error| {
        Failure::no("the node made an agreement that does not verify")
            .because(error)
            .next("nothing was written; tell the node's operator")
    })?;
    let [first, _] = &agreed.records;
    let out = command.about.out_for(&first.record.0, &receiver, "agreement");
    files::create(&out, &bytes, files::PRIVATE)?;
    let text =
        format!("{}Written to {}, {} bytes\n", agreed_text(&agreed), out.display(), bytes.len());
    let mut json = agreed_json(&agreed);
    if let Value::Object(fields) = &mut json {
        fields.insert("file".to_owned(), json!(out));
        fields.insert("bytes".to_owned(), json!(bytes.len()));
    }
    Ok(Answer::yes(json, text))
}

async fn ask(
    reach: &Reach,
    about: &About,
    wanted: AgreeRequest,
) -> Result<(MemberId, Vec<u8>), Failure> {
    let (record, _) = own_record(reach, &about.record).await?;
    let ledger = reach.ledger().await?;
    let (receiver, _) = member::find(reach, &ledger, &about.to).await?;
    let request = AgreeRequest {
        record_id: record.to_vec(),
        receiver: receiver.to_vec(),
        purpose: about.purpose.clone(),
        ..wanted
    };
    Ok((receiver, reach.desk().await?.agree(request).await?))
}

/// The last `=` parts them: a path may have one.
fn tolerance(text: &str) -> Result<Tolerance, Failure> {
    let (path, within) = text.rsplit_once('=').ok_or_else(|| {
        Failure::input(format!("{text:?} is no tolerance"))
            .next("write the path, =, and by how much: chemistry/C=0.02%")
    })?;
    Ok(Tolerance { path: path.trim().to_owned(), within: within.trim().to_owned() })
}
