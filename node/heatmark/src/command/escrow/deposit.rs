//! `heatmark escrow deposit`: reads policy and documents, finds the agents, and has the node deposit. What cannot work is said
//! before anything is sent: agents that are none, sections that no clause opens.

use super::super::alert::own_record;
use super::super::answer::Answer;
use super::super::connect::{Reach, block_on};
use super::super::failure::Failure;
use super::super::{member, words};
use super::Deposit;
use crate::files;
use heatmark_client::{DepositFile, DepositSection, DepositStart};
use heatmark_desk::MAX_DEPOSIT_BYTES;
use heatmark_escrow::Policy;
use heatmark_ledger::messages::Role;
use serde_json::json;
use std::path::Path;

/// Longest policy that is read, in bytes; its reader says of a shorter one what is wrong with it.
const MAX_POLICY_BYTES: u64 = 1 << 20;

/// An agent: id, legal name.
pub(super) type Agent = ([u8; 32], String);

pub(super) fn run(command: &Deposit) -> Result<Answer, Failure> {
    let text = files::read_text(&command.policy, MAX_POLICY_BYTES)?;
    let policy = Policy::parse(&text).map_err(|error| {
        Failure::input(format!("{} is no policy", command.policy.display()))
            .because(error)
            .next("mend it; nothing was sent")
    })?;
    let sections = sections(&command.sections)?;
    let documents = documents(&command.documents, &sections)?;
    let opens = |name: &str| {
        policy.clauses.iter().any(|clause| clause.sections.iter().any(|section| section == name))
    };
    if let Some(section) = sections.iter().find(|section| !opens(&section.name)) {
        return Err(Failure::input(format!("no clause of the policy opens {:?}", section.name))
            .because("nobody could ever open such a section")
            .next("name it in `sections` of a clause, or leave it out"));
    }
    let names: Vec<String> = sections.iter().map(|section| section.name.clone()).collect();
    let reach = command.node.reach()?;
    let (deposit, record, agents) = block_on(async {
        let (record, _) = own_record(&reach, &command.record).await?;
        let agents = agents_named(&reach, &command.agents, command.threshold).await?;
        let start = DepositStart {
            record_id: record.to_vec(),
            sections,
            agents: agents.iter().map(|(id, _)| id.to_vec()).collect(),
            threshold: command.threshold,
            policy: text,
        };
        let desk = reach.desk().await?;
        Ok((desk.deposit(start, documents).await?, record, agents))
    })?;
    let told: Vec<&str> = agents.iter().map(|(_, name)| name.as_str()).collect();
    let text = format!(
        "Deposit {} of record {}: {}\nShares go to {} as soon as their nodes are there; {} of them open it\n\
         `heatmark escrow status` shows who has signed\n",
        words::short(&deposit),
        words::short(&record),
        names.join(", "),
        told.join(", "),
        command.threshold,
    );
    let json = json!({
        "deposit": hex::encode(deposit),
        "record_id": hex::encode(record),
        "sections": names,
        "agents": agents.iter().map(|(id, _)| hex::encode(id)).collect::<Vec<_>>(),
        "threshold": command.threshold,
    });
    Ok(Answer::yes(json, text))
}

/// Sections as `NAME=FIELD,FIELD`; one that is named twice has the fields of both.
fn sections(given: &[String]) -> Result<Vec<DepositSection>, Failure> {
    let mut sections: Vec<DepositSection> = Vec::new();
    for text in given {
        let (name, fields) = text.split_once('=').unwrap_or((text, ""));
        let fields = fields.split(',').map(str::trim).filter(|field| !field.is_empty());
        let fields: Vec<String> = fields.map(str::to_owned).collect();
        if name.trim().is_empty() || fields.is_empty() {
            return Err(Failure::input(format!("{text:?} is no section"))
                .next("write its name, =, and its fields: assay='chemistry/*,mechanical/*'"));
        }
        match sections.iter_mut().find(|section| section.name == name.trim()) {
            Some(section) => section.fields.extend(fields),
            None => sections.push(DepositSection { name: name.trim().to_owned(), fields }),
        }
    }
    Ok(sections)
}

/// Documents as `SECTION=FILE`, `SECTION/NAME=FILE`, or with one section `NAME=FILE`.
fn documents(given: &[String], sections: &[DepositSection]) -> Result<Vec<DepositFile>, Failure> {
    let mut left = u64::try_from(MAX_DEPOSIT_BYTES).unwrap_or(u64::MAX);
    let mut documents: Vec<DepositFile> = Vec::new();
    for text in given {
        let (place, file) = text.split_once('=').ok_or_else(|| {
            Failure::input(format!("{text:?} is no document"))
                .next("write the section, =, and the file: report=test-report.pdf")
        })?;
        let file = Path::new(file);
        let (section, name) = placed(place, file, sections)?;
        let content = files::read(file, left)?;
        left = left.saturating_sub(u64::try_from(content.len()).unwrap_or(u64::MAX));
        if documents.iter().any(|known| known.section == section && known.name == name) {
            return Err(Failure::input(format!("section {section:?} has two documents {name:?}"))
                .next(format!("call one of them by another name: {section}/NAME=FILE")));
        }
        documents.push(DepositFile { section, name, content });
    }
    Ok(documents)
}

