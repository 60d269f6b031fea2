//! `heatmark cert publish`: files in, records and receipts out. Refuses what cannot be read, file by file; the others
//! are published all the same.

use super::super::answer::{Answer, Exit};
use super::super::connect::{NodeArgs, block_on};
use super::super::failure::Failure;
use super::super::words;
use super::beside;
use super::review::Review;
use super::sources::{Pieces, SourceArgs, Sources, collect, is_notes};
use crate::files;
use clap::Args;
use heatmark_client::{CertificateFile, Proven, PublishEvent, Published};
use indicatif::{ProgressBar, ProgressStyle};
use prost::Message as _;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Most certificates in one publication.
const MAX_CERTIFICATES: usize = 1_000_000;

/// `cert publish`.
#[derive(Debug, Args)]
pub(crate) struct Publish {
    #[command(flatten)]
    node: NodeArgs,
    #[command(flatten)]
    sources: SourceArgs,
    /// What stands beside the one file, TOML or JSON [default: FILE.heatmark.toml where it is there]
    #[arg(long, value_name = "FILE")]
    with: Option<PathBuf>,
    /// The record, by its id, that the one file replaces; the old record stays
    #[arg(long, value_name = "ID")]
    supersedes: Option<String>,
    /// Writes a receipt for each anchor into this directory
    #[arg(long, value_name = "DIR")]
    receipts: Option<PathBuf>,
    /// Certificates; of a directory, every file in and below it that is not hidden
    #[arg(required = true, value_name = "FILE|DIR")]
    paths: Vec<PathBuf>,
}

/// What is heard of a publication.
#[derive(Default)]
struct Heard {
    files: Vec<Value>,
    refused: Vec<(String, Vec<String>)>,
    anchors: Vec<(Proven, u32)>,
    /// What templates read, of the files that were published.
    reviews: Vec<(String, Review)>,
    /// What will be deposited.
    planned: Vec<beside::Planned>,
    deposits: Vec<beside::Told>,
}

/// A file on its way.
enum Item {
    Ready(CertificateFile),
    /// Read only when the node is ready for it, since there may be very many.
    Later(PathBuf),
}

pub(super) fn run(command: &Publish) -> Result<Answer, Failure> {
    let mut paths = Vec::new();
    for path in &command.paths {
        collect(path, &mut paths)?;
    }
    paths.retain(|path| !is_notes(path));
    if paths.is_empty() {
        return Err(Failure::input("there is no file to publish")
            .next("name files, or a directory that holds some"));
    }
    if paths.len() > 1 && (command.with.is_some() || command.supersedes.is_some()) {
        return Err(Failure::input("--with and --supersedes are for one file")
            .next("publish it alone, or put notes beside each file in FILE.heatmark.toml"));
    }
    if let Some(id) = &command.supersedes {
        words::id(id, "id of a record")?;
    }
    let sources = Sources::load(&command.sources, command.supersedes.as_deref())?;
    if let Some(directory) = &command.receipts {
        fs::create_dir_all(directory).map_err(files::io_error(directory))?;
    }
    let mut heard = Heard::default();
    let items = prepare(command, &sources, paths, &mut heard);
    if items.is_empty() {
        return Ok(heard.answer(&Published::default(), &[]));
    }
    if items.len() > MAX_CERTIFICATES {
        return Err(Failure::input("there are more than a million certificates")
            .next("publish them in several goes"));
    }
    let published = send(command, sources, items, &mut heard)?;
    let receipts = write_receipts(command.receipts.as_deref(), &heard.anchors)?;
    Ok(heard.answer(&published, &receipts))
}

