//! `heatmark escrow`: sections of own records deposited with agents, what is held for others, and what could be opened of
//! others' records. The node does it; nothing of a section is in plain anywhere but in the owner's vault.

mod deposit;
mod due;
mod lists;
mod offers;
mod order;
mod tend;

use super::answer::Answer;
use super::connect::NodeArgs;
use super::failure::Failure;
use super::words;
use clap::{ArgGroup, Args, Subcommand};
use heatmark_client::SectionView;
pub(crate) use offers::{clause_price, clause_text, others as others_records};
use serde_json::{Value, json};
use std::path::PathBuf;

/// What to do with deposits.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Deposits sections of an own record with agents: they open by the policy, whether or not you are there
    #[command(
        after_help = "Example:\n  heatmark escrow deposit --home mill --record 4c7e --policy policy.toml \\\n    --section assay='chemistry/*,mechanical/*' --section report=documents/test-report \\\n    --document report=test-report.pdf --agent 'Lab AB' --agent 'Lloyd AG' --agent 'Bank SA' --threshold 2\nA document belongs to a section with a field that names it by its digest. It is called by its file's\nname, or by another: --document report/charpy=IMG_2231.pdf. With one section its name may be left out.\nAgents get ciphertext and one share each; fewer than the threshold learn nothing, even together."
    )]
    Deposit(Deposit),
    /// Lists what you have deposited, and which agents have signed for it
    #[command(
        after_help = "Example:\n  heatmark escrow status --home mill\nAn agent is asked, answered, sent (shares and ciphertext are on their way), signed or destroyed."
    )]
    Status(Status),
    /// Gives your node documents that a deposit at publication waits for
    #[command(
        after_help = "Example:\n  heatmark escrow give --home mill --record 4c7e test-report.pdf\n`heatmark escrow status` tells which are wanted, and why a deposit is not made yet. `heatmark cert publish` gives those that stand\nbeside the certificate by itself."
    )]
    Give(Give),
    /// Shares a deposit anew among other agents; the record and what was encrypted stay as they are
    #[command(
        after_help = "Example:\n  heatmark escrow refresh --home mill --deposit 9b1c --agent 'Lab AB' --agent 'Bank SA' --agent 'Notary KG' --threshold 2\nThe old shares serve until you destroy the old deposit: `heatmark escrow destroy`, once `escrow status` says that all have signed."
    )]
    Refresh(Refresh),
    /// Has the agents of a deposit show that their shares and the ciphertext are alive
    #[command(
        after_help = "Example:\n  heatmark escrow drill --home mill --deposit 9b1c\nEach agent is asked for pieces that it cannot foresee. `escrow status` shows what came of it."
    )]
    Drill(Tend),
    /// Destroys a deposit: your secrets of it, and by their word the agents' shares
    #[command(
        after_help = "Example:\n  heatmark escrow destroy --home mill --deposit 9b1c\nNothing opens from then on; what buyers have opened stays theirs. It holds once all but fewer than the threshold have signed\nfor it: see `escrow status`. A record on hold, or to be kept, refuses it."
    )]
    Destroy(Tend),
    /// Lists what you hold shares of for others
    #[command(
        after_help = "Example:\n  heatmark escrow holdings --home lab\nA share is asked (a key was given for it), held (ciphertext is still on its way), signed or destroyed."
    )]
    Holdings(Holdings),
    /// Asks agents what you could open of a record, and under which conditions
    #[command(
        after_help = "Example:\n  heatmark escrow offers --record 4c7e… --home forge\n  heatmark escrow offers --lot RING-48 --home assembler\n  heatmark escrow offers --capsule ring-9.capsule --home assembler\nExits with 1 when nobody offers anything. Agents tell members that no clause lets in nothing at all."
    )]
    Offers(Offers),
    /// Orders sections to be opened to a member, as a regulator
    #[command(
        after_help = "Example:\n  heatmark escrow order --record 4c7e… --section assay --for 'Forge GmbH' --purpose audit --until 2027-03-31 --reason 'case 26-118' --out case.order --home authority\nGive the file to that member: heatmark deal open … --order case.order\nThe reason stays in your home's directory `reasons`; the order holds its salted digest."
    )]
    Order(Order),
}

