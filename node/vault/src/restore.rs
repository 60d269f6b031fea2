//! A vault from a backup: read once from head to end, built beside its place, and put there in one step when all
//! of it has proved to be whole. A refused backup and a crash leave nothing but a directory that the next
//! attempt removes.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use rocksdb::WriteBatch;
use sha2::{Digest, Sha256};

use crate::backup::{CHUNK_BYTES, Chunks, MAGIC, TAG_BYTES, family_number};
use crate::database::{Database, Family};
use crate::sealed::{Master, Secret32};
use crate::vault::{MASTER, wrapped};
use crate::{Actor, BackupSummary, Deed, RestoreError, Vault, VaultError, VaultKey};

const MAX_WRAPPED_BYTES: usize = 256;
const MAX_KEY_BYTES: usize = 64;
/// An opening of a thousand fields of the longest texts has a quarter of this.
const MAX_VALUE_BYTES: usize = 64 << 20;
const BATCH_BYTES: usize = 4 << 20;
/// Which indices of alert keys and seals were given after the backup is unknown, so a restored vault goes on at a later
/// multiple: nobody makes as many records or lots between a backup and a restoration.
const STEP: u64 = 1 << 32;
/// It skips up to so many multiples, at random, so that two restorations from one backup do not give the same. Small
/// against the 2³² that there are, so that hundreds of restorations of restored vaults find room.
const STEPS: u32 = 1 << 24;

/// What a restored vault holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// What was in the backup.
    pub backup: BackupSummary,
    /// The first alert key index that it will give.
    pub next_alert_index: u64,
}

/// Reads a backup to its end and keeps nothing of it.
///
/// # Errors
/// See [`RestoreError`].
pub fn check_backup(key: &VaultKey, input: &mut dyn Read) -> Result<BackupSummary, RestoreError> {
    Backup::open(key, input)?.entries(|_, _, _| Ok(()))
}

/// Makes a vault from a backup where none is.
///
/// # Errors
/// See [`RestoreError`]; nothing is left of it then.
pub fn restore(
    path: &Path,
    key: &VaultKey,
    by: &Actor,
    input: &mut dyn Read,
) -> Result<Restored, RestoreError> {
    if fs::read_dir(path).is_ok_and(|mut files| files.next().is_some()) || path.is_file() {
        return Err(RestoreError::NotEmpty(path.to_owned()));
    }
    let beside = beside(path);
    if beside.exists() {
        fs::remove_dir_all(&beside)?;
    }
    let restored = build(&beside, key, by, input);
    let placed = restored.and_then(|restored| {
        sync_directory(&beside)?;
        // A rename takes the place of an empty directory, and of nothing else.
        fs::rename(&beside, path)?;
        sync_directory(path.parent().unwrap_or(Path::new(".")))?;
        Ok(restored)
    });
    if placed.is_err() {
        // The refusal is what counts; the next attempt removes what is left.
        let _ = fs::remove_dir_all(&beside);
    }
    placed
}

fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".restoring");
    path.with_file_name(name)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path)?.sync_all()
}

fn build(
    path: &Path,
    key: &VaultKey,
    by: &Actor,
    input: &mut dyn Read,
) -> Result<Restored, RestoreError> {
    // Before anything is written: most refusals are told by the head.
    let backup = Backup::open(key, input)?;
    let master = wrapped(backup.master.secret(), key);
    let db = Database::open(path)?;
    let mut batch = WriteBatch::default();
    batch.put_cf(db.family(Family::Erasable)?, MASTER, master);
    let summary = backup.entries(|family, key, value| {
        batch.put_cf(db.family(family)?, key, value);
        if batch.size_in_bytes() >= BATCH_BYTES {
            db.write(std::mem::take(&mut batch))?;
        }
        Ok(())
    })?;
    db.write(batch)?;
    drop(db);
    let vault = Vault::open(path, key)?;
    vault.check_log()?;
    let next = vault.forget_indices()?;
    vault.note(by, Deed::Restore, None, next)?;
    vault.db.flush()?;
    Ok(Restored { backup: summary, next_alert_index: next })
}

impl Vault {
    /// The next indices of alert keys and of seals.
    ///
    /// # Errors
    /// `Damaged` or `Database`.
    pub fn next_indices(&self) -> Result<(u64, u64), VaultError> {
        Ok((self.alert_index()?, self.seal_index()?))
    }

    /// Gives indices of alert keys and of seals from a random later place on, since it is not known which were given: of a
    /// vault that was restored. Gives the first alert index.
    ///
    /// # Errors
    /// `NoAlertIndex` when there is no later place, `Damaged` or `Database`.
    pub fn forget_indices(&self) -> Result<u64, VaultError> {
        let next = beyond(self.alert_index()?)?;
        self.skip_alert_indices(next)?;
        self.skip_seal_indices(beyond(self.seal_index()?)?)?;
        Ok(next)
    }
}

/// A multiple of [`STEP`] beyond an index, at random.
fn beyond(index: u64) -> Result<u64, VaultError> {
    let skipped = u64::from(rand::random::<u32>() % STEPS);
    let upper = (index >> 32).saturating_add(1).saturating_add(skipped);
    upper.checked_mul(STEP).ok_or(VaultError::NoAlertIndex)
}

