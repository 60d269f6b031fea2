//! Why a deal is not opened, or a step of it not taken, one variant a reason.

use super::Phase;
use thiserror::Error;

/// Why a step of a deal cannot stand on the log. Its maker's fault, but where it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DealRefusal {
    /// The deadlines are not those that the deal needs. Open it with others.
    #[error("the deal's deadlines: {0}")]
    Deadlines(&'static str),
    /// One key has two parts in the deal. Draw a fresh key for each part.
    #[error("the keys of a deal differ from one another; draw a fresh key for each part")]
    Keys,
    /// The step belongs to another key of the deal.
    #[error("the step is signed with another key than the one that the deal names for it")]
    WrongKey,
    /// The deal asks for no acceptance.
    #[error("the deal asks for no acceptance")]
    NoOwner,
    /// Nothing is to be paid: there is no arbiter who attests payment or rules.
    #[error("nothing is to be paid in the deal: it has no arbiter who attests payment or rules")]
    NoArbiter,
    /// The deal has fewer agents.
    #[error("the deal has no such agent")]
    NoSuchAgent,
    /// The step is not one of this phase. Transient, where an earlier step still waits.
    #[error("the deal is {}, and such a step is not of that phase", .0.name())]
    Phase(Phase),
    /// The step's deadline has passed; what follows from that the deal's phase says.
    #[error("the deadline of this step has passed")]
    Late,
    /// The agent has said so.
    #[error("the agent has said already that it is ready")]
    AlreadyReady,
    /// An agent releases only what it said it was ready to.
    #[error("the agent has not said that it is ready")]
    NotReady,
    /// The agent's share stands on the log.
    #[error("the agent has released its share already")]
    AlreadyReleased,
    /// So late that others might not follow in time. Keep the share; the deal is refunded unless
    /// enough were released.
    #[error("no share is released in the last quarter of the time for it")]
    CutOff,
}

impl DealRefusal {
    /// A stable name for metrics and machine-readable answers.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Deadlines(_) => "deal-deadlines",
            Self::Keys => "deal-keys",
            Self::WrongKey => "deal-key",
            Self::NoOwner => "no-owner",
            Self::NoArbiter => "no-arbiter",
            Self::NoSuchAgent => "no-such-agent",
            Self::Phase(_) => "deal-phase",
            Self::Late => "deal-late",
            Self::AlreadyReady => "already-ready",
            Self::NotReady => "not-ready",
            Self::AlreadyReleased => "already-released",
            Self::CutOff => "release-cut-off",
        }
    }
}
