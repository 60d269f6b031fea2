//! Refusals as gRPC statuses: a kind that any client understands, the stable code under
//! `heatmark-code`, the sentence as message. What went wrong inside the node is logged here and not
//! told.

use heatmark_client::{REFUSAL_CODE, RETRY_AFTER_MS};
use heatmark_desk::{DealError, DeskError};
use heatmark_ledger::refusal::Refusal;
use heatmark_ledger::state::StateError;
use heatmark_mempool::{IntakeError, MempoolError};
use heatmark_store::StoreError;
use heatmark_vault::VaultError;
use std::time::Duration;
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};

/// A few blocks.
const POOL_WAIT: Duration = Duration::from_millis(500);

pub(crate) fn refuse(kind: Code, code: &'static str, message: impl Into<String>) -> Status {
    let mut status = Status::new(kind, message);
    status.metadata_mut().insert(REFUSAL_CODE, MetadataValue::from_static(code));
    status
}

/// A refusal for now: there is room again after this long.
pub(crate) fn busy(code: &'static str, message: &'static str, wait: Duration) -> Status {
    let mut status = refuse(Code::ResourceExhausted, code, message);
    let ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    status.metadata_mut().insert(RETRY_AFTER_MS, MetadataValue::from(ms));
    status
}

pub(crate) fn field(message: &'static str) -> Status {
    refuse(Code::InvalidArgument, "field", message)
}

pub(crate) fn not_found(code: &'static str, message: impl Into<String>) -> Status {
    refuse(Code::NotFound, code, message)
}

pub(crate) fn stopping() -> Status {
    refuse(Code::Unavailable, "stopping", "the node is stopping")
}

pub(crate) fn pending() -> Status {
    let message =
        "the transaction is not committed yet and may still be; ask for its receipt later";
    refuse(Code::DeadlineExceeded, "pending", message)
}

pub(crate) fn of_refusal(refusal: &Refusal) -> Status {
    let kind = match refusal {
        Refusal::Wire(_)
        | Refusal::Field(_)
        | Refusal::NoPayload
        | Refusal::Cosignatures
        | Refusal::Key(_)
        | Refusal::Window
        | Refusal::BatchSize
        | Refusal::Entry(_) => Code::InvalidArgument,
        Refusal::Replayed
        | Refusal::Acknowledged
        | Refusal::Voted
        | Refusal::KeyInUse
        | Refusal::DealExists => Code::AlreadyExists,
        Refusal::UnknownKey | Refusal::KeyNotValid | Refusal::MemberNotActive => {
            Code::PermissionDenied
        }
        Refusal::UnknownMember | Refusal::NoSuchAlert | Refusal::NoSuchDeal => Code::NotFound,
        _ => Code::FailedPrecondition,
    };
    refuse(kind, refusal.code(), refusal.to_string())
}

fn of_pool(error: MempoolError) -> Status {
    let (code, message) = match error {
        MempoolError::Full => ("pool-full", "the pool is full"),
        MempoolError::MemberQuota => {
            ("member-quota", "the member has too many transactions waiting")
        }
    };
    busy(code, message, POOL_WAIT)
}

pub(crate) fn of_intake(error: IntakeError) -> Status {
    match error {
        IntakeError::Refused(refusal) => of_refusal(&refusal),
        IntakeError::Pool(error) => of_pool(error),
        IntakeError::State(error) => of_state(error),
        IntakeError::VersionTooNew(_) => too_new(),
    }
}

#[allow(clippy::needless_pass_by_value, reason = "used as a function in map_err")]
pub(crate) fn of_store(error: StoreError) -> Status {
    match error {
        StoreError::NotAvailable(what) => {
            not_found("not-available", format!("not available: {what}"))
        }
        StoreError::Database(_) | StoreError::Damaged(_) => {
            tracing::error!(%error, "a request met a damaged database or a failing disk");
            let message = "this node's database is damaged or its disk fails; ask another node";
            refuse(Code::DataLoss, "store-damaged", message)
        }
        error => broken("the store failed", &error),
    }
}

#[allow(clippy::needless_pass_by_value, reason = "used as a function in map_err")]
pub(crate) fn of_state(error: StateError) -> Status {
    broken("the state cannot be read", &error)
}

