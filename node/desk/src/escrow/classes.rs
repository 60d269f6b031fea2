//! Retention classes: which own records are deposited as soon as they are published, what of them, with whom and under which
//! conditions. A TOML file in the company's own settings, with the policies beside it. Refuses unknown keys, classes that any
//! record would be of by mistake, agents that are none, sections that nobody could ever open, and names that stand twice.

use heatmark_escrow::{MAX_AGENTS, MAX_NAME_BYTES, MAX_SECTIONS, Policy, PolicyError};
use heatmark_evidence::{Selection, SelectionError};
use heatmark_ledger::ids::MemberId;
use heatmark_records::{Fields, Opening, Path, Value, matches};
use heatmark_vault::{DueDeposit, DueDocument};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use thiserror::Error;

/// Longest file of classes in bytes.
pub const MAX_CLASSES_BYTES: usize = 256 << 10;
const MAX_CLASSES: usize = 64;
/// Most patterns of one list, and fields that are asked for.
const MAX_PATTERNS: usize = 64;
const MAX_PATTERN_BYTES: usize = 512;

/// Where certificates say what they are of, and by which standard.
const PRODUCT: [&str; 2] = ["product/name", "product/designation*"];
const STANDARD: [&str; 5] = [
    "product/standard*",
    "product/material-standard*",
    "product/specification*",
    "product/designation*",
    "product/grade*",
];

/// Gives the text of a policy by the name that a class has for it, or says why it cannot.
pub type LoadPolicy<'l> = &'l mut dyn FnMut(&str) -> Result<String, String>;

/// Why a file is none of retention classes. The writer's fault: mend what is named.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ClassError {
    /// It is longer than any such file.
    #[error("the file is longer than {MAX_CLASSES_BYTES} bytes")]
    TooLong,
    /// It is no TOML, or has keys that are not known.
    #[error("{0}")]
    Text(String),
    /// More than a file has.
    #[error(
        "there are at most {MAX_CLASSES} classes, {MAX_SECTIONS} sections and {MAX_PATTERNS} patterns of each kind"
    )]
    TooMany,
    /// A class or a section has a name that is empty, too long, not printable, or stands twice.
    #[error("{0:?} is no name of a class or section, or stands twice")]
    Name(String),
    /// A class says nothing of its records.
    #[error(
        "class {0:?} does not say of which records it is: give product, standard, form or field"
    )]
    Records(String),
    /// A pattern is empty or too long, or a field has an impossible name.
    #[error("class {class:?}: {pattern:?} is no pattern or no field")]
    Pattern {
        /// The class.
        class: String,
        /// What stands there.
        pattern: String,
    },
    /// An agent is no member's id, or stands twice.
    #[error(
        "class {class:?}: agent {agent:?} is no member's id, or stands twice; ids have 64 hex digits: heatmark member list"
    )]
    Agent {
        /// The class.
        class: String,
        /// What stands there.
        agent: String,
    },
    /// So many agents cannot share anything, or it takes more of them than there are.
    #[error(
        "class {0:?}: there are 1 to {MAX_AGENTS} agents, and threshold is from 1 to their number"
    )]
    Threshold(String),
    /// A class deposits nothing, or a section of it no field.
    #[error("class {0:?} has no section, or one without fields")]
    Section(String),
    /// Nobody could ever open a section.
    #[error("class {class:?}: no clause of its policy opens section {section:?}")]
    NeverOpens {
        /// The class.
        class: String,
        /// The section.
        section: String,
    },
    /// The policy cannot be read.
    #[error("class {class:?}: the policy {policy:?} cannot be read: {why}")]
    NoPolicy {
        /// The class.
        class: String,
        /// The policy as the class names it.
        policy: String,
        /// Why.
        why: String,
    },
    /// The policy is none.
    #[error("class {class:?}: {policy:?} is no policy: {error}")]
    Policy {
        /// The class.
        class: String,
        /// The policy as the class names it.
        policy: String,
        /// What is wrong with it.
        error: PolicyError,
    },
}

/// The retention classes of a company; by default none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RetentionClasses(Vec<Class>);

