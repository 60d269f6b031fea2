//! `heatmark label`: draws labels to print. Asks nobody, and claims nothing of the lot that it names.

use super::answer::Answer;
use super::failure::Failure;
use super::scan::this_year;
use crate::files;
use clap::{Args, ValueEnum};
use heatmark_labels::{Content, Day, Label as Drawn, LabelError, Printer, Resolver, Symbol, sheet};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Largest file of serials in bytes.
const MAX_SERIALS_BYTES: u64 = 64 << 10;

/// Columns of a sheet unless another number is asked for.
const COLUMNS: u32 = 4;

/// `label`.
#[derive(Debug, Args)]
pub(crate) struct Label {
    /// The article's GTIN: 8, 12, 13 or 14 digits with the check digit
    #[arg(long, value_name = "DIGITS")]
    gtin: String,
    /// The lot
    #[arg(long, value_name = "LOT")]
    lot: String,
    /// A serial; repeated, each gets a label on a sheet
    #[arg(long = "serial", value_name = "SERIAL")]
    serials: Vec<String>,
    /// A file with a serial a line, each of which gets a label on a sheet
    #[arg(long, value_name = "FILE", conflicts_with = "serials")]
    serials_from: Option<PathBuf>,
    /// The day after which it is not to be used, YYYY-MM-DD
    #[arg(long, value_name = "DAY", value_parser = day)]
    expiry: Option<Day>,
    /// The symbol
    #[arg(long, value_enum, default_value_t = Kind::Datamatrix)]
    symbol: Kind,
    /// The beginning of the link in a QR code
    #[arg(long, value_name = "URL", default_value = "https://id.gs1.org")]
    resolver: String,
    /// The side of a module in millimetres
    #[arg(long, value_name = "MM", default_value = "0.5", value_parser = micrometres)]
    module: u32,
    /// The printer's dots an inch, for PNG
    #[arg(long, value_name = "DPI", default_value_t = 600)]
    dpi: u32,
    /// Puts labels on A4 sheets of so many columns
    #[arg(long, value_name = "N")]
    columns: Option<u32>,
    /// The file to write, ending in .svg or .png; further sheets get a number
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// What is drawn.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// GS1 DataMatrix
    Datamatrix,
    /// QR code with a GS1 Digital Link
    Qr,
}

pub(crate) fn run(command: &Label) -> Result<Answer, Failure> {
    let serials = command.serials()?;
    let symbol = match command.symbol {
        Kind::Datamatrix => Symbol::DataMatrix,
        Kind::Qr => Symbol::Qr(Resolver::new(&command.resolver).map_err(|error| refused(&error))?),
    };
    let labels: Vec<Drawn> = if serials.is_empty() {
        vec![command.one(None)?]
    } else {
        serials.iter().map(|serial| command.one(Some(serial))).collect::<Result<_, _>>()?
    };
    let extension = command.out.extension().and_then(|it| it.to_str()).unwrap_or_default();
    let single = if command.columns.is_none() { single(&labels) } else { None };
    let (files, module_um) = match (extension, single) {
        ("png", Some(label)) => {
            let printer = Printer::new(command.module, command.dpi);
            let printer = printer.map_err(|error| refused(&error))?;
            let png = label.png(&symbol, printer).map_err(|error| refused(&error))?;
            (vec![png], printer.module_um())
        }
        ("svg", Some(label)) => {
            let svg = label.svg(&symbol, command.module).map_err(|error| refused(&error))?;
            (vec![svg.into_bytes()], command.module)
        }
        ("svg", None) => {
            let columns = command.columns.unwrap_or(COLUMNS);
            let pages = sheet(&labels, &symbol, command.module, columns);
            let pages = pages.map_err(|error| refused(&error))?;
            (pages.into_iter().map(String::into_bytes).collect(), command.module)
        }
        ("png", None) => {
            return Err(Failure::input("a sheet is drawn as SVG only").next("name a .svg file"));
        }
        _ => {
            return Err(Failure::input(format!(
                "{} does not say what to draw",
                command.out.display()
            ))
            .next("name a file that ends in .svg or .png"));
        }
    };
    written(&command.out, &files, labels.len(), module_um)
}

fn single(labels: &[Drawn]) -> Option<&Drawn> {
    match labels {
        [label] => Some(label),
        _ => None,
    }
}

impl Label {
    fn serials(&self) -> Result<Vec<String>, Failure> {
        let Some(file) = &self.serials_from else {
            return Ok(self.serials.clone());
        };
        let text = files::read_text(file, MAX_SERIALS_BYTES)?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let serials: Vec<String> = lines.map(str::to_owned).collect();
        if serials.is_empty() {
            return Err(Failure::input(format!("{} holds no serial", file.display()))
                .next("write one a line"));
        }
        Ok(serials)
    }

    fn one(&self, serial: Option<&str>) -> Result<Drawn, Failure> {
        let content = Content { gtin: &self.gtin, lot: &self.lot, serial, expiry: self.expiry };
        Drawn::new(&content, this_year()).map_err(|error| refused(&error))
    }
}

fn written(
    out: &Path,
    files: &[Vec<u8>],
    labels: usize,
    module_um: u32,
) -> Result<Answer, Failure> {
    let mut names = Vec::new();
    for (bytes, number) in files.iter().zip(1_u32..) {
        let name = if number == 1 { out.to_owned() } else { numbered(out, number) };
        files::replace(&name, bytes, files::PUBLIC)?;
        names.push(name);
    }
    let mut text = format!("{labels} labels with modules of {module_um} micrometres\n");
    for name in &names {
        text.push_str(&format!("Written to {}\n", name.display()));
    }
    Ok(Answer::yes(json!({ "files": names, "labels": labels, "module_um": module_um }), text))
}

fn numbered(out: &Path, number: u32) -> PathBuf {
    let stem = out.file_stem().unwrap_or_default().to_string_lossy();
    let extension = out.extension().unwrap_or_default().to_string_lossy();
    out.with_file_name(format!("{stem}-{number}.{extension}"))
}

fn day(text: &str) -> Result<Day, String> {
    Day::parse(text).ok_or_else(|| "not a day written as YYYY-MM-DD".to_owned())
}

/// Reads millimetres with up to three decimals.
fn micrometres(text: &str) -> Result<u32, String> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let formed = (1..=2).contains(&whole.len())
        && (1..=3).contains(&fraction.len())
        && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    let um = formed.then(|| format!("{whole}{fraction:0<3}").parse().ok()).flatten();
    um.ok_or_else(|| "not millimetres such as 0.5".to_owned())
}

fn refused(error: &LabelError) -> Failure {
    Failure::input("the label is not drawn").because(error).next("mend what the reason names")
}
