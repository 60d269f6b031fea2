//! `heatmark escrow order`: an order of a regulator in a file. Its reason is kept beside the keys, for the day on which it is to
//! be shown and proved.

use super::super::answer::Answer;
use super::super::connect::block_on;
use super::super::failure::Failure;
use super::super::{day, member, words};
use super::Order;
use crate::files;
use heatmark_client::SignOrderRequest;
use serde_json::json;

pub(super) fn run(command: &Order) -> Result<Answer, Failure> {
    if command.reason.trim().is_empty() {
        return Err(Failure::input("the reason is empty").next("say why, for your own records"));
    }
    let record = words::id(&command.record, "record")?;
    let last_day = day::beginning_ms(&command.until).ok_or_else(|| {
        Failure::input(format!("{:?} is no date", command.until)).next("write it as 2027-03-31")
    })?;
    let until_ms = last_day.saturating_add(day::DAY_MS);
    let reach = command.node.reach()?;
    let (name, signed) = block_on(async {
        let ledger = reach.ledger().await?;
        let (member, state) = member::find(&reach, &ledger, &command.member).await?;
        let name = state.entry.map(|entry| entry.legal_name).unwrap_or_default();
        let request = SignOrderRequest {
            record_id: record.to_vec(),
            sections: command.sections.clone(),
            member: member.to_vec(),
            purpose: command.purpose.clone(),
            reason: command.reason.clone(),
            until_ms,
        };
        Ok((name, reach.desk().await?.sign_order(request).await?))
    })?;
    let digest = hex::encode(&signed.reason_digest);
    let directory = reach.home.path().join("reasons");
    files::create_private_directory(&directory)?;
    let kept = directory.join(format!("{digest}.json"));
    let reason = json!({
        "reason_digest": digest, "salt": hex::encode(&signed.salt), "reason": command.reason,
    });
    files::create(&kept, format!("{reason:#}\n").as_bytes(), files::PRIVATE)?;
    files::create(&command.out, &signed.order, files::PRIVATE)?;
    let text = format!(
        "Ordered until {}: {} of record {} to {}, for {}\nWritten to {}: give it to them\n\
         The reason and its salt are kept in {}\n",
        command.until,
        command.sections.join(", "),
        words::short(&record),
        words::on_one_line(&name),
        words::on_one_line(&command.purpose),
        command.out.display(),
        kept.display(),
    );
    let json = json!({
        "file": command.out,
        "record_id": hex::encode(record),
        "sections": command.sections,
        "until_ms": until_ms,
        "reason_digest": digest,
        "reason_file": kept,
    });
    Ok(Answer::yes(json, text))
}
