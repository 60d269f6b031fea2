//! Notices to customers who have affected material: a text that a person can read, and the same as CSV. Refuses to overwrite
//! what stands in the directory already.

use super::{about, level_of};
use crate::command::answer::Answer;
use crate::command::connect::{NodeArgs, block_on};
use crate::command::failure::Failure;
use crate::command::lot::quantity::mass_text;
use crate::command::lot::trace::named;
use crate::command::origin::cell;
use crate::command::words;
use crate::files;
use clap::Args;
use heatmark_client::{Affected, AffectedCustomer, Recall};
use serde_json::json;
use std::path::PathBuf;

/// `recall notices`.
#[derive(Debug, Args)]
pub(crate) struct Notices {
    #[command(flatten)]
    node: NodeArgs,
    /// The beginning of its subject or of the record's id, or the heat
    #[arg(value_name = "ALERT")]
    alert: String,
    /// The directory to write to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Posts each notice to the customer's node as well
    #[arg(long)]
    send: bool,
    /// Why, in your words; stands in the notices
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// What the customer is to do
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "Please take these lots out of use, keep them apart, and tell us what of them is left and where the rest went."
    )]
    demand: String,
}

pub(crate) fn run(command: &Notices) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let named = command.alert.clone();
    let detail = block_on(async { Ok(reach.desk().await?.recall(named).await?) })?;
    let (Some(recall), Some(affected)) = (&detail.recall, &detail.affected) else {
        return Err(Failure::input("the node knows nothing of this alert"));
    };
    std::fs::create_dir_all(&command.out).map_err(files::io_error(&command.out))?;
    let mut written = Vec::new();
    let mut sent = Vec::new();
    for customer in &affected.customers {
        let stem = format!(
            "recall-{}-{}",
            words::short(&recall.subject).trim_end_matches('…'),
            hex::encode(customer.member.get(..6).unwrap_or_default())
        );
        let text = notice(command, recall, affected, customer);
        for (extension, content) in
            [("txt", text.clone()), ("csv", rows(recall, affected, customer))]
        {
            let path = command.out.join(format!("{stem}.{extension}"));
            files::create(&path, content.as_bytes(), 0o600)?;
            written.push(path.display().to_string());
        }
        if command.send {
            let to = words::id(&hex::encode(&customer.member), "member id")?;
            let name = format!("{stem}.txt");
            block_on(async {
                let desk = reach.desk().await?;
                desk.send_letter(to, name, text.into_bytes()).await?;
                // One by one, so that what a break leaves is what was not sent.
                desk.customers_told(recall.subject.clone(), vec![customer.member.clone()]).await?;
                Ok(())
            })?;
            sent.push(words::on_one_line(&customer.name));
        }
    }
    let mut text = match affected.customers.len() {
        0 => "None of the affected material was sent to a customer.\n".to_owned(),
        count => format!("{count} notices in {}\n", command.out.display()),
    };
    if !sent.is_empty() {
        text.push_str(&format!("Sent to {}\n", sent.join(", ")));
    }
    Ok(Answer::yes(json!({ "files": written, "sent": sent }), text))
}

fn notice(
    command: &Notices,
    recall: &Recall,
    affected: &Affected,
    customer: &AffectedCustomer,
) -> String {
    let mut text = format!(
        "NOTICE: {} of {}\n\nTo           {}\nConcerns     {}, issued by {}\nAlert        {}\nOn the log   block {}, entry {}\n",
        level_of(recall).to_uppercase(),
        about(recall),
        words::on_one_line(&customer.name),
        about(recall),
        words::on_one_line(&recall.issuer_name),
        hex::encode(&recall.subject),
        recall.height,
        recall.leaf,
    );
    if !command.reason.is_empty() {
        text.push_str(&format!("Reason       {}\n", words::on_one_line(&command.reason)));
    }
    text.push_str("\nThese lots that we sent to you are made of this material, or of what was made of it:\n\n");
    for place in &customer.lots {
        let lot = usize::try_from(*place).ok().and_then(|place| affected.own.get(place));
        if let Some(lot) = lot {
            text.push_str(&format!(
                "  {}  {}  {}  {} pieces\n",
                words::on_one_line(&lot.name),
                words::on_one_line(&lot.product),
                mass_text(lot.mass_mg),
                lot.pieces,
            ));
        }
    }
    text.push_str(&format!(
        "\nTogether {}, {} pieces.\n\n{}\n\nWhat stands against this material today is on the log:\n  heatmark alert status {}\n",
        mass_text(customer.mass_mg),
        customer.pieces,
        words::on_one_line(&command.demand),
        hex::encode(&recall.subject),
    ));
    text
}

fn rows(recall: &Recall, affected: &Affected, customer: &AffectedCustomer) -> String {
    let mut text = "alert,level,heat,customer,lot,product,mass_mg,pieces\r\n".to_owned();
    let names = named(affected, &customer.lots);
    for (name, place) in names.iter().zip(&customer.lots) {
        let lot = usize::try_from(*place).ok().and_then(|place| affected.own.get(place));
        let Some(lot) = lot else { continue };
        text.push_str(&format!(
            "{},{},{},{},{},{},{},{}\r\n",
            hex::encode(&recall.subject),
            words::level(recall.level()),
            cell(&recall.heat),
            cell(&customer.name),
            cell(name),
            cell(&lot.product),
            lot.mass_mg,
            lot.pieces,
        ));
    }
    text
}
