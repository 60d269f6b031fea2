//! Inspections that the own node keeps, so that a deal may have them run again: kept with `--keep`, listed and shown. Where one
//! holds, it is told which deals would open what was not shown.

use super::super::answer::{Answer, Exit, table};
use super::super::connect::{NodeArgs, Reach, block_on};
use super::super::escrow::{clause_price, others_records};
use super::super::failure::Failure;
use super::super::words;
use super::Given;
use super::delivered::Delivered;
use clap::Args;
use heatmark_client::{InspectionView, Offer, ShownInspection};
use heatmark_evidence::capsule::{Capsule, Outcome};
use heatmark_inspection::{Inspection, digits};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// How long agents are waited for that could open what is missing.
const ASK: Duration = Duration::from_secs(5);
/// Records asked about at once, and at most.
const RECORDS_TOGETHER: usize = 32;
const MAX_RECORDS: usize = 256;

/// An inspection that was kept.
pub(super) struct Kept {
    id: [u8; 32],
    verdict: String,
    /// Deals that would open something that was missed: record, clause, sections, price.
    deals: Vec<[String; 4]>,
}

/// Has the own node keep the inspection, and finds out which deals would help where it holds.
pub(super) fn keep(
    node: &NodeArgs,
    (given, delivered): (&Given, &Delivered),
    inspection: &Inspection,
) -> Result<Kept, Failure> {
    let reach = node.reach()?;
    let mut kept = given.kept.clone();
    kept.goods.clone_from(&delivered.goods);
    block_on(async {
        let view = reach.desk().await?.keep_inspection(kept).await?;
        let offers = match inspection.outcome {
            Outcome::Hold => offers(&reach, delivered).await?,
            Outcome::Accept | Outcome::Reject => Vec::new(),
        };
        let id = view.inspection.as_slice().try_into().unwrap_or_default();
        Ok(Kept { id, verdict: view.verdict, deals: helpful(&offers, inspection) })
    })
}

/// What could be opened of others' records in the capsules.
async fn offers(reach: &Reach, delivered: &Delivered) -> Result<Vec<Offer>, Failure> {
    let mut records = BTreeSet::new();
    for (_, bytes) in &delivered.capsules {
        if let Ok(capsule) = Capsule::decode(bytes) {
            records.extend(others_records(&capsule, &reach.member));
        }
    }
    let records: Vec<[u8; 32]> = records.into_iter().take(MAX_RECORDS).collect();
    let desk = reach.desk().await?;
    let mut offers = Vec::new();
    for some in records.chunks(RECORDS_TOGETHER) {
        offers.extend(desk.ask_offers(some, ASK).await?.offers);
    }
    Ok(offers)
}

/// The clauses that open a section with a field that was missed.
fn helpful(offers: &[Offer], inspection: &Inspection) -> Vec<[String; 4]> {
    let held: Vec<&str> = inspection
        .lines
        .iter()
        .filter(|line| line.outcome == Outcome::Hold)
        .map(|line| line.evidence.as_str())
        .collect();
    let missed = |field: &String| held.iter().any(|evidence| evidence.contains(field.as_str()));
    let mut deals = Vec::new();
    for offer in offers {
        let of_use = offer.sections.iter().filter(|section| section.fields.iter().any(missed));
        let of_use: BTreeSet<&str> = of_use.map(|section| section.name.as_str()).collect();
        for clause in &offer.clauses {
            let opens: Vec<String> = clause
                .sections
                .iter()
                .filter(|name| of_use.contains(name.as_str()))
                .map(|name| words::on_one_line(name))
                .collect();
            if !opens.is_empty() {
                let record = hex::encode(&offer.record_id);
                let name = words::on_one_line(&clause.name);
                deals.push([record, name, opens.join(", "), clause_price(clause)]);
            }
        }
    }
    deals
}

