//! Measures a genealogy of a million lots in one vault: how long it takes to load and to build from the vault at a start, what it
//! takes on disk and in memory, traces up and down, alerts. Bodies of events are real encodings; proofs and blinds are bytes of
//! the sizes that real ones have, since nothing reads them here. Ends with an error when a trace's sums are wrong.

#[path = "../../node/genealogy/benches/lotgen.rs"]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "a generator whose numbers are known"
)]
mod lotgen;

use crate::output::say;
use anyhow::{Context as _, Result, bail};
use clap::Args;
use heatmark_genealogy::{
    About, Bearing, Direction, Genealogy, Holdings, LotId, NewEvent, Place, RecordKind, Told,
    Walker, affected,
};
use heatmark_lots::{Event, Input, Kind, Making, OpenLot, Terms, Witness};
use heatmark_merkle::{Hash, LeafIndex};
use heatmark_vault::{Outline, UpstreamEvent, Vault, VaultKey};
use lotgen::{CHECKSUMS, Made};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Events written at once, as a large capsule brings them.
const AT_ONCE: usize = 1_000;
const COMMISSION_PROOF_BYTES: usize = 644;
const NETWORK: [u8; 32] = [7; 32];

/// `genealogy`.
#[derive(Debug, Clone, Args)]
pub(crate) struct Measure {
    /// Writes the figures to this file
    #[arg(long, value_name = "FILE")]
    report: PathBuf,
    /// Where the vault is made, and removed again [default: the system's directory for temporary files]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Loads, builds, traces; true when all sums are right.
pub(crate) fn run(measure: &Measure) -> Result<bool> {
    let mut place = tempfile::Builder::new();
    let place = place.prefix("heatmark-genealogy-");
    let temporary = match &measure.dir {
        Some(dir) => place.tempdir_in(dir)?,
        None => place.tempdir()?,
    };
    let path = temporary.path().join("vault");
    let loaded = load(&path)?;
    let bytes = size_of(&path)?;
    let (known, started) = start(&path)?;
    let mut walker = Walker::default();
    let (up, down) = lotgen::queries();
    let report = json!({
        "lots": known.graph.lots(),
        "inputs": known.graph.inputs(),
        "synthetic": "proofs and blinds of true sizes",
        "load": loaded,
        "vault_bytes": bytes,
        "vault_bytes_an_event": bytes.checked_div(u64::try_from(known.graph.lots())?),
        "start": started,
        "up": trace(&known, &mut walker, (&up, Direction::Up), CHECKSUMS.up)?,
        "down": trace(&known, &mut walker, (&down, Direction::Down), CHECKSUMS.down)?,
        "alert": alerts(&known, &mut walker, &down),
        "walker_bytes": walker.bytes(),
        "sqlite": "measure beside it: recursive queries over the same lots",
    });
    fs::write(&measure.report, format!("{report:#}\n"))
        .with_context(|| format!("writing {}", measure.report.display()))?;
    say(&format!("{report:#}"));
    Ok(true)
}

struct Known {
    graph: Genealogy,
    about: About,
}

/// What every event of so many inputs looks like.
struct Template {
    event: Event,
    proofs: Vec<u8>,
}

impl Template {
    fn of(inputs: usize) -> Result<Self> {
        let lot = |mass_mg| {
            let terms = Terms {
                class: Hash([1; 32]),
                description: Hash([2; 32]),
                serials: None,
                expires_ms: 0,
                seal: Hash(rand::random()),
            };
            OpenLot::fresh(mass_mg, 1, terms, &mut rand::rng())
        };
        let count = u64::try_from(inputs)?;
        let witness = Witness {
            inputs: (0..inputs).map(|_| lot(1_000_000)).collect(),
            outputs: vec![lot(count.max(1).saturating_mul(1_000_000))],
            ..Witness::default()
        };
        let kind = if inputs == 0 { Kind::Commission } else { Kind::Transform };
        let places = (0..count).map(|n| Input { leaf: LeafIndex(n), output: 0 }).collect();
        let mut event = Event::new(kind, rand::random(), places, Vec::new());
        witness.describe(&mut event);
        let making =
            Making { network: &NETWORK, event: &event, witness: &witness, certified: None };
        let proofs = match making.prove(&mut rand::rng()) {
            Ok(proofs) => proofs.encode(),
            // A commission's needs its certificate: as long as the protocol's table has it.
            Err(_) if inputs == 0 => vec![0; COMMISSION_PROOF_BYTES],
            Err(error) => return Err(error.into()),
        };
        if inputs == 0 {
            event.origin = Some(Hash(rand::random()));
        }
        Ok(Self { event, proofs })
    }
}

fn load(path: &Path) -> Result<Value> {
    let (raw, of_two, of_three) = (Template::of(0)?, Template::of(2)?, Template::of(3)?);
    let vault = Vault::open(path, &VaultKey::new([1; 32]))?;
    let begun = Instant::now();
    let mut bytes = (0_usize, 0_usize, 0_usize);
    let mut batch: Vec<(UpstreamEvent, Outline)> = Vec::with_capacity(AT_ONCE);
    for made in lotgen::lots() {
        let template = match made.of.len() {
            0 => &raw,
            2 => &of_two,
            _ => &of_three,
        };
        let one = event(template, &made);
        bytes.0 = bytes.0.saturating_add(one.0.event.len());
        bytes.1 = bytes.1.saturating_add(one.0.proofs.len());
        bytes.2 = bytes.2.saturating_add(one.0.blinds.len());
        batch.push(one);
        if batch.len() == AT_ONCE {
            write(&vault, &mut batch)?;
        }
    }
    write(&vault, &mut batch)?;
    let took = begun.elapsed();
    Ok(json!({
        "seconds": rounded(took),
        "fsync": true,
        "events_at_once": AT_ONCE,
        "body_bytes": bytes.0,
        "proof_bytes": bytes.1,
        "blind_bytes": bytes.2,
    }))
}

fn event(template: &Template, made: &Made) -> (UpstreamEvent, Outline) {
    let mut body = template.event.clone();
    body.salt = rand::random();
    for (input, lot) in body.inputs.iter_mut().zip(&made.of) {
        input.leaf = LeafIndex(*lot);
    }
    if body.kind == Kind::Commission {
        body.origin = Some(Hash(record_of(made.lot)));
    }
    let broken = made.of.len().max(1);
    let outline = Outline {
        leaf: made.lot,
        kind: body.kind.code(),
        inputs: made.of.iter().map(|lot| (*lot, 0)).collect(),
        outputs: 1,
        carrier: [u8::try_from(made.supplier).unwrap_or(u8::MAX); 32],
        origin: body.origin,
        process: None,
        removed: Vec::new(),
    };
    let event = UpstreamEvent {
        leaf: made.lot,
        event: body.encode(),
        proofs: template.proofs.clone(),
        blinds: vec![9; broken.saturating_mul(32)],
    };
    (event, outline)
}

fn write(vault: &Vault, batch: &mut Vec<(UpstreamEvent, Outline)>) -> Result<()> {
    let (events, outlines): (Vec<UpstreamEvent>, Vec<Outline>) = batch.drain(..).unzip();
    vault.put_upstream(&events, &[])?;
    Ok(vault.put_outlines(&outlines)?)
}

/// Builds the genealogy as a node does when it starts.
fn start(path: &Path) -> Result<(Known, Value)> {
    let before = resident_bytes();
    let begun = Instant::now();
    let vault = Vault::open(path, &VaultKey::new([1; 32]))?;
    let opened = begun.elapsed();
    let mut known = Known { graph: Genealogy::default(), about: About::default() };
    let mut wrong = None;
    vault.outlines(|outline| {
        let inputs: Vec<Place> = outline
            .inputs
            .iter()
            .map(|(leaf, output)| Place { leaf: *leaf, output: *output })
            .collect();
        let event = NewEvent {
            leaf: outline.leaf,
            kind: Kind::from_code(outline.kind).unwrap_or(Kind::Transform),
            inputs: &inputs,
            outputs: outline.outputs,
            carrier: outline.carrier,
            removed: &[],
        };
        wrong = known.graph.add(&event).err();
        if let Some(origin) = &outline.origin {
            known.about.bear(origin.0, RecordKind::Certificate, Bearing::Event(outline.leaf));
            let told = Told { subject: Some(subject_of(outline.leaf)), ..Told::default() };
            known.about.tell(origin.0, told);
        }
        Ok(wrong.is_none())
    })?;
    if let Some(error) = wrong {
        return Err(error.into());
    }
    known.graph.compact();
    let built = begun.elapsed();
    if known.graph.inputs() != CHECKSUMS.inputs {
        bail!("{} inputs came out of the vault", known.graph.inputs());
    }
    let value = json!({
        "open_seconds": rounded(opened),
        "build_seconds": rounded(built.saturating_sub(opened)),
        "adjacency_bytes": known.graph.bytes(),
        "process_grew_by_bytes": resident_bytes().saturating_sub(before),
    });
    Ok((known, value))
}

fn trace(
    known: &Known,
    walker: &mut Walker,
    (lots, direction): (&[u64], Direction),
    checksum: usize,
) -> Result<Value> {
    let mut times = Vec::with_capacity(lots.len());
    let mut reached: usize = 0;
    for leaf in lots {
        let begun = Instant::now();
        let lot = known.graph.find(Place { leaf: *leaf, output: 0 }).context("a lot is gone")?;
        reached = reached.saturating_add(walker.walk(&known.graph, [lot], direction).len());
        times.push(begun.elapsed());
    }
    if reached != checksum {
        bail!("the traces reached {reached} lots, not {checksum}");
    }
    Ok(json!({
        "queries": lots.len(),
        "p50_ms": milliseconds(quantile(&mut times, 50)),
        "p99_ms": milliseconds(quantile(&mut times, 99)),
        "checksum": reached,
    }))
}

fn alerts(known: &Known, walker: &mut Walker, lots: &[u64]) -> Value {
    let holdings = Holdings::default();
    let (mut matched, mut marked) = (Vec::new(), Vec::new());
    for leaf in lots {
        let begun = Instant::now();
        let records = known.about.of_subject(&subject_of(*leaf));
        matched.push(begun.elapsed());
        let from: Vec<LotId> =
            records.iter().flat_map(|record| known.about.lots(&known.graph, record)).collect();
        std::hint::black_box(affected(walker.walk(&known.graph, from, Direction::Down), &holdings));
        marked.push(begun.elapsed());
    }
    json!({
        "matched_p99_ms": milliseconds(quantile(&mut matched, 99)),
        "matched_with_reach_p50_ms": milliseconds(quantile(&mut marked, 50)),
        "matched_with_reach_p99_ms": milliseconds(quantile(&mut marked, 99)),
    })
}

fn record_of(lot: u64) -> [u8; 32] {
    numbered(lot, 1)
}

fn subject_of(lot: u64) -> [u8; 32] {
    numbered(lot, 2)
}

fn numbered(lot: u64, kind: u8) -> [u8; 32] {
    let mut id = [kind; 32];
    for (to, from) in id.iter_mut().zip(lot.to_be_bytes()) {
        *to = from;
    }
    id
}

fn quantile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    let at = times.len().saturating_mul(percent) / 100;
    times.get(at).or(times.last()).copied().unwrap_or_default()
}

fn size_of(path: &Path) -> Result<u64> {
    let mut bytes: u64 = 0;
    for file in fs::read_dir(path)? {
        bytes = bytes.saturating_add(file?.metadata()?.len());
    }
    Ok(bytes)
}

/// What of this process is in memory; 0 where the system does not tell.
fn resident_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    kilobytes.unwrap_or(0_u64).saturating_mul(1024)
}

fn rounded(time: Duration) -> f64 {
    (time.as_secs_f64() * 1_000.0).round() / 1_000.0
}

fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1_000_000.0).round() / 1_000.0
}
