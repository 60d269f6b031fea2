//! Genealogy and recalls over gRPC. Refuses ids of wrong length; what is known is the desk's.

use crate::refusal::{field, of_desk};
use heatmark_desk::{
    AffectedView, Affecting, Desk, LotPlace, MAX_TRACED, OriginReport, RecallView, TracedLot,
};
use heatmark_ledger::ids::MemberId;
use heatmark_ledger::messages::AlertLevel;
use heatmark_merkle::Hash;
use heatmark_proto::desk::v1 as pb;
use tonic::Status;

/// Lots, records and companies in one answer to a search.
const MAX_FOUND: usize = 1_000;
/// Own lots in one answer; totals are of all.
const MAX_AFFECTED: usize = 20_000;
/// Customers told in one request.
const MAX_TOLD: usize = 10_000;

pub(super) async fn trace(
    desk: &Desk,
    request: pb::TraceLotsRequest,
) -> Result<pb::TraceLotsResponse, Status> {
    let limit = match usize::try_from(request.limit).unwrap_or(usize::MAX) {
        0 => MAX_TRACED,
        limit => limit.min(MAX_TRACED),
    };
    let trace = desk.trace(request.lot, request.down, limit).await.map_err(of_desk)?;
    Ok(pb::TraceLotsResponse {
        lots: trace.lots.into_iter().map(lot).collect(),
        edges: trace.edges.into_iter().flat_map(|(from, to)| [from, to]).collect(),
        reached: trace.reached,
    })
}

pub(super) async fn affected(
    desk: &Desk,
    request: pb::AffectedLotsRequest,
) -> Result<pb::AffectedLotsResponse, Status> {
    use pb::affected_lots_request::By;
    let by = match request.by.ok_or_else(|| field("name what affects"))? {
        By::Lot(lot) => Affecting::Lot(lot),
        By::Heat(heat) => Affecting::Heat(heat),
        By::Die(die) => Affecting::Die(die),
        By::Record(record) => Affecting::Record(hash(&record)?),
        By::Supplier(member) => Affecting::Supplier(MemberId(hash(&member)?)),
    };
    let view = desk.affected(by).await.map_err(of_desk)?;
    Ok(pb::AffectedLotsResponse { affected: Some(of_view(view)) })
}

pub(super) async fn search(
    desk: &Desk,
    request: pb::SearchLotsRequest,
) -> Result<pb::SearchLotsResponse, Status> {
    if request.text.trim().is_empty() {
        return Err(field("name a part of what is sought"));
    }
    let limit = usize::try_from(request.limit).unwrap_or(usize::MAX).clamp(1, MAX_FOUND);
    let found = desk.search_lots(request.text, limit).await.map_err(of_desk)?;
    let records = found.records.into_iter();
    let companies = found.companies.into_iter();
    Ok(pb::SearchLotsResponse {
        lots: found.lots.into_iter().map(lot).collect(),
        records: records
            .map(|(record, what, name)| pb::FoundRecord {
                record: record.0.to_vec(),
                what: what.to_owned(),
                name,
            })
            .collect(),
        companies: companies
            .map(|(member, name)| pb::FoundCompany { member: member.to_vec(), name })
            .collect(),
    })
}

