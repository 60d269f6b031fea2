//! Alerts and their acknowledgement. Refuses an alert whose sequence is not the next, that follows
//! a revoke, or that changes nothing. Specification: `proto/README.md`, section 3.

use super::{Context, ExecutionError, expect_cosigners, hash_field, member_field, subject_field};
use crate::ids::MemberId;
use crate::refusal::Refusal;
use crate::state::{self, Overlay, StateView};
use crate::transaction::Transaction;
use heatmark_proto::ledger::v1 as pb;

pub(super) fn raise<V: StateView + ?Sized>(
    state: &mut Overlay<'_, V>,
    context: &Context,
    transaction: &Transaction,
    alert: &pb::Alert,
) -> Result<(), ExecutionError> {
    let subject = subject_field(&alert.subject)?;
    hash_field(&alert.reason_digest, "reason_digest")?;
    let level = pb::AlertLevel::try_from(alert.level).map_err(|_| Refusal::Field("level"))?;
    if level == pb::AlertLevel::Unspecified {
        return Err(Refusal::Field("level").into());
    }
    let concern_of = if alert.concern {
        expect_cosigners(transaction, &[])?;
        Some(context.signer)
    } else {
        let keys = expect_cosigners(transaction, &[pb::CoSigner::Alert])?;
        if keys.first().map(|key| key.alert_subject()) != Some(subject) {
            return Err(Refusal::Cosignatures.into());
        }
        None
    };
    let last = state::alert(state, &subject, concern_of.as_ref())?;
    check_next(last.as_ref(), level, alert.sequence)?;
    let key = match &concern_of {
        None => state::alert_key(&subject),
        Some(member) => state::concern_key(&subject, member),
    };
    let entry = pb::AlertState {
        level: alert.level,
        sequence: alert.sequence,
        reason_digest: alert.reason_digest.clone(),
        height: context.env.height.0,
        leaf_index: context.leaf_index,
    };
    state.put(key, &entry);
    Ok(())
}

fn check_next(
    last: Option<&pb::AlertState>,
    level: pb::AlertLevel,
    sequence: u64,
) -> Result<(), Refusal> {
    let standing = last.map_or(pb::AlertLevel::Clear, pb::AlertState::level);
    if standing == pb::AlertLevel::Revoke {
        return Err(Refusal::AlertFinal);
    }
    if Some(sequence) != last.map_or(0, |alert| alert.sequence).checked_add(1) {
        return Err(Refusal::AlertSequence);
    }
    if standing == level { Err(Refusal::AlertUnchanged) } else { Ok(()) }
}

pub(super) fn acknowledge<V: StateView + ?Sized>(
    state: &mut Overlay<'_, V>,
    context: &Context,
    acknowledge: &pb::Acknowledge,
) -> Result<(), ExecutionError> {
    let subject = subject_field(&acknowledge.subject)?;
    let concern_of = match acknowledge.concern_of.as_slice() {
        [] => None,
        bytes => Some(member_field(bytes)?),
    };
    let standing =
        state::alert(state, &subject, concern_of.as_ref())?.ok_or(Refusal::NoSuchAlert)?;
    if standing.sequence != acknowledge.sequence {
        return Err(Refusal::NoSuchAlert.into());
    }
    let key = acknowledgement(&subject, concern_of.as_ref(), &context.signer);
    let last: Option<pb::AcknowledgementState> = state::read(state, &key, "acknowledgement")?;
    if last.is_some_and(|last| last.sequence >= acknowledge.sequence) {
        return Err(Refusal::Acknowledged.into());
    }
    let entry =
        pb::AcknowledgementState { sequence: acknowledge.sequence, height: context.env.height.0 };
    state.put(key, &entry);
    Ok(())
}

fn acknowledgement(
    subject: &crate::ids::AlertSubject,
    concern_of: Option<&MemberId>,
    member: &MemberId,
) -> Vec<u8> {
    state::acknowledgement_key(subject, concern_of, member)
}
