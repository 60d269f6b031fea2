//! The keeping of the own node's vault: its log, retention and holds, destruction, operators,
//! backups. Refuses a log in which an entry does not follow from the one before.

use crate::DeskClient;
use crate::desk::CALL_TIMEOUT;
use crate::error::ClientError;
use crate::ledger::timed;
use desk::backup_vault_response::Part;
pub use desk::{BackupEnd, Operator, OperatorRole};
use heatmark_merkle::tag;
use heatmark_proto::desk::v1 as desk;
use prost::Message as _;
use std::time::Duration;

/// How long the node may take to destroy a record, since it writes part of its database anew.
const ERASE_TIMEOUT: Duration = Duration::from_secs(180);

/// An entry of the vault's log.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What it says.
    pub entry: desk::VaultLogEntry,
    /// Its hash, which the next one holds.
    pub hash: [u8; 32],
}

/// A stretch of the vault's log, in which every entry follows from the one before.
#[derive(Debug, Clone)]
pub struct Log {
    /// The entries, ascending.
    pub entries: Vec<Entry>,
    /// How many the whole log has.
    pub count: u64,
    /// The hash of its last one.
    pub head: Vec<u8>,
}

impl DeskClient {
    /// Entries of the vault's log from the `from`th on, `limit` at most.
    ///
    /// # Errors
    /// See [`ClientError`]; [`ClientError::WrongAnswer`] when an entry does not follow from the one
    /// before, or the last one is not the head.
    pub async fn vault_log(&self, from: u64, limit: u32) -> Result<Log, ClientError> {
        let request = timed(desk::ListVaultLogRequest { from, limit }, CALL_TIMEOUT);
        let answer = self.service.clone().list_vault_log(request).await?.into_inner();
        let mut entries: Vec<Entry> = Vec::with_capacity(answer.entries.len());
        for (sequence, bytes) in (from..=u64::MAX).zip(&answer.entries) {
            let entry = desk::VaultLogEntry::decode(bytes.as_slice())
                .map_err(|_| ClientError::WrongAnswer("a log entry that does not decode"))?;
            let follows = match entries.last() {
                Some(before) => entry.previous == before.hash,
                None => from != 0 || entry.previous == [0; 32],
            };
            if entry.sequence != sequence || !follows {
                return Err(ClientError::WrongAnswer("a log entry that does not follow"));
            }
            entries.push(Entry { entry, hash: tag::hash("vault-log", &[bytes]).0 });
        }
        let last =
            entries.last().filter(|last| last.entry.sequence.checked_add(1) == Some(answer.count));
        if last.is_some_and(|last| answer.head != last.hash) {
            return Err(ClientError::WrongAnswer("a log that does not end in its head"));
        }
        Ok(Log { entries, count: answer.count, head: answer.head })
    }

    /// Sets until when a record is kept, and after when it is destroyed; 0 keeps it.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn retain(&self, record: [u8; 32], until_ms: u64) -> Result<(), ClientError> {
        let request = desk::SetRetentionRequest { record_id: record.to_vec(), until_ms };
        self.service.clone().set_retention(timed(request, CALL_TIMEOUT)).await?;
        Ok(())
    }

    /// Puts a record on hold for a reason, or releases it for none; whether that changed anything.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn hold(
        &self,
        record: [u8; 32],
        reason: Option<String>,
    ) -> Result<bool, ClientError> {
        let request = desk::SetHoldRequest {
            record_id: record.to_vec(),
            hold: reason.is_some(),
            reason: reason.unwrap_or_default(),
        };
        let answer = self.service.clone().set_hold(timed(request, CALL_TIMEOUT)).await?;
        Ok(answer.into_inner().changed)
    }

    /// Destroys what a record says; whether its key has left the disk already.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn erase(&self, record: [u8; 32]) -> Result<bool, ClientError> {
        let request = desk::EraseRecordRequest { record_id: record.to_vec() };
        let answer = self.service.clone().erase_record(timed(request, ERASE_TIMEOUT)).await?;
        Ok(answer.into_inner().purged)
    }

    /// Whom the node lets in beside the member's own keys.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn operators(&self) -> Result<Vec<Operator>, ClientError> {
        let request = timed(desk::ListOperatorsRequest {}, CALL_TIMEOUT);
        Ok(self.service.clone().list_operators(request).await?.into_inner().operators)
    }

    /// Lets a key in, or gives it other roles.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn grant(&self, operator: Operator) -> Result<(), ClientError> {
        let request = desk::GrantOperatorRequest { operator: Some(operator) };
        self.service.clone().grant_operator(timed(request, CALL_TIMEOUT)).await?;
        Ok(())
    }

    /// Shuts a key out.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn revoke(&self, key: [u8; 32]) -> Result<(), ClientError> {
        let request = desk::RevokeOperatorRequest { key: key.to_vec() };
        self.service.clone().revoke_operator(timed(request, CALL_TIMEOUT)).await?;
        Ok(())
    }

    /// Makes a backup; `take` is given its bytes as they come.
    ///
    /// # Errors
    /// See [`ClientError`], and what `take` gives. What was taken before an error is no backup.
    pub async fn backup<E: From<ClientError>>(
        &self,
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<BackupEnd, E> {
        let request = desk::BackupVaultRequest {};
        let answers = self.service.clone().backup_vault(request).await;
        let mut answers = answers.map_err(ClientError::from)?.into_inner();
        let mut bytes = 0_u64;
        while let Some(answer) = answers.message().await.map_err(ClientError::from)? {
            match answer.part {
                Some(Part::Piece(piece)) => {
                    bytes = bytes.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
                    take(&piece)?;
                }
                Some(Part::End(end)) if end.bytes == bytes => return Ok(end),
                _ => break,
            }
        }
        Err(ClientError::WrongAnswer("a backup without its end").into())
    }
}
