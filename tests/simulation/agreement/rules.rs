//! Tendermint's rules: what the votes and blocks at hand call for.

use super::{Agreement, Context, Effect, Journal, Outcome, Put, Step, Timer, timeout_ms};
use crate::messages::Vote;
use heatmark_ledger::certificate::{VoteKind, is_quorum};
use heatmark_ledger::ids::HeaderHash;
use std::collections::{BTreeMap, BTreeSet};

impl Agreement {
    /// Does whatever the votes and blocks at hand call for.
    pub(super) fn follow_rules(
        &mut self,
        journal: &mut Journal,
        context: &mut Context<'_>,
    ) -> Outcome {
        loop {
            if let Some((round, value)) = self.decision() {
                return self.decide(round, value, journal, context);
            }
            let Some(round) = self.round else { return Ok(()) };
            if let Some(later) = self.others_round(round) {
                return self.enter(later, journal, context);
            }
            if !self.step_forward(round, journal, context) {
                return Ok(());
            }
        }
    }

    fn step_forward(
        &mut self,
        round: u32,
        journal: &mut Journal,
        context: &mut Context<'_>,
    ) -> bool {
        let put = self.puts.get(&round).copied();
        if self.step == Step::Propose
            && let Some(put) = put
            && let Some(value) = self.prevote_for(put, round, journal)
        {
            self.step = Step::Prevote;
            self.cast(VoteKind::Prevote, value, journal, context);
            return true;
        }
        let prevotes = self.prevotes.get(&round);
        if self.step >= Step::Prevote
            && let Some(put) = put.filter(|put| put.valid)
            && journal
                .valid
                .as_ref()
                .is_none_or(|(value, at, _)| (*value, *at) != (put.value, round))
            && self.quorum(prevotes, |vote| vote.value == Some(put.value))
        {
            let polka = prevotes.into_iter().flat_map(BTreeMap::values);
            let polka = polka.filter(|vote| vote.value == Some(put.value)).cloned().collect();
            journal.valid = Some((put.value, round, polka));
            if self.step == Step::Prevote {
                journal.locked = Some((put.value, round));
                self.step = Step::Precommit;
                self.cast(VoteKind::Precommit, Some(put.value), journal, context);
            }
            return true;
        }
        if self.step == Step::Prevote && self.quorum(prevotes, |vote| vote.value.is_none()) {
            self.step = Step::Precommit;
            self.cast(VoteKind::Precommit, None, journal, context);
            return true;
        }
        let split = [
            (Step::Prevote, self.step == Step::Prevote && self.quorum(prevotes, |_| true)),
            (Step::Precommit, self.quorum(self.precommits.get(&round), |_| true)),
        ];
        for (step, waits) in split {
            if waits && self.timers.insert((step, round)) {
                let timer = Timer::Step(step, self.height, round);
                context.effects.push(Effect::Wait(timeout_ms(round) / 2, timer));
            }
        }
        false
    }

    /// What to prevote on a proposal; `None` while that cannot be told.
    fn prevote_for(&self, put: Put, round: u32, journal: &Journal) -> Option<Option<HeaderHash>> {
        let locked = journal.locked;
        let same = locked.is_none_or(|(value, _)| value == put.value);
        let free = match put.polka_round {
            None => same,
            Some(earlier) => {
                let votes = self.prevotes.get(&earlier);
                if earlier >= round || !self.quorum(votes, |vote| vote.value == Some(put.value)) {
                    return None;
                }
                same || locked.is_some_and(|(_, at)| at <= earlier)
            }
        };
        Some((put.valid && free).then_some(put.value))
    }

    /// A later round in which more than a third votes.
    fn others_round(&self, round: u32) -> Option<u32> {
        let later = self.prevotes.keys().chain(self.precommits.keys()).copied();
        let mut later: Vec<u32> = later.filter(|later| *later > round).collect();
        later.sort_unstable();
        later.into_iter().rev().find(|later| {
            let mut voters = BTreeSet::new();
            for votes in [self.prevotes.get(later), self.precommits.get(later)] {
                voters.extend(votes.into_iter().flat_map(BTreeMap::keys).copied());
            }
            let power: u64 = voters.iter().map(|at| self.set.validators()[*at].power).sum();
            power * 3 > self.set.total_power()
        })
    }

    fn decision(&self) -> Option<(u32, HeaderHash)> {
        for (round, votes) in &self.precommits {
            for vote in votes.values() {
                let Some(value) = vote.value.filter(|value| self.valid.contains(value)) else {
                    continue;
                };
                if self.quorum(Some(votes), |vote| vote.value == Some(value)) {
                    return Some((*round, value));
                }
            }
        }
        None
    }

    fn power(&self, votes: Option<&BTreeMap<usize, Vote>>, wanted: impl Fn(&Vote) -> bool) -> u64 {
        let counted = votes.into_iter().flat_map(BTreeMap::values).filter(|vote| wanted(vote));
        counted.map(|vote| self.set.validators()[vote.validator].power).sum()
    }

    fn quorum(
        &self,
        votes: Option<&BTreeMap<usize, Vote>>,
        wanted: impl Fn(&Vote) -> bool,
    ) -> bool {
        is_quorum(self.power(votes, wanted), self.set.total_power())
    }
}
