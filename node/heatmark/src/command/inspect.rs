//! `heatmark inspect`: judges what was delivered, at the receiving dock: capsules against an order, a policy and own readings. Offline
//! from files and a trust root; the own node is asked for a scanned lot's capsule, to record what a named inspector decided, and to
//! ask the supplier for what is missing. Refuses a decision against the evidence without a reason.

mod asking;
mod delivered;
pub(super) mod kept;
mod recorded;

use super::answer::{Answer, Exit};
use super::connect::NodeArgs;
use super::failure::Failure;
use crate::files;
use clap::{Args, Subcommand, ValueEnum};
use delivered::Delivered;
use heatmark_client::{InspectionGiven, NamedFile};
use heatmark_evidence::capsule::{Mine, Outcome};
use heatmark_inspection::{
    Delivery, Demands, Disposition, Input, InputError, Inspection, MAX_INPUT_BYTES, Order, Parcel,
    Reading, ReportError, judge,
};
use heatmark_ledger::ids::UnixMillis;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Largest font file in bytes: those with all of Chinese have some 20 MB.
const MAX_FONT_BYTES: u64 = 64 << 20;
/// Largest proof of a serial in bytes.
const MAX_SERIAL_PROOF_BYTES: u64 = 4 << 10;

/// `inspect`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Inspect {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    inspection: Inspected,
}

/// What to do with inspections that were recorded.
#[derive(Debug, Subcommand)]
enum Command {
    /// Lists the inspections that this node has recorded, and those that it keeps
    #[command(after_help = "Example:\n  heatmark inspect list --home assembler")]
    List(recorded::List),
    /// Shows one that this node keeps, with what it came to
    #[command(
        after_help = "Example:\n  heatmark inspect show 9f41 --home assembler\nExits as the inspection did: 0 for ACCEPT, 1 for REJECT, 3 for HOLD."
    )]
    Show(kept::Show),
}

/// What was delivered, and by what it is judged.
#[derive(Debug, Args)]
struct Inspected {
    #[command(flatten)]
    node: NodeArgs,
    /// Capsule files, and what a scanner typed: a lot of the own node, or a capsule's hash that one of the files must have
    #[arg(value_name = "SCAN|CAPSULE", required = true)]
    delivered: Vec<String>,
    /// A signed genesis file, or a header that `heatmark receipt pin` wrote [default: the home's genesis]
    #[arg(long, value_name = "GENESIS|PIN")]
    trust: Option<PathBuf>,
    /// The order line, TOML or JSON
    #[arg(long, value_name = "FILE")]
    order: Option<PathBuf>,
    /// What has to be shown, proved and true, TOML [default: sound evidence of certified material, a day old at most]
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// What was measured here, TOML, JSON or CSV
    #[arg(long, value_name = "FILE")]
    readings: Option<PathBuf>,
    /// The proof of a label's serial
    #[arg(long, value_name = "FILE")]
    serial_proof: Option<PathBuf>,
    /// Writes the inspection as JSON to this file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Writes a report to print; its name ends in .html or .pdf
    #[arg(long, value_name = "FILE")]
    report: Vec<PathBuf>,
    /// A font for what the PDF's own fonts do not have, such as Chinese
    #[arg(long, value_name = "FILE", requires = "report")]
    font: Vec<PathBuf>,
    #[command(flatten)]
    disposing: Disposing,
    /// Has the own node keep the inspection, so that a deal may have it run again, and tells which deals would help
    #[arg(long, conflicts_with = "trust")]
    keep: bool,
    /// Asks the supplier's node for what is missing
    #[arg(long)]
    ask: bool,
    /// Whom to ask [default: who handed the lot over]
    #[arg(long, value_name = "MEMBER", requires = "ask")]
    to: Option<String>,
}

/// What a named inspector decides.
#[derive(Debug, Args)]
struct Disposing {
    /// The inspector, by name
    #[arg(long, value_name = "NAME", requires = "dispose")]
    by: Option<String>,
    /// What the inspector decides; it is recorded and anchored through the own node
    #[arg(long, value_name = "DECISION", requires = "by")]
    dispose: Option<Decision>,
    /// Why; needed where it is not what the evidence says
    #[arg(long, value_name = "TEXT", requires = "dispose")]
    reason: Option<String>,
}

/// What can be decided.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Decision {
    /// The part may be used
    Accept,
    /// The part must not be used
    Reject,
    /// The part is kept apart until more is known
    Hold,
}

