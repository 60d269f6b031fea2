//! A document that a deal opened, piece by piece, with its digest at the end so that a client knows it has it whole.

use super::deposit::BUSY_WAIT;
use super::id;
use crate::desk::DeskApi;
use crate::refusal::{busy, stopping};
use heatmark_desk::Desk;
use heatmark_proto::desk::v1 as pb;
use pb::opened_document_response::Part;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

pub(super) type DocumentStream = ReceiverStream<Result<pb::OpenedDocumentResponse, Status>>;

const PIECE_BYTES: usize = 256 << 10;

impl DeskApi {
    pub(super) async fn give_document(
        &self,
        desk: &Desk,
        request: pb::OpenedDocumentRequest,
    ) -> Result<DocumentStream, Status> {
        let deal = id(&request.deal)?;
        let permit = Arc::clone(&self.node.deposits).try_acquire_owned();
        let permit = permit.map_err(|_| {
            busy("busy", "too many documents are read at once; try again later", BUSY_WAIT)
        })?;
        let content =
            self.in_time(desk.opened_document(deal, request.section, request.name)).await?;
        let (answers, stream) = mpsc::channel(1);
        let (mut stop, patience) = (self.node.stop.clone(), self.node.limits.stall_timeout);
        tokio::spawn(async move {
            let _permit = permit;
            let pieces = content.chunks(PIECE_BYTES).map(|piece| Part::Piece(piece.to_vec()));
            let end = pb::OpenedDocumentEnd {
                bytes: u64::try_from(content.len()).unwrap_or(u64::MAX),
                sha256: Sha256::digest(&content).to_vec(),
            };
            for part in pieces.chain([Part::End(end)]) {
                let answer = Ok(pb::OpenedDocumentResponse { part: Some(part) });
                tokio::select! {
                    sent = tokio::time::timeout(patience, answers.send(answer)) => {
                        if !matches!(sent, Ok(Ok(()))) {
                            return;
                        }
                    }
                    _ = stop.wait_for(|stop| *stop) => {
                        // Nobody may be listening any more.
                        let _ = answers.try_send(Err(stopping()));
                        return;
                    }
                }
            }
        });
        Ok(ReceiverStream::new(stream))
    }
}
