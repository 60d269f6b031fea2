//! `heatmark network`: the ceremony that founds a network. One document, one fingerprint that all
//! compare, one signature a founder. Refuses to overwrite a document and to mix two of them. Then what
//! concerns the network as a whole: its parameters, its protocol version, its restart.

mod proposals;
mod restart;

use super::answer::{Answer, grouped, table};
use super::entry;
use super::failure::Failure;
use super::place::{HomeArgs, PassphraseArgs, read_genesis};
use crate::files::{self, FileError};
use crate::keys::{self, KeyKind};
use clap::{Args, Subcommand};
use heatmark_ledger::genesis::{Document, Genesis, GenesisParameters};
use heatmark_ledger::messages::KeyRole;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// What to do with a founding document.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Writes the founding document from the founders' entries
    #[command(
        after_help = "Example:\n  heatmark network init --name steel --out genesis.note mill/entry.json forge/entry.json\n  heatmark network init --name test --parameter heartbeat_ms=5000 --out genesis.note */entry.json"
    )]
    Init(Init),
    /// Signs the document as the founder whose root key the home holds
    #[command(
        after_help = "Example:\n  heatmark network sign genesis.note --home mill\nRead the fingerprint aloud to the other founders before you rely on the file."
    )]
    Sign(Sign),
    /// Brings together signatures that founders made on copies
    #[command(
        after_help = "Example:\n  heatmark network merge from-mill.note from-forge.note --out genesis.note"
    )]
    Merge(Merge),
    /// Shows the fingerprint, the founders, the parameters, and who has not signed
    #[command(
        after_help = "Example:\n  heatmark network show genesis.note\nExits with 1 while a founder has not signed."
    )]
    Show(Show),
    /// Shows what all nodes agree on, or proposes to change it
    #[command(
        after_help = "Example:\n  heatmark network parameters --home mill\n  heatmark network parameters heartbeat_ms=60000 --home mill"
    )]
    Parameters(proposals::Parameters),
    /// Shows the protocol version, or proposes another one from a block on
    #[command(
        after_help = "Example:\n  heatmark network upgrade --home mill\n  heatmark network upgrade 2 --at-height 250000 --home mill\nA node that does not know the version stops at that block with a message, and loses nothing."
    )]
    Upgrade(proposals::Upgrade),
    /// Goes on with other validators when a third of them is lost for good
    #[command(subcommand)]
    Restart(restart::Command),
}

/// `network init`.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// A name for people, 1 to 64 characters
    #[arg(long, value_name = "NAME")]
    name: String,
    /// The document to write; must not exist
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Founding time, Unix milliseconds [default: now]
    #[arg(long, value_name = "MILLISECONDS")]
    time_ms: Option<u64>,
    /// Sets what all nodes agree on, for example block size or heartbeat; may be repeated
    #[arg(long = "parameter", value_name = "NAME=VALUE")]
    parameters: Vec<String>,
    /// The founders' entries, as `heatmark keys generate` wrote them
    #[arg(required = true, value_name = "ENTRY.json")]
    entries: Vec<PathBuf>,
}

/// `network sign`.
#[derive(Debug, Args)]
pub(crate) struct Sign {
    #[command(flatten)]
    home: HomeArgs,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// The root key, when it is not in the home
    #[arg(long, value_name = "FILE")]
    root_key: Option<PathBuf>,
    /// The founding document; the signature is added to it
    #[arg(value_name = "GENESIS")]
    genesis: PathBuf,
}

/// `network merge`.
#[derive(Debug, Args)]
pub(crate) struct Merge {
    /// Copies of one document with different signatures
    #[arg(required = true, num_args = 1.., value_name = "GENESIS")]
    copies: Vec<PathBuf>,
    /// Where to write all signatures together
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// `network show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The founding document
    #[arg(value_name = "GENESIS")]
    genesis: PathBuf,
}

