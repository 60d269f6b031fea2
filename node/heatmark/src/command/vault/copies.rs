//! Backups of the vault, their restoring, and its key: what a person does so that nothing is lost.

use super::super::answer::{Answer, Exit};
use super::super::connect::block_on;
use super::super::failure::Failure;
use super::{Backup, File, Rekey};
use crate::config::Config;
use crate::files::{self, FileError, Growing};
use crate::home::Home;
use crate::keys::{self, KeyKind, KeysError, SecretKey, VaultKeySource, vault_key};
use heatmark_client::ClientError;
use heatmark_vault::{Actor, RestoreError, Vault, VaultError, VaultKey};
use serde_json::json;
use std::fs;
use std::io::BufReader;

/// What may go wrong while a backup comes in.
enum Taking {
    Node(ClientError),
    File(FileError),
}

impl From<ClientError> for Taking {
    fn from(error: ClientError) -> Self {
        Self::Node(error)
    }
}

impl From<Taking> for Failure {
    fn from(error: Taking) -> Self {
        match error {
            Taking::Node(error) => error.into(),
            Taking::File(error) => error.into(),
        }
    }
}

pub(super) fn backup(command: &Backup) -> Result<Answer, Failure> {
    let reach = command.node.reach()?;
    let mut file = Growing::begin(&command.file, files::PRIVATE)?;
    let end = block_on(async {
        let desk = reach.desk().await?;
        Ok(desk.backup(|piece| file.write(piece).map_err(Taking::File)).await?)
    })?;
    file.finish()?;
    let json = json!({
        "file": command.file,
        "bytes": end.bytes,
        "entries": end.entries,
        "records": end.records,
    });
    let text = format!(
        "{} holds {} records, {} bytes, encrypted.\nIt opens with the keys this node has now: keep \
         a `heatmark keys backup` with it.\n",
        command.file.display(),
        end.records,
        end.bytes,
    );
    Ok(Answer::yes(json, text))
}

pub(super) fn check(command: &File) -> Result<Answer, Failure> {
    let (_, _, key) = command.open()?;
    let mut input = command.input()?;
    let held = heatmark_vault::check_backup(&key, &mut input)
        .map_err(|error| refused("the backup could not be restored", &error))?;
    let json = json!({ "ok": true, "entries": held.entries, "records": held.records });
    let text = format!("{} is whole: {} records\n", command.file.display(), held.records);
    Ok(Answer::yes(json, text))
}

pub(super) fn restore(command: &File) -> Result<Answer, Failure> {
    let (home, config, key) = command.open()?;
    let mut input = command.input()?;
    let path = config.vault_dir();
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(files::io_error(parent))?;
    }
    let restored =
        heatmark_vault::restore(&path, &key, &local_user(), &mut input).map_err(|error| {
            refused("the backup is not restored, and nothing was left of it", &error)
        })?;
    let json = json!({
        "vault": path,
        "entries": restored.backup.entries,
        "records": restored.backup.records,
        "next_alert_index": restored.next_alert_index,
    });
    let text = format!(
        "{} holds {} records again.\nNow run: heatmark node run --home {}\n",
        path.display(),
        restored.backup.records,
        home.path().display(),
    );
    Ok(Answer::yes(json, text))
}

pub(super) fn rekey(command: &Rekey) -> Result<Answer, Failure> {
    let home = command.home.home()?;
    let config = command.settings.load(&home)?;
    let mut passphrase = command.passphrase.source();
    let old = vault_key(&home, config.vault.key, &mut passphrase)?;
    if !config.vault_dir().join("CURRENT").exists() {
        return Err(Failure::input("there is no vault yet")
            .because(format!("{} holds none", config.vault_dir().display()))
            .next("set vault.key in heatmark.toml; the node makes its vault under that key"));
    }
    let vault = Vault::open(&config.vault_dir(), &old).map_err(|error| not_open(&error))?;
    if command.to == VaultKeySource::File {
        make_key(&home, &mut passphrase)?;
    }
    let new = vault_key(&home, command.to, &mut passphrase)?;
    vault.rekey(&local_user(), &new).map_err(|error| not_open(&error))?;
    let name = command.to.name();
    let text = format!(
        "The vault is under its new key. Now set, under [vault] in {}:\n  key = \"{name}\"\nBackups \
         made before open with the old key: make a new one, of vault and keys.\n",
        home.config().display(),
    );
    Ok(Answer::yes(json!({ "key": name }), text))
}

/// Makes keys/vault.key unless it is there.
fn make_key(home: &Home, passphrase: &mut keys::PassphraseSource) -> Result<(), Failure> {
    let path = keys::key_path(home, KeyKind::Vault);
    match keys::describe(&path) {
        Err(KeysError::File(missing)) if missing.is_missing() => {
            Ok(keys::write_one(&path, &SecretKey::generate(KeyKind::Vault)?, passphrase)?)
        }
        other => Ok(other.map(|_| ())?),
    }
}

impl File {
    fn open(&self) -> Result<(Home, Config, VaultKey), Failure> {
        let home = self.home.home()?;
        let config = match self.settings.load_plain(&home) {
            // An empty home needs nothing but its keys.
            Err(crate::config::ConfigError::Missing(_)) => Config::default_for(&home),
            other => other?,
        };
        let key = vault_key(&home, config.vault.key, &mut self.passphrase.source())?;
        Ok((home, config, key))
    }

    fn input(&self) -> Result<BufReader<fs::File>, Failure> {
        let opened = fs::File::open(&self.file).map_err(files::io_error(&self.file))?;
        Ok(BufReader::new(opened))
    }
}

/// The person at this machine, as the system names them.
fn local_user() -> Actor {
    let name = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_default();
    let name: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
    let name =
        if name.is_empty() { format!("uid {}", rustix::process::getuid().as_raw()) } else { name };
    Actor::User { name }
}

fn refused(what: &str, error: &RestoreError) -> Failure {
    let next = match error {
        RestoreError::NotEmpty(_) => "name an empty home, or move the old vault away yourself",
        RestoreError::NotABackup => "give a file that `heatmark vault backup` wrote",
        RestoreError::OtherKey => {
            "restore that vault's keys first (`heatmark keys restore`), and set vault.key as it was"
        }
        RestoreError::Io(_) => "check the paths, their permissions and the room on the disk",
        _ => "take another copy of the backup, or an earlier one",
    };
    let exit = match error {
        RestoreError::NotEmpty(_) | RestoreError::NotABackup | RestoreError::Io(_) => Exit::Input,
        _ => Exit::No,
    };
    Failure::new(exit, what).because(error).next(next)
}

fn not_open(error: &VaultError) -> Failure {
    let text = super::super::chain(error);
    if text.contains("lock") && matches!(error, VaultError::Database(_)) {
        return Failure::input("a running node holds the vault")
            .because(text)
            .next("stop the node first, then run this again");
    }
    Failure::input("the vault does not open")
        .because(text)
        .next("check vault.key in heatmark.toml, and the key it names")
}
