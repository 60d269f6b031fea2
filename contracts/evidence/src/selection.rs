//! Which fields of a record are meant: paths, patterns in which `*` stands for any characters, and named profiles.
//! Refuses patterns that match nothing, since whoever wrote one meant something.

use heatmark_records::{Fields, Path, matches};
use std::collections::BTreeSet;
use thiserror::Error;

/// Most patterns of one selection.
const MAX_PATTERNS: usize = 1_000;
const MAX_PATTERN_BYTES: usize = 512;

/// Why a selection selects nothing. The caller's fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SelectionError {
    /// A pattern matches no field of the record; look at the record's fields.
    #[error("{0:?} matches no field of the record")]
    NoMatch(String),
    /// A pattern is too long, or there are too many.
    #[error("a selection has at most {MAX_PATTERNS} patterns of {MAX_PATTERN_BYTES} bytes")]
    TooLong,
}

/// What a name stands for; of its patterns, one has to match.
const PROFILES: [(&str, &[&str]); 7] = [
    ("origin", &["heat", "certificate/*", "manufacturer/*", "melt/*", "product/name"]),
    ("chemistry", &["heat", "chemistry/*"]),
    ("mechanical", &["heat", "mechanical/*", "tests/*"]),
    // What says of an attestation's results whose, of what sample and within which accreditation they are.
    (
        "attestation",
        &[
            "attests/*",
            "sample/*",
            "test/*",
            "accreditation/*",
            "certificate/*",
            "*/method",
            "*/date",
        ],
    ),
    ("all", &["*"]),
    // Forms keep the grade where they have it.
    ("grade", &["product/grade*", "product/designation*"]),
    ("mass", &["product/mass*"]),
];

/// Chosen fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection(Vec<String>);

impl Selection {
    /// Takes paths, patterns and names of profiles.
    ///
    /// # Errors
    /// [`SelectionError::TooLong`].
    pub fn new(patterns: Vec<String>) -> Result<Self, SelectionError> {
        let fit = patterns.iter().all(|pattern| pattern.len() <= MAX_PATTERN_BYTES);
        if fit && patterns.len() <= MAX_PATTERNS {
            Ok(Self(patterns))
        } else {
            Err(SelectionError::TooLong)
        }
    }

    /// The fields of a record that are meant, ascending.
    ///
    /// # Errors
    /// [`SelectionError::NoMatch`], naming the pattern.
    pub fn of(&self, fields: &Fields) -> Result<BTreeSet<Path>, SelectionError> {
        let mut chosen = BTreeSet::new();
        for pattern in &self.0 {
            let exactly = fields.iter().any(|(path, _)| path.as_str() == pattern);
            let profile = PROFILES.iter().find(|(name, _)| !exactly && name == pattern);
            let itself = [pattern.as_str()];
            let meant = profile.map_or(itself.as_slice(), |(_, patterns)| patterns);
            let matching = fields.iter().map(|(path, _)| path);
            let mut some = false;
            for path in matching.filter(|path| meant.iter().any(|p| matches(p, path.as_str()))) {
                some = true;
                chosen.insert(path.clone());
            }
            if !some {
                return Err(SelectionError::NoMatch(pattern.clone()));
            }
        }
        Ok(chosen)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail loudly")]

    use super::*;
    use heatmark_records::Value;

    #[test]
    fn a_pattern_that_matches_nothing_is_refused_by_name() {
        let mut fields = Fields::new();
        for path in ["heat", "chemistry/C", "product/grade", "melt/process"] {
            fields.insert(Path::new(path).unwrap(), Value::Text("x".into())).unwrap();
        }
        let chosen = |patterns: &[&str]| {
            let patterns = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
            let paths = Selection::new(patterns).unwrap().of(&fields)?;
            Ok::<_, SelectionError>(paths.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(chosen(&["heat", "mechanical"]).unwrap(), ["heat"]);
        assert_eq!(chosen(&["grade"]).unwrap(), ["product/grade"]);
        assert_eq!(chosen(&["origin"]).unwrap(), ["heat", "melt/process"]);
        assert_eq!(chosen(&["all"]).unwrap().len(), 4);
        assert_eq!(
            chosen(&["heat", "chemisty/*"]),
            Err(SelectionError::NoMatch("chemisty/*".into()))
        );
        assert_eq!(chosen(&["chemistry/Mn"]), Err(SelectionError::NoMatch("chemistry/Mn".into())));
    }
}
