//! The vault's keeping over gRPC: its log, retention and holds, destruction, operators, backups.
//! Refuses ids of wrong length and roles that are not known; the rules are the vault's.

use super::DeskApi;
use crate::refusal::{busy, field, of_desk, stopping};
use heatmark_desk::{BackupPiece, Desk};
use heatmark_ledger::Hash;
use heatmark_proto::desk::v1 as pb;
use heatmark_vault::{Operator, Role};
use pb::backup_vault_response::Part;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

pub(super) type BackupStream = ReceiverStream<Result<pb::BackupVaultResponse, Status>>;

const DEFAULT_ENTRIES: usize = 100;
const MAX_ENTRIES: usize = 1_000;
/// When to try again while others make a backup.
const BUSY_WAIT: Duration = Duration::from_secs(10);

pub(super) async fn list_vault_log(
    desk: &Desk,
    request: pb::ListVaultLogRequest,
) -> Result<pb::ListVaultLogResponse, Status> {
    let limit = match usize::try_from(request.limit).unwrap_or(usize::MAX) {
        0 => DEFAULT_ENTRIES,
        limit => limit.min(MAX_ENTRIES),
    };
    let (entries, head) = desk.vault_log(request.from, limit).await.map_err(of_desk)?;
    Ok(pb::ListVaultLogResponse {
        entries: entries.iter().map(heatmark_vault::LogEntry::encode).collect(),
        count: head.entries,
        head: head.hash.to_vec(),
    })
}

pub(super) async fn set_retention(
    desk: &Desk,
    request: pb::SetRetentionRequest,
) -> Result<pb::SetRetentionResponse, Status> {
    let id = record(&request.record_id)?;
    let until_ms = Some(request.until_ms).filter(|until_ms| *until_ms != 0);
    desk.retain(id, until_ms).await.map_err(of_desk)?;
    Ok(pb::SetRetentionResponse {})
}

pub(super) async fn set_hold(
    desk: &Desk,
    request: pb::SetHoldRequest,
) -> Result<pb::SetHoldResponse, Status> {
    let id = record(&request.record_id)?;
    let changed = if request.hold {
        desk.hold(id, request.reason).await.map_err(of_desk)?;
        true
    } else {
        desk.release_hold(id).await.map_err(of_desk)?
    };
    Ok(pb::SetHoldResponse { changed })
}

pub(super) async fn erase_record(
    desk: &Desk,
    request: pb::EraseRecordRequest,
) -> Result<pb::EraseRecordResponse, Status> {
    let erased = desk.erase(record(&request.record_id)?).await.map_err(of_desk)?;
    Ok(pb::EraseRecordResponse { purged: erased.purged })
}

#[allow(clippy::unused_async, reason = "called like the others")]
pub(super) async fn list_operators(
    desk: &Desk,
    _: pb::ListOperatorsRequest,
) -> Result<pb::ListOperatorsResponse, Status> {
    let operators = desk.operators().into_iter().map(|operator| pb::Operator {
        key: operator.key.to_vec(),
        name: operator.name,
        roles: operator.roles.iter().map(|role| to_proto(*role).into()).collect(),
    });
    Ok(pb::ListOperatorsResponse { operators: operators.collect() })
}

pub(super) async fn grant_operator(
    desk: &Desk,
    request: pb::GrantOperatorRequest,
) -> Result<pb::GrantOperatorResponse, Status> {
    let operator = request.operator.ok_or_else(|| field("no operator is named"))?;
    let roles = operator.roles().map(from_proto).collect::<Option<_>>();
    let roles = roles.ok_or_else(|| field("a role that is not known"))?;
    let operator = Operator { key: key(&operator.key)?, name: operator.name, roles };
    desk.grant(operator).await.map_err(of_desk)?;
    Ok(pb::GrantOperatorResponse {})
}

pub(super) async fn revoke_operator(
    desk: &Desk,
    request: pb::RevokeOperatorRequest,
) -> Result<pb::RevokeOperatorResponse, Status> {
    desk.revoke(key(&request.key)?).await.map_err(of_desk)?;
    Ok(pb::RevokeOperatorResponse {})
}

impl DeskApi {
    pub(super) fn backup(&self, desk: &Desk) -> Result<BackupStream, Status> {
        let permit = Arc::clone(&self.node.publications).try_acquire_owned();
        let permit = permit
            .map_err(|_| busy("busy", "too much is published or backed up at once", BUSY_WAIT))?;
        let patience = self.node.limits.stall_timeout;
        let mut pieces = desk.backup(patience);
        let (answers, stream) = mpsc::channel(1);
        let mut stop = self.node.stop.clone();
        tokio::spawn(async move {
            let _permit = permit;
            let mut bytes = 0_u64;
            loop {
                let piece = tokio::select! {
                    piece = pieces.recv() => piece,
                    _ = stop.wait_for(|stop| *stop) => {
                        // Nobody may be listening any more.
                        let _ = answers.try_send(Err(stopping()));
                        return;
                    }
                };
                let Some(piece) = piece else { return };
                let answer = piece.map_err(of_desk).map(|piece| response(piece, &mut bytes));
                let sent = tokio::time::timeout(patience, answers.send(answer));
                if !matches!(sent.await, Ok(Ok(()))) {
                    return;
                }
            }
        });
        Ok(ReceiverStream::new(stream))
    }
}

fn response(piece: BackupPiece, bytes: &mut u64) -> pb::BackupVaultResponse {
    let part = match piece {
        BackupPiece::Bytes(piece) => {
            *bytes = bytes.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
            Part::Piece(piece)
        }
        BackupPiece::End(summary) => Part::End(pb::BackupEnd {
            bytes: *bytes,
            entries: summary.entries,
            records: summary.records,
        }),
    };
    pb::BackupVaultResponse { part: Some(part) }
}

fn record(bytes: &[u8]) -> Result<Hash, Status> {
    Hash::try_from(bytes).map_err(|_| field("a record id has 32 bytes"))
}

fn key(bytes: &[u8]) -> Result<[u8; 32], Status> {
    bytes.try_into().map_err(|_| field("a key has 32 bytes"))
}

fn to_proto(role: Role) -> pb::OperatorRole {
    match role {
        Role::Publish => pb::OperatorRole::Publish,
        Role::Inspect => pb::OperatorRole::Inspect,
        Role::Alert => pb::OperatorRole::Alert,
        Role::Administer => pb::OperatorRole::Administer,
    }
}

fn from_proto(role: pb::OperatorRole) -> Option<Role> {
    match role {
        pb::OperatorRole::Unspecified => None,
        pb::OperatorRole::Publish => Some(Role::Publish),
        pb::OperatorRole::Inspect => Some(Role::Inspect),
        pb::OperatorRole::Alert => Some(Role::Alert),
        pb::OperatorRole::Administer => Some(Role::Administer),
    }
}
