//! Files as people have them, made into what the node reads: certificates as they are, other files by a mapping, PDFs
//! by a template, scans with their fields beside them. Refuses what none of these fits, file by file.

use super::super::failure::Failure;
use super::review::Review;
use super::words_of_pdf;
use crate::files::{self, FileError};
use clap::Args;
use heatmark_client::CertificateFile;
use heatmark_reading::{
    MAX_PDF_BYTES, MAX_TOML_BYTES, Mapping, ReadingError, Template, document, json_of_toml, merge,
    to_text,
};
use heatmark_records::forms::json::{self, Json};
use heatmark_records::forms::{MAX_BESIDE_BYTES, MAX_FILE_BYTES};
use std::fs;
use std::path::{Path, PathBuf};

/// What the names of notes beside a file end with.
pub(super) const NOTES: [&str; 2] = [".heatmark.toml", ".heatmark.json"];

/// How files are read that are no certificates yet.
#[derive(Debug, Clone, Args)]
pub(crate) struct SourceArgs {
    /// Reads CSV or JSON of another form by this mapping
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// Reads PDFs by this template; of several, the first whose layout fits
    #[arg(long, value_name = "FILE")]
    template: Vec<PathBuf>,
    /// The certificates are another company's: copied, not issued. Every verifier sees it
    #[arg(long, value_name = "NAME")]
    transcribed_from: Option<String>,
    /// Takes what the templates read as confirmed
    #[arg(long)]
    pub(super) yes: bool,
}

/// How files are read.
pub(super) struct Sources {
    mapping: Option<Mapping>,
    templates: Vec<Template>,
    beside: Json,
}

/// One certificate to publish.
#[derive(Debug, Clone)]
pub(super) struct Piece {
    pub(super) file: CertificateFile,
    /// What a person has to confirm.
    pub(super) review: Option<Review>,
}

/// What a file came to; a mapped file may come to some of both.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    pub(super) good: Vec<Piece>,
    /// Name and faults of what cannot be published.
    pub(super) refused: Vec<(String, Vec<String>)>,
}

impl Sources {
    pub(super) fn load(args: &SourceArgs, supersedes: Option<&str>) -> Result<Self, Failure> {
        let text = |path: &PathBuf| {
            files::read_text(path, u64::try_from(MAX_TOML_BYTES).unwrap_or(u64::MAX))
        };
        let unusable = |path: &Path, error: ReadingError| {
            Failure::input(format!("{} cannot be used", path.display()))
                .because(error)
                .next("mend what the reason names")
        };
        let mapping = args.mapping.as_ref().map(|path| -> Result<Mapping, Failure> {
            Mapping::parse(&text(path)?).map_err(|error| unusable(path, error))
        });
        let templates = args.template.iter().map(|path| -> Result<Template, Failure> {
            Template::parse(&text(path)?).map_err(|error| unusable(path, error))
        });
        let flags = [
            ("transcribed/from", args.transcribed_from.as_deref()),
            ("certificate/supersedes", supersedes),
        ];
        let stated = flags
            .into_iter()
            .filter_map(|(path, value)| Some((path.to_owned(), Json::Text(value?.to_owned()))));
        Ok(Self {
            mapping: mapping.transpose()?,
            templates: templates.collect::<Result<_, _>>()?,
            beside: Json::Object(stated.collect()),
        })
    }

    /// Whether files are published as they stand, with neither mapping nor template.
    pub(super) const fn are_as_they_stand(&self) -> bool {
        self.mapping.is_none() && self.templates.is_empty()
    }

    /// Reads a file; `with` names its notes where they do not stand beside it.
    pub(super) fn read(&self, path: &Path, with: Option<&Path>) -> Pieces {
        let name = path.display().to_string();
        self.try_read(path, with, &name).unwrap_or_else(|faults| Pieces {
            good: Vec::new(),
            refused: vec![(name.clone(), faults)],
        })
    }

    fn try_read(
        &self,
        path: &Path,
        with: Option<&Path>,
        name: &str,
    ) -> Result<Pieces, Vec<String>> {
        let one = |what: String| vec![what];
        let limit = u64::try_from(MAX_PDF_BYTES).unwrap_or(u64::MAX);
        let content = files::read(path, limit).map_err(|error| one(error.to_string()))?;
        let (notes, has_notes) = self.notes(path, with).map_err(one)?;
        let beside = beside(&notes).map_err(one)?;
        let whole = |content: Vec<u8>, review| {
            let file = CertificateFile { name: name.to_owned(), content, beside: beside.clone() };
            Pieces { good: vec![Piece { file, review }], refused: Vec::new() }
        };
        if let Some(media_type) = media_type(&content) {
            let document = document(&content, media_type);
            let (content, review) = self.document(content, (media_type, document, has_notes))?;
            return Ok(whole(content, review));
        }
        match &self.mapping {
            Some(mapping) if !is_certificate(&content) => {
                let records = mapping.read(&content).map_err(|error| one(error.to_string()))?;
                let mut pieces = Pieces::default();
                for record in records {
                    let name = format!("{name}#{}", record.name);
                    match record.content {
                        Ok(content) => {
                            let file = CertificateFile { name, content, beside: beside.clone() };
                            pieces.good.push(Piece { file, review: None });
                        }
                        Err(faults) => {
                            let faults = faults.iter().map(ToString::to_string).collect();
                            pieces.refused.push((name, faults));
                        }
                    }
                }
                Ok(pieces)
            }
            _ if content.len() > MAX_FILE_BYTES => {
                Err(one("a certificate file has at most 4 MiB".to_owned()))
            }
            _ => Ok(whole(content, None)),
        }
    }

