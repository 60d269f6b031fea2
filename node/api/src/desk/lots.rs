//! Lots over gRPC. Refuses ids of wrong length and kinds that are not known; the rules are the desk's.

use crate::refusal::field;
use heatmark_desk::{
    Committed, EventPlan, LotEventMade, LotPlan, LotView, NewSerials, Quantity, WaiverPlan,
};
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
        serials: lot.serials,
    };
    let serials = match (request.serials_root.as_slice(), request.serials_pattern.as_str()) {
        ([], "") => None,
        ([], _) => Some(NewSerials::Pattern(request.serials_pattern)),
        (root, "") => {
            let root = root.try_into().map_err(|_| field("the root of serials has 32 bytes"))?;
            Some(NewSerials::Kept(root))
        }
        _ => return Err(field("give serials or a pattern, not both")),
    };
    Ok(EventPlan {
        kind: kind.ok_or_else(|| field("a kind of event that is not known"))?,
        inputs: request.inputs,
        outputs: request.outputs.into_iter().map(lot).collect(),
        scrap: Quantity { mass_mg: request.scrap_mg, pieces: request.scrap_pieces },
        uncertified: request
            .uncertified
            .map(|added| Quantity { mass_mg: added.mass_mg, pieces: added.pieces }),
        tolerance_permille: request.tolerance_permille,
        removed: request.removed,
        process: request.process.into_iter().map(|field| (field.name, field.text)).collect(),
        serials,
        lost_serials: request.lost_serials,
        scanned: request.scanned,
        waiver: request.waive.map(|waive| WaiverPlan {
            points: waive.points,
            reason: waive.reason,
            until_ms: waive.until_ms,
        }),
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
        used_by: lot.used_by.unwrap_or_default().to_owned(),
        became: lot.became,
        process: lot
            .process
            .into_iter()
            .map(|(name, text)| pb::ProcessField { name, text })
            .collect(),
        serials: lot.serials.map(|serials| {
            let (first, last) = serials.ends.unwrap_or_default();
            pb::LotSerials {
                pieces: serials.pieces,
                root: serials.root.to_vec(),
                tree: serials.tree,
                runs: serials.runs.iter().flat_map(|(first, count)| [*first, *count]).collect(),
                first,
                last,
            }
        }),
    }
}
