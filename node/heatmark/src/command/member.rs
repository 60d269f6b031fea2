//! `heatmark member`: the registry, and proposals to change it. Refuses to propose a member whose
//! own keys have not signed for it.

mod join;
mod prepared;
mod turn;

use super::answer::{Answer, table};
use super::connect::{NodeArgs, Reach, block_on};
use super::failure::Failure;
use super::words;
use crate::files;
use clap::{Args, Subcommand};
use heatmark_client::{LedgerClient, Proven};
use heatmark_ledger::genesis::{role_from_name, role_name};
use heatmark_ledger::ids::{Height, MemberId};
use heatmark_ledger::messages as pb;
use pb::body::Payload;
use pb::propose::Action;
use rand::TryRng;
use rand::rngs::SysRng;
use serde_json::{Value, json};
use std::path::PathBuf;

/// What to do with members.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists the members of the network, proved from genesis
    #[command(after_help = "Example:\n  heatmark member list --home mill")]
    List(List),
    /// Shows one member's entry and keys
    #[command(
        after_help = "Example:\n  heatmark member show --home mill f300b1\n  heatmark member show --home mill 'Norra Stål AB'"
    )]
    Show(Named),
    /// Proposes a new member, in three steps: --prepare here, cosign there, --submit here
    #[command(
        after_help = "Example:\n  heatmark member add lab/entry.json --prepare lab.body --home mill       (any member)\n  heatmark member cosign lab.body --home lab --genesis genesis.note       (the new one)\n  heatmark member add --submit lab.body --cosignatures lab.body.cosignatures --home mill\nThe signatures stand for one body with one time window, ten minutes by default: use\n--starts-in-minutes when the new member needs longer. Then members vote: heatmark vote"
    )]
    Add(join::Add),
    /// Signs a prepared transaction, offline: a newcomer with its own keys, a member with its root key
    #[command(
        after_help = "Example:\n  heatmark member cosign lab.body --home lab --genesis genesis.note\n  heatmark member cosign turn.body --root-key /media/safe/root.key --genesis genesis.note"
    )]
    Cosign(prepared::Cosign),
    /// Submits a transaction that was prepared, with what others signed for it
    #[command(
        after_help = "Example:\n  heatmark member submit turn.body --cosignatures turn.body.cosignatures --home mill"
    )]
    Submit(prepared::Submit),
    /// Replaces one of this organisation's own keys: signing, p2p, envelope or consensus
    #[command(
        after_help = "Example:\n  heatmark member rotate signing --home mill --root-key /media/safe/root.key\nThe root key on a machine without network:\n  heatmark member rotate signing --prepare turn.body --home mill\n  heatmark member cosign turn.body --root-key root.key --genesis genesis.note     (there)\n  heatmark member submit turn.body --cosignatures turn.body.cosignatures --home mill\nThe new key lies in keys/ before anybody hears of it, and the running node takes it up by itself.\nA consensus key votes only once a vote has moved the power to it: heatmark member power"
    )]
    Rotate(turn::Rotate),
    /// Leaves the network for good; nothing that stands on the log is touched
    #[command(
        after_help = "Example:\n  heatmark member leave --home lab --root-key /media/safe/root.key\nA validator gives up its power first: heatmark member power LAB 0. With --prepare the root key\nsigns elsewhere, as for `heatmark member rotate`."
    )]
    Leave(turn::Leave),
    /// Proposes a new root key for a member that lost its own
    #[command(
        after_help = "Example:\n  heatmark keys root --out new-root.key                       (the member that lost its own)\n  heatmark member replace-root LAB --key HEX --prepare new.body --home mill\n  heatmark member cosign new.body --root-key new-root.key --genesis genesis.note\n  heatmark member submit new.body --cosignatures new.body.cosignatures --home mill\nThen members vote: heatmark vote"
    )]
    ReplaceRoot(turn::ReplaceRoot),
    /// Proposes other roles for a member; whether it is a validator is a matter of its keys
    #[command(
        after_help = "Example:\n  heatmark member roles --home mill f300b1 --role supplier --role lab"
    )]
    Roles(Roles),
    /// Proposes to suspend a member: it may no longer anchor or vote
    #[command(
        after_help = "Example:\n  heatmark member suspend --home mill f300b1 --reason 'key lost'\nThe reason stays with you: only a salted digest of it goes on the log."
    )]
    Suspend(Reasoned),
    /// Proposes to let a suspended member back
    #[command(
        after_help = "Example:\n  heatmark member reinstate --home mill f300b1 --reason 'key rotated'"
    )]
    Reinstate(Reasoned),
    /// Proposes to give a member's consensus key a voting power; 0 takes it away
    #[command(after_help = "Example:\n  heatmark member power --home mill f300b1 2")]
    Power(Power),
}

