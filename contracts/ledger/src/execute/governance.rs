//! Votes: what members may decide together, how much agreement it takes and when it takes effect.
//! Refuses proposals that could not be applied now, second votes, and votes on what is decided.
//! Specification: `proto/README.md`, sections 2 and 3.

use super::{Context, Environment, ExecutionError, expect_cosigners, member_field, registry};
use crate::ids::{Height, MemberId, TransactionId};
use crate::keys::PublicKey;
use crate::refusal::Refusal;
use crate::state::{self, Overlay, StateError, StateView};
use crate::transaction::Transaction;
use crate::validators::{MAX_POWER, Validator, ValidatorSet};
use crate::wire::MAX_BLOCK_BYTES;
use heatmark_proto::ledger::v1 as pb;
use heatmark_proto::ledger::v1::propose::Action;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The next height's validator set.
pub(super) fn validators(view: &(impl StateView + ?Sized)) -> Result<ValidatorSet, StateError> {
    let stored: pb::ValidatorsState = state::read(view, &state::validators_key(), "validators")?
        .ok_or(StateError::Damaged("validators"))?;
    let set = stored.next.as_ref().ok_or(StateError::Damaged("validators"))?;
    ValidatorSet::from_state(set).map_err(|_| StateError::Damaged("validators"))
}

/// The protocol version at `height`, switching to a scheduled one when its height is reached.
pub(super) fn switch_version<V: StateView + ?Sized>(
    state: &mut Overlay<'_, V>,
    height: Height,
) -> Result<u32, StateError> {
    let mut versions = state::versions(state)?;
    let due = versions.scheduled.iter().take_while(|s| s.height <= height.0).count();
    if let Some(last) = versions.scheduled.drain(..due).next_back() {
        versions.current = last.version;
    }
    if due > 0 {
        state.put(state::versions_key(), &versions);
    }
    Ok(versions.current)
}

/// Voting power of these members, ascending: that of every key of theirs in the next set, also of
/// one they have replaced, for it keeps voting.
pub(super) fn power_of(
    view: &(impl StateView + ?Sized),
    members: &[MemberId],
) -> Result<u64, StateError> {
    let mut power: u64 = 0;
    for validator in validators(view)?.validators() {
        let owner = owner_of(view, validator)?;
        if members.binary_search(&owner).is_ok() {
            power = power.saturating_add(validator.power);
        }
    }
    Ok(power)
}

/// Public keys, in order, whose holders must co-sign a proposal as `NEW_KEY`.
#[must_use]
pub fn required_new_keys(propose: &pb::Propose) -> Vec<Vec<u8>> {
    let keys: &[pb::PublicKey] = match &propose.action {
        Some(Action::AddMember(entry)) => &entry.keys,
        Some(Action::ReplaceRoot(replace)) => replace.new_root.as_slice(),
        _ => &[],
    };
    keys.iter()
        .filter(|key| key.algorithm() == pb::KeyAlgorithm::Ed25519)
        .map(|key| key.key.clone())
        .collect()
}

pub(super) fn propose<V: StateView + ?Sized>(
    state: &mut Overlay<'_, V>,
    context: &Context,
    transaction: &Transaction,
    propose: &pb::Propose,
) -> Result<(), ExecutionError> {
    let needed = required_new_keys(propose);
    let purposes = vec![pb::CoSigner::NewKey; needed.len()];
    let given = expect_cosigners(transaction, &purposes)?;
    if !given.iter().map(|key| key.to_bytes().to_vec()).eq(needed) {
        return Err(Refusal::Cosignatures.into());
    }
    let action = propose.action.as_ref().ok_or(Refusal::Action("it names no action"))?;
    check_action(state, &context.env, action)?;
    let mut proposal = pb::ProposalState {
        action: Some(propose.clone()),
        proposer: context.signer.to_vec(),
        expires_ms: context.env.time.0.saturating_add(context.parameters.proposal_lifetime_ms),
        approvals: vec![context.signer.to_vec()],
        rejections: Vec::new(),
        status: pb::ProposalStatus::Open as i32,
        effective_ms: 0,
    };
    tally(state, context, &context.transaction_id, &mut proposal)
}

