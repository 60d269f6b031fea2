//! Deposits that retention classes want and that are not made yet, and documents for them over a stream. Refuses more or fewer
//! bytes than announced, more than a deposit holds, and a client that sends nothing for long.

use super::deposit::{BUSY_WAIT, message};
use crate::desk::{DeskApi, wanted_document};
use crate::refusal::{busy, field};
use heatmark_desk::{Desk, DueView, MAX_DEPOSIT_BYTES};
use heatmark_ledger::Hash;
use heatmark_proto::desk::v1 as pb;
use pb::keep_document_request::Part;
use std::sync::Arc;
use tonic::{Status, Streaming};

impl DeskApi {
    pub(super) async fn take_document(
        &self,
        desk: &Desk,
        mut parts: Streaming<pb::KeepDocumentRequest>,
    ) -> Result<pb::KeepDocumentResponse, Status> {
        let permit = Arc::clone(&self.node.deposits).try_acquire_owned();
        let _permit = permit
            .map_err(|_| busy("busy", "too many documents at once; try again later", BUSY_WAIT))?;
        let first = message(&self.node, &mut parts).await?.and_then(|request| request.part);
        let Some(Part::Start(start)) = first else {
            return Err(field("a document begins with its start"));
        };
        let record = Hash::try_from(start.record_id.as_slice());
        let record = record.map_err(|_| field("a record id has 32 bytes"))?;
        let length = usize::try_from(start.bytes).ok().filter(|bytes| *bytes <= MAX_DEPOSIT_BYTES);
        let length = length.ok_or_else(|| field("a document has at most 256 MiB"))?;
        let mut content = Vec::new();
        while let Some(request) = message(&self.node, &mut parts).await? {
            let Some(Part::Piece(piece)) = request.part else {
                return Err(field("a document begins once"));
            };
            if piece.len() > length.saturating_sub(content.len()) {
                return Err(field("a document has more bytes than were announced"));
            }
            content.extend_from_slice(&piece);
        }
        if content.len() != length {
            return Err(field("a document has fewer bytes than were announced"));
        }
        self.in_time(desk.keep_document(record, (start.name, content))).await?;
        Ok(pb::KeepDocumentResponse {})
    }
}

pub(super) fn view(view: DueView) -> pb::DueDepositView {
    let DueView { record, class, at_ms, trouble: (trouble, trouble_text), wanted } = view;
    pb::DueDepositView {
        record_id: record.0.to_vec(),
        class,
        published_ms: at_ms,
        trouble,
        trouble_text,
        wanted: wanted.into_iter().map(wanted_document).collect(),
    }
}
