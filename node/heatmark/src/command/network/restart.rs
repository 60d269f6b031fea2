//! `heatmark network restart`: when a third of the validators is lost for good, the members' root
//! keys put another set in their place, from the last certified block on. One document is prepared
//! at a node, passed round, signed offline, merged, and applied to every node. Refuses documents
//! that do not follow from genesis, and to sign or apply what it could not verify.

use super::super::answer::{Answer, grouped, table};
use super::super::connect::{NodeArgs, Reach, block_on};
use super::super::failure::Failure;
use super::super::member::{Registered, find, validators};
use super::super::place::{HomeArgs, PassphraseArgs, SettingArgs, read_signed_genesis};
use super::super::words;
use crate::config::{Config, era_directory};
use crate::files::{self, FileError};
use crate::home::Home;
use crate::keys::{self, KeyKind};
use clap::{Args, Subcommand};
use heatmark_client::LedgerClient;
use heatmark_consensus::begin_journal;
use heatmark_ledger::genesis::Genesis;
use heatmark_ledger::ids::MemberId;
use heatmark_ledger::messages as pb;
use heatmark_ledger::receipt::{ReceiptError, TrustRoot};
use heatmark_ledger::restart::{Draft, MAX_RESTART_BYTES, Standing};
use heatmark_ledger::validators::{Validator, ValidatorSet};
use heatmark_ledger::{state, wire};
use heatmark_store::{Applied, Store, StoreError, StoreOptions};
use prost::Message as _;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// What to do about a network that can decide no more.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Writes the document, at a node that holds the last certified block
    #[command(
        after_help = "Example:\n  heatmark log status --home mill --all forge regulator       (who has the highest block?)\n  heatmark network restart propose --home mill --lost LAB --lost ASSEMBLER --out restart.doc\nPrepare it at a node with the highest certified block that anybody holds: should a later one turn\nup, it contradicts the restart, and nodes that hold it refuse it. With --power a member gets a\nvote that had none, or another weight."
    )]
    Propose(Propose),
    /// Shows what a document restarts, and who has not signed
    #[command(
        after_help = "Example:\n  heatmark network restart show restart.doc --genesis genesis.note\nExits with 1 while fewer than two thirds of the active members have signed."
    )]
    Show(Show),
    /// Signs a document with this organisation's root key; needs no node and no network
    #[command(
        after_help = "Example:\n  heatmark network restart sign restart.doc --genesis genesis.note --root-key /media/safe/root.key\nRead the restart id aloud to the others first. Never sign two documents: that is evidence."
    )]
    Sign(Sign),
    /// Brings together signatures that members made on copies
    #[command(
        after_help = "Example:\n  heatmark network restart merge from-mill.doc from-forge.doc --genesis genesis.note --out restart.doc"
    )]
    Merge(Merge),
    /// Applies a signed document to the stopped node of a home, for good
    #[command(
        after_help = "Example:\n  heatmark network restart apply restart.doc --home mill      (while the node is stopped)\nEvery node needs it, also one that joins years later: it is kept in the node's database and in\nevery receipt that crosses it."
    )]
    Apply(Apply),
}

/// `network restart propose`.
#[derive(Debug, Args)]
pub(crate) struct Propose {
    #[command(flatten)]
    node: NodeArgs,
    /// A member whose validator is lost for good; may be repeated
    #[arg(long, value_name = "MEMBER", required = true)]
    lost: Vec<String>,
    /// Gives a member's registered consensus key this power; may be repeated
    #[arg(long, value_name = "MEMBER=POWER")]
    power: Vec<String>,
    /// The document to write; must not exist
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// `network restart show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The network's genesis file
    #[arg(long, value_name = "FILE")]
    genesis: PathBuf,
    /// The document
    #[arg(value_name = "DOCUMENT")]
    document: PathBuf,
}

/// `network restart sign`.
#[derive(Debug, Args)]
pub(crate) struct Sign {
    #[command(flatten)]
    home: HomeArgs,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// The root key, when it is not in the home
    #[arg(long, value_name = "FILE")]
    root_key: Option<PathBuf>,
    /// The network's genesis file [default: genesis.note in the home]
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
    /// The document; the signature is added to it
    #[arg(value_name = "DOCUMENT")]
    document: PathBuf,
}