/// `escrow deposit`.
#[derive(Debug, Args)]
pub(crate) struct Deposit {
    #[command(flatten)]
    node: NodeArgs,
    /// A record of your own node: its id or the beginning of it
    #[arg(long, value_name = "RECORD")]
    record: String,
    /// Who may open what, for what, at what price: TOML; see README.md, "Escrow"
    #[arg(long, value_name = "FILE")]
    policy: PathBuf,
    /// A section and its fields: paths, patterns (chemistry/*), profiles (origin, chemistry, mechanical, all)
    #[arg(long = "section", value_name = "NAME=FIELDS", required = true)]
    sections: Vec<String>,
    /// A document of a section
    #[arg(long = "document", value_name = "SECTION[/NAME]=FILE")]
    documents: Vec<String>,
    /// A member with the role escrow-agent, or you yourself: its id, the beginning of one, or its legal name; up to 32
    #[arg(long = "agent", value_name = "MEMBER", required = true)]
    agents: Vec<String>,
    /// How many of them it takes to open a section
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=32))]
    threshold: u32,
}

/// `escrow status`.
#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    node: NodeArgs,
}

/// `escrow give`.
#[derive(Debug, Args)]
pub(crate) struct Give {
    #[command(flatten)]
    node: NodeArgs,
    /// A record of your own node: its id or the beginning of it
    #[arg(long, value_name = "RECORD")]
    record: String,
    /// Documents that fields of it name by their digests
    #[arg(value_name = "FILE", required = true)]
    documents: Vec<PathBuf>,
}

/// `escrow refresh`.
#[derive(Debug, Args)]
pub(crate) struct Refresh {
    #[command(flatten)]
    tend: Tend,
    /// A member with the role escrow-agent, or you yourself: its id, the beginning of one, or its legal name; up to 32
    #[arg(long = "agent", value_name = "MEMBER", required = true)]
    agents: Vec<String>,
    /// How many of them it takes to open a section
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=32))]
    threshold: u32,
}

/// `escrow drill` and `escrow destroy`.
#[derive(Debug, Args)]
pub(crate) struct Tend {
    #[command(flatten)]
    node: NodeArgs,
    /// The deposit: its id or the beginning of it, as `escrow status` shows it
    #[arg(long, value_name = "DEPOSIT")]
    deposit: String,
}

/// `escrow holdings`.
#[derive(Debug, Args)]
pub(crate) struct Holdings {
    #[command(flatten)]
    node: NodeArgs,
}

/// `escrow offers`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("about").required(true)))]
pub(crate) struct Offers {
    #[command(flatten)]
    node: NodeArgs,
    /// Another's record, by its id
    #[arg(long, group = "about", value_name = "RECORD")]
    record: Option<String>,
    /// A lot of your own, by name: all records behind it that are others'
    #[arg(long, group = "about", value_name = "LOT")]
    lot: Option<String>,
    /// A capsule: all records in it that are others'
    #[arg(long, group = "about", value_name = "FILE")]
    capsule: Option<PathBuf>,
    /// How many seconds agents are waited for at most
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=20))]
    wait: u32,
}

/// `escrow order`.
#[derive(Debug, Args)]
pub(crate) struct Order {
    #[command(flatten)]
    node: NodeArgs,
    /// The record, by its id
    #[arg(long, value_name = "RECORD")]
    record: String,
    /// A section to be opened; may be repeated
    #[arg(long = "section", value_name = "NAME", required = true)]
    sections: Vec<String>,
    /// Who may open them: a member's id, the beginning of one, or its legal name
    #[arg(long = "for", value_name = "MEMBER")]
    member: String,
    /// For what
    #[arg(long, value_name = "TEXT")]
    purpose: String,
    /// The last day on which it orders anything, in UTC
    #[arg(long, value_name = "YYYY-MM-DD")]
    until: String,
    /// Why; kept by you, salted and hashed for the order
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The file to write; must not exist
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(crate) fn run(command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Deposit(command) => deposit::run(&command),
        Command::Status(command) => lists::status(&command),
        Command::Give(command) => due::give(&command),
        Command::Refresh(command) => tend::refresh(&command),
        Command::Drill(command) => tend::drill(&command),
        Command::Destroy(command) => tend::destroy(&command),
        Command::Holdings(command) => lists::holdings(&command),
        Command::Offers(command) => offers::run(&command),
        Command::Order(command) => order::run(&command),
    }
}

/// A section, for machines.
fn section_json(section: &SectionView) -> Value {
    json!({
        "name": section.name,
        "bytes": section.bytes,
        "fields": section.fields,
        "documents": section.documents.iter().map(|document| json!({
            "name": document.name, "bytes": document.bytes,
        })).collect::<Vec<_>>(),
    })
}

/// A section on one line, for people.
fn section_text(section: &SectionView) -> String {
    let mut parts = vec![match section.fields.len() {
        1 => "1 field".to_owned(),
        fields => format!("{fields} fields"),
    }];
    parts.extend(section.documents.iter().map(|document| {
        format!("{} ({} bytes)", words::on_one_line(&document.name), document.bytes)
    }));
    format!("  section {}: {}\n", words::on_one_line(&section.name), parts.join(", "))
}
