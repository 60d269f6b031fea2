//! The layers of settings put on top of each other, remembering for each value where it came from.
//! Refuses names that are no setting, in every layer.

use super::{Config, ConfigError};
use crate::files;
use crate::home::Home;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use toml::{Table, Value};

/// Settings files are read up to this many bytes.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// The settings file.
    File,
    /// The environment variable of this name.
    Environment(String),
    /// A flag.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File => f.write_str("file"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag => f.write_str("flag"),
        }
    }
}

/// One setting from the command line: `section.field=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// `section.field`.
    pub name: String,
    /// Text; lists are separated by commas.
    pub value: String,
}

impl FromStr for Override {
    type Err = ConfigError;

    fn from_str(text: &str) -> Result<Self, ConfigError> {
        let parts = text.split_once('=').filter(|(name, _)| name.contains('.'));
        let (name, value) = parts.ok_or_else(|| ConfigError::NotAnOverride(text.to_owned()))?;
        Ok(Self { name: name.trim().to_owned(), value: value.trim().to_owned() })
    }
}

pub(super) fn load(
    home: &Home,
    overrides: &[Override],
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, ConfigError> {
    let path = home.config();
    let text = match files::read_text(&path, MAX_FILE_BYTES) {
        Err(missing) if missing.is_missing() => return Err(ConfigError::Missing(path)),
        other => other?,
    };
    let located = |source| ConfigError::Toml { path: path.clone(), source: Box::new(source) };
    // Read as the whole struct first: its errors point at the line.
    let _: Config = toml::from_str(&text).map_err(located)?;
    let file: Table = toml::from_str(&text).map_err(located)?;
    let mut effective = Table::try_from(Config::default())?;
    let mut origins = BTreeMap::new();
    let names = names(&effective);
    for (section, field) in &names {
        let name = format!("{section}.{field}");
        let slot = slot(&mut effective, section, field, &name)?;
        let mut origin = Origin::Default;
        if let Some(value) = file.get(section).and_then(|table| table.get(field)) {
            *slot = value.clone();
            origin = Origin::File;
        }
        let variable = format!("HEATMARK_{section}_{field}").to_uppercase();
        if let Some(text) = environment(&variable) {
            *slot = parse(&variable, &text, slot)?;
            origin = Origin::Environment(variable);
        }
        origins.insert(name, origin);
    }
    for given in overrides {
        let parts = given.name.split_once('.').unwrap_or_default();
        let slot = slot(&mut effective, parts.0, parts.1, &given.name)?;
        *slot = parse(&given.name, &given.value, slot)?;
        origins.insert(given.name.clone(), Origin::Flag);
    }
    let mut config: Config =
        effective.try_into().map_err(|source| ConfigError::Value(Box::new(source)))?;
    config.home = Some(home.clone());
    config.origins = origins;
    Ok(config)
}

fn names(table: &Table) -> Vec<(String, String)> {
    let mut names = Vec::new();
    for (section, value) in table {
        for field in value.as_table().into_iter().flat_map(Table::keys) {
            names.push((section.clone(), field.clone()));
        }
    }
    names
}

fn slot<'t>(
    table: &'t mut Table,
    section: &str,
    field: &str,
    name: &str,
) -> Result<&'t mut Value, ConfigError> {
    table
        .get_mut(section)
        .and_then(Value::as_table_mut)
        .and_then(|table| table.get_mut(field))
        .ok_or_else(|| ConfigError::Unknown(name.to_owned()))
}

/// Text as a value of the same kind as the one it replaces.
fn parse(name: &str, text: &str, like: &Value) -> Result<Value, ConfigError> {
    let refuse =
        |expected| ConfigError::Kind { name: name.to_owned(), value: text.to_owned(), expected };
    match like {
        Value::Integer(_) => text.parse().map(Value::Integer).map_err(|_| refuse("a whole number")),
        Value::Boolean(_) => text.parse().map(Value::Boolean).map_err(|_| refuse("true or false")),
        Value::Array(_) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Ok(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
        }
        _ => Ok(Value::String(text.to_owned())),
    }
}