pub(super) fn vote<V: StateView + ?Sized>(
    state: &mut Overlay<'_, V>,
    context: &Context,
    vote: &pb::Vote,
) -> Result<(), ExecutionError> {
    let id = TransactionId::try_from(vote.proposal.as_slice())
        .map_err(|_| Refusal::Field("proposal"))?;
    let mut proposal: pb::ProposalState =
        state::read(state, &state::proposal_key(&id), "proposal")?
            .ok_or(Refusal::ProposalNotOpen)?;
    let open = proposal.status() == pb::ProposalStatus::Open;
    if !open || context.env.time.0 >= proposal.expires_ms {
        return Err(Refusal::ProposalNotOpen.into());
    }
    let voter = context.signer.to_vec();
    if proposal.approvals.contains(&voter) || proposal.rejections.contains(&voter) {
        return Err(Refusal::Voted.into());
    }
    let side = if vote.approve { &mut proposal.approvals } else { &mut proposal.rejections };
    side.push(voter);
    side.sort();
    tally(state, context, &id, &mut proposal)
}

/// Counts, and where the threshold is reached adopts or applies. Writes the proposal.
fn tally<V: StateView + ?Sized>(
    state: &mut Overlay<'_, V>,
    context: &Context,
    id: &TransactionId,
    proposal: &mut pb::ProposalState,
) -> Result<(), ExecutionError> {
    let action = action_of(proposal)?;
    let grave = is_grave(&action);
    if is_adopted(state, &proposal.approvals, grave)? {
        let delay = if grave { context.parameters.governance_delay_ms } else { 0 };
        proposal.effective_ms = context.env.time.0.saturating_add(delay);
        if grave {
            proposal.status = pb::ProposalStatus::Adopted as i32;
            enqueue(state, id, proposal.effective_ms)?;
        } else {
            settle(state, &context.env, &action, proposal)?;
        }
    }
    state.put(state::proposal_key(id), proposal);
    Ok(())
}

fn action_of(proposal: &pb::ProposalState) -> Result<Action, StateError> {
    proposal
        .action
        .clone()
        .and_then(|propose| propose.action)
        .ok_or(StateError::Damaged("proposal"))
}

/// Whether an action needs two thirds of members and power instead of a simple majority.
fn is_grave(action: &Action) -> bool {
    match action {
        Action::Suspend(_) | Action::Reinstate(_) | Action::ReplaceRoot(_) => false,
        Action::AddMember(entry) => {
            let light = [pb::Role::Supplier as i32, pb::Role::Assembler as i32];
            !entry.roles.iter().all(|role| light.contains(role))
        }
        Action::SetRoles(_)
        | Action::SetValidator(_)
        | Action::Parameters(_)
        | Action::ScheduleVersion(_) => true,
    }
}

fn is_adopted(
    view: &(impl StateView + ?Sized),
    approvals: &[Vec<u8>],
    grave: bool,
) -> Result<bool, ExecutionError> {
    let (mut active, mut approving) = (0_u64, Vec::new());
    for id in state::members(view)? {
        let (found, _) = registry::existing(view, &id)?;
        if found.status() != pb::MemberStatus::Active {
            continue;
        }
        active = active.saturating_add(1);
        if approvals.binary_search(&id.to_vec()).is_ok() {
            approving.push(id);
        }
    }
    let two_thirds = |part: u64, whole: u64| {
        u128::from(part).saturating_mul(3) >= u128::from(whole).saturating_mul(2)
    };
    let count = u64::try_from(approving.len()).unwrap_or(u64::MAX);
    if grave {
        let (power, total) = (power_of(view, &approving)?, validators(view)?.total_power());
        return Ok(two_thirds(count, active) && two_thirds(power, total));
    }
    Ok(count.saturating_mul(2) > active)
}

