//! Lots of the own node. A receipt that comes back is verified like anybody's. Refuses rows without their ids.

use crate::DeskClient;
use crate::desk::{CALL_TIMEOUT, COMMIT_TIMEOUT};
use crate::error::ClientError;
use crate::ledger::{Proven, timed};
pub use desk::{
    CapturePoint, CaptureProduct, ReportCaptureRequest, ReportCaptureResponse, WaivePoints,
};
pub use desk::{LotQuantity, LotRow, LotState, MakeLotsRequest, NewLot, ProcessField};
use heatmark_proto::desk::v1 as desk;

/// An event that stands on the log.
#[derive(Debug, Clone)]
pub struct LotEvent {
    /// Its digest.
    pub digest: Vec<u8>,
    /// Its transaction with a verified receipt.
    pub proven: Proven,
    /// The lots that it made.
    pub lots: Vec<LotRow>,
}

impl DeskClient {
    /// Makes an event of lots and waits until it stands.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn make_lots(&self, request: MakeLotsRequest) -> Result<LotEvent, ClientError> {
        let answer = self.service.clone().make_lots(timed(request, COMMIT_TIMEOUT)).await?;
        self.lot_event(answer.into_inner())
    }

    pub(crate) fn lot_event(
        &self,
        answer: desk::MakeLotsResponse,
    ) -> Result<LotEvent, ClientError> {
        let proven = self.prove(answer.receipt, &answer.transaction_id)?;
        Ok(LotEvent { digest: answer.digest, proven, lots: whole(answer.lots)? })
    }

    /// The lot of a name.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn lot_named(&self, name: String) -> Result<LotRow, ClientError> {
        let request = desk::ListLotsRequest { name, ..desk::ListLotsRequest::default() };
        let answer = self.service.clone().list_lots(timed(request, CALL_TIMEOUT)).await?;
        let mut lots = whole(answer.into_inner().lots)?;
        lots.pop().ok_or(ClientError::WrongAnswer("no lot and no refusal"))
    }

    /// Lots after one, or from the first on; a page, and none at the end.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn lots(&self, after: Option<&LotRow>) -> Result<Vec<LotRow>, ClientError> {
        let after = after.map(|lot| lot.lot.clone()).unwrap_or_default();
        let request = desk::ListLotsRequest { after, ..desk::ListLotsRequest::default() };
        let answer = self.service.clone().list_lots(timed(request, CALL_TIMEOUT)).await?;
        whole(answer.into_inner().lots)
    }
}

/// Serials in one message.
const SERIALS_TOGETHER: usize = 10_000;

impl DeskClient {
    /// Keeps serials for an event within the next day; gives the root of their tree.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn keep_serials(&self, serials: Vec<String>) -> Result<Vec<u8>, ClientError> {
        let messages: Vec<desk::KeepSerialsRequest> = serials
            .chunks(SERIALS_TOGETHER)
            .map(|serials| desk::KeepSerialsRequest { serials: serials.to_vec() })
            .collect();
        let request = timed(tokio_stream::iter(messages), COMMIT_TIMEOUT);
        let answer = self.service.clone().keep_serials(request).await?;
        Ok(answer.into_inner().root)
    }

    /// What a period's events tell of recording.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn report_capture(
        &self,
        request: ReportCaptureRequest,
    ) -> Result<ReportCaptureResponse, ClientError> {
        let answer = self.service.clone().report_capture(timed(request, COMMIT_TIMEOUT)).await?;
        Ok(answer.into_inner())
    }

    /// What a label of a lot shows of one serial: a proof, encoded.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn prove_serial(&self, lot: String, serial: String) -> Result<Vec<u8>, ClientError> {
        let request = desk::ProveSerialRequest { lot, serial };
        let answer = self.service.clone().prove_serial(timed(request, CALL_TIMEOUT)).await?;
        Ok(answer.into_inner().proof)
    }
}

fn whole(lots: Vec<LotRow>) -> Result<Vec<LotRow>, ClientError> {
    if lots.iter().all(|lot| lot.lot.len() == 32) {
        Ok(lots)
    } else {
        Err(ClientError::WrongAnswer("a lot without its hash"))
    }
}
