//! Serials over gRPC. Refuses more than a tree holds before it keeps any.

use crate::refusal::{field, of_desk};
use heatmark_desk::Desk;
use heatmark_lots::{MAX_SERIAL_BYTES, MAX_SERIALS};
use heatmark_proto::desk::v1 as pb;
use tonic::{Status, Streaming};

/// Reads a list and keeps it.
pub(super) async fn keep(
    desk: &Desk,
    mut requests: Streaming<pb::KeepSerialsRequest>,
) -> Result<pb::KeepSerialsResponse, Status> {
    let mut serials: Vec<String> = Vec::new();
    while let Some(request) = requests.message().await? {
        let many = serials.len().saturating_add(request.serials.len()) > MAX_SERIALS;
        if many || request.serials.iter().any(|serial| serial.len() > MAX_SERIAL_BYTES) {
            return Err(field("at most 1,000,000 serials, of at most 64 bytes each"));
        }
        serials.extend(request.serials);
    }
    let count = u32::try_from(serials.len()).map_err(|_| field("too many serials"))?;
    let root = desk.keep_serials(serials).await.map_err(of_desk)?;
    Ok(pb::KeepSerialsResponse { root: root.to_vec(), count })
}

pub(super) async fn prove(
    desk: &Desk,
    request: pb::ProveSerialRequest,
) -> Result<pb::ProveSerialResponse, Status> {
    let proof = desk.prove_serial(request.lot, request.serial).await.map_err(of_desk)?;
    Ok(pb::ProveSerialResponse { proof: proof.encode() })
}
