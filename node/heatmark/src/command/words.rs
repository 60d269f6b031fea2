//! Log entries in words: what a transaction says, times, ids, for people and for machines.

use super::failure::Failure;
use heatmark_ledger::header::Header;
use heatmark_ledger::ids::TransactionId;
use heatmark_ledger::messages as pb;
use heatmark_ledger::receipt::Verified;
use pb::body::Payload;
use pb::propose::Action;
use serde_json::{Value, json};

const DAY_MS: u64 = 86_400_000;

/// Block time as `2026-11-21 06:30:05.123 UTC`.
pub(crate) fn time(unix_ms: u64) -> String {
    let (days, rest) = (unix_ms.div_euclid(DAY_MS), unix_ms.rem_euclid(DAY_MS));
    let (year, month, day) = civil(days);
    let (seconds, ms) = (rest.div_euclid(1000), rest.rem_euclid(1000));
    let (minutes, second) = (seconds.div_euclid(60), seconds.rem_euclid(60));
    let (hour, minute) = (minutes.div_euclid(60), minutes.rem_euclid(60));
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{ms:03} UTC")
}

/// Days since 1970-01-01 as a Gregorian date, after H. Hinnant's `civil_from_days`.
fn civil(days: u64) -> (u64, u64, u64) {
    let shifted = days.saturating_add(719_468);
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let leaps = (of_era.div_euclid(1_460), of_era.div_euclid(36_524), of_era.div_euclid(146_096));
    let year_of_era = of_era
        .saturating_sub(leaps.0)
        .saturating_add(leaps.1)
        .saturating_sub(leaps.2)
        .div_euclid(365);
    let before = year_of_era
        .saturating_mul(365)
        .saturating_add(year_of_era.div_euclid(4))
        .saturating_sub(year_of_era.div_euclid(100));
    let of_year = of_era.saturating_sub(before);
    let shifted_month = of_year.saturating_mul(5).saturating_add(2).div_euclid(153);
    let first = shifted_month.saturating_mul(153).saturating_add(2).div_euclid(5);
    let day = of_year.saturating_sub(first).saturating_add(1);
    let month = if shifted_month < 10 {
        shifted_month.saturating_add(3)
    } else {
        shifted_month.saturating_sub(9)
    };
    let year = year_of_era.saturating_add(era.saturating_mul(400));
    (year.saturating_add(u64::from(month <= 2)), month, day)
}

/// The year of a time.
pub(crate) fn year(unix_ms: u64) -> u16 {
    u16::try_from(civil(unix_ms.div_euclid(DAY_MS)).0).unwrap_or(u16::MAX)
}

/// What a body says, in a few words.
pub(crate) fn payload(body: &pb::Body) -> String {
    match &body.payload {
        None => "nothing".to_owned(),
        Some(Payload::Anchor(anchor)) => format!("anchor of {} records", anchor.records),
        Some(Payload::Alert(alert)) => format!(
            "{} {} on {}",
            if alert.concern { "concern" } else { "alert" },
            level(alert.level()),
            short(&alert.subject),
        ),
        Some(Payload::Acknowledge(ack)) => {
            format!("acknowledgement of alert {} on {}", ack.sequence, short(&ack.subject))
        }
        Some(Payload::RotateKey(rotate)) => {
            format!("rotation of a key of {}", short(&rotate.member))
        }
        Some(Payload::Leave(leave)) => format!("{} leaves", short(&leave.member)),
        Some(Payload::Propose(propose)) => format!("proposal to {}", action(propose)),
        Some(Payload::Vote(vote)) => format!(
            "vote to {} {}",
            if vote.approve { "approve" } else { "reject" },
            short(&vote.proposal),
        ),
        Some(Payload::LotEvent(event)) => {
            format!("event of lots, {} new", event.outputs.len())
        }
        Some(Payload::Deal(deal)) => format!("deal {}, {}", short(&deal.deal), step(deal)),
    }
}

/// What a step of a deal is, in a few words.
fn step(deal: &pb::Deal) -> String {
    use pb::deal::Step;
    match &deal.step {
        None => "no step".to_owned(),
        Some(Step::Open(open)) => {
            format!("opened, {} of {} agents", open.threshold, open.agent_keys.len())
        }
        Some(Step::Accept(_)) => "accepted".to_owned(),
        Some(Step::Fund(_)) => "funded".to_owned(),
        Some(Step::Ready(ready)) => format!("agent {} ready", ready.agent),
        Some(Step::Release(release)) => format!("agent {} released its share", release.agent),
        Some(Step::Confirm(_)) => "confirmed".to_owned(),
        Some(Step::Dispute(_)) => "disputed".to_owned(),
        Some(Step::Rule(rule)) if rule.refund => "ruled: refunded".to_owned(),
        Some(Step::Rule(_)) => "ruled: settled".to_owned(),
    }
}

/// A stable name of what a body says.
pub(crate) fn kind(body: &pb::Body) -> &'static str {
    match &body.payload {
        None => "none",
        Some(Payload::Anchor(_)) => "anchor",
        Some(Payload::Alert(_)) => "alert",
        Some(Payload::Acknowledge(_)) => "acknowledge",
        Some(Payload::RotateKey(_)) => "rotate-key",
        Some(Payload::Leave(_)) => "leave",
        Some(Payload::Propose(_)) => "propose",
        Some(Payload::Vote(_)) => "vote",
        Some(Payload::LotEvent(_)) => "lot-event",
        Some(Payload::Deal(_)) => "deal",
    }
}