/// A backup that is being read.
struct Backup<'i> {
    input: &'i mut dyn Read,
    master: Master,
    chunks: Chunks,
    /// The chunk after the open one, sealed; empty at the end.
    ahead: Vec<u8>,
    /// Bytes of the file before it.
    offset: u64,
    /// What of the open chunk was not read yet.
    open: std::io::Cursor<Vec<u8>>,
    ended: bool,
}

impl<'i> Backup<'i> {
    fn open(key: &VaultKey, input: &'i mut dyn Read) -> Result<Self, RestoreError> {
        let mut head = vec![0; MAGIC.len()];
        if read_full(input, &mut head)? < MAGIC.len() || head != MAGIC {
            return Err(RestoreError::NotABackup);
        }
        let mut salt = [0; 32];
        read_head(input, &mut salt, &mut head)?;
        let mut length = [0; 2];
        read_head(input, &mut length, &mut head)?;
        let length = usize::from(u16::from_be_bytes(length));
        if length > MAX_WRAPPED_BYTES {
            return Err(RestoreError::Head);
        }
        let mut sealed = vec![0; length];
        read_head(input, &mut sealed, &mut head)?;
        let expected: [u8; 32] = Sha256::digest(&head).into();
        let mut hash = [0; 32];
        read_head(input, &mut hash, &mut head)?;
        if hash != expected {
            return Err(RestoreError::Head);
        }
        let master = key.wrapping().open(MASTER, &sealed).map_err(|_| RestoreError::OtherKey)?;
        let master = Secret32::from_slice(&master).map_err(|_| RestoreError::Content)?;
        let master = Master::new(master);
        let chunks = Chunks::new(&master, &salt, hash);
        let ahead = read_chunk(input)?;
        let offset = u64::try_from(head.len()).unwrap_or(u64::MAX);
        let open = std::io::Cursor::new(Vec::new());
        Ok(Self { input, master, chunks, ahead, offset, open, ended: false })
    }

    /// Gives every entry to `visit`, and reads to the end of the file.
    fn entries(
        mut self,
        mut visit: impl FnMut(Family, &[u8], &[u8]) -> Result<(), VaultError>,
    ) -> Result<BackupSummary, RestoreError> {
        let mut summary = BackupSummary::default();
        loop {
            let [family] = self.take::<1>()?;
            if family == 0 {
                break;
            }
            let families = Family::ALL.into_iter();
            let family = families.into_iter().find(|known| family_number(*known) == family);
            let family = family.ok_or(RestoreError::Content)?;
            let length = usize::from(u16::from_be_bytes(self.take()?));
            let key = self.take_bytes(length, MAX_KEY_BYTES)?;
            let length = usize::try_from(u32::from_be_bytes(self.take()?));
            let value = self.take_bytes(length.unwrap_or(usize::MAX), MAX_VALUE_BYTES)?;
            if key == MASTER {
                return Err(RestoreError::Content);
            }
            summary.count(&key);
            visit(family, &key, &value)?;
        }
        let counted = u64::from_be_bytes(self.take()?);
        let rest = usize::try_from(self.open.position()).unwrap_or(usize::MAX);
        if counted != summary.entries || !self.ended || rest != self.open.get_ref().len() {
            return Err(RestoreError::Content);
        }
        Ok(summary)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], RestoreError> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn take_bytes(&mut self, length: usize, limit: usize) -> Result<Vec<u8>, RestoreError> {
        if length > limit {
            return Err(RestoreError::Content);
        }
        let mut bytes = vec![0; length];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), RestoreError> {
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.open.read(rest)? {
                0 => self.next_chunk()?,
                read => filled = filled.saturating_add(read),
            }
        }
        Ok(())
    }

    fn next_chunk(&mut self) -> Result<(), RestoreError> {
        if self.ended {
            return Err(RestoreError::Content);
        }
        let sealed = std::mem::take(&mut self.ahead);
        if sealed.is_empty() {
            return Err(RestoreError::Truncated(self.offset));
        }
        self.ahead = read_chunk(self.input)?;
        let last = self.ahead.is_empty();
        let end = self.offset.saturating_add(u64::try_from(sealed.len()).unwrap_or(u64::MAX));
        let chunk = match self.chunks.open(&sealed, last) {
            Some(chunk) => chunk,
            None if self.chunks.open(&sealed, !last).is_none() => {
                return Err(RestoreError::Changed(self.offset));
            }
            None if last => return Err(RestoreError::Truncated(end)),
            None => return Err(RestoreError::Trailing(end)),
        };
        self.chunks.advance();
        self.offset = end;
        self.ended = last;
        self.open = std::io::Cursor::new(chunk);
        Ok(())
    }
}

fn read_head(
    input: &mut dyn Read,
    bytes: &mut [u8],
    head: &mut Vec<u8>,
) -> Result<(), RestoreError> {
    let read = read_full(input, bytes)?;
    head.extend_from_slice(bytes.get(..read).unwrap_or_default());
    if read < bytes.len() {
        return Err(RestoreError::Truncated(u64::try_from(head.len()).unwrap_or(u64::MAX)));
    }
    Ok(())
}

fn read_chunk(input: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut chunk = vec![0; CHUNK_BYTES.saturating_add(TAG_BYTES)];
    let read = read_full(input, &mut chunk)?;
    chunk.truncate(read);
    Ok(chunk)
}

fn read_full(input: &mut dyn Read, bytes: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match input.read(rest) {
            Ok(0) => break,
            Ok(read) => filled = filled.saturating_add(read),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
