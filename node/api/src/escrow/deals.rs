//! What a buyer asks for and what a regulator orders, from messages. Refuses ids of wrong length and more orders than there can
//! be regulators; what the clause says of it, the desk and every agent judge.

use crate::refusal::{field, of_desk};
use heatmark_desk::{DealPlan, Desk, Lengths, OrderPlan};
use heatmark_escrow::{MAX_REGULATORS, MAX_SECTIONS};
use heatmark_ledger::Hash;
use heatmark_ledger::ids::MemberId;
use heatmark_proto::desk::v1 as pb;
use tonic::Status;

/// Longest time that any step may be given, in milliseconds: as long as a deal may take in all.
const MAX_LENGTH_MS: u64 = 400 * 86_400_000;

pub(super) fn plan(request: pb::OpenDealRequest) -> Result<DealPlan, Status> {
    if request.orders.len() > MAX_REGULATORS {
        return Err(field("a deal is opened on at most 32 orders"));
    }
    Ok(DealPlan {
        record: record(&request.record_id)?,
        sections: sections(request.sections)?,
        clause: request.clause,
        purpose: request.purpose,
        agreement: optional(&request.agreement, "an agreement is named by 32 bytes")?,
        base: Some(request.of_amount).filter(|amount| *amount != 0),
        arbiter: optional(&request.arbiter, "a member id has 32 bytes")?.map(MemberId::from),
        orders: request.orders,
        standing: optional(&request.standing, "a deal's id has 32 bytes")?,
        retain_until_ms: Some(request.keep_until_ms).filter(|until| *until != 0),
        confirm_by_hand: request.confirm_by_hand,
        lengths: request.lengths.map(lengths).transpose()?.unwrap_or_default(),
        inspection: optional(&request.inspection, "an inspection's id has 32 bytes")?,
    })
}

pub(super) async fn order(
    desk: &Desk,
    request: pb::SignOrderRequest,
) -> Result<pb::SignOrderResponse, Status> {
    let member = MemberId::try_from(request.member.as_slice());
    let plan = OrderPlan {
        record: record(&request.record_id)?,
        sections: sections(request.sections)?,
        member: member.map_err(|_| field("a member id has 32 bytes"))?,
        purpose: request.purpose,
        reason: request.reason,
        until_ms: request.until_ms,
    };
    if plan.sections.is_empty() {
        return Err(field("an order names sections"));
    }
    let signed = desk.order(plan).await.map_err(of_desk)?;
    Ok(pb::SignOrderResponse {
        order: signed.file,
        reason_digest: signed.reason.0.to_vec(),
        salt: signed.salt.to_vec(),
    })
}

fn lengths(lengths: pb::DealLengths) -> Result<Lengths, Status> {
    let lengths = Lengths {
        accept: lengths.accept_ms,
        fund: lengths.fund_ms,
        ready: lengths.ready_ms,
        release: lengths.release_ms,
        confirm: lengths.confirm_ms,
        rule: lengths.rule_ms,
    };
    let Lengths { accept, fund, ready, release, confirm, rule } = lengths;
    let each = [accept, fund, ready, release, confirm, rule];
    if each.iter().all(|ms| (Lengths::shortest()..=MAX_LENGTH_MS).contains(ms)) {
        Ok(lengths)
    } else {
        Err(field("nothing in a deal takes less than a second or more than 400 days"))
    }
}

fn sections(sections: Vec<String>) -> Result<Vec<String>, Status> {
    if sections.len() > MAX_SECTIONS {
        return Err(field("a deposit has at most 32 sections"));
    }
    Ok(sections)
}

fn record(bytes: &[u8]) -> Result<Hash, Status> {
    Hash::try_from(bytes).map_err(|_| field("a record id has 32 bytes"))
}

fn optional(bytes: &[u8], message: &'static str) -> Result<Option<[u8; 32]>, Status> {
    if bytes.is_empty() {
        return Ok(None);
    }
    bytes.try_into().map(Some).map_err(|_| field(message))
}
