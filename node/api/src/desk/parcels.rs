//! Lots between companies over gRPC: offers of seals, parcels sent, read, received, refused and taken back, and capsules.
//! Refuses ids of wrong length; the rules are the desk's.

use crate::refusal::{field, of_desk};
use heatmark_desk::{Desk, ParcelLotView, ParcelView, Receive, Shipped};
use heatmark_evidence::capsule::Outcome;
use heatmark_evidence::transfer::DespatchAdvice;
use heatmark_ledger::ids::MemberId;
use heatmark_proto::desk::v1 as pb;
use heatmark_vault::{ParcelRow, ParcelState, ShipmentRow};
use prost::Message as _;
use tonic::Status;

/// Rows of either kind in one answer.
const MAX_ROWS: usize = 10_000;
/// Members whose concerns one capsule tells.
const MAX_CONCERNS: usize = 64;

pub(super) async fn offer_seals(
    desk: &Desk,
    request: pb::OfferSealsRequest,
) -> Result<pb::OfferSealsResponse, Status> {
    let to = MemberId::from(id(&request.to)?);
    let offer = desk.offer_seals(to, request.seals, request.reference, request.letter);
    Ok(pb::OfferSealsResponse { offer: offer.await.map_err(of_desk)? })
}

pub(super) async fn take_offer(
    desk: &Desk,
    request: pb::TakeOfferRequest,
) -> Result<pb::TakeOfferResponse, Status> {
    let (from, seals) = desk.take_offer(request.offer).await.map_err(of_desk)?;
    let seals = u32::try_from(seals).unwrap_or(u32::MAX);
    Ok(pb::TakeOfferResponse { from: from.to_vec(), seals })
}

pub(super) async fn ship_lots(
    desk: &Desk,
    request: pb::ShipLotsRequest,
) -> Result<pb::ShipLotsResponse, Status> {
    id(&request.to)?;
    let as_file = request.as_file;
    Ok(match desk.ship(request).await.map_err(of_desk)? {
        Shipped::Waiting { shipment } => {
            pb::ShipLotsResponse { shipment: shipment.to_vec(), ..pb::ShipLotsResponse::default() }
        }
        Shipped::Underway { transfer, parcel } => pb::ShipLotsResponse {
            transfer: transfer.to_vec(),
            parcel: if as_file { parcel } else { Vec::new() },
            ..pb::ShipLotsResponse::default()
        },
    })
}

/// A parcel from its file or from the letter that it came as.
async fn parcel(desk: &Desk, file: Vec<u8>, letter: &[u8]) -> Result<Vec<u8>, Status> {
    match (file.is_empty(), letter.is_empty()) {
        (false, true) => Ok(file),
        (true, false) => {
            let (_, content) = desk.letter(id(letter)?).await.map_err(of_desk)?;
            Ok(content.to_vec())
        }
        _ => Err(field("give a parcel or the letter that it came as")),
    }
}

pub(super) async fn read_parcel(
    desk: &Desk,
    request: pb::ReadParcelRequest,
) -> Result<pb::ReadParcelResponse, Status> {
    let parcel = parcel(desk, request.parcel, &request.letter).await?;
    let view = desk.read_parcel(parcel).await.map_err(of_desk)?;
    let ParcelView { transfer, sender, advice, not_after_ms, lots, state } = view;
    Ok(pb::ReadParcelResponse {
        transfer: transfer.to_vec(),
        sender: sender.to_vec(),
        advice: Some(note(advice)),
        not_after_ms,
        lots: lots.into_iter().map(lot).collect(),
        state: state.map_or(pb::ParcelState::Unspecified, self::state).into(),
    })
}

/// What the desk needs to receive a parcel, and the letter to throw away once that is done.
pub(super) async fn receive(
    desk: &Desk,
    request: pb::ReceiveLotsRequest,
) -> Result<(Receive, Option<[u8; 32]>), Status> {
    let letter = if request.letter.is_empty() { None } else { Some(id(&request.letter)?) };
    let counted = request.counted.iter().map(|lot| (lot.lot, lot.mass_mg, lot.pieces)).collect();
    let plan = Receive {
        parcel: parcel(desk, request.parcel, &request.letter).await?,
        names: request.names,
        counted,
        discrepancy: request.discrepancy,
        anyway: request.anyway,
    };
    Ok((plan, letter))
}

pub(super) async fn refuse_lots(
    desk: &Desk,
    request: pb::RefuseLotsRequest,
) -> Result<pb::RefuseLotsResponse, Status> {
    if request.reason.trim().is_empty() {
        return Err(field("say why the lots are refused"));
    }
    let file = parcel(desk, request.parcel, &request.letter).await?;
    let answer = desk.refuse(file, request.reason).await.map_err(of_desk)?;
    if !request.letter.is_empty() {
        desk.drop_letter(id(&request.letter)?).await.map_err(of_desk)?;
    }
    Ok(pb::RefuseLotsResponse { answer })
}

