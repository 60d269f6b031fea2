//! What people decide in a deal: owners, arbiters, and buyers who found something wrong.

use super::super::answer::{Answer, Exit};
use super::super::connect::block_on;
use super::super::failure::Failure;
use super::super::words;
use super::show::price;
use super::{One, Rule, find_as};
use heatmark_client::DealPart;
use serde_json::json;

pub(super) fn accept(command: &One) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let (id, view) = block_on(async {
        let desk = reach.desk().await?;
        let (id, view) = find_as(&desk, &command.deal, DealPart::Owner).await?;
        desk.accept_deal(id).await?;
        Ok((id, view))
    })?;
    let text = format!(
        "Deal {} of {} is accepted; that goes to the log now\n",
        words::short(&id),
        words::on_one_line(&view.buyer_name)
    );
    Ok(Answer::yes(json!({ "deal": hex::encode(id), "accepted": true }), text))
}

pub(super) fn fund(command: &One) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let (id, view) = block_on(async {
        let desk = reach.desk().await?;
        let (id, view) = find_as(&desk, &command.deal, DealPart::Arbiter).await?;
        desk.fund_deal(id).await?;
        Ok((id, view))
    })?;
    let text = format!(
        "You hold {} for deal {} of {}; that goes to the log now\n",
        price(&view),
        words::short(&id),
        words::on_one_line(&view.buyer_name)
    );
    let json = json!({
        "deal": hex::encode(id), "funded": true, "amount": view.amount, "currency": view.currency,
    });
    Ok(Answer::yes(json, text))
}

pub(super) fn confirm(command: &One) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let id = block_on(async {
        let desk = reach.desk().await?;
        let (id, _) = find_as(&desk, &command.deal, DealPart::Buyer).await?;
        desk.confirm_deal(id).await?;
        Ok(id)
    })?;
    let text = format!("Deal {} is confirmed; that goes to the log now\n", words::short(&id));
    Ok(Answer::yes(json!({ "deal": hex::encode(id), "confirmed": true }), text))
}

pub(super) fn dispute(command: &One) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let (id, view) = block_on(async {
        let desk = reach.desk().await?;
        let (id, view) = find_as(&desk, &command.deal, DealPart::Buyer).await?;
        desk.dispute_deal(id).await?;
        Ok((id, view))
    })?;
    let text = format!(
        "Deal {} is disputed: {}\nThe arbiter is shown what was found; `heatmark deal watch {}` tells how it rules\n",
        words::short(&id),
        words::on_one_line(&view.trouble_text),
        words::short(&id),
    );
    let json = json!({ "deal": hex::encode(id), "disputed": true, "trouble": view.trouble });
    Ok(Answer::yes(json, text))
}

pub(super) fn judge(command: &One) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let (id, found) = block_on(async {
        let desk = reach.desk().await?;
        let (id, _) = find_as(&desk, &command.deal, DealPart::Arbiter).await?;
        Ok((id, desk.judge_claim(id).await?))
    })?;
    let deal = words::short(&id);
    let json = json!({
        "deal": hex::encode(id),
        "found": found.as_ref().map(|found| json!({ "code": found.code, "founded": found.founded })),
    });
    Ok(match found {
        None => {
            let text = format!(
                "Ciphertext is on its way here; ask again in a moment: heatmark deal judge {deal}\n"
            );
            Answer::of(Exit::Unknown, json, text)
        }
        Some(found) if found.founded => Answer::yes(
            json,
            format!(
                "The buyer is right: {}\nNext: heatmark deal rule {deal} --refund --reason …\n",
                found.code
            ),
        ),
        Some(found) => Answer::of(
            Exit::No,
            json,
            format!(
                "The buyer's claim does not hold: {}\nNext: heatmark deal rule {deal} --pay-out --reason …\n",
                found.code
            ),
        ),
    })
}

pub(super) fn rule(command: &Rule) -> Result<Answer, Failure> {
    if command.reason.trim().is_empty() {
        return Err(Failure::input("the reason is empty").next("say why: both sides are told"));
    }
    let reach = command.one.node.reach()?;
    let id = block_on(async {
        let desk = reach.desk().await?;
        let (id, _) = find_as(&desk, &command.one.deal, DealPart::Arbiter).await?;
        desk.rule_deal(id, command.refund, command.reason.clone()).await?;
        Ok(id)
    })?;
    let whom = if command.refund { "buyer" } else { "owner" };
    let text = format!(
        "Deal {} is ruled for the {whom}; that goes to the log now, and both sides are told why\n",
        words::short(&id)
    );
    let json = json!({
        "deal": hex::encode(id), "refund": command.refund, "reason": command.reason,
    });
    Ok(Answer::yes(json, text))
}
