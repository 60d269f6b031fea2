//! `heatmark evidence`: proof that a validator signed two things where it may sign one. Listed and
//! exported from a node or from a stopped node's database, verified anywhere: verification opens no
//! connection and reads nothing but the files named.

use super::answer::{Answer, Exit, table};
use super::connect::{NodeArgs, block_on};
use super::failure::Failure;
use super::place::read_signed_genesis;
use super::receipt::{graver, trust_root};
use super::words;
use crate::files;
use clap::{Args, Subcommand};
use heatmark_client::Accusation;
use heatmark_ledger::Hash;
use heatmark_ledger::evidence::{self, Equivocation, MAX_EVIDENCE_BYTES, Statement, Verified};
use heatmark_ledger::genesis::Genesis;
use heatmark_ledger::ids::Height;
use heatmark_ledger::receipt::TrustRoot;
use heatmark_store::{Store, StoreOptions};
use prost::Message as _;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// What to do with evidence.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Lists the evidence that a node keeps
    #[command(
        after_help = "Example:\n  heatmark evidence list --home forge\n  heatmark evidence list --data forge/data/log --genesis genesis.note    (offline, node stopped)\nExits with 0 whether or not there is any."
    )]
    List(List),
    /// Writes one piece of evidence to a file that anybody can verify
    #[command(
        after_help = "Example:\n  heatmark evidence export --home forge 5d0c77a1 --out lab.evidence\nThe file holds everything that a third party with the genesis file needs."
    )]
    Export(Export),
    /// Verifies evidence offline
    #[command(
        after_help = "Example:\n  heatmark evidence verify --genesis genesis.note lab.evidence\n  heatmark evidence verify --trust pinned.header lab.evidence\nExit codes: 0 all proved, 1 one refused, 2 one unreadable, 3 one older than the trust root.\nNeeds no node and no network."
    )]
    Verify(Verify),
}

/// Where evidence is kept.
#[derive(Debug, Args)]
pub(crate) struct Source {
    #[command(flatten)]
    node: NodeArgs,
    /// Reads the database of a stopped node instead of asking a running one; needs --genesis
    #[arg(long, value_name = "DIR", requires = "genesis")]
    data: Option<PathBuf>,
}

/// `evidence list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    source: Source,
}

/// `evidence export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    source: Source,
    /// The evidence's id, or its beginning, as `heatmark evidence list` shows it
    #[arg(value_name = "ID")]
    id: String,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// `evidence verify`.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// A signed genesis file, or a header that `heatmark receipt pin` wrote
    #[arg(long, alias = "genesis", value_name = "GENESIS|PIN")]
    trust: PathBuf,
    /// Evidence
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(crate) fn run(command: Command) -> Result<Answer, Failure> {
    match command {
        Command::List(command) => list(&command),
        Command::Export(command) => export(&command),
        Command::Verify(command) => verify(&command),
    }
}

fn id_of(equivocation: &Equivocation) -> Hash {
    heatmark_merkle::tag::hash("evidence", &[&equivocation.to_proto().encode_to_vec()])
}

impl Source {
    fn read(&self) -> Result<Vec<Accusation>, Failure> {
        match &self.data {
            Some(data) => offline(data, self.node.genesis_flag()),
            None => {
                let reach = self.node.reach()?;
                block_on(async { Ok(reach.ledger().await?.evidence().await?) })
            }
        }
    }
}

fn offline(data: &Path, genesis: Option<&Path>) -> Result<Vec<Accusation>, Failure> {
    let genesis = genesis.ok_or_else(|| Failure::input("--data needs --genesis"))?;
    let genesis = read_signed_genesis(genesis)?;
    if !data.join("CURRENT").is_file() {
        return Err(Failure::input(format!("{} holds no log", data.display()))
            .next("name the directory data/log of a node's home"));
    }
    let unread = |error| {
        Failure::unknown("the database cannot be read")
            .because(error)
            .next("stop the node first: one process at a time may open it")
    };
    let store = Store::open(data, &genesis, &StoreOptions::default()).map_err(unread)?;
    let trust = TrustRoot::from_genesis(&genesis);
    let mut all = Vec::new();
    for equivocation in store.evidence().map_err(unread)? {
        let evidence = store.portable_evidence(&equivocation, Height(0)).map_err(unread)?;
        let verified = evidence::verify(&evidence, &trust).map_err(|error| {
            Failure::no("the database holds evidence that proves nothing")
                .because(error)
                .next("do not rely on this database; check the disk")
        })?;
        all.push(Accusation { evidence, verified });
    }
    Ok(all)
}