/// What a proposal asks for.
pub(crate) fn action(propose: &pb::Propose) -> String {
    match &propose.action {
        None => "do nothing".to_owned(),
        Some(Action::AddMember(entry)) => format!("add member {:?}", entry.legal_name),
        Some(Action::Suspend(member)) => format!("suspend {}", short(&member.member)),
        Some(Action::Reinstate(member)) => format!("reinstate {}", short(&member.member)),
        Some(Action::SetRoles(set)) => format!("change the roles of {}", short(&set.member)),
        Some(Action::SetValidator(set)) => {
            format!("give {} the voting power {}", short(&set.member), set.power)
        }
        Some(Action::Parameters(_)) => "change the parameters".to_owned(),
        Some(Action::ScheduleVersion(next)) => {
            format!("run protocol version {} from height {}", next.version, next.height)
        }
        Some(Action::ReplaceRoot(replace)) => {
            format!("replace the root key of {}", short(&replace.member))
        }
    }
}

/// An alert level as people write it.
pub(crate) fn level(level: pb::AlertLevel) -> &'static str {
    match level {
        pb::AlertLevel::Unspecified => "unspecified",
        pb::AlertLevel::Clear => "clear",
        pb::AlertLevel::Superseded => "superseded",
        pb::AlertLevel::Hold => "hold",
        pb::AlertLevel::Recall => "recall",
        pb::AlertLevel::Revoke => "revoke",
    }
}

/// A member's standing as people write it.
pub(crate) fn status(status: pb::MemberStatus) -> &'static str {
    match status {
        pb::MemberStatus::Unspecified => "unknown",
        pb::MemberStatus::Active => "active",
        pb::MemberStatus::Suspended => "suspended",
        pb::MemberStatus::Left => "left",
    }
}

/// A text from somewhere else, in which line breaks would pass for lines of ours.
pub(crate) fn on_one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// The first 12 digits of an id.
pub(crate) fn short(id: &[u8]) -> String {
    hex::encode(id.get(..6).unwrap_or(id))
}

/// Bytes given as 64 hex digits.
pub(crate) fn id(text: &str, what: &str) -> Result<[u8; 32], Failure> {
    let bytes = hex::decode(text).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    bytes.ok_or_else(|| {
        Failure::input(format!("{text:?} is no {what}")).because("an id has 64 hex digits")
    })
}

/// What a verified receipt says, for machines.
pub(crate) fn verified(verified: &Verified) -> Value {
    json!({
        "transaction_id": verified.transaction_id,
        "leaf_index": verified.leaf_index.0,
        "kind": kind(&verified.body),
        "says": payload(&verified.body),
        "signer_key": verified.signer,
        "header": header(&verified.header),
    })
}

/// What a verified receipt says, for people.
pub(crate) fn verified_text(verified: &Verified) -> String {
    let header = &verified.header;
    format!(
        "Transaction  {}\nSays         {}\nSigner key   {}\nLeaf         {} of {}\nProved by    block {} of {}\nLog root     {}\n",
        verified.transaction_id,
        payload(&verified.body),
        verified.signer,
        verified.leaf_index,
        header.log_size,
        header.height,
        time(header.time.0),
        header.log_root,
    )
}

/// A header for machines.
pub(crate) fn header(header: &Header) -> Value {
    json!({
        "height": header.height,
        "hash": header.hash(),
        "time_ms": header.time,
        "log_size": header.log_size.0,
        "log_root": header.log_root,
        "state_root": header.state_root,
        "next_validators": header.next_validators,
    })
}

/// Where a proposal stands, in a few words.
pub(crate) fn proposal(state: &pb::ProposalState) -> String {
    let (yes, no) = (state.approvals.len(), state.rejections.len());
    match state.status() {
        pb::ProposalStatus::Unspecified => "unknown".to_owned(),
        pb::ProposalStatus::Open => {
            format!("open until {}: {yes} for, {no} against", time(state.expires_ms))
        }
        pb::ProposalStatus::Adopted => {
            format!("adopted, takes effect {}", time(state.effective_ms))
        }
        pb::ProposalStatus::InEffect => "in effect".to_owned(),
        pb::ProposalStatus::Void => "adopted, but could no longer be applied".to_owned(),
    }
}

/// A proposal for machines.
pub(crate) fn proposal_json(id: &TransactionId, state: &pb::ProposalState) -> Value {
    let status = match state.status() {
        pb::ProposalStatus::Unspecified => "unknown",
        pb::ProposalStatus::Open => "open",
        pb::ProposalStatus::Adopted => "adopted",
        pb::ProposalStatus::InEffect => "in-effect",
        pb::ProposalStatus::Void => "void",
    };
    json!({
        "proposal": id,
        "status": status,
        "to": state.action.as_ref().map(action),
        "proposer": hex::encode(&state.proposer),
        "approvals": state.approvals.iter().map(hex::encode).collect::<Vec<_>>(),
        "rejections": state.rejections.iter().map(hex::encode).collect::<Vec<_>>(),
        "expires_ms": state.expires_ms,
        "effective_ms": state.effective_ms,
    })
}
