//! `heatmark cert`: publishes mill certificates through the own node, lists what was published, shows and proves parts of it.
//! Refuses nothing of a certificate itself: that is the node's to judge, fault by fault.

mod prove;
mod show;

use super::answer::{Answer, Exit, table};
use super::connect::{NodeArgs, block_on};
use super::failure::Failure;
use super::words;
use crate::files::{self, FileError};
use clap::{Args, Subcommand};
use heatmark_client::{CertificateFile, Proven, PublishEvent, Published};
use indicatif::{ProgressBar, ProgressStyle};
use prost::Message as _;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// Largest certificate file in bytes.
const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

/// What to do with certificates.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Publishes certificate files, or all files of directories, as one batch
    #[command(
        after_help = "Example:\n  heatmark cert publish --home mill heat-48213.json\n  heatmark cert publish --home mill certificates/ --receipts receipts/\nOnly salted commitments go on the log; the contents stay in your node. The same file twice\nis one record. Exits with 1 when a file was refused; the others are published all the same."
    )]
    Publish(Publish),
    /// Shows chosen fields of a record to one member, in a file that verifies offline
    #[command(
        after_help = "Example:\n  heatmark cert show 9f41… --home mill --fields heat,chemistry/* --to 'Forge GmbH' --purpose 'order 4711' --out heat.disclosure\n  heatmark verify heat.disclosure --trust genesis.note\nA pattern's * stands for any characters. Profiles: origin, chemistry, mechanical, all."
    )]
    Show(show::Show),
    /// Proves to one member that a record keeps limits, without showing its numbers
    #[command(
        after_help = "Example:\n  heatmark cert prove 9f41… --home mill --spec 316l-astm-a240.toml --to 'Forge GmbH' --purpose 'order 4711'\n  heatmark cert prove 9f41… --home mill --own-limits --fields heat --to 'Forge GmbH' --purpose 'order 4711'\nWhat is outside its limits cannot be proved: the command says what, and makes nothing. A field is proved to a\nmember by one specification only, since narrower and narrower limits would give the number away."
    )]
    Prove(prove::Prove),
    /// Reads a specification and prints its limits and its id
    #[command(after_help = "Example:\n  heatmark cert spec 316l-astm-a240.toml")]
    Spec(prove::Spec),
    /// Lists the records that this node has published
    #[command(after_help = "Example:\n  heatmark cert list --home mill")]
    List(List),
}

/// `cert publish`.
#[derive(Debug, Args)]
pub(crate) struct Publish {
    #[command(flatten)]
    node: NodeArgs,
    /// Writes a receipt for each anchor into this directory
    #[arg(long, value_name = "DIR")]
    receipts: Option<PathBuf>,
    /// Certificates; of a directory, every file in and below it that is not hidden
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
}

/// `cert list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    node: NodeArgs,
    /// Only records whose id begins so
    #[arg(long, value_name = "HEX", default_value = "")]
    id: String,
    /// Most rows
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    limit: u32,
}

pub(crate) fn run(command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Publish(command) => publish(&command),
        Command::Show(command) => show::run(&command),
        Command::Prove(command) => prove::run(&command),
        Command::Spec(command) => prove::spec(&command),
        Command::List(command) => list(&command),
    }
}

#[derive(Default)]
struct Heard {
    files: Vec<Value>,
    refused: Vec<(String, Vec<String>)>,
    anchors: Vec<(Proven, u32)>,
}

fn publish(command: &Publish) -> Result<Answer, Failure> {
    let mut paths = Vec::new();
    for path in &command.paths {
        collect(path, &mut paths)?;
    }
    let count = u32::try_from(paths.len()).ok().filter(|count| *count > 0).ok_or_else(|| {
        Failure::input("there is no file to publish")
            .next("name files, or a directory that holds some")
    })?;
    if let Some(directory) = &command.receipts {
        fs::create_dir_all(directory).map_err(files::io_error(directory))?;
    }
    let reach = command.node.reach()?;
    let mut heard = Heard::default();
    let published = block_on(async {
        let desk = reach.desk().await?;
        let bar = bar(count);
        let contents = futures::stream::iter(paths.into_iter().map(content));
        let published = desk
            .publish(count, contents, |event| {
                bar.inc(u64::from(!matches!(event, PublishEvent::Anchored(..))));
                heard.take(event);
            })
            .await;
        bar.finish_and_clear();
        Ok(published?)
    })?;
    let receipts = write_receipts(command.receipts.as_deref(), &heard.anchors)?;
    Ok(heard.answer(&published, &receipts))
}

impl Heard {
    fn take(&mut self, event: &PublishEvent) {
        match event {
            PublishEvent::Read(read) => self.files.push(json!({
                "name": read.name,
                "record_id": hex::encode(&read.record_id),
                "form": read.form,
                "fields": read.fields,
                "already_published": read.already_published,
            })),
            PublishEvent::Refused(refused) => {
                self.refused.push((refused.name.clone(), refused.faults.clone()));
            }
            PublishEvent::Anchored(proven, records) => {
                self.anchors.push(((**proven).clone(), *records));
            }
        }
    }