/// One class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) name: String,
    records: Records,
    sections: Vec<Section>,
    pub(super) agents: Vec<MemberId>,
    pub(super) threshold: u32,
    pub(super) policy: Policy,
}

/// Of which records: of each kind that is given, one pattern has to fit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Records {
    #[serde(default)]
    form: Vec<String>,
    #[serde(default)]
    product: Vec<String>,
    #[serde(default)]
    standard: Vec<String>,
    /// What certain fields say.
    #[serde(default)]
    field: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    name: String,
    fields: Vec<String>,
    /// Whether the documents that its fields name are deposited with it.
    #[serde(default = "yes")]
    documents: bool,
}

const fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClassesFile {
    #[serde(default)]
    class: Vec<ClassFile>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClassFile {
    name: String,
    agents: Vec<String>,
    threshold: u32,
    policy: String,
    records: Records,
    section: Vec<Section>,
}

/// What a class takes of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) name: String,
    pub(super) fields: Selection,
    pub(super) documents: Vec<DueDocument>,
}

impl RetentionClasses {
    /// Reads a file of classes; `load` gives the policies that it names.
    ///
    /// # Errors
    /// [`ClassError`].
    pub fn parse(text: &str, load: LoadPolicy<'_>) -> Result<Self, ClassError> {
        if text.len() > MAX_CLASSES_BYTES {
            return Err(ClassError::TooLong);
        }
        let file: ClassesFile =
            toml::from_str(text).map_err(|error| ClassError::Text(error.to_string()))?;
        if file.class.len() > MAX_CLASSES {
            return Err(ClassError::TooMany);
        }
        let mut names = BTreeSet::new();
        let mut classes = Vec::with_capacity(file.class.len());
        for class in file.class {
            if !is_name(&class.name) || !names.insert(class.name.clone()) {
                return Err(ClassError::Name(class.name));
            }
            classes.push(Class::read(class, load)?);
        }
        Ok(Self(classes))
    }

    /// How many classes there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn class(&self, name: &str) -> Option<&Class> {
        self.0.iter().find(|class| class.name == name)
    }

    /// The deposits that are due of a record once it is published. Of a class whose sections have none of the record's fields
    /// nothing is.
    pub(crate) fn due(&self, opening: &Opening) -> Vec<DueDeposit> {
        let form = &opening.head().heading().form;
        let fields = opening.fields();
        let of = self.0.iter().filter(|class| class.records.have(form, fields));
        let due = |class: &Class| {
            let taken = class.take(fields).ok()?;
            let documents = taken.iter().flat_map(|section| section.documents.iter().cloned());
            let mut documents: Vec<DueDocument> = documents.collect();
            documents.sort_by(|left, right| left.sha256.cmp(&right.sha256));
            documents.dedup();
            let class = class.name.clone();
            (!taken.is_empty()).then(|| DueDeposit { class, documents, ..DueDeposit::default() })
        };
        of.filter_map(due).collect()
    }
}

impl Class {
    fn read(file: ClassFile, load: LoadPolicy<'_>) -> Result<Self, ClassError> {
        let ClassFile { name, agents: named, threshold, policy, records, section } = file;
        records.check(&name)?;
        let mut agents: Vec<MemberId> = Vec::with_capacity(named.len().min(MAX_AGENTS));
        for agent in named {
            match agent.parse::<MemberId>() {
                Ok(id) if !agents.contains(&id) => agents.push(id),
                _ => return Err(ClassError::Agent { class: name, agent }),
            }
        }
        let count = u32::try_from(agents.len()).unwrap_or(u32::MAX);
        if agents.len() > MAX_AGENTS || !(1..=count).contains(&threshold) {
            return Err(ClassError::Threshold(name));
        }
        if section.is_empty() || section.iter().any(|section| section.fields.is_empty()) {
            return Err(ClassError::Section(name));
        }
        if section.len() > MAX_SECTIONS {
            return Err(ClassError::TooMany);
        }
        let mut names = BTreeSet::new();
        for section in &section {
            if !is_name(&section.name) || !names.insert(&section.name) {
                return Err(ClassError::Name(section.name.clone()));
            }
            check_patterns(&name, &section.fields)?;
        }
        let text = load(&policy).map_err(|why| {
            let (class, policy) = (name.clone(), policy.clone());
            ClassError::NoPolicy { class, policy, why }
        })?;
        let policy = Policy::parse(&text).map_err(|error| {
            let class = name.clone();
            ClassError::Policy { class, policy, error }
        })?;
        let opened = |section: &&Section| {
            policy.clauses.iter().any(|clause| clause.sections.contains(&section.name))
        };
        if let Some(closed) = section.iter().find(|section| !opened(section)) {
            let section = closed.name.clone();
            return Err(ClassError::NeverOpens { class: name, section });
        }
        Ok(Self { name, records, sections: section, agents, threshold, policy })
    }