    /// A PDF or an image: its digest, with the fields that a template reads or that stand beside it.
    fn document(
        &self,
        bytes: Vec<u8>,
        (media_type, document, has_notes): (&str, Json, bool),
    ) -> Result<(Vec<u8>, Option<Review>), Vec<String>> {
        let one = |what: &str| vec![what.to_owned()];
        if media_type == "application/pdf" && !self.templates.is_empty() {
            let layout = words_of_pdf::read(&bytes).map_err(|what| vec![what])?;
            if let Some(template) = self.templates.iter().find(|t| t.fits(&layout)) {
                let reading = template.read(&layout).map_err(|error| vec![error.to_string()])?;
                if !reading.faults.is_empty() {
                    return Err(reading.faults.iter().map(ToString::to_string).collect());
                }
                let content = template.certificate(&reading, document);
                return Ok((content, Some(Review::of(&reading))));
            }
            if !has_notes && !layout.is_scan() {
                return Err(one("no template is for this layout, and no fields stand beside it"));
            }
        }
        if !has_notes {
            return Err(one(
                "a PDF without a template, or a scan: give its fields beside it, in FILE.heatmark.toml",
            ));
        }
        let entries = vec![
            ("Heatmark".to_owned(), Json::Text("1".to_owned())),
            ("source/document".to_owned(), document),
        ];
        Ok((to_text(&Json::Object(entries)).into_bytes(), None))
    }

    /// What stands beside a file and in the flags, and whether there were notes.
    fn notes(&self, path: &Path, with: Option<&Path>) -> Result<(Json, bool), String> {
        let beside = notes_of(path).into_iter().find(|path| path.exists());
        let Some(path) = with.map(Path::to_owned).or(beside) else {
            return Ok((self.beside.clone(), false));
        };
        let limit = u64::try_from(MAX_TOML_BYTES).unwrap_or(u64::MAX);
        let text = files::read_text(&path, limit).map_err(|error| error.to_string())?;
        let is_json = path.extension().is_some_and(|extension| extension == "json");
        let notes = if is_json {
            json::parse(text.as_bytes()).map_err(|fault| format!("{}: {fault}", path.display()))?
        } else {
            json_of_toml(&text).map_err(|error| format!("{}: {error}", path.display()))?
        };
        let merged = merge(self.beside.clone(), notes);
        Ok((merged.map_err(|error| format!("{}: {error}", path.display()))?, true))
    }
}

/// Where notes for a file may stand.
pub(super) fn notes_of(path: &Path) -> Vec<PathBuf> {
    let beside = |ending: &str| {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(ending);
        path.with_file_name(name)
    };
    NOTES.iter().map(|ending| beside(ending)).collect()
}

/// Whether a file is notes for another.
pub(super) fn is_notes(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    NOTES.iter().any(|ending| name.ends_with(ending))
}

/// Every file in and below a path, without hidden ones and notes.
pub(super) fn collect(path: &Path, paths: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let metadata = fs::metadata(path).map_err(files::io_error(path))?;
    if metadata.is_dir() {
        let entries = fs::read_dir(path).map_err(files::io_error(path))?;
        let mut below = Vec::new();
        for entry in entries {
            let entry = entry.map_err(files::io_error(path))?;
            let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            // A link to a directory above would never end.
            let link = entry.file_type().map_err(files::io_error(path))?.is_symlink();
            let skipped = hidden || is_notes(&entry.path());
            if !skipped && (!link || !entry.path().is_dir()) {
                below.push(entry.path());
            }
        }
        below.sort();
        return below.iter().try_for_each(|path| collect(path, paths));
    }
    if !metadata.is_file() {
        return Err(FileError::NotAFile(path.to_owned()).into());
    }
    paths.push(path.to_owned());
    Ok(())
}

fn beside(notes: &Json) -> Result<Vec<u8>, String> {
    if notes.entries().is_empty() {
        return Ok(Vec::new());
    }
    let text = to_text(notes).into_bytes();
    if text.len() > MAX_BESIDE_BYTES {
        return Err("what stands beside a file has at most 64 KiB".to_owned());
    }
    Ok(text)
}

fn media_type(content: &[u8]) -> Option<&'static str> {
    let start = content.get(..1024).unwrap_or(content);
    let signatures: [(&[u8], &str); 4] = [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"II*\0", "image/tiff"),
        (b"MM\0*", "image/tiff"),
    ];
    let image = signatures.iter().find(|(signature, _)| start.starts_with(signature));
    // Some programs write a line or two before the PDF begins.
    let is_pdf = start.windows(5).any(|window| window == b"%PDF-");
    image.map(|(_, media_type)| *media_type).or(is_pdf.then_some("application/pdf"))
}

/// Whether a file is a certificate of a form that the node reads, so that no mapping is asked.
fn is_certificate(content: &[u8]) -> bool {
    let starts_so = content.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    starts_so
        && json::parse(content).is_ok_and(|file| {
            ["DigitalMaterialPassport", "Certificate", "Heatmark"]
                .iter()
                .any(|root| file.get(root).is_some())
        })
}
