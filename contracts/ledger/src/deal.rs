//! Deals: what the parties' steps and the passing of time make of one, without state map, message
//! or signature, so that it can be tried in full. Refuses a step that is not of the deal's phase,
//! of nobody who takes part, late, or taken before. Specification: `proto/README.md`, section 16.
//!
//! ```text
//! Open ─accept▶ Accepted ─fund▶ Funded ─t ready▶ Ready ─t released▶ Delivered ─confirm, deadline▶ Settled
//!   │ deadline      │ deadline     │ deadline       │ deadline           │ dispute
//!   ▼               ▼              ▼                ▼                    ▼
//! Expired        Expired        Refunded        Refunded             Disputed ─rule, deadline▶ Settled | Refunded
//! ```
//!
//! A deal without an owner's key begins in Accepted; one without an arbiter's key has no Accepted
//! and no Disputed. No transaction is needed for a deadline: the phase is a function of what was
//! recorded and of the deal's own time, which stands while the network stands still.

mod clock;
mod entry;
mod message;
mod opening;
mod refusal;

pub use clock::{DealClock, MAX_GAP_MS, counted_gap};
pub use message::{Action, MAX_ENVELOPE_BYTES, MAX_ENVELOPES, body, read, verify_carried};
pub use opening::{Deadlines, MAX_AGENTS, MAX_LENGTH_MS, Opening};
pub use refusal::DealRefusal;

use crate::ids::{DealTime, Height};
use crate::keys::RegisteredKey;
use heatmark_merkle::LeafIndex;

/// Where a deal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// The owner is asked to accept.
    Open,
    /// The arbiter is to attest payment.
    Accepted,
    /// Agents are to say that they are ready.
    Funded,
    /// Enough agents are ready: shares are to be released.
    Ready,
    /// Enough shares were released; the buyer may confirm or dispute.
    Delivered,
    /// The arbiter is to rule.
    Disputed,
    /// For good: the shares were released, and what was paid is the owner's.
    Settled,
    /// For good: it was not accepted, or not paid, in time.
    Expired,
    /// For good: what was paid is the buyer's again. A deal in which nothing was to be paid came
    /// to nothing.
    Refunded,
}

impl Phase {
    /// Whether nothing can follow.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Settled | Self::Expired | Self::Refunded)
    }

    /// A stable name for people and machines.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Accepted => "accepted",
            Self::Funded => "funded",
            Self::Ready => "ready",
            Self::Delivered => "delivered",
            Self::Disputed => "disputed",
            Self::Settled => "settled",
            Self::Expired => "expired",
            Self::Refunded => "refunded",
        }
    }
}

/// What a party does in a deal that is open. Agents are named by their place, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The owner accepts.
    Accept,
    /// The arbiter attests payment.
    Fund,
    /// An agent will release its share.
    Ready {
        /// The agent.
        agent: u32,
    },
    /// An agent releases its share.
    Release {
        /// The agent.
        agent: u32,
    },
    /// The buyer is content.
    Confirm,
    /// The buyer is not.
    Dispute,
    /// The arbiter rules.
    Rule {
        /// For the buyer.
        refund: bool,
    },
}

impl Step {
    fn is_of(self, phase: Phase) -> bool {
        match self {
            Self::Accept => phase == Phase::Open,
            Self::Fund => phase == Phase::Accepted,
            // An agent that is slower than others may still stand in for one whose share is bad.
            Self::Ready { .. } => matches!(phase, Phase::Funded | Phase::Ready | Phase::Delivered),
            Self::Release { .. } => matches!(phase, Phase::Ready | Phase::Delivered),
            Self::Confirm | Self::Dispute => phase == Phase::Delivered,
            Self::Rule { .. } => phase == Phase::Disputed,
        }
    }
}

/// When, in the deal's own time, and where on the log a step was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// When.
    pub time: DealTime,
    /// The block.
    pub height: Height,
    /// The transaction's leaf.
    pub leaf: LeafIndex,
}

/// What an agent has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentMarks {
    /// Where it said that it is ready.
    pub ready: Option<Mark>,
    /// Where it released its share.
    pub released: Option<Mark>,
}

