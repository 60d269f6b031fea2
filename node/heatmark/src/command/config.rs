//! `heatmark config`: writes a commented settings file, and checks the settings in force.

use super::answer::{Answer, Exit, table};
use super::failure::Failure;
use super::place::{HomeArgs, SettingArgs};
use crate::config::{self, Config, Mode, Standing};
use crate::files;
use crate::keys::{self, KeyKind, PASSPHRASE_VARIABLE};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

/// What to do with settings.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows every setting in force with where it comes from, and says what is wrong
    #[command(
        after_help = "Example:\n  heatmark config check --home mill\n  heatmark config check --home mill --set log.filter=debug\nExits with 1 when the node cannot run so."
    )]
    Check(Check),
    /// Writes a settings file with every setting explained
    #[command(
        after_help = "Example:\n  heatmark config init --home mill --moniker mill\n  heatmark config init --stdout"
    )]
    Init(Init),
}

/// `config check`.
#[derive(Debug, Args)]
pub(crate) struct Check {
    #[command(flatten)]
    home: HomeArgs,
    #[command(flatten)]
    settings: SettingArgs,
}

/// `config init`.
#[derive(Debug, Args)]
pub(crate) struct Init {
    #[command(flatten)]
    home: HomeArgs,
    /// A name for people
    #[arg(long, value_name = "NAME", default_value = "heatmark")]
    moniker: String,
    /// The node never votes, even if the home has a consensus key
    #[arg(long)]
    observer: bool,
    /// Prints the file instead of writing it
    #[arg(long)]
    stdout: bool,
}

pub(crate) fn run(command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Check(command) => check(&command),
        Command::Init(command) => init(&command),
    }
}

fn init(command: &Init) -> Result<Answer, Failure> {
    let home = command.home.home()?;
    let votes = !command.observer && keys::key_path(&home, KeyKind::Consensus).exists();
    let mode = if votes { Mode::Validator } else { Mode::Observer };
    let text = config::commented_default(&command.moniker, mode);
    if command.stdout {
        return Ok(Answer::yes(json!({ "config": text }), text));
    }
    files::create_private_directory(home.path())?;
    files::create(&home.config(), text.as_bytes(), files::PUBLIC)?;
    let text = format!(
        "{} is written; the node runs as {}.\nNow name its peers there, then: heatmark config check --home {}\n",
        home.config().display(),
        if votes { "validator" } else { "observer" },
        home.path().display(),
    );
    Ok(Answer::yes(json!({ "file": home.config(), "mode": mode }), text))
}

fn check(command: &Check) -> Result<Answer, Failure> {
    let home = command.home.home()?;
    let config = command.settings.load(&home)?;
    let findings = config::check(&config);
    let sound = findings.iter().all(|finding| finding.standing != Standing::Fault);
    let settings = settings(&config)?;
    let rows: Vec<Vec<String>> = settings
        .iter()
        .map(|(name, value, origin)| vec![name.clone(), value.to_string(), origin.clone()])
        .collect();
    let passphrase = if std::env::var_os(PASSPHRASE_VARIABLE).is_some() {
        "(set in the environment, not shown)"
    } else {
        "(not set in the environment)"
    };
    let looked: Vec<Vec<String>> = findings
        .iter()
        .map(|finding| {
            let standing = match finding.standing {
                Standing::Ok => "ok",
                Standing::Note => "note",
                Standing::Fault => "FAULT",
            };
            vec![standing.to_owned(), finding.what.clone(), finding.found.clone()]
        })
        .collect();
    let verdict = if sound { "The node can run." } else { "The node cannot run like this." };
    let text = format!(
        "{}\nPassphrase {passphrase}\n\n{}\n{verdict}\n",
        table(&["SETTING", "VALUE", "FROM"], &rows),
        table(&["", "CHECKED", "FOUND"], &looked),
    );
    let json = json!({
        "ok": sound,
        "home": home.path(),
        "settings": settings.iter().map(|(name, value, origin)| json!({ "name": name, "value": value, "from": origin })).collect::<Vec<_>>(),
        "findings": findings,
    });
    let exit = if sound { Exit::Yes } else { Exit::No };
    Ok(Answer { exit, json, text })
}

fn settings(config: &Config) -> Result<Vec<(String, Value, String)>, Failure> {
    let value = serde_json::to_value(config)
        .map_err(|error| Failure::input("the settings cannot be shown").because(error))?;
    let mut settings = Vec::new();
    for (section, fields) in value.as_object().into_iter().flatten() {
        for (field, value) in fields.as_object().into_iter().flatten() {
            let name = format!("{section}.{field}");
            let origin = config.origins().get(&name).map(ToString::to_string).unwrap_or_default();
            settings.push((name, value.clone(), origin));
        }
    }
    Ok(settings)
}
