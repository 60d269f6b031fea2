//! A deal as the state map keeps it: what was done, where and when. Reads nothing else: a value
//! that is no such deal is a broken store.

use super::{AgentMarks, Deal, Mark, Opening};
use crate::ids::{DealTime, Height};
use crate::state::StateError;
use heatmark_merkle::LeafIndex;
use heatmark_proto::ledger::v1 as pb;

impl Deal {
    /// Reads the state's value.
    ///
    /// # Errors
    /// [`StateError::Damaged`] when no deal is kept like that.
    pub fn from_state(state: &pb::DealState) -> Result<Self, StateError> {
        let deal = read(state).ok_or(StateError::Damaged("deal"))?;
        if deal.to_state() == *state { Ok(deal) } else { Err(StateError::Damaged("deal")) }
    }

    /// The state's value.
    #[must_use]
    pub fn to_state(&self) -> pb::DealState {
        let agents = (0_u32..).zip(&self.agents).filter(|(_, marks)| marks.ready.is_some());
        pb::DealState {
            open: Some(self.opening.to_proto()),
            opened: Some(written(self.opened)),
            gaps_ms: self.gaps_ms,
            accepted: self.accepted.map(written),
            funded: self.funded.map(written),
            agents: agents
                .map(|(agent, marks)| pb::DealAgentState {
                    agent,
                    ready: marks.ready.map(written),
                    released: marks.released.map(written),
                })
                .collect(),
            confirmed: self.confirmed.map(written),
            disputed: self.disputed.map(written),
            ruled: self.ruled.map(|(mark, _)| written(mark)),
            refund: self.ruled.is_some_and(|(_, refund)| refund),
        }
    }
}

fn read(state: &pb::DealState) -> Option<Deal> {
    let opening = Opening::read(state.open.as_ref()?).ok()?;
    let mut agents = vec![AgentMarks::default(); opening.agents().len()];
    for kept in &state.agents {
        let marks = agents.get_mut(usize::try_from(kept.agent).ok()?)?;
        *marks = AgentMarks {
            ready: kept.ready.as_ref().map(mark),
            released: kept.released.as_ref().map(mark),
        };
    }
    Some(Deal {
        opening,
        opened: mark(state.opened.as_ref()?),
        gaps_ms: state.gaps_ms,
        accepted: state.accepted.as_ref().map(mark),
        funded: state.funded.as_ref().map(mark),
        agents,
        confirmed: state.confirmed.as_ref().map(mark),
        disputed: state.disputed.as_ref().map(mark),
        ruled: state.ruled.as_ref().map(|ruled| (mark(ruled), state.refund)),
    })
}

fn mark(kept: &pb::DealMark) -> Mark {
    Mark {
        time: DealTime(kept.time_ms),
        height: Height(kept.height),
        leaf: LeafIndex(kept.leaf_index),
    }
}

fn written(mark: Mark) -> pb::DealMark {
    pb::DealMark { height: mark.height.0, leaf_index: mark.leaf.0, time_ms: mark.time.0 }
}