fn enqueue<V: StateView + ?Sized>(
    state: &mut Overlay<'_, V>,
    id: &TransactionId,
    effective_ms: u64,
) -> Result<(), ExecutionError> {
    let mut pending = pending(state)?;
    let mut position = pending.proposals.len();
    for (index, other) in pending.proposals.iter().enumerate() {
        if proposal(state, other)?.1.effective_ms > effective_ms {
            position = index;
            break;
        }
    }
    pending.proposals.insert(position, id.to_vec());
    state.put(state::pending_key(), &pending);
    Ok(())
}

fn pending(view: &(impl StateView + ?Sized)) -> Result<pb::PendingProposals, StateError> {
    Ok(state::read(view, &state::pending_key(), "pending")?.unwrap_or_default())
}

fn proposal(
    view: &(impl StateView + ?Sized),
    id: &[u8],
) -> Result<(TransactionId, pb::ProposalState), StateError> {
    let id = TransactionId::try_from(id).map_err(|_| StateError::Damaged("pending"))?;
    let found = state::read(view, &state::proposal_key(&id), "proposal")?;
    Ok((id, found.ok_or(StateError::Damaged("proposal"))?))
}

/// Applies the adopted proposals whose time has come, before a block's transactions.
pub(super) fn apply_due<V: StateView + ?Sized>(
    state: &mut Overlay<'_, V>,
    env: &Environment,
) -> Result<(), ExecutionError> {
    let mut waiting = pending(state)?;
    let before = waiting.proposals.len();
    while let Some(first) = waiting.proposals.first().cloned() {
        let (id, mut found) = proposal(state, &first)?;
        if found.effective_ms > env.time.0 {
            break;
        }
        waiting.proposals.remove(0);
        let action = action_of(&found)?;
        settle(state, env, &action, &mut found)?;
        state.put(state::proposal_key(&id), &found);
    }
    if waiting.proposals.len() != before {
        state.put(state::pending_key(), &waiting);
    }
    Ok(())
}

/// Applies an action if it still can be, else voids its proposal.
fn settle<V: StateView + ?Sized>(
    state: &mut Overlay<'_, V>,
    env: &Environment,
    action: &Action,
    proposal: &mut pb::ProposalState,
) -> Result<(), ExecutionError> {
    let status = match check_action(state, env, action) {
        Ok(()) => {
            apply_action(state, env, action)?;
            pb::ProposalStatus::InEffect
        }
        Err(ExecutionError::Refused(_)) => pb::ProposalStatus::Void,
        Err(fatal) => return Err(fatal),
    };
    proposal.status = status as i32;
    Ok(())
}

fn check_action(
    view: &(impl StateView + ?Sized),
    env: &Environment,
    action: &Action,
) -> Result<(), ExecutionError> {
    let status = |bytes: &[u8]| -> Result<pb::MemberStatus, ExecutionError> {
        Ok(registry::existing(view, &member_field(bytes)?)?.0.status())
    };
    let refuse = |reason| Err(Refusal::Action(reason).into());
    match action {
        Action::AddMember(entry) => {
            registry::check_entry(entry)?;
            registry::check_unknown(view, &env.network, entry)
        }
        Action::Suspend(target) if status(&target.member)? != pb::MemberStatus::Active => {
            refuse("only an active member can be suspended")
        }
        Action::Reinstate(target) if status(&target.member)? != pb::MemberStatus::Suspended => {
            refuse("only a suspended member can be reinstated")
        }
        Action::Suspend(target) | Action::Reinstate(target) => {
            super::hash_field(&target.reason_digest, "reason_digest")?;
            Ok(())
        }
        Action::SetRoles(set) => {
            if status(&set.member)? == pb::MemberStatus::Left {
                return refuse("the member has left");
            }
            registry::check_roles(&set.roles)?;
            if set.roles.contains(&(pb::Role::Validator as i32)) {
                return refuse("validators are set with their voting power");
            }
            Ok(())
        }
        Action::SetValidator(set) => check_set_validator(view, set),
        Action::Parameters(parameters) => Ok(check_parameters(parameters)?),
        Action::ScheduleVersion(next) => check_schedule(view, env, next),
        Action::ReplaceRoot(replace) => check_replace_root(view, replace),
    }
}

