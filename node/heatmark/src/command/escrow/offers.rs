//! `heatmark escrow offers`: what could be opened of one record, of the records behind a lot, or of those in a capsule. Agents
//! are asked through the own node; what they say is checked there against the log.

use super::super::answer::{Answer, table};
use super::super::connect::{Reach, block_on};
use super::super::failure::Failure;
use super::super::{member, words};
use super::{Offers, section_json, section_text};
use crate::files;
use heatmark_client::{Offer, OfferedClause};
use heatmark_escrow::format_amount;
use heatmark_evidence::capsule::{Capsule, MAX_CAPSULE_BYTES};
use heatmark_ledger::ids::MemberId;
use heatmark_records::Head;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

/// Records asked about at once.
const RECORDS_TOGETHER: usize = 32;

/// Members' legal names.
type Names = BTreeMap<Vec<u8>, String>;

pub(super) fn run(command: &Offers) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let wait = Duration::from_secs(command.wait.into());
    let (offers, records, names) = block_on(async {
        let records = records(command, &reach).await?;
        let desk = reach.desk().await?;
        let mut offers: Vec<Offer> = Vec::new();
        for some in records.chunks(RECORDS_TOGETHER) {
            offers.extend(desk.ask_offers(some, wait).await?.offers);
        }
        Ok((offers, records.len(), names(&reach).await?))
    })?;
    let json = json!({
        "records": records,
        "offers": offers.iter().map(|offer| offer_json(offer, &names)).collect::<Vec<_>>(),
    });
    let text = if offers.is_empty() {
        let which =
            if records == 1 { "this record".to_owned() } else { format!("{records} records") };
        format!("Nobody offers you anything of {which}.\n")
    } else {
        offers.iter().map(|offer| offer_text(offer, &names)).collect::<Vec<_>>().join("\n")
    };
    Ok(Answer::holds(!offers.is_empty(), json, text))
}

async fn names(reach: &Reach) -> Result<Names, Failure> {
    let (_, members) = member::proved_members(reach, &reach.ledger().await?).await?;
    let name = |state: heatmark_ledger::messages::MemberState| {
        words::on_one_line(&state.entry.map(|entry| entry.legal_name).unwrap_or_default())
    };
    Ok(members.into_iter().map(|(id, state)| (id.to_vec(), name(state))).collect())
}

async fn records(command: &Offers, reach: &Reach) -> Result<Vec<[u8; 32]>, Failure> {
    let bytes = match (&command.record, &command.lot, &command.capsule) {
        (Some(record), ..) => return Ok(vec![words::id(record, "record")?]),
        (_, Some(lot), _) => reach.desk().await?.capsule(lot.clone(), Vec::new(), false).await?,
        (.., Some(file)) => capsule_file(file)?,
        _ => return Err(Failure::input("name a record, a lot or a capsule")),
    };
    let capsule = Capsule::decode(&bytes).map_err(|error| {
        Failure::input("this is no capsule").because(error).next("give a file of one capsule")
    })?;
    let found = others(&capsule, &reach.member);
    if found.is_empty() {
        return Err(Failure::no("no record behind it is another member's"));
    }
    Ok(found.into_iter().collect())
}

fn capsule_file(file: &Path) -> Result<Vec<u8>, Failure> {
    Ok(files::read(file, u64::try_from(MAX_CAPSULE_BYTES).unwrap_or(u64::MAX))?)
}

/// Records that a capsule shows or names and that others have issued.
pub(crate) fn others(capsule: &Capsule, own: &MemberId) -> BTreeSet<[u8; 32]> {
    let foreign = |head: &Head| MemberId::from(head.heading().issuer) != *own;
    let shown = capsule.records.iter().filter_map(|record| {
        let head = Head::decode(&record.head).ok().filter(foreign)?;
        let id: [u8; 32] = record.record.as_slice().try_into().ok()?;
        Some((id, head))
    });
    let named = capsule.heads.iter().filter_map(|head| {
        let (id, head) = head.named().ok()?;
        foreign(&head).then_some((id.0, head))
    });
    shown.chain(named).map(|(id, _)| id).collect()
}