fn placed(
    place: &str,
    file: &Path,
    sections: &[DepositSection],
) -> Result<(String, String), Failure> {
    let known = |name: &str| sections.iter().any(|section| section.name == name);
    let own_name = || {
        let name = file.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        name.ok_or_else(|| {
            Failure::input(format!("{} has no name that can be given on", file.display()))
                .next("name it: --document SECTION/NAME=FILE")
        })
    };
    if known(place) {
        return Ok((place.to_owned(), own_name()?));
    }
    match (place.split_once('/'), sections) {
        (Some((section, name)), _) if known(section) && !name.is_empty() => {
            Ok((section.to_owned(), name.to_owned()))
        }
        (_, [only]) if !place.is_empty() => Ok((only.name.clone(), place.to_owned())),
        _ => Err(Failure::input(format!("{place:?} is no section of this deposit")).next(
            "write --document SECTION=FILE or SECTION/NAME=FILE with a --section of that name",
        )),
    }
}

pub(super) async fn agents_named(
    reach: &Reach,
    named: &[String],
    threshold: u32,
) -> Result<Vec<Agent>, Failure> {
    let ledger = reach.ledger().await?;
    let mut agents: Vec<Agent> = Vec::with_capacity(named.len());
    for text in named {
        let (id, state) = member::find(reach, &ledger, text).await?;
        let entry = state.entry.unwrap_or_default();
        let name = words::on_one_line(&entry.legal_name);
        if !may_hold(id == reach.member, entry.roles()) {
            return Err(Failure::no(format!("{name} is no escrow agent"))
                .because("its role escrow-agent has not been voted")
                .next("name another one; `heatmark member list` shows who has it"));
        }
        if agents.iter().any(|(known, _)| known == id.as_bytes()) {
            return Err(Failure::input(format!("{name} is named twice"))
                .next("an agent holds one share of each section"));
        }
        agents.push((*id.as_bytes(), name));
    }
    let enough = usize::try_from(threshold).is_ok_and(|needed| needed <= agents.len());
    if enough && agents.len() <= 32 {
        Ok(agents)
    } else {
        Err(Failure::input("so many agents cannot be needed")
            .because(format!("{} are named, and {} are to open", agents.len(), threshold))
            .next("name 1 to 32 agents, and as --threshold no more than there are"))
    }
}

/// Who may hold shares: whose role says so, and the owner itself, which keeps what it has anyway.
fn may_hold(owner: bool, mut roles: impl Iterator<Item = Role>) -> bool {
    owner || roles.any(|role| role == Role::EscrowAgent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_needs_no_role_to_be_its_own_agent_and_others_do() {
        let [supplier, agent] = [Role::Supplier, Role::EscrowAgent];
        assert!(may_hold(true, [supplier].into_iter()));
        assert!(may_hold(true, [].into_iter()));
        assert!(may_hold(false, [supplier, agent].into_iter()));
        assert!(!may_hold(false, [supplier, Role::Lab, Role::Regulator].into_iter()));
        assert!(!may_hold(false, [].into_iter()));
    }

    fn two() -> Vec<DepositSection> {
        sections(&["assay=chemistry/*, mechanical/*".to_owned(), "report=documents/*".to_owned()])
            .expect("sections")
    }

    #[test]
    fn sections_are_names_with_fields_or_refused() {
        let named: Vec<(String, Vec<String>)> =
            two().into_iter().map(|section| (section.name, section.fields)).collect();
        let fields = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let expected: Vec<(String, Vec<String>)> = vec![
            ("assay".to_owned(), fields(&["chemistry/*", "mechanical/*"])),
            ("report".to_owned(), fields(&["documents/*"])),
        ];
        assert_eq!(named, expected);
        for text in ["assay", "assay=", "assay=,", "=chemistry/*", ""] {
            assert!(sections(&[text.to_owned()]).is_err(), "{text}");
        }
    }

    #[test]
    fn documents_go_to_the_section_that_is_meant() {
        let file = Path::new("scans/charpy.pdf");
        let at = |place: &str, sections: &[DepositSection]| placed(place, file, sections).ok();
        let pair = |section: &str, name: &str| Some((section.to_owned(), name.to_owned()));
        assert_eq!(at("report", &two()), pair("report", "charpy.pdf"));
        assert_eq!(at("report/test", &two()), pair("report", "test"));
        assert_eq!(at("test", &two()), None);
        assert_eq!(at("other/test", &two()), None);
        assert_eq!(at("report/", &two()), None);
        let one = sections(&["report=documents/*".to_owned()]).expect("a section");
        assert_eq!(at("test", &one), pair("report", "test"));
        assert_eq!(at("", &one), None);
    }
}
