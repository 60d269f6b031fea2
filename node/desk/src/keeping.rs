//! The vault's keeping: retention dates and legal holds, destruction by hand and when a date has
//! passed, operators and their roles, the log of deeds, backups. The rules are the vault's; here
//! they are kept off the threads that serve requests, and done on somebody's behalf.

use crate::{Desk, DeskError, blocking};
use heatmark_ledger::keys::PublicKey;
use heatmark_ledger::state;
use heatmark_records::RecordId;
use heatmark_vault::{Actor, Admitted, BackupSummary, Erasure, LogEntry, LogHead, Operator, Vault};
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;

/// How often retention dates are looked at.
const DATES_INTERVAL: Duration = Duration::from_secs(60);
/// Bytes of a backup that are handed on at once.
const BACKUP_PIECE_BYTES: usize = 256 * 1024;
/// Pieces of a backup that wait for whoever takes them.
const BACKUP_QUEUE: usize = 2;

/// A part of a backup as it is made.
#[derive(Debug)]
pub enum BackupPiece {
    /// The file's next bytes.
    Bytes(Vec<u8>),
    /// The file is whole.
    End(BackupSummary),
}

impl Desk {
    /// Sets until when a record is kept, and after when it is destroyed; `None` keeps it.
    ///
    /// # Errors
    /// [`DeskError::Vault`].
    pub async fn retain(&self, id: RecordId, until_ms: Option<u64>) -> Result<(), DeskError> {
        self.keeping(move |vault, actor| Ok(vault.retain(actor, &id, until_ms)?)).await?;
        self.shared.dates.notify_one();
        Ok(())
    }

    /// Puts a record on legal hold.
    ///
    /// # Errors
    /// [`DeskError::Vault`].
    pub async fn hold(&self, id: RecordId, reason: String) -> Result<(), DeskError> {
        self.keeping(move |vault, actor| Ok(vault.hold(actor, &id, &reason)?)).await
    }

    /// Ends a record's hold; whether there was one.
    ///
    /// # Errors
    /// [`DeskError::Vault`].
    pub async fn release_hold(&self, id: RecordId) -> Result<bool, DeskError> {
        let released = self.keeping(move |vault, actor| Ok(vault.release(actor, &id)?)).await?;
        self.shared.dates.notify_one();
        Ok(released)
    }

    /// Destroys what a record says, for good.
    ///
    /// # Errors
    /// [`DeskError::Vault`]; nothing is destroyed then.
    pub async fn erase(&self, id: RecordId) -> Result<Erasure, DeskError> {
        self.keeping(move |vault, actor| Ok(vault.erase(actor, &id)?)).await
    }

    /// Entries of the vault's log from the `from`th on, and its head.
    ///
    /// # Errors
    /// [`DeskError::Vault`].
    pub async fn vault_log(
        &self,
        from: u64,
        limit: usize,
    ) -> Result<(Vec<LogEntry>, LogHead), DeskError> {
        self.keeping(move |vault, _| Ok((vault.log(from, limit)?, vault.log_head()?))).await
    }

    /// Lets a key in with these roles, or changes its roles.
    ///
    /// # Errors
    /// [`DeskError::NoKey`], [`DeskError::RegisteredKey`], [`DeskError::Vault`].
    pub async fn grant(&self, operator: Operator) -> Result<(), DeskError> {
        let key = PublicKey::from_bytes(&operator.key).map_err(|_| DeskError::NoKey)?;
        if state::key_state(&self.parts.store, &key.id())?.is_some() {
            return Err(DeskError::RegisteredKey);
        }
        self.keeping(move |vault, actor| Ok(vault.grant(actor, &operator)?)).await
    }

    /// Shuts a key out, from its next request on.
    ///
    /// # Errors
    /// [`DeskError::Vault`].
    pub async fn revoke(&self, key: [u8; 32]) -> Result<(), DeskError> {
        self.keeping(move |vault, actor| Ok(vault.revoke(actor, &key)?)).await
    }

    /// Whom the vault lets in, to be asked at every request by whoever may outlive the desk.
    #[must_use]
    pub fn admitted(&self) -> Admitted {
        self.parts.vault.admitted()
    }

    /// Everybody who was let in.
    #[must_use]
    pub fn operators(&self) -> Vec<Operator> {
        self.parts.vault.operators()
    }

    /// Makes a backup, as fast as its pieces are taken. It ends early when nobody takes them for
    /// `patience`.
    #[must_use]
    pub fn backup(&self, patience: Duration) -> mpsc::Receiver<Result<BackupPiece, DeskError>> {
        let (pieces, taken) = mpsc::channel(BACKUP_QUEUE);
        let (vault, actor) = (Arc::clone(&self.parts.vault), Arc::clone(&self.actor));
        let runtime = tokio::runtime::Handle::current();
        tokio::task::spawn_blocking(move || {
            let mut out =
                Pieces { buffer: Vec::new(), pieces: &pieces, runtime: &runtime, patience };
            let made = vault.backup(&actor, &mut out);
            let ended = made.map(BackupPiece::End).map_err(DeskError::from);
            if let Err(error) = &ended {
                tracing::warn!(code = error.code(), "a backup of the vault ended early");
            }
            // Whoever is gone needs no end.
            let _ = out.send(ended);
        });
        taken
    }

    async fn keeping<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Vault, &Actor) -> Result<T, DeskError> + Send + 'static,
    ) -> Result<T, DeskError> {
        let (vault, actor) = (Arc::clone(&self.parts.vault), Arc::clone(&self.actor));
        blocking(move || work(&vault, &actor)).await
    }

    /// Destroys what is past its date, at once and then every now and then, for ever.
    pub(crate) async fn destroy_due(&self) {
        loop {
            match self.destroy_due_once().await {
                Ok(0) => {}
                Ok(records) => tracing::info!(records, "records past their date were destroyed"),
                Err(error) => {
                    tracing::warn!(code = error.code(), "records past their date still stand");
                }
            }
            tokio::select! {
                () = self.shared.dates.notified() => {}
                () = tokio::time::sleep(DATES_INTERVAL) => {}
            }
        }
    }

    async fn destroy_due_once(&self) -> Result<usize, DeskError> {
        let mut destroyed = 0_usize;
        loop {
            let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
            let erased = self.keeping(move |vault, actor| Ok(vault.erase_due(actor, now)?)).await?;
            if erased.records.is_empty() {
                return Ok(destroyed);
            }
            destroyed = destroyed.saturating_add(erased.records.len());
        }
    }
}

/// Hands a file's bytes on in pieces, and waits for whoever takes them.
struct Pieces<'p> {
    buffer: Vec<u8>,
    pieces: &'p mpsc::Sender<Result<BackupPiece, DeskError>>,
    runtime: &'p tokio::runtime::Handle,
    patience: Duration,
}

impl Pieces<'_> {
    fn send(&self, piece: Result<BackupPiece, DeskError>) -> io::Result<()> {
        let sent =
            self.runtime.block_on(tokio::time::timeout(self.patience, self.pieces.send(piece)));
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

impl Write for Pieces<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BACKUP_PIECE_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = std::mem::take(&mut self.buffer);
        self.send(Ok(BackupPiece::Bytes(piece)))
    }
}
