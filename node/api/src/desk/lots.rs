//! Lots over gRPC. Refuses ids of wrong length and kinds that are not known; the rules are the desk's.

use crate::refusal::field;
use heatmark_desk::{Committed, EventPlan, LotEventMade, LotPlan, LotView};
use heatmark_lots::Kind;
use heatmark_merkle::Hash;
use heatmark_proto::desk::v1 as pb;
use heatmark_vault::LotState;
use tonic::Status;

/// Lots in one answer.
pub(super) const MAX_LOTS: usize = 1_000;

pub(super) fn plan(request: pb::MakeLotsRequest) -> Result<EventPlan, Status> {
    let kind = Kind::all().iter().find(|kind| kind.word() == request.kind).copied();
    let certificate = match request.certificate.as_slice() {
        [] => None,
        bytes => Some(Hash::try_from(bytes).map_err(|_| field("a record id has 32 bytes"))?),
    };
    let lot = |lot: pb::NewLot| LotPlan {
        name: lot.name,
        product: lot.product,
        mass_mg: lot.mass_mg,
        pieces: lot.pieces,
        expires_ms: lot.expires_ms,
    };
    Ok(EventPlan {
        kind: kind.ok_or_else(|| field("a kind of event that is not known"))?,
        inputs: request.inputs,
        outputs: request.outputs.into_iter().map(lot).collect(),
        scrap_mg: request.scrap_mg,
        scrap_pieces: request.scrap_pieces,
        certificate,
        reason: request.reason,
        time_ms: (request.from_ms, request.until_ms),
    })
}

pub(super) fn made(made: LotEventMade) -> pb::MakeLotsResponse {
    let Committed { id, receipt, .. } = made.committed;
    pb::MakeLotsResponse {
        digest: made.digest.to_vec(),
        transaction_id: id.to_vec(),
        receipt: Some(receipt),
        lots: made.lots.into_iter().map(row).collect(),
    }
}

pub(super) fn row(lot: LotView) -> pb::LotRow {
    pb::LotRow {
        lot: lot.hash.to_vec(),
        name: lot.name,
        product: lot.product,
        mass_mg: lot.mass_mg,
        pieces: lot.pieces,
        expires_ms: lot.expires_ms,
        state: match lot.state {
            LotState::Coming => pb::LotState::Coming,
            LotState::Standing => pb::LotState::Standing,
            LotState::Leaving => pb::LotState::Leaving,
            LotState::Used => pb::LotState::Used,
        }
        .into(),
        made_by: lot.made_by.to_owned(),
        leaf_index: lot.leaf_index.map(|leaf| leaf.0),
        certificate: lot.certificate.map(|record| record.0.to_vec()).unwrap_or_default(),
        from: lot.from,
        at_ms: lot.at_ms,
        alert: super::genealogy::level(lot.alert),
    }
}
