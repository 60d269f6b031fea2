//! Documents that stand beside the certificates which name them by their digests: those that a deposit waits for are given to the
//! own node. Others stay where they are.

use super::super::failure::Failure;
use super::super::words;
use crate::files;
use heatmark_client::{DeskClient, PlannedDeposit, WantedDocument};
use heatmark_desk::MAX_DEPOSIT_BYTES;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

/// Most files of a directory that are looked at.
const MAX_FILES: usize = 100_000;
/// Longest name of a document, in bytes.
const MAX_NAME_BYTES: usize = 100;

/// A file whose record will be deposited.
pub(super) struct Planned {
    /// The file, as it was published.
    pub(super) name: String,
    pub(super) record: Vec<u8>,
    pub(super) deposits: Vec<PlannedDeposit>,
}

/// A deposit that the node will make by itself.
pub(super) struct Told {
    name: String,
    record: Vec<u8>,
    class: String,
    /// Documents that were given to the node.
    given: Vec<String>,
    missing: Vec<WantedDocument>,
}

/// Files of directories by their lengths, each directory read once.
#[derive(Default)]
struct Shelves(BTreeMap<PathBuf, BTreeMap<u64, Vec<PathBuf>>>);

/// Gives the node the documents that stand beside what was published, and tells what becomes of it.
pub(super) async fn give(desk: &DeskClient, planned: &[Planned]) -> Result<Vec<Told>, Failure> {
    let (mut shelves, mut told) = (Shelves::default(), Vec::new());
    for plan in planned {
        let directory = directory_of(&plan.name);
        // A document that several classes take is given once.
        let mut done: BTreeMap<&[u8], String> = BTreeMap::new();
        for deposit in &plan.deposits {
            let (mut given, mut missing) = (Vec::new(), Vec::new());
            for wanted in &deposit.wanted {
                if let Some(name) = done.get(wanted.sha256.as_slice()) {
                    given.push(name.clone());
                    continue;
                }
                let Some((name, content)) = shelves.find(&directory, wanted)? else {
                    missing.push(wanted.clone());
                    continue;
                };
                let record = plan.record.as_slice().try_into().unwrap_or_default();
                desk.keep_document(record, name.clone(), content).await?;
                done.insert(&wanted.sha256, name.clone());
                given.push(name);
            }
            let (name, record) = (plan.name.clone(), plan.record.clone());
            told.push(Told { name, record, class: deposit.class.clone(), given, missing });
        }
    }
    Ok(told)
}

impl Told {
    pub(super) fn text(&self) -> String {
        let class = words::on_one_line(&self.class);
        let mut text = format!("deposit  {}: as class {class:?} has it", self.name);
        if !self.given.is_empty() {
            let given: Vec<String> = self.given.iter().map(|n| words::on_one_line(n)).collect();
            text.push_str(&format!(", with {}", given.join(", ")));
        }
        text.push('\n');
        for wanted in &self.missing {
            text.push_str(&format!(
                "  waits for a document of {} bytes with SHA-256 {}: put it beside the certificate and publish that again\n",
                wanted.bytes,
                hex::encode(&wanted.sha256)
            ));
        }
        text
    }

    pub(super) fn json(&self) -> Value {
        json!({
            "name": self.name,
            "record_id": hex::encode(&self.record),
            "class": self.class,
            "documents": self.given,
            "missing": self.missing.iter().map(|wanted| json!({
                "sha256": hex::encode(&wanted.sha256), "bytes": wanted.bytes,
            })).collect::<Vec<_>>(),
        })
    }
}

