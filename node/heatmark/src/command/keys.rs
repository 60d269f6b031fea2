//! `heatmark keys`: makes, shows, backs up and restores an organisation's keys. Refuses to touch
//! keys that exist.

use super::answer::{Answer, table};
use super::failure::Failure;
use super::place::{HomeArgs, PassphraseArgs};
use crate::files;
use crate::home::Home;
use crate::keys::{self, KeyKind, KeysError, PassphraseSource, SecretKey};
use crate::voting::{self, Past};
use clap::{Args, Subcommand};
use heatmark_ledger::genesis::{Founder, FounderIdentifier, FounderKeys};
use heatmark_ledger::keys::PublicKey;
use serde_json::{Value, json};
use std::path::PathBuf;

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes this organisation's keys and its registry entry
    #[command(
        after_help = "Example:\n  heatmark keys generate --home mill --legal-name 'Norra Stål AB' --country SE \\\n      --role supplier --lei 549300EXAMPLE0000001 --validator --power 1"
    )]
    Generate(Generate),
    /// Makes a root key alone, to take the place of one that was lost
    #[command(
        after_help = "Example:\n  heatmark keys root --out /media/safe/new-root.key\nThen a member proposes it: heatmark member replace-root"
    )]
    Root(Root),
    /// Shows the public keys, without asking for a passphrase
    #[command(
        after_help = "Example:\n  heatmark keys show --home mill\n  heatmark keys show --home mill --peer-id    (for /p2p/… in other nodes' settings)"
    )]
    Show(Show),
    /// Writes all keys into one file to be kept offline
    #[command(
        after_help = "Example:\n  heatmark keys backup --home mill --to /media/safe/mill-keys.backup"
    )]
    Backup(Backup),
    /// Brings the keys of a backup into a home that has none
    #[command(
        after_help = "Example:\n  heatmark keys restore --home mill --from /media/safe/mill-keys.backup"
    )]
    Restore(Restore),
}

/// `keys generate`.
#[derive(Debug, Args)]
pub(crate) struct Generate {
    #[command(flatten)]
    home: HomeArgs,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// Name under which the organisation is registered, as in its country's company register
    #[arg(long, value_name = "NAME")]
    legal_name: String,
    /// Country of registration: two capital letters (ISO 3166-1)
    #[arg(long, value_name = "CC")]
    country: String,
    /// supplier, assembler, lab, escrow-agent or regulator; may be repeated
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// Legal Entity Identifier; the same as --identifier lei=…
    #[arg(long, value_name = "LEI")]
    lei: Option<String>,
    /// lei, gln, gs1-prefix, melt-shop or cmrt-smelter, and its value; may be repeated
    #[arg(long = "identifier", value_name = "SCHEME=VALUE")]
    identifiers: Vec<String>,
    /// Also makes a consensus key: the organisation votes on blocks
    #[arg(long)]
    validator: bool,
    /// Voting power in genesis, with --validator
    #[arg(long, value_name = "N", default_value_t = 1, requires = "validator")]
    power: u64,
    /// Takes the seed from this key file instead of making a new one
    #[arg(long, value_name = "FILE")]
    seed: Option<PathBuf>,
}

/// `keys root`.
#[derive(Debug, Args)]
pub(crate) struct Root {
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// The file to write; must not exist
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// `keys show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    home: HomeArgs,
    /// Prints only the peer id of the p2p key
    #[arg(long)]
    peer_id: bool,
}

/// `keys backup`.
#[derive(Debug, Args)]
pub(crate) struct Backup {
    #[command(flatten)]
    home: HomeArgs,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// The file to write; must not exist
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
}

/// `keys restore`.
#[derive(Debug, Args)]
pub(crate) struct Restore {
    #[command(flatten)]
    home: HomeArgs,
    #[command(flatten)]
    passphrase: PassphraseArgs,
    /// The backup
    #[arg(long, value_name = "FILE")]
    from: PathBuf,
}

pub(crate) fn run(command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Generate(command) => generate(&command),
        Command::Root(command) => root(&command),
        Command::Show(command) => show(&command),
        Command::Backup(command) => backup(&command),
        Command::Restore(command) => restore(&command),
    }
}

