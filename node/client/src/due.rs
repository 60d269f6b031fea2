//! Deposits that the own node makes by itself of what is published, and the documents that they wait for.

use crate::DeskClient;
use crate::desk::CALL_TIMEOUT;
use crate::error::ClientError;
use crate::ledger::timed;
use desk::keep_document_request::Part;
pub use desk::{DueDepositView, PlannedDeposit, WantedDocument};
use futures::stream::{self, StreamExt as _};
use heatmark_proto::desk::v1 as desk;
use std::time::Duration;

/// Bytes of a document in one message.
const PIECE_BYTES: usize = 1 << 20;
/// How long a document may take to be sent and written.
const DOCUMENT_TIMEOUT: Duration = Duration::from_secs(900);

impl DeskClient {
    /// Deposits that retention classes want of own records and that are not made yet, newest first.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn due_deposits(&self) -> Result<Vec<DueDepositView>, ClientError> {
        let mut all: Vec<DueDepositView> = Vec::new();
        loop {
            let skip = u32::try_from(all.len());
            let skip = skip.map_err(|_| ClientError::WrongAnswer("more rows than there can be"))?;
            let request = timed(desk::ListDueDepositsRequest { skip }, CALL_TIMEOUT);
            let page = self.escrow.clone().list_due_deposits(request).await?.into_inner();
            let more = page.more && !page.deposits.is_empty();
            all.extend(page.deposits);
            if !more {
                return Ok(all);
            }
        }
    }

    /// Gives the node a document that a deposit of a record waits for.
    ///
    /// # Errors
    /// See [`ClientError`]. The same document may be given again.
    pub async fn keep_document(
        &self,
        record: [u8; 32],
        name: String,
        content: Vec<u8>,
    ) -> Result<(), ClientError> {
        let bytes = u64::try_from(content.len()).unwrap_or(u64::MAX);
        let start = desk::KeepDocumentStart { record_id: record.to_vec(), name, bytes };
        let pieces = content.chunks(PIECE_BYTES).map(|piece| Part::Piece(piece.to_vec()));
        let parts: Vec<Part> = std::iter::once(Part::Start(start)).chain(pieces).collect();
        let requests =
            stream::iter(parts).map(|part| desk::KeepDocumentRequest { part: Some(part) });
        self.escrow.clone().keep_document(timed(requests, DOCUMENT_TIMEOUT)).await?;
        Ok(())
    }
}
