//! The report on recording over gRPC.

use crate::refusal::{field, of_desk};
use heatmark_desk::{CaptureReport, Desk};
use heatmark_proto::desk::v1 as pb;
use tonic::Status;

pub(super) async fn report(
    desk: &Desk,
    request: pb::ReportCaptureRequest,
) -> Result<pb::ReportCaptureResponse, Status> {
    if request.from_ms >= request.to_ms {
        return Err(field("the period begins before it ends"));
    }
    let report = desk.capture_report(request.from_ms, request.to_ms).await.map_err(of_desk)?;
    Ok(response(report))
}

fn response(report: CaptureReport) -> pb::ReportCaptureResponse {
    pb::ReportCaptureResponse {
        events: report.events,
        inputs: report.inputs,
        scanned: report.scanned,
        latency: report.latency.map(|latency| pb::CaptureLatency {
            events: latency.events,
            median_ms: latency.median_ms,
            p95_ms: latency.p95_ms,
            longest_ms: latency.longest_ms,
        }),
        points: report
            .points
            .into_iter()
            .map(|count| pb::CapturePoint {
                product: count.product,
                point: count.point,
                demanded: count.demanded,
                waived: count.waived,
            })
            .collect(),
        products: report
            .products
            .into_iter()
            .map(|count| pb::CaptureProduct {
                product: count.product,
                depth: count.depth.map_or("", |depth| depth.word()).to_owned(),
                lots: count.lots,
                complete: count.complete,
                serialised: count.serialised,
            })
            .collect(),
        waivers: report
            .waivers
            .into_iter()
            .map(|waiver| pb::CaptureWaiver {
                product: waiver.product,
                point: waiver.point,
                reason: waiver.reason,
                until_ms: waiver.until_ms,
                by: waiver.by.0,
                key: waiver.by.1.map(Vec::from).unwrap_or_default(),
                at_ms: waiver.at_ms,
            })
            .collect(),
    }
}
