//! What was done and when, as it is told with any event: fields of its process record, from a file or one by one. Refuses nested
//! values, and numbers with fractions that are not written as text, since a process record repeats what was written.

use super::super::day;
use super::super::failure::Failure;
use super::super::scan::this_year;
use crate::files;
use clap::Args;
use heatmark_client::{MakeLotsRequest, ProcessField, WaivePoints};
use std::path::{Path, PathBuf};

/// Largest file of process fields in bytes.
const MAX_PROCESS_BYTES: u64 = 64 << 10;

/// How an event came about.
#[derive(Debug, Args)]
#[command(next_help_heading = "What was done, kept in the vault and shown to nobody unasked")]
pub(crate) struct How {
    /// A TOML or JSON file of fields: names and texts
    #[arg(long, value_name = "FILE")]
    process: Option<PathBuf>,
    /// Set-up of the ring mill or machine
    #[arg(long, value_name = "TEXT")]
    setup: Option<String>,
    /// Forging die
    #[arg(long, value_name = "TEXT")]
    die: Option<String>,
    /// Heat-treatment load
    #[arg(long, value_name = "TEXT")]
    load: Option<String>,
    /// Station
    #[arg(long, value_name = "TEXT")]
    station: Option<String>,
    /// Who did it, by a pseudonym
    #[arg(long = "operator", id = "worker", value_name = "TEXT")]
    operator: Option<String>,
    /// What was decided on the result
    #[arg(long, value_name = "TEXT")]
    disposition: Option<String>,
    /// When it began, such as 2026-11-21T14:30+01:00
    #[arg(long, value_name = "TIME", value_parser = time)]
    began: Option<u64>,
    /// When it ended
    #[arg(long, value_name = "TIME", value_parser = time)]
    ended: Option<u64>,
    #[command(flatten)]
    capture: Capture,
}

/// What the capture plan asks for.
#[derive(Debug, Args)]
#[command(next_help_heading = "Scans, and points of the capture plan that are skipped")]
pub(crate) struct Capture {
    /// What a scanner typed from the label of a lot that is used; one that is not used is refused
    #[arg(long = "scan", value_name = "TEXT")]
    scans: Vec<String>,
    /// Skips a point of the capture plan
    #[arg(long = "waive", value_name = "POINT", requires = "until")]
    points: Vec<String>,
    /// The last day on which it may be skipped
    #[arg(long, value_name = "DATE", requires = "points")]
    until: Option<String>,
    /// Why it is skipped; stays in the vault [default: the event's reason]
    #[arg(long, value_name = "TEXT", requires = "points")]
    waive_reason: Option<String>,
}

impl Capture {
    fn tell(&self, request: &mut MakeLotsRequest) -> Result<(), Failure> {
        for scan in &self.scans {
            let names = lots_on(scan);
            let used = names.iter().find(|name| request.inputs.contains(name));
            let name = used.or(names.first()).ok_or_else(|| {
                Failure::input("a scan names no lot")
                    .because(format!("{scan:?}"))
                    .next("read the label with: heatmark scan TEXT")
            })?;
            request.scanned.push(name.clone());
        }
        let Some(until) = &self.until else { return Ok(()) };
        let reason = self.waive_reason.clone().unwrap_or_else(|| request.reason.clone());
        let until_ms = super::quantity::end_of_day(until)?;
        request.waive = Some(WaivePoints { points: self.points.clone(), reason, until_ms });
        Ok(())
    }
}

/// The lots that a scan may name, best first: as a label says, or the very text.
fn lots_on(scan: &str) -> Vec<String> {
    let read = heatmark_labels::scan(scan.as_bytes(), this_year());
    let readings = read.into_iter().flat_map(|scan| scan.readings);
    let mut names: Vec<String> = readings.filter_map(|reading| reading.lot).collect();
    names.push(scan.trim().to_owned());
    names.retain(|name| !name.is_empty());
    names
}

