//! Every order of every step, at every moment from before the first deadline to after the last:
//! what a deal's phases and steps may never do, and exactly which steps it takes. The judge keeps
//! its own notes of what was taken, and knows nothing of how the machine works.

use super::faults::{Fault, Faulty};
use super::opening;
use crate::town::bytes32;
use heatmark_ledger::LeafIndex;
use heatmark_ledger::deal::{Deal, Mark, Opening, Phase, Step};
use heatmark_ledger::ids::{DealTime, Height};
use std::collections::{BTreeMap, BTreeSet};

const ACCEPT: u64 = 1;
const FUND: u64 = 2;
const READY: u64 = 3;
const RELEASE: u64 = 7;
pub(super) const CONFIRM: u64 = 8;
const RULE: u64 = 9;
pub(super) const END: u64 = 10;

/// The deals begin here, since a deadline at 0 is none.
pub(super) const START: u64 = 1_000;

/// Which steps a deal asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub agents: u32,
    pub threshold: u32,
    pub acceptance: bool,
    pub payment: bool,
}

impl Plan {
    pub(super) fn opening(self) -> Opening {
        let mut open = opening("enumerated", self.agents as usize, self.threshold);
        open.terms_digest = bytes32("terms").to_vec();
        let at = |needed: bool, by: u64| if needed { START + by } else { 0 };
        open.accept_by_ms = at(self.acceptance, ACCEPT);
        open.fund_by_ms = at(self.payment, FUND);
        open.ready_by_ms = START + READY;
        open.release_by_ms = START + RELEASE;
        open.confirm_by_ms = START + CONFIRM;
        open.rule_by_ms = at(self.payment, RULE);
        if !self.acceptance {
            open.owner_key.clear();
        }
        if !self.payment {
            open.arbiter_key.clear();
        }
        Opening::read(&open).unwrap()
    }

    fn steps(self) -> Vec<Step> {
        let mut steps = vec![
            Step::Accept,
            Step::Fund,
            Step::Confirm,
            Step::Dispute,
            Step::Rule { refund: true },
            Step::Rule { refund: false },
        ];
        // One more agent than there are.
        for agent in 0..=self.agents {
            steps.extend([Step::Ready { agent }, Step::Release { agent }]);
        }
        steps
    }
}

pub(super) fn mark(now: u64) -> Mark {
    Mark { time: DealTime(START + now), height: Height(1), leaf: LeafIndex(0) }
}

/// What is judged: a deal, or one with a fault.
pub(super) trait Machine: Clone + PartialEq {
    fn phase(&self, now: u64) -> Phase;
    /// What it is after a step; none when it refuses it.
    fn stepped(&self, step: Step, now: u64) -> Option<Self>;
}

impl Machine for Deal {
    fn phase(&self, now: u64) -> Phase {
        Self::phase(self, DealTime(START + now))
    }

    fn stepped(&self, step: Step, now: u64) -> Option<Self> {
        let checked = self.check(step, DealTime(START + now));
        // Where there are millions, the copy that a refusal must leave alone is not made.
        if checked.is_err() && self.agents().len() > 1 {
            return None;
        }
        let mut after = self.clone();
        assert_eq!(after.step(step, mark(now)), checked, "what checks is what takes");
        match checked {
            Ok(()) => assert_eq!(Self::from_state(&after.to_state()).unwrap(), after),
            Err(_) => assert_eq!(*self, after, "a refused step left a trace"),
        }
        checked.is_ok().then_some(after)
    }
}

/// The judge's notes: when what was taken.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Notes {
    newest: u64,
    accepted: Option<u64>,
    funded: Option<u64>,
    ready: [Option<u64>; 3],
    released: [Option<u64>; 3],
    confirmed: Option<u64>,
    disputed: Option<u64>,
    ruled: Option<(u64, bool)>,
}

