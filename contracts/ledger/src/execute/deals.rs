//! Deals on the state map: opened once, carried on step by step, each step signed by the key that
//! the deal names for it, whoever carries it. Refuses what [`crate::deal`] refuses. Specification:
//! `proto/README.md`, section 16.

use super::{Context, Environment, ExecutionError, expect_cosigners};
use crate::deal::{self, Action, Deal, DealRefusal, Mark, Opening, Step, counted_gap};
use crate::ids::{DealId, DealTime};
use crate::keys::PublicKey;
use crate::refusal::Refusal;
use crate::state::{self, Overlay, StateError, StateView};
use crate::transaction::Transaction;
use heatmark_merkle::LeafIndex;
use heatmark_proto::ledger::v1 as pb;

/// Adds the gap before this block, if there is one, to what no deal counts.
pub(super) fn note_gap<V: StateView + ?Sized>(
    state: &mut Overlay<'_, V>,
    env: &Environment,
    parameters: &pb::Parameters,
) -> Result<(), StateError> {
    let gap = counted_gap(parameters, env.parent_time, env.time);
    // A network may begin long after its founding.
    if gap == 0 || env.height.0 <= 1 {
        return Ok(());
    }
    let gaps_ms = state::deal_clock(state)?.saturating_add(gap);
    state.put(state::deal_clock_key(), &pb::DealClockState { gaps_ms });
    Ok(())
}

pub(super) fn take_step<V: StateView + ?Sized>(
    state: &mut Overlay<'_, V>,
    context: &Context,
    transaction: &Transaction,
    message: &pb::Deal,
) -> Result<(), ExecutionError> {
    let keys = expect_cosigners(transaction, &[pb::CoSigner::Deal])?;
    let signer = keys.first().ok_or(Refusal::Cosignatures)?;
    let (id, action) = deal::read(message)?;
    let deal = match action {
        Action::Open(opening) => open(state, context, signer, (id, *opening))?,
        Action::Step(step) => go_on(state, context, signer, (id, step))?,
    };
    state.put(state::deal_key(&id), &deal.to_state());
    Ok(())
}

fn open(
    state: &impl StateView,
    context: &Context,
    signer: &PublicKey,
    (id, opening): (DealId, Opening),
) -> Result<Deal, ExecutionError> {
    if opening.buyer().to_bytes() != signer.to_bytes() {
        return Err(Refusal::from(DealRefusal::WrongKey).into());
    }
    if opening.id(&context.env.network) != id {
        return Err(Refusal::Field("deal").into());
    }
    if state.value(&state::deal_key(&id))?.is_some() {
        return Err(Refusal::DealExists.into());
    }
    let now = DealTime(context.env.time.0);
    let gaps_ms = state::deal_clock(state)?;
    let deal = Deal::open(opening, mark(context, now), gaps_ms).map_err(Refusal::from)?;
    deal.opening().check_keys().map_err(Refusal::from)?;
    Ok(deal)
}

fn go_on(
    state: &impl StateView,
    context: &Context,
    signer: &PublicKey,
    (id, step): (DealId, Step),
) -> Result<Deal, ExecutionError> {
    let kept = state::deal(state, &id)?.ok_or(Refusal::NoSuchDeal)?;
    let mut deal = Deal::from_state(&kept)?;
    let key = deal.key_of(step).map_err(Refusal::from)?;
    if key.to_bytes() != signer.to_bytes() {
        return Err(Refusal::from(DealRefusal::WrongKey).into());
    }
    let now = deal.clock(state::deal_clock(state)?).read(context.env.time);
    deal.step(step, mark(context, now)).map_err(Refusal::from)?;
    Ok(deal)
}

fn mark(context: &Context, time: DealTime) -> Mark {
    Mark { time, height: context.env.height, leaf: LeafIndex(context.leaf_index) }
}
