//! Lots between companies, through the own node. Refuses rows without their ids.

use crate::DeskClient;
use crate::desk::{CALL_TIMEOUT, COMMIT_TIMEOUT};
use crate::error::ClientError;
use crate::ledger::timed;
use crate::lots::LotEvent;
pub use desk::{
    CountedLot, DespatchNote, ListParcelsResponse, ParcelLot, ParcelRow, ParcelState,
    ReadParcelResponse, ReceiveLotsRequest, ShipLotsRequest, ShipLotsResponse, ShipmentRow,
};
use heatmark_proto::desk::v1 as desk;

/// A parcel: its file, or the letter that it came as.
#[derive(Debug, Clone)]
pub enum ParcelAt {
    /// The file's bytes.
    File(Vec<u8>),
    /// The letter's id.
    Letter([u8; 32]),
}

impl ParcelAt {
    fn parts(self) -> (Vec<u8>, Vec<u8>) {
        match self {
            Self::File(bytes) => (bytes, Vec::new()),
            Self::Letter(id) => (Vec::new(), id.to_vec()),
        }
    }
}

impl DeskClient {
    /// Has seals offered to a member; gives the offer's file.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn offer_seals(
        &self,
        to: [u8; 32],
        seals: u32,
        reference: String,
        letter: bool,
    ) -> Result<Vec<u8>, ClientError> {
        let request = desk::OfferSealsRequest { to: to.to_vec(), seals, reference, letter };
        let answer = self.service.clone().offer_seals(timed(request, CALL_TIMEOUT)).await?;
        Ok(answer.into_inner().offer)
    }

    /// Has an offer taken in; gives who offers and how many seals.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn take_offer(&self, offer: Vec<u8>) -> Result<([u8; 32], u32), ClientError> {
        let request = timed(desk::TakeOfferRequest { offer }, CALL_TIMEOUT);
        let answer = self.service.clone().take_offer(request).await?.into_inner();
        let from = answer.from.try_into();
        Ok((from.map_err(|_| ClientError::WrongAnswer("no member's id"))?, answer.seals))
    }

    /// Has lots sent to a member.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn ship_lots(
        &self,
        request: ShipLotsRequest,
    ) -> Result<ShipLotsResponse, ClientError> {
        let answer = self.service.clone().ship_lots(timed(request, CALL_TIMEOUT)).await?;
        Ok(answer.into_inner())
    }

    /// What is in a parcel.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn read_parcel(&self, parcel: ParcelAt) -> Result<ReadParcelResponse, ClientError> {
        let (parcel, letter) = parcel.parts();
        let request = timed(desk::ReadParcelRequest { parcel, letter }, CALL_TIMEOUT);
        let answer = self.service.clone().read_parcel(request).await?.into_inner();
        if answer.transfer.len() == 32 && answer.sender.len() == 32 {
            Ok(answer)
        } else {
            Err(ClientError::WrongAnswer("a parcel without its ids"))
        }
    }

    /// Receives a parcel and waits until it stands.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn receive_lots(
        &self,
        at: ParcelAt,
        request: ReceiveLotsRequest,
    ) -> Result<LotEvent, ClientError> {
        let (parcel, letter) = at.parts();
        let request = ReceiveLotsRequest { parcel, letter, ..request };
        let answer = self.service.clone().receive_lots(timed(request, COMMIT_TIMEOUT)).await?;
        self.lot_event(answer.into_inner())
    }

    /// Refuses a parcel; gives what the sender is told as a file.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn refuse_lots(&self, at: ParcelAt, reason: String) -> Result<Vec<u8>, ClientError> {
        let (parcel, letter) = at.parts();
        let request = timed(desk::RefuseLotsRequest { parcel, letter, reason }, CALL_TIMEOUT);
        Ok(self.service.clone().refuse_lots(request).await?.into_inner().answer)
    }

    /// Takes lots back and waits until that stands.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn cancel_parcel(&self, transfer: [u8; 32]) -> Result<LotEvent, ClientError> {
        let request = desk::CancelParcelRequest { transfer: transfer.to_vec() };
        let answer = self.service.clone().cancel_parcel(timed(request, COMMIT_TIMEOUT)).await?;
        self.lot_event(answer.into_inner())
    }

    /// Parcels sent and received, and what waits for seals.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn parcels(&self) -> Result<ListParcelsResponse, ClientError> {
        let request = timed(desk::ListParcelsRequest {}, CALL_TIMEOUT);
        let answer = self.service.clone().list_parcels(request).await?.into_inner();
        let whole = |row: &ParcelRow| row.transfer.len() == 32 && row.member.len() == 32;
        let waiting = |row: &ShipmentRow| row.shipment.len() == 32 && row.member.len() == 32;
        if answer.parcels.iter().all(whole) && answer.shipments.iter().all(waiting) {
            Ok(answer)
        } else {
            Err(ClientError::WrongAnswer("a parcel without its ids"))
        }
    }

    /// Gives up what waits for seals.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn drop_shipment(&self, shipment: [u8; 32]) -> Result<(), ClientError> {
        let request = desk::DropShipmentRequest { shipment: shipment.to_vec() };
        self.service.clone().drop_shipment(timed(request, CALL_TIMEOUT)).await?;
        Ok(())
    }

    /// The capsule of a lot.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn capsule(
        &self,
        lot: String,
        concerns: Vec<[u8; 32]>,
        opening: bool,
    ) -> Result<Vec<u8>, ClientError> {
        let concerns = concerns.iter().map(|member| member.to_vec()).collect();
        let request = desk::BuildCapsuleRequest { lot, concerns, opening };
        let answer = self.service.clone().build_capsule(timed(request, CALL_TIMEOUT)).await?;
        Ok(answer.into_inner().capsule)
    }
}
