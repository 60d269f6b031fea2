//! `heatmark deal`: sections of others' records opened under what their owners ask for, and what owners and arbiters do in it.
//! A deal runs by the log's rules once it stands there: nodes take its steps by themselves but for acceptance by hand, payment
//! and rulings.

mod lengths;
mod open;
mod opened;
mod show;
mod steps;

use super::answer::Answer;
use super::connect::NodeArgs;
use super::failure::Failure;
use super::words;
use clap::{ArgGroup, Args, Subcommand};
use heatmark_client::{ClientError, DealPart, DealView, DeskClient};
use lengths::Within;
use std::path::PathBuf;

/// What to do with deals.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Opens sections of another's record under a clause that agents offer
    #[command(
        after_help = "Example:\n  heatmark deal open --record 4c7e… --clause Audit --purpose 'audit of order 4711' --home forge --wait\n  heatmark deal open --record 4c7e… --section assay --clause Premium --purpose resale --of '125000.00 EUR' --agreement nda.pdf --arbiter 'Bank SA' --home forge\n`heatmark escrow offers` tells the clauses. A paid deal goes on when its arbiter has the money.\nWith --wait: 0 opened, 1 it came to nothing, 3 it cannot be told yet."
    )]
    Open(Box<Open>),
    /// Lists the deals in which you have a part
    #[command(after_help = "Example:\n  heatmark deal list --home forge")]
    List(List),
    /// Tells how far a deal is
    #[command(after_help = "Example:\n  heatmark deal show 9f41 --home forge")]
    Show(One),
    /// Tells it now and whenever it changes, until the deal has ended
    #[command(
        after_help = "Example:\n  heatmark deal watch 9f41 --home forge\nExits with 0 when it is settled, with 1 when it expired or was refunded. With --json one line a change."
    )]
    Watch(One),
    /// Accepts a deal on what you have deposited, where the clause says by hand
    #[command(after_help = "Example:\n  heatmark deal accept 9f41 --home mill")]
    Accept(One),
    /// Says as the arbiter that the money is held
    #[command(
        after_help = "Example:\n  heatmark deal fund 9f41 --home bank\nThe log believes you: say it when the money is there. What to collect, pay out and refund stands in\nthe directory `outbox` of the vault, one file each."
    )]
    Fund(One),
    /// Confirms a deal of yours that was opened with --confirm-by-hand, so that it settles now
    #[command(
        after_help = "Example:\n  heatmark deal confirm 9f41 --home forge\nRead what was opened first: `heatmark deal sections`, `heatmark deal document`. Without a word of yours\nthe deal settles when its window ends."
    )]
    Confirm(One),
    /// Disputes a deal of yours, by what your node found wrong with it
    #[command(
        after_help = "Example:\n  heatmark deal dispute 9f41 --home forge\nThe node shows the arbiter what it found: bad shares, or a content that is not what the record says.\nRefused where it found nothing wrong."
    )]
    Dispute(One),
    /// Tells as the arbiter what the buyer's claim comes to
    #[command(
        after_help = "Example:\n  heatmark deal judge 9f41 --home bank\nExits with 0 when the buyer is right, with 1 when not, with 3 while ciphertext is on its way here."
    )]
    Judge(One),
    /// Rules a dispute as the arbiter
    #[command(
        after_help = "Example:\n  heatmark deal rule 9f41 --refund --reason 'the assay is not what the record says' --home bank\nBuyer and owner get the reason; the log holds its salted digest."
    )]
    Rule(Rule),
    /// Tells what a deal opened: fields, and the names of documents
    #[command(after_help = "Example:\n  heatmark deal sections 9f41 --home forge")]
    Sections(One),
    /// Writes a document that a deal opened
    #[command(
        after_help = "Example:\n  heatmark deal document 9f41 --section report --name test-report.pdf --out test-report.pdf --home forge"
    )]
    Document(Document),
}

