//! Backups: one state of the vault, streamed, encrypted, whole or refused.
//!
//! ```text
//!   head    "heatmark vault backup 1\n" ‖ salt (32) ‖ u16be length ‖ wrapped master key ‖ SHA-256 of all this
//!   chunks  64 KiB each but the last, ChaCha20-Poly1305 with the head's hash as associated data
//!             key    HKDF-SHA256(master key, salt, "heatmark/v1/vault-backup")
//!             nonce  u88be number of the chunk ‖ u8 1 for the last, else 0
//!   in them   (u8 family 1 or 2 ‖ u16be length ‖ key ‖ u32be length ‖ value)… ‖ u8 0 ‖ u64be number of entries
//! ```
//!
//! The chunks are the STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár, as age (C2SP) uses it:
//! none can be changed, moved, left out or cut off unnoticed. Values stay sealed as they are in the database, so
//! whoever restores needs the vault key under which the backup was made.

#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::sync::PoisonError;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use rocksdb::IteratorMode;
use sha2::{Digest, Sha256};

use crate::database::Family;
use crate::sealed::{Master, Secret32};
use crate::vault::MASTER;
use crate::{Actor, Deed, Vault, VaultError};

pub(crate) const MAGIC: &[u8] = b"heatmark vault backup 1\n";
pub(crate) const CHUNK_BYTES: usize = 64 * 1024;
pub(crate) const TAG_BYTES: usize = 16;

/// What is in a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BackupSummary {
    /// Entries of the database.
    pub entries: u64,
    /// Records, destroyed ones among them.
    pub records: u64,
}

impl BackupSummary {
    pub(crate) fn count(&mut self, key: &[u8]) {
        self.entries = self.entries.saturating_add(1);
        if key.first() == Some(&crate::vault::ROW) {
            self.records = self.records.saturating_add(1);
        }
    }
}

impl Vault {
    /// Writes one state of the vault, as of now, while others go on using it. What is destroyed meanwhile leaves
    /// the disk after it.
    ///
    /// # Errors
    /// `Io` when it cannot be written, `Database`.
    pub fn backup(&self, by: &Actor, out: &mut dyn Write) -> Result<BackupSummary, VaultError> {
        let _copying = self.copying.read().unwrap_or_else(PoisonError::into_inner);
        self.note(by, Deed::Backup, None, 0)?;
        let snapshot = self.db.rocks().snapshot();
        let salt = Secret32::random()?;
        let family = self.db.family(Family::Erasable)?;
        let wrapped = snapshot.get_cf(family, MASTER)?.ok_or(VaultError::Damaged)?;
        let mut sealed = SealedWriter::begin(&self.master, salt.bytes(), &wrapped, out)?;
        let mut summary = BackupSummary::default();
        for family in Family::ALL {
            let handle = self.db.family(family)?;
            for entry in snapshot.iterator_cf(handle, IteratorMode::Start) {
                let (key, value) = entry?;
                // It is in the head.
                if &*key == MASTER {
                    continue;
                }
                summary.count(&key);
                sealed.write(&[family_number(family)])?;
                sealed.write(&length::<u16>(&key)?.to_be_bytes())?;
                sealed.write(&key)?;
                sealed.write(&length::<u32>(&value)?.to_be_bytes())?;
                sealed.write(&value)?;
            }
        }
        sealed.write(&[0])?;
        sealed.write(&summary.entries.to_be_bytes())?;
        sealed.finish()?;
        Ok(summary)
    }
}

fn length<N: TryFrom<usize>>(bytes: &[u8]) -> Result<N, VaultError> {
    N::try_from(bytes.len()).map_err(|_| VaultError::Damaged)
}

pub(crate) fn family_number(family: Family) -> u8 {
    match family {
        Family::Kept => 1,
        Family::Erasable => 2,
    }
}

/// The cipher of a backup's chunks.
pub(crate) struct Chunks {
    cipher: ChaCha20Poly1305,
    head: [u8; 32],
    next: u64,
}

impl Chunks {
    pub(crate) fn new(master: &Master, salt: &[u8; 32], head: [u8; 32]) -> Self {
        let key = master.backup_key(salt);
        Self { cipher: ChaCha20Poly1305::new((&*key).into()), head, next: 0 }
    }

    fn nonce(&self, last: bool) -> Nonce {
        let mut nonce = [0_u8; 12];
        let [_, _, _, counter @ .., flag] = &mut nonce;
        *counter = self.next.to_be_bytes();
        *flag = u8::from(last);
        nonce.into()
    }

    fn seal(&mut self, chunk: &[u8], last: bool) -> io::Result<Vec<u8>> {
        let payload = Payload { msg: chunk, aad: &self.head };
        let sealed = self.cipher.encrypt(&self.nonce(last), payload);
        self.next = self.next.checked_add(1).ok_or(io::ErrorKind::FileTooLarge)?;
        sealed.map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))
    }

    /// Opens a chunk as a last or another one, without going on to the next.
    pub(crate) fn open(&self, sealed: &[u8], last: bool) -> Option<Vec<u8>> {
        let payload = Payload { msg: sealed, aad: &self.head };
        self.cipher.decrypt(&self.nonce(last), payload).ok()
    }

    pub(crate) fn advance(&mut self) {
        self.next = self.next.saturating_add(1);
    }
}

struct SealedWriter<'o> {
    out: &'o mut dyn Write,
    chunks: Chunks,
    chunk: Vec<u8>,
}

impl<'o> SealedWriter<'o> {
    fn begin(
        master: &Master,
        salt: &[u8; 32],
        wrapped: &[u8],
        out: &'o mut dyn Write,
    ) -> Result<Self, VaultError> {
        let mut head = [MAGIC, salt].concat();
        head.extend_from_slice(&length::<u16>(wrapped)?.to_be_bytes());
        head.extend_from_slice(wrapped);
        let hash: [u8; 32] = Sha256::digest(&head).into();
        out.write_all(&head)?;
        out.write_all(&hash)?;
        let chunks = Chunks::new(master, salt, hash);
        Ok(Self { out, chunks, chunk: Vec::with_capacity(CHUNK_BYTES) })
    }

    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            // Written only once more follows, since the last chunk is marked.
            if self.chunk.len() == CHUNK_BYTES {
                self.out.write_all(&self.chunks.seal(&self.chunk, false)?)?;
                self.chunk.clear();
            }
            let room = CHUNK_BYTES.saturating_sub(self.chunk.len()).min(bytes.len());
            let (now, rest) = bytes.split_at(room);
            self.chunk.extend_from_slice(now);
            bytes = rest;
        }
        Ok(())
    }

    fn finish(mut self) -> io::Result<()> {
        self.out.write_all(&self.chunks.seal(&self.chunk, true)?)?;
        self.out.flush()
    }
}