/// `member list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    node: NodeArgs,
}

/// `member show`.
#[derive(Debug, Args)]
pub(crate) struct Named {
    #[command(flatten)]
    node: NodeArgs,
    /// Member id, its beginning, or the legal name
    #[arg(value_name = "MEMBER")]
    member: String,
}

/// `member suspend` and `member reinstate`.
#[derive(Debug, Args)]
pub(crate) struct Reasoned {
    #[command(flatten)]
    named: Named,
    /// Why; kept by you, salted and hashed for the log
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

/// `member roles`.
#[derive(Debug, Args)]
pub(crate) struct Roles {
    #[command(flatten)]
    named: Named,
    /// supplier, assembler, lab, escrow-agent or regulator; may be repeated
    #[arg(long = "role", required = true, value_name = "ROLE")]
    roles: Vec<String>,
}

/// `member power`.
#[derive(Debug, Args)]
pub(crate) struct Power {
    #[command(flatten)]
    named: Named,
    /// The voting power
    #[arg(value_name = "POWER")]
    power: u64,
}

pub(crate) fn run(command: Command) -> Result<Answer, Failure> {
    match command {
        Command::List(command) => list(&command),
        Command::Show(command) => show(&command),
        Command::Add(command) => join::add(&command),
        Command::Cosign(command) => prepared::cosign(&command),
        Command::Submit(command) => prepared::submit(&command),
        Command::Rotate(command) => turn::rotate(&command),
        Command::Leave(command) => turn::leave(&command),
        Command::ReplaceRoot(command) => turn::replace_root(&command),
        Command::Roles(command) => set_roles(&command),
        Command::Suspend(command) => reasoned(&command, Standing::Suspend),
        Command::Reinstate(command) => reasoned(&command, Standing::Reinstate),
        Command::Power(command) => power(&command),
    }
}

pub(super) type Registered = (MemberId, pb::MemberState);

fn list(command: &List) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let (height, members, validators) = block_on(async {
        let ledger = reach.ledger().await?;
        let (height, members) = proved_members(&reach, &ledger).await?;
        let validators = validators(&reach, &ledger).await?;
        Ok((height, members, validators))
    })?;
    let rows: Vec<Vec<String>> = members
        .iter()
        .map(|(id, state)| {
            let entry = state.entry.clone().unwrap_or_default();
            vec![
                words::short(&id.to_vec()),
                entry.legal_name.clone(),
                entry.country.clone(),
                roles(&entry).join(","),
                power_of(&entry, &validators).to_string(),
                words::status(state.status()).to_owned(),
            ]
        })
        .collect();
    let heading = ["MEMBER", "NAME", "COUNTRY", "ROLES", "POWER", "STATUS"];
    let text = format!("{}\nProved at block {height}.\n", table(&heading, &rows));
    let json = json!({
        "height": height,
        "members": members.iter().map(|(id, state)| described(id, state, &validators)).collect::<Vec<_>>(),
    });
    Ok(Answer::yes(json, text))
}

fn show(command: &Named) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let ((id, state), validators) = block_on(async {
        let ledger = reach.ledger().await?;
        let member = find(&reach, &ledger, &command.member).await?;
        Ok((member, validators(&reach, &ledger).await?))
    })?;
    let entry = state.entry.clone().unwrap_or_default();
    let mut text = format!(
        "{}\nMember   {id}\nCountry  {}\nRoles    {}\nPower    {}\nStatus   {} since block {}\n",
        entry.legal_name,
        entry.country,
        roles(&entry).join(", "),
        power_of(&entry, &validators),
        words::status(state.status()),
        state.since_height,
    );
    for identifier in &entry.identifiers {
        text.push_str(&format!("{:<8} {}\n", identifier.scheme, identifier.value));
    }
    let keys: Vec<Vec<String>> = entry
        .keys
        .iter()
        .map(|key| vec![key_role(key.role()).to_owned(), hex::encode(&key.key)])
        .collect();
    text.push_str(&format!("\n{}", table(&["KEY", "PUBLIC"], &keys)));
    Ok(Answer::yes(described(&id, &state, &validators), text))
}