    /// What it takes of a record: sections with those of their patterns that the record has fields for.
    pub(super) fn take(&self, fields: &Fields) -> Result<Vec<Taken>, SelectionError> {
        let mut taken = Vec::with_capacity(self.sections.len());
        for section in &self.sections {
            let mut patterns = section.fields.clone();
            let some = |pattern: &String| {
                Selection::new(vec![pattern.clone()])
                    .is_ok_and(|selection| selection.of(fields).is_ok())
            };
            patterns.retain(some);
            if patterns.is_empty() {
                continue;
            }
            let selection = Selection::new(patterns)?;
            let mut documents = Vec::new();
            for path in selection.of(fields)? {
                if let (true, Some(Value::Document(named))) = (section.documents, fields.get(&path))
                {
                    let (sha256, bytes) = (named.sha256.to_vec(), named.length_bytes);
                    documents.push(DueDocument { sha256, bytes });
                }
            }
            documents.sort_by(|left, right| left.sha256.cmp(&right.sha256));
            documents.dedup();
            taken.push(Taken { name: section.name.clone(), fields: selection, documents });
        }
        Ok(taken)
    }
}

impl Records {
    fn check(&self, class: &str) -> Result<(), ClassError> {
        let lists = [&self.form, &self.product, &self.standard];
        if lists.iter().all(|list| list.is_empty()) && self.field.is_empty() {
            return Err(ClassError::Records(class.to_owned()));
        }
        if self.field.len() > MAX_PATTERNS {
            return Err(ClassError::TooMany);
        }
        lists.into_iter().try_for_each(|list| check_patterns(class, list))?;
        for (path, patterns) in &self.field {
            if Path::new(path).is_err() || patterns.is_empty() {
                return Err(ClassError::Pattern { class: class.to_owned(), pattern: path.clone() });
            }
            check_patterns(class, patterns)?;
        }
        Ok(())
    }

    fn have(&self, form: &str, fields: &Fields) -> bool {
        let fits =
            |patterns: &[String], text: &str| patterns.iter().any(|pattern| matches(pattern, text));
        let says = |places: &[&str], patterns: &[String]| {
            patterns.is_empty()
                || fields.iter().any(|(path, value)| match value {
                    Value::Text(text) => {
                        places.iter().any(|place| matches(place, path.as_str()))
                            && fits(patterns, text.trim())
                    }
                    _ => false,
                })
        };
        (self.form.is_empty() || fits(&self.form, form))
            && says(&PRODUCT, &self.product)
            && says(&STANDARD, &self.standard)
            && self.field.iter().all(|(path, patterns)| says(&[path.as_str()], patterns))
    }
}

fn check_patterns(class: &str, patterns: &[String]) -> Result<(), ClassError> {
    if patterns.len() > MAX_PATTERNS {
        return Err(ClassError::TooMany);
    }
    let wrong = |pattern: &&String| pattern.is_empty() || pattern.len() > MAX_PATTERN_BYTES;
    match patterns.iter().find(wrong) {
        None => Ok(()),
        Some(pattern) => {
            let (class, pattern) = (class.to_owned(), pattern.clone());
            Err(ClassError::Pattern { class, pattern })
        }
    }
}

fn is_name(name: &str) -> bool {
    (1..=MAX_NAME_BYTES).contains(&name.len())
        && name.trim() == name
        && !name.chars().any(char::is_control)
}

#[cfg(test)]
mod tests;
