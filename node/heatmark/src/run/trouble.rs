//! Disks that are full, fail or give other bytes than were written: told apart, said in one line,
//! with what to do about it. A node that meets one stops voting and ends.

use super::error::RunError;
use heatmark_consensus::Failure;
use std::error::Error;

/// What is wrong with a disk or with what is on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// No room is left, or less than `store.min_free_bytes`.
    Full,
    /// Reading or writing fails.
    Failing,
    /// Bytes on it are not those that were written.
    Damaged,
}

/// What the operating system and RocksDB say, in the order in which it counts: a disk that is full
/// is no worse than full, whatever follows from it.
const SIGNS: [(&str, Trouble); 14] = [
    ("No space left on device", Trouble::Full),
    ("File too large", Trouble::Full),
    ("Disk quota exceeded", Trouble::Full),
    ("Disk full", Trouble::Full),
    ("Corruption", Trouble::Damaged),
    ("the database is damaged", Trouble::Damaged),
    ("entry is damaged", Trouble::Damaged),
    ("was changed on disk", Trouble::Damaged),
    ("consensus log failed", Trouble::Damaged),
    ("is not on this disk", Trouble::Damaged),
    ("Input/output error", Trouble::Failing),
    ("Read-only file system", Trouble::Failing),
    ("No such device", Trouble::Failing),
    ("IO error", Trouble::Failing),
];

/// Whether an error's text says that another process has the database open.
#[must_use]
pub(crate) fn is_held(text: &str) -> bool {
    text.contains("lock hold by current process") || text.contains("While lock file")
}

impl Trouble {
    /// What an error's text tells; none when it is about something else.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        // Another process that holds the database is an input error of RocksDB's as well.
        if is_held(text) {
            return None;
        }
        SIGNS.iter().find(|(sign, _)| text.contains(sign)).map(|(_, trouble)| *trouble)
    }

    /// What happened, for people.
    #[must_use]
    pub fn what(self) -> &'static str {
        match self {
            Self::Full => "the node does not run: its disk is full",
            Self::Failing => "the node does not run: its disk fails",
            Self::Damaged => "the node does not run: data on its disk are damaged",
        }
    }

    /// What to do next.
    #[must_use]
    pub fn next(self, home: &str) -> String {
        match self {
            Self::Full => format!(
                "make room on that disk, then start the node again; nothing acknowledged is lost, \
                 and if in doubt: heatmark store check --home {home}"
            ),
            Self::Failing => format!(
                "look at the disk and the system's log, replace it if need be, then run: heatmark \
                 store check --home {home}"
            ),
            Self::Damaged => format!(
                "run: heatmark store check --home {home}, and then: heatmark store repair --home \
                 {home} --from HOST:PORT"
            ),
        }
    }
}

/// The whole of an error, each cause said once.
#[must_use]
pub fn describe(error: &RunError) -> String {
    let mut text = crate::command::chain(error);
    if let RunError::ConsensusFailed(Failure::Application { cause, .. }) = error {
        let mut next = cause.source();
        while let Some(source) = next {
            let said = source.to_string();
            if !text.contains(&said) {
                text.push_str(": ");
                text.push_str(&said);
            }
            next = source.source();
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_and_the_database_say_is_told_apart() {
        let said = [
            ("IO error: No space left on device: While appending to file: /x/1.log", Trouble::Full),
            ("IO error: File too large: While appending to file", Trouble::Full),
            ("write failed: No space left on device (os error 28)", Trouble::Full),
            ("database: IO error: While pread offset 0: Input/output error", Trouble::Failing),
            ("cannot write: Read-only file system (os error 30)", Trouble::Failing),
            ("database: Corruption: block checksum mismatch in /x/9.sst", Trouble::Damaged),
            ("the vault's database failed: Corruption: bad record length", Trouble::Damaged),
        ];
        for (text, trouble) in said {
            assert_eq!(Trouble::of(text), Some(trouble), "{text}");
        }
        let others = [
            "IO error: While lock file: /x/LOCK: Resource temporarily unavailable",
            "IO error: lock hold by current process, acquire time 17 acquiring thread 1: /x/LOCK",
            "the database belongs to network aa, the genesis file to bb",
            "this key does not open the vault",
        ];
        for text in others {
            assert_eq!(Trouble::of(text), None, "{text}");
            assert_eq!(is_held(text), text.contains("LOCK"), "{text}");
        }
    }
}