impl Notes {
    fn note(&self, step: Step, now: u64) -> Self {
        let mut notes = Self { newest: now, ..self.clone() };
        match step {
            Step::Accept => notes.accepted = Some(now),
            Step::Fund => notes.funded = Some(now),
            Step::Ready { agent } => notes.ready[agent as usize] = Some(now),
            Step::Release { agent } => notes.released[agent as usize] = Some(now),
            Step::Confirm => notes.confirmed = Some(now),
            Step::Dispute => notes.disputed = Some(now),
            Step::Rule { refund } => notes.ruled = Some((now, refund)),
        }
        notes
    }

    fn releases(&self) -> usize {
        self.released.iter().flatten().count()
    }

    /// Since when enough agents are ready.
    fn enough_since(&self, plan: Plan) -> Option<u64> {
        let mut times: Vec<u64> = self.ready.iter().flatten().copied().collect();
        times.sort_unstable();
        times.get(plan.threshold as usize - 1).copied()
    }

    fn is_over(&self) -> bool {
        self.confirmed.is_some() || self.disputed.is_some()
    }

    fn is_paid(&self, plan: Plan) -> bool {
        (!plan.acceptance || self.accepted.is_some()) && (!plan.payment || self.funded.is_some())
    }

    fn in_time_to_release(&self, plan: Plan, now: u64) -> bool {
        self.enough_since(plan)
            .is_some_and(|since| now < RELEASE && 4 * (RELEASE - now) > RELEASE - since)
    }

    /// Exactly the steps that the specification allows.
    fn allows(&self, plan: Plan, step: Step, now: u64) -> bool {
        let delivered = self.releases() >= plan.threshold as usize;
        match step {
            Step::Accept => plan.acceptance && self.accepted.is_none() && now < ACCEPT,
            Step::Fund => {
                let accepted = !plan.acceptance || self.accepted.is_some();
                plan.payment && accepted && self.funded.is_none() && now < FUND
            }
            Step::Ready { agent } => {
                let fresh = agent < plan.agents && self.ready[agent as usize].is_none();
                fresh && self.is_paid(plan) && !self.is_over() && now < READY
            }
            Step::Release { agent } => {
                let able = agent < plan.agents
                    && self.ready[agent as usize].is_some()
                    && self.released[agent as usize].is_none();
                able && !self.is_over() && self.in_time_to_release(plan, now)
            }
            Step::Confirm => delivered && !self.is_over() && now < CONFIRM,
            Step::Dispute => plan.payment && delivered && !self.is_over() && now < CONFIRM,
            Step::Rule { .. } => self.disputed.is_some() && self.ruled.is_none() && now < RULE,
        }
    }

    /// What may never be taken, by name, for the faults that matter most.
    fn judge_step(&self, plan: Plan, step: Step, now: u64) -> Result<(), &'static str> {
        if let Step::Release { agent } = step {
            if plan.payment && self.funded.is_none() {
                return Err("a release before funding");
            }
            if self.enough_since(plan).is_none() {
                return Err("a release before enough agents are ready");
            }
            if self.ready[agent as usize].is_none() {
                return Err("a release by an agent that was not ready");
            }
            if self.released[agent as usize].is_some() {
                return Err("a second release of an agent");
            }
            if !self.in_time_to_release(plan, now) {
                return Err("a release in the last quarter");
            }
        }
        if self.allows(plan, step, now) { Ok(()) } else { Err("a step that is not allowed") }
    }

    fn judge_phase(&self, plan: Plan, phase: Phase, now: u64) -> Result<(), &'static str> {
        let delivered = self.releases() >= plan.threshold as usize;
        if phase == Phase::Settled && !delivered {
            return Err("settled without enough releases");
        }
        if phase == Phase::Settled && plan.payment && self.funded.is_none() {
            return Err("settled without funding");
        }
        if phase == Phase::Refunded && delivered {
            let ruled = self.ruled.is_some_and(|(_, refund)| refund);
            let unruled = self.disputed.is_some() && self.ruled.is_none() && now >= RULE;
            if !ruled && !unruled {
                return Err("shares out and refunded");
            }
        }
        if phase == Phase::Expired && (self.funded.is_some() || self.releases() > 0) {
            return Err("expired after funding or release");
        }
        match self.ruled {
            Some((_, refund)) if phase != if refund { Phase::Refunded } else { Phase::Settled } => {
                Err("another end than was ruled")
            }
            _ => Ok(()),
        }
    }
}