    fn answer(&self, published: &Published, receipts: &[Option<PathBuf>]) -> Answer {
        let mut text = String::new();
        for (name, faults) in &self.refused {
            text.push_str(&format!("refused  {name}\n"));
            for fault in faults {
                text.push_str(&format!("  {fault}\n"));
            }
        }
        for ((proven, records), receipt) in self.anchors.iter().zip(receipts) {
            let verified = &proven.verified;
            text.push_str(&format!(
                "anchored {records} records at leaf {}, block {}, transaction {}\n",
                verified.leaf_index, verified.header.height, verified.transaction_id
            ));
            if let Some(receipt) = receipt {
                text.push_str(&format!("  receipt {}\n", receipt.display()));
            }
        }
        text.push_str(&format!(
            "{} published, {} published before, {} refused\n",
            published.new, published.already_published, published.refused
        ));
        let anchors: Vec<Value> = self
            .anchors
            .iter()
            .zip(receipts)
            .map(|((proven, records), receipt)| {
                json!({
                    "records": records,
                    "receipt_file": receipt,
                    "receipt": words::verified(&proven.verified),
                })
            })
            .collect();
        let refused: Vec<Value> = self
            .refused
            .iter()
            .map(|(name, faults)| json!({ "name": name, "faults": faults }))
            .collect();
        let json = json!({
            "ok": published.refused == 0,
            "new": published.new,
            "already_published": published.already_published,
            "refused": refused,
            "files": self.files,
            "anchors": anchors,
        });
        let exit = if published.refused == 0 { Exit::Yes } else { Exit::No };
        Answer::of(exit, json, text)
    }
}

fn collect(path: &Path, paths: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let metadata = fs::metadata(path).map_err(files::io_error(path))?;
    if metadata.is_dir() {
        let entries = fs::read_dir(path).map_err(files::io_error(path))?;
        let mut below = Vec::new();
        for entry in entries {
            let entry = entry.map_err(files::io_error(path))?;
            let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            // A link to a directory above would never end.
            let link = entry.file_type().map_err(files::io_error(path))?.is_symlink();
            if !hidden && (!link || !entry.path().is_dir()) {
                below.push(entry.path());
            }
        }
        below.sort();
        return below.iter().try_for_each(|path| collect(path, paths));
    }
    if !metadata.is_file() {
        return Err(FileError::NotAFile(path.to_owned()).into());
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err(FileError::TooLarge { path: path.to_owned(), limit: MAX_FILE_BYTES }.into());
    }
    paths.push(path.to_owned());
    Ok(())
}

/// A file that vanished since it was listed goes out empty, which the node refuses by name.
fn content(path: PathBuf) -> CertificateFile {
    let content = files::read(&path, MAX_FILE_BYTES).unwrap_or_else(|error| {
        tracing::warn!(%error, "a file could not be read");
        Vec::new()
    });
    CertificateFile { name: path.display().to_string(), content }
}

fn bar(count: u32) -> ProgressBar {
    let bar = ProgressBar::new(u64::from(count));
    if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} files  {per_sec}") {
        bar.set_style(style);
    }
    bar
}

fn write_receipts(
    directory: Option<&Path>,
    anchors: &[(Proven, u32)],
) -> Result<Vec<Option<PathBuf>>, Failure> {
    let mut written = Vec::new();
    for (proven, _) in anchors {
        let path = directory.map(|d| d.join(format!("{}.receipt", proven.verified.transaction_id)));
        if let Some(path) = &path {
            files::replace(path, &proven.receipt.encode_to_vec(), files::PUBLIC)?;
        }
        written.push(path);
    }
    Ok(written)
}

fn list(command: &List) -> Result<Answer, Failure> {
    let prefix = hex::decode(&command.id).map_err(|_| {
        Failure::input(format!("{:?} is no beginning of an id", command.id))
            .because("ids are hex, an even number of digits")
    })?;
    let reach = command.node.reach()?;
    let records =
        block_on(async { Ok(reach.desk().await?.records(&prefix, command.limit).await?) })?;
    let rows: Vec<Vec<String>> = records
        .iter()
        .map(|row| {
            vec![
                hex::encode(&row.record_id),
                row.form.clone(),
                row.fields.to_string(),
                if row.transaction_id.is_empty() {
                    "waiting".into()
                } else {
                    words::short(&row.transaction_id)
                },
                row.file_name.clone(),
            ]
        })
        .collect();
    let json = json!({
        "records": records.iter().map(|row| json!({
            "record_id": hex::encode(&row.record_id),
            "file_name": row.file_name,
            "form": row.form,
            "fields": row.fields,
            "transaction_id": hex::encode(&row.transaction_id),
            "position": row.position,
            "alert_subject": hex::encode(&row.alert_subject),
        })).collect::<Vec<_>>(),
    });
    Ok(Answer::yes(json, table(&["RECORD", "FORM", "FIELDS", "ANCHOR", "FILE"], &rows)))
}
