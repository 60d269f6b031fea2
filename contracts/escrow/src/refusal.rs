//! Why terms are refused. Every agent gives the same answer for the same manifest, terms and facts.

use thiserror::Error;

/// Why a deal's terms are refused. The buyer's fault, who mends what is named and opens another deal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Error)]
pub enum TermsRefusal {
    /// A part of the terms is not in its one encoding.
    #[error("the clause in the terms is none in its one encoding")]
    NotCanonical,
    /// They belong to another network.
    #[error("the terms belong to another network")]
    WrongNetwork,
    /// The deal's id does not follow from the buyer's key.
    #[error("the deal's id does not follow from the buyer's key")]
    WrongDeal,
    /// They name another manifest: ask for offers anew.
    #[error("the terms name another manifest")]
    WrongManifest,
    /// The clause is not one of the manifest's.
    #[error("the clause is not one that the deposit was made under")]
    WrongClause,
    /// A section is not one of the clause's, or of the manifest's.
    #[error("a section is not one that the clause opens")]
    Section,
    /// The signature is not by a key of the buyer: do not believe them.
    #[error("the terms are not signed by the buyer that they name")]
    Signature,
    /// The buyer is suspended, has left, or was never a member.
    #[error("the buyer is no member in good standing")]
    Standing,
    /// The buyer is none of those that the clause is for.
    #[error("the buyer is none of those whom the clause lets in")]
    NotEntitled,
    /// The buyer is of a country that the clause does not name.
    #[error("the buyer is of a country that the clause does not let in")]
    Country,
    /// The clause asks for an agreement and the terms hold none or another.
    #[error("the agreement that the clause asks for is not the one in the terms")]
    Agreement,
    /// The purpose is none of the clause's.
    #[error("the purpose is none of those that the clause names")]
    Purpose,
    /// The clause has ended.
    #[error("the clause gives nothing any more")]
    Ended,
    /// What is opened would be kept longer than the clause allows.
    #[error("the terms would keep what is opened longer than the clause allows")]
    Retention,
    /// Price or currency are not the clause's.
    #[error("the price is not the clause's")]
    Price,
    /// What a premium is a share of is not told as it has to be, or comes to more than can be paid.
    #[error("what the premium is a share of is not the amount that the terms hold")]
    Base,
    /// The arbiter is none of the clause's, not in good standing, or missing.
    #[error("the arbiter is none of those that the clause names")]
    Arbiter,
    /// The owner accepts by hand and has no key in the terms, or has one and does not.
    #[error("the owner's acceptance is not asked for as the clause says")]
    Acceptance,
    /// An agent is not the manifest's, or stands under another index.
    #[error("an agent is not one that the deposit was made with")]
    Agents,
    /// There are fewer agents than it takes.
    #[error("there are fewer agents than it takes to open")]
    Threshold,
    /// A key stands twice, or is none.
    #[error("a key of the deal stands twice or is none")]
    Keys,
    /// A party's key is not shown to be its own, for this deal and manifest.
    #[error("a party has not signed for its key in this deal")]
    Quote,
    /// Deadlines are missing, needless, or out of order.
    #[error("the deadlines are not those that such a deal has")]
    Deadlines,
    /// The standing deal does not cover this one.
    #[error("the standing deal does not cover this one")]
    StandingDeal,
    /// The clause asks for orders, and there are fewer than the quorum.
    #[error("fewer regulators order it than the deposit asks for")]
    OrderMissing,
    /// The clause asks for no orders.
    #[error("the clause opens on no order")]
    OrderNotAsked,
    /// An order is not in its one encoding, or not signed by the regulator that it names.
    #[error("an order is not signed by the regulator that it names")]
    OrderSignature,
    /// An order is by somebody whom the manifest does not name as a regulator, whatever the registry says.
    #[error("an order is by none of the regulators that the deposit names")]
    OrderRegulator,
    /// A regulator's root key is another than when the deposit was made.
    #[error("a regulator's root key is not the one of when the deposit was made")]
    OrderRootKey,
    /// A regulator is suspended or has left.
    #[error("a regulator that orders it is no member in good standing")]
    OrderStanding,
    /// An order has ended.
    #[error("an order has ended")]
    OrderEnded,
    /// An order is of another record, section, buyer or purpose.
    #[error("an order is not for this record, these sections, this member and this purpose")]
    OrderDiffers,
    /// Two orders are of one regulator.
    #[error("a regulator's order stands twice")]
    OrderTwice,
    /// What stands on the log is not what the terms say.
    #[error("the deal on the log differs from the terms: {0}")]
    OpenDiffers(&'static str),
}

impl TermsRefusal {
    /// A stable name, the same in every implementation.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotCanonical => "not-canonical",
            Self::WrongNetwork => "wrong-network",
            Self::WrongDeal => "wrong-deal",
            Self::WrongManifest => "wrong-manifest",
            Self::WrongClause => "wrong-clause",
            Self::Section => "section",
            Self::Signature => "signature",
            Self::Standing => "not-in-good-standing",
            Self::NotEntitled => "not-entitled",
            Self::Country => "country",
            Self::Agreement => "agreement",
            Self::Purpose => "purpose",
            Self::Ended => "ended",
            Self::Retention => "retention",
            Self::Price => "price",
            Self::Base => "base",
            Self::Arbiter => "arbiter",
            Self::Acceptance => "acceptance",
            Self::Agents => "agents",
            Self::Threshold => "threshold",
            Self::Keys => "keys",
            Self::Quote => "quote",
            Self::Deadlines => "deadlines",
            Self::StandingDeal => "standing-deal",
            Self::OrderMissing => "order-missing",
            Self::OrderNotAsked => "order-not-asked",
            Self::OrderSignature => "order-signature",
            Self::OrderRegulator => "order-regulator",
            Self::OrderRootKey => "order-root-key",
            Self::OrderStanding => "order-standing",
            Self::OrderEnded => "order-ended",
            Self::OrderDiffers => "order-differs",
            Self::OrderTwice => "order-twice",
            Self::OpenDiffers(_) => "open-differs",
        }
    }
}
