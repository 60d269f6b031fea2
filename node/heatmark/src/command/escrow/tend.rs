//! `heatmark escrow refresh`, `drill` and `destroy`: deposits over the years.

use super::super::answer::Answer;
use super::super::connect::{Reach, block_on};
use super::super::failure::Failure;
use super::super::words;
use super::deposit::agents_named;
use super::{Refresh, Tend};
use heatmark_client::{DestroyDeposit, DrillDeposit, RefreshDeposit, Tending};
use serde_json::json;

pub(super) fn refresh(command: &Refresh) -> Result<Answer, Failure> {
    let reach = command.tend.node.reach()?;
    let (old, deposit, agents) = block_on(async {
        let old = deposit_of(&reach, &command.tend.deposit).await?;
        let agents = agents_named(&reach, &command.agents, command.threshold).await?;
        let refresh = RefreshDeposit {
            agents: agents.iter().map(|(id, _)| id.to_vec()).collect(),
            threshold: command.threshold,
        };
        let desk = reach.desk().await?;
        let (deposit, _) = desk.tend_deposit(old, Tending::Refresh(refresh)).await?;
        Ok((old, deposit, agents))
    })?;
    let told: Vec<&str> = agents.iter().map(|(_, name)| name.as_str()).collect();
    let text = format!(
        "Deposit {} takes the place of {}: shares go to {}; {} of them open it\n\
         Once `heatmark escrow status` says that all have signed, destroy the old one: heatmark escrow destroy --deposit {}\n",
        words::short(&deposit),
        words::short(&old),
        told.join(", "),
        command.threshold,
        words::short(&old),
    );
    let json = json!({ "deposit": hex::encode(deposit), "before": hex::encode(old) });
    Ok(Answer::yes(json, text))
}

pub(super) fn drill(command: &Tend) -> Result<Answer, Failure> {
    let (deposit, agents) = tend(command, Tending::Drill(DrillDeposit {}))?;
    let text = format!(
        "{agents} agents of deposit {} are asked to show that shares and ciphertext are alive\n\
         `heatmark escrow status` shows what comes of it\n",
        words::short(&deposit)
    );
    Ok(Answer::yes(json!({ "deposit": hex::encode(deposit), "agents": agents }), text))
}

pub(super) fn destroy(command: &Tend) -> Result<Answer, Failure> {
    let (deposit, agents) = tend(command, Tending::Destroy(DestroyDeposit {}))?;
    let text = format!(
        "The secrets of deposit {} are destroyed here; {agents} agents are asked to destroy their shares\n\
         `heatmark escrow status` shows who has signed for it\n",
        words::short(&deposit)
    );
    Ok(Answer::yes(json!({ "deposit": hex::encode(deposit), "agents": agents }), text))
}

fn tend(command: &Tend, what: Tending) -> Result<([u8; 32], u32), Failure> {
    let reach = command.node.reach()?;
    block_on(async {
        let deposit = deposit_of(&reach, &command.deposit).await?;
        Ok(reach.desk().await?.tend_deposit(deposit, what).await?)
    })
}

/// The one deposit whose id begins like this.
async fn deposit_of(reach: &Reach, named: &str) -> Result<[u8; 32], Failure> {
    let deposits = reach.desk().await?.deposits().await?;
    let mut meant = deposits.iter().filter(|row| hex::encode(&row.deposit).starts_with(named));
    match (meant.next(), meant.next()) {
        (Some(row), None) if !named.is_empty() => row.deposit.as_slice().try_into().map_err(|_| {
            Failure::no("the node names a deposit by something that is no id")
                .next("tell the node's operator")
        }),
        (None, _) => Err(Failure::input(format!("there is no deposit {named}"))
            .next("`heatmark escrow status` lists them")),
        _ => Err(Failure::input(format!("{named} is the beginning of more than one deposit"))
            .next("give more of its id")),
    }
}
