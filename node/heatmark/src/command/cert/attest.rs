//! `heatmark cert attest`: a laboratory's report, or an inspector's, made into a record about somebody else's. What others
//! disclosed is verified by the node. Refuses a file that comes to several reports.

use super::super::answer::Answer;
use super::super::connect::{NodeArgs, block_on};
use super::super::failure::Failure;
use super::super::words;
use super::sources::{Pieces, SourceArgs, Sources};
use crate::files;
use clap::Args;
use heatmark_client::{AttestRequest, AttestResponse, CertificateFile, Proven, ReportFile};
use heatmark_evidence::MAX_DISCLOSURE_BYTES;
use prost::Message as _;
use serde_json::json;
use std::path::PathBuf;

/// `cert attest`.
#[derive(Debug, Args)]
pub(crate) struct Attest {
    #[command(flatten)]
    node: NodeArgs,
    #[command(flatten)]
    sources: SourceArgs,
    /// Somebody else's record, by its whole id
    #[arg(value_name = "RECORD")]
    record: String,
    /// The report: any file that `cert publish` reads
    #[arg(long, value_name = "FILE")]
    results: PathBuf,
    /// What stands beside the report, TOML or JSON [default: FILE.heatmark.toml where it is there]
    #[arg(long, value_name = "FILE")]
    with: Option<PathBuf>,
    /// A disclosure of the record to you; what you measured or confirm is bound to the very fields
    #[arg(long, value_name = "FILE")]
    shown: Vec<PathBuf>,
    /// What of it you confirm without a result of your own: paths and patterns
    #[arg(long, value_name = "FIELDS", value_delimiter = ',', requires = "shown")]
    confirm: Vec<String>,
    /// An attestation of yours, by its id, that this one replaces; the old one stays
    #[arg(long, value_name = "ID")]
    supersedes: Option<String>,
    /// Writes the anchor's receipt to this file
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
}

pub(crate) fn run(command: &Attest) -> Result<Answer, Failure> {
    let record = words::id(&command.record, "id of a record")?;
    if let Some(id) = &command.supersedes {
        words::id(id, "id of a record")?;
    }
    let CertificateFile { name, content, beside } = report(command)?;
    let limit = u64::try_from(MAX_DISCLOSURE_BYTES).unwrap_or(u64::MAX);
    let disclosures = command.shown.iter().map(|path| files::read(path, limit));
    let request = AttestRequest {
        record_id: record.to_vec(),
        file: Some(ReportFile { name, content, beside }),
        disclosures: disclosures.collect::<Result<_, _>>()?,
        confirms: command.confirm.clone(),
    };
    let reach = command.node.reach()?;
    let (made, proven) = block_on(async { Ok(reach.desk().await?.attest(request).await?) })?;
    if let Some(path) = &command.receipt {
        files::replace(path, &proven.receipt.encode_to_vec(), files::PUBLIC)?;
    }
    Ok(answer(&command.record, &made, &proven))
}

/// The one report that the file comes to, confirmed where a template read it.
fn report(command: &Attest) -> Result<CertificateFile, Failure> {
    let sources = Sources::load(&command.sources, command.supersedes.as_deref())?;
    let Pieces { mut good, refused } = sources.read(&command.results, command.with.as_deref());
    let unfit = |why: String| {
        Failure::input(format!("{} is no report", command.results.display())).because(why)
    };
    if let Some((_, faults)) = refused.into_iter().next() {
        return Err(unfit(faults.join("; ")).next("mend what the reason names"));
    }
    let piece = good.pop().filter(|_| good.is_empty()).ok_or_else(|| {
        unfit("it comes to several reports, or to none".to_owned()).next("give one report a file")
    })?;
    let confirmed = match &piece.review {
        Some(review) if !command.sources.yes => review.is_confirmed(&piece.file.name),
        _ => Ok(true),
    };
    match confirmed {
        Ok(true) => Ok(piece.file),
        Ok(false) => Err(unfit("what the template read was not confirmed".to_owned())),
        Err(what) => Err(unfit(what.to_owned())),
    }
}

fn answer(record: &str, made: &AttestResponse, proven: &Proven) -> Answer {
    let id = hex::encode(&made.record_id);
    let verb = if made.already_published { "had been attested as" } else { "is attested by" };
    let mut text =
        format!("Record {record}\n{verb}   {id}, {} fields, {}\n", made.fields, made.form);
    for path in &made.bound {
        text.push_str(&format!("bound    {path}, as it was shown\n"));
    }
    for warning in &made.warnings {
        text.push_str(&format!("WARNING  {warning}\n"));
    }
    text.push_str(&format!(
        "Show it with: heatmark cert show {id} --fields attestation,chemistry/* --to MEMBER --purpose TEXT\n"
    ));
    let json = json!({
        "attests": record,
        "record_id": id,
        "form": made.form,
        "fields": made.fields,
        "already_published": made.already_published,
        "bound": made.bound,
        "warnings": made.warnings,
        "receipt": words::verified(&proven.verified),
    });
    Answer::yes(json, text)
}