impl Kept {
    pub(super) fn json(&self) -> Value {
        json!({
            "inspection": hex::encode(self.id),
            "verdict": self.verdict,
            "deals": self.deals.iter().map(|[record, clause, sections, price]| json!({
                "record_id": record, "clause": clause, "sections": sections, "price": price,
            })).collect::<Vec<_>>(),
        })
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!("\nKept as {}\n", digits(&self.id));
        if self.deals.is_empty() {
            return text;
        }
        text.push_str("These deals would open what was not shown:\n");
        for [record, clause, sections, price] in &self.deals {
            text.push_str(&format!(
                "  {sections}, {price}: heatmark deal open --record {record} --clause '{clause}' --inspection {} --purpose …\n",
                words::short(&self.id)
            ));
        }
        text.push_str("Once one has opened, the node inspects again by itself.\n");
        text
    }
}

/// `inspect show`.
#[derive(Debug, Args)]
pub(super) struct Show {
    #[command(flatten)]
    node: NodeArgs,
    /// The inspection's id, or 4 digits of its beginning or more
    #[arg(value_name = "INSPECTION")]
    inspection: String,
}

pub(super) fn show(command: &Show) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let shown = block_on(async { find(&reach, &command.inspection).await })?;
    let found: Value = serde_json::from_str(&shown.json).unwrap_or_default();
    let mut json = row_json(&shown.view);
    if let Value::Object(fields) = &mut json {
        fields.insert("found".to_owned(), found);
    }
    let mut text = format!(
        "Inspection {}\nRun        {}\n",
        hex::encode(&shown.view.inspection),
        words::time(shown.view.at_ms)
    );
    if !shown.view.before.is_empty() {
        text.push_str(&format!(
            "Repeats    {}, for deal {}\n",
            words::short(&shown.view.before),
            words::short(&shown.view.deal)
        ));
    }
    if shown.view.destroyed {
        let verdict = shown.view.verdict.to_uppercase();
        text.push_str(&format!(
            "Verdict    {verdict}\nWhat it came to is destroyed, as what the deal opened is.\n"
        ));
    } else {
        text.push_str(&format!("\n{}", shown.text));
    }
    let exit = match shown.view.verdict.as_str() {
        "accept" => Exit::Yes,
        "reject" => Exit::No,
        _ => Exit::Unknown,
    };
    Ok(Answer::of(exit, json, text))
}

/// The one inspection whose id begins so.
pub(in super::super) async fn find(reach: &Reach, text: &str) -> Result<ShownInspection, Failure> {
    let named = text.to_ascii_lowercase();
    if named.len() < 4 || !named.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Failure::input(format!("{text:?} is no inspection"))
            .because("an inspection's id is hex, and at least 4 digits of it are given"));
    }
    reach.desk().await?.inspection(named).await.map_err(|error| {
        if error.is_not_found() {
            Failure::no(format!("no one inspection is {text:?}"))
                .because("the node keeps none of that name, or more than one")
                .next("`heatmark inspect list` shows them; `heatmark inspect --keep` keeps one")
        } else {
            error.into()
        }
    })
}

/// Kept inspections for machines.
pub(super) fn rows_json(kept: &[InspectionView]) -> Value {
    kept.iter().map(row_json).collect()
}

fn row_json(view: &InspectionView) -> Value {
    json!({
        "inspection": hex::encode(&view.inspection),
        "at_ms": view.at_ms,
        "verdict": view.verdict,
        "lots": view.lots,
        "order": Some(&view.order).filter(|order| !order.is_empty()),
        "repeats": Some(hex::encode(&view.before)).filter(|before| !before.is_empty()),
        "deal": Some(hex::encode(&view.deal)).filter(|deal| !deal.is_empty()),
        "destroyed": view.destroyed,
    })
}

/// Kept inspections for people; those that repeat another say what it had come to.
pub(super) fn rows_text(kept: &[InspectionView]) -> String {
    let rows: Vec<Vec<String>> = kept
        .iter()
        .map(|view| {
            let before = kept.iter().find(|other| other.inspection == view.before);
            let repeats = before.map(|before| {
                let (id, deal) = (words::short(&before.inspection), words::short(&view.deal));
                format!("{id}, which was {}, after deal {deal}", before.verdict)
            });
            vec![
                words::short(&view.inspection),
                words::time(view.at_ms),
                view.verdict.clone(),
                view.lots.iter().map(|lot| words::on_one_line(lot)).collect::<Vec<_>>().join("; "),
                repeats.unwrap_or_default(),
            ]
        })
        .collect();
    table(&["KEPT", "RUN", "VERDICT", "OF", "REPEATS"], &rows)
}