fn list(command: &List) -> Result<Answer, Failure> {
    let all = command.source.read()?;
    if all.is_empty() {
        let text = "No validator is known to have signed twice.\n";
        return Ok(Answer::yes(json!({ "evidence": [] }), text));
    }
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|accusation| {
            let equivocation = &accusation.verified.equivocation;
            vec![
                words::short(&id_of(equivocation).0),
                equivocation.height.to_string(),
                equivocation.round.to_string(),
                plural(equivocation.statement).to_owned(),
                offender(&accusation.verified, None),
            ]
        })
        .collect();
    let json: Vec<Value> = all.iter().map(|accusation| said(&accusation.verified, None)).collect();
    let text = table(&["ID", "HEIGHT", "ROUND", "SIGNED", "BY"], &rows);
    Ok(Answer::yes(json!({ "evidence": json }), text))
}

fn export(command: &Export) -> Result<Answer, Failure> {
    let wanted = command.id.to_lowercase();
    let all = command.source.read()?;
    let mut found = all.iter().filter(|accusation| {
        !wanted.is_empty()
            && id_of(&accusation.verified.equivocation).to_string().starts_with(&wanted)
    });
    let accusation = match (found.next(), found.next()) {
        (Some(accusation), None) => accusation,
        (Some(_), Some(_)) => {
            return Err(Failure::input(format!("{wanted} is the beginning of several ids"))
                .next("give more digits; `heatmark evidence list` shows them"));
        }
        (None, _) => {
            return Err(Failure::no(format!("this node keeps no evidence {wanted}"))
                .next("`heatmark evidence list` shows what it keeps"));
        }
    };
    files::replace(&command.out, &accusation.evidence.encode_to_vec(), files::PUBLIC)?;
    let mut json = said(&accusation.verified, None);
    if let Value::Object(fields) = &mut json {
        fields.insert("file".to_owned(), json!(command.out));
    }
    let text =
        format!("{}Evidence in  {}\n", sentence(&accusation.verified, None), command.out.display());
    Ok(Answer::yes(json, text))
}

fn verify(command: &Verify) -> Result<Answer, Failure> {
    let (kind, trust) = trust_root(&command.trust)?;
    let genesis = (kind == "genesis").then(|| read_signed_genesis(&command.trust)).transpose()?;
    let (mut rows, mut text, mut worst) = (Vec::new(), String::new(), Exit::Yes);
    for path in &command.files {
        let (exit, row, line) = verify_one(path, &trust, genesis.as_ref());
        worst = graver(worst, exit);
        rows.push(row);
        text.push_str(&line);
    }
    let json = json!({
        "ok": worst == Exit::Yes,
        "trust": { "file": command.trust, "kind": kind, "height": trust.height, "network": trust.network },
        "evidence": rows,
    });
    Ok(Answer::of(worst, json, text))
}

fn verify_one(path: &Path, trust: &TrustRoot, genesis: Option<&Genesis>) -> (Exit, Value, String) {
    let shown = path.display();
    let limit = u64::try_from(MAX_EVIDENCE_BYTES).unwrap_or(u64::MAX);
    let bytes = match files::read(path, limit) {
        Ok(bytes) => bytes,
        Err(error) => {
            let row = json!({ "file": path, "verdict": "unreadable", "why": error.to_string() });
            return (Exit::Input, row, format!("unreadable   {error}\n"));
        }
    };
    match evidence::verify_bytes(&bytes, trust) {
        Ok(verified) => {
            let row =
                json!({ "file": path, "verdict": "proved", "evidence": said(&verified, genesis) });
            (Exit::Yes, row, format!("proved       {shown}\n{}", sentence(&verified, genesis)))
        }
        Err(error) => {
            let (exit, verdict) = if error.cannot_tell() {
                (Exit::Unknown, "cannot-tell")
            } else {
                (Exit::No, "refused")
            };
            let row = json!({ "file": path, "verdict": verdict, "code": error.code(), "why": error.to_string() });
            let word = if exit == Exit::Unknown { "cannot tell " } else { "refused     " };
            (exit, row, format!("{word} {shown}: {error}\n"))
        }
    }
}