/// What an enumeration has seen.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    /// Pairs of what was taken, and when it is looked at.
    states: u64,
    taken: u64,
    refused: u64,
    phases: BTreeSet<Phase>,
}

/// Tries everything, until something is found that may not be.
fn enumerate<M: Machine>(plan: Plan, begun: M) -> Result<Seen, &'static str> {
    let steps = plan.steps();
    let mut known: BTreeMap<Notes, M> = BTreeMap::from([(Notes::default(), begun)]);
    let mut waiting = vec![Notes::default()];
    let mut seen = Seen::default();
    while let Some(notes) = waiting.pop() {
        let machine = known[&notes].clone();
        let mut last: Option<Phase> = None;
        for now in notes.newest..=END {
            let phase = machine.phase(now);
            seen.states += 1;
            seen.phases.insert(phase);
            if last.is_some_and(|last| last.is_final() && last != phase) {
                return Err("an end that changes");
            }
            last = Some(phase);
            notes.judge_phase(plan, phase, now)?;
            for step in &steps {
                let Some(next) = machine.stepped(*step, now) else {
                    seen.refused += 1;
                    if notes.allows(plan, *step, now) {
                        return Err("an allowed step is refused");
                    }
                    continue;
                };
                if phase.is_final() {
                    return Err("a step after the end");
                }
                notes.judge_step(plan, *step, now)?;
                seen.taken += 1;
                let after = notes.note(*step, now);
                match known.get(&after) {
                    Some(other) if *other != next => return Err("an order that matters"),
                    Some(_) => {}
                    None => {
                        known.insert(after.clone(), next);
                        waiting.push(after);
                    }
                }
            }
        }
        if !last.is_some_and(Phase::is_final) {
            return Err("a deal that never ends");
        }
    }
    Ok(seen)
}

/// Of three agents the plan with payment alone is left out: it is what follows the acceptance in the
/// last one.
const PLANS: [Plan; 7] = {
    const fn plan(agents: u32, threshold: u32, acceptance: bool, payment: bool) -> Plan {
        Plan { agents, threshold, acceptance, payment }
    }
    [
        plan(1, 1, false, false),
        plan(1, 1, true, false),
        plan(1, 1, false, true),
        plan(1, 1, true, true),
        plan(3, 2, false, false),
        plan(3, 2, true, false),
        plan(3, 2, true, true),
    ]
};

#[test]
fn no_order_of_steps_and_deadlines_breaks_a_deal() {
    use Phase::{Accepted, Delivered, Disputed, Expired, Funded, Open, Ready, Refunded, Settled};
    let always = [Funded, Ready, Delivered, Settled, Refunded];
    let mut states = Vec::new();
    for plan in PLANS {
        let begun = Deal::open(plan.opening(), mark(0), 0).unwrap();
        let seen = enumerate(plan, begun).unwrap_or_else(|fault| panic!("{plan:?}: {fault}"));
        let mut phases = BTreeSet::from(always);
        if plan.acceptance {
            phases.extend([Open, Expired]);
        }
        if plan.payment {
            phases.extend([Accepted, Disputed, Expired]);
        }
        assert_eq!(seen.phases, phases, "{plan:?}");
        assert!(seen.taken > 0 && seen.refused > seen.taken, "{plan:?}: {seen:?}");
        states.push(seen.states);
    }
    // As many as there are: an enumeration that leaves some out shows here.
    assert_eq!(states, [638, 649, 6_694, 6_705, 164_717, 164_728, 1_231_404]);
}

#[test]
fn the_enumeration_finds_every_fault() {
    for fault in Fault::ALL {
        let found = |plan: &Plan| enumerate(*plan, Faulty::with(*plan, fault)).err();
        let expected = Some(fault.expected());
        assert!(PLANS.iter().rev().any(|plan| found(plan) == expected), "{fault:?} goes unseen");
    }
    for plan in &PLANS[..4] {
        let sound = enumerate(*plan, Faulty::with(*plan, Fault::Nothing));
        assert!(sound.is_ok_and(|seen| seen.taken > 0), "{plan:?}");
    }
}