/// `network restart merge`.
#[derive(Debug, Args)]
pub(crate) struct Merge {
    /// The network's genesis file
    #[arg(long, value_name = "FILE")]
    genesis: PathBuf,
    /// Copies of one document with different signatures
    #[arg(required = true, num_args = 1.., value_name = "DOCUMENT")]
    copies: Vec<PathBuf>,
    /// Where to write all signatures together
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// `network restart apply`.
#[derive(Debug, Args)]
pub(crate) struct Apply {
    #[command(flatten)]
    home: HomeArgs,
    #[command(flatten)]
    settings: SettingArgs,
    /// The document, with enough signatures
    #[arg(value_name = "DOCUMENT")]
    document: PathBuf,
}

pub(super) fn run(command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Propose(command) => propose(&command),
        Command::Show(command) => {
            let (_, draft) = read(&command.document, &command.genesis)?;
            let standing = standing(&draft)?;
            let json = described(&command.document, &draft, &standing);
            Ok(Answer::holds(standing.is_enough(), json, shown(&draft, &standing)))
        }
        Command::Sign(command) => sign(&command),
        Command::Merge(command) => merge(&command),
        Command::Apply(command) => apply(&command),
    }
}

fn propose(command: &Propose) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let document = block_on(prepare(&reach, command))?;
    let draft = reach.trust.verify_draft(document).map_err(refused)?;
    files::create(&command.out, &draft.document().encode_to_vec(), files::PUBLIC)?;
    let standing = standing(&draft)?;
    let out = command.out.display();
    let text = format!(
        "{}\nWritten to {out}. Compare with the others that nobody holds a later block:\n  \
         heatmark log status --all …\nThen pass it round; each signs, offline if it likes:\n  \
         heatmark network restart sign {out} --genesis GENESIS --root-key FILE\n",
        shown(&draft, &standing),
    );
    Ok(Answer::yes(described(&command.out, &draft, &standing), text))
}

async fn prepare(reach: &Reach, command: &Propose) -> Result<pb::RestartDocument, Failure> {
    let ledger = reach.ledger().await?;
    let last = ledger.header(None).await?;
    let height = last.header.height;
    let next = wanted_set(reach, &ledger, command).await?;
    let (members, members_state) = ledger.state_proof(&state::members_key(), Some(height)).await?;
    let value = members_state.value.unwrap_or_default();
    let index: pb::MemberIndex = wire::decode(&value, usize::MAX)
        .map_err(|error| Failure::unknown("the list of members cannot be read").because(error))?;
    let mut entries = Vec::new();
    for member in index.members {
        let id = MemberId::try_from(member.as_slice())
            .map_err(|error| Failure::unknown("a member's id cannot be read").because(error))?;
        let (proved, _) = ledger.state_proof(&state::member_key(&id), Some(height)).await?;
        let (state, proof) = (proved.value, proved.proof);
        entries.push(pb::RestartMember { member, state, proof, signature: Vec::new() });
    }
    let restart = pb::Restart { members: value, members_proof: members.proof, entries };
    let change = pb::SetChange {
        header: Some(last.header.to_proto()),
        certificate: Some(last.certificate),
        next: Some(next.to_proto()),
        restart: Some(restart),
    };
    Ok(pb::RestartDocument { set_changes: last.set_changes, restart: Some(change) })
}

/// The set that stands, without the lost, with the powers asked for.
async fn wanted_set(
    reach: &Reach,
    ledger: &LedgerClient,
    command: &Propose,
) -> Result<ValidatorSet, Failure> {
    let invalid = |error| Failure::input("these validators make no set").because(error);
    let standing = ValidatorSet::from_proto(&validators(reach, ledger).await?).map_err(invalid)?;
    let mut wanted: Vec<Validator> = standing.validators().to_vec();
    for name in &command.lost {
        let lost = find(reach, ledger, name).await?;
        let before = wanted.len();
        let keys = all_consensus_keys(ledger, &lost, &wanted).await?;
        wanted.retain(|validator| !keys.contains(&validator.key.to_bytes()));
        if wanted.len() == before {
            return Err(Failure::input(format!("{name:?} has no vote that could be lost"))
                .next("`heatmark member list` shows who votes"));
        }
    }
    for power in &command.power {
        let (name, power) = power
            .split_once('=')
            .and_then(|(name, power)| Some((name, power.parse::<u64>().ok()?)))
            .ok_or_else(|| {
                Failure::input(format!("{power:?} gives nobody a power"))
                    .next("write MEMBER=POWER, for example --power forge=2")
            })?;
        let member = find(reach, ledger, name).await?;
        let keys = all_consensus_keys(ledger, &member, &wanted).await?;
        wanted.retain(|validator| !keys.contains(&validator.key.to_bytes()));
        let key = registered_key(&member)
            .and_then(|key| heatmark_ledger::keys::PublicKey::from_bytes(&key).ok());
        let key = key.ok_or_else(|| {
            Failure::input(format!("{name:?} has no consensus key in the registry"))
        })?;
        wanted.push(Validator { key, power });
    }
    ValidatorSet::new(wanted).map_err(invalid)
}