fn check_set_validator(
    view: &(impl StateView + ?Sized),
    set: &pb::SetValidator,
) -> Result<(), ExecutionError> {
    let (found, entry) = registry::existing(view, &member_field(&set.member)?)?;
    PublicKey::from_bytes(&set.consensus_key).map_err(Refusal::from)?;
    if set.power > MAX_POWER {
        return Err(Refusal::Action("voting power is out of range").into());
    }
    let registered =
        entry.keys.iter().any(|k| k.role() == pb::KeyRole::Consensus && k.key == set.consensus_key);
    if set.power > 0 && (found.status() != pb::MemberStatus::Active || !registered) {
        let reason = "only an active member's registered consensus key can have power";
        return Err(Refusal::Action(reason).into());
    }
    next_set(view, set).map(|_| ())
}

/// The set once a vote is applied: a key that is given power takes the place of whatever key the
/// member has replaced, so that nobody votes twice over.
fn next_set(
    view: &(impl StateView + ?Sized),
    set: &pb::SetValidator,
) -> Result<ValidatorSet, ExecutionError> {
    let member = member_field(&set.member)?;
    let key = PublicKey::from_bytes(&set.consensus_key).map_err(Refusal::from)?;
    let current = validators(view)?;
    let mut next = Vec::new();
    for validator in current.validators() {
        let leaves =
            owner_of(view, validator)? == member && (set.power > 0 || validator.key == key);
        if !leaves {
            next.push(*validator);
        }
    }
    if set.power > 0 {
        next.push(Validator { key, power: set.power });
    } else if next.len() == current.validators().len() {
        return Err(Refusal::Action("the key has no voting power").into());
    }
    ValidatorSet::new(next)
        .map_err(|_| Refusal::Action("no valid validator set would be left").into())
}

fn owner_of(
    view: &(impl StateView + ?Sized),
    validator: &Validator,
) -> Result<MemberId, StateError> {
    let key = state::key_state(view, &validator.key.id())?.ok_or(StateError::Damaged("key"))?;
    MemberId::try_from(key.member.as_slice()).map_err(|_| StateError::Damaged("key"))
}

fn check_schedule(
    view: &(impl StateView + ?Sized),
    env: &Environment,
    next: &pb::ScheduleVersion,
) -> Result<(), ExecutionError> {
    let versions = state::versions(view)?;
    let (version, height) = versions
        .scheduled
        .last()
        .map_or((versions.current, env.height.0), |last| (last.version, last.height));
    if next.version <= version || next.height <= height.max(env.height.0) {
        return Err(Refusal::Action("a version must be higher and switch later").into());
    }
    Ok(())
}

fn check_replace_root(
    view: &(impl StateView + ?Sized),
    replace: &pb::ReplaceRoot,
) -> Result<(), ExecutionError> {
    let (found, _) = registry::existing(view, &member_field(&replace.member)?)?;
    let new = replace.new_root.as_ref().ok_or(Refusal::Field("new_root"))?;
    registry::check_key(new)?;
    if new.role() != pb::KeyRole::Root || found.status() == pb::MemberStatus::Left {
        return Err(Refusal::Action("only the root key of a present member is replaced").into());
    }
    let id = crate::keys::key_id(new.algorithm(), &new.key);
    if state::key_state(view, &id)?.is_some() {
        return Err(Refusal::KeyInUse.into());
    }
    Ok(())
}