pub(super) async fn list_parcels(desk: &Desk) -> Result<pb::ListParcelsResponse, Status> {
    let (parcels, shipments) = desk.parcels().await.map_err(of_desk)?;
    let mut rows = Vec::with_capacity(parcels.len().min(MAX_ROWS));
    for parcel in parcels.into_iter().take(MAX_ROWS) {
        let names = desk.names_of(parcel.lots.clone()).await.map_err(of_desk)?;
        rows.push(row(desk, &parcel, names));
    }
    let shipments = shipments.into_iter().take(MAX_ROWS).map(shipment).collect();
    Ok(pb::ListParcelsResponse { parcels: rows, shipments })
}

pub(super) async fn drop_shipment(
    desk: &Desk,
    request: pb::DropShipmentRequest,
) -> Result<pb::DropShipmentResponse, Status> {
    desk.drop_shipment(id(&request.shipment)?).await.map_err(of_desk)?;
    Ok(pb::DropShipmentResponse {})
}

pub(super) async fn build_capsule(
    desk: &Desk,
    request: pb::BuildCapsuleRequest,
) -> Result<pb::BuildCapsuleResponse, Status> {
    if request.concerns.len() > MAX_CONCERNS {
        return Err(field("a capsule tells the concerns of at most 64 members"));
    }
    let concerns: Result<Vec<MemberId>, Status> =
        request.concerns.iter().map(|member| id(member).map(MemberId::from)).collect();
    let capsule = desk.capsule(request.lot, concerns?, request.opening);
    Ok(pb::BuildCapsuleResponse { capsule: capsule.await.map_err(of_desk)? })
}

fn lot(lot: ParcelLotView) -> pb::ParcelLot {
    let outcome = match lot.verdict.outcome() {
        Outcome::Accept => "accept",
        Outcome::Hold => "hold",
        Outcome::Reject => "reject",
    };
    pb::ParcelLot {
        name: lot.name,
        product: lot.product,
        mass_mg: lot.mass_mg,
        pieces: lot.pieces,
        expires_ms: lot.expires_ms,
        outcome: outcome.to_owned(),
        codes: lot.verdict.codes().into_iter().map(str::to_owned).collect(),
        certificates: lot.verdict.sources.iter().map(|source| source.record.0.to_vec()).collect(),
        capsule: lot.capsule,
    }
}

fn row(desk: &Desk, parcel: &ParcelRow, lots: Vec<String>) -> pb::ParcelRow {
    let answer = desk.answer_in(parcel);
    let counted = answer.iter().flat_map(|answer| &answer.counts);
    let counted = counted.map(|count| pb::CountedLot {
        lot: count.place.saturating_sub(1),
        mass_mg: count.mass_mg,
        pieces: count.pieces,
    });
    let advice = DespatchAdvice::decode(parcel.advice.as_slice()).unwrap_or_default();
    pb::ParcelRow {
        transfer: parcel.transfer.to_vec(),
        member: parcel.peer.to_vec(),
        sent: parcel.sent,
        lots,
        state: state(parcel.state).into(),
        not_after_ms: parcel.not_after_ms,
        at_ms: parcel.at_ms,
        advice: Some(note(advice)),
        counted: counted.collect(),
        answer: answer.map(|answer| answer.text).unwrap_or_default(),
        being_cancelled: parcel.cancelled_by.is_some() && parcel.state != ParcelState::Cancelled,
    }
}

fn shipment(row: ShipmentRow) -> pb::ShipmentRow {
    let request = pb::ShipLotsRequest::decode(row.plan.as_slice()).unwrap_or_default();
    pb::ShipmentRow {
        shipment: row.id.to_vec(),
        member: row.to.to_vec(),
        lots: request.lots,
        at_ms: row.at_ms,
        trouble: row.trouble,
    }
}

const fn state(state: ParcelState) -> pb::ParcelState {
    match state {
        ParcelState::Underway => pb::ParcelState::Underway,
        ParcelState::Accepted => pb::ParcelState::Accepted,
        ParcelState::Lapsed => pb::ParcelState::Lapsed,
        ParcelState::Cancelled => pb::ParcelState::Cancelled,
        ParcelState::Refused => pb::ParcelState::Refused,
    }
}

fn note(advice: DespatchAdvice) -> pb::DespatchNote {
    let DespatchAdvice { number, order, carrier, note, despatched_ms } = advice;
    pb::DespatchNote { number, order, carrier, note, despatched_ms }
}

pub(super) fn id(bytes: &[u8]) -> Result<[u8; 32], Status> {
    bytes.try_into().map_err(|_| field("ids of members, letters and transfers have 32 bytes"))
}