impl How {
    /// Puts what is told into a request.
    pub(super) fn tell(&self, request: &mut MakeLotsRequest) -> Result<(), Failure> {
        request.from_ms = self.began.unwrap_or(0);
        request.until_ms = self.ended.unwrap_or(0);
        if let Some(file) = &self.process {
            request.process = fields(file)?;
        }
        let told = [
            ("setup", &self.setup),
            ("die", &self.die),
            ("load", &self.load),
            ("station", &self.station),
            ("operator", &self.operator),
            ("disposition", &self.disposition),
        ];
        for (name, text) in told {
            let Some(text) = text else { continue };
            request.process.retain(|field| field.name != name);
            request.process.push(ProcessField { name: name.to_owned(), text: text.clone() });
        }
        self.capture.tell(request)
    }
}

fn fields(file: &Path) -> Result<Vec<ProcessField>, Failure> {
    let text = files::read_text(file, MAX_PROCESS_BYTES)?;
    let wrong = |why: String| {
        Failure::input(format!("{} is no list of process fields", file.display()))
            .because(why)
            .next("write one name and one text a line: die = \"D-77\"")
    };
    let toml = file.extension().is_some_and(|extension| extension == "toml");
    let table: serde_json::Map<String, serde_json::Value> = if toml {
        toml::from_str(&text).map_err(|error| wrong(error.message().to_owned()))?
    } else {
        serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?
    };
    let field = |(name, value): (String, serde_json::Value)| {
        let text = match value {
            serde_json::Value::String(text) => text,
            serde_json::Value::Bool(told) => told.to_string(),
            serde_json::Value::Number(number) if !number.is_f64() => number.to_string(),
            _ => return Err(wrong(format!("{name:?} is not text; put it into quotes"))),
        };
        Ok(ProcessField { name, text })
    };
    table.into_iter().map(field).collect()
}

/// Reads `YYYY-MM-DDThh:mm`, with or without seconds, and `Z` or an offset, into milliseconds since 1970.
pub(super) fn time(text: &str) -> Result<u64, String> {
    read_time(text).ok_or_else(|| {
        "not a time with its offset, such as 2026-11-21T14:30Z or 2026-11-21T14:30:05+01:00"
            .to_owned()
    })
}

fn read_time(text: &str) -> Option<u64> {
    let (date, rest) = text.split_once('T')?;
    let (clock, offset_minutes, ahead) = match rest.strip_suffix('Z') {
        Some(clock) => (clock, 0, true),
        None => {
            let at = rest.rfind(['+', '-'])?;
            let (clock, offset) = rest.split_at_checked(at)?;
            let ahead = offset.starts_with('+');
            (clock, minutes(offset.get(1..)?)?, ahead)
        }
    };
    let (to_minutes, seconds) = match clock.len() {
        5 => (clock, 0),
        8 => {
            let (to_minutes, seconds) = clock.split_at_checked(5)?;
            (to_minutes, digits(seconds.strip_prefix(':')?, 59)?)
        }
        _ => return None,
    };
    let day = day::beginning_ms(date)?;
    let clock = minutes(to_minutes)?.checked_mul(60)?.checked_add(seconds)?;
    let local = day.checked_add(clock.checked_mul(1_000)?)?;
    let offset = offset_minutes.checked_mul(60_000)?;
    if ahead { local.checked_sub(offset) } else { local.checked_add(offset) }
}

/// Minutes of `hh:mm`.
fn minutes(text: &str) -> Option<u64> {
    let (hours, rest) = text.split_once(':')?;
    digits(hours, 23)?.checked_mul(60)?.checked_add(digits(rest, 59)?)
}

fn digits(text: &str, most: u64) -> Option<u64> {
    let shaped = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| shaped && *number <= most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_an_offset_and_are_told_in_utc() {
        assert_eq!(time("2026-11-21T00:00Z"), Ok(1_795_219_200_000));
        assert_eq!(time("2026-11-21T14:30:05+01:00"), Ok(1_795_267_805_000));
        assert_eq!(time("2026-11-21T23:30-02:00"), Ok(1_795_311_000_000));
        for wrong in [
            "2026-11-21",
            "2026-11-21T14:30",
            "2026-11-21 14:30Z",
            "2026-11-21T24:00Z",
            "2026-11-21T14:60Z",
            "2026-11-21T14:30:60Z",
            "2026-11-21T1:30Z",
            "2026-11-21T14:30+1",
            "2026-11-21T14:30+25:00",
            "2026-02-30T14:30Z",
            "2026-11-21T+1:30Z",
            "2026-11-21T14:3€Z",
        ] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
