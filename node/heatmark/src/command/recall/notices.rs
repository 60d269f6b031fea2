//! Notices to customers who have affected material: a text that a person can read, the same on paper, and as CSV. Refuses to overwrite
//! what stands in the directory already.

use super::{about, level_of};
use crate::command::answer::{Answer, table};
use crate::command::connect::{NodeArgs, block_on};
use crate::command::failure::Failure;
use crate::command::lot::quantity::mass_text;
use crate::command::lot::trace::named;
use crate::command::origin::cell;
use crate::command::words;
use crate::files;
use clap::Args;
use heatmark_client::{Affected, AffectedCustomer, Recall};
use heatmark_inspection::Letter;
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
        let letter = notice(command, recall, affected, customer);
        let text = plain(&letter);
        let pdf = letter.pdf(&[]).map_err(|error| Failure::input(error.to_string()))?;
        let csv = rows(recall, affected, customer);
        let forms: [(&str, &[u8]); 3] =
            [("txt", text.as_bytes()), ("csv", csv.as_bytes()), ("pdf", &pdf)];
        for (extension, content) in forms {
            let path = command.out.join(format!("{stem}.{extension}"));
            files::create(&path, content, 0o600)?;
            written.push(path.display().to_string());
        }
        if command.send && !customer.outside {
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

/// What a customer is told, once for all forms.
fn notice(
    command: &Notices,
    recall: &Recall,
    affected: &Affected,
    customer: &AffectedCustomer,
) -> Letter {
    let fact = |name: &str, value: String| (name.to_owned(), value);
    let mut facts = vec![
        fact("To", words::on_one_line(&customer.name)),
        fact("Concerns", about(recall)),
        fact("Issued by", words::on_one_line(&recall.issuer_name)),
        fact("Alert", hex::encode(&recall.subject)),
        fact("On the log", format!("block {}, entry {}", recall.height, recall.leaf)),
    ];
    if !command.reason.is_empty() {
        facts.push(fact("Reason", words::on_one_line(&command.reason)));
    }
    let lots = customer.lots.iter().filter_map(|place| usize::try_from(*place).ok());
    let rows = lots.filter_map(|place| affected.own.get(place)).map(|lot| {
        let (name, product) = (words::on_one_line(&lot.name), words::on_one_line(&lot.product));
        vec![name, product, mass_text(lot.mass_mg), lot.pieces.to_string()]
    });
    let mass = mass_text(customer.mass_mg);
    Letter {
        title: format!("NOTICE: {} of {}", level_of(recall).to_uppercase(), about(recall)),
        facts,
        heading: "We sent you these lots of this material, or of what was made of it:".to_owned(),
        columns: vec![("Lot", 30), ("Product", 38), ("Mass", 18), ("Pieces", 14)],
        rows: rows.collect(),
        remarks: vec![
            format!("Together {mass}, {} pieces.", customer.pieces),
            words::on_one_line(&command.demand),
            format!(
                "What stands against this material today is on the log: heatmark alert status {}",
                hex::encode(&recall.subject)
            ),
        ],
    }
}

fn plain(letter: &Letter) -> String {
    let mut text = format!("{}\n\n", letter.title);
    for (name, value) in &letter.facts {
        text.push_str(&format!("{name:<13}{value}\n"));
    }
    let heads: Vec<&str> = letter.columns.iter().map(|(head, _)| *head).collect();
    text.push_str(&format!("\n{}\n\n{}", letter.heading, table(&heads, &letter.rows)));
    for remark in &letter.remarks {
        text.push_str(&format!("\n{remark}\n"));
    }
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
