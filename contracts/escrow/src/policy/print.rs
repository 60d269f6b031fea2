//! A policy as text, in the order in which people think of it.

use heatmark_ledger::genesis::role_name;
use heatmark_ledger::messages::Role;
use toml::Value;

use super::Policy;
use crate::clause::{Clause, Price, Who};
use crate::date::text_of;
use crate::money::{format_amount, format_decimal};

/// The whole policy.
pub(super) fn policy(policy: &Policy) -> String {
    let mut lines = Vec::new();
    let regulators = policy.regulators.iter().map(ToString::to_string).collect();
    list(&mut lines, "regulators", regulators);
    if policy.quorum != 0 {
        lines.push(format!("quorum = {}", policy.quorum));
    }
    list(&mut lines, "agent_countries", policy.agent_countries.clone());
    for said in &policy.clauses {
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.push("[[clause]]".to_owned());
        clause(&mut lines, said);
    }
    lines.push(String::new());
    lines.join("\n")
}

fn clause(lines: &mut Vec<String>, clause: &Clause) {
    text(lines, "name", &clause.name);
    list(lines, "sections", clause.sections.clone());
    match clause.who() {
        None => {}
        Some(Who::Anyone) => text(lines, "open_to", "anyone"),
        Some(Who::Members(members)) => {
            list(lines, "members", members.iter().map(ToString::to_string).collect());
        }
        Some(Who::Roles(roles)) => {
            let name = |role: &Role| role_name(*role).to_owned();
            list(lines, "roles", roles.iter().map(name).collect());
        }
    }
    match clause.price() {
        None => {}
        Some(Price::Free) => text(lines, "price", "free"),
        Some(Price::Fixed { amount, currency }) => {
            text(lines, "price", &format_amount(amount, &currency));
        }
        Some(Price::Premium { hundredths, currency }) => {
            let share = format_decimal(hundredths.into(), 2);
            text(lines, "price", &format!("{share} % {currency}"));
        }
    }
    list(lines, "arbiters", clause.arbiters.iter().map(hex::encode).collect());
    if !clause.nda.is_empty() {
        text(lines, "agreement", &hex::encode(&clause.nda));
    }
    list(lines, "purposes", clause.purposes.clone());
    if clause.until_ms != 0 {
        lines.push(format!("until = {}", text_of(clause.until_ms)));
    }
    if clause.by_hand {
        text(lines, "accept", "by hand");
    }
    if clause.order {
        lines.push("on_order = true".to_owned());
    }
    if clause.retention_days != 0 {
        lines.push(format!("retention_days = {}", clause.retention_days));
    }
    list(lines, "countries", clause.countries.clone());
    if !clause.standing.is_empty() {
        text(lines, "standing", &clause.standing);
    }
}

fn text(lines: &mut Vec<String>, key: &str, text: &str) {
    lines.push(format!("{key} = {}", Value::String(text.to_owned())));
}

fn list(lines: &mut Vec<String>, key: &str, entries: Vec<String>) {
    if !entries.is_empty() {
        let entries = entries.into_iter().map(Value::String).collect();
        lines.push(format!("{key} = {}", Value::Array(entries)));
    }
}
