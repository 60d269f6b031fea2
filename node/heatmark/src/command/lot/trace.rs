//! `heatmark lot trace`, `search`, `affected`: where a lot comes from and where it went, and what something bears on.

mod picture;

use super::quantity::mass_text;
use crate::command::alert::own_record;
use crate::command::answer::{Answer, table};
use crate::command::connect::{NodeArgs, Reach, block_on};
use crate::command::failure::Failure;
use crate::command::{member, words};
use crate::files;
use clap::{ArgGroup, Args};
use heatmark_client::{AffectedBy, TracedLot, Whereabouts};
use heatmark_ledger::messages::AlertLevel;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Most lots of a picture: more are a wall.
const MAX_PICTURED: u32 = 2_000;
/// Most lots of a tree that is printed.
const MAX_PRINTED: u32 = 20_000;

/// `lot trace`.
#[derive(Debug, Args)]
pub(crate) struct Trace {
    #[command(flatten)]
    node: NodeArgs,
    /// The lot: its name here, or LEAF/OUTPUT
    #[arg(value_name = "LOT")]
    lot: String,
    /// To what it is made of [default]
    #[arg(long)]
    up: bool,
    /// To what was made of it
    #[arg(long, conflicts_with = "up")]
    down: bool,
    /// Draws it to this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Most lots, nearest first
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
}

/// `lot search`.
#[derive(Debug, Args)]
pub(crate) struct Search {
    #[command(flatten)]
    node: NodeArgs,
    /// A part of a lot's name, a heat, a die or a company
    #[arg(value_name = "TEXT")]
    text: String,
    /// Most of each
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    limit: u32,
}

/// `lot affected`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("by").required(true)))]
pub(crate) struct Affected {
    #[command(flatten)]
    node: NodeArgs,
    /// By a lot: its name here, or LEAF/OUTPUT
    #[arg(long, group = "by", value_name = "LOT")]
    lot: Option<String>,
    /// By a heat, as certificates that are known here give it
    #[arg(long, group = "by", value_name = "HEAT")]
    heat: Option<String>,
    /// By a certificate or another record: its id, or of an own one the beginning of it
    #[arg(long, group = "by", value_name = "RECORD")]
    certificate: Option<String>,
    /// By a die, a ring mill or a station, as process records name it
    #[arg(long, group = "by", value_name = "NAME")]
    die: Option<String>,
    /// By a member: all that it made or handed on
    #[arg(long, group = "by", value_name = "MEMBER")]
    supplier: Option<String>,
}

pub(crate) fn trace(command: &Trace) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let most = if command.svg.is_some() { MAX_PICTURED } else { MAX_PRINTED };
    let limit = command.limit.unwrap_or(most).clamp(1, most);
    let (lot, down) = (command.lot.clone(), command.down);
    let trace = block_on(async { Ok(reach.desk().await?.trace(lot, down, limit).await?) })?;
    let json = json!({
        "lots": trace.lots.iter().map(described).collect::<Vec<_>>(),
        "edges": trace.edges,
        "reached": trace.reached,
    });
    let shown = u64::try_from(trace.lots.len()).unwrap_or(u64::MAX);
    let rest = trace.reached.saturating_sub(shown);
    let mut text = match &command.svg {
        Some(path) => {
            files::replace(path, picture::draw(&trace, command.down).as_bytes(), 0o644)?;
            format!("{} lots drawn to {}\n", trace.lots.len(), path.display())
        }
        None => tree(&trace, command.down),
    };
    if rest > 0 {
        text.push_str(&format!("{rest} lots more are not shown: --limit N shows more\n"));
    }
    Ok(Answer::yes(json, text))
}