/// `deal open`.
#[derive(Debug, Args)]
pub(crate) struct Open {
    #[command(flatten)]
    node: NodeArgs,
    /// Another's record, by its id
    #[arg(long, value_name = "RECORD")]
    record: String,
    /// A section; may be repeated [default: all that the clause opens]
    #[arg(long = "section", value_name = "NAME")]
    sections: Vec<String>,
    /// Under which clause, by its name
    #[arg(long, value_name = "NAME")]
    clause: String,
    /// For what; the owner sees it
    #[arg(long, value_name = "TEXT")]
    purpose: String,
    /// The agreement that the clause asks for: by this you agree to it
    #[arg(long, value_name = "FILE")]
    agreement: Option<PathBuf>,
    /// What a premium is a share of, such as '125000.00 EUR'; only the arbiter sees it
    #[arg(long, value_name = "AMOUNT")]
    of: Option<String>,
    /// Who holds the money [default: the first that the clause names]
    #[arg(long, value_name = "MEMBER")]
    arbiter: Option<String>,
    /// A regulator's order; may be repeated
    #[arg(long = "order", value_name = "FILE")]
    orders: Vec<PathBuf>,
    /// A settled deal of yours that covers this one
    #[arg(long, value_name = "DEAL")]
    standing: Option<String>,
    /// The inspection that asked for it, as `heatmark inspect --keep` named it; it is run again once the deal has opened
    #[arg(long, value_name = "INSPECTION")]
    inspection: Option<String>,
    /// The day on which what is opened is destroyed here, in UTC [default: as late as the clause allows]
    #[arg(long, value_name = "YYYY-MM-DD")]
    keep_until: Option<String>,
    #[command(flatten)]
    within: Within,
    /// Leaves it to you to confirm what was opened; else the node does, once all of it opens against the record
    #[arg(long)]
    confirm_by_hand: bool,
    /// Waits until the deal has opened, or come to nothing
    #[arg(long)]
    wait: bool,
}

/// `deal list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    node: NodeArgs,
}

/// One deal.
#[derive(Debug, Args)]
pub(crate) struct One {
    #[command(flatten)]
    node: NodeArgs,
    /// The deal's id, or 4 digits of its beginning or more
    #[arg(value_name = "DEAL")]
    deal: String,
}

/// `deal rule`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("ruling").required(true)))]
pub(crate) struct Rule {
    #[command(flatten)]
    one: One,
    /// For the buyer
    #[arg(long, group = "ruling")]
    refund: bool,
    /// For the owner
    #[arg(long, group = "ruling")]
    pay_out: bool,
    /// Why; buyer and owner are told
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// `deal document`.
#[derive(Debug, Args)]
pub(crate) struct Document {
    #[command(flatten)]
    one: One,
    /// The section
    #[arg(long, value_name = "NAME")]
    section: String,
    /// The document, as `heatmark deal sections` names it
    #[arg(long, value_name = "NAME")]
    name: String,
    /// The file to write; must not exist
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

pub(crate) fn run(command: Command, json: bool) -> Result<Answer, Failure> {
    match command {
        Command::Open(command) => open::run(&command),
        Command::List(command) => show::list(&command),
        Command::Show(command) => show::show(&command),
        Command::Watch(command) => show::watch(&command, json),
        Command::Accept(command) => steps::accept(&command),
        Command::Fund(command) => steps::fund(&command),
        Command::Confirm(command) => steps::confirm(&command),
        Command::Dispute(command) => steps::dispute(&command),
        Command::Judge(command) => steps::judge(&command),
        Command::Rule(command) => steps::rule(&command),
        Command::Sections(command) => opened::sections(&command),
        Command::Document(command) => opened::document(&command),
    }
}

/// A deal by the beginning of its id: the id, and what it is in every part that this organisation has.
async fn find(desk: &DeskClient, text: &str) -> Result<([u8; 32], Vec<DealView>), Failure> {
    let named = text.to_ascii_lowercase();
    if named.len() < 4 || !named.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(Failure::input(format!("{text:?} is no deal"))
            .because("a deal's id is hex, and at least 4 digits of it are given"));
    }
    let views = desk.deal(named).await.map_err(|error| {
        told(error, |why| {
            Failure::no(format!("no one deal is {text:?}"))
                .because(why)
                .next("`heatmark deal list` shows them")
        })
    })?;
    let id = views.first().and_then(|view| view.deal.as_slice().try_into().ok());
    Ok((id.unwrap_or_default(), views))
}

/// What the deal is in one part; refused where this organisation has no such part.
async fn find_as(
    desk: &DeskClient,
    text: &str,
    part: DealPart,
) -> Result<([u8; 32], DealView), Failure> {
    let (id, views) = find(desk, text).await?;
    let view = views.into_iter().find(|view| view.part() == part);
    let view = view.ok_or_else(|| {
        Failure::no(format!("you are not the {} in deal {}", part_name(part), words::short(&id)))
            .next(format!("`heatmark deal show {}` tells your part", words::short(&id)))
    })?;
    Ok((id, view))
}

/// A refusal in the node's own words, where what is missing is not missing on the log.
fn told(error: ClientError, failure: impl FnOnce(&str) -> Failure) -> Failure {
    match &error {
        ClientError::Refused { message, .. } if error.is_not_found() => failure(message),
        _ => error.into(),
    }
}

fn part_name(part: DealPart) -> &'static str {
    match part {
        DealPart::Unspecified => "party",
        DealPart::Buyer => "buyer",
        DealPart::Agent => "agent",
        DealPart::Arbiter => "arbiter",
        DealPart::Owner => "owner",
    }
}
