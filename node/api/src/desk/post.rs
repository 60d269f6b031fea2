//! Letters over gRPC: files for other members and from them. Refuses ids of wrong length; the rules are the desk's.

use crate::refusal::{field, of_desk};
use heatmark_desk::Desk;
use heatmark_ledger::ids::MemberId;
use heatmark_proto::desk::v1 as pb;
use heatmark_vault::LetterRow;
use tonic::Status;

/// Rows of either kind in one answer.
const MAX_ROWS: usize = 10_000;

pub(super) async fn send_letter(
    desk: &Desk,
    request: pb::SendLetterRequest,
) -> Result<pb::SendLetterResponse, Status> {
    let to = MemberId::from(id(&request.to)?);
    let id = desk.send_letter(to, request.name, request.content).await.map_err(of_desk)?;
    Ok(pb::SendLetterResponse { id: id.to_vec() })
}

pub(super) async fn list_letters(
    desk: &Desk,
    _: pb::ListLettersRequest,
) -> Result<pb::ListLettersResponse, Status> {
    let (sent, arrived) = desk.letters().await.map_err(of_desk)?;
    let rows = |rows: Vec<LetterRow>| rows.into_iter().take(MAX_ROWS).map(row).collect();
    Ok(pb::ListLettersResponse { sent: rows(sent), arrived: rows(arrived) })
}

pub(super) async fn get_letter(
    desk: &Desk,
    request: pb::GetLetterRequest,
) -> Result<pb::GetLetterResponse, Status> {
    let (found, content) = desk.letter(id(&request.id)?).await.map_err(of_desk)?;
    Ok(pb::GetLetterResponse { letter: Some(row(found)), content: content.to_vec() })
}

pub(super) async fn drop_letter(
    desk: &Desk,
    request: pb::DropLetterRequest,
) -> Result<pb::DropLetterResponse, Status> {
    desk.drop_letter(id(&request.id)?).await.map_err(of_desk)?;
    Ok(pb::DropLetterResponse {})
}

fn row(row: LetterRow) -> pb::LetterRow {
    pb::LetterRow {
        id: row.id.to_vec(),
        member: row.peer.to_vec(),
        name: row.name,
        bytes: row.bytes,
        at_ms: row.at_ms,
        refused: row.refused,
    }
}

fn id(bytes: &[u8]) -> Result<[u8; 32], Status> {
    bytes.try_into().map_err(|_| field("a letter's id and a member's have 32 bytes"))
}
