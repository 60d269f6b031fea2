//! Reading the log of deeds, and whether it is whole.

#[cfg(test)]
mod tests;

use crate::deeds::LogHead;
use crate::vault::{LOG, LOG_HEAD};
use crate::writing::log_key;
use crate::{Actor, Deed, LogEntry, Vault, VaultError};

impl Vault {
    /// Adds an entry about what changes nothing here, synced.
    ///
    /// # Errors
    /// `Database`; then it must not be done.
    pub fn note(
        &self,
        by: &Actor,
        deed: Deed,
        about: Option<[u8; 32]>,
        number: u64,
    ) -> Result<(), VaultError> {
        let mut write = self.begin()?;
        write.note(by, deed, about, number);
        write.commit()
    }

    /// Entries from the `from`th on, at most `limit`, each held against the one before it.
    ///
    /// # Errors
    /// `LogChanged`, `Damaged` or `Database`.
    pub fn log(&self, from: u64, limit: usize) -> Result<Vec<LogEntry>, VaultError> {
        let mut entries: Vec<LogEntry> = Vec::new();
        if limit == 0 {
            return Ok(entries);
        }
        let mut head = match from.checked_sub(1) {
            None => LogHead::default(),
            Some(before) => match self.entry(before)? {
                Some(entry) => LogHead { entries: from, hash: entry.hash() },
                None => return Ok(entries),
            },
        };
        self.scan_from(&[LOG], &from.to_be_bytes(), |_, value| {
            let entry = LogEntry::decode(value)?;
            head = entry.follow(&head)?;
            entries.push(entry);
            Ok(entries.len() < limit)
        })?;
        Ok(entries)
    }

    /// How many entries there are, and the hash of the last: note it elsewhere, and nobody can rewrite them.
    ///
    /// # Errors
    /// `Poisoned`.
    pub fn log_head(&self) -> Result<LogHead, VaultError> {
        Ok(*self.writing.lock().map_err(|_| VaultError::Poisoned)?)
    }

    /// Reads the whole log and holds it against its head.
    ///
    /// # Errors
    /// `LogChanged` with the first entry that does not follow, `Damaged` or `Database`.
    pub fn check_log(&self) -> Result<LogHead, VaultError> {
        let known = self.log_head()?;
        let mut head = LogHead::default();
        self.scan(&[LOG], |_, value| {
            // What is added meanwhile is beyond the head that was read.
            if head.entries < known.entries {
                head = LogEntry::decode(value)?.follow(&head)?;
            }
            Ok(head.entries < known.entries)
        })?;
        if head == known { Ok(head) } else { Err(VaultError::LogChanged(head.entries)) }
    }

    /// The head on disk, if the last entry is what it says.
    pub(crate) fn stored_log_head(&self) -> Result<LogHead, VaultError> {
        let head = match self.get(LOG_HEAD)? {
            Some(head) => LogHead::decode(&head)?,
            None => LogHead::default(),
        };
        if self.entry(head.entries)?.is_some() {
            return Err(VaultError::LogChanged(head.entries));
        }
        let Some(last) = head.entries.checked_sub(1) else { return Ok(head) };
        match self.entry(last)? {
            Some(entry) if entry.hash() == head.hash => Ok(head),
            _ => Err(VaultError::LogChanged(last)),
        }
    }

    fn entry(&self, sequence: u64) -> Result<Option<LogEntry>, VaultError> {
        self.get(&log_key(sequence))?.map(|entry| LogEntry::decode(&entry)).transpose()
    }
}