fn generate(command: &Generate) -> Result<Answer, Failure> {
    let home = command.home.home()?;
    let mut passphrase = command.passphrase.source();
    let mut made = Vec::new();
    for kind in KeyKind::ALL {
        match (kind, &command.seed) {
            (KeyKind::Consensus, _) if !command.validator => {}
            // `vault rekey` makes one where it is wanted.
            (KeyKind::Vault, _) => {}
            (KeyKind::Seed, Some(file)) => {
                made.push(keys::load(file, KeyKind::Seed, &mut passphrase)?);
            }
            _ => made.push(SecretKey::generate(kind)?),
        }
    }
    let founder = founder(command, &made)?;
    super::entry::to_registry(&founder)?;
    let mut entry = serde_json::to_string_pretty(&founder)
        .map_err(|error| Failure::input("the entry cannot be written").because(error))?;
    entry.push('\n');
    if home.entry().exists() {
        return Err(crate::files::FileError::Exists(home.entry()).into());
    }
    let sealed = keys::write_all(&home, &made, &mut passphrase)?;
    files::create(&home.entry(), entry.as_bytes(), files::PUBLIC)?;
    remember_new(&home, &made)?;
    let peer_id = peer_id_of(&made);
    let json = json!({
        "home": home.path(),
        "entry": home.entry(),
        "encrypted": sealed,
        "peer_id": peer_id,
        "keys": made.iter().map(|key| described(&home, key.kind(), key.public(), sealed)).collect::<Vec<_>>(),
        "founder": founder,
    });
    Ok(Answer::yes(json, generated_text(&home, &made, sealed, &peer_id)))
}

/// A consensus key made now has voted nowhere, which nothing but this can tell later.
fn remember_new(home: &Home, made: &[SecretKey]) -> Result<(), Failure> {
    let consensus = made.iter().find(|key| key.kind() == KeyKind::Consensus);
    let public = consensus.and_then(SecretKey::public);
    if let Some(key) = public.and_then(|public| PublicKey::from_bytes(&public).ok()) {
        voting::remember(home, &key, Past::NeverVoted)?;
    }
    Ok(())
}

fn generated_text(home: &Home, made: &[SecretKey], sealed: bool, peer_id: &str) -> String {
    let rows: Vec<Vec<String>> = made
        .iter()
        .map(|key| {
            let file = keys::key_path(home, key.kind()).display().to_string();
            vec![file, key.kind().purpose().to_owned()]
        })
        .collect();
    let sealed = if sealed {
        "Encrypted under your passphrase: without it they are lost."
    } else {
        "Not encrypted. For a passphrase, set HEATMARK_PASSPHRASE or give --passphrase-file."
    };
    format!(
        "{}\n{sealed}\nRegistry entry: {}\nPeer id:        {peer_id}\n\n\
         Now move these offline, for example onto two memory sticks in two safes:\n  \
         1. {} — move it; the node never needs it\n  \
         2. {} — copy it; alert, seal and vault keys come back from it\n\
         Or all at once: heatmark keys backup --home {} --to FILE\n",
        table(&["FILE", "PURPOSE"], &rows),
        home.entry().display(),
        keys::key_path(home, KeyKind::Root).display(),
        keys::key_path(home, KeyKind::Seed).display(),
        home.path().display(),
    )
}

fn founder(command: &Generate, made: &[SecretKey]) -> Result<Founder, Failure> {
    let public = |kind: KeyKind| {
        made.iter().find(|key| key.kind() == kind).and_then(SecretKey::public).map(hex::encode)
    };
    let mut roles = command.roles.clone();
    if command.validator && !roles.iter().any(|role| role == "validator") {
        roles.push("validator".to_owned());
    }
    if !command.validator && roles.iter().any(|role| role == "validator") {
        return Err(Failure::input("a validator needs a consensus key")
            .next("give --validator instead of --role validator"));
    }
    let mut identifiers = Vec::new();
    if let Some(lei) = &command.lei {
        identifiers.push(FounderIdentifier { scheme: "lei".to_owned(), value: lei.clone() });
    }
    for identifier in &command.identifiers {
        let (scheme, value) = identifier.split_once('=').ok_or_else(|| {
            Failure::input(format!("{identifier:?} is no identifier"))
                .next("write it as scheme=value, for example --identifier gln=4000001000005")
        })?;
        let (scheme, value) = (scheme.to_owned(), value.to_owned());
        identifiers.push(FounderIdentifier { scheme, value });
    }
    identifiers.sort_by(|a, b| (&a.scheme, &a.value).cmp(&(&b.scheme, &b.value)));
    let missing = || Failure::input("a key was not made");
    Ok(Founder {
        legal_name: command.legal_name.clone(),
        country: command.country.clone(),
        identifiers,
        roles,
        keys: FounderKeys {
            root: public(KeyKind::Root).ok_or_else(missing)?,
            signing: public(KeyKind::Signing).ok_or_else(missing)?,
            p2p: public(KeyKind::P2p).ok_or_else(missing)?,
            envelope: public(KeyKind::Envelope).ok_or_else(missing)?,
            consensus: public(KeyKind::Consensus),
        },
        power: if command.validator { command.power } else { 0 },
    })
}

