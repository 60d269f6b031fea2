//! Serials of lots as they are given and shown: lists and patterns, and what a label proves of one.

use super::super::answer::Answer;
use super::super::connect::{NodeArgs, block_on};
use super::super::failure::Failure;
use super::super::scan::this_year;
use crate::files;
use clap::Args;
use heatmark_client::{LotRow, MakeLotsRequest};
use heatmark_labels::{Content, Label as Drawn, LabelError, Symbol};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Largest file of serials in bytes: a million of 64 characters.
const MAX_SERIALS_BYTES: u64 = 65 << 20;
/// The side of a module in micrometres.
const MODULE_UM: u32 = 500;

/// Serials of what comes to be.
#[derive(Debug, Args)]
#[command(next_help_heading = "Serials")]
pub(crate) struct Numbering {
    /// Gives every piece a serial: a file with one a line, or a pattern that counts, such as K-{0001}
    #[arg(long, value_name = "FILE|PATTERN")]
    serials: Option<String>,
    /// The serials of pieces that are lost: a file with one a line
    #[arg(long, value_name = "FILE", conflicts_with = "lost_serials")]
    lost_serials_from: Option<PathBuf>,
    /// A serial of a piece that is lost
    #[arg(long = "lost-serial", value_name = "SERIAL")]
    lost_serials: Vec<String>,
    /// Which serials a lot takes, unless it is the next ones: its name and a file with one a line
    #[arg(long = "take", value_name = "NAME=FILE")]
    takes: Vec<String>,
}

impl Numbering {
    /// The list that has to be kept before, if there is one; everything else goes into the request.
    pub(super) fn tell(
        &self,
        request: &mut MakeLotsRequest,
    ) -> Result<Option<Vec<String>>, Failure> {
        request.lost_serials.clone_from(&self.lost_serials);
        if let Some(file) = &self.lost_serials_from {
            request.lost_serials = lines(file)?;
        }
        for take in &self.takes {
            let (name, file) = take.split_once('=').ok_or_else(|| {
                Failure::input(format!("{take:?} names no lot and file")).next("write NAME=FILE")
            })?;
            let lot = request.outputs.iter_mut().find(|lot| lot.name == name.trim());
            let lot = lot.ok_or_else(|| {
                Failure::input(format!("no lot {name:?} is made here"))
                    .next("name one that --make names")
            })?;
            lot.serials = lines(Path::new(file))?;
        }
        match &self.serials {
            None => Ok(None),
            Some(pattern) if pattern.contains('{') => {
                request.serials_pattern.clone_from(pattern);
                Ok(None)
            }
            Some(file) => lines(Path::new(file)).map(Some),
        }
    }
}

fn lines(file: &Path) -> Result<Vec<String>, Failure> {
    let text = files::read_text(file, MAX_SERIALS_BYTES)?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let serials: Vec<String> = lines.map(str::to_owned).collect();
    if serials.is_empty() {
        return Err(
            Failure::input(format!("{} holds no serial", file.display())).next("write one a line")
        );
    }
    Ok(serials)
}

/// `lot label`.
#[derive(Debug, Args)]
pub(crate) struct Label {
    #[command(flatten)]
    node: NodeArgs,
    /// The lot, by name
    #[arg(value_name = "LOT")]
    lot: String,
    /// The piece's serial
    #[arg(long, value_name = "SERIAL")]
    serial: String,
    /// Writes the proof that this piece is one of the lot's, for whoever holds the lot's capsule
    #[arg(long, value_name = "FILE")]
    proof: Option<PathBuf>,
    /// The article's GTIN, for the label's text and drawing
    #[arg(long, value_name = "DIGITS")]
    gtin: Option<String>,
    /// Draws the label as SVG; `heatmark label` draws it otherwise
    #[arg(long, value_name = "FILE", requires = "gtin")]
    out: Option<PathBuf>,
}

pub(super) fn label(command: &Label) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let (name, serial) = (command.lot.clone(), command.serial.clone());
    let (lot, proof) = block_on(async {
        let desk = reach.desk().await?;
        let proof = desk.prove_serial(name.clone(), serial).await?;
        Ok((desk.lot_named(name).await?, proof))
    })?;
    let mut text = format!("Lot          {}\nSerial       {}\n", lot.name, command.serial);
    let mut written = Vec::new();
    if let Some(file) = &command.proof {
        files::replace(file, &proof, files::PUBLIC)?;
        written.push(file.clone());
    }
    let mut elements = None;
    if let Some(gtin) = &command.gtin {
        let (lot, serial) = (lot.name.as_str(), Some(command.serial.as_str()));
        let content = Content { gtin, lot, serial, expiry: None };
        let drawn = Drawn::new(&content, this_year()).map_err(|error| refused(&error))?;
        elements = Some(drawn.print().join(""));
        if let Some(out) = &command.out {
            let svg = drawn.svg(&Symbol::DataMatrix, MODULE_UM).map_err(|error| refused(&error))?;
            files::replace(out, svg.as_bytes(), files::PUBLIC)?;
            written.push(out.clone());
        }
    }
    if let Some(elements) = &elements {
        text.push_str(&format!("Label        {elements}\n"));
    }
    for file in &written {
        text.push_str(&format!("Written to   {}\n", file.display()));
    }
    let json = json!({
        "lot": hex::encode(&lot.lot),
        "name": lot.name,
        "serial": command.serial,
        "proof": hex::encode(&proof),
        "elements": elements,
        "files": written,
    });
    Ok(Answer::yes(json, text))
}

fn refused(error: &LabelError) -> Failure {
    Failure::input("the label is not drawn").because(error).next("mend what the reason names")
}

/// The serials of a lot in one line.
pub(super) fn text(lot: &LotRow) -> String {
    let Some(serials) = &lot.serials else { return String::new() };
    let ends = match (serials.first.as_str(), serials.last.as_str()) {
        ("", _) => String::new(),
        (first, last) => format!(": {first} … {last}"),
    };
    let runs = match serials.runs.len() / 2 {
        0 | 1 => String::new(),
        runs => format!(", in {runs} runs"),
    };
    format!("Serials      {}{ends}{runs}\n", serials.pieces)
}

pub(super) fn described(lot: &LotRow) -> Value {
    let Some(serials) = &lot.serials else { return Value::Null };
    let (runs, _) = serials.runs.as_chunks::<2>();
    json!({
        "pieces": serials.pieces,
        "root": hex::encode(&serials.root),
        "tree": serials.tree,
        "runs": runs.iter().map(|[first, count]| json!({ "first": first, "count": count }))
            .collect::<Vec<_>>(),
        "first": serials.first,
        "last": serials.last,
    })
}
