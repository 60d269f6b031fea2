//! How short the repeated parts of a message may be, checked before anything is decoded. An empty
//! part costs its sender two bytes and whoever decodes it two hundred: a message of a few MiB would
//! take hundreds. Refuses parts shorter than any that means something, and what is no message at all.

use crate::ledger::v1 as ledger;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use std::any::TypeId;

/// What is known of a message: its fields that repeat, and those that hold such fields.
pub type Shape = &'static [Part];

/// A field of bytes or a message.
#[derive(Debug)]
pub struct Part {
    number: u32,
    at_least: usize,
    within: Shape,
}

/// A field by its number, the fewest bytes that its content may have, and what is in it.
#[must_use]
pub const fn part(number: u32, at_least: usize, within: Shape) -> Part {
    Part { number, at_least, within }
}

/// Shorter than any validator, signature, hash or transaction.
const SHORT: usize = 8;
/// Shorter than any change of the validator set or member of the registry.
const LESS_SHORT: usize = 24;

/// A path and a number of one character each.
const TOLERANCE: usize = 6;

const SET: Shape = &[part(1, SHORT, &[])];
const CERTIFICATE: Shape = &[part(2, SHORT, &[])];
const RESTART: Shape = &[part(3, LESS_SHORT, &[])];
const CHANGE: Shape = &[part(2, 0, CERTIFICATE), part(3, 0, SET), part(4, 0, RESTART)];
const RECEIPT: Shape = &[part(3, SHORT, &[]), part(5, 0, CERTIFICATE), part(6, LESS_SHORT, CHANGE)];
const STATE_PROOF: Shape = &[part(6, 0, CERTIFICATE), part(7, LESS_SHORT, CHANGE)];
const ALERT_PROOF: Shape =
    &[part(3, 0, CERTIFICATE), part(4, LESS_SHORT, CHANGE), part(5, SHORT, &[])];
const EQUIVOCATION: Shape = &[part(6, SHORT, &[])];
const EVIDENCE: Shape = &[
    part(1, 0, EQUIVOCATION),
    part(3, 0, CERTIFICATE),
    part(4, LESS_SHORT, CHANGE),
    part(5, 0, SET),
    part(6, 0, STATE_PROOF),
    part(7, 0, STATE_PROOF),
];
const FAULTS: Shape = &[part(2, 1, &[])];
/// A digest and a length.
const WANTED: Shape = &[part(2, LESS_SHORT, &[])];
const DUE: Shape = &[part(6, LESS_SHORT, &[])];
const READ: Shape = &[part(7, 1, &[]), part(8, 2, WANTED)];
const ANCHORED: Shape = &[part(3, 0, RECEIPT)];
const PUBLISHED: Shape = &[part(1, 0, READ), part(2, 0, FAULTS), part(3, 0, ANCHORED)];
/// A section has a name and a field.
const DEPOSIT_SECTION: Shape = &[part(2, 1, &[])];
const DEPOSIT: Shape = &[part(2, 6, DEPOSIT_SECTION), part(3, LESS_SHORT, &[])];
/// Goods have a name, and a lot or a capsule; a specification has a name and a text.
const GIVEN: Shape = &[part(1, 4, &[]), part(4, 4, &[])];
const OPENED: Shape = &[part(2, SHORT, &[])];
const BLOCK: Shape = &[part(2, SHORT, &[])];
const CERTIFIED: Shape = &[part(1, 0, BLOCK), part(2, 0, CERTIFICATE)];

/// The shape of a message; empty where nothing in it repeats, or where it is short anyway, as an
/// envelope is.
#[must_use]
pub fn of<M: 'static>() -> Shape {
    let asked = TypeId::of::<M>();
    let is = |known: TypeId| known == asked;
    if is(TypeId::of::<ledger::Receipt>()) {
        RECEIPT
    } else if is(TypeId::of::<ledger::StateProof>()) {
        STATE_PROOF
    } else if is(TypeId::of::<ledger::AlertProof>()) {
        ALERT_PROOF
    } else if is(TypeId::of::<ledger::Evidence>()) {
        EVIDENCE
    } else if is(TypeId::of::<ledger::RestartDocument>()) {
        const { &[part(1, LESS_SHORT, CHANGE), part(2, 0, CHANGE)] }
    } else if is(TypeId::of::<ledger::TrustedHeader>()) {
        const { &[part(2, 0, SET)] }
    } else if is(TypeId::of::<ledger::Block>()) {
        BLOCK
    } else if is(TypeId::of::<ledger::CertifiedBlock>()) {
        CERTIFIED
    } else {
        of_answer(is)
    }
}

