//! Steps of a deal as they travel: read from a transaction's payload, put into a body for whoever
//! is to carry it, and checked by the carrier. Refuses a step without its parts or out of bounds.

use super::{Opening, Step};
use crate::ids::{DealId, NetworkId};
use crate::refusal::Refusal;
use crate::state;
use crate::transaction::{NONCE_BYTES, verify_cosignature};
use crate::wire;
use heatmark_proto::ledger::v1 as pb;
use heatmark_proto::ledger::v1::body::Payload;
use std::ops::Range;

/// Most envelopes of one release.
pub const MAX_ENVELOPES: usize = 32;

/// Longest envelope of a release, in bytes.
pub const MAX_ENVELOPE_BYTES: usize = 2_048;

/// What a payload does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Opens a deal.
    Open(Box<Opening>),
    /// Goes on with one.
    Step(Step),
}

/// Reads a payload: which deal, and what it does there.
///
/// # Errors
/// [`Refusal::Field`], or as [`Opening::read`].
pub fn read(message: &pb::Deal) -> Result<(DealId, Action), Refusal> {
    use pb::deal::Step as Given;
    let deal = state::digest(&message.deal).map(DealId).ok_or(Refusal::Field("deal"))?;
    let step = match message.step.as_ref().ok_or(Refusal::Field("step"))? {
        Given::Open(open) => return Ok((deal, Action::Open(Box::new(Opening::read(open)?)))),
        Given::Accept(pb::DealAccept {}) => Step::Accept,
        Given::Fund(pb::DealFund {}) => Step::Fund,
        Given::Ready(ready) => Step::Ready { agent: ready.agent },
        Given::Release(release) => {
            check_envelopes(&release.envelopes)?;
            Step::Release { agent: release.agent }
        }
        Given::Confirm(pb::DealConfirm {}) => Step::Confirm,
        Given::Dispute(dispute) => {
            state::digest(&dispute.claim_digest).ok_or(Refusal::Field("claim_digest"))?;
            Step::Dispute
        }
        Given::Rule(rule) => {
            state::digest(&rule.reason_digest).ok_or(Refusal::Field("reason_digest"))?;
            Step::Rule { refund: rule.refund }
        }
    };
    Ok((deal, Action::Step(step)))
}

fn check_envelopes(envelopes: &[Vec<u8>]) -> Result<(), Refusal> {
    let bounded = |envelope: &Vec<u8>| (1..=MAX_ENVELOPE_BYTES).contains(&envelope.len());
    let number = (1..=MAX_ENVELOPES).contains(&envelopes.len());
    if number && envelopes.iter().all(bounded) { Ok(()) } else { Err(Refusal::Field("envelopes")) }
}

/// The body of a step, to be encoded and co-signed ([`crate::transaction::cosign`]) by the step's
/// key. `window` is block time in Unix milliseconds, its end excluded; `nonce` is random.
#[must_use]
pub fn body(
    deal: &DealId,
    step: pb::deal::Step,
    window: Range<u64>,
    nonce: [u8; NONCE_BYTES],
) -> pb::Body {
    let payload = Payload::Deal(pb::Deal { deal: deal.to_vec(), step: Some(step) });
    pb::Body {
        not_before_ms: window.start,
        not_after_ms: window.end,
        nonce: nonce.to_vec(),
        payload: Some(payload),
    }
}

/// Reads what another party asks a member to carry: a step's encoded body and its co-signature.
/// That the key is the deal's own for this step only the log's state tells. To be put into an
/// envelope with [`crate::transaction::sign`].
///
/// # Errors
/// [`Refusal::Wire`], [`Refusal::Field`], [`Refusal::Window`], [`Refusal::NoPayload`] when it is
/// no step of a deal, [`Refusal::Cosignatures`], [`Refusal::Key`], or as [`read`].
pub fn verify_carried(
    network: &NetworkId,
    body: &[u8],
    cosignature: &pb::CoSignature,
) -> Result<(pb::Body, DealId, Action), Refusal> {
    let read_body = wire::decode_body(body)?;
    if read_body.nonce.len() != NONCE_BYTES {
        return Err(Refusal::Field("nonce"));
    }
    if read_body.not_after_ms <= read_body.not_before_ms {
        return Err(Refusal::Window);
    }
    let Some(Payload::Deal(message)) = &read_body.payload else { return Err(Refusal::NoPayload) };
    let (deal, action) = read(message)?;
    if cosignature.purpose != i32::from(pb::CoSigner::Deal) {
        return Err(Refusal::Cosignatures);
    }
    verify_cosignature(network, cosignature, body)?;
    Ok((read_body, deal, action))
}
