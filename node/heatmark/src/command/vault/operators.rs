//! Operators: keys that the node lets in beside its own, each for what was granted.

use super::super::answer::{Answer, table};
use super::super::connect::block_on;
use super::super::failure::Failure;
use super::super::words;
use super::{Grant, Key, Operators, Revoke};
use crate::keys::{self, KeyKind, SecretKey};
use heatmark_client::{Operator, OperatorRole};
use heatmark_vault::Role;
use serde_json::{Value, json};

pub(super) fn key(command: &Key) -> Result<Answer, Failure> {
    let key = SecretKey::generate(KeyKind::P2p)?;
    keys::write_one(&command.out, &key, &mut command.passphrase.source())?;
    let public = key.public().map(hex::encode).unwrap_or_default();
    let text = format!(
        "{} holds your key; keep it to yourself.\nPublic  {public}\nWhoever administers the node \
         lets it in:\n  heatmark vault grant {public} --name NAME --role ROLE\n",
        command.out.display()
    );
    Ok(Answer::yes(json!({ "file": command.out, "public": public }), text))
}

pub(super) fn list(command: &Operators) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let operators = block_on(async { Ok(reach.desk().await?.operators().await?) })?;
    let rows: Vec<Vec<String>> = operators
        .iter()
        .map(|operator| {
            vec![hex::encode(&operator.key), operator.name.clone(), names(operator).join(", ")]
        })
        .collect();
    let text = if rows.is_empty() {
        "Nobody but the holder of the home's own keys.\n".to_owned()
    } else {
        table(&["KEY", "NAME", "ROLES"], &rows)
    };
    let json = json!({ "operators": operators.iter().map(described).collect::<Vec<_>>() });
    Ok(Answer::yes(json, text))
}

pub(super) fn grant(command: &Grant) -> Result<Answer, Failure> {
    let mut roles = Vec::new();
    for name in &command.roles {
        let role = Role::of(name).ok_or_else(|| {
            Failure::input(format!("{name:?} is no role"))
                .next("give publish, inspect, alert or administer")
        })?;
        roles.push(i32::from(to_proto(role)));
    }
    roles.sort_unstable();
    roles.dedup();
    let operator = Operator {
        key: words::id(&command.key, "public key")?.to_vec(),
        name: command.name.clone(),
        roles,
    };
    let reach = command.node.reach()?;
    block_on(async { Ok(reach.desk().await?.grant(operator.clone()).await?) })?;
    let text = format!("{} may now: {}\n", operator.name, names(&operator).join(", "));
    Ok(Answer::yes(described(&operator), text))
}

pub(super) fn revoke(command: &Revoke) -> Result<Answer, Failure> {
    let key = words::id(&command.key, "public key")?;
    let reach = command.node.reach()?;
    block_on(async { Ok(reach.desk().await?.revoke(key).await?) })?;
    Ok(Answer::yes(json!({ "revoked": command.key }), format!("{} is shut out\n", command.key)))
}

fn to_proto(role: Role) -> OperatorRole {
    match role {
        Role::Publish => OperatorRole::Publish,
        Role::Inspect => OperatorRole::Inspect,
        Role::Alert => OperatorRole::Alert,
        Role::Administer => OperatorRole::Administer,
    }
}

fn names(operator: &Operator) -> Vec<&'static str> {
    Role::ALL
        .into_iter()
        .filter(|role| operator.roles.contains(&i32::from(to_proto(*role))))
        .map(Role::name)
        .collect()
}

fn described(operator: &Operator) -> Value {
    json!({
        "key": hex::encode(&operator.key),
        "name": operator.name,
        "roles": names(operator),
    })
}
