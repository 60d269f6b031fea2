//! Deals with one guard broken each, so that the enumeration is known to see it.

use super::enumeration::{CONFIRM, END, Machine, Plan, START, mark};
use heatmark_ledger::deal::{Deal, DealRefusal, Phase, Step};
use heatmark_ledger::ids::DealTime;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Nothing,
    LateSteps,
    CutOff,
    SecondRelease,
    NotReady,
    TooFewReady,
    Unfunded,
    OneShareShort,
    EndChanges,
    NeverEnds,
    RefundsWhatIsDelivered,
    ExpiresWhatIsFunded,
    OverrulesTheArbiter,
    StepsAfterTheEnd,
    TakesNothing,
}

impl Fault {
    pub(super) const ALL: [Self; 14] = [
        Self::LateSteps,
        Self::CutOff,
        Self::SecondRelease,
        Self::NotReady,
        Self::TooFewReady,
        Self::Unfunded,
        Self::OneShareShort,
        Self::EndChanges,
        Self::NeverEnds,
        Self::RefundsWhatIsDelivered,
        Self::ExpiresWhatIsFunded,
        Self::OverrulesTheArbiter,
        Self::StepsAfterTheEnd,
        Self::TakesNothing,
    ];

    pub(super) fn expected(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::LateSteps => "a step that is not allowed",
            Self::CutOff => "a release in the last quarter",
            Self::SecondRelease => "a second release of an agent",
            Self::NotReady => "a release by an agent that was not ready",
            Self::TooFewReady => "a release before enough agents are ready",
            Self::Unfunded => "a release before funding",
            Self::OneShareShort => "settled without enough releases",
            Self::EndChanges => "an end that changes",
            Self::NeverEnds => "a deal that never ends",
            Self::RefundsWhatIsDelivered => "shares out and refunded",
            Self::ExpiresWhatIsFunded => "expired after funding or release",
            Self::OverrulesTheArbiter => "another end than was ruled",
            Self::StepsAfterTheEnd => "a step after the end",
            Self::TakesNothing => "an allowed step is refused",
        }
    }
}

#[derive(Clone, PartialEq)]
pub(super) struct Faulty {
    deal: Deal,
    fault: Fault,
}

impl Faulty {
    pub(super) fn with(plan: Plan, fault: Fault) -> Self {
        Self { deal: Deal::open(plan.opening(), mark(0), 0).unwrap(), fault }
    }

    /// Takes a step as if it were earlier.
    fn backdated(&mut self, step: Step, now: u64) -> bool {
        (0..now).rev().any(|earlier| self.deal.step(step, mark(earlier)).is_ok())
    }
}

impl Machine for Faulty {
    fn phase(&self, now: u64) -> Phase {
        let at = |now| self.deal.phase(DealTime(START + now));
        let phase = at(now);
        let by_itself = self.deal.deadline().is_some();
        match self.fault {
            Fault::EndChanges if phase == Phase::Refunded && now == END => Phase::Settled,
            Fault::NeverEnds => at(now.min(CONFIRM - 1)),
            Fault::RefundsWhatIsDelivered if phase == Phase::Settled && by_itself => {
                Phase::Refunded
            }
            Fault::ExpiresWhatIsFunded if phase == Phase::Refunded => Phase::Expired,
            Fault::OverrulesTheArbiter if phase == Phase::Refunded && !by_itself => Phase::Settled,
            Fault::OneShareShort if phase == Phase::Refunded => Phase::Settled,
            _ => phase,
        }
    }

    fn stepped(&self, step: Step, now: u64) -> Option<Self> {
        let mut after = self.clone();
        after.takes(step, now).then_some(after)
    }
}

impl Faulty {
    fn takes(&mut self, step: Step, now: u64) -> bool {
        let Err(refusal) = self.deal.check(step, mark(now).time) else {
            return self.fault != Fault::TakesNothing && self.deal.step(step, mark(now)).is_ok();
        };
        let release = matches!(step, Step::Release { .. });
        match (self.fault, refusal) {
            (Fault::LateSteps, DealRefusal::Late) => {
                !self.phase(now).is_final() && self.backdated(step, now)
            }
            (Fault::CutOff, DealRefusal::CutOff) => self.backdated(step, now),
            (Fault::SecondRelease, DealRefusal::AlreadyReleased)
            | (Fault::NotReady, DealRefusal::NotReady) => true,
            (Fault::TooFewReady, DealRefusal::Phase(Phase::Funded))
            | (Fault::Unfunded, DealRefusal::Phase(Phase::Accepted)) => release,
            (Fault::StepsAfterTheEnd, DealRefusal::Phase(phase)) => phase.is_final(),
            _ => false,
        }
    }
}
