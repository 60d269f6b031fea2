//! A table of TOML that is taken apart key by key, so that what is left over at the end is what nobody knows.

use toml::Value;
use toml::value::Datetime;

use super::{PolicyError, PolicyFault};

/// A table and where it stands.
pub(super) struct Table {
    place: String,
    left: toml::Table,
}

impl Table {
    pub(super) const fn new(place: String, left: toml::Table) -> Self {
        Self { place, left }
    }

    /// Calls the table something better, once its name is known.
    pub(super) fn rename(&mut self, place: String) {
        self.place = place;
    }

    /// What is wrong with a key's value.
    pub(super) fn fault(&self, key: &str, fault: PolicyFault) -> PolicyError {
        PolicyError { place: format!("{}, {key}", self.place), fault }
    }

    /// What is wrong with all of it.
    pub(super) fn whole(&self, fault: PolicyFault) -> PolicyError {
        PolicyError { place: self.place.clone(), fault }
    }

    /// Refuses keys that nobody has asked for.
    pub(super) fn end(&self) -> Result<(), PolicyError> {
        match self.left.keys().next() {
            None => Ok(()),
            Some(key) => Err(self.fault(key, PolicyFault::UnknownKey)),
        }
    }

    pub(super) fn text(&mut self, key: &str) -> Result<Option<String>, PolicyError> {
        match self.left.remove(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(self.fault(key, PolicyFault::Kind("a text in quotes"))),
        }
    }

    /// A list of texts, none twice; an empty one where the key is missing.
    pub(super) fn texts(&mut self, key: &str) -> Result<Vec<String>, PolicyError> {
        let wrong = |table: &Self| table.fault(key, PolicyFault::Kind("a list of texts in quotes"));
        let entries = match self.left.remove(key) {
            None => return Ok(Vec::new()),
            Some(Value::Array(entries)) => entries,
            Some(_) => return Err(wrong(self)),
        };
        let mut texts = Vec::new();
        for entry in entries {
            let Value::String(text) = entry else { return Err(wrong(self)) };
            if texts.contains(&text) {
                return Err(self.fault(key, PolicyFault::Twice));
            }
            texts.push(text);
        }
        Ok(texts)
    }

    pub(super) fn number(
        &mut self,
        key: &str,
        kind: &'static str,
    ) -> Result<Option<u32>, PolicyError> {
        let value = self.left.remove(key);
        let Some(value) = value else { return Ok(None) };
        let number = value.as_integer().and_then(|number| u32::try_from(number).ok());
        number.map(Some).ok_or_else(|| self.fault(key, PolicyFault::Kind(kind)))
    }

    pub(super) fn flag(&mut self, key: &str) -> Result<bool, PolicyError> {
        match self.left.remove(key) {
            None => Ok(false),
            Some(Value::Boolean(flag)) => Ok(flag),
            Some(_) => Err(self.fault(key, PolicyFault::Kind("true or false"))),
        }
    }

    pub(super) fn datetime(
        &mut self,
        key: &str,
        kind: &'static str,
    ) -> Result<Option<Datetime>, PolicyError> {
        match self.left.remove(key) {
            None => Ok(None),
            Some(Value::Datetime(datetime)) => Ok(Some(datetime)),
            Some(_) => Err(self.fault(key, PolicyFault::Kind(kind))),
        }
    }

    /// Tables of an array, each called by its place from 1.
    pub(super) fn tables(&mut self, key: &str) -> Result<Vec<Self>, PolicyError> {
        let wrong = |table: &Self| {
            table.fault(key, PolicyFault::Kind("tables, each headed by its name in two brackets"))
        };
        let entries = match self.left.remove(key) {
            None => return Ok(Vec::new()),
            Some(Value::Array(entries)) => entries,
            Some(_) => return Err(wrong(self)),
        };
        let mut tables = Vec::new();
        for entry in entries {
            let Value::Table(table) = entry else { return Err(wrong(self)) };
            let place = tables.len().saturating_add(1);
            tables.push(Self::new(format!("{key} {place}"), table));
        }
        Ok(tables)
    }
}
