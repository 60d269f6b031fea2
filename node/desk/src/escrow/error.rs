//! What can go wrong with deposits and deals, and whose fault it is. Messages name no field value, key or price.

use heatmark_escrow::{EscrowError, TermsRefusal};
use heatmark_ledger::Hash;
use heatmark_ledger::ids::MemberId;
use thiserror::Error;

/// Why a deposit or a deal does not go on.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DealError {
    /// A file or what is in it is refused as it stands. Its maker's fault.
    #[error("{0}")]
    Escrow(#[from] EscrowError),
    /// The terms do not fit the clause or the manifest. The buyer mends what is named and opens another deal.
    #[error("{0}")]
    Terms(#[from] TermsRefusal),
    /// The manifest is not anchored by the owner that it names: do not believe the file.
    #[error("the deposit is not one that its owner has anchored")]
    NotDeposited,
    /// No such deposit here, or not one of this party's.
    #[error("this node knows no such deposit")]
    UnknownDeposit,
    /// More documents than a deposit holds: make two of it.
    #[error("a deposit holds at most 256 MiB of documents")]
    DepositTooLong,
    /// A document that no field of its section names by its digest: choose the field along with it.
    #[error("no field of the section names document {0:?} by its digest")]
    NotInSection(String),
    /// The numbers of agents and of those that it takes do not fit, or a key among them is none.
    #[error(
        "the secrets cannot be shared among these agents: 1 to 32, and no more than there are to open"
    )]
    Sharing,
    /// The policy lets no agent of this country hold shares: choose another one.
    #[error("agent {0} is of {1}, which the policy does not let hold shares")]
    AgentCountry(MemberId, String),
    /// This organisation does not hold shares for others: its role has to be voted first.
    #[error("this organisation is no escrow agent")]
    NotAnAgent,
    /// A member has begun more than it goes on with: let it finish or wait a day.
    #[error("that member has begun too much that it does not go on with")]
    TooManyBegun,
    /// More ciphertext than is held for one owner, or than it announced: destroy old deposits, or make smaller ones.
    #[error("more ciphertext than this agent holds for one owner, or than was announced")]
    NoRoom,
    /// Shares do not follow from the manifest. The owner's fault: nothing is signed for them.
    #[error("a share does not follow from the deposit's manifest")]
    BadShare,
    /// No agent has said that this could be opened under such a clause: ask for offers first.
    #[error("nobody has offered this record under a clause of that name; ask for offers first")]
    NoOffer,
    /// No such deal, or more than one: give more of its id.
    #[error("this node knows no such deal, or more than one")]
    UnknownDeal,
    /// The clause asks for a share of an amount: say of which.
    #[error("the clause asks for a premium; say of what amount")]
    PremiumBase,
    /// What was opened or deposited is destroyed.
    #[error("its secrets are destroyed")]
    SectionsDestroyed,
    /// The deal has not opened anything yet: see its phase.
    #[error("the deal has opened nothing yet")]
    NotOpened,
    /// Ciphertext is missing; it is asked for.
    #[error("pieces of the ciphertext are missing yet")]
    PiecesMissing,
    /// The sections hold no such document.
    #[error("the deal's sections hold no such document")]
    NoSuchDocument,
    /// The deal does not stand on this node's log yet: ask again in a moment.
    #[error("the deal does not stand on the log yet")]
    NotOnLog,
    /// The buyer's terms have not come here yet: ask again in a moment.
    #[error("the buyer's terms have not come yet")]
    NoTerms,
    /// The deal is not where this could be done.
    #[error("this cannot be done while the deal is {0}")]
    WrongPhase(&'static str),
    /// This node found nothing wrong with what the deal gave.
    #[error("this node found nothing wrong that it could show an arbiter")]
    NothingWrong,
    /// Nothing was paid, so that nobody rules.
    #[error("nothing was paid in this deal, and nobody rules it")]
    NoArbiter,
    /// The buyer has not shown what its dispute is about.
    #[error("the buyer has shown no claim that its dispute is about")]
    NoClaim,
    /// Only a regulator's orders open anything: its role has to be voted first.
    #[error("this organisation is no regulator")]
    NotARegulator,
    /// The order would have ended before it is signed: give it a later day.
    #[error("the order would have ended already")]
    OrderEnded,
    /// The settings do not name the retention class any more: put it back, or deposit the record by hand.
    #[error(
        "the settings have no such retention class any more: put it back, or deposit the record by hand"
    )]
    NoSuchClass,
    /// A member that a retention class names holds no shares for others: have its role voted, or name another one.
    #[error("member {0} is no escrow agent: have its role voted, or name another one")]
    NoAgent(MemberId),
    /// A document that a field names is not here: publish the file again with the document beside it.
    #[error(
        "the document with SHA-256 {0} is not here: publish the certificate again with it beside"
    )]
    DocumentMissing(Hash),
    /// No deposit of the record waits for the document.
    #[error("no deposit of this record waits for such a document")]
    DocumentUnwanted,
    /// The document's name is empty, too long or not printable.
    #[error("a document's name has 1 to 100 bytes and prints")]
    DocumentName,
    /// No such inspection is kept here: keep it first.
    #[error("this node keeps no such inspection: run it with --keep first")]
    NoSuchInspection,
    /// An inspection of nothing, or of more than one delivery has.
    #[error("an inspection is of 1 to 256 lots or capsules")]
    NothingDelivered,
    /// The outbox cannot be written: give it room and the right to write; nothing is lost, it is tried again.
    #[error("the outbox cannot be written: {0}")]
    Outbox(#[source] std::io::Error),
}

impl From<EscrowError> for crate::DeskError {
    fn from(error: EscrowError) -> Self {
        Self::Deal(error.into())
    }
}

impl From<TermsRefusal> for crate::DeskError {
    fn from(refusal: TermsRefusal) -> Self {
        Self::Deal(refusal.into())
    }
}

impl DealError {
    /// A stable name, the same in every implementation.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Escrow(error) => error.code(),
            Self::Terms(refusal) => refusal.code(),
            Self::NotDeposited => "not-deposited",
            Self::UnknownDeposit => "unknown-deposit",
            Self::DepositTooLong => "too-long",
            Self::NotInSection(_) => "not-in-section",
            Self::Sharing => "sharing",
            Self::AgentCountry(..) => "agent-country",
            Self::NotAnAgent => "not-an-agent",
            Self::TooManyBegun => "too-many-begun",
            Self::NoRoom => "no-room",
            Self::BadShare => "bad-share",
            Self::NoOffer => "no-offer",
            Self::UnknownDeal => "unknown-deal",
            Self::PremiumBase => "premium-base",
            Self::SectionsDestroyed => "destroyed",
            Self::NotOpened => "not-opened",
            Self::PiecesMissing => "pieces-missing",
            Self::NoSuchDocument => "no-such-document",
            Self::NotOnLog => "not-on-log",
            Self::NoTerms => "no-terms",
            Self::WrongPhase(_) => "wrong-phase",
            Self::NothingWrong => "nothing-wrong",
            Self::NoArbiter => "no-arbiter",
            Self::NoClaim => "no-claim",
            Self::NotARegulator => "not-a-regulator",
            Self::OrderEnded => "order-ended",
            Self::NoSuchClass => "no-such-class",
            Self::NoAgent(_) => "no-agent",
            Self::DocumentMissing(_) => "document-missing",
            Self::DocumentUnwanted => "document-unwanted",
            Self::DocumentName => "document-name",
            Self::NoSuchInspection => "no-such-inspection",
            Self::NothingDelivered => "nothing-delivered",
            Self::Outbox(_) => "outbox",
        }
    }
}
