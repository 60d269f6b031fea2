//! What stands against the records of verified files, from alert files beside them, as of a header whose age is told. A
//! recall or a revocation refuses, anything less and a header that is too old hold. Concerns are told and change nothing.

use super::super::alert::standing::{age_seconds, read, spoken, superseded_by};
use super::super::answer::Exit;
use super::super::failure::Failure;
use super::super::words;
use heatmark_ledger::alerts::Standing;
use heatmark_ledger::messages::AlertLevel;
use heatmark_ledger::receipt::TrustRoot;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The newest that the files tell of each subject.
pub(super) struct Alerts {
    standings: BTreeMap<[u8; 32], Standing>,
    max_age_s: Option<u64>,
}

/// What is said of one record.
pub(super) struct Said {
    pub(super) exit: Exit,
    pub(super) text: String,
    pub(super) json: Value,
}

impl Alerts {
    /// Reads the files; one that does not verify ends it all.
    pub(super) fn read(
        files: &[PathBuf],
        trust: &TrustRoot,
        max_age_s: Option<u64>,
    ) -> Result<Self, Failure> {
        let mut standings: BTreeMap<[u8; 32], Standing> = BTreeMap::new();
        for file in files {
            let standing = read(file, trust)?;
            let subject = *standing.subject.as_bytes();
            let newer = |known: &Standing| known.header.height < standing.header.height;
            if standings.get(&subject).is_none_or(newer) {
                standings.insert(subject, standing);
            }
        }
        Ok(Self { standings, max_age_s })
    }

    /// What stands against a record with this alert subject.
    pub(super) fn of(&self, subject: &[u8; 32]) -> Said {
        let Some(standing) = self.standings.get(subject) else {
            let exit = if self.max_age_s.is_some() { Exit::Unknown } else { Exit::Yes };
            let ask = hex::encode(subject);
            let text = format!("  alerts     not asked here: heatmark alert status {ask}\n");
            return Said { exit, text, json: Value::Null };
        };
        let seconds = age_seconds(&standing.header);
        let old = self.max_age_s.is_some_and(|most| seconds > most);
        let exit = match standing.level() {
            AlertLevel::Recall | AlertLevel::Revoke => Exit::No,
            AlertLevel::Hold | AlertLevel::Superseded => Exit::Unknown,
            AlertLevel::Clear | AlertLevel::Unspecified if old => Exit::Unknown,
            AlertLevel::Clear | AlertLevel::Unspecified => Exit::Yes,
        };
        let successor = superseded_by(standing);
        let what = match (exit, successor) {
            (_, Some(by)) => format!("superseded by {by}"),
            (Exit::Yes, None) => "nothing stands".to_owned(),
            (_, None) if standing.level() == AlertLevel::Clear => "nothing stood".to_owned(),
            (_, None) => words::level(standing.level()).to_owned(),
        };
        let age = spoken(seconds);
        let height = standing.header.height;
        let mut text = format!("  alerts     {what}, as of block {height}, {age} ago\n");
        if old {
            text.push_str("             TOO OLD: what came since is not known\n");
        }
        let concerns = standing.concerns.iter();
        let concerns: Vec<Value> = concerns
            .filter(|(_, alert)| alert.level() != AlertLevel::Clear)
            .map(|(of, alert)| json!({ "of": of, "level": words::level(alert.level()) }))
            .collect();
        if !concerns.is_empty() {
            text.push_str(&format!("             {} members are concerned\n", concerns.len()));
        }
        let json = json!({
            "level": words::level(standing.level()),
            "superseded_by": successor,
            "height": height,
            "age_seconds": seconds,
            "too_old": old,
            "concerns": concerns,
        });
        Said { exit, text, json }
    }
}
