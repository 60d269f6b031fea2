//! `heatmark recall drill`: what a quality manager must be able to say within minutes, tried on own data. Everything that
//! leaves says DRILL; the log is not touched.

use crate::command::answer::Answer;
use crate::command::connect::{NodeArgs, Reach, block_on};
use crate::command::failure::Failure;
use crate::command::lot::quantity::mass_text;
use crate::command::lot::trace::{affected_json, milliseconds};
use crate::command::words;
use clap::Args;
use heatmark_client::RecallDrill;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// How often delivery is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// `recall drill`.
#[derive(Debug, Args)]
pub(crate) struct DrillArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// Sends each affected customer's node a letter that says DRILL, and counts who took it
    #[arg(long)]
    letters: bool,
    /// Most seconds to wait for them
    #[arg(long, value_name = "SECONDS", default_value_t = 30, requires = "letters")]
    wait: u64,
}

pub(crate) fn run(command: &DrillArgs) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let drills = block_on(async { Ok(reach.desk().await?.drill().await?) })?;
    let customers: BTreeMap<Vec<u8>, String> = drills
        .iter()
        .filter_map(|drill| drill.affected.as_ref())
        .flat_map(|affected| &affected.customers)
        .filter(|customer| !customer.outside)
        .map(|customer| (customer.member.clone(), customer.name.clone()))
        .collect();
    let took = if command.letters {
        Some(tell(&reach, &customers, Duration::from_secs(command.wait))?)
    } else {
        None
    };
    let mut text = "DRILL: no alert was raised, no lot was marked\n".to_owned();
    let mut all = Vec::with_capacity(drills.len());
    for drill in &drills {
        let share = took.as_ref().map(|took| share(drill, took));
        text.push_str(&told(drill, share));
        all.push(json!({
            "kind": drill.kind,
            "about": drill.about,
            "affected": drill.affected.as_ref().map(affected_json),
            "acknowledged": share.map(|(took, of)| json!({ "nodes": took, "of": of })),
        }));
    }
    if drills.is_empty() {
        text.push_str(
            "There is nothing to drill on: no lots of certificates that are known here.\n",
        );
    }
    Ok(Answer::yes(json!({ "drill": true, "drills": all }), text))
}

fn told(drill: &RecallDrill, share: Option<(usize, usize)>) -> String {
    let Some(affected) = &drill.affected else { return String::new() };
    let what = match drill.kind.as_str() {
        "supplier-fault" => "a supplier's fault in heat or certificate",
        "internal-rework" => "an own fault in lot",
        _ => "a customer's return of lot",
    };
    let units: u64 = affected.own.iter().map(|lot| lot.pieces).fold(0, u64::saturating_add);
    let acknowledged = match share {
        Some((took, of)) => format!("{took} of {of} customers' nodes took the letter"),
        None => "not tried; --letters does".to_owned(),
    };
    format!(
        "\nDRILL        {what} {}\nIdentified   in {} ms: {} lots, {} of them own, {units} units passed through here\nIn stock     {} lots, {}, {} pieces\nCustomers    {}\nAcknowledged {acknowledged}\n",
        words::on_one_line(&drill.about),
        milliseconds(affected.found_us),
        affected.reached,
        affected.own.len(),
        affected.stock.len(),
        mass_text(affected.stock_mg),
        affected.stock_pieces,
        affected.customers.len(),
    )
}

/// How many of a drill's customers took the letter, of how many.
fn share(drill: &RecallDrill, took: &BTreeSet<Vec<u8>>) -> (usize, usize) {
    let customers = drill.affected.iter().flat_map(|affected| &affected.customers);
    let customers = customers.filter(|customer| !customer.outside);
    let all = customers.clone().count();
    (customers.filter(|customer| took.contains(&customer.member)).count(), all)
}

/// Writes to customers, and waits for who takes it; letters that nobody took are thrown away.
fn tell(
    reach: &Reach,
    customers: &BTreeMap<Vec<u8>, String>,
    wait: Duration,
) -> Result<BTreeSet<Vec<u8>>, Failure> {
    block_on(async {
        let desk = reach.desk().await?;
        let text = "DRILL DRILL DRILL\n\nThis is a drill of a recall. No material is affected, and nothing is to be done.\nThat your node took this letter is all that is measured.\n\nDRILL DRILL DRILL\n";
        let mut waiting: BTreeMap<[u8; 32], Vec<u8>> = BTreeMap::new();
        for member in customers.keys() {
            let to = words::id(&hex::encode(member), "member id")?;
            let id = desk.send_letter(to, "DRILL-recall.txt".to_owned(), text.into()).await?;
            waiting.insert(id, member.clone());
        }
        let begun = Instant::now();
        let mut took = BTreeSet::new();
        loop {
            let sent: BTreeSet<Vec<u8>> =
                desk.letters().await?.0.into_iter().map(|letter| letter.id).collect();
            waiting.retain(|id, member| {
                let there = sent.contains(id.as_slice());
                if !there {
                    took.insert(member.clone());
                }
                there
            });
            if waiting.is_empty() || begun.elapsed() >= wait {
                break;
            }
            tokio::time::sleep(LOOK).await;
        }
        for id in waiting.keys() {
            // It may have gone just now.
            let _ = desk.drop_letter(*id).await;
        }
        Ok(took)
    })
}