fn of_answer(is: impl Fn(TypeId) -> bool) -> Shape {
    use crate::desk::v1 as desk;
    if is(TypeId::of::<ledger::SubmitResponse>()) {
        const { &[part(2, 0, RECEIPT)] }
    } else if is(TypeId::of::<ledger::GetReceiptResponse>()) {
        const { &[part(1, 0, RECEIPT)] }
    } else if is(TypeId::of::<ledger::GetStateResponse>()) {
        const { &[part(1, 0, STATE_PROOF)] }
    } else if is(TypeId::of::<ledger::GetHeaderResponse>()) {
        const { &[part(2, 0, CERTIFICATE), part(3, LESS_SHORT, CHANGE), part(4, 0, SET)] }
    } else if is(TypeId::of::<ledger::StreamBlocksResponse>()) {
        const { &[part(1, 0, CERTIFIED), part(2, 0, SET), part(3, 0, CHANGE)] }
    } else if is(TypeId::of::<ledger::ListEvidenceResponse>()) {
        const { &[part(1, LESS_SHORT, EVIDENCE)] }
    } else if is(TypeId::of::<ledger::ListMembersResponse>()) {
        const { &[part(1, LESS_SHORT, &[])] }
    } else if is(TypeId::of::<desk::ListVaultLogResponse>())
        || is(TypeId::of::<desk::ListOperatorsResponse>())
        || is(TypeId::of::<desk::ListRecordsResponse>())
    {
        const { &[part(1, LESS_SHORT, &[])] }
    } else if is(TypeId::of::<desk::RaiseAlertResponse>()) {
        const { &[part(3, 0, RECEIPT)] }
    } else if is(TypeId::of::<desk::SignAndSubmitResponse>()) {
        const { &[part(2, 0, RECEIPT)] }
    } else if is(TypeId::of::<desk::SignAndSubmitRequest>()) {
        const { &[part(2, SHORT, &[])] }
    } else if is(TypeId::of::<desk::AttestRequest>()) {
        const { &[part(3, LESS_SHORT, &[]), part(4, 1, &[])] }
    } else if is(TypeId::of::<desk::AttestResponse>()) {
        const { &[part(5, 1, &[]), part(6, 1, &[]), part(8, 0, RECEIPT)] }
    } else if is(TypeId::of::<desk::AgreeRequest>()) {
        const { &[part(3, TOLERANCE, &[])] }
    } else if is(TypeId::of::<desk::PublishResponse>()) {
        PUBLISHED
    } else {
        of_escrow(is)
    }
}

fn of_escrow(is: impl Fn(TypeId) -> bool) -> Shape {
    use crate::desk::v1 as desk;
    if is(TypeId::of::<desk::DepositRequest>()) {
        const { &[part(1, 0, DEPOSIT)] }
    } else if is(TypeId::of::<desk::AskOffersRequest>()) {
        const { &[part(1, LESS_SHORT, &[])] }
    } else if is(TypeId::of::<desk::SignOrderRequest>()) {
        const { &[part(2, 1, &[])] }
    } else if is(TypeId::of::<desk::OpenDealRequest>()) {
        const { &[part(2, 1, &[]), part(8, LESS_SHORT, &[])] }
    } else if is(TypeId::of::<desk::ListDepositsResponse>())
        || is(TypeId::of::<desk::ListHoldingsResponse>())
        || is(TypeId::of::<desk::ListDealsResponse>())
        || is(TypeId::of::<desk::ShowDealResponse>())
        || is(TypeId::of::<desk::WatchDealResponse>())
        || is(TypeId::of::<desk::AskOffersResponse>())
    {
        const { &[part(1, LESS_SHORT, &[])] }
    } else if is(TypeId::of::<desk::KeepInspectionRequest>()) {
        const { &[part(1, 0, GIVEN)] }
    } else if is(TypeId::of::<desk::ListInspectionsResponse>()) {
        const { &[part(1, LESS_SHORT, &[])] }
    } else if is(TypeId::of::<desk::ListDueDepositsResponse>()) {
        const { &[part(1, LESS_SHORT, DUE)] }
    } else if is(TypeId::of::<desk::OpenedSectionsResponse>()) {
        const { &[part(1, 1, OPENED)] }
    } else {
        &[]
    }
}

/// Whether the bytes are fields of a message, none of them shorter than its shape allows. Allocates
/// nothing.
#[must_use]
pub fn fits(mut bytes: &[u8], shape: Shape) -> bool {
    while !bytes.is_empty() {
        let Ok((number, wire)) = decode_key(&mut bytes) else { return false };
        if wire != WireType::LengthDelimited {
            if skip_field(wire, number, &mut bytes, DecodeContext::default()).is_err() {
                return false;
            }
            continue;
        }
        let length = decode_varint(&mut bytes).ok().and_then(|length| length.try_into().ok());
        let Some((field, rest)) = length.and_then(|length| bytes.split_at_checked(length)) else {
            return false;
        };
        bytes = rest;
        let known = shape.iter().find(|part| part.number == number);
        let fitting = known.is_none_or(|part| {
            field.len() >= part.at_least && (part.within.is_empty() || fits(field, part.within))
        });
        if !fitting {
            return false;
        }
    }
    true
}

/// Whether the bytes are fields of a message that holds none of these fields more often than it may. Allocates nothing.
#[must_use]
pub fn counts(mut bytes: &[u8], limits: &[(u32, usize)]) -> bool {
    let mut found = [0_usize; 8];
    while !bytes.is_empty() {
        let Ok((number, wire)) = decode_key(&mut bytes) else { return false };
        if skip_field(wire, number, &mut bytes, DecodeContext::default()).is_err() {
            return false;
        }
        let known = limits.iter().zip(&mut found).find(|((field, _), _)| *field == number);
        if let Some(((_, most), count)) = known {
            *count = count.saturating_add(1);
            if *count > *most {
                return false;
            }
        }
    }
    true
}
