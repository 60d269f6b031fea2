//! Escrow-gated disclosure: sections of own records deposited with agents, shares held for others, and deals, by which what
//! was deposited opens to a buyer whether or not its owner is there. Every party acts on its own copy of the log and on nobody's
//! word; files between the parties are signed, and each goes as a letter.
//!
//! ```text
//!   owner ─▶ depositing ─▶ agents: holding            buying ─▶ quotes ─▶ terms ─▶ the log
//!                                    │                              │
//!                                    └──── parties follow the log: accept, fund, ready, release ──▶ opening ─▶ own vault
//! ```

mod buying;
mod carrying;
mod classes;
mod depositing;
mod due;
mod error;
mod following;
mod holding;
mod offering;
mod opening;
mod ordering;
mod outbox;
mod parties;
mod pieces;
mod proof;
mod quoting;
mod repeating;
mod ruling;
mod running;
mod sharing_out;
mod telling;
mod tending;
mod views;

pub use buying::{DealPlan, Lengths, agreement_digest};
pub use classes::{ClassError, LoadPolicy, MAX_CLASSES_BYTES, RetentionClasses};
pub use depositing::{DepositPlan, MAX_DEPOSIT_BYTES, SectionPlan};
pub use due::{DueView, PlannedDeposit, WantedDocument};
pub use error::DealError;
pub use opening::{OpenedDocument, OpenedSection};
pub use ordering::{OrderPlan, SignedOrder};
pub use repeating::DealInspection;
pub use views::{AgentView, DealView, DepositView, HoldingView, OfferView};

use crate::{Desk, DeskError, blocking};
#[cfg(test)]
pub(crate) use depositing::{DepositSecrets, SectionSecrets};
use heatmark_evidence::transfer::SignedFile;
use heatmark_ledger::ids::MemberId;
pub(crate) use repeating::Asking;
pub(crate) use running::Running;
use std::collections::VecDeque;
use std::sync::{MutexGuard, PoisonError};

/// Names under which the files go as letters.
pub(super) mod names {
    pub(super) const DEPOSIT_ASK: &str = "deposit.heatmark-ask";
    pub(super) const DEPOSIT_KEY: &str = "deposit.heatmark-key";
    pub(super) const DEPOSIT_PARCEL: &str = "deposit.heatmark-parcel";
    pub(super) const DEPOSIT_RECEIPT: &str = "deposit.heatmark-receipt";
    pub(super) const PIECE_ASK: &str = "pieces.heatmark-ask";
    pub(super) const PIECES: &str = "pieces.heatmark-pieces";
    pub(super) const OFFER_ASK: &str = "offers.heatmark-ask";
    pub(super) const OFFERS: &str = "offers.heatmark-offers";
    pub(super) const QUOTE_ASK: &str = "quote.heatmark-ask";
    pub(super) const QUOTE: &str = "quote.heatmark-quote";
    pub(super) const TERMS: &str = "deal.heatmark-terms";
    pub(super) const REFUSED: &str = "deal.heatmark-refused";
    pub(super) const CARRY: &str = "deal.heatmark-step";
    pub(super) const CLAIM: &str = "deal.heatmark-claim";
    pub(super) const RULING: &str = "deal.heatmark-ruling";
    pub(super) const DRILL_ASK: &str = "drill.heatmark-ask";
    pub(super) const DRILL_ANSWER: &str = "drill.heatmark-answer";
    pub(super) const DESTROY_ASK: &str = "destroy.heatmark-ask";
    pub(super) const DESTROYED: &str = "destroy.heatmark-receipt";
}

/// A file that is to go to a member.
pub(super) struct Outgoing {
    pub(super) to: MemberId,
    pub(super) name: &'static str,
    pub(super) content: Vec<u8>,
}

type Handled = Result<Vec<Outgoing>, DeskError>;

impl Desk {
    /// Sees to a file of escrow; none for one that is none.
    pub(crate) async fn consider_escrow(
        &self,
        from: MemberId,
        name: &str,
        content: &[u8],
    ) -> Option<Result<(), DeskError>> {
        let handled = self.handle(from, name, content.to_vec()).await?;
        Some(match handled {
            Ok(letters) => self.send_out(letters).await,
            Err(error) => Err(error),
        })
    }

    async fn handle(&self, from: MemberId, name: &str, content: Vec<u8>) -> Option<Handled> {
        let handler: fn(&Self, MemberId, &[u8]) -> Handled = match name {
            names::DEPOSIT_ASK => Self::asked_to_hold,
            names::DEPOSIT_KEY => Self::key_of_agent,
            names::DEPOSIT_PARCEL => Self::shares_arrived,
            names::DEPOSIT_RECEIPT => Self::agent_signed,
            names::PIECE_ASK => Self::asked_for_pieces,
            names::PIECES => Self::pieces_arrived,
            names::OFFER_ASK => Self::asked_for_offers,
            names::OFFERS => Self::offers_arrived,
            names::QUOTE_ASK => Self::asked_for_quote,
            names::QUOTE => Self::quote_arrived,
            names::TERMS => Self::terms_arrived,
            names::REFUSED => Self::refusal_arrived,
            names::CARRY => Self::asked_to_carry,
            names::CLAIM => Self::claim_arrived,
            names::RULING => Self::ruling_arrived,
            names::DRILL_ASK => Self::asked_to_drill,
            names::DRILL_ANSWER => Self::drill_answered,
            names::DESTROY_ASK => Self::asked_to_destroy,
            names::DESTROYED => Self::agent_destroyed,
            _ => return None,
        };
        let desk = self.clone();
        let handled = blocking(move || handler(&desk, from, &content)).await;
        self.shared.deals.notify_one();
        Some(handled)
    }

    /// Sends files; those for this organisation itself it reads at once.
    pub(super) async fn send_out(&self, letters: Vec<Outgoing>) -> Result<(), DeskError> {
        let mut queue = VecDeque::from(letters);
        while let Some(Outgoing { to, name, content }) = queue.pop_front() {
            if to != self.parts.member {
                self.send_letter(to, name.to_owned(), content).await?;
            } else if let Some(handled) = self.handle(to, name, content).await {
                queue.extend(handled?);
            }
        }
        Ok(())
    }

    /// A file by the member that sends it.
    fn file_from<F: SignedFile>(&self, from: MemberId, content: &[u8]) -> Result<F, DeskError> {
        let file: F = self.proved(F::read(content, &self.parts.intake.network())?)?;
        if file.maker() == from.as_bytes() { Ok(file) } else { Err(DeskError::NotForUs) }
    }

    /// Whether a file is for this organisation.
    fn for_us(&self, to: &[u8]) -> Result<(), DeskError> {
        if to == self.parts.member.as_bytes() { Ok(()) } else { Err(DeskError::NotForUs) }
    }

    /// What two tasks must not do at once: to read a row and to write it back changed.
    fn alone(&self) -> MutexGuard<'_, ()> {
        self.shared.escrow.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