fn registered_key((_, state): &Registered) -> Option<Vec<u8>> {
    let keys = state.entry.iter().flat_map(|entry| &entry.keys);
    let key = keys.into_iter().find(|key| key.role() == pb::KeyRole::Consensus);
    key.map(|key| key.key.clone())
}

/// Keys of the set that are a member's, also one that it has rotated and that still votes.
async fn all_consensus_keys(
    ledger: &LedgerClient,
    (member, _): &Registered,
    set: &[Validator],
) -> Result<Vec<[u8; 32]>, Failure> {
    let mut keys = Vec::new();
    for validator in set {
        let found = ledger.state(&state::key_key(&validator.key.id()), None).await?;
        let owner = found.value.and_then(|v| wire::decode::<pb::KeyState>(&v, usize::MAX).ok());
        if owner.is_some_and(|key| key.member == member.to_vec()) {
            keys.push(validator.key.to_bytes());
        }
    }
    Ok(keys)
}

fn sign(command: &Sign) -> Result<Answer, Failure> {
    let home = command.home.home()?;
    let genesis = command.genesis.clone().unwrap_or_else(|| home.path().join("genesis.note"));
    let (_, mut draft) = read(&command.document, &genesis)?;
    let path = command.root_key.clone().unwrap_or_else(|| keys::key_path(&home, KeyKind::Root));
    let root = keys::load(&path, KeyKind::Root, &mut command.passphrase.source())?;
    let member = draft.sign(&root.signing_key()).map_err(|error| {
        Failure::no("this root key signs no restart of that network").because(error).next(
            "a key that was replaced, or a member that is suspended or has left, does not count",
        )
    })?;
    let bytes = draft.document().encode_to_vec();
    files::replace(&command.document, &bytes, files::PUBLIC)?;
    let standing = standing(&draft)?;
    let mut json = described(&command.document, &draft, &standing);
    if let Value::Object(fields) = &mut json {
        fields.insert("member".to_owned(), json!(member));
    }
    let text = format!("{}\nSigned as member {member}.\n", shown(&draft, &standing));
    Ok(Answer::yes(json, text))
}

fn merge(command: &Merge) -> Result<Answer, Failure> {
    let mut copies = command.copies.iter();
    let first = copies.next().ok_or_else(|| Failure::input("no copy is given"))?;
    let (_, mut draft) = read(first, &command.genesis)?;
    let existing = Some(&command.out).filter(|out| out.exists());
    for path in copies.chain(existing) {
        let (_, other) = read(path, &command.genesis)?;
        draft.merge(&other).map_err(|error| {
            Failure::no(format!("{} is not a copy of {}", path.display(), first.display()))
                .because(error)
                .next("keep both files: whoever signed both has signed twice")
        })?;
    }
    files::replace(&command.out, &draft.document().encode_to_vec(), files::PUBLIC)?;
    let standing = standing(&draft)?;
    let text = format!("{}\nWritten to {}.\n", shown(&draft, &standing), command.out.display());
    Ok(Answer::yes(described(&command.out, &draft, &standing), text))
}

fn apply(command: &Apply) -> Result<Answer, Failure> {
    let home = command.home.home()?;
    let config = command.settings.load(&home)?;
    let (genesis, draft) = read(&command.document, &config.genesis_path())?;
    let change = draft.finished().map_err(|error| {
        Failure::no("the restart has too few signatures")
            .because(error)
            .next("heatmark network restart show DOCUMENT tells who has not signed")
    })?;
    let directory = config.log_dir();
    fs::create_dir_all(&directory).map_err(files::io_error(&directory))?;
    let store = Store::open(&directory, &genesis, &StoreOptions::default()).map_err(|error| {
        Failure::unknown("the node's database cannot be opened")
            .because(error)
            .next("stop the node first: heatmark node run holds it while it runs")
    })?;
    let earlier = draft.document().set_changes.iter();
    for change in earlier.filter(|change| change.restart.is_some()) {
        store.apply_restart(change).map_err(not_applied)?;
    }
    let applied = store.apply_restart(&change).map_err(not_applied)?;
    store.flush().map_err(not_applied)?;
    begin_era(&home, &config, &draft)?;
    let height = draft.header().height;
    let said = match applied {
        Applied::InForce => format!("In force: block {} is the new validators'.", height.next()),
        Applied::Waiting => format!("Kept. It comes into force when this node has block {height}."),
        Applied::Already => "It was applied before; nothing is changed.".to_owned(),
    };
    let standing = standing(&draft)?;
    let mut json = described(&command.document, &draft, &standing);
    if let Value::Object(fields) = &mut json {
        fields.insert("in_force".to_owned(), json!(applied != Applied::Waiting));
    }
    let text = format!(
        "{}\n{said}\nStart the node: heatmark node run --home {}\n",
        shown(&draft, &standing),
        home.path().display()
    );
    Ok(Answer::yes(json, text))
}