/// A deal, as far as it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deal {
    opening: Opening,
    opened: Mark,
    gaps_ms: u64,
    accepted: Option<Mark>,
    funded: Option<Mark>,
    agents: Vec<AgentMarks>,
    confirmed: Option<Mark>,
    disputed: Option<Mark>,
    ruled: Option<(Mark, bool)>,
}

impl Deal {
    /// Opens a deal when the network's gaps come to `gaps_ms`. A deal's own time begins as block
    /// time.
    ///
    /// # Errors
    /// [`DealRefusal::Deadlines`] when its first deadline has passed or its last is too far.
    pub fn open(opening: Opening, mark: Mark, gaps_ms: u64) -> Result<Self, DealRefusal> {
        opening.deadlines().check_at(mark.time)?;
        let agents = vec![AgentMarks::default(); opening.agents().len()];
        Ok(Self {
            opening,
            opened: mark,
            gaps_ms,
            accepted: None,
            funded: None,
            agents,
            confirmed: None,
            disputed: None,
            ruled: None,
        })
    }

    /// How it was opened.
    #[must_use]
    pub fn opening(&self) -> &Opening {
        &self.opening
    }

    /// Where it was opened.
    #[must_use]
    pub fn opened(&self) -> Mark {
        self.opened
    }

    /// What each agent has done, by its place.
    #[must_use]
    pub fn agents(&self) -> &[AgentMarks] {
        &self.agents
    }

    /// The deal's own clock, now that the network's gaps come to `gaps_ms` (see
    /// [`crate::state::deal_clock`]).
    #[must_use]
    pub fn clock(&self, gaps_ms: u64) -> DealClock {
        DealClock::new(self.gaps_ms, gaps_ms)
    }

    /// Where it stands.
    #[must_use]
    pub fn phase(&self, now: DealTime) -> Phase {
        let recorded = self.recorded();
        match self.lapse(recorded) {
            Some((deadline, then)) if now >= deadline => then,
            _ => recorded,
        }
    }

    /// When the phase ends by itself; none when a step has ended the deal for good. It may have
    /// passed.
    #[must_use]
    pub fn deadline(&self) -> Option<DealTime> {
        self.lapse(self.recorded()).map(|(deadline, _)| deadline)
    }

    /// From when on no share is released any more; none before enough agents are ready.
    #[must_use]
    pub fn cut_off(&self) -> Option<DealTime> {
        let since = self.nth(|agent| agent.ready)?;
        let end = self.opening.deadlines().release;
        let quarter = end.0.saturating_sub(since.0) / 4;
        Some(DealTime(end.0.saturating_sub(quarter)))
    }

    /// The key that signs a step.
    ///
    /// # Errors
    /// [`DealRefusal::NoOwner`], [`DealRefusal::NoArbiter`] or [`DealRefusal::NoSuchAgent`] when
    /// nobody in this deal takes it.
    pub fn key_of(&self, step: Step) -> Result<RegisteredKey, DealRefusal> {
        let opening = &self.opening;
        match step {
            Step::Accept => opening.owner().ok_or(DealRefusal::NoOwner),
            Step::Fund | Step::Rule { .. } => opening.arbiter().ok_or(DealRefusal::NoArbiter),
            Step::Ready { agent } | Step::Release { agent } => {
                let place = usize::try_from(agent).map_err(|_| DealRefusal::NoSuchAgent)?;
                opening.agents().get(place).copied().ok_or(DealRefusal::NoSuchAgent)
            }
            Step::Confirm => Ok(opening.buyer()),
            // Nobody could rule.
            Step::Dispute => {
                opening.arbiter().map(|_| opening.buyer()).ok_or(DealRefusal::NoArbiter)
            }
        }
    }