pub(crate) fn run(command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Init(command) => init(&command),
        Command::Sign(command) => sign(&command),
        Command::Merge(command) => merge(&command),
        Command::Parameters(command) => proposals::parameters(&command),
        Command::Upgrade(command) => proposals::upgrade(&command),
        Command::Restart(command) => restart::run(command),
        Command::Show(command) => {
            let genesis = read_genesis(&command.genesis)?;
            let signed = genesis.unsigned().next().is_none();
            Ok(Answer::holds(signed, described(&command.genesis, &genesis), shown(&genesis)))
        }
    }
}

fn init(command: &Init) -> Result<Answer, Failure> {
    let mut founders = Vec::new();
    for path in &command.entries {
        let founder = entry::read(path)?;
        entry::to_registry(&founder)?;
        founders.push(founder);
    }
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let document = Document {
        name: command.name.clone(),
        time_ms: command.time_ms.unwrap_or_else(|| u64::try_from(now()).unwrap_or(u64::MAX)),
        parameters: changed(GenesisParameters::default(), &command.parameters)?,
        founders,
        ..Document::default()
    };
    let genesis = Genesis::parse(document.to_text()?.as_bytes())?;
    files::create(&command.out, genesis.to_text().as_bytes(), files::PUBLIC)?;
    let text = format!(
        "{}\nWritten to {}. Send this very file to every founder; each runs\n  \
         heatmark network sign {} --home DIR\n",
        fingerprint(&genesis),
        command.out.display(),
        command.out.display(),
    );
    Ok(Answer::yes(described(&command.out, &genesis), text))
}

/// Parameters with some of them set anew.
fn changed(from: GenesisParameters, given: &[String]) -> Result<GenesisParameters, Failure> {
    let defaults = serde_json::to_value(from).unwrap_or_default();
    let Value::Object(mut fields) = defaults else {
        return Err(Failure::input("the parameters cannot be written"));
    };
    let names: Vec<String> = fields.keys().cloned().collect();
    for parameter in given {
        let known = parameter
            .split_once('=')
            .and_then(|(name, value)| Some((fields.get_mut(name.trim())?, value.trim())));
        let Some((slot, value)) = known else {
            return Err(Failure::input(format!("{parameter:?} sets no parameter"))
                .next(format!("write NAME=VALUE, with one of: {}", names.join(", "))));
        };
        let number: u64 = value.parse().map_err(|error| {
            Failure::input(format!("{parameter:?} sets no parameter")).because(error)
        })?;
        *slot = Value::from(number);
    }
    serde_json::from_value(Value::Object(fields))
        .map_err(|error| Failure::input("a parameter is out of its range").because(error))
}

fn sign(command: &Sign) -> Result<Answer, Failure> {
    let mut genesis = read_genesis(&command.genesis)?;
    let path = match &command.root_key {
        Some(path) => path.clone(),
        None => keys::key_path(&command.home.home()?, KeyKind::Root),
    };
    let root = keys::load(&path, KeyKind::Root, &mut command.passphrase.source())?;
    let member = genesis.sign(&root.signing_key()).map_err(|error| {
        Failure::no("this organisation is no founder of that network")
            .because(error)
            .next("check that your own entry.json went into `heatmark network init`")
    })?;
    files::replace(&command.genesis, genesis.to_text().as_bytes(), files::PUBLIC)?;
    let mut json = described(&command.genesis, &genesis);
    if let Value::Object(fields) = &mut json {
        fields.insert("member".to_owned(), json!(member));
    }
    let text =
        format!("{}\nSigned as member {member}.\n{}", fingerprint(&genesis), waiting(&genesis));
    Ok(Answer::yes(json, text))
}

fn merge(command: &Merge) -> Result<Answer, Failure> {
    let mut copies = command.copies.iter();
    let first = copies.next().ok_or_else(|| Failure::input("no copy is given"))?;
    let mut genesis = read_genesis(first)?;
    for path in copies {
        let other = read_genesis(path)?;
        genesis.merge(&other).map_err(|error| {
            Failure::no(format!("{} is not a copy of {}", path.display(), first.display()))
                .because(error)
                .next("find out which founder has another document, and do not sign it")
        })?;
    }
    if command.out.exists() {
        let existing = read_genesis(&command.out).ok();
        let Some(existing) = existing.filter(|other| other.network() == genesis.network()) else {
            return Err(FileError::Exists(command.out.clone()).into());
        };
        genesis.merge(&existing)?;
    }
    files::replace(&command.out, genesis.to_text().as_bytes(), files::PUBLIC)?;
    let text = format!(
        "{}\nWritten to {}.\n{}",
        fingerprint(&genesis),
        command.out.display(),
        waiting(&genesis)
    );
    Ok(Answer::yes(described(&command.out, &genesis), text))
}