/// The directory of a published file; of a row of one, too.
fn directory_of(name: &str) -> PathBuf {
    let path = Path::new(name);
    let path = match name.rsplit_once('#') {
        Some((file, _)) if !path.exists() => Path::new(file),
        _ => path,
    };
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

impl Shelves {
    /// The document among the files of a directory.
    fn find(
        &mut self,
        directory: &Path,
        wanted: &WantedDocument,
    ) -> Result<Option<(String, Vec<u8>)>, Failure> {
        if !self.0.contains_key(directory) {
            self.0.insert(directory.to_owned(), shelf(directory)?);
        }
        let of_length = self.0.get(directory).and_then(|shelf| shelf.get(&wanted.bytes));
        let limit = u64::try_from(MAX_DEPOSIT_BYTES).unwrap_or(u64::MAX);
        for path in of_length.into_iter().flatten().filter(|_| wanted.bytes <= limit) {
            if digest(path).map_err(files::io_error(path))? != wanted.sha256 {
                continue;
            }
            let content = files::read(path, limit)?;
            if Sha256::digest(&content).as_slice() == wanted.sha256 {
                return Ok(Some((document_name(path, &wanted.sha256), content)));
            }
        }
        Ok(None)
    }
}

fn shelf(directory: &Path) -> Result<BTreeMap<u64, Vec<PathBuf>>, Failure> {
    let mut shelf: BTreeMap<u64, Vec<PathBuf>> = BTreeMap::new();
    let entries = fs::read_dir(directory).map_err(files::io_error(directory))?;
    for entry in entries.take(MAX_FILES) {
        let path = entry.map_err(files::io_error(directory))?.path();
        // What went in the meantime is not there.
        let Ok(metadata) = fs::metadata(&path) else { continue };
        if metadata.is_file() {
            shelf.entry(metadata.len()).or_default().push(path);
        }
    }
    shelf.values_mut().for_each(|paths| paths.sort());
    Ok(shelf)
}

/// A file's digest; of a long one no more than a part is in memory.
fn digest(path: &Path) -> io::Result<Vec<u8>> {
    let (mut file, mut hasher) = (File::open(path)?, Sha256::new());
    let mut part = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut part)?;
        if read == 0 {
            return Ok(hasher.finalize().to_vec());
        }
        hasher.update(part.get(..read).unwrap_or_default());
    }
}

/// What a document is called: as its file, where that is a name.
pub(crate) fn document_name(path: &Path, sha256: &[u8]) -> String {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let fits = (1..=MAX_NAME_BYTES).contains(&name.len()) && !name.chars().any(char::is_control);
    if fits { name.to_owned() } else { hex::encode(sha256) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;

    fn wanted(content: &[u8]) -> WantedDocument {
        let bytes = u64::try_from(content.len()).unwrap();
        WantedDocument { sha256: Sha256::digest(content).to_vec(), bytes }
    }

    #[test]
    fn a_document_is_found_by_its_digest_whatever_it_is_called() {
        let directory = tempfile::tempdir().unwrap();
        let dir = directory.path();
        for (name, content) in [("a.pdf", "one"), ("b.pdf", "two"), ("heat.json", "three")] {
            fs::write(dir.join(name), content).unwrap();
        }
        fs::create_dir(dir.join("below")).unwrap();
        fs::write(dir.join("below").join("c.pdf"), "below").unwrap();
        let mut shelves = Shelves::default();
        let found = shelves.find(dir, &wanted(b"two")).unwrap();
        assert_eq!(found, Some(("b.pdf".to_owned(), b"two".to_vec())));
        for other in [&b"six"[..], b"below", b"no such length"] {
            assert_eq!(shelves.find(dir, &wanted(other)).unwrap(), None);
        }
        let certificate = dir.join("heat.json");
        assert_eq!(directory_of(certificate.to_str().unwrap()), dir);
        assert_eq!(directory_of(&format!("{}#row 7", certificate.display())), dir);
        assert_eq!(directory_of("heat.json"), Path::new("."));
    }

    #[test]
    fn a_name_that_no_document_may_have_is_left_out() {
        let long = "x".repeat(101);
        assert_eq!(document_name(Path::new("/a/r.pdf"), &[1]), "r.pdf");
        assert_eq!(document_name(Path::new(&long), &[1]), "01");
        assert_eq!(document_name(Path::new("a\nb"), &[1]), "01");
    }
}