fn offer_json(offer: &Offer, names: &Names) -> Value {
    json!({
        "record_id": hex::encode(&offer.record_id),
        "owner": hex::encode(&offer.owner),
        "owner_name": offer.owner_name,
        "manifest": hex::encode(&offer.manifest),
        "epoch": offer.epoch,
        "threshold": offer.threshold,
        "agents": offer.agents,
        "told_by": offer.told_by,
        "sections": offer.sections.iter().map(section_json).collect::<Vec<_>>(),
        "clauses": offer.clauses.iter().map(|clause| clause_json(clause, names)).collect::<Vec<_>>(),
    })
}

fn clause_json(clause: &OfferedClause, names: &Names) -> Value {
    json!({
        "name": clause.name,
        "sections": clause.sections,
        "price": clause_price(clause),
        "amount": Some(clause.amount).filter(|amount| *amount != 0),
        "premium": Some(clause.premium).filter(|premium| *premium != 0),
        "currency": Some(&clause.currency).filter(|currency| !currency.is_empty()),
        "arbiters": clause.arbiters.iter().map(|arbiter| json!({
            "member": hex::encode(arbiter), "name": names.get(arbiter),
        })).collect::<Vec<_>>(),
        "agreement": Some(hex::encode(&clause.agreement)).filter(|digest| !digest.is_empty()),
        "purposes": clause.purposes,
        "until_ms": Some(clause.until_ms).filter(|until| *until != 0),
        "by_hand": clause.by_hand,
        "orders": clause.orders,
        "retention_days": Some(clause.retention_days).filter(|days| *days != 0),
        "countries": clause.countries,
        "standing": Some(&clause.standing).filter(|standing| !standing.is_empty()),
    })
}

fn offer_text(offer: &Offer, names: &Names) -> String {
    let mut text = format!(
        "Record {}, deposited by {}: {} of {} agents open it, {} said so\n",
        hex::encode(&offer.record_id),
        words::on_one_line(&offer.owner_name),
        offer.threshold,
        offer.agents,
        offer.told_by,
    );
    text.extend(offer.sections.iter().map(section_text));
    let rows: Vec<Vec<String>> = offer
        .clauses
        .iter()
        .map(|clause| {
            let sections: Vec<String> =
                clause.sections.iter().map(|name| words::on_one_line(name)).collect();
            let arbiter = |id: &Vec<u8>| names.get(id).cloned().unwrap_or_else(|| words::short(id));
            let arbiters: Vec<String> = clause.arbiters.iter().map(arbiter).collect();
            let mut conditions = clause_text(clause);
            if !arbiters.is_empty() {
                conditions.insert(0, format!("paid to {}", arbiters.join(" or ")));
            }
            vec![
                words::on_one_line(&clause.name),
                sections.join(", "),
                clause_price(clause),
                conditions.join("; "),
            ]
        })
        .collect();
    text.push_str(&table(&["CLAUSE", "SECTIONS", "PRICE", "CONDITIONS"], &rows));
    text
}

/// What a clause costs.
pub(crate) fn clause_price(clause: &OfferedClause) -> String {
    match (clause.premium, clause.currency.as_str()) {
        (_, "") => "free".to_owned(),
        (0, currency) => format_amount(clause.amount, currency),
        (premium, currency) => {
            format!("{}.{:02} % in {currency}", premium.div_euclid(100), premium.rem_euclid(100))
        }
    }
}

/// What else a clause asks for, each in a few words.
pub(crate) fn clause_text(clause: &OfferedClause) -> Vec<String> {
    let mut said = Vec::new();
    let list = |texts: &[String], and: &str| {
        texts.iter().map(|text| words::on_one_line(text)).collect::<Vec<_>>().join(and)
    };
    if !clause.purposes.is_empty() {
        said.push(format!("for {}", list(&clause.purposes, " or ")));
    }
    if !clause.agreement.is_empty() {
        said.push(format!("agreement {}", words::short(&clause.agreement)));
    }
    if clause.orders != 0 {
        said.push(format!("on orders of {} regulators", clause.orders));
    }
    if clause.by_hand {
        said.push("the owner accepts by hand".to_owned());
    }
    if clause.until_ms != 0 {
        said.push(format!("until {}", words::time(clause.until_ms)));
    }
    if clause.retention_days != 0 {
        said.push(format!("kept {} days at most", clause.retention_days));
    }
    if !clause.countries.is_empty() {
        said.push(format!("buyers of {}", list(&clause.countries, ", ")));
    }
    if !clause.standing.is_empty() {
        said.push(format!("one deal for {}", words::on_one_line(&clause.standing)));
    }
    said
}
