//! The engine's journal of what this validator signed, read before the engine opens it: opening
//! cuts off whatever does not read to its end, and votes that are cut off could be signed again
//! differently. Tells an entry that a crash left incomplete, which was never sent, from one whose
//! bytes changed.
//!
//! Format, of `arc-malachitebft-wal` 0.8: version (4 bytes, big-endian), height (8), then entries:
//! flag (1), length (8), CRC-32 of the data (4), data.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use arc_malachitebft_app_channel::app::consensus::Input;
use arc_malachitebft_app_channel::app::engine::wal::decode_entry;
use arc_malachitebft_app_channel::app::wal;

use crate::codec::LedgerCodec;
use crate::context::Heatmark;

/// Its name within [`crate::ConsensusConfig::home`].
pub(crate) const FILE: &str = "consensus.wal";

const VERSION: u32 = 1;
const VERSION_BYTES: usize = 4;
const HEIGHT_BYTES: usize = 8;
const ENTRY_HEAD_BYTES: usize = 13;

/// A journal holds one height. A larger file is not read.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// How far an incomplete entry is searched for its real end.
const MAX_SEARCH_BYTES: usize = 1024 * 1024;

/// What is known of the votes of the height under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Journal {
    /// There is no journal: nothing was signed here, or what was is forgotten.
    Missing,
    /// Everything that was sent is in it.
    Sound {
        /// The height under way when it was written; 0 before the first.
        height: u64,
    },
    /// Its bytes changed: what was signed is not known.
    Damaged(&'static str),
}

/// Reads the journal in a consensus directory, changing nothing.
///
/// # Errors
/// When the file cannot be read.
pub fn journal(home: &Path) -> io::Result<Journal> {
    let path = home.join(FILE);
    match fs::metadata(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Journal::Missing),
        Err(error) => return Err(error),
        Ok(file) if file.len() > MAX_BYTES => return Ok(Journal::Damaged("it is too large")),
        Ok(_) => {}
    }
    Ok(read(&fs::read(&path)?))
}

/// Begins an empty journal, durable when this returns, so that a missing one means from then on
/// that it was lost. One that is there is kept under another name, which is returned.
///
/// # Errors
/// When it cannot be written, or another process holds the old one.
pub fn begin_journal(home: &Path) -> io::Result<Option<PathBuf>> {
    let path = home.join(FILE);
    let mut kept = None;
    if path.exists() {
        let free = (1_u32..).map(|n| home.join(format!("{FILE}.old-{n}"))).find(|to| !to.exists());
        let aside = free.ok_or_else(|| io::Error::from(io::ErrorKind::AlreadyExists))?;
        refuse_in_use(&path)?;
        fs::rename(&path, &aside)?;
        kept = Some(aside);
    }
    wal::Log::open(&path)?;
    File::open(home)?.sync_all()?;
    Ok(kept)
}

/// An engine that runs holds its journal; taken away under it, its votes would be lost.
fn refuse_in_use(path: &Path) -> io::Result<()> {
    match File::open(path)?.try_lock() {
        Ok(()) => Ok(()),
        Err(fs::TryLockError::WouldBlock) => Err(io::Error::new(
            io::ErrorKind::ResourceBusy,
            "a running node holds the consensus journal",
        )),
        Err(fs::TryLockError::Error(error)) => Err(error),
    }
}

fn read(bytes: &[u8]) -> Journal {
    if bytes.is_empty() {
        // Created, and its head not written yet: the engine had not begun.
        return Journal::Sound { height: 0 };
    }
    let Some((version, rest)) = bytes.split_first_chunk::<VERSION_BYTES>() else {
        return Journal::Damaged("its head is incomplete");
    };
    let Some((height, entries)) = rest.split_first_chunk::<HEIGHT_BYTES>() else {
        return Journal::Damaged("its head is incomplete");
    };
    if u32::from_be_bytes(*version) != VERSION {
        return Journal::Damaged("its version is unknown");
    }
    let height = u64::from_be_bytes(*height);
    match check_entries(entries, height) {
        Ok(()) => Journal::Sound { height },
        Err(why) => Journal::Damaged(why),
    }
}

fn check_entries(mut rest: &[u8], height: u64) -> Result<(), &'static str> {
    while let Some((head, data)) = rest.split_first_chunk::<ENTRY_HEAD_BYTES>() {
        let [flag, head @ ..] = *head;
        let (length, crc) = head.split_at(HEIGHT_BYTES);
        let length = length.try_into().map(u64::from_be_bytes).unwrap_or(u64::MAX);
        let crc = crc.try_into().map(u32::from_be_bytes).unwrap_or(0);
        if flag != 0 {
            return Err("an entry is of an unknown kind");
        }
        let split = usize::try_from(length).ok().and_then(|length| data.split_at_checked(length));
        let Some((entry, after)) = split else {
            // Incomplete, as a crash leaves it, or complete under a wrong length.
            return if ends_within(data, crc) { Err("an entry's length changed") } else { Ok(()) };
        };
        if crc32fast::hash(entry) != crc {
            return Err("an entry's checksum does not match");
        }
        if height_of_vote(entry).is_some_and(|of| of != height) {
            // No checksum covers the height in the head, and the engine forgets all votes of another.
            return Err("it holds votes of another height than it says");
        }
        rest = after;
    }
    // Less than the head of an entry: a crash between two writes.
    Ok(())
}

fn height_of_vote(entry: &[u8]) -> Option<u64> {
    match decode_entry::<Heatmark, _, _>(&LedgerCodec, entry) {
        Ok(Input::Vote(vote)) => Some(vote.message.height.0),
        Ok(Input::Proposal(proposal)) => Some(proposal.message.height.0),
        _ => None,
    }
}

/// Whether the checksum is that of the beginning of `data`.
fn ends_within(data: &[u8], crc: u32) -> bool {
    let mut hasher = crc32fast::Hasher::new();
    data.iter().take(MAX_SEARCH_BYTES).any(|byte| {
        hasher.update(&[*byte]);
        hasher.clone().finalize() == crc
    })
}

#[cfg(test)]
mod tests;
