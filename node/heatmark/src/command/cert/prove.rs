//! `heatmark cert prove`: a file that proves to one member that an own record keeps limits, without its numbers; and
//! `heatmark cert spec`, which reads the file that the limits stand in.

use super::super::answer::{Answer, table};
use super::super::failure::Failure;
use super::show::{About, disclose};
use crate::files;
use clap::Args;
use heatmark_client::DiscloseRequest;
use heatmark_records::Specification;
use heatmark_records::specification::MAX_SPECIFICATION_BYTES;
use serde_json::json;
use std::path::{Path, PathBuf};

/// `cert prove`.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("limits").required(true))]
pub(crate) struct Prove {
    #[command(flatten)]
    about: About,
    /// The specification whose limits are proved
    #[arg(long, value_name = "FILE", group = "limits")]
    spec: Option<PathBuf>,
    /// Proves the limits that the certificate itself gives; the limits are shown, the results are not
    #[arg(long, group = "limits")]
    own_limits: bool,
    /// What to show beside it, as for `cert show`
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    fields: Vec<String>,
}

/// `cert spec`.
#[derive(Debug, Args)]
pub(crate) struct Spec {
    /// The specification
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(crate) fn run(command: &Prove) -> Result<Answer, Failure> {
    let specification = match &command.spec {
        Some(file) => read(file)?.text().to_owned(),
        None => String::new(),
    };
    let wanted = DiscloseRequest {
        fields: command.fields.clone(),
        specification,
        own_limits: command.own_limits,
        ..DiscloseRequest::default()
    };
    disclose(&command.about, wanted)
}

pub(crate) fn spec(command: &Spec) -> Result<Answer, Failure> {
    let specification = read(&command.file)?;
    let number = |limit: &Option<heatmark_records::Decimal>| {
        limit.as_ref().map(ToString::to_string).unwrap_or_default()
    };
    let limits = &specification.limits;
    let rows: Vec<Vec<String>> = limits
        .iter()
        .map(|l| vec![l.name.clone(), number(&l.minimum), number(&l.maximum), l.unit.clone()])
        .collect();
    let json = json!({
        "specification_id": specification.id().to_string(),
        "title": specification.title,
        "limits": limits.iter().map(|limit| json!({
            "name": limit.name,
            "minimum": limit.minimum.as_ref().map(ToString::to_string),
            "maximum": limit.maximum.as_ref().map(ToString::to_string),
            "unit": limit.unit,
            "optional": limit.optional,
        })).collect::<Vec<_>>(),
    });
    let text = format!(
        "{}\nId {}\n\n{}",
        specification.title,
        specification.id(),
        table(&["LIMIT OF", "MINIMUM", "MAXIMUM", "UNIT"], &rows)
    );
    Ok(Answer::yes(json, text))
}

fn read(file: &Path) -> Result<Specification, Failure> {
    let limit = u64::try_from(MAX_SPECIFICATION_BYTES).unwrap_or(u64::MAX);
    Specification::parse(&files::read_text(file, limit)?).map_err(|error| {
        Failure::input(format!("{} is no specification", file.display())).because(error).next(
            "mend it; contracts/records/specifications in the sources holds some that are read",
        )
    })
}