pub(crate) fn run(command: &Inspect) -> Result<Answer, Failure> {
    match &command.command {
        Some(Command::List(list)) => recorded::list(list),
        Some(Command::Show(show)) => kept::show(show),
        None => inspect(&command.inspection),
    }
}

fn inspect(command: &Inspected) -> Result<Answer, Failure> {
    let given = Given::read(command)?;
    let fonts = command.font.iter().map(|path| files::read(path, MAX_FONT_BYTES));
    let fonts = fonts.collect::<Result<Vec<_>, _>>()?;
    check_reports(&command.report)?;
    let delivered = Delivered::find(command, &given.demands)?;
    let now = now_ms();
    let mine = Mine { label: given.label.clone(), ..Mine::default() };
    let acceptance = given.demands.acceptance(UnixMillis(now), mine);
    let judged = |(name, bytes): &(String, Vec<u8>)| {
        Parcel::inspect(name, bytes, &delivered.trust, &acceptance)
    };
    let parcels: Vec<Parcel> = delivered.capsules.iter().map(judged).collect();
    delivered.check_scanned(&parcels)?;
    let delivery = Delivery {
        parcels: &parcels,
        order: given.order.as_ref(),
        demands: &given.demands,
        readings: &given.readings,
    };
    let mut inspection = judge(&delivery, given.by.clone(), now);
    dispose(command, &mut inspection)?;
    // What cannot be drawn must not be recorded first.
    let reports = draw(&command.report, &inspection, &fonts)?;
    let recorded = recorded::publish(&command.node, &inspection)?;
    let kept = match command.keep {
        true => Some(kept::keep(&command.node, (&given, &delivered), &inspection)?),
        false => None,
    };
    let asked = if command.ask { asking::ask(command, &inspection, &given.demands)? } else { None };
    let mut told = heatmark_inspection::json(&inspection);
    if let Value::Object(fields) = &mut told {
        fields.insert("record".to_owned(), json!(recorded.as_ref().map(recorded::Recorded::json)));
        fields.insert("asked".to_owned(), json!(asked));
        fields.insert("kept".to_owned(), json!(kept.as_ref().map(kept::Kept::json)));
    }
    for (path, bytes) in &reports {
        files::replace(path, bytes, files::PRIVATE)?;
    }
    if let Some(path) = &command.out {
        files::replace(path, format!("{told:#}\n").as_bytes(), files::PRIVATE)?;
    }
    let mut text = heatmark_inspection::text(&inspection);
    text.extend(recorded.iter().map(recorded::Recorded::text));
    text.extend(kept.iter().map(kept::Kept::text));
    text.extend(asked.iter().map(asking::Asked::text));
    Ok(Answer::of(exit(inspection.stands()), told, text))
}

const fn exit(outcome: Outcome) -> Exit {
    match outcome {
        Outcome::Accept => Exit::Yes,
        Outcome::Reject => Exit::No,
        Outcome::Hold => Exit::Unknown,
    }
}

fn dispose(command: &Inspected, inspection: &mut Inspection) -> Result<(), Failure> {
    let (Some(by), Some(decision)) = (&command.disposing.by, command.disposing.dispose) else {
        return Ok(());
    };
    let outcome = match decision {
        Decision::Accept => Outcome::Accept,
        Decision::Reject => Outcome::Reject,
        Decision::Hold => Outcome::Hold,
    };
    let reason = command.disposing.reason.clone().unwrap_or_default();
    inspection.dispose(Disposition { by: by.clone(), outcome, reason }).map_err(|error| {
        let verdict = heatmark_inspection::loud(inspection.outcome);
        Failure::input(format!("the evidence says {verdict}; nothing was disposed"))
            .because(error)
            .next("give what lacks, for example --reason 'seen the paper, measured by hand'")
    })
}

/// The files that an inspection is given, read.
struct Given {
    order: Option<Order>,
    demands: Demands,
    readings: Vec<Reading>,
    label: Option<Vec<u8>>,
    by: Vec<Input>,
    /// The same files as the own node takes them, without the goods.
    kept: InspectionGiven,
}