fn fingerprint(genesis: &Genesis) -> String {
    let name = &genesis.document().name;
    format!("Network      {name}\nFingerprint  {}\n", grouped(&genesis.network().to_string()))
}

fn waiting(genesis: &Genesis) -> String {
    let names: Vec<&str> = genesis.unsigned().map(|(_, name)| name).collect();
    if names.is_empty() {
        return "All founders have signed. The network can start.\n".to_owned();
    }
    format!("Not signed yet: {}\n", names.join(", "))
}

fn shown(genesis: &Genesis) -> String {
    let unsigned: Vec<_> = genesis.unsigned().map(|(id, _)| *id).collect();
    let rows: Vec<Vec<String>> = genesis
        .founders()
        .map(|(id, registered)| {
            let founder = founder_of(genesis, registered);
            let signed = if unsigned.contains(id) { "no" } else { "yes" };
            vec![
                registered.legal_name.clone(),
                registered.country.clone(),
                founder.map(|f| f.roles.join(",")).unwrap_or_default(),
                founder.map(|f| f.power.to_string()).unwrap_or_default(),
                signed.to_owned(),
                id.to_string(),
            ]
        })
        .collect();
    let peers: Vec<Vec<String>> = genesis
        .founders()
        .map(|(_, registered)| {
            vec![registered.legal_name.clone(), peer_id(registered).unwrap_or_default()]
        })
        .collect();
    let parameters = serde_json::to_value(genesis.document().parameters).unwrap_or_default();
    let parameters: Vec<Vec<String>> = parameters
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| vec![name.clone(), value.to_string()])
        .collect();
    format!(
        "{}\n{}\n{}\n{}\n{}",
        fingerprint(genesis),
        table(&["FOUNDER", "COUNTRY", "ROLES", "POWER", "SIGNED", "MEMBER"], &rows),
        table(&["FOUNDER", "PEER ID OF ITS NODE"], &peers),
        table(&["PARAMETER", "VALUE"], &parameters),
        waiting(genesis),
    )
}

fn founder_of<'g>(
    genesis: &'g Genesis,
    registered: &heatmark_ledger::messages::MemberEntry,
) -> Option<&'g heatmark_ledger::genesis::Founder> {
    let root = hex::encode(&registered.keys.first()?.key);
    genesis.document().founders.iter().find(|founder| founder.keys.root == root)
}

/// What stands after `/p2p/` in the addresses of a founder's node.
fn peer_id(registered: &heatmark_ledger::messages::MemberEntry) -> Option<String> {
    let p2p = registered.keys.iter().find(|key| key.role() == KeyRole::P2p)?;
    let public = <[u8; 32]>::try_from(p2p.key.as_slice()).ok()?;
    keys::peer_id(&public).map(|peer| peer.to_string())
}

fn described(path: &Path, genesis: &Genesis) -> Value {
    let unsigned: Vec<_> = genesis.unsigned().collect();
    let founders: Vec<Value> = genesis
        .founders()
        .map(|(id, registered)| {
            json!({
                "member": id,
                "signed": !unsigned.iter().any(|(other, _)| *other == id),
                "peer_id": peer_id(registered),
                "entry": founder_of(genesis, registered),
            })
        })
        .collect();
    json!({
        "file": path,
        "name": genesis.document().name,
        "network": genesis.network(),
        "fingerprint": grouped(&genesis.network().to_string()),
        "time_ms": genesis.document().time_ms,
        "signed": unsigned.is_empty(),
        "unsigned": unsigned.iter().map(|(id, name)| json!({ "member": id, "legal_name": name })).collect::<Vec<_>>(),
        "founders": founders,
        "parameters": genesis.document().parameters,
    })
}