pub(crate) fn search(command: &Search) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let (text, limit) = (command.text.clone(), command.limit);
    let found = block_on(async { Ok(reach.desk().await?.search(text, limit).await?) })?;
    let json = json!({
        "lots": found.lots.iter().map(described).collect::<Vec<_>>(),
        "records": found.records.iter().map(|record| json!({
            "record": hex::encode(&record.record), "what": record.what, "name": record.name,
        })).collect::<Vec<_>>(),
        "companies": found.companies.iter().map(|company| json!({
            "member": hex::encode(&company.member), "name": company.name,
        })).collect::<Vec<_>>(),
    });
    let mut rows: Vec<Vec<String>> = Vec::new();
    let plain = words::on_one_line;
    rows.extend(found.lots.iter().map(|lot| vec!["lot".into(), plain(&lot.name), line(lot)]));
    rows.extend(found.records.iter().map(|record| {
        vec![record.what.clone(), plain(&record.name), words::short(&record.record)]
    }));
    rows.extend(found.companies.iter().map(|company| {
        vec!["company".into(), plain(&company.name), words::short(&company.member)]
    }));
    let holds = !rows.is_empty();
    let text = if holds { table(&["", "NAME", ""], &rows) } else { "Nothing.\n".to_owned() };
    Ok(Answer::holds(holds, json, text))
}

pub(crate) fn affected(command: &Affected) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let found = block_on(async {
        let by = by(command, &reach).await?;
        Ok(reach.desk().await?.affected(by).await?)
    })?;
    let clean = found.stock.is_empty() && found.customers.is_empty();
    Ok(Answer::holds(clean, affected_json(&found), affected_text(&found)))
}

async fn by(command: &Affected, reach: &Reach) -> Result<AffectedBy, Failure> {
    Ok(match command {
        Affected { lot: Some(lot), .. } => AffectedBy::Lot(lot.clone()),
        Affected { heat: Some(heat), .. } => AffectedBy::Heat(heat.clone()),
        Affected { die: Some(die), .. } => AffectedBy::Die(die.clone()),
        Affected { supplier: Some(name), .. } => {
            let ledger = reach.ledger().await?;
            AffectedBy::Supplier(member::find(reach, &ledger, name).await?.0.to_vec())
        }
        Affected { certificate: Some(record), .. } => {
            AffectedBy::Record(match words::id(record, "record id") {
                Ok(id) => id.to_vec(),
                Err(_) => own_record(reach, record).await?.0.to_vec(),
            })
        }
        _ => return Err(Failure::input("name a lot, heat, certificate, die or supplier")),
    })
}

/// What is affected, for machines.
pub(crate) fn affected_json(found: &heatmark_client::Affected) -> Value {
    let names = |places: &[u32]| -> Vec<String> { named(found, places) };
    json!({
        "reached": found.reached,
        "own": found.own.iter().map(described).collect::<Vec<_>>(),
        "stock": {
            "lots": names(&found.stock),
            "mass_mg": found.stock_mg,
            "pieces": found.stock_pieces,
        },
        "customers": found.customers.iter().map(|customer| json!({
            "member": hex::encode(&customer.member),
            "name": customer.name,
            "outside": customer.outside,
            "mass_mg": customer.mass_mg,
            "pieces": customer.pieces,
            "lots": names(&customer.lots),
        })).collect::<Vec<_>>(),
        "found_us": found.found_us,
    })
}

/// What is affected, for people.
pub(crate) fn affected_text(found: &heatmark_client::Affected) -> String {
    let mut text = format!(
        "Reached      {} lots, {} of them own, found in {} ms\n",
        found.reached,
        found.own.len(),
        milliseconds(found.found_us),
    );
    text.push_str(&format!(
        "In stock     {} lots, {}, {} pieces\n",
        found.stock.len(),
        mass_text(found.stock_mg),
        found.stock_pieces,
    ));
    for name in named(found, &found.stock) {
        text.push_str(&format!("  {}\n", words::on_one_line(&name)));
    }
    text.push_str(&format!("Customers    {}\n", found.customers.len()));
    for customer in &found.customers {
        text.push_str(&format!(
            "  {}: {}, {} pieces\n",
            words::on_one_line(&customer.name),
            mass_text(customer.mass_mg),
            customer.pieces,
        ));
        for name in named(found, &customer.lots) {
            text.push_str(&format!("    {}\n", words::on_one_line(&name)));
        }
    }
    text
}

/// Names of own lots by their places.
pub(crate) fn named(found: &heatmark_client::Affected, places: &[u32]) -> Vec<String> {
    let at = |place: &u32| usize::try_from(*place).ok().and_then(|place| found.own.get(place));
    places.iter().filter_map(at).map(|lot| lot.name.clone()).collect()
}

/// Microseconds as milliseconds.
pub(crate) fn milliseconds(us: u64) -> String {
    format!("{}.{:03}", us / 1_000, us % 1_000)
}