pub(crate) fn of_desk(error: DeskError) -> Status {
    let code = error.code();
    match error {
        DeskError::Refused(refusal) => of_refusal(&refusal),
        DeskError::Busy(error) => of_pool(error),
        DeskError::Expired => refuse(Code::Aborted, code, error.to_string()),
        DeskError::NotCommitted => pending(),
        DeskError::UnknownRecord(_)
        | DeskError::UnknownMember(_)
        | DeskError::NoRecall
        | DeskError::UnknownSerial(_)
        | DeskError::UnknownLetter => not_found(code, error.to_string()),
        DeskError::Deal(error) => of_deal(code, &error),
        DeskError::NotAnchored(_)
        | DeskError::CommissionsNothing(_)
        | DeskError::MassHidden(_)
        | DeskError::Lots(_)
        | DeskError::LotExpired(_)
        | DeskError::NotAssembled(_)
        | DeskError::BeyondTolerance(_)
        | DeskError::PointSkipped { .. }
        | DeskError::ScannedOther(_)
        | DeskError::Unproved(_)
        | DeskError::NoOwnLimits
        | DeskError::SpecificationNotFor(_)
        | DeskError::AgreedOtherwise(_)
        | DeskError::OtherTolerance(_)
        | DeskError::AgreedWithOthers(_)
        | DeskError::NoSeals(_)
        | DeskError::ParcelTooLong
        | DeskError::CapsuleTooLong
        | DeskError::Rejected(..)
        | DeskError::OwnRecord(_) => refuse(Code::FailedPrecondition, code, error.to_string()),
        DeskError::AlertUnderway => refuse(Code::Aborted, code, error.to_string()),
        DeskError::NoLevel
        | DeskError::ReasonTooLong
        | DeskError::NoPayload
        | DeskError::Inspection(..)
        | DeskError::Purpose
        | DeskError::Letter
        | DeskError::LotKind
        | DeskError::LotKept
        | DeskError::NotInside(_)
        | DeskError::ProcessField
        | DeskError::NothingToWaive(_)
        | DeskError::Waiver
        | DeskError::SerialPattern
        | DeskError::SerialCount { .. }
        | DeskError::SerialsLeft(_)
        | DeskError::SerialTrees
        | DeskError::ScatteredSerials
        | DeskError::NoSerials
        | DeskError::NothingDisclosed
        | DeskError::Selection(_)
        | DeskError::Tolerance(_)
        | DeskError::SameRecord
        | DeskError::OtherRecord(_)
        | DeskError::TooManyDisclosures
        | DeskError::Evidence(_)
        | DeskError::Faults(_)
        | DeskError::Transfer(_)
        | DeskError::Capsule(_)
        | DeskError::NotForUs
        | DeskError::SealCount
        | DeskError::Window
        | DeskError::BadSpecification
        | DeskError::NoAttestation(_)
        | DeskError::IncompleteBody => refuse(Code::InvalidArgument, code, error.to_string()),
        DeskError::RegisteredKey | DeskError::NoKey => {
            refuse(Code::InvalidArgument, code, error.to_string())
        }
        DeskError::Vault(error) => of_vault(code, &error),
        DeskError::VersionTooNew(_) => too_new(),
        DeskError::Stopped => stopping(),
        other => broken("the desk failed", &other),
    }
}

fn of_deal(code: &'static str, error: &DealError) -> Status {
    let kind = match error {
        DealError::UnknownDeposit
        | DealError::UnknownDeal
        | DealError::NoOffer
        | DealError::NoSuchInspection
        | DealError::NoSuchDocument => Code::NotFound,
        DealError::Escrow(_)
        | DealError::DepositTooLong
        | DealError::NotInSection(_)
        | DealError::Sharing
        | DealError::AgentCountry(..)
        | DealError::PremiumBase
        | DealError::DocumentName
        | DealError::NothingDelivered
        | DealError::OrderEnded => Code::InvalidArgument,
        DealError::NotARegulator => Code::PermissionDenied,
        DealError::TooManyBegun | DealError::NoRoom => Code::ResourceExhausted,
        DealError::PiecesMissing | DealError::NotOnLog | DealError::NoTerms => Code::Unavailable,
        DealError::Outbox(_) => return broken("the outbox failed", error),
        _ => Code::FailedPrecondition,
    };
    refuse(kind, code, error.to_string())
}

fn of_vault(code: &'static str, error: &VaultError) -> Status {
    let kind = match error {
        VaultError::UnknownRecord(_) | VaultError::UnknownOperator | VaultError::UnknownLot => {
            Code::NotFound
        }
        VaultError::Erased(_)
        | VaultError::OnHold(_)
        | VaultError::Retained { .. }
        | VaultError::NotAnchored(_)
        | VaultError::LotUsed(_)
        | VaultError::LotNotThere(_)
        | VaultError::LotNameTaken(_)
        | VaultError::SerialTaken(_)
        | VaultError::SerialsUnknown
        | VaultError::Commissioned(_)
        | VaultError::TooManyOperators => Code::FailedPrecondition,
        VaultError::Name | VaultError::NoRole | VaultError::LotName | VaultError::ReasonTooLong => {
            Code::InvalidArgument
        }
        error => return broken("the vault failed", error),
    };
    refuse(kind, code, error.to_string())
}

fn too_new() -> Status {
    let message = "the network runs a protocol version that this node does not know";
    refuse(Code::Unavailable, "version-too-new", message)
}

fn broken(what: &'static str, error: &(dyn std::error::Error + 'static)) -> Status {
    tracing::error!(error, what, "a request failed inside the node");
    refuse(Code::Internal, "node-failed", "the node failed to answer; its log says why")
}