fn prepare(
    command: &Publish,
    sources: &Sources,
    paths: Vec<PathBuf>,
    heard: &mut Heard,
) -> Vec<Item> {
    if sources.are_as_they_stand() && command.with.is_none() {
        return paths.into_iter().map(Item::Later).collect();
    }
    let mut items = Vec::new();
    for path in paths {
        let Pieces { good, refused } = sources.read(&path, command.with.as_deref());
        heard.refused.extend(refused);
        for piece in good {
            let confirmed = match &piece.review {
                Some(review) if !command.sources.yes => review.is_confirmed(&piece.file.name),
                _ => Ok(true),
            };
            let fault = match confirmed {
                Ok(true) => {
                    heard
                        .reviews
                        .extend(piece.review.map(|review| (piece.file.name.clone(), review)));
                    items.push(Item::Ready(piece.file));
                    continue;
                }
                Ok(false) => "what the template read was not confirmed".to_owned(),
                Err(what) => what.to_owned(),
            };
            heard.refused.push((piece.file.name, vec![fault]));
        }
    }
    items
}

fn send(
    command: &Publish,
    sources: Sources,
    items: Vec<Item>,
    heard: &mut Heard,
) -> Result<Published, Failure> {
    let reach = command.node.reach()?;
    let count = u32::try_from(items.len()).unwrap_or(u32::MAX);
    let unread = Arc::new(Mutex::new(Vec::new()));
    let refused = Arc::clone(&unread);
    let contents = items.into_iter().filter_map(move |item| match item {
        Item::Ready(file) => Some(file),
        Item::Later(path) => {
            let Pieces { mut good, refused: faulty } = sources.read(&path, None);
            refused.lock().unwrap_or_else(PoisonError::into_inner).extend(faulty);
            good.pop().map(|piece| piece.file)
        }
    });
    let published = block_on(async {
        let desk = reach.desk().await?;
        let bar = bar(count);
        let published = desk
            .publish(count, futures::stream::iter(contents), |event| {
                bar.inc(u64::from(!matches!(event, PublishEvent::Anchored(..))));
                heard.take(event);
            })
            .await;
        bar.finish_and_clear();
        let published = published?;
        heard.deposits = beside::give(&desk, &heard.planned).await?;
        Ok(published)
    })?;
    heard.refused.append(&mut unread.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(published)
}

impl Heard {
    fn take(&mut self, event: &PublishEvent) {
        match event {
            PublishEvent::Read(read) => {
                if !read.deposits.is_empty() {
                    self.planned.push(beside::Planned {
                        name: read.name.clone(),
                        record: read.record_id.clone(),
                        deposits: read.deposits.clone(),
                    });
                }
                self.files.push(json!({
                    "name": read.name,
                    "record_id": hex::encode(&read.record_id),
                    "form": read.form,
                    "fields": read.fields,
                    "already_published": read.already_published,
                    "mass_mg": read.mass_mg,
                    "notes": read.notes,
                }));
            }
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
        for (name, review) in &self.reviews {
            text.push_str(&review.text(name));
        }
        for (name, faults) in &self.refused {
            text.push_str(&format!("refused  {name}\n"));
            for fault in faults {
                text.push_str(&format!("  {fault}\n"));
            }
        }
        for file in &self.files {
            let name = file.get("name").and_then(Value::as_str).unwrap_or_default();
            let notes = file.get("notes").and_then(Value::as_array).into_iter().flatten();
            for note in notes.filter_map(Value::as_str) {
                text.push_str(&format!("note     {name}: {note}\n"));
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
        text.extend(self.deposits.iter().map(beside::Told::text));
        text.push_str(&format!(
            "{} published, {} published before, {} refused\n",
            published.new,
            published.already_published,
            self.refused.len()
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
            "ok": self.refused.is_empty(),
            "new": published.new,
            "already_published": published.already_published,
            "refused": refused,
            "files": self.files,
            "anchors": anchors,
            "deposits": self.deposits.iter().map(beside::Told::json).collect::<Vec<_>>(),
            "read_by_template": self.reviews.iter().map(|(name, review)| json!({
                "name": name,
                "fields": review.fields.iter().map(|(path, said)| json!({
                    "path": path,
                    "read": said,
                })).collect::<Vec<_>>(),
                "not_found": review.unread,
            })).collect::<Vec<_>>(),
        });
        let exit = if self.refused.is_empty() { Exit::Yes } else { Exit::No };
        Answer::of(exit, json, text)
    }
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