/// Whether parameters are within what every node can bear.
///
/// # Errors
/// [`Refusal::Action`].
pub(crate) fn check_parameters(p: &pb::Parameters) -> Result<(), Refusal> {
    let block_bytes = u64::from(p.max_block_bytes);
    let largest = u64::try_from(MAX_BLOCK_BYTES).unwrap_or(u64::MAX);
    let checks = [
        ((100..=60_000).contains(&p.max_clock_skew_ms), "max_clock_skew_ms: 100 to 60,000"),
        ((1_000..=7 * DAY_MS).contains(&p.max_window_ms), "max_window_ms: 1 second to 7 days"),
        ((1..=16_777_216).contains(&p.max_batch_records), "max_batch_records: 1 to 16,777,216"),
        ((1..=100_000).contains(&p.max_block_transactions), "max_block_transactions: 1 to 100,000"),
        (
            (131_072..=largest.saturating_sub(1_048_576)).contains(&block_bytes),
            "max_block_bytes: 131,072 to 7,340,032",
        ),
        (
            p.reserved_alert_bytes <= p.max_block_bytes.wrapping_div(2),
            "reserved_alert_bytes: at most half of max_block_bytes",
        ),
        ((1_000..=3_600_000).contains(&p.heartbeat_ms), "heartbeat_ms: 1 second to 1 hour"),
        (p.governance_delay_ms <= 30 * DAY_MS, "governance_delay_ms: at most 30 days"),
        (
            (1_000..=90 * DAY_MS).contains(&p.proposal_lifetime_ms),
            "proposal_lifetime_ms: 1 second to 90 days",
        ),
        (
            (1..=1_000_000).contains(&p.state_history_heights),
            "state_history_heights: 1 to 1,000,000",
        ),
    ];
    checks
        .into_iter()
        .find(|(holds, _)| !holds)
        .map_or(Ok(()), |(_, reason)| Err(Refusal::Action(reason)))
}

fn apply_action<V: StateView + ?Sized>(
    state: &mut Overlay<'_, V>,
    env: &Environment,
    action: &Action,
) -> Result<(), ExecutionError> {
    match action {
        Action::AddMember(entry) => {
            registry::enter(state, &env.network, entry, (env.height, env.height.next()))?;
        }
        Action::Suspend(target) => {
            let member = member_field(&target.member)?;
            registry::set_status(state, &member, pb::MemberStatus::Suspended, env.height)?;
        }
        Action::Reinstate(target) => {
            let member = member_field(&target.member)?;
            registry::set_status(state, &member, pb::MemberStatus::Active, env.height)?;
        }
        Action::SetRoles(set) => set_roles(state, set)?,
        Action::SetValidator(set) => {
            let next = next_set(state, set)?;
            put_validators(state, &next);
        }
        Action::Parameters(parameters) => state.put(state::parameters_key(), parameters),
        Action::ScheduleVersion(next) => {
            let mut versions = state::versions(state)?;
            versions.scheduled.push(*next);
            state.put(state::versions_key(), &versions);
        }
        Action::ReplaceRoot(replace) => {
            let member: MemberId = member_field(&replace.member)?;
            let new = replace.new_root.as_ref().ok_or(Refusal::Field("new_root"))?;
            registry::replace_key(state, &member, (new, 0), env.height)?;
        }
    }
    Ok(())
}

fn set_roles<V: StateView + ?Sized>(
    state: &mut Overlay<'_, V>,
    set: &pb::SetRoles,
) -> Result<(), ExecutionError> {
    let member = member_field(&set.member)?;
    let (mut found, mut entry) = registry::existing(state, &member)?;
    let validator = pb::Role::Validator as i32;
    let keeps = entry.roles.contains(&validator);
    entry.roles.clone_from(&set.roles);
    if keeps {
        entry.roles.push(validator);
    }
    entry.roles.sort_unstable();
    found.entry = Some(entry);
    state.put(state::member_key(&member), &found);
    Ok(())
}

/// Writes the next height's validator set.
pub(crate) fn put_validators<V: StateView + ?Sized>(
    state: &mut Overlay<'_, V>,
    set: &ValidatorSet,
) {
    let value = pb::ValidatorsState { next: Some(set.to_proto()) };
    state.put(state::validators_key(), &value);
}
