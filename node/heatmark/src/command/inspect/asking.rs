//! What is missing, asked of whoever handed the lots over: a letter that people read, from node to node.

use super::super::connect::block_on;
use super::super::failure::Failure;
use super::super::member;
use super::Inspected;
use heatmark_inspection::{Demands, Inspection, Request, request};
use heatmark_ledger::ids::MemberId;
use serde::Serialize;

/// A letter that was sent.
#[derive(Debug, Serialize)]
pub(super) struct Asked {
    to: Vec<String>,
    names: Vec<String>,
    letter: String,
    request: String,
}

impl Asked {
    pub(super) fn text(&self) -> String {
        format!("\nAsked {} for what is missing: {}\n", self.names.join(", "), self.letter)
    }
}

/// Sends the letter; none where nothing is missing that a supplier could supply.
pub(super) fn ask(
    command: &Inspected,
    inspection: &Inspection,
    demands: &Demands,
) -> Result<Option<Asked>, Failure> {
    let reach = command.node.reach()?;
    let Some(Request { name, text, suppliers }) =
        request(inspection, demands, Some(reach.member.as_bytes()))
    else {
        return Ok(None);
    };
    let suppliers: Vec<String> = match &command.to {
        Some(named) => vec![named.clone()],
        None => suppliers.iter().map(|id| MemberId::from(*id).to_string()).collect(),
    };
    if suppliers.is_empty() {
        return Err(Failure::input("it is not known whom to ask")
            .because("the capsules do not tell who handed the lots over")
            .next("name the supplier with --to MEMBER"));
    }
    let (to, names) = block_on(async {
        let ledger = reach.ledger().await?;
        let desk = reach.desk().await?;
        let (mut to, mut names) = (Vec::new(), Vec::new());
        for supplier in &suppliers {
            let (id, state) = member::find(&reach, &ledger, supplier).await?;
            let content = text.clone().into_bytes();
            desk.send_letter(*id.as_bytes(), name.clone(), content).await?;
            to.push(id.to_string());
            names.push(state.entry.map(|entry| entry.legal_name).unwrap_or_default());
        }
        Ok((to, names))
    })?;
    Ok(Some(Asked { to, names, letter: name, request: text }))
}