/// As people call it.
fn name(lot: &TracedLot) -> String {
    if lot.name.is_empty() {
        format!("{}/{}", lot.leaf, lot.output)
    } else {
        words::on_one_line(&lot.name)
    }
}

/// The level that bears on a lot, if one does.
fn alert(lot: &TracedLot) -> Option<&'static str> {
    grave(lot.alert())
}

/// A level that is more than none and clear.
pub(super) fn grave(level: AlertLevel) -> Option<&'static str> {
    let is_grave = !matches!(level, AlertLevel::Unspecified | AlertLevel::Clear);
    is_grave.then(|| words::level(level))
}

fn whereabouts(lot: &TracedLot) -> String {
    match lot.whereabouts() {
        Whereabouts::Unspecified => String::new(),
        Whereabouts::Here => "in stock".to_owned(),
        Whereabouts::Used => "used".to_owned(),
        Whereabouts::Sent => format!("sent to {}", words::on_one_line(&lot.customer_name)),
    }
}

/// What is known of a lot, behind its name.
fn line(lot: &TracedLot) -> String {
    let mut parts = Vec::new();
    if lot.own {
        parts.push(words::on_one_line(&lot.product));
        parts.push(mass_text(lot.mass_mg));
        parts.push(format!("{} pcs", lot.pieces));
        parts.push(whereabouts(lot));
    }
    parts.push(format!("{} by {}", lot.made_by, words::on_one_line(&lot.company_name)));
    if !lot.heat.is_empty() {
        parts.push(format!("heat {}", words::on_one_line(&lot.heat)));
    }
    if !lot.certificate.is_empty() {
        parts.push(format!("certificate {}", words::short(&lot.certificate)));
    }
    parts.extend(lot.tools.iter().map(|tool| words::on_one_line(tool)));
    if lot.missing > 0 {
        parts.push(format!("{} inputs not known here", lot.missing));
    }
    parts.extend(alert(lot).map(|level| format!("{} !", level.to_uppercase())));
    parts.retain(|part| !part.is_empty());
    parts.join(", ")
}

/// A lot of several that leads to others is shown with them where it stands first.
fn tree(trace: &heatmark_client::Trace, down: bool) -> String {
    let mut next: Vec<Vec<usize>> = vec![Vec::new(); trace.lots.len()];
    for (from, to) in &trace.edges {
        let (here, there) = if down { (*from, *to) } else { (*to, *from) };
        if let Some(list) = next.get_mut(here) {
            list.push(there);
        }
    }
    let mut told = vec![false; trace.lots.len()];
    let mut text = String::new();
    // Place, what stands before it, and what stands before what follows from it.
    let mut open: Vec<(usize, String, String)> = vec![(0, String::new(), String::new())];
    while let Some((at, before, below)) = open.pop() {
        let Some(lot) = trace.lots.get(at) else { continue };
        let children = next.get(at).map(Vec::as_slice).unwrap_or_default();
        let again = told.get(at).copied().unwrap_or(true) && !children.is_empty();
        let above = if again { "  (as above)" } else { "" };
        text.push_str(&format!("{before}{}  {}{above}\n", name(lot), line(lot)));
        if let Some(told) = told.get_mut(at) {
            *told = true;
        }
        if again {
            continue;
        }
        for (place, child) in children.iter().enumerate().rev() {
            let last = place.saturating_add(1) == children.len();
            let (branch, trunk) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            open.push((*child, format!("{below}{branch}"), format!("{below}{trunk}")));
        }
    }
    text
}

fn described(lot: &TracedLot) -> Value {
    json!({
        "leaf": lot.leaf,
        "output": lot.output,
        "own": lot.own,
        "name": lot.name,
        "product": lot.product,
        "made_by": lot.made_by,
        "company": hex::encode(&lot.company),
        "company_name": lot.company_name,
        "certificate": hex::encode(&lot.certificate),
        "heat": lot.heat,
        "tools": lot.tools,
        "mass_mg": lot.own.then_some(lot.mass_mg),
        "pieces": lot.own.then_some(lot.pieces),
        "whereabouts": whereabouts(lot),
        "customer": hex::encode(&lot.customer),
        "alert": alert(lot),
        "missing": lot.missing,
    })
}