/// The registry at the newest height; genesis before the first block.
pub(super) async fn proved_members(
    reach: &Reach,
    ledger: &LedgerClient,
) -> Result<(Height, Vec<Registered>), Failure> {
    match ledger.proved_members().await {
        Err(none) if none.is_not_found() => {
            let founders = reach.genesis.founders().map(|(id, entry)| {
                let state = pb::MemberState {
                    entry: Some(entry.clone()),
                    status: pb::MemberStatus::Active.into(),
                    since_height: 0,
                };
                (*id, state)
            });
            Ok((Height(0), founders.collect()))
        }
        other => Ok(other?),
    }
}

pub(super) async fn validators(
    reach: &Reach,
    ledger: &LedgerClient,
) -> Result<pb::ValidatorSet, Failure> {
    match ledger.header(None).await {
        Err(none) if none.is_not_found() => Ok(reach.genesis.validators().to_proto()),
        other => Ok(other?.next.to_proto()),
    }
}

/// A member by id, the beginning of one, or its legal name.
pub(super) async fn find(
    reach: &Reach,
    ledger: &LedgerClient,
    name: &str,
) -> Result<Registered, Failure> {
    let (_, members) = proved_members(reach, ledger).await?;
    let mut found = members.into_iter().filter(|(id, state)| {
        let legal_name = state.entry.as_ref().map(|entry| entry.legal_name.as_str());
        (name.len() >= 4 && id.to_string().starts_with(name)) || legal_name == Some(name)
    });
    match (found.next(), found.next()) {
        (Some(member), None) => Ok(member),
        (Some(_), Some(_)) => Err(Failure::input(format!("{name:?} means several members"))
            .next("give more digits of the id; `heatmark member list` shows them")),
        (None, _) => Err(Failure::no(format!("no member is {name:?}"))
            .next("`heatmark member list` shows them; give 4 digits of the id or more")),
    }
}

/// Which of the two proposals about a member's standing.
#[derive(Clone, Copy)]
enum Standing {
    Suspend,
    Reinstate,
}

fn reasoned(command: &Reasoned, standing: Standing) -> Result<Answer, Failure> {
    let reach = command.named.node.reach()?;
    let reason = Reason::new(&command.reason)?;
    let (proven, id) = block_on(async {
        let (member, _) = find(&reach, &reach.ledger().await?, &command.named.member).await?;
        let digest = reason.digest();
        let action = pb::MemberAction { member: member.to_vec(), reason_digest: digest };
        let action = match standing {
            Standing::Suspend => Action::Suspend(action),
            Standing::Reinstate => Action::Reinstate(action),
        };
        Ok((propose(&reach, action).await?, member))
    })?;
    let kept = reason.keep(&reach, &proven.verified.transaction_id.to_string())?;
    let mut answer = proposed(&proven);
    answer.text.push_str(&format!("The reason and its salt are kept in {}\n", kept.display()));
    if let Value::Object(fields) = &mut answer.json {
        fields.insert("member".to_owned(), json!(id));
        fields.insert("reason_file".to_owned(), json!(kept));
    }
    Ok(answer)
}

/// A reason with the salt that hides it behind its digest.
struct Reason {
    text: String,
    salt: [u8; 32],
}

impl Reason {
    fn new(text: &str) -> Result<Self, Failure> {
        if text.trim().is_empty() {
            return Err(Failure::input("the reason is empty").next("say why, for your own records"));
        }
        let mut salt = [0_u8; 32];
        SysRng.try_fill_bytes(&mut salt).map_err(|error| {
            Failure::unknown("the system gives no random numbers").because(error)
        })?;
        Ok(Self { text: text.to_owned(), salt })
    }

    fn digest(&self) -> Vec<u8> {
        heatmark_merkle::tag::hash("member-reason", &[&self.salt, self.text.as_bytes()]).0.to_vec()
    }

    /// Written beside the keys, for the day on which the reason is to be shown and proved.
    fn keep(&self, reach: &Reach, transaction: &str) -> Result<PathBuf, Failure> {
        let directory = reach.home.path().join("reasons");
        files::create_private_directory(&directory)?;
        let path = directory.join(format!("{transaction}.json"));
        let text = json!({ "transaction_id": transaction, "salt": hex::encode(self.salt), "reason": self.text });
        files::create(&path, format!("{text:#}\n").as_bytes(), files::PRIVATE)?;
        Ok(path)
    }
}