fn peer_id_of(made: &[SecretKey]) -> String {
    made.iter()
        .find(|key| key.kind() == KeyKind::P2p)
        .and_then(SecretKey::public)
        .and_then(|public| keys::peer_id(&public))
        .map(|peer| peer.to_string())
        .unwrap_or_default()
}

fn described(home: &Home, kind: KeyKind, public: Option<[u8; 32]>, sealed: bool) -> Value {
    json!({
        "role": kind.name(),
        "algorithm": kind.algorithm(),
        "public": public.map(hex::encode),
        "encrypted": sealed,
        "file": keys::key_path(home, kind),
    })
}

fn show(command: &Show) -> Result<Answer, Failure> {
    let home = command.home.home()?;
    let mut found = Vec::new();
    for kind in KeyKind::ALL {
        match keys::describe(&keys::key_path(&home, kind)) {
            Ok(description) => found.push(description),
            Err(KeysError::File(missing)) if missing.is_missing() => {}
            Err(other) => return Err(other.into()),
        }
    }
    let p2p = found.iter().find(|key| key.kind == KeyKind::P2p).and_then(|key| key.public);
    let peer_id = p2p.and_then(|public| keys::peer_id(&public)).map(|peer| peer.to_string());
    if found.is_empty() || (command.peer_id && peer_id.is_none()) {
        return Err(Failure::input("there are no keys here")
            .because(format!("{} holds none", home.keys().display()))
            .next("make some with `heatmark keys generate`, or name the home with --home"));
    }
    let peer_id = peer_id.unwrap_or_default();
    if command.peer_id {
        return Ok(Answer::yes(json!({ "peer_id": peer_id }), peer_id));
    }
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|key| {
            let public = key.public.map(hex::encode).unwrap_or_else(|| "(none)".to_owned());
            let sealed = if key.sealed { "encrypted" } else { "plain" };
            vec![key.kind.name().to_owned(), public, sealed.to_owned()]
        })
        .collect();
    let json = json!({
        "home": home.path(),
        "peer_id": peer_id,
        "keys": found.iter().map(|key| described(&home, key.kind, key.public, key.sealed)).collect::<Vec<_>>(),
    });
    let text = format!("{}\nPeer id  {peer_id}\n", table(&["KEY", "PUBLIC", "FILE"], &rows));
    Ok(Answer::yes(json, text))
}

fn root(command: &Root) -> Result<Answer, Failure> {
    let key = SecretKey::generate(KeyKind::Root)?;
    keys::write_one(&command.out, &key, &mut command.passphrase.source())?;
    let public = key.public().map(hex::encode).unwrap_or_default();
    let text = format!(
        "{} holds a new root key. Keep it offline.\nPublic  {public}\n",
        command.out.display()
    );
    Ok(Answer::yes(json!({ "file": command.out, "public": public }), text))
}

fn backup(command: &Backup) -> Result<Answer, Failure> {
    let home = command.home.home()?;
    let (mut opening, mut sealing) = sources(&command.passphrase);
    let summary = keys::backup(&home, &command.to, &mut opening, &mut sealing)?;
    let kinds: Vec<&str> = summary.kinds.iter().map(|kind| kind.name()).collect();
    let json = json!({ "file": command.to, "keys": kinds, "encrypted": summary.sealed });
    let sealed = if summary.sealed { "encrypted" } else { "NOT encrypted: guard it like cash" };
    let text = format!(
        "{} holds {} ({sealed}).\nMove it offline. The vault's data are not in it: run `heatmark vault backup FILE --home {}` as well.\n",
        command.to.display(),
        kinds.join(", "),
        home.path().display(),
    );
    Ok(Answer::yes(json, text))
}

fn restore(command: &Restore) -> Result<Answer, Failure> {
    let home = command.home.home()?;
    let (mut opening, mut sealing) = sources(&command.passphrase);
    let summary = keys::restore(&home, &command.from, &mut opening, &mut sealing)?;
    let kinds: Vec<&str> = summary.kinds.iter().map(|kind| kind.name()).collect();
    let json = json!({ "home": home.path(), "keys": kinds });
    let text = format!(
        "{} holds {} again.\nNow run: heatmark config check --home {}\n",
        home.keys().display(),
        kinds.join(", "),
        home.path().display(),
    );
    Ok(Answer::yes(json, text))
}

/// One passphrase from file or environment serves both; a person is asked for each.
fn sources(args: &PassphraseArgs) -> (PassphraseSource, PassphraseSource) {
    (args.source(), args.source())
}