impl Given {
    fn read(command: &Inspected) -> Result<Self, Failure> {
        let (mut by, mut specifications) = (Vec::new(), Vec::new());
        let mut bytes = |what, path: &Option<PathBuf>| -> Result<Option<Vec<u8>>, Failure> {
            let Some(path) = path else { return Ok(None) };
            let limit = u64::try_from(MAX_INPUT_BYTES).unwrap_or(u64::MAX);
            let bytes = files::read(path, limit)?;
            by.push(input(what, path, &bytes));
            Ok(Some(bytes))
        };
        let order = bytes("order", &command.order)?;
        let policy = bytes("policy", &command.policy)?;
        let readings = bytes("readings", &command.readings)?;
        let label = command.serial_proof.as_deref();
        let label = label.map(|path| files::read(path, MAX_SERIAL_PROOF_BYTES)).transpose()?;
        let file = |path: &Option<PathBuf>, bytes: &Option<Vec<u8>>| {
            Some(named(&name_of(path.as_deref()?), bytes.as_deref()?))
        };
        let mut kept = InspectionGiven {
            order: file(&command.order, &order),
            policy: file(&command.policy, &policy),
            readings: file(&command.readings, &readings),
            label: label.clone().unwrap_or_default(),
            ..InspectionGiven::default()
        };
        let order = order.map(|bytes| Order::parse(&bytes)).transpose();
        let readings = readings.map(|bytes| Reading::parse(&bytes)).transpose();
        let demands = match (&command.policy, policy) {
            (Some(path), Some(bytes)) => {
                let beside = path.parent().unwrap_or(Path::new("")).to_owned();
                let mut load = |name: &str| {
                    let text = specification(&beside, name)?;
                    specifications.push(named(name, text.as_bytes()));
                    Ok(text)
                };
                Demands::parse(&bytes, &mut load).map_err(|error| unfit(path, &error))?
            }
            _ => Demands::default(),
        };
        let of =
            |path: &Option<PathBuf>, error| unfit(path.as_deref().unwrap_or(Path::new("")), &error);
        kept.specifications = specifications;
        Ok(Self {
            order: order.map_err(|error| of(&command.order, error))?,
            readings: readings.map_err(|error| of(&command.readings, error))?.unwrap_or_default(),
            demands,
            label,
            by,
            kept,
        })
    }
}

/// A specification by its file's name, which stands beside the policy unless it says otherwise.
fn specification(beside: &Path, name: &str) -> Result<String, String> {
    let limit = u64::try_from(heatmark_records::specification::MAX_SPECIFICATION_BYTES);
    files::read_text(&beside.join(name), limit.unwrap_or(u64::MAX))
        .map_err(|error| error.to_string())
}

fn unfit(path: &Path, error: &InputError) -> Failure {
    Failure::input(format!("{} cannot be used", path.display()))
        .because(error)
        .next("mend it; README.md shows what stands in such a file")
}

fn named(name: &str, bytes: &[u8]) -> NamedFile {
    NamedFile { name: name.to_owned(), content: bytes.to_vec() }
}

fn name_of(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    name.unwrap_or_default()
}

fn input(what: &'static str, path: &Path, bytes: &[u8]) -> Input {
    Input {
        what,
        name: name_of(path),
        sha256: Sha256::digest(bytes).into(),
        bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
    }
}

/// Reports are named before anything is done, so that a typing error is no inspection without one.
fn check_reports(reports: &[PathBuf]) -> Result<(), Failure> {
    let unknown = reports.iter().find(|path| !is(path, "html") && !is(path, "pdf"));
    match unknown {
        None => Ok(()),
        Some(path) => Err(Failure::input(format!("{} is no report", path.display()))
            .next("name a file that ends in .html or .pdf")),
    }
}

fn is(path: &Path, ending: &str) -> bool {
    path.extension().is_some_and(|of| of.eq_ignore_ascii_case(ending))
}

fn draw(
    paths: &[PathBuf],
    inspection: &Inspection,
    fonts: &[Vec<u8>],
) -> Result<Vec<(PathBuf, Vec<u8>)>, Failure> {
    let mut drawn = Vec::with_capacity(paths.len());
    for path in paths {
        let bytes = if is(path, "html") {
            heatmark_inspection::html(inspection).into_bytes()
        } else {
            heatmark_inspection::pdf(inspection, fonts).map_err(|error| unprinted(&error))?
        };
        drawn.push((path.clone(), bytes));
    }
    Ok(drawn)
}

fn unprinted(error: &ReportError) -> Failure {
    Failure::input("the report could not be made")
        .because(error)
        .next("give another --font, or take .html")
}

/// The inspector's clock.
fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    u64::try_from(now).unwrap_or(u64::MAX)
}