fn power(command: &Power) -> Result<Answer, Failure> {
    let reach = command.named.node.reach()?;
    let proven = block_on(async {
        let (member, state) = find(&reach, &reach.ledger().await?, &command.named.member).await?;
        let keys = state.entry.iter().flat_map(|entry| &entry.keys);
        let consensus = keys.into_iter().find(|key| key.role() == pb::KeyRole::Consensus);
        let consensus = consensus.ok_or_else(|| {
            Failure::no("the member has no consensus key").next(
                "it must enter the registry as a validator: heatmark keys generate --validator",
            )
        })?;
        let set = pb::SetValidator {
            member: member.to_vec(),
            consensus_key: consensus.key.clone(),
            power: command.power,
        };
        propose(&reach, Action::SetValidator(set)).await
    })?;
    Ok(proposed(&proven))
}

fn set_roles(command: &Roles) -> Result<Answer, Failure> {
    let mut roles = Vec::new();
    for name in &command.roles {
        let role = role_from_name(name).filter(|role| *role != pb::Role::Validator);
        let role = role.ok_or_else(|| {
            Failure::input(format!("{name:?} is no role to be given by vote"))
                .next("roles are supplier, assembler, lab, escrow-agent and regulator")
        })?;
        roles.push(i32::from(role));
    }
    roles.sort_unstable();
    roles.dedup();
    let reach = command.named.node.reach()?;
    let proven = block_on(async {
        let (member, _) = find(&reach, &reach.ledger().await?, &command.named.member).await?;
        propose(&reach, Action::SetRoles(pb::SetRoles { member: member.to_vec(), roles })).await
    })?;
    Ok(proposed(&proven))
}

pub(super) async fn propose(reach: &Reach, action: Action) -> Result<Proven, Failure> {
    let propose = pb::Propose { action: Some(action) };
    let body = pb::Body { payload: Some(Payload::Propose(propose)), ..pb::Body::default() };
    Ok(reach.desk().await?.sign_and_submit(body, Vec::new()).await?)
}

/// What people are told of a proposal that stands on the log.
pub(super) fn proposed(proven: &Proven) -> Answer {
    let id = proven.verified.transaction_id;
    let text = format!(
        "{}\nYour own approval counts with it. The others vote with:\n  heatmark vote {id} approve\n",
        words::verified_text(&proven.verified)
    );
    let json = json!({ "proposal": id, "receipt": words::verified(&proven.verified) });
    Answer::yes(json, text)
}

fn roles(entry: &pb::MemberEntry) -> Vec<&'static str> {
    entry.roles().map(role_name).collect()
}

fn power_of(entry: &pb::MemberEntry, validators: &pb::ValidatorSet) -> u64 {
    let consensus = entry.keys.iter().find(|key| key.role() == pb::KeyRole::Consensus);
    let found = consensus
        .and_then(|consensus| validators.validators.iter().find(|v| v.key == consensus.key));
    found.map_or(0, |validator| validator.power)
}

fn key_role(role: pb::KeyRole) -> &'static str {
    match role {
        pb::KeyRole::Unspecified => "unknown",
        pb::KeyRole::Root => "root",
        pb::KeyRole::Signing => "signing",
        pb::KeyRole::P2p => "p2p",
        pb::KeyRole::Envelope => "envelope",
        pb::KeyRole::Consensus => "consensus",
    }
}

fn described(id: &MemberId, state: &pb::MemberState, validators: &pb::ValidatorSet) -> Value {
    let entry = state.entry.clone().unwrap_or_default();
    json!({
        "member": id,
        "legal_name": entry.legal_name,
        "country": entry.country,
        "identifiers": entry.identifiers.iter().map(|i| json!({ "scheme": i.scheme, "value": i.value })).collect::<Vec<_>>(),
        "roles": roles(&entry),
        "power": power_of(&entry, validators),
        "status": words::status(state.status()),
        "since_height": state.since_height,
        "keys": entry.keys.iter().map(|key| json!({ "role": key_role(key.role()), "public": hex::encode(&key.key) })).collect::<Vec<_>>(),
    })
}
