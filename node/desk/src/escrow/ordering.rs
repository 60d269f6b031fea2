//! A regulator's orders: files that open to a member what an owner's policy gives to orders. How many of them it takes, and of
//! which regulators, the deposit says; every agent judges that for itself.

use super::DealError;
use crate::{Desk, DeskError, blocking};
use heatmark_escrow::files::{Order, reason_digest};
use heatmark_evidence::transfer::SignedFile as _;
use heatmark_ledger::Hash;
use heatmark_ledger::ids::MemberId;
use heatmark_ledger::messages as pb;
use heatmark_ledger::state;
use heatmark_records::RecordId;
use heatmark_vault::Deed;

/// What is ordered.
#[derive(Debug, Clone)]
pub struct OrderPlan {
    /// The record.
    pub record: RecordId,
    /// Its sections.
    pub sections: Vec<String>,
    /// The member that may open them.
    pub member: MemberId,
    /// For what.
    pub purpose: String,
    /// Why; only its salted digest goes into the order.
    pub reason: String,
    /// From when on it orders nothing, in Unix milliseconds.
    pub until_ms: u64,
}

/// An order, and what opens its reason's digest.
#[derive(Debug, Clone)]
pub struct SignedOrder {
    /// The file.
    pub file: Vec<u8>,
    /// The digest in it.
    pub reason: Hash,
    /// The digest's salt.
    pub salt: [u8; 32],
}

impl Desk {
    /// Signs an order.
    ///
    /// # Errors
    /// [`DealError::NotARegulator`], [`DealError::OrderEnded`]; see [`DeskError`].
    pub async fn order(&self, plan: OrderPlan) -> Result<SignedOrder, DeskError> {
        let desk = self.clone();
        blocking(move || desk.make_order(plan)).await
    }

    fn make_order(&self, plan: OrderPlan) -> Result<SignedOrder, DeskError> {
        let own = state::member(&self.parts.store, &self.parts.member)?;
        let own = own.and_then(|state| state.entry).unwrap_or_default();
        if !own.roles().any(|role| role == pb::Role::Regulator) {
            return Err(DealError::NotARegulator.into());
        }
        if state::member(&self.parts.store, &plan.member)?.is_none() {
            return Err(DeskError::UnknownMember(plan.member));
        }
        if plan.until_ms <= self.parts.store.tip().time.0 {
            return Err(DealError::OrderEnded.into());
        }
        let mut sections = plan.sections;
        sections.sort_unstable();
        sections.dedup();
        let salt: [u8; 32] = rand::random();
        let reason = reason_digest(&salt, &plan.reason);
        let order = Order {
            from: self.parts.member.to_vec(),
            to: plan.member.to_vec(),
            record: plan.record.0.to_vec(),
            sections,
            purpose: plan.purpose,
            reason: reason.0.to_vec(),
            until_ms: plan.until_ms,
            nonce: rand::random::<[u8; 16]>().to_vec(),
            ..Order::default()
        };
        let network = self.parts.intake.network();
        let file = order.signed(&network, &self.parts.signing);
        // What every agent would refuse, it must not hand out.
        Order::read(&file, &network)?;
        self.parts.vault.note(&self.actor, Deed::Order, Some(plan.record.0), 0)?;
        Ok(SignedOrder { file, reason, salt })
    }
}