fn plural(statement: Statement) -> &'static str {
    match statement {
        Statement::Prevote => "two prevotes",
        Statement::Precommit => "two precommits",
        Statement::Proposal => "two proposals",
    }
}

/// The founder that holds a consensus key from the beginning.
fn founder(verified: &Verified, genesis: Option<&Genesis>) -> Option<(String, String)> {
    let key = verified.equivocation.validator;
    let (id, entry) =
        genesis?.founders().find(|(_, entry)| entry.keys.iter().any(|held| held.key == key))?;
    Some((entry.legal_name.clone(), id.to_string()))
}

fn offender(verified: &Verified, genesis: Option<&Genesis>) -> String {
    let key = words::short(&verified.equivocation.validator);
    match (&verified.holder, founder(verified, genesis)) {
        (Some(holder), _) => {
            let name = holder.legal_name.as_deref().unwrap_or("member");
            format!("{name} ({})", words::short(holder.member.as_bytes()))
        }
        (None, Some((name, id))) => format!("{name} ({})", id.get(..12).unwrap_or(&id)),
        (None, None) => format!("the holder of consensus key {key}…"),
    }
}

fn says(equivocation: &Equivocation) -> String {
    let each = equivocation.signed().each_ref().map(|signed| {
        let value = signed.value.map_or_else(
            || "for nil".to_owned(),
            |hash| format!("for block {}…", words::short(hash.as_bytes())),
        );
        match (equivocation.statement, signed.lock_round) {
            (Statement::Proposal, Some(round)) => format!("{value} locked in round {round}"),
            (Statement::Proposal, None) => format!("{value} freshly"),
            _ => value,
        }
    });
    each.join(" and ")
}

/// What evidence proves, for people.
fn sentence(verified: &Verified, genesis: Option<&Genesis>) -> String {
    let equivocation = &verified.equivocation;
    let heights: Vec<String> = verified.validator_at.iter().map(Height::to_string).collect();
    let registered = match &verified.holder {
        None => String::new(),
        Some(holder) => format!(
            "; the registry at block {} holds it valid from height {}{}",
            holder.as_of,
            holder.valid_from,
            holder.valid_to.map_or_else(String::new, |to| format!(" to {}", to.previous())),
        ),
    };
    format!(
        "             {} signed {} at height {}, round {}: {}.\n             Its consensus key {}… voted at heights {} as far as the file shows, with {} of {} of the power{}.\n",
        offender(verified, genesis),
        plural(equivocation.statement),
        equivocation.height,
        equivocation.round,
        says(equivocation),
        words::short(&equivocation.validator),
        heights.join(", "),
        verified.power,
        verified.total_power,
        registered,
    )
}

/// What evidence proves, for machines.
fn said(verified: &Verified, genesis: Option<&Genesis>) -> Value {
    let equivocation = &verified.equivocation;
    let statement = match equivocation.statement {
        Statement::Prevote => "prevote",
        Statement::Precommit => "precommit",
        Statement::Proposal => "proposal",
    };
    let founder = founder(verified, genesis);
    let holder = verified.holder.as_ref();
    let member = holder.map(|h| h.member.to_string()).or(founder.clone().map(|f| f.1));
    let name = holder.and_then(|h| h.legal_name.clone()).or(founder.map(|f| f.0));
    json!({
        "id": id_of(equivocation),
        "validator": hex::encode(equivocation.validator),
        "height": equivocation.height,
        "round": equivocation.round,
        "statement": statement,
        "signed": equivocation.signed().each_ref().map(|signed| json!({
            "value": signed.value,
            "lock_round": signed.lock_round,
        })),
        "power": verified.power,
        "total_power": verified.total_power,
        "validator_at": verified.validator_at,
        "member": member,
        "legal_name": name,
        "key_valid_from": holder.map(|h| h.valid_from),
        "key_valid_to": holder.and_then(|h| h.valid_to),
        "registry_height": holder.map(|h| h.as_of),
    })
}