    /// Whether a step may be taken now.
    ///
    /// # Errors
    /// [`DealRefusal`].
    pub fn check(&self, step: Step, now: DealTime) -> Result<(), DealRefusal> {
        self.key_of(step)?;
        if !step.is_of(self.recorded()) {
            return Err(DealRefusal::Phase(self.phase(now)));
        }
        if let Step::Ready { agent } | Step::Release { agent } = step {
            let marks = self.marks(agent).ok_or(DealRefusal::NoSuchAgent)?;
            match (step, marks.ready, marks.released) {
                (Step::Ready { .. }, Some(_), _) => return Err(DealRefusal::AlreadyReady),
                (Step::Release { .. }, None, _) => return Err(DealRefusal::NotReady),
                (Step::Release { .. }, _, Some(_)) => return Err(DealRefusal::AlreadyReleased),
                _ => {}
            }
        }
        if now >= self.deadline_of(step) {
            return Err(DealRefusal::Late);
        }
        let is_release = matches!(step, Step::Release { .. });
        if is_release && self.cut_off().is_some_and(|cut_off| now >= cut_off) {
            return Err(DealRefusal::CutOff);
        }
        Ok(())
    }

    /// Takes a step; a refused one changes nothing.
    ///
    /// # Errors
    /// [`DealRefusal`].
    pub fn step(&mut self, step: Step, mark: Mark) -> Result<(), DealRefusal> {
        self.check(step, mark.time)?;
        match step {
            Step::Accept => self.accepted = Some(mark),
            Step::Fund => self.funded = Some(mark),
            Step::Ready { agent } => {
                self.marks_mut(agent).ok_or(DealRefusal::NoSuchAgent)?.ready = Some(mark);
            }
            Step::Release { agent } => {
                self.marks_mut(agent).ok_or(DealRefusal::NoSuchAgent)?.released = Some(mark);
            }
            Step::Confirm => self.confirmed = Some(mark),
            Step::Dispute => self.disputed = Some(mark),
            Step::Rule { refund } => self.ruled = Some((mark, refund)),
        }
        Ok(())
    }

    /// The phase that the steps alone lead to.
    fn recorded(&self) -> Phase {
        if self.opening.owner().is_some() && self.accepted.is_none() {
            return Phase::Open;
        }
        if self.opening.arbiter().is_some() && self.funded.is_none() {
            return Phase::Accepted;
        }
        if self.nth(|agent| agent.ready).is_none() {
            return Phase::Funded;
        }
        if self.nth(|agent| agent.released).is_none() {
            return Phase::Ready;
        }
        match (self.ruled, self.disputed, self.confirmed) {
            (Some((_, true)), _, _) => Phase::Refunded,
            (Some((_, false)), _, _) | (None, None, Some(_)) => Phase::Settled,
            (None, Some(_), _) => Phase::Disputed,
            (None, None, None) => Phase::Delivered,
        }
    }

    /// When a phase ends by itself, and in what.
    fn lapse(&self, phase: Phase) -> Option<(DealTime, Phase)> {
        let by = self.opening.deadlines();
        match phase {
            Phase::Open => Some((by.accept, Phase::Expired)),
            Phase::Accepted => Some((by.fund, Phase::Expired)),
            Phase::Funded => Some((by.ready, Phase::Refunded)),
            Phase::Ready => Some((by.release, Phase::Refunded)),
            Phase::Delivered => Some((by.confirm, Phase::Settled)),
            Phase::Disputed => Some((by.rule, Phase::Refunded)),
            Phase::Settled | Phase::Expired | Phase::Refunded => None,
        }
    }

    fn deadline_of(&self, step: Step) -> DealTime {
        let by = self.opening.deadlines();
        match step {
            Step::Accept => by.accept,
            Step::Fund => by.fund,
            Step::Ready { .. } => by.ready,
            Step::Release { .. } => by.release,
            Step::Confirm | Step::Dispute => by.confirm,
            Step::Rule { .. } => by.rule,
        }
    }

    /// When as many agents as the deal needs had done something; none while they have not.
    fn nth(&self, what: impl Fn(&AgentMarks) -> Option<Mark>) -> Option<DealTime> {
        let mut times: Vec<DealTime> =
            self.agents.iter().filter_map(|agent| what(agent).map(|mark| mark.time)).collect();
        times.sort_unstable();
        let last = usize::try_from(self.opening.threshold()).ok()?.checked_sub(1)?;
        times.get(last).copied()
    }

    fn marks(&self, agent: u32) -> Option<&AgentMarks> {
        self.agents.get(usize::try_from(agent).ok()?)
    }

    fn marks_mut(&mut self, agent: u32) -> Option<&mut AgentMarks> {
        self.agents.get_mut(usize::try_from(agent).ok()?)
    }
}
