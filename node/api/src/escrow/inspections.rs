//! Inspections that the node keeps and runs again for deals. Refuses one of nothing, and files that cannot be used.

use crate::desk::DeskApi;
use crate::refusal::{field, not_found, of_desk};
use heatmark_desk::{Desk, InspectionFound, InspectionView};
use heatmark_proto::desk::v1 as pb;
use tonic::Status;

impl DeskApi {
    pub(super) async fn keep(
        &self,
        desk: &Desk,
        request: pb::KeepInspectionRequest,
    ) -> Result<pb::KeepInspectionResponse, Status> {
        let given = request.given.ok_or_else(|| field("an inspection is given something"))?;
        let inspection = self.in_time(desk.keep_inspection(given)).await?;
        Ok(pb::KeepInspectionResponse { inspection: Some(view(inspection)) })
    }
}

/// The one inspection whose id begins so.
pub(super) async fn show(
    desk: &Desk,
    request: pb::ShowInspectionRequest,
) -> Result<pb::ShowInspectionResponse, Status> {
    let named = request.inspection;
    let hex = named.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !(1..=64).contains(&named.len()) || !hex {
        return Err(field("an inspection is named by 1 to 64 hex digits"));
    }
    let mut found = desk.inspections(named).await.map_err(of_desk)?;
    let (Some(one), true) = (found.pop(), found.is_empty()) else {
        return Err(not_found(
            "no-such-inspection",
            "this node keeps no such inspection, or more than one",
        ));
    };
    let told = desk.inspection_found(one.id).await.map_err(of_desk)?;
    let (json, text) = told.map(|InspectionFound { json, text }| (json, text)).unwrap_or_default();
    Ok(pb::ShowInspectionResponse { inspection: Some(view(one)), json, text })
}

pub(super) fn view(view: InspectionView) -> pb::InspectionView {
    let (before, deal) = view.repeats.unzip();
    pb::InspectionView {
        inspection: view.id.to_vec(),
        at_ms: view.at_ms,
        verdict: view.verdict,
        lots: view.lots,
        order: view.order,
        before: before.map(|id| id.to_vec()).unwrap_or_default(),
        deal: deal.map(|id| id.to_vec()).unwrap_or_default(),
        destroyed: view.destroyed,
    }
}