/// Keeps the document in the home, outside of what may be wiped, and only then begins the era's
/// journal. A document that is there already says that this home's key may have voted in the era:
/// with the journal gone, the node then waits as after any loss.
fn begin_era(home: &Home, config: &Config, draft: &Draft) -> Result<(), Failure> {
    let era = era_directory(&draft.era());
    let kept = home.restarts().join(format!("{era}.doc"));
    files::create_private_directory(&home.restarts())?;
    match files::create(&kept, &draft.document().encode_to_vec(), files::PUBLIC) {
        Err(FileError::Exists(_)) => return Ok(()),
        other => other?,
    }
    let directory = config.in_era(Some(era)).wal_dir();
    fs::create_dir_all(&directory)
        .and_then(|()| begin_journal(&directory).map(|_| ()))
        .map_err(files::io_error(&directory))?;
    Ok(())
}

fn not_applied(error: StoreError) -> Failure {
    let next = match &error {
        StoreError::RestartTooLate { .. } => {
            "do not start the others: prepare the restart anew at this node, from its newest block"
        }
        StoreError::OtherRestart(_) | StoreError::RestartElsewhere(_) => {
            "keep both and find out with the other members which one holds"
        }
        _ => "see the reason; nothing was changed",
    };
    Failure::no("the restart is not applied to this node").because(error).next(next)
}

fn read(document: &Path, genesis: &Path) -> Result<(Genesis, Draft), Failure> {
    let genesis = read_signed_genesis(genesis)?;
    let limit = u64::try_from(MAX_RESTART_BYTES).unwrap_or(u64::MAX);
    let bytes = files::read(document, limit)?;
    let unread = |error: &dyn std::fmt::Display| {
        Failure::input(format!("{} is no restart document", document.display()))
            .because(error)
            .next("ask for the file that `heatmark network restart propose` wrote")
    };
    let message: pb::RestartDocument =
        wire::decode(&bytes, MAX_RESTART_BYTES).map_err(|error| unread(&error))?;
    let draft = TrustRoot::from_genesis(&genesis).verify_draft(message).map_err(refused)?;
    Ok((genesis, draft))
}

fn refused(error: ReceiptError) -> Failure {
    Failure::no("the restart does not follow from this genesis")
        .because(&error)
        .next("do not sign or apply it; ask where it comes from")
}

fn standing(draft: &Draft) -> Result<Standing, Failure> {
    draft.standing().map_err(refused)
}

fn shown(draft: &Draft, standing: &Standing) -> String {
    let header = draft.header();
    let rows: Vec<Vec<String>> = draft
        .next()
        .validators()
        .iter()
        .map(|v| vec![hex::encode(v.key.to_bytes()), v.power.to_string()])
        .collect();
    let names = |members: &[(MemberId, String)]| {
        let names: Vec<&str> = members.iter().map(|(_, name)| name.as_str()).collect();
        if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
    };
    let enough = if standing.is_enough() { "enough" } else { "two thirds must" };
    format!(
        "Restart id   {}\nGoes on from block {} of {}\nBlock hash   {}\n\n{}\nSigned by    {} ({} of {} active members: {enough})\nNot by       {}\n",
        grouped(&draft.era().to_string()),
        header.height,
        words::time(header.time.0),
        header.hash(),
        table(&["VALIDATOR FROM THEN ON", "POWER"], &rows),
        names(&standing.signed),
        standing.signed.len(),
        standing.active,
        names(&standing.unsigned),
    )
}

fn described(path: &Path, draft: &Draft, standing: &Standing) -> Value {
    let members = |members: &[(MemberId, String)]| -> Vec<Value> {
        members.iter().map(|(id, name)| json!({ "member": id, "legal_name": name })).collect()
    };
    let set = draft.next().validators().iter();
    let set: Vec<Value> =
        set.map(|v| json!({ "key": hex::encode(v.key.to_bytes()), "power": v.power })).collect();
    json!({
        "file": path,
        "restart": draft.era(),
        "header": words::header(draft.header()),
        "validators": set,
        "enough": standing.is_enough(),
        "active_members": standing.active,
        "signed": members(&standing.signed),
        "unsigned": members(&standing.unsigned),
    })
}
