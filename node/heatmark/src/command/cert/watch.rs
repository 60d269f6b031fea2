//! `heatmark cert watch`: a directory into which other programs drop certificates.
//!
//! ```text
//!   DIR/x.json ── unchanged for a while ──▶ node ──▶ anchored ──▶ DIR/published/x.json, x.json.record.json
//!                                             └────▶ refused  ──▶ DIR/refused/x.json, x.json.reason.txt
//! ```
//!
//! The directory is the only memory: a file is there until its record stands on the log, and the node knows a file that
//! it has published. So the program may be killed at any moment. Only what is wrong with a file sets it aside; while
//! the node is down, busy or does not let anybody in, files wait. Refuses a directory that is watched already.

mod places;
#[cfg(test)]
mod tests;

use super::super::answer::{Answer, Exit};
use super::super::connect::{NodeArgs, Reach, block_on};
use super::super::failure::Failure;
use super::sources::{Pieces, SourceArgs, Sources};
use clap::Args;
use heatmark_client::{CertificateFile, PublishEvent};
use places::{Places, Seen};
use serde_json::{Value, json};
use std::io::{self, Write};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

/// Most files of one publication; the others follow.
const FILES_AT_ONCE: usize = 200;
/// Longest pause between attempts while the node does not answer.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// `cert watch`.
#[derive(Debug, Args)]
pub(crate) struct Watch {
    #[command(flatten)]
    node: NodeArgs,
    #[command(flatten)]
    sources: SourceArgs,
    /// A file is complete when it has not changed for so long
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    settle: u64,
    /// How often the directory is looked at
    #[arg(long, value_name = "SECONDS", default_value_t = 2)]
    every: u64,
    /// Ends when everything that was there is published or set aside
    #[arg(long)]
    once: bool,
    /// The directory; what is below it is not looked at
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// What became of a file.
enum Outcome {
    /// Every certificate of it stands on the log.
    Published(Vec<Value>),
    /// Faults, and the certificates of it that were published all the same.
    Refused(Vec<String>, Vec<Value>),
    /// The node has it, and has not anchored it yet; or did not say.
    Waits,
}

/// A file that is being published.
struct Work {
    seen: Seen,
    files: Vec<CertificateFile>,
    faults: Vec<String>,
    records: Vec<Value>,
}

pub(super) fn run(command: &Watch, json: bool) -> Result<Answer, Failure> {
    let sources = Sources::load(&command.sources, None)?;
    let reach = command.node.reach()?;
    let mut places = Places::open(&command.directory, Duration::from_secs(command.settle))?;
    let every = Duration::from_secs(command.every.max(1));
    let (mut pause, mut singly, mut refused) = (every, false, false);
    loop {
        let settled = places.settled()?;
        let at_once = if singly { 1 } else { FILES_AT_ONCE };
        let mut trouble = None;
        for group in settled.chunks(at_once) {
            let work = group.iter().map(|seen| prepare(command, &sources, seen.clone())).collect();
            let (outcomes, failure) = publish(&reach, work);
            for (seen, outcome) in outcomes {
                refused |= matches!(outcome, Outcome::Refused(..));
                settle(&mut places, (&seen, outcome), json)?;
            }
            if let Some(failure) = failure {
                let unreachable = failure.exit == Exit::Unknown;
                trouble = Some(failure);
                if unreachable {
                    break;
                }
            }
        }
        // A file that ends a whole publication must not keep the others from being published.
        singly = trouble.as_ref().is_some_and(|failure| failure.exit != Exit::Unknown);
        pause = match &trouble {
            Some(failure) => {
                tell_trouble(failure, pause)?;
                pause.saturating_mul(2).min(LONGEST_PAUSE)
            }
            None => every,
        };
        if command.once && trouble.is_none() && places.is_done()? {
            return Ok(Answer::printed(if refused { Exit::No } else { Exit::Yes }));
        }
        thread::sleep(pause);
    }
}

/// Reads a file; PDFs that a person would have to confirm are set aside.
fn prepare(command: &Watch, sources: &Sources, seen: Seen) -> Work {
    let Pieces { good, refused } = sources.read(&seen.path, None);
    let mut faults = Vec::new();
    for (name, of_one) in refused {
        let only = name == seen.path.display().to_string();
        let place = name.rsplit_once('#').filter(|_| !only).map(|(_, record)| record);
        faults.extend(of_one.into_iter().map(|fault| match place {
            Some(place) => format!("{place}: {fault}"),
            None => fault,
        }));
    }
    let mut files = Vec::new();
    for piece in good {
        if piece.review.is_some() && !command.sources.yes {
            let what = "read by a template, which nobody has confirmed: publish it with `heatmark cert publish --template`, or watch with --yes";
            faults.push(what.to_owned());
        } else {
            files.push(piece.file);
        }
    }
    Work { seen, files, faults, records: Vec::new() }
}

/// Publishes the files together and says what became of each, as far as it is known.
fn publish(reach: &Reach, mut work: Vec<Work>) -> (Vec<(Seen, Outcome)>, Option<Failure>) {
    let owners: Vec<usize> = work
        .iter()
        .enumerate()
        .flat_map(|(index, work)| work.files.iter().map(move |_| index))
        .collect();
    let files: Vec<CertificateFile> = work.iter().flat_map(|work| work.files.clone()).collect();
    let mut heard = 0_usize;
    let done = if files.is_empty() {
        Ok(())
    } else {
        block_on(async {
            let desk = reach.desk().await?;
            let count = u32::try_from(files.len()).unwrap_or(u32::MAX);
            let stream = futures::stream::iter(files);
            desk.publish(count, stream, |event| {
                let owner = owners.get(heard).and_then(|owner| work.get_mut(*owner));
                match (event, owner) {
                    (PublishEvent::Anchored(..), _) | (_, None) => return,
                    (PublishEvent::Refused(refused), Some(work)) => {
                        work.faults.extend(refused.faults.iter().cloned());
                    }
                    (PublishEvent::Read(read), Some(work)) => work.records.push(json!({
                        "name": read.name,
                        "record_id": hex::encode(&read.record_id),
                        "already_published": read.already_published,
                        "mass_mg": read.mass_mg,
                        "notes": read.notes,
                    })),
                }
                heard = heard.saturating_add(1);
            })
            .await?;
            Ok(())
        })
    };
    let asked = done.and_then(|()| waiting(reach, &work));
    let (waiting, failure) = match asked {
        Ok(waiting) => (waiting, None),
        Err(failure) => (work.iter().map(|work| !work.files.is_empty()).collect(), Some(failure)),
    };
    let outcomes = work.into_iter().zip(waiting).map(|(work, waits)| {
        let outcome = match (waits, work.faults.is_empty()) {
            (true, _) => Outcome::Waits,
            (false, true) => Outcome::Published(work.records),
            (false, false) => Outcome::Refused(work.faults, work.records),
        };
        (work.seen, outcome)
    });
    (outcomes.collect(), failure)
}

/// Which files have records that stand on no anchor yet: what an interrupted publication left.
fn waiting(reach: &Reach, work: &[Work]) -> Result<Vec<bool>, Failure> {
    let known = |record: &Value| record.get("already_published") == Some(&Value::Bool(true));
    if !work.iter().any(|work| work.records.iter().any(known)) {
        return Ok(vec![false; work.len()]);
    }
    block_on(async {
        let desk = reach.desk().await?;
        let mut all = Vec::with_capacity(work.len());
        for work in work {
            let mut waits = false;
            for record in work.records.iter().filter(|record| known(record)) {
                let id = record.get("record_id").and_then(Value::as_str).unwrap_or_default();
                let id = hex::decode(id).unwrap_or_default();
                let rows = desk.records(&id, 1).await?;
                waits |= rows.first().is_none_or(|row| row.transaction_id.is_empty());
            }
            all.push(waits);
        }
        Ok(all)
    })
}

/// Moves a file to where it belongs, and says so.
fn settle(
    places: &mut Places,
    (seen, outcome): (&Seen, Outcome),
    json: bool,
) -> Result<(), Failure> {
    let name = seen.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let line = match outcome {
        Outcome::Waits => return Ok(()),
        Outcome::Published(records) => {
            let note = json!({ "file": name, "records": records });
            let Some(_) = places.set_published(seen, &format!("{note:#}\n"))? else {
                return Ok(());
            };
            if json {
                line(&json!({ "published": name, "records": records }))
            } else {
                let ids = records.iter().filter_map(|r| r.get("record_id").and_then(Value::as_str));
                format!("published  {name}  {}\n", ids.collect::<Vec<_>>().join(" "))
            }
        }
        Outcome::Refused(faults, records) => {
            let mut reason = faults.join("\n");
            if !records.is_empty() {
                let published = records.len();
                reason.push_str(&format!("\n{published} others of this file were published\n"));
            }
            let Some(to) = places.set_refused(seen, &format!("{}\n", reason.trim_end()))? else {
                return Ok(());
            };
            let to = to.display();
            if json {
                line(&json!({ "refused": name, "faults": faults, "records": records }))
            } else {
                format!("refused    {name}  see {to}.reason.txt\n")
            }
        }
    };
    let mut stdout = io::stdout().lock();
    // Whoever read along has gone; the files tell as well.
    let _ = stdout.write_all(line.as_bytes()).and_then(|()| stdout.flush());
    Ok(())
}

fn line(json: &Value) -> String {
    format!("{json}\n")
}

fn tell_trouble(failure: &Failure, pause: Duration) -> Result<(), Failure> {
    let seconds = pause.as_secs();
    // Nothing is left to do when standard error is gone as well.
    let _ = writeln!(io::stderr(), "{failure}\n  the files wait; again in {seconds} s");
    Ok(())
}
