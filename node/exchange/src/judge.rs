//! What becomes of a received batch: every transaction goes through the node's one door, and the
//! batch is passed on whole only if all of it was taken or known.

use bytes::Bytes;
use heatmark_ledger::ids::TransactionId;
use heatmark_ledger::refusal::Refusal;
use heatmark_mempool::{Intake, IntakeError, Tip};

/// What the door said of a batch.
#[derive(Debug, Default)]
pub(crate) struct Judgement {
    /// Taken now.
    pub(crate) fresh: Vec<TransactionId>,
    /// Waiting already.
    pub(crate) known: u64,
    /// Refused for reasons that an honest peer cannot always foresee: time, state, replay.
    pub(crate) refused: u64,
    /// Of those refused, how many cost a signature's verification or more.
    pub(crate) verified_in_vain: u64,
    /// No room in the pool or in the member's share.
    pub(crate) no_room: u64,
    /// Refused for its bytes; what follows it in the batch was not looked at.
    pub(crate) fault: Option<Refusal>,
    /// The node itself cannot judge.
    pub(crate) broken: Option<IntakeError>,
}

impl Judgement {
    /// Whether the batch goes on as it is. One that brought nothing new stops here: its
    /// transactions are announced by every node that holds them.
    pub(crate) fn forwards(&self) -> bool {
        !self.fresh.is_empty()
            && self.refused == 0
            && self.no_room == 0
            && self.fault.is_none()
            && self.broken.is_none()
    }
}

pub(crate) fn judge(intake: &Intake, transactions: &[Bytes], tip: Tip) -> Judgement {
    let mut judgement = Judgement::default();
    for transaction in transactions {
        match intake.receive(transaction, tip) {
            Ok(accepted) if accepted.fresh => judgement.fresh.push(accepted.id),
            Ok(_) => judgement.known = judgement.known.saturating_add(1),
            Err(IntakeError::Pool(_)) => {
                judgement.no_room = judgement.no_room.saturating_add(1);
            }
            Err(error) if Intake::is_senders_fault(&error) => {
                if let IntakeError::Refused(refusal) = error {
                    judgement.fault = Some(refusal);
                }
                return judgement;
            }
            Err(IntakeError::Refused(refusal)) => {
                judgement.refused = judgement.refused.saturating_add(1);
                let wasted = u64::from(!is_cheap(&refusal));
                judgement.verified_in_vain = judgement.verified_in_vain.saturating_add(wasted);
            }
            Err(error) => {
                judgement.broken = Some(error);
                return judgement;
            }
        }
    }
    judgement
}

/// Whether the door refuses for this before it verifies anything.
fn is_cheap(refusal: &Refusal) -> bool {
    matches!(
        refusal,
        Refusal::Window
            | Refusal::TooEarly
            | Refusal::Expired
            | Refusal::Replayed
            | Refusal::UnknownKey
            | Refusal::KeyNotValid
            | Refusal::MemberNotActive
    )
}