pub(super) async fn origin(
    desk: &Desk,
    request: pb::ReportOriginRequest,
) -> Result<pb::ReportOriginResponse, Status> {
    let OriginReport { shares, total } = desk.origin(request.product).await.map_err(of_desk)?;
    let share = |((by, value), share): ((&'static str, String), heatmark_desk::Share)| {
        let by = by.to_owned();
        let (mass_mg, pieces) = (small(share.mass_mg), small(share.pieces));
        pb::OriginShare { by, value, mass_mg, pieces, lots: share.lots }
    };
    Ok(pb::ReportOriginResponse {
        shares: shares.into_iter().map(share).collect(),
        mass_mg: small(total.mass_mg),
        pieces: small(total.pieces),
        lots: total.lots,
    })
}

pub(super) async fn recalls(
    desk: &Desk,
    request: pb::ListRecallsRequest,
) -> Result<pb::ListRecallsResponse, Status> {
    let recalls = desk.recalls(request.all).await.map_err(of_desk)?;
    Ok(pb::ListRecallsResponse { recalls: recalls.into_iter().map(recall).collect() })
}

pub(super) async fn show_recall(
    desk: &Desk,
    request: pb::ShowRecallRequest,
) -> Result<pb::ShowRecallResponse, Status> {
    let detail = desk.recall(request.named).await.map_err(of_desk)?;
    let holder = |holder: heatmark_desk::HolderView| {
        let answered = holder.totals.is_some();
        let totals = holder.totals.unwrap_or_default();
        pb::RecallHolder {
            member: holder.member.to_vec(),
            name: holder.name,
            told_of: holder.told_of,
            answered,
            sequence: totals.sequence,
            mass_mg: totals.mass_mg,
            pieces: totals.pieces,
            holders: totals.holders,
            awaited: totals.awaited,
            at_ms: totals.at_ms,
        }
    };
    Ok(pb::ShowRecallResponse {
        recall: Some(recall(detail.view)),
        affected: Some(of_view(detail.affected)),
        free_lots: detail.free.lots.into_iter().take(MAX_AFFECTED).collect(),
        free_mg: small(detail.free.mass_mg),
        free_pieces: small(detail.free.pieces),
        holders: detail.holders.into_iter().map(holder).collect(),
        acknowledged: count(detail.acknowledged.0),
        members: count(detail.acknowledged.1),
    })
}

pub(super) async fn note_recall(
    desk: &Desk,
    request: pb::NoteRecallRequest,
) -> Result<pb::NoteRecallResponse, Status> {
    if request.told.len() > MAX_TOLD {
        return Err(field("too many customers at once"));
    }
    let told: Result<Vec<[u8; 32]>, Status> =
        request.told.iter().map(|member| Ok(hash(member)?.0)).collect();
    desk.customers_told(hash(&request.subject)?.0, told?).await.map_err(of_desk)?;
    Ok(pb::NoteRecallResponse {})
}

pub(super) async fn acknowledge(
    desk: &Desk,
    request: pb::AcknowledgeRecallRequest,
) -> Result<pb::AcknowledgeRecallResponse, Status> {
    let told = desk.acknowledge_recall(request.named).await.map_err(of_desk)?;
    Ok(pb::AcknowledgeRecallResponse { told })
}

pub(super) async fn drill(desk: &Desk) -> Result<pb::DrillRecallResponse, Status> {
    let drills = desk.drill().await.map_err(of_desk)?.into_iter();
    let drill = |drill: heatmark_desk::Drill| pb::RecallDrill {
        kind: drill.kind.word().to_owned(),
        about: drill.about,
        affected: Some(of_view(drill.affected)),
    };
    Ok(pb::DrillRecallResponse { drills: drills.map(drill).collect() })
}

fn recall(view: RecallView) -> pb::Recall {
    let (own, stock, customers) = view.counts;
    pb::Recall {
        subject: view.row.subject.to_vec(),
        concern_of: view.row.concern_of.map(|member| member.to_vec()).unwrap_or_default(),
        concerned: view.concerned.unwrap_or_default(),
        level: level(view.row.level),
        sequence: view.row.sequence,
        height: view.row.height,
        leaf: view.row.leaf,
        found_ms: view.row.found_ms,
        changed_ms: view.row.changed_ms,
        records: view.records.iter().map(|record| record.0.to_vec()).collect(),
        kind: view.kind.to_owned(),
        heat: view.heat,
        issuer: view.issuer.0.to_vec(),
        issuer_name: view.issuer.1,
        own_lots: count(own),
        stock_lots: count(stock),
        customers: count(customers),
        acknowledged: view.acknowledged,
    }
}

fn of_view(view: AffectedView) -> pb::Affected {
    let customer = |customer: heatmark_desk::CustomerView| pb::AffectedCustomer {
        member: customer.member.to_vec(),
        name: customer.name,
        mass_mg: small(customer.mass_mg),
        pieces: small(customer.pieces),
        lots: told(customer.lots),
        outside: customer.outside,
    };
    pb::Affected {
        reached: view.reached,
        own: view.own.into_iter().take(MAX_AFFECTED).map(lot).collect(),
        stock: told(view.stock),
        stock_mg: small(view.stock_mg),
        stock_pieces: small(view.stock_pieces),
        customers: view.customers.into_iter().map(customer).collect(),
        found_us: view.found_us,
    }
}

/// Places among the lots that the answer holds.
fn told(places: Vec<u32>) -> Vec<u32> {
    places.into_iter().filter(|place| u64::from(*place) < MAX_AFFECTED as u64).collect()
}

fn lot(lot: TracedLot) -> pb::TracedLot {
    let (whereabouts, customer, customer_name) = match &lot.at {
        None => (pb::Whereabouts::Unspecified, Vec::new(), String::new()),
        Some(LotPlace::Here) => (pb::Whereabouts::Here, Vec::new(), String::new()),
        Some(LotPlace::Used) => (pb::Whereabouts::Used, Vec::new(), String::new()),
        Some(LotPlace::Sent(member, name)) => {
            (pb::Whereabouts::Sent, member.to_vec(), name.clone())
        }
    };
    pb::TracedLot {
        leaf: lot.leaf,
        output: lot.output,
        own: lot.at.is_some(),
        name: lot.name,
        product: lot.product,
        made_by: lot.made_by.to_owned(),
        company: lot.company.to_vec(),
        company_name: lot.company_name,
        certificate: lot.certificate.map(|record| record.0.to_vec()).unwrap_or_default(),
        heat: lot.heat,
        tools: lot.tools,
        mass_mg: lot.mass_mg.unwrap_or_default(),
        pieces: lot.pieces.unwrap_or_default(),
        whereabouts: whereabouts.into(),
        customer,
        customer_name,
        alert: level(lot.alert),
        missing: lot.missing,
    }
}

pub(super) fn level(number: u32) -> i32 {
    let number = i32::try_from(number).unwrap_or(0);
    AlertLevel::try_from(number).unwrap_or(AlertLevel::Unspecified).into()
}

fn hash(bytes: &[u8]) -> Result<Hash, Status> {
    Hash::try_from(bytes).map_err(|_| field("an id has 32 bytes"))
}

fn small(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
